//! Reads the keys of a step that speak of other tables.

use super::action::Holds;
use super::arg::{Arg, Columns, Other};
use super::reader::{Reader, existing};
use crate::check::Check;
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::lake::ColumnType;
use crate::source::{Node, Span, Spanned, Value};

impl Reader<'_> {
    /// Another table, with its columns.
    pub(super) fn other_table(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Other> {
        let id = cx.table(name)?;
        cx.refuse_without_files(name, id, "a recipe");
        cx.refuse_avro(name, id, "a recipe");
        let table = cx.tables.get(id.index())?.as_ref()?;
        let columns: Columns = table.columns.iter().map(|column| (column.name.clone(), Some(column.ty))).collect();
        if !table.partitions.is_empty() {
            cx.error(name.span, format!("`{}` lies in folders, of which DataBrew makes no columns here", name.value))
                .help("let a query write its rows to a table without partitions");
            return None;
        }
        let united = self.action.keys.iter().any(|key| matches!(key.holds, Holds::Tables));
        for (column, theirs) in columns.iter().filter(|_| united) {
            let ours = self.columns.and_then(|ours| ours.iter().find(|(known, _)| known == column));
            if let Some((_, Some(ours))) = ours
                && Some(*ours) != *theirs
            {
                let (theirs, to) = theirs.map(|ty| (ty.to_string(), ty.in_braces())).unwrap_or_default();
                let message = format!("`{column}` is `{ours}` here, but `{theirs}` in `{}`", name.value);
                cx.error(name.span, message)
                    .help(format!("add `change_type: {{ column: {column}, to: {to} }}` before it"));
            }
        }
        Some(Other { id, name: name.value.clone(), columns })
    }

    /// Which columns of the rows and of the other table must be equal.
    pub(super) fn keys(&self, node: &Node, cx: &mut Check<'_>) -> Option<Arg> {
        let pairs: Vec<(Spanned<String>, Spanned<String>)> = match &node.value {
            Value::Map(entries) => {
                let pair = |(ours, theirs): &(Spanned<String>, Node)| Some((ours.clone(), cx.decode(theirs)?));
                entries.iter().map(pair).collect::<Option<_>>()?
            }
            _ => cx.decode::<Vec<Spanned<String>>>(node)?.into_iter().map(|name| (name.clone(), name)).collect(),
        };
        if pairs.is_empty() {
            cx.error(node.span, "a join needs columns to compare")
                .help("write them like `on: [id]` or `on: { id: product_id }`");
        }
        let other = self.other.as_ref()?;
        for (ours, theirs) in &pairs {
            let own = existing(self.columns, self.table, ours, cx).flatten();
            let their = existing_in(other, theirs, cx);
            if let (Some(own), Some(their)) = (own, their)
                && own != their
                && !(own.is_integer() && their.is_integer())
            {
                let message = format!(
                    "`{}` is `{own}` here, but `{}` of `{}` is `{their}`",
                    ours.value, theirs.value, other.name
                );
                cx.error(theirs.span, message).help(format!(
                    "add `change_type: {{ column: {}, to: {} }}` before it",
                    ours.value,
                    their.in_braces()
                ));
            }
        }
        Some(Arg::Pairs(pairs.into_iter().map(|(ours, theirs)| (ours.value, theirs.value)).collect()))
    }

    /// The columns that a join takes of the other table.
    pub(super) fn taken(&self, node: &Node, cx: &mut Check<'_>) -> Option<Arg> {
        let names = cx.decode::<Vec<Spanned<String>>>(node)?;
        if names.is_empty() {
            cx.error(node.span, "the join takes no column of the table");
        }
        crate::check::unique(&names, cx);
        let other = self.other.as_ref()?;
        let columns = names.iter().map(|name| {
            self.refuse_taken(name, name.span, cx);
            (name.value.clone(), existing_in(other, name, cx))
        });
        Some(Arg::Columns(columns.collect()))
    }

    /// Notes which columns a join cannot take that names none.
    pub(super) fn takes_others(&self, keys: &[(String, String)], cx: &mut Check<'_>) {
        let others = self.other.iter().flat_map(|other| &other.columns);
        for (name, _) in others.filter(|(name, _)| !keys.iter().any(|(_, key)| key == name)) {
            self.refuse_taken(name, self.span, cx);
        }
    }

    fn refuse_taken(&self, name: &str, span: Span, cx: &mut Check<'_>) {
        if self.columns.is_some_and(|columns| columns.iter().any(|(column, _)| column == name)) {
            cx.push(
                Diagnostic::error(span, format!("there is a column `{name}` already"))
                    .help("rename one of the two before, or take only other `columns` of the table"),
            );
        }
    }
}

/// The type of a column that the other table must have.
fn existing_in(other: &Other, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<ColumnType> {
    let found = other.columns.iter().find(|(column, _)| *column == name.value).map(|(_, ty)| *ty);
    if found.is_none() {
        let columns = || other.columns.iter().map(|(column, _)| column.as_str());
        let help = did_you_mean(name, columns())
            .unwrap_or_else(|| format!("it has {}", listed(&columns().collect::<Vec<_>>())));
        let places = cx.declarations(&[other.id], name);
        cx.error(name.span, format!("no column named `{}` in `{}`", name.value, other.name)).help(help).places(places);
    }
    found.flatten()
}
