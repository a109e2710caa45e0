//! `site limit`, `site policy` and `site resume`: how much may be spent for a website, of what, and that it goes on.

use std::str::FromStr;

use clap::{ArgAction, ArgGroup, Args};
use serde::Serialize;

use super::output::{Column, Page, Rows, minute, or_dash};
use super::{DryRun, Failure, Session};
use crate::account::spending::{self, LimitShown, PERIODS, PolicyChange, PolicyShown, Resumed, Spending};
use crate::calendar::Per;
use crate::id::{AgentId, SiteId};
use crate::ledger::limit::{OnExhausted, OnReached};
use crate::ledger::store::limit::said;
use crate::site::{Field, store};
use crate::units::Credits;

pub(super) const LIMIT_HELP: &str = "\
A debit that would bring what was spent and what is held above the limit is refused, or with
`--on-reached use_balance` paid from bonus and paid credits only. 0 means that nothing may be
spent, none that there is no limit. What an assistant spends counts for its site, too.

Examples:
  nivella-wallet site limit site-123 --per month --credits 1000
  nivella-wallet site limit site-123 --agent support --per day --credits 50 --on-reached use_balance
  nivella-wallet site limit site-123 --per month --credits none";

pub(super) const POLICY_HELP: &str = "\
What is not said stays as it is. What is said of an assistant goes before what is said of its
site, but an assistant has no pool that its site has not.

Examples:
  nivella-wallet site policy site-123 --on-exhausted stop
  nivella-wallet site policy site-123 --agent support --pool off --grace 10";

#[derive(Args, Debug)]
pub(super) struct LimitOptions {
    /// The site's id
    site: SiteId,
    /// Only for this assistant
    #[arg(long)]
    agent: Option<AgentId>,
    /// For how long it counts
    #[arg(long, value_parser = period)]
    per: Per,
    /// How many, or none for no limit
    #[arg(long, value_name = "CREDITS|none")]
    credits: Most,
    /// What becomes of a debit that would pass it; stop unless said before
    #[arg(long)]
    on_reached: Option<OnReached>,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("said").required(true).multiple(true).args(["on_exhausted", "pool", "grace"]))]
pub(super) struct PolicyOptions {
    /// The site's id
    site: SiteId,
    /// Only for this assistant
    #[arg(long)]
    agent: Option<AgentId>,
    /// What may be spent when recurring credits are used up: nothing, or bonus and paid credits
    #[arg(long)]
    on_exhausted: Option<OnExhausted>,
    /// Whether the account's pool may be used
    #[arg(long, value_parser = on_off, action = ArgAction::Set, value_name = "on|off")]
    pool: Option<bool>,
    /// How large a last hold is that may go uncovered; what it lacks is owed then
    #[arg(long, value_name = "CREDITS")]
    grace: Option<Credits>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// What was set, and of what.
#[derive(Serialize)]
struct Set<T> {
    site: SiteId,
    /// The assistant it is for; none for the whole site.
    agent: Option<AgentId>,
    change: &'static str,
    #[serde(flatten)]
    shown: T,
}

impl<T> Set<T> {
    /// How the answer begins when everything was as it is before.
    fn nothing_to_do(&self) -> &'static str {
        if self.change == "unchanged" { "nothing to do: " } else { "" }
    }
}

/// The most that may be spent.
#[derive(Clone, Copy, Debug)]
struct Most(Option<Credits>);

impl FromStr for Most {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => text
                .parse()
                .map(|credits| Self(Some(credits)))
                .map_err(|error| format!("{error}; write none for no limit")),
        }
    }
}

fn period(text: &str) -> Result<Per, &'static str> {
    Per::named(text).filter(|per| PERIODS.contains(per)).ok_or("write day or month")
}

fn on_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("write on or off"),
    }
}

pub(super) fn set_limit(options: LimitOptions, session: &mut Session<'_>) -> Result<(), Failure> {
    let LimitOptions { site, agent, per, credits: Most(credits), on_reached, dry_run } = options;
    let whose = whose(&site, agent.as_ref());
    let set = session.change("cli::site_limit", dry_run, move |tx| {
        let owner = store::owned(tx, &site)?;
        let mut before = spending::limits(tx, &owner, &site)?;
        before.retain(|limit| limit.agent == agent && limit.per == per);
        let mut shown = spending::set_limit(tx, &site, agent.as_ref(), per, credits, on_reached)?;
        let is_same = match before.first() {
            Some(before) => before.credits == shown.credits && before.on_reached == shown.on_reached,
            None => shown.credits.is_none(),
        };
        let change = if is_same { "unchanged" } else { "changed" };
        shown.agent = None;
        Ok::<_, spending::Error>(Set { site, agent, change, shown })
    })?;
    let shown = &set.shown;
    session.out.show_change(&set, dry_run.dry_run, |page| match (shown.credits, shown.left()) {
        (Some(credits), Some(left)) => {
            page.line(format!(
                "{}{whose} may spend {} a {}",
                set.nothing_to_do(),
                credits.in_words(),
                shown.per
            ));
            page.line(match shown.on_reached {
                OnReached::Stop => "what would pass that is refused",
                OnReached::UseBalance => "what would pass that is paid from bonus and paid credits",
            });
            page.line(format!("{left} are left until {} UTC", minute(shown.resets_at)));
        }
        _ => page.line(format!("{}{whose} may spend without limit each {}", set.nothing_to_do(), shown.per)),
    })
}

