//! Whole accounts in the database.

use chrono_tz::Tz;

use super::claim::{PURPOSE, Secret};
use super::list::{Asked, Begin, By, Filter, Place};
use crate::calendar::day_elsewhere;
use crate::db::{self, Tx};
use crate::id::{AccountId, GrantId, SiteId};
use crate::order::Order;
use crate::params;
use crate::site::NaturalKey;
use crate::site::store::escape_like;
use crate::time::Timestamp;

// Listing ------------------------------------------------------------------------------------------

/// An account of a list, and its place among all that are asked for, counted from 1.
pub(super) struct Row {
    pub(super) at: Place,
    pub(super) place: i64,
    pub(super) total: i64,
}

/// The accounts that are asked for, from where the page begins; of one that ends somewhere the last first.
///
/// Balances are added up for all accounts only if the order or the filter is about them. What a hold gives back whose
/// time is over counts; that a part of it may be due to a refund does not, until it is booked, in two seconds at most.
pub(super) fn page(tx: &mut Tx<'_>, asked: &Asked) -> Result<Vec<Row>, db::Error> {
    let now = tx.now();
    let pattern = asked.query.as_ref().map(|query| format!("%{}%", escape_like(&query.to_lowercase())));
    let needs_balance = asked.sort.by == By::Available || asked.filter == Filter::Empty;
    let (side, at) = match &asked.begin {
        None => (0, None),
        Some(Begin::After(place)) => (1, Some(place)),
        Some(Begin::Before(place)) => (-1, Some(place)),
    };
    let way = if asked.sort.down { -1 } else { 1 };
    // Going back through a list is going on through the opposite one.
    let reads = if side < 0 { -way } else { way };
    tx.query(
        "-- account::store::page
         WITH part AS (
             SELECT s.account_id, s.grant_id, s.remaining AS credits
             FROM slice s WHERE CAST($1 AS BIGINT) = 1 AND (s.remaining > 0 OR s.held > 0)
             UNION ALL
             SELECT u.account_id, u.grant_id, -u.taken FROM unsettled_slice u WHERE CAST($1 AS BIGINT) = 1
             UNION ALL
             SELECT h.account_id, k.grant_id, k.credits FROM hold h JOIN hold_slice k ON k.hold_id = h.id
             WHERE CAST($1 AS BIGINT) = 1 AND h.state = 'open' AND h.expires_at <= $2
         ), balance AS (
             SELECT p.account_id, CAST(SUM(p.credits) AS BIGINT) AS available
             FROM part p JOIN credit_grant g ON g.id = p.grant_id
             WHERE g.frozen = 0 AND g.voided_at IS NULL AND g.effective_at <= $2
               AND (g.expires_at IS NULL OR g.expires_at > $2)
             GROUP BY p.account_id
         ), matching AS (
             SELECT a.id,
                    CASE WHEN CAST($3 AS BIGINT) = 1 THEN LOWER(a.name) ELSE '' END AS word,
                    CASE WHEN CAST($3 AS BIGINT) = 2 THEN a.created_at
                         WHEN CAST($3 AS BIGINT) = 3 THEN COALESCE(b.available, 0) ELSE 0 END AS number
             FROM account a LEFT JOIN balance b ON b.account_id = a.id
             WHERE a.merged_into IS NULL
               AND (CAST($4 AS TEXT) IS NULL OR a.id LIKE $4 ESCAPE '!' OR LOWER(a.name) LIKE $4 ESCAPE '!'
                    OR EXISTS (SELECT 1 FROM customer c JOIN store s ON s.id = c.store_id
                               WHERE c.account_id = a.id
                                 AND (LOWER(s.name) || ':' || c.natural_key) LIKE $4 ESCAPE '!'))
               AND (CAST($5 AS BIGINT) = 0
                 OR (CAST($5 AS BIGINT) = 1 AND a.frozen_reason IS NOT NULL)
                 OR (CAST($5 AS BIGINT) = 2 AND EXISTS (SELECT 1 FROM customer c WHERE c.account_id = a.id)
                     AND NOT EXISTS (SELECT 1 FROM customer c
                                     WHERE c.account_id = a.id AND c.natural_key LIKE 'customer:%'))
                 OR (CAST($5 AS BIGINT) = 3
                     AND EXISTS (SELECT 1 FROM debt d WHERE d.account_id = a.id AND d.amount > 0))
                 OR (CAST($5 AS BIGINT) = 4 AND COALESCE(b.available, 0) = 0))
         ), placed AS (
             SELECT id, word, number, ROW_NUMBER() OVER (ORDER BY word, number, id) AS place, COUNT(*) OVER () AS total
             FROM matching
         )
         SELECT id, word, number, place, total FROM placed
         WHERE CAST($6 AS BIGINT) = 0
            OR (CAST($7 AS BIGINT) = 1 AND (word, number, id) > ($8, $9, $10))
            OR (CAST($7 AS BIGINT) = -1 AND (word, number, id) < ($8, $9, $10))
         ORDER BY place * CAST($7 AS BIGINT) LIMIT $11",
        params![
            i64::from(needs_balance),
            now,
            match asked.sort.by {
                By::Name => 1,
                By::Created => 2,
                By::Available => 3,
            },
            pattern.as_ref(),
            match asked.filter {
                Filter::All => 0,
                Filter::Frozen => 1,
                Filter::Guest => 2,
                Filter::Debt => 3,
                Filter::Empty => 4,
            },
            side,
            reads,
            at.map_or("", |at| at.word.as_str()),
            at.map_or(0, |at| at.number),
            at.map_or("", |at| at.account.as_str()),
            i64::try_from(asked.limit).unwrap_or(i64::MAX),
        ],
        |row| {
            let at = Place { account: row.get(0)?, word: row.get(1)?, number: row.get(2)? };
            Ok(Row { at, place: row.get(3)?, total: row.get(4)? })
        },
    )
}

