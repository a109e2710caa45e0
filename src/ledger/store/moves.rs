//! Moving credits and debts: inside an account, and from one account to another.
//!
//! What moves keeps its expiry, category and purchase. A movement between two accounts is two entries of one
//! operation, one in each chain.

use super::{Error, LockedAccount};
use crate::id::{AccountId, OperationId};
use crate::ledger::act::{Purchase, Sent, SentDebt, Shown, Taken};
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::slice::{Compartment, Slice, View, open_slices};
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

impl LockedAccount<'_, '_> {
    /// Moves unspent credits from one compartment to another; they keep their expiry, category and purchase.
    ///
    /// # Errors
    /// [`Error::InsufficientCredits`] when the source has less.
    pub fn relocate(
        &mut self,
        from: &Compartment,
        to: &Compartment,
        amount: Credits,
    ) -> Result<Taken, Error> {
        let slices = self.own_slices(from)?;
        let parts = self.plan(&slices, amount)?;
        let operation = OperationId::new();
        let target = Place::Compartment(to.clone());
        let (first, taken) = self.take(operation.as_str(), Kind::Moved, &slices, &parts, &target)?;
        self.show_move(self.tx.now(), first, from, to, amount, None)?;
        Ok(taken)
    }

    /// Moves all of a purchase that is neither spent nor held to `to`, wherever it lies; it keeps its expiry,
    /// category and purchase.
    pub fn relocate_purchase(&mut self, purchase: Purchase, to: &Compartment) -> Result<(), Error> {
        let slices = self.purchase_slices(purchase.store, purchase.order, Some(purchase.line))?;
        let target = Place::Compartment(to.clone());
        for slice in slices.iter().filter(|slice| slice.compartment != *to && !slice.remaining.is_zero()) {
            let operation = OperationId::new();
            let (first, _) = self.take_all(operation.as_str(), Kind::Moved, slice, &target)?;
            self.show_move(
                self.tx.now(),
                first,
                &slice.compartment,
                to,
                slice.remaining,
                Some(purchase.order),
            )?;
        }
        Ok(())
    }

    /// Moves all that is neither spent nor held in the compartment of a site that is no longer the account's
    /// to the pool, so that it can be spent, and what the compartment owes with it; credits keep their expiry,
    /// category and purchase.
    pub fn vacate(&mut self, site: &Compartment) -> Result<(), Error> {
        let slices = self.own_slices(site)?;
        for slice in slices.iter().filter(|slice| !slice.remaining.is_zero()) {
            let operation = OperationId::new();
            let target = Place::Compartment(Compartment::Pool);
            let (first, _) = self.take_all(operation.as_str(), Kind::Moved, slice, &target)?;
            self.show_move(self.tx.now(), first, site, &Compartment::Pool, slice.remaining, slice.order)?;
        }
        self.pool_debt(site)?;
        Ok(())
    }

    /// Lets the pool owe what the compartment of a site owes that is no longer the account's: whoever spent
    /// it has no other grant that would repay it. Answers how much that is.
    pub fn pool_debt(&mut self, site: &Compartment) -> Result<Credits, Error> {
        let owed = self.debt(site)?;
        if *site != Compartment::Pool && !owed.is_zero() {
            let operation = OperationId::new();
            let (from, to) = (Place::Debt(site.clone()), Place::Debt(Compartment::Pool));
            self.settle_debt(&operation, to, from, owed)?;
        }
        Ok(owed)
    }

    /// Sends all of an order's credits that are neither spent nor held to another account. What is answered
    /// must be handed to [`LockedAccount::receive`] of that account in the same transaction.
    pub fn send_purchase(&mut self, store: i64, order: i64, to: &AccountId) -> Result<Vec<Sent>, Error> {
        let slices = self.purchase_slices(store, order, None)?;
        self.send(slices, to)
    }

    /// As [`LockedAccount::send_purchase`], with all that the account has.
    pub fn send_all(&mut self, to: &AccountId) -> Result<Vec<Sent>, Error> {
        let slices = open_slices(self.tx, &self.id, &View::Account)?;
        self.send(slices, to)
    }

