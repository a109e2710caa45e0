//! What an account's debits changed and no table says yet. Pure: no database, no clock.
//!
//! A debit changes many numbers a little: its slices, its grants' tallies, what was spent today, this month and this
//! hour, the line the customer reads. Each lies in another place of the file, and to write a place costs more than to
//! work out what is to be written. So a debit writes its entries, itself and this: all it changed beside them, in the
//! row of its account, added to what the debits before it changed. When it has come to be many things it is settled,
//! which is to add it to the tables, and so it is whenever anybody locks the account for anything else. Until then every
//! reader adds it to what the tables say.
//!
//! What was spent is kept by the quarter of an hour: that is of one hour, and of one local day wherever clocks are
//! turned by quarters.

use serde::{Deserialize, Serialize};

use super::act::NewDebit;
use super::slice::{Compartment, Slice};
use crate::id::{AgentId, GrantId, SiteId};
use crate::rate::QUANTITY;
use crate::time::Timestamp;
use crate::units::Credits;

/// As many different things may be unsettled; more make reading it dearer than settling it.
const THINGS_MAX: usize = 48;

/// As many, once some of them are of an earlier quarter of an hour: of these no debit adds to what is there already.
const OLD_THINGS_MAX: usize = 16;

/// What is not settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// What was taken from slices.
    pub(super) taken: Vec<Taken>,
    /// What was spent for sites, and by each of their assistants.
    pub(super) spent: Vec<Spent>,
    /// What the customer reads.
    pub(super) lines: Vec<Line>,
    /// What it was spent for; nothing in what an earlier version left.
    #[serde(default)]
    pub(super) used: Vec<Used>,
    /// Where the debits of each hour are; nothing in what an earlier version left.
    #[serde(default)]
    pub(super) hours: Vec<Hour>,
}

/// What was taken from one slice: the grant, the compartment's column, micro-credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken(pub(super) GrantId, pub(super) String, pub(super) i64);

/// What was spent in a quarter of an hour: the site, the assistant or nothing for the whole site, micro-credits, the
/// start of the quarter in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spent(pub(super) SiteId, pub(super) String, pub(super) i64, pub(super) i64);

/// What was spent in an hour: the site, the start of the hour in milliseconds, the assistant and the action or nothing,
/// micro-credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Used(
    pub(super) SiteId,
    pub(super) i64,
    pub(super) String,
    pub(super) String,
    pub(super) i64,
);

/// The debits of an hour: its start in milliseconds, the ids of their first and their last entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hour(pub(super) i64, pub(super) i64, pub(super) i64);

/// One line of usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The site.
    pub site: SiteId,
    /// Its words as they are written.
    pub label: String,
    /// Its place, if no line of its hour and words is settled.
    pub seq: i64,
    /// When the first of its debits was booked, in milliseconds.
    pub at: i64,
    /// How many micro-credits were used; less than nothing where they came back.
    pub credits: i64,
    /// How much was used, where the words tell it.
    pub quantity: Option<i64>,
}

impl Line {
    /// The hour that it stands for.
    #[must_use]
    pub fn hour(&self) -> Timestamp {
        Timestamp::from_millis(self.at).hour()
    }

    /// The line of a debit whose first entry has the number `entry`.
    #[must_use]
    pub fn of(now: Timestamp, entry: i64, new: &NewDebit) -> Self {
        // Only where the words tell it: equal words stand for one line, and how much is a part of the words.
        let told = new.priced.filter(|_| new.label.contains(QUANTITY));
        Self {
            site: new.site.clone(),
            label: new.label.clone(),
            seq: entry * 2,
            at: now.millis(),
            credits: new.amount.micro(),
            quantity: told.map(|priced| priced.quantity),
        }
    }
}

/// A quarter of an hour.
const QUARTER_MS: i64 = 15 * 60 * 1000;

fn quarter(at: Timestamp) -> i64 {
    at.millis() - at.millis().rem_euclid(QUARTER_MS)
}

