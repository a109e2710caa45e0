//! `inbox`: the deliveries shops sent, as they came.

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::output::{self, Column, Page, Rows, count, minute, or_dash};
use super::{DryRun, Failure, Session, progress};
use crate::app;
use crate::config::Retention;
use crate::db;
use crate::id::DeliveryId;
use crate::inbox::store::{self, Delivery, Pruned, State};
use crate::inbox::{self, Done};
use crate::shop::store as shops;
use crate::time::Timestamp;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// List deliveries, newest first
    #[command(after_help = "\
What comes while you page neither hides nor repeats a delivery.")]
    List {
        /// Only those in this state
        #[arg(long)]
        state: Option<State>,
        /// At most so many
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// Go on where this one of the answer before says
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show a delivery with what the shop wrote in it, personal data included
    Show {
        /// The delivery's id, `dl_…`
        id: DeliveryId,
    },
    /// Apply deliveries once more, oldest first; what is in the books already changes nothing
    #[command(after_help = "\
Examples:
  nivella-wallet inbox replay                        those that failed
  nivella-wallet inbox replay --state all --dry-run  would anything change?")]
    Replay {
        /// Which deliveries
        #[arg(long, default_value = "failed")]
        state: Which,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Forget what shops wrote in old deliveries; what they did stays in the books
    #[command(after_help = "\
The daemon does the same by itself, but never for those that failed.

Examples:
  nivella-wallet inbox prune                         older than inbox.retention
  nivella-wallet inbox prune --before 7d --dry-run
  nivella-wallet inbox prune --before 2026-11-01T00:00:00Z --failed")]
    Prune {
        /// Those that came before this time, or are older than this many days [default: inbox.retention]
        #[arg(long, value_name = "T|30d")]
        before: Option<Since>,
        /// Those that failed too: nobody can replay them then
        #[arg(long)]
        failed: bool,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// Which deliveries are applied again.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Which {
    /// Those that could not be read, or that the ledger refused
    Failed,
    /// Those that wait for a fact
    Parked,
    /// All whose content is still kept
    All,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    delivery: Delivery,
    /// What the shop wrote; nothing once pruned.
    body: Option<String>,
}

/// What replaying did in all, and with each delivery that it did something with.
#[derive(Serialize)]
struct Report {
    replayed: u64,
    unchanged: u64,
    failed: u64,
    /// Those that cannot be replayed, because their content was pruned.
    pruned: Pruned,
    items: Vec<Replayed>,
}

/// A delivery that a replay did something with.
#[derive(Serialize)]
pub(super) struct Replayed {
    id: DeliveryId,
    topic: String,
    before: State,
    state: State,
    result: &'static str,
    reason: Option<String>,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::List { state, limit, cursor } => list(session, state, limit, cursor.as_deref()),
        Verb::Show { id } => show(session, &id),
        Verb::Replay { state, dry_run } => replay(session, state, dry_run),
        Verb::Prune { before, failed, dry_run } => prune(session, before, failed, dry_run),
    }
}

/// Deliveries, one on a line.
pub(super) fn table(page: &mut Page, deliveries: &[Delivery]) {
    let mut rows = Rows::new(&[
        ("ID", Column::Id),
        ("CAME (UTC)", Column::Id),
        ("STORE", Column::Text),
        ("TOPIC", Column::Text),
        ("ORDER", Column::Number),
        ("STATE", Column::Text),
        ("TOLD", Column::Text),
        ("REASON", Column::Text),
    ]);
    for delivery in deliveries {
        rows.row([
            delivery.id.to_string(),
            minute(delivery.received_at),
            delivery.store.clone(),
            delivery.topic.clone(),
            or_dash(delivery.order),
            delivery.state.as_str().to_owned(),
            delivery.result.clone(),
            or_dash(delivery.reason.as_ref()),
        ]);
    }
    page.table(&rows);
}

/// The list's name in its cursors.
const LIST: &str = "inbox";

fn list(
    session: &mut Session<'_>,
    state: Option<State>,
    limit: i64,
    cursor: Option<&str>,
) -> Result<(), Failure> {
    let before = output::begin(LIST, cursor)?.unwrap_or(i64::MAX);
    let deliveries = session.read(|tx| store::list(tx, state, before, limit + 1))?;
    let list = output::cut(LIST, deliveries, limit, |delivery| delivery.seq);
    let empty = if state.is_some() { "no deliveries in this state" } else { "no deliveries yet" };
    session.out.page(&list, empty, |page| table(page, &list.items))
}

fn show(session: &mut Session<'_>, id: &DeliveryId) -> Result<(), Failure> {
    let (delivery, body) = session.read(|tx| store::show(tx, id))?.ok_or_else(|| {
        Failure::refused(format!("there is no delivery {id}"))
            .with_help("`nivella-wallet inbox list` shows the deliveries")
    })?;
    let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
    let shown = Shown { delivery, body };
    session.out.show(&shown, |page| {
        let Shown { delivery, body } = &shown;
        page.facts([
            ("Delivery", delivery.id.to_string()),
            ("Store", delivery.store.clone()),
            ("Topic", delivery.topic.clone()),
            ("Came", format!("{} UTC", minute(delivery.received_at))),
            ("State", delivery.state.as_str().to_owned()),
            ("Shop was told", delivery.result.clone()),
            ("Reason", or_dash(delivery.reason.as_ref())),
            ("Order", or_dash(delivery.order)),
        ]);
        page.gap();
        match body {
            None => page.line("its content was pruned: see inbox.retention"),
            Some(body) => {
                let pretty = serde_json::from_str::<serde_json::Value>(body)
                    .and_then(|value| serde_json::to_string_pretty(&value))
                    .unwrap_or_else(|_| body.clone());
                pretty.lines().for_each(|line| page.line(line));
            }
        }
    })
}

/// Whether a replay booked anything, or brought a delivery on that was stuck.
fn did_something(done: &Done, before: State) -> bool {
    let was_stuck = matches!(before, State::Failed | State::Parked);
    matches!(done.result, "granted" | "clawed_back") || (was_stuck && done.state != before)
}

/// What to show of a replayed delivery; nothing if it changed nothing.
pub(super) fn replayed(id: DeliveryId, topic: String, before: State, done: Done) -> Option<Replayed> {
    let is_news = done.state == State::Failed || did_something(&done, before);
    let Done { state, result, reason } = done;
    is_news.then_some(Replayed { id, topic, before, state, result, reason })
}

/// What replaying did something with, if anything.
pub(super) fn replayed_table(page: &mut Page, items: &[Replayed]) {
    if items.is_empty() {
        return;
    }
    let mut rows = Rows::new(&[
        ("ID", Column::Id),
        ("TOPIC", Column::Text),
        ("WAS", Column::Text),
        ("IS", Column::Text),
        ("RESULT", Column::Text),
        ("REASON", Column::Text),
    ]);
    for item in items {
        rows.row([
            item.id.to_string(),
            item.topic.clone(),
            item.before.as_str().to_owned(),
            item.state.as_str().to_owned(),
            item.result.to_owned(),
            or_dash(item.reason.as_ref()),
        ]);
    }
    page.table(&rows);
    page.gap();
}

/// Names what could not be replayed, if there is any.
pub(super) fn pruned_line(page: &mut Page, pruned: &Pruned) {
    if let (Some(first), Some(last)) = (pruned.first_at, pruned.last_at) {
        page.line(format!(
            "{} could not be replayed, because their content was pruned (inbox.retention): they came from {} to {} UTC",
            count(pruned.count.try_into().unwrap_or(0), "delivery", "deliveries"),
            minute(first),
            minute(last)
        ));
    }
}

/// Deliveries whose bytes are forgotten in one transaction.
const PRUNE_PAGE: i64 = 200;

/// From when on deliveries are kept: an instant, or an age like `30d`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    At(Timestamp),
    Age(Retention),
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        text.parse()
            .map(Self::Age)
            .map_err(|_| format!("{text:?} is neither a time like 2026-11-20T16:00:00Z nor an age like 30d"))
    }
}

