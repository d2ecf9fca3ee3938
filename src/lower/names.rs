//! Names: of resources inside templates, and in AWS.

use sha2::{Digest, Sha256};

use crate::assembly::Origin;
use crate::cfn::apigateway::{ApiKey, RestApi, UsagePlan};
use crate::cfn::cognito::UserPool;
use crate::cfn::glue::Database;
use crate::cfn::iam::Role;
use crate::cfn::kms::Alias;
use crate::cfn::s3::Bucket;
use crate::cfn::sagemaker::Endpoint;
use crate::cfn::wafv2::WebAcl;
use crate::cfn::{Arn, LogicalId, Name, Value, dynamodb, lambda, pseudo, sub};
use crate::lake::{Table, Workgroup, Zone};

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// What a resource is in its template: the first word of its logical id. No kind's word is the beginning of
        /// another's, so ids of different kinds differ whatever the names are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $($kind),* }

        impl Kind {
            const fn word(self) -> &'static str {
                match self { $(Kind::$kind => stringify!($kind)),* }
            }

            const ALL: &[Kind] = &[$(Kind::$kind),*];
        }
    };
}

kinds! {
    AccessLogBucket, AccessLogPolicy, AdvanceCalls, AdvanceFunction, AdvanceLogs, AdvanceRole, AlertMail, AlertTopic,
    EventRule, FailedEventsAlarm, FailedEventsPolicy, FailedEventsQueue, RulePermission, RunLedger, ApiAccessLogs, ApiAuthorizer, ApiBodyModel, ApiCloudWatchRole, ApiCorsMethod,
    ApiDeployment, ApiDomainName, ApiDomainPath, ApiGatewayResponse, ApiKey, ApiLogging, ApiMethod, ApiPermission,
    ApiResource, ApiUsageKey, ApiUsagePlan, ApiUserClient, ApiUserPool, ApiValidator, AthenaQuery, AthenaStatement, AthenaWorkGroup,
    CatalogDatabase, CatalogGrant, CatalogTable, CrawlerLogs, CrawlerRole, DataFilter, DataLakeSettings, EndpointErrors, EndpointHost,
    EndpointLatency, EndpointLogs, EndpointModel, EndpointPolicy, EndpointRole, EndpointSettings, EndpointTarget, FunctionCode, FunctionLogs, FunctionRole, GlueClassifier, GlueCrawler, GlueJob,
    ItemTable, JobErrors, JobOutput, JobRole, JobSecurity, KeyAlias, LakeKey, LocationRole, ModelBucket, ModelPolicy, ModelRole,
    ProfileDataset, ProfileJob, ProfileRole, ProfileRules, ProfileSchedule, RecipeProject, RecipeSchedule,
    PublisherFunction, PublisherLogs, PublisherRole, QualityRole, QualityRuleset, QueryRole, RecipeDataset, RecipeInput, RecipeJob, RecipePublished,
    RecipeRole, RecipeSteps, RestApi, RestStage, SecurityConfiguration, StepPolicy, StudioFunction, StudioLogs,
    StudioNodes, StudioRole, WafAcl, WafAssociation, WafLogging, WafLogs, WorkBucket, WorkPolicy, ZoneBucket,
    ZoneLocation, ZonePolicy,
    DeployerRole, GithubProvider, OperatorPolicy, OperatorRole, PlannerPolicy, OptimizerRole, PlannerRole, StepBoundary, TableOptimizer,
    WatcherPolicy, WatcherRole,
    FailedReleasesAlarm, FailedReleasesPolicy, FailedReleasesQueue, ReleaseFunction, ReleaseLogs, ReleaseMapping,
    ReleasePolicy, ReleaseQueue, ReleaseRole, ReleaseRule, ReleaserRole,
}

impl Kind {
    /// The id of the only one of its kind.
    pub(super) const fn fixed(self) -> LogicalId {
        LogicalId::fixed(self.word())
    }

    /// The id of the one that belongs to the thing called `name`.
    pub(super) fn of(self, name: &str) -> LogicalId {
        LogicalId::of(self.word(), name)
    }

    /// The id of the one that belongs to `text`, which is no name: a path, a method and a path.
    pub(super) fn digested(self, text: &str) -> LogicalId {
        LogicalId::digested(self.word(), text, &digest(text))
    }

