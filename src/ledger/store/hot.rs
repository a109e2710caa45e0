//! Accounts as the writer remembers them: all that decides about a debit, decoded.
//!
//! A remembered account is what its rows say. Debits change both alike; whoever else locks an account lets it be
//! forgotten, and [`crate::db::Memory`] forgets all when anything else was written.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::brake::{self, Look};
use super::{Error, Head, LockedAccount, alert, grant, limit};
use crate::db::{self, Tx};
use crate::id::{AccountId, AgentId, ClientId, DebitId, SiteId};
use crate::ledger::act::{Debited, Expiry, Granted, Left, NewDebit, NewGrant, Taken};
use crate::ledger::alert::Standing as Alertness;
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::limit::{Brake, Decided, Pause, Policy, Purpose, Said, Standing, Terms, decide};
use crate::ledger::position::{AlertLevel, Position};
use crate::ledger::slice::{Compartment, Slice, View, open_slices_less};
use crate::params;
use crate::recent::Recent;
use crate::site;
use crate::time::{HOUR_MS, Timestamp};
use crate::units::{Credits, Delta};

/// How many accounts, and how many sites, are remembered.
const KEPT_MAX: usize = 12_000;

/// What is remembered.
#[derive(Debug)]
pub struct Hot {
    accounts: Recent<AccountId, Account>,
    sites: Recent<SiteId, Option<Owned>>,
}

/// Whose a site is.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The account.
    pub account: AccountId,
    /// The client it runs the site for.
    pub client: Option<ClientId>,
    /// Whether the site may use the account's pool.
    pub uses_pool: bool,
}

/// An account, decoded.
#[derive(Clone, Debug)]
pub(super) struct Account {
    head: Head,
    /// Those that hold anything, in grant order.
    slices: Vec<Slice>,
    /// By id; of most accounts it is one.
    sites: Vec<(SiteId, Site)>,
    /// How its compartments stand to the alert levels, once somebody has looked.
    standings: Option<Vec<Alertness>>,
    /// The compartments that were touched since somebody looked; nothing: nobody has.
    touched: Option<BTreeSet<Compartment>>,
    /// Whether it owes anything, once somebody has asked.
    owes: Option<bool>,
}

/// What decides about the spending of one site, beside its slices.
#[derive(Clone, Debug)]
struct Site {
    limits: Vec<Standing>,
    said: Said,
    agents: Vec<(AgentId, Said)>,
    pause: Option<Pause>,
    /// What it captured in the present hour.
    captured: Delta,
    /// Set so, the brake need not look before it has captured more.
    fine: Option<(Brake, i64)>,
    /// Before that, where a clock was set back, and from then on, another hour or period counts.
    since: Timestamp,
    over_at: Timestamp,
}

/// Whose the site is, if it is anybody's.
pub fn owned(tx: &mut Tx<'_>, site: &SiteId) -> Result<Option<Owned>, db::Error> {
    if let Some(known) = tx.memory().and_then(|memory| memory.of::<Hot>().sites.get(site).cloned()) {
        return Ok(known);
    }
    let found = site::store::get(tx, site)?.and_then(|found| {
        let account = found.account?.id;
        Some(Owned { account, client: found.client, uses_pool: found.uses_pool })
    });
    if let Some(memory) = tx.memory() {
        memory.of::<Hot>().sites.put(site.clone(), found.clone());
    }
    Ok(found)
}

/// Forgets an account that is changed otherwise than by a debit.
pub(super) fn forget(tx: &mut Tx<'_>, id: &AccountId) {
    if let Some(memory) = tx.memory() {
        memory.of::<Hot>().take(id);
    }
}

impl Default for Hot {
    fn default() -> Self {
        Self { accounts: Recent::of(KEPT_MAX), sites: Recent::of(KEPT_MAX) }
    }
}

impl Hot {
    pub(super) fn take(&mut self, id: &AccountId) -> Option<Account> {
        self.accounts.take(id)
    }

    pub(super) fn keep(&mut self, id: &AccountId, account: Account) {
        self.accounts.put(id.clone(), account);
    }
}

impl Account {
    /// Reads an account, which nobody else can post to until the transaction ends.
    ///
    /// # Errors
    /// As [`LockedAccount::lock`].
    pub(super) fn read(tx: &mut Tx<'_>, id: &AccountId) -> Result<Self, Error> {
        let head = Head::lock(tx, id)?;
        let mut slices = open_slices_less(tx, id, &View::Account, &head.unsettled)?;
        // Thousands of accounts are remembered.
        slices.shrink_to_fit();
        Ok(Self { head, slices, sites: Vec::with_capacity(1), standings: None, touched: None, owes: None })
    }

    /// Looks whether what was touched has reached a level.
    pub(super) fn look(&mut self, tx: &mut Tx<'_>, levels: &[AlertLevel]) -> Result<(), db::Error> {
        let mut standings = match self.standings.take() {
            Some(standings) => standings,
            None => alert::read(tx, &self.head.id)?,
        };
        let touched = self.touched.replace(BTreeSet::new());
        alert::look(tx, &self.head.id, &self.slices, &mut standings, touched, levels)?;
        standings.shrink_to_fit();
        self.standings = Some(standings);
        Ok(())
    }

