//! What a change may cost: data that is lost, permissions that grow, doors that open.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::change::{Change, Kind};

/// Types whose resources hold what cannot be made again.
pub const DATA: [&str; 4] = ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::Cognito::UserPool"];

/// Something to think about before it is done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Danger {
    /// What sort it is.
    pub sort: Sort,
    /// The stack.
    pub stack: String,
    /// The resource's logical id.
    pub id: String,
    /// The resource's type.
    pub resource_type: String,
    /// Where in the blueprint it comes from.
    pub origin: Option<String>,
    /// What would happen, in a few words.
    pub what: String,
}

/// What sort of danger it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// A resource that holds data goes, or is replaced.
    DataLoss,
    /// A resource that holds data stays in the account and is no longer the lake's.
    LeftBehind,
    /// Somebody who could do something before may do more.
    Permission,
    /// The world may do something.
    Public,
}

impl Danger {
    /// How the thing is called, for `--allow-data-loss`: as in the blueprint, with its section (`zones.raw`), or by its logical id.
    #[must_use]
    pub fn thing(&self) -> &str {
        self.origin.as_deref().unwrap_or(&self.id)
    }
}

/// What the changes of a stack may cost.
#[must_use]
pub fn dangers(stack: &str, changes: &[Change]) -> Vec<Danger> {
    let added: Vec<&str> =
        changes.iter().filter(|change| change.kind == Kind::Add).map(|change| change.id.as_str()).collect();
    let mut found = Vec::new();
    for change in changes {
        let mut note = |sort, what: String| {
            found.push(Danger {
                sort,
                stack: stack.to_owned(),
                id: change.id.clone(),
                resource_type: change.resource_type.clone(),
                origin: change.origin.clone(),
                what,
            });
        };
        if DATA.contains(&change.resource_type.as_str()) {
            match change.kind {
                _ if change.loses() => note(Sort::DataLoss, loss(change)),
                Kind::Remove | Kind::Replace | Kind::MayReplace => note(Sort::LeftBehind, left(change)),
                Kind::Add | Kind::Change | Kind::Import => {}
            }
        }
        for grant in widened(change, &added) {
            note(Sort::Permission, grant);
        }
        for door in opened(change) {
            note(Sort::Public, door);
        }
    }
    found
}

/// What a resource is called in AWS, if it has a name there.
fn name(change: &Change) -> &str {
    change.physical.as_deref().filter(|name| !name.is_empty()).unwrap_or(&change.id)
}

fn left(change: &Change) -> String {
    let instead = if change.kind == Kind::Remove { "" } else { ", and an empty one takes its place" };
    format!("{} stays in the account with what it holds, no longer the lake's{instead}", name(change))
}

fn loss(change: &Change) -> String {
    let name = name(change);
    let because = || {
        let properties: Vec<_> = change.properties.iter().filter(|p| p.replaces).map(|p| p.path.as_str()).collect();
        if properties.is_empty() { String::new() } else { format!(", because {} changes", properties.join(", ")) }
    };
    match change.kind {
        Kind::Replace => format!("{name} is deleted and made anew, empty{}", because()),
        Kind::MayReplace => format!("{name} may be deleted and made anew, empty{}", because()),
        _ => format!("{name} is deleted with what it holds"),
    }
}

/// What may be done after and could not be done before, for resources that say who may do what.
fn widened(change: &Change, added: &[&str]) -> Vec<String> {
    let policy = match change.resource_type.as_str() {
        "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" => true,
        "AWS::IAM::Role"
        | "AWS::S3::BucketPolicy"
        | "AWS::KMS::Key"
        | "AWS::SQS::QueuePolicy"
        | "AWS::SNS::TopicPolicy" => false,
        _ => return Vec::new(),
    };
    let before = match change.kind {
        Kind::Change | Kind::Replace | Kind::MayReplace => grants(change.before.as_ref()),
        // A further policy widens a role that is there already.
        Kind::Add if policy && !names_one_of(change.after.as_ref(), added) => BTreeSet::new(),
        Kind::Add | Kind::Remove | Kind::Import => return Vec::new(),
    };
    grants(change.after.as_ref()).difference(&before).cloned().collect()
}

fn names_one_of(resource: Option<&Value>, ids: &[&str]) -> bool {
    let roles = resource.and_then(|resource| resource.pointer("/Properties/Roles")).map(Value::to_string);
    roles.is_some_and(|roles| ids.iter().any(|id| roles.contains(&format!("\"{id}\""))))
}