    /// The id of the one that is as `content` says, so that another content makes another resource.
    pub(super) fn versioned(self, content: &str) -> LogicalId {
        LogicalId::digested(self.word(), "", &sha256(content)[..16])
    }
}

/// Parameters, conditions and outputs of templates, with which resources share their names.
const FIXED: [&str; 5] = ["AssetBucket", "KeyArn", "LiveTraining", "UserPool", "EndpointName"];

/// The word of lakegen's own with which a logical id begins, if it does: those ids may be needed by things that are added later.
pub(crate) fn reserved(id: &str) -> Option<&'static str> {
    let kinds = Kind::ALL.iter().map(|kind| kind.word());
    kinds.chain(FIXED).find(|word| id.starts_with(word))
}

/// What of the blueprint a resource comes from that holds data, by its logical id: for those that the blueprint no longer has. None
/// for what the lake has for itself.
pub(crate) fn origin(id: &str) -> Option<Origin> {
    let named = |kind: Kind, section| LogicalId::name(kind.word(), id).map(|name| Origin { section, name: Some(name) });
    match reserved(id) {
        Some(_) if id == Kind::ApiUserPool.word() => Some(Origin { section: "api", name: None }),
        Some(_) => named(Kind::ZoneBucket, "zones").or_else(|| named(Kind::ItemTable, "tables")),
        None => Some(Origin { section: "resources", name: Some(id.to_owned()) }),
    }
}

/// The SHA-256 of a text in hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Eight hexadecimal digits that tell texts apart.
fn digest(text: &str) -> String {
    sha256(text)[..8].to_owned()
}

/// The names in AWS of what one lake has in one environment: `<lake>-<environment>-<thing>`.
///
/// A name that AWS would find too long is cut and ends in eight digits of its hash.
pub(crate) struct Names<'a> {
    lake: &'a str,
    environment: &'a str,
}

impl<'a> Names<'a> {
    pub(crate) fn new(lake: &'a str, environment: &'a str) -> Self {
        Self { lake, environment }
    }

    /// The environment's own.
    pub(crate) fn environment(&self) -> &str {
        self.environment
    }

    /// A name of letters, digits, `-` and `_`. Names of the blueprint hold no `-`, so the parts can be told apart.
    pub(super) fn plain(&self, parts: &[&str], limit: usize) -> String {
        let mut name = format!("{}-{}", self.lake, self.environment);
        for part in parts {
            name.push('-');
            name.push_str(part);
        }
        shortened(name, limit, false)
    }

    /// What the names of stacks, and of what CloudFormation names after them, begin with.
    pub(super) fn without_underscores(&self) -> String {
        self.plain(&[], usize::MAX).replace('_', "-")
    }

    /// A name without `_`, for services that do not take it. Where two names could become one, their hash is added.
    fn hyphenated(&self, parts: &[&str], limit: usize) -> String {
        let plain = self.plain(parts, usize::MAX);
        let told_apart = !self.environment.contains('_') && parts.iter().all(|part| reversible(part));
        let name = plain.replace('_', "-");
        if told_apart { shortened(name, limit, false) } else { shortened(plain, limit, true).replace('_', "-") }
    }

    /// The bucket of a zone: the one that it adopts, or `<lake>-<environment>-<zone>-<account>-<region>`, at most 63 characters.
    pub(super) fn zone_bucket(&self, zone: &Zone) -> Value<Name<Bucket>> {
        if let Some(bucket) = zone.adopts(self.environment) {
            return Value::literal(bucket.to_owned());
        }
        // 12 digits, 16 letters of the longest region, two hyphens.
        let prefix = self.hyphenated(&[&zone.in_aws], 63 - 12 - 16 - 2);
        sub![prefix, "-", pseudo::account(), "-", pseudo::region()]
    }

    /// The output of a stack with the name of a workgroup.
    pub(crate) fn work_group_output(work_group: &str) -> String {
        let kind = Kind::AthenaWorkGroup;
        if work_group == Workgroup::LAKE { kind.fixed() } else { kind.of(work_group) }.to_string()
    }

    /// The output of a stack with the name of a zone's bucket.
    pub(crate) fn zone_output(zone: &Zone) -> String {
        Kind::ZoneBucket.of(&zone.in_aws).to_string()
    }

