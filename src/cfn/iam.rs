//! Identity and Access Management: policy documents without wildcard permissions, and roles.
//!
//! An [`Action`] is one of the constants below, each a whole name: no `Allow` statement can hold `s3:*`. Actions come in two
//! types. An [`Action`] works on resources, so its statement names them; an [`Unscoped`] one is listed in AWS's Service
//! Authorization Reference without any resource type, and only those may stand on `*`.

use std::borrow::Cow;

use super::node::{IntoNode, Node, Tags};
use super::s3::Bucket;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, ArnPattern, Name, Text, Value, pseudo, sub};

/// The whole name of an action that works on named resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(&'static str);

/// The whole name of an action for which AWS has no resource-level permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unscoped(&'static str);

/// Refuses, when lakegen is compiled, a name that is not `service:Operation`.
const fn whole(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    let mut colons = 0;
    let mut index = 0;
    while index < bytes.len() {
        assert!(bytes[index] != b'*', "an action is named in full");
        if bytes[index] == b':' {
            colons += 1;
        }
        index += 1;
    }
    assert!(colons == 1, "an action is `service:Operation`");
    name
}

macro_rules! actions {
    ($type:ident { $( $constant:ident = $name:literal ),* $(,)? }) => {
        impl $type {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: $type = $type(whole($name));
            )*

            /// All of the above: what the roles of steps and functions use.
            pub(crate) const ALL: &[$type] = &[$($type::$constant),*];

            /// Others, by their names: what only the roles of the `access` stack use.
            pub(crate) const fn named<const N: usize>(names: [&'static str; N]) -> [$type; N] {
                let mut actions = [$type(""); N];
                let mut index = 0;
                while index < N {
                    actions[index] = $type(whole(names[index]));
                    index += 1;
                }
                actions
            }

            /// Its whole name.
            pub(crate) const fn name(&self) -> &'static str {
                self.0
            }
        }
    };
}

