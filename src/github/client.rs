//! Requests to GitHub, and what its answers mean.

use std::time::Duration;

use http::header::{ACCEPT, LINK, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode, Uri};
use octocrab::Octocrab;
use serde_json::Value;

use super::error::{Error, Grant};
use super::repository::Repository;
use super::token::Credentials;

/// The address of GitHub's API.
pub const API: &str = "https://api.github.com";
/// What GitHub is asked to answer in: its own sort of JSON, or JSON.
const MEDIA: &str = "application/vnd.github+json, application/json";
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take to begin.
const READ: Duration = Duration::from_secs(30);
/// How long lakegen waits by itself when GitHub asks it to slow down.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it waits.
const ATTEMPTS: usize = 3;
/// The most things on a page.
const PAGE: usize = 100;

/// GitHub, with somebody's credentials.
pub struct Client {
    crab: Octocrab,
    from: &'static str,
    url: String,
    in_actions: bool,
}

/// One request.
pub(super) struct Call<'a> {
    /// What it is for, after "cannot": `read the repository acme/lake`.
    pub what: String,
    /// Its method.
    pub method: Method,
    /// Path and query, whose parts went through [`segment`].
    pub path: String,
    /// Its body.
    pub body: Option<&'a Value>,
    /// The scopes without which it cannot work.
    pub needed: &'static [&'static str],
}

impl<'a> Call<'a> {
    /// A request to read something.
    pub fn get(what: impl Into<String>, path: impl Into<String>) -> Self {
        Self { what: what.into(), method: Method::GET, path: path.into(), body: None, needed: &["repo"] }
    }

    /// A request to change something.
    pub fn send(method: Method, what: impl Into<String>, path: impl Into<String>, body: &'a Value) -> Self {
        Self { method, body: Some(body), ..Self::get(what, path) }
    }
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Client {
    /// A client for an API; with a GitHub App, one for its installation in the repository.
    ///
    /// # Errors
    /// The address or the key is none, or the app is not installed there.
    pub async fn open(api: &str, credentials: &Credentials, repository: &Repository) -> Result<Self, Error> {
        let address = || Error::Address(api.to_owned());
        let uri: Uri = api.trim_end_matches('/').parse().map_err(|_| address())?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.query().is_some() {
            return Err(address());
        }
        let builder = Octocrab::builder()
            .base_uri(uri)
            .map_err(|_| address())?
            .add_header(ACCEPT, MEDIA.to_owned())
            .set_connect_timeout(Some(CONNECT))
            .set_read_timeout(Some(READ));
        let from = credentials.origin();
        let in_actions =
            from == "GITHUB_TOKEN" && std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        let failed = |error: octocrab::Error| Error::Network { url: api.to_owned(), reason: reason(&error) };
        let client = |crab| Self { crab, from, url: api.to_owned(), in_actions };
        match credentials {
            Credentials::Token { token, .. } => {
                // octocrab panics on a token that cannot stand in a header.
                if !token.bytes().all(|b| b.is_ascii_graphic()) {
                    let reason = "it has characters that no token has".to_owned();
                    return Err(Error::Token { from, reason });
                }
                Ok(client(builder.personal_token(token.clone()).build().map_err(failed)?))
            }
            Credentials::App { id, key } => {
                let builder =
                    builder.app_from_rsa_pem((*id).into(), key).map_err(|error| Error::Key(reason(&error)))?;
                let app = client(builder.build().map_err(failed)?);
                let path = format!("/repos/{}/{}/installation", segment(&repository.owner), segment(&repository.name));
                let what = format!("find the installation of the GitHub App in {repository}");
                let found = app.json(&Call { needed: &[], ..Call::get(what.clone(), path) }).await?;
                let id = found["id"].as_u64().ok_or(Error::Malformed { what })?;
                let crab = app.crab.installation(id.into()).map_err(|error| Error::Key(reason(&error)))?;
                Ok(client(crab))
            }
        }
    }

    /// What GitHub answers.
    pub(super) async fn json(&self, call: &Call<'_>) -> Result<Value, Error> {
        let answer = self.answer(call).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(self.refusal(call, answer)) }
    }

