//! Documents of policies in the escape hatch, which CloudFormation's schemas leave open and IAM refuses when a stack is under way.
//! Source: "Grammar of the IAM JSON policy language" of the IAM user guide.

use crate::check::Check;
use crate::diagnostic::{did_you_mean, listed};
use crate::source::{Node, Span, Spanned, Value};
use crate::text::printable;

const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// What a policy is attached to, which decides what its statements speak of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Somebody: it says what of.
    Identity,
    /// A role, who may take it on: it says who.
    Trust,
    /// A resource: it says who.
    Resource,
}

type Entries = [(Spanned<String>, Node)];

/// Checks the property of that name, if it is a document. One that is not `whole` is merged into what is there.
pub(super) fn check(ty: &str, name: &str, node: &Node, whole: bool, cx: &mut Check<'_>) {
    let of = match name {
        "AssumeRolePolicyDocument" => Of::Trust,
        "PolicyDocument" if ty.starts_with("AWS::IAM::") => Of::Identity,
        "PolicyDocument" | "KeyPolicy" => Of::Resource,
        _ => return,
    };
    let Value::Map(entries) = &node.value else { return };
    if super::schema::is_function(entries) {
        return;
    }
    known(entries, &DOCUMENT, "a policy", cx);
    if let Some(Node { value: Value::String(version), span }) = get(entries, "Version")
        && !VERSIONS.contains(&version.as_str())
    {
        cx.error(*span, format!("policies have no version `{}`", printable(version, &[])))
            .help("write `Version: \"2012-10-17\"`");
    }
    match get(entries, "Statement") {
        Some(Node { value: Value::List(statements), .. }) => {
            statements.iter().for_each(|one| statement(of, one, cx));
        }
        Some(one) => statement(of, one, cx),
        None if whole => {
            cx.error(node.span, "this policy has no `Statement`");
        }
        None => {}
    }
}

fn get<'a>(entries: &'a Entries, name: &str) -> Option<&'a Node> {
    entries.iter().find(|(key, node)| key.value == name && node.value != Value::Null).map(|(_, node)| node)
}

fn known(entries: &Entries, keys: &[&'static str], noun: &str, cx: &mut Check<'_>) {
    for (key, _) in entries.iter().filter(|(key, _)| !keys.contains(&key.as_str())) {
        let help = did_you_mean(key, keys.iter().copied()).unwrap_or_else(|| format!("{noun} has {}", listed(keys)));
        cx.error(key.span, format!("{noun} has no `{}`", key.value)).help(help);
    }
}

fn statement(of: Of, node: &Node, cx: &mut Check<'_>) {
    let Value::Map(entries) = &node.value else { return };
    if super::schema::is_function(entries) {
        return;
    }
    known(entries, &STATEMENT, "a statement", cx);
    match get(entries, "Effect") {
        Some(Node { value: Value::String(effect), span }) if !["Allow", "Deny"].contains(&effect.as_str()) => {
            cx.error(*span, format!("an effect is `Allow` or `Deny`, not `{}`", printable(effect, &[])));
        }
        Some(_) => {}
        None => {
            cx.error(node.span, "this statement has no `Effect`").help("write `Effect: Allow`");
        }
    }
    let mut one_of = |one: &str, other: &str, needed: bool, span: Span| match (get(entries, one), get(entries, other)) {
        (Some(first), Some(second)) => {
            cx.error(second.span, format!("a statement has `{one}` or `{other}`, not both"))
                .related(first.span, "the other");
        }
        (None, None) if needed => {
            cx.error(span, format!("this statement has no `{one}`"));
        }
        _ => {}
    };
    one_of("Action", "NotAction", true, node.span);
    one_of("Resource", "NotResource", of == Of::Identity, node.span);
    one_of("Principal", "NotPrincipal", of != Of::Identity, node.span);
    let foreign: &[&str] = match of {
        Of::Identity => &["Principal", "NotPrincipal"],
        Of::Trust => &["Resource", "NotResource"],
        Of::Resource => &[],
    };
    for (key, _) in entries.iter().filter(|(key, _)| foreign.contains(&key.as_str())) {
        let holder = if of == Of::Trust { "a role's trust" } else { "a policy of IAM's" };
        cx.error(key.span, format!("{holder} has no `{}`", key.value)).help("leave it out");
    }
    for name in ["Action", "NotAction"] {
        match get(entries, name) {
            Some(Node { value: Value::List(actions), .. }) => actions.iter().for_each(|one| action(one, cx)),
            Some(one) => action(one, cx),
            None => {}
        }
    }
}

fn action(node: &Node, cx: &mut Check<'_>) {
    let Value::String(text) = &node.value else { return };
    let word = |word: &str, more: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let fits = text == "*"
        || text.contains("${")
        || text.split_once(':').is_some_and(|(service, name)| word(service, "-") && word(name, "*?"));
    if !fits {
        cx.error(node.span, format!("`{}` is not an action", printable(text, &[])))
            .help("write it like `s3:GetObject`: the service, and what is done");
    }
}