actions!(Action {
    APPLICATION_AUTOSCALING_DELETE_SCALING_POLICY = "application-autoscaling:DeleteScalingPolicy",
    APPLICATION_AUTOSCALING_DEREGISTER_SCALABLE_TARGET = "application-autoscaling:DeregisterScalableTarget",
    APPLICATION_AUTOSCALING_PUT_SCALING_POLICY = "application-autoscaling:PutScalingPolicy",
    APPLICATION_AUTOSCALING_REGISTER_SCALABLE_TARGET = "application-autoscaling:RegisterScalableTarget",
    ATHENA_GET_NAMED_QUERY = "athena:GetNamedQuery",
    ATHENA_GET_QUERY_EXECUTION = "athena:GetQueryExecution",
    ATHENA_START_QUERY_EXECUTION = "athena:StartQueryExecution",
    ATHENA_STOP_QUERY_EXECUTION = "athena:StopQueryExecution",
    CLOUDFORMATION_DESCRIBE_STACKS = "cloudformation:DescribeStacks",
    CLOUDFORMATION_DESCRIBE_STACK_EVENTS = "cloudformation:DescribeStackEvents",
    CLOUDFORMATION_UPDATE_STACK = "cloudformation:UpdateStack",
    CLOUDWATCH_DELETE_ALARMS = "cloudwatch:DeleteAlarms",
    CLOUDWATCH_DESCRIBE_ALARMS = "cloudwatch:DescribeAlarms",
    CLOUDWATCH_LIST_TAGS_FOR_RESOURCE = "cloudwatch:ListTagsForResource",
    CLOUDWATCH_PUT_METRIC_ALARM = "cloudwatch:PutMetricAlarm",
    CLOUDWATCH_TAG_RESOURCE = "cloudwatch:TagResource",
    CLOUDWATCH_UNTAG_RESOURCE = "cloudwatch:UntagResource",
    DATABREW_DELETE_RECIPE_VERSION = "databrew:DeleteRecipeVersion",
    DATABREW_DESCRIBE_JOB_RUN = "databrew:DescribeJobRun",
    DATABREW_DESCRIBE_RECIPE = "databrew:DescribeRecipe",
    DATABREW_LIST_JOB_RUNS = "databrew:ListJobRuns",
    DATABREW_LIST_RECIPE_VERSIONS = "databrew:ListRecipeVersions",
    DATABREW_PUBLISH_RECIPE = "databrew:PublishRecipe",
    DATABREW_START_JOB_RUN = "databrew:StartJobRun",
    DATABREW_STOP_JOB_RUN = "databrew:StopJobRun",
    DYNAMODB_BATCH_GET_ITEM = "dynamodb:BatchGetItem",
    DYNAMODB_BATCH_WRITE_ITEM = "dynamodb:BatchWriteItem",
    DYNAMODB_DELETE_ITEM = "dynamodb:DeleteItem",
    DYNAMODB_DESCRIBE_TABLE = "dynamodb:DescribeTable",
    DYNAMODB_GET_ITEM = "dynamodb:GetItem",
    DYNAMODB_PUT_ITEM = "dynamodb:PutItem",
    DYNAMODB_QUERY = "dynamodb:Query",
    DYNAMODB_SCAN = "dynamodb:Scan",
    DYNAMODB_UPDATE_ITEM = "dynamodb:UpdateItem",
    ECR_BATCH_CHECK_LAYER_AVAILABILITY = "ecr:BatchCheckLayerAvailability",
    ECR_BATCH_GET_IMAGE = "ecr:BatchGetImage",
    ECR_GET_DOWNLOAD_URL_FOR_LAYER = "ecr:GetDownloadUrlForLayer",
    GLUE_BATCH_CREATE_PARTITION = "glue:BatchCreatePartition",
    GLUE_BATCH_DELETE_PARTITION = "glue:BatchDeletePartition",
    GLUE_BATCH_GET_PARTITION = "glue:BatchGetPartition",
    GLUE_BATCH_STOP_JOB_RUN = "glue:BatchStopJobRun",
    GLUE_BATCH_UPDATE_PARTITION = "glue:BatchUpdatePartition",
    GLUE_CANCEL_DATA_QUALITY_RULESET_EVALUATION_RUN = "glue:CancelDataQualityRulesetEvaluationRun",
    GLUE_CREATE_PARTITION = "glue:CreatePartition",
    GLUE_CREATE_TABLE = "glue:CreateTable",
    GLUE_DELETE_TABLE = "glue:DeleteTable",
    GLUE_GET_CRAWLER = "glue:GetCrawler",
    GLUE_GET_DATABASE = "glue:GetDatabase",
    GLUE_GET_DATA_QUALITY_RESULT = "glue:GetDataQualityResult",
    GLUE_GET_DATA_QUALITY_RULESET = "glue:GetDataQualityRuleset",
    GLUE_GET_DATA_QUALITY_RULESET_EVALUATION_RUN = "glue:GetDataQualityRulesetEvaluationRun",
    GLUE_GET_JOB = "glue:GetJob",
    GLUE_GET_JOB_RUN = "glue:GetJobRun",
    GLUE_GET_JOB_RUNS = "glue:GetJobRuns",
    GLUE_GET_PARTITION = "glue:GetPartition",
    GLUE_GET_PARTITIONS = "glue:GetPartitions",
    GLUE_GET_TABLE = "glue:GetTable",
    GLUE_GET_TABLES = "glue:GetTables",
    GLUE_PUBLISH_DATA_QUALITY = "glue:PublishDataQuality",
    GLUE_START_CRAWLER = "glue:StartCrawler",
    GLUE_START_DATA_QUALITY_RULESET_EVALUATION_RUN = "glue:StartDataQualityRulesetEvaluationRun",
    GLUE_START_JOB_RUN = "glue:StartJobRun",
    GLUE_STOP_CRAWLER = "glue:StopCrawler",
    GLUE_UPDATE_JOB = "glue:UpdateJob",
    GLUE_UPDATE_PARTITION = "glue:UpdatePartition",
    GLUE_UPDATE_TABLE = "glue:UpdateTable",
    IAM_CREATE_SERVICE_LINKED_ROLE = "iam:CreateServiceLinkedRole",
    IAM_PASS_ROLE = "iam:PassRole",
    KMS_CREATE_GRANT = "kms:CreateGrant",
    KMS_DECRYPT = "kms:Decrypt",
    KMS_DESCRIBE_KEY = "kms:DescribeKey",
    KMS_ENCRYPT = "kms:Encrypt",
    KMS_GENERATE_DATA_KEY = "kms:GenerateDataKey",
    KMS_RE_ENCRYPT_FROM = "kms:ReEncryptFrom",
    KMS_RE_ENCRYPT_TO = "kms:ReEncryptTo",
    LOGS_ASSOCIATE_KMS_KEY = "logs:AssociateKmsKey",
    LOGS_CREATE_LOG_GROUP = "logs:CreateLogGroup",
    LOGS_CREATE_LOG_STREAM = "logs:CreateLogStream",
    LOGS_DELETE_LOG_GROUP = "logs:DeleteLogGroup",
    LOGS_DELETE_RETENTION_POLICY = "logs:DeleteRetentionPolicy",
    LOGS_DESCRIBE_LOG_STREAMS = "logs:DescribeLogStreams",
    LOGS_LIST_TAGS_FOR_RESOURCE = "logs:ListTagsForResource",
    LOGS_PUT_LOG_EVENTS = "logs:PutLogEvents",
    LOGS_PUT_RETENTION_POLICY = "logs:PutRetentionPolicy",
    LOGS_TAG_RESOURCE = "logs:TagResource",
    LOGS_UNTAG_RESOURCE = "logs:UntagResource",
    S3_ABORT_MULTIPART_UPLOAD = "s3:AbortMultipartUpload",
    S3_DELETE_OBJECT = "s3:DeleteObject",
    S3_GET_BUCKET_LOCATION = "s3:GetBucketLocation",
    S3_GET_OBJECT = "s3:GetObject",
    S3_LIST_BUCKET = "s3:ListBucket",
    S3_LIST_MULTIPART_UPLOAD_PARTS = "s3:ListMultipartUploadParts",
    S3_PUT_OBJECT = "s3:PutObject",
    SAGEMAKER_ADD_TAGS = "sagemaker:AddTags",
    SAGEMAKER_CREATE_ENDPOINT = "sagemaker:CreateEndpoint",
    SAGEMAKER_CREATE_ENDPOINT_CONFIG = "sagemaker:CreateEndpointConfig",
    SAGEMAKER_CREATE_MODEL = "sagemaker:CreateModel",
    SAGEMAKER_CREATE_TRAINING_JOB = "sagemaker:CreateTrainingJob",
    SAGEMAKER_DELETE_ENDPOINT = "sagemaker:DeleteEndpoint",
    SAGEMAKER_DELETE_ENDPOINT_CONFIG = "sagemaker:DeleteEndpointConfig",
    SAGEMAKER_DELETE_MODEL = "sagemaker:DeleteModel",
    SAGEMAKER_DELETE_TAGS = "sagemaker:DeleteTags",
    SAGEMAKER_DESCRIBE_ENDPOINT = "sagemaker:DescribeEndpoint",
    SAGEMAKER_DESCRIBE_ENDPOINT_CONFIG = "sagemaker:DescribeEndpointConfig",
    SAGEMAKER_DESCRIBE_MODEL = "sagemaker:DescribeModel",
    SAGEMAKER_DESCRIBE_TRAINING_JOB = "sagemaker:DescribeTrainingJob",
    SAGEMAKER_INVOKE_ENDPOINT = "sagemaker:InvokeEndpoint",
    SAGEMAKER_LIST_TAGS = "sagemaker:ListTags",
    SAGEMAKER_STOP_TRAINING_JOB = "sagemaker:StopTrainingJob",
    SAGEMAKER_UPDATE_ENDPOINT = "sagemaker:UpdateEndpoint",
    SAGEMAKER_UPDATE_ENDPOINT_WEIGHTS_AND_CAPACITIES = "sagemaker:UpdateEndpointWeightsAndCapacities",
    SNS_PUBLISH = "sns:Publish",
    SQS_DELETE_MESSAGE = "sqs:DeleteMessage",
    SQS_GET_QUEUE_ATTRIBUTES = "sqs:GetQueueAttributes",
    SQS_RECEIVE_MESSAGE = "sqs:ReceiveMessage",
    SQS_SEND_MESSAGE = "sqs:SendMessage",
    STS_ASSUME_ROLE = "sts:AssumeRole",
});

