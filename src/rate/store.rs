//! Rates in the database.

use super::{NewRate, Rate, Round, Version};
use crate::db::{self, Row, Tx};
use crate::id::ActionId;
use crate::params;
use crate::time::Timestamp;

/// Adds a version.
pub fn set(tx: &mut Tx<'_>, new: &NewRate) -> Result<Version, db::Error> {
    let now = tx.now();
    let effective_at = new.effective_at.unwrap_or(now);
    let before = effective(tx, &new.action, effective_at)?;
    let (per, round, label) =
        before.map(|before| (before.per, before.round, before.label)).unwrap_or_default();
    let (per, label) = (new.per.clone().or(per), new.label.clone().or(label));
    let round = new.round.unwrap_or(round);
    let version = tx.query_one(
        "-- rate::store::set (version)
         SELECT CAST(COALESCE(MAX(version), 0) + 1 AS BIGINT) FROM rate WHERE action = $1",
        params![&new.action],
        |row| row.get(0),
    )?;
    tx.execute(
        "-- rate::store::set
         INSERT INTO rate (action, version, credits, per, round, label, effective_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            &new.action,
            version,
            new.rate.parts(),
            per.as_ref(),
            round.as_str(),
            label.as_ref(),
            effective_at,
            now,
        ],
    )?;
    Ok(Version {
        action: new.action.clone(),
        version,
        credits: new.rate,
        per,
        round,
        label,
        effective_at,
        created_at: now,
    })
}

/// The version of an action's rate that counts at `at`: of those effective by then the latest, and of two from
/// the same instant the one that was set last.
pub fn effective(tx: &mut Tx<'_>, action: &ActionId, at: Timestamp) -> Result<Option<Version>, db::Error> {
    tx.query_opt(
        "-- rate::store::effective
         SELECT action, version, credits, per, round, label, effective_at, created_at
         FROM rate WHERE action = $1 AND effective_at <= $2
         ORDER BY effective_at DESC, version DESC LIMIT 1",
        params![action, at],
        read,
    )
}

/// A version of an action's rate.
pub fn version(tx: &mut Tx<'_>, action: &ActionId, version: i64) -> Result<Option<Version>, db::Error> {
    tx.query_opt(
        "-- rate::store::version
         SELECT action, version, credits, per, round, label, effective_at, created_at
         FROM rate WHERE action = $1 AND version = $2",
        params![action, version],
        read,
    )
}

/// All versions, by action, newest first.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Version>, db::Error> {
    tx.query(
        "-- rate::store::list
         SELECT action, version, credits, per, round, label, effective_at, created_at
         FROM rate ORDER BY action, effective_at DESC, version DESC",
        params![],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<Version, db::Error> {
    let wrong = |column, found| db::Error::Column { column, found };
    let (parts, round): (i64, String) = (row.get(2)?, row.get(4)?);
    Ok(Version {
        action: row.get(0)?,
        version: row.get(1)?,
        credits: Rate::from_parts(parts).map_err(|_| wrong(2, parts.to_string()))?,
        per: row.get(3)?,
        round: Round::named(&round).ok_or_else(|| wrong(4, round))?,
        label: row.get(5)?,
        effective_at: row.get(6)?,
        created_at: row.get(7)?,
    })
}
