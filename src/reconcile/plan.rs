//! Where to go on reading, whether an old sweep may go on, and when the next one begins.
//!
//! Pure: no database, no clock, no runtime.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::Unread;
use super::{NIGHTLY_EVERY_MS, OVERLAP_MS, WIDE_MS, Window};
use crate::time::Timestamp;

/// How often a stretch of pages is read at most that only their numbers tell apart.
pub const PASSES_MAX: u32 = 3;
/// How old a sweep may be that is gone on with.
pub const RESUME_MS_MAX: i64 = 60 * 60 * 1000;
/// The pause after the first failure; each later one is twice as long.
const PAUSE_FIRST_MS: i64 = 60 * 1000;
/// The longest pause.
const PAUSE_MS_MAX: i64 = 60 * 60 * 1000;

/// A page of a list of orders.
///
/// Where the shop sorts by date of change, the next page is asked for by date: an order that changes while
/// the list is read moves to its end, and by number one behind it would slip through to a page already read.
/// Within one second, or where the shop does not sort, there are only numbers; such a stretch is read again
/// until nothing new is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Only orders changed after the second this lies in.
    pub after: Option<Timestamp>,
    /// The number of the page, from 1.
    pub page: u32,
    /// How many times this stretch is being read, from 1.
    pub pass: u32,
    /// Whether this pass found anything.
    pub found: bool,
}

impl Place {
    /// The first page of what changed after `since`.
    #[must_use]
    pub const fn start(since: Option<Timestamp>) -> Self {
        Self { after: since, page: 1, pass: 1, found: false }
    }

    /// The page after this one, which showed orders of these `dates`; `None` after the last.
    #[must_use]
    pub fn next(self, dates: &[Timestamp], is_last: bool, found: bool) -> Option<Self> {
        let here = Self { found: self.found || found, ..self };
        if is_last || dates.is_empty() {
            return here.again();
        }
        match here.later(dates) {
            // The stretch that ends here was read by numbers alone.
            Some(after) => here.again().or(Some(Self::start(Some(after)))),
            None => Some(Self { page: here.page.saturating_add(1), ..here }),
        }
    }

    /// The same stretch from its start, if something may have slipped through.
    fn again(self) -> Option<Self> {
        let is_doubtful = self.page > 1 && (self.pass == 1 || (self.found && self.pass < PASSES_MAX));
        is_doubtful.then_some(Self { page: 1, pass: self.pass + 1, found: false, ..self })
    }

    /// From when on to ask next: the last second of the page is not read whole yet.
    fn later(self, dates: &[Timestamp]) -> Option<Timestamp> {
        let first = dates.first()?;
        let is_sorted = dates.is_sorted() && self.after.is_none_or(|after| second(after) <= *first);
        let after = second(*dates.last()?).plus_millis(-1000);
        (is_sorted && self.after.is_none_or(|before| second(before) < after)).then_some(after)
    }
}

fn second(time: Timestamp) -> Timestamp {
    time.plus_millis(-time.millis().rem_euclid(1000))
}

/// One of the two lists of a shop's orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// All but the trash.
    Kept,
    /// The trash, which cannot be had together with anything else.
    Trash,
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It reads a list.
    List {
        /// Which one.
        list: List,
        /// Where.
        at: Place,
    },
    /// It asks for orders that a reading left in doubt.
    Recheck {
        /// Those after this one.
        after: i64,
    },
    /// It asks for known orders that neither list showed.
    Missing {
        /// Those changed after this …
        modified_at: Timestamp,
        /// … or then, with a higher number.
        order: i64,
    },
    /// It asks for what orders wait for.
    Settle,
}

/// A sweep that goes on: enough to go on with it in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its number.
    pub sweep: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// What it covers.
    pub window: Window,
    /// How far it is.
    pub phase: Phase,
    /// Orders shown so far.
    pub orders: u64,
    /// Pages read so far.
    pub pages: u32,
    /// The first orders that could not be read or booked.
    pub unread: Vec<Unread>,
    /// How many there are in all.
    pub unread_count: u64,
}

impl State {
    /// A sweep that begins.
    #[must_use]
    pub const fn new(sweep: i64, started_at: Timestamp, window: Window) -> Self {
        let phase = Phase::List { list: List::Kept, at: Place::start(window.since) };
        let unread = Vec::new();
        Self { sweep, started_at, window, phase, orders: 0, pages: 0, unread, unread_count: 0 }
    }

    /// Whether going on with it does what a sweep over `window` would do.
    #[must_use]
    pub fn serves(&self, window: Window, now: Timestamp) -> bool {
        now.millis() - self.started_at.millis() < RESUME_MS_MAX && self.window.covers(window)
    }
}

/// What the last good sweeps of a store covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// What changed before this was read.
    pub to: Option<Timestamp>,
    /// When the last wide sweep began.
    pub wide_at: Option<Timestamp>,
}

impl Covered {
    /// What is covered after a sweep over `window` that began at `started_at`.
    #[must_use]
    pub fn and(self, window: Window, started_at: Timestamp) -> Self {
        let is_wide = window.covers(Window::since(started_at.plus_millis(-WIDE_MS)));
        let joins = self.to.map_or(is_wide, |to| window.covers(Window::since(to)));
        Self {
            to: if joins { self.to.max(Some(started_at)) } else { self.to },
            wide_at: if is_wide { self.wide_at.max(Some(started_at)) } else { self.wide_at },
        }
    }

