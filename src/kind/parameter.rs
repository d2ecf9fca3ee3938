//! A parameter of a route, and a field of a body: its type and limits.

use serde_json::{Map, Value as Json, json};

use crate::check::Check;
use crate::decode::{Decode, Decoder, Named, Scalar, alternatives, section};
use crate::lake::{ColumnType, Id, Table};
use crate::schema::{Language, Shape};
use crate::source::{Node, Spanned, Value};

/// A parameter: its bare type, or a map.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec(ParameterMap);

section! {
    /// A parameter in full.
    "a parameter"
    struct ParameterMap {
        /// `string`, `int`, `number`, `boolean`, or a column of a table, `customers.user_id`, whose type and range it then has.
        /// Example: `int`.
        ty as "type": Spanned<TypeSpec>,
        /// Whether a request without it is refused.
        /// Default: `false`.
        /// Example: `true`.
        required: Option<Spanned<bool>>,
        /// Its value when it is missing.
        /// Default: none.
        /// Example: `10`.
        default: Option<Spanned<Scalar>>,
        /// The smallest number.
        /// Default: none.
        /// Example: `1`.
        minimum: Option<Spanned<f64>>,
        /// The largest number.
        /// Default: none.
        /// Example: `100`.
        maximum: Option<Spanned<f64>>,
        /// The longest text, in characters.
        /// Default: none.
        /// Example: `200`.
        maximum_length: Option<Spanned<u32>>,
        /// Whether it is a list of such values; only in bodies.
        /// Default: `false`.
        /// Example: `true`.
        list: Option<Spanned<bool>>,
        /// What it is, for those who read the API's document.
        /// Default: none.
        /// Example: `how many products to name`.
        description: Option<String>,
    }
}

/// The type of a parameter: its own, or that of a column.
#[derive(Debug, Clone, PartialEq)]
enum TypeSpec {
    Own(ParameterType),
    /// `table.column`
    Column(String),
}

impl Decode for TypeSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) if text.contains('.') => Some(Self::Column(text.clone())),
            _ => ParameterType::decode(node, decoder).map(Self::Own),
        }
    }

    fn shape(language: &mut Language) -> Shape {
        let column = Shape::Form { words: "a column, `customers.user_id`".into(), pattern: r"[^.]*\..*".into() };
        Shape::Either(vec![ParameterType::shape(language), column])
    }
}

/// What a type says of a parameter.
struct Meant {
    ty: ParameterType,
    /// The range of its column, and where that is declared.
    range: Option<(f64, f64, Id<Table>, String)>,
}

impl Spanned<TypeSpec> {
    fn check(&self, cx: &mut Check<'_>) -> Option<Meant> {
        let written = match &self.value {
            TypeSpec::Own(ty) => return Some(Meant { ty: *ty, range: None }),
            TypeSpec::Column(written) => written,
        };
        let (table, column) = written.split_once('.')?;
        let id = cx.table(&Spanned::new(table.to_owned(), self.span))?;
        let Some((_, declared)) = cx.columns(id)?.into_iter().find(|(name, _)| name == column) else {
            cx.no_column(self.span, column, id);
            return None;
        };
        let whole = |bits: i32| (ParameterType::Int, Some((-f64::from(2).powi(bits), f64::from(2).powi(bits) - 1.0)));
        let (ty, range) = match declared? {
            ColumnType::String | ColumnType::Date | ColumnType::Timestamp => (ParameterType::String, None),
            ColumnType::Boolean => (ParameterType::Boolean, None),
            ColumnType::TinyInt => whole(7),
            ColumnType::SmallInt => whole(15),
            ColumnType::Int => whole(31),
            ColumnType::BigInt => (ParameterType::Int, None),
            ColumnType::Float | ColumnType::Double | ColumnType::Decimal(..) => (ParameterType::Number, None),
            sort @ (ColumnType::Binary | ColumnType::Nested(_)) => {
                let place = cx.declaration(id, column).map(|span| (span, format!("declared `{sort}`")));
                cx.error(self.span, format!("`{written}` is `{sort}`, which no parameter is"))
                    .places(place)
                    .help("choose another type, and let the function make one of the other");
                return None;
            }
        };
        Some(Meant { ty, range: range.map(|(least, most)| (least, most, id, column.to_owned())) })
    }
}

alternatives! {
    /// The type of a parameter.
    #[derive(Copy, Eq)]
    "a parameter's type"
    pub enum ParameterType {
        /// Text.
        String = "string",
        /// A whole number of 64 bits.
        Int = "int",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
    }
}

