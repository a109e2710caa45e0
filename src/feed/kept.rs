//! What was read of wallets, kept in memory for exactly as long as it is true.
//!
//! Three things, each by the name it was asked for: what surrounds a wallet, which is good until somebody writes any of
//! that; what the tables say of it, which is good until anything but a debit happens to its account, or time changes it;
//! and the last page about it, which is good until somebody writes anything of its account, or time changes what it says.
//! Only the instant it is true for is written anew for each reader. Who may see it is asked each time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::page::Answer;
use super::{Around, Ground, Wallet};
use crate::access::Caller;
use crate::db::{Changes, Moment, Slot};
use crate::ledger::unsettled::Unsettled;
use crate::recent::Recent;
use crate::time::Timestamp;

/// How many pages are kept, and how many bytes of them: four thousand customers who have them open.
const PAGES_MAX: usize = 10_000;
const PAGE_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Of how many wallets it is kept what the tables say, and how many bytes of that.
const GROUNDS_MAX: usize = 10_000;
const GROUND_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Of how many wallets the surroundings are kept; of most they take a few hundred bytes.
const AROUND_MAX: usize = 20_000;

/// How long a page is kept at most: as long as readers may keep it themselves.
const PAGE_MS_MAX: i64 = 15_000;

/// All that is kept. Cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Inner>);

/// By the name of the wallet.
type Shelf<T> = Mutex<Recent<Box<str>, Arc<T>>>;

#[derive(Debug)]
struct Inner {
    pages: Shelf<Page>,
    grounds: Shelf<Grounds>,
    around: Shelf<Surroundings>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            pages: Mutex::new(Recent::weighing(PAGES_MAX, PAGE_BYTES_MAX)),
            grounds: Mutex::new(Recent::weighing(GROUNDS_MAX, GROUND_BYTES_MAX)),
            around: Mutex::new(Recent::of(AROUND_MAX)),
        }
    }
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
        let found = lock(&self.0.around).get(name).cloned()?;
        found.are_true(changes).then(|| (*found).clone())
    }

    /// Keeps what surrounds the wallet `name`, as read after `moment`.
    pub fn keep_around(&self, name: &str, moment: Moment, around: Arc<Around>) {
        lock(&self.0.around).put(name.into(), Arc::new(Surroundings { moment, around }));
    }

    /// The page about the wallet `name` as it is `now`, if that is kept and true and `caller` may see it.
    #[must_use]
    pub fn page(&self, name: &str, caller: &Caller, changes: &Changes, now: Timestamp) -> Option<Answer> {
        let page = lock(&self.0.pages).get(name).cloned()?;
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
        let found = lock(&self.0.grounds).get(name).cloned()?;
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
        lock(&self.0.grounds).put_weighing(name.into(), Arc::new(grounds), bytes);
    }

    /// Keeps the page about the wallet `name` that was made of `ground` and what was read after `moment`, for as long as
    /// it says the same.
    pub fn keep_page(&self, name: &str, moment: Moment, ground: &Ground, answer: Answer) {
        let from = answer.as_of;
        let until = ground.until.min(from.plus_millis(PAGE_MS_MAX));
        let bytes = answer.len();
        let page = Page { moment, wallet: Arc::clone(&ground.wallet), from, until, answer };
        lock(&self.0.pages).put_weighing(name.into(), Arc::new(page), bytes);
    }
}

/// None of these locks is held over anything that can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