// Merging ------------------------------------------------------------------------------------------

/// Gives all sites of one account to another, with client and label as they are; answers them.
pub(super) fn move_sites(
    tx: &mut Tx<'_>,
    from: &AccountId,
    to: &AccountId,
) -> Result<Vec<SiteId>, db::Error> {
    tx.execute(
        "-- account::store::move_sites (default site)
         UPDATE account SET default_site = NULL WHERE id = $1",
        params![from],
    )?;
    let mut sites: Vec<SiteId> = tx.query(
        "-- account::store::move_sites
         UPDATE site SET account_id = $2 WHERE account_id = $1 RETURNING id",
        params![from, to],
        |row| row.get(0),
    )?;
    sites.sort();
    Ok(sites)
}

/// Lets offers of sites to or from one account be another's; an offer to oneself is none.
pub(super) fn move_offers(tx: &mut Tx<'_>, from: &AccountId, to: &AccountId) -> Result<(), db::Error> {
    tx.execute(
        "-- account::store::move_offers (own)
         DELETE FROM site_offer
         WHERE (from_account = $1 AND to_account = $2) OR (from_account = $2 AND to_account = $1)",
        params![from, to],
    )?;
    tx.execute(
        "-- account::store::move_offers (made)
         UPDATE site_offer SET from_account = $2 WHERE from_account = $1",
        params![from, to],
    )?;
    tx.execute(
        "-- account::store::move_offers (got)
         UPDATE site_offer SET to_account = $2 WHERE to_account = $1",
        params![from, to],
    )?;
    Ok(())
}

/// Lets the names that shops have for one account mean another; answers how many.
pub(super) fn move_names(tx: &mut Tx<'_>, from: &AccountId, to: &AccountId) -> Result<u64, db::Error> {
    let now = tx.now();
    tx.execute(
        "-- account::store::move_names
         UPDATE customer SET account_id = $2, merged_at = $3 WHERE account_id = $1",
        params![from, to, now],
    )
}

/// When the name of a customer came to its account with a merge; nothing if it was the account's from the start.
pub(super) fn name_merged_at(
    tx: &mut Tx<'_>,
    store: &str,
    key: &NaturalKey,
) -> Result<Option<Timestamp>, db::Error> {
    let found = tx.query_opt(
        "-- account::store::name_merged_at
         SELECT c.merged_at FROM customer c JOIN store s ON s.id = c.store_id
         WHERE s.name = $1 AND c.natural_key = $2",
        params![store, &key.to_string()],
        |row| row.get::<Option<Timestamp>>(0),
    )?;
    Ok(found.flatten())
}

