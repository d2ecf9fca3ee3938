//! Text.

use super::super::action::{Action, Does, Fits, Holds, Makes, Switch, TEXT, TO, choice, key};
use crate::lake::ColumnType;

const STRING: Makes = Makes::Is(ColumnType::String);

/// The characters behind each word are those that the reference of `REMOVE_COMBINED` lists.
const KINDS: Holds = Holds::Switches(&[
    Switch { word: "punctuation", parameter: "removeAllPunctuation", pattern: "[.!,?]" },
    Switch { word: "quotes", parameter: "removeAllQuotes", pattern: "['\"]" },
    Switch { word: "whitespace", parameter: "removeAllWhitespace", pattern: r"\s" },
    Switch { word: "letters", parameter: "removeLetters", pattern: "[A-Za-z]" },
    Switch { word: "numbers", parameter: "removeNumbers", pattern: "[0-9]" },
    Switch { word: "special", parameter: "removeSpecialCharacters", pattern: r"[!-/:-@\[-`{-~]" },
]);

/// Without a key: what DataBrew does with `HMAC_…` needs a secret, and the local engine has no SHA-512.
const ALGORITHM: Holds = Holds::Choice(&[
    choice("md5", "MD5", "md5({column}::VARCHAR)"),
    choice("sha1", "SHA1", "sha1({column}::VARCHAR)"),
    choice("sha256", "SHA256", "sha256({column}::VARCHAR)"),
]);

