//! Idempotency keys in the database.

use super::{Answer, Digest, Key, Seen};
use crate::db::{self, Tx};
use crate::id::KeyId;
use crate::params;

/// What is known of `key` for this caller.
pub fn look(tx: &mut Tx<'_>, caller: &KeyId, key: &Key, digest: &Digest) -> Result<Seen, db::Error> {
    let found = tx.query_opt(
        "-- idempotency::store::look
         SELECT digest, status, body FROM idempotency WHERE key_id = $1 AND key = $2",
        params![caller, key.as_str()],
        |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<i64>(1)?, row.get::<String>(2)?)),
    )?;
    Ok(match found {
        None => Seen::Never,
        Some((stored, ..)) if stored != digest => Seen::Mismatch,
        Some((_, status, body)) => {
            Seen::Answered(Answer { status: u16::try_from(status).unwrap_or(200), body })
        }
    })
}

/// Stores the answer, in the transaction of the effect it tells of.
pub fn keep(
    tx: &mut Tx<'_>,
    caller: &KeyId,
    key: &Key,
    digest: &Digest,
    answer: &Answer,
) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- idempotency::store::keep
         INSERT INTO idempotency (key_id, key, digest, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        params![caller, key.as_str(), digest, i64::from(answer.status), &answer.body, now],
    )?;
    Ok(())
}
