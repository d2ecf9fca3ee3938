//! DQDL, the language of Glue Data Quality's rules: one rule, parsed with the places of its words.
//!
//! Source: "Data Quality Definition Language (DQDL) reference" of the Glue guide. Rules that look at other times (dynamic rules,
//! `now()`, freshness) or that only Glue's ETL knows (labels, analyzers) are not read.

use std::fmt;

use serde_json::{Value, json};

/// A rule, or rules that `and` and `or` connect.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// All must hold.
    All(Vec<Rule>),
    /// One must hold.
    Any(Vec<Rule>),
    /// One rule.
    One(Box<Check>),
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Its type.
    pub kind: &'static Kind,
    /// Columns, each with its place in the rule's text.
    pub columns: Vec<(String, usize)>,
    /// The table and the columns that `ReferentialIntegrity` compares with.
    pub reference: Option<(String, Vec<String>, usize)>,
    /// The SQL of `CustomSql`, with its place.
    pub sql: Option<(String, usize)>,
    /// What the result must be.
    pub expression: Option<Expression>,
    /// Which rows count, with its place.
    pub filter: Option<(String, usize)>,
    /// Which part of the rows must meet the expression.
    pub threshold: Option<Expression>,
}

/// A type of rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name; case matters.
    pub name: &'static str,
    columns: Columns,
    expression: Needs,
    /// Whether its columns must hold numbers.
    pub numbers: bool,
    /// Whether its column must hold text.
    pub text: bool,
    threshold: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Columns {
    None,
    One,
    Some,
    Reference,
    Sql,
}

#[derive(Debug, PartialEq, Eq)]
enum Needs {
    Yes,
    No,
    Perhaps,
}

const fn kind(name: &'static str, columns: Columns, expression: Needs) -> Kind {
    Kind { name, columns, expression, numbers: false, text: false, threshold: false }
}

