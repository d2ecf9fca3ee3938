//! Secrets, closed so that only GitHub can open them: libsodium's sealed boxes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;

/// The secret for a public key; both in Base64. Nothing if the key is none.
pub fn seal(secret: &str, key: &str) -> Option<String> {
    let key: [u8; 32] = STANDARD.decode(key).ok()?.try_into().ok()?;
    let sealed = PublicKey::from(key).seal(&mut OsRng, secret.as_bytes()).ok()?;
    Some(STANDARD.encode(sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_private_key_opens_a_secret() {
        let key = crypto_box::SecretKey::from([7; 32]);
        let public = STANDARD.encode(key.public_key().as_bytes());
        let sealed = STANDARD.decode(seal("hünter2", &public).unwrap()).unwrap();
        assert_eq!(key.unseal(&sealed).unwrap(), "hünter2".as_bytes());
        assert!(crypto_box::SecretKey::from([8; 32]).unseal(&sealed).is_err());
        assert_eq!(seal("x", "AAAA"), None);
        assert_eq!(seal("x", "no key"), None);
    }
}
