//! A recipe: DataBrew steps from one table to another.
//!
//! `recipe/actions.rs` holds the table of readable steps: adding one is a row there and its examples in `tests/recipes`.

mod action;
mod actions;
mod arg;
mod condition;
mod raw;
mod reader;
mod reference;
mod sql;
mod step;

use crate::check::Check;
use crate::decode::{Attempt, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::lake::{Id, Table};
use crate::source::Spanned;

use arg::Columns;
pub use condition::Condition;
pub use reference::reference;
pub use step::{RecipeAction, StepSpec};

section! {
    /// A DataBrew recipe.
    "a recipe"
    pub struct RecipeSpec {
        /// The table that it reads.
        reads: Spanned<String>,
        /// The table that it writes.
        writes: Spanned<String>,
        /// What happens to the rows, in order.
        /// Example: `[{ remove_missing: { column: id } }, { trim: { column: name } }]`.
        steps: Vec<Attempt<StepSpec>>,
    }
}

/// A DataBrew recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The name.
    pub name: String,
    /// What it reads.
    pub reads: Id<Table>,
    /// What it writes.
    pub writes: Id<Table>,
    /// What happens to the rows, in order.
    pub steps: Vec<RecipeAction>,
}

impl RecipeSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Recipe> {
        let (reads, writes) = (cx.table(&self.reads), cx.table(&self.writes));
        for (written, id) in [(&self.reads, reads), (&self.writes, writes)] {
            if let Some(id) = id {
                cx.refuse_dynamodb(written, id, "a recipe");
            }
        }
        if self.steps.len() > 100 {
            cx.error(name.span, "a DataBrew recipe has at most 100 steps").help("split it into two recipes");
        }
        let columns_of = |cx: &Check<'_>, id: Option<Id<Table>>| -> Option<Columns> {
            let table = cx.tables.get(id?.index())?.as_ref()?;
            Some(table.columns.iter().chain(&table.partitions).map(|c| (c.name.clone(), Some(c.ty))).collect())
        };
        let mut columns = columns_of(cx, reads);
        let mut actions = Vec::new();
        for Attempt(step) in &self.steps {
            match step {
                Some(step) => actions.push(step.check(&mut columns, cx)),
                // What it does to the columns cannot be known.
                None => columns = None,
            }
        }
        if let (Some(columns), Some(declared)) = (columns, columns_of(cx, writes)) {
            self.compare(&columns, &declared, cx);
        }
        Some(Recipe { name: name.value.clone(), reads: reads?, writes: writes?, steps: actions })
    }

    /// The columns after the last step against those that the written table declares.
    fn compare(&self, columns: &Columns, declared: &Columns, cx: &mut Check<'_>) {
        let target = &self.writes.value;
        for (name, ty) in declared {
            match columns.iter().find(|(column, _)| column == name) {
                None => {
                    let help = did_you_mean(name, columns.iter().map(|(column, _)| column.as_str()));
                    let message = format!("the recipe makes no column `{name}`, which `{target}` declares");
                    cx.push(Diagnostic::error(self.writes.span, message).maybe_help(help));
                }
                Some((_, Some(made))) if Some(*made) != *ty => {
                    let wanted = ty.map_or_else(String::new, |ty| ty.to_string());
                    cx.error(
                        self.writes.span,
                        format!("`{name}` is `{made}` here, but `{target}` declares `{wanted}`"),
                    )
                    .help(format!("add `change_type: {{ column: {name}, to: {wanted} }}`, or declare `{made}`"));
                }
                Some(_) => {}
            }
        }
        for (name, _) in columns {
            if !declared.iter().any(|(column, _)| column == name) {
                cx.error(
                    self.writes.span,
                    format!("the recipe leaves a column `{name}`, which `{target}` does not declare"),
                )
                .help(format!("declare it, or add `delete: {{ column: {name} }}`"));
            }
        }
    }
}
