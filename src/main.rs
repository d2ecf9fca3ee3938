//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let exit = lakegen::command::run(&lakegen::cli::Cli::parse());
    ExitCode::from(exit as u8)
}
