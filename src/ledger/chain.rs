//! The hash chain that ties an account's entries together.
//!
//! Each entry's hash is SHA-256 over the account's previous hash and the canonical bytes of the row: every
//! field as its length (eight bytes, big-endian) and its text, in a fixed order. Changing, removing or
//! swapping entries breaks every hash after them.

use sha2::{Digest, Sha256};

/// A link of the chain.
pub type Hash = [u8; 32];

/// What an account's first entry follows.
pub const START: Hash = [0; 32];

/// The fields of an entry, in the order they are hashed.
#[derive(Debug)]
pub struct Link<'a> {
    /// The account.
    pub account: &'a str,
    /// Its number in the account, from 1.
    pub seq: i64,
    /// What moved the credits.
    pub operation: &'a str,
    /// Why.
    pub kind: &'a str,
    /// The grant they belong to.
    pub grant: Option<&'a str>,
    /// Where they came from.
    pub source: &'a str,
    /// Where they went.
    pub target: &'a str,
    /// How many micro-credits.
    pub amount: i64,
    /// When, in milliseconds since 1970.
    pub booked_at: i64,
}

/// The hash of `link` after `previous`.
#[must_use]
pub fn hash(previous: &Hash, link: &Link<'_>) -> Hash {
    let mut sha = Sha256::new();
    sha.update(previous);
    let mut field = |text: &str| {
        sha.update((text.len() as u64).to_be_bytes());
        sha.update(text.as_bytes());
    };
    field(link.account);
    field(&link.seq.to_string());
    field(link.operation);
    field(link.kind);
    field(link.grant.unwrap_or_default());
    field(link.source);
    field(link.target);
    field(&link.amount.to_string());
    field(&link.booked_at.to_string());
    sha.finalize().into()
}
