//! Values that people write on the command line.

use std::net::SocketAddr;
use std::str::FromStr;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::calendar::start_of_day;
use crate::ledger::store::Expiry;
use crate::time::{DAY_MS, HOUR_MS, Timestamp, Validity};
use crate::units::{Credits, Delta};

/// Until when something is good: a validity, or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Until(pub(super) Expiry);

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(validity) = text.parse::<Validity>() {
            return Ok(Self(Expiry::After(validity)));
        }
        text.parse::<Timestamp>().map(|time| Self(Expiry::At(time))).map_err(|_| {
            format!(
                "{text:?} is neither a validity nor a time: write never, cycle, 30d, 3mo, 1y or 2027-01-31"
            )
        })
    }
}

/// Until when something is good that must end one day: so long from now, or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending(pub(super) Expiry);

impl FromStr for Ending {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Until>() {
            Ok(Until(Expiry::After(Validity::Never | Validity::Cycle))) => {
                Err(format!("{text:?} is no end: it must expire, so write 30d, 3mo, 1y or 2027-01-31"))
            }
            Ok(Until(expiry)) => Ok(Self(expiry)),
            Err(_) => {
                Err(format!("{text:?} is neither how long nor a time: write 30d, 3mo, 1y or 2027-01-31"))
            }
        }
    }
}

/// When something begins: an instant, or a day wherever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    Day(NaiveDate),
    At(Timestamp),
}

impl Begin {
    pub(super) fn in_zone(self, zone: Tz) -> Timestamp {
        match self {
            Self::Day(day) => start_of_day(day, zone),
            Self::At(time) => time,
        }
    }
}

impl FromStr for Begin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::Day(day));
        }
        text.parse().map(Self::At).map_err(|wrong: crate::time::NotATime| wrong.to_string())
    }
}

/// From when on: an instant, or so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    At(Timestamp),
    Ago(i64),
}

impl Since {
    pub(super) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(millis) => now.plus_millis(-millis),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago = [("d", DAY_MS), ("h", HOUR_MS), ("m", HOUR_MS / 60)].iter().find_map(|(unit, millis)| {
            let digits = text.strip_suffix(unit)?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let count: i64 = digits.parse().ok().filter(|_| is_number)?;
            count.checked_mul(*millis)
        });
        match ago {
            Some(millis) => Ok(Self::Ago(millis)),
            None => text.parse().map(Self::At).map_err(|_| {
                format!("{text:?} is neither a time nor how long ago: write 30d, 12h, 90m or 2026-11-20")
            }),
        }
    }
}

/// Reads an amount that is not nothing.
pub(super) fn some_credits(text: &str) -> Result<Credits, String> {
    match text.parse::<Credits>() {
        Ok(Credits::ZERO) => Err("0 credits would change nothing".to_owned()),
        Ok(amount) => Ok(amount),
        Err(wrong) => Err(wrong.to_string()),
    }
}

/// Reads a change that is not nothing.
pub(super) fn some_change(text: &str) -> Result<Delta, String> {
    match text.parse::<Delta>() {
        Ok(Delta::ZERO) => Err("0 credits would change nothing".to_owned()),
        Ok(change) => Ok(change),
        Err(wrong) => Err(wrong.to_string()),
    }
}

/// An amount, or all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    All,
    Credits(Credits),
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" { Ok(Self::All) } else { some_credits(text).map(Self::Credits) }
    }
}

/// Reads a reason or a label that is not empty.
pub(super) fn words(text: &str) -> Result<String, String> {
    match crate::site::parse_label(text) {
        Ok(crate::site::Field::Set(words)) => Ok(words),
        Ok(_) => Err("it is empty".to_owned()),
        Err(wrong) => Err(wrong.to_string()),
    }
}

/// How long something stays good, in milliseconds; perhaps not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lasting(pub(super) i64);

/// The longest time that can be written.
const LASTING_DAYS_MAX: i64 = 30;

impl FromStr for Lasting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a time from 0 to {LASTING_DAYS_MAX} days: write 0, 30m, 24h or 7d");
        if text == "0" {
            return Ok(Self(0));
        }
        let units = [("m", 60 * 1000), ("h", HOUR_MS), ("d", DAY_MS)];
        let read = units.iter().find_map(|(unit, ms)| {
            let digits =
                text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse::<i64>().ok()?.checked_mul(*ms)
        });
        read.filter(|ms| (1..=LASTING_DAYS_MAX * DAY_MS).contains(ms)).map(Self).ok_or_else(wrong)
    }
}

/// Reads the number of an order, a product or a variation.
pub(super) fn shop_number(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number >= 1);
    number.ok_or_else(|| "write the number the shop gave it, like 1234".to_owned())
}

/// Reads an address to listen on.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, like 127.0.0.1:8080 or [::1]:8080".to_owned())
}
