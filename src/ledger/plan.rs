//! Plans: credits that come again each period. Pure: no database, no clock.
//!
//! A plan is never changed: setting it again adds a version, and a period brings what the version says that
//! was in force when the period began. A wallet that has a plan knows when its next period begins; each
//! period begins where the one before ended, so none is left out and none comes twice, whatever becomes of
//! the account's time zone or the length of the plan's periods.

use chrono_tz::Tz;
use serde::Serialize;

use super::slice::Compartment;
use crate::calendar::Per;
use crate::id::{AccountId, PlanId};
use crate::time::Timestamp;
use crate::units::Credits;

/// What a plan is to bring, from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPlan {
    /// What the shop calls it.
    pub name: PlanId,
    /// What each period brings.
    pub credits: Credits,
    /// How long a period is.
    pub per: Per,
    /// How much of what is left comes again in the next period, at most.
    pub rollover: Credits,
    /// What customers read.
    pub label: Option<String>,
}

/// A version of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// What the shop calls it.
    pub name: PlanId,
    /// Which version, from 1.
    pub version: i64,
    /// What each period brings.
    pub credits: Credits,
    /// How long a period is.
    pub per: Per,
    /// How much of what is left comes again in the next period, at most.
    pub rollover: Credits,
    /// What customers read; `None`: words that tell how often it comes.
    pub label: Option<String>,
    /// When it was set. Periods that began before bring what an earlier version says.
    pub created_at: Timestamp,
}

/// A plan that a wallet has or had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// The plan.
    pub plan: PlanId,
    /// Whose it is.
    pub account: AccountId,
    /// Where its credits go.
    #[serde(skip)]
    pub compartment: Compartment,
    /// When it was started, the last time.
    pub started_at: Timestamp,
    /// When it was stopped; the period of then stayed.
    pub stopped_at: Option<Timestamp>,
    /// When its next period begins, or would if it was not stopped. The present one ends then.
    pub due_at: Timestamp,
    /// The instant by which the next period's end is found: `due_at`, unless the account's time zone
    /// changed meanwhile.
    #[serde(skip)]
    pub counted_from: Timestamp,
    /// What the newest period brought and how long it is; `None` before the first.
    pub newest: Option<Newest>,
}

/// What a wallet's newest period of a plan brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// How many credits, without what was carried over.
    pub credits: Credits,
    /// How long it is.
    pub per: Per,
}

/// How a wallet stands with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It brings credits, and will again.
    Running,
    /// It begins later.
    Coming,
    /// It brings nothing more; the present period stays until its end.
    Ending,
    /// Over.
    Stopped,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Coming => "coming",
            Self::Ending => "ending",
            Self::Stopped => "stopped",
        }
    }
}

impl Subscription {
    /// How it stands at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        match (self.stopped_at, self.newest) {
            (None, None) if now < self.due_at => State::Coming,
            (None, _) => State::Running,
            (Some(_), Some(_)) if now < self.due_at => State::Ending,
            (Some(_), _) => State::Stopped,
        }
    }

    /// What its present period brought, if there is one at `now`. A period that is due counts as begun.
    #[must_use]
    pub fn present(&self, now: Timestamp) -> Option<Newest> {
        self.newest.filter(|_| matches!(self.state(now), State::Running | State::Ending))
    }

    /// When it brings credits next, seen from `now`: never in the past, although a period that is due may
    /// not be booked yet.
    #[must_use]
    pub fn renews_at(&self, now: Timestamp, zone: Tz) -> Option<Timestamp> {
        match (self.stopped_at, self.newest) {
            (Some(_), _) => None,
            (None, Some(newest)) if self.due_at <= now => Some(newest.per.span(now, zone).1),
            (None, _) => Some(self.due_at),
        }
    }
}

impl Version {
    /// The end of the period that begins at `start`: that of the calendar's period around `counted_from`.
    #[must_use]
    pub fn period_end(&self, start: Timestamp, counted_from: Timestamp, zone: Tz) -> Timestamp {
        let mut end = self.per.span(counted_from, zone).1;
        // After a move to the other side of the date line the day may be over before it begins.
        while end <= start {
            end = self.per.span(end, zone).1;
        }
        end
    }

    /// What customers read.
    #[must_use]
    pub fn words(&self) -> &str {
        match (&self.label, self.per) {
            (Some(label), _) => label,
            (None, Per::Day) => "Daily allowance",
            (None, Per::Week) => "Weekly allowance",
            (None, Per::Month) => "Monthly allowance",
            (None, Per::Year) => "Yearly allowance",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_begins_where_the_last_one_ended_whatever_the_zone_does() {
        let version = |per| Version {
            name: "basic".parse().unwrap(),
            version: 1,
            credits: "1".parse().unwrap(),
            per,
            rollover: Credits::ZERO,
            label: None,
            created_at: at("2026-01-01"),
        };
        for (per, start, counted_from, zone, end) in [
            (Per::Month, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "UTC", "2027-01-01T00:00:00Z"),
            // From Vienna to London: December began an hour early, and ends with London's.
            (
                Per::Month,
                "2026-11-30T23:00:00Z",
                "2026-12-01T00:00:00Z",
                "Europe/London",
                "2027-01-01T00:00:00Z",
            ),
            (
                Per::Month,
                "2026-12-01T00:00:00Z",
                "2026-11-30T23:00:00Z",
                "Europe/Vienna",
                "2026-12-31T23:00:00Z",
            ),
            // From Samoa's old side of the date line to Kiritimati: that day was over before it began.
            (
                Per::Day,
                "2026-11-22T11:00:00Z",
                "2026-11-21T10:00:00Z",
                "Pacific/Kiritimati",
                "2026-11-23T10:00:00Z",
            ),
            // A plan that was monthly and is weekly now: to the end of the week that the month begins in.
            (Per::Week, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "UTC", "2026-12-07T00:00:00Z"),
        ] {
            let ends = version(per).period_end(at(start), at(counted_from), zone.parse().unwrap());
            assert_eq!(ends, at(end), "{per} from {start} in {zone}");
        }
    }
}
