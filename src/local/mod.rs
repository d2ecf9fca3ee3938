//! The local environment: the same lake, on this machine.
pub mod csv;
pub mod files;
pub mod gate;
mod interpreter;
pub mod land;
pub mod layout;
pub mod ledger;
pub mod plan;
pub mod process;
pub mod python;
pub mod schedule;
pub mod serve;
pub mod worker;