const KINDS: [Kind; 17] = [
    kind("IsComplete", Columns::One, Needs::No),
    kind("IsUnique", Columns::Some, Needs::No),
    kind("IsPrimaryKey", Columns::Some, Needs::No),
    kind("Completeness", Columns::One, Needs::Yes),
    kind("Uniqueness", Columns::Some, Needs::Yes),
    kind("UniqueValueRatio", Columns::Some, Needs::Yes),
    kind("DistinctValuesCount", Columns::One, Needs::Yes),
    kind("RowCount", Columns::None, Needs::Yes),
    kind("ColumnCount", Columns::None, Needs::Yes),
    kind("ColumnExists", Columns::One, Needs::No),
    Kind { threshold: true, ..kind("ColumnValues", Columns::One, Needs::Yes) },
    Kind { threshold: true, text: true, ..kind("ColumnDataType", Columns::One, Needs::Yes) },
    Kind { text: true, ..kind("ColumnLength", Columns::One, Needs::Yes) },
    Kind { numbers: true, ..kind("Mean", Columns::One, Needs::Yes) },
    Kind { numbers: true, ..kind("Sum", Columns::One, Needs::Yes) },
    Kind { numbers: true, ..kind("StandardDeviation", Columns::One, Needs::Yes) },
    kind("ReferentialIntegrity", Columns::Reference, Needs::Yes),
];
const CUSTOM_SQL: Kind = Kind { threshold: true, ..kind("CustomSql", Columns::Sql, Needs::Perhaps) };
static ALL: [Kind; 18] = {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = KINDS;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, CUSTOM_SQL]
};

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// The opposite is meant: `not in`.
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Compare(&'static str, Operand),
    Between(Operand, Operand),
    In(Vec<Operand>),
    Matches(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Number(String),
    Text(String),
    Word(&'static str),
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where in the rule's text: from and to, in bytes.
    pub place: (usize, usize),
    /// A lower-case fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

struct Parser {
    tokens: Vec<(Token, usize, usize)>,
    at: usize,
    end: usize,
}

/// Reads one rule.
///
/// # Errors
/// What is wrong with it first.
pub fn parse(text: &str) -> Result<Rule, Mistake> {
    let mut parser = Parser { tokens: lex(text)?, at: 0, end: text.len() };
    let rule = parser.rule(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(rule),
        Some((_, from, to)) => {
            let message = "the rule ends before this".to_owned();
            Err(Mistake { place: (*from, *to), message, help: Some("rules are list items of their own".into()) })
        }
    }
}

const SIGNS: [&str; 13] = ["!=", ">=", "<=", "=", ">", "<", "(", ")", "[", "]", ",", "{", "}"];

fn lex(text: &str) -> Result<Vec<(Token, usize, usize)>, Mistake> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if c == '"' {
            let inner = rest[1..].find('"').ok_or_else(|| Mistake {
                place: (at, text.len()),
                message: "a quote is opened and not closed".into(),
                help: None,
            })?;
            tokens.push((Token::Text(rest[1..=inner].to_owned()), at, at + inner + 2));
            inner + 2
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push((Token::Sign(sign), at, at + sign.len()));
            sign.len()
        } else {
            let stops =
                |c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')' | '[' | ']' | ',' | '=' | '<' | '>' | '!');
            let length = rest.find(stops).filter(|length| *length > 0).unwrap_or(if rest.starts_with(stops) {
                1
            } else {
                rest.len()
            });
            let word = rest[..length].to_owned();
            let token =
                if word.parse::<f64>().is_ok_and(f64::is_finite) { Token::Number(word) } else { Token::Word(word) };
            tokens.push((token, at, at + length));
            length
        };
        at += length;
    }
    Ok(tokens)
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _, _)| token)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn place(&self) -> (usize, usize) {
        self.tokens.get(self.at).map_or((self.end, self.end), |(_, from, to)| (*from, *to))
    }

    fn mistake<T>(&self, message: impl Into<String>, help: impl Into<String>) -> Result<T, Mistake> {
        Err(Mistake { place: self.place(), message: message.into(), help: Some(help.into()) })
    }

    fn rule(&mut self, depth: usize) -> Result<Rule, Mistake> {
        if depth > 16 {
            return self.mistake("rules are nested too deeply", "write rules of their own");
        }
        if self.peek() != Some(&Token::Sign("(")) {
            return self.check().map(|check| Rule::One(Box::new(check)));
        }
        let mut rules = Vec::new();
        let mut connective: Option<&'static str> = None;
        loop {
            if !self.sign("(") {
                return self.mistake("each rule that is connected stands in parentheses", "write `(…) and (…)`");
            }
            rules.push(self.rule(depth + 1)?);
            if !self.sign(")") {
                return self.mistake("this parenthesis is not closed", "write `(…) and (…)`");
            }
            let next = ["and", "or"].into_iter().find(|word| self.is_word(word));
            match (next, connective) {
                (None, _) => break,
                (Some(next), Some(before)) if next != before => {
                    return self.mistake("`and` and `or` meet here", "say with parentheses which comes first");
                }
                (Some(next), _) => connective = Some(next),
            }
            self.at += 1;
        }
        Ok(match (connective, rules.len()) {
            (Some("or"), _) => Rule::Any(rules),
            (None, 1) => rules.remove(0),
            _ => Rule::All(rules),
        })
    }

    fn check(&mut self) -> Result<Check, Mistake> {
        let names = || ALL.iter().map(|kind| kind.name);
        let Some(Token::Word(word)) = self.peek() else {
            return self.mistake("a rule begins with its type", "write it like `IsComplete \"order_id\"`");
        };
        let Some(kind) = ALL.iter().find(|kind| kind.name == word) else {
            let word = word.clone();
            let same =
                names().find(|name| name.eq_ignore_ascii_case(&word)).map(|name| format!("did you mean `{name}`?"));
            let help = same.or_else(|| crate::diagnostic::did_you_mean(&word, names())).unwrap_or_else(|| {
                format!("lakegen knows {}", crate::diagnostic::listed(&names().collect::<Vec<_>>()))
            });
            return self.mistake(format!("no rule type named `{word}`"), help);
        };
        self.at += 1;
        let mut check = Check {
            kind,
            columns: Vec::new(),
            reference: None,
            sql: None,
            expression: None,
            filter: None,
            threshold: None,
        };
        match kind.columns {
            Columns::None => {}
            Columns::One => check.columns.push(self.column()?),
            Columns::Some => {
                check.columns.push(self.column()?);
                while matches!(self.peek(), Some(Token::Text(_))) || self.is_column() {
                    check.columns.push(self.column()?);
                }
            }
            Columns::Reference => self.reference(&mut check)?,
            Columns::Sql => match self.peek().cloned() {
                Some(Token::Text(sql)) => {
                    check.sql = Some((sql, self.place().0 + 1));
                    self.at += 1;
                }
                _ => {
                    return self.mistake(
                        "the SQL stands in double quotes",
                        "write `CustomSql \"select count(*) from primary\" > 0`",
                    );
                }
            },
        }
        if kind.expression != Needs::No && (kind.expression == Needs::Yes || self.begins_expression()) {
            check.expression = Some(self.expression()?);
        }
        if self.word("where") {
            match self.peek().cloned() {
                Some(Token::Text(filter)) => check.filter = Some((filter, self.place().0 + 1)),
                _ => return self.mistake("the condition stands in double quotes", "write `where \"price > 0\"`"),
            }
            self.at += 1;
        }
        if self.is_word("with") {
            if !kind.threshold {
                return self.mistake(
                    format!("`{}` has no threshold", kind.name),
                    "`ColumnValues`, `ColumnDataType` and `CustomSql` have",
                );
            }
            self.at += 1;
            if !self.word("threshold") {
                return self.mistake("`threshold` is missing", "write `with threshold > 0.9`");
            }
            check.threshold = Some(self.expression()?);
        }
        Ok(check)
    }

    fn is_column(&self) -> bool {
        matches!(self.peek(), Some(Token::Word(word))
            if !["where", "with", "between", "in", "not", "matches", "and", "or"].contains(&word.as_str()))
    }

    fn begins_expression(&self) -> bool {
        matches!(self.peek(), Some(Token::Sign("=" | "!=" | ">" | "<" | ">=" | "<=")))
            || ["between", "in", "not", "matches"].iter().any(|word| self.is_word(word))
    }

    fn column(&mut self) -> Result<(String, usize), Mistake> {
        let place = self.place().0;
        let column = match self.peek() {
            Some(Token::Text(name)) => (name.clone(), place + 1),
            Some(Token::Word(name)) if self.is_column() => (name.clone(), place),
            _ => return self.mistake("a column is missing here", "write its name: `IsComplete \"order_id\"`"),
        };
        self.at += 1;
        Ok(column)
    }

    fn reference(&mut self, check: &mut Check) -> Result<(), Mistake> {
        let (columns, place) = self.column()?;
        let mut offset = place;
        for column in columns.split(',') {
            let indent = column.len() - column.trim_start().len();
            check.columns.push((column.trim().to_owned(), offset + indent));
            offset += column.len() + 1;
        }
        let shown = "write it like `ReferentialIntegrity \"product_id\" \"products.product_id\" = 1.0`";
        let Some(Token::Text(reference)) = self.peek().cloned() else {
            return self.mistake("the columns to compare with are missing", shown);
        };
        let Some((table, columns)) = reference.split_once('.') else {
            return self.mistake(format!("`{reference}` is not a column of a table"), shown);
        };
        let inner = columns.trim().trim_start_matches('{').trim_end_matches('}');
        let columns: Vec<String> = inner.split(',').map(|column| column.trim().to_owned()).collect();
        if columns.len() != check.columns.len() {
            return self.mistake("both sides have as many columns", shown);
        }
        check.reference = Some((table.trim().to_owned(), columns, self.place().0 + 1));
        self.at += 1;
        Ok(())
    }

    fn expression(&mut self) -> Result<Expression, Mistake> {
        for sign in ["=", "!=", ">=", "<=", ">", "<"] {
            if self.sign(sign) {
                return Ok(Expression { negated: false, test: Test::Compare(sign, self.operand()?) });
            }
        }
        let negated = self.word("not");
        let test = if self.word("between") {
            let from = self.operand()?;
            if !self.word("and") {
                return self.mistake("`and` is missing here", "write `between 1 and 10`");
            }
            Test::Between(from, self.operand()?)
        } else if self.word("in") {
            if !self.sign("[") {
                return self.mistake("a list is missing here", "write `in [ \"a\", \"b\" ]`");
            }
            let mut values = vec![self.operand()?];
            while self.sign(",") {
                values.push(self.operand()?);
            }
            if !self.sign("]") {
                return self.mistake("the list is not closed", "write `in [ \"a\", \"b\" ]`");
            }
            Test::In(values)
        } else if self.word("matches") {
            match self.peek().cloned() {
                Some(Token::Text(pattern)) => {
                    self.at += 1;
                    Test::Matches(pattern)
                }
                _ => return self.mistake("a pattern stands in double quotes", "write `matches \"[a-z]+\"`"),
            }
        } else {
            return self.mistake(
                "the condition is missing",
                "write `= 1`, `> 0`, `between 1 and 10`, `in [ 1, 2 ]` or `matches \"[a-z]+\"`",
            );
        };
        Ok(Expression { negated, test })
    }

    fn operand(&mut self) -> Result<Operand, Mistake> {
        let operand = match self.peek() {
            Some(Token::Number(number)) => Operand::Number(number.clone()),
            Some(Token::Text(text)) => Operand::Text(text.clone()),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => Operand::Word("NULL"),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("empty") => Operand::Word("EMPTY"),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("whitespaces_only") => {
                Operand::Word("WHITESPACES_ONLY")
            }
            _ => return self.mistake("a value is missing here", "a number, or text and days in double quotes"),
        };
        self.at += 1;
        Ok(operand)
    }
}

