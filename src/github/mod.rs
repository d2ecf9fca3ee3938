//! GitHub: what is set up there for a lake, and what is said on its pull requests.

pub mod annotation;
pub mod client;
pub mod comment;
pub mod connect;
pub mod error;
mod fold;
pub mod repository;
pub mod token;

pub use self::client::Client;
pub use self::error::Error;
pub use self::repository::Repository;