    /// Whether anything is to be booked before a debit at `now`.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let head = &self.head;
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        due(head.next_release) || due(head.next_renewal) || due(head.next_expiry)
    }

    /// Whether it can hold `amount` more.
    pub(super) fn has_room(&self, amount: Credits, now: Timestamp) -> bool {
        grant::has_room(&self.slices, amount, now).is_ok()
    }

    /// Whether the account owes anything.
    pub(super) fn owes(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        if let Some(owes) = self.owes {
            return Ok(owes);
        }
        let owes = !LockedAccount::of(tx, &self.head).debts()?.is_empty();
        self.owes = Some(owes);
        Ok(owes)
    }

    /// Adds credits to an account that owes nothing, the first of an order line.
    pub(super) fn grant(&mut self, tx: &mut Tx<'_>, new: &NewGrant) -> Result<Granted, Error> {
        tx.note_lock(&self.head.id);
        let now = tx.now();
        let effective_at = new.effective_at.unwrap_or(now);
        let expires_at = match new.expiry {
            Expiry::After(validity) => validity.expires_at(effective_at, self.head.zone),
            Expiry::At(instant) => Some(instant),
        };
        grant::has_room(&self.slices, new.amount, now)?;
        let line_seq = new.purchase.map(|_| 1);
        let mut account = LockedAccount::of(tx, &self.head);
        let granted = account.book_grant(&grant::Fresh {
            new,
            now,
            effective_at,
            expires_at,
            line_seq,
            repaid: Credits::ZERO,
        })?;
        let (entry_seq, entry_hash) = (account.entry_seq, account.entry_hash);
        let (grant_seq, last_entry, next_expiry) =
            (account.grant_seq, account.last_entry, account.next_expiry);
        let head = &mut self.head;
        (head.grant_seq, head.entry_seq, head.entry_hash) = (grant_seq, entry_seq, entry_hash);
        (head.last_entry, head.next_expiry) = (last_entry, next_expiry);
        // Its number is the highest, so it is the last.
        self.slices.push(Slice {
            grant: granted.id.clone(),
            grant_seq,
            compartment: new.compartment.clone(),
            category: new.category,
            priority: granted.priority,
            label: new.label.clone(),
            grant_amount: new.amount,
            remaining: new.amount,
            held: Credits::ZERO,
            effective_at,
            expires_at,
            frozen: false,
            voided: false,
            order: new.purchase.map(|purchase| purchase.order),
        });
        if let Some(touched) = &mut self.touched {
            touched.insert(new.compartment.clone());
        }
        Ok(granted)
    }

    /// Spends credits for a site, all or nothing.
    pub(super) fn debit(
        &mut self,
        tx: &mut Tx<'_>,
        new: &NewDebit,
        limits: &Brake,
    ) -> Result<Debited, Error> {
        tx.note_lock(&self.head.id);
        let now = tx.now();
        let found = self.sites.binary_search_by(|(known, _)| known.cmp(&new.site));
        match found {
            Ok(place) if self.sites[place].1.is_of(now) => {}
            Ok(place) => self.sites[place].1 = Site::read(tx, &self.head, &new.site)?,
            Err(place) => {
                let site = Site::read(tx, &self.head, &new.site)?;
                self.sites.insert(place, (new.site.clone(), site));
            }
        }
        let (Ok(place) | Err(place)) = found;
        let site = &mut self.sites[place].1;
        let is_shown = |slice: &Slice| match &slice.compartment {
            Compartment::Pool => new.uses_pool,
            Compartment::Site(at) => *at == new.site,
        };
        let mut shown: Vec<&mut Slice> = self.slices.iter_mut().filter(|slice| is_shown(slice)).collect();
        let terms = site.terms(&self.head, new);
        let parts = match decide(&terms, &shown, new.amount, Purpose::Debit, now) {
            Ok(Decided { parts, .. }) => parts,
            Err(refusal) => return Err(refusal.of(new.amount)),
        };

        let id = DebitId::new();
        let mut account = LockedAccount::of(tx, &self.head);
        // Slices and counters are remembered as they are with it, so nothing is read anew.
        if self.head.unsettled.is_due(now) {
            account.settle(&self.head.unsettled)?;
            self.head.unsettled = Arc::default();
        }
        let first = account.next_entry();
        for part in &parts {
            let slice = &shown[part.slice];
            let entry = account.append(&Posting {
                operation: id.as_str(),
                kind: Kind::Spent,
                grant: Some(&slice.grant),
                source: Place::Compartment(slice.compartment.clone()),
                target: Place::Revenue,
                amount: part.credits,
                booked_at: now,
            })?;
            account.posted =
                (if account.next_entry() == first + 1 { entry } else { account.posted.0 }, entry);
        }
        account.insert_debit(&id, new, None)?;
        let taken = parts.iter().map(|part| (&*shown[part.slice], part.credits));
        Arc::make_mut(&mut self.head.unsettled).add(now, first, account.posted, new, taken);
        site.captured = Delta::from_micro(site.captured.micro().saturating_add(new.amount.micro()));
        let is_fine = |(brake, until): (Brake, i64)| brake == *limits && site.captured.micro() <= until;
        if !site.fine.is_some_and(is_fine) {
            match brake::look(account.tx, &self.head.id, &new.site, site.captured, limits)? {
                Look::Fine(until) => site.fine = Some((*limits, until)),
                Look::Paused(pause) => site.pause = Some(pause),
            }
        }
        account.save_spent(&self.head.unsettled)?;
        account.tx.leave(&self.head.id, Arc::clone(&self.head.unsettled));
        (self.head.entry_seq, self.head.entry_hash) = (account.entry_seq, account.entry_hash);
        self.head.last_entry = account.last_entry;

        let mut paid = Vec::with_capacity(parts.len());
        for part in &parts {
            let slice = &mut *shown[part.slice];
            slice.remaining = slice.remaining.saturating_sub(part.credits);
            paid.push((slice.grant.clone(), part.credits));
            if let Some(touched) = &mut self.touched
                && !touched.contains(&slice.compartment)
            {
                touched.insert(slice.compartment.clone());
            }
        }
        site.count(new);
        let mut terms = terms.of_site();
        terms.count(new.amount);
        terms.pause.clone_from(&site.pause);
        let can_spend = terms.let_spend(&shown, now);
        let left = Left { position: Position::of(&shown, now), frozen: false, can_spend };
        self.slices.retain(|slice| !slice.remaining.is_zero() || !slice.held.is_zero());
        Ok(Debited { id, taken: Taken { slices: paid }, left })
    }
}

