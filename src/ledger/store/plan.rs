//! Plans bring their credits.
//!
//! A period's credits are booked for the instant it begins, and what was left of the period before expires at
//! that same instant, first. Locking an account books all that is due, in the order of time, so no act ever
//! finds credits missing because nobody was there at midnight; the daemon's worker does the same for accounts
//! that nobody touches.

use super::{Error, LockedAccount};
use crate::calendar::{Per, day_elsewhere};
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, PlanId};
use crate::ledger::act::{Expiry, NewGrant, Shown};
use crate::ledger::plan::{NewPlan, Newest, Subscription, Version};
use crate::ledger::slice::{Category, Compartment};
use crate::params;
use crate::site;
use crate::time::Timestamp;
use crate::units::Credits;

use chrono_tz::Tz;

/// Whether something was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// A plan nobody knew.
    Added,
    /// Another version of a plan.
    Changed,
    /// The wallet has the plan now.
    Started,
    /// The wallet's plan brings nothing more.
    Stopped,
    /// It was so before.
    Unchanged,
}

// What there is -------------------------------------------------------------------------------------

/// Sets what a plan brings from now on; periods that began stay as they are.
pub fn set(tx: &mut Tx<'_>, new: &NewPlan) -> Result<(Version, Change), db::Error> {
    let now = tx.now();
    let newest = in_force(tx, &new.name, Timestamp::from_millis(i64::MAX))?;
    if let Some(newest) = &newest
        && (newest.credits, newest.per, newest.rollover, &newest.label)
            == (new.credits, new.per, new.rollover, &new.label)
    {
        return Ok((newest.clone(), Change::Unchanged));
    }
    let change = if newest.is_some() { Change::Changed } else { Change::Added };
    let version = Version {
        name: new.name.clone(),
        version: newest.map_or(1, |newest| newest.version + 1),
        credits: new.credits,
        per: new.per,
        rollover: new.rollover,
        label: new.label.clone(),
        created_at: now,
    };
    tx.execute(
        "-- ledger::store::plan::set
         INSERT INTO plan (name, version, credits, per, rollover, label, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            &version.name,
            version.version,
            version.credits,
            version.per.as_str(),
            version.rollover,
            version.label.as_ref(),
            now,
        ],
    )?;
    Ok((version, change))
}

/// The version of a plan that was in force at `at`; before its first one, that.
pub fn in_force(tx: &mut Tx<'_>, plan: &PlanId, at: Timestamp) -> Result<Option<Version>, db::Error> {
    tx.query_opt(
        "-- ledger::store::plan::in_force
         SELECT name, version, credits, per, rollover, label, created_at FROM plan
         WHERE name = $1 AND (created_at <= $2 OR version = 1) ORDER BY version DESC LIMIT 1",
        params![plan, at],
        version,
    )
}

/// The newest version of every plan, by name.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Version>, db::Error> {
    tx.query(
        "-- ledger::store::plan::list
         SELECT p.name, p.version, p.credits, p.per, p.rollover, p.label, p.created_at FROM plan p
         WHERE p.version = (SELECT MAX(n.version) FROM plan n WHERE n.name = p.name) ORDER BY p.name",
        params![],
        version,
    )
}

/// Who has or had a plan, in the order they started.
pub fn subscribers(tx: &mut Tx<'_>, plan: &PlanId) -> Result<Vec<Subscription>, db::Error> {
    tx.query(
        "-- ledger::store::plan::subscribers
         SELECT plan, account_id, site, started_at, stopped_at, due_at, counted_from, credits, per
         FROM subscription WHERE plan = $1 ORDER BY started_at, account_id, site",
        params![plan],
        subscription,
    )
}

/// The plans an account has or had.
pub fn subscriptions(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<Subscription>, db::Error> {
    tx.query(
        "-- ledger::store::plan::subscriptions
         SELECT plan, account_id, site, started_at, stopped_at, due_at, counted_from, credits, per
         FROM subscription WHERE account_id = $1 ORDER BY due_at, plan, site",
        params![account],
        subscription,
    )
}

/// Accounts with a plan whose next period has begun, the longest due first, at most `limit`.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<AccountId>, db::Error> {
    let now = tx.now();
    let mut accounts: Vec<AccountId> = tx.query(
        "-- ledger::store::plan::due
         SELECT account_id FROM subscription WHERE stopped_at IS NULL AND due_at <= $1
         ORDER BY due_at, account_id LIMIT $2",
        params![now, limit],
        |row| row.get(0),
    )?;
    accounts.dedup();
    Ok(accounts)
}

