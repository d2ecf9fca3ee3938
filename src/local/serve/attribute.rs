//! DynamoDB's attribute values: their JSON form, their sizes, and the one spelling of each number.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The largest item that DynamoDB takes, in bytes.
pub const MAX_ITEM: usize = 400 * 1024;

const MAX_DEPTH: usize = 32;

/// An item: attributes by name.
pub type Item = IndexMap<String, Attribute>;

/// A value in DynamoDB's JSON: `{"N": "42"}`, `{"S": "text"}`, `{"B": "base64"}` and so on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are DynamoDB's own data type descriptors")]
pub enum Attribute {
    S(String),
    N(String),
    B(String),
    #[serde(rename = "BOOL")]
    Bool(bool),
    #[serde(rename = "NULL")]
    Null(bool),
    M(Item),
    L(Vec<Attribute>),
    #[serde(rename = "SS")]
    Strings(Vec<String>),
    #[serde(rename = "NS")]
    Numbers(Vec<String>),
    #[serde(rename = "BS")]
    Binaries(Vec<String>),
}

impl Attribute {
    /// The data type descriptor: `S`, `N`, `BOOL`, …
    pub(crate) fn descriptor(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null(_) => "NULL",
            Self::M(_) => "M",
            Self::L(_) => "L",
            Self::Strings(_) => "SS",
            Self::Numbers(_) => "NS",
            Self::Binaries(_) => "BS",
        }
    }

    /// Brings numbers to their one spelling and gives the value's size in bytes, as DynamoDB counts it.
    ///
    /// # Errors
    /// The message of DynamoDB's ValidationException.
    pub(super) fn normalise(&mut self, depth: usize) -> Result<usize, String> {
        if depth > MAX_DEPTH {
            return Err("Nesting Levels have exceeded supported limits".into());
        }
        match self {
            Self::S(text) => Ok(text.len()),
            Self::N(text) => normalise_number(text),
            Self::B(text) => binary_size(text),
            Self::Bool(_) => Ok(1),
            Self::Null(true) => Ok(1),
            Self::Null(false) => {
                Err("One or more parameter values were invalid: Null attribute value types must have the value of true"
                    .into())
            }
            Self::M(members) => members
                .iter_mut()
                .try_fold(3, |sum, (name, value)| Ok(sum + 1 + name.len() + value.normalise(depth + 1)?)),
            Self::L(elements) => {
                elements.iter_mut().try_fold(3, |sum, value| Ok(sum + 1 + value.normalise(depth + 1)?))
            }
            Self::Strings(elements) => set_size(elements, |text| Ok(text.len())),
            Self::Numbers(elements) => set_size(elements, normalise_number),
            Self::Binaries(elements) => set_size(elements, |text| binary_size(text)),
        }
    }
}

/// [`Attribute::normalise`] for all attributes of an item.
///
/// # Errors
/// The message of DynamoDB's ValidationException, among them that the item is larger than [`MAX_ITEM`].
pub(super) fn normalise_item(item: &mut Item) -> Result<(), String> {
    let mut size = 0;
    for (name, value) in item.iter_mut() {
        if name.is_empty() {
            return Err("One or more parameter values were invalid: Attribute name is empty".into());
        }
        size += name.len() + value.normalise(1)?;
    }
    if size > MAX_ITEM {
        return Err("Item size has exceeded the maximum allowed size".into());
    }
    Ok(())
}

fn binary_size(text: &str) -> Result<usize, String> {
    STANDARD.decode(text).map(|bytes| bytes.len()).map_err(|_| "Invalid attribute value: B is not base64".into())
}

fn set_size(elements: &mut [String], size: impl Fn(&mut String) -> Result<usize, String>) -> Result<usize, String> {
    const INVALID: &str = "One or more parameter values were invalid";
    if elements.is_empty() {
        return Err(format!("{INVALID}: An set may not be empty"));
    }
    let sum = elements.iter_mut().try_fold(0, |sum, element| Ok::<_, String>(sum + size(element)?))?;
    let distinct: std::collections::HashSet<&String> = elements.iter().collect();
    if distinct.len() != elements.len() {
        return Err(format!("{INVALID}: Input collection {elements:?} contains duplicates."));
    }
    Ok(sum)
}