/// Everything that a resource's policies allow, a sentence each; what they deny counts as allowed when it is no longer denied, so
/// denials are left to [`differences`](super::change::differences).
fn grants(resource: Option<&Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Some(properties) = resource.and_then(|resource| resource.get("Properties")) {
        collect(properties, &mut found);
        for policy in list(properties.get("ManagedPolicyArns")) {
            found.insert(format!("everything that {} allows", shown(policy)));
        }
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if map.get("Effect").and_then(Value::as_str) == Some("Allow") {
                sentences(map, found);
            } else {
                map.values().for_each(|value| collect(value, found));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn sentences(statement: &serde_json::Map<String, Value>, found: &mut BTreeSet<String>) {
    let everything = Value::String("*".to_owned());
    let resources = match statement.get("Resource") {
        Some(resources) => list(Some(resources)),
        None => vec![&everything],
    };
    let who = statement.get("Principal").map(|who| format!("{} ", shown(who))).unwrap_or_default();
    let condition = statement.get("Condition").map(|only| format!(" if {}", shown(only))).unwrap_or_default();
    for action in list(statement.get("Action")).into_iter().chain(list(statement.get("NotAction"))) {
        for resource in &resources {
            found.insert(format!("{who}{} on {}{condition}", shown(action), nameless(&shown(resource))));
        }
    }
}

/// A resource without the hashes in it. Assets are named by their content: whoever may read one of them and now reads the next may no
/// more than before.
fn nameless(resource: &str) -> String {
    const DIGITS: usize = 64;
    match resource.split_once("/assets/") {
        Some((bucket, asset)) if asset.len() > DIGITS && asset.chars().take(DIGITS).all(|c| c.is_ascii_hexdigit()) => {
            format!("{bucket}/assets/…{}", &asset[DIGITS..])
        }
        _ => resource.to_owned(),
    }
}

fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

/// A value in a few characters: a function of CloudFormation's by its argument.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) if map.len() == 1 => match map.iter().next() {
            Some((key, Value::String(text))) if key == "Ref" => format!("${{{text}}}"),
            Some((key, Value::String(text))) if key == "Fn::Sub" => text.clone(),
            Some((key, Value::Array(parts))) if key == "Fn::GetAtt" => {
                let parts: Vec<_> = parts.iter().map(shown).collect();
                format!("${{{}}}", parts.join("."))
            }
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}

/// What the world may do after and could not do before.
fn opened(change: &Change) -> Vec<String> {
    let before = doors(&change.resource_type, change.before.as_ref());
    let mut after = doors(&change.resource_type, change.after.as_ref());
    if change.resource_type == "AWS::S3::Bucket" {
        let (guards, left) = (guards(change.before.as_ref()), guards(change.after.as_ref()));
        // S3 guards new buckets by itself; taken out of a template, what was there is taken off.
        let gone =
            guards.iter().zip(&left).filter(|((_, before), (_, after))| *before == Some(true) && after.is_none());
        after.extend(gone.map(|((guard, _), _)| format!("a bucket without {guard}")));
    }
    match change.kind {
        Kind::Remove => Vec::new(),
        _ => after.difference(&before).cloned().collect(),
    }
}

/// What keeps the world out of a bucket: whether it is on, or `None` where nothing is said.
fn guards(bucket: Option<&Value>) -> [(&'static str, Option<bool>); 4] {
    let block = bucket.and_then(|bucket| bucket.pointer("/Properties/PublicAccessBlockConfiguration"));
    ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"].map(|guard| {
        let on = block.and_then(|block| block.get(guard)).map(|on| match on {
            // What a function gives is not known, so it is no guard.
            Value::Bool(true) => true,
            Value::String(text) => text == "true",
            _ => false,
        });
        (guard, on)
    })
}

/// Whether a principal is anybody at all.
fn is_anybody(who: &Value) -> bool {
    match who {
        Value::String(text) => text == "*",
        Value::Array(items) => items.iter().any(is_anybody),
        Value::Object(map) => map.get("AWS").is_some_and(is_anybody),
        _ => false,
    }
}

/// Everything that anybody may do by a resource's policies.
fn anybody_may(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if map.get("Effect").and_then(Value::as_str) == Some("Allow") => {
            let anybody = map.get("Principal").is_some_and(is_anybody) || map.contains_key("NotPrincipal");
            if anybody && map.get("Condition").is_none() {
                sentences(map, found);
            }
        }
        Value::Object(map) => map.values().for_each(|value| anybody_may(value, found)),
        Value::Array(items) => items.iter().for_each(|item| anybody_may(item, found)),
        _ => {}
    }
}

