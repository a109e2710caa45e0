//! Reconciliation: what a shop has is compared with what the books have, and what differs is booked.
//!
//! A sweep reads both lists of the shop's orders (the trash is one of its own), asks for known orders that
//! neither showed, asks for what orders wait for, and counts. It goes the way of every reading through
//! [`order::apply`](crate::order::apply), so it books nothing that a delivery would not have booked, and a
//! second one writes nothing. One page is in memory at a time. Orders that are as they are known do not take
//! the writer one by one, and what differs is written a few orders at a time, so that no debit is held up.
//!
//! How far a sweep is stands in the database with each page: one that was cut off is gone on with. A lease there
//! lets only one process sweep a store at a time. Dropping the future of [`run`] stops a sweep at once: what
//! is being written is finished, the lease is given back.
//!
//! Not here: a refund that was deleted on an order that changed before the window. Nothing in the shop tells of
//! it; a sweep over all orders finds it.

pub mod answers;
mod booking;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod store;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use self::booking::{Item, Judged, News};
use self::plan::{List, Phase, Place, State};
use self::report::{Counts, DIFFERENCES_MAX, Difference, Report, UNREAD_MAX, Unread, Waiting};
use self::store::{Begun, Mark};
use crate::catalog::{self, Subject};
use crate::db::{self, Db, Keep};
use crate::order::apply::{self, Rules};
use crate::order::woo::{self, NotAnOrder};
use crate::shop::rest::{self, Clients, OrderQuery, Rest};
use crate::shop::{self, Store, StoreName};
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// How far back is read every night, and by hand unless said otherwise.
pub const WIDE_MS: i64 = 35 * DAY_MS;
/// How often that is.
pub const NIGHTLY_EVERY_MS: i64 = 24 * HOUR_MS;
/// How much of what was read before is read again: clocks differ, and dates have whole seconds.
pub const OVERLAP_MS: i64 = 10 * 60 * 1000;
/// How long a process that gives no sign of life is thought to sweep.
pub const LEASE_MS: i64 = 15 * 1000;
/// How often it gives one.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How many orders are written in one transaction: a debit waits for no more.
const BOOK_MAX: usize = 20;
/// How many orders are asked for before they are written.
const ASK_MAX: i64 = 20;
/// How many orders are counted at once.
const COUNT_MAX: i64 = 100;
/// How many things that orders wait for are asked in one sweep; the daemon's worker asks the rest.
const ANSWERS_MAX: usize = 10_000;
/// How many single orders in a row the shop may fail at before it is the shop that fails.
const STUMBLES_MAX: u32 = 3;
/// How many pages a list has at most: one that never ends is not read for ever.
const PAGES_MAX: u32 = 1_000_000;

/// Which orders a sweep looks at: those that changed after `since`, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The bound; `None` is all orders there are.
    pub since: Option<Timestamp>,
}

impl Window {
    /// All orders, also those that are known to be gone.
    pub const ALL: Self = Self { since: None };

    /// Orders that changed after `since`.
    #[must_use]
    pub const fn since(since: Timestamp) -> Self {
        Self { since: Some(since) }
    }

    /// Whether everything in `other` is in this one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        match (self.since, other.since) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => own <= other,
        }
    }

    /// Before the first known order in it.
    fn start(self) -> (Timestamp, i64) {
        match self.since {
            Some(since) => (since, i64::MAX),
            None => (Timestamp::from_millis(i64::MIN), i64::MIN),
        }
    }
}

/// Why a sweep did not come to its end. What it wrote until then stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing can be asked.
    #[error("store {0} has no REST keys, so its orders cannot be read")]
    NoKeys(StoreName),
    /// There may be one only.
    #[error("store {store} is being reconciled already")]
    Busy {
        /// The store.
        store: StoreName,
        /// Until when at least, without another sign of life.
        until: Timestamp,
    },
    /// It gave no sign of life for too long.
    #[error("another process has taken over the reconciliation of store {0}")]
    Ousted(StoreName),
    /// The shop does not answer.
    #[error("store {store}: {error}")]
    Shop {
        /// The store.
        store: StoreName,
        /// Why not.
        error: rest::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub doing: &'static str,
    /// Orders done of that.
    pub done: u64,
    /// How many there are, as far as that is known.
    pub total: Option<u64>,
}

