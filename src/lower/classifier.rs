//! Classifiers.

use super::Context;
use super::names::Kind;
use crate::assembly::StackTemplate;
use crate::cfn::Ref;
use crate::cfn::glue::{self, GrokClassifier, JsonClassifier, XmlClassifier};
use crate::lake::{Arena, Classifier, CsvClassifier, Id, Recognises};

/// The classifiers of a template.
pub(super) struct Classifiers(Vec<Ref<glue::Classifier>>);

impl Classifiers {
    /// One of them.
    pub(super) fn get(&self, id: Id<Classifier>) -> &Ref<glue::Classifier> {
        &self.0[id.index()]
    }
}

/// Adds all classifiers.
pub(super) fn lower_all(cx: &Context, stack: &mut StackTemplate, classifiers: &Arena<Classifier>) -> Classifiers {
    let lower = |classifier: &Classifier| {
        let Classifier { name, recognises } = classifier;
        stack.template.add(Kind::GlueClassifier.of(name), resource(cx.names.plain(&[name], 255), recognises))
    };
    Classifiers(classifiers.values().map(lower).collect())
}

fn resource(name: String, recognises: &Recognises) -> glue::Classifier {
    let mut resource = glue::Classifier { csv: None, json: None, grok: None, xml: None };
    match recognises {
        Recognises::Csv(csv) => resource.csv = Some(lower_csv(name, csv)),
        Recognises::Json { path } => resource.json = Some(JsonClassifier { name, path: path.clone() }),
        Recognises::Grok { classification, pattern, patterns } => {
            let (classification, pattern, patterns) = (classification.clone(), pattern.clone(), patterns.clone());
            resource.grok = Some(GrokClassifier { name, classification, pattern, patterns });
        }
        Recognises::Xml { classification, row } => {
            resource.xml = Some(XmlClassifier { name, classification: classification.clone(), row: row.clone() });
        }
    }
    resource
}

fn lower_csv(name: String, csv: &CsvClassifier) -> glue::CsvClassifier {
    let CsvClassifier { delimiter, quote, header, columns, types, single_column, keep_white_space } = csv;
    glue::CsvClassifier {
        name,
        delimiter: delimiter.map(String::from),
        quote: quote.map(String::from),
        has_header: match header {
            Some(true) => "PRESENT",
            Some(false) => "ABSENT",
            None => "UNKNOWN",
        },
        header: (!columns.is_empty()).then(|| columns.clone()),
        custom_types: (!types.is_empty()).then_some(true),
        types: (!types.is_empty()).then(|| types.clone()),
        single_column: *single_column,
        keep_white_space: *keep_white_space,
    }
}
