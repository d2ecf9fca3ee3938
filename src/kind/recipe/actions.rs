//! The table of readable steps, one row each.
//!
//! Operations, parameters and their words are those of the recipe step and function reference in the DataBrew developer guide
//! (`docs.aws.amazon.com/databrew/latest/dg/recipe-actions.<OPERATION>.html`). Operations whose reference leaves open from where they
//! count (`SPLIT_COLUMN_WITH_INTERVALS`), or which columns they make (`JSON_TO_STRUCTS`), have no row: a `raw` step says what they do.

mod columns;
mod combine;
mod dates;
mod flags;
mod missing;
mod nesting;
mod numbers;
mod reshape;
mod rows;
mod text;
mod windows;

use super::action::Action;

/// All steps, by what they are about.
pub(crate) static GROUPS: [(&str, &[Action]); 11] = [
    ("Columns", &columns::ACTIONS),
    ("Text", &text::ACTIONS),
    ("Missing and invalid values", &missing::ACTIONS),
    ("Flags and outliers", &flags::ACTIONS),
    ("Numbers", &numbers::ACTIONS),
    ("Dates and moments", &dates::ACTIONS),
    ("Rows and groups", &rows::ACTIONS),
    ("Splitting and pivoting", &reshape::ACTIONS),
    ("Lists, maps and structs", &nesting::ACTIONS),
    ("Other tables", &combine::ACTIONS),
    ("Windows over neighbouring rows", &windows::ACTIONS),
];

/// All steps.
pub(crate) fn all() -> impl Iterator<Item = &'static Action> {
    GROUPS.iter().flat_map(|(_, actions)| actions.iter())
}
