//! Who has which key, kept in memory for as long as it is true.
//!
//! A key that is revoked, has a new secret or is over opens nothing from that instant, whichever program did it: what
//! is kept is good only while nothing changed since it was read ([`Changes`]) and its own time is not over.

use std::sync::{Arc, Mutex, PoisonError};

use super::Caller;
use super::origin::Seen;
use crate::db::{Changes, Moment};
use crate::recent::Recent;
use crate::time::Timestamp;

/// How many keys are kept: more than work at the same time in a large shop, in a few megabytes.
const KEYS_MAX: usize = 4096;

/// The callers of late, by the hashes of their secrets. Cloning it shares them.
#[derive(Clone, Debug)]
pub struct Callers(Arc<Mutex<Recent<[u8; 32], Entry>>>);

#[derive(Clone, Debug)]
struct Entry {
    /// From before it was read.
    moment: Moment,
    known: Known,
}

/// Somebody with a valid key, and what else decides whether a request is let in.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who.
    pub caller: Caller,
    /// From when the secret opens nothing, if that is known.
    pub until: Option<Timestamp>,
    /// The websites known of a key that is for one.
    pub websites: Arc<[Seen]>,
}

impl Default for Callers {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Recent::of(KEYS_MAX))))
    }
}

impl Callers {
    /// Who has the secret with this hash, if that is kept and still true at `now`.
    #[must_use]
    pub fn get(&self, hash: &[u8; 32], changes: &Changes, now: Timestamp) -> Option<Known> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry { moment, known } = callers.get(hash)?;
        let is_true = changes.none_since(*moment) && known.until.is_none_or(|until| now < until);
        is_true.then(|| known.clone())
    }

    /// Keeps who has the secret with this hash, as read after `moment`.
    pub fn keep(&self, hash: [u8; 32], moment: Moment, known: Known) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.put(hash, Entry { moment, known });
    }
}
