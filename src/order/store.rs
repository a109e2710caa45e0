//! Orders in the database: the newest known state of each, and what is remembered of its lines.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::Order;
use super::assign::{Assigned, Placed};
use super::bare::Bare;
use super::heard;
use super::newer::Seen;
use crate::catalog::worth::Worth;
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, GrantId, SiteId};
use crate::ledger::entry::{Kind, Place as At};
use crate::ledger::slice::Compartment;
use crate::params;
use crate::time::{ShopTime, Timestamp};
use crate::units::Credits;

/// What is known of an order.
#[derive(Clone, Debug)]
pub struct Known {
    /// The buyer's account, once the buyer is known.
    pub account: Option<AccountId>,
    /// What a person decided about its credits.
    pub assigned: Assigned,
    /// Its newest state.
    pub order: Order,
    /// How that was seen.
    pub seen: Seen,
    /// Whether to ask the shop at the next reconciliation.
    pub recheck: bool,
    /// Why a line waits for a fact.
    pub parked: Option<String>,
    /// What a person should look at.
    pub attention: Option<String>,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When its state was last applied.
    pub applied_at: Timestamp,
    /// When its buyer's name and address were removed; no later state brings them back.
    pub erased_at: Option<Timestamp>,
}

impl Known {
    /// The same after the shop told of it once more.
    #[must_use]
    pub fn told_again(&self, told_at: Option<ShopTime>, seen: Seen, now: Timestamp) -> Self {
        let order = Order { told_at, ..self.order.clone() };
        // What the shop showed when it was asked stays that.
        let (seen, applied_at) =
            if self.seen.is_shown() { (self.seen, self.applied_at) } else { (seen, now) };
        Self { order, seen, applied_at, ..self.clone() }
    }
}

/// What is remembered of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLine {
    /// The line's id, which means something only with its order.
    pub line: i64,
    /// The product, as it was when the line was first seen.
    pub product: i64,
    /// The variation, or 0.
    pub variation: i64,
    /// The SKU, or nothing.
    pub sku: String,
    /// The product's name on the order.
    pub name: String,
    /// Whether it is a Tokens line; `None` while that is not known.
    pub is_tokens: Option<bool>,
    /// What it is worth; `None` while that is not known.
    pub worth: Option<Worth>,
    /// Who said so; `None` where that is not remembered.
    pub worth_from: Option<String>,
    /// What it should have granted.
    pub target: Credits,
    /// What it has granted, less what was taken back.
    pub booked: Credits,
}

