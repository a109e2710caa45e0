//! Deliveries in the database.
//!
//! A delivery's id names its place, so that it is found without an index; those of older versions, of which no size is
//! written, have one. What is kept of a body is [packed](super::packed).

use serde::{Serialize, Serializer};

use super::packed::{self, Packed};
use crate::db::{self, Memory, Row, Tx};
use crate::id::DeliveryId;
use crate::order::heard;
use crate::params;
use crate::time::Timestamp;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "DeliveryState")]
pub enum State {
    /// Its facts are in the books.
    Applied,
    /// It waits for a fact; it goes on by itself.
    Parked,
    /// It has nothing to say to a wallet.
    Ignored,
    /// Something newer was applied before it.
    Stale,
    /// It cannot be read or the ledger refused it; a person should look.
    Failed,
}

impl State {
    const ALL: [Self; 5] = [Self::Applied, Self::Parked, Self::Ignored, Self::Stale, Self::Failed];

    /// The state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Parked => "parked",
            Self::Ignored => "ignored",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

impl db::FromColumn for State {
    fn from_column(row: &Row<'_>, column: usize) -> Result<Self, db::Error> {
        let text = String::from_column(row, column)?;
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(db::Error::Column { column, found: text })
    }
}

/// A delivery to be kept, with what became of it.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// Its place in the order of arrival, [the next](next_seq).
    pub seq: i64,
    /// Its id.
    pub id: &'a DeliveryId,
    /// The store it came from.
    pub store: i64,
    /// What it says it is about.
    pub topic: &'a str,
    /// Which webhook sent it.
    pub webhook_id: &'a str,
    /// WooCommerce's own number for it, which is not unique.
    pub woo_delivery_id: &'a str,
    /// SHA-256 of the body.
    pub digest: &'a [u8; 32],
    /// The raw bytes, packed, unless they are not to be kept.
    pub body: Option<&'a Packed>,
    /// How many raw bytes it had.
    pub size: i64,
    /// What became of it.
    pub state: State,
    /// What the shop is told.
    pub result: &'a str,
    /// Why it is not applied, in words.
    pub reason: Option<&'a str>,
    /// The order it is about.
    pub order: Option<i64>,
}

/// A delivery as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Delivery {
    /// Its place in the order of arrival.
    #[serde(skip)]
    pub seq: i64,
    /// Its id.
    pub id: DeliveryId,
    /// The store's name.
    pub store: String,
    /// What it says it is about.
    pub topic: String,
    /// When it came.
    pub received_at: Timestamp,
    /// What became of it.
    pub state: State,
    /// What the shop was told.
    pub result: String,
    /// Why it is not applied.
    pub reason: Option<String>,
    /// The order it is about.
    #[serde(serialize_with = "order_as_text")]
    #[schemars(with = "Option<crate::schema::OrderId>")]
    pub order: Option<i64>,
    /// How many bytes it had, for as long as they are kept; none once pruned.
    pub bytes: Option<i64>,
}

/// Writes an order's id the way it is written wherever a program reads it: as text.
#[expect(clippy::ref_option, reason = "serde hands out references")]
fn order_as_text<S: Serializer>(order: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match order {
        Some(order) => serializer.collect_str(order),
        None => serializer.serialize_none(),
    }
}

/// The delivery of this store, topic and content, if it came before. It spoke of the same order, because that is
/// told by its content.
pub fn find(
    tx: &mut Tx<'_>,
    store: i64,
    order: Option<i64>,
    topic: &str,
    digest: &[u8; 32],
) -> Result<Option<DeliveryId>, db::Error> {
    match order {
        Some(order) if heard::is_new(tx, store, order)? => Ok(None),
        Some(order) => tx.query_opt(
            "-- inbox::store::find
             SELECT id FROM delivery WHERE store_id = $1 AND order_id = $2 AND digest = $3 AND topic = $4",
            params![store, order, digest, topic],
            |row| row.get(0),
        ),
        None => tx.query_opt(
            "-- inbox::store::find (no order)
             SELECT id FROM delivery WHERE store_id = $1 AND order_id IS NULL AND digest = $2 AND topic = $3",
            params![store, digest, topic],
            |row| row.get(0),
        ),
    }
}

/// The place of the newest delivery, as the writer remembers it.
#[derive(Debug, Default)]
struct Newest(Option<i64>);

