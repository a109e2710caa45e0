//! What the tables say of a wallet, from which its page is made.
//!
//! Debits write none of it: what they change waits in the row of their account until it is settled. So it is read once
//! and good until anything else happens to the account, or time changes it; and a page after a debit is this and what
//! is unsettled.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::page::{
    Answer, DAYS, Days, LINES, Links, Page, Told, Usage, Used, expiring, low, most_used, paused,
};
use super::store::{self, Written};
use super::wallet::{Sums, Wallet};
use super::{Around, Settings, activity, runway};
use crate::db::{self, Tx};
use crate::id::{AccountId, SiteId};
use crate::ledger::alert::Standing;
use crate::ledger::store::{alert, settle};
use crate::ledger::unsettled::{self, Unsettled};
use crate::rate;
use crate::time::{DAY_MS, Timestamp};

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
    lines: Box<[Settled]>,
    recent: Recent,
    tally: Tally,
    /// From when it is good, and from when it no longer is though nothing is written.
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// A settled line of the history.
#[derive(Debug)]
struct Settled {
    place: i64,
    /// As it is told.
    text: Box<RawValue>,
    /// What it is, where more may be added to it.
    line: Option<Box<Written>>,
}

/// The settled lines of usage to which debits that are not settled may be added: whose they are, by their place.
#[derive(Debug)]
struct Recent {
    since: Timestamp,
    lines: Vec<(Timestamp, SiteId, String, i64)>,
}

/// What was used lately.
#[derive(Debug)]
struct Tally {
    dates: Arc<Days>,
    /// On each day.
    days: [i64; DAYS],
    /// For each of the things it was used for.
    words: HashMap<Box<str>, Used>,
    /// For others.
    other: i64,
}

/// What was used lately, with what is unsettled.
struct Tallied<'a> {
    tally: &'a Tally,
    days: [i64; DAYS],
    /// For each of the things that unsettled debits were for, all in all.
    words: Vec<(&'a str, Used)>,
    /// How many of them are new.
    new: usize,
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
            let first = tally.dates.since;
            let since = if is_own { first.min(recent.since) } else { first };
            for site in store::active_sites(tx, &part)? {
                store::usage_lines(tx, &part, &site, since, |place, hour, label, used| {
                    if is_own && recent.since <= hour {
                        recent.lines.push((hour, site.clone(), label.to_owned(), place));
                    }
                    tally.count(hour, label, used);
                })?;
            }
        }
        let lines = activity::settled(tx, &wallet, LINES)?;
        let lines = lines.into_iter().map(|line| Settled::new(line, &wallet, recent.since));
        let lines = lines.collect::<Result<_, _>>()?;
        let ground = Self {
            alerts: alert::read(tx, &wallet.account)?,
            lines,
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

    /// The page as it is sent, with what is unsettled.
    pub fn answer(
        &self,
        settings: &Settings,
        unsettled: &Unsettled,
        now: Timestamp,
    ) -> Result<Answer, serde_json::Error> {
        self.page(settings, unsettled, now).answer()
    }

    /// The page, with what is unsettled.
    fn page<'a>(&'a self, settings: &'a Settings, unsettled: &'a Unsettled, now: Timestamp) -> Page<'a> {
        let (wallet, around) = (&self.wallet, &*self.around);
        let slices = self.sums.slices(unsettled);
        let numbers = wallet.numbers_of(settings, around, &self.sums, &slices, unsettled, now);
        let tallied = self.tallied(unsettled);
        // Today is not over.
        let over = &tallied.days[..DAYS - 1];
        Page {
            activity: self.activity(unsettled),
            packages: &around.packages,
            runway: runway::runway(&wallet.supply(around, &numbers), over),
            usage: tallied.usage(),
            expiring: expiring(&slices, now),
            alerts: paused(&numbers)
                .into_iter()
                .chain(low(wallet, &self.alerts, numbers.status, settings))
                .collect(),
            links: Links {
                top_up: settings.top_up_url.as_deref().or(around.category_url.as_deref()),
                docs: settings.docs_url.as_deref(),
            },
            numbers,
        }
    }

    /// What is unsettled that the wallet shows.
    fn shown<'a>(&self, unsettled: &'a Unsettled) -> impl Iterator<Item = &'a unsettled::Line> {
        unsettled.lines().iter().filter(|line| self.wallet.shows.site(&line.site))
    }

    /// What was used, with what is unsettled.
    fn tallied<'a>(&'a self, unsettled: &'a Unsettled) -> Tallied<'a> {
        let tally = &self.tally;
        let mut all = Tallied { tally, days: tally.days, words: Vec::new(), new: 0, other: tally.other };
        for line in self.shown(unsettled) {
            all.add(line.hour(), &line.label, Used { credits: line.credits, quantity: line.quantity });
        }
        all
    }

    /// The newest lines, newest first, with what is unsettled.
    fn activity(&self, unsettled: &Unsettled) -> Vec<Told<'_>> {
        let mut lines: Vec<(i64, Told<'_>)> = Vec::with_capacity(self.lines.len() + unsettled.lines().len());
        lines.extend(self.lines.iter().map(|settled| (settled.place, Told::Before(&settled.text))));
        let mut is_in_order = true;
        for line in self.shown(unsettled) {
            let Some(place) = self.recent.place(line) else {
                lines.push((
                    line.seq,
                    Told::Now(activity::told(&self.wallet.shows, Written::unsettled(line))),
                ));
                is_in_order = false;
                continue;
            };
            // One that the page does not show has a place all the same.
            let at = self.lines.iter().position(|settled| settled.place == place);
            if let Some((at, known)) = at.and_then(|at| Some((at, self.lines[at].line.as_deref()?))) {
                let mut known = known.clone();
                known.add(line);
                lines[at].1 = Told::Now(activity::told(&self.wallet.shows, known));
            }
        }
        if !is_in_order {
            lines.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        }
        lines.into_iter().take(LINES).map(|(_, line)| line).collect()
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let words: usize = self.tally.words.keys().map(|word| word.len() + WORD_BYTES).sum();
        let lines: usize = self.lines.iter().map(|line| line.text.get().len() + TEXT_BYTES).sum();
        let known = self.lines.iter().filter(|line| line.line.is_some()).count();
        size_of::<Self>()
            + UNSETTLED_BYTES
            + self.sums.slices.len() * SLICE_BYTES
            + lines
            + (known + self.recent.lines.len() + self.alerts.len()) * LINE_BYTES
            + words
    }
}

