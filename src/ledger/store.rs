//! Posting: the only way to change what anybody holds.

use chrono_tz::Tz;

pub use super::act::{
    Clawed, Debited, Expiry, Granted, NewDebit, NewGrant, Priced, Purchase, Sent, SentDebt, Shortfall, Shown,
    Taken,
};
use super::burn::{self, Part};
use super::chain::{self, Link};
use super::entry::{Kind, Place, Posting};
use super::position::Position;
use super::slice::{Compartment, Slice, View, open_slices};
use crate::db::{self, Tx};
use crate::id::{AccountId, DebitId, GrantId, OperationId};
use crate::params;
use crate::rate::QUANTITY;
use crate::time::{Timestamp, month_start};
use crate::units::{Credits, Delta};

/// Why the ledger refused. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is less than was asked for.
    #[error("{needed} credits needed, {available} available")]
    InsufficientCredits {
        /// What was asked for.
        needed: Credits,
        /// What could have been taken.
        available: Credits,
    },
    /// The account is frozen: nothing may be spent.
    #[error("the account is frozen: {0}")]
    Frozen(String),
    /// There is no such account.
    #[error("there is no account {0}")]
    UnknownAccount(AccountId),
    /// The account is part of another one now.
    #[error("account {account} was merged into {into}")]
    Merged {
        /// The account.
        account: AccountId,
        /// What it is part of.
        into: AccountId,
    },
    /// The account would hold more than can be counted.
    #[error("the account would hold more than {} credits", Credits::MAX)]
    TooMuch,
    /// The database failed; the request may be tried again.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// An account that nobody else can post to until the transaction ends.
///
/// Locking is the only way to reach the functions that post, so a balance that was checked is still the
/// balance when the entry is written. What expired before now is booked as expired before anything else.
#[derive(Debug)]
pub struct LockedAccount<'t, 'c> {
    pub(super) tx: &'t mut Tx<'c>,
    pub(super) id: AccountId,
    zone: Tz,
    frozen_reason: Option<String>,
    grant_seq: i64,
    entry_seq: i64,
    entry_hash: chain::Hash,
    pub(super) next_expiry: Option<Timestamp>,
}

impl<'t, 'c> LockedAccount<'t, 'c> {
    /// Locks `id` and books what has expired.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; [`Error::Merged`], so that nothing is booked where nobody looks any more.
    pub fn lock(tx: &'t mut Tx<'c>, id: &AccountId) -> Result<Self, Error> {
        let head = tx.query_opt(
            "-- ledger::store::lock
             UPDATE account SET version = version + 1 WHERE id = $1
             RETURNING time_zone, frozen_reason, grant_seq, entry_seq, entry_hash, next_expiry, merged_into",
            params![id],
            |row| {
                Ok((
                    row.get::<String>(0)?,
                    row.get::<Option<String>>(1)?,
                    row.get::<i64>(2)?,
                    row.get::<i64>(3)?,
                    row.get::<Vec<u8>>(4)?,
                    row.get::<Option<Timestamp>>(5)?,
                    row.get::<Option<AccountId>>(6)?,
                ))
            },
        )?;
        let (zone, frozen_reason, grant_seq, entry_seq, entry_hash, next_expiry, merged_into) =
            head.ok_or_else(|| Error::UnknownAccount(id.clone()))?;
        if let Some(into) = merged_into {
            return Err(Error::Merged { account: id.clone(), into });
        }
        let wrong = |column, found| db::Error::Column { column, found };
        let mut account = Self {
            tx,
            id: id.clone(),
            zone: zone.parse().map_err(|_| wrong(0, zone))?,
            frozen_reason,
            grant_seq,
            entry_seq,
            entry_hash: entry_hash.try_into().map_err(|bytes| wrong(4, format!("{bytes:?}")))?,
            next_expiry,
        };
        account.expire()?;
        Ok(account)
    }

