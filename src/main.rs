//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;

/// Lakes are trees of small values: this allocator halves the time of large ones (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let exit = lakegen::command::run(&lakegen::cli::Cli::parse());
    ExitCode::from(exit.code())
}