/// The order as it is known, if it is.
pub fn find(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Option<Known>, db::Error> {
    if heard::is_new(tx, store, order)? {
        return Ok(None);
    }
    tx.query_opt(
        "-- order::store::find
         SELECT account_id, state, confirmed_at, recheck, parked, attention, first_seen_at, applied_at, arrival,
                assigned_site, site_assigned_at, account_assigned_at, erased_at
         FROM shop_order WHERE store_id = $1 AND order_id = $2",
        params![store, order],
        |row| {
            let applied_at = row.get(7)?;
            let site = match row.get::<Option<Timestamp>>(10)? {
                Some(at) => Some(Placed { compartment: row.get(9)?, at }),
                None => None,
            };
            Ok(Known {
                account: row.get(0)?,
                assigned: Assigned { site, account_at: row.get(11)? },
                order: json(row, 1)?,
                seen: match row.get(2)? {
                    Some(asked_at) => Seen::Shown { asked_at },
                    None => Seen::Told { arrival: row.get(8)?, at: applied_at },
                },
                recheck: row.get(3)?,
                parked: row.get(4)?,
                attention: row.get(5)?,
                first_seen_at: row.get(6)?,
                applied_at,
                erased_at: row.get(12)?,
            })
        },
    )
}

/// The highest number of any order of the store that a row speaks of; 0 if none does.
pub(super) fn highest(tx: &mut Tx<'_>, store: i64) -> Result<i64, db::Error> {
    tx.query_one(
        "-- order::store::highest
         SELECT CAST(COALESCE((SELECT MAX(order_id) FROM shop_order WHERE store_id = $1), 0) AS BIGINT),
                CAST(COALESCE((SELECT MAX(order_id) FROM delivery
                               WHERE store_id = $1 AND order_id IS NOT NULL), 0) AS BIGINT)",
        params![store],
        |row| Ok(row.get::<i64>(0)?.max(row.get(1)?)),
    )
}

/// Whether the order's buyer was erased.
pub fn is_erased(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<bool, db::Error> {
    let erased_at = tx.query_opt(
        "-- order::store::is_erased
         SELECT erased_at FROM shop_order WHERE store_id = $1 AND order_id = $2",
        params![store, order],
        |row| row.get::<Option<Timestamp>>(0),
    )?;
    Ok(erased_at.flatten().is_some())
}

/// Writes the order's newest state.
pub fn save(tx: &mut Tx<'_>, store: i64, known: &Known) -> Result<(), db::Error> {
    save_of(tx, store, known, known.account.as_ref(), None)
}

/// Writes the order's newest state, as the order of `account`. One that is new may be marked as [`Bare`].
pub(super) fn save_of(
    tx: &mut Tx<'_>,
    store: i64,
    known: &Known,
    account: Option<&AccountId>,
    bare: Option<Bare>,
) -> Result<(), db::Error> {
    heard::note(tx, store, known.order.id);
    let site = known.assigned.site.as_ref();
    let state = serde_json::to_string(&known.order).map_err(|error| {
        db::Error::Unusable(format!("order {} cannot be written: {error}", known.order.id))
    })?;
    tx.execute(
        "-- order::store::save
         INSERT INTO shop_order (store_id, order_id, account_id, state, status, modified_at, confirmed_at, recheck, parked,
                                 attention, first_seen_at, applied_at, arrival, assigned_site, site_assigned_at,
                                 account_assigned_at, erased_at, bare)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         ON CONFLICT (store_id, order_id) DO UPDATE SET
             account_id = excluded.account_id, state = excluded.state, status = excluded.status,
             modified_at = excluded.modified_at, confirmed_at = excluded.confirmed_at, recheck = excluded.recheck,
             parked = excluded.parked, attention = excluded.attention, applied_at = excluded.applied_at, arrival = excluded.arrival,
             assigned_site = excluded.assigned_site, site_assigned_at = excluded.site_assigned_at,
             account_assigned_at = excluded.account_assigned_at, erased_at = excluded.erased_at",
        params![
            store,
            known.order.id,
            account,
            &state,
            &known.order.status,
            known.order.modified_at,
            known.seen.asked_at(),
            known.recheck,
            known.parked.as_ref(),
            known.attention.as_ref(),
            known.first_seen_at,
            known.applied_at,
            known.seen.arrival(),
            site.map(|placed| placed.compartment.column()),
            site.map(|placed| placed.at),
            known.assigned.account_at,
            known.erased_at,
            bare.map(Bare::column),
        ],
    )?;
    Ok(())
}

/// Marks the order as [`Bare`], or as one whose lines have rows.
pub(super) fn mark_bare(
    tx: &mut Tx<'_>,
    store: i64,
    order: i64,
    bare: Option<Bare>,
) -> Result<(), db::Error> {
    tx.execute(
        "-- order::store::mark_bare
         UPDATE shop_order SET bare = $3 WHERE store_id = $1 AND order_id = $2",
        params![store, order, bare.map(Bare::column)],
    )?;
    Ok(())
}

/// Writes whose the order is, what it waits for and what a person should look at.
pub fn conclude(
    tx: &mut Tx<'_>,
    store: i64,
    order: i64,
    account: Option<&AccountId>,
    parked: Option<&str>,
    attention: Option<&str>,
) -> Result<(), db::Error> {
    tx.execute(
        "-- order::store::conclude
         UPDATE shop_order SET account_id = $3, parked = $4, attention = $5 WHERE store_id = $1 AND order_id = $2",
        params![store, order, account, parked, attention],
    )?;
    Ok(())
}

/// Forgets where a person sent the order's credits: the place is of an account whose they are no more.
pub fn forget_place(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- order::store::forget_place
         UPDATE shop_order SET assigned_site = NULL, site_assigned_at = NULL WHERE store_id = $1 AND order_id = $2",
        params![store, order],
    )?;
    Ok(())
}

/// Writes why the order waits.
pub fn park(tx: &mut Tx<'_>, store: i64, order: i64, reason: &str) -> Result<(), db::Error> {
    tx.execute(
        "-- order::store::park
         UPDATE shop_order SET parked = $3 WHERE store_id = $1 AND order_id = $2",
        params![store, order, reason],
    )?;
    Ok(())
}

/// Has the order compared with the shop at the next reconciliation.
pub fn mark_for_recheck(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- order::store::mark_for_recheck
         UPDATE shop_order SET recheck = 1 WHERE store_id = $1 AND order_id = $2",
        params![store, order],
    )?;
    Ok(())
}