/// Gives all orders of one account to another; answers how many.
pub(super) fn move_orders(tx: &mut Tx<'_>, from: &AccountId, to: &AccountId) -> Result<u64, db::Error> {
    tx.execute(
        "-- account::store::move_orders
         UPDATE shop_order SET account_id = $2, granted = NULL
         WHERE account_id = $1 AND (store_id, order_id) IN (
             SELECT o.store_id, o.order_id FROM shop_order o WHERE o.account_id = $1 AND o.granted IS NULL
             UNION
             SELECT g.store_id, g.order_id FROM credit_grant g WHERE g.account_id = $1 AND g.order_id IS NOT NULL)",
        params![from, to],
    )
}

/// Adds what one account used in each period to what another used in the same days, which may begin at
/// another instant there.
pub(super) fn move_spending(
    tx: &mut Tx<'_>,
    (from, here): (&AccountId, Tz),
    (to, there): (&AccountId, Tz),
) -> Result<(), db::Error> {
    let counters: Vec<(String, String, String, Timestamp, i64)> = tx.query(
        "-- account::store::move_spending (read)
         SELECT site, agent, per, period_start, captured FROM spending WHERE account_id = $1",
        params![from],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
    )?;
    tx.execute(
        "-- account::store::move_spending (forget)
         DELETE FROM spending WHERE account_id = $1",
        params![from],
    )?;
    for (site, agent, per, start, captured) in &counters {
        let start = day_elsewhere(*start, here, there);
        tx.execute(
            "-- account::store::move_spending (add)
             INSERT INTO spending (account_id, site, agent, per, period_start, captured)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (account_id, site, agent, per, period_start)
             DO UPDATE SET captured = spending.captured + excluded.captured",
            params![to, site, agent, per, start, *captured],
        )?;
    }
    Ok(())
}

/// The account's time zone.
pub(super) fn zone(tx: &mut Tx<'_>, account: &AccountId) -> Result<Tz, db::Error> {
    tx.query_one(
        "-- account::store::zone
         SELECT time_zone FROM account WHERE id = $1",
        params![account],
        |row| {
            let zone: String = row.get(0)?;
            zone.parse().map_err(|_| db::Error::Column { column: 0, found: zone })
        },
    )
}

/// Writes that an account, and all that were merged into it, are part of another one.
pub(super) fn set_merged(tx: &mut Tx<'_>, from: &AccountId, to: &AccountId) -> Result<(), db::Error> {
    tx.execute(
        "-- account::store::set_merged
         UPDATE account SET merged_into = $2 WHERE id = $1 OR merged_into = $1",
        params![from, to],
    )?;
    Ok(())
}

/// The account and all that were merged into it.
pub fn family(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<AccountId>, db::Error> {
    tx.query(
        "-- account::store::family
         SELECT id FROM account WHERE id = $1 OR merged_into = $1 ORDER BY id",
        params![account],
        |row| row.get(0),
    )
}

// Handing a site over -------------------------------------------------------------------------------

/// Offers a site to an account until `ends_at`; an offer to another one is over.
pub(super) fn set_offer(
    tx: &mut Tx<'_>,
    site: &SiteId,
    from: &AccountId,
    to: &AccountId,
    ends_at: Timestamp,
) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- account::store::set_offer
         INSERT INTO site_offer (site, from_account, to_account, offered_at, ends_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (site) DO UPDATE SET from_account = excluded.from_account, to_account = excluded.to_account,
                                          offered_at = excluded.offered_at, ends_at = excluded.ends_at",
        params![site, from, to, now, ends_at],
    )?;
    Ok(())
}

/// Lets a site be offered to nobody.
pub(super) fn forget_offer(tx: &mut Tx<'_>, site: &SiteId) -> Result<(), db::Error> {
    tx.execute(
        "-- account::store::forget_offer
         DELETE FROM site_offer WHERE site = $1",
        params![site],
    )?;
    Ok(())
}