    /// What GitHub answers; nothing when there is no such thing.
    pub(super) async fn find(&self, call: &Call<'_>) -> Result<Option<Value>, Error> {
        let answer = self.answer(call).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer.body)),
            _ => Err(self.refusal(call, answer)),
        }
    }

    /// The scopes of the token, from the answer to a call; none if it has permissions instead.
    pub(super) async fn with_grant(&self, call: &Call<'_>) -> Result<(Value, Grant), Error> {
        let answer = self.answer(call).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(call, answer));
        }
        let grant = self.grant(call, &answer.headers);
        Ok((answer.body, grant))
    }

    /// All of a list, page by page; `key` is where the list is when it is not the whole answer.
    pub(super) async fn list(&self, call: &Call<'_>, key: Option<&str>) -> Result<Vec<Value>, Error> {
        let joint = if call.path.contains('?') { '&' } else { '?' };
        let mut path = format!("{}{joint}per_page={PAGE}", call.path);
        let mut all = Vec::new();
        loop {
            let page =
                Call { what: call.what.clone(), method: call.method.clone(), path, body: None, needed: call.needed };
            let answer = self.answer(&page).await?;
            if !answer.status.is_success() {
                return Err(self.refusal(&page, answer));
            }
            let list = key.map_or(&answer.body, |key| &answer.body[key]);
            let Some(list) = list.as_array() else { return Err(Error::Malformed { what: page.what }) };
            all.extend(list.iter().cloned());
            match next(&answer.headers) {
                Some(next) => path = next,
                None => return Ok(all),
            }
        }
    }

    /// Sends a request, and sends it again when GitHub asks for a short pause.
    async fn answer(&self, call: &Call<'_>) -> Result<Answer, Error> {
        for _ in 1..ATTEMPTS {
            let answer = self.once(call).await?;
            match pause(&answer) {
                Some(pause) if pause <= PATIENCE => tokio::time::sleep(pause).await,
                _ => return Ok(answer),
            }
        }
        self.once(call).await
    }

    /// Sends a request, and sends it again where GitHub says that a repository of another name is now. What has no body octocrab
    /// sends again itself.
    async fn once(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let answer = self.send(call, &call.path).await?;
        match elsewhere(&answer) {
            Some(path) => self.send(call, &path).await,
            None => Ok(answer),
        }
    }

    async fn send(&self, call: &Call<'_>, path: &str) -> Result<Answer, Error> {
        let failed = |error: octocrab::Error| Error::Network { url: self.url.clone(), reason: reason(&error) };
        let request = http::Request::builder().method(call.method.clone()).uri(path);
        let request = self.crab.build_request(request, call.body).map_err(failed)?;
        let response = self.crab.execute(request).await.map_err(|error| match error {
            // What octocrab asks by itself for an app: the token of its installation.
            octocrab::Error::GitHub { source, .. } => Error::Token { from: self.from, reason: source.message },
            other => failed(other),
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = self.crab.body_to_string(response).await.map_err(failed)?;
        if text.is_empty() {
            return Ok(Answer { status, headers, body: Value::Null });
        }
        match serde_json::from_str(&text) {
            Ok(body) => Ok(Answer { status, headers, body }),
            Err(_) if !status.is_success() => Ok(Answer { status, headers, body: Value::Null }),
            Err(_) => Err(Error::Malformed { what: call.what.clone() }),
        }
    }

    fn grant(&self, call: &Call<'_>, headers: &HeaderMap) -> Grant {
        let list = |name: &str| {
            let names = text(headers, name)?.split(',').map(str::trim).filter(|name| !name.is_empty());
            Some(names.map(str::to_owned).collect::<Vec<_>>())
        };
        Grant {
            scopes: list("x-oauth-scopes"),
            accepted: list("x-accepted-oauth-scopes").unwrap_or_default(),
            permissions: text(headers, "x-accepted-github-permissions").map(str::to_owned),
            needed: call.needed.to_vec(),
            in_actions: self.in_actions,
        }
    }

    fn refusal(&self, call: &Call<'_>, answer: Answer) -> Error {
        let from = self.from;
        let what = call.what.clone();
        let reason = words(&answer.body);
        let headers = &answer.headers;
        match answer.status {
            StatusCode::UNAUTHORIZED => Error::Token { from, reason },
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                if let Some(sso) = text(headers, "x-github-sso") {
                    let url = sso.split(';').find_map(|part| part.trim().strip_prefix("url="));
                    return Error::SingleSignOn { from, url: url.map(str::to_owned) };
                }
                let number = |name: &str| text(headers, name)?.parse::<i64>().ok();
                if number("x-ratelimit-remaining") == Some(0) {
                    return Error::RateLimit { reset: number("x-ratelimit-reset") };
                }
                let seconds = number(RETRY_AFTER.as_str()).and_then(|seconds| u64::try_from(seconds).ok());
                if seconds.is_some()
                    || reason.contains("secondary rate limit")
                    || answer.status == StatusCode::TOO_MANY_REQUESTS
                {
                    return Error::SecondaryLimit { seconds };
                }
                Error::Forbidden { from, what, reason, grant: Box::new(self.grant(call, headers)) }
            }
            StatusCode::NOT_FOUND => Error::NotFound { what, grant: Box::new(self.grant(call, headers)) },
            status if status.is_client_error() => Error::Refused { what, reason },
            status => Error::Failed { what, status: status.as_u16(), reason },
        }
    }
}

