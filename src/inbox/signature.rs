//! WooCommerce's signature: base64 of HMAC-SHA256 over the raw body.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

/// The header that carries it.
pub const SIGNATURE: &str = "x-wc-webhook-signature";

/// The body of a delivery whose signature was right.
///
/// [`verify`] is the only way to make one, so a function that takes a `Verified` cannot be handed bytes
/// that nobody checked.
#[derive(Clone, Debug)]
pub struct Verified {
    body: bytes::Bytes,
    by: usize,
}

impl Verified {
    /// The bytes, exactly as they were signed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Which of the secrets it was signed with: the place of the first that fits.
    #[must_use]
    pub const fn by(&self) -> usize {
        self.by
    }
}

/// The signature is missing or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// There is not exactly one signature.
    #[error("the delivery carries no signature")]
    Unsigned,
    /// The signature is made with none of this store's secrets.
    #[error("the signature does not fit the body")]
    Mismatch,
}

/// Checks `body`, byte for byte as received, against its signature, in constant time: it must be made with
/// one of `secrets`. All of them are tried before it is refused, so a refusal always takes as long.
///
/// # Errors
/// [`Forged`] when the signature is missing or wrong.
pub fn verify(secrets: &[&[u8]], headers: &HeaderMap, body: bytes::Bytes) -> Result<Verified, Forged> {
    let mut signatures = headers.get_all(SIGNATURE).iter();
    let (Some(signature), None) = (signatures.next(), signatures.next()) else {
        return Err(Forged::Unsigned);
    };
    let signature = BASE64_STANDARD.decode(signature).map_err(|_| Forged::Mismatch)?;
    for (by, secret) in secrets.iter().enumerate() {
        let mut mac = keyed(secret);
        mac.update(&body);
        if mac.verify_slice(&signature).is_ok() {
            return Ok(Verified { body, by });
        }
    }
    Err(Forged::Mismatch)
}

/// The signature WooCommerce would send with `body`: what tests and the demo sign with.
#[must_use]
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    let mut mac = keyed(secret);
    mac.update(body);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[expect(clippy::unwrap_used, reason = "HMAC takes a key of any length")]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(signatures: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for signature in signatures {
            headers.append(SIGNATURE, signature.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_the_right_signature_of_the_very_bytes_is_taken() {
        let body = bytes::Bytes::from_static(b"{\"id\":27}");
        let right = sign(b"secret", &body);
        assert!(verify(&[b"secret"], &headers(&[&right]), body.clone()).is_ok());
        assert!(verify(&[b"new", b"secret"], &headers(&[&right]), body.clone()).is_ok());
        assert!(verify(&[b"secret", b"old"], &headers(&[&right]), body.clone()).is_ok());
        for (signatures, body) in [
            (vec![], body.clone()),
            (vec![""], body.clone()),
            (vec!["not base64!"], body.clone()),
            (vec![&right[..right.len() - 2]], body.clone()),
            (vec![&right, &right], body.clone()),
            (vec![&right], bytes::Bytes::from_static(b"{\"id\":27} ")),
        ] {
            assert!(
                verify(&[b"secret", b"old"], &headers(&signatures), body).is_err(),
                "{signatures:?} was taken"
            );
        }
        assert!(verify(&[b"other", b"old"], &headers(&[&right]), body.clone()).is_err());
        assert!(verify(&[], &headers(&[&right]), body).is_err());
    }
}
