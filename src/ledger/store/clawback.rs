//! Money went back, so credits do; what was spent meanwhile is owed.

use std::collections::{BTreeSet, HashMap};

use super::due::{self, Due};
use super::{Error, LockedAccount};
use crate::db::{self, Tx};
use crate::id::{AccountId, GrantId};
use crate::ledger::act::{Clawed, Purchase, Shortfall, Shown};
use crate::ledger::burn::Part;
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::slice::{Compartment, Slice};
use crate::params;
use crate::units::{Credits, Delta};

/// Locks, in the order in which several accounts are always locked, an account and all others in which something
/// is left of a purchase that was its own once: what lies at a site goes along when the site is handed over.
pub fn lock_holders(tx: &mut Tx<'_>, account: &AccountId, purchase: Purchase) -> Result<(), Error> {
    let mut all = holders(tx, purchase)?;
    if !all.is_empty() && all != [account.clone()] {
        all.push(account.clone());
        for id in BTreeSet::from_iter(all) {
            LockedAccount::lock(tx, &id)?;
        }
    }
    Ok(())
}

/// The accounts in which something is left of a purchase, by id.
fn holders(tx: &mut Tx<'_>, purchase: Purchase) -> Result<Vec<AccountId>, db::Error> {
    tx.query(
        "-- ledger::store::clawback::holders
         SELECT DISTINCT s.account_id FROM credit_grant g JOIN slice s ON s.grant_id = g.id
         WHERE g.store_id = $1 AND g.order_id = $2 AND g.line_id = $3 AND (s.remaining > 0 OR s.held > 0)
         ORDER BY s.account_id",
        params![purchase.store, purchase.order, purchase.line],
        |row| row.get(0),
    )
}

impl LockedAccount<'_, '_> {
    /// Takes `amount` of a purchase back because its money went back: from what is left of it, wherever
    /// that lies, here first and then in the accounts that got it with a site; then from what is held of it, as soon as
    /// that ends; what was spent is a shortfall, and this account's. No other purchase is touched.
    ///
    /// A debt lies at `home`, where the purchase's next grant would go and so pay it; without one where the
    /// spent grant lay in this account. Accounts other than this one must be locked before: [`lock_holders`].
    pub fn claw_back(
        &mut self,
        operation: &str,
        purchase: Purchase,
        amount: Credits,
        label: &str,
        shortfall: Shortfall,
        home: Option<&Compartment>,
    ) -> Result<Clawed, Error> {
        let mut taken = self.take_back(operation, purchase, amount, label)?;
        let own = self.id.clone();
        for holder in holders(self.tx, purchase)?.into_iter().filter(|holder| *holder != own) {
            let missing = amount.saturating_sub(taken);
            let more =
                LockedAccount::lock(self.tx, &holder)?.take_back(operation, purchase, missing, label)?;
            taken = taken.checked_add(more).ok_or(Error::TooMuch)?;
        }
        let mut clawed = Clawed { taken, ..Clawed::default() };
        let mut missing = amount.saturating_sub(taken);
        if !missing.is_zero() {
            let due = |at: &Compartment| Due {
                operation: operation.to_owned(),
                amount: Credits::ZERO,
                shortfall,
                home: home.unwrap_or(at).clone(),
                label: label.to_owned(),
            };
            clawed.due = self.claw_held(purchase, missing, due)?;
            missing = missing.saturating_sub(clawed.due);
        }
        if !missing.is_zero() {
            clawed.shortfall = self.owe(operation, purchase, missing, shortfall, home)?;
        }
        Ok(clawed)
    }

    /// Takes up to `amount` of what this account has left of a purchase; answers how much that is.
    fn take_back(
        &mut self,
        operation: &str,
        purchase: Purchase,
        amount: Credits,
        label: &str,
    ) -> Result<Credits, Error> {
        let mut slices = self.purchase_slices(purchase.store, purchase.order, Some(purchase.line))?;
        // The newest grant of the line first: it is what the last change of the order added.
        // Its number in the account does not tell, where the line granted in two that are one by now.
        let newest: Vec<GrantId> = self.tx.query(
            "-- ledger::store::clawback::take_back (newest first)
             SELECT id FROM credit_grant WHERE store_id = $1 AND order_id = $2 AND line_id = $3
             ORDER BY line_seq DESC",
            params![purchase.store, purchase.order, purchase.line],
            |row| row.get(0),
        )?;
        let place = |slice: &Slice| newest.iter().position(|grant| *grant == slice.grant);
        slices.sort_by_key(|slice| (place(slice), slice.compartment.clone()));
        let mut missing = amount;
        for slice in slices.iter().filter(|slice| !slice.remaining.is_zero()) {
            if missing.is_zero() {
                break;
            }
            let credits = missing.min(slice.remaining);
            missing = missing.saturating_sub(credits);
            let part = [Part { slice: 0, credits }];
            let (first, _) =
                self.take(operation, Kind::Clawed, std::slice::from_ref(slice), &part, &Place::Clawback)?;
            let (at, order) = (&slice.compartment, Some(purchase.order));
            self.show(first, 0, Shown::Refund, at, label, Delta::minus(credits), order)?;
        }
        Ok(amount.saturating_sub(missing))
    }