fn normalise_number(text: &mut String) -> Result<usize, String> {
    let number = canonical_number(text)?;
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    *text = number;
    Ok(digits.div_ceil(2) + 1)
}

/// The one spelling of a decimal number: no exponent, no needless zeros, no plus sign, no negative zero.
///
/// # Errors
/// The message of DynamoDB's ValidationException: not a number, more than 38 significant digits, or out of range.
pub(super) fn canonical_number(text: &str) -> Result<String, String> {
    let invalid = || format!("The parameter cannot be converted to a numeric value: {text}");
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| invalid())?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    // The value is 0.SIGNIFICANT × 10^point.
    let leading = digits.len() - significant.len();
    let offset = i32::try_from(whole.len()).ok().zip(i32::try_from(leading).ok()).map(|(w, l)| w - l);
    let point = offset.and_then(|offset| offset.checked_add(exponent)).ok_or_else(invalid)?;
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Ok("0".into());
    }
    if significant.len() > 38 {
        return Err("Attempting to store more than 38 significant digits in a Number".into());
    }
    if point > 126 {
        return Err("Number overflow. Attempting to store a number with magnitude larger than supported range".into());
    }
    if point < -129 {
        return Err("Number underflow. Attempting to store a number with magnitude smaller than supported range".into());
    }
    let sign = if negative { "-" } else { "" };
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let length = i32::try_from(significant.len()).unwrap_or(i32::MAX);
    Ok(if point <= 0 {
        format!("{sign}0.{}{significant}", zeros(-point))
    } else if point >= length {
        format!("{sign}{significant}{}", zeros(point - length))
    } else {
        let (whole, fraction) = significant.split_at(usize::try_from(point).unwrap_or(0));
        format!("{sign}{whole}.{fraction}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        let cases = [
            ("42", "42"),
            ("042", "42"),
            ("+42.0", "42"),
            ("4.2e1", "42"),
            ("420E-1", "42"),
            ("-0", "0"),
            ("0.00", "0"),
            (".5", "0.5"),
            ("-1.050", "-1.05"),
            ("1e3", "1000"),
            ("1e-3", "0.001"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ];
        for (written, canonical) in cases {
            assert_eq!(canonical_number(written).as_deref(), Ok(canonical), "{written}");
        }
        for refused in
            ["", "-", "1e", "abc", "1.2.3", "0x1", "1 ", "NaN", "1e126", "1e-131", &"1".repeat(39), "1e99999999999"]
        {
            assert!(canonical_number(refused).is_err(), "{refused}");
        }
        assert!(canonical_number("1e125").is_ok());
        assert!(canonical_number("1e-130").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn spelling_keeps_the_value(digits in 0_u64.., places in 0_usize..20, exponent in -50_i32..50, negative: bool) {
            let mut written = format!("{digits:0>20}");
            written.insert(20 - places, '.');
            let written = format!("{}{written}E{exponent}", if negative { "-" } else { "" });
            let canonical = canonical_number(&written).unwrap();
            let (before, after): (f64, f64) = (written.parse().unwrap(), canonical.parse().unwrap());
            proptest::prop_assert!(before == after, "{written} became {canonical}");
            proptest::prop_assert_eq!(canonical_number(&canonical).unwrap(), canonical);
        }

        #[test]
        fn no_text_makes_a_number_panic(text in "[-+0-9.eE]{0,12}|.*") {
            let _ = canonical_number(&text);
        }
    }

    #[test]
    fn an_item_may_have_400_kib_and_no_more() {
        let item = |length: usize| Item::from([("k".to_owned(), Attribute::S("x".repeat(length)))]);
        assert_eq!(normalise_item(&mut item(MAX_ITEM - 1)), Ok(()));
        assert!(normalise_item(&mut item(MAX_ITEM)).unwrap_err().starts_with("Item size"));
    }

    #[test]
    fn values_that_dynamodb_refuses() {
        let mut deep = Attribute::Null(true);
        for _ in 0..40 {
            deep = Attribute::L(vec![deep]);
        }
        let refused = [
            deep,
            Attribute::Null(false),
            Attribute::B("not base64".into()),
            Attribute::Numbers(vec!["1".into(), "1.0".into()]),
            Attribute::Strings(vec![]),
        ];
        for mut value in refused {
            assert!(value.normalise(1).is_err(), "{value:?}");
        }
    }
}
