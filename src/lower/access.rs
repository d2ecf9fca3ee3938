//! The `access` stack: by whom, and how, an environment is deployed from GitHub.
//!
//! A person deploys it once; nothing that GitHub runs can change it. It holds four roles. The *planner* looks at what is there and
//! lets CloudFormation compare, for pull requests. The *watcher* looks for drift, for what runs by the clock. The *deployer*, which only
//! jobs of GitHub's environment of the same name take on, asks CloudFormation to change the stacks of this lake. The *operator* is CloudFormation's own role: it may make what lakes are
//! made of, under this lake's names. Every role that the operator makes must carry the *boundary*, beyond which no statement in it counts.

mod operator;

use super::names::{Kind, arn, bucket_arn, role_arn};
use super::{Context, Names};
use crate::assembly::{Access, Assembly, Assets, Origin, StackTemplate};
use crate::cfn::iam::{Action, ManagedPolicy, NamedPolicy, OidcProvider, Policy, Principal, Role, Statement, Unscoped};
use crate::cfn::s3::Bucket;
use crate::cfn::{Arn, ArnPattern, Declaration, Format, Name, Retention, Text, Value, pseudo, sub};
use crate::lake::{Environment, Github, GithubGate, Lake, Provider};
use crate::placement::{Lock, Placement};
use crate::region::Partition;

/// Who a workflow's token is for.
const AUDIENCE: &str = "sts.amazonaws.com";
/// The last word of the names of what the stack holds.
const PLANNER: &str = "plan";
const WATCHER: &str = "drift";
const DEPLOYER: &str = "deploy";
const OPERATOR: &str = "cloudformation";
const BOUNDARY: &str = "boundary";

/// The ARN of a role of the stack, for a workflow: `what` is `plan`, `drift`, `deploy` or `cloudformation`.
pub(crate) fn access_role_arn(lake: &Lake, environment: &Environment, account: &str, what: &str) -> String {
    let partition = Partition::of(&environment.region).id();
    format!("arn:{partition}:iam::{account}:role/{}", Names::new(&lake.name, &environment.name).access(what))
}

/// The ARN of the boundary of the lake's roles.
pub(super) fn boundary_arn(cx: &Context) -> Value<Arn<NamedPolicy>> {
    let name = cx.names.access(BOUNDARY);
    sub!["arn:", pseudo::partition(), ":iam::", pseudo::account(), ":policy/", name]
}

/// The stack by which `lake` is deployed to `environment` from the repository of `github`.
pub fn access(lake: &Lake, environment: &Environment, github: &Github, gate: &GithubGate, format: Format) -> Assembly {
    let (assets, placement) = (Assets::default(), Placement::of(lake, &Lock::default()));
    let names = Names::new(&lake.name, &environment.name);
    let cx = Context { lake, environment, assets: &assets, placement: &placement, names };
    let description =
        format!("{} in {}: how it is deployed from GitHub (written by lakegen)", lake.name, environment.name);
    let mut stack = StackTemplate::new(cx.names.stack(&["access"]), description);
    stack.comes_from(Some(Origin { section: "github", name: None }));
    let provider = lower_provider(&cx, &mut stack, github, gate);
    let boundary = lower_boundary(&cx, &mut stack);
    lower_operator(&cx, &mut stack, &boundary);
    lower_planner(&cx, &mut stack, github, &provider);
    lower_watcher(&cx, &mut stack, github, &provider);
    lower_deployer(&cx, &mut stack, github, &provider);
    Assembly {
        lake: lake.name.clone(),
        environment: environment.name.clone(),
        access: Access::Itself,
        service_role: None,
        region: environment.region.clone(),
        account: environment.account.clone(),
        protected: environment.protected,
        bucket_prefix: cx.names.asset_bucket_prefix(),
        stacks: vec![stack.render(format, |_, text| text)],
        assets,
        openapi: None,
        training: Vec::new(),
    }
}