pub(super) fn set_policy(options: PolicyOptions, session: &mut Session<'_>) -> Result<(), Failure> {
    let PolicyOptions { site, agent, on_exhausted, pool, grace, dry_run } = options;
    let whose = whose(&site, agent.as_ref());
    let change = PolicyChange {
        on_exhausted: on_exhausted.map_or(Field::Keep, Field::Set),
        pool: pool.map_or(Field::Keep, Field::Set),
        grace: grace.map_or(Field::Keep, Field::Set),
    };
    let set = session.change("cli::site_policy", dry_run, move |tx| {
        let owner = store::owned(tx, &site)?;
        let before = said(tx, &owner, &site, agent.as_ref())?;
        let mut shown = spending::set_policy(tx, &site, agent.as_ref(), &change)?;
        let is_same = before == said(tx, &owner, &site, agent.as_ref())?;
        let change = if is_same { "unchanged" } else { "changed" };
        shown.agent = None;
        Ok::<_, spending::Error>(Set { site, agent, change, shown })
    })?;
    session.out.show_change(&set, dry_run.dry_run, |page| {
        page.line(format!("{}{whose}: {}", set.nothing_to_do(), policy(&set.shown)));
    })
}

pub(super) fn resume(session: &mut Session<'_>, site: SiteId, dry_run: DryRun) -> Result<(), Failure> {
    let resumed = session.change("cli::site_resume", dry_run, move |tx| spending::resume(tx, &site))?;
    session.out.show_change(&resumed, dry_run.dry_run, |page| {
        let Resumed { site, was } = &resumed;
        match was {
            None => page.line(format!("nothing to do: {site} is not paused")),
            Some(pause) => {
                page.line(format!("{site} may spend again"));
                page.line(format!("it was paused since {} UTC: {}", minute(pause.since), pause.reason));
            }
        }
    })
}

fn whose(site: &SiteId, agent: Option<&AgentId>) -> String {
    agent.map_or_else(|| site.to_string(), |agent| format!("{agent} of {site}"))
}

/// A policy in words.
fn policy(shown: &PolicyShown) -> String {
    let mut words = vec![match shown.on_exhausted {
        OnExhausted::Stop => "spends recurring credits only".to_owned(),
        OnExhausted::UseBalance => "spends recurring credits, then bonus and paid ones".to_owned(),
    }];
    words.push(if shown.pool { "also the pool's" } else { "not the pool's" }.to_owned());
    if !shown.grace.is_zero() {
        words.push(format!("and a last hold of up to {} may go uncovered", shown.grace));
    }
    words.join(", ")
}

/// What is set about a site's spending, beside the limits.
pub(super) fn facts(facts: &mut Vec<(&'static str, String)>, spending: &Spending) {
    if let Some(pause) = &spending.pause {
        facts.push(("Paused", format!("since {} UTC: {}", minute(pause.since), pause.reason)));
    }
    for shown in &spending.policies {
        match &shown.agent {
            None => facts.push(("Policy", policy(shown))),
            Some(agent) => facts.push(("Policy", format!("assistant {agent} {}", policy(shown)))),
        }
    }
}

/// A site's limits and how they stand, if it has any.
pub(super) fn tables(page: &mut Page, spending: &Spending) {
    if spending.limits.is_empty() {
        return;
    }
    let mut rows = Rows::new(&[
        ("LIMIT", Column::Number),
        ("PER", Column::Text),
        ("ASSISTANT", Column::Text),
        ("SPENT", Column::Number),
        ("HELD", Column::Number),
        ("LEFT", Column::Number),
        ("RESETS (UTC)", Column::Id),
        ("WHEN REACHED", Column::Text),
    ]);
    for shown in &spending.limits {
        let LimitShown { agent, per, credits, on_reached, spent, held, resets_at } = shown;
        rows.row([
            or_dash(credits.as_ref()),
            per.to_string(),
            or_dash(agent.as_ref()),
            spent.to_string(),
            held.to_string(),
            or_dash(shown.left().as_ref()),
            minute(*resets_at),
            match on_reached {
                OnReached::Stop => "stop".to_owned(),
                OnReached::UseBalance => "use bonus and paid credits".to_owned(),
            },
        ]);
    }
    page.gap();
    page.table(&rows);
}
