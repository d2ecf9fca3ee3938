//! The event that API Gateway's Lambda proxy integration hands to a function (REST APIs, payload version 1), and what becomes of
//! the function's answer.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::http::{Utc, now_ms, query_pairs};

/// The stage, the environment's name.
pub(super) const STAGE: &str = "local";
const ACCOUNT: &str = "000000000000";
const API: &str = "local";

/// A request to the API.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: Method,
    /// As written, percent-encoded.
    pub path: String,
    /// What follows the question mark; empty when nothing does.
    pub query: String,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// The client's address.
    pub source: IpAddr,
}

/// Decoded parameters of a path or a query string, in order.
pub(super) type Parameters = Vec<(String, String)>;

/// What the gateway knows of a request beside the request itself.
pub(super) struct Context<'a> {
    /// The route's path, `/users/{user_id}`.
    pub(super) resource: &'a str,
    /// Those of the path.
    pub(super) parameters: &'a [(String, String)],
    pub(super) request_id: &'a str,
    pub(super) trace: &'a str,
    /// The key by which the client was let in.
    pub(super) api_key: Option<&'a str>,
    /// What the client's token says.
    pub(super) claims: Option<&'a Map<String, Value>>,
    pub(super) port: u16,
}

/// The event for a request.
pub(super) fn event(request: &Request, context: &Context<'_>) -> Value {
    let Request { method, path, query, body, source, .. } = request;
    let mut headers = header_values(request, context);
    let user_agent = headers.get("User-Agent").and_then(|values| values.last()).cloned();
    let host = headers.get("Host").and_then(|values| values.last()).cloned().unwrap_or_default();
    headers.retain(|name, _| !matches!(name.as_str(), "content-length" | "connection"));
    let mut query_values = Values::new();
    for (name, value) in query_pairs(query) {
        query_values.entry(name).or_default().push(value);
    }
    let parameters: Map<String, Value> =
        context.parameters.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let now = now_ms();
    let mut identity = json!({
        "cognitoIdentityPoolId": null,
        "accountId": null,
        "cognitoIdentityId": null,
        "caller": null,
        "sourceIp": source.to_string(),
        "principalOrgId": null,
        "accessKey": null,
        "cognitoAuthenticationType": null,
        "cognitoAuthenticationProvider": null,
        "userArn": null,
        "userAgent": user_agent,
        "user": null,
    });
    if let (Some(key), Some(identity)) = (context.api_key, identity.as_object_mut()) {
        identity.insert("apiKey".into(), key.into());
        identity.insert("apiKeyId".into(), "local".into());
    }
    let mut event = json!({
        "resource": context.resource,
        "path": path,
        "httpMethod": method.as_str(),
        "headers": last(&headers),
        "multiValueHeaders": all(&headers),
        "queryStringParameters": last(&query_values),
        "multiValueQueryStringParameters": all(&query_values),
        "pathParameters": if parameters.is_empty() { Value::Null } else { parameters.into() },
        "stageVariables": null,
        "requestContext": {
            "resourceId": API,
            "resourcePath": context.resource,
            "httpMethod": method.as_str(),
            "extendedRequestId": context.request_id,
            "requestTime": Utc::at(i64::try_from(now / 1000).unwrap_or_default()).common_log(),
            "path": format!("/{STAGE}{path}"),
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": STAGE,
            "domainPrefix": host.split([':', '.']).next().unwrap_or_default(),
            "requestTimeEpoch": now,
            "requestId": context.request_id,
            "identity": identity,
            "domainName": host,
            "deploymentId": API,
            "apiId": API,
        },
        "body": if body.is_empty() { Value::Null } else { String::from_utf8_lossy(body).into_owned().into() },
        "isBase64Encoded": false,
    });
    if let Some(claims) = context.claims {
        event["requestContext"]["authorizer"] = json!({ "claims": claim_texts(claims) });
    }
    event
}

/// Claims as the gateway hands them on: every value is text.
fn claim_texts(claims: &Map<String, Value>) -> Map<String, Value> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    claims.iter().map(|(name, value)| (name.clone(), text(value).into())).collect()
}

type Values = indexmap::IndexMap<String, Vec<String>>;

fn header_values(request: &Request, context: &Context<'_>) -> Values {
    let mut values = Values::new();
    for (name, value) in &request.headers {
        // The gateway writes these itself, in this spelling whatever the client's.
        let name = match name.as_str() {
            "host" => "Host",
            "user-agent" => "User-Agent",
            "authorization" => "Authorization",
            other => other,
        };
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        values.entry(name.to_owned()).or_default().push(text);
    }
    let own = [
        ("X-Amzn-Trace-Id", context.trace.to_owned()),
        ("X-Forwarded-For", request.source.to_string()),
        ("X-Forwarded-Port", context.port.to_string()),
        ("X-Forwarded-Proto", "http".to_owned()),
    ];
    for (name, value) in own {
        values.shift_remove(&name.to_ascii_lowercase());
        values.insert(name.to_owned(), vec![value]);
    }
    values
}

