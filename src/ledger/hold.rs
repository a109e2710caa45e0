//! Holds: credits set aside for a moment. Pure: no database, no clock.

use serde::Serialize;

use super::slice::Compartment;
use crate::id::{AccountId, ActionId, AgentId, DebitId, GrantId, HoldId, SiteId};
use crate::time::Timestamp;
use crate::units::Credits;

/// For how long credits are held unless said, in seconds: long enough for a slow answer, short enough that a
/// lost one does not lock credits for a day.
pub const LASTS_S: i64 = 15 * 60;

/// For how long they may be held, in seconds.
pub const LASTS_S_MAX: i64 = 24 * 60 * 60;

/// How a hold stands. All but the first are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "HoldState")]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its credits are set aside.
    Open,
    /// Used, or a part of them.
    Captured,
    /// Given back.
    Released,
    /// Given back because its time was over.
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Captured, Self::Released, Self::Expired];

    /// The state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a hold took from one slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The grant.
    pub grant: GrantId,
    /// Where the slice lies.
    pub compartment: Compartment,
    /// How many credits; never zero.
    pub credits: Credits,
}

/// Credits set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name.
    pub id: HoldId,
    /// Whose credits.
    pub account: AccountId,
    /// For which site.
    pub site: SiteId,
    /// By which of its assistants.
    pub agent: Option<AgentId>,
    /// For what.
    pub action: Option<String>,
    /// For how much of it, if the rate card made the amount.
    pub quantity: Option<i64>,
    /// The version of the action's rate by which a capture is priced.
    pub rate: Option<i64>,
    /// What the customer will read.
    pub label: String,
    /// How many credits.
    pub credits: Credits,
    /// How many of them no slice covers.
    pub uncovered: Credits,
    /// How many were used.
    pub captured: Credits,
    /// How it stands, as it is written.
    pub state: State,
    /// Since when.
    pub created_at: Timestamp,
    /// From when it is expired.
    pub expires_at: Timestamp,
    /// Since when it is not open any more.
    pub closed_at: Option<Timestamp>,
    /// The debit that captured it.
    pub debit: Option<DebitId>,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// What it took, in burn-down order.
    pub parts: Vec<Part>,
}

impl Hold {
    /// How it stands at `now`: past its time it is expired, whether that was written or not.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        if self.state == State::Open && self.expires_at <= now { State::Expired } else { self.state }
    }

    /// The action under which its rate is known, if it has one.
    #[must_use]
    pub fn rated(&self) -> Option<(ActionId, i64)> {
        Some((self.action.as_ref()?.parse().ok()?, self.rate?))
    }
}

/// What becomes of each part of a hold when it is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is used of each part.
    pub captured: Vec<Credits>,
    /// What goes back of each part.
    pub released: Vec<Credits>,
    /// What is used beyond all parts.
    pub uncovered: Credits,
}

/// Captures `amount` of what a hold took from its slices, in their order; the rest goes back.
#[must_use]
pub fn split(parts: impl IntoIterator<Item = Credits>, amount: Credits) -> Split {
    let mut left = amount;
    let (mut captured, mut released) = (Vec::new(), Vec::new());
    for part in parts {
        let used = left.min(part);
        left = left.saturating_sub(used);
        captured.push(used);
        released.push(part.saturating_sub(used));
    }
    Split { captured, released, uncovered: left }
}

/// Gives `amount` back to the slices it was taken from, the last first; what is beyond all of them is given to
/// none.
#[must_use]
pub fn give_back(taken: &[Credits], amount: Credits) -> Vec<Credits> {
    let mut left = amount;
    let mut back: Vec<Credits> = taken
        .iter()
        .rev()
        .map(|taken| {
            let part = left.min(*taken);
            left = left.saturating_sub(part);
            part
        })
        .collect();
    back.reverse();
    back
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credits(text: &str) -> Vec<Credits> {
        text.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    #[test]
    fn a_capture_uses_the_first_slices_and_the_rest_goes_back() {
        for (parts, amount, captured, released, uncovered) in [
            ("5 3", "8", "5 3", "0 0", "0"),
            ("5 3", "6", "5 1", "0 2", "0"),
            ("5 3", "5", "5 0", "0 3", "0"),
            ("5 3", "0.000001", "0.000001 0", "4.999999 3", "0"),
            ("5 3", "10", "5 3", "0 0", "2"),
            ("", "2", "", "", "2"),
        ] {
            let split = split(credits(parts), amount.parse().unwrap());
            assert_eq!(
                split,
                Split {
                    captured: credits(captured),
                    released: credits(released),
                    uncovered: uncovered.parse().unwrap()
                },
                "{amount} of {parts}"
            );
        }
    }

    #[test]
    fn what_was_taken_last_is_given_back_first() {
        for (taken, amount, back) in [
            ("5 3", "8", "5 3"),
            ("5 3", "4", "1 3"),
            ("5 3", "3", "0 3"),
            ("5 3", "1", "0 1"),
            ("5", "9", "5"),
        ] {
            assert_eq!(
                give_back(&credits(taken), amount.parse().unwrap()),
                credits(back),
                "{amount} of {taken}"
            );
        }
    }
}