/// Who is told how far a sweep is.
pub type Progress<'p> = &'p mut (dyn FnMut(Step) + Send);

/// Compares the store's orders with its shop, books what differs and counts.
///
/// # Errors
/// [`Error`]; what was written until then stays, and the next call goes on from there.
pub async fn run(
    db: &Db,
    clients: &Clients,
    rules: &Arc<Rules>,
    shop: &Store,
    window: Window,
    progress: Progress<'_>,
) -> Result<Report, Error> {
    let rest = client(db, clients, shop)?;
    let lease = Lease { db: db.clone(), store: shop.id, holder: uuid::Uuid::now_v7().to_string() };
    let (id, holder) = (shop.id, lease.holder.clone());
    let begun = db.write("reconcile::begin", move |tx| store::begin(tx, id, &holder, window)).await?;
    let (state, resumed) = match begun {
        Begun::Busy(until) => return Err(Error::Busy { store: shop.name.clone(), until }),
        Begun::Here { state, resumed } => (*state, resumed),
    };
    let mode = Mode::Real(&lease);
    let mut sweep = Sweep::new(db, clients, rest, rules, shop, state, mode, progress);
    let swept = {
        let work = std::pin::pin!(sweep.work(resumed));
        alive(db, shop, &lease, work).await
    };
    if let Err(Error::Shop { error, .. }) = &swept {
        let (id, holder) = (shop.id, lease.holder.clone());
        let (text, asked) = (error.to_string(), error.retry_after());
        db.write("reconcile::fail", move |tx| store::fail(tx, id, &holder, &text, asked)).await?;
    }
    swept
}

/// What [`run`] would do, with nothing written. It asks the shop for orders and refunds only.
///
/// # Errors
/// [`Error`].
pub async fn try_out(
    db: &Db,
    clients: &Clients,
    rules: &Arc<Rules>,
    shop: &Store,
    window: Window,
    progress: Progress<'_>,
) -> Result<Report, Error> {
    let rest = client(db, clients, shop)?;
    let state = State::new(0, db.clock().now(), window);
    let mode = Mode::Trial(Box::default());
    Sweep::new(db, clients, rest, rules, shop, state, mode, progress).work(false).await
}

fn client(db: &Db, clients: &Clients, shop: &Store) -> Result<Rest, Error> {
    let access = db.read(|tx| shop::store::access(tx, shop.id))?;
    let access = access.ok_or_else(|| Error::NoKeys(shop.name.clone()))?;
    clients.of(shop.id, &access).map_err(|error| Error::Shop { store: shop.name.clone(), error })
}

/// Works, and gives signs of life.
async fn alive<T>(
    db: &Db,
    shop: &Store,
    lease: &Lease,
    mut work: std::pin::Pin<&mut impl Future<Output = Result<T, Error>>>,
) -> Result<T, Error> {
    let mut beat = interval_at(Instant::now() + RENEW_EVERY, RENEW_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = beat.tick() => {
                let (id, holder) = (shop.id, lease.holder.clone());
                let held = db.write("reconcile::renew", move |tx| store::renew(tx, id, &holder)).await?;
                store::held(held, &shop.name)?;
            }
        }
    }
}

/// The right to sweep a store; given back when dropped.
struct Lease {
    db: Db,
    store: i64,
    holder: String,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (store, holder) = (self.store, std::mem::take(&mut self.holder));
        self.db.write_unwatched("reconcile::release", move |tx| store::release(tx, store, &holder));
    }
}