impl Decode for ParameterSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if matches!(node.value, Value::String(_)) {
            let ty = Spanned::<TypeSpec>::decode(node, decoder)?;
            return Some(Self(ParameterMap {
                ty,
                required: None,
                default: None,
                minimum: None,
                maximum: None,
                maximum_length: None,
                list: None,
                description: None,
            }));
        }
        ParameterMap::decode(node, decoder).map(Self)
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Either(vec![TypeSpec::shape(language), ParameterMap::shape(language)])
    }
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the path, where it is always there.
    Path,
    /// Behind `?`.
    Query,
    /// A field of a JSON object.
    Body,
}

/// A parameter of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// The type.
    pub ty: ParameterType,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Its value when it is missing.
    pub default: Option<String>,
    /// The smallest number.
    pub minimum: Option<f64>,
    /// The largest number.
    pub maximum: Option<f64>,
    /// The longest text, in characters.
    pub maximum_length: Option<u32>,
    /// Whether it is a list of such values.
    pub list: bool,
    /// What it is.
    pub description: Option<String>,
}

impl ParameterSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, place: Place, cx: &mut Check<'_>) -> Option<Parameter> {
        self.0.check(name, place, cx)
    }
}

/// The fields of a JSON object that is a body.
pub(crate) fn fields(written: &Named<ParameterSpec>, cx: &mut Check<'_>) -> Option<Vec<Parameter>> {
    let checked = written.0.iter().map(|(name, spec)| spec.as_ref()?.check(name, Place::Body, cx));
    checked.collect::<Vec<_>>().into_iter().collect()
}

impl ParameterMap {
    fn check(&self, name: &Spanned<String>, place: Place, cx: &mut Check<'_>) -> Option<Parameter> {
        let in_path = place == Place::Path;
        if place == Place::Body {
            field_name(name, cx)?;
        } else {
            cx.name(name, "a parameter")?;
        }
        if let Some(list) = &self.list
            && place != Place::Body
        {
            cx.error(list.span, "only fields of a body can be lists").help("remove this key");
        }
        if let Some(default) = &self.default
            && place == Place::Body
        {
            cx.error(default.span, "a field of a body has no default: the function gets the body as it was sent")
                .help("remove this key, and let the function choose");
        }
        let Meant { ty, range } = self.ty.check(cx)?;
        if let Some((least, most, table, column)) = &range {
            let outside = [&self.minimum, &self.maximum].into_iter().flatten();
            for limit in outside.filter(|limit| !(*least..=*most).contains(&limit.value)) {
                let place = cx.declaration(*table, column).map(|span| (span, format!("it holds {least} to {most}")));
                cx.error(limit.span, "the column cannot hold such a number").places(place).help("choose another limit");
            }
        }
        let numeric = matches!(ty, ParameterType::Int | ParameterType::Number);
        for limit in [&self.minimum, &self.maximum].into_iter().flatten() {
            if !numeric {
                cx.error(limit.span, "only numbers have a minimum or maximum");
            }
        }
        if let (Some(minimum), Some(maximum)) = (&self.minimum, &self.maximum)
            && minimum.value > maximum.value
        {
            cx.error(maximum.span, "the maximum is below the minimum");
        }
        if let Some(length) = &self.maximum_length
            && ty != ParameterType::String
        {
            cx.error(length.span, "only text has a `maximum_length`");
        }
        if in_path {
            for span in
                [self.required.as_ref().map(|r| r.span), self.default.as_ref().map(|d| d.span)].into_iter().flatten()
            {
                cx.error(span, "a parameter of the path is always there").help("remove this key");
            }
        }
        let parameter = Parameter {
            name: name.value.clone(),
            ty,
            required: in_path || self.required.as_ref().is_some_and(|required| required.value),
            default: self.default.as_ref().map(|default| default.value.0.clone()),
            minimum: self.minimum.as_ref().map(|limit| limit.value).or(range.as_ref().map(|(least, ..)| *least)),
            maximum: self.maximum.as_ref().map(|limit| limit.value).or(range.as_ref().map(|(_, most, ..)| *most)),
            maximum_length: self.maximum_length.as_ref().map(|length| length.value),
            list: self.list.as_ref().is_some_and(|list| list.value),
            description: self.description.clone(),
        };
        if let Some(default) = &self.default
            && let Err(reason) = parameter.accepts(&default.value.0)
        {
            cx.error(default.span, format!("the default itself would be refused: {reason}"));
        }
        Some(parameter)
    }
}

/// Names in JSON are the API's own: `userId` is as good as `user_id`.
fn field_name(name: &Spanned<String>, cx: &mut Check<'_>) -> Option<()> {
    let fits = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 100;
    if !fits {
        cx.error(name.span, format!("`{}` cannot be the name of a field", name.value))
            .help("letters, digits and `_`, at most 100, beginning with a letter");
    }
    fits.then_some(())
}

