//! What AWS's own validator says of templates, without AWS: `lakegen synth --validate`.
//!
//! The validator is the crate [`cloudformation-validate`](https://crates.io/crates/cloudformation-validate), compiled in by the
//! Cargo feature `validate`. It knows the schemas of all types of resources, what of them each region has, and a few hundred rules
//! of the services. Rules of one's own, in the language of CloudFormation Guard, can join them.

use std::io;
use std::path::{Path, PathBuf};

use crate::assembly::Assembly;
use crate::diagnostic::Diagnostics;

/// Rules in the language of CloudFormation Guard.
#[derive(Debug, Clone)]
pub struct GuardRules {
    /// How findings call them, as a rule their file's name
    pub name: String,
    /// Their text
    pub text: String,
}

/// Why the validator says nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program was built without it.
    #[error("this lakegen was built without AWS's validator")]
    Absent,
    /// A file is not there, or no text.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file
        path: PathBuf,
        /// What the system said
        source: io::Error,
    },
    /// It does not take the rules.
    #[error("the rules cannot be read")]
    Rules(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It came to no end.
    #[error("AWS's validator came to no end with `{template}`")]
    Unfinished {
        /// The name of the template's file
        template: String,
        /// What it said
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

#[cfg(feature = "validate")]
pub use self::built_in::Validator;

/// AWS's validator, which this program was built without.
#[cfg(not(feature = "validate"))]
#[derive(Debug)]
pub enum Validator {}

#[cfg(not(feature = "validate"))]
impl Validator {
    /// There is none.
    ///
    /// # Errors
    /// Always [`Error::Absent`].
    pub fn new(_: Vec<GuardRules>) -> Result<Self, Error> {
        Err(Error::Absent)
    }

    /// There is none to say anything.
    ///
    /// # Errors
    /// None.
    pub fn diagnostics<T>(&self, _: &Assembly<T>, _: &Path) -> Result<Diagnostics, Error> {
        match *self {}
    }
}

#[cfg(feature = "validate")]
mod built_in {
    use cloudformation_validate::{
        CompositeEngine, CompositeEngineConfig, ExternalRuleSource, FilterConfig, PseudoParameterOverrides,
        ReportStatus, RuleFilterConfig, SchemaValidator, Severity, SourceSpan, ValidateConfig,
        validate_bytes_with_path,
    };
    use rayon::prelude::*;

    use super::{Assembly, Diagnostics, Error, GuardRules, Path};
    use crate::assembly::RenderedStack;
    use crate::diagnostic::Diagnostic;
    use crate::source::{Source, Span};

    /// Rules that ask for less than a blueprint says: a template is for one environment, so names and ARNs stand in it as they are
    /// (W9002, W9013), and a number of a rule of DataBrew keeps the digits that were written, in quotes (W9003).
    const NOT_ASKED: [&str; 3] = ["W9002", "W9003", "W9013"];

    /// AWS's validator.
    pub struct Validator {
        engine: CompositeEngine,
        schemas: SchemaValidator,
    }

    impl Validator {
        /// Makes it ready, which takes a quarter of a second, together with `rules`.
        ///
        /// # Errors
        /// The rules are not in the language of CloudFormation Guard.
        pub fn new(rules: Vec<GuardRules>) -> Result<Self, Error> {
            let rules = rules.into_iter().map(|GuardRules { name, text }| ExternalRuleSource { name, content: text });
            let config = CompositeEngineConfig::new().with_guard_rules(rules);
            let engine = CompositeEngine::new(config).map_err(|error| Error::Rules(error.into()))?;
            Ok(Self { engine, schemas: SchemaValidator::default() })
        }

        /// What it says of the templates of an assembly, as they stand in its folder: errors and warnings, and no mere information.
        ///
        /// # Errors
        /// A template cannot be read, or the validator came to no end with it.
        pub fn diagnostics<T: Sync>(&self, assembly: &Assembly<T>, directory: &Path) -> Result<Diagnostics, Error> {
            let stacks = (0..u32::MAX).into_par_iter().zip(&assembly.stacks);
            let found: Vec<(Source, Vec<Diagnostic>)> = stacks
                .map(|(index, stack)| {
                    let path = directory.join(stack.file());
                    let name = path.display().to_string();
                    let text = std::fs::read_to_string(&path).map_err(|source| Error::Unreadable { path, source })?;
                    let source = Source { name, text: text.into() };
                    let list = self.of(stack, index, &source, &assembly.region)?;
                    Ok((source, list))
                })
                .collect::<Result<_, Error>>()?;
            let (sources, lists): (_, Vec<_>) = found.into_iter().unzip();
            Ok(Diagnostics { sources, list: lists.into_iter().flatten().collect() })
        }

        /// What it says of one template, the `index`th.
        fn of<T>(
            &self,
            stack: &RenderedStack<T>,
            index: u32,
            source: &Source,
            region: &str,
        ) -> Result<Vec<Diagnostic>, Error> {
            let not_asked =
                RuleFilterConfig { ids: NOT_ASKED.map(str::to_owned).into(), ..RuleFilterConfig::default() };
            let config = ValidateConfig {
                filters: FilterConfig::new(RuleFilterConfig::default(), not_asked),
                severity_level: Severity::Warn,
                pseudo_parameter_overrides: PseudoParameterOverrides {
                    region: Some(region.to_owned()),
                    ..PseudoParameterOverrides::default()
                },
                ..ValidateConfig::default()
            };
            let Source { name, text } = source;
            let unfinished = |source| Error::Unfinished { template: name.clone(), source };
            let report = validate_bytes_with_path(&self.engine, &self.schemas, text.as_bytes(), config, name.clone())
                .map_err(|error| unfinished(Some(error.into())))?;
            if report.status == ReportStatus::AnalysisIncomplete {
                return Err(unfinished(None));
            }
            let lines = Lines::of(text);
            let said = report.diagnostics.into_iter().map(|said| {
                let span = said.location.map_or(Span { source: index, ..Span::default() }, |at| lines.span(index, at));
                let message = format!("{}: {}", said.rule_id, said.message);
                let diagnostic = match said.severity {
                    Severity::Error | Severity::Fatal => Diagnostic::error(span, message),
                    Severity::Debug | Severity::Info | Severity::Warn => Diagnostic::warning(span, message),
                };
                let origin = said.entity.as_ref().and_then(|entity| stack.origin(&entity.logical_id));
                let diagnostic = match origin {
                    Some(origin) => diagnostic.label(format!("from `{origin}`")),
                    None => diagnostic,
                };
                diagnostic.maybe_help(said.suggested_fix)
            });
            Ok(said.collect())
        }
    }

    /// Where the lines of a text begin.
    struct Lines<'a> {
        text: &'a str,
        starts: Vec<usize>,
    }

    impl<'a> Lines<'a> {
        fn of(text: &'a str) -> Self {
            let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
            Self { text, starts }
        }

        /// The bytes of a place in lines and columns from 1, columns in characters.
        fn span(&self, source: u32, place: SourceSpan) -> Span {
            let at = |line: u32, column: u32| {
                let (line, column) = (line.saturating_sub(1) as usize, column.saturating_sub(1) as usize);
                let start = self.starts.get(line).copied().unwrap_or(self.text.len());
                let rest = &self.text[start..];
                start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
            };
            let (start, end) = (at(place.start_line, place.start_column), at(place.end_line, place.end_column));
            Span { source, ..Span::new(start, end) }
        }
    }
}
