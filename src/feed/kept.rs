//! What was read of wallets, kept in memory for exactly as long as it is true.
//!
//! Three things, each by the name it was asked for: what surrounds a wallet, which is good until somebody writes any of
//! that; what the tables say of it, which is good until anything but a debit happens to its account, or time changes it;
//! and the last page about it, which is good until somebody writes anything of its account, or time changes what it says.
//! Only the instant it is true for is written anew for each reader. Who may see it is asked each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::page::Answer;
use super::{Around, Ground, Wallet};
use crate::access::Caller;
use crate::db::{Changes, Moment, Slot};
use crate::ledger::unsettled::Unsettled;
use crate::time::Timestamp;

/// How many pages are kept, and how many bytes of them: four thousand customers who have them open.
const PAGES_MAX: usize = 10_000;
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Of how many wallets it is kept what the tables say, and how many bytes of that.
const GROUNDS_MAX: usize = 10_000;
const GROUND_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Of how many wallets the surroundings are kept; of most they take a few hundred bytes.
const AROUND_MAX: usize = 20_000;

/// How long a page is kept at most: as long as readers may keep it themselves.
const PAGE_MS_MAX: i64 = 15_000;

/// All that is kept. Cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pages: Mutex<Shelf<Page>>,
    grounds: Mutex<Shelf<Grounds>>,
    around: Mutex<Shelf<Surroundings>>,
}

/// The surroundings of a wallet, and the moment before they were read.
#[derive(Clone, Debug)]
pub struct Surroundings {
    moment: Moment,
    /// What they are.
    pub around: Arc<Around>,
}

/// What the tables say of a wallet, and the moment before they were read.
#[derive(Debug)]
pub struct Grounds {
    moment: Moment,
    /// What they say.
    pub ground: Arc<Ground>,
    /// Where the writer leaves what they do not say.
    slot: Arc<Slot>,
}

#[derive(Debug)]
struct Page {
    moment: Moment,
    wallet: Arc<Wallet>,
    from: Timestamp,
    until: Timestamp,
    answer: Answer,
}

impl Surroundings {
    /// Whether nobody has written any of it.
    #[must_use]
    pub fn are_true(&self, changes: &Changes) -> bool {
        changes.no_setting_since(self.around.account(), self.moment)
    }
}

impl Grounds {
    /// Whether nothing but debits has changed any of it, and it is good `now`.
    #[must_use]
    pub fn are_true(&self, changes: &Changes, now: Timestamp) -> bool {
        (self.ground.from..self.ground.until).contains(&now)
            && changes.only_spent_since(self.ground.account(), self.moment)
    }

    /// What is unsettled, if that is known.
    #[must_use]
    pub fn unsettled(&self, changes: &Changes) -> Option<Arc<Unsettled>> {
        changes.left(&self.slot)
    }

    /// Keeps what is unsettled, as read after `moment`.
    pub fn keep_unsettled(&self, changes: &Changes, moment: Moment, unsettled: &Arc<Unsettled>) {
        changes.leave(self.ground.account(), &self.slot, moment, Arc::clone(unsettled));
    }
}

impl Kept {
    /// What surrounds the wallet `name`, if that is kept and true.
    #[must_use]
    pub fn around(&self, name: &str, changes: &Changes) -> Option<Surroundings> {
        let found = lock(&self.0.around).get(name)?;
        found.are_true(changes).then(|| (*found).clone())
    }

    /// Keeps what surrounds the wallet `name`, as read after `moment`.
    pub fn keep_around(&self, name: &str, moment: Moment, around: Arc<Around>) {
        lock(&self.0.around).put(name, Surroundings { moment, around }, 0, [AROUND_MAX, usize::MAX]);
    }

    /// The page about the wallet `name` as it is `now`, if that is kept and true and `caller` may see it.
    #[must_use]
    pub fn page(&self, name: &str, caller: &Caller, changes: &Changes, now: Timestamp) -> Option<Answer> {
        let page = lock(&self.0.pages).get(name)?;
        let is_true = (page.from..page.until).contains(&now)
            && changes.none_of_account_since(&page.wallet.account, page.moment)
            && caller.may_see(&page.wallet.subject());
        is_true.then(|| page.answer.at(now))
    }

