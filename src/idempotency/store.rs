//! Idempotency keys in the database.

use super::{Answer, Digest, Key, RETENTION_MS, Seen};
use crate::db::{self, Tx};
use crate::id::KeyId;
use crate::params;
use crate::time::Timestamp;

/// What is known of `key` for this caller; nothing if it was used so long ago that it is new again, forgotten
/// already or not.
pub fn look(tx: &mut Tx<'_>, caller: &KeyId, key: &Key, digest: &Digest) -> Result<Seen, db::Error> {
    let kept_since = kept_since(tx.now());
    let found = tx.query_opt(
        "-- idempotency::store::look
         SELECT digest, status, body FROM idempotency WHERE key_id = $1 AND key = $2 AND created_at > $3",
        params![caller, key.as_str(), kept_since],
        |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<i64>(1)?, row.get::<String>(2)?)),
    )?;
    Ok(match found {
        None => Seen::Never,
        Some((stored, status, body)) => {
            let answer = Answer { status: u16::try_from(status).unwrap_or(200), body };
            if stored == digest { Seen::Answered(answer) } else { Seen::Mismatch(answer) }
        }
    })
}

/// Stores the answer, in the transaction of the effect it tells of; over one of the same key that is too old
/// to be given again.
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
         INSERT INTO idempotency (key_id, key, digest, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (key_id, key)
         DO UPDATE SET digest = excluded.digest, status = excluded.status, body = excluded.body,
                       created_at = excluded.created_at",
        params![caller, key.as_str(), digest, i64::from(answer.status), &answer.body, now],
    )?;
    Ok(())
}

/// Forgets up to `limit` answers that are not given again, the oldest first; answers how many.
pub fn prune(tx: &mut Tx<'_>, limit: i64) -> Result<u64, db::Error> {
    let kept_since = kept_since(tx.now());
    tx.execute(
        "-- idempotency::store::prune
         DELETE FROM idempotency WHERE (key_id, key) IN (
             SELECT key_id, key FROM idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT $2)",
        params![kept_since, limit],
    )
}

/// Answers given after this instant are given again.
fn kept_since(now: Timestamp) -> Timestamp {
    now.plus_millis(-RETENTION_MS)
}