/// The place of the next delivery in the order of arrival. It is taken by nobody else: there is one writer.
pub fn next_seq(tx: &mut Tx<'_>) -> Result<i64, db::Error> {
    if let Some(Newest(Some(newest))) = tx.memory().map(Memory::of) {
        return Ok(*newest + 1);
    }
    tx.query_one(
        "-- inbox::store::next_seq
         SELECT CAST(COALESCE(MAX(seq), 0) + 1 AS BIGINT) FROM delivery",
        params![],
        |row| row.get(0),
    )
}

/// Keeps a delivery.
pub fn insert(tx: &mut Tx<'_>, new: &New<'_>) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- inbox::store::insert
         INSERT INTO delivery (seq, id, store_id, topic, webhook_id, woo_delivery_id, digest, received_at, state, result,
                               reason, order_id, body, size)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            new.seq,
            new.id,
            new.store,
            new.topic,
            new.webhook_id,
            new.woo_delivery_id,
            new.digest,
            now,
            new.state.as_str(),
            new.result,
            new.reason,
            new.order,
            new.body.map(Packed::bytes),
            new.size,
        ],
    )?;
    if let Some(order) = new.order {
        heard::note(tx, new.store, order);
    }
    if let Some(memory) = tx.memory() {
        *memory.of() = Newest(Some(new.seq));
    }
    Ok(())
}

/// Writes down what became of a delivery that was applied again; what the shop was told when it came stays.
pub fn settle_again(tx: &mut Tx<'_>, seq: i64, state: State, reason: Option<&str>) -> Result<(), db::Error> {
    tx.execute(
        "-- inbox::store::settle_again
         UPDATE delivery SET state = $2, reason = $3 WHERE seq = $1",
        params![seq, state.as_str(), reason],
    )?;
    Ok(())
}

/// The order's parked deliveries are applied now that the order is.
pub fn unpark(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- inbox::store::unpark
         UPDATE delivery SET state = 'applied', reason = NULL WHERE store_id = $1 AND order_id = $2 AND state = 'parked'",
        params![store, order],
    )?;
    Ok(())
}

/// Up to `limit` deliveries that came before the one at `before`, newest first, of one state or all.
pub fn list(
    tx: &mut Tx<'_>,
    state: Option<State>,
    before: i64,
    limit: i64,
) -> Result<Vec<Delivery>, db::Error> {
    tx.query(
        "-- inbox::store::list
         SELECT d.id, s.name, d.topic, d.received_at, d.state, d.result, d.reason, d.order_id,
                CAST(CASE WHEN d.body IS NULL THEN NULL ELSE COALESCE(d.size, LENGTH(d.body)) END AS BIGINT), d.seq
         FROM delivery d JOIN store s ON s.id = d.store_id
         WHERE d.seq < $3 AND (CAST($1 AS TEXT) IS NULL OR d.state = $1) ORDER BY d.seq DESC LIMIT $2",
        params![state.map(State::as_str), limit, before],
        read,
    )
}

/// The deliveries that spoke of an order, in order of arrival.
pub fn of_order(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<Delivery>, db::Error> {
    tx.query(
        "-- inbox::store::of_order
         SELECT d.id, s.name, d.topic, d.received_at, d.state, d.result, d.reason, d.order_id,
                CAST(CASE WHEN d.body IS NULL THEN NULL ELSE COALESCE(d.size, LENGTH(d.body)) END AS BIGINT), d.seq
         FROM delivery d JOIN store s ON s.id = d.store_id
         WHERE d.store_id = $1 AND d.order_id = $2 ORDER BY d.seq",
        params![store, order],
        read,
    )
}

/// A delivery with its raw body, unless that was pruned.
pub type Whole = (Delivery, Option<Vec<u8>>);

/// One delivery, whole.
pub fn show(tx: &mut Tx<'_>, id: &DeliveryId) -> Result<Option<Whole>, db::Error> {
    // One of an older version stands anywhere.
    let before = tx.query_opt(
        "-- inbox::store::show (before)
         SELECT seq FROM delivery WHERE id = $1 AND size IS NULL",
        params![id],
        |row| row.get::<i64>(0),
    )?;
    let seq = before.unwrap_or_else(|| id.place());
    tx.query_opt(
        "-- inbox::store::show
         SELECT d.id, s.name, d.topic, d.received_at, d.state, d.result, d.reason, d.order_id,
                CAST(CASE WHEN d.body IS NULL THEN NULL ELSE COALESCE(d.size, LENGTH(d.body)) END AS BIGINT), d.seq,
                d.body, d.size
         FROM delivery d JOIN store s ON s.id = d.store_id WHERE d.seq = $2 AND d.id = $1",
        params![id, seq],
        |row| Ok((read(row)?, body(row, 10)?)),
    )
}

/// A kept delivery, to be applied again.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its place in the order of arrival.
    pub seq: i64,
    /// Its id.
    pub id: DeliveryId,
    /// The store it came from.
    pub store: i64,
    /// What it says it is about.
    pub topic: String,
    /// What became of it so far.
    pub state: State,
    /// The raw bytes.
    pub body: Vec<u8>,
}