/// Whether a sweep writes.
enum Mode<'a> {
    /// It does, as long as it has this.
    Real(&'a Lease),
    /// It does not, and remembers what it would have noted.
    Trial(Box<Trial>),
}

/// What a dry run remembers.
#[derive(Default)]
struct Trial {
    /// Orders the shop showed: eight bytes each, where a real sweep marks them in the database.
    seen: BTreeSet<i64>,
    counts: Counts,
    waiting: Vec<Waiting>,
    differences: Vec<Difference>,
}

struct Sweep<'a> {
    db: &'a Db,
    clients: &'a Clients,
    rest: Rest,
    rules: &'a Arc<Rules>,
    shop: Arc<Store>,
    state: State,
    mode: Mode<'a>,
    progress: Progress<'a>,
    /// Orders of the page before: its last second comes again.
    before: BTreeSet<i64>,
    /// Orders in a row that the shop failed at.
    stumbles: u32,
    /// How many orders the list has, as far as the shop said so.
    total: Option<u64>,
}

impl<'a> Sweep<'a> {
    #[expect(clippy::too_many_arguments, reason = "all of them are its fields")]
    fn new(
        db: &'a Db,
        clients: &'a Clients,
        rest: Rest,
        rules: &'a Arc<Rules>,
        shop: &Store,
        state: State,
        mode: Mode<'a>,
        progress: Progress<'a>,
    ) -> Self {
        let (shop, before) = (Arc::new(shop.clone()), BTreeSet::new());
        Self { db, clients, rest, rules, shop, state, mode, progress, before, stumbles: 0, total: None }
    }

    async fn work(&mut self, resumed: bool) -> Result<Report, Error> {
        loop {
            match self.state.phase {
                Phase::List { list, at } => self.list(list, at).await?,
                Phase::Recheck { after } => self.recheck(after).await?,
                Phase::Missing { modified_at, order } => self.missing((modified_at, order)).await?,
                Phase::Settle => break,
            }
        }
        self.settle().await?;
        self.conclude(resumed).await
    }

    fn tell(&mut self, doing: &'static str, done: u64, total: Option<u64>) {
        (self.progress)(Step { doing, done, total });
    }

    fn shop_failed(&self, error: rest::Error) -> Error {
        Error::Shop { store: self.shop.name.clone(), error }
    }

    /// Notes that an order could not be read or booked.
    fn unread(&mut self, order: Option<i64>, reason: String) {
        let unread = Unread { order: order.map(|order| order.to_string()), reason };
        if self.state.unread.contains(&unread) {
            return;
        }
        self.state.unread_count += 1;
        if self.state.unread.len() < UNREAD_MAX {
            self.state.unread.push(unread);
        }
    }

    // The lists ---------------------------------------------------------------------------------------

    /// Reads one page of a list.
    async fn list(&mut self, list: List, at: Place) -> Result<(), Error> {
        if self.state.pages >= PAGES_MAX {
            return Err(self.shop_failed(rest::Error::Endless));
        }
        let asked_at = self.db.clock().now();
        let status = match list {
            List::Kept => None,
            List::Trash => Some("trash".to_owned()),
        };
        let query = OrderQuery { modified_after: at.after, status };
        let page = self.rest.orders_page(&query, at.page).await.map_err(|error| self.shop_failed(error))?;
        self.state.pages += 1;
        let (items, is_last, total) = match page {
            Some(page) => (page.items, page.is_last, page.total),
            None => (Vec::new(), true, None),
        };
        if at.page == 1 && at.pass == 1 {
            self.total = total.map(|total| self.state.orders + total);
        }
        let (mut dates, mut shown, mut readable) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut marks = Vec::new();
        for item in &items {
            let body = item.get().as_bytes();
            let named: Named = serde_json::from_slice(body).unwrap_or_default();
            let date = named.date_modified_gmt.as_deref().and_then(Timestamp::from_woo_gmt);
            // One whose date cannot be read stands where it stands.
            dates.extend(date.or(dates.last().copied()));
            if let Some(id) = named.id.filter(|id| shown.insert(*id)) {
                self.state.orders += u64::from(!self.before.contains(&id) && at.pass == 1);
            }
            match woo::parse_rest(body, None, &self.shop.site_keys) {
                Ok(order) => readable.push(Item { id: order.id, asked_at, order: Some(order) }),
                Err(error) => {
                    marks.extend(named.id.map(|order| Mark { order, confirms: None }));
                    self.unread(named.id, format!("it cannot be read: {error}"));
                }
            }
        }
        drop(items);
        self.before = shown;
        self.tell("orders read", self.state.orders, self.total);
        let (found, torn) = self.take(readable, &mut marks).await?;
        self.state.phase = match (at.next(&dates, is_last, found), list) {
            (Some(at), list) => Phase::List { list, at },
            (None, List::Kept) => {
                self.before.clear();
                Phase::List { list: List::Trash, at: Place::start(self.state.window.since) }
            }
            (None, List::Trash) => Phase::Recheck { after: i64::MIN },
        };
        self.save(marks, torn).await
    }