/// What was forgotten.
#[derive(Serialize)]
struct Forgotten {
    /// Deliveries that came before this.
    before: Timestamp,
    /// How many of them lost their content.
    pruned: u64,
    /// How many bytes that was.
    bytes: i64,
    /// Failed ones that were left, because nobody asked for them.
    failed_kept: i64,
}

fn prune(
    session: &mut Session<'_>,
    since: Option<Since>,
    failed: bool,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let db = session.existing()?;
    let db = &db;
    let age = |kept: Retention| db.clock().now().plus_millis(-kept.millis());
    let before = match since {
        Some(Since::At(at)) => at,
        Some(Since::Age(kept)) => age(kept),
        None => age(session.config.inbox.retention),
    };
    let prunable = db.read(|tx| store::prunable(tx, before))?;
    let sums = |of_failed: bool| {
        let chosen = prunable.iter().filter(|(state, ..)| (*state == State::Failed) == of_failed);
        chosen.fold((0, 0), |(number, bytes), (_, each, size)| (number + each, bytes + size))
    };
    let (settled, of_failed) = (sums(false), sums(true));
    let due = settled.0 + if failed { of_failed.0 } else { 0 };
    let bar = progress::bar(session, "deliveries", due.try_into().unwrap_or(0));
    let mut pruned = 0;
    if dry_run.dry_run {
        pruned = due.try_into().unwrap_or(0);
    } else {
        loop {
            let page = db.write_blocking("cli::inbox_prune", dry_run.keep(), move |tx| {
                store::prune_by_hand(tx, before, failed, PRUNE_PAGE)
            })?;
            pruned += page;
            bar.inc(page);
            if page < PRUNE_PAGE.unsigned_abs() {
                break;
            }
        }
    }
    bar.finish_and_clear();
    let forgotten = Forgotten {
        before,
        pruned,
        bytes: settled.1 + if failed { of_failed.1 } else { 0 },
        failed_kept: if failed { 0 } else { of_failed.0 },
    };
    session.out.show_change(&forgotten, dry_run.dry_run, |page| {
        page.line(format!(
            "{} from before {} UTC forgotten, {} bytes; what they did stays in the books",
            count(forgotten.pruned, "raw body", "raw bodies"),
            minute(forgotten.before),
            forgotten.bytes
        ));
        if forgotten.failed_kept > 0 {
            page.line(format!(
                "{} that failed kept theirs: `nivella-wallet inbox replay` once the cause is gone, or --failed to forget them too",
                count(forgotten.failed_kept.try_into().unwrap_or(0), "delivery", "deliveries")
            ));
        }
    })
}

