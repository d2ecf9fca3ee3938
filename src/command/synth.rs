//! `lakegen synth`

use std::mem::ManuallyDrop;
use std::path::Path;

use serde::Serialize;

use super::Context;
use super::cloud::access_stack;
use super::local::unknown_environment;
use crate::assembly;
use crate::assembly::{Assembly, Assets, RenderedStack, Staging};
use crate::cfn::Format;
use crate::cli::{OwnStack, Synth, TemplateFormat};
use crate::failure::Failure;
use crate::lake::{Environment, Lake};
use crate::lower::lower_each;
use crate::text::counted;

/// So many templates are named to people; machines get the names of all.
const NAMED: usize = 8;

#[derive(Serialize)]
struct Written {
    environment: String,
    directory: String,
    stacks: Vec<String>,
    assets: usize,
}

impl Written {
    fn new<T>(assembly: &Assembly<T>, directory: &Path) -> Self {
        Self {
            environment: assembly.environment.clone(),
            directory: directory.display().to_string(),
            stacks: assembly.stacks.iter().map(RenderedStack::file).collect(),
            assets: assembly.assets.iter().count(),
        }
    }

    fn line(&self) -> String {
        let Self { environment, directory, stacks, assets } = self;
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
    let places = project.places(&lake)?;
    let mut written = Vec::new();
    for (copy, environment) in copies {
        let failed = |error| Failure::edge(error, Some("choose another folder with `--out`".to_owned()));
        written.push(match args.stack {
            Some(OwnStack::Access) => {
                let assembly = access_stack(&lake, (copy, environment), &project, format)?;
                let directory = args.out.join(format!("{}-access", environment.name));
                assembly::write(&assembly, &directory).map_err(failed)?;
                Written::new(&assembly, &directory)
            }
            None => {
                let assets = Assets::collect(copy).map_err(|error| Failure::edge(error, None))?;
                let placement = places.of(copy)?;
                let directory = args.out.join(&environment.name);
                let staging = Staging::new(&directory).map_err(failed)?;
                let write = |file: &str, text: String| staging.add(file, text);
                let assembly = lower_each(copy, environment, &assets, &placement, format, write);
                staging.finish(&assembly).map_err(failed)?;
                Written::new(&assembly, &directory)
            }
        });
    }
    if places.remember()? {
        context.console.note("wrote which stack each thing is in to the lock file beside the blueprint; commit it");
    }
    if context.console.json {
        return Ok(context.console.json(&written)?);
    }
    written.iter().try_for_each(|written| context.console.result(&written.line()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_templates_are_named_and_many_are_counted() {
        let line = |stacks| {
            let stacks = (1..=stacks).map(|number| format!("{number}.yaml")).collect();
            Written { environment: "dev".into(), directory: "out/dev".into(), stacks, assets: 1 }.line()
        };
        assert_eq!(line(2), "dev: 1.yaml, 2.yaml and 1 asset in out/dev");
        assert_eq!(line(192), "dev: 192 templates and 1 asset in out/dev");
    }
}