    /// A bucket of lakegen's own; what follows the region sets it apart from the zones.
    fn own_bucket(&self, thing: &str) -> Value<Name<Bucket>> {
        sub![self.own_prefix(thing), "-", pseudo::account(), "-", pseudo::region(), "-", thing]
    }

    fn own_prefix(&self, thing: &str) -> String {
        self.hyphenated(&[], 63 - 12 - 16 - 2 - 1 - thing.len())
    }

    /// How the name of the bucket for assets begins: `-<account>-<region>-assets` follows.
    pub(super) fn asset_bucket_prefix(&self) -> String {
        self.own_prefix("assets")
    }

    /// Where steps keep what need not last: query results, temporary files, event logs.
    pub(super) fn work_bucket(&self) -> Value<Name<Bucket>> {
        self.own_bucket("work")
    }

    /// Where training puts models.
    pub(super) fn model_bucket(&self) -> Value<Name<Bucket>> {
        self.own_bucket("models")
    }

    /// Where access to the other buckets is logged.
    pub(super) fn log_bucket(&self) -> Value<Name<Bucket>> {
        self.own_bucket("logs")
    }

    /// The DynamoDB table of a key-value table.
    pub(super) fn items(&self, table: &Table) -> Value<Name<dynamodb::Table>> {
        Value::literal(self.plain(&[&table.in_aws], 255))
    }

    /// The role of a step or a function.
    pub(super) fn role(&self, kind: &str, name: &str) -> String {
        self.plain(&[kind, name], 64)
    }

    /// What the `access` stack holds: a role, or the boundary of the lake's roles.
    pub(super) fn access(&self, what: &str) -> String {
        self.plain(&["access", what], 64)
    }

    /// What the names of all buckets of the lake are like but for adopted ones.
    pub(super) fn bucket_pattern(&self) -> String {
        let whole = self.plain(&[], usize::MAX).replace('_', "-");
        // The shortest name keeps so many letters before its digest.
        let kept = 63 - 12 - 16 - 2 - 1 - "assets".len() - 9;
        let cut = whole.len() > 33 - 9 || self.environment.contains('_');
        match whole.get(..kept).filter(|_| cut && whole.len() > kept) {
            Some(begins) => format!("{}*", begins.trim_end_matches('-')),
            None => format!("{}-*", whole.trim_end_matches('-')),
        }
    }

    /// The role with which Lake Formation reads and writes; its `-` sets it apart from roles of steps.
    pub(super) fn location_role(&self) -> String {
        self.plain(&["lake-formation"], 64)
    }

    /// The role that starts steps.
    pub(super) fn pipeline_role(&self) -> String {
        self.plain(&["pipeline"], 64)
    }

    /// The table of runs; the `-` in its last part sets it apart from tables of the blueprint.
    pub(super) fn ledger(&self) -> String {
        self.plain(&["run-ledger"], 255)
    }

    /// The function that advances runs; its `-` sets it apart from functions of the blueprint.
    pub(super) fn advance(&self) -> String {
        self.plain(&["run-advance"], 64)
    }

    /// The function that releases models; its `-` sets it apart from functions of the blueprint.
    pub(super) fn releaser(&self) -> String {
        self.plain(&["model-release"], 64)
    }

    /// Its role; roles of steps and functions say of what kind they are.
    pub(super) fn releaser_role(&self) -> String {
        self.plain(&["releaser"], 64)
    }

    /// A rule of EventBridge: of a pipeline, or with a `-` one of lakegen's own. Also the topic and the queue beside them.
    pub(super) fn rule(&self, name: &str) -> String {
        self.plain(&[name], 64)
    }

    /// The catalog's database; Athena takes only letters, digits and `_`.
    pub(crate) fn database(&self) -> String {
        format!("{}_{}", self.lake, self.environment).replace('-', "_")
    }

    /// A function of the blueprint.
    pub(super) fn function(&self, name: &str) -> String {
        self.plain(&[name], 64)
    }

    /// The function that publishes recipes; its `-` sets it apart from functions of the blueprint.
    pub(super) fn publisher(&self) -> String {
        self.plain(&["recipe-publisher"], 64)
    }

    /// What the names of all recipes are like.
    pub(super) fn recipes(&self) -> String {
        format!("{}-*", self.plain(&[], usize::MAX).replace('_', "-"))
    }

