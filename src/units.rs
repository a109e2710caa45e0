//! Amounts of credits, exact to the micro-credit.
//!
//! In memory and in the database an amount is a whole number of micro-credits; outside it is a plain
//! decimal string, so that it survives JSON and JavaScript intact. There is no float anywhere and no
//! conversion from one.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use crate::schema;

/// Micro-credits in one credit.
pub const MICRO: i64 = 1_000_000;

/// An amount of credits, never negative.
///
/// Direction is carried by where an amount moves from and to, not by a sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

/// A change of credits: an amount with a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delta(i64);

/// Why a text or a number is not an amount of credits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCredits {
    /// The text is not a plain decimal number.
    #[error("{0:?} is not an amount of credits: write a plain decimal like \"1250\" or \"0.5\"")]
    Unreadable(String),
    /// The text has more than six decimals.
    #[error("{0:?} has more than 6 decimals")]
    TooFine(String),
    /// The amount is beyond [`Credits::MAX`].
    #[error("{0} is more than {max} credits", max = Credits::MAX)]
    TooLarge(String),
    /// The amount is below zero where it must not be.
    #[error("{0} is below zero")]
    Negative(String),
}

impl Credits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The smallest amount that is not nothing.
    pub const SMALLEST: Self = Self(1);
    /// One credit.
    pub const ONE: Self = Self(MICRO);
    /// A thousand credits.
    pub const THOUSAND: Self = Self(1_000 * MICRO);
    /// The largest amount, a million million credits: nine of them still fit into an `i64`.
    pub const MAX: Self = Self(1_000_000_000_000 * MICRO);

    /// `micro` micro-credits, or `None` if that is below zero or above [`Credits::MAX`].
    #[must_use]
    pub const fn from_micro(micro: i64) -> Option<Self> {
        if micro >= 0 && micro <= Self::MAX.0 { Some(Self(micro)) } else { None }
    }

    /// The amount in micro-credits.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// As it is read in a sentence: `1 credit`, `0.5 credits`, `12 credits`.
    #[must_use]
    pub fn in_words(self) -> String {
        if self == Self::ONE { "1 credit".to_owned() } else { format!("{self} credits") }
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self + other`, or `None` above [`Credits::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::from_micro)
    }

    /// `self - other`, or `None` when that would go below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).and_then(Self::from_micro)
    }

    /// `self - other`, or zero when there is less than `other`.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// `floor(self × numerator ÷ denominator)`; `None` if it does not fit or the denominator is zero.
    #[must_use]
    pub fn mul_div_floor(self, numerator: i128, denominator: i128) -> Option<Self> {
        if denominator <= 0 || numerator < 0 {
            return None;
        }
        let product = i128::from(self.0).checked_mul(numerator)?;
        i64::try_from(product / denominator).ok().and_then(Self::from_micro)
    }
}

impl Delta {
    /// No change.
    pub const ZERO: Self = Self(0);

    /// A change of `micro` micro-credits.
    #[must_use]
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro)
    }

    /// The change in micro-credits.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// An increase by `amount`.
    #[must_use]
    pub const fn plus(amount: Credits) -> Self {
        Self(amount.0)
    }

    /// A decrease by `amount`.
    #[must_use]
    pub const fn minus(amount: Credits) -> Self {
        Self(-amount.0)
    }

    /// The size of the change, without its direction; `None` if larger than [`Credits::MAX`].
    #[must_use]
    pub fn size(self) -> Option<Credits> {
        self.0.checked_abs().and_then(Credits::from_micro)
    }

    /// Whether this takes credits away.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The change written with its sign, `+1000` or `-3`, as activity lines show it.
    #[must_use]
    pub fn signed(self) -> String {
        if self.0 > 0 { format!("+{self}") } else { self.to_string() }
    }
}

/// Adds up; the sum of all grants of an account is kept below [`Credits::MAX`] by the ledger, so this
/// saturates only on books that `verify` would refuse anyway.
impl std::iter::Sum for Credits {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(Self::MAX))
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        plain(self.0, |text| f.pad(text))
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        plain(self.0, |text| f.pad(text))
    }
}

impl FromStr for Credits {
    type Err = NotCredits;

    fn from_str(text: &str) -> Result<Self, NotCredits> {
        let micro = parse_micro(text)?;
        if micro < 0 {
            return Err(NotCredits::Negative(text.to_owned()));
        }
        Self::from_micro(micro).ok_or_else(|| NotCredits::TooLarge(text.to_owned()))
    }
}

impl FromStr for Delta {
    type Err = NotCredits;