    /// What the tables say of the wallet `name`, if that is kept and true `now` and `caller` may see it.
    #[must_use]
    pub fn ground(
        &self,
        name: &str,
        caller: &Caller,
        changes: &Changes,
        now: Timestamp,
    ) -> Option<Arc<Grounds>> {
        let found = lock(&self.0.grounds).get(name)?;
        let is_true = found.are_true(changes, now) && caller.may_see(&found.ground.wallet.subject());
        is_true.then_some(found)
    }

    /// Keeps what the tables say of the wallet `name`, as read after `moment` together with what is unsettled.
    pub fn keep_ground(
        &self,
        name: &str,
        changes: &Changes,
        moment: Moment,
        (ground, unsettled): (Arc<Ground>, Unsettled),
    ) {
        if ground.until <= ground.from {
            return;
        }
        let bytes = ground.bytes();
        let slot = changes.slot(ground.account());
        let grounds = Grounds { moment, ground, slot };
        grounds.keep_unsettled(changes, moment, &Arc::new(unsettled));
        lock(&self.0.grounds).put(name, grounds, bytes, [GROUNDS_MAX, GROUND_BYTES_MAX]);
    }

    /// Keeps the page about the wallet `name` that was made of `ground` and what was read after `moment`, for as long as
    /// it says the same.
    pub fn keep_page(&self, name: &str, moment: Moment, ground: &Ground, answer: Answer) {
        let from = answer.as_of;
        let until = ground.until.min(from.plus_millis(PAGE_MS_MAX));
        let bytes = answer.len();
        let page = Page { moment, wallet: Arc::clone(&ground.wallet), from, until, answer };
        lock(&self.0.pages).put(name, page, bytes, [PAGES_MAX, PAGE_BYTES_MAX]);
    }
}

/// Things by name, the ones that were not asked for longest thrown out first, half of all at a time.
#[derive(Debug)]
struct Shelf<T> {
    new: HashMap<Box<str>, (Arc<T>, usize)>,
    old: HashMap<Box<str>, (Arc<T>, usize)>,
    /// How large what is new is.
    bytes: usize,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { new: HashMap::new(), old: HashMap::new(), bytes: 0 }
    }
}

impl<T> Shelf<T> {
    fn get(&mut self, name: &str) -> Option<Arc<T>> {
        if let Some((found, _)) = self.new.get(name) {
            return Some(Arc::clone(found));
        }
        let (name, (found, bytes)) = self.old.remove_entry(name)?;
        self.bytes += bytes;
        self.new.insert(name, (Arc::clone(&found), bytes));
        Some(found)
    }

    fn put(&mut self, name: &str, thing: T, bytes: usize, [number_max, bytes_max]: [usize; 2]) {
        if self.new.len() >= number_max / 2 || self.bytes + bytes > bytes_max / 2 {
            self.old = std::mem::take(&mut self.new);
            self.bytes = 0;
        }
        self.old.remove(name);
        let before = self.new.insert(name.into(), (Arc::new(thing), bytes));
        self.bytes = self.bytes + bytes - before.map_or(0, |(_, bytes)| bytes);
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
    fn a_shelf_keeps_what_is_asked_for_and_never_more_than_it_may() {
        let mut shelf = Shelf::default();
        for number in 0..1000_usize {
            shelf.put(&number.to_string(), number, 10, [100, 400]);
            assert_eq!(shelf.get("0").as_deref(), Some(&0));
            assert!(shelf.new.len() + shelf.old.len() <= 42, "{} and {}", shelf.new.len(), shelf.old.len());
            let bytes: usize = shelf.new.values().map(|(_, bytes)| bytes).sum();
            assert_eq!(shelf.bytes, bytes);
        }
        assert_eq!(shelf.get("999").as_deref(), Some(&999));
        assert!(shelf.get("1").is_none());
        shelf.put("999", 7, 10, [100, 400]);
        assert_eq!(shelf.get("999").as_deref(), Some(&7));
    }
}
