//! A plan as people read it: on a terminal, and in a pull request.

use std::fmt::Write as _;

use handlebars::Handlebars;
use serde_json::{Value, json};

use super::Paint;
use crate::deploy::change::{Change, Kind, Property};
use crate::deploy::danger::{Danger, Sort, shown};
use crate::deploy::plan::{Does, Plan, StackPlan};
use crate::text::{counted, printable};

/// Longer values are cut.
const MAX_VALUE: usize = 100;
/// More properties of one resource are counted only.
const MAX_PROPERTIES: usize = 20;

/// The plan as text.
#[must_use]
pub fn text(plan: &Plan, paint: Paint) -> String {
    let mut text = format!("{} in {}: account {}, region {}\n", plan.lake, plan.environment, plan.account, plan.region);
    for stack in &plan.stacks {
        let _ = writeln!(text, "\n{}", heading(stack));
        for change in &stack.changes {
            let _ = writeln!(text, "  {}", line(change, paint));
            for property in change.properties.iter().take(MAX_PROPERTIES) {
                let _ = writeln!(text, "      {}", property_line(property));
            }
            if let Some(more @ 1..) = change.properties.len().checked_sub(MAX_PROPERTIES) {
                let _ = writeln!(text, "      … and {more} more");
            }
        }
    }
    if !plan.dangers.is_empty() {
        text.push('\n');
        text.push_str(&dangers(&plan.dangers, paint));
    }
    let _ = writeln!(text, "\n{}", counts(plan));
    text
}

/// What to think about, in red.
#[must_use]
pub fn dangers(dangers: &[Danger], paint: Paint) -> String {
    let mut text = String::new();
    for (sort, title) in SORTS {
        let of_sort: Vec<_> = dangers.iter().filter(|danger| danger.sort == sort).collect();
        if of_sort.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}", paint.red(title));
        for danger in of_sort {
            let _ = writeln!(
                text,
                "  {} {}: {}",
                paint.red("!"),
                printable(danger.thing(), &[]),
                printable(&danger.what, &[])
            );
        }
    }
    text
}

const SORTS: [(Sort, &str); 4] = [
    (Sort::DataLoss, "data would be lost"),
    (Sort::LeftBehind, "data would be left behind"),
    (Sort::Public, "something would be open to the world"),
    (Sort::Permission, "permissions would grow"),
];

fn heading(stack: &StackPlan) -> String {
    let what = match stack.does {
        Does::Nothing => "nothing to do",
        Does::Create => "is created",
        Does::Recreate => "what a failed creation has left is cleared away; then it is created",
        Does::Update => "is updated",
        Does::Recover => "the update that failed is rolled back; then it is updated",
        Does::Delete => "is deleted: the blueprint has nothing for it any more",
    };
    let note =
        if stack.exact { "" } else { " (from its template: AWS can say more once the stacks before it are there)" };
    format!("{}: {what}{note}", stack.name)
}

fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Add => "+",
        Kind::Change => "~",
        Kind::Replace => "±",
        Kind::MayReplace => "±?",
        Kind::Remove => "-",
        Kind::Import => "<",
    }
}

fn line(change: &Change, paint: Paint) -> String {
    let mark = match change.kind {
        Kind::Add | Kind::Import => paint.green(mark(change.kind)),
        Kind::Change | Kind::MayReplace => paint.yellow(mark(change.kind)),
        Kind::Replace | Kind::Remove => paint.red(mark(change.kind)),
    };
    let origin = change.origin.as_ref().map(|origin| format!("  ({origin})")).unwrap_or_default();
    let kept = match change.kind {
        Kind::Remove | Kind::Replace | Kind::MayReplace if change.kept => "  the old one is kept",
        _ => "",
    };
    format!("{mark} {} {}{origin}{kept}", change.resource_type, change.id)
}

fn property_line(property: &Property) -> String {
    let Property { path, before, after, replaces, follows } = property;
    let why = if *replaces { "  (makes a new one)" } else { "" };
    if let Some(cause) = follows {
        return format!("{path}: as {cause} changes{why}");
    }
    let (before, after) = (side(before.as_ref()), side(after.as_ref()));
    // Of two long texts, what is shown begins shortly before they part.
    let same = before.chars().zip(after.chars()).take_while(|(before, after)| before == after).count();
    let skipped =
        if before.chars().count().max(after.chars().count()) > MAX_VALUE { same.saturating_sub(20) } else { 0 };
    format!("{path}: {} → {}{why}", cut(&before, skipped), cut(&after, skipped))
}

/// A value on one line.
fn side(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = shown(value);
    printable(&text.split_whitespace().collect::<Vec<_>>().join(" "), &[])
}

/// What follows the first `skipped` characters, as far as there is room for it.
fn cut(text: &str, skipped: usize) -> String {
    let before = if skipped > 0 { "…" } else { "" };
    let mut rest = text.chars().skip(skipped);
    let shown: String = rest.by_ref().take(MAX_VALUE).collect();
    let after = if rest.next().is_some() { "…" } else { "" };
    format!("{before}{shown}{after}")
}

fn counts(plan: &Plan) -> String {
    if !plan.changes() {
        return match plan.uploads {
            0 => "nothing to do: AWS is as the blueprint says".to_owned(),
            uploads => format!("{} to upload; the stacks are as the blueprint says", counted(uploads, "asset")),
        };
    }
    let uploads =
        if plan.uploads > 0 { format!(", {} to upload", counted(plan.uploads, "asset")) } else { String::new() };
    format!(
        "{} to add, {} to change, {} to replace, {} to remove{uploads}",
        plan.count(&[Kind::Add, Kind::Import]),
        plan.count(&[Kind::Change]),
        plan.count(&[Kind::Replace, Kind::MayReplace]),
        plan.count(&[Kind::Remove]),
    )
}

/// The plan for a pull request.
///
/// # Errors
/// Never for a plan: only a template with a mistake could fail.
pub fn markdown(plan: &Plan) -> Result<String, handlebars::RenderError> {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(escaped);
    let sorts = SORTS.iter().map(|(sort, title)| {
        let of_sort = plan.dangers.iter().filter(|danger| danger.sort == *sort);
        let items: Vec<_> = of_sort.map(|danger| json!({ "thing": danger.thing(), "what": danger.what })).collect();
        json!({ "title": title, "items": items })
    });
    let stacks = plan.stacks.iter().map(|stack| {
        let changes = stack.changes.iter().map(|change| {
            let properties: Vec<_> = change.properties.iter().take(MAX_PROPERTIES).map(property_line).collect();
            json!({
                "mark": mark(change.kind),
                "type": change.resource_type,
                "id": change.id,
                "origin": change.origin,
                "properties": properties,
            })
        });
        json!({ "heading": heading(stack), "changes": changes.collect::<Vec<_>>() })
    });
    let data = json!({
        "lake": plan.lake,
        "environment": plan.environment,
        "account": plan.account,
        "region": plan.region,
        "counts": counts(plan),
        "dangers": sorts.filter(|sort| sort["items"] != json!([])).collect::<Vec<_>>(),
        "stacks": stacks.collect::<Vec<_>>(),
    });
    engine.render_template(include_str!("plan.md.hbs"), &data)
}

/// Nothing in a value may become markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text, &[]).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '#' | '\\' | '@' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}
