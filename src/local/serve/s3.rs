//! A read-only S3 over folders: `GetObject` (whole or a range), `HeadObject`, `HeadBucket`, `ListObjectsV2`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::http::{Ids, Listening, Utc, percent_decode, percent_encode, query_pairs};
use crate::local::platform::modified;

/// How much of an object is read at a time; a smaller one leaves in a single write.
const CHUNK: u64 = 1 << 20;
const MAX_KEYS: usize = 1000;
/// Deeper folders are not looked into: no real key has so many slashes, a cycle of links has.
const MAX_DEPTH: usize = 64;

/// An S3 endpoint on loopback.
pub struct S3 {
    listening: Listening,
}

impl S3 {
    /// Serves each folder in `buckets` as the bucket of its name, on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(buckets: PathBuf) -> io::Result<Self> {
        let state = Arc::new(Buckets { root: buckets, ids: Ids::new()? });
        let router = Router::new().fallback(answer).with_state(state);
        Ok(Self { listening: Listening::start(router).await? })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// The value of `AWS_ENDPOINT_URL_S3`.
    pub fn url(&self) -> String {
        self.listening.url()
    }

    /// Stops.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

struct Buckets {
    root: PathBuf,
    ids: Ids,
}

struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

fn failure(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
    Failure { status, code, message: message.into() }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", error.to_string())
    }
}

async fn answer(State(buckets): State<Arc<Buckets>>, request: Request) -> Response {
    let id = buckets.ids.uuid();
    let head = request.method() == Method::HEAD;
    let path = request.uri().path().to_owned();
    let mut response = buckets.perform(request).await.unwrap_or_else(|Failure { status, code, message }| {
        let resource = escape(&path);
        let message = escape(&message);
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <Resource>{resource}</Resource><RequestId>{id}</RequestId></Error>"
        );
        xml(status, if head { String::new() } else { body })
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    response
}

fn xml(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

impl Buckets {
    async fn perform(&self, request: Request) -> Result<Response, Failure> {
        let path = percent_decode(request.uri().path().trim_start_matches('/'))
            .ok_or_else(|| failure(StatusCode::BAD_REQUEST, "InvalidURI", "Couldn't parse the specified URI."))?;
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let query = query_pairs(request.uri().query().unwrap_or_default());
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads {
            return Err(failure(StatusCode::FORBIDDEN, "AccessDenied", "The local S3 is read-only."));
        }
        if bucket.is_empty() {
            return Err(unknown_operation());
        }
        let folder = self.bucket(bucket).await?;
        if !key.is_empty() {
            return object(&folder, key, request.method() == Method::HEAD, request.headers()).await;
        }
        if request.method() == Method::HEAD {
            return Ok(StatusCode::OK.into_response());
        }
        let asked = List::read(&query)?;
        let bucket = bucket.to_owned();
        let listed =
            tokio::task::spawn_blocking(move || asked.list(&bucket, &folder)).await.map_err(io::Error::other)??;
        Ok(xml(StatusCode::OK, listed))
    }

    async fn bucket(&self, name: &str) -> Result<PathBuf, Failure> {
        let missing = || failure(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
        let folder = inside(&self.root, name).ok_or_else(missing)?;
        match tokio::fs::metadata(&folder).await {
            Ok(metadata) if metadata.is_dir() => Ok(folder),
            _ => Err(missing()),
        }
    }
}

fn unknown_operation() -> Failure {
    let message = "The local S3 has GetObject, HeadObject, HeadBucket and ListObjectsV2 only.";
    failure(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
}

/// The file of a key; `None` for keys that no file can have or that would lead elsewhere.
fn inside(root: &Path, key: &str) -> Option<PathBuf> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '\\']);
    key.split('/').all(plain).then(|| root.join(key))
}

async fn object(bucket: &Path, key: &str, head: bool, headers: &HeaderMap) -> Result<Response, Failure> {
    let missing = || failure(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    let path = inside(bucket, key).ok_or_else(missing)?;
    let mut file = tokio::fs::File::open(&path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => missing(),
        _ => error.into(),
    })?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Err(missing());
    }
    let size = metadata.len();
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).and_then(|text| range(text, size));
    let (start, end) = match range {
        None => (0, size),
        Some(Some(span)) => span,
        Some(None) => {
            let message = "The requested range is not satisfiable";
            return Err(failure(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message));
        }
    };
    let mut response = Response::builder()
        .status(if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
        .header(header::CONTENT_TYPE, "binary/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, end - start)
        .header(header::ETAG, format!("\"{}\"", etag(&metadata)))
        .header(header::LAST_MODIFIED, Utc::at(written(&metadata)).http());
    if range.is_some() {
        response = response.header(header::CONTENT_RANGE, format!("bytes {start}-{}/{size}", end - 1));
    }
    let body = if head {
        Body::empty()
    } else {
        file.seek(io::SeekFrom::Start(start)).await?;
        body(file, end - start).await?
    };
    response.body(body).map_err(|error| io::Error::other(error).into())
}

async fn body(mut file: tokio::fs::File, length: u64) -> io::Result<Body> {
    if length <= CHUNK {
        return Ok(Body::from(chunk(&mut file, length).await?));
    }
    let chunks = stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let count = left.min(CHUNK);
        let bytes = chunk(&mut file, count).await?;
        Ok(Some((bytes, (file, left - count))))
    });
    Ok(Body::from_stream(chunks))
}