/// What is remembered of the order's lines, by line.
pub fn lines(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<KnownLine>, db::Error> {
    Ok(lines_and_mark(tx, store, order)?.0)
}

/// [`lines`], and what they are marked as if they have no rows.
pub(super) fn lines_and_mark(
    tx: &mut Tx<'_>,
    store: i64,
    order: i64,
) -> Result<(Vec<KnownLine>, Option<Bare>), db::Error> {
    let lines = written_lines(tx, store, order)?;
    if !lines.is_empty() {
        return Ok((lines, None));
    }
    let marked = tx.query_opt(
        "-- order::store::lines_and_mark
         SELECT state, bare FROM shop_order WHERE store_id = $1 AND order_id = $2 AND bare IS NOT NULL",
        params![store, order],
        |row| Ok((json::<Order>(row, 0)?, Bare::from_column(row.get(1)?))),
    )?;
    Ok(marked.map(|(order, bare)| (bare.lines(&order), Some(bare))).unwrap_or_default())
}

fn written_lines(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<KnownLine>, db::Error> {
    tx.query(
        "-- order::store::lines
         SELECT line_id, product_id, variation_id, sku, name, is_tokens, worth, target, booked, worth_from
         FROM order_line WHERE store_id = $1 AND order_id = $2 ORDER BY line_id",
        params![store, order],
        |row| {
            Ok(KnownLine {
                line: row.get(0)?,
                product: row.get(1)?,
                variation: row.get(2)?,
                sku: row.get(3)?,
                name: row.get(4)?,
                is_tokens: row.get(5)?,
                worth: match row.get::<Option<String>>(6)? {
                    Some(_) => Some(json(row, 6)?),
                    None => None,
                },
                target: row.get(7)?,
                booked: row.get(8)?,
                worth_from: row.get(9)?,
            })
        },
    )
}

/// Writes what is remembered of a line.
pub fn save_line(tx: &mut Tx<'_>, store: i64, order: i64, line: &KnownLine) -> Result<(), db::Error> {
    let worth = line
        .worth
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| db::Error::Unusable(format!("line {} cannot be written: {error}", line.line)))?;
    tx.execute(
        "-- order::store::save_line
         INSERT INTO order_line (store_id, order_id, line_id, product_id, variation_id, sku, name, is_tokens, worth,
                                 target, booked, worth_from)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (store_id, order_id, line_id) DO UPDATE SET
             product_id = excluded.product_id, variation_id = excluded.variation_id, sku = excluded.sku,
             name = excluded.name, is_tokens = excluded.is_tokens, worth = excluded.worth, target = excluded.target,
             booked = excluded.booked, worth_from = excluded.worth_from",
        params![
            store,
            order,
            line.line,
            line.product,
            line.variation,
            &line.sku,
            &line.name,
            line.is_tokens,
            worth.as_ref(),
            line.target,
            line.booked,
            line.worth_from.as_ref(),
        ],
    )?;
    Ok(())
}

/// Orders of the store that wait for a fact, after `after`, oldest first.
pub fn parked(tx: &mut Tx<'_>, store: i64, after: i64, limit: i64) -> Result<Vec<i64>, db::Error> {
    tx.query(
        "-- order::store::parked
         SELECT order_id FROM shop_order
         WHERE store_id = $1 AND parked IS NOT NULL AND order_id > $2 ORDER BY order_id LIMIT $3",
        params![store, after, limit],
        |row| row.get(0),
    )
}

/// Where an order stands in the list, which never changes: by when it was first heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    seen_at: i64,
    store: i64,
    order: i64,
}

