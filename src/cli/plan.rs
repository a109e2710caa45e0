//! `plan`: credits that come again.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Rows, count, minute, or_dash};
use super::values::{Begin, some_credits, words};
use super::{DryRun, Failure, Session};
use crate::calendar::Per;
use crate::db;
use crate::id::{AccountId, PlanId};
use crate::ledger::LockedAccount;
use crate::ledger::plan::{NewPlan, State, Subscription, Version};
use crate::ledger::slice::Compartment;
use crate::ledger::store::plan::{self, Change};
use crate::site::{WalletRef, store};
use crate::time::Timestamp;
use crate::units::Credits;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Say what a plan brings each period, from the next one on
    #[command(after_help = "\
Periods are those of the calendar in the time zone of each account: days, weeks from Monday, months,
years. What is left expires with its period; --rollover lets some of it come again in the next one.
Setting a plan again changes periods that begin later; those that began stay as they are.

Examples:
  nivella-wallet plan set basic --credits 500 --per month --label \"Monthly allowance\"
  nivella-wallet plan set basic --credits 800 --per month --rollover 200")]
    Set(Set),
    /// Let a wallet have a plan
    #[command(after_help = "\
The first period brings all of its credits at once and ends when the calendar's does: with
--from the plan can begin with the next one. A plan that was stopped goes on when the period
ends that it was stopped in, so nobody gets a period twice.

Examples:
  nivella-wallet plan start basic site:site-123
  nivella-wallet plan start basic account:shop:customer:17 --from 2027-01-01")]
    Start {
        /// The plan
        #[arg(value_name = "NAME")]
        plan: PlanId,
        /// Whose: site:ID for one site, account:ACC for the pool of all of its sites
        #[arg(value_name = "W")]
        wallet: WalletRef,
        /// When its first period begins: 2027-01-31, a day in the account's time zone, or
        /// 2027-01-31T12:00:00Z [default: now]
        #[arg(long, value_name = "T")]
        from: Option<Begin>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Let a wallet's plan bring nothing more; what the present period brought stays until its end
    Stop {
        /// The plan
        #[arg(value_name = "NAME")]
        plan: PlanId,
        /// Whose: site:ID or account:ACC
        #[arg(value_name = "W")]
        wallet: WalletRef,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// List the plans and who has them
    List,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// The plan, a name of 1 to 128 of A-Z a-z 0-9 . _ : -
    #[arg(value_name = "NAME")]
    plan: PlanId,
    /// What each period brings
    #[arg(long, value_name = "N", value_parser = some_credits)]
    credits: Credits,
    /// How long a period is
    #[arg(long, value_enum)]
    per: Per,
    /// How much of what is left comes again in the next period, at most
    #[arg(long, value_name = "N", default_value = "0")]
    rollover: Credits,
    /// What customers read [default: Monthly allowance, or as the period is]
    #[arg(long, value_name = "TEXT", value_parser = words)]
    label: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Serialize)]
struct SetPlan {
    #[serde(flatten)]
    version: Version,
    change: Change,
}

/// A plan of a wallet as answers show it.
#[derive(Serialize)]
struct Shown {
    wallet: WalletRef,
    account: AccountId,
    plan: PlanId,
    state: State,
    /// When it was started, the last time.
    started_at: Timestamp,
    /// When the present period ends.
    ends_at: Option<Timestamp>,
    /// When it brings credits next.
    renews_at: Option<Timestamp>,
    /// What the newest period brought, without what was carried over.
    credits: Option<Credits>,
}

impl Shown {
    fn of(subscription: Subscription, now: Timestamp) -> Self {
        let state = subscription.state(now);
        let due_at = subscription.due_at;
        Self {
            wallet: match &subscription.compartment {
                Compartment::Pool => WalletRef::Account(subscription.account.clone().into()),
                Compartment::Site(site) => WalletRef::Site(site.clone()),
            },
            ends_at: matches!(state, State::Running | State::Ending).then_some(due_at),
            renews_at: matches!(state, State::Running | State::Coming).then_some(due_at),
            credits: subscription.newest.map(|newest| newest.credits),
            started_at: subscription.started_at,
            account: subscription.account,
            plan: subscription.plan,
            state,
        }
    }
}

#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    shown: Shown,
    change: Change,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    version: Version,
    wallets: Vec<Shown>,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Set(options) => set(session, options),
        Verb::Start { plan, wallet, from, dry_run } => start(session, plan, wallet, from, dry_run),
        Verb::Stop { plan, wallet, dry_run } => stop(session, plan, wallet, dry_run),
        Verb::List => list(session),
    }
}

fn set(session: &mut Session<'_>, options: Set) -> Result<(), Failure> {
    let Set { plan: name, credits, per, rollover, label, dry_run } = options;
    let new = NewPlan { name, credits, per, rollover, label };
    let done = session.set_up("cli::plan_set", dry_run, move |tx| {
        let (version, change) = plan::set(tx, &new)?;
        Ok::<_, db::Error>(SetPlan { version, change })
    })?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        let SetPlan { version, change } = &done;
        let brings = format!("{} each {}", version.credits.in_words(), version.per);
        page.line(match change {
            Change::Added => format!("plan {} brings {brings}", version.name),
            Change::Unchanged => format!("nothing to do: plan {} brings {brings}", version.name),
            _ => format!("plan {} brings {brings} from the next period on", version.name),
        });
        if !version.rollover.is_zero() {
            page.line(format!("up to {} of what is left come again in the next one", version.rollover));
        }
    })
}