    // Orders that no list showed --------------------------------------------------------------------------

    async fn recheck(&mut self, after: i64) -> Result<(), Error> {
        let (store, sweep) = (self.shop.id, self.state.sweep);
        let ids = self.db.read(|tx| store::in_doubt(tx, store, sweep, after, ASK_MAX))?;
        let next = ids.last().copied();
        let (marks, torn) = self.ask(ids).await?;
        self.state.phase = match next {
            Some(after) => Phase::Recheck { after },
            None => {
                let (modified_at, order) = self.state.window.start();
                Phase::Missing { modified_at, order }
            }
        };
        self.save(marks, torn).await
    }

    async fn missing(&mut self, after: (Timestamp, i64)) -> Result<(), Error> {
        let (store, sweep) = (self.shop.id, self.state.sweep);
        let gone = self.state.window == Window::ALL;
        let rows = self.db.read(|tx| store::not_shown(tx, store, sweep, after, gone, ASK_MAX))?;
        let next = rows.last().copied();
        let (marks, torn) = self.ask(rows.into_iter().map(|(_, id)| id).collect()).await?;
        self.state.phase = match next {
            Some((modified_at, order)) => Phase::Missing { modified_at, order },
            None => Phase::Settle,
        };
        self.save(marks, torn).await
    }