    /// The transaction, for statements about other things than credits.
    pub fn tx(&mut self) -> &mut Tx<'c> {
        self.tx
    }

    /// Which account this is.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// Why the account is frozen, if it is.
    #[must_use]
    pub fn frozen_reason(&self) -> Option<&str> {
        self.frozen_reason.as_deref()
    }

    /// The account's time zone.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Adds credits. A debt of their compartment is paid from them first.
    pub fn grant(&mut self, new: &NewGrant) -> Result<Granted, Error> {
        let now = self.tx.now();
        let effective_at = new.effective_at.unwrap_or(now);
        let expires_at = match new.expiry {
            Expiry::After(validity) => validity.expires_at(effective_at, self.zone),
            Expiry::At(instant) => Some(instant),
        };
        let priority = new.priority.unwrap_or(new.category.priority());
        self.check_room(new.amount)?;
        let id = GrantId::new();
        self.grant_seq += 1;
        let line_seq = new.purchase.map(|purchase| self.next_line_seq(purchase)).transpose()?;
        self.tx.execute(
            "-- ledger::store::grant
             INSERT INTO credit_grant (id, account_id, seq, category, priority, label, reason, granted_at, effective_at,
                                       expires_at, frozen, store_id, order_id, line_id, line_seq, amount,
                                       spent, reversed, expired, clawed, voided, adjusted, repaid)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14, $15, 0, 0, 0, 0, 0, 0, 0)",
            params![
                &id,
                &self.id,
                self.grant_seq,
                new.category.as_str(),
                priority,
                &new.label,
                new.reason.as_ref(),
                now,
                effective_at,
                expires_at,
                new.purchase.map(|purchase| purchase.store),
                new.purchase.map(|purchase| purchase.order),
                new.purchase.map(|purchase| purchase.line),
                line_seq,
                new.amount,
            ],
        )?;
        if let Some(expires_at) = expires_at {
            self.next_expiry = Some(self.next_expiry.map_or(expires_at, |next| next.min(expires_at)));
        }
        let mut postings = vec![Posting {
            operation: id.as_str(),
            kind: Kind::Granted,
            grant: Some(&id),
            source: Place::Issuance,
            target: Place::Compartment(new.compartment.clone()),
            amount: new.amount,
            booked_at: now,
        }];
        let repaid = self.debt(&new.compartment)?.min(new.amount);
        if !repaid.is_zero() {
            postings.push(Posting {
                operation: id.as_str(),
                kind: Kind::Repaid,
                grant: Some(&id),
                source: Place::Compartment(new.compartment.clone()),
                target: Place::Debt(new.compartment.clone()),
                amount: repaid,
                booked_at: now,
            });
        }
        let first = self.post(&postings)?;
        let order = new.purchase.map(|purchase| purchase.order);
        self.show(first, 0, new.shown_as, &new.compartment, &new.label, Delta::plus(new.amount), order)?;
        if !repaid.is_zero() {
            // The debt is of an earlier order, or of several; the new one only pays it.
            let label = "Credits owed from a refunded order";
            self.show(first + 1, 0, Shown::Refund, &new.compartment, label, Delta::minus(repaid), None)?;
        }
        Ok(Granted { id, effective_at, expires_at, priority, repaid })
    }

    /// Spends credits for a site, all or nothing.
    ///
    /// # Errors
    /// [`Error::Frozen`], [`Error::InsufficientCredits`].
    pub fn debit(&mut self, new: &NewDebit) -> Result<Debited, Error> {
        if let Some(reason) = &self.frozen_reason {
            return Err(Error::Frozen(reason.clone()));
        }
        let now = self.tx.now();
        let view = View::Site { site: new.site.clone(), pool: new.uses_pool };
        let mut slices = open_slices(self.tx, &self.id, &view)?;
        let parts = self.plan(&slices, new.amount)?;
        let id = DebitId::new();
        let (first, taken) = self.take(id.as_str(), Kind::Spent, &slices, &parts, &Place::Revenue)?;
        self.tx.execute(
            "-- ledger::store::debit
             INSERT INTO debit (id, account_id, site, agent, action, quantity, rate, label, credits, reversed, reference, occurred_at,
                                usage, booked_at, first_entry, entries)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, $15)",
            params![
                &id,
                &self.id,
                &new.site,
                new.agent.as_ref(),
                new.action.as_ref(),
                new.priced.map(|priced| priced.quantity),
                new.priced.map(|priced| priced.version),
                &new.label,
                new.amount,
                new.reference.as_ref(),
                new.occurred_at,
                new.usage.as_ref(),
                now,
                first,
                i64::try_from(parts.len()).unwrap_or(i64::MAX),
            ],
        )?;
        self.tx.execute(
            "-- ledger::store::count_spending
             INSERT INTO spending (account_id, site, agent, per, period_start, captured)
             VALUES ($1, $2, '', 'month', $3, $4)
             ON CONFLICT (account_id, site, agent, per, period_start)
             DO UPDATE SET captured = spending.captured + excluded.captured",
            params![&self.id, &new.site, month_start(now, self.zone), new.amount],
        )?;
        self.show_usage(first, new)?;
        for part in &parts {
            let remaining = &mut slices[part.slice].remaining;
            *remaining = remaining.saturating_sub(part.credits);
        }
        Ok(Debited { id, taken, position: Position::of(&slices, now) })
    }

    /// Takes credits out by hand, in burn-down order, all or nothing; `reason` is kept with the act.
    ///
    /// # Errors
    /// [`Error::InsufficientCredits`] when the compartment has less.
    pub fn take_out(
        &mut self,
        from: &Compartment,
        amount: Credits,
        reason: &str,
    ) -> Result<(OperationId, Taken), Error> {
        let slices = self.own_slices(from)?;
        let parts = self.plan(&slices, amount)?;
        let operation = OperationId::new();
        let (first, taken) =
            self.take(operation.as_str(), Kind::Adjusted, &slices, &parts, &Place::Adjustment)?;
        self.tx.execute(
            "-- ledger::store::take_out
             INSERT INTO correction (operation, account_id, reason) VALUES ($1, $2, $3)",
            params![&operation, &self.id, reason],
        )?;
        self.show(first, 0, Shown::Adjustment, from, "Balance adjusted", Delta::minus(amount), None)?;
        Ok((operation, taken))
    }

    /// Takes `amount` of a purchase back because its money went back: from what is left of it, wherever
    /// that lies; what was spent is a shortfall. No other purchase is touched.
    ///
    /// A debt lies at `home`, where the purchase's next grant would go and so pay it; without one where the
    /// spent grant lay in this account.
    pub fn claw_back(
        &mut self,
        operation: &str,
        purchase: Purchase,
        amount: Credits,
        label: &str,
        shortfall: Shortfall,
        home: Option<&Compartment>,
    ) -> Result<Clawed, Error> {
        let mut slices = self.purchase_slices(purchase.store, purchase.order, Some(purchase.line))?;
        // The newest grant of the line first: it is what the last change of the order added.
        slices.sort_by_key(|slice| (std::cmp::Reverse(slice.grant_seq), slice.compartment.clone()));
        let mut missing = amount;
        let mut clawed = Clawed::default();
        for slice in slices.iter().filter(|slice| !slice.remaining.is_zero()) {
            if missing.is_zero() {
                break;
            }
            let credits = missing.min(slice.remaining);
            missing = missing.saturating_sub(credits);
            clawed.taken = clawed.taken.checked_add(credits).ok_or(Error::TooMuch)?;
            let part = [Part { slice: 0, credits }];
            let (first, _) =
                self.take(operation, Kind::Clawed, std::slice::from_ref(slice), &part, &Place::Clawback)?;
            let (at, order) = (&slice.compartment, Some(purchase.order));
            self.show(first, 0, Shown::Refund, at, label, Delta::minus(credits), order)?;
        }
        if !missing.is_zero() {
            clawed.shortfall = self.owe(operation, purchase, missing, shortfall, home)?;
        }
        Ok(clawed)
    }

    /// Freezes or unfreezes what is left of a line's grants.
    pub fn set_frozen(&mut self, purchase: Purchase, frozen: bool) -> Result<u64, Error> {
        Ok(self.tx.execute(
            "-- ledger::store::set_frozen
             UPDATE credit_grant SET frozen = $4
             WHERE store_id = $1 AND order_id = $2 AND line_id = $3 AND frozen <> $4",
            params![purchase.store, purchase.order, purchase.line, frozen],
        )?)
    }

    /// What `compartment` owes.
    pub fn debt(&mut self, compartment: &Compartment) -> Result<Credits, Error> {
        let owed = self.tx.query_opt(
            "-- ledger::store::debt
             SELECT amount FROM debt WHERE account_id = $1 AND site = $2",
            params![&self.id, compartment.column()],
            |row| row.get(0),
        )?;
        Ok(owed.unwrap_or(Credits::ZERO))
    }

    /// What the account's compartments owe, those that owe anything.
    pub fn debts(&mut self) -> Result<Vec<(Compartment, Credits)>, Error> {
        Ok(self.tx.query(
            "-- ledger::store::debts
             SELECT site, amount FROM debt WHERE account_id = $1 AND amount > 0 ORDER BY site",
            params![&self.id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?)
    }

    /// Books what a purchase lacks because it was spent. Only what was spent can be owed: what expired is
    /// lost to the customer already, and what an earlier refund found spent is owed, or borne by the shop, once.
    fn owe(
        &mut self,
        operation: &str,
        purchase: Purchase,
        missing: Credits,
        shortfall: Shortfall,
        home: Option<&Compartment>,
    ) -> Result<Credits, Error> {
        let grants = self.tx.query(
            "-- ledger::store::owe
             SELECT g.id, CAST(g.spent - g.reversed + g.repaid - COALESCE((
                        SELECT SUM(e.amount) FROM entry e
                        WHERE e.grant_id = g.id AND e.kind IN ('owed', 'written_off')), 0) AS BIGINT),
                    (SELECT e.target FROM entry e WHERE e.grant_id = g.id AND e.kind = 'granted'),
                    CAST(COALESCE((SELECT SUM(e.amount) FROM entry e
                                   WHERE e.grant_id = g.id AND e.kind = 'written_off'), 0) AS BIGINT)
             FROM credit_grant g
             WHERE g.store_id = $1 AND g.order_id = $2 AND g.line_id = $3 ORDER BY g.seq DESC",
            params![purchase.store, purchase.order, purchase.line],
            |row| {
                Ok((row.get::<GrantId>(0)?, row.get::<i64>(1)?, row.get::<Place>(2)?, row.get::<Credits>(3)?))
            },
        )?;
        let now = self.tx.now();
        let mut left = missing.saturating_sub(grants.iter().map(|(.., written_off)| *written_off).sum());
        let mut owed = Credits::ZERO;
        for (grant, spent, granted_at, _) in grants {
            let amount = left.min(Credits::from_micro(spent.max(0)).unwrap_or(Credits::MAX));
            let Place::Compartment(granted_at) = granted_at else { continue };
            if amount.is_zero() {
                continue;
            }
            let home = match home {
                Some(home) => home.clone(),
                None => self.lay_at(&grant, granted_at)?,
            };
            let (kind, source) = match shortfall {
                Shortfall::Debt | Shortfall::Freeze => (Kind::Owed, Place::Debt(home)),
                Shortfall::WriteOff => (Kind::WrittenOff, Place::Adjustment),
            };
            let target = Place::Clawback;
            let grant = Some(&grant);
            self.post(&[Posting { operation, kind, grant, source, target, amount, booked_at: now }])?;
            left = left.saturating_sub(amount);
            owed = owed.checked_add(amount).ok_or(Error::TooMuch)?;
        }
        if shortfall == Shortfall::Freeze && !owed.is_zero() && self.frozen_reason.is_none() {
            let reason =
                format!("order {} was refunded after {owed} of its credits had been spent", purchase.order);
            self.tx.execute(
                "-- ledger::store::freeze
                 UPDATE account SET frozen_reason = $2 WHERE id = $1",
                params![&self.id, &reason],
            )?;
            self.frozen_reason = Some(reason);
        }
        Ok(owed)
    }

    /// Where in this account a grant that was made at `granted_at`, maybe in another account, lay.
    fn lay_at(&mut self, grant: &GrantId, granted_at: Compartment) -> Result<Compartment, Error> {
        let mut lay: Vec<Compartment> = self.tx.query(
            "-- ledger::store::lay_at
             SELECT site FROM slice WHERE grant_id = $1 AND account_id = $2 ORDER BY site",
            params![grant, &self.id],
            |row| row.get(0),
        )?;
        if lay.is_empty() || lay.contains(&granted_at) { Ok(granted_at) } else { Ok(lay.swap_remove(0)) }
    }

    /// Books as expired what is no longer good, for the instant it ceased to be.
    fn expire(&mut self) -> Result<(), Error> {
        let now = self.tx.now();
        if self.next_expiry.is_none_or(|next| now < next) {
            return Ok(());
        }
        let mut slices = open_slices(self.tx, &self.id, &View::Account)?;
        slices.sort_by_key(|slice| (slice.expires_at, slice.grant_seq));
        for slice in slices.iter().filter(|slice| !slice.remaining.is_zero() && !slice.voided) {
            let Some(expired_at) = slice.expires_at.filter(|expires_at| *expires_at <= now) else {
                continue;
            };
            let operation = OperationId::new();
            let posting = Posting {
                operation: operation.as_str(),
                kind: Kind::Expired,
                grant: Some(&slice.grant),
                source: Place::Compartment(slice.compartment.clone()),
                target: Place::Breakage,
                amount: slice.remaining,
                booked_at: expired_at,
            };
            let first = self.post(&[posting])?;
            let (at, change) = (&slice.compartment, Delta::minus(slice.remaining));
            self.show_at(expired_at, first, 0, Shown::Expired, at, &slice.label, change, slice.order)?;
        }
        self.next_expiry = slices.iter().filter_map(|slice| slice.expires_at).filter(|at| now < *at).min();
        self.save_head()
    }

    pub(super) fn plan(&self, slices: &[Slice], amount: Credits) -> Result<Vec<Part>, Error> {
        burn::plan(slices, amount, self.tx.now())
            .map_err(|short| Error::InsufficientCredits { needed: amount, available: short.available })
    }

    /// The slices that lie in `compartment` itself.
    pub(super) fn own_slices(&mut self, compartment: &Compartment) -> Result<Vec<Slice>, Error> {
        let view = match compartment {
            Compartment::Pool => View::Account,
            Compartment::Site(site) => View::Site { site: site.clone(), pool: false },
        };
        let mut slices = open_slices(self.tx, &self.id, &view)?;
        slices.retain(|slice| slice.compartment == *compartment);
        Ok(slices)
    }

    /// What is left of a purchase, wherever it lies in the account.
    pub(super) fn purchase_slices(
        &mut self,
        store: i64,
        order: i64,
        line: Option<i64>,
    ) -> Result<Vec<Slice>, Error> {
        let grants: Vec<GrantId> = self.tx.query(
            "-- ledger::store::purchase_slices
             SELECT id FROM credit_grant
             WHERE store_id = $1 AND order_id = $2 AND line_id BETWEEN $3 AND $4",
            params![store, order, line.unwrap_or(i64::MIN), line.unwrap_or(i64::MAX)],
            |row| row.get(0),
        )?;
        let mut slices = open_slices(self.tx, &self.id, &View::Account)?;
        slices.retain(|slice| grants.contains(&slice.grant));
        Ok(slices)
    }

    /// Takes `parts` of `slices` to `target`; answers the first entry's number and what each grant gave.
    pub(super) fn take(
        &mut self,
        operation: &str,
        kind: Kind,
        slices: &[Slice],
        parts: &[Part],
        target: &Place,
    ) -> Result<(i64, Taken), Error> {
        let now = self.tx.now();
        let postings: Vec<Posting<'_>> = parts
            .iter()
            .map(|part| Posting {
                operation,
                kind,
                grant: Some(&slices[part.slice].grant),
                source: Place::Compartment(slices[part.slice].compartment.clone()),
                target: target.clone(),
                amount: part.credits,
                booked_at: now,
            })
            .collect();
        let first = self.post(&postings)?;
        let taken = parts.iter().map(|part| (slices[part.slice].grant.clone(), part.credits)).collect();
        Ok((first, Taken { slices: taken }))
    }

    /// [`LockedAccount::take`] of all that remains in one slice.
    pub(super) fn take_all(
        &mut self,
        operation: &str,
        kind: Kind,
        slice: &Slice,
        target: &Place,
    ) -> Result<(i64, Taken), Error> {
        self.take(
            operation,
            kind,
            std::slice::from_ref(slice),
            &[Part { slice: 0, credits: slice.remaining }],
            target,
        )
    }

    /// Writes the entries and what follows from each: slices, the grant's tally, the debt, the chain.
    /// Answers the number of the first.
    pub(super) fn post(&mut self, postings: &[Posting<'_>]) -> Result<i64, Error> {
        let first = self.entry_seq + 1;
        for posting in postings {
            self.append(posting)?;
            if let Place::Compartment(compartment) = &posting.source {
                let touched = self.tx.execute(
                    "-- ledger::store::post (source)
                     UPDATE slice SET remaining = remaining - $4
                     WHERE grant_id = $1 AND account_id = $2 AND site = $3",
                    params![posting.grant, &self.id, compartment.column(), posting.amount],
                )?;
                assert_eq!(touched, 1, "credits are taken from a slice that exists");
            }
            if let Place::Compartment(compartment) = &posting.target {
                self.tx.execute(
                    "-- ledger::store::post (target)
                     INSERT INTO slice (grant_id, site, account_id, remaining, held) VALUES ($1, $2, $3, $4, 0)
                     ON CONFLICT (grant_id, account_id, site)
                     DO UPDATE SET remaining = slice.remaining + excluded.remaining",
                    params![posting.grant, compartment.column(), &self.id, posting.amount],
                )?;
            }
            if let Place::Debt(compartment) = &posting.source {
                self.tx.execute(
                    "-- ledger::store::post (owed)
                     INSERT INTO debt (account_id, site, amount) VALUES ($1, $2, $3)
                     ON CONFLICT (account_id, site) DO UPDATE SET amount = debt.amount + excluded.amount",
                    params![&self.id, compartment.column(), posting.amount],
                )?;
            }
            if let Place::Debt(compartment) = &posting.target {
                self.tx.execute(
                    "-- ledger::store::post (repaid)
                     UPDATE debt SET amount = amount - $3 WHERE account_id = $1 AND site = $2",
                    params![&self.id, compartment.column(), posting.amount],
                )?;
            }
            self.tally(posting)?;
        }
        self.save_head()?;
        Ok(first)
    }

    fn append(&mut self, posting: &Posting<'_>) -> Result<(), Error> {
        self.entry_seq += 1;
        let (source, target) = (posting.source.to_string(), posting.target.to_string());
        self.entry_hash = chain::hash(
            &self.entry_hash,
            &Link {
                account: self.id.as_str(),
                seq: self.entry_seq,
                operation: posting.operation,
                kind: posting.kind.as_str(),
                grant: posting.grant.map(GrantId::as_str),
                source: &source,
                target: &target,
                amount: posting.amount.micro(),
                booked_at: posting.booked_at.millis(),
            },
        );
        self.tx.execute(
            "-- ledger::store::append
             INSERT INTO entry (account_id, seq, operation, kind, grant_id, source, target, amount, booked_at, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                &self.id,
                self.entry_seq,
                posting.operation,
                posting.kind.as_str(),
                posting.grant,
                &source,
                &target,
                posting.amount,
                posting.booked_at,
                &self.entry_hash,
            ],
        )?;
        Ok(())
    }

    /// Adds the posting to its grant's side of "granted = remaining + held + spent − reversed + …".
    fn tally(&mut self, posting: &Posting<'_>) -> Result<(), Error> {
        let of = |kind: Kind| {
            if posting.kind == kind { posting.amount } else { Credits::ZERO }
        };
        let columns = [
            of(Kind::Spent),
            of(Kind::Reversed),
            of(Kind::Expired),
            of(Kind::Clawed),
            of(Kind::Voided),
            of(Kind::Adjusted),
            of(Kind::Repaid),
        ];
        if columns.iter().all(|amount| amount.is_zero()) {
            return Ok(());
        }
        let [spent, reversed, expired, clawed, voided, adjusted, repaid] = columns;
        self.tx.execute(
            "-- ledger::store::tally
             UPDATE credit_grant SET spent = spent + $2, reversed = reversed + $3, expired = expired + $4,
                    clawed = clawed + $5, voided = voided + $6, adjusted = adjusted + $7, repaid = repaid + $8
             WHERE id = $1",
            params![posting.grant, spent, reversed, expired, clawed, voided, adjusted, repaid],
        )?;
        Ok(())
    }

    pub(super) fn save_head(&mut self) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::save_head
             UPDATE account SET grant_seq = $2, entry_seq = $3, entry_hash = $4, next_expiry = $5 WHERE id = $1",
            params![&self.id, self.grant_seq, self.entry_seq, &self.entry_hash, self.next_expiry],
        )?;
        Ok(())
    }

    /// Refuses an amount with which the account's grants would add up to more than can be counted.
    ///
    /// # Errors
    /// [`Error::TooMuch`].
    pub fn check_room(&mut self, amount: Credits) -> Result<(), Error> {
        let held = Position::of(&open_slices(self.tx, &self.id, &View::Account)?, self.tx.now());
        let sum = [held.posted, held.frozen].into_iter().try_fold(amount, Credits::checked_add);
        sum.map(|_| ()).ok_or(Error::TooMuch)
    }

    fn next_line_seq(&mut self, purchase: Purchase) -> Result<i64, Error> {
        Ok(self.tx.query_one(
            "-- ledger::store::next_line_seq
             SELECT CAST(COALESCE(MAX(line_seq), 0) + 1 AS BIGINT) FROM credit_grant
             WHERE store_id = $1 AND order_id = $2 AND line_id = $3",
            params![purchase.store, purchase.order, purchase.line],
            |row| row.get(0),
        )?)
    }

    #[expect(clippy::too_many_arguments, reason = "a line of the activity has that many columns")]
    pub(super) fn show(
        &mut self,
        entry: i64,
        part: i64,
        shown: Shown,
        compartment: &Compartment,
        label: &str,
        change: Delta,
        order: Option<i64>,
    ) -> Result<(), Error> {
        self.show_at(self.tx.now(), entry, part, shown, compartment, label, change, order)
    }

    /// Writes the line a customer reads of a debit; a burst of equal usage in one hour is one line.
    fn show_usage(&mut self, entry: i64, new: &NewDebit) -> Result<(), Error> {
        let now = self.tx.now();
        // Only where the words tell it: equal words stand for one line, and how much is a part of the words.
        let told = new.priced.filter(|_| new.label.contains(QUANTITY));
        let quantity = told.map(|priced| priced.quantity);
        self.tx.execute(
            "-- ledger::store::show_usage
             INSERT INTO activity (account_id, seq, at, hour, kind, site, label, quantity, credits, order_id)
             VALUES ($1, $2, $3, $4, 'usage', $5, $6, $7, $8, NULL)
             ON CONFLICT (account_id, hour, site, label) WHERE kind = 'usage'
             DO UPDATE SET credits = activity.credits + excluded.credits,
                           quantity = activity.quantity + excluded.quantity",
            params![
                &self.id,
                entry * 2,
                now,
                now.hour(),
                &new.site,
                &new.label,
                quantity,
                Delta::minus(new.amount),
            ],
        )?;
        Ok(())
    }

    /// Writes the line a customer reads.
    #[expect(clippy::too_many_arguments, reason = "a line of the activity has that many columns")]
    fn show_at(
        &mut self,
        at: Timestamp,
        entry: i64,
        part: i64,
        shown: Shown,
        compartment: &Compartment,
        label: &str,
        change: Delta,
        order: Option<i64>,
    ) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::show
             INSERT INTO activity (account_id, seq, at, hour, kind, site, label, credits, order_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                &self.id,
                entry * 2 + part,
                at,
                at.hour(),
                shown.as_str(),
                compartment.column(),
                label,
                change,
                order,
            ],
        )?;
        Ok(())
    }
}