impl Place {
    /// Before the newest order.
    pub const START: Self = Self { seen_at: i64::MAX, store: i64::MAX, order: i64::MAX };

    /// The store of the order that stands here.
    #[must_use]
    pub const fn store(self) -> i64 {
        self.store
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.seen_at, self.store, self.order)
    }
}

/// A text that is no place in the list of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in the list of orders")]
pub struct NotAPlace;

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let mut numbers = text.splitn(3, '.').map(|number| number.parse().map_err(|_| NotAPlace));
        let mut next = || numbers.next().unwrap_or(Err(NotAPlace));
        Ok(Self { seen_at: next()?, store: next()?, order: next()? })
    }
}

/// An order as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// Where it stands in the list.
    #[serde(skip)]
    pub place: Place,
    /// The store's name.
    pub store: String,
    /// The order's id there.
    #[serde(serialize_with = "super::id_as_text")]
    pub order: i64,
    /// Its status in the shop.
    pub status: String,
    /// The buyer's account.
    pub account: Option<AccountId>,
    /// The account's name.
    pub name: Option<String>,
    /// When the shop last changed it.
    pub modified_at: Timestamp,
    /// What its lines have granted, less what was taken back.
    pub credits: Credits,
    /// Why a line waits for a fact.
    pub parked: Option<String>,
    /// What a person should look at.
    pub attention: Option<String>,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// What is left of its credits, held or not.
    pub remaining: Credits,
}

/// Which orders to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    All,
    /// Those of guests, who have not claimed what is left of their credits.
    Unclaimed,
    /// Those a person should look at, those that wait for a fact, and those the shop could not be asked about.
    Attention,
    /// Those that wait for a fact.
    Parked,
}

/// Up to `limit` orders after the place `after`, those first that were heard of last.
pub fn list(tx: &mut Tx<'_>, filter: Filter, after: Place, limit: i64) -> Result<Vec<Listed>, db::Error> {
    search(tx, filter, None, None, after, limit)
}

