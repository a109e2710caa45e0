//! Credits are used.
//!
//! A debit reads nothing it has read before: what decides about it is remembered by the writer ([`Hot`]), and is what
//! the tables say. It writes its entries, itself and the row of its account, where all else that it changed waits
//! [unsettled](crate::ledger::unsettled).

use chrono::Datelike as _;

use super::admit::{Admitted, Payer, Spender, admit};
use super::hot::{Account, Hot};
use super::{Error, LockedAccount};
use crate::calendar::{Per, local_day};
use crate::db::Tx;
use crate::id::{AccountId, AgentId, DebitId, HoldId, SiteId};
use crate::ledger::act::{Debited, NewDebit};
use crate::ledger::limit::{Brake, Purpose};
use crate::params;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

/// The periods in which spending is counted; weeks and years are added up from them.
pub(super) const COUNTED: [Per; 2] = [Per::Day, Per::Month];

/// Spends credits of an account for a site, all or nothing. The debit that goes beyond what `brake` allows is booked,
/// and pauses the site. A debit that is refused has written nothing.
///
/// # Errors
/// As [`LockedAccount::lock`] and [`admit`].
pub fn spend(tx: &mut Tx<'_>, id: &AccountId, new: &NewDebit, brake: &Brake) -> Result<Debited, Error> {
    let remembered = tx.memory().and_then(|memory| memory.of::<Hot>().take(id));
    let mut account = match remembered {
        Some(account) => account,
        None => Account::read(tx, id)?,
    };
    let was_due = account.is_due(tx.now());
    let done = if was_due {
        tx.attempt(|tx| {
            LockedAccount::lock(tx, id)?;
            account = Account::read(tx, id)?;
            account.debit(tx, new, brake)
        })
    } else {
        account.debit(tx, new, brake)
    };
    // A refusal changed nothing, but for what was due: that was taken back with it.
    let is_true = match &done {
        Ok(_) => true,
        Err(Error::Database(_)) => false,
        Err(_) => !was_due,
    };
    if is_true && let Some(memory) = tx.memory() {
        memory.of::<Hot>().keep(id, account);
    }
    done
}

impl LockedAccount<'_, '_> {
    /// Writes a debit whose entries were written last.
    pub(super) fn insert_debit(
        &mut self,
        id: &DebitId,
        new: &NewDebit,
        hold: Option<&HoldId>,
    ) -> Result<(), Error> {
        let now = self.tx.now();
        let (first, last) = self.posted;
        self.tx.execute(
            "-- ledger::store::spend::insert_debit
             INSERT INTO debit (id, account_id, site, agent, action, quantity, rate, label, credits, reversed, reference, occurred_at,
                                usage, booked_at, first_entry, last_entry, hold_id, counted_day)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, $15, $16, $17)",
            params![
                id,
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
                last,
                hold,
                i64::from(local_day(now, self.zone).num_days_from_ce()),
            ],
        )?;
        Ok(())
    }

    /// Counts what it was spent for: of a debit that was [written](LockedAccount::insert_debit) last.
    pub(super) fn count_debit(&mut self, new: &NewDebit) -> Result<(), Error> {
        let hour = self.tx.now().hour();
        let agent = new.agent.as_ref().map_or("", AgentId::as_str);
        let action = new.action.as_deref().unwrap_or_default();
        self.count_use(&new.site, hour, agent, action, Delta::plus(new.amount))?;
        self.note_spent(hour, self.posted)
    }

    /// [`admit`] for this account.
    pub(super) fn admit(
        &mut self,
        spender: &Spender<'_>,
        amount: Credits,
        purpose: Purpose,
    ) -> Result<Admitted, Error> {
        let payer =
            Payer { account: &self.id, zone: self.zone, frozen_reason: self.frozen_reason.as_deref() };
        admit(self.tx, &payer, spender, amount, purpose)
    }

    /// Adds `change` to what was spent in the periods of `at`, of the site and of the assistant; answers what the
    /// site captured in the hour of `at`.
    pub(super) fn count_spending(
        &mut self,
        site: &SiteId,
        agent: Option<&AgentId>,
        at: Timestamp,
        change: Delta,
    ) -> Result<Delta, Error> {
        for counted in std::iter::once("").chain(agent.map(AgentId::as_str)) {
            for per in COUNTED {
                self.count(site, counted, per.as_str(), per.start(at, self.zone), change)?;
            }
        }
        Ok(self.count_hour(site, at, change)?)
    }
}