    /// As [`LockedAccount::send_purchase`], with all that lies in one compartment.
    pub fn send_compartment(&mut self, from: &Compartment, to: &AccountId) -> Result<Vec<Sent>, Error> {
        let slices = self.own_slices(from)?;
        self.send(slices, to)
    }

    fn send(&mut self, slices: Vec<Slice>, to: &AccountId) -> Result<Vec<Sent>, Error> {
        let mut sent = Vec::new();
        for slice in slices.into_iter().filter(|slice| !slice.remaining.is_zero()) {
            let operation = OperationId::new();
            let (first, _) =
                self.take_all(operation.as_str(), Kind::Moved, &slice, &Place::Account(to.clone()))?;
            let (at, change) = (&slice.compartment, Delta::minus(slice.remaining));
            self.show(first, 0, Shown::Moved, at, "Moved to another account", change, slice.order)?;
            sent.push(Sent { operation, from: self.id.clone(), slice });
        }
        Ok(sent)
    }

    /// Takes in what another account sent.
    pub fn receive(&mut self, sent: &Sent, to: &Compartment) -> Result<(), Error> {
        let first = self.post(&[Posting {
            operation: sent.operation.as_str(),
            kind: Kind::Moved,
            grant: Some(&sent.slice.grant),
            source: Place::Account(sent.from.clone()),
            target: Place::Compartment(to.clone()),
            amount: sent.slice.remaining,
            booked_at: self.tx.now(),
        }])?;
        if let Some(expires_at) = sent.slice.expires_at {
            self.next_expiry = Some(self.next_expiry.map_or(expires_at, |next| next.min(expires_at)));
            self.save_head()?;
        }
        let change = Delta::plus(sent.slice.remaining);
        self.show(first, 0, Shown::Moved, to, &sent.slice.label, change, sent.slice.order)
    }

    /// Lets another account owe all that this one owes. What is answered must be handed to
    /// [`LockedAccount::assume`] of that account in the same transaction.
    pub fn send_debts(&mut self, to: &AccountId) -> Result<Vec<SentDebt>, Error> {
        let mut sent = Vec::new();
        for (compartment, amount) in self.debts()? {
            let operation = OperationId::new();
            let (payer, owed) = (Place::Account(to.clone()), Place::Debt(compartment.clone()));
            self.settle_debt(&operation, payer, owed, amount)?;
            sent.push(SentDebt { operation, from: self.id.clone(), compartment, amount });
        }
        Ok(sent)
    }

    /// Owes in `at` what another account owed.
    pub fn assume(&mut self, sent: &SentDebt, at: &Compartment) -> Result<(), Error> {
        let (debtor, creditor) = (Place::Debt(at.clone()), Place::Account(sent.from.clone()));
        self.settle_debt(&sent.operation, debtor, creditor, sent.amount)
    }

    /// Moves a debt. It is of a compartment and not of a grant, so the entry names none; and it is credits
    /// that are not there, so the customer's history has no line for it.
    fn settle_debt(
        &mut self,
        operation: &OperationId,
        source: Place,
        target: Place,
        amount: Credits,
    ) -> Result<(), Error> {
        self.post(&[Posting {
            operation: operation.as_str(),
            kind: Kind::Moved,
            grant: None,
            source,
            target,
            amount,
            booked_at: self.tx.now(),
        }])?;
        Ok(())
    }

    pub(super) fn show_move(
        &mut self,
        at: Timestamp,
        entry: i64,
        from: &Compartment,
        to: &Compartment,
        amount: Credits,
        order: Option<i64>,
    ) -> Result<(), Error> {
        let name = |compartment: &Compartment| match compartment {
            Compartment::Pool => "shared credits".to_owned(),
            Compartment::Site(site) => format!("site {site}"),
        };
        let (sent, received) = (format!("Moved to {}", name(to)), format!("Moved from {}", name(from)));
        self.show_at(at, entry, 0, Shown::Moved, from, &sent, Delta::minus(amount), order)?;
        self.show_at(at, entry, 1, Shown::Moved, to, &received, Delta::plus(amount), order)
    }
}
