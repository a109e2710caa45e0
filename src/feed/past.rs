//! A wallet's balance as it was at an instant, from the entries.
//!
//! Entries are never changed, and those of the sweep are booked for the instant they are about, so the same instant
//! has the same balance whenever it is asked for. What the wallet shows is what it shows now: its sites, and
//! whether they may use the pool. What came with an account that was merged counts from the merge on.

use serde::Serialize;

use super::Settings;
use super::store::{self, LayOf};
use super::wallet::{TopUp, Wallet};
use crate::db::{self, Tx};
use crate::ledger::entry::Place;
use crate::ledger::position::Position;
use crate::ledger::slice::{Compartment, Slice};
use crate::time::Timestamp;
use crate::units::Credits;

/// A balance of the past.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Balance {
    /// What the wallet is called.
    pub wallet: String,
    /// What customers call credits.
    pub unit: String,
    /// The instant it is true for, with all that was booked for that instant.
    pub as_of: Timestamp,
    /// What could be spent.
    pub available: Credits,
    /// What could be spent and what open holds had set aside.
    pub posted: Credits,
    /// What open holds had set aside.
    pub held: Credits,
    /// What waited for a decision about its order.
    pub frozen: Credits,
    /// What was owed.
    pub debt: Credits,
    /// The part that comes again.
    pub recurring: TopUp,
    /// The part that was bought or given.
    pub top_up: TopUp,
}

/// Why there is no balance.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody knows yet.
    #[error("{0} is in the future")]
    Future(Timestamp),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// The wallet's balance at `at`.
///
/// # Errors
/// [`Error::Future`].
pub fn balance(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    settings: &Settings,
    at: Timestamp,
) -> Result<Balance, Error> {
    if tx.now() < at {
        return Err(Error::Future(at));
    }
    let (mut slices, mut debt) = (Vec::new(), 0_i64);
    for lay in store::lay_at(tx, &wallet.account, at)? {
        let (is_held, place) = match lay.place.strip_prefix("held:") {
            Some(place) => (true, place),
            None => (false, lay.place.as_str()),
        };
        match (place.parse(), lay.grant) {
            (Ok(Place::Compartment(compartment)), Some(grant)) if wallet.shows.compartment(&compartment) => {
                let amount = Credits::from_micro(lay.amount).unwrap_or(Credits::ZERO);
                slices.push(slice(grant, compartment, amount, is_held));
            }
            (Ok(Place::Debt(compartment)), _) if wallet.shows.compartment(&compartment) => debt -= lay.amount,
            _ => {}
        }
    }
    let position = Position::of(&slices, at);
    Ok(Balance {
        wallet: wallet.to_string(),
        unit: settings.unit.clone(),
        as_of: at,
        available: position.available,
        posted: position.posted,
        held: position.held,
        frozen: position.frozen,
        debt: Credits::from_micro(debt).unwrap_or(Credits::ZERO),
        recurring: TopUp { balance: position.recurring },
        top_up: TopUp { balance: position.top_up },
    })
}

/// What lay of a grant in one compartment, as a slice of then.
fn slice(grant: LayOf, compartment: Compartment, amount: Credits, is_held: bool) -> Slice {
    let (remaining, held) = if is_held { (Credits::ZERO, amount) } else { (amount, Credits::ZERO) };
    Slice {
        grant: grant.id,
        grant_seq: 0,
        compartment,
        category: grant.category,
        priority: grant.category.priority(),
        label: String::new(),
        grant_amount: grant.amount,
        remaining,
        held,
        effective_at: grant.effective_at,
        expires_at: grant.expires_at,
        frozen: grant.frozen,
        voided: grant.voided,
        order: None,
    }
}