actions!(Unscoped {
    APPLICATION_AUTOSCALING_DESCRIBE_SCALABLE_TARGETS = "application-autoscaling:DescribeScalableTargets",
    APPLICATION_AUTOSCALING_DESCRIBE_SCALING_POLICIES = "application-autoscaling:DescribeScalingPolicies",
    CLOUDWATCH_PUT_METRIC_DATA = "cloudwatch:PutMetricData",
    ECR_GET_AUTHORIZATION_TOKEN = "ecr:GetAuthorizationToken",
    LOGS_DESCRIBE_LOG_GROUPS = "logs:DescribeLogGroups",
    GLUE_GET_SECURITY_CONFIGURATION = "glue:GetSecurityConfiguration",
    LAKEFORMATION_GET_DATA_ACCESS = "lakeformation:GetDataAccess",
    XRAY_PUT_TELEMETRY_RECORDS = "xray:PutTelemetryRecords",
    XRAY_PUT_TRACE_SEGMENTS = "xray:PutTraceSegments",
});

/// Everything that a key policy can give, named in full, for the account that owns the key.
const KEY_ADMINISTRATION: [&str; 40] = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DeleteImportedKeyMaterial",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetParametersForImport",
    "kms:GetPublicKey",
    "kms:ImportKeyMaterial",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:ReplicateKey",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
    "kms:VerifyMac",
];

