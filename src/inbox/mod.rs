//! Deliveries: proved, kept, applied.
//!
//! A delivery is a hint that something changed in a shop. Its raw bytes are kept and its effect is booked in
//! one transaction, before the shop has its answer; so whatever was acknowledged is either in the books or
//! listed here with what it waits for. A repeat is recognised by store, topic and content: WooCommerce's own
//! delivery id is only a hash of webhook and second, and is shared by deliveries that differ.

pub mod packed;
pub mod signature;
pub mod store;

use sha2::{Digest as _, Sha256};

use self::packed::Packed;
pub use self::signature::Verified;
use self::store::{New, State};
use crate::catalog::store::Heard;
use crate::catalog::told::Facts;
use crate::catalog::woo::Delivered;
use crate::catalog::{self, Subject};
use crate::db::{self, Tx};
use crate::id::DeliveryId;
use crate::order;
use crate::order::apply::{self, Applied, Outcome, Rules, Source};
use crate::order::newer::{self, Seen};
use crate::order::reading;
use crate::order::woo::{self, Body, Unreadable};
use crate::shop::{self, Store};

/// What WooCommerce writes around a body.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// What it says it is about.
    pub topic: String,
    /// Which webhook sent it.
    pub webhook_id: String,
    /// WooCommerce's number for it.
    pub delivery_id: String,
}

/// A delivery, read but not yet applied.
#[derive(Debug)]
pub struct Incoming {
    envelope: Envelope,
    body: Verified,
    packed: Packed,
    digest: [u8; 32],
    read: Read,
}

/// A body that was read.
#[derive(Debug)]
struct Read {
    said: Result<Said, Unreadable>,
    /// What the shop's plugin tells by the way.
    facts: Option<Facts>,
}

/// What a body says.
#[derive(Debug)]
enum Said {
    Product(catalog::woo::Delivered),
    Other(Body),
}

/// What the shop is told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// The delivery's id here; a repeat has that of the first.
    pub delivery: DeliveryId,
    /// What it did, in a word.
    pub result: &'static str,
}

impl Incoming {
    /// Reads a verified body. This is the costly part, and needs no database.
    #[must_use]
    pub fn read(envelope: Envelope, body: Verified, shop: &Store) -> Self {
        let digest = Sha256::digest(body.body()).into();
        let (read, packed) = (Read::new(&envelope.topic, body.body(), shop), Packed::new(body.body()));
        Self { envelope, body, packed, digest, read }
    }
}

impl Read {
    fn new(topic: &str, body: &[u8], shop: &Store) -> Self {
        Self { said: said(topic, body, shop), facts: catalog::told::read(body) }
    }
}

fn said(topic: &str, body: &[u8], shop: &Store) -> Result<Said, Unreadable> {
    match woo::parse_delivery(topic, body, &shop.site_keys)? {
        Body::Product => catalog::woo::delivery(body)
            .map(Said::Product)
            .map_err(|error| Unreadable { at: "/".to_owned(), what: error.to_string() }),
        other => Ok(Said::Other(other)),
    }
}

/// Keeps a delivery and applies it, in one transaction. One that is refused has written nothing of it, and what the
/// writer remembers stays true: it may be done [so](db::Db::write_remembering).
///
/// # Errors
/// [`apply::Error::Ledger`] when the ledger refuses what it says; [`set_aside`] keeps it then.
pub fn receive(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    incoming: &Incoming,
) -> Result<Receipt, apply::Error> {
    shop::store::note_heard(tx, shop.id, incoming.body.by() == 0)?;
    // Also a repeat says that the shop cannot make its deliveries: error objects are alike, byte for byte.
    if let Some(code) = incoming.error_code() {
        shop::store::note_error_object(tx, shop.id, code)?;
    }
    let order = incoming.order();
    let is_new = order.map(|order| order::heard::is_new(tx, shop.id, order)).transpose()?.unwrap_or(false);
    if let Some(first) = store::find(tx, shop.id, order, &incoming.envelope.topic, &incoming.digest)? {
        if let Some((order, reason)) = incoming.says_again(tx, shop)? {
            catalog::store::want(tx, shop.id, Subject::Order(order), reason)?;
        }
        return Ok(Receipt { delivery: first, result: "unchanged" });
    }
    let seq = store::next_seq(tx)?;
    let id = DeliveryId::at(seq);
    let seen = Seen::Told { arrival: seq, at: tx.now() };
    let source = Source { operation: id.as_str(), seen };
    // Of a new order the ledger is asked before anything is written.
    let done = if is_new && incoming.is_state() {
        take(tx, shop, rules, &incoming.read, source)?
    } else {
        tx.attempt(|tx| take(tx, shop, rules, &incoming.read, source))?
    };
    // What nobody could read may have to be read by a person, whoever it is of.
    let is_erased = match order {
        Some(order) if done.state != State::Failed && !is_new => order::store::is_erased(tx, shop.id, order)?,
        _ => false,
    };
    let kept = incoming.row(shop, &id, seq, order, &done);
    store::insert(tx, &New { body: kept.body.filter(|_| !is_erased), ..kept })?;
    if done.state == State::Applied
        && !is_new
        && let Some(order) = order
    {
        store::unpark(tx, shop.id, order)?;
    }
    Ok(Receipt { delivery: id, result: done.result })
}