/// Who vouches for GitHub. It stays when the stack goes: other repositories' roles in the account may trust it.
fn lower_provider(
    cx: &Context,
    stack: &mut StackTemplate,
    github: &Github,
    gate: &GithubGate,
) -> Value<Arn<OidcProvider>> {
    let issuer = github.issuer();
    match &gate.provider {
        Provider::Create => {
            let provider = OidcProvider {
                url: format!("https://{issuer}"),
                audiences: vec![Value::literal(AUDIENCE)],
                tags: cx.tag_list(),
            };
            let provider = Declaration::from(provider).retention(Retention::Retain);
            stack.template.add(Kind::GithubProvider.fixed(), provider).arn()
        }
        Provider::Adopt => {
            sub!["arn:", pseudo::partition(), ":iam::", pseudo::account(), ":oidc-provider/", issuer]
        }
        Provider::AdoptAs(arn) => Value::literal(arn.clone()),
    }
}

/// What no step may go beyond, whatever its role says: the actions that lakegen's steps use, on what is this lake's.
fn lower_boundary(cx: &Context, stack: &mut StackTemplate) -> Value<Arn<NamedPolicy>> {
    let policy = NamedPolicy {
        name: Value::literal(cx.names.access(BOUNDARY)),
        description: format!("What no role of {} in {} goes beyond", cx.lake.name, cx.environment.name),
        document: Policy(operator::boundary(cx)),
    };
    stack.template.add(Kind::StepBoundary.fixed(), policy);
    boundary_arn(cx)
}

/// CloudFormation's role, and what it may do.
fn lower_operator(cx: &Context, stack: &mut StackTemplate, boundary: &Value<Arn<NamedPolicy>>) {
    let trust = Statement::assume(Principal::Service("cloudformation.amazonaws.com"))
        .only_if("StringEquals", "aws:SourceAccount", pseudo::account())
        .only_if("ArnLike", "aws:SourceArn", stacks(cx).text());
    let role = Role::new(
        Value::literal(cx.names.access(OPERATOR)),
        format!("CloudFormation makes {} in {}", cx.lake.name, cx.environment.name),
        trust,
        Vec::new(),
        cx.tag_list(),
    );
    let role = stack.template.add(Kind::OperatorRole.fixed(), role).name();
    attach(cx, stack, &role, Kind::OperatorPolicy, "What the making", operator::statements(cx, boundary));
}

/// The role for pull requests. Whoever can open one can change the workflow too, so it reads no secrets.
fn lower_planner(cx: &Context, stack: &mut StackTemplate, github: &Github, provider: &Value<Arn<OidcProvider>>) {
    let role = Role::new(
        Value::literal(cx.names.access(PLANNER)),
        format!("Pull requests see what would change in {} in {}", cx.lake.name, cx.environment.name),
        trust(github, provider, &["pull_request"]),
        Vec::new(),
        cx.tag_list(),
    );
    let role = stack.template.add(Kind::PlannerRole.fixed(), role).name();
    let compare = Action::named(["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"]);
    let mut statements = look(cx);
    // Under the names of plans: a deploy executes a change set of its own name that it finds, whoever made it. Names are asked
    // for when change sets are made, ARNs when they are taken away.
    let named = ["lakegen-plan-*", "arn:*:changeSet/lakegen-plan-*"].map(Value::literal);
    statements.push(Statement::allow("Compare", compare, [stacks(cx)]).only_if_any(
        "StringLike",
        "cloudformation:ChangeSetName",
        named,
    ));
    // Large templates go where no deploy looks for anything: a pull request cannot put something in the place of an asset.
    let templates = [sub![bucket_arn(&asset_bucket(cx)), "/plan/*"]];
    statements.push(Statement::allow("SendTemplates", Action::named(["s3:GetObject", "s3:PutObject"]), templates));
    // A comparison names the role of a stack that has one of its own. Only a deploy can execute it.
    statements.push(pass_roles([role_arn(&cx.names.role("release", "*")).pattern()]));
    statements.extend(operator::reading(cx));
    statements.push(operator::no_keys());
    statements
        .push(not_the_access(cx, Action::named(["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"])));
    attach(cx, stack, &role, Kind::PlannerPolicy, "What a plan", statements);
}

