//! The actions that workflows use, each at the commit of a release.

use super::model::Action;

/// Checks the repository out.
pub static CHECKOUT: Action =
    Action { repository: "actions/checkout", commit: "3d3c42e5aac5ba805825da76410c181273ba90b1", version: "v7.0.1" };

/// Installs Python, and keeps downloaded packages.
pub static SETUP_PYTHON: Action = Action {
    repository: "actions/setup-python",
    commit: "5fda3b95a4ea91299a34e894583c3862153e4b97",
    version: "v7.0.0",
};

/// Keeps what Cargo has built for later runs.
pub static RUST_CACHE: Action =
    Action { repository: "Swatinem/rust-cache", commit: "c19371144df3bb44fab255c43d04cbc2ab54d1c4", version: "v2.9.1" };

/// Hands files to later jobs.
pub static UPLOAD: Action = Action {
    repository: "actions/upload-artifact",
    commit: "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a",
    version: "v7.0.1",
};

/// Takes files from earlier jobs.
pub static DOWNLOAD: Action = Action {
    repository: "actions/download-artifact",
    commit: "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c",
    version: "v8.0.1",
};

/// Exchanges the job's token for credentials of a role.
pub static CREDENTIALS: Action = Action {
    repository: "aws-actions/configure-aws-credentials",
    commit: "e6de054238d6b7531b4efff3b6587d9aade6a06c",
    version: "v6.2.3",
};