impl Parameter {
    /// A text that must be there: what stands in braces when nothing more is said of it.
    pub(crate) fn of_path(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ty: ParameterType::String,
            required: true,
            default: None,
            minimum: None,
            maximum: None,
            maximum_length: None,
            list: false,
            description: None,
        }
    }

    /// Its JSON Schema, of draft 4 and of OpenAPI 3.0 alike.
    #[must_use]
    pub fn schema(&self) -> Json {
        let mut schema = Map::new();
        let name = match self.ty {
            ParameterType::String => "string",
            ParameterType::Int => "integer",
            ParameterType::Number => "number",
            ParameterType::Boolean => "boolean",
        };
        schema.insert("type".into(), name.into());
        for (key, limit) in [("minimum", self.minimum), ("maximum", self.maximum)] {
            schema.extend(limit.map(|limit| (key.to_owned(), number(limit))));
        }
        schema.extend(self.maximum_length.map(|length| ("maxLength".to_owned(), length.into())));
        if self.list { json!({ "type": "array", "items": schema }) } else { schema.into() }
    }

    /// What is wrong with a value that a body carries for the field.
    fn faults(&self, value: &Json) -> Vec<String> {
        match value {
            Json::Array(items) if self.list => items.iter().filter_map(|item| self.fault(item)).collect(),
            _ if self.list => vec![foreign(value, &["array"])],
            _ => self.fault(value).into_iter().collect(),
        }
    }

    /// What is wrong with one value, in the words of API Gateway's validator.
    fn fault(&self, value: &Json) -> Option<String> {
        let types: &[&str] = match self.ty {
            ParameterType::String => &["string"],
            ParameterType::Int => &["integer"],
            ParameterType::Number => &["integer", "number"],
            ParameterType::Boolean => &["boolean"],
        };
        if !types.contains(&type_of(value)) {
            return Some(foreign(value, types));
        }
        if let Some(text) = value.as_str() {
            let length = text.chars().count();
            let most = self.maximum_length.filter(|most| length > *most as usize)?;
            return Some(format!("string {value} is too long (length: {length}, maximum allowed: {most})"));
        }
        let found = value.as_f64()?;
        if let Some(least) = self.minimum.filter(|least| found < *least) {
            let least = number(least);
            return Some(format!(
                "numeric instance is lower than the required minimum (minimum: {least}, found: {value})"
            ));
        }
        let most = number(self.maximum.filter(|most| found > *most)?);
        Some(format!("numeric instance is greater than the required maximum (maximum: {most}, found: {value})"))
    }

    /// Whether a request may carry this text for the parameter.
    ///
    /// # Errors
    /// The reason why not, as the caller of the API reads it.
    pub fn accepts(&self, text: &str) -> Result<(), String> {
        let name = &self.name;
        let number = match self.ty {
            ParameterType::String => {
                let length = text.chars().count();
                return match self.maximum_length {
                    Some(maximum) if length > maximum as usize => {
                        Err(format!("{name} has more than {maximum} characters"))
                    }
                    _ if text.is_empty() && self.required => Err(format!("{name} is empty")),
                    _ => Ok(()),
                };
            }
            ParameterType::Boolean => {
                return match text {
                    "true" | "false" => Ok(()),
                    _ => Err(format!("{name} must be true or false")),
                };
            }
            #[allow(clippy::cast_precision_loss, reason = "limits beyond 2^53 are not meant")]
            ParameterType::Int => text.parse::<i64>().ok().map(|number| number as f64),
            ParameterType::Number => text.parse::<f64>().ok().filter(|number| number.is_finite()),
        };
        let Some(number) = number else {
            let noun = if self.ty == ParameterType::Int { "a whole number" } else { "a number" };
            return Err(format!("{name} must be {noun}"));
        };
        match (self.minimum, self.maximum) {
            (Some(minimum), _) if number < minimum => Err(format!("{name} must be at least {minimum}")),
            (_, Some(maximum)) if number > maximum => Err(format!("{name} must be at most {maximum}")),
            _ => Ok(()),
        }
    }
}

/// The JSON Schema of an object with these fields and no others.
#[must_use]
pub fn object_schema(fields: &[Parameter]) -> Json {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    let required: Vec<Json> = fields.iter().filter(|f| f.required).map(|f| f.name.as_str().into()).collect();
    if !required.is_empty() {
        // An empty list is no schema of draft 4.
        schema.insert("required".into(), required.into());
    }
    let properties = fields.iter().map(|field| (field.name.clone(), field.schema()));
    schema.insert("properties".into(), properties.collect::<Map<_, _>>().into());
    schema.insert("additionalProperties".into(), false.into());
    schema.into()
}