async fn chunk(file: &mut tokio::fs::File, length: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact(&mut bytes).await?;
    Ok(bytes.into())
}

/// Reads a `Range` header: `None` when it is to be ignored, `Some(None)` when it lies outside, else start and end (exclusive).
#[expect(clippy::option_option, reason = "absent, unsatisfiable and satisfiable are three answers")]
fn range(text: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let span = match (first, last) {
        ("", suffix) => {
            let count: u64 = suffix.parse().ok()?;
            (size.saturating_sub(count), size)
        }
        (first, "") => (first.parse().ok()?, size),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    Some((span.0 < span.1).then_some(span))
}

/// Changes when the file does. Not the MD5 of the content: that would mean reading all of it.
fn etag(metadata: &std::fs::Metadata) -> String {
    let modified = modified(metadata);
    format!("{:x}-{:x}{:08x}-1", metadata.len(), modified.as_secs(), modified.subsec_nanos())
}

/// When a file was last written, in seconds since 1970.
fn written(metadata: &std::fs::Metadata) -> i64 {
    i64::try_from(modified(metadata).as_secs()).unwrap_or(i64::MAX)
}

/// What a listing is asked for.
struct List {
    prefix: String,
    delimiter: String,
    after: String,
    max_keys: usize,
    url: bool,
    token: Option<String>,
    start_after: Option<String>,
}

impl List {
    fn read(query: &[(String, String)]) -> Result<Self, Failure> {
        let get = |name: &str| query.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        if get("list-type").as_deref() != Some("2") {
            return Err(unknown_operation());
        }
        let invalid = |message: &str| failure(StatusCode::BAD_REQUEST, "InvalidArgument", message);
        let (token, start_after) = (get("continuation-token"), get("start-after"));
        let after = match &token {
            Some(token) => STANDARD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| invalid("The continuation token provided is incorrect"))?,
            None => start_after.clone().unwrap_or_default(),
        };
        let max_keys = match get("max-keys") {
            None => MAX_KEYS,
            Some(text) => {
                text.parse().map_err(|_| invalid("Provided max-keys not an integer or within integer range"))?
            }
        };
        Ok(Self {
            prefix: get("prefix").unwrap_or_default(),
            delimiter: get("delimiter").unwrap_or_default(),
            after,
            max_keys: max_keys.min(MAX_KEYS),
            url: get("encoding-type").as_deref() == Some("url"),
            token,
            start_after,
        })
    }

    fn list(&self, bucket: &str, folder: &Path) -> io::Result<String> {
        let mut found = Vec::new();
        // Keys of the prefix all lie in the folder that its last slash ends.
        let (base, _) = self.prefix.rsplit_once('/').unwrap_or_default();
        match base {
            "" => walk(folder, "", 0, &mut found)?,
            base => {
                if let Some(start) = inside(folder, base) {
                    walk(&start, &format!("{base}/"), 0, &mut found)?;
                }
            }
        }
        found.retain(|(key, _)| key.starts_with(&self.prefix));
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut contents = String::new();
        let mut prefixes = String::new();
        let (mut count, mut last, mut more) = (0, String::new(), false);
        let mut rolled = String::new();
        for (key, metadata) in &found {
            let rest = key.get(self.prefix.len()..).unwrap_or_default();
            let cut = if self.delimiter.is_empty() { None } else { rest.find(&self.delimiter) };
            let common = cut.and_then(|at| key.get(..self.prefix.len() + at + self.delimiter.len()));
            let name = common.unwrap_or(key);
            if name <= self.after.as_str() || (common.is_some() && name == rolled) {
                continue;
            }
            if count == self.max_keys {
                more = true;
                break;
            }
            count += 1;
            last = name.to_owned();
            if common.is_some() {
                rolled = name.to_owned();
                prefixes.push_str(&format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", self.text(name)));
            } else {
                contents.push_str(&format!(
                    "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size>\
                     <StorageClass>STANDARD</StorageClass></Contents>",
                    self.text(key),
                    Utc::at(written(metadata)).iso(),
                    etag(metadata),
                    metadata.len()
                ));
            }
        }
        let optional =
            |name: &str, text: Option<String>| text.map_or_else(String::new, |text| format!("<{name}>{text}</{name}>"));
        Ok(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Name>{}</Name><Prefix>{}</Prefix>{}{}{}{}<KeyCount>{count}</KeyCount><MaxKeys>{}</MaxKeys>\
             <IsTruncated>{more}</IsTruncated>{}{contents}{prefixes}</ListBucketResult>",
            escape(bucket),
            self.text(&self.prefix),
            optional("Delimiter", (!self.delimiter.is_empty()).then(|| self.text(&self.delimiter))),
            optional("EncodingType", self.url.then(|| "url".to_owned())),
            optional("ContinuationToken", self.token.as_deref().map(escape)),
            optional("StartAfter", self.start_after.as_deref().map(|text| self.text(text))),
            self.max_keys,
            optional("NextContinuationToken", more.then(|| STANDARD.encode(last.as_bytes()))),
        ))
    }

    fn text(&self, text: &str) -> String {
        if self.url { percent_encode(text, "/") } else { escape(text) }
    }
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<(String, std::fs::Metadata)>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // A file that goes while the folder is read is not listed.
        let Ok(metadata) = std::fs::metadata(entry.path()) else {
            continue;
        };
        if metadata.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), depth + 1, found)?;
        } else if metadata.is_file() {
            found.push((format!("{prefix}{name}"), metadata));
        }
    }
    Ok(())
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\r' | '\t' => escaped.push_str(&format!("&#{};", u32::from(character))),
            // XML 1.0 has no way to write other control characters.
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range("bytes=0-3", 10), Some(Some((0, 4))));
        assert_eq!(range("bytes=4-", 10), Some(Some((4, 10))));
        assert_eq!(range("bytes=-3", 10), Some(Some((7, 10))));
        assert_eq!(range("bytes=-30", 10), Some(Some((0, 10))));
        assert_eq!(range("bytes=8-99", 10), Some(Some((8, 10))));
        assert_eq!(range("bytes=10-", 10), Some(None));
        assert_eq!(range("bytes=-0", 10), Some(None));
        for ignored in ["bytes=5-4", "bytes=a-b", "lines=0-1", "bytes=1"] {
            assert_eq!(range(ignored, 10), None, "{ignored}");
        }
    }

    #[test]
    fn no_key_leads_out_of_its_bucket() {
        let root = Path::new("/buckets/raw");
        assert_eq!(inside(root, "a/b.csv"), Some(PathBuf::from("/buckets/raw/a/b.csv")));
        for key in ["../x", "a/../../x", "a/./b", "/etc/passwd", "a//b", "a/", "", "a\0b", ".."] {
            assert_eq!(inside(root, key), None, "{key:?}");
        }
    }
}
