//! What the wallet page needs, in one answer.
//!
//! It is built for customers: business words from the activity, nothing of what the assistant service
//! recorded in private. Its tag changes exactly when something else than its time does.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::Settings;
use super::activity::Line;
use super::wallet::{Numbers, Wallet};
use crate::catalog::PackageForSale;
use crate::ledger::alert::{Depth, Standing};
use crate::ledger::limit::Refusal;
use crate::ledger::position::{AlertLevel, Status};
use crate::ledger::slice::Slice;
use crate::rate;
use crate::time::{DAY_MS, Timestamp};
use crate::units::{Credits, Delta};

/// How many lines of the history the page shows.
pub(super) const LINES: usize = 20;

/// How many days of use it shows, today included.
pub(super) const DAYS: usize = 30;

/// How many things credits were used for it tells apart; the rest is one row.
const ACTIONS_MAX: usize = 20;

/// What the rest is called.
const OTHER: &str = "Other";

/// How many losses ahead it shows.
const EXPIRING_MAX: usize = 10;

/// The feed object of the API.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Feed")]
pub struct Page<'a> {
    /// The wallet object.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// The newest lines of the history.
    #[schemars(with = "Vec<Line>")]
    pub activity: Vec<Told<'a>>,
    /// What was used lately.
    pub usage: Usage<'a>,
    /// What can be bought.
    pub packages: &'a [PackageForSale],
    /// How long the credits last; nothing until that can be said.
    pub runway: Option<Runway>,
    /// What is lost next.
    pub expiring: Vec<Expiring>,
    /// The level that is reached and the pause of the site, if there are.
    pub alerts: Vec<Alert>,
    /// Where to go from here.
    pub links: Links<'a>,
}

/// A line of the history.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Told<'a> {
    /// As it was written down before: nothing is added to it any more.
    Before(&'a RawValue),
    /// As it is now.
    Now(Line),
}

/// What was used in the last 30 days.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RecentUsage")]
pub struct Usage<'a> {
    /// By day of UTC, oldest first, none left out.
    pub by_day: Vec<Day<'a>>,
    /// By what it was used for, the most first.
    pub by_action: Vec<Action<'a>>,
}

/// What was used on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "UsageDay")]
pub struct Day<'a> {
    /// Its first instant.
    #[schemars(with = "Timestamp")]
    pub from: &'a str,
    /// The next one's.
    #[schemars(with = "Timestamp")]
    pub to: &'a str,
    /// How much.
    pub credits: Delta,
}

/// The days that a page shows. They are the same for all wallets, and the most of what a page has to write.
#[derive(Debug)]
pub(super) struct Days {
    /// The first instant of the first.
    pub(super) since: Timestamp,
    /// The first instant of each, and of the one after them, as it is written.
    starts: Box<[String]>,
}

impl Days {
    /// Those up to the day of `now`.
    pub(super) fn up_to(now: Timestamp) -> Arc<Self> {
        static LAST: Mutex<Option<Arc<Days>>> = Mutex::new(None);

        let day = |number: usize| i64::try_from(number).unwrap_or_default() * DAY_MS;
        let since = now.day().plus_millis(-day(DAYS - 1));
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|known| known.since == since) {
            return Arc::clone(known);
        }
        let starts = (0..=DAYS).map(|number| since.plus_millis(day(number)).to_string()).collect();
        Arc::clone(last.insert(Arc::new(Self { since, starts })))
    }

    /// Each of them, with what was used on it.
    pub(super) fn with(&self, used: [i64; DAYS]) -> Vec<Day<'_>> {
        let days = self.starts.windows(2).zip(used);
        days.map(|(day, used)| Day { from: &day[0], to: &day[1], credits: Delta::from_micro(used) }).collect()
    }
}

/// What was used for one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "UsageAction")]
pub struct Action<'a> {
    /// In the words the history uses.
    pub action: Cow<'a, str>,
    /// How much.
    pub credits: Delta,
}

/// How many days the credits last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Runway {
    /// Most likely.
    pub days: u32,
    /// At least.
    pub low: u32,
    /// At most.
    pub high: u32,
}

/// Credits whose time will be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Expiring {
    /// From when they are gone.
    pub at: Timestamp,
    /// How many are still unspent.
    pub credits: Credits,
    /// What the customer knows them as.
    pub label: String,
}