/// What keeps a JSON value from being an object with these fields and no others, in the words of API Gateway's validator, the Java
/// library json-schema-validator. `None` stands for any fields. Nothing is wrong when the list is empty.
#[must_use]
pub fn object_faults(fields: Option<&[Parameter]>, value: &Json) -> Vec<String> {
    let Json::Object(object) = value else { return vec![foreign(value, &["object"])] };
    let Some(fields) = fields else { return Vec::new() };
    let names = |names: Vec<&str>| (!names.is_empty()).then(|| Json::from(names).to_string());
    let mut unknown: Vec<&str> = object.keys().map(String::as_str).collect();
    unknown.retain(|name| fields.iter().all(|field| field.name != *name));
    let mut missing: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
    missing.retain(|name| !object.contains_key(*name));
    unknown.sort_unstable();
    missing.sort_unstable();
    let unknown = names(unknown)
        .map(|names| format!("object instance has properties which are not allowed by the schema: {names}"));
    let missing = names(missing).map(|names| format!("object has missing required properties ({names})"));
    let values = fields.iter().filter_map(|field| Some(field.faults(object.get(&field.name)?)));
    unknown.into_iter().chain(missing).chain(values.flatten()).collect()
}

fn foreign(value: &Json, allowed: &[&str]) -> String {
    let (found, allowed) = (type_of(value), Json::from(allowed));
    format!("instance type ({found}) does not match any allowed primitive type (allowed: {allowed})")
}

/// The name of a value's type in JSON Schema.
fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// A limit, without `.0` where it is whole.
fn number(limit: f64) -> Json {
    #[allow(clippy::cast_possible_truncation, reason = "whole numbers below 2^53 only")]
    if limit.fract() == 0.0 && limit.abs() < 9e15 { (limit as i64).into() } else { limit.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, ty: ParameterType, required: bool) -> Parameter {
        Parameter { ty, required, ..Parameter::of_path(name) }
    }

    #[test]
    fn a_body_is_held_to_its_fields() {
        let text = Parameter { maximum_length: Some(3), ..field("text", ParameterType::String, true) };
        let stars = Parameter { minimum: Some(1.0), maximum: Some(4.5), ..field("stars", ParameterType::Int, false) };
        let tags = Parameter { list: true, ..field("tags", ParameterType::String, false) };
        let fields = [text, stars, tags, field("ok", ParameterType::Boolean, false)];
        let table = [
            (json!({ "text": "abc" }), ""),
            (json!({ "text": "äöü", "stars": 4, "tags": [], "ok": false }), ""),
            (json!({ "text": "abc", "tags": ["a", "b"] }), ""),
            (json!({}), r#"object has missing required properties (["text"])"#),
            (json!({ "stars": 4 }), r#"object has missing required properties (["text"])"#),
            (json!({ "text": "a\"cd" }), r#"string "a\"cd" is too long (length: 4, maximum allowed: 3)"#),
            (
                json!({ "text": 1 }),
                r#"instance type (integer) does not match any allowed primitive type (allowed: ["string"])"#,
            ),
            (
                json!({ "text": null }),
                r#"instance type (null) does not match any allowed primitive type (allowed: ["string"])"#,
            ),
            (
                json!({ "text": "a", "stars": 0 }),
                "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
            ),
            (
                json!({ "text": "a", "stars": 5 }),
                "numeric instance is greater than the required maximum (maximum: 4.5, found: 5)",
            ),
            (
                json!({ "text": "a", "stars": 1.5 }),
                r#"instance type (number) does not match any allowed primitive type (allowed: ["integer"])"#,
            ),
            (
                json!({ "text": "a", "stars": [1] }),
                r#"instance type (array) does not match any allowed primitive type (allowed: ["integer"])"#,
            ),
            (
                json!({ "text": "a", "tags": "b" }),
                r#"instance type (string) does not match any allowed primitive type (allowed: ["array"])"#,
            ),
            (
                json!({ "text": "a", "tags": [1] }),
                r#"instance type (integer) does not match any allowed primitive type (allowed: ["string"])"#,
            ),
            (
                json!({ "text": "a", "more": 1, "all": 2 }),
                r#"object instance has properties which are not allowed by the schema: ["all","more"]"#,
            ),
            (json!([]), r#"instance type (array) does not match any allowed primitive type (allowed: ["object"])"#),
            (json!("abc"), r#"instance type (string) does not match any allowed primitive type (allowed: ["object"])"#),
        ];
        for (body, fault) in table {
            assert_eq!(object_faults(Some(&fields), &body).join("; "), fault, "{body}");
        }
        assert_eq!(object_faults(None, &json!({ "any": "thing" })), [""; 0]);
        let schema = json!({
            "type": "object",
            "required": ["text"],
            "properties": {
                "text": { "type": "string", "maxLength": 3 },
                "stars": { "type": "integer", "minimum": 1, "maximum": 4.5 },
                "tags": { "type": "array", "items": { "type": "string" } },
                "ok": { "type": "boolean" },
            },
            "additionalProperties": false,
        });
        assert_eq!(object_schema(&fields), schema);
    }
}
