//! API keys in the database.

use serde::Serialize;
use subtle::ConstantTimeEq as _;

use super::caller::{Caller, Held};
use super::{KeySecret, Scope};
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, KeyId, SiteId};
use crate::params;
use crate::site::{self, AccountRef};
use crate::time::Timestamp;

/// The longest name a key may have, in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// How many scopes a key may carry: each named customer costs a look-up on every request.
pub const SCOPES_MAX: usize = 32;

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key needs a name that people can tell it by.
    #[error("a key's name has 1 to {NAME_CHARS_MAX} characters and no control characters")]
    Name,
    /// A key without scopes would open nothing.
    #[error("a key has 1 to {SCOPES_MAX} scopes")]
    Scopes,
    /// A key that has expired already would open nothing.
    #[error("{0} is in the past: a key expires later than now")]
    Expired(Timestamp),
    /// The system has no randomness to give.
    #[error(transparent)]
    Randomness(#[from] std::io::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// A key as it is listed: everything but its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// What it may see and do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it no longer opens anything, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// Nobody has this key.
    #[error("the API key is not known")]
    Unknown,
    /// Its time is over.
    #[error("the API key has expired")]
    Expired,
    /// It was taken back.
    #[error("the API key was revoked")]
    Revoked,
}

/// What became of a request to revoke a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It opens nothing from now.
    Now,
    /// It was revoked before.
    Before,
    /// There is no such key.
    Unknown,
}

/// Makes a key; its secret is in the answer and nowhere else.
pub fn create(
    tx: &mut Tx<'_>,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
) -> Result<(Key, KeySecret), Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(|c: char| c.is_control()) {
        return Err(Error::Name);
    }
    if scopes.is_empty() || scopes.len() > SCOPES_MAX {
        return Err(Error::Scopes);
    }
    let created_at = tx.now();
    if let Some(past) = expires_at.filter(|expires_at| *expires_at <= created_at) {
        return Err(Error::Expired(past));
    }
    let secret = KeySecret::generate()?;
    let key = Key {
        id: KeyId::new(),
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        created_at,
        expires_at,
        revoked_at: None,
    };
    tx.execute(
        "-- access::store::create
         INSERT INTO api_key (id, name, secret_hash, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![&key.id, &key.name, &secret.hash(), &listed(scopes), created_at, expires_at],
    )?;
    Ok((key, secret))
}

/// All keys, oldest first.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Key>, db::Error> {
    tx.query(
        "-- access::store::list
         SELECT id, name, scopes, created_at, expires_at, revoked_at FROM api_key ORDER BY created_at, id",
        params![],
        |row| {
            Ok(Key {
                id: row.get(0)?,
                name: row.get(1)?,
                scopes: scopes(row, 2)?,
                created_at: row.get(3)?,
                expires_at: row.get(4)?,
                revoked_at: row.get(5)?,
            })
        },
    )
}

/// The keys that read or spend for this one site and still work, oldest first.
pub fn of_site(tx: &mut Tx<'_>, site: &SiteId) -> Result<Vec<KeyId>, db::Error> {
    let now = tx.now();
    let works =
        |key: &Key| key.revoked_at.is_none() && key.expires_at.is_none_or(|expires_at| now < expires_at);
    let is_for = |scope: &Scope| matches!(scope, Scope::Site(own) | Scope::DebitSite(own) if own == site);
    let keys = list(tx)?.into_iter().filter(|key| works(key) && key.scopes.iter().any(is_for));
    Ok(keys.map(|key| key.id).collect())
}

/// Takes a key back; requests that come later are refused.
pub fn revoke(tx: &mut Tx<'_>, key: &KeyId) -> Result<Revoked, db::Error> {
    let now = tx.now();
    let revoked = tx.execute(
        "-- access::store::revoke
         UPDATE api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        params![key, now],
    )?;
    if revoked == 1 {
        return Ok(Revoked::Now);
    }
    let known = tx.query_opt(
        "-- access::store::revoke (known)
         SELECT id FROM api_key WHERE id = $1",
        params![key],
        |row| row.get::<KeyId>(0),
    )?;
    Ok(known.map_or(Revoked::Unknown, |_| Revoked::Before))
}

/// Lets keys that name an account by `name` name it by its id, because the name goes; answers how many did.
pub fn rename_account(tx: &mut Tx<'_>, name: &AccountRef, id: &AccountId) -> Result<u64, db::Error> {
    let mut renamed = 0;
    for key in list(tx)? {
        let scopes: Vec<Scope> = key.scopes.iter().map(|scope| scope.renamed(name, id)).collect();
        if scopes == key.scopes {
            continue;
        }
        renamed += tx.execute(
            "-- access::store::rename_account
             UPDATE api_key SET scopes = $2 WHERE id = $1",
            params![&key.id, &listed(&scopes)],
        )?;
    }
    Ok(renamed)
}

/// Who has this secret, at the time of the transaction.
pub fn authenticate(tx: &mut Tx<'_>, secret: &KeySecret) -> Result<Result<Caller, Stranger>, db::Error> {
    let now = tx.now();
    let hash = secret.hash();
    let found = tx.query_opt(
        "-- access::store::authenticate
         SELECT id, scopes, expires_at, revoked_at, secret_hash FROM api_key WHERE secret_hash = $1",
        params![&hash],
        |row| {
            Ok((
                row.get::<KeyId>(0)?,
                scopes(row, 1)?,
                row.get::<Option<Timestamp>>(2)?,
                row.get::<Option<Timestamp>>(3)?,
                row.get::<Vec<u8>>(4)?,
            ))
        },
    )?;
    let Some((key, scopes, expires_at, revoked_at, kept)) = found else {
        return Ok(Err(Stranger::Unknown));
    };
    // The look-up compares as the index likes; this comparison takes the same time for every secret.
    if !bool::from(kept.as_slice().ct_eq(&hash)) {
        return Ok(Err(Stranger::Unknown));
    }
    if revoked_at.is_some() {
        return Ok(Err(Stranger::Revoked));
    }
    if expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Ok(Err(Stranger::Expired));
    }
    let mut held = Vec::with_capacity(scopes.len());
    for scope in scopes {
        held.extend(resolve(tx, scope)?);
    }
    Ok(Ok(Caller::new(key, held)))
}

/// The scope with its account by id; nothing if no store knows the customer it names.
fn resolve(tx: &mut Tx<'_>, scope: Scope) -> Result<Option<Held>, db::Error> {
    let mut id = |account: AccountRef| match account {
        // An id that nobody has opens nothing when it is asked for; a merged one opens what it is part of.
        AccountRef::Id(id) => site::store::follow(tx, &id).map(Some),
        named @ AccountRef::Customer { .. } => site::store::resolve(tx, &named),
    };
    Ok(match scope {
        Scope::Admin => Some(Held::Admin),
        Scope::Debit => Some(Held::Debit),
        Scope::DebitSite(site) => Some(Held::DebitSite(site)),
        Scope::Site(site) => Some(Held::Site(site)),
        Scope::DebitAccount(account) => id(account)?.map(Held::DebitAccount),
        Scope::Account(account) => id(account)?.map(Held::Account),
        Scope::Client(account, client) => id(account)?.map(|account| Held::Client(account, client)),
    })
}

/// Scopes as they are kept.
fn listed(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<serde_json::Value>().to_string()
}

fn scopes(row: &Row<'_>, column: usize) -> Result<Vec<Scope>, db::Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| db::Error::Column { column, found: text })
}