fn version(row: &Row<'_>) -> Result<Version, db::Error> {
    Ok(Version {
        name: row.get(0)?,
        version: row.get(1)?,
        credits: row.get(2)?,
        per: per(row.get(3)?, 3)?,
        rollover: row.get(4)?,
        label: row.get(5)?,
        created_at: row.get(6)?,
    })
}

fn per(text: String, column: usize) -> Result<Per, db::Error> {
    Per::named(&text).ok_or(db::Error::Column { column, found: text })
}

fn subscription(row: &Row<'_>) -> Result<Subscription, db::Error> {
    let newest = match (row.get::<Option<Credits>>(7)?, row.get::<Option<String>>(8)?) {
        (Some(credits), Some(text)) => Some(Newest { credits, per: per(text, 8)? }),
        _ => None,
    };
    Ok(Subscription {
        plan: row.get(0)?,
        account: row.get(1)?,
        compartment: row.get(2)?,
        started_at: row.get(3)?,
        stopped_at: row.get(4)?,
        due_at: row.get(5)?,
        counted_from: row.get(6)?,
        newest,
    })
}

/// Writes a subscription as it is now.
fn save(tx: &mut Tx<'_>, subscription: &Subscription) -> Result<(), db::Error> {
    tx.execute(
        "-- ledger::store::plan::save
         INSERT INTO subscription (plan, account_id, site, started_at, stopped_at, due_at, counted_from, credits, per)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (account_id, plan, site)
         DO UPDATE SET started_at = excluded.started_at, stopped_at = excluded.stopped_at, due_at = excluded.due_at,
                       counted_from = excluded.counted_from, credits = excluded.credits, per = excluded.per",
        params![
            &subscription.plan,
            &subscription.account,
            subscription.compartment.column(),
            subscription.started_at,
            subscription.stopped_at,
            subscription.due_at,
            subscription.counted_from,
            subscription.newest.map(|newest| newest.credits),
            subscription.newest.map(|newest| newest.per.as_str()),
        ],
    )?;
    Ok(())
}