    /// Reads `5`, `-5` and, because people write it on a command line, `+5`.
    fn from_str(text: &str) -> Result<Self, NotCredits> {
        let micro =
            parse_micro(text.strip_prefix('+').filter(|rest| !rest.starts_with('-')).unwrap_or(text))?;
        match Credits::from_micro(micro.saturating_abs()) {
            Some(_) => Ok(Self(micro)),
            None => Err(NotCredits::TooLarge(text.to_owned())),
        }
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        plain(self.0, |text| serializer.serialize_str(text))
    }
}

impl Serialize for Delta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        plain(self.0, |text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

schema::text!(Credits, "Credits", "Credits, as a decimal text without exponent or trailing zeros.", {
    "pattern": r"^(0|[1-9][0-9]{0,12})(\.[0-9]{0,5}[1-9])?$", "examples": ["1250", "0.5"]
});

schema::text!(Delta, "CreditsChange", "A change of credits, as a decimal text with a sign if it is negative.", {
    "pattern": r"^-?(0|[1-9][0-9]{0,12})(\.[0-9]{0,5}[1-9])?$", "examples": ["1000", "-3"]
});

/// Hands micro-credits to `read` as a decimal without trailing zeros: written from its end, because answers hold
/// dozens of them.
fn plain<T>(micro: i64, read: impl FnOnce(&str) -> T) -> T {
    let mut text = [b'0'; 24];
    let mut start = text.len();
    let mut put = |byte: u8| {
        start -= 1;
        text[start] = byte;
    };
    let digit = |number: u64| b'0' + u8::try_from(number % 10).unwrap_or_default();
    let (mut whole, mut fraction) =
        (micro.unsigned_abs() / MICRO.unsigned_abs(), micro.unsigned_abs() % MICRO.unsigned_abs());
    if fraction > 0 {
        let mut is_shown = false;
        for _ in 0..6 {
            is_shown |= fraction % 10 > 0;
            if is_shown {
                put(digit(fraction));
            }
            fraction /= 10;
        }
        put(b'.');
    }
    loop {
        put(digit(whole));
        whole /= 10;
        if whole == 0 {
            break;
        }
    }
    if micro < 0 {
        put(b'-');
    }
    read(str::from_utf8(&text[start..]).unwrap_or_default())
}

fn parse_micro(text: &str) -> Result<i64, NotCredits> {
    let unreadable = || NotCredits::Unreadable(text.chars().take(64).collect());
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(unreadable());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 6 {
        return Err(NotCredits::TooFine(text.chars().take(64).collect()));
    }
    let too_large = || NotCredits::TooLarge(text.chars().take(64).collect());
    let whole: i64 = whole.parse().map_err(|_| too_large())?;
    let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| unreadable())?;
    let size =
        whole.checked_mul(MICRO).and_then(|micro| micro.checked_add(fraction)).ok_or_else(too_large)?;
    Ok(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    #[test]
    fn decimals_are_written_without_trailing_zeros() {
        for (text, shown) in [
            ("1250", "1250"),
            ("0.5", "0.5"),
            ("0.500000", "0.5"),
            ("007", "7"),
            ("0.000001", "0.000001"),
            ("1.0", "1"),
        ] {
            assert_eq!(text.parse::<Credits>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for text in
            ["", ".", "1.", ".5", "1e3", "+5", " 5", "5 ", "1,000", "NaN", "0x10", "٣", "--5", "1.0000001"]
        {
            assert!(text.parse::<Credits>().is_err(), "{text:?} was taken");
        }
        assert!("-1".parse::<Credits>().is_err());
        assert!("99999999999999999999".parse::<Credits>().is_err());
    }

    #[test]
    fn a_change_carries_its_sign() {
        assert_eq!("+5".parse::<Delta>().unwrap().signed(), "+5");
        assert_eq!("-0.25".parse::<Delta>().unwrap().signed(), "-0.25");
        assert!("+-5".parse::<Delta>().is_err());
    }

    #[test]
    fn a_json_number_is_not_an_amount() {
        assert!(serde_json::from_str::<Credits>("5").is_err());
        assert_eq!(serde_json::from_str::<Credits>("\"5\"").unwrap().to_string(), "5");
    }

    #[test]
    fn writing_and_reading_gives_the_same_amount() {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
        println!("SEED={seed}");
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..10_000 {
            let amount = Credits::from_micro(random.random_range(0..=Credits::MAX.micro())).unwrap();
            assert_eq!(amount.to_string().parse::<Credits>().unwrap(), amount);
        }
    }
}
