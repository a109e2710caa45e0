//! Handing a site over to another account.
//!
//! The owner offers it, the other accepts: between the two nothing has changed, and in one transaction all of it
//! does, so the site has one owner at every instant. What lies in its compartment goes along as it is: credits keep
//! their expiry, category, purchase and whether they can be refunded, so a refund of the order that brought them
//! finds them however often they moved.
//!
//! What the old owner said and owes stays: what the compartment owes is owed by the old owner's pool, the plans of the
//! compartment bring nothing more, and client, label, limits and policies end. Its history stays in the old
//! owner's chain.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Error, store};
use crate::access;
use crate::db::Tx;
use crate::id::{AccountId, KeyId, PlanId, SiteId};
use crate::ledger::slice::Compartment;
use crate::ledger::{self, LockedAccount};
use crate::site::{self, AccountRef, Site};
use crate::time::{DAY_MS, Timestamp};
use crate::units::Credits;

/// How long an offer can be accepted: long enough for a holiday.
pub const OFFER_MS: i64 = 14 * DAY_MS;

/// Whether anything was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TransferChange")]
pub enum Change {
    /// It is offered now; an offer to somebody else is over.
    Offered,
    /// It was offered to that account before.
    Unchanged,
    /// The offer is over.
    Withdrawn,
}

/// A site and what became of its offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SiteOffered")]
pub struct Offered {
    /// The site, with the offer that stands now.
    #[serde(flatten)]
    pub site: Site,
    /// Whether anything was to be done.
    pub change: Change,
}

/// A site that was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SiteTransferred")]
pub struct Transferred {
    /// The site.
    pub id: SiteId,
    /// Whose it was.
    pub from: AccountId,
    /// Whose it is.
    pub account: AccountId,
    /// What went along, whether it can be spent now or not.
    pub credits: Credits,
    /// What its compartment owed; the pool of the account it comes from owes it now.
    pub debt: Credits,
    /// Plans of its compartment that bring nothing more.
    pub plans: Vec<PlanId>,
    /// Keys that read it or spend for it, and go on to.
    pub keys: Vec<KeyId>,
}

/// Offers a site to another account, which is opened if its store does not know it yet.
///
/// # Errors
/// [`Error::AlreadyTheirs`], [`Error::Frozen`], and what the names refuse.
pub fn offer(tx: &mut Tx<'_>, site: &SiteId, to: &AccountRef) -> Result<Offered, Error> {
    let from = site::store::owned(tx, site)?;
    let to = site::store::open(tx, to)?;
    if from == to {
        return Err(Error::AlreadyTheirs { site: site.clone(), account: to });
    }
    lock(tx, &from, &to)?;
    let now = tx.now();
    let known = found(tx, site)?;
    if known.offer.as_ref().is_some_and(|offer| offer.to.id == to) {
        return Ok(Offered { site: known, change: Change::Unchanged });
    }
    store::set_offer(tx, site, &from, &to, now.plus_millis(OFFER_MS))?;
    Ok(Offered { site: found(tx, site)?, change: Change::Offered })
}

/// Takes an offer back; the site stays whose it is.
///
/// # Errors
/// When there is no such site.
pub fn withdraw(tx: &mut Tx<'_>, site: &SiteId) -> Result<Offered, Error> {
    let known = found(tx, site)?;
    store::forget_offer(tx, site)?;
    let change = if known.offer.is_some() { Change::Withdrawn } else { Change::Unchanged };
    Ok(Offered { site: found(tx, site)?, change })
}

/// Accepts the offer that stands: the site and what lies in its compartment are the other account's from now.
///
/// # Errors
/// [`Error::NotOffered`], [`Error::Frozen`] of either account, [`Error::SiteHeld`].
pub fn accept(tx: &mut Tx<'_>, site: &SiteId) -> Result<Transferred, Error> {
    let from = site::store::owned(tx, site)?;
    let offer = found(tx, site)?.offer.ok_or_else(|| Error::NotOffered(site.clone()))?;
    let to = site::store::follow(tx, &offer.to.id)?;
    lock(tx, &from, &to)?;
    let at = Compartment::Site(site.clone());
    let mut holds = ledger::store::hold::open(tx, &from)?;
    holds.retain(|hold| hold.site == *site);
    if let Some(until) = holds.iter().map(|hold| hold.expires_at).max() {
        let credits = holds.iter().map(|hold| hold.credits).sum();
        let wait_s = wait_s(tx.now(), until);
        return Err(Error::SiteHeld { site: site.clone(), credits, until, wait_s });
    }
    let plans = stop_plans(tx, &from, &at)?;
    let sent = LockedAccount::lock(tx, &from)?.send_compartment(&at, &to)?;
    let debt = LockedAccount::lock(tx, &from)?.pool_debt(&at)?;
    site::store::unassign(tx, site)?;
    store::give_site(tx, site, &from, &to)?;
    let credits = sent.iter().map(ledger::store::Sent::amount).sum();
    LockedAccount::lock(tx, &to)?.check_room(credits)?;
    for sent in &sent {
        LockedAccount::lock(tx, &to)?.receive(sent, &at)?;
    }
    let keys = access::store::of_site(tx, site)?;
    Ok(Transferred { id: site.clone(), from, account: to, credits, debt, plans, keys })
}

fn found(tx: &mut Tx<'_>, site: &SiteId) -> Result<Site, Error> {
    Ok(site::store::get(tx, site)?.ok_or_else(|| site::store::Error::UnknownSite(site.clone()))?)
}

/// Locks both accounts; credits would escape a freeze of the one, or be caught by one of the other.
fn lock(tx: &mut Tx<'_>, from: &AccountId, to: &AccountId) -> Result<(), Error> {
    // Two accounts are always locked in the same order, so that two transfers cannot wait for each other.
    for id in BTreeSet::from([from, to]) {
        if let Some(reason) = LockedAccount::lock(tx, id)?.frozen_reason() {
            return Err(Error::Frozen { account: id.clone(), reason: reason.to_owned() });
        }
    }
    Ok(())
}

/// A plan is agreed with an account, so it does not follow the site; the present period's credits do.
fn stop_plans(tx: &mut Tx<'_>, account: &AccountId, at: &Compartment) -> Result<Vec<PlanId>, Error> {
    let mut running = ledger::store::plan::subscriptions(tx, account)?;
    running.retain(|plan| plan.compartment == *at && plan.stopped_at.is_none());
    let plans: Vec<PlanId> = running.into_iter().map(|plan| plan.plan).collect();
    for plan in &plans {
        LockedAccount::lock(tx, account)?.stop_plan(plan, at)?;
    }
    Ok(plans)
}

/// How many seconds there are between two instants.
pub(super) fn wait_s(now: Timestamp, until: Timestamp) -> u32 {
    u32::try_from((until.millis() - now.millis() + 999) / 1000).unwrap_or_default()
}

/// How long [`Error::SiteHeld`] says that it may take.
pub(super) fn until(at: Timestamp) -> String {
    at.utc().format("%Y-%m-%d %H:%M UTC").to_string()
}
