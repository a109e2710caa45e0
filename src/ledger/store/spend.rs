//! Credits are used.

use chrono::Datelike as _;

use super::admit::{Admitted, Payer, Spender, admit};
use super::{Error, LockedAccount};
use crate::calendar::{Per, local_day};
use crate::id::{AgentId, DebitId, HoldId, SiteId};
use crate::ledger::act::{Debited, Left, NewDebit};
use crate::ledger::entry::{Kind, Place};
use crate::ledger::limit::{Brake, Purpose};
use crate::ledger::position::Position;
use crate::params;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

/// The periods in which spending is counted; weeks and years are added up from them.
const COUNTED: [Per; 2] = [Per::Day, Per::Month];

impl LockedAccount<'_, '_> {
    /// Spends credits for a site, all or nothing. The debit that goes beyond what `brake` allows is booked, and
    /// pauses the site.
    ///
    /// # Errors
    /// As [`admit`].
    pub fn debit(&mut self, new: &NewDebit, brake: &Brake) -> Result<Debited, Error> {
        let now = self.tx.now();
        let spender = Spender { site: &new.site, agent: new.agent.as_ref(), uses_pool: new.uses_pool };
        let Admitted { mut slices, parts, terms, .. } = self.admit(&spender, new.amount, Purpose::Debit)?;
        let id = DebitId::new();
        let (first, taken) = self.take(id.as_str(), Kind::Spent, &slices, &parts, &Place::Revenue)?;
        self.insert_debit(&id, new, None)?;
        let captured = self.count_spending(&new.site, new.agent.as_ref(), now, Delta::plus(new.amount))?;
        let mut terms = terms.of_site();
        terms.count(new.amount);
        terms.pause = self.brake(&new.site, captured, brake)?;
        self.show_usage(first, new)?;
        for part in &parts {
            let remaining = &mut slices[part.slice].remaining;
            *remaining = remaining.saturating_sub(part.credits);
        }
        let can_spend = terms.let_spend(&slices, now);
        let left = Left { position: Position::of(&slices, now), frozen: false, can_spend };
        Ok(Debited { id, taken, left })
    }

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
                self.tx.execute(
                    "-- ledger::store::spend::count_spending
                     INSERT INTO spending (account_id, site, agent, per, period_start, captured)
                     VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (account_id, site, agent, per, period_start)
                     DO UPDATE SET captured = spending.captured + excluded.captured",
                    params![&self.id, site, counted, per.as_str(), per.start(at, self.zone), change],
                )?;
            }
        }
        Ok(self.count_hour(site, at, change)?)
    }
}
