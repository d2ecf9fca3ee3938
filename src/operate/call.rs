//! A call of the API in AWS, as one who may.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Request};

use super::{Deployed, Error};
use crate::deploy::Session;
use crate::deploy::error::{AwsError, told};
use crate::lake::Access;
use crate::local::serve::{Reply, Target};

/// API Gateway answers within 29 seconds, or says that it could not.
const TIMEOUT: Duration = Duration::from_secs(35);

/// What a caller shows.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// What the API asks for.
    pub access: &'a Access,
    /// A token of the pool of users.
    pub token: Option<&'a str>,
}

/// Calls the API.
///
/// When the SDK is told of another endpoint than AWS (`AWS_ENDPOINT_URL`), the request goes there, with the API's own host in its
/// header.
///
/// # Errors
/// There is no API, its key cannot be had, or it does not answer.
pub async fn call(
    session: &Session,
    deployed: &Deployed,
    caller: Caller<'_>,
    target: Target,
    body: Bytes,
) -> Result<Reply, Error> {
    let base = deployed.require("ApiUrl", "API")?;
    let Target { method, path, query } = target;
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{path}{mark}{query}", base.trim_end_matches('/'));
    let failed = |reason: String| Error::Call { url: url.clone(), reason };
    let host = host(base).ok_or_else(|| failed("it is no address".into()))?;

    let mut headers = vec![("host".to_owned(), host.to_owned())];
    if !body.is_empty() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    match caller.access {
        Access::Public => {}
        Access::ApiKey => headers.push(("x-api-key".to_owned(), key(session, deployed).await?)),
        Access::Cognito { .. } => {
            headers.extend(caller.token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        }
        Access::Iam => {
            let signed = signature(session, method.as_str(), &url, &headers, &body).await.map_err(failed)?;
            headers.extend(signed);
        }
    }

    let to = match session.config.endpoint_url() {
        Some(endpoint) => url.replacen(&format!("https://{host}"), endpoint.trim_end_matches('/'), 1),
        None => url.clone(),
    };
    let mut request = Request::builder().method(method).uri(to).body(SdkBody::from(body.to_vec()));
    if let Ok(request) = &mut request {
        for (name, value) in &headers {
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                return Err(failed(format!("the value of the header `{name}` cannot be sent")));
            };
            request.headers_mut().insert(name, value);
        }
    }
    let request = request.map_err(|error| failed(error.to_string()))?;
    send(request).await.map_err(failed)
}

async fn send(request: Request<SdkBody>) -> Result<Reply, String> {
    let request = HttpRequest::try_from(request).map_err(|error| error.to_string())?;
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    let connector = Connector::builder().proxy_config(ProxyConfig::from_env()).tls_provider(provider).build();
    let answer = async {
        let response = connector.call(request).await.map_err(|error| chain(&error))?;
        let response = response.try_into_http1x().map_err(|error| chain(&error))?;
        let (parts, body) = response.into_parts();
        let body = ByteStream::new(body).collect().await.map_err(|error| chain(&error))?;
        Ok(Reply { status: parts.status, headers: parts.headers, body: body.into_bytes() })
    };
    let late = |_| format!("no answer within {} seconds", TIMEOUT.as_secs());
    tokio::time::timeout(TIMEOUT, answer).await.map_err(late)?
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The host of an `https` address.
fn host(url: &str) -> Option<&str> {
    url.strip_prefix("https://")?.split('/').next().filter(|host| !host.is_empty())
}

/// The value of the API's key.
async fn key(session: &Session, deployed: &Deployed) -> Result<String, Error> {
    let id = deployed.require("ApiKeyId", "API key")?;
    let client = aws_sdk_apigateway::Client::new(&session.config);
    let key = client.get_api_key().api_key(id).include_value(true).send().await;
    let key = key.map_err(|error| told("apigateway:GET", error))?;
    Ok(key.value.ok_or_else(|| AwsError::malformed("apigateway:GET"))?)
}

/// The headers that sign a request. Source: "Signature Version 4 for API requests" of the IAM user guide.
#[expect(clippy::disallowed_methods, reason = "a signature holds for the minutes around its time")]
async fn signature(
    session: &Session,
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Vec<(String, String)>, String> {
    let provider = session.config.credentials_provider().ok_or("there are no credentials to sign with")?;
    let identity = provider.provide_credentials().await.map_err(|error| chain(&error))?.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&session.region)
        .name("execute-api")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?;
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = SignableRequest::new(method, url, headers, SignableBody::Bytes(body));
    let signed = request.and_then(|request| sign(request, &params.into())).map_err(|error| chain(&error))?;
    let signed = signed.into_parts().0;
    Ok(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_stands_before_the_path() {
        assert_eq!(
            host("https://a.execute-api.eu-west-1.amazonaws.com/v1"),
            Some("a.execute-api.eu-west-1.amazonaws.com")
        );
        assert_eq!(host("https:///v1"), None);
        assert_eq!(host("ftp://a/v1"), None);
    }
}
