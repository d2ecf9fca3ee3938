//! Classifiers.

use super::Context;
use super::names::Kind;
use crate::assembly::StackTemplate;
use crate::cfn::glue::{self, GrokClassifier, JsonClassifier, XmlClassifier};
use crate::cfn::{Name, Value};
use crate::lake::{Classifier, CsvClassifier, Id, Recognises};

/// The names of all classifiers; the `first` stack has them.
pub(super) struct Classifiers(Vec<Value<Name<glue::Classifier>>>);

impl Classifiers {
    pub(super) fn new(cx: &Context, stack: &mut StackTemplate, first: bool) -> Self {
        let lower = |classifier: &Classifier| {
            let Classifier { name, recognises } = classifier;
            let physical = cx.names.plain(&[name], 255);
            if !first {
                return Value::literal(physical);
            }
            stack.template.add(Kind::GlueClassifier.of(name), resource(physical, recognises)).name()
        };
        Self(cx.lake.classifiers.values().map(lower).collect())
    }

    /// The name of one of them.
    pub(super) fn name(&self, id: Id<Classifier>) -> Value<Name<glue::Classifier>> {
        self.0[id.index()].clone()
    }
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
