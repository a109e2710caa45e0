//! Compares what a shop showed with what is known, books what differs, and counts what is booked.

use std::collections::BTreeMap;

use super::report::{Counts, Difference, WAITING_MAX, Waiting};
use super::store::{self, Booked, Counted, Mark};
use crate::db::{self, Tx};
use crate::id::AccountId;
use crate::inbox;
use crate::order::apply::{self, Outcome, Rules, Source};
use crate::order::newer::{self, Seen};
use crate::order::reading::OPERATION;
use crate::order::store::KnownLine;
use crate::order::target::{Settings, Standing};
use crate::order::{self, Order};
use crate::shop::Store;
use crate::time::Timestamp;

/// An order as the shop showed it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its number.
    pub(super) id: i64,
    /// When the shop was asked.
    pub(super) asked_at: Timestamp,
    /// What it showed; `None` when it has the order no more.
    pub(super) order: Option<Order>,
}

/// How what the shop showed stands to what is known.
#[derive(Clone, Debug)]
pub(super) enum Judged {
    /// It is what is known; at most that is to be noted.
    Known(Mark),
    /// It differs.
    News(Box<News>),
    /// It names refunds whose lines are not known.
    LacksRefunds(Box<News>),
}

/// A state to be applied.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// The state.
    pub(super) order: Order,
    /// When the shop was asked.
    pub(super) asked_at: Timestamp,
}

/// Compares what the shop showed of an order with what is known of it.
pub(super) fn judge(tx: &mut Tx<'_>, shop: &Store, item: Item) -> Result<Judged, db::Error> {
    let Item { id, asked_at, order } = item;
    let known = order::store::find(tx, shop.id, id)?;
    let seen = |confirms| Ok(Judged::Known(Mark { order: id, confirms }));
    let Some(mut order) = order.or_else(|| known.as_ref().map(|known| known.order.deleted())) else {
        return seen(None);
    };
    if let Some(known) = &known {
        order.recall_refunds(&known.order);
        let was_there = known.order.status != order::DELETED;
        if was_there && order.modified_at < known.order.modified_at {
            return seen(None);
        }
        // An order without lines is believed only when the shop shows it.
        let is_settled = known.parked.is_none()
            && known.attention.is_none()
            && (!order.lines.is_empty() || known.seen.is_shown());
        if is_settled && !order.lacks_refund_details() && newer::is_known(&known.order, &order) {
            return seen(Some((asked_at, known.applied_at)));
        }
    }
    let lacks = order.lacks_refund_details();
    let news = Box::new(News { order, asked_at });
    Ok(if lacks { Judged::LacksRefunds(news) } else { Judged::News(news) })
}

/// Books a state; answers what that changed beyond that the shop showed it, if it changed anything. Where it did
/// not, nothing is written but that note.
pub(super) fn book(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    news: News,
    sweep: i64,
) -> Result<Option<(Snapshot, Snapshot)>, apply::Error> {
    let (id, asked_at) = (news.order.id, news.asked_at);
    let source = Source { operation: OPERATION, seen: Seen::Shown { asked_at } };
    let booked = tx.attempt(|tx| {
        let before = Snapshot::of(tx, shop.id, id)?;
        let applied = apply::apply(tx, shop, rules, news.order, source)?;
        if before.is_parked() && !matches!(applied.outcome, Outcome::Parked | Outcome::Stale | Outcome::Asked)
        {
            inbox::store::unpark(tx, shop.id, id)?;
        }
        let after = Snapshot::of(tx, shop.id, id)?;
        match applied.outcome {
            // That it is to be read again stays.
            Outcome::Stale | Outcome::Asked => Ok(None),
            _ if before == after => Err(Undone::Unchanged),
            _ => Ok(Some((before, after))),
        }
    });
    match booked {
        Ok(changed) => {
            if changed.is_some() {
                store::mark_repaired(tx, shop.id, id, sweep)?;
            }
            Ok(changed)
        }
        Err(Undone::Failed(error)) => Err(error),
        Err(Undone::Unchanged) => {
            if let Some(known) = order::store::find(tx, shop.id, id)? {
                let confirms = Some((asked_at, known.applied_at));
                store::mark(tx, shop.id, sweep, Mark { order: id, confirms })?;
            }
            Ok(None)
        }
    }
}

/// Why what was booked is taken back.
enum Undone {
    /// It is what there was, written anew.
    Unchanged,
    /// It could not be booked.
    Failed(apply::Error),
}

