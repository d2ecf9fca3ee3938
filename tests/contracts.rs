//! Contracts through a lake: whoever uses a column is found when its table no longer declares it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use lakegen::check::check;
use lakegen::diagnostic::{Diagnostics, Severity};
use lakegen::files::Disk;
use lakegen::lake::{Lake, Script, StepId};
use lakegen::source::{Source, Span};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn checked(text: &str) -> (Option<Lake>, Diagnostics) {
    check(Source { name: "lake.yaml".into(), text: text.into() }, root(), &Disk::new(root()))
}

/// The line that begins with the name of a table, with the line break before it.
fn line(text: &str, table: &str) -> usize {
    let section = text.find("\ntables:\n").unwrap();
    section + text[section..].find(&format!("\n  {table}:")).unwrap()
}

/// The first byte of the name of each column where its table declares it. Tables that take another's columns declare none.
fn declarations(text: &str, lake: &Lake) -> BTreeMap<(String, String), usize> {
    let mut places = BTreeMap::new();
    for table in lake.tables.values() {
        let start = line(text, &table.name);
        let mut at = start + text[start..].find("columns:").unwrap();
        if text[at..].starts_with("columns: *") {
            continue;
        }
        for column in &table.columns {
            at += word(&text[at..], &column.name, |after| after.trim_start().starts_with(':')).unwrap();
            places.insert((table.name.clone(), column.name.clone()), at);
        }
    }
    places
}

/// The first place of a whole word, followed by what is wanted.
fn word(text: &str, name: &str, wanted: impl Fn(&str) -> bool) -> Option<usize> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).map(|(at, _)| at).find(|at| {
        let after = &text[at + name.len()..];
        !text[..*at].ends_with(part) && !after.starts_with(part) && wanted(after)
    })
}

/// Where a table is declared, name and columns.
fn block(text: &str, table: &str) -> std::ops::Range<usize> {
    let start = line(text, table);
    let lines = text[start + 1..].split_inclusive('\n').skip(1).take_while(|line| line.starts_with("    "));
    start..start + table.len() + 5 + lines.map(str::len).sum::<usize>()
}

/// A table, and those that take its columns.
fn with_the_columns_of<'a>(lake: &'a Lake, table: &str) -> impl Iterator<Item = &'a str> {
    let columns = lake.tables.values().find(|known| known.name == table).map(|known| &known.columns);
    lake.tables.values().filter(move |other| Some(&other.columns) == columns).map(|other| other.name.as_str())
}

/// The thing of the blueprint that a place belongs to, like `queries.prior`.
fn user(text: &str, at: usize) -> String {
    let mut name = String::new();
    for line in text[..at + 1].lines().rev() {
        let key = line.trim_start().split(':').next().unwrap_or_default();
        match line.len() - line.trim_start().len() {
            _ if key.is_empty() || key.starts_with('#') => {}
            2 if name.is_empty() => name = format!(".{key}"),
            0 => return format!("{key}{name}"),
            _ => {}
        }
    }
    name
}

/// Whether something that lakegen can look into writes a table: all but a user's script.
fn written_in_the_open(lake: &Lake, table: &str) -> bool {
    let writer = lake.tables.values().find(|known| known.name == table).and_then(|table| table.writer);
    match writer {
        Some(StepId::Job(job)) => matches!(lake.jobs[job].script, Script::Visual(_)),
        Some(_) => true,
        None => false,
    }
}

/// Renames each column of each table in its declaration alone; the snapshot lists what is said about it and where.
#[test]
fn a_column_that_is_renamed_is_missed_wherever_it_is_used() {
    let text = include_str!("../blueprints/instacart.yaml");
    let (lake, diagnostics) = checked(text);
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let declarations = declarations(text, &lake);
    let uses_begin = text.find("\ncrawlers:\n").unwrap();
    let mut account = String::new();
    let mut silent: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut pointed_at: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for ((table, column), at) in &declarations {
        let renamed = format!("{}{column}_anew{}", &text[..*at], &text[at + column.len()..]);
        let (lake_then, diagnostics) = checked(&renamed);
        let shift = |span: u32| if span as usize > *at { span as usize - "_anew".len() } else { span as usize };
        let blocks: Vec<_> = with_the_columns_of(&lake, table).map(|table| block(text, table)).collect();
        let in_blocks = |at: usize| blocks.iter().any(|block| block.contains(&at));
        let mut places = BTreeSet::new();
        for diagnostic in diagnostics.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
            let about = diagnostic.message.contains(&format!("`{column}`"))
                || diagnostic.message.contains(&format!("`{column}_anew`"));
            assert!(about, "{table}.{column}: {}", diagnostic.message);
            let declared = diagnostic.related.iter().any(|(span, _)| in_blocks(shift(span.start)));
            let own = shift(diagnostic.span.start) < uses_begin && diagnostic.message.contains("no column named");
            assert!(declared || own, "{table}.{column}: the declaration is not shown:\n{}", diagnostics.render(false));
            places.insert(shift(diagnostic.span.start));
        }
        assert_eq!(lake_then.is_none(), !places.is_empty());
        if written_in_the_open(&lake, table) {
            assert!(!places.is_empty(), "{table}.{column} is written by something that can be looked into");
        }
        let mut users: BTreeMap<String, usize> = BTreeMap::new();
        for at in &places {
            *users.entry(user(text, *at)).or_default() += 1;
        }
        let users: Vec<String> = users.iter().map(|(user, times)| format!("{user} ×{times}")).collect();
        if users.is_empty() {
            silent.entry(table).or_default().insert(column);
        } else {
            let _ = writeln!(account, "{table}.{column}: {}", users.join(", "));
        }
        pointed_at.entry(column).or_default().extend(places);
    }
    for (table, columns) in silent {
        let _ = writeln!(account, "{table}: only its script knows {} of its columns", columns.len());
    }
    insta::with_settings!({snapshot_path => "../snapshots/check", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("contracts", account);
    });

    // The other way round: a use that is spelled otherwise is an error, so it is one of the places above.
    for column in declarations.keys().map(|(_, column)| column.as_str()).collect::<BTreeSet<_>>() {
        let mut at = uses_begin;
        while let Some(found) = word(&text[at..], column, |_| true) {
            let place = at + found;
            at = place + column.len();
            let (_, diagnostics) = checked(&format!("{}_anew{}", &text[..at], &text[at..]));
            // A column that a node or a subquery made itself is nobody's declaration.
            let of_a_table = |span: &Span| {
                let tables = declarations.keys().filter(|(_, known)| known == column).map(|(table, _)| table);
                tables.into_iter().any(|table| block(text, table).contains(&(span.start as usize)))
            };
            let misses = diagnostics.list.iter().any(|diagnostic| {
                diagnostic.message.contains("no column named")
                    && diagnostic.message.contains(&format!("`{column}_anew`"))
                    && diagnostic.related.iter().any(|(span, _)| of_a_table(span))
            });
            if misses {
                let line = text[..place].matches('\n').count() + 1;
                let (name, places) = (user(text, place), &pointed_at[column]);
                // Behind the first step or node that misses a column nobody knows which columns there are.
                let told = places.contains(&place)
                    || !name.starts_with("queries.") && places.iter().any(|other| user(text, *other) == name);
                assert!(told, "`{column}` of line {line} is a use, and no rename of a declaration points at it");
            }
        }
    }
}