    /// Lets up to `amount` of what is held of a purchase be taken back when its holds end; answers how much.
    fn claw_held(
        &mut self,
        purchase: Purchase,
        amount: Credits,
        due: impl Fn(&Compartment) -> Due,
    ) -> Result<Credits, Error> {
        let held: Vec<(AccountId, GrantId, Compartment, Credits)> = self.tx.query(
            "-- ledger::store::clawback::claw_held
             SELECT s.account_id, s.grant_id, s.site, s.held
             FROM slice s JOIN credit_grant g ON g.id = s.grant_id
             WHERE g.store_id = $1 AND g.order_id = $2 AND g.line_id = $3 AND s.held > 0
             ORDER BY g.line_seq DESC, g.id, s.account_id, s.site",
            params![purchase.store, purchase.order, purchase.line],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        let mut left = amount;
        let mut waiting: HashMap<(AccountId, GrantId), Credits> = HashMap::new();
        for (account, grant, at, held) in held {
            let key = (account, grant);
            let before = match waiting.get(&key) {
                Some(before) => *before,
                None => due::sum(self.tx, &key.0, &key.1)?,
            };
            // Of a grant's slices the first are what was due before.
            let free = held.saturating_sub(before);
            let credits = left.min(free);
            if !credits.is_zero() {
                left = left.saturating_sub(credits);
                due::add(self.tx, &key.0, &key.1, &Due { amount: credits, ..due(&at) })?;
            }
            waiting.insert(key, before.saturating_sub(held));
        }
        Ok(amount.saturating_sub(left))
    }

    /// What `compartment` owes.
    pub fn debt(&mut self, compartment: &Compartment) -> Result<Credits, Error> {
        let owed = self.tx.query_opt(
            "-- ledger::store::clawback::debt
             SELECT amount FROM debt WHERE account_id = $1 AND site = $2",
            params![&self.id, compartment.column()],
            |row| row.get(0),
        )?;
        Ok(owed.unwrap_or(Credits::ZERO))
    }

    /// What the account's compartments owe, those that owe anything.
    pub fn debts(&mut self) -> Result<Vec<(Compartment, Credits)>, Error> {
        Ok(self.tx.query(
            "-- ledger::store::clawback::debts
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
            "-- ledger::store::clawback::owe
             SELECT g.id, CAST(g.spent - g.reversed + g.repaid - COALESCE((
                        SELECT SUM(CASE e.target WHEN 'clawback' THEN e.amount ELSE -e.amount END) FROM entry e
                        WHERE e.grant_id = g.id AND e.kind IN ('owed', 'written_off')), 0) AS BIGINT),
                    (SELECT e.target FROM entry e WHERE e.grant_id = g.id AND e.kind = 'granted'),
                    CAST(COALESCE((SELECT SUM(CASE e.target WHEN 'clawback' THEN e.amount ELSE -e.amount END)
                                   FROM entry e
                                   WHERE e.grant_id = g.id AND e.kind = 'written_off'), 0) AS BIGINT)
             FROM credit_grant g
             WHERE g.store_id = $1 AND g.order_id = $2 AND g.line_id = $3 ORDER BY g.line_seq DESC",
            params![purchase.store, purchase.order, purchase.line],
            |row| {
                Ok((row.get::<GrantId>(0)?, row.get::<i64>(1)?, row.get::<Place>(2)?, row.get::<Credits>(3)?))
            },
        )?;
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
            self.owe_of(operation, &grant, amount, shortfall, &home)?;
            left = left.saturating_sub(amount);
            owed = owed.checked_add(amount).ok_or(Error::TooMuch)?;
        }
        if shortfall == Shortfall::Freeze && !owed.is_zero() {
            self.freeze_for(purchase.order, owed)?;
        }
        Ok(owed)
    }

    /// Lets `home` owe, or the shop bear, what was spent of a grant whose money went back.
    pub(super) fn owe_of(
        &mut self,
        operation: &str,
        grant: &GrantId,
        amount: Credits,
        shortfall: Shortfall,
        home: &Compartment,
    ) -> Result<(), Error> {
        let (kind, source) = match shortfall {
            Shortfall::Debt | Shortfall::Freeze => (Kind::Owed, Place::Debt(home.clone())),
            Shortfall::WriteOff => (Kind::WrittenOff, Place::Adjustment),
        };
        let (target, grant, booked_at) = (Place::Clawback, Some(grant), self.tx.now());
        self.post(&[Posting { operation, kind, grant, source, target, amount, booked_at }])?;
        Ok(())
    }

    /// Freezes the account because what an order brought was spent before its money went back.
    pub(super) fn freeze_for(&mut self, order: i64, owed: Credits) -> Result<(), Error> {
        if self.frozen_reason.is_some() {
            return Ok(());
        }
        let reason = format!("order {order} was refunded after {owed} of its credits had been spent");
        let now = self.tx.now();
        self.tx.execute(
            "-- ledger::store::clawback::freeze_for
             UPDATE account SET frozen_reason = $2, frozen_at = $3 WHERE id = $1",
            params![&self.id, &reason, now],
        )?;
        self.frozen_reason = Some(reason);
        Ok(())
    }

    /// Where in this account a grant that was made at `granted_at`, maybe in another account, lay.
    fn lay_at(&mut self, grant: &GrantId, granted_at: Compartment) -> Result<Compartment, Error> {
        let mut lay: Vec<Compartment> = self.tx.query(
            "-- ledger::store::clawback::lay_at
             SELECT site FROM slice WHERE grant_id = $1 AND account_id = $2 ORDER BY site",
            params![grant, &self.id],
            |row| row.get(0),
        )?;
        if lay.is_empty() || lay.contains(&granted_at) { Ok(granted_at) } else { Ok(lay.swap_remove(0)) }
    }
}
