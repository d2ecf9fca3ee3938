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
/// How long one try of a call may take until its answer begins.
const READ: Duration = Duration::from_secs(30);
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
    /// There are no credentials, they do not work, or they belong to another account.
    pub async fn open(wanted: Wanted<'_>) -> Result<Self, Error> {
        let config = configure(wanted.region).await;
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
        })
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

async fn configure(region: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build();
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
