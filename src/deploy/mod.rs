//! From an assembly to stacks in AWS: the only module that depends on the AWS SDK.
//!
//! ```text
//! Assembly ─desired─▶ what there should be ┐
//!                                          ├─decide─▶ Plan ─approve─▶ execute ─follow─▶ Outcome
//! AWS      ─observe─▶ what there is        ┘
//! ```
//!
//! Deciding is pure: [`decide::decide`] says what a stack's status allows, [`danger`] what a change may cost, [`cause`] what went
//! wrong first. Executing obeys the plan. Every way through AWS is one that can be walked twice: what was begun is found again by
//! names and tokens that follow from content, so that a run that dies at any moment is taken up by the same command.

pub mod adopt;
pub mod assets;
pub mod bucket;
pub mod cause;
pub mod change;
pub mod changeset;
pub mod danger;
pub mod decide;
pub mod desired;
pub mod error;
pub mod execute;
pub mod follow;
pub mod observe;
pub mod operation;
pub mod plan;
pub mod progress;
pub mod session;
pub mod stack;

pub use error::Error;
pub use session::Session;
