//! What the local servers share: a loopback listener that can be stopped, request ids, the clock, query strings.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::serve::ListenerExt;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long a stopping server waits for requests that are under way.
const DRAIN: Duration = Duration::from_secs(2);

/// A server that listens until it is stopped or dropped.
pub(super) struct Listening {
    /// Where it listens.
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Serves `router` on a free port of loopback.
    pub(super) async fn start(router: Router) -> io::Result<Self> {
        Self::on(bind(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).await?, router)
    }

    /// Serves `router` on a port that is bound already.
    pub(super) fn on(listener: TcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        // Small answers must leave at once: without this, Nagle's algorithm adds 40 ms to each.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let router = router.into_make_service_with_connect_info::<SocketAddr>();
            let _ = axum::serve(listener, router)
                .with_graceful_shutdown(async move {
                    let _ = stopped.await;
                })
                .await;
        });
        Ok(Self { address, stop: Some(stop), task })
    }

    /// `http://host:port`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting, lets requests under way finish for a moment, then ends them.
    pub(super) async fn stop(mut self) {
        drop(self.stop.take());
        let _ = tokio::time::timeout(DRAIN, &mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.task.abort();
    }
}

/// Binds `host:port`; port 0 is any free one.
pub(super) async fn bind(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port)).await
}

/// Tells everything that works for a server that it stops.
#[derive(Clone)]
pub(super) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(super) fn stop(&self) {
        self.0.send_replace(true);
    }

    /// `None` when the server stops before the work is done; the work is dropped then.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stopped = self.0.subscribe();
        tokio::select! {
            done = work => Some(done),
            // The sender cannot go: it is ours.
            _ = stopped.wait_for(|stopped| *stopped) => None,
        }
    }
}

/// Makes request ids: UUIDs that differ between processes and are cheap to make.
#[derive(Clone)]
pub(super) struct Ids(Arc<(Vec<u8>, AtomicU64)>);

impl Ids {
    /// # Errors
    /// When the system's source of randomness cannot be read.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new((random(32)?, AtomicU64::new(0)))))
    }

    /// A version 4 UUID, as AWS's request ids are.
    pub(super) fn uuid(&self) -> String {
        let hex = self.hex(32);
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// A header of AWS X-Ray that says that this request is not traced.
    pub(super) fn trace(&self) -> String {
        let hex = self.hex(40);
        format!("Root=1-{:08x}-{};Parent={};Sampled=0", now_ms() / 1000, &hex[..24], &hex[24..])
    }

    fn hex(&self, digits: usize) -> String {
        let count = self.0.1.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::new().chain_update(&self.0.0).chain_update(count.to_le_bytes()).finalize();
        digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(digits).map(hex_digit).collect()
    }
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}

/// `count` random bytes of the system.
///
/// # Errors
/// When the system's source of randomness cannot be read.
pub(super) fn random(count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

/// Milliseconds since 1970: what Lambda's deadlines and API Gateway's events are counted in.
#[expect(clippy::disallowed_methods, reason = "requests carry the time at which they were made, as in the cloud")]
pub(super) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The parts of a moment in UTC.
pub(super) struct Utc {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: usize,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// 0 is Sunday.
    pub(super) weekday: usize,
}

/// English names as HTTP and the common log format write them.
pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Utc {
    /// From seconds since 1970 (days to dates after the proleptic Gregorian calendar, 400-year eras).
    pub(super) fn at(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let rest = seconds.rem_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: usize::try_from(month).unwrap_or(1),
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
        }
    }

    fn month_name(&self) -> &'static str {
        MONTHS.get(self.month.wrapping_sub(1)).copied().unwrap_or("Jan")
    }

    /// `09/Apr/2015:12:34:56 +0000`, as `requestTime` of an API Gateway event.
    pub(super) fn common_log(&self) -> String {
        let Self { year, day, hour, minute, second, .. } = self;
        format!("{day:02}/{}/{year}:{hour:02}:{minute:02}:{second:02} +0000", self.month_name())
    }

    /// `Thu, 09 Apr 2015 12:34:56 GMT`, as `Last-Modified`.
    pub(super) fn http(&self) -> String {
        let Self { year, day, hour, minute, second, .. } = self;
        let weekday = WEEKDAYS.get(self.weekday).copied().unwrap_or("Sun");
        format!("{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", self.month_name())
    }

    /// `2015-04-09T12:34:56.000Z`, as in S3's listings.
    pub(super) fn iso(&self) -> String {
        let Self { year, month, day, hour, minute, second, .. } = self;
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
    }
}

/// Undoes percent encoding; `None` when the result is not UTF-8. A `%` that starts no escape stays as it is.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let escape = match (first, after) {
            (b'%', [high, low, tail @ ..]) => nibble(*high).zip(nibble(*low)).map(|(h, l)| (h << 4 | l, tail)),
            _ => None,
        };
        let (byte, tail) = escape.unwrap_or((first, after));
        decoded.push(byte);
        rest = tail;
    }
    String::from_utf8(decoded).ok()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Percent-encodes everything but unreserved characters and those in `keep`.
pub(super) fn percent_encode(text: &str, keep: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = char::from(byte);
        if plain.is_ascii_alphanumeric() || "-._~".contains(plain) || (plain.is_ascii() && keep.contains(plain)) {
            encoded.push(plain);
        } else {
            encoded.push('%');
            encoded.push(hex_digit(byte >> 4).to_ascii_uppercase());
            encoded.push(hex_digit(byte & 15).to_ascii_uppercase());
        }
    }
    encoded
}

/// The pairs of a query string, decoded, in order; `+` is a blank. Pairs that are not UTF-8 are left out.
pub(super) fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_services_write_them() {
        let leap = Utc::at(1_709_210_096);
        assert_eq!(leap.iso(), "2024-02-29T12:34:56.000Z");
        assert_eq!(leap.http(), "Thu, 29 Feb 2024 12:34:56 GMT");
        assert_eq!(leap.common_log(), "29/Feb/2024:12:34:56 +0000");
        assert_eq!(Utc::at(0).http(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(Utc::at(951_827_696).iso(), "2000-02-29T12:34:56.000Z");
        assert_eq!(Utc::at(4_107_542_400).iso(), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(percent_decode("a%20b%2Fc%252F").as_deref(), Some("a b/c%2F"));
        assert_eq!(percent_decode("100%").as_deref(), Some("100%"));
        assert_eq!(percent_decode("%zz").as_deref(), Some("%zz"));
        assert_eq!(percent_decode("%ff"), None);
        assert_eq!(percent_encode("ä /b", "/"), "%C3%A4%20/b");
        assert_eq!(
            query_pairs("a=1&a=2+3&b&&c=%26"),
            [("a", "1"), ("a", "2 3"), ("b", ""), ("c", "&")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
    }

    #[test]
    fn request_ids_are_version_4_uuids_and_differ() {
        let ids = Ids::new().unwrap();
        let (one, two) = (ids.uuid(), ids.uuid());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
    }
}