fn start(
    session: &mut Session<'_>,
    name: PlanId,
    wallet: WalletRef,
    from: Option<Begin>,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let done = session.change("cli::plan_start", dry_run, move |tx| {
        let now = tx.now();
        known(plan::in_force(tx, &name, now)?, &name)?;
        let (account, compartment) = store::open_wallet(tx, &wallet)?;
        let mut account = LockedAccount::lock(tx, &account)?;
        let from = from.map(|from| from.in_zone(account.zone()));
        let (subscription, change) = account.start_plan(&name, &compartment, from)?;
        Ok::<_, Failure>(Changed { shown: Shown::of(subscription, now), change })
    })?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        let Changed { shown, change } = &done;
        let Shown { plan, wallet, .. } = shown;
        page.line(match (change, shown.state) {
            (Change::Unchanged, _) => format!("nothing to do: {wallet} has plan {plan}"),
            (_, State::Coming) => format!("plan {plan} of {wallet} begins later"),
            (_, _) => format!("started plan {plan} of {wallet}"),
        });
        tell_next(page, shown);
    })
}

fn stop(session: &mut Session<'_>, name: PlanId, wallet: WalletRef, dry_run: DryRun) -> Result<(), Failure> {
    let done = session.change("cli::plan_stop", dry_run, move |tx| {
        let now = tx.now();
        known(plan::in_force(tx, &name, now)?, &name)?;
        let (account, compartment) = store::open_wallet(tx, &wallet)?;
        let (subscription, change) =
            LockedAccount::lock(tx, &account)?.stop_plan(&name, &compartment)?.ok_or_else(|| {
                Failure::refused(format!("{wallet} has no plan {name}"))
                    .with_help("`nivella-wallet plan list` shows who has which")
            })?;
        Ok::<_, Failure>(Changed { shown: Shown::of(subscription, now), change })
    })?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        let Changed { shown, change } = &done;
        let Shown { plan, wallet, .. } = shown;
        page.line(match change {
            Change::Unchanged => format!("nothing to do: plan {plan} of {wallet} was stopped before"),
            _ => format!("stopped plan {plan} of {wallet}"),
        });
        tell_next(page, shown);
    })
}

fn known(version: Option<Version>, name: &PlanId) -> Result<Version, Failure> {
    version.ok_or_else(|| {
        Failure::refused(format!("there is no plan {name}")).with_help(format!(
            "`nivella-wallet plan list` shows the plans, `nivella-wallet plan set {name} --credits N --per month` makes one"
        ))
    })
}

fn tell_next(page: &mut super::output::Page, shown: &Shown) {
    match (shown.renews_at, shown.ends_at) {
        (Some(at), _) => page.line(format!("its next credits come {} UTC", minute(at))),
        (None, Some(at)) => page.line(format!("what it brought is good until {} UTC", minute(at))),
        (None, None) => {}
    }
}

fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let plans = session.read(|tx| {
        let now = tx.now();
        let mut plans = Vec::new();
        for version in plan::list(tx)? {
            let wallets = plan::subscribers(tx, &version.name)?;
            let wallets = wallets.into_iter().map(|one| Shown::of(one, now)).collect();
            plans.push(Listed { version, wallets });
        }
        Ok::<_, db::Error>(plans)
    })?;
    session.out.list(&plans, "no plans yet: `nivella-wallet plan set` makes one", |page| {
        let mut rows = Rows::new(&[
            ("PLAN", Column::Id),
            ("CREDITS", Column::Number),
            ("PER", Column::Text),
            ("ROLLOVER", Column::Number),
            ("WALLETS", Column::Number),
            ("LABEL", Column::Text),
        ]);
        for Listed { version, wallets } in &plans {
            let running = wallets.iter().filter(|shown| shown.state == State::Running).count();
            rows.row([
                version.name.to_string(),
                version.credits.to_string(),
                version.per.to_string(),
                version.rollover.to_string(),
                running.to_string(),
                version.words().to_owned(),
            ]);
        }
        page.table(&rows);
        let all: Vec<&Shown> = plans.iter().flat_map(|plan| &plan.wallets).collect();
        if all.is_empty() {
            return;
        }
        page.gap();
        let mut rows = Rows::new(&[
            ("WALLET", Column::Id),
            ("PLAN", Column::Id),
            ("STATE", Column::Text),
            ("STARTED (UTC)", Column::Id),
            ("NEXT (UTC)", Column::Id),
        ]);
        for shown in &all {
            rows.row([
                shown.wallet.to_string(),
                shown.plan.to_string(),
                shown.state.as_str().to_owned(),
                minute(shown.started_at),
                or_dash(shown.renews_at.map(minute)),
            ]);
        }
        page.table(&rows);
        page.line(count(all.len() as u64, "wallet", "wallets"));
    })
}
