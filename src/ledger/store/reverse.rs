//! A debit is undone.

use super::admit::left;
use super::hold::prorate;
use super::spend::COUNTED;
use super::{Error, LockedAccount};
use crate::calendar::{local_day, start_of_day};
use crate::db::{self, Tx};
use crate::id::{AccountId, AgentId, DebitId, GrantId, HoldId, ReversalId, SiteId};
use crate::ledger::act::{Expiry, NewDebit, NewGrant, Priced, Reversed, Shown, Taken};
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::hold;
use crate::ledger::slice::{Category, Compartment};
use crate::ledger::unsettled::Line;
use crate::params;
use crate::rate::GIVEN_BACK;
use crate::time::{Timestamp, Validity};
use crate::units::{Credits, Delta};

use chrono::NaiveDate;
use chrono_tz::Tz;

/// A debit as it was booked.
#[derive(Clone, Debug)]
pub struct Booked {
    /// The account it was booked in, which may be part of another one now.
    pub account: AccountId,
    /// For which site.
    pub site: SiteId,
    agent: Option<AgentId>,
    action: Option<String>,
    label: String,
    priced: Option<Priced>,
    credits: Credits,
    at: Timestamp,
    /// The ids of its first and its last entry.
    entries: (i64, i64),
    hold: Option<HoldId>,
    /// The local day it was counted on, if that was kept.
    counted_on: Option<NaiveDate>,
}

/// The debit, if there is one.
pub fn booked(tx: &mut Tx<'_>, id: &DebitId) -> Result<Option<Booked>, db::Error> {
    tx.query_opt(
        "-- ledger::store::reverse::booked
         SELECT account_id, site, agent, label, quantity, rate, credits, booked_at, first_entry, last_entry, hold_id,
                counted_day, action
         FROM debit WHERE id = $1",
        params![id],
        |row| {
            let (quantity, version) = (row.get::<Option<i64>>(4)?, row.get::<Option<i64>>(5)?);
            let day = row.get::<Option<i64>>(11)?.and_then(|day| i32::try_from(day).ok());
            Ok(Booked {
                account: row.get(0)?,
                site: row.get(1)?,
                agent: row.get(2)?,
                action: row.get(12)?,
                label: row.get(3)?,
                priced: quantity.zip(version).map(|(quantity, version)| Priced { quantity, version }),
                credits: row.get(6)?,
                at: row.get(7)?,
                entries: (row.get(8)?, row.get(9)?),
                hold: row.get(10)?,
                counted_on: day.and_then(NaiveDate::from_num_days_from_ce_opt),
            })
        },
    )
}

/// What a debit took from one place.
struct Took {
    grant: Option<GrantId>,
    source: Place,
    amount: Credits,
}

impl LockedAccount<'_, '_> {
    /// Gives `credits` of a debit back to the slices they were taken from, the last first; all, unless said. The
    /// account is the one that has the debit's account now.
    ///
    /// # Errors
    /// [`Error::UnknownDebit`], [`Error::AlreadyReversed`], [`Error::BeyondDebit`].
    pub fn reverse(
        &mut self,
        id: &DebitId,
        credits: Option<Credits>,
        reason: Option<&str>,
    ) -> Result<Reversed, Error> {
        let debit = booked(self.tx, id)?.ok_or_else(|| Error::UnknownDebit(id.clone()))?;
        let earlier = self.tx.query_opt(
            "-- ledger::store::reverse::reverse (earlier)
             SELECT credits FROM reversal WHERE debit_id = $1",
            params![id],
            |row| row.get::<Credits>(0),
        )?;
        if let Some(credits) = earlier {
            return Err(Error::AlreadyReversed { credits });
        }
        let credits = credits.unwrap_or(debit.credits);
        if debit.credits < credits {
            return Err(Error::BeyondDebit { taken: debit.credits });
        }
        let took = self.took(id, &debit)?;
        let reversal = ReversalId::new();
        let now = self.tx.now();
        self.tx.execute(
            "-- ledger::store::reverse::reverse
             INSERT INTO reversal (id, debit_id, credits, reason, booked_at) VALUES ($1, $2, $3, $4, $5)",
            params![&reversal, id, credits, reason, now],
        )?;
        self.tx.execute(
            "-- ledger::store::reverse::reverse (debit)
             UPDATE debit SET reversed = $2 WHERE id = $1",
            params![id, credits],
        )?;
        self.uncount_spending(&debit, credits)?;
        let amounts: Vec<Credits> = took.iter().map(|took| took.amount).collect();
        let back = hold::give_back(&amounts, credits);
        let mut shown = false;
        for (took, amount) in took.iter().zip(back).rev().filter(|(_, amount)| !amount.is_zero()) {
            let lies_at = match &took.source {
                Place::Compartment(at) | Place::Held(at) | Place::Debt(at) => self.own_or_pool(at)?,
                _ => Compartment::Pool,
            };
            let first = self.next_entry();
            if !shown {
                self.show_given_back(first, &debit, credits)?;
                shown = true;
            }
            if let Some(grant) = &took.grant {
                self.give(&reversal, Some(grant), Place::Compartment(lies_at.clone()), amount)?;
                let settled = self.settle_shortfall(reversal.as_str(), grant, &lies_at, amount)?;
                self.come_back(grant, &lies_at, amount.saturating_sub(settled), now)?;
            } else {
                let owed = amount.min(self.debt(&lies_at)?);
                let repaid = amount.saturating_sub(owed);
                self.give(&reversal, None, Place::Debt(lies_at.clone()), owed)?;
                self.give(&reversal, None, Place::Issuance, repaid)?;
                let words = "No longer lent";
                self.show(first, 1, Shown::Adjustment, &lies_at, words, Delta::minus(amount), None)?;
                self.make_whole(&lies_at, repaid)?;
            }
        }
        let slices = took.into_iter().filter_map(|took| Some((took.grant?, took.amount))).collect();
        Ok(Reversed {
            id: reversal,
            credits,
            of: debit.credits,
            taken: Taken { slices },
            hold: debit.hold,
            left: left(self.tx, &self.id, &debit.site)?,
        })
    }