/// As [`list`], of one store, and only those that have `words` anywhere in what is kept of them, in any case: a first
/// choice, to be looked at more closely.
pub fn search(
    tx: &mut Tx<'_>,
    filter: Filter,
    store: Option<i64>,
    words: Option<&str>,
    after: Place,
    limit: i64,
) -> Result<Vec<Listed>, db::Error> {
    // Engines know capitals of ASCII alone, and JSON writes some characters as several.
    let pattern = words.map(|words| {
        let words = words.strip_prefix('#').unwrap_or(words).to_lowercase();
        let mut pattern = String::from("%");
        for letter in words.chars() {
            match letter {
                '!' | '%' | '_' => pattern.extend(['!', letter]),
                '"' | '\\' => pattern.push('%'),
                _ if letter.is_ascii() && !letter.is_control() => pattern.push(letter),
                _ => pattern.push('%'),
            }
        }
        pattern + "%"
    });
    tx.query(
        "-- order::store::list
         SELECT s.name, o.order_id, o.status, o.account_id, a.name, o.modified_at,
                (SELECT CAST(COALESCE(SUM(l.booked), 0) AS BIGINT) FROM order_line l
                 WHERE l.store_id = o.store_id AND l.order_id = o.order_id),
                o.parked, o.attention, o.first_seen_at, o.store_id,
                (SELECT CAST(COALESCE(SUM(s.remaining + s.held), 0) AS BIGINT)
                 FROM credit_grant g JOIN slice_now s ON s.grant_id = g.id
                 WHERE g.store_id = o.store_id AND g.order_id = o.order_id)
         FROM shop_order o JOIN store s ON s.id = o.store_id LEFT JOIN account a ON a.id = o.account_id
         WHERE (o.first_seen_at, o.store_id, o.order_id) < ($3, $4, $5)
           AND (CAST($1 AS BIGINT) = 0
            OR (CAST($1 AS BIGINT) = 1 AND EXISTS (SELECT 1 FROM customer c WHERE c.account_id = o.account_id)
                AND NOT EXISTS (SELECT 1 FROM customer c
                                WHERE c.account_id = o.account_id AND c.natural_key LIKE 'customer:%')
                AND EXISTS (SELECT 1 FROM credit_grant g JOIN slice_now s ON s.grant_id = g.id
                            WHERE g.store_id = o.store_id AND g.order_id = o.order_id
                              AND (s.remaining > 0 OR s.held > 0)))
            OR (CAST($1 AS BIGINT) = 2
                AND (o.parked IS NOT NULL OR o.attention IS NOT NULL
                  OR EXISTS (SELECT 1 FROM lookup k
                             WHERE k.store_id = o.store_id AND k.kind = 'order' AND k.subject_id = o.order_id
                               AND k.last_error IS NOT NULL)))
            OR (CAST($1 AS BIGINT) = 3 AND o.parked IS NOT NULL))
           AND (CAST($6 AS BIGINT) IS NULL OR o.store_id = $6)
           AND (CAST($7 AS TEXT) IS NULL OR lower(o.state) LIKE CAST($7 AS TEXT) ESCAPE '!'
             OR lower(a.name) LIKE CAST($7 AS TEXT) ESCAPE '!')
         ORDER BY o.first_seen_at DESC, o.store_id DESC, o.order_id DESC LIMIT $2",
        params![
            match filter {
                Filter::All => 0,
                Filter::Unclaimed => 1,
                Filter::Attention => 2,
                Filter::Parked => 3,
            },
            limit,
            after.seen_at,
            after.store,
            after.order,
            store,
            pattern.as_deref(),
        ],
        |row| {
            Ok(Listed {
                place: Place { seen_at: row.get(9)?, store: row.get(10)?, order: row.get(1)? },
                store: row.get(0)?,
                order: row.get(1)?,
                status: row.get(2)?,
                account: row.get(3)?,
                name: row.get(4)?,
                modified_at: row.get(5)?,
                credits: row.get(6)?,
                parked: row.get(7)?,
                attention: row.get(8)?,
                first_seen_at: row.get(9)?,
                remaining: row.get(11)?,
            })
        },
    )
}

/// How many orders of a store are known, and how many of them need somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "OrderCounts")]
pub struct Counts {
    /// All of them.
    pub known: i64,
    /// Those with a line that waits for a fact.
    pub parked: i64,
    /// Those a person should look at, and those the shop could not be asked about.
    pub attention: i64,
    /// Those of guests, who have not claimed what is left of their credits.
    pub unclaimed: i64,
}

