//! Local days, found by asking what day it is.

use chrono::{Datelike as _, Days, Months, NaiveDate, TimeZone as _};
use chrono_tz::Tz;

use super::books::Ms;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Day,
    Week,
    Month,
    Year,
}

/// The day it is somewhere.
pub(super) fn day(at: Ms, zone: Tz) -> NaiveDate {
    zone.timestamp_millis_opt(at).unwrap().date_naive()
}

/// The first instant at which it is `wanted` somewhere, or later where that day was left out: by hours, then by quarters.
pub(super) fn begins(wanted: NaiveDate, zone: Tz) -> Ms {
    const HOUR: Ms = 3_600_000;
    let utc = wanted.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_millis();
    let mut at = utc - 16 * HOUR;
    while day(at + HOUR, zone) < wanted {
        at += HOUR;
    }
    while day(at, zone) < wanted {
        at += HOUR / 4;
    }
    at
}

/// The first day of the period around a day.
pub(super) fn first(day: NaiveDate, span: Span) -> NaiveDate {
    match span {
        Span::Day => day,
        Span::Week => day - Days::new(u64::from(day.weekday().num_days_from_monday())),
        Span::Month => NaiveDate::from_ymd_opt(day.year(), day.month(), 1).unwrap(),
        Span::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1).unwrap(),
    }
}

/// The first day of the period after the one around a day.
pub(super) fn next(day: NaiveDate, span: Span) -> NaiveDate {
    let first = first(day, span);
    match span {
        Span::Day => first + Days::new(1),
        Span::Week => first + Days::new(7),
        Span::Month => first + Months::new(1),
        Span::Year => first + Months::new(12),
    }
}

/// What counts from a day, and how long it counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Good {
    Forever,
    Days(u32),
    Months(u32),
    /// To the end of the cycle.
    Cycle,
    /// Until so many milliseconds from now.
    For(Ms),
}

impl Good {
    /// When credits effective at `from` are over, where no plan has a say.
    pub(super) fn over(self, from: Ms, now: Ms, zone: Tz) -> Option<Ms> {
        let last = match self {
            Self::Forever => return None,
            Self::For(ms) => return Some(now + ms),
            Self::Days(days) => day(from, zone) + Days::new(u64::from(days)),
            Self::Months(months) => day(from, zone) + Months::new(months),
            Self::Cycle => next(day(from, zone), Span::Month) - Days::new(1),
        };
        Some(begins(last + Days::new(1), zone))
    }
}
