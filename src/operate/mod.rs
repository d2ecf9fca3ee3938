//! A lake in AWS, used and looked after: what is there, its answers, its runs, its end.
//!
//! Everything here is found by what the stacks of an environment say of themselves, their tags and their outputs. Nothing is
//! guessed from names, and nothing is written down on this machine: any machine with credentials sees the same lake.

pub mod athena;
pub mod call;
pub mod deployed;
pub mod destroy;
pub mod download;
pub mod empty;
mod error;
pub mod gc;
pub mod ledger;
pub mod run;
pub mod status;

pub use deployed::Deployed;
pub use error::Error;
