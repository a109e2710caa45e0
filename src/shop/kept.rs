//! Stores with what their deliveries may be signed with, kept in memory for as long as it is true.
//!
//! A secret that was changed opens nothing from that instant on, whichever program changed it: what is kept is good
//! only while nothing changed since it was read ([`Changes`](crate::db::Changes)), and until an old secret is over.

use std::sync::{Arc, Mutex, PoisonError};

use super::store::{self, Secrets};
use super::{Store, StoreName};
use crate::db::{self, Db, Moment};
use crate::recent::Recent;
use crate::time::Timestamp;

/// How many stores are kept: more than anybody has.
const STORES_MAX: usize = 1024;

/// A store and its secrets.
#[derive(Debug)]
pub struct Known {
    /// The store.
    pub store: Store,
    /// What its deliveries may be signed with.
    pub secrets: Secrets,
}

/// The stores that delivered of late. Cloning it shares them.
#[derive(Clone, Debug)]
pub struct Stores(Arc<Mutex<Recent<StoreName, Entry>>>);

#[derive(Clone, Debug)]
struct Entry {
    /// From before it was read.
    moment: Moment,
    known: Arc<Known>,
}

impl Default for Stores {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Recent::of(STORES_MAX))))
    }
}

impl Stores {
    /// The store named `name`, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn find(&self, db: &Db, name: &StoreName) -> Result<Option<Arc<Known>>, db::Error> {
        db.look()?;
        let now = db.clock().now();
        let kept = db.changes().and_then(|changes| {
            let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = stores.get(name)?;
            let is_true = changes.none_since(entry.moment) && !entry.known.is_over(now);
            is_true.then(|| Arc::clone(&entry.known))
        });
        if kept.is_some() {
            return Ok(kept);
        }
        let moment = db.changes().map(db::Changes::moment);
        let found = db.read(|tx| store::find_with_secrets(tx, name))?;
        let found = found.map(|(store, secrets)| Arc::new(Known { store, secrets }));
        if let (Some(moment), Some(known)) = (moment, &found) {
            let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            stores.put(name.clone(), Entry { moment, known: Arc::clone(known) });
        }
        Ok(found)
    }
}

impl Known {
    /// Whether its old secret, if it had one, is no longer taken.
    fn is_over(&self, now: Timestamp) -> bool {
        self.secrets.until.is_some_and(|until| until <= now)
    }
}