fn replay(session: &mut Session<'_>, which: Which, dry_run: DryRun) -> Result<(), Failure> {
    let state = match which {
        Which::Failed => Some(State::Failed),
        Which::Parked => Some(State::Parked),
        Which::All => None,
    };
    let db = session.existing()?;
    let db = &db;
    let waiting: i64 = db
        .read(store::counts)?
        .into_iter()
        .filter(|(each, _)| state.is_none_or(|state| state == *each))
        .map(|(_, count)| count)
        .sum();
    let pruned = db.read(|tx| store::pruned(tx, state, None))?;
    let bar =
        progress::bar(session, "deliveries", waiting.saturating_sub(pruned.count).try_into().unwrap_or(0));
    let mut report = Report { replayed: 0, unchanged: 0, failed: 0, pruned, items: Vec::new() };
    let mut after = 0;
    while let Some(kept) = db.read(|tx| store::next(tx, state, after))? {
        after = kept.seq;
        let (id, topic, before) = (kept.id.clone(), kept.topic.clone(), kept.state);
        let rules = app::rules(&session.config);
        // Each is a transaction of its own, as when it came: one that is refused holds up no other.
        let done = db.write_blocking("cli::inbox_replay", dry_run.keep(), move |tx| {
            let shop = shops::by_id(tx, kept.store)?.ok_or(db::Error::NoRow)?;
            inbox::replay_or_set_aside(tx, &shop, &rules, &kept)
        })?;
        report.replayed += 1;
        bar.inc(1);
        report.failed += u64::from(done.state == State::Failed);
        match replayed(id, topic, before, done) {
            Some(item) => report.items.push(item),
            None => report.unchanged += 1,
        }
    }
    bar.finish_and_clear();
    session.out.show_change(&report, dry_run.dry_run, |page| {
        replayed_table(page, &report.items);
        page.line(format!(
            "{} replayed, {} unchanged, {} failed",
            count(report.replayed, "delivery", "deliveries"),
            report.unchanged,
            report.failed
        ));
        if report.items.is_empty() {
            page.line("nothing changed");
        }
        pruned_line(page, &report.pruned);
    })?;
    if report.failed == 0 { Ok(()) } else { Err(Failure::fault_shown()) }
}
