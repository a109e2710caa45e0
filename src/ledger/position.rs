//! The wallet's numbers: sums over the slices it shows. Pure: no database, no clock.

use std::borrow::Borrow;

use serde::Serialize;

use super::slice::{Category, Slice};
use crate::time::Timestamp;
use crate::units::Credits;

/// How a wallet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WalletStatus")]
pub enum Status {
    /// Enough.
    Ok,
    /// At or below the first alert level.
    Low,
    /// At or below the second.
    Critical,
    /// Nothing available.
    Empty,
    /// The account is frozen.
    Frozen,
}

/// How the assistant should behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As usual.
    Normal,
    /// Sparingly: credits are nearly gone.
    Saver,
    /// Hand over to people: nothing can be spent.
    Handover,
}

/// A balance at which the customer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertLevel {
    /// Hundredths of the active grants' amount.
    Percent(u8),
    /// So many credits.
    Credits(Credits),
}

impl std::str::FromStr for AlertLevel {
    type Err = NotALevel;

    fn from_str(text: &str) -> Result<Self, NotALevel> {
        let wrong = || NotALevel(text.chars().take(64).collect());
        match text.strip_suffix('%') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|percent| *percent <= 100).map(Self::Percent).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
            None => text.parse().map(Self::Credits).map_err(|_| wrong()),
        }
    }
}

impl std::fmt::Display for AlertLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Credits(amount) => write!(f, "{amount}"),
        }
    }
}

/// Why a text is not an alert level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an alert level: write a percentage like \"20%\" or an amount like \"100\"")]
pub struct NotALevel(String);

impl AlertLevel {
    /// The balance this means where active grants amount to `amount`.
    #[must_use]
    pub fn balance(self, amount: Credits) -> Credits {
        match self {
            Self::Percent(percent) => amount.mul_div_floor(percent.into(), 100).unwrap_or(Credits::ZERO),
            Self::Credits(balance) => balance,
        }
    }
}

/// Sums over slices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What can be spent now.
    pub available: Credits,
    /// The part of it that is recurring.
    pub recurring: Credits,
    /// The part of it that was bought or given.
    pub top_up: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// Remaining and held.
    pub posted: Credits,
    /// What waits for a decision about its order.
    pub frozen: Credits,
    /// The whole amount of the grants that can be spent from now.
    pub active_amount: Credits,
}

impl Position {
    /// Adds up `slices` as they stand at `now`.
    #[must_use]
    pub fn of<S: Borrow<Slice>>(slices: &[S], now: Timestamp) -> Self {
        let sum = |amounts: &mut dyn Iterator<Item = Credits>| amounts.sum::<Credits>();
        let slices = || slices.iter().map(Borrow::borrow);
        let spendable = || slices().filter(|slice: &&Slice| slice.is_spendable(now));
        let available = sum(&mut spendable().map(|slice| slice.remaining));
        let recurring = sum(&mut spendable()
            .filter(|slice| slice.category == Category::Recurring)
            .map(|slice| slice.remaining));
        let held = sum(&mut slices().map(|slice| slice.held));
        // What has expired comes back with no decision, whether that was booked yet or not.
        let is_over = |slice: &&Slice| slice.expires_at.is_some_and(|expires_at| expires_at <= now);
        let in_order = |slice: &&Slice| slice.frozen && !slice.voided && !is_over(slice);
        // A grant counts once for the levels, however many compartments its slices lie in, and not at all
        // once it is used up.
        let is_open = |slice: &&Slice| !slice.remaining.is_zero() || !slice.held.is_zero();
        let active = spendable().filter(is_open);
        let mut grants: Vec<_> = active.map(|slice| (&slice.grant, slice.grant_amount)).collect();
        grants.sort_unstable();
        grants.dedup();
        Self {
            available,
            recurring,
            top_up: available.saturating_sub(recurring),
            held,
            posted: [available, held].into_iter().sum(),
            frozen: sum(&mut slices().filter(in_order).map(|slice| slice.remaining)),
            active_amount: grants.into_iter().map(|(_, amount)| amount).sum(),
        }
    }

    /// How the wallet stands under alert `levels`: the first is low, the second critical.
    #[must_use]
    pub fn status(&self, account_frozen: bool, levels: &[AlertLevel]) -> Status {
        let reached = |level: Option<&AlertLevel>| {
            level.is_some_and(|level| self.available <= level.balance(self.active_amount))
        };
        if account_frozen {
            Status::Frozen
        } else if self.available.is_zero() {
            Status::Empty
        } else if reached(levels.get(1)) {
            Status::Critical
        } else if reached(levels.first()) {
            Status::Low
        } else {
            Status::Ok
        }
    }
}

impl Status {
    /// How the assistant should behave in it; `can_spend` says whether anything may be spent, as limits, policies
    /// and the brake have it.
    #[must_use]
    pub const fn mode(self, can_spend: bool) -> Mode {
        match self {
            _ if !can_spend => Mode::Handover,
            Self::Ok | Self::Low => Mode::Normal,
            Self::Critical => Mode::Saver,
            Self::Empty | Self::Frozen => Mode::Handover,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::GrantId;
    use crate::ledger::slice::Compartment;

    fn ten(expires_at: Option<Timestamp>, frozen: bool) -> Slice {
        let ten: Credits = "10".parse().unwrap();
        Slice {
            grant: GrantId::new(),
            grant_seq: 1,
            compartment: Compartment::Pool,
            category: Category::Paid,
            priority: Category::Paid.priority(),
            label: String::new(),
            grant_amount: ten,
            remaining: ten,
            held: Credits::ZERO,
            effective_at: Timestamp::from_millis(0),
            expires_at,
            frozen,
            voided: false,
            order: Some(1),
        }
    }

    /// Two accounts that became one may each have had a first grant of the same amount.
    #[test]
    fn grants_count_once_for_the_levels_whatever_their_numbers() {
        let (one, other) = (ten(None, false), ten(None, false));
        let slices = [one.clone(), one, other];
        let position = Position::of(&slices, Timestamp::from_millis(1));
        assert_eq!(
            (position.active_amount, position.available),
            ("20".parse().unwrap(), "30".parse().unwrap())
        );
    }

    #[test]
    fn what_is_frozen_and_has_expired_is_in_no_number() {
        let expires_at = Timestamp::from_millis(1_000);
        let slice = ten(Some(expires_at), true);
        let slices = std::slice::from_ref(&slice);
        assert_eq!(Position::of(slices, expires_at.plus_millis(-1)).frozen, slice.remaining);
        assert_eq!(Position::of(slices, expires_at), Position::default());
    }
}
