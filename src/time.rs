//! Instants, and the one clock they come from.
//!
//! Everything that needs to know the time asks a [`Clock`]: the system's, or one a test turns by hand.
//! Inside a transaction the time stands still (`Tx::now`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Days, Months, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calendar::{Per, local_day, start_of_day};
use crate::schema;

/// An instant, in milliseconds since 1970 UTC; written as RFC 3339 with `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time: write it like 2026-11-20T16:00:00Z")]
pub struct NotATime(String);

impl Timestamp {
    /// The instant `millis` milliseconds after 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The instant `millis` later, or earlier if negative.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The start of the UTC hour this lies in.
    #[must_use]
    pub const fn hour(self) -> Self {
        Self(self.0 - self.0.rem_euclid(HOUR_MS))
    }

    /// The start of the UTC day this lies in.
    #[must_use]
    pub const fn day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_MS))
    }

    /// Reads a time as WooCommerce writes its `*_gmt` fields: UTC, seconds, no zone.
    #[must_use]
    pub fn from_woo_gmt(text: &str) -> Option<Self> {
        let naive = match plain_date(text) {
            Some(naive) => naive,
            None => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok()?,
        };
        Some(Self(naive.and_utc().timestamp_millis()))
    }

    /// This instant as a date and time in UTC.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// A date and time as programs write them, digit for digit, without looking what else might be a date.
fn plain_date(text: &str) -> Option<NaiveDateTime> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(at, mark)| bytes[at] != mark) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to]
            .iter()
            .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let date = NaiveDate::from_ymd_opt(number(0, 4)?.cast_signed(), number(5, 7)?, number(8, 10)?)?;
    date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)
}

/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * 60 * 1000;
/// Milliseconds in a day of UTC.
pub const DAY_MS: i64 = 24 * HOUR_MS;

impl Timestamp {
    /// Its minute for people, like `2026-11-20 18:00 UTC`.
    #[must_use]
    pub fn in_words(self) -> String {
        self.utc().format("%Y-%m-%d %H:%M UTC").to_string()
    }
}

impl Timestamp {
    /// Hands the instant to `read` as it is written. Answers hold dozens of them, so it is done by hand for the years
    /// that have four digits.
    fn written<T>(self, read: impl FnOnce(&str) -> T) -> T {
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let digits = |text: &mut [u8], mut number: i64| {
            for digit in text.iter_mut().rev() {
                *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        let (second, millis) = (self.0.div_euclid(1000), self.0.rem_euclid(1000));
        let (of_day, (year, month, day)) = (second.rem_euclid(86_400), civil(second.div_euclid(86_400)));
        if !(0..=9999).contains(&year) {
            return read(&self.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true));
        }
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], of_day / 3600);
        digits(&mut text[14..16], of_day / 60 % 60);
        digits(&mut text[17..19], of_day % 60);
        digits(&mut text[20..23], millis);
        let length = if millis == 0 { 20 } else { 24 };
        text[length - 1] = b'Z';
        read(str::from_utf8(&text[..length]).unwrap_or_default())
    }
}

/// Year, month and day of the day that is so many after 1970-01-01: counted in years from March, so that a leap day
/// is the last of its year, and in eras of 400 years, which are all alike.
const fn civil(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + if month <= 2 { 1 } else { 0 }, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written(|text| f.pad(text))
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads RFC 3339 with any offset, or a plain date, which means its start in UTC.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(time.timestamp_millis()));
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .and_then(|date| date.and_hms_opt(0, 0, 0))
            .map(|start| Self(start.and_utc().timestamp_millis()))
            .ok_or_else(|| NotATime(text.chars().take(64).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An instant by a shop's own clock, to the microsecond.
///
/// It says which of two things one shop said later, and nothing else: that clock may be wrong, so it is never compared
/// with this program's to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShopTime(i64);

impl ShopTime {
    /// The instant `micros` microseconds after 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The same as a date, as far as a date of the same shop goes.
    #[must_use]
    pub const fn date(self) -> Timestamp {
        Timestamp(self.0.div_euclid(1000))
    }

    /// Whether no clock that is only a little wrong can show this at `now`: whatever came after it would count as
    /// older until then.
    #[must_use]
    pub fn is_absurd(self, now: Timestamp) -> bool {
        self.date() > now.plus_millis(DAY_MS)
    }
}

impl FromStr for ShopTime {
    type Err = NotATime;

    /// Reads RFC 3339 with any offset.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let time = DateTime::parse_from_rfc3339(text);
        time.map(|time| Self(time.timestamp_micros())).map_err(|_| NotATime(text.chars().take(64).collect()))
    }
}

schema::text!(Timestamp, "Timestamp", "An instant in UTC, as RFC 3339; with milliseconds where there are any.", {
    "format": "date-time", "examples": ["2026-11-20T16:00:00Z"]
});

schema::text!(Validity, "Validity", "How long credits are good: for so many days, months or years, to the end of the cycle, or for ever.", {
    "pattern": "^(never|cycle|[0-9]+(d|mo|y))$", "examples": ["1y", "never"]
});

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `now` until it is turned.
    #[must_use]
    pub fn standing_at(now: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.millis()))))
    }

    /// Turns a standing clock to `now`; the system's clock takes no orders.
    pub fn turn_to(&self, now: Timestamp) {
        if let Some(standing) = &self.0 {
            standing.store(now.millis(), Ordering::SeqCst);
        }
    }

    /// What time it is.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(standing) => Timestamp(standing.load(Ordering::SeqCst)),
            None => Timestamp(Utc::now().timestamp_millis()),
        }
    }
}