impl Unsettled {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether it is to be settled before a debit at `now` is added.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let things = self.taken.len() + self.spent.len() + self.lines.len().max(self.used.len());
        let is_old = |spent: &Spent| spent.3 != quarter(now);
        things >= THINGS_MAX || things >= OLD_THINGS_MAX && self.spent.first().is_some_and(is_old)
    }

    /// Adds a debit whose first entry has the number `entry`, and whose entries have the ids from `first` to `last`: what
    /// it took from each slice.
    pub(super) fn add<'a>(
        &mut self,
        now: Timestamp,
        entry: i64,
        (first, last): (i64, i64),
        new: &NewDebit,
        taken: impl Iterator<Item = (&'a Slice, Credits)>,
    ) {
        let since = quarter(now);
        for (slice, credits) in taken {
            let column = slice.compartment.column();
            match self.taken.iter_mut().find(|taken| taken.0 == slice.grant && taken.1 == column) {
                Some(taken) => taken.2 += credits.micro(),
                None => self.taken.push(Taken(slice.grant.clone(), column.to_owned(), credits.micro())),
            }
        }
        for agent in std::iter::once("").chain(new.agent.as_ref().map(AgentId::as_str)) {
            let same = |spent: &&mut Spent| spent.3 == since && spent.0 == new.site && spent.1 == agent;
            match self.spent.iter_mut().find(same) {
                Some(spent) => spent.2 += new.amount.micro(),
                None => self.spent.push(Spent(new.site.clone(), agent.to_owned(), new.amount.micro(), since)),
            }
        }
        let (hour, agent) = (now.hour().millis(), new.agent.as_ref().map_or("", AgentId::as_str));
        let action = new.action.as_deref().unwrap_or_default();
        let same =
            |used: &&mut Used| used.1 == hour && used.0 == new.site && used.2 == agent && used.3 == action;
        if let Some(used) = self.used.iter_mut().find(same) {
            used.4 += new.amount.micro();
        } else {
            let (agent, action) = (agent.to_owned(), action.to_owned());
            self.used.push(Used(new.site.clone(), hour, agent, action, new.amount.micro()));
        }
        match self.hours.iter_mut().find(|known| known.0 == hour) {
            Some(known) => known.2 = last,
            None => self.hours.push(Hour(hour, first, last)),
        }
        let line = Line::of(now, entry, new);
        let same = |known: &&mut Line| {
            known.hour() == line.hour() && known.site == line.site && known.label == line.label
        };
        match self.lines.iter_mut().find(same) {
            Some(known) => {
                known.credits += line.credits;
                known.quantity =
                    known.quantity.zip(line.quantity).map(|(sum, more)| sum.saturating_add(more));
            }
            None => self.lines.push(line),
        }
    }

    /// What was taken from a slice.
    #[must_use]
    pub fn taken_from(&self, grant: &GrantId, compartment: &Compartment) -> Credits {
        let of = |taken: &&Taken| taken.0 == *grant && taken.1 == compartment.column();
        let micro = self.taken.iter().filter(of).map(|taken| taken.2).sum();
        Credits::from_micro(micro).unwrap_or(Credits::ZERO)
    }

    /// What was spent for a site, or by one of its assistants, between two instants that quarters of an hour begin at.
    #[must_use]
    pub fn spent(&self, site: &SiteId, agent: Option<&AgentId>, (from, to): (Timestamp, Timestamp)) -> i64 {
        let agent = agent.map_or("", AgentId::as_str);
        let between = from.millis()..to.millis();
        let of = |spent: &&Spent| spent.0 == *site && spent.1 == agent && between.contains(&spent.3);
        self.spent.iter().filter(of).map(|spent| spent.2).sum()
    }

    /// As [`Unsettled::spent`], for all of the account's sites.
    #[must_use]
    pub fn spent_in_all(&self, (from, to): (Timestamp, Timestamp)) -> i64 {
        let between = from.millis()..to.millis();
        let of = |spent: &&Spent| spent.1.is_empty() && between.contains(&spent.3);
        self.spent.iter().filter(of).map(|spent| spent.2).sum()
    }

    /// What was spent for a site in each hour.
    #[must_use]
    pub fn by_hour(&self, site: &SiteId) -> Vec<(Timestamp, i64)> {
        let of = self.spent.iter().filter(|spent| spent.0 == *site && spent.1.is_empty());
        of.map(|spent| (Timestamp::from_millis(spent.3).hour(), spent.2)).collect()
    }

    /// What the customer reads of it, the first first.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}
