//! API keys in the database.

use serde::Serialize;
use subtle::ConstantTimeEq as _;

use super::caller::{Caller, Held};
use super::origin::{Origin, Seen, State, Verdict, decide};
use super::{KeySecret, Known, Scope};
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
    /// Nobody has this key.
    #[error("there is no key {0}")]
    Unknown(KeyId),
    /// A key that opens nothing needs no new secret.
    #[error("key {0} was revoked or has expired: it gets no new secret")]
    Over(KeyId),
    /// Only keys that do nothing but read sites are for one website.
    #[error("key {0} is not for one website: only keys are whose scopes are all site:SITE")]
    NoWebsite(KeyId),
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
    /// When it got its present secret, if that is not its first.
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before that works, or did.
    pub old_secret_until: Option<Timestamp>,
    /// The hour in which it was last used, or when it was made if that was later; nothing if it never was.
    pub used_at: Option<Timestamp>,
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
    /// It has another secret by now.
    #[error("this secret of the API key was replaced by a new one")]
    Replaced,
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
        rotated_at: None,
        old_secret_until: None,
        used_at: None,
    };
    tx.execute(
        "-- access::store::create
         INSERT INTO api_key (id, name, secret_hash, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![&key.id, &key.name, &secret.hash(), &listed(scopes), created_at, expires_at],
    )?;
    Ok((key, secret))
}

/// Gives a key another secret, which is in the answer and nowhere else; the one it has works for `overlap_ms` more, and
/// one before that no longer. Everything else about the key stays.
///
/// # Errors
/// [`Error::Unknown`], [`Error::Over`].
pub fn rotate(tx: &mut Tx<'_>, id: &KeyId, overlap_ms: i64) -> Result<(Key, KeySecret), Error> {
    let now = tx.now();
    let key = get(tx, id)?.ok_or_else(|| Error::Unknown(id.clone()))?;
    if !key.works(now) {
        return Err(Error::Over(id.clone()));
    }
    let secret = KeySecret::generate()?;
    tx.execute(
        "-- access::store::rotate
         UPDATE api_key SET previous_hash = secret_hash, previous_until = $3, secret_hash = $2, rotated_at = $4
         WHERE id = $1",
        params![id, &secret.hash(), now.plus_millis(overlap_ms), now],
    )?;
    let key = get(tx, id)?.ok_or(db::Error::NoRow)?;
    Ok((key, secret))
}

/// Writes down that a key was used in an hour.
pub fn note_use(tx: &mut Tx<'_>, key: &KeyId, hour: Timestamp) -> Result<(), db::Error> {
    tx.execute(
        "-- access::store::note_use
         UPDATE api_key SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $2)",
        params![key, hour],
    )?;
    Ok(())
}

/// All keys, oldest first.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Key>, db::Error> {
    tx.query(
        "-- access::store::list
         SELECT id, name, scopes, created_at, expires_at, revoked_at, rotated_at, previous_until, used_at
         FROM api_key ORDER BY created_at, id",
        params![],
        read_key,
    )
}

/// The key, if there is one.
pub fn get(tx: &mut Tx<'_>, key: &KeyId) -> Result<Option<Key>, db::Error> {
    tx.query_opt(
        "-- access::store::get
         SELECT id, name, scopes, created_at, expires_at, revoked_at, rotated_at, previous_until, used_at
         FROM api_key WHERE id = $1",
        params![key],
        read_key,
    )
}

fn read_key(row: &Row<'_>) -> Result<Key, db::Error> {
    // Only the hour is kept, and a key that is used at once was made in the middle of it.
    let (created_at, used_hour): (Timestamp, Option<Timestamp>) = (row.get(3)?, row.get(8)?);
    Ok(Key {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: scopes(row, 2)?,
        created_at,
        expires_at: row.get(4)?,
        revoked_at: row.get(5)?,
        rotated_at: row.get(6)?,
        old_secret_until: row.get(7)?,
        used_at: used_hour.map(|hour| hour.max(created_at)),
    })
}