pub(super) static ACTIONS: [Action; 19] = [
    // Spark makes two letters of the German ß, DuckDB one.
    Action::new(
        "upper_case",
        "UPPER_CASE",
        "All letters in upper case.",
        &[TEXT],
        Does::Change("upper(replace({column}, 'ß', 'SS'))", Makes::Same),
    ),
    Action::new(
        "lower_case",
        "LOWER_CASE",
        "All letters in lower case.",
        &[TEXT],
        Does::Change("lower({column})", Makes::Same),
    ),
    Action::new(
        "capital_case",
        "CAPITAL_CASE",
        "Every word begins with a capital.",
        &[TEXT],
        Does::Change(
            "array_to_string(list_transform(string_split({column}, ' '), lambda w: upper(w[1]) || lower(w[2:])), ' ')",
            Makes::Same,
        ),
    ),
    Action::new(
        "sentence_case",
        "SENTENCE_CASE",
        "The first letter is a capital, all others are not.",
        &[TEXT],
        Does::Change("upper({column}[1]) || lower({column}[2:])", Makes::Same),
    ),
    Action::new(
        "trim",
        "REMOVE_COMBINED",
        "Removes white space from the beginning and the end, and makes one space of several inside.",
        &[TEXT],
        Does::Change(r"regexp_replace(regexp_replace({column}, '\s\s+', ' ', 'g'), '^\s+|\s+$', '', 'g')", Makes::Same),
    )
    .with(&[("collapseConsecutiveWhitespace", "true"), ("removeLeadingAndTrailingWhitespace", "true")]),
    Action::new(
        "remove_characters",
        "REMOVE_COMBINED",
        "Removes kinds of characters.",
        &[TEXT, key("kinds", "", KINDS)],
        Does::Change("regexp_replace({column}, {kinds}, '', 'g')", Makes::Same),
    ),
    Action::new(
        "remove_custom",
        "REMOVE_COMBINED",
        "Removes each of these characters.",
        &[TEXT, key("characters", "customCharacters", Holds::Text)],
        Does::Change("translate({column}, {characters}, '')", Makes::Same),
    )
    .with(&[("removeCustomCharacters", "true")]),
    Action::new(
        "remove_text",
        "REMOVE_COMBINED",
        "Removes this text wherever it occurs.",
        &[TEXT, key("text", "customValue", Holds::Text)],
        Does::Change("replace({column}, {text}, '')", Makes::Same),
    )
    .with(&[("removeCustomValue", "true")]),
    Action::new(
        "replace_text",
        "REPLACE_TEXT",
        "Replaces what a regular expression finds.",
        &[TEXT, key("pattern", "pattern", Holds::Pattern), key("with", "value", Holds::Text)],
        Does::Change(r"regexp_replace({column}, {pattern}, replace({with}, '\', '\\'), 'g')", Makes::Same),
    ),
    Action::new(
        "add_prefix",
        "ADD_PREFIX",
        "Puts text before every value.",
        &[TEXT, key("text", "pattern", Holds::Text)],
        Does::Change("{text} || {column}", Makes::Same),
    ),
    Action::new(
        "add_suffix",
        "ADD_SUFFIX",
        "Puts text behind every value.",
        &[TEXT, key("text", "pattern", Holds::Text)],
        Does::Change("{column} || {text}", Makes::Same),
    ),
    Action::new(
        "extract_pattern",
        "EXTRACT_PATTERN",
        "Takes what a regular expression finds first into a new column.",
        &[TEXT, key("pattern", "pattern", Holds::Pattern), TO],
        Does::Make("regexp_extract({column}, {pattern})", STRING),
    ),
    Action::new(
        "extract_between",
        "EXTRACT_BETWEEN_DELIMITERS",
        "Takes what stands between two delimiters, each a regular expression, into a new column.",
        &[TEXT, key("start", "startPattern", Holds::Pattern), key("end", "endPattern", Holds::Pattern), TO],
        Does::Make("regexp_extract({column}, '(?:' || {start} || ')(.*?)(?:' || {end} || ')', 1)", STRING),
    ),
    Action::new(
        "left",
        "LEFT",
        "Takes the first characters into a new column.",
        &[TEXT, key("length", "position", Holds::Whole(1, 10_000)), TO],
        Does::Make("left({column}, {length})", STRING),
    ),
    Action::new(
        "right",
        "RIGHT",
        "Takes the last characters into a new column.",
        &[TEXT, key("length", "position", Holds::Whole(1, 10_000)), TO],
        Does::Make("right({column}, {length})", STRING),
    ),
    Action::new(
        "substring",
        "SUBSTRING",
        "Takes the characters from one to another, both counted from 1 and both with it, into a new column.",
        &[
            TEXT,
            key("from", "startPosition", Holds::Whole(1, 10_000)),
            key("through", "endPosition", Holds::Whole(1, 10_000)),
            TO,
        ],
        Does::Make("substr({column}, {from}, greatest({through} - {from} + 1, 0))", STRING),
    ),
    Action::new(
        "length",
        "LEN",
        "Counts the characters into a new column.",
        &[TEXT, TO],
        Does::Make("length({column})", Makes::Is(ColumnType::Int)),
    ),
    Action::new(
        "mask",
        "MASK_RANGE",
        "Puts a sign in the place of every character from `start` (counted from 0) to before `stop`; of all by default.",
        &[
            key("columns", "sourceColumns", Holds::Columns(Fits::Text)),
            key("symbol", "maskSymbol", Holds::Text).or("#"),
            key("start", "start", Holds::Whole(0, 10_000)).or_sql("0"),
            key("stop", "stop", Holds::Whole(1, 10_000)).or_sql("length({column})"),
        ],
        Does::Change(
            "left({column}, {start}) || repeat({symbol}, greatest(least({stop}, length({column})) - {start}, 0)) \
            || substr({column}, greatest({stop}, {start}) + 1)",
            Makes::Same,
        ),
    ),
    Action::new(
        "hash",
        "CRYPTOGRAPHIC_HASH",
        "Replaces values by their hash. A local run writes hexadecimal digits; DataBrew's reference leaves open how it writes them.",
        &[
            key("columns", "sourceColumns", Holds::Columns(Fits::Plain)),
            key("algorithm", "algorithm", ALGORITHM).or("sha256"),
        ],
        Does::Change("{algorithm}", STRING),
    ),
];