    fn took(&mut self, id: &DebitId, debit: &Booked) -> Result<Vec<Took>, Error> {
        let (first, last) = debit.entries;
        Ok(self.tx.query(
            "-- ledger::store::reverse::took
             SELECT grant_id, source, amount FROM entry
             WHERE id BETWEEN $1 AND $2 AND operation = $3 AND kind = 'spent' ORDER BY id",
            params![first, last, id],
            |row| Ok(Took { grant: row.get(0)?, source: row.get(1)?, amount: row.get(2)? }),
        )?)
    }

    fn give(
        &mut self,
        reversal: &ReversalId,
        grant: Option<&GrantId>,
        target: Place,
        amount: Credits,
    ) -> Result<(), Error> {
        if amount.is_zero() {
            return Ok(());
        }
        self.post(&[Posting {
            operation: reversal.as_str(),
            kind: Kind::Reversed,
            grant,
            source: Place::Revenue,
            target,
            amount,
            booked_at: self.tx.now(),
        }])?;
        Ok(())
    }

    /// Settles what was owed, or borne by the shop, because the money for `grant` had gone back: that money is
    /// taken from `amount` that a debit gave back, and what was booked in its place is undone. What another grant
    /// has repaid of it meanwhile comes back to the customer as a bonus. Answers how much was settled.
    fn settle_shortfall(
        &mut self,
        operation: &str,
        grant: &GrantId,
        lies_at: &Compartment,
        amount: Credits,
    ) -> Result<Credits, Error> {
        let (owed, borne) = self.tx.query_one(
            "-- ledger::store::reverse::settle_shortfall
             SELECT CAST(COALESCE(SUM(CASE WHEN kind = 'owed' AND target = 'clawback' THEN amount
                                           WHEN kind = 'owed' THEN -amount END), 0) AS BIGINT),
                    CAST(COALESCE(SUM(CASE WHEN kind = 'written_off' AND target = 'clawback' THEN amount
                                           WHEN kind = 'written_off' THEN -amount END), 0) AS BIGINT)
             FROM entry WHERE grant_id = $1 AND kind IN ('owed', 'written_off')",
            params![grant],
            |row| Ok((row.get::<Credits>(0)?, row.get::<Credits>(1)?)),
        )?;
        let owed = owed.min(amount);
        let borne = borne.min(amount.saturating_sub(owed));
        let settled = owed.checked_add(borne).ok_or(Error::TooMuch)?;
        if settled.is_zero() {
            return Ok(settled);
        }
        let now = self.tx.now();
        let posting = |kind, source, target, amount| Posting {
            operation,
            kind,
            grant: Some(grant),
            source,
            target,
            amount,
            booked_at: now,
        };
        let compartment = Place::Compartment(lies_at.clone());
        let first = self.post(&[posting(Kind::Clawed, compartment, Place::Clawback, settled)])?;
        let (order, words) = (self.order_of(grant)?, "Credits owed from a refunded order");
        self.show(first, 0, Shown::Refund, lies_at, words, Delta::minus(settled), order)?;
        // Its own compartment's debt first; together they are what the account owes.
        let mut debts = self.debts()?;
        debts.sort_by_key(|(at, _)| (at != lies_at, at.clone()));
        let mut left = owed;
        for (at, debt) in debts {
            let part = left.min(debt);
            if !part.is_zero() {
                left = left.saturating_sub(part);
                self.post(&[posting(Kind::Owed, Place::Clawback, Place::Debt(at), part)])?;
            }
        }
        if !left.is_zero() {
            self.post(&[posting(Kind::Owed, Place::Clawback, Place::Issuance, left)])?;
            self.make_whole(lies_at, left)?;
        }
        if !borne.is_zero() {
            self.post(&[posting(Kind::WrittenOff, Place::Clawback, Place::Adjustment, borne)])?;
            self.rebook(grant, Delta::minus(borne))?;
        }
        Ok(settled)
    }

