//! Limits and policies, of sites and of their assistants.
//!
//! They are kept by account and site, so that a site that changes hands starts without any.

use chrono_tz::Tz;

use super::admit::{Payer, Spender};
use super::{LockedAccount, brake, hold, settle};
use crate::calendar::Per;
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, AgentId, SiteId};
use crate::ledger::limit::{Limit, OnExhausted, OnReached, Policy, Said, Standing, Terms};
use crate::ledger::unsettled::Unsettled;
use crate::params;
use crate::time::Timestamp;
use crate::units::Credits;

// Reading ------------------------------------------------------------------------------------------

/// All that decides, apart from the slices, whether `spender` may spend now.
pub fn terms(tx: &mut Tx<'_>, payer: &Payer<'_>, spender: &Spender<'_>) -> Result<Terms, db::Error> {
    let (account, site) = (payer.account, spender.site);
    let mut limits = standings(tx, account, payer.zone, site)?;
    limits
        .retain(|standing| standing.limit.agent.is_none() || standing.limit.agent.as_ref() == spender.agent);
    let mut terms = Terms {
        frozen: payer.frozen_reason.map(str::to_owned),
        pause: brake::pause(tx, account, site)?,
        limits,
        site: Policy::of_site(spender.uses_pool).with(&said(tx, account, site, None)?),
        agent: Said::default(),
        may_go_uncovered: false,
    };
    if spender.agent.is_some() {
        terms.agent = said(tx, account, site, spender.agent)?;
    }
    if !terms.policy().grace.is_zero() {
        terms.may_go_uncovered = !owes(tx, account, site)? && !hold::has_uncovered(tx, account, site)?;
    }
    Ok(terms)
}

/// The limits of a site and of all its assistants, in their present periods.
pub fn standings(
    tx: &mut Tx<'_>,
    account: &AccountId,
    zone: Tz,
    site: &SiteId,
) -> Result<Vec<Standing>, db::Error> {
    let unsettled = settle::unsettled(tx, account)?;
    standings_with(tx, account, zone, site, &unsettled)
}

/// [`standings`] of an account of which it is known what is unsettled.
pub(super) fn standings_with(
    tx: &mut Tx<'_>,
    account: &AccountId,
    zone: Tz,
    site: &SiteId,
    unsettled: &Unsettled,
) -> Result<Vec<Standing>, db::Error> {
    let settled = settled(tx, account, zone, site)?;
    Ok(settled.iter().map(|limit| limit.with(site, unsettled)).collect())
}

/// The limits of a site and of all its assistants in their present periods, without what is unsettled.
pub fn settled(
    tx: &mut Tx<'_>,
    account: &AccountId,
    zone: Tz,
    site: &SiteId,
) -> Result<Vec<Settled>, db::Error> {
    let now = tx.now();
    let [day, month] = [Per::Day, Per::Month].map(|per| per.start(now, zone));
    tx.query(
        "-- ledger::store::limit::standings
         SELECT l.agent, l.per, l.credits, l.on_reached, c.captured,
                CAST(h.held - COALESCE((SELECT SUM(o.credits) FROM hold o
                                        WHERE o.account_id = $1 AND o.state = 'open' AND o.expires_at <= $3
                                          AND o.site = $2 AND l.agent IN ('', o.agent)), 0) AS BIGINT)
         FROM spending_limit l
         LEFT JOIN spending c ON c.account_id = $1 AND c.site = $2 AND c.agent = l.agent AND c.per = l.per
                             AND c.period_start = CASE l.per WHEN 'day' THEN CAST($4 AS BIGINT)
                                                             ELSE CAST($5 AS BIGINT) END
         LEFT JOIN holding h ON h.account_id = $1 AND h.site = $2 AND h.agent = l.agent
         WHERE l.account_id = $1 AND l.site = $2
         ORDER BY l.agent, l.per",
        params![account, site, now, day, month],
        |row| {
            let (limit, captured) = (read_limit(row)?, row.get(4)?);
            let held: Option<Credits> = row.get(5)?;
            Ok(Settled::of(limit, captured, held.unwrap_or(Credits::ZERO), (now, zone)))
        },
    )
}

/// The limit that is set, if one is.
pub fn get(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    agent: Option<&AgentId>,
    per: Per,
) -> Result<Option<Limit>, db::Error> {
    let limits = limits(tx, account, site, agent)?;
    Ok(limits.into_iter().find(|limit| limit.agent.as_ref() == agent && limit.per == per))
}

