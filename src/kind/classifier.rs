//! A classifier: tells a crawler how to recognise a file and find its columns.

use std::collections::{HashMap, HashSet};

use crate::check::Check;
use crate::decode::{alternatives, section};
use crate::diagnostic::{did_you_mean, listed};
use crate::source::{Span, Spanned};

alternatives! {
    /// How a crawler recognises a file; crawlers name it, and ask it before Glue's own classifiers.
    "a classifier"
    pub enum ClassifierSpec {
        /// Lines of fields.
        /// Example: `{ delimiter: ";", header: present }`.
        Csv(CsvClassifierSpec) = "csv",
        /// JSON documents.
        /// Example: `{ path: "$.records[*]" }`.
        Json(JsonClassifierSpec) = "json",
        /// Lines that match a grok pattern, such as those of logs.
        /// Example: `{ classification: web_log, pattern: "%{IPORHOST:client} %{WORD:verb}" }`.
        Grok(GrokClassifierSpec) = "grok",
        /// XML documents.
        /// Example: `{ classification: invoices, row: invoice }`.
        Xml(XmlClassifierSpec) = "xml",
    }
}

section! {
    /// Lines of fields.
    "a csv classifier"
    pub struct CsvClassifierSpec {
        /// The character between fields.
        /// Default: what Glue finds.
        /// Example: `";"`.
        delimiter: Option<Spanned<String>>,
        /// The character around fields that hold a delimiter.
        /// Default: what Glue finds.
        /// Example: `"'"`.
        quote: Option<Spanned<String>>,
        /// Whether the first line holds names: `present`, `absent` or `unknown`.
        /// Default: `unknown`.
        /// Example: `present`.
        header: Option<HeaderSpec>,
        /// The names of the columns.
        /// Default: those of the header line.
        /// Example: `[id, name]`.
        columns: Vec<Spanned<String>>,
        /// The types that Glue may find, by their names in classifiers; all of them when none is named.
        /// Example: `[INT, STRING]`.
        types: Vec<Spanned<String>>,
        /// Whether a file with one column is a CSV file too.
        /// Default: `false`.
        /// Example: `true`.
        single_column: Option<bool>,
        /// Whether white space around values belongs to them.
        /// Default: `false`.
        /// Example: `true`.
        keep_white_space: Option<bool>,
    }
}

alternatives! {
    /// Whether the first line of a CSV file holds names.
    "a sort of header"
    pub enum HeaderSpec {
        /// It does.
        Present = "present",
        /// It does not.
        Absent = "absent",
        /// Glue looks at the values.
        Unknown = "unknown",
    }
}

section! {
    /// JSON documents.
    "a json classifier"
    pub struct JsonClassifierSpec {
        /// The JSON path of the records.
        /// Example: `$.records[*]`.
        path: Spanned<String>,
    }
}

section! {
    /// Lines that match a grok pattern.
    "a grok classifier"
    pub struct GrokClassifierSpec {
        /// What the catalog calls files of this sort.
        /// Example: `web_log`.
        classification: Spanned<String>,
        /// The pattern of a line; `%{PATTERN:column:type}` makes a column.
        /// Example: `"%{IPORHOST:client} %{WORD:verb} %{NUMBER:status:int}"`.
        pattern: Spanned<String>,
        /// Patterns of one's own, one a line, its name first.
        /// Default: none.
        /// Example: `"CART [a-z]{3}-\\d+"`.
        patterns: Option<Spanned<String>>,
    }
}

section! {
    /// XML documents.
    "an xml classifier"
    pub struct XmlClassifierSpec {
        /// What the catalog calls files of this sort.
        /// Example: `invoices`.
        classification: Spanned<String>,
        /// The element that is a row.
        /// Example: `invoice`.
        row: Spanned<String>,
    }
}

/// A classifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classifier {
    /// The name.
    pub name: String,
    /// What it recognises.
    pub recognises: Recognises,
}

