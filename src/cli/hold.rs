//! `hold`: credits the assistants have set aside.

use clap::Subcommand;
use serde::Serialize;

use super::output::{Column, Rows, minute, or_dash};
use super::{DryRun, Failure, Session};
use crate::feed;
use crate::id::{AccountId, AgentId, HoldId, SiteId};
use crate::ledger::LockedAccount;
use crate::ledger::hold::{Hold, State};
use crate::ledger::store::hold;
use crate::rate;
use crate::site::{WalletRef, store};
use crate::time::Timestamp;
use crate::units::Credits;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Show the open holds of a wallet or, without one, of all
    List {
        /// Whose: site:ID or account:ACC
        #[arg(value_name = "W")]
        wallet: Option<WalletRef>,
    },
    /// Give back what a hold has set aside, before its time is over
    #[command(after_help = "\
The assistant that took the hold cannot capture it any more. Holds end by themselves within a day.

Example:
  nivella-wallet hold release hd_01a1fe35d3217710bd16a2bb97b12b8a --dry-run")]
    Release {
        /// The hold
        #[arg(value_name = "ID")]
        hold: HoldId,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// A hold as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    id: HoldId,
    state: State,
    account: AccountId,
    site: SiteId,
    agent: Option<AgentId>,
    action: Option<String>,
    reference: Option<String>,
    label: String,
    credits: Credits,
    created_at: Timestamp,
    age_s: i64,
    expires_at: Timestamp,
    closed_at: Option<Timestamp>,
}

impl Shown {
    fn of(hold: Hold, now: Timestamp) -> Self {
        Self {
            state: hold.state_at(now),
            id: hold.id,
            account: hold.account,
            site: hold.site,
            agent: hold.agent,
            label: rate::say(hold.label, hold.quantity),
            action: hold.action,
            reference: hold.reference,
            credits: hold.credits,
            created_at: hold.created_at,
            age_s: (now.millis() - hold.created_at.millis()) / 1000,
            expires_at: hold.expires_at,
            closed_at: hold.closed_at,
        }
    }
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::List { wallet } => list(session, wallet.as_ref()),
        Verb::Release { hold, dry_run } => release(session, hold, dry_run),
    }
}

fn list(session: &mut Session<'_>, named: Option<&WalletRef>) -> Result<(), Failure> {
    let holds = session.read(|tx| {
        let now = tx.now();
        let Some(named) = named else {
            let holds = hold::open_everywhere(tx)?;
            return Ok(holds.into_iter().map(|hold| Shown::of(hold, now)).collect::<Vec<_>>());
        };
        let wallet = feed::wallet::open(tx, named)?.ok_or_else(|| {
            Failure::refused(format!("there is no wallet {named}")).with_help(
                "`nivella-wallet account list` and `nivella-wallet site list` show which there are",
            )
        })?;
        let mut holds = hold::open(tx, wallet.account())?;
        holds.retain(|hold| match named {
            WalletRef::Site(site) => hold.site == *site,
            WalletRef::Account(_) => true,
        });
        holds.retain(|hold| hold.state_at(now) == State::Open);
        Ok::<_, Failure>(holds.into_iter().map(|hold| Shown::of(hold, now)).collect::<Vec<_>>())
    })?;
    session.out.list(&holds, "nothing is held", |page| {
        let mut rows = Rows::new(&[
            ("HOLD", Column::Id),
            ("ACCOUNT", Column::Id),
            ("SITE", Column::Id),
            ("ASSISTANT", Column::Id),
            ("ACTION", Column::Text),
            ("CREDITS", Column::Number),
            ("SINCE (UTC)", Column::Id),
            ("UNTIL (UTC)", Column::Id),
            ("AGE", Column::Number),
            ("REFERENCE", Column::Text),
            ("LABEL", Column::Text),
        ]);
        for shown in &holds {
            rows.row([
                shown.id.to_string(),
                shown.account.to_string(),
                shown.site.to_string(),
                or_dash(shown.agent.as_ref()),
                or_dash(shown.action.as_ref()),
                shown.credits.to_string(),
                minute(shown.created_at),
                minute(shown.expires_at),
                format!("{} min", shown.age_s / 60),
                or_dash(shown.reference.as_ref()),
                shown.label.clone(),
            ]);
        }
        page.table(&rows);
    })
}

fn release(session: &mut Session<'_>, id: HoldId, dry_run: DryRun) -> Result<(), Failure> {
    let done = session.change("cli::hold_release", dry_run, move |tx| {
        let now = tx.now();
        let found = hold::get(tx, &id)?.ok_or_else(|| {
            Failure::refused(format!("there is no hold {id}"))
                .with_help("`nivella-wallet hold list W` shows the open holds of a wallet")
        })?;
        let account = store::follow(tx, &found.account)?;
        let held = LockedAccount::lock(tx, &account)?.release(&id)?;
        Ok::<_, Failure>(Shown::of(held.hold, now))
    })?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        page.line(format!("no longer set aside: {} of site {}", done.credits.in_words(), done.site));
    })
}
