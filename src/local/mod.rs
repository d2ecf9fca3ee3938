//! The local environment.
pub mod serve;
