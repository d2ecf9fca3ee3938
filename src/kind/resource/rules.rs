//! What AWS refuses and no schema of CloudFormation's says, or says only in words: texts, ranges, and what properties mean for each
//! other. Sources: the pages of the types in the template reference, and the rules that cfn-lint adds to the schemas
//! (`data/schemas/extensions`).

use crate::check::Check;
use crate::cron;
use crate::source::{Node, Span, Spanned, Value};
use crate::text::printable;

/// What is wrong with a text, and what to write instead.
pub(super) fn text(ty: &str, path: &str, text: &str) -> Option<(String, String)> {
    let name = path.rsplit('.').next().unwrap_or_default();
    if matches!(name, "Schedule" | "ScheduleExpression" | "CronExpression")
        && (text.starts_with("cron(") || text.starts_with("rate("))
    {
        let mistake = cron::check(text).err()?;
        return Some((mistake.message, mistake.help));
    }
    // The schema's pattern is found anywhere in a name, as schemas go; Athena means the whole.
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let group =
        (ty == "AWS::Athena::WorkGroup" && path == "Name") || (ty.starts_with("AWS::Athena::") && path == "WorkGroup");
    if group && !text.chars().all(plain) {
        let message = format!("`{}` cannot be the name of a workgroup", printable(text, &[]));
        return Some((message, "letters, digits, `.`, `_` and `-`, at most 128".into()));
    }
    let role = ty == "AWS::Lambda::Function" && name == "Role";
    if (role || name.ends_with("RoleArn")) && !text.starts_with("arn:") {
        let message = format!("`{path}` of `{ty}` is an ARN, and `{}` is none", printable(text, &[]));
        let help = "name roles of the lake like `${jobs.features.role.arn}`, and others by `Fn::GetAtt`";
        return Some((message, help.into()));
    }
    None
}

/// The range of a number: type, property, the least, the most.
const RANGES: [(&str, &str, f64, f64); 10] = [
    ("AWS::ApiGateway::Method", "Integration.TimeoutInMillis", 50.0, 300_000.0),
    ("AWS::Glue::Job", "MaxRetries", 0.0, 10.0),
    ("AWS::Glue::Job", "ExecutionProperty.MaxConcurrentRuns", 1.0, 1_000.0),
    ("AWS::Glue::Job", "Timeout", 1.0, 10_080.0),
    ("AWS::S3::Bucket", "LifecycleConfiguration.Rules.ExpirationInDays", 1.0, f64::MAX),
    ("AWS::S3::Bucket", "LifecycleConfiguration.Rules.NoncurrentVersionExpirationInDays", 1.0, f64::MAX),
    ("AWS::S3::Bucket", "LifecycleConfiguration.Rules.NoncurrentVersionExpiration.NoncurrentDays", 1.0, f64::MAX),
    (
        "AWS::S3::Bucket",
        "LifecycleConfiguration.Rules.AbortIncompleteMultipartUpload.DaysAfterInitiation",
        1.0,
        f64::MAX,
    ),
    ("AWS::S3::Bucket", "LifecycleConfiguration.Rules.Transitions.TransitionInDays", 0.0, f64::MAX),
    ("AWS::SageMaker::EndpointConfig", "ProductionVariants.ServerlessConfig.MaxConcurrency", 1.0, 200.0),
];

/// The range of a number that the schema leaves open.
pub(super) fn range(ty: &str, path: &str) -> (Option<f64>, Option<f64>) {
    let found = RANGES.iter().find(|(of, property, ..)| *of == ty && *property == path);
    found.map_or((None, None), |(_, _, least, most)| (Some(*least), Some(*most).filter(|most| *most < f64::MAX)))
}

/// The properties of one object of a resource.
pub(super) struct Together<'a> {
    /// The resource's type.
    pub(super) ty: &'a str,
    /// Where the object is in it.
    pub(super) path: &'a str,
    /// As they are written.
    pub(super) entries: &'a [(Spanned<String>, Node)],
    /// Whether these are all, and nothing is merged into what is there.
    pub(super) whole: bool,
    /// What is pointed at when one is missing.
    pub(super) owner: Span,
}

