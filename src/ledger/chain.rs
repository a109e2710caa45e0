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
    /// As long as most are.
    const LENGTH: usize = 384;
    // One stretch of bytes: SHA-256 takes a few long pieces faster than many short ones.
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend_from_slice(previous);
    let mut field = |text: &[u8]| {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text);
    };
    field(link.account.as_bytes());
    field(Decimal::of(link.seq).text());
    field(link.operation.as_bytes());
    field(link.kind.as_bytes());
    field(link.grant.unwrap_or_default().as_bytes());
    field(link.source.as_bytes());
    field(link.target.as_bytes());
    field(Decimal::of(link.amount).text());
    field(Decimal::of(link.booked_at).text());
    Sha256::digest(&bytes).into()
}

/// A number in decimal, without going through the heap.
struct Decimal {
    bytes: [u8; 20],
    from: usize,
}

impl Decimal {
    fn of(number: i64) -> Self {
        let mut decimal = Self { bytes: [0; 20], from: 20 };
        let mut rest = number.unsigned_abs();
        loop {
            decimal.put(b"0123456789"[usize::try_from(rest % 10).unwrap_or_default()]);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            decimal.put(b'-');
        }
        decimal
    }

    fn put(&mut self, digit: u8) {
        self.from -= 1;
        self.bytes[self.from] = digit;
    }

    fn text(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hashed_as_they_are_written() {
        for number in [0, 1, -1, 9, 10, 1_795_255_200_000, i64::MAX, i64::MIN] {
            assert_eq!(Decimal::of(number).text(), number.to_string().as_bytes());
        }
    }
}