/// The role that looks for drift. What runs by the clock runs on the branch, which is reviewed.
fn lower_watcher(cx: &Context, stack: &mut StackTemplate, github: &Github, provider: &Value<Arn<OidcProvider>>) {
    let role = Role::new(
        Value::literal(cx.names.access(WATCHER)),
        format!("GitHub looks for what was changed by hand in {} in {}", cx.lake.name, cx.environment.name),
        trust(github, provider, &[&format!("ref:refs/heads/{}", github.branch)]),
        Vec::new(),
        cx.tag_list(),
    );
    let role = stack.template.add(Kind::WatcherRole.fixed(), role).name();
    let detect = Action::named(["cloudformation:DetectStackDrift", "cloudformation:DetectStackResourceDrift"]);
    let mut statements = look(cx);
    statements.push(Statement::allow("Detect", detect, [stacks(cx)]));
    statements.extend(operator::reading(cx));
    statements.extend(operator::confidential(cx));
    attach(cx, stack, &role, Kind::WatcherPolicy, "What looking for drift", statements);
}

/// Gives a role as many policies as the statements need.
fn attach(
    cx: &Context,
    stack: &mut StackTemplate,
    role: &Value<Name<Role>>,
    kind: Kind,
    what: &str,
    statements: Vec<Statement>,
) {
    for (index, statements) in super::grant::packed(statements).into_iter().enumerate() {
        let (lake, environment, part) = (&cx.lake.name, &cx.environment.name, index + 1);
        let policy = ManagedPolicy {
            description: format!("{what} of {lake} in {environment} takes, part {part}"),
            document: Policy(statements),
            roles: vec![role.clone()],
        };
        stack.template.add(kind.of(&format!("part{part}")), policy);
    }
}

/// The role for deploys.
fn lower_deployer(cx: &Context, stack: &mut StackTemplate, github: &Github, provider: &Value<Arn<OidcProvider>>) {
    let trust = trust(github, provider, &[&format!("environment:{}", cx.environment.name)]);
    let mut statements = look(cx);
    let change = Action::named([
        "cloudformation:ContinueUpdateRollback",
        "cloudformation:CreateChangeSet",
        "cloudformation:CreateStack",
        "cloudformation:DeleteChangeSet",
        "cloudformation:DeleteStack",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:RollbackStack",
        "cloudformation:SetStackPolicy",
        "cloudformation:TagResource",
        "cloudformation:UntagResource",
        "cloudformation:UpdateTerminationProtection",
    ]);
    statements.push(Statement::allow("Change", change, [stacks(cx)]));
    statements.push(not_the_access(cx, change));
    let roles = [role_arn(&cx.names.access(OPERATOR)).pattern(), role_arn(&cx.names.role("release", "*")).pattern()];
    statements.push(pass_roles(roles));
    statements.extend(assets(cx));
    if !cx.environment.protected {
        statements.extend(emptying(cx));
    }
    let role = Role::new(
        Value::literal(cx.names.access(DEPLOYER)),
        format!("GitHub deploys {} to {}", cx.lake.name, cx.environment.name),
        trust,
        statements,
        cx.tag_list(),
    );
    stack.template.add(Kind::DeployerRole.fixed(), role);
}

/// Lets workflows of the repository take on a role: those whose token's subject ends in one of `ends`, whether the repository
/// shows itself by name or by number.
fn trust(github: &Github, provider: &Value<Arn<OidcProvider>>, ends: &[&str]) -> Statement {
    let issuer = github.issuer();
    let subjects = github.subjects();
    let subjects = ends.iter().flat_map(|end| subjects.iter().map(move |subject| format!("{subject}:{end}").into()));
    Statement::assume_with_token(provider)
        .only_if("StringEquals", format!("{issuer}:aud"), AUDIENCE.into())
        .only_if_any("StringEquals", format!("{issuer}:sub"), subjects)
}

/// Letting CloudFormation work with roles.
fn pass_roles(roles: impl IntoIterator<Item = Value<ArnPattern>>) -> Statement {
    let service = "cloudformation.amazonaws.com".into();
    Statement::allow("LetCloudFormationWork", [Action::IAM_PASS_ROLE], roles).only_if(
        "StringEquals",
        "iam:PassedToService",
        service,
    )
}