/// Something the customer should know now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Alert {
    /// The level that is reached, as it is configured; `paused` if the brake is on.
    pub level: String,
    /// How the wallet stands.
    pub status: Status,
    /// Since when, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What it is in plain words, where the level does not say all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Links<'a> {
    /// Where credits are bought.
    pub top_up: Option<&'a str>,
    /// Where credits are explained.
    pub docs: Option<&'a str>,
}

/// What was used under one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// How many credits.
    pub(super) credits: i64,
    /// How much, where the name tells that.
    pub(super) quantity: Option<i64>,
}

impl Used {
    pub(super) fn add(&mut self, other: Self) {
        self.credits += other.credits;
        self.quantity = self.quantity.zip(other.quantity).map(|(one, other)| one.saturating_add(other));
    }
}

/// The things most was used for, the rest in one row, so that the rows add up to all that was used.
pub(super) fn most_used<'a>(words: impl Iterator<Item = (&'a str, Used)>, mut other: i64) -> Vec<Action<'a>> {
    let mut rows: Vec<(Cow<'a, str>, i64)> = words
        .map(|(label, used)| match used.quantity {
            None => (label.into(), used.credits),
            quantity => (rate::say(label.to_owned(), quantity).into(), used.credits),
        })
        .collect();
    rows.sort_unstable_by(|(one, used), (two, also)| also.cmp(used).then_with(|| one.cmp(two)));
    if rows.len() > ACTIONS_MAX {
        other += rows.drain(ACTIONS_MAX - 1..).map(|(_, used)| used).sum::<i64>();
    }
    let mut rows: Vec<Action<'a>> =
        rows.into_iter().map(|(action, used)| Action { action, credits: Delta::from_micro(used) }).collect();
    if other != 0 {
        rows.push(Action { action: OTHER.into(), credits: Delta::from_micro(other) });
    }
    rows
}

/// What will be lost, soonest first; what is lost at once under one name is one row.
pub(super) fn expiring(slices: &[Slice], now: Timestamp) -> Vec<Expiring> {
    let mut losses: BTreeMap<(Timestamp, &str), Credits> = BTreeMap::new();
    for slice in slices.iter().filter(|slice| slice.is_spendable(now) && !slice.remaining.is_zero()) {
        if let Some(at) = slice.expires_at {
            let loss = losses.entry((at, &slice.label)).or_default();
            *loss = [*loss, slice.remaining].into_iter().sum();
        }
    }
    losses
        .into_iter()
        .take(EXPIRING_MAX)
        .map(|((at, label), credits)| Expiring { at, credits, label: label.to_owned() })
        .collect()
}

/// That the site is paused, if it is.
pub(super) fn paused(numbers: &Numbers) -> Option<Alert> {
    let Some(Refusal::Paused(pause)) = &numbers.hindrance else { return None };
    let text = format!(
        "Spending is paused for safety: {}. Nothing is lost; the shop can resume it once somebody had a look.",
        pause.reason
    );
    Some(Alert {
        level: "paused".to_owned(),
        status: numbers.status,
        since: Some(pause.since),
        text: Some(text),
    })
}

/// The level that `status` means, and since when one of the compartments that the wallet shows has reached it, the last
/// of them; a frozen wallet has other troubles.
pub(super) fn low(
    wallet: &Wallet,
    standings: &[Standing],
    status: Status,
    settings: &Settings,
) -> Option<Alert> {
    let (depth, level) = reached(status, &settings.low_balance)?;
    let shown = standings.iter().filter(|standing| wallet.shows.compartment(&standing.compartment));
    let since = shown.filter_map(|standing| standing.since(depth)).max();
    Some(Alert { level: level.to_string(), status, since, text: None })
}

/// The level that `status` means.
fn reached(status: Status, levels: &[AlertLevel]) -> Option<(Depth, AlertLevel)> {
    let depth = Depth::of(status)?;
    Some((depth, depth.level(levels)?))
}

// As an answer --------------------------------------------------------------------------------------

/// A page as it is sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The instant it is true for.
    pub as_of: Timestamp,
    written: Arc<Written>,
}

/// A page as it was written down.
#[derive(Debug)]
struct Written {
    as_of: Timestamp,
    body: Bytes,
    /// Where its instant stands.
    instant: Range<usize>,
    tag: Bytes,
}

impl Answer {
    /// The same page at another instant.
    #[must_use]
    pub fn at(&self, as_of: Timestamp) -> Self {
        Self { as_of, written: Arc::clone(&self.written) }
    }

