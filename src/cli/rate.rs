//! `rate`: what an action costs.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Rows, minute, or_dash};
use super::values::words;
use super::{DryRun, Failure, Session};
use crate::db;
use crate::id::ActionId;
use crate::rate::{NewRate, Rate, Round, Version, store};
use crate::time::Timestamp;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Say what one unit of an action costs, from now or from a later day
    #[command(after_help = "\
A rate is never changed: this adds a version, and each debit is priced by the one that is effective when
it is booked. Price = quantity × rate, brought to a micro-credit as --round says.

Customers read the label; {quantity} in it becomes how much they used. Without a label they read the
action's name.

Examples:
  nivella-wallet rate set answer --credits 3 --per question --label \"Answered {quantity} visitor questions\"
  nivella-wallet rate set answer --credits 4 --effective 2027-01-01")]
    Set(Set),
    /// List all rates with their versions: those that count now, that will, and that did
    List,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// What is done, as the assistant service names it
    action: ActionId,
    /// What one unit costs; up to 9 decimals
    #[arg(long, value_name = "N")]
    credits: Rate,
    /// What one unit is, in words: only for people
    #[arg(long, value_name = "UNIT", value_parser = words)]
    per: Option<String>,
    /// How a price is brought to a whole micro-credit
    #[arg(long, value_enum, default_value_t)]
    round: Round,
    /// From when it counts, like 2027-01-31 or 2027-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "T")]
    effective: Option<Timestamp>,
    /// What customers read; {quantity} stands for how much
    #[arg(long, value_name = "TEXT", value_parser = words)]
    label: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// A version as it is listed.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    version: Version,
    state: State,
}

/// Whether a version counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Debits are priced by it.
    Current,
    /// From a later instant on.
    Coming,
    /// Another one took its place.
    Past,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Coming => "coming",
            Self::Past => "past",
        }
    }
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Set(options) => set(session, options),
        Verb::List => list(session),
    }
}

fn set(session: &mut Session<'_>, options: Set) -> Result<(), Failure> {
    let Set { action, credits, per, round, effective, label, dry_run } = options;
    let new = NewRate { action, rate: credits, per, round, label, effective_at: effective };
    let version = session.change("cli::rate_set", dry_run, move |tx| store::set(tx, &new))?;
    session.out.show_change(&version, dry_run.dry_run, |page| {
        page.line(format!(
            "{}: {} credits{}, from {} UTC (version {})",
            version.action,
            version.credits,
            version.per.as_ref().map(|unit| format!(" for each {unit}")).unwrap_or_default(),
            minute(version.effective_at),
            version.version,
        ));
    })
}

fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let rates = session.read(|tx| {
        let now = tx.now();
        // By action, the newest first: the first that is effective counts.
        let mut counting: Option<ActionId> = None;
        let versions = store::list(tx)?.into_iter().map(|version| {
            let state = if version.effective_at > now {
                State::Coming
            } else if counting.as_ref() == Some(&version.action) {
                State::Past
            } else {
                counting = Some(version.action.clone());
                State::Current
            };
            Listed { version, state }
        });
        Ok::<_, db::Error>(versions.collect::<Vec<_>>())
    })?;
    session.out.list(&rates, "no rates yet: `rate set` makes one", |page| {
        let mut rows = Rows::new(&[
            ("ACTION", Column::Id),
            ("CREDITS", Column::Number),
            ("PER", Column::Text),
            ("ROUND", Column::Text),
            ("FROM (UTC)", Column::Id),
            ("VERSION", Column::Number),
            ("STATE", Column::Text),
            ("LABEL", Column::Text),
        ]);
        for Listed { version, state } in &rates {
            rows.row([
                version.action.to_string(),
                version.credits.to_string(),
                or_dash(version.per.as_ref()),
                version.round.as_str().to_owned(),
                minute(version.effective_at),
                version.version.to_string(),
                state.as_str().to_owned(),
                or_dash(version.label.as_ref()),
            ]);
        }
        page.table(&rows);
    })
}