/// Who a statement of a resource's policy or of a trust policy speaks of.
#[derive(Clone, Debug)]
pub enum Principal {
    /// An AWS service, such as `glue.amazonaws.com`
    Service(&'static str),
    /// A service whose name has the region and the partition's suffix in it, as CloudWatch Logs' has. All others that lakegen speaks
    /// of are `<service>.amazonaws.com` in every partition. Source: `region-info/lib/default.ts` of the AWS CDK.
    RegionalService(Value<Text>),
    /// The root of an account: whoever its administrators choose
    Account(Value<Text>),
}

impl IntoNode for Principal {
    fn into_node(self) -> Option<Node> {
        let (kind, value) = match self {
            Principal::Service(service) => ("Service", service.into_node()),
            Principal::RegionalService(service) => ("Service", service.into_node()),
            Principal::Account(root) => ("AWS", root.into_node()),
        };
        Some(Node::map([(kind, value?)]))
    }
}

/// One condition of a statement: `operator: { key: value }`.
#[derive(Clone, Debug)]
struct Test {
    operator: &'static str,
    key: Cow<'static, str>,
    value: Node,
}

/// One statement of a policy.
#[derive(Clone, Debug)]
pub struct Statement {
    sid: Cow<'static, str>,
    effect: &'static str,
    principal: Option<Node>,
    actions: Vec<&'static str>,
    resources: Option<Node>,
    tests: Vec<Test>,
}

impl Statement {
    /// Allows `actions` on `resources`. `sid`, letters and digits, says what for.
    pub fn allow(
        sid: impl Into<Cow<'static, str>>,
        actions: impl IntoIterator<Item = Action>,
        resources: impl IntoIterator<Item = Value<ArnPattern>>,
    ) -> Self {
        let resources = resources.into_iter().filter_map(IntoNode::into_node).collect();
        Self::new(sid, "Allow", actions.into_iter().map(|Action(name)| name).collect(), Some(Node::List(resources)))
    }

    /// Allows actions that AWS cannot narrow to resources.
    pub fn unscoped(sid: &'static str, actions: impl IntoIterator<Item = Unscoped>) -> Self {
        Self::new(sid, "Allow", actions.into_iter().map(|Unscoped(name)| name).collect(), Some(Node::text("*")))
    }

    /// Refuses `actions` on `resources`, whatever else allows them.
    pub fn deny(
        sid: impl Into<Cow<'static, str>>,
        actions: impl IntoIterator<Item = Action>,
        resources: impl IntoIterator<Item = Value<ArnPattern>>,
    ) -> Self {
        Self { effect: "Deny", ..Self::allow(sid, actions, resources) }
    }

    /// Lets those for whom `provider` vouches take on the role whose trust policy this is.
    pub fn assume_with_token(provider: &Value<Arn<OidcProvider>>) -> Self {
        let principal = provider.clone().into_node().map(|provider| Node::map([("Federated", provider)]));
        Self { principal, ..Self::new("Assume", "Allow", vec!["sts:AssumeRoleWithWebIdentity"], None) }
    }

    /// Lets a service take on the role whose trust policy this is.
    pub fn assume(principal: Principal) -> Self {
        Self { principal: principal.into_node(), ..Self::new("Assume", "Allow", vec!["sts:AssumeRole"], None) }
    }

