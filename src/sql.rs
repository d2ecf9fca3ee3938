//! The SQL of queries: parsed in Athena's dialect, its tables and columns resolved.

use crate::check::Check;
use crate::kind::query::QuerySpec;
use crate::lake::{Id, Table};
use crate::source::Spanned;

/// Checks one query; returns the tables that it reads, in the order of the blueprint.
pub(crate) fn check(
    _text: &Spanned<String>,
    _spec: &QuerySpec,
    _writes: Option<Id<Table>>,
    _cx: &mut Check<'_>,
) -> Option<Vec<Id<Table>>> {
    Some(Vec::new())
}
