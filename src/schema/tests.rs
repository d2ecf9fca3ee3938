use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;

#[test]
fn no_two_types_have_one_name() {
    let mut seen = BTreeMap::new();
    for definition in Language::of_blueprints().definitions {
        let before = seen.insert(definition.name.clone(), definition.reader);
        assert_eq!(before, None, "`{}` is also {}", definition.name, definition.reader);
    }
}

#[test]
fn every_key_says_what_it_is_what_it_is_without_being_written_and_how_it_looks() {
    let language = Language::of_blueprints();
    let mut missing = BTreeSet::new();
    for definition in &language.definitions {
        let mut note = |key: &str, what: &str| missing.insert(format!("{} / {key}: {what}", definition.name));
        if definition.about.is_empty() {
            note("", "description");
        }
        for key in &definition.keys {
            let Key { name, doc, shape, optional, reads } = key;
            if doc.about.is_empty() {
                note(name, "description");
            }
            let Some(shape) = shape else { continue };
            if *optional && definition.form == Form::Section && doc.default.is_none() && shape.empty().is_none() {
                note(name, "default");
            }
            let Some(example) = doc.example_node() else {
                note(name, "example that can be read");
                continue;
            };
            if let Some(reads) = reads {
                for node in [Some(example), doc.default_node()].into_iter().flatten() {
                    let text = doc.example_text().unwrap_or_default();
                    let mut decoder = Decoder::new(text.into(), Vec::new());
                    reads(&node, &mut decoder);
                    for diagnostic in decoder.diagnostics {
                        note(name, &format!("{}: {}", node.json(), diagnostic.message));
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_page_and_the_schema_of_this_repository_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let language = Language::of_blueprints();
    for (file, text) in [("docs/blueprint.md", page(&language)), ("blueprints/schema.json", schema_text() + "\n")] {
        let path = root.join(file);
        if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "run this test with INSTA_UPDATE=always and read the diff of {file}");
    }
}

#[test]
fn comments_become_descriptions_defaults_and_examples() {
    let doc = Doc::new(&[
        " How long",
        " it lives.",
        "",
        " For ever.",
        " Default: `2 GB`, or",
        " none.",
        " Example: `[a, \"b.\"]`.",
    ]);
    assert_eq!(doc.about, "How long it lives.\n\nFor ever.");
    assert_eq!(doc.default.as_deref(), Some("`2 GB`, or none."));
    assert_eq!(doc.default_node(), None, "a sentence is no value");
    assert_eq!(doc.example_text(), Some("[a, \"b.\"]"));
    assert_eq!(doc.example_node().unwrap().json(), serde_json::json!(["a", "b."]));
}