/// How long credits stay good, counted from the day they become effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// They do not expire.
    Never,
    /// To the end of the local day this many days later.
    Days(u32),
    /// To the end of the local day this many calendar months later; short months clamp.
    Months(u32),
    /// To the end of the calendar month; the ledger knows whether a plan's period takes its place.
    Cycle,
}

impl Validity {
    /// The instant from which credits effective at `from` are no longer good: the start of the day after
    /// their last one, in `zone`. `None` when they never expire.
    #[must_use]
    pub fn expires_at(self, from: Timestamp, zone: Tz) -> Option<Timestamp> {
        let day = local_day(from, zone);
        let next = match self {
            Self::Never => return None,
            Self::Days(days) => day.checked_add_days(Days::new(u64::from(days) + 1))?,
            Self::Months(months) => day.checked_add_months(Months::new(months))?.succ_opt()?,
            Self::Cycle => return Some(Per::Month.span(from, zone).1),
        };
        Some(start_of_day(next, zone))
    }
}

/// Why a text is not a validity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a validity: write never, cycle, or a number with d, mo or y, like 30d, 3mo or 1y")]
pub struct NotAValidity(String);

impl FromStr for Validity {
    type Err = NotAValidity;

    fn from_str(text: &str) -> Result<Self, NotAValidity> {
        let wrong = || NotAValidity(text.chars().take(64).collect());
        let count = |digits: &str, most: u32| match digits.parse::<u32>() {
            Ok(count) if (1..=most).contains(&count) && !digits.starts_with('+') => Ok(count),
            _ => Err(wrong()),
        };
        match text {
            "never" => Ok(Self::Never),
            "cycle" => Ok(Self::Cycle),
            _ => {
                if let Some(digits) = text.strip_suffix("mo") {
                    Ok(Self::Months(count(digits, 1_200)?))
                } else if let Some(digits) = text.strip_suffix('d') {
                    Ok(Self::Days(count(digits, 36_500)?))
                } else if let Some(digits) = text.strip_suffix('y') {
                    Ok(Self::Months(count(digits, 100)? * 12))
                } else {
                    Err(wrong())
                }
            }
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Cycle => f.write_str("cycle"),
            Self::Days(days) => write!(f, "{days}d"),
            Self::Months(months) if months % 12 == 0 => write!(f, "{}y", months / 12),
            Self::Months(months) => write!(f, "{months}mo"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_counted_in_local_days() {
        let vienna: Tz = "Europe/Vienna".parse().unwrap();
        for (from, validity, zone, expires) in [
            ("2026-11-20T16:00:00Z", "30d", Tz::UTC, "2026-12-21T00:00:00Z"),
            ("2026-11-20T23:30:00Z", "30d", vienna, "2026-12-21T23:00:00Z"),
            ("2026-10-31T12:00:00Z", "3mo", Tz::UTC, "2027-02-01T00:00:00Z"),
            ("2026-11-30T12:00:00Z", "3mo", Tz::UTC, "2027-03-01T00:00:00Z"),
            ("2028-02-29T00:00:00Z", "1y", Tz::UTC, "2029-03-01T00:00:00Z"),
            ("2026-11-20T16:00:00Z", "cycle", Tz::UTC, "2026-12-01T00:00:00Z"),
            // The day the clocks go forward has 23 hours and is a day all the same.
            ("2026-03-28T10:00:00Z", "1d", vienna, "2026-03-29T22:00:00Z"),
        ] {
            let validity: Validity = validity.parse().unwrap();
            let expires: Timestamp = expires.parse().unwrap();
            assert_eq!(validity.expires_at(from.parse().unwrap(), zone), Some(expires), "{from} {validity}");
        }
        assert_eq!(Validity::Never.expires_at(Timestamp(0), Tz::UTC), None);
    }

    #[test]
    fn what_is_not_a_validity_is_refused() {
        for text in ["", "30", "d", "0d", "-1d", "+1d", "1.5mo", "30 d", "forever", "99999999d"] {
            assert!(text.parse::<Validity>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn every_instant_is_written_as_the_calendar_has_it() {
        let chrono = |time: Timestamp| time.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true);
        // Every day of a thousand years, and the edges of what has four digits.
        for day in -200_000..200_000_i64 {
            let time = Timestamp(day * DAY_MS + day.rem_euclid(86_400) * 1000 + day.rem_euclid(7) / 6 * 45);
            assert_eq!(time.to_string(), chrono(time));
        }
        for millis in [-62_167_219_200_001, -62_167_219_200_000, 253_402_300_799_999, 253_402_300_800_000] {
            assert_eq!(Timestamp(millis).to_string(), chrono(Timestamp(millis)));
        }
    }

    #[test]
    fn a_shops_clock_is_read_to_the_microsecond() {
        let told: ShopTime = "2026-11-21T10:00:00.123456Z".parse().unwrap();
        assert_eq!(told.micros() % 1_000_000, 123_456);
        assert!(told < "2026-11-21T11:00:00.123457+01:00".parse().unwrap());
        assert_eq!(told.date().to_string(), "2026-11-21T10:00:00.123Z");
        for text in ["", "2026-11-21", "2026-11-21T10:00:00", "soon", "1795255200"] {
            assert!(text.parse::<ShopTime>().is_err(), "{text:?} was taken");
        }
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        assert!(told.is_absurd(now) && !told.is_absurd(now.plus_millis(1000)));
    }

    #[test]
    fn times_are_written_in_utc() {
        let time: Timestamp = "2026-11-20T17:00:00+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-20T16:00:00Z");
        assert_eq!(Timestamp::from_woo_gmt("2026-11-20T16:00:00"), Some(time));
        assert_eq!("2026-11-20".parse::<Timestamp>().unwrap(), time.day());
    }
}