/// The oldest kept delivery after `after` in one state or any, whose bytes are still there.
pub fn next(tx: &mut Tx<'_>, state: Option<State>, after: i64) -> Result<Option<Kept>, db::Error> {
    tx.query_opt(
        "-- inbox::store::next
         SELECT seq, id, store_id, topic, state, body, size FROM delivery
         WHERE seq > $2 AND (CAST($1 AS TEXT) IS NULL OR state = $1) AND body IS NOT NULL ORDER BY seq LIMIT 1",
        params![state.map(State::as_str), after],
        kept,
    )
}

/// The oldest kept delivery of an order after `after` whose bytes are still there.
pub fn next_of_order(tx: &mut Tx<'_>, store: i64, order: i64, after: i64) -> Result<Option<Kept>, db::Error> {
    tx.query_opt(
        "-- inbox::store::next_of_order
         SELECT seq, id, store_id, topic, state, body, size FROM delivery
         WHERE store_id = $1 AND order_id = $2 AND seq > $3 AND body IS NOT NULL ORDER BY seq LIMIT 1",
        params![store, order, after],
        kept,
    )
}

/// Deliveries whose raw bytes were forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// How many.
    pub count: i64,
    /// When the oldest of them came.
    pub first_at: Option<Timestamp>,
    /// When the newest of them came.
    pub last_at: Option<Timestamp>,
}

/// What cannot be applied again, because its bytes were forgotten: in one state or any, of one order or all.
pub fn pruned(tx: &mut Tx<'_>, state: Option<State>, order: Option<(i64, i64)>) -> Result<Pruned, db::Error> {
    let (store, order) = order.unzip();
    tx.query_one(
        "-- inbox::store::pruned
         SELECT COUNT(*), MIN(received_at), MAX(received_at) FROM delivery
         WHERE body IS NULL AND (CAST($1 AS TEXT) IS NULL OR state = $1)
           AND (CAST($2 AS BIGINT) IS NULL OR (store_id = $2 AND order_id = $3))",
        params![state.map(State::as_str), store, order],
        |row| Ok(Pruned { count: row.get(0)?, first_at: row.get(1)?, last_at: row.get(2)? }),
    )
}

/// When the newest delivery of a store came, whatever it was about.
pub fn newest(tx: &mut Tx<'_>, store: i64) -> Result<Option<Timestamp>, db::Error> {
    tx.query_opt(
        "-- inbox::store::newest
         SELECT received_at FROM delivery WHERE store_id = $1 ORDER BY seq DESC LIMIT 1",
        params![store],
        |row| row.get(0),
    )
}

/// The newest delivery of a store.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "LastDelivery")]
pub struct Last {
    /// When it came.
    pub at: Timestamp,
    /// What it was about, like `order.updated`.
    pub topic: String,
    /// What the shop was told, in a word.
    pub result: String,
}

/// The newest delivery of a store, repeats apart.
pub fn last(tx: &mut Tx<'_>, store: i64) -> Result<Option<Last>, db::Error> {
    tx.query_opt(
        "-- inbox::store::last
         SELECT received_at, topic, result FROM delivery WHERE store_id = $1 ORDER BY seq DESC LIMIT 1",
        params![store],
        |row| Ok(Last { at: row.get(0)?, topic: row.get(1)?, result: row.get(2)? }),
    )
}

