//! The kinds of things that a blueprint can hold, one file each: what is written, what it means, how it is checked.
//!
//! Adding a kind: ARCHITECTURE.md has the recipe.

pub mod api;
pub mod buckets;
pub mod checks;
pub mod classifier;
pub mod crawler;
pub mod endpoint;
pub mod environment;
pub mod evaluation;
pub mod export;
pub mod format;
pub mod function;
pub mod github;
pub mod iceberg;
pub(crate) mod instance;
pub mod job;
pub mod lake_formation;
pub mod learning;
pub mod model;
pub mod nested;
pub mod overrides;
pub mod parameter;
pub mod partition;
pub mod pipeline;
pub mod profile;
pub mod query;
pub mod raw;
pub mod recipe;
pub(crate) mod renamed;
pub mod resource;
pub mod sample;
pub mod statement;
pub mod table;
pub mod tags;
pub mod visual;
pub mod workgroup;
pub mod zone;
