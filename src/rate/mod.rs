//! The rate card: what an action costs.
//!
//! A rate is never changed. Setting one adds a version with the instant from which it counts; a debit is
//! priced by the version that is effective when it is booked, so an old debit can be explained by the card as
//! it was. A rate is above zero by its type, and an action without a rate has no price: nothing is ever free
//! or negative by mistake.
//!
//! This module knows nothing of accounts. [`Version::price`] is pure.

pub mod store;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::id::ActionId;
use crate::time::Timestamp;
use crate::units::Credits;

/// Credits for one unit, in thousandths of a micro-credit: a token may cost less than a micro-credit, a
/// debit never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(i64);

/// How many parts a micro-credit has in a [`Rate`].
const PARTS: i128 = 1_000;
/// The decimals of a rate.
const DECIMALS: usize = 9;
/// The highest rate: a million credits for one unit.
const MAX: i64 = 1_000_000 * 1_000_000_000;

/// Why a text or number is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARate {
    /// Not a plain decimal.
    #[error("{0:?} is not a rate: write a plain decimal like \"3\" or \"0.002\"")]
    Unreadable(String),
    /// Finer than can be kept.
    #[error("{0:?} has more than {DECIMALS} decimals")]
    TooFine(String),
    /// Nothing costs nothing.
    #[error("a rate must be above 0")]
    Zero,
    /// More than anything costs.
    #[error("{0} is above the highest rate, a million credits")]
    TooHigh(String),
}

impl Rate {
    /// The rate in thousandths of a micro-credit.
    #[must_use]
    pub const fn parts(self) -> i64 {
        self.0
    }

    /// The rate of so many thousandths of a micro-credit.
    ///
    /// # Errors
    /// [`NotARate`] unless it is above zero and not too high.
    pub fn from_parts(parts: i64) -> Result<Self, NotARate> {
        match parts {
            ..=0 => Err(NotARate::Zero),
            1..=MAX => Ok(Self(parts)),
            _ => Err(NotARate::TooHigh(parts.to_string())),
        }
    }
}

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let short = || text.chars().take(64).collect::<String>();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(NotARate::Unreadable(short()));
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS {
            return Err(NotARate::TooFine(short()));
        }
        let digits = format!("{whole}{fraction:0<DECIMALS$}");
        let parts: i64 = digits.parse().map_err(|_| NotARate::TooHigh(short()))?;
        Self::from_parts(parts).map_err(|wrong| match wrong {
            NotARate::TooHigh(_) => NotARate::TooHigh(short()),
            wrong => wrong,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:0DECIMALS$}", self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a price is brought to whole micro-credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Round {
    /// To the next one above.
    #[default]
    Up,
    /// To the next one below.
    Down,
    /// To the nearest; a half goes up.
    HalfUp,
}

impl Round {
    /// The rounding's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::HalfUp => "half_up",
        }
    }

    /// The rounding called `text`, if there is one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        [Self::Up, Self::Down, Self::HalfUp].into_iter().find(|round| round.as_str() == text)
    }
}

/// What an action costs from some instant on, until a later version does. What is not said stays as it is in the
/// version that counts until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRate {
    /// What is done.
    pub action: ActionId,
    /// What one unit of it costs.
    pub rate: Rate,
    /// What one unit is, in words.
    pub per: Option<String>,
    /// How prices are rounded.
    pub round: Option<Round>,
    /// What customers read; `{quantity}` in it stands for how much.
    pub label: Option<String>,
    /// From when it counts; now, unless said.
    pub effective_at: Option<Timestamp>,
}

/// A version of an action's rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// What is done.
    pub action: ActionId,
    /// Which version, from 1.
    pub version: i64,
    /// What one unit of it costs.
    pub credits: Rate,
    /// What one unit is, in words.
    pub per: Option<String>,
    /// How prices are rounded.
    pub round: Round,
    /// What customers read.
    pub label: Option<String>,
    /// From when it counts.
    pub effective_at: Timestamp,
    /// When it was set.
    pub created_at: Timestamp,
}

