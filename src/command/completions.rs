//! `lakegen completions`

use clap::CommandFactory;

use super::Context;
use crate::cli::{Cli, Completions};
use crate::failure::Failure;

pub fn run(args: &Completions, context: &Context<'_>) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lakegen", &mut script);
    Ok(context.console.result(&String::from_utf8_lossy(&script))?)
}
