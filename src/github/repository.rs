//! Which repository, on which GitHub.

use std::fmt;
use std::path::Path;
use std::process::Command;

/// A repository by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The user or organization.
    pub owner: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl std::str::FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |part: &str| {
            !part.is_empty()
                && !part.bytes().all(|b| b == b'.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match text.split_once('/') {
            Some((owner, name)) if allowed(owner) && allowed(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err("a repository is written like `acme/lake`".to_owned()),
        }
    }
}

/// Where git says that the work tree comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The host, as in `github.com`.
    pub host: String,
    /// The repository.
    pub repository: Repository,
}

/// Why git does not say which repository it is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GitError {
    /// The program is not there, or it does not work.
    #[error("git cannot be asked: {0}")]
    Git(String),
    /// Not a work tree.
    #[error("`{0}` is not in a git repository")]
    NotARepository(String),
    /// There is no remote.
    #[error("the git repository has no remote")]
    NoRemote,
    /// There are several, and none is called `origin`.
    #[error("the git repository has several remotes and none is called `origin`: {}", crate::diagnostic::listed(.0))]
    Several(Vec<String>),
    /// The remote is a path, or nothing that names a host, an owner and a repository.
    #[error("the remote `{0}` is not a repository on GitHub")]
    NotGitHub(String),
    /// The remote is somewhere else.
    #[error("the remote is on {host}, not on {wanted}")]
    OtherHost {
        /// The remote's host.
        host: String,
        /// The host whose API is asked.
        wanted: String,
    },
    /// Something is not committed.
    #[error("{} not committed: {}", if .0.len() == 1 { "a file is" } else { "files are" }, crate::diagnostic::listed(.0))]
    Dirty(Vec<String>),
    /// No branch is checked out.
    #[error("no branch is checked out: HEAD is detached")]
    Detached,
}

impl GitError {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Git(_) => "install git, or name the repository with `--repository OWNER/NAME`",
            Self::NotARepository(_) => "`git init` makes one; `--repository OWNER/NAME` names one elsewhere",
            Self::NoRemote => {
                "`git remote add origin https://github.com/OWNER/NAME.git` adds it; or name it with `--repository OWNER/NAME`"
            }
            Self::Several(_) => "name the repository with `--repository OWNER/NAME`",
            Self::OtherHost { .. } => {
                "if it is a GitHub Enterprise Server, give `--api-url https://HOST/api/v3`; lakegen works with no other forges"
            }
            Self::Dirty(_) => {
                "GitHub gets what the blueprint says here: commit it, or stash it; `--allow-dirty` goes on without"
            }
            Self::Detached => "`git switch BRANCH` checks one out; `--allow-dirty` goes on without",
            Self::NotGitHub(_) => {
                "name the repository with `--repository OWNER/NAME`, and `--api-url` for GitHub Enterprise"
            }
        }
    }
}

/// The remote of a work tree: `origin`, or the only one.
///
/// # Errors
/// There is none, or it names no repository.
pub fn remote(folder: &Path) -> Result<Remote, GitError> {
    let names = git(folder, &["remote"])?;
    let names: Vec<_> = names.lines().collect();
    let name = match names.as_slice() {
        [] => return Err(GitError::NoRemote),
        [only] => only,
        several if several.contains(&"origin") => "origin",
        several => return Err(GitError::Several(several.iter().map(|name| (*name).to_owned()).collect())),
    };
    let url = git(folder, &["remote", "get-url", name])?;
    parse(&url).ok_or_else(|| GitError::NotGitHub(without_password(&url)))
}

