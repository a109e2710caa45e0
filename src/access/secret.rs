//! The secret half of an API key.

use std::fmt;
use std::str::FromStr;

use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// How every secret starts, so that scanners of leaked text can find them.
const PREFIX: &str = "nwk_";

/// 256 random bits: nobody guesses one, so a fast hash keeps it as well as a slow one.
const RANDOM_BYTES: usize = 32;

/// An API key's secret: `nwk_` and 64 hexadecimal digits.
///
/// It is shown once, when it is made, and has no other way out.
#[derive(Clone)]
pub struct KeySecret(SecretString);

/// Why a text is not a key's secret. It does not say what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an API key is {PREFIX} and 64 hexadecimal digits")]
pub struct NotASecret;

impl KeySecret {
    /// A new secret; fails only when the system has no randomness to give.
    pub fn generate() -> Result<Self, std::io::Error> {
        use fmt::Write as _;
        let mut random = [0_u8; RANDOM_BYTES];
        SysRng
            .try_fill_bytes(&mut random)
            .map_err(|error| std::io::Error::other(format!("the system gives no randomness: {error}")))?;
        let mut text = String::with_capacity(PREFIX.len() + 2 * RANDOM_BYTES);
        text.push_str(PREFIX);
        for byte in random {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text.into()))
    }

    /// The secret itself, to be shown to the person who asked for the key.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose_secret().as_bytes()).into()
    }
}

impl FromStr for KeySecret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.strip_prefix(PREFIX) {
            Some(digits) if digits.len() == 2 * RANDOM_BYTES && digits.bytes().all(hex) => {
                Ok(Self(text.to_owned().into()))
            }
            _ => Err(NotASecret),
        }
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_read_back_differ_and_stay_out_of_debug_output() {
        let (first, second) = (KeySecret::generate().unwrap(), KeySecret::generate().unwrap());
        assert_ne!(first.reveal(), second.reveal());
        assert_eq!(first.reveal().parse::<KeySecret>().unwrap().hash(), first.hash());
        assert!(!format!("{first:?}").contains(&first.reveal()[4..]));
    }

    #[test]
    fn what_is_no_secret_is_not_even_looked_up() {
        let good = format!("nwk_{}", "a1".repeat(32));
        assert!(good.parse::<KeySecret>().is_ok());
        for bad in [
            "",
            "nwk_",
            &good[1..],
            &good[..67],
            &format!("{good}0"),
            &good.to_uppercase(),
            &format!(" {good}"),
        ] {
            assert!(bad.parse::<KeySecret>().is_err(), "{bad:?} was taken");
        }
    }
}
