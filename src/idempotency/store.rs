//! Idempotency keys in the database.
//!
//! Answers are rows in order of time, found by a number: the 30 days in which they were given and, within these,
//! a part of the SHA-256 of who asked and with which key. So what is written stays close together, and an index
//! entry is a number however long the key. Two keys with one number are told apart by their texts. That a key is
//! there once is seen to by the one writer: it looks in the transaction in which it keeps.

use super::{Answer, Digest, NUMBER_BYTES, OwnKey, RETENTION_MS, Seen};
use crate::db::{self, Row, Tx};
use crate::params;
use crate::time::Timestamp;

/// What is known of a caller's key; nothing if it was used so long ago that it is new again, forgotten already or not.
pub fn look(tx: &mut Tx<'_>, key: &OwnKey, digest: &Digest) -> Result<Seen, db::Error> {
    let now = tx.now();
    // Whatever is still given again is at most one generation old; a clock that was set back leaves younger ones.
    // Told one by one, because SQLite makes a table of a list.
    let [today, earlier, later] = [0, -1, 1].map(|away| place(generation(now) + away, key.number));
    let seen = |row: &Row<'_>| Ok((row.get::<Vec<u8>>(0)?, row.get::<i64>(1)?, row.get::<String>(2)?));
    let found = if has_strangers(tx)? {
        tx.query_opt(
            "-- idempotency::store::look
         SELECT digest, status, body FROM idempotency
         WHERE hash = $1 AND key = $5 AND key_id = $4 AND created_at > $6
         UNION ALL
         SELECT digest, status, body FROM idempotency
         WHERE hash = $2 AND key = $5 AND key_id = $4 AND created_at > $6
         UNION ALL
         SELECT digest, status, body FROM idempotency
         WHERE hash = $3 AND key = $5 AND key_id = $4 AND created_at > $6
         UNION ALL
         SELECT digest, status, body FROM idempotency_before
         WHERE key_id = $4 AND key = $5 AND created_at > $6",
            params![today, earlier, later, &key.caller, key.key.as_str(), kept_since(now)],
            seen,
        )?
    } else {
        tx.query_opt(
            "-- idempotency::store::look (usual)
             SELECT digest, status, body FROM idempotency
             WHERE hash = $1 AND key = $4 AND key_id = $3 AND created_at > $5
             UNION ALL
             SELECT digest, status, body FROM idempotency
             WHERE hash = $2 AND key = $4 AND key_id = $3 AND created_at > $5",
            params![today, earlier, &key.caller, key.key.as_str(), kept_since(now)],
            seen,
        )?
    };
    Ok(match found {
        None => Seen::Never,
        Some((stored, status, body)) => {
            let answer = Answer { status: u16::try_from(status).unwrap_or(200), body };
            if stored == digest { Seen::Answered(answer) } else { Seen::Mismatch(answer) }
        }
    })
}

/// What the writer remembers: in this generation there are answers of an earlier version or of a later generation, or
/// there are none.
#[derive(Debug, Default)]
struct Strangers(Option<(i64, bool)>);

/// Whether there are answers of an earlier version, or of a clock that was set back since. Only the writer is sure that
/// there are none.
fn has_strangers(tx: &mut Tx<'_>) -> Result<bool, db::Error> {
    let generation = generation(tx.now());
    match tx.memory().map(|memory| memory.of::<Strangers>().0) {
        None => return Ok(true),
        Some(Some((of, known))) if of == generation => return Ok(known),
        Some(_) => {}
    }
    let found: Option<i64> = tx.query_opt(
        "-- idempotency::store::has_strangers
         SELECT CAST(1 AS BIGINT) FROM idempotency WHERE hash >= $1
         UNION ALL
         SELECT CAST(1 AS BIGINT) FROM idempotency_before LIMIT 1",
        params![place(generation + 1, 0)],
        |row| row.get(0),
    )?;
    if let Some(memory) = tx.memory() {
        memory.of::<Strangers>().0 = Some((generation, found.is_some()));
    }
    Ok(found.is_some())
}

/// Stores the answer to a request that was [looked for](look) in the same transaction and is new, with the effect
/// it tells of.
pub fn keep(tx: &mut Tx<'_>, key: &OwnKey, digest: &Digest, answer: &Answer) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- idempotency::store::keep
         INSERT INTO idempotency (hash, key_id, key, digest, status, body, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            place(generation(now), key.number),
            &key.caller,
            key.key.as_str(),
            digest,
            i64::from(answer.status),
            &answer.body,
            now
        ],
    )?;
    if let Some(memory) = tx.memory() {
        let known = &mut memory.of::<Strangers>().0;
        // A stranger to the generation of which something is known, if the clock is set back to that.
        *known = known.filter(|(of, _)| *of == generation(now));
    }
    Ok(())
}

/// Forgets up to `limit` answers that are not given again, and as many of an earlier version, the oldest first;
/// answers how many. It reads no more rows than that, so it costs the same however many are young.
pub fn prune(tx: &mut Tx<'_>, limit: i64) -> Result<u64, db::Error> {
    let kept_since = kept_since(tx.now());
    let forgotten = tx.execute(
        "-- idempotency::store::prune
         DELETE FROM idempotency WHERE seq IN (
             SELECT seq FROM (SELECT seq, created_at FROM idempotency ORDER BY seq LIMIT $2) front
             WHERE created_at <= $1)",
        params![kept_since, limit],
    )?;
    let before = tx.execute(
        "-- idempotency::store::prune_before
         DELETE FROM idempotency_before WHERE (key_id, key) IN (
             SELECT key_id, key FROM idempotency_before WHERE created_at <= $1 ORDER BY created_at LIMIT $2)",
        params![kept_since, limit],
    )?;
    Ok(forgotten + before)
}

/// Answers given after this instant are given again.
fn kept_since(now: Timestamp) -> Timestamp {
    now.plus_millis(-RETENTION_MS)
}

/// The number of the 30 days that an instant lies in.
fn generation(at: Timestamp) -> i64 {
    at.millis().div_euclid(RETENTION_MS)
}

/// Where answers of a generation are looked for.
fn place(generation: i64, number: i64) -> i64 {
    generation << (8 * NUMBER_BYTES) | number
}