/// Counts the orders of a store.
pub fn counts(tx: &mut Tx<'_>, store: i64) -> Result<Counts, db::Error> {
    tx.query_one(
        "-- order::store::counts
         SELECT (SELECT COUNT(*) FROM shop_order o WHERE o.store_id = $1),
                (SELECT COUNT(*) FROM shop_order o WHERE o.store_id = $1 AND o.parked IS NOT NULL),
                (SELECT COUNT(*) FROM shop_order o
                 WHERE o.store_id = $1
                   AND (o.attention IS NOT NULL
                     OR EXISTS (SELECT 1 FROM lookup k
                                WHERE k.store_id = o.store_id AND k.kind = 'order' AND k.subject_id = o.order_id
                                  AND k.last_error IS NOT NULL))),
                (SELECT COUNT(*) FROM shop_order o
                 WHERE o.store_id = $1
                   AND EXISTS (SELECT 1 FROM customer c WHERE c.account_id = o.account_id)
                   AND NOT EXISTS (SELECT 1 FROM customer c
                                   WHERE c.account_id = o.account_id AND c.natural_key LIKE 'customer:%')
                   AND EXISTS (SELECT 1 FROM credit_grant g JOIN slice_now s ON s.grant_id = g.id
                               WHERE g.store_id = o.store_id AND g.order_id = o.order_id
                                 AND (s.remaining > 0 OR s.held > 0)))",
        params![store],
        |row| {
            Ok(Counts {
                known: row.get(0)?,
                parked: row.get(1)?,
                attention: row.get(2)?,
                unclaimed: row.get(3)?,
            })
        },
    )
}

/// A grant that an order brought, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "OrderGrant")]
pub struct GrantOf {
    /// The grant.
    pub id: GrantId,
    /// The line that brought it.
    pub line: i64,
    /// Whose it is.
    pub account: AccountId,
    /// How many credits it brought.
    pub credits: Credits,
    /// What was used of them, less what was given back.
    pub spent: Credits,
    /// What was taken back because its money went back.
    pub clawed: Credits,
    /// What of them paid for what an earlier grant had been refunded after it was used.
    pub repaid: Credits,
    /// What was not used in time.
    pub expired: Credits,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// What is left, held or not.
    pub remaining: Credits,
    /// Where that lies; nothing is the pool.
    pub sites: Vec<Option<SiteId>>,
    /// Whether it waits for a decision about its order.
    pub frozen: bool,
    /// When it was made.
    pub granted_at: Timestamp,
}

/// What an order's lines granted, in order.
pub fn grants(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<GrantOf>, db::Error> {
    let mut grants: Vec<GrantOf> = Vec::new();
    tx.for_each(
        "-- order::store::grants
         SELECT g.id, g.line_id, COALESCE(a.merged_into, a.id), g.amount, CAST(g.spent - g.reversed AS BIGINT), g.clawed,
                g.frozen, g.granted_at, s.site, CAST(COALESCE(s.remaining + s.held, 0) AS BIGINT), g.expired,
                g.expires_at, g.repaid
         FROM grant_now g JOIN account a ON a.id = g.account_id
         LEFT JOIN slice_now s ON s.grant_id = g.id AND (s.remaining > 0 OR s.held > 0)
         WHERE g.store_id = $1 AND g.order_id = $2
         ORDER BY g.line_id, g.line_seq, g.id, s.site",
        params![store, order],
        |row| {
            let id: GrantId = row.get(0)?;
            let left: Credits = row.get(9)?;
            if grants.last().is_none_or(|last| last.id != id) {
                grants.push(GrantOf {
                    id,
                    line: row.get(1)?,
                    account: row.get(2)?,
                    credits: row.get(3)?,
                    spent: row.get(4)?,
                    clawed: row.get(5)?,
                    expired: row.get(10)?,
                    expires_at: row.get(11)?,
                    repaid: row.get(12)?,
                    remaining: Credits::ZERO,
                    sites: Vec::new(),
                    frozen: row.get(6)?,
                    granted_at: row.get(7)?,
                });
            }
            if let (Some(grant), false) = (grants.last_mut(), left.is_zero()) {
                grant.remaining = [grant.remaining, left].into_iter().sum();
                grant.sites.push(row.get::<Compartment>(8)?.site().cloned());
            }
            Ok(())
        },
    )?;
    Ok(grants)
}

/// A movement of an order's credits, as it was booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// When.
    pub at: Timestamp,
    /// In whose books.
    pub account: AccountId,
    /// The account's name.
    pub name: String,
    /// The grant.
    pub grant: GrantId,
    /// The line that brought it.
    pub line: i64,
    /// Why.
    pub kind: Kind,
    /// How many.
    pub credits: Credits,
    /// Where they came from.
    pub from: At,
    /// Where they went.
    pub to: At,
    /// What caused it: a grant, a delivery, `rest`, an operation.
    pub operation: String,
}

