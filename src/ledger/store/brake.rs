//! The brake against runaway spending: what a site spends hour by hour, and its pause.
//!
//! A debit costs it one upsert. Only an hour above the floor is compared with the hours before, and what is usual
//! is worked out once an hour.

use std::collections::BTreeMap;

use super::{Error, LockedAccount, settle};
use crate::db::{self, Tx};
use crate::id::{AccountId, SiteId};
use crate::ledger::limit::{Brake, Pause, typical};
use crate::params;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

/// What is kept of a site's brake.
struct Kept {
    paused: bool,
    hour: Option<Timestamp>,
    typical: Option<Credits>,
    forgiven_hour: Option<Timestamp>,
    forgiven: Delta,
}

/// Why and since when the site is paused, if it is.
pub fn pause(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<Option<Pause>, db::Error> {
    tx.query_opt(
        "-- ledger::store::brake::pause
         SELECT paused_at, reason FROM brake WHERE account_id = $1 AND site = $2 AND paused_at IS NOT NULL",
        params![account, site],
        |row| Ok(Pause { since: row.get(0)?, reason: row.get(1)? }),
    )
}

/// A site that is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// Its account.
    pub account: AccountId,
    /// The site.
    pub site: SiteId,
    /// Why and since when.
    pub pause: Pause,
}

/// The sites that are paused, whoever's they are.
pub fn paused(tx: &mut Tx<'_>) -> Result<Vec<Paused>, db::Error> {
    tx.query(
        "-- ledger::store::brake::paused
         SELECT b.account_id, b.site, b.paused_at, b.reason
         FROM brake b JOIN site s ON s.id = b.site AND s.account_id = b.account_id
         WHERE b.paused_at IS NOT NULL ORDER BY b.site",
        params![],
        |row| {
            let pause = Pause { since: row.get(2)?, reason: row.get(3)? };
            Ok(Paused { account: row.get(0)?, site: row.get(1)?, pause })
        },
    )
}

impl LockedAccount<'_, '_> {
    /// Adds `change` to what the site spent in the hour of `at`; answers what that is now. What is given back of
    /// an hour that is forgotten is not counted.
    pub(super) fn count_hour(
        &mut self,
        site: &SiteId,
        at: Timestamp,
        change: Delta,
    ) -> Result<Delta, db::Error> {
        let captured = if change.is_negative() {
            self.tx.query_opt(
                "-- ledger::store::brake::count_hour (given back)
                 UPDATE spending_hour SET captured = captured + $4
                 WHERE account_id = $1 AND site = $2 AND hour = $3 RETURNING captured",
                params![&self.id, site, at.hour(), change],
                |row| row.get(0),
            )?
        } else {
            self.tx.query_opt(
                "-- ledger::store::brake::count_hour
                 INSERT INTO spending_hour (account_id, site, hour, captured) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (account_id, site, hour)
                 DO UPDATE SET captured = spending_hour.captured + excluded.captured
                 RETURNING captured",
                params![&self.id, site, at.hour(), change],
                |row| row.get(0),
            )?
        };
        Ok(captured.unwrap_or(Delta::ZERO))
    }

    /// Lets the site spend again; answers why it could not. What it spent in this hour so far is forgiven.
    pub fn resume(&mut self, site: &SiteId) -> Result<Option<Pause>, Error> {
        let Some(paused) = pause(self.tx, &self.id, site)? else { return Ok(None) };
        let hour = self.tx.now().hour();
        let captured = captured(self.tx, &self.id, site, hour)?;
        self.tx.execute(
            "-- ledger::store::brake::resume
             UPDATE brake SET paused_at = NULL, reason = NULL, forgiven_hour = $3, forgiven = $4
             WHERE account_id = $1 AND site = $2",
            params![&self.id, site, hour, captured],
        )?;
        Ok(Some(paused))
    }
}

/// What the brake says about an hour of a site.
pub(super) enum Look {
    /// It may go on. More need not be looked at before it has spent so many micro-credits in this hour.
    Fine(i64),
    /// It was too much: the site is paused from now.
    Paused(Pause),
}

/// Pauses the site if what it captured in the present hour is too much. To be called when a capture was counted,
/// with what the hour comes to.
pub(super) fn look(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    captured: Delta,
    brake: &Brake,
) -> Result<Look, db::Error> {
    if !brake.enabled {
        return Ok(Look::Fine(i64::MAX));
    }
    if captured.micro() <= brake.floor.micro() {
        return Ok(Look::Fine(brake.floor.micro()));
    }
    let now = tx.now();
    let hour = now.hour();
    let kept = kept(tx, account, site)?;
    let forgiven = kept.as_ref().filter(|kept| kept.forgiven_hour == Some(hour));
    let is_forgiven = forgiven.is_some();
    let forgiven = forgiven.map_or(0, |kept| kept.forgiven.micro());
    if kept.as_ref().is_some_and(|kept| kept.paused) {
        return Ok(Look::Fine(i64::MAX));
    }
    let usual = match kept.filter(|kept| kept.hour == Some(hour)) {
        Some(kept) => kept.typical,
        None => learn(tx, account, site, hour)?,
    };
    let Some(usual) = usual else { return Ok(Look::Fine(i64::MAX)) };
    let most = brake.threshold(usual).micro().saturating_add(forgiven);
    if captured.micro() <= most {
        return Ok(Look::Fine(most));
    }
    let reason = format!(
        "{} credits were spent in the hour from {}{}, where {usual} an hour are usual and more than {} are too many",
        Delta::from_micro(captured.micro() - forgiven),
        hour.in_words(),
        if is_forgiven { " since it was resumed" } else { "" },
        brake.threshold(usual),
    );
    tx.execute(
        "-- ledger::store::brake::look
         UPDATE brake SET paused_at = $3, reason = $4 WHERE account_id = $1 AND site = $2",
        params![account, site, now, &reason],
    )?;
    Ok(Look::Paused(Pause { since: now, reason }))
}

