//! What servers leave in the environment's folder: the API's key, and where a running server is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use super::event::Reply;
use super::{ServeError, Target, api, http};
use crate::lake::Access;
use crate::local::platform::{private, process_lives};

/// The key of the local API: made once, then read. Only the user may read its file.
pub(super) fn api_key(base: &Path) -> Result<String, ServeError> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";
    let path = key_file(base);
    match fs::read_to_string(&path) {
        Ok(key) if key.trim().len() >= 20 => return Ok(key.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(ServeError::io(format!("read `{}`", path.display()))(error)),
    }
    let write = || -> io::Result<String> {
        let letter = |byte: u8| LETTERS.get(usize::from(byte & 63)).copied().map_or('a', char::from);
        let key: String = http::random(40)?.into_iter().map(letter).collect();
        fs::create_dir_all(base)?;
        let _ = fs::remove_file(&path);
        let mut file: File = private(OpenOptions::new().write(true).create_new(true)).open(&path)?;
        writeln!(file, "{key}")?;
        Ok(key)
    };
    write().map_err(ServeError::io(format!("write `{}`", path.display())))
}

fn key_file(base: &Path) -> PathBuf {
    base.join("api_key")
}

fn state_file(base: &Path) -> PathBuf {
    base.join("serve.json")
}

#[derive(Serialize, Deserialize)]
struct State {
    address: SocketAddr,
    pid: u32,
}

/// Says where the server is until it is dropped.
pub(super) struct Announcement(PathBuf);

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) fn announce(base: &Path, address: SocketAddr) -> Result<Announcement, ServeError> {
    let path = state_file(base);
    let state = State { address, pid: std::process::id() };
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(base)?;
        serde_json::to_writer(&mut file, &state)?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(ServeError::io(format!("write `{}`", path.display())))?;
    Ok(Announcement(path))
}

/// A server of this environment that another process started.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    key: String,
    client: reqwest::Client,
}

impl Running {
    /// Finds it by what it left in the environment's folder; `None` when none is running.
    pub async fn find(base: &Path) -> Option<Self> {
        let state: State = serde_json::from_slice(&fs::read(state_file(base)).ok()?).ok()?;
        if !process_lives(i32::try_from(state.pid).ok()?) {
            return None;
        }
        tokio::net::TcpStream::connect(state.address).await.ok()?;
        let key = fs::read_to_string(key_file(base)).ok()?.trim().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().ok()?;
        Some(Self { address: state.address, key, client })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks the API as one who may, by its `access`.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn call(&self, target: Target, body: Bytes, access: &Access) -> Result<Reply, ServeError> {
        let Target { method, path, query } = target;
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = self
            .client
            .request(method, format!("http://{}{path}{mark}{query}", self.address))
            .header("x-api-key", &self.key);
        if let Some(authorization) = api::authorization(access) {
            request = request.header("authorization", authorization);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        let failed = |error: reqwest::Error| {
            ServeError::io(format!("ask the server at {}", self.address))(io::Error::other(error))
        };
        let response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Reply { status, headers, body: response.bytes().await.map_err(failed)? })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("local");
        let key = api_key(&base).unwrap();
        assert_eq!(key.len(), 40);
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(api_key(&base).unwrap(), key);
        assert_eq!(fs::metadata(key_file(&base)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(api_key(&dir.path().join("other")).unwrap(), key);
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        api_key(dir.path()).unwrap();
        assert!(Running::find(dir.path()).await.is_none());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let announcement = announce(dir.path(), listener.local_addr().unwrap()).unwrap();
        assert!(Running::find(dir.path()).await.is_some());
        drop(listener);
        assert!(Running::find(dir.path()).await.is_none());
        drop(announcement);
        assert!(!state_file(dir.path()).exists());
    }
}
