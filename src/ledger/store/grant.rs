//! Credits come in, and are corrected by hand.

use super::hot::{Account, Hot};
use super::{Error, LockedAccount};
use crate::db::Tx;
use crate::id::{AccountId, GrantId, OperationId};
use crate::ledger::act::{Expiry, Granted, NewGrant, Purchase, Shown, Taken};
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::position::Position;
use crate::ledger::slice::{Compartment, Slice, View, open_slices};
use crate::params;
use crate::time::{Timestamp, Validity};
use crate::units::{Credits, Delta};

/// Adds credits to an account, the first of an order line. What the writer remembers of the account is kept true, so
/// one who buys again costs no look.
///
/// # Errors
/// As [`LockedAccount::lock`]; [`Error::TooMuch`].
pub fn grant_first(tx: &mut Tx<'_>, id: &AccountId, new: &NewGrant) -> Result<Granted, Error> {
    let remembered = tx.memory().and_then(|memory| memory.of::<Hot>().take(id));
    let mut account = match remembered {
        Some(account) => account,
        None => Account::read(tx, id)?,
    };
    // What a plan's period decides, and what is to be booked before, is seldom.
    let is_plain = !matches!(new.expiry, Expiry::After(Validity::Cycle)) && !account.is_due(tx.now());
    if !is_plain || account.owes(tx)? {
        return LockedAccount::lock(tx, id)?.grant(new);
    }
    let granted = account.grant(tx, new)?;
    if let Some(memory) = tx.memory() {
        memory.of::<Hot>().keep(id, account);
    }
    Ok(granted)
}

/// Whether [`grant_first`] takes `amount` in all for the account, in however many grants.
///
/// # Errors
/// As [`LockedAccount::lock`].
pub fn takes_first(tx: &mut Tx<'_>, id: &AccountId, amount: Credits) -> Result<bool, Error> {
    let remembered = tx.memory().and_then(|memory| memory.of::<Hot>().take(id));
    let mut account = match remembered {
        Some(account) => account,
        None => Account::read(tx, id)?,
    };
    let takes = !account.is_due(tx.now()) && !account.owes(tx)? && account.has_room(amount, tx.now());
    if let Some(memory) = tx.memory() {
        memory.of::<Hot>().keep(id, account);
    }
    Ok(takes)
}

/// A grant of which everything is decided.
#[derive(Debug)]
pub(super) struct Fresh<'a> {
    pub(super) new: &'a NewGrant,
    pub(super) now: Timestamp,
    pub(super) effective_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// Its number among those of its order line.
    pub(super) line_seq: Option<i64>,
    /// What of it pays a debt.
    pub(super) repaid: Credits,
}

impl LockedAccount<'_, '_> {
    /// Adds credits. A debt of their compartment is paid from them first.
    pub fn grant(&mut self, new: &NewGrant) -> Result<Granted, Error> {
        self.grant_at(self.tx.now(), new)
    }

    /// [`LockedAccount::grant`], booked for the instant `now`, which may have passed.
    pub(super) fn grant_at(&mut self, now: Timestamp, new: &NewGrant) -> Result<Granted, Error> {
        let effective_at = new.effective_at.unwrap_or(now);
        let expires_at = match new.expiry {
            Expiry::After(Validity::Cycle) => Some(self.cycle_end(&new.compartment, effective_at)?),
            Expiry::After(validity) => validity.expires_at(effective_at, self.zone),
            Expiry::At(instant) => Some(instant),
        };
        self.check_room(new.amount)?;
        let line_seq = new.purchase.map(|purchase| self.next_line_seq(purchase)).transpose()?;
        let repaid = self.debt(&new.compartment)?.min(new.amount);
        self.book_grant(&Fresh { new, now, effective_at, expires_at, line_seq, repaid })
    }