    /// Gives the customer what other credits have repaid of a debt that turned out to be none.
    fn make_whole(&mut self, at: &Compartment, amount: Credits) -> Result<(), Error> {
        if amount.is_zero() {
            return Ok(());
        }
        self.grant(&NewGrant {
            compartment: at.clone(),
            amount,
            category: Category::Bonus,
            priority: None,
            label: "Credits given back".to_owned(),
            reason: Some("a debit was undone after other credits had repaid what it left owed".to_owned()),
            effective_at: None,
            expiry: Expiry::After(Validity::Never),
            purchase: None,
            shown_as: Shown::Bonus,
        })?;
        Ok(())
    }

    /// Takes what was given back from what was counted in the debit's own periods.
    fn uncount_spending(&mut self, debit: &Booked, credits: Credits) -> Result<(), Error> {
        self.count_hour(&debit.site, debit.at, Delta::minus(credits))?;
        // What an account used stays its own when it becomes part of another.
        self.tx.execute(
            "-- ledger::store::reverse::uncount_spending
             UPDATE usage_hour SET credits = credits - $6
             WHERE account_id = $1 AND site = $2 AND hour = $3 AND agent = $4 AND action = $5",
            params![
                &debit.account,
                &debit.site,
                debit.at.hour(),
                debit.agent.as_ref().map_or("", AgentId::as_str),
                debit.action.as_deref().unwrap_or_default(),
                credits
            ],
        )?;
        // The day keeps its name when its account gets another time zone, or is merged into one that has another.
        let day = match debit.counted_on {
            Some(day) => day,
            None => self.counted_on(debit)?,
        };
        for counted in std::iter::once("").chain(debit.agent.as_ref().map(AgentId::as_str)) {
            for per in COUNTED {
                let start = start_of_day(per.first_day(day), self.zone);
                self.count(&debit.site, counted, per.as_str(), start, Delta::minus(credits))?;
            }
        }
        Ok(())
    }

    /// The day on which a debit of an earlier version was counted: that of its account's time zone today.
    fn counted_on(&mut self, debit: &Booked) -> Result<NaiveDate, Error> {
        let there: String = self.tx.query_one(
            "-- ledger::store::reverse::counted_on
             SELECT time_zone FROM account WHERE id = $1",
            params![&debit.account],
            |row| row.get(0),
        )?;
        let there: Tz = there.parse().map_err(|_| db::Error::Column { column: 0, found: there })?;
        Ok(local_day(debit.at, there))
    }

    /// Writes the line a customer reads of what was given back.
    fn show_given_back(&mut self, entry: i64, debit: &Booked, credits: Credits) -> Result<(), Error> {
        let priced = debit.priced.and_then(|priced| {
            let quantity = prorate(priced.quantity, credits, debit.credits)?;
            Some(Priced { quantity, ..priced })
        });
        let line = NewDebit {
            site: debit.site.clone(),
            uses_pool: false,
            agent: None,
            action: None,
            priced,
            label: format!("{GIVEN_BACK}{}", debit.label),
            amount: credits,
            reference: None,
            occurred_at: None,
            usage: None,
        };
        let line = Line::of(self.tx.now(), entry, &line);
        self.show_used(&Line { credits: -line.credits, ..line })
    }
}