impl From<apply::Error> for Undone {
    fn from(error: apply::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<db::Error> for Undone {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// All that applying a state of an order may change, but for when and how it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot(Option<Content>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    order: Order,
    account: Option<AccountId>,
    parked: Option<String>,
    attention: Option<String>,
    lines: Vec<KnownLine>,
}

impl Snapshot {
    pub(super) fn of(tx: &mut Tx<'_>, store: i64, id: i64) -> Result<Self, db::Error> {
        let Some(known) = order::store::find(tx, store, id)? else { return Ok(Self(None)) };
        let mut order = known.order;
        // Without refunds there is nothing to know of them.
        order.refund_details = order.refund_details.filter(|details| !details.is_empty());
        let (account, parked, attention) = (known.account, known.parked, known.attention);
        let mut lines = order::store::lines(tx, store, id)?;
        // What a line would be worth that brings nothing can be learned when it is to bring something.
        for line in lines.iter_mut().filter(|line| line.booked.is_zero() && line.target.is_zero()) {
            (line.is_tokens, line.worth, line.worth_from) = (None, None, None);
        }
        Ok(Self(Some(Content { order, account, parked, attention, lines })))
    }

    fn is_parked(&self) -> bool {
        self.0.as_ref().is_some_and(|content| content.parked.is_some())
    }

    /// What leads from this to `after`, for people.
    pub(super) fn differences(&self, after: &Self) -> Vec<Difference> {
        let Some(new) = &after.0 else { return Vec::new() };
        let (order, old) = (new.order.id, self.0.as_ref());
        let known: BTreeMap<i64, &KnownLine> =
            old.map(|old| old.lines.iter().map(|line| (line.line, line)).collect()).unwrap_or_default();
        let what = new.differs_from(old);
        let lines = new.lines.iter().filter_map(|line| {
            let had = known.get(&line.line).map(|line| line.booked).unwrap_or_default();
            let (booked, should_be) = (Some(had), Some(line.target));
            let differs = had != line.booked;
            differs.then(|| Difference {
                order,
                line: Some(line.line),
                what: what.clone(),
                booked,
                should_be,
            })
        });
        let mut found: Vec<_> = lines.collect();
        if found.is_empty() {
            found.push(Difference { order, line: None, what, booked: None, should_be: None });
        }
        found
    }
}

impl Content {
    /// How it came to be from what was known, in words.
    fn differs_from(&self, old: Option<&Self>) -> String {
        let order = &self.order;
        let mut what = match old {
            None => format!("nobody told of it ({})", order.status),
            Some(old) if old.order.status != order.status => {
                format!("{} → {}", old.order.status, order.status)
            }
            Some(old) if old.order.refunds != order.refunds => "its refunds changed".to_owned(),
            Some(old) if old.order.refund_details != order.refund_details => {
                "the lines of its refunds become known".to_owned()
            }
            Some(old) if old.order != *order => "it was changed".to_owned(),
            Some(_) => "a fact became known".to_owned(),
        };
        let (parked, attention) =
            (old.and_then(|old| old.parked.as_ref()), old.and_then(|old| old.attention.as_ref()));
        for (says, now, before) in [("waits", &self.parked, parked), ("look at", &self.attention, attention)]
        {
            if let Some(reason) = now.as_ref().filter(|_| now.as_ref() != before) {
                what = format!("{what}; {says}: {reason}");
            }
        }
        what
    }
}

/// Adds an order to the counts.
pub(super) fn count(
    tx: &mut Tx<'_>,
    store: i64,
    settings: &Settings,
    counted: &Counted,
    counts: &mut Counts,
    waiting: &mut Vec<Waiting>,
) -> Result<(), db::Error> {
    let Counted { order, parked, attention } = counted;
    if let Some(reason) = parked {
        counts.parked += 1;
        if waiting.len() < WAITING_MAX {
            waiting.push(Waiting { order: order.id, reason: reason.clone() });
        }
    }
    let is_paid = order::target::standing(order, settings) == Standing::Paid;
    for Booked { target, booked, given, left } in store::lines(tx, store, order.id)? {
        let counts_as_paid = is_paid && !target.is_zero();
        counts.paid_lines += u64::from(counts_as_paid);
        if booked < target || given < booked {
            counts.missing += 1;
        } else if booked > target && !left.is_zero() && parked.is_none() && attention.is_none() {
            // What cannot be spent any more, because it lapsed or the shop bears it, is nothing too much.
            counts.extra += 1;
        } else if counts_as_paid {
            counts.granted += 1;
        }
    }
    Ok(())
}
