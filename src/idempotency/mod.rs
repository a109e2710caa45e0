//! A request that may be sent again without a second effect.
//!
//! The key, the request's digest and the answer are stored in the transaction of the effect itself. So after
//! a lost answer or a crash either both are there, and the same request gets the same answer, or neither is,
//! and it may be tried again. Only answers of requests that had an effect are stored, for [`RETENTION_MS`]: a key that is
//! used again later is new.

pub mod store;

use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::id::KeyId;
use crate::time::DAY_MS;

/// How long an answer is given again, in milliseconds.
pub const RETENTION_MS: i64 = 30 * DAY_MS;

/// The caller's name for a request, scoped to the API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

/// Why a text cannot be an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to {KEY_LENGTH_MAX} printable ASCII characters")]
pub struct NotAKey;

/// The longest key.
pub const KEY_LENGTH_MAX: usize = 255;

impl Key {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if (1..=KEY_LENGTH_MAX).contains(&text.len()) && printable && text.trim() == text {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAKey)
        }
    }
}

/// A key as its sender's own: callers do not meet each other's.
#[derive(Clone, Debug)]
pub struct OwnKey {
    caller: KeyId,
    key: Key,
    /// What stands for both in every generation of answers.
    number: i64,
}

impl OwnKey {
    /// The key of this caller. Of ten million keys two have the same number in one case of six.
    #[must_use]
    pub fn new(caller: &KeyId, key: Key) -> Self {
        let mut sha = Sha256::new();
        sha.update(caller.as_str());
        // No id and no key has a byte like it, so two pairs are never the same text.
        sha.update([0]);
        sha.update(key.as_str());
        let number =
            sha.finalize().iter().take(NUMBER_BYTES).fold(0, |number, byte| number << 8 | i64::from(*byte));
        Self { caller: caller.clone(), key, number }
    }
}

/// Bytes of a number; the two above are the generation's, which are enough for two thousand years.
const NUMBER_BYTES: usize = 6;

/// What makes two requests the same.
pub type Digest = [u8; 32];

/// The digest of a request: its method, path and body.
#[must_use]
pub fn digest(method: &str, path: &str, body: &[u8]) -> Digest {
    let mut sha = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes(), body] {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its JSON body.
    pub body: String,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: the request is new.
    Never,
    /// The same request was answered before.
    Answered(Answer),
    /// The key stands for another request, which was answered so.
    Mismatch(Answer),
}
