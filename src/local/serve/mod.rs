//! The lake's API on this machine.
pub mod attribute;
mod base64;
pub mod dynamodb;
mod http;
pub mod s3;
pub mod store;
