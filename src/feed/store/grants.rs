//! Grants as customers and the shop are told of them.

use crate::db::{self, Row, Tx};
use crate::feed::grants::{Grant, Part, Status};
use crate::feed::wallet::{Scope, Shows, Wallet};
use crate::id::{AccountId, GrantId};
use crate::ledger::entry::Place;
use crate::ledger::slice::Compartment;
use crate::ledger::store::hold::{Overdue, overdue};
use crate::params;
use crate::units::Credits;

/// Up to `limit` grants of which the account holds or held a part, newest first, from before the id `before`.
///
/// A grant whose parts the wallet does not show comes without slices.
pub(in crate::feed) fn grants_before(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    before: &str,
    limit: usize,
) -> Result<Vec<Grant>, db::Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let grants = tx.query(
        "-- feed::store::grants::grants_before
         SELECT id, category, priority, label, reason, granted_at, effective_at, expires_at, voided_at, order_id,
                amount, spent, reversed, expired, clawed, voided, adjusted, repaid, frozen, void_reason
         FROM grant_now
         WHERE id IN (SELECT x.id FROM (SELECT g.id FROM credit_grant g WHERE g.account_id = $1 AND g.id < $2
                                        UNION
                                        SELECT s.grant_id FROM slice s
                                        WHERE s.account_id = $1 AND s.moved = 1 AND s.grant_id < $2) x
                      ORDER BY x.id DESC LIMIT $3)
         ORDER BY id DESC",
        params![&wallet.account, before, limit],
        read_grant,
    )?;
    let mut told = Vec::with_capacity(grants.len());
    for (grant, frozen) in grants {
        told.push(with_slices(tx, grant, frozen, Some(wallet))?);
    }
    Ok(told)
}

/// Up to `limit` grants of all accounts, newest first, from before the id `before`.
pub(in crate::feed) fn all_grants_before(
    tx: &mut Tx<'_>,
    before: &str,
    limit: usize,
) -> Result<Vec<Grant>, db::Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let grants = tx.query(
        "-- feed::store::grants::all_grants_before
         SELECT id, category, priority, label, reason, granted_at, effective_at, expires_at, voided_at, order_id,
                amount, spent, reversed, expired, clawed, voided, adjusted, repaid, frozen, void_reason
         FROM grant_now WHERE id < $1 ORDER BY id DESC LIMIT $2",
        params![before, limit],
        read_grant,
    )?;
    let mut told = Vec::with_capacity(grants.len());
    for (grant, frozen) in grants {
        told.push(with_slices(tx, grant, frozen, None)?);
    }
    Ok(told)
}

