//! `lakegen synth`

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Context;
use super::cloud::access_stack;
use super::local::unknown_environment;
use crate::assembly;
use crate::assembly::{Assembly, Assets, RenderedStack, Staging};
use crate::cfn::Format;
use crate::cli::{OwnStack, Synth, TemplateFormat};
use crate::diagnostic::Diagnostics;
use crate::failure::{Exit, Failure};
use crate::lake::{Environment, Lake};
use crate::lower::lower_each;
use crate::text::counted;
use crate::validate::{self, GuardRules, Validator};

/// So many templates are named to people; machines get the names of all.
const NAMED: usize = 8;
/// How to get a lakegen that has AWS's validator.
const BUILD: &str = "take a released lakegen, or build it with `--features validate --ignore-rust-version`";

#[derive(Serialize)]
struct Written {
    environment: String,
    directory: String,
    stacks: Vec<String>,
    assets: usize,
    /// What AWS's validator says, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Diagnostics>,
}

impl Written {
    /// An assembly that stands in a folder, and what the validator says of it.
    fn new<T: Sync>(
        assembly: &Assembly<T>,
        directory: &Path,
        validator: Option<&Validator>,
    ) -> Result<Self, validate::Error> {
        Ok(Self {
            environment: assembly.environment.clone(),
            directory: directory.display().to_string(),
            stacks: assembly.stacks.iter().map(RenderedStack::file).collect(),
            assets: assembly.assets.iter().count(),
            findings: validator.map(|validator| validator.diagnostics(assembly, directory)).transpose()?,
        })
    }

    fn line(&self) -> String {
        let Self { environment, directory, stacks, assets, findings: _ } = self;
        let templates = if stacks.len() > NAMED { counted(stacks.len(), "template") } else { stacks.join(", ") };
        format!("{environment}: {templates} and {} in {directory}", counted(*assets, "asset"))
    }
}

pub fn run(args: &Synth, context: &Context<'_>) -> Result<(), Failure> {
    let project = context.project()?;
    // Never taken apart: the process ends when its files are written.
    let lake = ManuallyDrop::new(context.check(&project)?);
    let copies: Vec<(&Lake, &Environment)> = match &args.env {
        Some(name) if name == "local" => {
            let help = "it runs without templates: `lakegen run --env local`";
            return Err(Failure::usage("`local` is this machine", Some(help.to_owned())));
        }
        Some(name) => vec![lake.copy(name).ok_or_else(|| unknown_environment(name, &lake))?],
        None => lake.copies().collect(),
    };
    if copies.is_empty() {
        let help = "add `environments: { dev: { region: eu-west-1 } }`".to_owned();
        return Err(Failure::usage("the blueprint declares no environment to write templates for", Some(help)));
    }
    let format = match args.format {
        TemplateFormat::Yaml => Format::Yaml,
        TemplateFormat::Json => Format::Json,
    };
    let validator = args.validate.then(|| validator(&args.guard)).transpose()?;
    let places = project.places(&lake)?;
    let mut written = Vec::new();
    for (copy, environment) in copies {
        let failed = |error| Failure::edge(error, Some("choose another folder with `--out`".to_owned()));
        let one = match args.stack {
            Some(OwnStack::Access) => {
                let assembly = access_stack(&lake, (copy, environment), &project, format)?;
                let directory = args.out.join(format!("{}-access", environment.name));
                assembly::write(&assembly, &directory).map_err(failed)?;
                Written::new(&assembly, &directory, validator.as_ref())
            }
            None => {
                let assets = Assets::collect(copy).map_err(|error| Failure::edge(error, None))?;
                let placement = places.of(copy)?;
                let directory = args.out.join(&environment.name);
                let staging = Staging::new(&directory).map_err(failed)?;
                let write = |file: &str, text: String| staging.add(file, text);
                let assembly = lower_each(copy, environment, &assets, &placement, format, write);
                staging.finish(&assembly).map_err(failed)?;
                Written::new(&assembly, &directory, validator.as_ref())
            }
        };
        written.push(one.map_err(|error| Failure::edge(error, None))?);
    }
    if places.remember()? {
        context.console.note("wrote which stack each thing is in to the lock file beside the blueprint; commit it");
    }
    if context.console.json {
        context.console.json(&written)?;
    } else {
        for one in &written {
            context.console.result(&one.line())?;
            match &one.findings {
                Some(findings) if findings.list.is_empty() => {
                    context.console.note(&format!("{}: AWS's validator finds nothing", one.environment));
                }
                Some(findings) => context.console.diagnostics(findings),
                None => {}
            }
        }
    }
    match written.iter().filter_map(|written| written.findings.as_ref()).any(|findings| findings.errors() > 0) {
        true => Err(Failure::shown(Exit::Blueprint)),
        false => Ok(()),
    }
}

/// AWS's validator with the rules of these files.
fn validator(guard: &[PathBuf]) -> Result<Validator, Failure> {
    let rules = guard.iter().map(|path| {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Failure::edge(validate::Error::Unreadable { path: path.clone(), source }, None))?;
        Ok(GuardRules { name: path.display().to_string(), text })
    });
    Validator::new(rules.collect::<Result<_, Failure>>()?).map_err(|error| {
        let help = matches!(error, validate::Error::Absent).then(|| BUILD.to_owned());
        Failure::edge(error, help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_templates_are_named_and_many_are_counted() {
        let line = |stacks| {
            let stacks = (1..=stacks).map(|number| format!("{number}.yaml")).collect();
            Written { environment: "dev".into(), directory: "out/dev".into(), stacks, assets: 1, findings: None }.line()
        };
        assert_eq!(line(2), "dev: 1.yaml, 2.yaml and 1 asset in out/dev");
        assert_eq!(line(192), "dev: 192 templates and 1 asset in out/dev");
    }
}