    /// What the daemon sweeps next.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Window {
        let wide = Window::since(now.plus_millis(-WIDE_MS));
        match (self.to, self.wide_at) {
            (Some(to), Some(wide_at)) if now.millis() - wide_at.millis() < NIGHTLY_EVERY_MS => {
                Window::since(to.plus_millis(-OVERLAP_MS))
            }
            // After a long stop there is more to catch up with than a night's sweep reads.
            (Some(to), _) => Window::since(to.plus_millis(-OVERLAP_MS).min(now.plus_millis(-WIDE_MS))),
            (None, _) => wide,
        }
    }
}

/// How long to wait after this many failures in a row, at least as long as the shop asked.
#[must_use]
pub fn pause_ms(failures: i64, asked: Option<Duration>) -> i64 {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(20);
    let asked = asked.map_or(0, |asked| i64::try_from(asked.as_millis()).unwrap_or(i64::MAX));
    (PAUSE_FIRST_MS << doublings).min(PAUSE_MS_MAX).max(asked.min(NIGHTLY_EVERY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn dates(seconds: &[i64]) -> Vec<Timestamp> {
        seconds.iter().map(|second| at(*second)).collect()
    }

    #[test]
    fn a_sorted_list_is_read_by_date() {
        let start = Place::start(Some(at(10)));
        let next = start.next(&dates(&[11, 12, 15]), false, true).unwrap();
        assert_eq!(next, Place::start(Some(at(14))));
        assert_eq!(next.next(&dates(&[15, 16]), true, true), None);
        // From the very beginning.
        assert_eq!(Place::start(None).next(&dates(&[3, 4]), false, false), Some(Place::start(Some(at(3)))));
    }

    #[test]
    fn within_one_second_and_without_order_pages_are_counted_and_read_again() {
        let start = Place::start(Some(at(10)));
        for page in [dates(&[11, 11, 11]), dates(&[13, 12, 15]), dates(&[5, 12, 15])] {
            let second = start.next(&page, false, true).unwrap();
            assert_eq!((second.after, second.page, second.pass), (Some(at(10)), 2, 1), "{page:?}");
            let again = second.next(&page, true, false).unwrap();
            assert_eq!((again.after, again.page, again.pass, again.found), (Some(at(10)), 1, 2, false));
            // A second pass that finds nothing is the last, one that does is followed by a third.
            let quiet = again.next(&page, false, false).unwrap();
            assert_eq!(quiet.next(&page, true, false), None);
            let found = again.next(&page, false, true).unwrap();
            let third = found.next(&page, true, false).unwrap();
            assert_eq!(third.pass, 3);
            assert_eq!(third.next(&page, false, true).unwrap().next(&page, true, true), None);
        }
        // The stretch ends inside a page: it is read again before the list goes on by date.
        let second = start.next(&dates(&[11, 11]), false, true).unwrap();
        let again = second.next(&dates(&[11, 14]), false, false).unwrap();
        assert_eq!((again.page, again.pass), (1, 2));
        let quiet = again.next(&dates(&[11, 11]), false, false).unwrap();
        assert_eq!(quiet.next(&dates(&[11, 14]), false, false), Some(Place::start(Some(at(13)))));
    }

    #[test]
    fn a_shop_that_does_not_say_how_many_pages_there_are_comes_to_an_end() {
        let mut place = Place::start(Some(at(10)));
        let mut asked = 0;
        loop {
            // Two pages in a row: 11, 12 and nothing.
            let shown: Vec<_> = dates(&[11, 12])
                .into_iter()
                .filter(|date| Some(*date) > place.after && place.page == 1)
                .collect();
            asked += 1;
            match place.next(&shown, shown.is_empty(), asked == 1) {
                Some(next) => place = next,
                None => break,
            }
            assert!(asked < 10);
        }
    }

    #[test]
    fn only_a_sweep_over_as_much_is_gone_on_with() {
        let state = State::new(1, at(100), Window::since(at(50)));
        assert!(state.serves(Window::since(at(50)), at(101)));
        assert!(state.serves(Window::since(at(60)), at(101)));
        assert!(!state.serves(Window::since(at(49)), at(101)));
        assert!(!state.serves(Window::ALL, at(101)));
        assert!(!state.serves(Window::since(at(60)), at(100 + RESUME_MS_MAX / 1000)));
        assert!(State::new(1, at(100), Window::ALL).serves(Window::ALL, at(101)));
    }

    #[test]
    fn what_is_covered_has_no_gap() {
        let day = 24 * 60 * 60;
        let now = at(100 * day);
        let first = Covered::default();
        assert_eq!(first.next(now), Window::since(at(65 * day)));
        // A look at the last hour covers nothing that was not covered before.
        assert_eq!(first.and(Window::since(at(100 * day - 3600)), now), first);
        let wide = first.and(Window::since(at(65 * day)), now);
        assert_eq!(wide, Covered { to: Some(now), wide_at: Some(now) });
        let soon = at(100 * day + 300);
        assert_eq!(wide.next(soon), Window::since(now.plus_millis(-OVERLAP_MS)));
        assert_eq!(wide.and(wide.next(soon), soon), Covered { to: Some(soon), wide_at: Some(now) });
        assert_eq!(wide.next(at(101 * day)), Window::since(at(66 * day)));
        // After two months without a sweep the whole of them is read.
        assert_eq!(wide.next(at(160 * day)), Window::since(now.plus_millis(-OVERLAP_MS)));
        assert_eq!(wide.and(Window::ALL, soon).wide_at, Some(soon));
    }

    #[test]
    fn failures_are_followed_by_longer_pauses() {
        assert_eq!([1, 2, 3, 7, 99].map(|failures| pause_ms(failures, None) / 60_000), [1, 2, 4, 60, 60]);
        assert_eq!(pause_ms(1, Some(Duration::from_mins(10))), 600_000);
        assert_eq!(pause_ms(1, Some(Duration::MAX)), NIGHTLY_EVERY_MS);
    }
}
