//! The secret of a pairing code, and what is done about those who guess.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::time::Timestamp;

/// How every secret of a code starts, so that scanners of leaked text can find them.
const PREFIX: &str = "nwp_";

/// As many characters as 32 bytes are in base64.
const LENGTH: usize = 43;

/// The secret of a pairing code: `nwp_` and 43 characters. It is shown once, when it is made.
#[derive(Clone)]
pub struct Token(SecretString);

/// Why a text is not one. It does not say what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no pairing code: it is {PREFIX} and {LENGTH} characters, what stands behind the # of the link; copy all of it"
)]
pub struct NotAToken;

impl Token {
    /// A new one; fails only when the system has no randomness to give.
    pub fn generate() -> Result<Self, std::io::Error> {
        Ok(Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(super::random()?)).into()))
    }

    /// The secret itself, to be shown to the person who asked for the code.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.reveal().as_bytes()).into()
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let is_one = text.strip_prefix(PREFIX).is_some_and(|rest| {
            rest.len() == LENGTH
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
        if is_one { Ok(Self(text.to_owned().into())) } else { Err(NotAToken) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The wrong codes of the last minute. Cloning it shares them.
///
/// Nobody guesses 256 bits; what is bounded is the noise. The code of somebody who has one is taken all the same, so
/// that a stranger who guesses keeps no shop from being paired.
#[derive(Clone, Debug, Default)]
pub struct Guesses(Arc<Mutex<VecDeque<Timestamp>>>);

/// How many wrong codes are answered in a minute.
const GUESSES_MAX: usize = 10;

/// A minute.
const WITHIN_MS: i64 = 60 * 1000;

impl Guesses {
    /// Notes a wrong code at `now`; if there were too many, answers after how many seconds there may be another.
    pub fn note(&self, now: Timestamp) -> Result<(), u32> {
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while guesses.front().is_some_and(|at| at.plus_millis(WITHIN_MS) <= now) {
            guesses.pop_front();
        }
        if let Some(oldest) = guesses.front().filter(|_| guesses.len() >= GUESSES_MAX) {
            let wait_ms = oldest.plus_millis(WITHIN_MS).millis() - now.millis();
            return Err(u32::try_from((wait_ms + 999) / 1000).unwrap_or(1).max(1));
        }
        guesses.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_and_stays_out_of_debug_output() {
        let (one, other) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().parse::<Token>().unwrap().hash(), one.hash());
        assert!(!format!("{one:?}").contains(&one.reveal()[4..]));
        let good = one.reveal().to_owned();
        for bad in [
            "",
            "nwp_",
            &good[1..],
            &good[..46],
            &format!("{good}a"),
            &format!("{good} "),
            &good.replace("nwp_", "nwk_"),
        ] {
            assert!(bad.parse::<Token>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn ten_guesses_a_minute_are_answered() {
        let guesses = Guesses::default();
        let at = |ms: i64| Timestamp::from_millis(1_000_000 + ms);
        for ms in 0..10 {
            assert_eq!(guesses.note(at(ms * 1000)), Ok(()));
        }
        assert_eq!(guesses.note(at(9_500)), Err(51));
        assert_eq!(guesses.note(at(59_999)), Err(1));
        // The first is a minute old, and no other.
        assert_eq!(guesses.note(at(60_000)), Ok(()));
        assert_eq!(guesses.note(at(60_001)), Err(1));
    }
}