/// Applies a kept delivery once more. What is in the books already changes nothing.
pub fn replay(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    kept: &store::Kept,
) -> Result<Done, apply::Error> {
    let read = Read::new(&kept.topic, &kept.body, shop);
    // A hint that was followed once says nothing new.
    if kept.state == State::Applied && matches!(read.said, Ok(Said::Other(Body::Hint { .. }))) {
        return Ok(Done::new(State::Applied, "unchanged", None));
    }
    let seen = Seen::Told { arrival: kept.seq, at: tx.now() };
    let source = Source { operation: kept.id.as_str(), seen };
    let done = take(tx, shop, rules, &read, source)?;
    // What was applied once stays so, with what it did then: a replay has its own answer.
    let state = if kept.state == State::Applied { kept.state } else { done.state };
    if kept.state != State::Applied {
        store::settle_again(tx, kept.seq, state, done.reason.as_deref())?;
    }
    if state != State::Failed {
        store::forget_erased(tx, kept.seq)?;
    }
    Ok(done)
}

/// As [`replay`]; what the ledger refuses is set aside as failed.
///
/// # Errors
/// When the database fails.
pub fn replay_or_set_aside(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    kept: &store::Kept,
) -> Result<Done, db::Error> {
    match tx.attempt(|tx| replay(tx, shop, rules, kept)) {
        Ok(done) => Ok(done),
        Err(apply::Error::Database(error)) => Err(error),
        Err(apply::Error::Ledger(refusal)) => {
            let reason = refusal.to_string();
            if kept.state != State::Applied {
                store::settle_again(tx, kept.seq, State::Failed, Some(&reason))?;
            }
            Ok(Done { state: State::Failed, result: "stored", reason: Some(reason) })
        }
    }
}

/// Parked orders that one transaction tries again: few enough that nobody waits for it.
pub const RETRY_PAGE: i64 = 100;

/// What trying parked orders again did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Orders that were tried.
    pub tried: usize,
    /// Those of them that no longer wait.
    pub finished: usize,
    /// Whether there are more to be tried.
    pub more: bool,
}

/// Applies orders of a store that wait for a fact, because [there are new facts](catalog::store::retry): the next
/// [`RETRY_PAGE`] of them. One that the ledger refuses stays parked, with its refusal as the reason.
pub fn retry_parked(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    operation: &str,
) -> Result<Retried, apply::Error> {
    retry_parked_each(tx, shop, rules, operation, |_, _| Ok(()))
}