impl Rule {
    /// Each single rule in it.
    #[must_use]
    pub fn checks(&self) -> Vec<&Check> {
        match self {
            Self::All(rules) | Self::Any(rules) => rules.iter().flat_map(Self::checks).collect(),
            Self::One(check) => vec![check],
        }
    }

    /// As the engines are told about it.
    #[must_use]
    pub fn request(&self) -> Value {
        let list = |rules: &[Self]| rules.iter().map(Self::request).collect::<Vec<_>>();
        match self {
            Self::All(rules) => json!({ "all": list(rules), "text": self.to_string() }),
            Self::Any(rules) => json!({ "any": list(rules), "text": self.to_string() }),
            Self::One(check) => {
                let Check { kind, columns, reference, sql, expression, filter, threshold } = &**check;
                let columns: Vec<&String> = columns.iter().map(|(column, _)| column).collect();
                json!({
                    "rule": kind.name,
                    "columns": columns,
                    "reference": reference.as_ref().map(|(table, columns, _)| json!({ "table": table, "columns": columns })),
                    "sql": sql.as_ref().map(|(sql, _)| sql),
                    "expression": expression.as_ref().map(Expression::request),
                    "where": filter.as_ref().map(|(filter, _)| filter),
                    "threshold": threshold.as_ref().map(Expression::request),
                    "text": self.to_string(),
                })
            }
        }
    }
}