impl<'a> Together<'a> {
    /// One that is there.
    fn get(&self, name: &str) -> Option<&'a (Spanned<String>, Node)> {
        self.entries.iter().find(|(key, node)| key.value == name && node.value != Value::Null)
    }

    /// The text of one that holds nothing that is filled in.
    fn word(&self, name: &str) -> Option<&'a str> {
        match &self.get(name)?.1.value {
            Value::String(text) if !text.contains("${") => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            _ => None,
        }
    }

    /// Whether one is not there, and nothing that it is merged into can have it.
    fn lacks(&self, name: &str) -> bool {
        self.whole && self.get(name).is_none()
    }

    /// Notes that one cannot stand beside another.
    fn excludes(&self, name: &str, reason: &str, help: &str, cx: &mut Check<'_>) {
        if let Some((key, _)) = self.get(name) {
            cx.error(key.span, format!("`{name}` of `{}` {reason}", self.ty)).help(help);
        }
    }

    /// Notes that one is missing.
    fn needs(&self, name: &str, reason: &str, cx: &mut Check<'_>) {
        if self.lacks(name) {
            cx.error(self.owner, format!("`{}` needs `{name}` {reason}", self.ty));
        }
    }

    /// Notes what does not go together.
    pub(super) fn check(&self, cx: &mut Check<'_>) {
        match (self.ty, self.path) {
            ("AWS::Glue::Job", "") => self.glue_job(cx),
            ("AWS::Lambda::Function", "") => self.function(cx),
            ("AWS::DynamoDB::Table", "") => self.table(cx),
            ("AWS::SQS::Queue", "") => self.fifo("FifoQueue", "QueueName", cx),
            ("AWS::SNS::Topic", "") => self.fifo("FifoTopic", "TopicName", cx),
            ("AWS::S3::Bucket", "") => self.bucket(cx),
            ("AWS::S3::Bucket", "LifecycleConfiguration.Rules") => self.lifecycle(cx),
            ("AWS::CloudWatch::Alarm", "") => self.alarm(cx),
            ("AWS::ApiGateway::RestApi", "") if self.lacks("Body") && self.lacks("BodyS3Location") => {
                self.needs("Name", "where no `Body` says it", cx);
            }
            _ => {}
        }
    }

    fn glue_job(&self, cx: &mut Check<'_>) {
        if let (Some((capacity, _)), Some((worker, _))) = (self.get("MaxCapacity"), self.get("WorkerType")) {
            cx.error(capacity.span, "Glue takes `MaxCapacity` or `WorkerType`, not both")
                .related(worker.span, "the workers")
                .help("`NumberOfWorkers` says how many workers there are");
        } else if self.get("WorkerType").is_some() {
            self.needs("NumberOfWorkers", "beside `WorkerType`", cx);
        }
    }

    fn function(&self, cx: &mut Check<'_>) {
        if let Some((key, _)) =
            self.entries.iter().find(|(key, node)| !self.whole && key.value == "Handler" && node.value == Value::Null)
        {
            cx.error(key.span, "a function needs its `Handler`, which cannot be taken away");
        }
        if let Some((_, node)) = self.get("Timeout")
            && matches!(node.value, Value::Int(901..))
            && self.get("CapacityProviderConfig").is_none()
        {
            cx.error(node.span, "a function runs at most 900 seconds");
        }
        if self.word("PackageType") == Some("Image") {
            for name in ["Handler", "Runtime", "Layers"] {
                self.excludes(name, "has no place beside an image, which brings its own", "leave it out", cx);
            }
            return;
        }
        let Some((_, Node { value: Value::Map(code), span })) = self.get("Code") else { return };
        let code = Together { ty: self.ty, path: "Code", entries: code, whole: true, owner: *span };
        if let Some((image, _)) = code.get("ImageUri") {
            if self.lacks("PackageType") {
                cx.error(image.span, "a function of an image says so").help("write `PackageType: Image`");
            }
            return;
        }
        for name in ["Handler", "Runtime"] {
            self.needs(name, "where its code is no image", cx);
        }
        if let (Some((code, _)), Some(runtime)) = (code.get("ZipFile"), self.word("Runtime"))
            && !runtime.starts_with("python")
            && !runtime.starts_with("nodejs")
        {
            cx.error(code.span, format!("`ZipFile` is code of Python or Node.js, and the runtime is `{runtime}`"))
                .help("bring other code as an archive: `S3Bucket` and `S3Key`");
        }
    }

    fn table(&self, cx: &mut Check<'_>) {
        let mode = self.word("BillingMode");
        let provisioned = mode == Some("PROVISIONED") || self.lacks("BillingMode");
        if provisioned && self.get("ProvisionedThroughput").is_none() {
            let place = self.get("BillingMode").map_or(self.owner, |(_, node)| node.span);
            cx.error(place, "a table whose capacity is provisioned needs `ProvisionedThroughput`")
                .help("`BillingMode: PAY_PER_REQUEST` needs none");
        }
        if mode == Some("PAY_PER_REQUEST") {
            let reason = "has no place beside `BillingMode: PAY_PER_REQUEST`";
            self.excludes("ProvisionedThroughput", reason, "leave out one of them", cx);
        }
        self.attributes(cx);
    }

    /// The attributes of a table are those of its keys and indexes, all of them and no others.
    fn attributes(&self, cx: &mut Check<'_>) {
        let items = |name: &str| match self.get(name) {
            Some((_, Node { value: Value::List(items), .. })) => items.as_slice(),
            _ => &[],
        };
        let defined: Option<Vec<_>> = items("AttributeDefinitions").iter().map(attribute).collect();
        let indexes = items("GlobalSecondaryIndexes").iter().chain(items("LocalSecondaryIndexes"));
        let mut keys: Vec<&Node> = items("KeySchema").iter().collect();
        for index in indexes {
            let Value::Map(entries) = &index.value else { return };
            match entries.iter().find(|(key, _)| key.value == "KeySchema") {
                Some((_, Node { value: Value::List(items), .. })) => keys.extend(items),
                _ => return,
            }
        }
        let keys: Option<Vec<_>> = keys.into_iter().map(attribute).collect();
        let (Some(defined), Some(keys), true) = (defined, keys, self.whole) else { return };
        for (name, span) in &keys {
            if defined.iter().all(|(other, _)| other != name) {
                cx.error(*span, format!("`AttributeDefinitions` does not define `{name}`"))
                    .help(format!("add `{{ AttributeName: {name}, AttributeType: S }}` (or `N`, `B`)"));
            }
        }
        for (name, span) in &defined {
            if keys.iter().all(|(other, _)| other != name) {
                cx.error(*span, format!("no key of the table has the attribute `{name}`"))
                    .help("DynamoDB wants to know of attributes of keys only: leave it out");
            }
        }
    }

    /// Queues and topics that keep the order say so in their names.
    fn fifo(&self, flag: &str, name: &str, cx: &mut Check<'_>) {
        let Some((_, node)) = self.get(name) else { return };
        let Some(written) = self.word(name) else { return };
        match (self.word(flag), written.ends_with(".fifo")) {
            (Some("true"), false) => {
                cx.error(node.span, format!("with `{flag}: true` a name ends in `.fifo`"));
            }
            (Some("false"), true) => {
                cx.error(node.span, format!("a name that ends in `.fifo` needs `{flag}: true`"));
            }
            (None, true) if self.lacks(flag) => {
                cx.error(node.span, format!("a name that ends in `.fifo` needs `{flag}: true`"));
            }
            _ => {}
        }
    }

    fn bucket(&self, cx: &mut Check<'_>) {
        let closed = ["Private", "BucketOwnerFullControl", "BucketOwnerRead"];
        if let Some(acl) = self.word("AccessControl").filter(|acl| !closed.contains(acl)) {
            self.needs(
                "OwnershipControls",
                &format!("for `AccessControl: {acl}`: buckets have no ACLs of their own"),
                cx,
            );
        }
    }

    fn lifecycle(&self, cx: &mut Check<'_>) {
        for (one, other) in [("ExpirationInDays", "ExpirationDate"), ("ExpiredObjectDeleteMarker", "ExpirationInDays")]
        {
            if self.get(one).is_some() {
                self.excludes(other, &format!("has no place beside `{one}` in one rule"), "make two rules", cx);
            }
        }
    }

    fn alarm(&self, cx: &mut Check<'_>) {
        if let Some((_, node)) = self.get("Period")
            && let Value::Int(period) = node.value
            && ![10, 20, 30].contains(&period)
            && period % 60 != 0
        {
            cx.error(node.span, format!("an alarm looks every 10, 20, 30 or a multiple of 60 seconds, not {period}"));
        }
    }
}

/// The name of an attribute in a list of them; `None` where it is not known yet.
fn attribute(item: &Node) -> Option<(&str, Span)> {
    let Value::Map(entries) = &item.value else { return None };
    match entries.iter().find(|(key, _)| key.value == "AttributeName")? {
        (_, Node { value: Value::String(name), span }) if !name.contains("${") => Some((name, *span)),
        _ => None,
    }
}
