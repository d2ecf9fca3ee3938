//! Other tables: their rows beside or below the recipe's own.
//!
//! DataBrew's reference does not say what it calls columns that both sides of a join have, so none may: the step takes the columns of
//! the other table whose names are free.

use serde_json::Value as Json;

use super::super::action::{Action, Choice, Does, Holds, choice, key};
use super::super::arg::{Columns, Other, json};
use super::super::sql::{Outcome, Step, ident};
use super::super::step::ActionParameter;

static JOINS: [Choice; 7] = [
    choice("inner", "INNER_JOIN", "INNER"),
    choice("left", "LEFT_JOIN", "LEFT"),
    choice("right", "RIGHT_JOIN", "RIGHT"),
    choice("outer", "OUTER_JOIN", "FULL"),
    choice("left_excluding", "LEFT_EXCLUDING_JOIN", "LEFT"),
    choice("right_excluding", "RIGHT_EXCLUDING_JOIN", "RIGHT"),
    choice("outer_excluding", "OUTER_EXCLUDING_JOIN", "FULL"),
];

pub(super) static ACTIONS: [Action; 2] = [
    Action::new(
        "join",
        "JOIN",
        "Puts the rows of another table beside the rows with the same keys. An excluding join keeps the rows that have no partner.",
        &[
            key("table", "secondaryDatasetName", Holds::Table),
            key("on", "joinKeys", Holds::Keys),
            key("columns", "rightColumns", Holds::Taken).or_sql(""),
            key("type", "joinType", Holds::Choice(&JOINS)).or("inner"),
        ],
        Does::Combine(join, join_parameters),
    ),
    Action::new(
        "union",
        "UNION",
        "Puts the rows of other tables below. Columns meet by name; where a table has no such column, its rows are null there.",
        &[key("tables", "secondaryDatasetNames", Holds::Tables)],
        Does::Combine(union, union_parameters),
    ),
];

/// The columns that a join takes of the other table.
fn taken(step: &Step<'_>) -> Columns {
    let named = step.listed("columns");
    if !named.is_empty() {
        return named.to_vec();
    }
    let keys = step.pairs("on");
    let others = step.others("table").iter().flat_map(|other| &other.columns);
    others.filter(|(name, _)| !keys.iter().any(|(_, key)| key == name)).cloned().collect()
}

fn names(columns: &[(String, Option<crate::lake::ColumnType>)]) -> String {
    json(&columns.iter().map(|(name, _)| name).collect::<Vec<_>>())
}

fn join_parameters(step: &Step<'_>) -> Vec<(&'static str, ActionParameter)> {
    let place = step.others("table").iter().map(|other| ("secondInputLocation", ActionParameter::Location(other.id)));
    let columns = [("leftColumns", names(step.columns).into()), ("rightColumns", names(&taken(step)).into())];
    place.chain(columns).collect()
}

fn join(step: &Step<'_>) -> Outcome {
    let taken = taken(step);
    let columns = [step.columns, &taken].concat();
    let side = |side: &'static str, columns: &[(String, _)]| {
        columns.iter().map(|(name, _)| format!("{side}.{}", ident(name))).collect::<Vec<_>>()
    };
    let selected = [side("ours", step.columns), side("theirs", &taken)].concat().join(", ");
    let same = |(ours, theirs): &(String, String)| format!("ours.{} = theirs.{}", ident(ours), ident(theirs));
    let same = step.pairs("on").iter().map(same).collect::<Vec<_>>().join(" AND ");
    let lonely = match step.chosen("type") {
        "left_excluding" => " WHERE theirs.\"row here\" IS NULL",
        "right_excluding" => " WHERE ours.\"row here\" IS NULL",
        "outer_excluding" => " WHERE ours.\"row here\" IS NULL OR theirs.\"row here\" IS NULL",
        _ => "",
    };
    let other = step.others("table").first().map(|other| other.name.as_str()).unwrap_or_default();
    let sql = format!(
        "SELECT {selected} FROM (SELECT *, true AS \"row here\" FROM rows) AS ours {} JOIN \
        (SELECT *, true AS \"row here\" FROM main.{}) AS theirs ON {same}{lonely}",
        step.sql("type"),
        ident(other)
    );
    Outcome { columns, sql }
}

/// The columns of all tables, each where it comes first.
fn united(step: &Step<'_>) -> Columns {
    let mut columns = step.columns.to_vec();
    for (name, ty) in step.others("tables").iter().flat_map(|other| &other.columns) {
        if !columns.iter().any(|(known, _)| known == name) {
            columns.push((name.clone(), *ty));
        }
    }
    columns
}

fn union_parameters(step: &Step<'_>) -> Vec<(&'static str, ActionParameter)> {
    let columns = united(step);
    let has = |known: &[(String, _)], name: &str| known.iter().any(|(known, _)| known == name);
    let row = |known: &[(String, _)]| -> Json {
        columns.iter().map(|(name, _)| if has(known, name) { name.as_str().into() } else { Json::Null }).collect()
    };
    let others = step.others("tables");
    let rows: Vec<Json> =
        std::iter::once(row(step.columns)).chain(others.iter().map(|other| row(&other.columns))).collect();
    vec![
        ("datasetsColumns", json(&rows).into()),
        ("secondaryInputs", ActionParameter::Inputs(others.iter().map(|other| other.id).collect())),
        ("targetColumnNames", names(&columns).into()),
    ]
}

fn union(step: &Step<'_>) -> Outcome {
    let columns = united(step);
    let others = step.others("tables").iter();
    let others: String =
        others.map(|Other { name, .. }| format!(" UNION ALL BY NAME SELECT * FROM main.{}", ident(name))).collect();
    Outcome { columns, sql: format!("SELECT * FROM rows{others}") }
}
