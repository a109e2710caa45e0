//! When a customer is told that credits run low. Pure: no database, no clock.
//!
//! Each compartment of an account, the pool and every site's own, has three levels: low, critical, and nothing left. A
//! level is crossed when what can be spent of the compartment reaches it, and is armed again when there is a tenth of
//! the active grants' amount more than it says. Whoever crosses one is told once; whoever crosses several at once is
//! told of the deepest. Of one level nobody is told twice within [`GAP_MS`]: an alert that comes too soon waits, and is
//! told then if the balance is still that low.

use serde::{Deserialize, Serialize};

use super::position::{AlertLevel, Position, Status};
use super::slice::Compartment;
use crate::time::{HOUR_MS, Timestamp};
use crate::units::Credits;

/// How much time there is at least between two alerts of one level.
pub const GAP_MS: i64 = 72 * HOUR_MS;

/// How many levels there are.
const DEPTHS: usize = 3;

/// Which level it is; the deepest is the last.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "AlertStatus")]
pub enum Depth {
    /// The first that is configured.
    Low,
    /// The second.
    Critical,
    /// Nothing left: a level of its own, whatever is configured.
    Empty,
}

impl Depth {
    /// All of them, in the order in which a balance falls through them.
    pub const ALL: [Self; DEPTHS] = [Self::Low, Self::Critical, Self::Empty];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Critical => "critical",
            Self::Empty => "empty",
        }
    }

    /// What a wallet that has reached it shows.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Low => Status::Low,
            Self::Critical => Status::Critical,
            Self::Empty => Status::Empty,
        }
    }

    /// The level that a wallet shows to be reached, if it shows one.
    #[must_use]
    pub const fn of(status: Status) -> Option<Self> {
        match status {
            Status::Ok | Status::Frozen => None,
            Status::Low => Some(Self::Low),
            Status::Critical => Some(Self::Critical),
            Status::Empty => Some(Self::Empty),
        }
    }

    /// What is configured for it; nothing left needs no configuration.
    #[must_use]
    pub fn level(self, levels: &[AlertLevel]) -> Option<AlertLevel> {
        match self {
            Self::Low => levels.first().copied(),
            Self::Critical => levels.get(1).copied(),
            Self::Empty => Some(AlertLevel::Credits(Credits::ZERO)),
        }
    }
}

/// What is remembered of one level of a compartment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crossing {
    /// When it was crossed, until it is armed again.
    pub since: Option<Timestamp>,
    /// Whether somebody is still to be told of that.
    pub is_owed: bool,
    /// When somebody was told of this level last.
    pub told_at: Option<Timestamp>,
}

impl Crossing {
    /// From when somebody may be told of it.
    fn may_tell_from(&self) -> Timestamp {
        self.told_at.map_or(Timestamp::from_millis(i64::MIN), |told_at| told_at.plus_millis(GAP_MS))
    }
}

/// How a compartment stands to its levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The compartment.
    pub compartment: Compartment,
    /// The deepest level that it has reached, if any.
    pub depth: Option<Depth>,
    /// What is remembered of each level.
    pub crossings: [Crossing; DEPTHS],
}

/// Somebody is to be told that a compartment has reached a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Which.
    pub depth: Depth,
    /// What it is configured as.
    pub level: AlertLevel,
    /// What can be spent of the compartment.
    pub available: Credits,
}

impl Standing {
    /// A compartment in which nobody has seen credits before: however few they are, they have not run low.
    #[must_use]
    pub fn first(
        compartment: Compartment,
        position: &Position,
        levels: &[AlertLevel],
        now: Timestamp,
    ) -> Self {
        let depth = Depth::of(position.status(false, levels));
        let crossings = Depth::ALL.map(|level| {
            let since = depth.is_some_and(|depth| level <= depth).then_some(now);
            Crossing { since, is_owed: false, told_at: None }
        });
        Self { compartment, depth, crossings }
    }

    /// Takes note of how the compartment stands now; answers of what somebody is to be told.
    pub fn turn(&mut self, position: &Position, levels: &[AlertLevel], now: Timestamp) -> Option<Alert> {
        self.depth = Depth::of(position.status(false, levels));
        for (level, crossing) in Depth::ALL.into_iter().zip(&mut self.crossings) {
            let is_reached = self.depth.is_some_and(|depth| level <= depth);
            if is_reached && crossing.since.is_none() {
                (crossing.since, crossing.is_owed) = (Some(now), true);
            } else if !is_reached && crossing.since.is_some() && arms(level, position, levels) {
                (crossing.since, crossing.is_owed) = (None, false);
            }
            // Whoever hears of a deeper level needs not hear of this one.
            crossing.is_owed &= self.depth.is_none_or(|depth| depth <= level);
        }
        let depth = self.depth?;
        let crossing = &mut self.crossings[depth as usize];
        if !crossing.is_owed || now < crossing.may_tell_from() {
            return None;
        }
        (crossing.is_owed, crossing.told_at) = (false, Some(now));
        Some(Alert { depth, level: depth.level(levels)?, available: position.available })
    }

    /// Takes back that somebody is to be told, or was just now: the credits did not run low, they went elsewhere.
    pub fn hush(&mut self, before: &Self) {
        for (crossing, before) in self.crossings.iter_mut().zip(&before.crossings) {
            (crossing.is_owed, crossing.told_at) = (false, before.told_at);
        }
    }