/// The stacks of the lake in the environment.
fn stacks(cx: &Context) -> Value<ArnPattern> {
    arn::<()>("cloudformation", sub!["stack/", cx.names.without_underscores(), "-*"]).pattern()
}

/// This stack, and those like it of lakes and environments whose names continue this one's: what an ARN of theirs ends in.
fn access_stacks(cx: &Context) -> [String; 3] {
    let own = cx.names.without_underscores();
    [cx.names.stack(&["access"]), format!("{own}-*-access"), format!("{own}-*-access-????????")]
        .map(|name| format!("stack/{name}/*"))
}

/// Whatever the rest of a policy says, nothing that changes who may deploy.
fn not_the_access(cx: &Context, actions: impl IntoIterator<Item = Action>) -> Statement {
    let stacks = access_stacks(cx).map(|stack| arn::<()>("cloudformation", Value::<Text>::literal(stack)).pattern());
    Statement::deny("NotTheAccess", actions, stacks)
}

/// Looking at stacks. Which there are is asked of all at once, for which AWS wants leave to list and to describe any.
///
/// Source: `StackName` of "DescribeStacks" in CloudFormation's API reference.
fn look(cx: &Context) -> Vec<Statement> {
    let look = Action::named([
        "cloudformation:DescribeChangeSet",
        "cloudformation:DescribeStackEvents",
        "cloudformation:DescribeStackResourceDrifts",
        "cloudformation:GetTemplate",
        "cloudformation:ListStackResources",
    ]);
    let bucket = bucket_arn(&asset_bucket(cx));
    vec![
        Statement::unscoped(
            "FindStacks",
            Unscoped::named(["cloudformation:DescribeStacks", "cloudformation:ListStacks"]),
        ),
        Statement::unscoped(
            "FollowStacks",
            Unscoped::named(["cloudformation:DescribeEvents", "cloudformation:DescribeStackDriftDetectionStatus"]),
        ),
        Statement::allow("LookAtStacks", look, [stacks(cx)]),
        Statement::allow("ListAssets", [Action::S3_LIST_BUCKET, Action::S3_GET_BUCKET_LOCATION], [bucket.pattern()]),
    ]
}

fn asset_bucket(cx: &Context) -> Value<Name<Bucket>> {
    sub![cx.names.asset_bucket_prefix(), "-", pseudo::account(), "-", pseudo::region(), "-assets"]
}

/// Uploading assets and templates. CloudFormation reads them with the rights of whoever asks it to.
fn assets(cx: &Context) -> Vec<Statement> {
    let bucket = bucket_arn(&asset_bucket(cx));
    let make = Action::named([
        "s3:CreateBucket",
        "s3:GetBucketTagging",
        "s3:ListBucketMultipartUploads",
        "s3:PutBucketPolicy",
        "s3:PutBucketTagging",
        "s3:PutLifecycleConfiguration",
    ]);
    let use_them =
        Action::named(["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]);
    let objects = ["assets/*", "templates/*"].map(|prefix| sub![&bucket, "/", prefix]);
    vec![
        Statement::allow("MakeAssetBucket", make, [bucket.pattern()]),
        Statement::allow("UploadAssets", use_them, objects),
    ]
}

/// Emptying buckets, without which their stacks cannot be deleted.
fn emptying(cx: &Context) -> Vec<Statement> {
    let bucket: Value<Text> = cx.names.bucket_pattern().into();
    let buckets: Value<ArnPattern> = sub!["arn:", pseudo::partition(), ":s3:::", &bucket];
    let objects: Value<ArnPattern> = sub![&buckets, "/*"];
    let empty = Action::named(["s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketLogging", "s3:GetBucketLogging"]);
    vec![
        Statement::allow("EmptyBuckets", empty, [buckets]),
        Statement::allow("DeleteObjects", Action::named(["s3:DeleteObject", "s3:DeleteObjectVersion"]), [objects]),
    ]
}