fn last(values: &Values) -> Value {
    let pairs = values.iter().filter_map(|(name, values)| Some((name.clone(), Value::from(values.last()?.as_str()))));
    null_if_empty(pairs.collect())
}

fn all(values: &Values) -> Value {
    null_if_empty(values.iter().map(|(name, values)| (name.clone(), json!(values))).collect())
}

fn null_if_empty(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { map.into() }
}

/// What a client gets.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those of the transport.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Reads what a function returned; `Err` says what is malformed about it.
pub(super) fn reply(payload: &[u8]) -> Result<Reply, String> {
    let value: Value = serde_json::from_slice(payload).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(answer) = value else { return Err("not an object".into()) };
    let known = ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"];
    if let Some(unknown) = answer.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("it has a member `{unknown}`; those known are {}", known.join(", ")));
    }
    let get = |name: &str| answer.get(name).unwrap_or(&Value::Null);
    let status = match get("statusCode") {
        Value::Null => Some(200),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let status = status.and_then(|status| u16::try_from(status).ok()).filter(|status| (200..600).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.ok_or_else(|| format!("`statusCode` is {}, not a status", get("statusCode")))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let lists = |value: &Value| matches!(value, Value::Array(_));
    for (member, plural) in [("headers", false), ("multiValueHeaders", true)] {
        let pairs = match get(member) {
            Value::Null => continue,
            Value::Object(pairs) => pairs,
            other => return Err(format!("`{member}` is {other}, not an object")),
        };
        for (name, value) in pairs {
            if lists(value) != plural {
                return Err(format!("`{member}` has {value} for `{name}`"));
            }
            let values = if let Value::Array(values) = value { values.as_slice() } else { std::slice::from_ref(value) };
            set(&mut headers, name, values).map_err(|value| format!("`{member}` has {value} for `{name}`"))?;
        }
    }
    // `isBase64Encoded` changes nothing: the API declares no binary media types, so the gateway hands the text on as it is.
    let body = match get("body") {
        Value::Null => Bytes::new(),
        Value::String(text) => Bytes::from(text.clone()),
        other => return Err(format!("`body` is {}, not a string", kind(other))),
    };
    Ok(Reply { status, headers, body })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Replaces a header; gives back the value that cannot be one.
fn set(headers: &mut HeaderMap, name: &str, values: &[Value]) -> Result<(), Value> {
    /// These are the gateway's to write; what a function says of them arrives under another name.
    const REMAPPED: [&str; 9] = [
        "connection",
        "content-length",
        "date",
        "server",
        "trailer",
        "transfer-encoding",
        "www-authenticate",
        "x-amzn-requestid",
        "x-forwarded-for",
    ];
    let lower = name.to_ascii_lowercase();
    let name = if REMAPPED.contains(&lower.as_str()) { format!("x-amzn-remapped-{lower}") } else { lower };
    let name: HeaderName = name.parse().map_err(|_| Value::from(name))?;
    headers.remove(&name);
    for value in values {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            other => return Err(other.clone()),
        };
        headers.append(name.clone(), text.parse().map_err(|_| value.clone())?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str) -> Request {
        let mut headers = HeaderMap::new();
        headers.append("host", HeaderValue::from_static("127.0.0.1:3000"));
        headers.append("user-agent", HeaderValue::from_static("curl/8"));
        headers.append("x-tag", HeaderValue::from_static("a"));
        headers.append("x-tag", HeaderValue::from_static("b"));
        headers.append("content-length", HeaderValue::from_static("0"));
        Request {
            method: Method::GET,
            path: "/users/4%202/buy-again".into(),
            query: query.into(),
            headers,
            body: Bytes::new(),
            source: IpAddr::from([127, 0, 0, 1]),
        }
    }

    fn context<'a>(parameters: &'a [(String, String)]) -> Context<'a> {
        Context {
            resource: "/users/{user_id}/buy-again",
            parameters,
            request_id: "id",
            trace: "Root=1",
            api_key: Some("secret"),
            claims: None,
            port: 3000,
        }
    }

    #[test]
    fn an_event_has_the_members_of_a_rest_proxy_event() {
        let parameters = [("user_id".to_owned(), "4 2".to_owned())];
        let mut event = event(&request("a=1&a=2&b=%26"), &context(&parameters));
        let moment = event["requestContext"]["requestTimeEpoch"].take();
        assert!(moment.as_u64().unwrap() > 1_700_000_000_000);
        assert_eq!(event["requestContext"]["requestTime"].take().as_str().unwrap().len(), 26);
        let expected = json!({
            "resource": "/users/{user_id}/buy-again",
            "path": "/users/4%202/buy-again",
            "httpMethod": "GET",
            "headers": {
                "Host": "127.0.0.1:3000",
                "User-Agent": "curl/8",
                "x-tag": "b",
                "X-Amzn-Trace-Id": "Root=1",
                "X-Forwarded-For": "127.0.0.1",
                "X-Forwarded-Port": "3000",
                "X-Forwarded-Proto": "http",
            },
            "multiValueHeaders": {
                "Host": ["127.0.0.1:3000"],
                "User-Agent": ["curl/8"],
                "x-tag": ["a", "b"],
                "X-Amzn-Trace-Id": ["Root=1"],
                "X-Forwarded-For": ["127.0.0.1"],
                "X-Forwarded-Port": ["3000"],
                "X-Forwarded-Proto": ["http"],
            },
            "queryStringParameters": { "a": "2", "b": "&" },
            "multiValueQueryStringParameters": { "a": ["1", "2"], "b": ["&"] },
            "pathParameters": { "user_id": "4 2" },
            "stageVariables": null,
            "requestContext": {
                "resourceId": "local",
                "resourcePath": "/users/{user_id}/buy-again",
                "httpMethod": "GET",
                "extendedRequestId": "id",
                "requestTime": null,
                "path": "/local/users/4%202/buy-again",
                "accountId": "000000000000",
                "protocol": "HTTP/1.1",
                "stage": "local",
                "domainPrefix": "127",
                "requestTimeEpoch": null,
                "requestId": "id",
                "identity": {
                    "cognitoIdentityPoolId": null,
                    "accountId": null,
                    "cognitoIdentityId": null,
                    "caller": null,
                    "sourceIp": "127.0.0.1",
                    "principalOrgId": null,
                    "accessKey": null,
                    "cognitoAuthenticationType": null,
                    "cognitoAuthenticationProvider": null,
                    "userArn": null,
                    "userAgent": "curl/8",
                    "user": null,
                    "apiKey": "secret",
                    "apiKeyId": "local",
                },
                "domainName": "127.0.0.1:3000",
                "deploymentId": "local",
                "apiId": "local",
            },
            "body": null,
            "isBase64Encoded": false,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn what_is_empty_is_null() {
        let event = event(&request(""), &context(&[]));
        for member in
            ["queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body", "stageVariables"]
        {
            assert_eq!(event[member], Value::Null, "{member}");
        }
    }

    #[test]
    fn answers() {
        let read = |value: Value| reply(value.to_string().as_bytes());
        let full = read(json!({
            "statusCode": "201",
            "headers": { "X-One": "1", "Date": "today", "x-flag": true },
            "multiValueHeaders": { "Set-Cookie": ["a=1", "b=2"] },
            "body": "aGk=",
            "isBase64Encoded": true,
        }))
        .unwrap();
        assert_eq!((full.status.as_u16(), full.body.as_ref()), (201, b"aGk=".as_slice()));
        let text = |name: &str| full.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(text("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(
            (text("x-one"), text("x-flag"), text("content-type")),
            (vec!["1"], vec!["true"], vec!["application/json"])
        );
        assert_eq!((text("date"), text("x-amzn-remapped-date")), (vec![], vec!["today"]));
        let bare = read(json!({})).unwrap();
        assert_eq!((bare.status.as_u16(), bare.body.len()), (200, 0));
        let malformed = [
            json!(null),
            json!("text"),
            json!([1]),
            json!({ "message": "no status" }),
            json!({ "statusCode": "abc" }),
            json!({ "statusCode": 42 }),
            json!({ "statusCode": 99_999 }),
            json!({ "statusCode": 200, "body": { "a": 1 } }),
            json!({ "statusCode": 200, "body": 1 }),
            json!({ "statusCode": 200, "headers": { "a": 1 } }),
            json!({ "statusCode": 200, "headers": { "a": "x\ny" } }),
            json!({ "statusCode": 200, "headers": { "a b": "x" } }),
            json!({ "statusCode": 200, "headers": ["a"] }),
            json!({ "statusCode": 200, "multiValueHeaders": { "a": "x" } }),
        ];
        for value in malformed {
            assert!(read(value.clone()).is_err(), "{value}");
        }
        assert!(reply(b"{").is_err());
    }
}
