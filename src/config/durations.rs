//! How long and how often.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::Deserializer;

use super::text;

/// How many days something is kept, written `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention {
    days: u32,
}

/// How often something is done, written `30s`, `5m` or `1h`; or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every(Option<Duration>);

/// Ten years.
const RETENTION_DAYS_MAX: u32 = 3650;
/// Oftener would be asking without end.
const EVERY_MIN: Duration = Duration::from_secs(10);
/// Whatever is done every so often is done every day.
const EVERY_MAX: Duration = Duration::from_hours(24);

impl Retention {
    /// So many days for a default; the tests build all defaults.
    pub(super) const fn of_days(days: u32) -> Self {
        assert!(1 <= days && days <= RETENTION_DAYS_MAX);
        Self { days }
    }

    /// How many days.
    #[must_use]
    pub const fn days(self) -> u32 {
        self.days
    }

    /// The same in milliseconds, to be taken from an instant.
    #[must_use]
    pub const fn millis(self) -> i64 {
        // At most ten years, so this cannot overflow; `i64::from` is not const.
        self.days as i64 * crate::time::DAY_MS
    }
}

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_suffix('d')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|days| (1..=RETENTION_DAYS_MAX).contains(days))
            .map(|days| Self { days })
            .ok_or_else(|| format!("{text:?} is not a retention: write 1d to {RETENTION_DAYS_MAX}d"))
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.days)
    }
}

impl Every {
    /// The pause between two times; `None` is never.
    #[must_use]
    pub const fn pause(self) -> Option<Duration> {
        self.0
    }

    /// Not at all.
    pub const NEVER: Self = Self(None);
}

impl Default for Every {
    /// A lost delivery is found before a customer writes to ask.
    fn default() -> Self {
        Self(Some(Duration::from_mins(5)))
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::NEVER);
        }
        [("s", 1), ("m", 60), ("h", 60 * 60)]
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
            .filter(|(digits, _)| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|(digits, seconds)| digits.parse::<u64>().ok()?.checked_mul(*seconds))
            .map(Duration::from_secs)
            .filter(|pause| (EVERY_MIN..=EVERY_MAX).contains(pause))
            .map(|pause| Self(Some(pause)))
            .ok_or_else(|| format!("{text:?} is not how often: write 10s to 24h, like 5m, or never"))
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}