    /// Lets one role of this account, which need not be there yet, take on the role whose trust policy this is.
    pub fn assumed_by(role: Value<Arn<Role>>) -> Self {
        // A principal that is not there is refused; the account with a condition on the caller is not.
        let root = sub!["arn:", pseudo::partition(), ":iam::", pseudo::account(), ":root"];
        Self::assume(Principal::Account(root)).only_if("ArnEquals", "aws:PrincipalArn", role.text())
    }

    /// Lets the account, and so whoever it allows by IAM, administer and use the key whose policy this is.
    pub fn key_of(account: Principal) -> Self {
        // In a key policy `*` means the key.
        let statement = Self::new("Account", "Allow", KEY_ADMINISTRATION.to_vec(), Some(Node::text("*")));
        Self { principal: account.into_node(), ..statement }
    }

    /// Lets a service use the key whose policy this is.
    pub fn key_for(sid: &'static str, principal: Principal, actions: impl IntoIterator<Item = Action>) -> Self {
        let actions = actions.into_iter().map(|Action(name)| name).collect();
        Self { principal: principal.into_node(), ..Self::new(sid, "Allow", actions, Some(Node::text("*"))) }
    }

    /// Refuses whatever comes to the bucket without TLS.
    pub fn tls_only(bucket: &Ref<Bucket>) -> Self {
        let resources = [bucket.arn().pattern(), sub![bucket.arn(), "/*"]];
        let resources = resources.into_iter().filter_map(IntoNode::into_node).collect();
        let statement = Self::new("TlsOnly", "Deny", vec!["s3:*"], Some(Node::List(resources)));
        Self { principal: Some(Node::text("*")), ..statement }.only_if("Bool", "aws:SecureTransport", "false".into())
    }

    fn new(
        sid: impl Into<Cow<'static, str>>,
        effect: &'static str,
        actions: Vec<&'static str>,
        resources: Option<Node>,
    ) -> Self {
        Self { sid: sid.into(), effect, principal: None, actions, resources, tests: Vec::new() }
    }

    /// The same statement, spoken to `principal` in a resource's own policy.
    pub fn to(mut self, principal: Principal) -> Self {
        self.principal = principal.into_node();
        self
    }

    /// Holds only where the request's `key` passes `operator` with `value`.
    pub fn only_if(mut self, operator: &'static str, key: impl Into<Cow<'static, str>>, value: Value<Text>) -> Self {
        let key = key.into();
        self.tests.extend(value.into_node().map(|value| Test { operator, key, value }));
        self
    }