impl Expression {
    fn request(&self) -> Value {
        let operand = |operand: &Operand| match operand {
            Operand::Number(number) => json!({ "number": number }),
            Operand::Text(text) => json!({ "text": text }),
            Operand::Word(word) => json!({ "word": word }),
        };
        let (test, values) = match &self.test {
            Test::Compare(sign, value) => (*sign, vec![operand(value)]),
            Test::Between(from, to) => ("between", vec![operand(from), operand(to)]),
            Test::In(values) => ("in", values.iter().map(operand).collect()),
            Test::Matches(pattern) => ("matches", vec![json!({ "text": pattern })]),
        };
        json!({ "negated": self.negated, "test": test, "values": values })
    }
}

/// As Glue reads it, with every name in quotes.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = |f: &mut fmt::Formatter<'_>, rules: &[Self], word: &str| {
            for (at, rule) in rules.iter().enumerate() {
                write!(f, "{}({rule})", if at == 0 { String::new() } else { format!(" {word} ") })?;
            }
            Ok(())
        };
        match self {
            Self::All(rules) => connected(f, rules, "and"),
            Self::Any(rules) => connected(f, rules, "or"),
            Self::One(check) => check.fmt(f),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, columns, reference, sql, expression, filter, threshold } = self;
        f.write_str(kind.name)?;
        match reference {
            Some((table, others, _)) => {
                let own: Vec<&str> = columns.iter().map(|(column, _)| column.as_str()).collect();
                match others.as_slice() {
                    [only] => write!(f, " \"{}\" \"{table}.{only}\"", own.join(","))?,
                    _ => write!(f, " \"{}\" \"{table}.{{{}}}\"", own.join(","), others.join(","))?,
                }
            }
            None => columns.iter().try_for_each(|(column, _)| write!(f, " \"{column}\""))?,
        }
        if let Some((sql, _)) = sql {
            write!(f, " \"{sql}\"")?;
        }
        if let Some(expression) = expression {
            write!(f, " {expression}")?;
        }
        if let Some((filter, _)) = filter {
            write!(f, " where \"{filter}\"")?;
        }
        threshold.as_ref().map_or(Ok(()), |threshold| write!(f, " with threshold {threshold}"))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("not ")?;
        }
        match &self.test {
            Test::Compare(sign, value) => write!(f, "{sign} {value}"),
            Test::Between(from, to) => write!(f, "between {from} and {to}"),
            Test::In(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "in [{}]", values.join(", "))
            }
            Test::Matches(pattern) => write!(f, "matches \"{pattern}\""),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Word(word) => f.write_str(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_documents_is_read_and_written_again() {
        for text in [
            "IsComplete \"order-id\"",
            "IsPrimaryKey \"colA\" \"colB\" \"colC\"",
            "Completeness \"colA\" > 0.5 where \"colB = 10\"",
            "ColumnValues \"Country\" in [\"US\", \"CA\", NULL, EMPTY, WHITESPACES_ONLY]",
            "ColumnValues \"colA\" matches \"[a-zA-Z]*\" with threshold between 0.2 and 0.9",
            "ColumnValues \"colB\" in [\"A\", \"B\"] where \"colC is not null\" with threshold > 0.9",
            "ColumnValues \"Age\" not in [21, 22, 23]",
            "ColumnDataType \"colA\" = \"INTEGER\" with threshold > 0.9",
            "Mean \"colA\" between 80 and 100",
            "ReferentialIntegrity \"zipcode\" \"reference.zipcode\" >= 0.9",
            "ReferentialIntegrity \"city,state\" \"reference.{ref_city,ref_state}\" = 1.0",
            "CustomSql \"select count(*) from primary\" between 10 and 20",
            "CustomSql \"select Name from primary where Age > 18\" with threshold > 0.5",
            "(Mean \"Star_Rating\" > 3) and ((Mean \"Order_Total\" > 500) or (IsComplete \"Order_Id\"))",
            "RowCount > 0",
        ] {
            assert_eq!(parse(text).map(|rule| rule.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(parse("IsPrimaryKey colA colB").unwrap().to_string(), "IsPrimaryKey \"colA\" \"colB\"");
    }

    #[test]
    fn what_is_no_rule_is_refused_at_its_place() {
        for (text, place) in [
            ("isComplete id", (0, 10)),
            ("RowCount", (8, 8)),
            ("RowCount > many", (11, 15)),
            ("IsUnique \"id", (9, 12)),
            ("IsComplete id IsUnique id", (14, 22)),
            ("(RowCount > 0) and (RowCount > 1) or (RowCount > 2)", (34, 36)),
            ("RowCount > 0 with threshold > 0.5", (13, 17)),
            ("", (0, 0)),
        ] {
            assert_eq!(parse(text).map_err(|mistake| mistake.place), Err(place), "{text}");
        }
    }
}