/// What stands in a label for how much.
pub const QUANTITY: &str = "{quantity}";

/// What stands before a label where a debit was undone.
pub const GIVEN_BACK: &str = "Given back: ";

/// The label as customers read it.
#[must_use]
pub fn say(label: String, quantity: Option<i64>) -> String {
    match quantity {
        Some(quantity) => label.replace(QUANTITY, &quantity.to_string()),
        None => label,
    }
}

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPrice {
    /// It rounds to nothing.
    #[error("so little of it costs nothing: ask for more at once")]
    Nothing,
    /// It is more than can be counted.
    #[error("it costs more than {} credits", Credits::MAX)]
    TooMuch,
}

impl Version {
    /// What `quantity` units cost.
    ///
    /// # Errors
    /// [`NoPrice`]: a debit is above zero and fits.
    pub fn price(&self, quantity: i64) -> Result<Credits, NoPrice> {
        let parts = i128::from(quantity) * i128::from(self.credits.0);
        let (whole, rest) = (parts.div_euclid(PARTS), parts.rem_euclid(PARTS));
        let up = match self.round {
            Round::Up => rest > 0,
            Round::Down => false,
            Round::HalfUp => rest * 2 >= PARTS,
        };
        let micro = whole + i128::from(up);
        if micro <= 0 {
            return Err(NoPrice::Nothing);
        }
        i64::try_from(micro).ok().and_then(Credits::from_micro).ok_or(NoPrice::TooMuch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(credits: &str, round: Round) -> Version {
        Version {
            action: "answer".parse().unwrap(),
            version: 1,
            credits: credits.parse().unwrap(),
            per: None,
            round,
            label: None,
            effective_at: Timestamp::from_millis(0),
            created_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_price_is_quantity_times_rate_rounded_as_the_rate_says() {
        for (credits, quantity, up, down, half_up) in [
            ("3", 14, "42", "42", "42"),
            ("0.000001", 1, "0.000001", "0.000001", "0.000001"),
            ("0.0000015", 1, "0.000002", "0.000001", "0.000002"),
            ("0.0000014", 1, "0.000002", "0.000001", "0.000001"),
            ("0.0000015", 2, "0.000003", "0.000003", "0.000003"),
            ("0.000000001", 1, "0.000001", "nothing", "nothing"),
            ("0.000000001", 500, "0.000001", "nothing", "0.000001"),
            ("0.000000001", 1999, "0.000002", "0.000001", "0.000002"),
            ("1000000", 1_000_000, "1000000000000", "1000000000000", "1000000000000"),
            ("1000000", 1_000_001, "too much", "too much", "too much"),
            ("1000000", i64::MAX, "too much", "too much", "too much"),
        ] {
            for (round, price) in [(Round::Up, up), (Round::Down, down), (Round::HalfUp, half_up)] {
                let priced = match version(credits, round).price(quantity) {
                    Ok(price) => price.to_string(),
                    Err(NoPrice::Nothing) => "nothing".to_owned(),
                    Err(NoPrice::TooMuch) => "too much".to_owned(),
                };
                assert_eq!(priced, price, "{quantity} × {credits}, {round:?}");
            }
        }
    }

    #[test]
    fn a_rate_is_a_plain_decimal_above_zero() {
        for (text, shown) in [
            ("3", "3"),
            ("0.002", "0.002"),
            ("0.000000001", "0.000000001"),
            ("10.50", "10.5"),
            ("1000000", "1000000"),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), shown);
        }
        for text in [
            "0",
            "0.0",
            "-1",
            "+1",
            "",
            ".",
            "1.",
            ".5",
            "1e3",
            "1,5",
            "0.0000000001",
            "1000000.1",
            "9".repeat(40).as_str(),
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text:?} was taken");
        }
    }
}
