//! Whose credentials, which account, which region.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

use super::error::{AwsError, Error, told};

/// How often a call is tried. Throttled calls wait up to 20 s between tries, so this spans a minute or two.
const ATTEMPTS: u32 = 8;
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one try of a call may take until its answer begins, unless [`TIMEOUT`] says otherwise.
const READ: Duration = Duration::from_secs(30);
/// The variable with the seconds that [`READ`] is instead.
const TIMEOUT: &str = "LAKEGEN_TIMEOUT";
/// How slowly a body may travel before its try is given up: bytes a second.
const SLOWEST: u64 = 8 << 10;
/// How long a token may be. Source: "ClientRequestToken" of the CloudFormation API reference.
const MAX_TOKEN: usize = 128;

/// An account and a region, with clients that speak to them.
#[derive(Debug, Clone)]
pub struct Session {
    /// Settings for clients of further services.
    pub config: SdkConfig,
    /// The twelve digits of the account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The ARN of whoever the credentials belong to.
    pub caller: String,
    /// CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Where S3 is, when it is not AWS's own: an emulator, addressed by path.
    pub s3_endpoint: Option<String>,
    /// How long one try of a call may take until its answer begins.
    patience: Duration,
}

/// What an environment asks of a session.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// Its region.
    pub region: &'a str,
    /// Its account, if the blueprint says so.
    pub account: Option<&'a str>,
}

impl Session {
    /// Finds credentials by the SDK's chain, asks whose they are, and refuses those of another account than the environment's.
    ///
    /// `AWS_ENDPOINT_URL` and the other settings of the SDK are honoured; the region is always the environment's.
    ///
    /// # Errors
    /// There are no credentials, they do not work, or they belong to another account; `LAKEGEN_TIMEOUT` is no number of seconds.
    pub async fn open(wanted: Wanted<'_>) -> Result<Self, Error> {
        let patience = patience(std::env::var(TIMEOUT).ok().as_deref())?;
        let config = configure(wanted.region, patience).await;
        let identity = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let identity = identity.map_err(|error| told("sts:GetCallerIdentity", error))?;
        let missing = || AwsError::malformed("sts:GetCallerIdentity");
        let account = identity.account.ok_or_else(missing)?;
        let caller = identity.arn.ok_or_else(missing)?;
        if let Some(expected) = wanted.account
            && expected != account
        {
            let (environment, expected) = (wanted.environment.to_owned(), expected.to_owned());
            return Err(Error::WrongAccount { environment, expected, account, caller });
        }
        let own = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().find_map(|name| std::env::var(name).ok());
        let s3_endpoint = own.or_else(|| config.endpoint_url().map(str::to_owned)).filter(|url| !url.is_empty());
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(s3_endpoint.is_some()).build();
        Ok(Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            config,
            account,
            region: wanted.region.to_owned(),
            caller,
            s3_endpoint,
            patience,
        })
    }

    /// How long one try of a call may take that sends so many bytes.
    #[must_use]
    pub fn patience(&self, bytes: u64) -> Duration {
        self.patience + Duration::from_secs(bytes / SLOWEST)
    }

    /// The address under which CloudFormation reads an object.
    #[must_use]
    pub fn object_url(&self, bucket: &str, key: &str) -> String {
        match &self.s3_endpoint {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => {
                let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://{bucket}.s3.{}.{suffix}/{key}", self.region)
            }
        }
    }

    /// A token for one request: by it its operation is found among a stack's events, and others see whose it is.
    ///
    /// No two requests have the same: CloudFormation would take the second for the first, even long after that has failed.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "two requests by the same person differ in their time alone")]
    pub fn token(&self, work: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let who = self.caller_name().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let mut token = format!("lakegen-{work}-{now:x}-{:x}-by-{who}", std::process::id());
        token.truncate(MAX_TOKEN);
        token.trim_end_matches('-').to_owned()
    }

    /// Who the credentials belong to, without the account: `user/alice`, `assumed-role/ci/github`.
    #[must_use]
    pub fn caller_name(&self) -> &str {
        self.caller.rsplit(':').next().unwrap_or(&self.caller)
    }
}

/// What `LAKEGEN_TIMEOUT` says, if it is set.
fn patience(written: Option<&str>) -> Result<Duration, Error> {
    let Some(written) = written.filter(|written| !written.is_empty()) else { return Ok(READ) };
    let seconds = written.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| !seconds.is_zero()).ok_or_else(|| Error::Timeout(written.to_owned()))
}

async fn configure(region: &str, patience: Duration) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(patience).build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
        .app_name(app_name())
        .load()
        .await
}

/// How AWS's logs name lakegen.
fn app_name() -> aws_config::AppName {
    #[expect(clippy::expect_used, reason = "the name is a constant of letters")]
    aws_config::AppName::new("lakegen").expect("letters are allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_number_of_seconds() {
        for (written, seconds) in
            [(None, Some(30.0)), (Some(""), Some(30.0)), (Some("0.5"), Some(0.5)), (Some("90"), Some(90.0))]
        {
            assert_eq!(patience(written).ok().map(|patience| patience.as_secs_f64()), seconds, "{written:?}");
        }
        for written in ["0", "-1", "soon", "NaN", "inf", "1e300", "5s"] {
            assert!(matches!(patience(Some(written)), Err(Error::Timeout(_))), "{written}");
        }
    }
}
