//! lakegen: one typed YAML blueprint becomes a data lake with machine learning on AWS, and runs on a laptop.
//!
//! ```text
//! blueprint.yaml ─read─▶ Blueprint ─check─▶ Lake ─lower─▶ Assembly ─plan─▶ Plan ─execute─▶ Outcome
//!                        as written         as meant │     plain files
//!                                                    └─run──▶ the same Lake, on this machine
//! ```

pub mod assembly;
pub mod blueprint;
pub mod cfn;
pub mod check;
pub mod cli;
pub mod command;
pub mod console;
pub mod cron;
pub mod decode;
pub mod deploy;
pub mod diagnostic;
pub mod dqdl;
pub mod evaluation;
pub mod failure;
pub mod files;
pub mod github;
pub mod graph;
pub mod kind;
pub mod lake;
mod literal;
pub mod local;
pub mod lower;
pub mod openapi;
pub mod operate;
pub mod placement;
pub mod project;
pub mod region;
pub mod report;
pub mod rows;
pub mod sample;
pub mod schema;
mod set;
pub mod source;
mod sql;
pub mod starter;
pub mod text;
pub mod validate;
pub mod visual;
pub mod workflow;