    /// A recipe, its dataset and its job.
    pub(super) fn recipe(&self, name: &str) -> String {
        self.hyphenated(&[name], 240)
    }

    /// The dataset of a table that a step of a recipe reads; the point sets it apart from a recipe's own.
    pub(super) fn recipe_input(&self, recipe: &str, table: &str) -> String {
        let told_apart = reversible(table);
        let table = if told_apart { table.to_owned() } else { format!("{table}-{}", digest(table)) };
        shortened(format!("{}.{}", self.recipe(recipe), table.replace('_', "-")), 240, false)
    }

    /// A profile, its dataset, its rules and its job; the point sets them apart from a recipe's.
    pub(super) fn profile(&self, name: &str) -> String {
        format!("{}.profile", self.hyphenated(&[name], 240 - ".profile".len()))
    }

    /// An endpoint.
    pub(crate) fn endpoint(&self, model: &str) -> String {
        self.hyphenated(&[model], 63)
    }

    /// The beginning of the names that a release gives its model and its settings, which have 63 characters with two digests.
    pub(super) fn release(&self, model: &str) -> String {
        self.hyphenated(&[model], 63 - 18)
    }

    /// A stack; CloudFormation takes no `_`.
    pub(super) fn stack(&self, parts: &[&str]) -> String {
        self.hyphenated(parts, 128)
    }

    /// The beginning of the names of a model's training jobs, which have 63 characters with the time behind it.
    pub(super) fn training(&self, model: &str) -> String {
        self.hyphenated(&[model], 63 - 16)
    }

    /// The key's name for people.
    pub(super) fn key_alias(&self) -> Value<Name<Alias>> {
        Value::literal(format!("alias/{}", self.plain(&[], 240)))
    }

    /// The API.
    pub(super) fn api(&self) -> Value<Name<RestApi>> {
        Value::literal(self.plain(&[], 128))
    }

    /// The plan under which the API's key is.
    pub(super) fn usage_plan(&self) -> Value<Name<UsagePlan>> {
        Value::literal(self.plain(&[], 128))
    }

    /// The firewall before the API.
    pub(super) fn web_acl(&self) -> Value<Name<WebAcl>> {
        Value::literal(self.plain(&[], 128))
    }

    /// The pool of the API's users.
    pub(super) fn user_pool(&self) -> Value<Name<UserPool>> {
        Value::literal(self.plain(&[], 128))
    }

    /// The API's key.
    pub(super) fn api_key(&self) -> Value<Name<ApiKey>> {
        Value::literal(self.plain(&[], 128))
    }
}

/// Whether the name is told apart from others when its `_` become hyphens.
fn reversible(part: &str) -> bool {
    !part.starts_with('_') && !part.ends_with('_') && !part.contains("__")
}

fn shortened(name: String, limit: usize, always_digest: bool) -> String {
    if name.len() <= limit && !always_digest {
        return name;
    }
    let digest = digest(&name);
    let kept: String = name.chars().take(limit.saturating_sub(digest.len() + 1)).collect();
    format!("{}-{digest}", kept.trim_end_matches(['-', '_']))
}

/// The ARN of a bucket by its name.
pub(super) fn bucket_arn(bucket: &Value<Name<Bucket>>) -> Value<Arn<Bucket>> {
    sub!["arn:", pseudo::partition(), ":s3:::", bucket]
}

/// The ARN of a role by its name.
pub(super) fn role_arn(role: &str) -> Value<Arn<Role>> {
    sub!["arn:", pseudo::partition(), ":iam::", pseudo::account(), ":role/", role]
}

/// The ARN of something of this account in this region: `arn:<partition>:<service>:<region>:<account>:<resource>`.
pub(super) fn arn<R>(service: &str, resource: Value<crate::cfn::Text>) -> Value<Arn<R>> {
    sub!["arn:", pseudo::partition(), ":", service, ":", pseudo::region(), ":", pseudo::account(), ":", resource]
}

/// The ARN of an endpoint by its name.
pub(super) fn endpoint_arn(endpoint: &str) -> Value<Arn<Endpoint>> {
    arn("sagemaker", sub!["endpoint/", endpoint])
}

/// The ARN of a function by its name.
pub(super) fn function_arn(function: &str) -> Value<Arn<lambda::Function>> {
    arn("lambda", sub!["function:", function])
}