    /// Writes a grant, with what follows from it.
    pub(super) fn book_grant(&mut self, fresh: &Fresh<'_>) -> Result<Granted, Error> {
        let Fresh { new, now, effective_at, expires_at, line_seq, repaid } = *fresh;
        let priority = new.priority.unwrap_or(new.category.priority());
        let id = GrantId::new();
        self.grant_seq += 1;
        self.tx.execute(
            "-- ledger::store::grant::grant
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
        self.show_at(
            now,
            first,
            0,
            new.shown_as,
            &new.compartment,
            &new.label,
            Delta::plus(new.amount),
            order,
        )?;
        if !repaid.is_zero() {
            // The debt is of an earlier order, or of several; the new one only pays it. Where credits were lent, too,
            // nobody can say which of both is paid.
            let (kind, label) = if self.has_borrowed()? {
                (Shown::Adjustment, "Owed credits repaid")
            } else {
                (Shown::Refund, "Credits owed from a refunded order")
            };
            self.show_at(now, first + 1, 0, kind, &new.compartment, label, Delta::minus(repaid), None)?;
        }
        Ok(Granted { id, effective_at, expires_at, priority, repaid })
    }

    /// Whether the account was ever lent credits: a hold that went uncovered was captured beyond what covered it.
    fn has_borrowed(&mut self) -> Result<bool, Error> {
        let found = self.tx.query_opt(
            "-- ledger::store::grant::has_borrowed
             SELECT CAST(1 AS BIGINT) FROM hold
             WHERE uncovered > 0 AND captured > credits - uncovered
               AND account_id IN (SELECT id FROM account WHERE id = $1 OR merged_into = $1) LIMIT 1",
            params![&self.id],
            |row| row.get::<i64>(0),
        )?;
        Ok(found.is_some())
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
            "-- ledger::store::grant::take_out
             INSERT INTO correction (operation, account_id, reason) VALUES ($1, $2, $3)",
            params![&operation, &self.id, reason],
        )?;
        self.show(first, 0, Shown::Adjustment, from, "Balance adjusted", Delta::minus(amount), None)?;
        Ok((operation, taken))
    }

    /// Freezes or unfreezes what is left of a line's grants; answers how many were not so before.
    pub fn set_frozen(&mut self, purchase: Purchase, frozen: bool) -> Result<u64, Error> {
        let now = self.tx.now();
        let changed: Vec<GrantId> = self.tx.query(
            "-- ledger::store::grant::set_frozen
             UPDATE credit_grant SET frozen = $4
             WHERE store_id = $1 AND order_id = $2 AND line_id = $3 AND frozen <> $4
             RETURNING id",
            params![purchase.store, purchase.order, purchase.line, frozen],
            |row| row.get(0),
        )?;
        for grant in &changed {
            self.tx.execute(
                "-- ledger::store::grant::set_frozen (since)
                 INSERT INTO grant_freeze (grant_id, at, frozen) VALUES ($1, $2, $3)
                 ON CONFLICT (grant_id, at) DO UPDATE SET frozen = excluded.frozen",
                params![grant, now, frozen],
            )?;
        }
        Ok(changed.len() as u64)
    }

    /// Refuses an amount with which the account's grants would add up to more than can be counted.
    ///
    /// # Errors
    /// [`Error::TooMuch`].
    pub fn check_room(&mut self, amount: Credits) -> Result<(), Error> {
        has_room(&open_slices(self.tx, &self.id, &View::Account)?, amount, self.tx.now())
    }

    fn next_line_seq(&mut self, purchase: Purchase) -> Result<i64, Error> {
        Ok(self.tx.query_one(
            "-- ledger::store::grant::next_line_seq
             SELECT CAST(COALESCE(MAX(line_seq), 0) + 1 AS BIGINT) FROM credit_grant
             WHERE store_id = $1 AND order_id = $2 AND line_id = $3",
            params![purchase.store, purchase.order, purchase.line],
            |row| row.get(0),
        )?)
    }
}

/// Refuses an amount with which all slices of an account would add up to more than can be counted.
pub(super) fn has_room(slices: &[Slice], amount: Credits, now: Timestamp) -> Result<(), Error> {
    let held = Position::of(slices, now);
    let sum = [held.posted, held.frozen].into_iter().try_fold(amount, Credits::checked_add);
    sum.map(|_| ()).ok_or(Error::TooMuch)
}
