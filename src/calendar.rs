//! Periods of the calendar, in somebody's time zone. No clock here.
//!
//! Every instant lies in exactly one period of each length, and the end of one is the start of the next: also
//! where a clock change skips or repeats an hour, and where a place moved across the date line and skipped a day.

use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta, TimeZone};
use chrono_tz::Tz;
use serde::Serialize;

use crate::time::Timestamp;

/// How long a period is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// A local day.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl Per {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// The period called `text`, if there is one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|per| per.as_str() == text)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The first instant of the period that `at` lies in, in `zone`, and the first of the next one.
    #[must_use]
    pub fn span(self, at: Timestamp, zone: Tz) -> (Timestamp, Timestamp) {
        let first = self.first_day(local_day(at, zone));
        let start = start_of_day(first, zone);
        let mut next = first;
        // A day that a place skipped has no instant: the next that has one begins the next period.
        loop {
            let Some(later) = self.after(next) else { return (start, Timestamp::from_millis(i64::MAX)) };
            next = later;
            let end = start_of_day(next, zone);
            if start < end && at < end {
                return (start, end);
            }
        }
    }

    /// The start of the period that `at` lies in, in `zone`.
    #[must_use]
    pub fn start(self, at: Timestamp, zone: Tz) -> Timestamp {
        self.span(at, zone).0
    }

    /// The first day of the period that `day` lies in.
    #[must_use]
    pub fn first_day(self, day: NaiveDate) -> NaiveDate {
        let first = match self {
            Self::Day => Some(day),
            Self::Week => day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday()))),
            Self::Month => day.with_day(1),
            Self::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        };
        // Only the last days that can be written have no period around them.
        first.unwrap_or(day)
    }

    fn after(self, first: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => first.succ_opt(),
            Self::Week => first.checked_add_days(Days::new(7)),
            Self::Month => first.checked_add_months(Months::new(1)),
            Self::Year => first.checked_add_months(Months::new(12)),
        }
    }
}