/// [`retry_parked`], with something more to be done for each order that went on.
pub fn retry_parked_each(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    operation: &str,
    mut went_on: impl FnMut(&mut Tx<'_>, i64) -> Result<(), db::Error>,
) -> Result<Retried, apply::Error> {
    let Some(after) = catalog::store::retries_after(tx, shop.id)? else { return Ok(Retried::default()) };
    let orders = order::store::parked(tx, shop.id, after, RETRY_PAGE)?;
    let tried = orders.len();
    let more = orders.last().copied().filter(|_| tried == usize::try_from(RETRY_PAGE).unwrap_or(usize::MAX));
    match more {
        Some(last) => catalog::store::retry_after(tx, shop.id, last)?,
        None => catalog::store::retried(tx, shop.id)?,
    }
    let mut finished = 0;
    for order in orders {
        match tx.attempt(|tx| apply::again(tx, shop, rules, order, operation)) {
            Ok(applied) if applied.outcome == Outcome::Parked => {}
            Ok(_) => {
                store::unpark(tx, shop.id, order)?;
                went_on(tx, order)?;
                finished += 1;
            }
            // One order that cannot be booked keeps no other from the fact it waited for.
            Err(apply::Error::Ledger(refusal)) => {
                tracing::warn!(store = %shop.name, order, %refusal, "an order stays parked: {refusal}");
                order::store::park(tx, shop.id, order, &refusal.to_string())?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Retried { tried, finished, more: more.is_some() })
}

/// Keeps a delivery that the ledger refused, for a person to look at.
pub fn set_aside(
    tx: &mut Tx<'_>,
    shop: &Store,
    incoming: &Incoming,
    refusal: &str,
) -> Result<Receipt, db::Error> {
    shop::store::note_heard(tx, shop.id, incoming.body.by() == 0)?;
    // The same delivery may have been refused and set aside meanwhile.
    let order = incoming.order();
    if let Some(first) = store::find(tx, shop.id, order, &incoming.envelope.topic, &incoming.digest)? {
        return Ok(Receipt { delivery: first, result: "unchanged" });
    }
    let seq = store::next_seq(tx)?;
    let id = DeliveryId::at(seq);
    let done = Done::new(State::Failed, "stored", refusal.to_owned());
    store::insert(tx, &incoming.row(shop, &id, seq, order, &done))?;
    Ok(Receipt { delivery: id, result: done.result })
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its state from now on.
    pub state: State,
    /// What the shop is told.
    pub result: &'static str,
    /// Why it is not applied.
    pub reason: Option<String>,
}

impl Done {
    fn new(state: State, result: &'static str, reason: impl Into<Option<String>>) -> Self {
        Self { state, result, reason: reason.into() }
    }
}

impl From<Applied> for Done {
    fn from(applied: Applied) -> Self {
        let state = match applied.outcome {
            Outcome::Granted | Outcome::ClawedBack | Outcome::Unchanged => State::Applied,
            Outcome::Parked => State::Parked,
            Outcome::Ignored => State::Ignored,
            Outcome::Stale | Outcome::Asked => State::Stale,
        };
        Self::new(state, applied.outcome.as_str(), applied.reason)
    }
}

/// Books what a body says.
fn take(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    read: &Read,
    source: Source<'_>,
) -> Result<Done, apply::Error> {
    let now = tx.now();
    let facts = read.facts.as_ref().filter(|facts| !facts.told_at.is_absurd(now));
    if let Some(facts) = facts {
        for fault in &facts.faults {
            tracing::warn!(store = %shop.name, %fault, "store {}: what the plugin tells cannot be read: {fault}", shop.name);
        }
        // Before the order is judged, and for all others that wait for the same.
        if catalog::store::learn_told(tx, shop.id, facts)? {
            catalog::store::retry(tx, shop.id)?;
        }
    }
    match &read.said {
        Err(unreadable) => Ok(Done::new(State::Failed, "stored", unreadable.to_string())),
        Ok(Said::Product(Delivered::Product(product))) => {
            let is_newest = match facts {
                Some(facts) => catalog::store::hear(tx, shop.id, Heard::Product(product.id), facts.told_at)?,
                None => true,
            };
            if !is_newest {
                let reason = format!("the shop told of product {} later than this", product.id);
                return Ok(Done::new(State::Stale, "unchanged", reason));
            }
            catalog::store::learn_product(tx, shop.id, product)?;
            learned(tx, shop, rules, source)
        }
        Ok(Said::Other(Body::Catalog)) if facts.is_some() => {
            if shop.has_rest_keys {
                catalog::store::want(tx, shop.id, Subject::Categories, "the shop said that they changed")?;
            }
            learned(tx, shop, rules, source)
        }
        Ok(Said::Product(Delivered::Gone(product))) => {
            catalog::store::forget_sale(tx, shop.id, *product)?;
            Ok(Done::new(State::Applied, "unchanged", None))
        }
        Ok(Said::Product(Delivered::Refused(code))) => {
            Ok(Done::new(State::Ignored, "ignored", format!("the shop could not make this delivery: {code}")))
        }
        Ok(Said::Other(Body::Order(order))) => {
            let mut order = order.as_ref().clone();
            order.told_at = order.told_at.filter(|told_at| !told_at.is_absurd(now));
            Ok(apply::apply(tx, shop, rules, order, source)?.into())
        }
        Ok(Said::Other(Body::Gone { order_id, told_at })) => {
            let told_at = told_at.filter(|told_at| !told_at.is_absurd(now));
            Ok(reading::gone(tx, shop, rules, *order_id, told_at, source)?.into())
        }
        Ok(Said::Other(Body::Hint { order_id: Some(order), what })) if shop.has_rest_keys => {
            catalog::store::want(tx, shop.id, Subject::Order(*order), &format!("the shop said: {what}"))?;
            Ok(Done::new(State::Applied, "stored", None))
        }
        Ok(Said::Other(Body::Hint { what, .. })) => {
            let reason = format!("{what} carries no state, and without REST keys the shop cannot be asked");
            Ok(Done::new(State::Ignored, "ignored", reason))
        }
        Ok(Said::Other(Body::ErrorObject { code, message })) => {
            let reason = format!("the shop could not make this delivery: {code}: {message}");
            Ok(Done::new(State::Ignored, "ignored", reason))
        }
        Ok(Said::Other(Body::Product | Body::Catalog | Body::Unhandled)) => {
            Ok(Done::new(State::Ignored, "ignored", "this topic has nothing to say to a wallet".to_owned()))
        }
    }
}

/// Tries what waits for facts once more, because there are new ones.
fn learned(tx: &mut Tx<'_>, shop: &Store, rules: &Rules, source: Source<'_>) -> Result<Done, apply::Error> {
    catalog::store::retry(tx, shop.id)?;
    // The shop waits for an answer: what does not fit into one page is the worker's.
    let finished = retry_parked(tx, shop, rules, source.operation)?.finished;
    Ok(Done::new(State::Applied, if finished > 0 { "granted" } else { "unchanged" }, None))
}

impl Incoming {
    /// WooCommerce's name for why it could not make this delivery, if that is what it sent.
    fn error_code(&self) -> Option<&str> {
        match &self.read.said {
            Ok(Said::Product(Delivered::Refused(code)) | Said::Other(Body::ErrorObject { code, .. })) => {
                Some(code)
            }
            _ => None,
        }
    }

    /// Whether it is a state of an order.
    fn is_state(&self) -> bool {
        matches!(self.read.said, Ok(Said::Other(Body::Order(_))))
    }

    /// The order it is about, also where nothing else of it can be read: that is where people look for it.
    fn order(&self) -> Option<i64> {
        #[derive(serde::Deserialize)]
        struct Named {
            id: i64,
        }
        match &self.read.said {
            Ok(Said::Other(Body::Order(order))) => Some(order.id),
            Ok(Said::Other(Body::Hint { order_id, .. })) => *order_id,
            Ok(Said::Other(Body::Gone { order_id, .. })) => Some(*order_id),
            Err(_) if self.envelope.topic.starts_with("order.") => {
                serde_json::from_slice::<Named>(self.body.body()).ok().map(|named| named.id)
            }
            _ => None,
        }
    }

    /// What a repeat makes worth asking about: the shop repeats nothing, so what it says again is so again.
    fn says_again(&self, tx: &mut Tx<'_>, shop: &Store) -> Result<Option<(i64, &'static str)>, db::Error> {
        match &self.read.said {
            Ok(Said::Other(Body::Hint { order_id: Some(order), .. })) => {
                Ok(Some((*order, "the shop said again that something happened to it")))
            }
            // One that says when it was put together is the same one, sent twice.
            Ok(Said::Other(Body::Order(said))) if said.told_at.is_none() => {
                let Some(known) = order::store::find(tx, shop.id, said.id)? else { return Ok(None) };
                let mut said = said.as_ref().clone();
                said.recall_refunds(&known.order);
                let is_of_its_second = said.modified_at == known.order.modified_at;
                let is_other = is_of_its_second && !newer::is_known(&known.order, &said);
                Ok(is_other.then_some((said.id, "a state of the same second was told again")))
            }
            _ => Ok(None),
        }
    }

    fn row<'a>(
        &'a self,
        shop: &Store,
        id: &'a DeliveryId,
        seq: i64,
        order: Option<i64>,
        done: &'a Done,
    ) -> New<'a> {
        New {
            seq,
            id,
            store: shop.id,
            topic: &self.envelope.topic,
            webhook_id: &self.envelope.webhook_id,
            woo_delivery_id: &self.envelope.delivery_id,
            digest: &self.digest,
            body: Some(&self.packed),
            size: i64::try_from(self.body.body().len()).unwrap_or(i64::MAX),
            state: done.state,
            result: done.result,
            reason: done.reason.as_deref(),
            order,
        }
    }
}
