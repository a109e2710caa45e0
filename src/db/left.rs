//! What the writer leaves of an account for those who keep what else is said of it.
//!
//! A debit changes the row of its account and nothing else that is read of it, and the writer knows what that says. So
//! whoever keeps what the tables say of an account has its [`Slot`]: the writer empties it before a commit that writes to
//! the account, and leaves there after it what the row says now. An empty slot says: read the row.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::changes::Moment;
use crate::id::AccountId;

/// What is left, of whatever type it is.
pub(super) type Left = Arc<dyn Any + Send + Sync>;

/// What is known of an account's row.
#[derive(Debug, Default)]
pub struct Slot(Mutex<Option<(Moment, Left)>>);

impl Slot {
    /// What was left, and the moment at which it was true.
    pub(super) fn get(&self) -> Option<(Moment, Left)> {
        lock(&self.0).clone()
    }

    pub(super) fn set(&self, left: Option<(Moment, Left)>) {
        *lock(&self.0) = left;
    }

    /// Sets it if `is_true` says so: whoever empties it meanwhile waits, and empties it after that.
    pub(super) fn set_if(&self, left: (Moment, Left), is_true: impl FnOnce() -> bool) {
        let mut slot = lock(&self.0);
        if is_true() {
            *slot = Some(left);
        }
    }
}

/// The slots that somebody has.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    of: HashMap<AccountId, Arc<Slot>>,
    /// When there are so many, those that nobody has go.
    many: usize,
}

/// Below this it is not worth looking which of them nobody has.
const FEW: usize = 1024;

impl Slots {
    /// The slot of an account.
    pub(super) fn of(&self, account: &AccountId) -> Arc<Slot> {
        let mut known = lock(&self.0);
        if known.of.len() >= known.many.max(FEW) {
            known.of.retain(|_, slot| Arc::strong_count(slot) > 1);
            known.many = known.of.len() * 2;
        }
        Arc::clone(known.of.entry(account.clone()).or_default())
    }

    /// Hands each slot that somebody has of `accounts` to `visit`.
    pub(super) fn each<'a>(
        &self,
        accounts: impl Iterator<Item = &'a AccountId>,
        mut visit: impl FnMut(&AccountId, &Slot),
    ) {
        let known = lock(&self.0);
        if known.of.is_empty() {
            return;
        }
        for account in accounts {
            if let Some(slot) = known.of.get(account) {
                visit(account, slot);
            }
        }
    }
}

/// None of these locks is held over anything that can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_nobody_has_go() {
        let slots = Slots::default();
        let kept: Vec<(AccountId, Arc<Slot>)> = (0..10)
            .map(|_| {
                let account = AccountId::new();
                let slot = slots.of(&account);
                (account, slot)
            })
            .collect();
        for _ in 0..5 * FEW {
            slots.of(&AccountId::new());
        }
        assert!(lock(&slots.0).of.len() <= FEW);
        for (account, slot) in &kept {
            assert!(Arc::ptr_eq(slot, &slots.of(account)));
        }
        let mut seen = 0;
        slots.each(kept.iter().map(|(account, _)| account).chain([&AccountId::new()]), |_, _| seen += 1);
        assert_eq!(seen, kept.len());
    }
}