/// Writes when the account's next period begins; answers it.
fn save_next(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<Timestamp>, db::Error> {
    tx.query_one(
        "-- ledger::store::plan::save_next
         UPDATE account SET next_renewal = (SELECT MIN(s.due_at) FROM subscription s
                                            WHERE s.account_id = account.id AND s.stopped_at IS NULL)
         WHERE id = $1 RETURNING next_renewal",
        params![account],
        |row| row.get(0),
    )
}

// What else changes them ----------------------------------------------------------------------------

/// Counts the account's periods in another time zone from now on: those that began stay as they are, and the
/// next begin where they end.
pub fn rezone(tx: &mut Tx<'_>, account: &AccountId, from: Tz, to: Tz) -> Result<(), db::Error> {
    for mut subscription in subscriptions(tx, account)? {
        subscription.counted_from = day_elsewhere(subscription.counted_from, from, to);
        save(tx, &subscription)?;
    }
    Ok(())
}

/// Gives the plans of one account to another, each to the [`site::store::place`] of its compartment there. A plan
/// that goes on in both is the other's alone from now: nobody gets it twice.
pub fn move_to(
    tx: &mut Tx<'_>,
    (from, here): (&AccountId, Tz),
    (to, there): (&AccountId, Tz),
) -> Result<(), db::Error> {
    let theirs = subscriptions(tx, to)?;
    let mut taken: Vec<(PlanId, Compartment)> = theirs
        .into_iter()
        .filter(|their| their.stopped_at.is_none())
        .map(|their| (their.plan, their.compartment))
        .collect();
    // What goes on comes before what was stopped, so that it is not left behind for that.
    let mut own = subscriptions(tx, from)?;
    own.sort_by_key(|own| own.stopped_at.is_some());
    for mut own in own {
        own.compartment = site::store::place(tx, to, &own.compartment)?;
        own.account = to.clone();
        own.counted_from = day_elsewhere(own.counted_from, here, there);
        let key = (own.plan.clone(), own.compartment.clone());
        if !taken.contains(&key) {
            save(tx, &own)?;
            taken.push(key);
        }
    }
    tx.execute(
        "-- ledger::store::plan::move_to
         DELETE FROM subscription WHERE account_id = $1",
        params![from],
    )?;
    save_next(tx, from)?;
    save_next(tx, to)?;
    Ok(())
}

// Posting -------------------------------------------------------------------------------------------

impl LockedAccount<'_, '_> {
    /// Books all that happened by itself since the account was locked last, in the order of time.
    pub(super) fn catch_up(&mut self) -> Result<(), Error> {
        let now = self.tx.now();
        loop {
            let release = self.next_release.filter(|due_at| *due_at <= now);
            let renewal = self.next_renewal.filter(|due_at| *due_at <= now);
            match (release, renewal) {
                // At one instant what is held comes back before it is counted what is left of a period.
                (Some(release), renewal) if renewal.is_none_or(|renewal| release <= renewal) => {
                    self.expire(release.plus_millis(-1))?;
                    self.expire_holds(release)?;
                }
                (_, Some(renewal)) => self.renew(renewal)?,
                (_, None) => break,
            }
        }
        self.expire(now)
    }

    /// Lets a compartment have a plan from `from` on, or at once if that has passed; its first period brings
    /// all of its credits. A plan that was stopped goes on when the period has ended that it was stopped in.
    ///
    /// The plan must exist. Answers whether something was to be done: a plan that runs goes on as it does.
    pub fn start_plan(
        &mut self,
        plan: &PlanId,
        at: &Compartment,
        from: Option<Timestamp>,
    ) -> Result<(Subscription, Change), Error> {
        let now = self.tx.now();
        let known = self.subscription(plan, at)?;
        let begun = known.as_ref().filter(|known| known.newest.is_some());
        if let Some(known) = &known
            && known.stopped_at.is_none()
            && (begun.is_some() || from.is_none_or(|from| from == known.due_at))
        {
            return Ok((known.clone(), Change::Unchanged));
        }
        let from = from.unwrap_or(now).max(now);
        let mut subscription = Subscription {
            plan: plan.clone(),
            account: self.id.clone(),
            compartment: at.clone(),
            started_at: now,
            stopped_at: None,
            due_at: from,
            counted_from: from,
            newest: None,
        };
        // Later than the end of the period it was stopped in, it is to come, as if it had never been.
        if let Some(begun) = begun.filter(|begun| from <= begun.due_at) {
            subscription.newest = begun.newest;
            (subscription.due_at, subscription.counted_from) = (begun.due_at, begun.counted_from);
        }
        save(self.tx, &subscription)?;
        self.next_renewal = save_next(self.tx, &self.id)?;
        self.catch_up()?;
        Ok((self.subscription(plan, at)?.unwrap_or(subscription), Change::Started))
    }

    /// Lets a compartment's plan bring nothing more; the present period stays until its end. `None` when it
    /// never had the plan.
    pub fn stop_plan(
        &mut self,
        plan: &PlanId,
        at: &Compartment,
    ) -> Result<Option<(Subscription, Change)>, Error> {
        let now = self.tx.now();
        let Some(mut known) = self.subscription(plan, at)? else { return Ok(None) };
        if known.stopped_at.is_some() {
            return Ok(Some((known, Change::Unchanged)));
        }
        known.stopped_at = Some(now);
        save(self.tx, &known)?;
        self.next_renewal = save_next(self.tx, &self.id)?;
        Ok(Some((known, Change::Stopped)))
    }

    /// The end of the cycle that credits for `compartment` effective at `at` fall in: of its own plan's period,
    /// else of the pool's plan's, else of the calendar month.
    pub(super) fn cycle_end(&mut self, compartment: &Compartment, at: Timestamp) -> Result<Timestamp, Error> {
        let mut running = subscriptions(self.tx, &self.id)?;
        running.retain(|one| one.stopped_at.is_none_or(|_| at < one.due_at) && one.newest.is_some());
        let of = |wanted: &Compartment| running.iter().find(|one| one.compartment == *wanted);
        let zone = self.zone;
        Ok(match of(compartment).or_else(|| of(&Compartment::Pool)) {
            Some(Subscription { due_at, .. }) if self.tx.now() <= at && at < *due_at => *due_at,
            Some(Subscription { newest: Some(newest), .. }) => newest.per.span(at, zone).1,
            _ => Per::Month.span(at, zone).1,
        })
    }

    fn subscription(&mut self, plan: &PlanId, at: &Compartment) -> Result<Option<Subscription>, Error> {
        let known = subscriptions(self.tx, &self.id)?;
        Ok(known.into_iter().find(|known| known.plan == *plan && known.compartment == *at))
    }

    /// Books the end of the periods that end at `due_at`, and those that begin there.
    fn renew(&mut self, due_at: Timestamp) -> Result<(), Error> {
        self.expire(due_at.plus_millis(-1))?;
        let mut due = subscriptions(self.tx, &self.id)?;
        due.retain(|one| one.stopped_at.is_none() && one.due_at <= due_at);
        let left = due.iter().map(|one| self.left_of(one)).collect::<Result<Vec<_>, _>>()?;
        self.expire(due_at)?;
        for (subscription, left) in due.into_iter().zip(left) {
            self.begin_period(subscription, left)?;
        }
        self.next_renewal = save_next(self.tx, &self.id)?;
        Ok(())
    }

    /// What can still be spent of the period that ends when the next one of `subscription` begins, wherever in
    /// the account it lies.
    fn left_of(&mut self, subscription: &Subscription) -> Result<Credits, Error> {
        Ok(self.tx.query_one(
            "-- ledger::store::plan::left_of
             SELECT CAST(COALESCE(SUM(s.remaining), 0) AS BIGINT)
             FROM slice s JOIN plan_grant p ON p.grant_id = s.grant_id JOIN credit_grant g ON g.id = s.grant_id
             WHERE s.account_id = $1 AND (s.remaining > 0 OR s.held > 0) AND p.plan = $2 AND p.site = $3
               AND g.expires_at = $4 AND g.voided_at IS NULL AND g.frozen = 0",
            params![
                &self.id,
                &subscription.plan,
                subscription.compartment.column(),
                subscription.due_at,
            ],
            |row| row.get(0),
        )?)
    }

    fn begin_period(&mut self, mut subscription: Subscription, left: Credits) -> Result<(), Error> {
        let start = subscription.due_at;
        let owner = match subscription.compartment.site() {
            Some(site) => site::store::owner(self.tx, site)?,
            None => Some(self.id.clone()),
        };
        let version = in_force(self.tx, &subscription.plan, start)?;
        let Some(version) = version.filter(|_| owner.as_ref() == Some(&self.id)) else {
            // A site that is no longer the account's cannot spend what would come for it.
            subscription.stopped_at = Some(start);
            return Ok(save(self.tx, &subscription)?);
        };
        let end = version.period_end(start, subscription.counted_from, self.zone);
        // What is carried over was there first and is spent first.
        let carried = left.min(version.rollover);
        for (amount, is_carried) in [(carried, true), (version.credits, false)] {
            if !amount.is_zero() {
                self.grant_of_plan(&subscription, &version, amount, end, is_carried)?;
            }
        }
        subscription.due_at = end;
        subscription.counted_from = end;
        subscription.newest = Some(Newest { credits: version.credits, per: version.per });
        Ok(save(self.tx, &subscription)?)
    }

    fn grant_of_plan(
        &mut self,
        subscription: &Subscription,
        version: &Version,
        amount: Credits,
        end: Timestamp,
        is_carried: bool,
    ) -> Result<(), Error> {
        let start = subscription.due_at;
        let label = version.words();
        let granted = self.grant_at(
            start,
            &NewGrant {
                compartment: subscription.compartment.clone(),
                amount,
                category: Category::Recurring,
                priority: None,
                label: if is_carried { format!("{label} (carried over)") } else { label.to_owned() },
                reason: Some(format!("plan {}", subscription.plan)),
                effective_at: Some(start),
                expiry: Expiry::At(end),
                purchase: None,
                shown_as: Shown::Plan,
            },
        );
        let granted = match granted {
            // An account that can hold no more is as full as it can be; it must not become locked for that.
            Err(Error::TooMuch) => return Ok(()),
            granted => granted?,
        };
        self.tx.execute(
            "-- ledger::store::plan::grant_of_plan
             INSERT INTO plan_grant (plan, account_id, site, period_start, carried_over, grant_id)
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                &subscription.plan,
                &self.id,
                subscription.compartment.column(),
                start,
                is_carried,
                &granted.id,
            ],
        )?;
        Ok(())
    }
}
