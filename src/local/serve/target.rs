//! What `lakegen call` asks for: `GET /users/42/buy-again?limit=5`.

use std::str::FromStr;

use axum::http::Method;

use super::http::percent_encode;

/// A method, a path and a query string, as they go over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `GET` unless another one is named.
    pub method: Method,
    /// Begins with a slash; percent-encoded.
    pub path: String,
    /// What follows the question mark; percent-encoded, may be empty.
    pub query: String,
}

/// The text is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The path does not begin with a slash.
    #[error("the path `{0}` does not begin with `/`")]
    Path(String),
    /// There is no such method.
    #[error("no HTTP method named `{0}`")]
    Method(String),
}

impl TargetError {
    /// What the user can do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        "write it like `GET /users/42/buy-again?limit=5`"
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// Characters that cannot stand in an address are encoded; what is encoded already stays as it is.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        const KEPT: &str = "%/:@!$&'()*+,;=?";
        let text = text.trim();
        let (method, target) = match text.split_once(char::is_whitespace) {
            Some((method, target)) if !method.starts_with('/') => (method, target.trim()),
            _ if text.starts_with('/') => ("GET", text),
            _ => return Err(TargetError::Path(text.to_owned())),
        };
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let upper = method.to_ascii_uppercase();
        let unknown = || TargetError::Method(method.to_owned());
        let found = known.into_iter().find(|known| *known == upper).ok_or_else(unknown)?;
        if !target.starts_with('/') {
            return Err(TargetError::Path(target.to_owned()));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let method = found.parse().map_err(|_| unknown())?;
        Ok(Self { method, path: percent_encode(path, KEPT), query: percent_encode(query, KEPT) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Target>();
        let target = |method, path: &str, query: &str| Ok(Target { method, path: path.into(), query: query.into() });
        assert_eq!(read("GET /users/42?limit=5"), target(Method::GET, "/users/42", "limit=5"));
        assert_eq!(read("/users/42"), target(Method::GET, "/users/42", ""));
        assert_eq!(read(" post  /a%20b?c=1&d=ä+x "), target(Method::POST, "/a%20b", "c=1&d=%C3%A4+x"));
        assert_eq!(read("/a b?q={x y}"), target(Method::GET, "/a%20b", "q=%7Bx%20y%7D"));
        assert_eq!(read("GET users"), Err(TargetError::Path("users".into())));
        assert_eq!(read("users"), Err(TargetError::Path("users".into())));
        assert_eq!(read(""), Err(TargetError::Path(String::new())));
        assert_eq!(read("FETCH /x"), Err(TargetError::Method("FETCH".into())));
        assert_eq!(read("http://x /y"), Err(TargetError::Method("http://x".into())));
    }
}
