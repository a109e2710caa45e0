//! What the writer remembers of buyers: whose account it is, what it was called last, where its purchases go.
//!
//! It holds as long as nobody writes who accounts are: then the writer forgets all it remembers
//! ([`crate::db::Memory`]).

use std::collections::HashMap;

use super::{NaturalKey, store};
use crate::db::{self, Tx};
use crate::id::{AccountId, SiteId};

/// How many buyers are remembered.
const KEPT_MAX: usize = 4096;

#[derive(Debug, Default)]
struct Buyers(HashMap<(i64, String), Buyer>);

#[derive(Debug)]
struct Buyer {
    account: AccountId,
    /// What an order called it last.
    name: String,
}

#[derive(Debug, Default)]
struct Places(HashMap<AccountId, Option<SiteId>>);

/// The account a store knows by `key`, opened if it is new, and called `name` as its newest order calls it.
pub fn buyer(tx: &mut Tx<'_>, store: i64, key: &NaturalKey, name: &str) -> Result<AccountId, db::Error> {
    let by = (store, key.to_string());
    if let Some(Buyers(buyers)) = tx.memory().map(db::Memory::of)
        && let Some(buyer) = buyers.get(&by).filter(|buyer| buyer.name == name)
    {
        return Ok(buyer.account.clone());
    }
    let account = store::open_account(tx, store, key, Some(name))?;
    store::rename(tx, &account, name)?;
    if let Some(Buyers(buyers)) = tx.memory().map(db::Memory::of) {
        if buyers.len() >= KEPT_MAX {
            buyers.clear();
        }
        buyers.insert(by, Buyer { account: account.clone(), name: name.to_owned() });
    }
    Ok(account)
}

/// Where purchases of the account go that name no site; nothing: to its pool.
pub fn default_site(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<SiteId>, db::Error> {
    if let Some(Places(places)) = tx.memory().map(db::Memory::of)
        && let Some(place) = places.get(account)
    {
        return Ok(place.clone());
    }
    let place = store::default_site(tx, account)?;
    if let Some(Places(places)) = tx.memory().map(db::Memory::of) {
        if places.len() >= KEPT_MAX {
            places.clear();
        }
        places.insert(account.clone(), place.clone());
    }
    Ok(place)
}
