//! What the feed reads, in SQL. Nothing here writes.

use chrono_tz::Tz;

use super::activity::{Filter, Line};
use super::grants::{Grant, Part, Status};
use super::page::Used;
use super::usage::Group;
use super::wallet::{Scope, Shows, Wallet};
use crate::calendar::Per;
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, ClientId, GrantId, SiteId};
use crate::ledger::entry::Place;
use crate::ledger::slice::{Category, Compartment};
use crate::ledger::store::hold::{Overdue, overdue};
use crate::ledger::store::{Shown, settle};
use crate::params;
use crate::rate;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

// Whose wallet -------------------------------------------------------------------------------------

/// The account with what the wallet shows of it, if there is such an account.
pub(super) fn wallet(
    tx: &mut Tx<'_>,
    account: &AccountId,
    shows: Shows,
) -> Result<Option<Wallet>, db::Error> {
    tx.query_opt(
        "-- feed::store::wallet
         SELECT name, time_zone, frozen_reason, next_renewal FROM account WHERE id = $1",
        params![account],
        |row| {
            let zone: String = row.get(1)?;
            let zone: Tz = zone.parse().map_err(|_| db::Error::Column { column: 1, found: zone })?;
            Ok(Wallet {
                account: account.clone(),
                name: row.get(0)?,
                zone,
                frozen_reason: row.get(2)?,
                next_renewal: row.get(3)?,
                shows,
            })
        },
    )
}

