//! The language as a page for people.

use std::fmt::Write as _;

use super::{Definition, Form, Key, Language, Shape};

/// `docs/blueprint.md`.
#[must_use]
pub fn page(language: &Language) -> String {
    let mut page = String::from(INTRODUCTION);
    for definition in language.definitions.iter().filter(|definition| definition.page.is_none()) {
        definition.write(&mut page, language);
    }
    page.push_str(ESCAPE_HATCH);
    page.push_str(&crate::kind::overrides::reference());
    page
}

impl Definition {
    fn write(&self, page: &mut String, language: &Language) {
        let _ = writeln!(page, "\n## {}\n\n{}", self.noun, self.about);
        let one = match self.form {
            Form::Section => "",
            Form::Some => "\nA map with one or more of these keys.\n",
            Form::Alternatives if self.keys.iter().all(|key| key.shape.is_none()) => "\nOne of these words.\n",
            Form::Alternatives => {
                "\nA map with exactly one of these keys; what is marked *bare* may also stand there as a word.\n"
            }
        };
        let _ = writeln!(page, "{one}");
        for key in &self.keys {
            key.write(page, self.form, language);
        }
    }

    /// Where its keys are described.
    fn link(&self) -> String {
        let anchor: String =
            self.noun.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
        match self.page {
            Some(page) => format!("[{}]({page})", self.noun),
            None => format!("[{}](#{})", self.noun, anchor.replace(' ', "-")),
        }
    }
}

impl Key {
    fn write(&self, page: &mut String, form: Form, language: &Language) {
        let mut facts: Vec<String> = Vec::new();
        facts.extend(self.shape.as_ref().map(|shape| shape.words(language)));
        match (form, self.optional) {
            (Form::Section, false) => facts.push("**required**".into()),
            (Form::Alternatives, true) if self.shape.is_some() => facts.push("may stand *bare*".into()),
            _ => {}
        }
        let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
        let _ = writeln!(page, "- **`{}`**{facts}: {}", self.name, self.doc.about.replace('\n', "\n  "));
        if let Some(default) = &self.doc.default {
            let _ = writeln!(page, "  Default: {default}");
        }
        if let Some(example) = self.doc.example_text() {
            let _ = writeln!(page, "  Example: `{}: {example}`", self.name);
        }
    }
}

impl Shape {
    /// What to write, for people.
    fn words(&self, language: &Language) -> String {
        match self {
            Self::Any | Self::Something => "anything".into(),
            Self::Nothing => "nothing".into(),
            Self::Text => "text".into(),
            Self::Form { words, pattern: _ } => words.clone(),
            Self::Word(words) => format!("one of {}", crate::diagnostic::listed(words)),
            Self::Truth => "`true` or `false`".into(),
            Self::Number => "a number".into(),
            Self::Whole { .. } => "a whole number".into(),
            Self::Scalar => "text or a number".into(),
            Self::List(of) | Self::Items(of) => format!("a list: {}", of.words(language)),
            Self::Map { names: _, values } => format!("a map by name: {}", values.words(language)),
            Self::Either(shapes) => {
                let shapes = shapes.iter().filter(|shape| **shape != Self::Nothing);
                shapes.map(|shape| shape.words(language)).collect::<Vec<_>>().join("; or ")
            }
            Self::Defined(name) => language.definition(name).map(Definition::link).unwrap_or_default(),
        }
    }
}

const ESCAPE_HATCH: &str = "
## The escape hatch

What the language has no word for is said in CloudFormation's own words. `resources` adds to one of the lake's stacks, `override`
changes what lakegen makes of a thing:

```yaml
resources:
  AuditTopic:
    Type: AWS::SNS::Topic
    Properties: { KmsMasterKeyId: \"${lake.key.arn}\" }
  AuditPolicy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [{ Ref: AuditTopic }]
      PolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - Effect: Allow
            Principal: { AWS: \"${jobs.features.role.arn}\" }
            Action: sns:Publish
            Resource: { Ref: AuditTopic }

jobs:
  features:
    script: glue-jobs/features.py
    override: { Job: { Properties: { MaintenanceWindow: \"Sun:3\" } } }
```

In any text of either, `${…}` speaks of a thing of the lake, by its `name` or its `arn` in AWS: `${zones.raw.name}`,
`${tables.orders.arn}`, `${functions.recommend.arn}`, `${models.taste.name}` (its endpoint), `${jobs.features.role.arn}`,
`${lake.key.arn}`, `${lake.database.name}`; or of the lake and the environment, for names of one's own:
`${lake.name}-${lake.environment}-audit`. It works across stacks, because names are fixed. What CloudFormation knows by itself is filled
in too: `${AWS::AccountId}`, `${AWS::Region}`, `${AWS::Partition}`. `Ref`, `Fn::GetAtt` and `Fn::Sub` are written
in full, not as YAML tags; they speak of other `resources` of the same `stack` and of what CloudFormation knows by itself. A policy's own `${aws:username}` stays as it is; `${!AWS::Region}` is how
CloudFormation writes these characters when they are meant.

Everywhere else of a blueprint nothing is filled in, because everything else also runs on this machine, where there is no account: there
such a name is an error, and `${!AWS::AccountId}` the characters themselves.

Names and values of properties are checked against the schemas that AWS publishes, without asking AWS: what is unknown, of another sort,
or missing is shown at its place. Of what AWS added since this lakegen was made it warns.

Local runs know nothing of either. `lakegen plan` shows both like everything else, and environments may `set` them:
`resources.AuditTopic.Properties.DisplayName: audit`.

What can be changed:

";

const INTRODUCTION: &str = "\
# The blueprint

Every key of a blueprint, made from the types that read it. `lakegen schema` writes the same as JSON Schema, with which editors complete
and check while one types; `lakegen init` puts it beside the blueprint.

Unknown keys are errors. Things are referred to by their plain names. Alternatives are a map with one key, like
`start: { upload: orders }`. A list of one may be written without its brackets. Where a key is not marked *required* it may be left out,
or stand there with nothing behind it.
";