/// The ARN of the catalog's database by its name.
pub(super) fn database_arn(database: &str) -> Value<Arn<Database>> {
    arn("glue", sub!["database/", database])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_kind_is_the_beginning_of_another() {
        for a in Kind::ALL {
            for b in Kind::ALL {
                assert!(a == b || !b.word().starts_with(a.word()), "{a:?} and {b:?}");
            }
        }
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z][a-z0-9_]{0,39}", "[ab_]{0,4}".prop_map(|rest| format!("a{rest}"))]
    }

    proptest! {
        #[test]
        fn names_fit_and_are_of_allowed_characters(lake in "[a-z][a-z0-9_-]{0,19}", environment in "[a-z][a-z0-9_]{0,11}", thing in name()) {
            let names = Names::new(&lake, &environment);
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            for (name, limit) in [(names.role("function", &thing), 64), (names.function(&thing), 64)] {
                prop_assert!(name.len() <= limit && name.chars().all(plain), "{}", name);
            }
            let endpoint = names.endpoint(&thing);
            prop_assert!(endpoint.len() <= 63 && endpoint.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", endpoint);
            prop_assert!(!endpoint.ends_with('-') && !endpoint.starts_with('-'), "{}", endpoint);
            prop_assert!(names.recipe(&thing).starts_with(names.recipes().trim_end_matches('*')));
            prop_assert!(names.training(&thing).len() <= 47);
            prop_assert!(names.release(&thing).len() <= 45);
            for stack in [names.stack(&["processing"]), names.stack(&["endpoint", &thing])] {
                let fits = stack.len() <= 128 && stack.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                prop_assert!(fits, "{}", stack);
            }
            let (buckets, zone): (String, String) = (names.bucket_pattern(), thing.chars().take(12).collect());
            let all = ["assets", "work", "models", "logs"].map(|own| names.own_prefix(own));
            for bucket in all.into_iter().chain([names.hyphenated(&[&zone], 33)]) {
                prop_assert!(format!("{}-1", bucket).starts_with(buckets.trim_end_matches('*')), "{} {}", bucket, buckets);
            }
            let prefix = names.hyphenated(&[&thing], 33);
            prop_assert!(prefix.len() <= 33, "{}", prefix);
        }

        #[test]
        fn different_things_have_different_names(a in name(), b in name(), x in "[ab_]{0,3}", y in "[ab_]{0,3}") {
            let (x, y) = (format!("e{x}"), format!("e{y}"));
            prop_assume!((&a, &x) != (&b, &y));
            let (one, two) = (Names::new("lake", &x), Names::new("lake", &y));
            prop_assert_ne!(one.plain(&[&a], 64), two.plain(&[&b], 64));
            for limit in [33, 63, 240] {
                prop_assert_ne!(one.hyphenated(&[&a], limit), two.hyphenated(&[&b], limit));
            }
        }
    }

    #[test]
    fn what_has_gone_from_the_blueprint_is_still_known_by_its_id() {
        let origin = |id: &LogicalId| origin(id.as_str()).map(|origin| origin.to_string());
        assert_eq!(origin(&Kind::ZoneBucket.of("raw_2")).as_deref(), Some("zones.raw_2"));
        assert_eq!(origin(&Kind::ItemTable.of("buy_again")).as_deref(), Some("tables.buy_again"));
        assert_eq!(origin(&Kind::ApiUserPool.fixed()).as_deref(), Some("api"));
        assert_eq!(origin(&LogicalId::written("MyBucket")).as_deref(), Some("resources.MyBucket"));
        for own in [Kind::LakeKey, Kind::ModelBucket, Kind::WorkBucket, Kind::AccessLogBucket, Kind::RunLedger] {
            assert_eq!(origin(&own.fixed()), None, "{own:?}");
        }
    }

    #[test]
    fn usual_names_are_left_as_they_are() {
        let names = Names::new("instacart", "prod");
        assert_eq!(names.role("job", "buy_again_features"), "instacart-prod-job-buy_again_features");
        assert_eq!(names.endpoint("buy_again"), "instacart-prod-buy-again");
        assert_eq!(
            names.endpoint("buy__again"),
            format!("instacart-prod-buy--again-{}", digest("instacart-prod-buy__again"))
        );
    }
}