    /// From when somebody is to be told of the level it has reached, because they were told of it too short a time ago.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let crossing = &self.crossings[self.depth? as usize];
        crossing.is_owed.then(|| crossing.may_tell_from())
    }

    /// When the level was crossed, until it is armed again.
    #[must_use]
    pub fn since(&self, depth: Depth) -> Option<Timestamp> {
        self.crossings[depth as usize].since
    }
}

/// Whether a level that was crossed is armed again: ten points of the active grants' amount above it, whether it is a
/// percentage or a number of credits. A balance that is whole arms every level that it has not reached.
fn arms(level: Depth, position: &Position, levels: &[AlertLevel]) -> bool {
    let [available, amount] =
        [position.available, position.active_amount].map(|credits| i128::from(credits.micro()));
    let is_above = match level.level(levels) {
        // A level that is configured no more is crossed no more.
        None => true,
        Some(AlertLevel::Percent(percent)) => available * 100 >= amount * (i128::from(percent) + 10),
        Some(AlertLevel::Credits(level)) => available * 10 >= i128::from(level.micro()) * 10 + amount,
    };
    is_above || available >= amount
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> Vec<AlertLevel> {
        ["20%", "5%", "0"].map(|level| level.parse().unwrap()).to_vec()
    }

    fn credits(number: i64) -> Credits {
        Credits::from_micro(number * 1_000_000).unwrap()
    }

    /// So much of a hundred credits.
    fn at(available: i64) -> Position {
        Position { available: credits(available), active_amount: credits(100), ..Position::default() }
    }

    fn hours(number: i64) -> Timestamp {
        Timestamp::from_millis(number * HOUR_MS)
    }

    fn full() -> Standing {
        Standing::first(Compartment::Pool, &at(100), &levels(), hours(0))
    }

    /// Balances at hours, and what is told at each.
    fn tells(story: &[(i64, i64, Option<Depth>)]) {
        let mut standing = full();
        for &(hour, available, expected) in story {
            let told = standing.turn(&at(available), &levels(), hours(hour));
            assert_eq!(told.map(|alert| alert.depth), expected, "{available} at {hour} h of {story:?}");
        }
    }

    #[test]
    fn each_level_is_told_once_as_a_balance_falls() {
        use Depth::{Critical, Empty, Low};
        tells(&[(1, 21, None), (2, 20, Some(Low)), (3, 19, None), (4, 5, Some(Critical)), (5, 1, None)]);
        tells(&[(1, 20, Some(Low)), (2, 0, Some(Empty)), (3, 0, None), (500, 0, None)]);
        tells(&[(1, 0, Some(Empty)), (2, 3, None), (3, 15, None), (4, 21, None)]);
    }

    #[test]
    fn a_level_is_armed_again_ten_points_above_and_told_again_three_days_later() {
        use Depth::Low;
        tells(&[(1, 20, Some(Low)), (100, 29, None), (101, 20, None), (500, 20, None)]);
        tells(&[(1, 20, Some(Low)), (100, 30, None), (101, 20, Some(Low))]);
        // Too soon: it waits, and is told if the balance is still that low then.
        tells(&[(1, 20, Some(Low)), (2, 30, None), (3, 20, None), (72, 20, None), (73, 20, Some(Low))]);
        tells(&[(1, 20, Some(Low)), (2, 30, None), (3, 20, None), (73, 25, None), (74, 20, Some(Low))]);
        tells(&[(1, 20, Some(Low)), (2, 30, None), (3, 20, None), (4, 30, None), (73, 25, None)]);
    }

    #[test]
    fn an_alert_that_waits_says_until_when() {
        let mut standing = full();
        for (hour, available) in [(1, 0), (2, 100), (3, 0)] {
            standing.turn(&at(available), &levels(), hours(hour));
        }
        assert_eq!((standing.due_at(), standing.since(Depth::Empty)), (Some(hours(73)), Some(hours(3))));
        standing.turn(&at(1), &levels(), hours(4));
        assert_eq!(standing.due_at(), None, "of critical nobody needs to hear after nothing left");
    }

    #[test]
    fn a_number_of_credits_is_armed_ten_points_of_the_amount_above() {
        let levels = ["500", "0"].map(|level| level.parse().unwrap());
        let at = |available, amount| Position {
            available: credits(available),
            active_amount: credits(amount),
            ..Position::default()
        };
        let mut standing = Standing::first(Compartment::Pool, &at(1000, 1000), &levels, hours(0));
        let mut told = |hour, available, amount| {
            standing.turn(&at(available, amount), &levels, hours(hour)).map(|alert| alert.depth)
        };
        assert_eq!(told(1, 500, 1000), Some(Depth::Low));
        assert_eq!((told(100, 599, 1000), told(101, 500, 1000)), (None, None));
        assert_eq!((told(102, 600, 1000), told(103, 500, 1000)), (None, Some(Depth::Low)));
        // Whole again, though there is no room for ten points above the level.
        assert_eq!((told(200, 505, 505), told(201, 500, 505)), (None, Some(Depth::Low)));
    }

    #[test]
    fn what_comes_in_first_has_not_run_low() {
        let mut standing = Standing::first(Compartment::Pool, &at(10), &levels(), hours(0));
        assert_eq!((standing.depth, standing.due_at()), (Some(Depth::Low), None));
        assert_eq!(standing.turn(&at(9), &levels(), hours(1)), None);
        assert_eq!(
            standing.turn(&at(5), &levels(), hours(2)).map(|alert| alert.depth),
            Some(Depth::Critical)
        );
    }
}
