//! The lake's API on this machine.
pub mod attribute;
mod base64;
mod http;
pub mod store;