impl std::fmt::Display for Per {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// When the local day that begins at `start` in the zone `from` begins in the zone `to`.
#[must_use]
pub fn day_elsewhere(start: Timestamp, from: Tz, to: Tz) -> Timestamp {
    start_of_day(local_day(start, from), to)
}

/// The day that `at` is on, in `zone`.
#[must_use]
pub fn local_day(at: Timestamp, zone: Tz) -> NaiveDate {
    zone.from_utc_datetime(&at.utc().naive_utc()).date_naive()
}

/// The first instant of `day` in `zone`; where a clock change skips midnight, the first that exists; where
/// the whole day was skipped, the first of the next one.
#[must_use]
pub fn start_of_day(day: NaiveDate, zone: Tz) -> Timestamp {
    /// Clocks were never turned by other than whole quarters since 1970, and never by more than a day.
    const QUARTERS: i32 = 4 * 25;
    let midnight = day.and_hms_opt(0, 0, 0).unwrap_or_default();
    let start = (0..=QUARTERS).find_map(|quarters| {
        zone.from_local_datetime(&midnight.checked_add_signed(TimeDelta::minutes(15 * i64::from(quarters)))?)
            .earliest()
    });
    Timestamp::from_millis(
        start.map_or_else(|| midnight.and_utc().timestamp_millis(), |start| start.timestamp_millis()),
    )
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;
    use crate::time::DAY_MS;

    fn zone(name: &str) -> Tz {
        name.parse().unwrap()
    }

    #[test]
    fn periods_begin_where_people_begin_them() {
        for (per, name, at, from, to) in [
            (Per::Day, "UTC", "2026-11-20T23:59:59.999Z", "2026-11-20", "2026-11-21"),
            (Per::Week, "UTC", "2026-11-20T16:00:00Z", "2026-11-16", "2026-11-23"),
            (Per::Week, "UTC", "2026-11-16T00:00:00Z", "2026-11-16", "2026-11-23"),
            (Per::Week, "UTC", "2026-11-22T23:59:59Z", "2026-11-16", "2026-11-23"),
            // The first ISO week of 2027 begins in 2027, the last of 2026 ends there.
            (Per::Week, "UTC", "2027-01-01T00:00:00Z", "2026-12-28", "2027-01-04"),
            (Per::Week, "UTC", "1969-12-31T00:00:00Z", "1969-12-29", "1970-01-05"),
            (Per::Month, "UTC", "2027-01-31T12:00:00Z", "2027-01-01", "2027-02-01"),
            (Per::Month, "UTC", "2027-02-28T23:59:59Z", "2027-02-01", "2027-03-01"),
            (Per::Month, "UTC", "2028-02-29T12:00:00Z", "2028-02-01", "2028-03-01"),
            (Per::Month, "UTC", "2026-12-31T23:00:00Z", "2026-12-01", "2027-01-01"),
            (Per::Year, "UTC", "2028-02-29T12:00:00Z", "2028-01-01", "2029-01-01"),
            // A day with 23 hours, one with 25, and the month and year around them.
            (
                Per::Day,
                "Europe/Vienna",
                "2026-03-29T12:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                Per::Day,
                "Europe/Vienna",
                "2026-10-25T00:30:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (
                Per::Month,
                "Europe/Vienna",
                "2026-03-31T21:59:59Z",
                "2026-02-28T23:00:00Z",
                "2026-03-31T22:00:00Z",
            ),
            (
                Per::Year,
                "Europe/Vienna",
                "2026-07-01T00:00:00Z",
                "2025-12-31T23:00:00Z",
                "2026-12-31T23:00:00Z",
            ),
            (
                Per::Day,
                "America/New_York",
                "2026-03-08T12:00:00Z",
                "2026-03-08T05:00:00Z",
                "2026-03-09T04:00:00Z",
            ),
            (
                Per::Month,
                "America/New_York",
                "2026-11-30T12:00:00Z",
                "2026-11-01T04:00:00Z",
                "2026-12-01T05:00:00Z",
            ),
            (
                Per::Week,
                "America/New_York",
                "2026-11-01T12:00:00Z",
                "2026-10-26T04:00:00Z",
                "2026-11-02T05:00:00Z",
            ),
            // Half an hour only.
            (
                Per::Day,
                "Australia/Lord_Howe",
                "2026-10-04T00:00:00Z",
                "2026-10-03T13:30:00Z",
                "2026-10-04T13:00:00Z",
            ),
            (
                Per::Month,
                "Australia/Lord_Howe",
                "2026-04-15T00:00:00Z",
                "2026-03-31T13:00:00Z",
                "2026-04-30T13:30:00Z",
            ),
            // Samoa had no 30 December 2011.
            (
                Per::Day,
                "Pacific/Apia",
                "2011-12-30T09:59:59Z",
                "2011-12-29T10:00:00Z",
                "2011-12-30T10:00:00Z",
            ),
            (
                Per::Day,
                "Pacific/Apia",
                "2011-12-30T10:00:00Z",
                "2011-12-30T10:00:00Z",
                "2011-12-31T10:00:00Z",
            ),
            (
                Per::Month,
                "Pacific/Apia",
                "2011-12-15T00:00:00Z",
                "2011-12-01T10:00:00Z",
                "2011-12-31T10:00:00Z",
            ),
            // Midnight itself is skipped: the day begins at one.
            (
                Per::Day,
                "Africa/Cairo",
                "2026-04-24T12:00:00Z",
                "2026-04-23T22:00:00Z",
                "2026-04-24T21:00:00Z",
            ),
        ] {
            let expected = (from.parse().unwrap(), to.parse().unwrap());
            assert_eq!(per.span(at.parse().unwrap(), zone(name)), expected, "{per} of {at} in {name}");
        }
    }

    /// Every instant lies in its period, and periods tile time, in every zone there is.
    #[test]
    fn periods_tile_time_everywhere() {
        let mut random = rand::rngs::StdRng::seed_from_u64(28);
        for zone in chrono_tz::TZ_VARIANTS {
            let check = |at: Timestamp| {
                for per in Per::ALL {
                    let (start, end) = per.span(at, zone);
                    assert!(start <= at && at < end, "{per} of {at} in {zone}: {start} to {end}");
                    assert_eq!(
                        per.span(start, zone),
                        (start, end),
                        "{per} of {at} in {zone}, from its start"
                    );
                    let last = end.plus_millis(-1);
                    assert_eq!(per.span(last, zone), (start, end), "{per} of {at} in {zone}, from its end");
                    assert_eq!(per.start(end, zone), end, "{per} after {at} in {zone}");
                }
            };
            for _ in 0..40 {
                check(Timestamp::from_millis(random.random_range(0..130 * 365 * DAY_MS)));
            }
            // Each day around the turn of 2011, when Samoa and Tokelau moved across the date line.
            for day in -3..4_i64 {
                check("2011-12-30T10:00:00Z".parse::<Timestamp>().unwrap().plus_millis(day * DAY_MS / 2));
            }
        }
    }

    #[test]
    fn a_day_begins_elsewhere_at_its_own_midnight() {
        for (from, start, to, there) in [
            ("UTC", "2026-11-01T00:00:00Z", "UTC", "2026-11-01T00:00:00Z"),
            ("Pacific/Auckland", "2026-10-31T11:00:00Z", "America/New_York", "2026-11-01T04:00:00Z"),
            ("America/New_York", "2026-11-01T04:00:00Z", "Pacific/Auckland", "2026-10-31T11:00:00Z"),
            ("Europe/Vienna", "2026-02-28T23:00:00Z", "UTC", "2026-03-01T00:00:00Z"),
        ] {
            let begins = day_elsewhere(start.parse().unwrap(), zone(from), zone(to));
            assert_eq!(begins, there.parse().unwrap(), "{from} {start} in {to}");
        }
    }
}