impl Site {
    fn read(tx: &mut Tx<'_>, head: &Head, site: &SiteId) -> Result<Self, db::Error> {
        let now = tx.now();
        let mut limits = limit::standings_with(tx, &head.id, head.zone, site, &head.unsettled)?;
        limits.shrink_to_fit();
        let next_hour = now.hour().plus_millis(HOUR_MS);
        let mut read = Self {
            since: now.hour(),
            over_at: limits.iter().map(|standing| standing.resets_at).fold(next_hour, Timestamp::min),
            limits,
            said: Said::default(),
            agents: Vec::new(),
            pause: None,
            captured: Delta::ZERO,
            fine: None,
        };
        // A row for each policy, or one without any.
        tx.for_each(
            "-- ledger::store::hot::read
             SELECT p.on_exhausted, p.pool, p.grace, p.agent, b.paused_at, b.reason,
                    (SELECT h.captured FROM spending_hour h
                     WHERE h.account_id = $1 AND h.site = $2 AND h.hour = $3)
             FROM (SELECT 1 AS one) o
             LEFT JOIN brake b ON b.account_id = $1 AND b.site = $2
             LEFT JOIN spending_policy p ON p.account_id = $1 AND p.site = $2
             ORDER BY p.agent",
            params![&head.id, site, now.hour()],
            |row| {
                match row.get::<Option<String>>(3)? {
                    None => {}
                    Some(agent) if agent.is_empty() => read.said = limit::read_said(row)?,
                    Some(_) => read.agents.push((row.get(3)?, limit::read_said(row)?)),
                }
                if let Some(since) = row.get(4)? {
                    read.pause = Some(Pause { since, reason: row.get(5)? });
                }
                read.captured = row.get::<Option<Delta>>(6)?.unwrap_or(Delta::ZERO);
                Ok(())
            },
        )?;
        let unsettled = head.unsettled.spent(site, None, (now.hour(), next_hour));
        read.captured = Delta::from_micro(read.captured.micro().saturating_add(unsettled));
        Ok(read)
    }

    /// Whether what is read of it is true at `now`.
    fn is_of(&self, now: Timestamp) -> bool {
        (self.since..self.over_at).contains(&now)
    }

    fn terms(&self, head: &Head, new: &NewDebit) -> Terms {
        let agent = new.agent.as_ref();
        let counts =
            |standing: &&Standing| standing.limit.agent.is_none() || standing.limit.agent.as_ref() == agent;
        let said = self.agents.iter().find(|(known, _)| Some(known) == agent);
        Terms {
            frozen: head.frozen_reason.clone(),
            pause: self.pause.clone(),
            limits: self.limits.iter().filter(counts).cloned().collect(),
            site: Policy::of_site(new.uses_pool).with(&self.said),
            agent: said.map_or_else(Said::default, |(_, said)| *said),
            // Only holds do.
            may_go_uncovered: false,
        }
    }

    /// Counts a debit under the limits it is of.
    fn count(&mut self, new: &NewDebit) {
        for standing in &mut self.limits {
            if standing.limit.agent.is_none() || standing.limit.agent == new.agent {
                standing.spent = [standing.spent, new.amount].into_iter().sum();
            }
        }
    }
}