/// What a classifier recognises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognises {
    /// Lines of fields.
    Csv(CsvClassifier),
    /// JSON documents whose records lie at this path.
    Json {
        /// The JSON path.
        path: String,
    },
    /// Lines that match a pattern.
    Grok {
        /// What the catalog calls them.
        classification: String,
        /// The pattern of a line.
        pattern: String,
        /// Patterns of one's own, one a line.
        patterns: Option<String>,
    },
    /// XML documents.
    Xml {
        /// What the catalog calls them.
        classification: String,
        /// The element that is a row.
        row: String,
    },
}

/// Lines of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvClassifier {
    /// Between fields, when it is fixed.
    pub delimiter: Option<char>,
    /// Around fields, when it is fixed.
    pub quote: Option<char>,
    /// Whether the first line holds names; `None` when Glue looks at the values.
    pub header: Option<bool>,
    /// The names of the columns, when they are fixed.
    pub columns: Vec<String>,
    /// The types that may be found; all when empty.
    pub types: Vec<String>,
    /// Whether a file with one column counts.
    pub single_column: bool,
    /// Whether white space around values belongs to them.
    pub keep_white_space: bool,
}

/// The types that a CSV classifier may find. Source: "Writing custom classifiers for diverse data formats" of the Glue guide.
const TYPES: [&str; 11] =
    ["BINARY", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "FLOAT", "INT", "LONG", "SHORT", "STRING", "TIMESTAMP"];

impl ClassifierSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Classifier> {
        let recognises = match self {
            Self::Csv(spec) => Recognises::Csv(spec.check(cx)?),
            Self::Json(JsonClassifierSpec { path }) => {
                if !path.starts_with('$') {
                    cx.error(path.span, "a JSON path begins with `$`").help("write it like `$.records[*]`");
                }
                closed(path, cx);
                Recognises::Json { path: path.value.clone() }
            }
            Self::Grok(GrokClassifierSpec { classification, pattern, patterns }) => {
                known_to_glue(classification, cx);
                if !pattern.contains("%{") {
                    cx.error(pattern.span, "this pattern has no columns").help("write columns like `%{WORD:verb}`");
                }
                longest(pattern, 2_048, cx);
                let used = mentioned(pattern, pattern.span, cx);
                let own = match patterns {
                    Some(patterns) => {
                        longest(patterns, 16_000, cx);
                        own_patterns(patterns, cx)
                    }
                    None => Vec::new(),
                };
                let known: HashSet<&str> = own.iter().map(|(name, _)| *name).chain(BUILT_IN).collect();
                unknown_patterns(pattern, &used, &known, cx);
                if let Some(patterns) = patterns {
                    let used: Vec<&str> = own.iter().flat_map(|(_, uses)| uses.iter().copied()).collect();
                    unknown_patterns(patterns, &used, &known, cx);
                }
                Recognises::Grok {
                    classification: classification.value.clone(),
                    pattern: pattern.value.clone(),
                    patterns: patterns.as_ref().map(|patterns| patterns.value.clone()),
                }
            }
            Self::Xml(XmlClassifierSpec { classification, row }) => {
                known_to_glue(classification, cx);
                let begins = row.starts_with(|c: char| c.is_alphabetic() || c == '_');
                if !begins || !row.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c)) {
                    cx.error(row.span, format!("`{}` is not the name of an element", row.value))
                        .help("write the bare name: `invoice`");
                }
                Recognises::Xml { classification: classification.value.clone(), row: row.value.clone() }
            }
        };
        Some(Classifier { name: name.value.clone(), recognises })
    }
}

/// Notes brackets and braces that do not belong together.
pub(super) fn closed(text: &Spanned<String>, cx: &mut Check<'_>) {
    let mut open = Vec::new();
    let mut letters = text.chars();
    let mut fits = true;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            ']' => fits &= open.pop() == Some(letter),
            // Between brackets everything else means itself.
            _ if open.last() == Some(&']') => {}
            '[' => open.push(']'),
            '{' => open.push('}'),
            '}' => fits &= open.pop() == Some(letter),
            _ => {}
        }
    }
    if !fits || !open.is_empty() {
        cx.error(text.span, format!("the brackets of `{}` do not match", text.value))
            .help("close what is opened; a bracket that is meant itself stands behind a backslash");
    }
}

