//! A prepared statement: SQL that people run by its name, with values for its parameters.

use crate::check::Check;
use crate::decode::section;
use crate::lake::{Id, Table, Workgroup};
use crate::source::Spanned;
use crate::sql;

section! {
    /// A prepared statement of Athena: `execute trips_of using 'north'`.
    "a statement"
    pub struct StatementSpec by NAME {
        /// One `select`, with a `?` for each parameter.
        /// Example: `select * from trips where station = ?`.
        sql: Spanned<String>,
        /// What each `?` stands for, in their order.
        /// Example: `[station]`.
        parameters: Vec<Spanned<String>>,
        /// The workgroup that has it.
        /// Default: `lake`.
        /// Example: `analysts`.
        workgroup: Option<Spanned<String>>,
        /// One sentence.
        /// Default: none.
        /// Example: `Trips that began at a station`.
        description: Option<Spanned<String>>,
    }
}

/// A prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The name.
    pub name: String,
    /// One `select`, in Athena's dialect.
    pub sql: String,
    /// What each `?` stands for.
    pub parameters: Vec<String>,
    /// One sentence, or none.
    pub description: Option<String>,
    /// The tables that it reads, those behind views included.
    pub reads: Vec<Id<Table>>,
    /// The workgroup that has it.
    pub workgroup: Id<Workgroup>,
}

impl StatementSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Statement> {
        let workgroup = cx.workgroup(self.workgroup.as_ref());
        // Source: `StatementName` of the Athena API reference.
        if name.len() == 1 {
            cx.error(name.span, format!("`{}` is too short for Athena, which wants 2 characters or more", name.value));
        }
        if let Some(text) = &self.description {
            cx.description(text, "Athena", 1_024);
        }
        let sql::Checked { reads, sql, columns: _, parameters } = sql::check(&self.sql, None, cx)?;
        if parameters != self.parameters.len() {
            let many = crate::text::counted(parameters, "parameter");
            cx.error(name.span, format!("the SQL of `{}` has {many}, and {} named", name.value, self.parameters.len()))
                .help("name what each `?` stands for, in their order: `parameters: [station]`");
        }
        Some(Statement {
            name: name.value.clone(),
            sql,
            parameters: self.parameters.iter().map(|name| name.value.clone()).collect(),
            description: self.description.as_ref().map(|text| text.value.clone()),
            reads,
            workgroup: workgroup?,
        })
    }
}
