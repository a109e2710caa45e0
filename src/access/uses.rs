//! When keys were last used.
//!
//! Requests only note it in memory, and the daemon's worker writes it down, once for each key and hour: no request
//! waits for it, and a busy key costs no more than an idle one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::KeyId;
use crate::time::Timestamp;

/// The hours in which keys were last used. Cloning it shares them. It has one line for each key that works.
#[derive(Clone, Debug, Default)]
pub struct Uses(Arc<Mutex<HashMap<KeyId, Use>>>);

#[derive(Clone, Copy, Debug)]
struct Use {
    hour: Timestamp,
    is_written: bool,
}

impl Uses {
    /// Notes that a key was used.
    pub fn note(&self, key: &KeyId, at: Timestamp) {
        let hour = at.hour();
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(key) {
            Some(known) if hour <= known.hour => {}
            Some(known) => *known = Use { hour, is_written: false },
            None => {
                uses.insert(key.clone(), Use { hour, is_written: false });
            }
        }
    }

    /// What is not written down yet.
    #[must_use]
    pub fn unwritten(&self) -> Vec<(KeyId, Timestamp)> {
        let uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = uses.iter().filter(|(_, known)| !known.is_written);
        new.map(|(key, known)| (key.clone(), known.hour)).collect()
    }

    /// Notes that these are written down; a key that was used in a later hour meanwhile is to be written again.
    pub fn set_written(&self, written: &[(KeyId, Timestamp)]) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, hour) in written {
            if let Some(known) = uses.get_mut(key).filter(|known| known.hour == *hour) {
                known.is_written = true;
            }
        }
    }
}
