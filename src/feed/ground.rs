//! What the tables say of a wallet, from which its page is made.
//!
//! Debits write none of it: what they change waits in the row of their account until it is settled. So it is read once
//! and good until anything else happens to the account, or time changes it; and a page after a debit is this and what
//! is unsettled.

use std::collections::HashMap;
use std::sync::Arc;

use super::page::{DAYS, Day, LINES, Links, Page, Usage, Used, expiring, low, most_used, paused};
use super::store::{self, Written};
use super::wallet::{Sums, Wallet};
use super::{Around, Settings, activity, runway};
use crate::db::{self, Tx};
use crate::id::{AccountId, SiteId};
use crate::ledger::alert::Standing;
use crate::ledger::slice::Compartment;
use crate::ledger::store::{alert, settle};
use crate::ledger::unsettled::{self, Unsettled};
use crate::rate;
use crate::time::{DAY_MS, Timestamp};
use crate::units::Delta;

/// How many different words are counted at all. More come only from a service that writes a new one each
/// time, and nobody reads a table of those.
const WORDS_MAX: usize = 10_000;

/// All of it.
#[derive(Debug)]
pub struct Ground {
    /// The wallet, with what surrounds it.
    pub(super) wallet: Arc<Wallet>,
    around: Arc<Around>,
    sums: Sums,
    alerts: Vec<Standing>,
    /// The newest lines of the history, newest first.
    lines: Vec<Written>,
    recent: Recent,
    tally: Tally,
    /// From when it is good, and from when it no longer is though nothing is written.
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// The settled lines of usage to which debits that are not settled may be added: whose they are, by their place.
#[derive(Debug)]
struct Recent {
    since: Timestamp,
    lines: Vec<(Timestamp, SiteId, String, i64)>,
}

/// What was used lately.
#[derive(Clone, Debug)]
struct Tally {
    /// From the first of the days.
    since: Timestamp,
    /// On each day.
    days: [i64; DAYS],
    /// For each of the things it was used for.
    words: HashMap<String, Used>,
    /// For others.
    other: i64,
}

impl Ground {
    /// Reads all of it, and what is unsettled beside it.
    pub fn read(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<(Self, Unsettled), db::Error> {
        let now = tx.now();
        let around = wallet.around(tx)?;
        let wallet = Arc::new(Wallet { around: Some(Arc::clone(&around)), ..wallet.clone() });
        let sums = Sums::read(tx, &wallet, &around)?;
        let unsettled = settle::unsettled(tx, &wallet.account)?;
        let hours = unsettled.lines().iter().map(unsettled::Line::hour);
        let mut recent = Recent { since: hours.fold(now.hour(), Timestamp::min), lines: Vec::new() };
        let mut tally = Tally::from(now);
        for part in wallet.with_merged(tx)? {
            let is_own = part.account == wallet.account;
            let since = if is_own { tally.since.min(recent.since) } else { tally.since };
            for site in store::active_sites(tx, &part)? {
                store::usage_lines(tx, &part, &site, since, |place, hour, label, used| {
                    if is_own && recent.since <= hour {
                        recent.lines.push((hour, site.clone(), label.to_owned(), place));
                    }
                    tally.count(hour, label, used);
                })?;
            }
        }
        let ground = Self {
            alerts: alert::read(tx, &wallet.account)?,
            lines: activity::settled(tx, &wallet, LINES)?,
            from: now,
            until: wallet.until(&around, &sums.slices, now),
            wallet,
            around,
            sums,
            recent,
            tally,
        };
        Ok((ground, unsettled))
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        self.wallet.account()
    }

    /// Whether `unsettled` can be added to it: there are none of older hours, which come only where a clock was set back.
    #[must_use]
    pub fn takes(&self, unsettled: &Unsettled) -> bool {
        unsettled.lines().iter().all(|line| self.recent.since <= line.hour())
    }

    /// The page, with what is unsettled.
    #[must_use]
    pub fn page(&self, settings: &Settings, unsettled: &Unsettled, now: Timestamp) -> Page {
        let (wallet, around) = (&self.wallet, &*self.around);
        let slices = self.sums.slices(unsettled);
        let numbers = wallet.numbers_of(settings, around, &self.sums, &slices, unsettled, now);
        let (lines, tally) = self.with(unsettled);
        // Today is not over.
        let over = &tally.days[..DAYS - 1];
        Page {
            activity: lines.into_iter().map(|line| activity::told(&wallet.shows, line)).collect(),
            packages: around.packages.clone(),
            runway: runway::runway(&wallet.supply(around, &numbers), over),
            usage: tally.usage(),
            expiring: expiring(&slices, now),
            alerts: paused(&numbers)
                .into_iter()
                .chain(low(wallet, &self.alerts, numbers.status, settings))
                .collect(),
            links: Links {
                top_up: settings.top_up_url.clone().or_else(|| around.category_url.clone()),
                docs: settings.docs_url.clone(),
            },
            numbers,
        }
    }

    /// The newest lines and what was used, with what is unsettled.
    fn with(&self, unsettled: &Unsettled) -> (Vec<Written>, Tally) {
        let (mut lines, mut tally) = (self.lines.clone(), self.tally.clone());
        for line in unsettled.lines() {
            if !self.wallet.shows.compartment(&Compartment::Site(line.site.clone())) {
                continue;
            }
            tally.count(line.hour(), &line.label, Used { credits: line.credits, quantity: line.quantity });
            match self.recent.place(line) {
                None => lines.push(Written::unsettled(line)),
                Some(place) => {
                    // One that the page does not show has a place all the same.
                    if let Some(known) = lines.iter_mut().find(|known| known.place == place) {
                        known.add(line);
                    }
                }
            }
        }
        activity::newest(&mut lines, LINES);
        (lines, tally)
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let words: usize = self.tally.words.keys().map(|word| word.len() + WORD_BYTES).sum();
        size_of::<Self>()
            + self.sums.slices.len() * SLICE_BYTES
            + (self.lines.len() + self.recent.lines.len() + self.alerts.len()) * LINE_BYTES
            + words
    }
}

/// What a slice, a line and a word take, with their texts and what the memory takes for itself.
const SLICE_BYTES: usize = 320;
const LINE_BYTES: usize = 240;
const WORD_BYTES: usize = 64;

impl Recent {
    /// The place of the settled line that `line` adds to, if there is one.
    fn place(&self, line: &unsettled::Line) -> Option<i64> {
        let same = |(hour, site, label, _): &&(Timestamp, SiteId, String, i64)| {
            *hour == line.hour() && *site == line.site && *label == line.label
        };
        self.lines.iter().find(same).map(|(.., place)| *place)
    }
}

impl Tally {
    /// Nothing in the days up to `now`.
    fn from(now: Timestamp) -> Self {
        let before = i64::try_from(DAYS - 1).unwrap_or_default();
        Self {
            since: now.day().plus_millis(-before * DAY_MS),
            days: [0; DAYS],
            words: HashMap::new(),
            other: 0,
        }
    }

    fn count(&mut self, at: Timestamp, label: &str, mut used: Used) {
        if at < self.since {
            return;
        }
        // What was given back was not used, under the name it was used by.
        let label = match label.strip_prefix(rate::GIVEN_BACK) {
            Some(label) if used.credits < 0 => {
                used.quantity = used.quantity.map(|quantity| -quantity);
                label
            }
            _ => label,
        };
        let day = (at.millis() - self.since.millis()) / DAY_MS;
        if let Some(day) = usize::try_from(day).ok().and_then(|day| self.days.get_mut(day)) {
            *day += used.credits;
        }
        if let Some(word) = self.words.get_mut(label) {
            word.add(used);
        } else if self.words.len() < WORDS_MAX {
            self.words.insert(label.to_owned(), used);
        } else {
            self.other += used.credits;
        }
    }

    fn usage(self) -> Usage {
        let ends = (0_i64..).map(|day| self.since.plus_millis(day * DAY_MS));
        Usage {
            by_day: ends
                .zip(self.days)
                .map(|(from, used)| Day {
                    from,
                    to: from.plus_millis(DAY_MS),
                    credits: Delta::from_micro(used),
                })
                .collect(),
            by_action: most_used(self.words, self.other),
        }
    }
}