/// The accounts that were merged into this one.
pub(super) fn merged(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<AccountId>, db::Error> {
    tx.query(
        "-- feed::store::merged
         SELECT id FROM account WHERE merged_into = $1 ORDER BY id",
        params![account],
        |row| row.get(0),
    )
}

/// A site that belongs to somebody: to whom, and what its wallet shows.
pub(super) fn site(tx: &mut Tx<'_>, site: &SiteId) -> Result<Option<(AccountId, Shows)>, db::Error> {
    tx.query_opt(
        "-- feed::store::site
         SELECT account_id, label, client, uses_pool FROM site WHERE id = $1 AND account_id IS NOT NULL",
        params![site],
        |row| {
            let (label, client, pool) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((row.get(0)?, Shows::Site { site: site.clone(), label, client, pool }))
        },
    )
}

/// The sites an account runs for a client, each with whether it may use the pool.
pub(super) fn client_sites(
    tx: &mut Tx<'_>,
    account: &AccountId,
    client: &ClientId,
) -> Result<Vec<(SiteId, bool)>, db::Error> {
    tx.query(
        "-- feed::store::client_sites
         SELECT id, uses_pool FROM site WHERE account_id = $1 AND client = $2",
        params![account, client],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

// Numbers ------------------------------------------------------------------------------------------

/// What the wallet's sites used in a period of the calendar, added up from the counters of days or months.
pub(super) fn used(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    (per, (from, to)): (Per, (Timestamp, Timestamp)),
) -> Result<Credits, db::Error> {
    let counted = match per {
        Per::Day | Per::Week => Per::Day.as_str(),
        Per::Month | Per::Year => Per::Month.as_str(),
    };
    let unsettled = settle::unsettled(tx, &wallet.account)?;
    let Some(sites) = wallet.shows.compartments() else {
        let sum: i64 = tx.query_one(
            "-- feed::store::used (account)
             SELECT CAST(COALESCE(SUM(captured), 0) AS BIGINT) FROM spending
             WHERE account_id = $1 AND agent = '' AND per = $2 AND period_start >= $3 AND period_start < $4",
            params![&wallet.account, counted, from, to],
            |row| row.get(0),
        )?;
        return not_below_nothing(sum.saturating_add(unsettled.spent_in_all((from, to))));
    };
    let mut sum = 0_i64;
    for site in sites.iter().filter_map(Compartment::site) {
        let used: i64 = tx.query_one(
            "-- feed::store::used (site)
             SELECT CAST(COALESCE(SUM(captured), 0) AS BIGINT) FROM spending
             WHERE account_id = $1 AND site = $2 AND agent = '' AND per = $3
               AND period_start >= $4 AND period_start < $5",
            params![&wallet.account, site, counted, from, to],
            |row| row.get(0),
        )?;
        sum = sum.saturating_add(used).saturating_add(unsettled.spent(site, None, (from, to)));
    }
    not_below_nothing(sum)
}

/// A debit may be undone in another period than it was counted in, when the account's time zone was changed between
/// them; less than nothing was not used for that.
fn not_below_nothing(sum: i64) -> Result<Credits, db::Error> {
    Credits::from_micro(sum.max(0)).ok_or_else(|| db::Error::Column { column: 0, found: sum.to_string() })
}

/// What each compartment of the account owes.
pub(super) fn debt(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<(Compartment, Credits)>, db::Error> {
    tx.query(
        "-- feed::store::debt
         SELECT site, amount FROM debt WHERE account_id = $1 AND amount > 0",
        params![account],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

// Activity -----------------------------------------------------------------------------------------

/// Up to `limit` lines before a place, newest first; of one compartment, or of the whole account.
pub(super) fn lines_before(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    compartment: Option<&Compartment>,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<Vec<Line>, db::Error> {
    let (kind, from, to) = bounds(filter);
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let settled = match compartment {
        None => tx.query(
            "-- feed::store::lines_before (account)
             SELECT seq, at, kind, label, credits, site, order_id, quantity FROM activity
             WHERE account_id = $1 AND seq < $2 AND ($3 = '' OR kind = $3) AND at >= $4 AND at < $5
             ORDER BY seq DESC LIMIT $6",
            params![&wallet.account, before, kind, from, to, most],
            written,
        ),
        Some(compartment) => tx.query(
            "-- feed::store::lines_before (compartment)
             SELECT seq, at, kind, label, credits, site, order_id, quantity FROM activity
             WHERE account_id = $1 AND site = $7 AND seq < $2
               AND ($3 = '' OR kind = $3) AND at >= $4 AND at < $5
             ORDER BY seq DESC LIMIT $6",
            params![&wallet.account, before, kind, from, to, most, compartment.column()],
            written,
        ),
    }?;
    let (settled, mut lines) = with_unsettled(tx, wallet, compartment, filter, settled)?;
    lines.retain(|line| line.place < before);
    lines.sort_by_key(|line| -line.place);
    lines.extend(settled);
    lines.truncate(limit);
    Ok(lines.into_iter().map(Written::told).collect())
}

/// Up to `limit` lines after one place and up to another, oldest first.
pub(super) fn lines_after(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    compartment: Option<&Compartment>,
    filter: &Filter,
    (after, last): (i64, i64),
    limit: usize,
) -> Result<Vec<Line>, db::Error> {
    let (kind, from, to) = bounds(filter);
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let settled = match compartment {
        None => tx.query(
            "-- feed::store::lines_after (account)
             SELECT seq, at, kind, label, credits, site, order_id, quantity FROM activity
             WHERE account_id = $1 AND seq > $2 AND seq <= $7
               AND ($3 = '' OR kind = $3) AND at >= $4 AND at < $5
             ORDER BY seq LIMIT $6",
            params![&wallet.account, after, kind, from, to, most, last],
            written,
        ),
        Some(compartment) => tx.query(
            "-- feed::store::lines_after (compartment)
             SELECT seq, at, kind, label, credits, site, order_id, quantity FROM activity
             WHERE account_id = $1 AND site = $8 AND seq > $2 AND seq <= $7
               AND ($3 = '' OR kind = $3) AND at >= $4 AND at < $5
             ORDER BY seq LIMIT $6",
            params![&wallet.account, after, kind, from, to, most, last, compartment.column()],
            written,
        ),
    }?;
    let (mut lines, mut newer) = with_unsettled(tx, wallet, compartment, filter, settled)?;
    newer.retain(|line| after < line.place && line.place <= last);
    newer.sort_by_key(|line| line.place);
    lines.extend(newer);
    lines.truncate(limit);
    Ok(lines.into_iter().map(Written::told).collect())
}

/// Settled lines with what is unsettled of them, and the unsettled ones that are lines of their own: those are newer
/// than all that are settled.
fn with_unsettled(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    compartment: Option<&Compartment>,
    filter: &Filter,
    mut settled: Vec<Written>,
) -> Result<(Vec<Written>, Vec<Written>), db::Error> {
    let usage = Shown::Usage.as_str();
    let (kind, from, to) = bounds(filter);
    let mut newer = Vec::new();
    for line in settle::unsettled(tx, &wallet.account)?.lines() {
        let at = Timestamp::from_millis(line.at);
        let place = tx.query_opt(
            "-- feed::store::with_unsettled
             SELECT seq FROM activity
             WHERE account_id = $1 AND hour = $2 AND site = $3 AND label = $4 AND kind = 'usage'",
            params![&wallet.account, at.hour(), &line.site, &line.label],
            |row| row.get::<i64>(0),
        )?;
        if let Some(place) = place {
            if let Some(known) = settled.iter_mut().find(|known| known.place == place) {
                known.credits = Delta::from_micro(known.credits.micro().saturating_sub(line.credits));
                known.quantity =
                    known.quantity.zip(line.quantity).map(|(sum, more)| sum.saturating_add(more));
            }
            continue;
        }
        let compartment_of = Compartment::Site(line.site.clone());
        if compartment.is_none_or(|compartment| *compartment == compartment_of)
            && (kind.is_empty() || kind == usage)
            && (from..to).contains(&line.at)
        {
            newer.push(Written {
                place: line.seq,
                at,
                kind: usage.to_owned(),
                label: line.label.clone(),
                credits: Delta::from_micro(-line.credits),
                compartment: compartment_of,
                order: None,
                quantity: line.quantity,
            });
        }
    }
    Ok((settled, newer))
}

/// The filter as a statement takes it: no kind is any kind, no bound is the furthest one.
fn bounds(filter: &Filter) -> (&'static str, i64, i64) {
    (
        filter.kind.map_or("", |kind| kind.as_str()),
        filter.from.map_or(i64::MIN, Timestamp::millis),
        filter.to.map_or(i64::MAX, Timestamp::millis),
    )
}

/// A line as it is written: where its words tell how much, without that.
struct Written {
    place: i64,
    at: Timestamp,
    kind: String,
    label: String,
    credits: Delta,
    compartment: Compartment,
    order: Option<i64>,
    quantity: Option<i64>,
}

fn written(row: &Row<'_>) -> Result<Written, db::Error> {
    Ok(Written {
        place: row.get(0)?,
        at: row.get(1)?,
        kind: row.get(2)?,
        label: row.get(3)?,
        credits: row.get(4)?,
        compartment: row.get(5)?,
        order: row.get(6)?,
        quantity: row.get(7)?,
    })
}

impl Written {
    fn told(self) -> Line {
        Line {
            place: self.place,
            at: self.at,
            kind: self.kind,
            label: rate::say(self.label, self.quantity),
            credits: self.credits,
            site: self.compartment.site().cloned(),
            order: self.order.map(|order| order.to_string()),
        }
    }
}

/// The place of the account's newest line; 0 without any.
pub(super) fn newest_line(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<i64, db::Error> {
    let unsettled = settle::unsettled(tx, &wallet.account)?;
    let settled: i64 = tx.query_one(
        "-- feed::store::newest_line
         SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) FROM activity WHERE account_id = $1",
        params![&wallet.account],
        |row| row.get(0),
    )?;
    Ok(unsettled.lines().iter().map(|line| line.seq).fold(settled, i64::max))
}

// Usage --------------------------------------------------------------------------------------------

/// The wallet's sites that any line of the history is about.
pub(super) fn active_sites(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<Vec<SiteId>, db::Error> {
    let mut sites = sites_of(tx, wallet, |tx, after| {
        tx.query_opt(
            "-- feed::store::active_sites
             SELECT site FROM activity WHERE account_id = $1 AND kind = 'usage' AND site > $2
             ORDER BY site LIMIT 1",
            params![&wallet.account, after],
            |row| row.get(0),
        )
    })?;
    if wallet.shows.compartments().is_none() {
        let unsettled = settle::unsettled(tx, &wallet.account)?;
        sites.extend(unsettled.lines().iter().map(|line| line.site.clone()));
        sites.sort_unstable();
        sites.dedup();
    }
    Ok(sites)
}

/// The wallet's sites that any debit is for.
pub(super) fn used_sites(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<Vec<SiteId>, db::Error> {
    sites_of(tx, wallet, |tx, after| {
        tx.query_opt(
            "-- feed::store::used_sites
             SELECT site FROM debit WHERE account_id = $1 AND site > $2 ORDER BY site LIMIT 1",
            params![&wallet.account, after],
            |row| row.get(0),
        )
    })
}

/// The wallet's sites; of a whole account by asking for one after another, which costs a look into an index
/// each, however long the history is.
fn sites_of(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    mut next: impl FnMut(&mut Tx<'_>, &str) -> Result<Option<SiteId>, db::Error>,
) -> Result<Vec<SiteId>, db::Error> {
    if let Some(compartments) = wallet.shows.compartments() {
        return Ok(compartments.iter().filter_map(Compartment::site).cloned().collect());
    }
    let mut sites: Vec<SiteId> = Vec::new();
    while let Some(site) = next(tx, sites.last().map_or("", SiteId::as_str))? {
        sites.push(site);
    }
    Ok(sites)
}

/// Hands every usage line of `site` from `since` to `visit`: its hour, its words as they were written and what
/// was used.
pub(super) fn usage_lines(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    site: &SiteId,
    since: Timestamp,
    mut visit: impl FnMut(Timestamp, &str, Used),
) -> Result<(), db::Error> {
    tx.for_each(
        "-- feed::store::usage_lines
         SELECT hour, label, credits, quantity FROM activity
         WHERE account_id = $1 AND kind = 'usage' AND site = $2 AND hour >= $3",
        params![&wallet.account, site, since],
        |row| {
            let used = Used { credits: -row.get::<i64>(2)?, quantity: row.get(3)? };
            visit(row.get(0)?, &row.get::<String>(1)?, used);
            Ok(())
        },
    )?;
    for line in settle::unsettled(tx, &wallet.account)?.lines().iter().filter(|line| line.site == *site) {
        let hour = Timestamp::from_millis(line.at).hour();
        if since <= hour {
            visit(hour, &line.label, Used { credits: line.credits, quantity: line.quantity });
        }
    }
    Ok(())
}

/// Hands what `site` used to `visit`, by day and, if asked, by group: the day's start, the name, the sum.
pub(super) fn used_by_day(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    site: &SiteId,
    (from, to): (Timestamp, Timestamp),
    group: Option<Group>,
    mut visit: impl FnMut(Timestamp, Option<String>, i64),
) -> Result<(), db::Error> {
    tx.for_each(
        "-- feed::store::used_by_day
         SELECT CAST(booked_at / 86400000 AS BIGINT) * 86400000,
                CASE CAST($5 AS TEXT) WHEN 'action' THEN action WHEN 'site' THEN site WHEN 'agent' THEN agent END,
                CAST(SUM(credits - reversed) AS BIGINT)
         FROM debit WHERE account_id = $1 AND site = $2 AND booked_at >= $3 AND booked_at < $4
         GROUP BY 1, 2",
        params![&wallet.account, site, from, to, group.map_or("", Group::as_str)],
        |row| {
            visit(row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(())
        },
    )
}

// Grants -------------------------------------------------------------------------------------------

/// Up to `limit` grants of which the account holds or held a part, newest first, from before the id `before`.
///
/// A grant whose parts the wallet does not show comes without slices.
pub(super) fn grants_before(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    before: &str,
    limit: usize,
) -> Result<Vec<Grant>, db::Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let grants = tx.query(
        "-- feed::store::grants_before
         SELECT id, category, priority, label, reason, granted_at, effective_at, expires_at, voided_at, order_id,
                amount, spent, reversed, expired, clawed, voided, adjusted, repaid, frozen, void_reason
         FROM grant_now
         WHERE id IN (SELECT DISTINCT grant_id FROM slice WHERE account_id = $1 AND grant_id < $2
                      ORDER BY grant_id DESC LIMIT $3)
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
pub(super) fn all_grants_before(
    tx: &mut Tx<'_>,
    before: &str,
    limit: usize,
) -> Result<Vec<Grant>, db::Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let grants = tx.query(
        "-- feed::store::all_grants_before
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
pub(super) fn made_at(tx: &mut Tx<'_>, grant: &GrantId) -> Result<(AccountId, Place), db::Error> {
    tx.query_one(
        "-- feed::store::made_at
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
        "-- feed::store::with_slices
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
        "-- feed::store::own_part
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

// What a number is made of --------------------------------------------------------------------------

/// An entry with what is known of its grant and its debit.
#[derive(Debug)]
pub(super) struct Movement {
    /// The account's entry before; nothing for its first.
    pub(super) previous: Option<i64>,
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) grant: Option<GrantId>,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) amount: Credits,
    pub(super) label: Option<String>,
    pub(super) order: Option<i64>,
    /// The site of the debit, and its words.
    pub(super) debit: Option<(SiteId, String)>,
    pub(super) reason: Option<String>,
}

/// The entry `newest` and those of its account before it, newest first: of `length` entries those at the places
/// `places`, or all if there are none; and in any case the last, which tells where to go on.
pub(super) fn movements_from(
    tx: &mut Tx<'_>,
    account: &AccountId,
    places: Option<&[String; 2]>,
    newest: i64,
    length: i64,
) -> Result<Vec<Movement>, db::Error> {
    let [one, other] = places.map_or(["", ""], |[one, other]| [one.as_str(), other.as_str()]);
    tx.query(
        "-- feed::store::movements_from
         WITH RECURSIVE walk (id, previous, length) AS (
             SELECT id, previous, CAST(1 AS BIGINT) FROM entry WHERE id = $2 AND account_id = $1
             UNION ALL
             SELECT p.id, p.previous, w.length + 1 FROM walk w CROSS JOIN entry p
             WHERE p.id = w.previous AND w.length < $5)
         SELECT e.previous, e.booked_at, e.kind, e.grant_id, e.source, e.target, e.amount, g.label, g.order_id,
                COALESCE(d.site, h.site), COALESCE(d.label, h.label), COALESCE(d.quantity, h.quantity),
                CASE e.kind WHEN 'granted' THEN g.reason WHEN 'voided' THEN g.void_reason WHEN 'reversed' THEN r.reason
                            ELSE c.reason END
         FROM walk w CROSS JOIN entry e
         LEFT JOIN credit_grant g ON g.id = e.grant_id
         LEFT JOIN reversal r ON r.id = e.operation AND e.kind = 'reversed'
         LEFT JOIN debit d ON d.id = COALESCE(r.debit_id, e.operation)
         LEFT JOIN hold h ON h.id = e.operation
         LEFT JOIN correction c ON c.operation = e.operation
         WHERE e.id = w.id
           AND ($3 = '' OR e.source IN ($3, $4) OR e.target IN ($3, $4) OR w.length = $5 OR w.previous IS NULL)
         ORDER BY w.length",
        params![account, newest, one, other, length],
        |row| {
            let debit = match (row.get::<Option<SiteId>>(9)?, row.get::<Option<String>>(10)?) {
                (Some(site), Some(label)) => Some((site, rate::say(label, row.get(11)?))),
                _ => None,
            };
            Ok(Movement {
                previous: row.get(0)?,
                at: row.get(1)?,
                kind: row.get(2)?,
                grant: row.get(3)?,
                source: row.get(4)?,
                target: row.get(5)?,
                amount: row.get(6)?,
                label: row.get(7)?,
                order: row.get(8)?,
                debit,
                reason: row.get(12)?,
            })
        },
    )
}

/// The account's newest entry, if it has one.
pub(super) fn newest_entry(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<i64>, db::Error> {
    tx.query_one(
        "-- feed::store::newest_entry
         SELECT last_entry FROM account WHERE id = $1",
        params![account],
        |row| row.get(0),
    )
}

/// What remains in each compartment of the account by its entries, whether it can be spent or not.
pub(super) fn remaining(
    tx: &mut Tx<'_>,
    account: &AccountId,
) -> Result<Vec<(Compartment, Credits)>, db::Error> {
    tx.query(
        "-- feed::store::remaining
         SELECT site, CAST(SUM(remaining) AS BIGINT) FROM slice_now
         WHERE account_id = $1 AND (remaining > 0 OR held > 0) GROUP BY site ORDER BY site",
        params![account],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// What lay in one place at an instant, of one grant.
#[derive(Debug)]
pub(super) struct Lay {
    pub(super) place: String,
    pub(super) amount: i64,
    /// Nothing for a debt that moved, which is of no grant.
    pub(super) grant: Option<LayOf>,
}

/// What there is to know of the grant.
#[derive(Clone, Debug)]
pub(super) struct LayOf {
    pub(super) id: GrantId,
    pub(super) category: Category,
    pub(super) amount: Credits,
    pub(super) effective_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) voided: bool,
    pub(super) frozen: bool,
}

/// What lay where in the account at the instant `at`, from the entries that were booked for then or earlier.
pub(super) fn lay_at(tx: &mut Tx<'_>, account: &AccountId, at: Timestamp) -> Result<Vec<Lay>, db::Error> {
    let mut lays = booked_at(tx, account, at)?;
    // Holds that were over by then count as released, whether that is booked or not.
    for over in overdue(tx, account, at)? {
        let held = Place::Held(over.compartment.clone()).to_string();
        let is_of = |lay: &Lay, place: &str| {
            lay.place == place && lay.grant.as_ref().is_some_and(|grant| grant.id == over.grant)
        };
        let Some(found) = lays.iter().position(|lay| is_of(lay, &held)) else { continue };
        lays[found].amount -= over.credits.micro();
        let grant = lays[found].grant.clone();
        let place = Place::Compartment(over.compartment.clone()).to_string();
        match lays.iter_mut().find(|lay| is_of(lay, &place)) {
            Some(lay) => lay.amount += over.back().micro(),
            None => lays.push(Lay { place, amount: over.back().micro(), grant }),
        }
    }
    Ok(lays)
}

/// [`lay_at`] by the entries alone.
fn booked_at(tx: &mut Tx<'_>, account: &AccountId, at: Timestamp) -> Result<Vec<Lay>, db::Error> {
    tx.query(
        "-- feed::store::booked_at
         WITH RECURSIVE walk (previous, grant_id, source, target, amount, booked_at) AS (
             SELECT e.previous, e.grant_id, e.source, e.target, e.amount, e.booked_at
             FROM account a CROSS JOIN entry e WHERE a.id = $1 AND e.id = a.last_entry
             UNION ALL
             SELECT e.previous, e.grant_id, e.source, e.target, e.amount, e.booked_at
             FROM walk w CROSS JOIN entry e WHERE e.id = w.previous)
         SELECT p.place, CAST(SUM(p.amount) AS BIGINT), g.id, g.category, g.amount, g.effective_at, g.expires_at,
                g.voided_at,
                CAST(COALESCE((SELECT f.frozen FROM grant_freeze f WHERE f.grant_id = g.id AND f.at <= $2
                               ORDER BY f.at DESC LIMIT 1), 0) AS BIGINT)
         FROM (SELECT w.grant_id, CASE s.side WHEN 1 THEN w.target ELSE w.source END AS place, w.amount * s.side AS amount
               FROM walk w CROSS JOIN (SELECT 1 AS side UNION ALL SELECT -1) s WHERE w.booked_at <= $2) p
         LEFT JOIN credit_grant g ON g.id = p.grant_id
         WHERE p.place = 'pool' OR p.place LIKE 'site:%' OR p.place LIKE 'held:%' OR p.place LIKE 'debt:%'
         GROUP BY p.place, g.id HAVING SUM(p.amount) <> 0",
        params![account, at],
        |row| {
            let grant = match row.get::<Option<String>>(2)? {
                None => None,
                Some(_) => Some(LayOf {
                    id: row.get(2)?,
                    category: row.get(3)?,
                    amount: row.get(4)?,
                    effective_at: row.get(5)?,
                    expires_at: row.get(6)?,
                    voided: row.get::<Option<Timestamp>>(7)?.is_some_and(|voided_at| voided_at <= at),
                    frozen: row.get(8)?,
                }),
            };
            Ok(Lay { place: row.get(0)?, amount: row.get(1)?, grant })
        },
    )
}

// What can be bought -------------------------------------------------------------------------------

/// The shops the account is a customer of.
pub(super) fn shops(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<i64>, db::Error> {
    tx.query(
        "-- feed::store::shops
         SELECT DISTINCT store_id FROM customer WHERE account_id = $1 ORDER BY store_id",
        params![account],
        |row| row.get(0),
    )
}

/// The page of the account's shop that lists its packages; of several shops, of the one it was with first.
pub(super) fn tokens_category_url(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<String>, db::Error> {
    let shop = tx.query_opt(
        "-- feed::store::tokens_category_url
         SELECT s.url, s.tokens_categories FROM store s JOIN customer c ON c.store_id = s.id
         WHERE c.account_id = $1 ORDER BY s.id LIMIT 1",
        params![account],
        |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
    )?;
    let Some((url, slugs)) = shop else { return Ok(None) };
    let slugs: Vec<String> =
        serde_json::from_str(&slugs).map_err(|_| db::Error::Column { column: 1, found: slugs })?;
    let address = reqwest::Url::parse(&url).ok().zip(slugs.first()).map(|(mut address, slug)| {
        if !address.path().ends_with('/') {
            let path = format!("{}/", address.path());
            address.set_path(&path);
        }
        address.query_pairs_mut().append_pair("product_cat", slug);
        address.to_string()
    });
    Ok(address)
}