/// The names of the patterns that a pattern speaks of: `%{NAME}`, `%{NAME:column}` or `%{NAME:column:type}`.
fn mentioned<'a>(pattern: &'a str, span: Span, cx: &mut Check<'_>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for part in pattern.split("%{").skip(1) {
        let inside = part.split_once('}').map(|(inside, _)| inside);
        let name = inside.and_then(|inside| inside.split([':', '=']).next()).unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let shown: String = part.chars().take(20).collect();
            cx.error(span, format!("`%{{{shown}` does not name a pattern"))
                .help("write columns like `%{WORD:verb}`: a pattern and the name of the column");
        } else {
            names.push(name);
        }
    }
    names
}

/// Notes names that stand for no pattern, each once.
fn unknown_patterns(written: &Spanned<String>, used: &[&str], known: &HashSet<&str>, cx: &mut Check<'_>) {
    let mut seen = HashSet::new();
    for name in used.iter().filter(|name| !known.contains(*name)) {
        if seen.insert(name) {
            let at = written.find(&format!("%{{{name}")).map_or(0, |at| at + 2);
            let span = super::checks::within(written, at, name.len(), cx);
            let help = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("declare it beside: `patterns: \"{name} [a-z]+\"`"));
            cx.error(span, format!("no grok pattern named `{name}`")).help(help);
        }
    }
}

/// The patterns that Glue brings. Source: "AWS Glue built-in patterns" in "Writing custom classifiers for diverse data formats" of the
/// Glue guide.
const BUILT_IN: [&str; 74] = [
    "USERNAME",
    "USER",
    "INT",
    "BASE10NUM",
    "NUMBER",
    "BASE16NUM",
    "BASE16FLOAT",
    "BOOLEAN",
    "POSINT",
    "NONNEGINT",
    "WORD",
    "NOTSPACE",
    "SPACE",
    "DATA",
    "GREEDYDATA",
    "QUOTEDSTRING",
    "UUID",
    "MAC",
    "CISCOMAC",
    "WINDOWSMAC",
    "COMMONMAC",
    "IPV6",
    "IPV4",
    "IP",
    "HOSTNAME",
    "HOST",
    "IPORHOST",
    "HOSTPORT",
    "PATH",
    "UNIXPATH",
    "TTY",
    "WINPATH",
    "URIPROTO",
    "URIHOST",
    "URIPATH",
    "URIPARAM",
    "URIPATHPARAM",
    "URI",
    "MONTH",
    "MONTHNUM",
    "MONTHNUM2",
    "MONTHDAY",
    "DAY",
    "YEAR",
    "HOUR",
    "MINUTE",
    "SECOND",
    "TIME",
    "DATE_US",
    "DATE_EU",
    "DATESTAMP_US",
    "DATESTAMP_EU",
    "ISO8601_TIMEZONE",
    "ISO8601_SECOND",
    "TIMESTAMP_ISO8601",
    "TZ",
    "DATESTAMP_RFC822",
    "DATESTAMP_RFC2822",
    "DATESTAMP_OTHER",
    "DATESTAMP_EVENTLOG",
    "CISCOTIMESTAMP",
    "SYSLOGTIMESTAMP",
    "PROG",
    "SYSLOGPROG",
    "SYSLOGHOST",
    "SYSLOGFACILITY",
    "HTTPDATE",
    "QS",
    "SYSLOGBASE",
    "MESSAGESLOG",
    "COMMONAPACHELOG",
    "COMBINEDAPACHELOG",
    "COMMONAPACHELOG_DATATYPED",
    "LOGLEVEL",
];

