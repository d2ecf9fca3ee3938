//! Templates on their way to CloudFormation and back.

use indexmap::IndexMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::template::Rendered;

/// The output that says which template a stack was made of: the hash of everything in it but the description, which CloudFormation
/// does not count as a change.
pub const FINGERPRINT: &str = "Fingerprint";

/// A template in JSON as it is sent, without spaces and with its fingerprint among the outputs; and the fingerprint.
pub fn deployable(template: &Rendered) -> (String, String) {
    // What was rendered as JSON is JSON.
    let mut tree: Value = serde_json::from_str(&template.text).unwrap_or_default();
    let description = tree.as_object_mut().and_then(|tree| tree.insert("Description".to_owned(), Value::Null));
    let mut fingerprint = String::with_capacity(64);
    for byte in Sha256::digest(tree.to_string()) {
        use std::fmt::Write;
        let _ = write!(fingerprint, "{byte:02x}");
    }
    tree["Description"] = description.unwrap_or_default();
    tree["Outputs"][FINGERPRINT] = json!({ "Description": "Hash of the template", "Value": fingerprint });
    (tree.to_string(), fingerprint)
}

/// The resources of a template in JSON, by logical id; none of another text.
pub fn resources(template: &str) -> IndexMap<String, Value> {
    let tree: Value = serde_json::from_str(template).unwrap_or_default();
    match tree {
        Value::Object(mut tree) => match tree.remove("Resources") {
            Some(Value::Object(resources)) => resources.into_iter().collect(),
            _ => IndexMap::new(),
        },
        _ => IndexMap::new(),
    }
}
