//! What would change: resource by resource, property by property.

use serde::Serialize;
use serde_json::Value;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is created.
    Add,
    /// It is changed in place.
    Change,
    /// A new one takes its place.
    Replace,
    /// A new one takes its place, or not, which only AWS knows when it gets there.
    MayReplace,
    /// It goes.
    Remove,
    /// It is taken in as it is.
    Import,
}

/// A resource that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What happens to it.
    pub kind: Kind,
    /// Its logical id.
    pub id: String,
    /// Its type.
    pub resource_type: String,
    /// Its name in AWS.
    pub physical: Option<String>,
    /// Whether the old one stays in AWS when it is replaced or goes.
    pub kept: bool,
    /// Its properties that change.
    pub properties: Vec<Property>,
    /// Where in the blueprint it comes from: a section and a name.
    pub origin: Option<String>,
    /// The resource before, as CloudFormation or its template says.
    #[serde(skip)]
    pub before: Option<Value>,
    /// The resource after.
    #[serde(skip)]
    pub after: Option<Value>,
}

/// A property that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Property {
    /// Where it is, such as `Command.ScriptLocation`.
    pub path: String,
    /// Before; nothing if it was not there.
    pub before: Option<Value>,
    /// After; nothing if it will not be there.
    pub after: Option<Value>,
    /// Whether the change of it makes a new resource.
    pub replaces: bool,
    /// What changes elsewhere and is referred to here, such as `Key.Arn`, when the template says the same as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
}

impl Change {
    /// Whether the resource that is there goes: it is removed, or may be replaced.
    #[must_use]
    pub fn loses(&self) -> bool {
        matches!(self.kind, Kind::Remove | Kind::Replace | Kind::MayReplace) && !self.kept
    }
}

/// The differences between two values: paths of what is other, and both sides.
#[must_use]
pub fn differences(before: Option<&Value>, after: Option<&Value>) -> Vec<Property> {
    let mut found = Vec::new();
    compare(String::new(), before, after, &mut found);
    found
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Property>) {
    match (before, after) {
        (Some(before), Some(after)) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) if !is_function(before) && !is_function(after) => {
            let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
            for key in keys {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(inner, before.get(key), after.get(key), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(format!("{path}[{index}]"), Some(before), Some(after), found);
            }
        }
        (None, None) => {}
        (before, after) => {
            found.push(Property {
                path,
                before: before.cloned(),
                after: after.cloned(),
                replaces: false,
                follows: None,
            });
        }
    }
}

/// A call of one of CloudFormation's functions, which is one value.
fn is_function(map: &serde_json::Map<String, Value>) -> bool {
    map.len() == 1 && map.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}
