//! Whose word counts on GitHub: a token, or a GitHub App.

use std::path::Path;
use std::process::Command;

/// What lakegen shows to GitHub. It is never printed.
pub enum Credentials {
    /// A token, and where it was found.
    Token {
        /// The token.
        token: String,
        /// An environment variable, or a command.
        from: &'static str,
    },
    /// A GitHub App, whose installation gives out tokens.
    App {
        /// Its id.
        id: u64,
        /// Its private key, as GitHub gives it out: PEM.
        key: Vec<u8>,
    },
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nowhere.
    #[error("there is no token for {host}")]
    None {
        /// The host.
        host: String,
    },
    /// The key of the app cannot be read.
    #[error("the private key `{path}` of the GitHub App cannot be read")]
    Key {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl TokenError {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::None { host } => format!(
                "set GITHUB_TOKEN, or sign in with `gh auth login --hostname {host}`, or give a GitHub App with `--app-id` and `--app-key`"
            ),
            Self::Key { .. } => {
                "GitHub gives the key out once, as a `.pem` file, in the settings of the app".to_owned()
            }
        }
    }
}

impl Credentials {
    /// The app if there is one; then the variables that `gh` reads, then what `gh` has stored itself.
    ///
    /// # Errors
    /// There is nothing, or the key of the app cannot be read.
    pub fn find(host: &str, app: Option<(u64, &Path)>) -> Result<Self, TokenError> {
        if let Some((id, path)) = app {
            let unreadable = |source| TokenError::Key { path: path.display().to_string(), source };
            return Ok(Self::App { id, key: std::fs::read(path).map_err(unreadable)? });
        }
        let enterprise = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];
        let usual = ["GH_TOKEN", "GITHUB_TOKEN"];
        // `gh` keeps the tokens of a GitHub Enterprise Server apart. In Actions, which run there too, GITHUB_TOKEN is the server's.
        let cloud = host == "github.com" || host.ends_with(".ghe.com");
        let names = if cloud { usual.iter().chain(&[]) } else { enterprise.iter().chain(&usual) };
        for from in names.copied() {
            if let Some(token) = std::env::var(from).ok().filter(|token| !token.trim().is_empty()) {
                return Ok(Self::Token { token: token.trim().to_owned(), from });
            }
        }
        let token = stored(host).ok_or_else(|| TokenError::None { host: host.to_owned() })?;
        Ok(Self::Token { token, from: "gh auth token" })
    }

    /// Where they are from, for messages.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        match self {
            Self::Token { from, .. } => from,
            Self::App { .. } => "the GitHub App",
        }
    }
}

/// What `gh` keeps, in a keyring or in its file.
fn stored(host: &str) -> Option<String> {
    let output = Command::new("gh").args(["auth", "token", "--hostname", host]).output().ok()?;
    let token = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !token.is_empty()).then_some(token)
}
