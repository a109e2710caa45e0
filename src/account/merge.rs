//! Making one account part of another.
//!
//! Everything that lies in the first moves: credits with their expiry, category, purchase and whether they can
//! be refunded, debts, sites with their limits, policies and brakes, plans, the names shops know it by, its orders,
//! and what counts as used in this cycle.
//! What was booked stays in its own chain, and what customers read of it in its own history.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Error, store};
use crate::db::Tx;
use crate::id::{AccountId, SiteId};
use crate::ledger::{self, LockedAccount};
use crate::site::{self, AccountRef};
use crate::units::Credits;

/// What a merge did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Claim")]
pub struct Merged {
    /// The account that is part of the other now.
    pub from: AccountId,
    /// The other.
    pub into: AccountId,
    /// Whether anything was to be done.
    pub change: Change,
    /// What moved, whether it can be spent now or not.
    pub credits: Credits,
    /// What the other owes in its place.
    pub debt: Credits,
    /// The sites that moved.
    pub sites: Vec<SiteId>,
    /// How many orders moved.
    pub orders: u64,
    /// How many names of shops for it mean the other now.
    pub names: u64,
}

/// Whether anything was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ClaimChange")]
pub enum Change {
    /// The accounts were two and are one.
    Merged,
    /// They were one before.
    Unchanged,
}

/// Makes the account `from` part of the account `into`, which is opened if its store does not know it yet.
///
/// # Errors
/// [`Error::Itself`], [`Error::Merged`], [`Error::NotAlone`], [`Error::Frozen`] and [`Error::Held`] of the account `from`, and what
/// the names and the ledger refuse.
pub fn merge(tx: &mut Tx<'_>, from: &AccountRef, into: &AccountRef) -> Result<Merged, Error> {
    let id = site::store::known(tx, from)?;
    let target = site::store::open(tx, into)?;
    let part_of = site::store::follow(tx, &id)?;
    if part_of == target {
        return if from == into { Err(Error::Itself(from.clone())) } else { Ok(Merged::nothing(id, target)) };
    }
    if part_of != id {
        return Err(Error::Merged { account: id, into: part_of });
    }
    super::resolve_whole(tx, from)?;
    check(tx, &id, &target)?;
    let sites = store::move_sites(tx, &id, &target)?;
    store::move_offers(tx, &id, &target)?;
    let sent = LockedAccount::lock(tx, &id)?.send_all(&target)?;
    let debts = LockedAccount::lock(tx, &id)?.send_debts(&target)?;
    let credits = sent.iter().map(ledger::store::Sent::amount).sum();
    LockedAccount::lock(tx, &target)?.check_room(credits)?;
    for sent in &sent {
        let at = site::store::place(tx, &target, sent.compartment())?;
        LockedAccount::lock(tx, &target)?.receive(sent, &at)?;
    }
    for debt in &debts {
        let at = site::store::place(tx, &target, debt.compartment())?;
        LockedAccount::lock(tx, &target)?.assume(debt, &at)?;
    }
    let names = store::move_names(tx, &id, &target)?;
    let orders = store::move_orders(tx, &id, &target)?;
    let zones = (store::zone(tx, &id)?, store::zone(tx, &target)?);
    store::move_spending(tx, (&id, zones.0), (&target, zones.1))?;
    ledger::store::limit::move_to(tx, &id, &target)?;
    ledger::store::brake::move_to(tx, &id, &target)?;
    ledger::store::plan::move_to(tx, (&id, zones.0), (&target, zones.1))?;
    store::set_merged(tx, &id, &target)?;
    let debt = debts.iter().map(ledger::store::SentDebt::amount).sum();
    Ok(Merged { from: id, into: target, change: Change::Merged, credits, debt, sites, orders, names })
}

/// Locks both accounts, and refuses what a merge would break.
fn check(tx: &mut Tx<'_>, from: &AccountId, into: &AccountId) -> Result<(), Error> {
    // Two accounts are always locked in the same order, so that two merges cannot wait for each other.
    for id in BTreeSet::from([from, into]) {
        let account = LockedAccount::lock(tx, id)?;
        if let Some(reason) = account.frozen_reason().filter(|_| id == from) {
            return Err(Error::Frozen { account: from.clone(), reason: reason.to_owned() });
        }
    }
    let holds = ledger::store::hold::open(tx, from)?;
    let Some(until) = holds.iter().map(|hold| hold.expires_at).max() else { return Ok(()) };
    let credits = holds.iter().map(|hold| hold.credits).sum();
    let wait_s = super::transfer::wait_s(tx.now(), until);
    Err(Error::Held { account: from.clone(), credits, until, wait_s })
}

impl Merged {
    fn nothing(from: AccountId, into: AccountId) -> Self {
        Self {
            from,
            into,
            change: Change::Unchanged,
            credits: Credits::ZERO,
            debt: Credits::ZERO,
            sites: Vec::new(),
            orders: 0,
            names: 0,
        }
    }
}