/// The limits of a site and of one of its assistants.
pub fn limits(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    agent: Option<&AgentId>,
) -> Result<Vec<Limit>, db::Error> {
    tx.query(
        "-- ledger::store::limit::limits
         SELECT agent, per, credits, on_reached FROM spending_limit
         WHERE account_id = $1 AND site = $2 AND agent IN ('', $3) ORDER BY agent, per",
        params![account, site, column(agent)],
        read_limit,
    )
}

fn read_limit(row: &Row<'_>) -> Result<Limit, db::Error> {
    let (per, on_reached): (String, String) = (row.get(1)?, row.get(3)?);
    let wrong = |column, found| db::Error::Column { column, found };
    Ok(Limit {
        agent: agent(row, 0)?,
        per: Per::named(&per).ok_or_else(|| wrong(1, per))?,
        credits: row.get(2)?,
        on_reached: OnReached::named(&on_reached).ok_or_else(|| wrong(3, on_reached))?,
    })
}

/// The limit with what was spent in its present period and what is held.
pub fn standing(
    tx: &mut Tx<'_>,
    account: &AccountId,
    zone: Tz,
    site: &SiteId,
    limit: Limit,
) -> Result<Standing, db::Error> {
    let unsettled = settle::unsettled(tx, account)?;
    let now = tx.now();
    let captured: Option<i64> = tx.query_opt(
        "-- ledger::store::limit::standing
         SELECT captured FROM spending
         WHERE account_id = $1 AND site = $2 AND agent = $3 AND per = $4 AND period_start = $5",
        params![account, site, column(limit.agent.as_ref()), limit.per.as_str(), limit.per.start(now, zone)],
        |row| row.get(0),
    )?;
    let held = hold::held(tx, account, site, limit.agent.as_ref())?;
    Ok(Settled::of(limit, captured, held, (now, zone)).with(site, &unsettled))
}

/// A limit with what is settled of the spending in its present period, and what is held.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The limit.
    pub limit: Limit,
    captured: i64,
    held: Credits,
    period: (Timestamp, Timestamp),
}

impl Settled {
    /// A limit of which so much is captured by the tables.
    fn of(limit: Limit, captured: Option<i64>, held: Credits, (now, zone): (Timestamp, Tz)) -> Self {
        Self { captured: captured.unwrap_or(0), held, period: limit.per.span(now, zone), limit }
    }

    /// With what is unsettled.
    #[must_use]
    pub fn with(&self, site: &SiteId, unsettled: &Unsettled) -> Standing {
        let agent = self.limit.agent.as_ref();
        let captured = self.captured.saturating_add(unsettled.spent(site, agent, self.period));
        // More can be given back in a period than was spent in it, where the account's time zone was changed.
        let spent = Credits::from_micro(captured.max(0)).unwrap_or(Credits::MAX);
        Standing { limit: self.limit.clone(), spent, held: self.held, resets_at: self.period.1 }
    }
}