/// Finds fault with a work tree that is not what is on a branch. A folder without git is none.
///
/// # Errors
/// Something is not committed, or no branch is checked out.
pub fn committed(folder: &Path) -> Result<(), GitError> {
    const SHOWN: usize = 5;
    let changes = match git(folder, &["status", "--porcelain"]) {
        Ok(changes) => changes,
        Err(GitError::NotARepository(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    if !changes.is_empty() {
        let mut files: Vec<_> = changes.lines().filter_map(|line| line.get(3..)).map(str::to_owned).collect();
        if files.len() > SHOWN {
            files.truncate(SHOWN);
            files.push("…".to_owned());
        }
        return Err(GitError::Dirty(files));
    }
    // Exits with 1, and without a word, when HEAD is no branch.
    match git(folder, &["symbolic-ref", "--quiet", "HEAD"]) {
        Err(GitError::Git(said)) if said.is_empty() => Err(GitError::Detached),
        other => other.map(|_| ()),
    }
}

/// The host of a GitHub by the address of its API: `github.com` for `https://api.github.com`.
#[must_use]
pub fn host_of_api(api: &str) -> String {
    let host = api.split_once("://").map_or(api, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    // GitHub, and GitHub Enterprise Cloud with data residency, `https://api.acme.ghe.com`.
    match host.strip_prefix("api.") {
        Some(rest) if rest == "github.com" || rest.ends_with(".ghe.com") => rest.to_owned(),
        _ => host,
    }
}

/// What git answers.
pub(super) fn git(folder: &Path, args: &[&str]) -> Result<String, GitError> {
    let output = Command::new("git").arg("-C").arg(folder).args(args).env("LC_ALL", "C").output();
    let output = output.map_err(|error| GitError::Git(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else if said.contains("not a git repository") {
        Err(GitError::NotARepository(folder.display().to_string()))
    } else {
        Err(GitError::Git(said.trim().to_owned()))
    }
}

/// Host and repository of an address: `https://host/owner/name.git`, `git@host:owner/name`, `ssh://git@host:22/owner/name`.
fn parse(url: &str) -> Option<Remote> {
    let (authority, path) = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git" | "git+ssh", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // A colon before any slash: scp's way of writing it.
        None => url.split_once(':').filter(|(host, _)| !host.contains('/') && host.len() > 1)?,
    };
    let host = authority.rsplit('@').next()?.split(':').next()?.to_ascii_lowercase();
    // The name under which github.com listens for ssh on the port of https.
    let host = if host == "ssh.github.com" { "github.com".to_owned() } else { host };
    let path = path.trim_matches('/');
    let repository = path.strip_suffix(".git").unwrap_or(path).parse().ok()?;
    Some(Remote { host, repository })
}

fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((_, rest)) => format!("{scheme}://{rest}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_read_however_they_are_written() {
        let urls = [
            "https://github.com/acme/lake.git",
            "https://github.com/acme/lake",
            "https://user:secret@GitHub.com/acme/lake/",
            "git@github.com:acme/lake.git",
            "org-42@github.com:acme/lake.git",
            "ssh://git@github.com:22/acme/lake.git",
            "ssh://git@ssh.github.com:443/acme/lake.git",
            "git://github.com/acme/lake.git",
        ];
        for url in urls {
            let remote = parse(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(
                (remote.host.as_str(), remote.repository.to_string()),
                ("github.com", "acme/lake".to_owned()),
                "{url}"
            );
        }
        assert_eq!(parse("git@git.example.com:acme/la.ke.git").unwrap().repository.name, "la.ke");
    }

    #[test]
    fn the_host_of_an_api_is_where_repositories_are() {
        let apis = [
            "https://api.github.com",
            "https://api.acme.ghe.com",
            "https://git.example.com:8443/api/v3",
            "http://127.0.0.1:80",
        ];
        assert_eq!(apis.map(host_of_api), ["github.com", "acme.ghe.com", "git.example.com", "127.0.0.1"]);
    }

    #[test]
    fn what_is_no_repository_is_not_taken_for_one() {
        for url in [
            "",
            "/srv/git/lake.git",
            "../lake",
            "file:///srv/lake.git",
            "C:/lake",
            "https://github.com/acme",
            "https://gitlab.com/a/b/c.git",
            "https://x/a/..",
            "git@host:a b/c",
        ] {
            assert_eq!(parse(url), None, "{url}");
        }
        assert_eq!(without_password("https://me:secret@host/x"), "https://host/x");
    }
}
