//! A crawler: catalogues tables whose files arrive from outside.

use crate::check::Check;
use crate::decode::section;
use crate::diagnostic::Diagnostic;
use crate::lake::{Home, Id, Table};
use crate::source::Spanned;

section! {
    /// A Glue crawler.
    "a crawler"
    pub struct CrawlerSpec {
        /// The tables that it looks at.
        reads: Vec<Spanned<String>>,
    }
}

/// A Glue crawler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crawler {
    /// The name.
    pub name: String,
    /// The tables that it looks at; all lie in zones.
    pub reads: Vec<Id<Table>>,
}

impl CrawlerSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Crawler> {
        if self.reads.is_empty() {
            cx.error(name.span, format!("the crawler `{}` reads nothing", name.value))
                .help("name its tables: `reads: [orders]`");
        }
        let reads = cx.zone_tables(&self.reads, "a crawler");
        for (written, id) in self.reads.iter().zip(reads.iter().flatten()) {
            if let Some(first) = cx.crawled.insert(*id, written.span) {
                cx.push(
                    Diagnostic::error(written.span, format!("two crawlers look at `{}`", written.value))
                        .related(first, "the first")
                        .help("one table is catalogued by one crawler"),
                );
            }
        }
        Some(Crawler { name: name.value.clone(), reads: reads? })
    }
}

impl Check<'_> {
    /// Resolves tables that must lie in zones, because what reads them reads files.
    pub(crate) fn zone_tables(&mut self, names: &[Spanned<String>], reader: &str) -> Option<Vec<Id<Table>>> {
        let ids = self.tables(names);
        for (name, id) in names.iter().zip(ids.iter().flatten()) {
            self.refuse_dynamodb(name, *id, reader);
        }
        ids
    }

    /// Notes an error when a table is not made of files.
    pub(crate) fn refuse_dynamodb(&mut self, name: &Spanned<String>, id: Id<Table>, reader: &str) {
        let table = self.tables.get(id.index()).and_then(Option::as_ref);
        if matches!(table, Some(Table { home: Home::DynamoDb { .. }, .. })) {
            self.error(name.span, format!("{reader} works on files, but `{}` is a key-value table", name.value))
                .help("functions and jobs can use it");
        }
    }
}