/// The account a grant was made for, and where in it: the entry that made it tells.
pub(in crate::feed) fn made_at(tx: &mut Tx<'_>, grant: &GrantId) -> Result<(AccountId, Place), db::Error> {
    tx.query_one(
        "-- feed::store::grants::made_at
         SELECT account_id, target FROM entry WHERE grant_id = $1 AND kind = 'granted'",
        params![grant],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// A grant, and whether it is frozen.
fn read_grant(row: &Row<'_>) -> Result<(Grant, bool), db::Error> {
    Ok((grant(row)?, row.get(18)?))
}

/// The grant with the sums over its slices, those slices that the wallet shows, or all, and how it stands. What of
/// it went to another account, with a site or an order, is that account's: a wallet tells its own account's part.
fn with_slices(
    tx: &mut Tx<'_>,
    mut grant: Grant,
    frozen: bool,
    wallet: Option<&Wallet>,
) -> Result<Grant, db::Error> {
    let shows = wallet.map_or(&Shows::Account, |wallet| &wallet.shows);
    let slices = tx.query(
        "-- feed::store::grants::with_slices
         SELECT account_id, site, remaining, held FROM slice_now WHERE grant_id = $1 ORDER BY site, account_id",
        params![&grant.id],
        |row| Ok((row.get::<AccountId>(0)?, part(row, shows)?)),
    )?;
    let mut slices = slices;
    let mut is_shared = false;
    if let Some(wallet) = wallet {
        is_shared = slices.iter().any(|(holder, _)| *holder != wallet.account);
        slices.retain(|(holder, _)| *holder == wallet.account);
        if is_shared {
            own_part(tx, &mut grant, &wallet.account)?;
        }
    }
    if slices.iter().any(|(_, part)| !part.held.is_zero()) {
        // What was held and is over is back, whether that is booked or not.
        let now = tx.now();
        for (holder, part) in &mut slices {
            let over = overdue(tx, holder, now)?;
            let is_of = |over: &&Overdue| over.grant == grant.id && over.compartment == part.compartment;
            if let Some(over) = over.iter().find(is_of) {
                part.held = part.held.saturating_sub(over.credits);
                part.remaining = [part.remaining, over.back()].into_iter().sum();
                grant.clawed = [grant.clawed, over.clawed].into_iter().sum();
            }
        }
    }
    grant.remaining = slices.iter().map(|(_, part)| part.remaining).sum();
    grant.held = slices.iter().map(|(_, part)| part.held).sum();
    if is_shared {
        let there = grant.granted.checked_add(grant.reversed).unwrap_or(Credits::MAX);
        grant.spent = there.saturating_sub(grant.gone_unspent());
    }
    // Of what went on to another account untouched nothing is told.
    if is_shared && grant.granted.is_zero() {
        slices.clear();
    }
    for (holder, mut part) in slices {
        match wallet {
            None => part.account = Some(holder),
            Some(_) if !shows.compartment(&part.compartment) => continue,
            Some(_) => {}
        }
        grant.slices.push(part);
    }
    grant.settle(frozen, tx.now());
    Ok(grant)
}

/// Narrows the numbers of a grant to what came to an account, and those that are part of it, and stayed; but for
/// what was spent, which is what is left of all that.
fn own_part(tx: &mut Tx<'_>, grant: &mut Grant, account: &AccountId) -> Result<(), db::Error> {
    let sums = tx.query_one(
        "-- feed::store::grants::own_part
         SELECT CAST(COALESCE(SUM(CASE WHEN kind = 'granted' OR kind = 'moved' AND source LIKE 'account:%' THEN amount
                                       WHEN kind = 'moved' AND target LIKE 'account:%' THEN -amount END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE kind WHEN 'reversed' THEN amount END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE kind WHEN 'expired' THEN amount END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE kind WHEN 'clawed' THEN amount END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE kind WHEN 'voided' THEN amount END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE kind WHEN 'adjusted' THEN amount END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE kind WHEN 'repaid' THEN amount END), 0) AS BIGINT)
         FROM entry
         WHERE grant_id = $1 AND kind <> 'spent'
           AND account_id IN (SELECT id FROM account WHERE id = $2 OR merged_into = $2)",
        params![&grant.id, account],
        |row| {
            let mut sums = [Credits::ZERO; 7];
            for (column, sum) in sums.iter_mut().enumerate() {
                *sum = row.get(column)?;
            }
            Ok(sums)
        },
    )?;
    let [granted, reversed, expired, clawed, voided, adjusted, repaid] = sums;
    (grant.credits, grant.granted, grant.reversed) = (granted, granted, reversed);
    (grant.expired, grant.clawed, grant.voided) = (expired, clawed, voided);
    (grant.adjusted, grant.repaid) = (adjusted, repaid);
    Ok(())
}

/// A grant without what its slices say.
fn grant(row: &Row<'_>) -> Result<Grant, db::Error> {
    Ok(Grant {
        id: row.get::<GrantId>(0)?,
        status: Status::Active,
        category: row.get(1)?,
        priority: row.get(2)?,
        label: row.get(3)?,
        reason: row.get(4)?,
        void_reason: row.get(19)?,
        granted_at: row.get(5)?,
        effective_at: row.get(6)?,
        expires_at: row.get(7)?,
        voided_at: row.get(8)?,
        order: row.get::<Option<i64>>(9)?.map(|order| order.to_string()),
        credits: row.get(10)?,
        granted: row.get(10)?,
        remaining: Credits::ZERO,
        held: Credits::ZERO,
        spent: row.get(11)?,
        reversed: row.get(12)?,
        expired: row.get(13)?,
        clawed: row.get(14)?,
        voided: row.get(15)?,
        adjusted: row.get(16)?,
        repaid: row.get(17)?,
        slices: Vec::new(),
    })
}

fn part(row: &Row<'_>, shows: &Shows) -> Result<Part, db::Error> {
    let compartment: Compartment = row.get(1)?;
    Ok(Part {
        account: None,
        scope: Scope::of(&compartment),
        site: shows.column(&compartment),
        remaining: row.get(2)?,
        held: row.get(3)?,
        compartment,
    })
}
