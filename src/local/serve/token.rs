//! Tokens of Cognito, as its authorizer of API Gateway looks at them. Nothing here knows the pool's keys, so signatures are not
//! verified; everything else is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// What a token says of who sends it.
pub(super) type Claims = Map<String, Value>;

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is none, or none of the sort that is asked for.
    Unauthorized,
    /// Its time is over.
    Expired,
}

/// The claims of a token in the header `authorization`, bare or behind `Bearer `. `scopes` are those of which an access token
/// must have one; when there are none, an identity token is asked for. `now` is in seconds since 1970.
pub(super) fn claims(header: &str, scopes: &[String], now: u64) -> Result<Claims, Refused> {
    let token = header.strip_prefix("Bearer ").unwrap_or(header);
    let mut parts = token.split('.');
    let (Some(head), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Refused::Unauthorized);
    };
    let object = |part: &str| -> Option<Claims> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
    };
    let (Some(_), Some(claims)) = (object(head), object(payload)) else { return Err(Refused::Unauthorized) };
    if claims.get("exp").and_then(Value::as_u64).is_none_or(|end| end <= now) {
        return Err(Refused::Expired);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let wanted = if scopes.is_empty() { "id" } else { "access" };
    let allowed = scopes.is_empty() || text("scope").split(' ').any(|scope| scopes.iter().any(|known| known == scope));
    if text("token_use") == wanted && allowed { Ok(claims) } else { Err(Refused::Unauthorized) }
}

/// A token that is let in here and, being signed by nobody, nowhere else.
pub(super) fn of_this_machine(scopes: &[String], now: u64) -> String {
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut claims = json!({ "sub": "local", "cognito:username": "local", "iat": now, "exp": now + 3_600 });
    if scopes.is_empty() {
        claims["token_use"] = "id".into();
    } else {
        claims["token_use"] = "access".into();
        claims["scope"] = scopes.join(" ").into();
    }
    format!("{}.{}.none", encode(json!({ "alg": "none", "typ": "JWT" })), encode(claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", encode(&json!({ "alg": "RS256", "kid": "k" })), encode(claims))
    }

    #[test]
    fn tokens_are_held_to_their_sort_scope_and_time() {
        let scopes = ["orders/read".to_owned(), "orders/write".to_owned()];
        let id = json!({ "token_use": "id", "exp": 100, "sub": "a" });
        let access = json!({ "token_use": "access", "exp": 100, "scope": "openid orders/write" });
        let other = json!({ "token_use": "access", "exp": 100, "scope": "orders/writer" });
        let table = [
            (token(&id), &scopes[..0], 99, None),
            (format!("Bearer {}", token(&id)), &scopes[..0], 99, None),
            (token(&id), &scopes[..0], 100, Some(Refused::Expired)),
            (token(&json!({ "token_use": "id" })), &scopes[..0], 1, Some(Refused::Expired)),
            (token(&id), &scopes[..], 99, Some(Refused::Unauthorized)),
            (token(&access), &scopes[..], 99, None),
            (token(&access), &scopes[..0], 99, Some(Refused::Unauthorized)),
            (token(&other), &scopes[..], 99, Some(Refused::Unauthorized)),
            (of_this_machine(&scopes, 50), &scopes[..], 99, None),
            (of_this_machine(&[], 50), &scopes[..0], 99, None),
            (String::new(), &scopes[..0], 99, Some(Refused::Unauthorized)),
            ("a.b.c".into(), &scopes[..0], 99, Some(Refused::Unauthorized)),
            (format!("{}.x", token(&id)), &scopes[..0], 99, Some(Refused::Unauthorized)),
            ("AWS4-HMAC-SHA256 Credential=a".into(), &scopes[..0], 99, Some(Refused::Unauthorized)),
        ];
        for (header, scopes, now, refused) in table {
            assert_eq!(claims(&header, scopes, now).err(), refused, "{header} at {now}");
        }
        assert_eq!(claims(&token(&id), &[], 1).unwrap()["sub"], "a");
    }
}