/// How many deliveries in each state came before `before` and still have their bytes, and how many bytes.
pub fn prunable(tx: &mut Tx<'_>, before: Timestamp) -> Result<Vec<(State, i64, i64)>, db::Error> {
    tx.query(
        "-- inbox::store::prunable
         SELECT state, COUNT(*), CAST(COALESCE(SUM(COALESCE(size, LENGTH(body))), 0) AS BIGINT) FROM delivery
         WHERE received_at < $1 AND body IS NOT NULL GROUP BY state ORDER BY state",
        params![before],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// Forgets the raw bytes of deliveries that came before `before`, of those that failed only if `failed`; at most
/// `limit` at once. A person asks for it, so it does not mind what waits: an order's state is kept apart.
pub fn prune_by_hand(tx: &mut Tx<'_>, before: Timestamp, failed: bool, limit: i64) -> Result<u64, db::Error> {
    tx.execute(
        "-- inbox::store::prune_by_hand
         UPDATE delivery SET body = NULL WHERE seq IN (
             SELECT seq FROM delivery
             WHERE received_at < $1 AND body IS NOT NULL AND (CAST($2 AS BIGINT) = 1 OR state <> 'failed')
             ORDER BY seq LIMIT $3)",
        params![before, failed, limit],
    )
}

/// How many deliveries are in each state.
pub fn counts(tx: &mut Tx<'_>) -> Result<Vec<(State, i64)>, db::Error> {
    tx.query(
        "-- inbox::store::counts
         SELECT state, COUNT(*) FROM delivery GROUP BY state ORDER BY state",
        params![],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Forgets the raw bytes of deliveries older than `before`; at most `limit` at once.
///
/// A parked one is not needed any more: its order's state is kept. A failed one may be the only copy of what
/// it says, so it stays until it was handled.
pub fn prune(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, db::Error> {
    tx.execute(
        "-- inbox::store::prune
         UPDATE delivery SET body = NULL WHERE seq IN (
             SELECT seq FROM delivery WHERE received_at < $1 AND body IS NOT NULL AND state <> 'failed'
             ORDER BY seq LIMIT $2)",
        params![before, limit],
    )
}

/// Forgets the raw bytes of a delivery if its order's buyer was erased.
pub fn forget_erased(tx: &mut Tx<'_>, seq: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- inbox::store::forget_erased
         UPDATE delivery SET body = NULL WHERE seq = $1 AND EXISTS (
             SELECT 1 FROM shop_order o WHERE o.store_id = delivery.store_id AND o.order_id = delivery.order_id
               AND o.erased_at IS NOT NULL)",
        params![seq],
    )?;
    Ok(())
}

/// Forgets the raw bytes of all deliveries that spoke of an order; answers of how many.
pub fn forget_order(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<u64, db::Error> {
    tx.execute(
        "-- inbox::store::forget_order
         UPDATE delivery SET body = NULL WHERE store_id = $1 AND order_id = $2 AND body IS NOT NULL",
        params![store, order],
    )
}

/// Forgets the raw bytes of one delivery.
pub fn forget(tx: &mut Tx<'_>, seq: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- inbox::store::forget
         UPDATE delivery SET body = NULL WHERE seq = $1",
        params![seq],
    )?;
    Ok(())
}

/// The oldest delivery of a store after `after` whose bytes are still there.
pub fn next_of_store(tx: &mut Tx<'_>, store: i64, after: i64) -> Result<Option<Kept>, db::Error> {
    tx.query_opt(
        "-- inbox::store::next_of_store
         SELECT seq, id, store_id, topic, state, body, size FROM delivery
         WHERE store_id = $1 AND seq > $2 AND body IS NOT NULL ORDER BY seq LIMIT 1",
        params![store, after],
        kept,
    )
}

fn kept(row: &Row<'_>) -> Result<Kept, db::Error> {
    Ok(Kept {
        seq: row.get(0)?,
        id: row.get(1)?,
        store: row.get(2)?,
        topic: row.get(3)?,
        state: row.get(4)?,
        body: body(row, 5)?.unwrap_or_default(),
    })
}

/// The raw bytes: what is kept in `column`, and their number in the one after it.
fn body(row: &Row<'_>, column: usize) -> Result<Option<Vec<u8>>, db::Error> {
    let (kept, size): (Option<Vec<u8>>, Option<i64>) = (row.get(column)?, row.get(column + 1)?);
    match (kept, size) {
        (Some(kept), Some(size)) => packed::unpack(&kept, size)
            .map(Some)
            .ok_or_else(|| db::Error::Column { column, found: "bytes that cannot be unpacked".to_owned() }),
        (kept, _) => Ok(kept),
    }
}

fn read(row: &Row<'_>) -> Result<Delivery, db::Error> {
    Ok(Delivery {
        id: row.get(0)?,
        store: row.get(1)?,
        topic: row.get(2)?,
        received_at: row.get(3)?,
        state: row.get(4)?,
        result: row.get(5)?,
        reason: row.get(6)?,
        order: row.get(7)?,
        bytes: row.get(8)?,
        seq: row.get(9)?,
    })
}