/// What is unsettled, a slice, a line and a word take, with their texts and what the memory takes for itself.
const UNSETTLED_BYTES: usize = 512;
const SLICE_BYTES: usize = 320;
const LINE_BYTES: usize = 240;
const TEXT_BYTES: usize = 48;
const WORD_BYTES: usize = 64;

impl Settled {
    /// A line, to which more may be added if it is of an hour from `since`.
    fn new(line: Written, wallet: &Wallet, since: Timestamp) -> Result<Self, db::Error> {
        let kept = (since <= line.at).then(|| Box::new(line.clone()));
        let place = line.place;
        let text = to_raw_value(&activity::told(&wallet.shows, line));
        let text = text.map_err(|error| db::Error::Unusable(format!("a line cannot be written: {error}")))?;
        Ok(Self { place, text, line: kept })
    }
}

impl Recent {
    /// The place of the settled line that `line` adds to, if there is one.
    fn place(&self, line: &unsettled::Line) -> Option<i64> {
        let same = |(hour, site, label, _): &&(Timestamp, SiteId, String, i64)| {
            *hour == line.hour() && *site == line.site && *label == line.label
        };
        self.lines.iter().find(same).map(|(.., place)| *place)
    }
}

/// What was used under the name it is counted by: what was given back was not used, under the name it was used by.
fn named(label: &str, used: Used) -> (&str, Used) {
    match label.strip_prefix(rate::GIVEN_BACK) {
        Some(label) if used.credits < 0 => {
            (label, Used { quantity: used.quantity.map(|quantity| -quantity), ..used })
        }
        _ => (label, used),
    }
}

impl Tally {
    /// Nothing in the days up to `now`.
    fn from(now: Timestamp) -> Self {
        Self { dates: Days::up_to(now), days: [0; DAYS], words: HashMap::new(), other: 0 }
    }

    /// Which of the days an instant is of; nothing if it was before all of them.
    fn day(&self, at: Timestamp) -> Option<usize> {
        usize::try_from((at.millis() - self.dates.since.millis()).div_euclid(DAY_MS)).ok()
    }

    fn count(&mut self, at: Timestamp, label: &str, used: Used) {
        let Some(day) = self.day(at) else { return };
        let (label, used) = named(label, used);
        if let Some(day) = self.days.get_mut(day) {
            *day += used.credits;
        }
        if let Some(word) = self.words.get_mut(label) {
            word.add(used);
        } else if self.words.len() < WORDS_MAX {
            self.words.insert(label.into(), used);
        } else {
            self.other += used.credits;
        }
    }
}

impl<'a> Tallied<'a> {
    fn add(&mut self, at: Timestamp, label: &'a str, used: Used) {
        let Some(day) = self.tally.day(at) else { return };
        let (label, used) = named(label, used);
        if let Some(day) = self.days.get_mut(day) {
            *day += used.credits;
        }
        if let Some((_, word)) = self.words.iter_mut().find(|(known, _)| *known == label) {
            word.add(used);
        } else if let Some((label, &settled)) = self.tally.words.get_key_value(label) {
            let mut word = settled;
            word.add(used);
            self.words.push((label, word));
        } else if self.tally.words.len() + self.new < WORDS_MAX {
            self.new += 1;
            self.words.push((label, used));
        } else {
            self.other += used.credits;
        }
    }

    fn usage(&self) -> Usage<'a> {
        let is_same = |label: &str| self.words.iter().all(|(known, _)| *known != label);
        let settled = self.tally.words.iter().map(|(label, used)| (&**label, *used));
        let settled = settled.filter(|(label, _)| is_same(label));
        Usage {
            by_day: self.tally.dates.with(self.days),
            by_action: most_used(settled.chain(self.words.iter().copied()), self.other),
        }
    }
}
