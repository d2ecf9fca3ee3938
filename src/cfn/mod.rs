//! CloudFormation as types: templates, values, policies, and one file per AWS service with only what lakegen emits.
//!
//! References are received, never written: [`Template::add`] answers with a [`Ref`], and a `Ref` answers with values
//! whose types say what they are. A name where an ARN is due does not compile:
//!
//! ```
//! use lakegen::cfn::iam::{Principal, Role, Statement};
//! use lakegen::cfn::{Arn, LogicalId, Name, Tags, Template, Value};
//!
//! let mut template = Template::new("an example");
//! let role = template.add(
//!     LogicalId::fixed("Worker"),
//!     Role::new(Value::literal("worker"), "does the work", Statement::assume(Principal::Service("glue.amazonaws.com")), vec![], Tags(vec![])),
//! );
//! let arn: Value<Arn<Role>> = role.arn();
//! let name: Value<Name<Role>> = role.name();
//! ```
//!
//! ```compile_fail,E0308
//! # use lakegen::cfn::iam::{Principal, Role, Statement};
//! # use lakegen::cfn::{Arn, LogicalId, Name, Tags, Template, Value};
//! # let mut template = Template::new("an example");
//! # let role = template.add(
//! #     LogicalId::fixed("Worker"),
//! #     Role::new(Value::literal("worker"), "does the work", Statement::assume(Principal::Service("glue.amazonaws.com")), vec![], Tags(vec![])),
//! # );
//! let arn: Value<Arn<Role>> = role.name(); // the commonest mistake in CloudFormation: `Ref` where `GetAtt` is due
//! ```

mod deployed;
mod json;
mod node;
mod shape;
mod template;
mod value;
mod yaml;

pub mod apigateway;
pub mod athena;
pub mod autoscaling;
pub mod cloudwatch;
pub mod cognito;
pub mod custom;
pub mod databrew;
pub mod dynamodb;
pub mod events;
pub mod glue;
pub mod iam;
pub mod kms;
pub mod lakeformation;
pub mod lambda;
pub mod logs;
pub mod s3;
pub mod sagemaker;
pub mod sns;
pub mod sqs;
pub mod wafv2;

pub use deployed::{FINGERPRINT, deployable, resources};
pub use node::{IntoNode, Node, TagMap, Tags};
pub use template::{
    Condition, Declaration, Format, LogicalId, Only, Output, Ref, Rendered, Resource, Retention, Template,
};
pub(crate) use value::sub;
pub use value::{Arn, ArnPattern, Attribute, Name, Piece, S3Uri, Text, Value, pseudo};