impl Key {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn works(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// The keys that read or spend for this one site and still work, oldest first.
pub fn of_site(tx: &mut Tx<'_>, site: &SiteId) -> Result<Vec<KeyId>, db::Error> {
    let now = tx.now();
    let is_for = |scope: &Scope| matches!(scope, Scope::Site(own) | Scope::DebitSite(own) if own == site);
    let keys = list(tx)?.into_iter().filter(|key| key.works(now) && key.scopes.iter().any(is_for));
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

/// Who has the secret with this hash, at the time of the transaction.
pub fn authenticate(tx: &mut Tx<'_>, hash: &[u8; 32]) -> Result<Result<Known, Stranger>, db::Error> {
    let now = tx.now();
    let mut found = tx.query_opt(
        "-- access::store::authenticate
         SELECT id, scopes, expires_at, revoked_at, secret_hash, CAST(NULL AS BIGINT) FROM api_key
         WHERE secret_hash = $1",
        params![hash],
        read_lock,
    )?;
    if found.is_none() {
        found = tx.query_opt(
            "-- access::store::authenticate (previous)
             SELECT id, scopes, expires_at, revoked_at, previous_hash, previous_until FROM api_key
             WHERE previous_hash = $1",
            params![hash],
            read_lock,
        )?;
    }
    let Some(Lock { key, scopes, expires_at, revoked_at, kept, until }) = found else {
        return Ok(Err(Stranger::Unknown));
    };
    // The look-up compares as the index likes; this comparison takes the same time for every secret.
    if !bool::from(kept.as_slice().ct_eq(hash)) {
        return Ok(Err(Stranger::Unknown));
    }
    if revoked_at.is_some() {
        return Ok(Err(Stranger::Revoked));
    }
    if expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Ok(Err(Stranger::Expired));
    }
    if until.is_some_and(|until| until <= now) {
        return Ok(Err(Stranger::Replaced));
    }
    let is_of_website = Scope::are_of_website(&scopes);
    let mut held = Vec::with_capacity(scopes.len());
    for scope in scopes {
        held.extend(resolve(tx, scope)?);
    }
    let websites = if is_of_website { origins(tx, &key)?.into() } else { [].into() };
    let until = expires_at.into_iter().chain(until).min();
    Ok(Ok(Known { caller: Caller::new(key, held, is_of_website), until, websites }))
}

/// What a secret is compared with.
struct Lock {
    key: KeyId,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    kept: Vec<u8>,
    /// Until when this secret works, if it is not the key's present one.
    until: Option<Timestamp>,
}

fn read_lock(row: &Row<'_>) -> Result<Lock, db::Error> {
    Ok(Lock {
        key: row.get(0)?,
        scopes: scopes(row, 1)?,
        expires_at: row.get(2)?,
        revoked_at: row.get(3)?,
        kept: row.get(4)?,
        until: row.get(5)?,
    })
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

// Websites ------------------------------------------------------------------------------------------

/// Whether anything was to be done about a website.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "OriginChange")]
pub enum Change {
    /// It is so now.
    Changed,
    /// It was so before.
    Unchanged,
}

/// What a person says about a website of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The website is there now, and no longer where it was.
    Moved(Origin),
    /// It is a copy, which may read as well.
    Copy(Origin),
    /// Nothing is to be known of it; a key for no website is for the next one that asks.
    Forget(Origin),
}

/// The websites known of a key, the one it is good for first.
fn origins(tx: &mut Tx<'_>, key: &KeyId) -> Result<Vec<Seen>, db::Error> {
    tx.query(
        "-- access::store::origins
         SELECT origin, url, state, seen_at FROM key_origin WHERE key_id = $1 ORDER BY state, seen_at, origin",
        params![key],
        |row| {
            let state: String = row.get(2)?;
            let known = State::ALL.into_iter().find(|known| known.as_str() == state);
            let state = known.ok_or(db::Error::Column { column: 2, found: state })?;
            Ok(Seen { origin: row.get(0)?, url: row.get(1)?, state, seen_at: row.get(3)? })
        },
    )
}

/// What becomes of a request from `origin`, and remembers it: the first website is the one that the key is good for
/// from now.
pub fn meet(tx: &mut Tx<'_>, key: &KeyId, origin: &Origin) -> Result<Verdict, db::Error> {
    let verdict = decide(&origins(tx, key)?, origin);
    match &verdict {
        Verdict::Bind => set_origin(tx, key, origin, State::Bound)?,
        Verdict::Refuse { note: true, .. } => set_origin(tx, key, origin, State::Refused)?,
        Verdict::Welcome | Verdict::Refuse { note: false, .. } => {}
    }
    Ok(verdict)
}

/// Writes down what a person says about a website; answers what is known then.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NoWebsite`].
pub fn say(tx: &mut Tx<'_>, id: &KeyId, said: &Said) -> Result<(Vec<Seen>, Change), Error> {
    let (now, before) = (tx.now(), websites(tx, id)?);
    match said {
        Said::Moved(origin) => {
            tx.execute(
                "-- access::store::say (moved)
                 UPDATE key_origin SET state = 'moved', seen_at = $3
                 WHERE key_id = $1 AND state = 'bound' AND origin <> $2",
                params![id, origin.name(), now],
            )?;
            set_origin(tx, id, origin, State::Bound)?;
        }
        Said::Copy(origin) => {
            let is_it = |seen: &Seen| seen.state == State::Bound && seen.origin == origin.name();
            if !before.iter().any(is_it) {
                set_origin(tx, id, origin, State::Copy)?;
            }
        }
        Said::Forget(origin) => {
            tx.execute(
                "-- access::store::say (forget)
                 DELETE FROM key_origin WHERE key_id = $1 AND origin = $2",
                params![id, origin.name()],
            )?;
        }
    }
    let after = origins(tx, id)?;
    let change = if after == before { Change::Unchanged } else { Change::Changed };
    Ok((after, change))
}

/// The websites known of a key that is for one, that one first.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NoWebsite`].
pub fn websites(tx: &mut Tx<'_>, id: &KeyId) -> Result<Vec<Seen>, Error> {
    let key = get(tx, id)?.ok_or_else(|| Error::Unknown(id.clone()))?;
    if !Scope::are_of_website(&key.scopes) {
        return Err(Error::NoWebsite(id.clone()));
    }
    Ok(origins(tx, id)?)
}

/// Writes what a website is to a key; since when stays if it was so before.
fn set_origin(tx: &mut Tx<'_>, key: &KeyId, origin: &Origin, state: State) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- access::store::set_origin
         INSERT INTO key_origin (key_id, origin, url, state, seen_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (key_id, origin)
         DO UPDATE SET url = excluded.url, state = excluded.state, seen_at = excluded.seen_at
         WHERE key_origin.state <> excluded.state",
        params![key, origin.name(), origin.url(), state.as_str(), now],
    )?;
    Ok(())
}