    /// The JSON.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let Written { as_of, body, instant, .. } = &*self.written;
        if self.as_of == *as_of {
            return body.clone();
        }
        let mut anew = Vec::with_capacity(body.len() + AS_OF_BYTES_MAX);
        anew.extend_from_slice(&body[..instant.start]);
        // Writing to a `Vec` cannot fail.
        let _ = write!(anew, "{}", self.as_of);
        anew.extend_from_slice(&body[instant.end..]);
        anew.into()
    }

    /// Its entity tag, with its quotes.
    #[must_use]
    pub fn tag(&self) -> Bytes {
        self.written.tag.clone()
    }

    /// How large it is, in bytes.
    pub(super) fn len(&self) -> usize {
        self.written.body.len()
    }
}

thread_local! {
    /// Where a thread writes its answers.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How long an instant is, written down.
const AS_OF_BYTES_MAX: usize = 32;

impl Page<'_> {
    /// The page as JSON with its tag.
    ///
    /// The tag is a hash over all of it but the instant it was made: two answers with the same tag say the same.
    pub fn answer(&self) -> Result<Answer, serde_json::Error> {
        // What is kept takes no more room than it needs.
        let body = WRITTEN.with_borrow_mut(|written| {
            written.clear();
            serde_json::to_writer(&mut *written, self)?;
            Ok::<_, serde_json::Error>(Bytes::copy_from_slice(written))
        })?;
        let instant = instant(&body);
        let mut hash = Sha256::new();
        hash.update(&body[..instant.start]);
        hash.update(&body[instant.end..]);
        let hash: [u8; 32] = hash.finalize().into();
        let mut tag = Vec::with_capacity(36);
        tag.extend_from_slice(b"W/\"");
        for byte in &hash[..16] {
            tag.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
        }
        tag.push(b'"');
        let as_of = self.numbers.as_of;
        Ok(Answer { as_of, written: Arc::new(Written { as_of, body, instant, tag: tag.into() }) })
    }
}

/// Where the value of `as_of` stands.
///
/// The first place that reads `"as_of":"` is the field itself: inside a JSON string the quotes would be escaped.
fn instant(body: &[u8]) -> Range<usize> {
    const FIELD: &[u8] = b"\"as_of\":\"";
    let found = body.windows(FIELD.len()).position(|window| window == FIELD);
    let Some(start) = found.map(|at| at + FIELD.len()) else { return body.len()..body.len() };
    let end = body[start..].iter().position(|byte| *byte == b'"');
    start..end.map_or(body.len(), |end| start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_many_things_is_one_row_and_all_adds_up() {
        let words: Vec<(String, Used)> = (1..=30_i64)
            .map(|used| (format!("thing {used:02}"), Used { credits: used, quantity: None }))
            .collect();
        let rows = most_used(words.iter().map(|(word, used)| (word.as_str(), *used)), 5);
        assert_eq!(rows.len(), ACTIONS_MAX);
        assert_eq!((&*rows[0].action, rows[0].credits.micro()), ("thing 30", 30));
        assert_eq!(rows[19], Action { action: OTHER.into(), credits: Delta::from_micro(66 + 5) });
        assert_eq!(rows.iter().map(|row| row.credits.micro()).sum::<i64>(), 465 + 5);
        assert!(most_used(std::iter::empty(), 0).is_empty());
    }

    #[test]
    fn the_instant_is_no_part_of_the_tag() {
        let body = br#"{"unit":"\"as_of\":\"x","as_of":"2026-11-20T16:00:00Z","available":"1"}"#;
        let instant = instant(body);
        assert_eq!(&body[instant.clone()], b"2026-11-20T16:00:00Z");
        assert!(body[..instant.start].ends_with(br#","as_of":""#));
    }

    #[test]
    fn an_alert_names_the_level_that_is_reached() {
        let levels = Settings::default().low_balance;
        let level = |status| reached(status, &levels).map(|(_, level)| level.to_string());
        assert_eq!(level(Status::Ok), None);
        assert_eq!(level(Status::Low).as_deref(), Some("20%"));
        assert_eq!(level(Status::Critical).as_deref(), Some("5%"));
        assert_eq!(level(Status::Empty).as_deref(), Some("0"));
        assert_eq!(level(Status::Frozen), None);
    }
}
