//! Removing who somebody is, and keeping what was booked.
//!
//! Names and addresses go from the account, its orders, the raw deliveries and what services wrote beside
//! debits. Ids, amounts, the chain and the digests of deliveries stay, so the books are proved as before and
//! a repeat is still known as one. An order that was erased stays so: what a later state says of its buyer is
//! dropped before it is looked at. Numbers of registered customers stay; they are the shop's, and mean nobody
//! without it.

use serde::Serialize;
use serde_json::Value;

use super::{Error, store};
use crate::db::Tx;
use crate::id::AccountId;
use crate::inbox;
use crate::order;
use crate::site::{self, AccountRef, NaturalKey};
use crate::{access, db};

/// What an account without a name is called.
pub const NAME: &str = "Erased customer";

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// The account, and those that were merged into it.
    pub accounts: Vec<AccountId>,
    /// How many of them had another name than [`NAME`].
    pub renamed: u64,
    /// E-mail addresses shops knew it by.
    pub addresses: u64,
    /// Orders from which name and address were removed.
    pub orders: u64,
    /// Deliveries whose content was removed.
    pub deliveries: u64,
    /// Debits from which private usage and reference were removed.
    pub debits: u64,
    /// Sites whose label was removed.
    pub sites: u64,
    /// API keys that named the account by an address and name it by its id now.
    pub keys: u64,
}

impl Erased {
    /// Whether there was nothing left to remove.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self { accounts: self.accounts.clone(), ..Self::default() }
    }
}

/// Removes who the customer of an account is. A second time there is nothing left to do.
///
/// # Errors
/// When there is no such account, and [`Error::NotAlone`].
pub fn erase(tx: &mut Tx<'_>, account: &AccountRef) -> Result<Erased, Error> {
    let id = super::resolve_whole(tx, account)?;
    let id = site::store::follow(tx, &id)?;
    let names = store::names(tx, &id)?;
    let mut erased = Erased { accounts: store::family(tx, &id)?, ..Erased::default() };
    for (store_id, key) in &names {
        let personal = personal_deliveries(tx, *store_id, key)?;
        erased.deliveries += personal.len() as u64;
        for seq in personal {
            inbox::store::forget(tx, seq)?;
        }
        // What was never paid for belongs to no account yet.
        for order in store::unbooked_orders(tx, *store_id, key)? {
            erased.orders += u64::from(erase_order(tx, *store_id, order, &id)?);
            erased.deliveries += inbox::store::forget_order(tx, *store_id, order)?;
        }
    }
    for (store_id, order) in store::orders(tx, &id)? {
        erased.orders += u64::from(erase_order(tx, store_id, order, &id)?);
        erased.deliveries += inbox::store::forget_order(tx, store_id, order)?;
    }
    for name in site::store::account(tx, &id)?.map(|account| account.names).unwrap_or_default() {
        if matches!(&name, AccountRef::Customer { key, .. } if key.is_guest()) {
            erased.keys += access::store::rename_account(tx, &name, &id)?;
        }
    }
    erased.addresses = store::forget_addresses(tx, &id)?;
    for account in &erased.accounts {
        erased.debits += store::forget_usage(tx, account)?;
        erased.renamed += store::forget_name(tx, account, NAME)?;
    }
    erased.sites = store::forget_labels(tx, &id)?;
    if !erased.is_nothing() {
        for account in &erased.accounts {
            store::set_erased(tx, account)?;
        }
    }
    Ok(erased)
}

/// Removes the buyer from an order's newest state; answers whether anything was there. An order without an
/// account is this one's from now: once it is paid nothing else says whose it is.
fn erase_order(tx: &mut Tx<'_>, store_id: i64, order: i64, account: &AccountId) -> Result<bool, db::Error> {
    let now = tx.now();
    let Some(mut known) = order::store::find(tx, store_id, order)? else { return Ok(false) };
    let before = known.order.clone();
    known.order.erase_buyer();
    if known.erased_at.is_some() && known.order == before {
        return Ok(false);
    }
    known.erased_at = Some(now);
    known.account.get_or_insert_with(|| account.clone());
    order::store::save(tx, store_id, &known)?;
    Ok(true)
}

/// The kept deliveries of a store that tell of the customer `key`, whoever has their orders now.
fn personal_deliveries(tx: &mut Tx<'_>, store_id: i64, key: &NaturalKey) -> Result<Vec<i64>, db::Error> {
    let word = key.to_string();
    let word = word.split_once(':').map_or("", |(_, word)| word);
    let (mut found, mut after) = (Vec::new(), 0);
    while let Some(kept) = inbox::store::next_of_store(tx, store_id, after)? {
        after = kept.seq;
        // Most are about others: only what has the word at all is looked at.
        let text = String::from_utf8_lossy(&kept.body).to_lowercase();
        if text.contains(word) && tells_of(key, &kept.topic, &kept.body) {
            found.push(kept.seq);
        }
    }
    Ok(found)
}

/// Whether a body that has the customer's address or number in it tells of the customer.
fn tells_of(key: &NaturalKey, topic: &str, body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        // What cannot be read may say anything around an address; a number alone says nothing.
        return key.is_guest();
    };
    let number = if topic.starts_with("customer.") { &body["id"] } else { &body["customer_id"] };
    let number = number.as_i64().and_then(NaturalKey::customer);
    let addresses = [&body["email"], &body["billing"]["email"]];
    let mut addresses = addresses.into_iter().filter_map(|text| NaturalKey::email(text.as_str()?));
    number.as_ref() == Some(key) || addresses.any(|address| address == *key)
}
