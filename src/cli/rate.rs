//! `rate`: what an action costs.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Rows, minute, or_dash};
use super::values::words;
use super::{DryRun, Failure, Session};
use crate::db;
use crate::id::ActionId;
use crate::rate::{NewRate, QUANTITY, Rate, Round, Version, store};
use crate::time::Timestamp;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Say what one unit of an action costs, from now or from a later day
    #[command(after_help = "\
A rate is never changed: this adds a version, and each debit is priced by the one that is
effective when it is booked. Price = quantity × rate, brought to a micro-credit as --round says.

Customers read the label; {quantity} in it becomes how much they used. Without a label they read
the action's name. What is not said stays as it was: unit, rounding, label.

Examples:
  nivella-wallet rate set answer --credits 3 --per question \\
      --label \"Visitor questions answered: {quantity}\"
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
    /// How a price is brought to a whole micro-credit [new: up]
    #[arg(long, value_enum)]
    round: Option<Round>,
    /// From when it counts, like 2027-01-31 or 2027-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "T")]
    effective: Option<Timestamp>,
    /// What customers read; {quantity} stands for how much
    #[arg(long, value_name = "TEXT", value_parser = label)]
    label: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Reads a label. Something else in braces is most likely a misspelt `{quantity}`, and customers would read it.
fn label(text: &str) -> Result<String, String> {
    let label = words(text)?;
    if label.replace(QUANTITY, "").contains(['{', '}']) {
        return Err(format!("braces stand for nothing but {QUANTITY} in a label"));
    }
    Ok(label)
}

/// A version that was set.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    version: Version,
    /// Why nothing will be priced by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
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
    let made = session.set_up("cli::rate_set", dry_run, move |tx| {
        let version = store::set(tx, &new)?;
        // Of those effective by now the latest counts; this one is older than it already.
        let counts = store::effective(tx, &version.action, tx.now().max(version.effective_at))?;
        let note = counts.filter(|counts| counts.version != version.version).map(|counts| {
            format!(
                "version {} counts from {} UTC already, so nothing will be priced by this one",
                counts.version,
                minute(counts.effective_at)
            )
        });
        Ok::<_, db::Error>(Made { version, note })
    })?;
    session.out.show_change(&made, dry_run.dry_run, |page| {
        let Made { version, note } = &made;
        page.line(format!(
            "{}: {} credits{}, from {} UTC (version {})",
            version.action,
            version.credits,
            version.per.as_ref().map(|unit| format!(" for each {unit}")).unwrap_or_default(),
            minute(version.effective_at),
            version.version,
        ));
        if let Some(label) = &version.label {
            page.line(format!("customers read: {label}"));
        }
        if let Some(note) = note {
            page.line(format!("note: {note}"));
        }
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
    session.out.list(&rates, "no rates yet: `nivella-wallet rate set` makes one", |page| {
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