/// How long GitHub asks to wait, when that is all that is wrong.
fn pause(answer: &Answer) -> Option<Duration> {
    let limited = matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    let seconds = text(&answer.headers, RETRY_AFTER.as_str())?.parse().ok()?;
    limited.then(|| Duration::from_secs(seconds))
}

/// Where GitHub wants the same request to be sent, as a path: credentials go to nobody else.
fn elsewhere(answer: &Answer) -> Option<String> {
    let moved = matches!(answer.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let uri: Uri = text(&answer.headers, LOCATION.as_str()).filter(|_| moved)?.parse().ok()?;
    Some(uri.path_and_query()?.as_str().to_owned())
}

/// The next page, as a path: an address would be sent without credentials where it is not GitHub's own.
fn next(headers: &HeaderMap) -> Option<String> {
    let link = text(headers, LINK.as_str())?.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, address) = link.split_once('<')?;
    let (address, _) = address.split_once('>')?;
    let uri: Uri = address.parse().ok()?;
    Some(uri.path_and_query()?.as_str().to_owned())
}

/// GitHub's message, and the details behind it.
fn words(body: &Value) -> String {
    let message = body["message"].as_str().unwrap_or("no reason given");
    let detail = |error: &Value| {
        let field = error["field"].as_str();
        match (error.as_str().or(error["message"].as_str()), field, error["code"].as_str()) {
            (Some(message), _, _) => message.to_owned(),
            (None, Some(field), Some(code)) => format!("{field}: {code}"),
            _ => error.to_string(),
        }
    };
    let details: Vec<_> = match &body["errors"] {
        Value::Array(errors) => errors.iter().map(detail).collect(),
        Value::String(error) => vec![error.clone()],
        _ => Vec::new(),
    };
    if details.is_empty() { message.to_owned() } else { format!("{message} ({})", details.join("; ")) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The innermost cause, which says most.
fn reason(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// A name as one part of a path: slashes and spaces in it are escaped.
#[must_use]
pub(super) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_next_page_is_a_path() {
        let mut headers = HeaderMap::new();
        let link = r#"<https://ghe.example.com/api/v3/repositories/1/issues/7/comments?per_page=100&page=2>; rel="next", <https://x/y?page=9>; rel="last""#;
        headers.insert(LINK, link.parse().unwrap());
        assert_eq!(next(&headers).unwrap(), "/api/v3/repositories/1/issues/7/comments?per_page=100&page=2");
        headers.insert(LINK, r#"<https://x/y?page=1>; rel="prev""#.parse().unwrap());
        assert_eq!(next(&headers), None);
    }

    #[test]
    fn the_words_of_a_refusal_are_whole() {
        let body = json!({ "message": "Validation Failed", "errors": [
            { "resource": "PullRequest", "code": "custom", "message": "No commits between main and lakegen" },
            { "resource": "Label", "field": "name", "code": "already_exists" },
            "plain",
        ]});
        assert_eq!(
            words(&body),
            "Validation Failed (No commits between main and lakegen; name: already_exists; plain)"
        );
        assert_eq!(words(&Value::Null), "no reason given");
    }

    #[test]
    fn names_are_one_part_of_a_path() {
        assert_eq!(segment("eu west/1?ä"), "eu%20west%2F1%3F%C3%A4");
    }
}