/// What the site captured in the hour of `at`, as far as it is settled.
pub(super) fn captured(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    at: Timestamp,
) -> Result<Delta, db::Error> {
    let captured = tx.query_opt(
        "-- ledger::store::brake::captured
         SELECT captured FROM spending_hour WHERE account_id = $1 AND site = $2 AND hour = $3",
        params![account, site, at.hour()],
        |row| row.get(0),
    )?;
    Ok(captured.unwrap_or(Delta::ZERO))
}

fn kept(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<Option<Kept>, db::Error> {
    tx.query_opt(
        "-- ledger::store::brake::kept
         SELECT paused_at, hour, typical, forgiven_hour, forgiven FROM brake
         WHERE account_id = $1 AND site = $2",
        params![account, site],
        |row| {
            Ok(Kept {
                paused: row.get::<Option<Timestamp>>(0)?.is_some(),
                hour: row.get(1)?,
                typical: row.get(2)?,
                forgiven_hour: row.get(3)?,
                forgiven: row.get(4)?,
            })
        },
    )
}

/// Works out what is usual before `hour`, and keeps it.
fn learn(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    hour: Timestamp,
) -> Result<Option<Credits>, db::Error> {
    let from = hour.plus_millis(-Brake::WINDOW_MS);
    let settled: Vec<(Timestamp, i64)> = tx.query(
        "-- ledger::store::brake::learn
         SELECT hour, captured FROM spending_hour
         WHERE account_id = $1 AND site = $2 AND hour > $3 AND hour < $4",
        params![account, site, from, hour],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut hours: BTreeMap<Timestamp, i64> = settled.into_iter().collect();
    for (of, spent) in settle::unsettled(tx, account)?.by_hour(site) {
        if from < of && of < hour {
            *hours.entry(of).or_default() += spent;
        }
    }
    let captured = |micro: i64| Credits::from_micro(micro.max(0)).unwrap_or(Credits::MAX);
    let hours: Vec<_> = hours.into_iter().map(|(of, micro)| (of, captured(micro))).collect();
    let usual = typical(&hours);
    tx.execute(
        "-- ledger::store::brake::learn (keep)
         INSERT INTO brake (account_id, site, hour, typical, forgiven) VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (account_id, site) DO UPDATE SET hour = excluded.hour, typical = excluded.typical",
        params![account, site, hour, usual],
    )?;
    Ok(usual)
}

/// Adds what one account's sites spent in each hour to the other's, and lets the brakes that are on be on there.
pub fn move_to(tx: &mut Tx<'_>, from: &AccountId, to: &AccountId) -> Result<(), db::Error> {
    tx.execute(
        "-- ledger::store::brake::move_to (hours)
         INSERT INTO spending_hour (account_id, site, hour, captured)
         SELECT $2, h.site, h.hour, h.captured FROM spending_hour h WHERE h.account_id = $1
         ON CONFLICT (account_id, site, hour)
         DO UPDATE SET captured = spending_hour.captured + excluded.captured",
        params![from, to],
    )?;
    tx.execute(
        "-- ledger::store::brake::move_to (forget hours)
         DELETE FROM spending_hour WHERE account_id = $1",
        params![from],
    )?;
    // What was usual is worked out anew where it is next asked for.
    tx.execute(
        "-- ledger::store::brake::move_to
         INSERT INTO brake (account_id, site, paused_at, reason, forgiven)
         SELECT $2, b.site, b.paused_at, b.reason, 0 FROM brake b
         WHERE b.account_id = $1 AND b.paused_at IS NOT NULL
         ON CONFLICT (account_id, site)
         DO UPDATE SET paused_at = excluded.paused_at, reason = excluded.reason, hour = NULL",
        params![from, to],
    )?;
    tx.execute(
        "-- ledger::store::brake::move_to (forget)
         DELETE FROM brake WHERE account_id = $1",
        params![from],
    )?;
    Ok(())
}

/// Forgets up to `limit` hours that are too old to tell what is usual, the oldest first; answers how many.
pub fn prune(tx: &mut Tx<'_>, limit: i64) -> Result<u64, db::Error> {
    let kept_since = tx.now().hour().plus_millis(-Brake::WINDOW_MS);
    tx.execute(
        "-- ledger::store::brake::prune
         DELETE FROM spending_hour WHERE (account_id, site, hour) IN (
             SELECT account_id, site, hour FROM spending_hour WHERE hour <= $1 ORDER BY hour LIMIT $2)",
        params![kept_since, limit],
    )
}
