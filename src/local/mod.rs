//! The local environment: the same lake, on this machine.
pub mod csv;
pub mod files;
mod interpreter;
pub mod land;
pub mod layout;
pub mod ledger;
pub mod process;
pub mod python;
pub mod schedule;
pub mod worker;

/// temporary
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}
