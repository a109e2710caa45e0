//! One sweep over one store: the lists, the orders that neither shows, what orders wait for, the count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::booking::{self, Item, Judged, News};
use super::plan::{List, Phase, Place, State};
use super::report::{self, Counts, DIFFERENCES_MAX, Difference, Report, UNREAD_MAX, Unread, Waiting};
use super::store::{self, Mark};
use super::{Error, Lease, Progress, Step, Window, answers};
use crate::catalog::{self, Subject};
use crate::db::{self, Db, Keep};
use crate::order::apply::{self, Rules};
use crate::order::woo::{self, NotAnOrder};
use crate::shop::Store;
use crate::shop::rest::{self, Clients, OrderQuery, Rest};
use crate::time::Timestamp;

/// How many orders are written in one transaction: a debit waits for no more.
const BOOK_MAX: usize = 20;
/// How many orders are asked for before they are written.
const ASK_MAX: i64 = 20;
/// How many orders are counted at once.
const COUNT_MAX: i64 = 100;
/// How many things that orders wait for are asked in one sweep; the daemon's worker asks the rest.
const ANSWERS_MAX: u64 = 10_000;
/// How long the daemon's worker is waited for that asks the same shop.
const WORKER_MAX: Duration = Duration::from_secs(10);
/// How often is looked whether it has its answer.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many single orders in a row the shop may fail at before it is the shop that fails.
const STUMBLES_MAX: u32 = 3;
/// How many pages a list has at most: one that never ends is not read for ever.
const PAGES_MAX: u32 = 1_000_000;

/// Whether a sweep writes.
pub(super) enum Mode<'a> {
    /// It does, as long as it has this.
    Real(&'a Lease),
    /// It does not, and remembers what it would have noted.
    Trial(Box<Trial>),
}

/// What a dry run remembers.
#[derive(Default)]
pub(super) struct Trial {
    /// Orders the shop showed: eight bytes each, where a real sweep marks them in the database.
    seen: BTreeSet<i64>,
    counts: Counts,
    waiting: Vec<Waiting>,
    differences: Vec<Difference>,
}

pub(super) struct Sweep<'a> {
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
    pub(super) fn new(
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

    pub(super) async fn work(&mut self, resumed: bool) -> Result<Report, Error> {
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
        let (modified_at, order) = self.state.window.start();
        let missing = Phase::Missing { modified_at, order };
        self.state.phase = next.map_or(missing, |after| Phase::Recheck { after });
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
                                NotAnOrder::Unreadable(error) => {
                                    self.unread(Some(id), format!("it cannot be read: {error}"));
                                }
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
        let (mut answered, mut waited) = (0, Duration::ZERO);
        while answered < ANSWERS_MAX {
            match answers::step(self.db, self.clients, self.rules, Some(sweep)).await {
                Ok(true) => {
                    // The daemon's worker may be asking: what it learns counts.
                    let store = self.shop.id;
                    let under_way = self.db.read(|tx| catalog::store::lookup_is_under_way(tx, store))?;
                    if !under_way || waited >= WORKER_MAX {
                        break;
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                    waited += LOOK_EVERY;
                }
                Ok(false) => {
                    answered += 1;
                    self.tell("questions answered", answered, None);
                }
                Err(apply::Error::Database(error)) => return Err(error.into()),
                Err(apply::Error::Ledger(refusal)) => {
                    answered += 1;
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