/// Gives a site that was taken from one account to another, and remembers that.
pub(super) fn give_site(
    tx: &mut Tx<'_>,
    site: &SiteId,
    from: &AccountId,
    to: &AccountId,
) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- account::store::give_site
         UPDATE site SET account_id = $2 WHERE id = $1",
        params![site, to],
    )?;
    tx.execute(
        "-- account::store::give_site (history)
         INSERT INTO site_transfer (site, from_account, to_account, at) VALUES ($1, $2, $3, $4)",
        params![site, from, to, now],
    )?;
    Ok(())
}

// By hand ------------------------------------------------------------------------------------------

/// Who has something of a grant.
#[derive(Debug)]
pub(super) struct Holders {
    /// The account it was made for.
    pub(super) made_for: AccountId,
    /// The accounts that have some of it left or held, by id.
    pub(super) accounts: Vec<AccountId>,
    /// When it was withdrawn, if it was.
    pub(super) voided_at: Option<Timestamp>,
}

/// Who has something of the grant, if there is one.
pub(super) fn holders(tx: &mut Tx<'_>, grant: &GrantId) -> Result<Option<Holders>, db::Error> {
    let found = tx.query_opt(
        "-- account::store::holders
         SELECT account_id, voided_at FROM credit_grant WHERE id = $1",
        params![grant],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some((made_for, voided_at)) = found else { return Ok(None) };
    let accounts = tx.query(
        "-- account::store::holders (slices)
         SELECT DISTINCT account_id FROM slice WHERE grant_id = $1 AND (remaining > 0 OR held > 0)
         ORDER BY account_id",
        params![grant],
        |row| row.get(0),
    )?;
    Ok(Some(Holders { made_for, accounts, voided_at }))
}

// Setting ------------------------------------------------------------------------------------------

/// Calls the account `name`, whatever its orders say from now on.
pub(super) fn set_name(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- account::store::set_name
         UPDATE account SET name = $2, named_at = $3 WHERE id = $1",
        params![account, name, now],
    )?;
    Ok(())
}

/// Sets whose midnight ends the account's days.
pub(super) fn set_zone(tx: &mut Tx<'_>, account: &AccountId, zone: Tz) -> Result<(), db::Error> {
    tx.execute(
        "-- account::store::set_zone
         UPDATE account SET time_zone = $2 WHERE id = $1",
        params![account, zone.name()],
    )?;
    Ok(())
}

// Claiming -----------------------------------------------------------------------------------------

/// What claims are signed with, if any link was ever made.
pub(super) fn secret(tx: &mut Tx<'_>) -> Result<Option<Secret>, db::Error> {
    tx.query_opt(
        "-- account::store::secret
         SELECT secret FROM signing_secret WHERE purpose = $1",
        params![PURPOSE],
        |row| row.get::<Vec<u8>>(0).map(Secret::new),
    )
}