/// Whether the site's compartment owes anything.
fn owes(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<bool, db::Error> {
    let debt: Option<Credits> = tx.query_opt(
        "-- ledger::store::limit::owes
         SELECT amount FROM debt WHERE account_id = $1 AND site = $2",
        params![account, site],
        |row| row.get(0),
    )?;
    Ok(debt.is_some_and(|debt| !debt.is_zero()))
}

/// What is said about the policy of a site, or of one of its assistants.
pub fn said(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    agent: Option<&AgentId>,
) -> Result<Said, db::Error> {
    let found = tx.query_opt(
        "-- ledger::store::limit::said
         SELECT on_exhausted, pool, grace FROM spending_policy
         WHERE account_id = $1 AND site = $2 AND agent = $3",
        params![account, site, column(agent)],
        read_said,
    )?;
    Ok(found.unwrap_or_default())
}

/// What is said about the policies of a site's assistants.
pub fn agents(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
) -> Result<Vec<(AgentId, Said)>, db::Error> {
    tx.query(
        "-- ledger::store::limit::agents
         SELECT on_exhausted, pool, grace, agent FROM spending_policy
         WHERE account_id = $1 AND site = $2 AND agent <> '' ORDER BY agent",
        params![account, site],
        |row| Ok((row.get(3)?, read_said(row)?)),
    )
}

pub(super) fn read_said(row: &Row<'_>) -> Result<Said, db::Error> {
    let on_exhausted = match row.get::<Option<String>>(0)? {
        None => None,
        Some(word) => match OnExhausted::named(&word) {
            None => return Err(db::Error::Column { column: 0, found: word }),
            known => known,
        },
    };
    Ok(Said { on_exhausted, pool: row.get(1)?, grace: row.get(2)? })
}

/// How it is written for whom something is set.
fn column(agent: Option<&AgentId>) -> &str {
    agent.map_or("", AgentId::as_str)
}

fn agent(row: &Row<'_>, column: usize) -> Result<Option<AgentId>, db::Error> {
    if row.get::<String>(column)?.is_empty() { Ok(None) } else { row.get(column).map(Some) }
}

// Setting ------------------------------------------------------------------------------------------

impl LockedAccount<'_, '_> {
    /// Sets a limit of one of the account's sites.
    pub fn set_limit(&mut self, site: &SiteId, limit: &Limit) -> Result<(), db::Error> {
        self.tx.execute(
            "-- ledger::store::limit::set_limit
             INSERT INTO spending_limit (account_id, site, agent, per, credits, on_reached)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (account_id, site, agent, per)
             DO UPDATE SET credits = excluded.credits, on_reached = excluded.on_reached",
            params![
                &self.id,
                site,
                column(limit.agent.as_ref()),
                limit.per.as_str(),
                limit.credits,
                limit.on_reached.as_str(),
            ],
        )?;
        Ok(())
    }

    /// Takes a limit away; answers whether there was one.
    pub fn remove_limit(
        &mut self,
        site: &SiteId,
        agent: Option<&AgentId>,
        per: Per,
    ) -> Result<bool, db::Error> {
        let removed = self.tx.execute(
            "-- ledger::store::limit::remove_limit
             DELETE FROM spending_limit WHERE account_id = $1 AND site = $2 AND agent = $3 AND per = $4",
            params![&self.id, site, column(agent), per.as_str()],
        )?;
        Ok(removed > 0)
    }

    /// Sets what is said about the policy of a site, or of one of its assistants. Whether a site itself may use the
    /// pool is kept with the site.
    pub fn set_said(&mut self, site: &SiteId, agent: Option<&AgentId>, said: &Said) -> Result<(), db::Error> {
        let pool = said.pool.filter(|_| agent.is_some());
        let on_exhausted = said.on_exhausted.map(OnExhausted::as_str);
        self.tx.execute(
            "-- ledger::store::limit::set_said
             INSERT INTO spending_policy (account_id, site, agent, on_exhausted, pool, grace)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (account_id, site, agent)
             DO UPDATE SET on_exhausted = excluded.on_exhausted, pool = excluded.pool, grace = excluded.grace",
            params![&self.id, site, column(agent), on_exhausted, pool, said.grace],
        )?;
        Ok(())
    }
}

// Sites and accounts that move ---------------------------------------------------------------------

/// Forgets what the account said about the spending of a site that is no longer its own. Whether the brake is on
/// stays: taking a site away and back is no way around it.
pub fn forget(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<(), db::Error> {
    tx.execute(
        "-- ledger::store::limit::forget (limits)
         DELETE FROM spending_limit WHERE account_id = $1 AND site = $2",
        params![account, site],
    )?;
    tx.execute(
        "-- ledger::store::limit::forget (policies)
         DELETE FROM spending_policy WHERE account_id = $1 AND site = $2",
        params![account, site],
    )?;
    Ok(())
}

/// Moves all limits and policies of an account to another, which has said nothing of these sites: they were not
/// its own.
pub fn move_to(tx: &mut Tx<'_>, from: &AccountId, to: &AccountId) -> Result<(), db::Error> {
    // What it said long ago of a site that went and came back with the other account counts no more.
    tx.execute(
        "-- ledger::store::limit::move_to (older limits)
         DELETE FROM spending_limit WHERE account_id = $2
         AND site IN (SELECT l.site FROM spending_limit l WHERE l.account_id = $1)",
        params![from, to],
    )?;
    tx.execute(
        "-- ledger::store::limit::move_to (older policies)
         DELETE FROM spending_policy WHERE account_id = $2
         AND site IN (SELECT p.site FROM spending_policy p WHERE p.account_id = $1)",
        params![from, to],
    )?;
    tx.execute(
        "-- ledger::store::limit::move_to (limits)
         UPDATE spending_limit SET account_id = $2 WHERE account_id = $1",
        params![from, to],
    )?;
    tx.execute(
        "-- ledger::store::limit::move_to (policies)
         UPDATE spending_policy SET account_id = $2 WHERE account_id = $1",
        params![from, to],
    )?;
    Ok(())
}
