//! Pairings in the database.

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{Code, EventsUrl, Pairing};
use crate::db::{self, Row, Tx};
use crate::id::KeyId;
use crate::params;
use crate::shop::StoreName;

/// Keeps a code; one for the same store before it is forgotten. Answers whether there was one that was still good.
pub(super) fn keep_code(tx: &mut Tx<'_>, code: &Code, hash: &[u8; 32]) -> Result<bool, db::Error> {
    let now = tx.now();
    let before = tx.query_opt(
        "-- pairing::store::keep_code (before)
         SELECT expires_at FROM pairing_code WHERE store = $1 AND expires_at > $2",
        params![code.store.as_str(), now],
        |row| row.get::<i64>(0),
    )?;
    tx.execute(
        "-- pairing::store::keep_code (over)
         DELETE FROM pairing_code WHERE store = $1 OR expires_at <= $2",
        params![code.store.as_str(), now],
    )?;
    tx.execute(
        "-- pairing::store::keep_code
         INSERT INTO pairing_code (store, hash, address, url, expires_at) VALUES ($1, $2, $3, $4, $5)",
        params![
            code.store.as_str(),
            hash,
            &code.address.to_string(),
            code.url.as_ref().map(ToString::to_string).as_deref(),
            code.expires_at
        ],
    )?;
    Ok(before.is_some())
}

/// The code with this hash, if it is still good.
pub fn code(tx: &mut Tx<'_>, hash: &[u8; 32]) -> Result<Option<Code>, db::Error> {
    let now = tx.now();
    let found = tx.query_opt(
        "-- pairing::store::code
         SELECT store, address, url, expires_at, hash FROM pairing_code WHERE hash = $1 AND expires_at > $2",
        params![hash, now],
        |row| {
            let code = Code {
                store: parsed(row, 0)?,
                address: parsed(row, 1)?,
                url: row.get::<Option<String>>(2)?.map(|_| parsed(row, 2)).transpose()?,
                expires_at: row.get(3)?,
            };
            Ok((code, row.get::<Vec<u8>>(4)?))
        },
    )?;
    // The look-up compares as the index likes; this comparison takes the same time for every code.
    Ok(found.filter(|(_, kept)| bool::from(kept.as_slice().ct_eq(hash))).map(|(code, _)| code))
}

/// Forgets the code of a store: it was used, or the store is gone.
pub(crate) fn end_code(tx: &mut Tx<'_>, store: &StoreName) -> Result<(), db::Error> {
    tx.execute(
        "-- pairing::store::end_code
         DELETE FROM pairing_code WHERE store = $1",
        params![store.as_str()],
    )?;
    Ok(())
}

/// Writes down that a store was paired, instead of what was written of it before.
pub(super) fn keep(tx: &mut Tx<'_>, pairing: &Pairing) -> Result<(), db::Error> {
    tx.execute(
        "-- pairing::store::keep
         INSERT INTO pairing (store_id, key_id, consumer_key, paired_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (store_id) DO UPDATE
         SET key_id = excluded.key_id, consumer_key = excluded.consumer_key, paired_at = excluded.paired_at",
        params![pairing.store, &pairing.key, pairing.consumer_key.as_deref(), pairing.paired_at],
    )?;
    Ok(())
}

/// How a store was paired, if it was.
pub fn of(tx: &mut Tx<'_>, store: i64) -> Result<Option<Pairing>, db::Error> {
    tx.query_opt(
        "-- pairing::store::of
         SELECT store_id, key_id, paired_at, consumer_key FROM pairing WHERE store_id = $1",
        params![store],
        read,
    )
}

/// The pairing that made this API key.
pub(super) fn by_key(tx: &mut Tx<'_>, key: &KeyId) -> Result<Option<Pairing>, db::Error> {
    tx.query_opt(
        "-- pairing::store::by_key
         SELECT store_id, key_id, paired_at, consumer_key FROM pairing WHERE key_id = $1",
        params![key],
        read,
    )
}

/// All stores that were paired.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Pairing>, db::Error> {
    tx.query(
        "-- pairing::store::list
         SELECT store_id, key_id, paired_at, consumer_key FROM pairing ORDER BY store_id",
        params![],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<Pairing, db::Error> {
    Ok(Pairing { store: row.get(0)?, key: row.get(1)?, paired_at: row.get(2)?, consumer_key: row.get(3)? })
}

/// Forgets that a store was paired.
pub(crate) fn forget(tx: &mut Tx<'_>, store: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- pairing::store::forget
         DELETE FROM pairing WHERE store_id = $1",
        params![store],
    )?;
    Ok(())
}

/// Sets where a store is told of events and what that is signed with, or that it is not told of any.
pub(crate) fn set_events(
    tx: &mut Tx<'_>,
    store: i64,
    events: Option<(&EventsUrl, &SecretString)>,
) -> Result<(), db::Error> {
    tx.execute(
        "-- pairing::store::set_events (before)
         DELETE FROM store_events WHERE store_id = $1",
        params![store],
    )?;
    if let Some((url, secret)) = events {
        tx.execute(
            "-- pairing::store::set_events
             INSERT INTO store_events (store_id, url, secret) VALUES ($1, $2, $3)",
            params![store, url.as_str(), secret.expose_secret()],
        )?;
    }
    Ok(())
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> Result<T, db::Error> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| db::Error::Column { column, found: text })
}
