//! The language as JSON Schema, for editors.

use schemars::Schema;
use serde_json::{Map, Value as Json, json};

use super::{Definition, Form, Key, Language, Shape};

/// The whole language as JSON Schema, draft 2020-12. It takes what the reader takes, but for keys that are written twice and numbers
/// like `1.0`, which are whole to JSON Schema.
#[must_use]
pub fn json_schema(language: &Language) -> Schema {
    let mut schema = schemars::json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A blueprint of lakegen",
        "type": "object",
        "$ref": "#/$defs/blueprint",
    });
    let definitions = language.definitions.iter();
    let definitions = definitions.map(|definition| (definition.name.clone(), definition.schema(language).into()));
    schema.insert("$defs".into(), Json::Object(definitions.collect()));
    schema
}

/// The JSON Schema as a file.
#[must_use]
pub fn schema_text() -> String {
    let schema = json_schema(&Language::of_blueprints());
    format!("{:#}", schema.as_value())
}

type Object = Map<String, Json>;

fn object(value: Json) -> Object {
    if let Json::Object(object) = value { object } else { Object::new() }
}

impl Definition {
    fn schema(&self, language: &Language) -> Object {
        let held =
            |key: &Key| key.shape.as_ref().map(|shape| (key.name.to_owned(), key.schema(shape, language).into()));
        let properties: Object = self.keys.iter().filter_map(held).collect();
        let mut schema = object(json!({ "description": self.about }));
        let closed = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        match self.form {
            Form::Section => {
                schema.extend(object(closed));
                let required = self.keys.iter().filter(|key| !key.optional).map(|key| key.name).collect::<Vec<_>>();
                if required.is_empty() {
                    schema.insert("type".into(), json!(["object", "null"]));
                } else {
                    schema.insert("required".into(), json!(required));
                }
            }
            Form::Some => {
                schema.extend(object(closed));
                schema.insert("minProperties".into(), 1.into());
            }
            Form::Alternatives => {
                let bare = self.keys.iter().filter(|key| key.optional);
                let mut branches: Vec<Json> =
                    bare.map(|key| json!({ "const": key.name, "description": key.doc.about })).collect();
                if !properties.is_empty() {
                    let mut map = object(closed);
                    map.insert("minProperties".into(), 1.into());
                    map.insert("maxProperties".into(), 1.into());
                    branches.push(map.into());
                }
                schema.insert("anyOf".into(), branches.into());
            }
        }
        schema
    }
}

impl Key {
    fn schema(&self, shape: &Shape, language: &Language) -> Object {
        let default = match &self.doc.default {
            Some(_) => self.doc.default_node().map(|node| node.json()),
            None => shape.empty().filter(|_| self.optional),
        };
        let spelt = self.doc.default.as_ref().filter(|_| default.is_none()).map(|text| format!(" Default: {text}"));
        let mut schema = object(json!({ "description": format!("{}{}", self.doc.about, spelt.unwrap_or_default()) }));
        schema.extend(default.map(|default| ("default".to_owned(), default)));
        schema.extend(self.doc.example_node().map(|example| ("examples".to_owned(), json!([example.json()]))));
        schema.extend(shape.schema(language));
        schema
    }
}

impl Shape {
    /// What it is when it is left out, where that is an empty list or map.
    pub(super) fn empty(&self) -> Option<Json> {
        match self {
            Self::Items(_) => Some(json!([])),
            Self::Map { .. } => Some(json!({})),
            Self::Either(shapes) => shapes.iter().find_map(Self::empty),
            _ => None,
        }
    }

    fn schema(&self, language: &Language) -> Object {
        object(match self {
            Self::Any => json!({}),
            Self::Something => json!({ "type": ["string", "number", "boolean", "array", "object"] }),
            Self::Nothing => json!({ "type": "null" }),
            Self::Text => json!({ "type": "string" }),
            Self::Form { words: _, pattern } => json!({ "type": "string", "pattern": pattern }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Truth => json!({ "type": "boolean" }),
            Self::Number => json!({ "type": "number" }),
            Self::Whole { least, most } => {
                let most = most.map_or(json!(i64::MAX), |most| json!(most));
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Self::Scalar => json!({ "type": ["string", "number", "boolean"] }),
            Self::List(of) => json!({ "type": "array", "items": of.schema(language) }),
            Self::Items(of) => {
                let mut branches = vec![json!({ "type": "array", "items": of.schema(language) })];
                if of.may_stand_alone(language) {
                    branches.push(json!({ "allOf": [of.schema(language)], "type": ["string", "number", "boolean"] }));
                }
                branches.push(json!({ "type": "null" }));
                return either(branches);
            }
            Self::Map { names, values } => {
                let mut map = json!({ "type": "object", "additionalProperties": values.schema(language) });
                if let Some(pattern) = names {
                    map["propertyNames"] = json!({ "pattern": pattern });
                }
                map
            }
            Self::Either(shapes) => {
                return either(shapes.iter().map(|shape| shape.schema(language).into()).collect());
            }
            Self::Defined(name) => json!({ "$ref": format!("#/$defs/{name}") }),
        })
    }

    /// Whether something that is no map, no list and not nothing can have this shape.
    fn may_stand_alone(&self, language: &Language) -> bool {
        match self {
            Self::Nothing | Self::List(_) | Self::Items(_) | Self::Map { .. } => false,
            Self::Defined(name) => language
                .definition(name)
                .is_some_and(|known| known.form == Form::Alternatives && known.keys.iter().any(|key| key.optional)),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.may_stand_alone(language)),
            _ => true,
        }
    }
}

/// Any of some schemas; nothing beside one other is said in that one's type.
fn either(mut branches: Vec<Json>) -> Object {
    let null = json!({ "type": "null" });
    if let [first, second] = branches.as_mut_slice()
        && *second == null
        && let Some(ty @ Json::String(_)) = first.get("type").cloned()
        && first.get("enum").is_none()
    {
        first["type"] = json!([ty, "null"]);
        return object(first.take());
    }
    object(json!({ "anyOf": branches }))
}