/// The movements of an order's credits but for what was used of them, first ones first, at most `limit`.
pub fn movements(tx: &mut Tx<'_>, store: i64, order: i64, limit: i64) -> Result<Vec<Moved>, db::Error> {
    tx.query(
        "-- order::store::movements
         SELECT e.booked_at, e.account_id, a.name, e.grant_id, g.line_id, e.kind, e.amount, e.source, e.target,
                e.operation
         FROM credit_grant g JOIN entry e ON e.grant_id = g.id AND e.kind <> 'spent'
              JOIN account a ON a.id = e.account_id
         WHERE g.store_id = $1 AND g.order_id = $2
         ORDER BY e.booked_at, e.id LIMIT $3",
        params![store, order, limit],
        |row| {
            Ok(Moved {
                at: row.get(0)?,
                account: row.get(1)?,
                name: row.get(2)?,
                grant: row.get(3)?,
                line: row.get(4)?,
                kind: row.get(5)?,
                credits: row.get(6)?,
                from: row.get(7)?,
                to: row.get(8)?,
                operation: row.get(9)?,
            })
        },
    )
}

/// How many credits of each of an order's lines one operation moved in these ways.
pub fn moved_by(
    tx: &mut Tx<'_>,
    store: i64,
    order: i64,
    operation: &str,
    kinds: [Kind; 2],
) -> Result<BTreeMap<i64, Credits>, db::Error> {
    let found = tx.query(
        "-- order::store::moved_by
         SELECT g.line_id, CAST(SUM(e.amount) AS BIGINT)
         FROM credit_grant g JOIN entry e ON e.grant_id = g.id AND e.kind <> 'spent'
         WHERE g.store_id = $1 AND g.order_id = $2 AND e.operation = $3 AND (e.kind = $4 OR e.kind = $5)
         GROUP BY g.line_id",
        params![store, order, operation, kinds[0].as_str(), kinds[1].as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(found.into_iter().collect())
}

/// A part of an order's credits, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "OrderRemainder")]
pub struct Lying {
    /// The grant.
    pub grant: GrantId,
    /// Whose it is.
    pub account: AccountId,
    /// The site; nothing is the pool.
    pub site: Option<SiteId>,
    /// What is neither spent nor held.
    pub remaining: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
}

impl Lying {
    /// Whether the two are of one grant in one place.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        (&self.grant, &self.account, &self.site) == (&other.grant, &other.account, &other.site)
    }
}

/// Where what is left of an order's credits lies.
pub fn lying(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<Lying>, db::Error> {
    tx.query(
        "-- order::store::lying
         SELECT s.grant_id, s.account_id, s.site, s.remaining, s.held, g.expires_at
         FROM credit_grant g JOIN slice_now s ON s.grant_id = g.id
         WHERE g.store_id = $1 AND g.order_id = $2 AND (s.remaining > 0 OR s.held > 0)
         ORDER BY g.line_id, g.line_seq, s.account_id, s.site",
        params![store, order],
        |row| {
            Ok(Lying {
                grant: row.get(0)?,
                account: row.get(1)?,
                site: row.get::<Compartment>(2)?.site().cloned(),
                remaining: row.get(3)?,
                held: row.get(4)?,
                expires_at: row.get(5)?,
            })
        },
    )
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, db::Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| db::Error::Column { column, found: format!("unreadable JSON: {error}") })
}