fn doors(resource_type: &str, resource: Option<&Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Some(properties) = resource.and_then(|resource| resource.get("Properties")) else { return found };
    let text = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default();
    match resource_type {
        "AWS::ApiGateway::Method"
            if text("HttpMethod") != "OPTIONS"
                && text("AuthorizationType") == "NONE"
                && properties.get("ApiKeyRequired") != Some(&Value::Bool(true)) =>
        {
            found.insert("a route that anybody may call".to_owned());
        }
        "AWS::Lambda::Permission" if text("Principal") == "*" => {
            found.insert("a function that anybody may call".to_owned());
        }
        "AWS::Lambda::Url" if text("AuthType") == "NONE" => {
            found.insert("a function that anybody may call".to_owned());
        }
        "AWS::S3::Bucket" => {
            let off = guards(resource).into_iter().filter(|(_, on)| *on == Some(false));
            found.extend(off.map(|(guard, _)| format!("a bucket without {guard}")));
            if text("AccessControl").starts_with("Public") {
                found.insert(format!("a bucket with the access control {}", text("AccessControl")));
            }
        }
        _ => {}
    }
    let mut allowed = BTreeSet::new();
    anybody_may(properties, &mut allowed);
    found.extend(allowed.iter().map(|sentence| format!("anybody may do {sentence}")));
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::assembly::Assets;
    use crate::cfn::Format;
    use crate::check::check;
    use crate::files::Disk;
    use crate::lower::lower;
    use crate::placement::{Lock, Placement};
    use crate::report::Paint;
    use crate::source::Source;

    fn change(kind: Kind, resource_type: &str, before: Option<Value>, after: Option<Value>) -> Change {
        let wrap = |properties: Value| json!({ "Type": resource_type, "Properties": properties });
        Change {
            kind,
            id: "Thing".to_owned(),
            resource_type: resource_type.to_owned(),
            physical: Some("the-thing".to_owned()),
            kept: false,
            properties: Vec::new(),
            origin: Some("zones.raw".to_owned()),
            before: before.map(wrap),
            after: after.map(wrap),
        }
    }

    fn found(change: Change) -> Vec<(Sort, String)> {
        dangers("s", &[change]).into_iter().map(|danger| (danger.sort, danger.what)).collect()
    }

    #[test]
    fn what_holds_data_must_not_go_unless_it_is_kept() {
        for kind in [Kind::Remove, Kind::Replace, Kind::MayReplace] {
            assert_eq!(found(change(kind, "AWS::S3::Bucket", None, None))[0].0, Sort::DataLoss);
            let kept = Change { kept: true, ..change(kind, "AWS::S3::Bucket", None, None) };
            assert_eq!(found(kept)[0].0, Sort::LeftBehind);
            assert_eq!(found(change(kind, "AWS::Glue::Job", None, None)), []);
        }
        assert_eq!(found(change(Kind::Change, "AWS::S3::Bucket", None, None)), []);
    }

    #[test]
    fn a_role_widens_when_a_statement_says_more_or_asks_for_less() {
        let role = |action: &str, resource: &str, condition: Value| {
            let statement =
                json!({ "Effect": "Allow", "Action": [action], "Resource": resource, "Condition": condition });
            json!({ "Policies": [{ "PolicyDocument": { "Statement": [statement] } }] })
        };
        let narrow = role("s3:GetObject", "a/*", json!({ "Bool": true }));
        let same = change(Kind::Change, "AWS::IAM::Role", Some(narrow.clone()), Some(narrow.clone()));
        assert_eq!(found(same), []);
        for wider in [
            role("s3:PutObject", "a/*", json!({ "Bool": true })),
            role("s3:GetObject", "b/*", json!({ "Bool": true })),
            role("s3:GetObject", "a/*", Value::Null),
        ] {
            let wider = change(Kind::Change, "AWS::IAM::Role", Some(narrow.clone()), Some(wider));
            assert_eq!(found(wider)[0].0, Sort::Permission);
        }
        let reads =
            |hash: char| role("s3:GetObject", &format!("b/assets/{}.py", hash.to_string().repeat(64)), json!({}));
        let next = change(Kind::Change, "AWS::IAM::Role", Some(reads('a')), Some(reads('b')));
        assert_eq!(found(next), [], "the next version of a script is no wider than the last");
        let new = change(Kind::Add, "AWS::IAM::Role", None, Some(narrow));
        assert_eq!(found(new), [], "a new role widens nothing that is there");
    }

    #[test]
    fn a_door_that_opens_is_seen_and_one_that_was_open_is_not() {
        let method = |key: bool| json!({ "HttpMethod": "GET", "AuthorizationType": "NONE", "ApiKeyRequired": key });
        let opens = change(Kind::Change, "AWS::ApiGateway::Method", Some(method(true)), Some(method(false)));
        assert_eq!(found(opens), [(Sort::Public, "a route that anybody may call".to_owned())]);
        let open = change(Kind::Change, "AWS::ApiGateway::Method", Some(method(false)), Some(method(false)));
        assert_eq!(found(open), []);
        let anybody = json!({ "PolicyDocument": { "Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "x/*" } } });
        let policy = change(Kind::Add, "AWS::S3::BucketPolicy", None, Some(anybody));
        assert_eq!(found(policy).iter().filter(|(sort, _)| *sort == Sort::Public).count(), 1);
    }

    /// The bucket of the lake's zone, and its policy, as a blueprint with this `override` has them.
    fn zone(overrides: &str) -> [Value; 2] {
        let text = format!(
            "name: shop\nenvironments: {{ dev: {{ region: eu-west-1 }} }}\nzones: {{ raw: {{ override: {overrides} }} }}\n\
             tables: {{ a: {{ zone: raw, format: csv, columns: {{ id: int }} }} }}\ncrawlers: {{ c: {{ reads: [a] }} }}\n"
        );
        let source = Source { name: "lake.yaml".into(), text: text.into() };
        let (lake, diagnostics) = check(source, Path::new("."), &Disk::new(Path::new(".")));
        let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let assets = Assets::collect(&lake).unwrap();
        let placement = Placement::of(&lake, &Lock::default());
        let assembly = lower(&lake, &lake.environments[0], &assets, &placement, Format::Json);
        let storage = assembly.stacks.iter().find(|stack| stack.name.ends_with("storage")).unwrap();
        let template: Value = serde_json::from_str(&storage.template.text).unwrap();
        ["ZoneBucketRaw", "ZonePolicyRaw"].map(|id| template["Resources"][id]["Properties"].clone())
    }

    #[test]
    fn an_override_that_opens_a_bucket_is_seen() {
        let [bucket, policy] = zone("{}");
        let opened = |overrides: &str| -> Vec<String> {
            let [changed_bucket, changed_policy] = zone(overrides);
            let both = [
                change(Kind::Change, "AWS::S3::Bucket", Some(bucket.clone()), Some(changed_bucket)),
                change(Kind::Change, "AWS::S3::BucketPolicy", Some(policy.clone()), Some(changed_policy)),
            ];
            let dangers = dangers("s", &both).into_iter().filter(|danger| danger.sort == Sort::Public);
            dangers.map(|danger| danger.what).collect()
        };
        let none: [&str; 0] = [];
        assert_eq!(
            opened("{ Bucket: { Properties: { AccelerateConfiguration: { AccelerationStatus: Enabled } } } }"),
            none
        );
        let unguarded = "{ Bucket: { Properties: { PublicAccessBlockConfiguration: { BlockPublicPolicy: false } } } }";
        assert_eq!(opened(unguarded), ["a bucket without BlockPublicPolicy"]);
        let without = "{ Bucket: { Properties: { PublicAccessBlockConfiguration: ~ } } }";
        assert_eq!(opened(without).len(), 4, "what is taken out of a template is taken off the bucket");
        assert_eq!(
            opened("{ Bucket: { Properties: { AccessControl: PublicRead } } }"),
            ["a bucket with the access control PublicRead"]
        );
        for who in ["'*'", "{ AWS: '*' }", "{ AWS: ['${lake.key.arn}', '*'] }"] {
            let statement = format!(
                "{{ Effect: Allow, Principal: {who}, Action: 's3:GetObject', Resource: '${{zones.raw.arn}}/*' }}"
            );
            let overrides =
                format!("{{ BucketPolicy: {{ Properties: {{ PolicyDocument: {{ Statement: [{statement}] }} }} }} }}");
            let found = opened(&overrides);
            assert!(found.len() == 1 && found[0].starts_with("anybody may do "), "{who}: {found:?}");
        }
    }

    #[test]
    fn what_opens_is_shown_in_red() {
        let opens = json!({ "PublicAccessBlockConfiguration": { "BlockPublicAcls": false } });
        let found = dangers("s", &[change(Kind::Change, "AWS::S3::Bucket", Some(json!({})), Some(opens))]);
        let shown = crate::report::plan::dangers(&found, Paint(true));
        let red = |text: &str| format!("\u{1b}[31m{text}\u{1b}[0m");
        assert!(shown.starts_with(&red("something would be open to the world")), "{shown:?}");
        assert!(shown.contains(&format!("{} zones.raw: a bucket without BlockPublicAcls", red("!"))), "{shown:?}");
    }
}