/// Patterns of one's own: a name, and what it stands for, on each line; with the names that each speaks of.
fn own_patterns<'a>(written: &'a Spanned<String>, cx: &mut Check<'_>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut own: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in written.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once(char::is_whitespace) {
            Some((name, pattern)) => own.push((name, mentioned(pattern, written.span, cx))),
            None => {
                let shown: String = line.chars().take(20).collect();
                cx.error(written.span, format!("`{shown}` is a name without a pattern"))
                    .help("write each on a line: `CART [a-z]{3}`");
            }
        }
    }
    // A pattern stands for something as soon as all those of one's own do that it speaks of; what is left speaks of itself.
    let known: HashSet<&str> = own.iter().map(|(name, _)| *name).collect();
    let mut waits: HashMap<&str, usize> = own.iter().map(|(name, _)| (*name, 0)).collect();
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, uses) in &own {
        for used in uses.iter().filter(|used| known.contains(*used)) {
            users.entry(used).or_default().push(name);
            *waits.entry(name).or_default() += 1;
        }
    }
    let mut ready: Vec<&str> = waits.iter().filter(|(_, waits)| **waits == 0).map(|(name, _)| *name).collect();
    while let Some(name) = ready.pop() {
        for user in users.get(name).into_iter().flatten() {
            let left = waits.entry(user).or_default();
            *left -= 1;
            if *left == 0 {
                ready.push(user);
            }
        }
    }
    if let Some((name, _)) = own.iter().find(|(name, _)| waits.get(name).is_some_and(|waits| *waits > 0)) {
        cx.error(written.span, format!("the pattern `{name}` speaks of itself"))
            .help("a pattern may use others, but not itself, directly or by them");
    }
    own
}

/// What Glue refuses or takes for its own. Source: the length limits of `AWS::Glue::Classifier`.
fn known_to_glue(classification: &Spanned<String>, cx: &mut Check<'_>) {
    if classification.is_empty() {
        cx.error(classification.span, "a classification has a name").help("write a word of your own: `web_log`");
    }
}

fn longest(text: &Spanned<String>, limit: usize, cx: &mut Check<'_>) {
    if text.len() > limit {
        cx.error(text.span, format!("this has {} characters, more than the {limit} that Glue takes", text.len()));
    }
}

impl CsvClassifierSpec {
    fn check(&self, cx: &mut Check<'_>) -> Option<CsvClassifier> {
        let delimiter = self.delimiter.as_ref().map(|one| character(one, cx));
        let quote = self.quote.as_ref().map(|one| character(one, cx));
        if let (Some(Some(delimiter)), Some(Some(quote)), Some(written)) = (delimiter, quote, &self.quote)
            && delimiter == quote
        {
            cx.error(written.span, "the quote is the delimiter").help("choose another character");
        }
        for ty in self.types.iter().filter(|ty| !TYPES.contains(&ty.as_str())) {
            let help = did_you_mean(&ty.to_uppercase(), TYPES)
                .unwrap_or_else(|| format!("classifiers know {}", listed(&TYPES)));
            cx.error(ty.span, format!("no type of classifiers named `{}`", ty.value)).help(help);
        }
        crate::check::unique(&self.columns, cx);
        for column in self.columns.iter().filter(|column| column.trim().is_empty()) {
            cx.error(column.span, "a column has a name").help("write the names of all columns, in order");
        }
        let texts = |list: &[Spanned<String>]| list.iter().map(|one| one.value.clone()).collect();
        Some(CsvClassifier {
            delimiter: flat(delimiter)?,
            quote: flat(quote)?,
            header: match &self.header {
                Some(HeaderSpec::Present) => Some(true),
                Some(HeaderSpec::Absent) => Some(false),
                Some(HeaderSpec::Unknown) | None => None,
            },
            columns: texts(&self.columns),
            types: texts(&self.types),
            single_column: self.single_column.unwrap_or(false),
            keep_white_space: self.keep_white_space.unwrap_or(false),
        })
    }
}

/// `None` when it was written and could not be understood.
fn flat(character: Option<Option<char>>) -> Option<Option<char>> {
    match character {
        Some(None) => None,
        Some(known) => Some(known),
        None => Some(None),
    }
}

fn character(written: &Spanned<String>, cx: &mut Check<'_>) -> Option<char> {
    let mut characters = written.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) if one != '\n' && one != '\r' => Some(one),
        _ => {
            cx.error(written.span, "this is one character, and no line break").help("write it like `\";\"`");
            None
        }
    }
}