    /// Asks for orders one by one.
    async fn ask(&mut self, ids: Vec<i64>) -> Result<(Vec<Mark>, Vec<(i64, String)>), Error> {
        let (mut marks, mut torn, mut items) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            if let Mode::Trial(trial) = &mut self.mode
                && !trial.seen.insert(id)
            {
                continue;
            }
            let asked_at = self.db.clock().now();
            let shown = match self.rest.whole_order(id).await {
                Ok(shown) => shown,
                Err(error) => {
                    self.stumble(id, error)?;
                    marks.push(Mark { order: id, confirms: None });
                    continue;
                }
            };
            self.stumbles = 0;
            let order = match &shown {
                None => None,
                Some(shown) => {
                    let refunds = Some(shown.refunds.as_slice()).filter(|refunds| *refunds != b"[]");
                    match woo::parse_rest(&shown.order, refunds, &self.shop.site_keys) {
                        Ok(order) => Some(order),
                        Err(error) => {
                            marks.push(Mark { order: id, confirms: None });
                            match error {
                                NotAnOrder::Torn(error) => torn.push((id, error.to_string())),
                                error => self.unread(Some(id), format!("it cannot be read: {error}")),
                            }
                            continue;
                        }
                    }
                }
            };
            items.push(Item { id, asked_at, order });
            self.tell("orders asked for", items.len() as u64, None);
        }
        let (_, more) = self.book_items(items, &mut marks).await?;
        torn.extend(more);
        Ok((marks, torn))
    }

    /// Goes on without an order that the shop fails at, unless it fails at one after the other.
    fn stumble(&mut self, order: i64, error: rest::Error) -> Result<(), Error> {
        use rest::Error as E;
        let is_its_own = matches!(
            error,
            E::Failed(_) | E::NotJson(_) | E::Unreadable(_) | E::TooLarge | E::Refused { .. }
        );
        self.stumbles += 1;
        if !is_its_own || self.stumbles >= STUMBLES_MAX {
            return Err(self.shop_failed(error));
        }
        self.unread(Some(order), error.to_string());
        Ok(())
    }

    // Booking -----------------------------------------------------------------------------------------------

    /// Books a page of a list; a dry run leaves out what it has seen.
    async fn take(
        &mut self,
        mut items: Vec<Item>,
        marks: &mut Vec<Mark>,
    ) -> Result<(bool, Vec<(i64, String)>), Error> {
        if let Mode::Trial(trial) = &mut self.mode {
            items.retain(|item| trial.seen.insert(item.id));
        }
        self.book_items(items, marks).await
    }

    /// Compares, reads the refunds that are not known, and books what differs. Answers whether anything did,
    /// and which orders must be read again because their halves do not fit together.
    async fn book_items(
        &mut self,
        items: Vec<Item>,
        marks: &mut Vec<Mark>,
    ) -> Result<(bool, Vec<(i64, String)>), Error> {
        let shop = Arc::clone(&self.shop);
        let judged = self.db.read(|tx| {
            items.into_iter().map(|item| booking::judge(tx, &shop, item)).collect::<Result<Vec<_>, _>>()
        })?;
        let (mut news, mut torn, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for judged in judged {
            match judged {
                Judged::Known(mark) => {
                    known.push(mark.order);
                    marks.push(mark);
                }
                Judged::News(new) => {
                    marks.push(Mark { order: new.order.id, confirms: None });
                    news.push(*new);
                }
                Judged::LacksRefunds(new) => {
                    marks.push(Mark { order: new.order.id, confirms: None });
                    let order = new.order.id;
                    match self.with_refunds(*new).await? {
                        Whole::Read(new) => news.push(*new),
                        Whole::Torn(reason) => torn.push((order, reason)),
                        Whole::Not => {}
                    }
                }
            }
        }
        self.count_known(known)?;
        let mut found = false;
        let mut news = news.into_iter().peekable();
        while news.peek().is_some() {
            found |= self.book(news.by_ref().take(BOOK_MAX).collect()).await?;
        }
        Ok((found, torn))
    }

    /// Reads the refunds of an order.
    async fn with_refunds(&mut self, new: News) -> Result<Whole, Error> {
        let id = new.order.id;
        let refunds = match self.rest.refunds(id).await {
            // Gone since the list was read: it is asked for by itself.
            Ok(None) => return Ok(Whole::Torn("it went while its refunds were read".to_owned())),
            Ok(Some(refunds)) => refunds,
            Err(error) => {
                self.stumble(id, error)?;
                return Ok(Whole::Not);
            }
        };
        self.stumbles = 0;
        let refunds = match woo::parse_refunds(&refunds) {
            Ok(refunds) => refunds,
            Err(error) => {
                self.unread(Some(id), format!("its refunds cannot be read: {error}"));
                return Ok(Whole::Not);
            }
        };
        Ok(match new.order.with_refunds(refunds) {
            Ok(order) => Whole::Read(Box::new(News { order, ..new })),
            Err(torn) => Whole::Torn(torn.to_string()),
        })
    }

    /// Books a few orders in one transaction, each for itself; answers whether that changed anything.
    async fn book(&mut self, news: Vec<News>) -> Result<bool, Error> {
        let (shop, rules) = (Arc::clone(&self.shop), Arc::clone(self.rules));
        let sweep = self.state.sweep;
        let (keep, holder) = match &self.mode {
            Mode::Real(lease) => (Keep::Effects, Some(lease.holder.clone())),
            Mode::Trial(_) => (Keep::Nothing, None),
        };
        let booked = self.db.write_keeping("reconcile::book", keep, move |tx| {
            // Whoever lost the lease writes no more.
            if let Some(holder) = &holder {
                store::held(store::renew(tx, shop.id, holder)?, &shop.name)?;
            }
            let mut booked = Booked::default();
            for new in news {
                let id = new.order.id;
                match booking::book(tx, &shop, &rules, new, sweep) {
                    Ok(None) => {}
                    Ok(Some((before, after))) => {
                        booked.changed += 1;
                        if keep == Keep::Nothing {
                            booked.differences.extend(before.differences(&after));
                        }
                    }
                    // One order that cannot be booked keeps no other from being booked.
                    Err(apply::Error::Ledger(refusal)) => booked.refused.push((id, refusal.to_string())),
                    Err(apply::Error::Database(error)) => return Err(error.into()),
                }
                if keep == Keep::Nothing {
                    count_one(tx, &shop, &rules, id, &mut booked.counts, &mut booked.waiting)?;
                }
            }
            Ok::<_, Error>(booked)
        });
        let booked = booked.await?;
        for (order, refusal) in booked.refused {
            tracing::warn!(store = %self.shop.name, order, refusal, "order {order} cannot be booked: {refusal}");
            self.unread(Some(order), format!("it cannot be booked: {refusal}"));
        }
        if let Mode::Trial(trial) = &mut self.mode {
            trial.counts = trial.counts.and(Counts { repaired: booked.changed, ..booked.counts });
            let room = DIFFERENCES_MAX.saturating_sub(trial.differences.len());
            trial.differences.extend(booked.differences.into_iter().take(room));
            let room = report::WAITING_MAX.saturating_sub(trial.waiting.len());
            trial.waiting.extend(booked.waiting.into_iter().take(room));
        }
        Ok(booked.changed > 0)
    }

    /// A dry run counts what it meets; a real one counts in the end, when all is booked.
    fn count_known(&mut self, ids: Vec<i64>) -> Result<(), Error> {
        let Mode::Trial(trial) = &mut self.mode else { return Ok(()) };
        let (shop, rules) = (&self.shop, self.rules);
        let (mut counts, mut waiting) = (trial.counts, std::mem::take(&mut trial.waiting));
        (trial.counts, trial.waiting) = self.db.read(|tx| {
            for id in ids {
                count_one(tx, shop, rules, id, &mut counts, &mut waiting)?;
            }
            Ok::<_, Error>((counts, waiting))
        })?;
        Ok(())
    }

    /// Writes what a page confirmed and how far the sweep is.
    async fn save(&mut self, marks: Vec<Mark>, torn: Vec<(i64, String)>) -> Result<(), Error> {
        let Mode::Real(lease) = &self.mode else { return Ok(()) };
        let (shop, state, holder) = (Arc::clone(&self.shop), self.state.clone(), lease.holder.clone());
        let saved = self.db.write("reconcile::save", move |tx| {
            for mark in marks {
                store::mark(tx, shop.id, state.sweep, mark)?;
            }
            for (order, reason) in torn {
                catalog::store::want(tx, shop.id, Subject::Order(order), &reason)?;
            }
            store::held(store::save(tx, shop.id, &holder, &state)?, &shop.name)
        });
        saved.await
    }

    // The end -----------------------------------------------------------------------------------------------

    /// Asks for what orders wait for.
    async fn settle(&mut self) -> Result<(), Error> {
        if matches!(self.mode, Mode::Trial(_)) {
            return Ok(());
        }
        let sweep = answers::Sweep { store: self.shop.id, number: self.state.sweep };
        for answered in 0..ANSWERS_MAX {
            match answers::step(self.db, self.clients, self.rules, Some(sweep)).await {
                Ok(true) => break,
                Ok(false) => self.tell("questions answered", answered as u64 + 1, None),
                Err(apply::Error::Database(error)) => return Err(error.into()),
                Err(apply::Error::Ledger(refusal)) => {
                    self.unread(None, format!("it cannot be booked: {refusal}"));
                }
            }
        }
        Ok(())
    }

    async fn conclude(&mut self, resumed: bool) -> Result<Report, Error> {
        let (mut counts, mut waiting, mut differences) = (Counts::default(), Vec::new(), None);
        match &mut self.mode {
            Mode::Trial(trial) => {
                (counts, waiting) = (trial.counts, std::mem::take(&mut trial.waiting));
                differences = Some(std::mem::take(&mut trial.differences));
            }
            Mode::Real(_) => self.count(&mut counts, &mut waiting)?,
        }
        counts.orders = self.state.orders;
        counts.unread = self.state.unread_count;
        if let Mode::Real(lease) = &self.mode {
            let (shop, state, holder) = (Arc::clone(&self.shop), self.state.clone(), lease.holder.clone());
            let finished = self.db.write("reconcile::finish", move |tx| {
                let counts = Counts { repaired: store::repaired(tx, shop.id, state.sweep)?, ..counts };
                store::held(store::finish(tx, shop.id, &holder, &state, &counts)?, &shop.name)?;
                Ok::<_, Error>(counts)
            });
            counts = finished.await?;
        }
        Ok(Report {
            store: self.shop.name.clone(),
            started_at: self.state.started_at,
            finished_at: self.db.clock().now(),
            resumed,
            window: self.state.window,
            counts,
            waiting,
            unread_orders: std::mem::take(&mut self.state.unread),
            differences,
        })
    }

    /// Counts the known orders of the window, a page at a time.
    fn count(&mut self, counts: &mut Counts, waiting: &mut Vec<Waiting>) -> Result<(), Error> {
        let settings = self.rules.settings(&self.shop);
        let store = self.shop.id;
        let mut after = self.state.window.start();
        let mut counted = 0;
        loop {
            let (page, sums, named) = self.db.read(|tx| {
                let page = store::counted(tx, store, after, COUNT_MAX)?;
                let (mut sums, mut named) = (*counts, std::mem::take(waiting));
                for one in &page {
                    booking::count(tx, store, &settings, one, &mut sums, &mut named)?;
                }
                let last = page.last().map(|one| (one.order.modified_at, one.order.id));
                Ok::<_, db::Error>(((last, page.len() as u64), sums, named))
            })?;
            (*counts, *waiting) = (sums, named);
            let (Some(last), length) = page else { return Ok(()) };
            (after, counted) = (last, counted + length);
            self.tell("orders counted", counted, None);
        }
    }
}

/// What a transaction of a few orders did.
#[derive(Default)]
struct Booked {
    changed: u64,
    refused: Vec<(i64, String)>,
    differences: Vec<Difference>,
    counts: Counts,
    waiting: Vec<Waiting>,
}

/// An order after its refunds were asked for.
enum Whole {
    /// With them.
    Read(Box<News>),
    /// The two do not fit together.
    Torn(String),
    /// They cannot be had; that is noted.
    Not,
}

/// As much of a listed order as says which it is, where the rest cannot be read.
#[derive(Default, Deserialize)]
struct Named {
    id: Option<i64>,
    date_modified_gmt: Option<String>,
}

fn count_one(
    tx: &mut db::Tx<'_>,
    shop: &Store,
    rules: &Rules,
    id: i64,
    counts: &mut Counts,
    waiting: &mut Vec<Waiting>,
) -> Result<(), db::Error> {
    let Some(known) = crate::order::store::find(tx, shop.id, id)? else { return Ok(()) };
    let one = store::Counted { order: known.order, parked: known.parked, attention: known.attention };
    booking::count(tx, shop.id, &rules.settings(shop), &one, counts, waiting)
}