/// What claims are signed with, made if it is needed for the first time.
pub(super) fn make_secret(tx: &mut Tx<'_>) -> Result<Secret, super::claim::Error> {
    if let Some(secret) = secret(tx)? {
        return Ok(secret);
    }
    let (new, now) = (Secret::generate()?, tx.now());
    // Another process may make it at the same time: one is kept.
    tx.execute(
        "-- account::store::make_secret
         INSERT INTO signing_secret (purpose, secret, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (purpose) DO NOTHING",
        params![PURPOSE, new.bytes(), now],
    )?;
    Ok(secret(tx)?.ok_or(db::Error::NoRow)?)
}

/// Where a store is.
pub(super) fn store_url(tx: &mut Tx<'_>, name: &str) -> Result<String, db::Error> {
    tx.query_one(
        "-- account::store::store_url
         SELECT url FROM store WHERE name = $1",
        params![name],
        |row| row.get(0),
    )
}

// Erasing ------------------------------------------------------------------------------------------

/// The names that shops have for the account, with the stores' numbers.
pub(super) fn names(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<(i64, NaturalKey)>, db::Error> {
    tx.query(
        "-- account::store::names
         SELECT store_id, natural_key FROM customer WHERE account_id = $1 ORDER BY store_id, natural_key",
        params![account],
        |row| {
            let text: String = row.get(1)?;
            let key = text.parse().map_err(|_| db::Error::Column { column: 1, found: text })?;
            Ok((row.get(0)?, key))
        },
    )
}

/// The account's orders, by store.
pub(super) fn orders(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<(i64, i64)>, db::Error> {
    tx.query(
        "-- account::store::orders
         SELECT o.store_id, o.order_id FROM shop_order o WHERE o.account_id = $1 AND o.granted IS NULL
         UNION
         SELECT o.store_id, o.order_id
         FROM credit_grant g JOIN shop_order o ON o.store_id = g.store_id AND o.order_id = g.order_id
         WHERE g.account_id = $1 AND o.account_id = $1
         ORDER BY 1, 2",
        params![account],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The orders of a customer for which nothing was ever granted, so that no account has them.
pub(super) fn unbooked_orders(
    tx: &mut Tx<'_>,
    store_id: i64,
    key: &NaturalKey,
) -> Result<Vec<i64>, db::Error> {
    // Most such orders are of other people: only what names this one is read.
    let key = key.to_string();
    let words = match key.split_once(':') {
        Some(("customer", number)) => format!("\"customer_id\":{number},"),
        Some((_, address)) => format!("\"email\":{}", serde_json::Value::from(address)),
        None => return Ok(Vec::new()),
    };
    let found: Vec<(i64, String)> = tx.query(
        "-- account::store::unbooked_orders
         SELECT order_id, state FROM shop_order
         WHERE account_id IS NULL AND store_id = $1 AND state LIKE $2 ESCAPE '!' ORDER BY order_id",
        params![store_id, &format!("%{}%", escape_like(&words))],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut orders = Vec::new();
    for (id, state) in found {
        let order: Order = serde_json::from_str(&state)
            .map_err(|error| db::Error::Column { column: 1, found: format!("unreadable JSON: {error}") })?;
        if order.buyer().natural_key().as_ref() == Some(&key) {
            orders.push(id);
        }
    }
    Ok(orders)
}

/// Removes the addresses shops know the account by; answers how many.
pub(super) fn forget_addresses(tx: &mut Tx<'_>, account: &AccountId) -> Result<u64, db::Error> {
    tx.execute(
        "-- account::store::forget_addresses
         DELETE FROM customer WHERE account_id = $1 AND natural_key LIKE 'email:%'",
        params![account],
    )
}

/// Removes what services wrote beside the account's debits for themselves; answers beside how many.
pub(super) fn forget_usage(tx: &mut Tx<'_>, account: &AccountId) -> Result<u64, db::Error> {
    tx.execute(
        "-- account::store::forget_usage
         UPDATE debit SET usage = NULL, reference = NULL
         WHERE (usage IS NOT NULL OR reference IS NOT NULL) AND id IN (
             WITH RECURSIVE walk (previous, kind, operation) AS (
                 SELECT e.previous, e.kind, e.operation FROM account a JOIN entry e ON e.id = a.last_entry WHERE a.id = $1
                 UNION ALL
                 SELECT e.previous, e.kind, e.operation FROM walk w JOIN entry e ON e.id = w.previous)
             SELECT operation FROM walk WHERE kind = 'spent')",
        params![account],
    )
}

/// Calls the account `name`; answers whether it was called something else.
pub(super) fn forget_name(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<u64, db::Error> {
    tx.execute(
        "-- account::store::forget_name
         UPDATE account SET name = $2 WHERE id = $1 AND name <> $2",
        params![account, name],
    )
}

/// Removes the labels of the account's sites; answers of how many.
pub(super) fn forget_labels(tx: &mut Tx<'_>, account: &AccountId) -> Result<u64, db::Error> {
    tx.execute(
        "-- account::store::forget_labels
         UPDATE site SET label = NULL WHERE account_id = $1 AND label IS NOT NULL",
        params![account],
    )
}

/// Writes that names and addresses were removed now.
pub(super) fn set_erased(tx: &mut Tx<'_>, account: &AccountId) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- account::store::set_erased
         UPDATE account SET erased_at = $2 WHERE id = $1",
        params![account, now],
    )?;
    Ok(())
}
