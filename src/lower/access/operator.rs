//! What CloudFormation's role may do, and what no role that it makes may go beyond.
//!
//! Source of the actions: the handlers' permissions in CloudFormation's resource type schemas, for the types and properties that
//! lakes use; which of them work on which resources, the Service Authorization Reference.

use super::super::Context;
use super::super::names::{arn, bucket_arn, role_arn};
use super::{access_stacks, asset_bucket};
use crate::cfn::iam::{Action, NamedPolicy, Statement, Unscoped};
use crate::cfn::{Arn, ArnPattern, Text, Value, pseudo, sub};
use crate::lake::Waf;

const BUCKETS: [Action; 33] = Action::named([
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
    "s3:GetBucketLocation",
    "s3:GetBucketLogging",
    "s3:GetBucketNotification",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:PutBucketLogging",
    "s3:PutBucketNotification",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
]);
const TABLES: [Action; 14] = Action::named([
    "dynamodb:CreateTable",
    "dynamodb:DeleteTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeContributorInsights",
    "dynamodb:DescribeKinesisStreamingDestination",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:GetResourcePolicy",
    "dynamodb:ListTagsOfResource",
    "dynamodb:TagResource",
    "dynamodb:UntagResource",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
]);
const QUEUES: [Action; 8] = Action::named([
    "sqs:CreateQueue",
    "sqs:DeleteQueue",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
    "sqs:SetQueueAttributes",
    "sqs:TagQueue",
    "sqs:UntagQueue",
]);
const TOPICS: [Action; 10] = Action::named([
    "sns:CreateTopic",
    "sns:DeleteTopic",
    "sns:GetDataProtectionPolicy",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTagsForResource",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
    "sns:TagResource",
    "sns:UntagResource",
]);
const KEYS: [Action; 20] = Action::named([
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
]);
const ALIASES: [Action; 3] = Action::named(["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]);
const CATALOG: [Action; 12] = Action::named([
    "glue:CreateDatabase",
    "glue:CreateTable",
    "glue:CreateTableOptimizer",
    "glue:DeleteDatabase",
    "glue:DeleteTable",
    "glue:DeleteTableOptimizer",
    "glue:GetDatabase",
    "glue:GetTable",
    "glue:GetTableOptimizer",
    "glue:UpdateDatabase",
    "glue:UpdateTable",
    "glue:UpdateTableOptimizer",
]);
const GLUE: [Action; 14] = Action::named([
    "glue:CreateJob",
    "glue:DeleteCrawler",
    "glue:DeleteDataQualityRuleset",
    "glue:DeleteJob",
    "glue:GetCrawler",
    "glue:GetDataQualityRuleset",
    "glue:GetJob",
    "glue:GetTags",
    "glue:StopCrawler",
    "glue:TagResource",
    "glue:UntagResource",
    "glue:UpdateCrawler",
    "glue:UpdateDataQualityRuleset",
    "glue:UpdateJob",
]);
const ATHENA: [Action; 14] = Action::named([
    "athena:CreateNamedQuery",
    "athena:CreatePreparedStatement",
    "athena:CreateWorkGroup",
    "athena:DeleteNamedQuery",
    "athena:DeletePreparedStatement",
    "athena:DeleteWorkGroup",
    "athena:GetNamedQuery",
    "athena:GetPreparedStatement",
    "athena:GetWorkGroup",
    "athena:ListTagsForResource",
    "athena:TagResource",
    "athena:UntagResource",
    "athena:UpdatePreparedStatement",
    "athena:UpdateWorkGroup",
]);
const DATABREW: [Action; 22] = Action::named([
    "databrew:DeleteDataset",
    "databrew:DeleteJob",
    "databrew:DeleteProject",
    "databrew:DeleteRecipeVersion",
    "databrew:DeleteRuleset",
    "databrew:DeleteSchedule",
    "databrew:DescribeDataset",
    "databrew:DescribeJob",
    "databrew:DescribeProject",
    "databrew:DescribeRecipe",
    "databrew:DescribeRuleset",
    "databrew:DescribeSchedule",
    "databrew:ListTagsForResource",
    "databrew:TagResource",
    "databrew:UntagResource",
    "databrew:UpdateDataset",
    "databrew:UpdateProfileJob",
    "databrew:UpdateProject",
    "databrew:UpdateRecipe",
    "databrew:UpdateRecipeJob",
    "databrew:UpdateRuleset",
    "databrew:UpdateSchedule",
]);
const SAGEMAKER: [Action; 13] = Action::named([
    "sagemaker:AddTags",
    "sagemaker:CreateEndpoint",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateModel",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DeleteModel",
    "sagemaker:DeleteTags",
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeEndpointConfig",
    "sagemaker:DescribeModel",
    "sagemaker:ListTags",
    "sagemaker:UpdateEndpoint",
]);
const FUNCTIONS: [Action; 23] = Action::named([
    "lambda:AddPermission",
    "lambda:CreateFunction",
    "lambda:DeleteFunction",
    "lambda:DeleteFunctionConcurrency",
    "lambda:DeleteFunctionEventInvokeConfig",
    "lambda:GetFunction",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetFunctionEventInvokeConfig",
    "lambda:GetFunctionRecursionConfig",
    "lambda:GetPolicy",
    "lambda:GetRuntimeManagementConfig",
    "lambda:InvokeFunction",
    "lambda:ListTags",
    "lambda:PublishVersion",
    "lambda:PutFunctionConcurrency",
    "lambda:PutFunctionEventInvokeConfig",
    "lambda:PutFunctionRecursionConfig",
    "lambda:RemovePermission",
    "lambda:TagResource",
    "lambda:UntagResource",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "lambda:UpdateFunctionEventInvokeConfig",
]);
const MAPPINGS: [Action; 6] = Action::named([
    "lambda:DeleteEventSourceMapping",
    "lambda:GetEventSourceMapping",
    "lambda:ListTags",
    "lambda:TagResource",
    "lambda:UntagResource",
    "lambda:UpdateEventSourceMapping",
]);
const RULES: [Action; 9] = Action::named([
    "events:DeleteRule",
    "events:DescribeRule",
    "events:ListTagsForResource",
    "events:ListTargetsByRule",
    "events:PutRule",
    "events:PutTargets",
    "events:RemoveTargets",
    "events:TagResource",
    "events:UntagResource",
]);
const ALARMS: [Action; 6] = Action::named([
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListTagsForResource",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:TagResource",
    "cloudwatch:UntagResource",
]);
const LOGS: [Action; 10] = Action::named([
    "logs:AssociateKmsKey",
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:DeleteRetentionPolicy",
    "logs:DisassociateKmsKey",
    "logs:GetDataProtectionPolicy",
    "logs:ListTagsForResource",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
]);
const SCALING: [Action; 7] = Action::named([
    "application-autoscaling:DeleteScalingPolicy",
    "application-autoscaling:DeregisterScalableTarget",
    "application-autoscaling:ListTagsForResource",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:RegisterScalableTarget",
    "application-autoscaling:TagResource",
    "application-autoscaling:UntagResource",
]);
const API: [Action; 7] = Action::named([
    "apigateway:DELETE",
    "apigateway:GET",
    "apigateway:PATCH",
    "apigateway:POST",
    "apigateway:PUT",
    "apigateway:SetWebACL",
    "apigateway:UpdateRestApiPolicy",
]);
/// Tells the secret of a client, if it has one.
const CLIENT: &str = "cognito-idp:DescribeUserPoolClient";
const USERS: [Action; 12] = Action::named([
    "cognito-idp:AddCustomAttributes",
    "cognito-idp:CreateUserPoolClient",
    "cognito-idp:DeleteUserPool",
    "cognito-idp:DeleteUserPoolClient",
    "cognito-idp:DescribeUserPool",
    CLIENT,
    "cognito-idp:GetUserPoolMfaConfig",
    "cognito-idp:ListTagsForResource",
    "cognito-idp:SetUserPoolMfaConfig",
    "cognito-idp:UntagResource",
    "cognito-idp:UpdateUserPool",
    "cognito-idp:UpdateUserPoolClient",
]);
const FIREWALL: [Action; 13] = Action::named([
    "wafv2:AssociateWebACL",
    "wafv2:CreateWebACL",
    "wafv2:DeleteLoggingConfiguration",
    "wafv2:DeleteWebACL",
    "wafv2:DisassociateWebACL",
    "wafv2:GetLoggingConfiguration",
    "wafv2:GetWebACL",
    "wafv2:GetWebACLForResource",
    "wafv2:ListTagsForResource",
    "wafv2:PutLoggingConfiguration",
    "wafv2:TagResource",
    "wafv2:UntagResource",
    "wafv2:UpdateWebACL",
]);
/// What a firewall that is somebody else's is asked for, to stand before the API.
const OTHERS_FIREWALL: [Action; 4] = Action::named([
    "wafv2:AssociateWebACL",
    "wafv2:DisassociateWebACL",
    "wafv2:GetWebACL",
    "wafv2:GetWebACLForResource",
]);
const ROLES_MADE: [Action; 5] = Action::named([
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
]);
const ROLES: [Action; 11] = Action::named([
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
]);
const POLICIES: [Action; 8] = Action::named([
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListEntitiesForPolicy",
    "iam:ListPolicyVersions",
]);
const UNSCOPED: [Unscoped; 32] = Unscoped::named([
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "cloudwatch:GetMetricData",
    "databrew:CreateDataset",
    "databrew:CreateProfileJob",
    "databrew:CreateProject",
    "databrew:CreateRecipe",
    "databrew:CreateRecipeJob",
    "databrew:CreateRuleset",
    "databrew:CreateSchedule",
    "glue:CreateClassifier",
    "glue:CreateCrawler",
    "glue:CreateDataQualityRuleset",
    "glue:CreateSecurityConfiguration",
    "glue:DeleteClassifier",
    "glue:DeleteSecurityConfiguration",
    "glue:GetClassifier",
    "glue:GetSecurityConfiguration",
    "glue:UpdateClassifier",
    "iam:ListRoles",
    "kms:ListAliases",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DeleteResourcePolicy",
    "logs:DescribeIndexPolicies",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:PutResourcePolicy",
    "sns:GetSubscriptionAttributes",
    "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
]);

/// None of them knows resources.
const LAKE_FORMATION: [Unscoped; 14] = Unscoped::named([
    "lakeformation:CreateDataCellsFilter",
    "lakeformation:DeleteDataCellsFilter",
    "lakeformation:DeregisterResource",
    "lakeformation:DescribeResource",
    "lakeformation:GetDataCellsFilter",
    "lakeformation:GetDataLakeSettings",
    "lakeformation:GrantPermissions",
    "lakeformation:ListDataCellsFilter",
    "lakeformation:ListPermissions",
    "lakeformation:ListResources",
    "lakeformation:RegisterResource",
    "lakeformation:RevokePermissions",
    "lakeformation:UpdateDataCellsFilter",
    "lakeformation:UpdateResource",
]);

/// What CloudFormation makes by these names, and what a role that it makes may touch.
struct Realm {
    /// `<lake>-<environment>-*`, of names that keep `_`.
    plain: String,
    /// The same of names without `_`.
    hyphens: String,
    /// The name of the API, the workgroup and others that there is one of.
    whole: String,
    /// The catalog's database.
    database: String,
}

impl Realm {
    fn of(cx: &Context) -> Self {
        let whole = cx.names.plain(&[], usize::MAX);
        let hyphens = format!("{}-*", cx.names.without_underscores());
        Self { plain: format!("{whole}-*"), hyphens, whole, database: cx.names.database() }
    }
}

/// Something of this account in this region.
fn here(service: &'static str, resource: impl Into<String>) -> Value<ArnPattern> {
    arn::<()>(service, Value::<Text>::literal(resource.into())).pattern()
}

/// Something of API Gateway's: it has no account in its ARNs.
fn gateway(path: &'static str) -> Value<ArnPattern> {
    sub!["arn:", pseudo::partition(), ":apigateway:", pseudo::region(), "::/", path]
}

fn policies(pattern: &str) -> Value<ArnPattern> {
    sub!["arn:", pseudo::partition(), ":iam::", pseudo::account(), ":policy/", pattern]
}

/// The roles of this stack, and of those like it of lakes and environments whose names continue this one's.
fn access_roles(cx: &Context) -> [Value<ArnPattern>; 2] {
    [cx.names.access("*"), cx.names.plain(&["*", "access", "*"], usize::MAX)].map(|name| role_arn(&name).pattern())
}

/// Their policies: the boundaries, which have a name, and the others, which CloudFormation names after their stack.
fn access_policies(cx: &Context) -> Vec<Value<ArnPattern>> {
    let (plain, hyphens) = (cx.names.plain(&[], usize::MAX), cx.names.without_underscores());
    let attached = ["Operator", "Planner", "Watcher"].map(|of| format!("{hyphens}-*-access-*{of}PolicyPart*"));
    let own = [format!("{plain}-access-*"), format!("{hyphens}-access-*"), format!("{plain}-*-access-boundary")];
    let mut patterns = own.into_iter().chain(attached).collect::<Vec<_>>();
    patterns.dedup();
    patterns.iter().map(|pattern| policies(pattern)).collect()
}

/// The buckets of the lake, those that it adopts among them.
fn buckets(cx: &Context) -> Vec<Value<ArnPattern>> {
    let adopted = cx.lake.zones.values().filter_map(|zone| zone.adopts(&cx.environment.name));
    let named = std::iter::once(cx.names.bucket_pattern()).chain(adopted.map(str::to_owned));
    named.map(|bucket| bucket_arn(&Value::literal(bucket)).pattern()).collect()
}

/// A name, actions, and what they work on.
type Grant = (&'static str, Vec<Action>, Vec<Value<ArnPattern>>);

/// What of the lake each set of actions works on.
fn grants(cx: &Context) -> Vec<Grant> {
    let Realm { plain, hyphens, whole, database } = Realm::of(cx);
    let each = |service, kinds: &[&str], name: &str| -> Vec<Value<ArnPattern>> {
        kinds.iter().map(|kind| here(service, format!("{kind}/{name}"))).collect()
    };
    let tables = format!("table/{database}/*");
    // Who deletes a database needs leave for the functions that it could have.
    let functions = format!("userDefinedFunction/{database}/*");
    let catalog = ["catalog", &format!("database/{database}"), &tables, &functions];
    let catalog = catalog.map(|resource| here("glue", resource)).to_vec();
    let groups = ["/aws-glue/*", "/aws/*", "API-Gateway-Execution-Logs_*", "aws-waf-logs-*"];
    let groups = groups.iter().map(|name| here("logs", format!("log-group:{name}"))).collect();
    let brew = ["dataset", "job", "project", "recipe", "ruleset", "schedule"];
    let gateways = ["account", "apikeys*", "domainnames*", "restapis*", "tags/*", "usageplans*"];
    let adopted = cx.lake.api.as_ref().and_then(|api| match &api.waf {
        Some(Waf::Existing(arn)) => {
            Some(("OthersFirewall", OTHERS_FIREWALL.to_vec(), vec![Value::literal(arn.clone())]))
        }
        _ => None,
    });
    let (own, managed) = (format!("regional/webacl/{whole}/*"), "regional/managedruleset/*");
    let mut grants = vec![
        ("Buckets", BUCKETS.to_vec(), buckets(cx)),
        ("Tables", TABLES.to_vec(), vec![here("dynamodb", format!("table/{plain}"))]),
        ("Queues", QUEUES.to_vec(), vec![here("sqs", plain.clone())]),
        ("Topics", TOPICS.to_vec(), vec![here("sns", plain.clone())]),
        ("Catalog", CATALOG.to_vec(), catalog),
        ("Glue", GLUE.to_vec(), each("glue", &["job", "crawler", "dataQualityRuleset"], &plain)),
        (
            "Athena",
            ATHENA.to_vec(),
            vec![here("athena", format!("workgroup/{whole}")), here("athena", format!("workgroup/{plain}"))],
        ),
        ("DataBrew", DATABREW.to_vec(), each("databrew", &brew, &hyphens)),
        ("SageMaker", SAGEMAKER.to_vec(), each("sagemaker", &["model", "endpoint", "endpoint-config"], &hyphens)),
        ("Functions", FUNCTIONS.to_vec(), vec![here("lambda", format!("function:{plain}"))]),
        ("Mappings", MAPPINGS.to_vec(), vec![here("lambda", "event-source-mapping:*")]),
        ("Rules", RULES.to_vec(), vec![here("events", format!("rule/{plain}"))]),
        (
            "Alarms",
            ALARMS.to_vec(),
            vec![here("cloudwatch", format!("alarm:{plain}")), here("cloudwatch", format!("alarm:{hyphens}"))],
        ),
        ("Logs", LOGS.to_vec(), groups),
        ("Scaling", SCALING.to_vec(), vec![here("application-autoscaling", "scalable-target/*")]),
        ("Api", API.to_vec(), gateways.into_iter().map(gateway).collect()),
        (
            "Firewall",
            FIREWALL.to_vec(),
            vec![here("wafv2", own), here("wafv2", managed), gateway("restapis/*/stages/*")],
        ),
        ("Roles", ROLES.to_vec(), vec![role_arn(&plain).pattern(), role_arn(&hyphens).pattern()]),
        ("Policies", POLICIES.to_vec(), vec![policies(&hyphens)]),
    ];
    grants.extend(adopted);
    grants
}

/// Whatever CloudFormation does for the stacks of the lake.
pub(super) fn statements(cx: &Context, boundary: &Value<Arn<NamedPolicy>>) -> Vec<Statement> {
    let Realm { plain, hyphens, .. } = Realm::of(cx);
    let tag = |statement: Statement, of: &'static str| {
        let (lake, environment): (Value<Text>, Value<Text>) =
            (cx.lake.name.clone().into(), cx.environment.name.clone().into());
        let names = if of == "request" {
            ["aws:RequestTag/lakegen:lake", "aws:RequestTag/lakegen:environment"]
        } else {
            ["aws:ResourceTag/lakegen:lake", "aws:ResourceTag/lakegen:environment"]
        };
        let [first, second] = names;
        statement.only_if("StringEquals", first, lake).only_if("StringEquals", second, environment)
    };
    // What is being made has no tags yet; what is another's keeps its own.
    let not_anothers = |statement: Statement| {
        statement.only_if("StringEqualsIfExists", "aws:ResourceTag/lakegen:lake", cx.lake.name.clone().into()).only_if(
            "StringEqualsIfExists",
            "aws:ResourceTag/lakegen:environment",
            cx.environment.name.clone().into(),
        )
    };
    let key = || here("kms", "key/*");
    let alias = || here("kms", format!("alias/{}*", cx.names.plain(&[], usize::MAX)));
    let pool = || here("cognito-idp", "userpool/*");
    let roles = || [role_arn(&plain).pattern(), role_arn(&hyphens).pattern()];
    let account_role = || role_arn(&format!("{}-ApiCloudWatchRole-*", cx.names.stack(&["serving"]))).pattern();
    let services = ["apigateway", "databrew", "glue", "lambda", "sagemaker", "scheduler", "events"];
    let services = services.into_iter().chain(cx.lake.lake_formation.as_ref().map(|_| "lakeformation"));
    let services = services.map(|service| format!("{service}.amazonaws.com").into());
    let linked = role_arn("aws-service-role/*").pattern();
    let linked_services =
        ["sagemaker.application-autoscaling.amazonaws.com", "wafv2.amazonaws.com", "ops.apigateway.amazonaws.com"];
    let logging: Value<Text> =
        sub!["arn:", pseudo::partition(), ":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"];
    let mut statements: Vec<_> =
        grants(cx).into_iter().map(|(sid, actions, resources)| Statement::allow(sid, actions, resources)).collect();
    statements.extend([
        Statement::unscoped("Unscoped", UNSCOPED),
        tag(Statement::unscoped("MakeKey", Unscoped::named(["kms:CreateKey"])), "request"),
        not_anothers(tag(Statement::allow("TagKey", Action::named(["kms:TagResource"]), [key()]), "request")),
        tag(Statement::allow("Key", KEYS.into_iter().chain(ALIASES), [key()]), "resource"),
        Statement::allow("Alias", ALIASES, [alias()]),
        tag(Statement::unscoped("MakeUsers", Unscoped::named(["cognito-idp:CreateUserPool"])), "request"),
        not_anothers(tag(
            Statement::allow("TagUsers", Action::named(["cognito-idp:TagResource"]), [pool()]),
            "request",
        )),
        tag(Statement::allow("Users", USERS, [pool()]), "resource"),
        Statement::unscoped("MakeMapping", Unscoped::named(["lambda:CreateEventSourceMapping"])).only_if(
            "ArnLike",
            "lambda:FunctionArn",
            here("lambda", format!("function:{plain}")).text(),
        ),
        Statement::allow(
            "ReadAssets",
            Action::named(["s3:GetObject"]),
            [sub![bucket_arn(&asset_bucket(cx)), "/assets/*"]],
        ),
        Statement::allow("MakeRoles", ROLES_MADE, roles()).only_if(
            "StringEquals",
            "iam:PermissionsBoundary",
            boundary.text(),
        ),
        // API Gateway's role for its logs is the account's, and stays when the lake goes.
        Statement::allow("MakeLogRole", Action::named(["iam:CreateRole"]), [account_role()]),
        Statement::allow(
            "AllowLogs",
            Action::named(["iam:AttachRolePolicy", "iam:DetachRolePolicy"]),
            [account_role()],
        )
        .only_if("ArnEquals", "iam:PolicyARN", logging),
        Statement::allow("PassRoles", [Action::IAM_PASS_ROLE], roles()).only_if_any(
            "StringEquals",
            "iam:PassedToService",
            services,
        ),
        Statement::allow("ServiceRoles", [Action::IAM_CREATE_SERVICE_LINKED_ROLE], [linked]).only_if_any(
            "StringEquals",
            "iam:AWSServiceName",
            linked_services.map(Value::from),
        ),
        Statement::deny(
            "NotTheAccess",
            ROLES_MADE.into_iter().chain(ROLES).chain(POLICIES).chain([Action::IAM_PASS_ROLE]),
            access_roles(cx).into_iter().chain(access_policies(cx)),
        ),
    ]);
    if let Some(permissions) = &cx.lake.lake_formation {
        statements.push(Statement::unscoped("LakeFormation", LAKE_FORMATION));
        // Who may do this may make anybody an administrator.
        if !permissions.administrators.is_empty() {
            let settle = Unscoped::named(["lakeformation:PutDataLakeSettings"]);
            statements.push(Statement::unscoped("Administrators", settle));
        }
    }
    statements
}

/// Looking at what CloudFormation has made, but not at data: what a change set and a detection of drift take.
pub(super) fn reading(cx: &Context) -> Vec<Statement> {
    let reads = |action: &Action| {
        let operation = action.name().split_once(':').map_or("", |(_, operation)| operation);
        ["Get", "Describe", "List", "GET"].iter().any(|verb| operation.starts_with(verb))
    };
    let mut statements: Vec<_> = grants(cx)
        .into_iter()
        .map(|(sid, actions, resources)| (sid, actions.into_iter().filter(reads).collect::<Vec<_>>(), resources))
        .filter(|(_, actions, _)| !actions.is_empty())
        .map(|(sid, actions, resources)| Statement::allow(sid, actions, resources))
        .collect();
    let looked_at = KEYS.into_iter().filter(|action| reads(action));
    statements.extend([
        Statement::allow("Key", looked_at, [here("kms", "key/*")]),
        Statement::allow(
            "Users",
            USERS.into_iter().filter(|action| reads(action) && action.name() != CLIENT),
            [here("cognito-idp", "userpool/*")],
        ),
        Statement::unscoped(
            "Unscoped",
            UNSCOPED.into_iter().chain(cx.lake.lake_formation.iter().flat_map(|_| LAKE_FORMATION)).filter(|action| {
                let operation = action.name().split_once(':').map_or("", |(_, operation)| operation);
                ["Get", "Describe", "List"].iter().any(|verb| operation.starts_with(verb))
            }),
        ),
    ]);
    statements
}

/// Whatever the rest of a policy says, no keys of APIs. A usage plan tells them as well.
pub(super) fn no_keys() -> Statement {
    let keys = ["apikeys*", "usageplans/*/keys*"].map(gateway);
    Statement::deny("NoKeys", Action::named(["apigateway:GET"]), keys)
}

/// What only the branch may read besides: the ledger of runs, which is encrypted with the lake's key, and clients with their secrets.
pub(super) fn confidential(cx: &Context) -> [Statement; 3] {
    let ledger = here("dynamodb", format!("table/{}", cx.names.ledger()));
    let through: Value<Text> = sub!["dynamodb.", pseudo::region(), ".", pseudo::url_suffix()];
    [
        Statement::allow("Clients", Action::named([CLIENT]), [here("cognito-idp", "userpool/*")]),
        Statement::allow(
            "Ledger",
            [Action::DYNAMODB_GET_ITEM, Action::DYNAMODB_QUERY, Action::DYNAMODB_SCAN],
            [ledger],
        ),
        Statement::allow("ReadLedger", [Action::KMS_DECRYPT], [here("kms", "key/*")]).only_if(
            "StringEquals",
            "kms:ViaService",
            through,
        ),
    ]
}

/// What a role of a step is held to. Its region does not matter: whatever is named so is this lake's.
pub(super) fn boundary(cx: &Context) -> Vec<Statement> {
    let Realm { plain, hyphens, whole, database } = Realm::of(cx);
    let of = |service: &'static str, resource: String| -> Value<ArnPattern> {
        sub!["arn:", pseudo::partition(), ":", service, ":*:", pseudo::account(), ":", resource]
    };
    let mut resources = vec![
        of("application-autoscaling", "scalable-target/*".to_owned()),
        of("athena", format!("workgroup/{whole}*")),
        of("cloudformation", format!("stack/{hyphens}")),
        of("cloudwatch", format!("alarm:{hyphens}")),
        of("databrew", format!("*/{hyphens}")),
        of("dynamodb", format!("table/{plain}")),
        of("glue", "catalog".to_owned()),
        of("glue", format!("database/{database}")),
        of("glue", format!("table/{database}/*")),
        of("glue", format!("*/{plain}")),
        of("glue", "dataQualityRuleset/*".to_owned()),
        of("kms", "key/*".to_owned()),
        of("lambda", format!("function:{plain}")),
        of("logs", "log-group:*".to_owned()),
        of("sagemaker", format!("*/{hyphens}")),
        of("sns", plain.clone()),
        of("sqs", plain.clone()),
        sub!["arn:", pseudo::partition(), ":ecr:*:*:repository/sagemaker-*"],
        // Where Glue keeps what its own jobs need.
        sub!["arn:", pseudo::partition(), ":s3:::aws-glue-*"],
        role_arn(&plain).pattern(),
        role_arn("aws-service-role/*").pattern(),
    ];
    for bucket in buckets(cx) {
        resources.extend([sub![&bucket, "/*"], bucket]);
    }
    let stacks = access_stacks(cx).map(|stack| of("cloudformation", stack));
    vec![
        Statement::allow("Steps", Action::ALL.iter().copied(), resources),
        Statement::unscoped("Unscoped", Unscoped::ALL.iter().copied()),
        Statement::deny("NotTheAccess", [Action::IAM_PASS_ROLE, Action::STS_ASSUME_ROLE], access_roles(cx)),
        Statement::deny("NotItsStack", [Action::CLOUDFORMATION_UPDATE_STACK], stacks),
    ]
}
