//! The history, line by line, and what was used.

use crate::db::{self, Row, Tx};
use crate::feed::activity::{Filter, Line};
use crate::feed::page::Used;
use crate::feed::usage::Group;
use crate::feed::wallet::Wallet;
use crate::id::SiteId;
use crate::ledger;
use crate::ledger::slice::Compartment;
use crate::ledger::store::{Shown, settle};
use crate::params;
use crate::rate;
use crate::time::{HOUR_MS, Timestamp};
use crate::units::Delta;

/// Up to `limit` lines before a place, newest first; of one compartment, or of the whole account.
pub(in crate::feed) fn lines_before(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    compartment: Option<&Compartment>,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<Vec<Line>, db::Error> {
    let settled = settled_before(tx, wallet, compartment, filter, before, limit)?;
    let (settled, mut lines) = with_unsettled(tx, wallet, compartment, filter, settled)?;
    lines.retain(|line| line.place < before);
    lines.sort_by_key(|line| -line.place);
    lines.extend(settled);
    lines.truncate(limit);
    Ok(lines.into_iter().map(Written::told).collect())
}

/// Up to `limit` settled lines before a place, newest first.
pub(in crate::feed) fn settled_before(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    compartment: Option<&Compartment>,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<Vec<Written>, db::Error> {
    let (kind, from, to) = bounds(filter);
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    match compartment {
        None => tx.query(
            "-- feed::store::lines::settled_before (account)
             SELECT seq, at, kind, label, credits, site, order_id, quantity FROM activity
             WHERE account_id = $1 AND seq < $2 AND ($3 = '' OR kind = $3) AND at >= $4 AND at < $5
             ORDER BY seq DESC LIMIT $6",
            params![&wallet.account, before, kind, from, to, most],
            written,
        ),
        Some(compartment) => tx.query(
            "-- feed::store::lines::settled_before (compartment)
             SELECT seq, at, kind, label, credits, site, order_id, quantity FROM activity
             WHERE account_id = $1 AND site = $7 AND seq < $2
               AND ($3 = '' OR kind = $3) AND at >= $4 AND at < $5
             ORDER BY seq DESC LIMIT $6",
            params![&wallet.account, before, kind, from, to, most, compartment.column()],
            written,
        ),
    }
}

/// Up to `limit` lines after one place and up to another, oldest first.
pub(in crate::feed) fn lines_after(
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
            "-- feed::store::lines::lines_after (account)
             SELECT seq, at, kind, label, credits, site, order_id, quantity FROM activity
             WHERE account_id = $1 AND seq > $2 AND seq <= $7
               AND ($3 = '' OR kind = $3) AND at >= $4 AND at < $5
             ORDER BY seq LIMIT $6",
            params![&wallet.account, after, kind, from, to, most, last],
            written,
        ),
        Some(compartment) => tx.query(
            "-- feed::store::lines::lines_after (compartment)
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
    let unsettled = settle::unsettled(tx, &wallet.account)?;
    let Some(first) = unsettled.lines().iter().map(ledger::unsettled::Line::hour).min() else {
        return Ok((settled, Vec::new()));
    };
    let known: Vec<(Timestamp, SiteId, String, i64)> = tx.query(
        "-- feed::store::lines::with_unsettled
         SELECT hour, site, label, seq FROM activity WHERE account_id = $1 AND hour >= $2 AND kind = 'usage'",
        params![&wallet.account, first],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    let mut newer = Vec::new();
    for line in unsettled.lines() {
        let same = |(hour, site, label, _): &&(Timestamp, SiteId, String, i64)| {
            *hour == line.hour() && *site == line.site && *label == line.label
        };
        if let Some((.., place)) = known.iter().find(same) {
            if let Some(known) = settled.iter_mut().find(|known| known.place == *place) {
                known.add(line);
            }
            continue;
        }
        let compartment_of = Compartment::Site(line.site.clone());
        if compartment.is_none_or(|compartment| *compartment == compartment_of)
            && (kind.is_empty() || kind == usage)
            && (from..to).contains(&line.at)
        {
            newer.push(Written::unsettled(line));
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
#[derive(Clone, Debug)]
pub(in crate::feed) struct Written {
    pub(in crate::feed) place: i64,
    pub(in crate::feed) at: Timestamp,
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
    /// A line of which nothing is settled.
    pub(in crate::feed) fn unsettled(line: &ledger::unsettled::Line) -> Self {
        Self {
            place: line.seq,
            at: Timestamp::from_millis(line.at),
            kind: Shown::Usage.as_str().to_owned(),
            label: line.label.clone(),
            credits: Delta::from_micro(-line.credits),
            compartment: Compartment::Site(line.site.clone()),
            order: None,
            quantity: line.quantity,
        }
    }

    /// Adds what is unsettled of it.
    pub(in crate::feed) fn add(&mut self, line: &ledger::unsettled::Line) {
        self.credits = Delta::from_micro(self.credits.micro().saturating_sub(line.credits));
        self.quantity = self.quantity.zip(line.quantity).map(|(sum, more)| sum.saturating_add(more));
    }

    /// As customers read it.
    pub(in crate::feed) fn told(self) -> Line {
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
pub(in crate::feed) fn newest_line(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<i64, db::Error> {
    let unsettled = settle::unsettled(tx, &wallet.account)?;
    let settled: i64 = tx.query_one(
        "-- feed::store::lines::newest_line
         SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) FROM activity WHERE account_id = $1",
        params![&wallet.account],
        |row| row.get(0),
    )?;
    Ok(unsettled.lines().iter().map(|line| line.seq).fold(settled, i64::max))
}

// Usage --------------------------------------------------------------------------------------------

/// The wallet's sites that any settled line of the history is about.
pub(in crate::feed) fn active_sites(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<Vec<SiteId>, db::Error> {
    sites_of(tx, wallet, |tx, after| {
        tx.query_opt(
            "-- feed::store::lines::active_sites
             SELECT site FROM activity WHERE account_id = $1 AND kind = 'usage' AND site > $2
             ORDER BY site LIMIT 1",
            params![&wallet.account, after],
            |row| row.get(0),
        )
    })
}

/// The wallet's sites that any debit is for.
pub(in crate::feed) fn used_sites(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<Vec<SiteId>, db::Error> {
    let mut sites = sites_of(tx, wallet, |tx, after| {
        tx.query_opt(
            "-- feed::store::lines::used_sites
             SELECT site FROM usage_hour WHERE account_id = $1 AND site > $2 ORDER BY site LIMIT 1",
            params![&wallet.account, after],
            |row| row.get(0),
        )
    })?;
    with_unsettled_sites(tx, wallet, &mut sites)?;
    Ok(sites)
}

/// Adds the sites of a whole account that only unsettled debits are for.
fn with_unsettled_sites(tx: &mut Tx<'_>, wallet: &Wallet, sites: &mut Vec<SiteId>) -> Result<(), db::Error> {
    if wallet.shows.compartments().is_none() {
        let unsettled = settle::unsettled(tx, &wallet.account)?;
        sites.extend(unsettled.lines().iter().map(|line| line.site.clone()));
        sites.sort_unstable();
        sites.dedup();
    }
    Ok(())
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

/// Hands every settled usage line of `site` from `since` to `visit`: its place, its hour, its words as they were written
/// and what was used.
pub(in crate::feed) fn usage_lines(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    site: &SiteId,
    since: Timestamp,
    mut visit: impl FnMut(i64, Timestamp, &str, Used),
) -> Result<(), db::Error> {
    tx.for_each(
        "-- feed::store::lines::usage_lines
         SELECT seq, hour, label, credits, quantity FROM activity
         WHERE account_id = $1 AND kind = 'usage' AND site = $2 AND hour >= $3",
        params![&wallet.account, site, since],
        |row| {
            let used = Used { credits: -row.get::<i64>(3)?, quantity: row.get(4)? };
            visit(row.get(0)?, row.get(1)?, &row.get::<String>(2)?, used);
            Ok(())
        },
    )
}

/// Hands what `site` used to `visit`, by day and, if asked, by group: the day's start, the name, the sum; parts of a
/// day one after another.
pub(in crate::feed) fn used_by_day(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    site: &SiteId,
    (from, to): (Timestamp, Timestamp),
    group: Option<Group>,
    mut visit: impl FnMut(Timestamp, Option<String>, i64),
) -> Result<(), db::Error> {
    let next = if from == from.hour() { from } else { from.hour().plus_millis(HOUR_MS) };
    let (next, last) = (next.min(to), to.hour().max(from));
    for part in [(from, next), (next.max(last), to)] {
        if part.0 < part.1 {
            used_in_part(tx, wallet, site, part, group, &mut visit)?;
        }
    }
    if last <= next {
        return Ok(());
    }
    tx.for_each(
        "-- feed::store::lines::used_by_day
         SELECT CAST(hour / 86400000 AS BIGINT) * 86400000,
                CASE CAST($5 AS TEXT) WHEN 'action' THEN NULLIF(action, '') WHEN 'site' THEN site
                                      WHEN 'agent' THEN NULLIF(agent, '') END,
                CAST(SUM(credits) AS BIGINT)
         FROM usage_now WHERE account_id = $1 AND site = $2 AND hour >= $3 AND hour < $4
         GROUP BY 1, 2",
        params![&wallet.account, site, next, last, group.map_or("", Group::as_str)],
        |row| {
            visit(row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(())
        },
    )
}

/// [`used_by_day`] for a part of one hour: by looking at the account's debits of that hour.
fn used_in_part(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    site: &SiteId,
    (from, to): (Timestamp, Timestamp),
    group: Option<Group>,
    visit: &mut impl FnMut(Timestamp, Option<String>, i64),
) -> Result<(), db::Error> {
    let (day, group) = (from.day(), group.map_or("", Group::as_str));
    tx.for_each(
        "-- feed::store::lines::used_in_part
         WITH RECURSIVE spent (first_entry, last_entry) AS (
             SELECT MIN(first_entry), MAX(last_entry) FROM spent_now WHERE account_id = $1 AND hour = $6),
         walk (id, previous, operation) AS (
             SELECT e.id, e.previous, e.operation FROM spent s JOIN entry e ON e.id = s.last_entry
             UNION ALL
             SELECT e.id, e.previous, e.operation FROM walk w JOIN entry e ON e.id = w.previous
             WHERE w.previous >= (SELECT first_entry FROM spent))
         SELECT CASE CAST($5 AS TEXT) WHEN 'action' THEN d.action WHEN 'site' THEN d.site WHEN 'agent' THEN d.agent END,
                CAST(SUM(d.credits - d.reversed) AS BIGINT)
         FROM walk w JOIN debit d ON d.id = w.operation AND d.first_entry = w.id
         WHERE d.site = $2 AND d.booked_at >= $3 AND d.booked_at < $4
         GROUP BY 1",
        params![&wallet.account, site, from, to, group, from.hour()],
        |row| {
            visit(day, row.get(0)?, row.get(1)?);
            Ok(())
        },
    )
}
