//! `inbox`: the deliveries shops sent, as they came.

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::output::{self, Column, Page, Rows, count, minute, or_dash};
use super::{DryRun, Failure, Session, progress};
use crate::app;
use crate::db::{self, Tx};
use crate::id::DeliveryId;
use crate::inbox::store::{self, Delivery, State};
use crate::inbox::{self, Done};
use crate::order::apply;
use crate::shop::store as shops;

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
#[derive(Default, Serialize)]
struct Report {
    replayed: u64,
    unchanged: u64,
    failed: u64,
    /// Deliveries that could not be replayed because their content is gone.
    gone: i64,
    items: Vec<Replayed>,
}

#[derive(Serialize)]
struct Replayed {
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

fn replay(session: &mut Session<'_>, which: Which, dry_run: DryRun) -> Result<(), Failure> {
    let state = match which {
        Which::Failed => Some(State::Failed),
        Which::Parked => Some(State::Parked),
        Which::All => None,
    };
    let desk = session.writable(dry_run)?;
    let db = &desk.db;
    let waiting: i64 = db
        .read(store::counts)?
        .into_iter()
        .filter(|(each, _)| state.is_none_or(|state| state == *each))
        .map(|(_, count)| count)
        .sum();
    let gone = db.read(|tx| store::gone(tx, state))?;
    let bar = progress::bar(session, "deliveries", waiting.saturating_sub(gone).try_into().unwrap_or(0));
    let mut report = Report { gone, ..Report::default() };
    let mut after = 0;
    while let Some(kept) = db.read(|tx| store::next(tx, state, after))? {
        after = kept.seq;
        let (id, topic, before) = (kept.id.clone(), kept.topic.clone(), kept.state);
        let rules = app::rules(&session.config);
        // Each is a transaction of its own, as when it came: one that is refused holds up no other.
        let done = db.write_blocking("cli::inbox_replay", dry_run.keep(), move |tx| {
            let shop = shops::by_id(tx, kept.store)?.ok_or(db::Error::NoRow)?;
            inbox::replay(tx, &shop, &rules, &kept)
        });
        let done = match done {
            Ok(done) => done,
            Err(apply::Error::Database(error)) => return Err(error.into()),
            Err(apply::Error::Ledger(refusal)) => {
                let reason = refusal.to_string();
                let (again, why) = (id.clone(), reason.clone());
                db.write_blocking("cli::inbox_set_aside", dry_run.keep(), move |tx: &mut Tx<'_>| {
                    store::settle(tx, &again, State::Failed, "stored", Some(&why))
                })?;
                Done { state: State::Failed, result: "stored", reason: Some(reason) }
            }
        };
        report.replayed += 1;
        bar.inc(1);
        let failed = done.state == State::Failed;
        report.failed += u64::from(failed);
        if failed || did_something(&done, before) {
            let Done { state, result, reason } = done;
            report.items.push(Replayed { id, topic, before, state, result, reason });
        } else {
            report.unchanged += 1;
        }
    }
    bar.finish_and_clear();
    session.out.show_change(&report, dry_run.dry_run, |page| {
        if !report.items.is_empty() {
            let mut rows = Rows::new(&[
                ("ID", Column::Id),
                ("TOPIC", Column::Text),
                ("WAS", Column::Text),
                ("IS", Column::Text),
                ("RESULT", Column::Text),
                ("REASON", Column::Text),
            ]);
            for item in &report.items {
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
        page.line(format!(
            "{} replayed, {} unchanged, {} failed",
            count(report.replayed, "delivery", "deliveries"),
            report.unchanged,
            report.failed
        ));
        if let Ok(gone @ 1..) = u64::try_from(report.gone) {
            let what = count(gone, "delivery was", "deliveries were");
            page.line(format!("{what} not replayed: the content is gone (inbox.retention, account erase)"));
        }
    })?;
    if report.failed == 0 { Ok(()) } else { Err(Failure::fault_shown()) }
}
