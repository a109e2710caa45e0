//! What the writer remembers of buyers: whose account it is, what it was called last, where its purchases go.
//!
//! It holds as long as nobody writes who accounts are: then the writer forgets all it remembers
//! ([`crate::db::Memory`]).

use super::{NaturalKey, store};
use crate::db::{self, Tx};
use crate::id::{AccountId, SiteId};
use crate::recent::Recent;

/// How many buyers, and how many accounts, are remembered.
const KEPT_MAX: usize = 4096;

#[derive(Debug)]
struct Kept {
    buyers: Recent<(i64, String), Buyer>,
    /// Where purchases of an account go that name no site.
    places: Recent<AccountId, Option<SiteId>>,
}

#[derive(Debug)]
struct Buyer {
    account: AccountId,
    /// What an order called it last.
    name: String,
}

impl Default for Kept {
    fn default() -> Self {
        Self { buyers: Recent::of(KEPT_MAX), places: Recent::of(KEPT_MAX) }
    }
}

/// The account a store knows by `key`, opened if it is new, and called `name` as its newest order calls it.
pub fn buyer(tx: &mut Tx<'_>, store: i64, key: &NaturalKey, name: &str) -> Result<AccountId, db::Error> {
    let by = (store, key.to_string());
    if let Some(Kept { buyers, .. }) = tx.memory().map(db::Memory::of)
        && let Some(buyer) = buyers.get(&by).filter(|buyer| buyer.name == name)
    {
        return Ok(buyer.account.clone());
    }
    let account = store::open_account(tx, store, key, Some(name))?;
    store::rename(tx, &account, name)?;
    if let Some(Kept { buyers, .. }) = tx.memory().map(db::Memory::of) {
        buyers.put(by, Buyer { account: account.clone(), name: name.to_owned() });
    }
    Ok(account)
}

/// Where purchases of the account go that name no site; nothing: to its pool.
pub fn default_site(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<SiteId>, db::Error> {
    if let Some(Kept { places, .. }) = tx.memory().map(db::Memory::of)
        && let Some(place) = places.get(account)
    {
        return Ok(place.clone());
    }
    let place = store::default_site(tx, account)?;
    if let Some(Kept { places, .. }) = tx.memory().map(db::Memory::of) {
        places.put(account.clone(), place.clone());
    }
    Ok(place)
}