    /// Holds only where the request's `key` passes `operator` with one of `values`.
    pub fn only_if_any(
        mut self,
        operator: &'static str,
        key: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = Value<Text>>,
    ) -> Self {
        let value = Node::List(values.into_iter().filter_map(IntoNode::into_node).collect());
        self.tests.push(Test { operator, key: key.into(), value });
        self
    }
}

impl Statement {
    /// About how many characters it takes of a policy's quota: never fewer than [`Node::weight`] says of its node, and made
    /// without building that node.
    pub fn weight(&self) -> usize {
        let Self { sid, effect, principal, actions, resources, tests } = self;
        let actions: usize = actions.iter().map(|action| action.len() + 3).sum();
        let parts = [principal, resources].into_iter().flatten().map(|node| node.weight() + 16).sum::<usize>();
        let tests =
            tests.iter().map(|test| test.operator.len() + test.key.len() + test.value.weight() + 12).sum::<usize>();
        sid.len() + effect.len() + actions + parts + tests + 64
    }
}

impl IntoNode for Statement {
    fn into_node(self) -> Option<Node> {
        let Self { sid, effect, principal, actions, resources, tests } = self;
        let mut entries = vec![("Sid", Node::text(sid)), ("Effect", Node::text(effect))];
        entries.extend(principal.map(|principal| ("Principal", principal)));
        entries.push(("Action", Node::List(actions.into_iter().map(Node::text).collect())));
        entries.extend(resources.map(|resources| ("Resource", resources)));
        let mut conditions: Vec<(Cow<'static, str>, Node)> = Vec::new();
        for Test { operator, key, value } in tests {
            let test = (key, value);
            match conditions.iter_mut().find(|(known, _)| known == operator) {
                Some((_, Node::Map(tests))) => tests.push(test),
                _ => conditions.push((Cow::Borrowed(operator), Node::Map(vec![test]))),
            }
        }
        if !conditions.is_empty() {
            entries.push(("Condition", Node::Map(conditions)));
        }
        Some(Node::Map(entries.into_iter().map(|(key, node)| (Cow::Borrowed(key), node)).collect()))
    }
}

/// A policy: its statements together.
#[derive(Clone, Debug)]
pub struct Policy(pub Vec<Statement>);

impl IntoNode for Policy {
    fn into_node(self) -> Option<Node> {
        Some(Node::map([("Version", Node::text("2012-10-17")), ("Statement", self.0.into_node()?)]))
    }
}

shape! {
    /// A policy that belongs to one role alone.
    InlinePolicy {
        name: &'static str = "PolicyName",
        document: Policy = "PolicyDocument",
    }
}

resource! {
    /// Who a step is to AWS. `Ref` is its name.
    "AWS::IAM::Role" Role {
        name: Value<Name<Role>> = "RoleName",
        description: String = "Description",
        trust: Policy = "AssumeRolePolicyDocument",
        policies: Vec<InlinePolicy> = "Policies",
        boundary: Option<Value<Arn<NamedPolicy>>> = "PermissionsBoundary",
        tags: Tags = "Tags",
    }
}

impl Role {
    /// A role that whoever `trust` names takes on and that may do what `statements` say.
    pub fn new(
        name: Value<Name<Role>>,
        description: impl Into<String>,
        trust: Statement,
        statements: Vec<Statement>,
        tags: Tags,
    ) -> Self {
        let policies = if statements.is_empty() {
            Vec::new()
        } else {
            vec![InlinePolicy { name: "step", document: Policy(statements) }]
        };
        Self { name, description: description.into(), trust: Policy(vec![trust]), policies, boundary: None, tags }
    }
}

resource! {
    /// A policy with a name by which others speak of it.
    "AWS::IAM::ManagedPolicy" NamedPolicy {
        name: Value<Name<NamedPolicy>> = "ManagedPolicyName",
        description: String = "Description",
        document: Policy = "PolicyDocument",
    }
}

resource! {
    /// Somebody outside of AWS who vouches for others.
    "AWS::IAM::OIDCProvider" OidcProvider {
        url: String = "Url",
        audiences: Vec<Value<Text>> = "ClientIdList",
        tags: Tags = "Tags",
    }
}

impl Ref<OidcProvider> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<OidcProvider>> {
        self.attribute("Arn")
    }
}

impl Ref<Role> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Role>> {
        self.attribute("Arn")
    }

    /// Its name.
    pub fn name(&self) -> Value<Name<Role>> {
        self.reference()
    }
}

resource! {
    /// A policy on its own, for what does not fit into a role.
    "AWS::IAM::ManagedPolicy" ManagedPolicy {
        description: String = "Description",
        document: Policy = "PolicyDocument",
        roles: Vec<Value<Name<Role>>> = "Roles",
    }
}

resource! {
    /// A role of which only AWS needs to know, with policies that AWS wrote.
    "AWS::IAM::Role" ServiceRole {
        description: &'static str = "Description",
        trust: Policy = "AssumeRolePolicyDocument",
        managed: Vec<Value<ArnPattern>> = "ManagedPolicyArns",
        tags: Tags = "Tags",
    }
}

impl Ref<ServiceRole> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<ServiceRole>> {
        self.attribute("Arn")
    }
}

#[cfg(test)]
mod weights {
    use super::*;

    #[test]
    fn a_statement_is_never_heavier_than_it_says_and_not_much_lighter() {
        let bucket: Value<ArnPattern> = Value::literal("arn:aws:s3:::bucket/*");
        let plain = Statement::allow("Read", [Action::LOGS_PUT_LOG_EVENTS], [bucket.clone(), bucket.clone()]);
        let narrowed = Statement::allow("Read", [Action::LOGS_PUT_LOG_EVENTS], [bucket]).only_if(
            "StringEquals",
            "aws:SourceAccount",
            Value::literal("111122223333"),
        );
        let trust = Statement::assume(Principal::Service("glue.amazonaws.com"));
        for statement in [plain, narrowed, trust] {
            let node = statement.clone().into_node().unwrap();
            assert!((node.weight()..node.weight() + 80).contains(&statement.weight()), "{statement:?}");
        }
    }
}
