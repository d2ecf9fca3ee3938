//! The local environment: the same lake, on this machine.
mod crawl;
pub mod csv;
mod engines;
pub mod evaluate;
mod examples;
pub mod files;
pub mod gate;
mod interpreter;
pub mod interrupt;
mod items;
pub mod land;
pub mod layout;
pub mod ledger;
mod memory;
pub mod outcome;
pub mod plan;
mod platform;
pub mod process;
pub mod python;
mod run;
pub mod schedule;
pub mod serve;
pub mod status;
pub mod worker;

pub use run::{Error, RunOptions, run};
