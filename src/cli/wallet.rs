//! `wallet`: what somebody holds, and moving it by hand.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use super::numbers::{self, Explained, Past, Used};
use super::output::{Column, Page, Rows, minute, or_dash};
use super::values::{Amount, Until, some_change, some_credits, words};
use super::{DryRun, Failure, Session};
use crate::account::by_hand;
use crate::app;
use crate::db::Tx;
use crate::feed::wallet::{Numbers, Part as Holding, SiteColumn};
use crate::feed::{self, Wallet, activity, grants};
use crate::id::{AgentId, GrantId, SiteId};
use crate::ledger::limit::Refusal;
use crate::ledger::slice::{Category, Compartment};
use crate::ledger::store::{NewGrant, Shown};
use crate::site::{AccountRef, WalletRef, store};
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Show what a wallet has: available, held, owed, and what it is made of
    #[command(after_help = "\
A site's wallet shows its own credits and, while the site may use it, its account's pool.

Examples:
  nivella-wallet wallet show site:site-123
  nivella-wallet wallet show account:shop:customer:17")]
    Show {
        /// Which: site:ID or account:ACC
        #[arg(value_name = "WALLET")]
        wallet: WalletRef,
    },
    /// Show what happened to a wallet, newest first; with --csv all of it, oldest first
    #[command(after_help = "\
Examples:
  nivella-wallet wallet history site:site-123 --kind usage --from 2026-11-01
  nivella-wallet wallet history account:shop:customer:17 --csv > history.csv")]
    History {
        /// Which: site:ID or account:ACC
        #[arg(value_name = "WALLET")]
        wallet: WalletRef,
        /// Only lines of this kind
        #[arg(long, value_parser = PossibleValuesParser::new(activity::KINDS.map(Shown::as_str)))]
        kind: Option<String>,
        /// Only lines of this site
        #[arg(long)]
        site: Option<SiteId>,
        /// Not before this time, like 2026-11-01
        #[arg(long, value_name = "TIME")]
        from: Option<Timestamp>,
        /// Before this time
        #[arg(long, value_name = "TIME")]
        to: Option<Timestamp>,
        /// At most so many lines
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=LINES_MAX))]
        limit: u32,
        /// Go on after the lines shown before: their `next_cursor`
        #[arg(long)]
        cursor: Option<String>,
        /// All lines as CSV, oldest first
        #[arg(long, conflicts_with_all = ["limit", "cursor", "json"])]
        csv: bool,
    },
    /// Show where a wallet's credits came from and where they went, newest first
    #[command(after_help = "\
GRANTED = LEFT + HELD + SPENT - BACK + EXPIRED + CLAWED + VOIDED + ADJUSTED + REPAID. A column
that is 0 for every grant is left out. BACK is what was spent and given back, REPAID what paid a
debt.")]
    Grants {
        /// Which: site:ID or account:ACC
        #[arg(value_name = "WALLET")]
        wallet: WalletRef,
        /// Only grants that stand like this
        #[arg(long, value_parser = PossibleValuesParser::new(grants::Status::ALL.map(grants::Status::as_str)))]
        status: Option<String>,
        /// At most so many grants
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=LINES_MAX))]
        limit: u32,
        /// Go on after the grants shown before: their `next_cursor`
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show the movements that add up to what is available, newest first
    #[command(after_help = numbers::EXPLAIN_HELP)]
    Explain(Explained),
    /// Show what the balance was at a time
    #[command(after_help = numbers::BALANCE_HELP)]
    Balance(Past),
    /// Show what was used, by day, week or month, and by what for
    #[command(after_help = numbers::USAGE_HELP)]
    Usage(Used),
    /// Give credits, as a present or for money that did not come through a shop
    #[command(after_help = "\
Examples:
  nivella-wallet wallet grant site:site-123 --credits 500 --reason \"sorry for the outage\"
  nivella-wallet wallet grant account:shop:customer:17 --credits 1000 --reason \"invoice 2026-117\" \\
      --category paid --expires 1y")]
    Grant {
        /// Whose: site:ID or account:ACC; an account is opened if new
        #[arg(value_name = "WALLET")]
        wallet: WalletRef,
        /// How many
        #[arg(long, value_parser = some_credits)]
        credits: Credits,
        /// Why; for the shop, never shown to customers
        #[arg(long, value_parser = words)]
        reason: String,
        /// Until when they are good: never, cycle, 30d, 3mo, 1y or a time like 2027-01-31
        #[arg(long, value_name = "WHEN", default_value = "never")]
        expires: Until,
        /// What kind of credits
        #[arg(long, default_value = "bonus")]
        category: Category,
        /// What customers read [default: the name of the unit]
        #[arg(long, value_parser = words)]
        label: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Withdraw what is left of a grant
    #[command(after_help = "\
What open holds have set aside stays with them. What of it was used stays used.

Example:
  nivella-wallet wallet void gr_01a1fa67730b778aa2ec748e9839efc7 --reason \"given twice\"")]
    Void {
        /// Which, as `wallet grants` shows it
        grant: GrantId,
        /// Why; for the shop, never shown to customers
        #[arg(long, value_parser = words)]
        reason: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Correct a balance: +N adds credits that never expire, -N takes credits out
    #[command(after_help = "\
-N takes from the compartment's own credits in the order they would be spent, or nothing if there
are fewer. A site's compartment does not include its account's pool.

Examples:
  nivella-wallet wallet adjust site:site-123 --credits -25 --reason \"counted twice\"")]
    Adjust {
        /// Whose: site:ID or account:ACC, which is its pool
        #[arg(value_name = "WALLET")]
        wallet: WalletRef,
        /// How many, with their sign
        #[arg(long, value_parser = some_change, allow_hyphen_values = true, value_name = "±CREDITS")]
        credits: Delta,
        /// Why; for the shop, never shown to customers
        #[arg(long, value_parser = words)]
        reason: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Move credits from an account's pool to one of its sites
    Allocate {
        /// Whose pool
        #[arg(long, value_name = "ACC")]
        account: AccountRef,
        /// To which of its sites
        #[arg(long)]
        site: SiteId,
        /// How many
        #[arg(long, value_parser = some_credits)]
        credits: Credits,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Move credits from a site back to its account's pool
    Reclaim {
        /// From which site
        #[arg(long)]
        site: SiteId,
        /// How many, or all
        #[arg(long)]
        credits: Amount,
        /// Whose, if the site no longer belongs to the account
        #[arg(long, value_name = "ACC")]
        account: Option<AccountRef>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Show which grants a debit would be paid from, and take nothing
    BurnPlan {
        /// Which: site:ID or account:ACC
        #[arg(value_name = "WALLET")]
        wallet: WalletRef,
        /// How many credits
        #[arg(long, value_parser = some_credits)]
        credits: Credits,
        /// By which of the site's assistants
        #[arg(long)]
        agent: Option<AgentId>,
    },
}

/// How many lines one answer may have: it is put together in memory.
pub(super) const LINES_MAX: i64 = 10_000;

/// How many lines an export reads at once.
const EXPORT_LENGTH: usize = 1_000;

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Show { wallet } => show(session, &wallet),
        Verb::Explain(asked) => numbers::explained(session, &asked),
        Verb::Balance(asked) => numbers::balance(session, &asked),
        Verb::Usage(asked) => numbers::used(session, &asked),
        Verb::History { wallet, kind, site, from, to, limit, cursor, csv } => {
            let kind = kind.as_deref().and_then(activity::kind);
            let filter = activity::Filter { kind, site, from, to };
            if csv {
                export(session, &wallet, &filter)
            } else {
                history(session, &wallet, &filter, limit, cursor.as_deref())
            }
        }
        Verb::Grants { wallet, status, limit, cursor } => {
            let status = status.as_deref().and_then(grants::Status::named);
            list_grants(session, &wallet, status, limit, cursor.as_deref())
        }
        Verb::Grant { wallet, credits, reason, expires, category, label, dry_run } => {
            let label = label.unwrap_or_else(|| session.config.unit.to_string());
            let new = NewGrant {
                compartment: Compartment::Pool,
                amount: credits,
                category,
                priority: None,
                label,
                reason: Some(reason),
                effective_at: None,
                expiry: expires.0,
                purchase: None,
                shown_as: Shown::grant(category),
            };
            grant(session, wallet, new, dry_run)
        }
        Verb::Void { grant, reason, dry_run } => void(session, grant, reason, dry_run),
        Verb::BurnPlan { wallet, credits, agent } => burn_plan(session, &wallet, credits, agent.as_ref()),
        Verb::Adjust { wallet, credits, reason, dry_run } => {
            adjust(session, wallet, credits, reason, dry_run)
        }
        Verb::Allocate { account, site, credits, dry_run } => {
            allocate(session, account, site, credits, dry_run)
        }
        Verb::Reclaim { site, credits, account, dry_run } => {
            reclaim(session, site, credits, account, dry_run)
        }
    }
}

/// The wallet of this name, or what to say when there is none.
pub(super) fn open(tx: &mut Tx<'_>, named: &WalletRef) -> Result<Wallet, Failure> {
    if let Some(wallet) = feed::wallet::open(tx, named)? {
        return Ok(wallet);
    }
    Err(match named {
        WalletRef::Site(site) => match store::owned(tx, site) {
            Ok(owner) => store::Error::UnknownAccount(owner.into()),
            Err(error) => error,
        },
        WalletRef::Account(account) => store::Error::UnknownAccount(account.clone()),
    }
    .into())
}

fn show(session: &mut Session<'_>, named: &WalletRef) -> Result<(), Failure> {
    let settings = app::feed_settings(&session.config);
    let numbers = session.read(|tx| Ok::<_, Failure>(open(tx, named)?.numbers(tx, &settings)?))?;
    session.out.show(&numbers, |page| {
        facts(page, &numbers);
        if !numbers.breakdown.is_empty() {
            page.gap();
            breakdown(page, &numbers.breakdown);
        }
    })
}

fn facts(page: &mut Page, numbers: &Numbers) {
    let unit = &numbers.unit;
    let mut facts = vec![("Wallet", numbers.wallet.clone())];
    if let Some(site) = &numbers.site {
        facts.push(("Site", site.label.clone().unwrap_or_else(|| site.id.to_string())));
        facts.extend(site.client.as_ref().map(|client| ("Client", client.to_string())));
    }
    facts.push(("Account", format!("{} ({})", numbers.account.name, numbers.account.id)));
    facts.push(("Available", format!("{} {unit}", numbers.available)));
    for (name, credits) in [("Held", numbers.held), ("Frozen", numbers.frozen), ("Owed", numbers.debt)] {
        if !credits.is_zero() {
            facts.push((name, credits.to_string()));
        }
    }
    facts.push(("Used", format!("{} of {} in this cycle", numbers.used, numbers.total)));
    facts.push(("Recurring", numbers.recurring.balance.to_string()));
    facts.push(("Top-up", numbers.top_up.balance.to_string()));
    facts.push(("Status", format!("{}, assistant mode {}", word(&numbers.status), word(&numbers.mode))));
    if let Some(hindrance) = &numbers.hindrance {
        facts.push(("Why", hindrance.to_string()));
        if let (Refusal::Paused(_), Some(site)) = (hindrance, &numbers.site) {
            facts.push((
                "Remedy",
                format!("`nivella-wallet site resume {}` when that was as it should be", site.id),
            ));
        }
    }
    page.facts(facts);
}

/// A status or mode as the API writes it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn breakdown(page: &mut Page, parts: &[Holding]) {
    let mut rows = Rows::new(&[
        ("LABEL", Column::Text),
        ("KIND", Column::Text),
        ("WHERE", Column::Text),
        ("LEFT", Column::Number),
        ("HELD", Column::Number),
        ("OF", Column::Number),
        ("EXPIRES (UTC)", Column::Id),
        ("ORDER", Column::Text),
    ]);
    for part in parts {
        rows.row([
            part.label.clone(),
            part.category.to_string(),
            place(part.scope, &part.site),
            part.remaining.to_string(),
            part.held.to_string(),
            part.amount.to_string(),
            part.expires_at.map_or_else(|| "never".to_owned(), minute),
            or_dash(part.order.as_ref()),
        ]);
    }
    page.table(&rows);
}

fn place(scope: feed::wallet::Scope, site: &SiteColumn) -> String {
    match (scope, site) {
        (feed::wallet::Scope::Pool, _) => "pool".to_owned(),
        (feed::wallet::Scope::Site, SiteColumn::Site(site)) => site.to_string(),
        (feed::wallet::Scope::Site, _) => "site".to_owned(),
    }
}

fn history(
    session: &mut Session<'_>,
    named: &WalletRef,
    filter: &activity::Filter,
    limit: u32,
    cursor: Option<&str>,
) -> Result<(), Failure> {
    let before = activity::begin(cursor).map_err(|wrong| Failure::usage(wrong.to_string()))?;
    let settings = app::feed_settings(&session.config);
    let (list, held) = session.read(|tx| {
        let wallet = open(tx, named)?;
        let list = activity::page(tx, &wallet, filter, before, limit as usize)?;
        Ok::<_, Failure>((list, wallet.numbers(tx, &settings)?.held))
    })?;
    session.out.page(&list, "nothing has happened yet", |page| {
        let mut rows = Rows::new(&[
            ("AT (UTC)", Column::Id),
            ("KIND", Column::Text),
            ("WHAT", Column::Text),
            ("CREDITS", Column::Number),
            ("SITE", Column::Text),
            ("ORDER", Column::Text),
        ]);
        for line in &list.items {
            rows.row([
                minute(line.at),
                line.kind.clone(),
                line.label.clone(),
                line.credits.signed(),
                or_dash(line.site.as_ref()),
                or_dash(line.order.as_ref()),
            ]);
        }
        page.table(&rows);
        if !held.is_zero() {
            page.gap();
            page.line(format!(
                "open holds have set aside {}, which no line shows yet: `nivella-wallet hold list {named}`",
                held.in_words()
            ));
        }
    })
}

/// Writes page after page, each read by itself: whoever reads slowly holds up nobody.
fn export(session: &mut Session<'_>, named: &WalletRef, filter: &activity::Filter) -> Result<(), Failure> {
    let db = session.existing()?;
    let (wallet, last) = db.read(|tx| {
        let wallet = open(tx, named)?;
        let last = activity::newest_place(tx, &wallet)?;
        Ok::<_, Failure>((wallet, last))
    })?;
    let mut after = 0;
    let mut is_first = true;
    loop {
        let lines = db.read(|tx| activity::forward(tx, &wallet, filter, after, last, EXPORT_LENGTH))?;
        session.out.raw().write_all(&activity::csv(&lines, is_first)?)?;
        is_first = false;
        match lines.last() {
            Some(line) => after = line.place,
            None => return Ok(()),
        }
    }
}

fn list_grants(
    session: &mut Session<'_>,
    named: &WalletRef,
    status: Option<grants::Status>,
    limit: u32,
    cursor: Option<&str>,
) -> Result<(), Failure> {
    let before = grants::begin(cursor).map_err(|wrong| Failure::usage(wrong.to_string()))?;
    let list = session.read(|tx| {
        let wallet = open(tx, named)?;
        Ok::<_, Failure>(grants::page(tx, &wallet, status, true, before.as_ref(), limit as usize)?)
    })?;
    session.out.page(&list, "no grants", |page| {
        let mut rows = Rows::new(&[
            ("GRANT", Column::Id),
            ("MADE (UTC)", Column::Id),
            ("LABEL", Column::Text),
            ("KIND", Column::Text),
            ("STATE", Column::Text),
            ("GRANTED", Column::Number),
            ("LEFT", Column::Number),
            ("HELD", Column::Number),
            ("SPENT", Column::Number),
            ("BACK", Column::Number),
            ("EXPIRED", Column::Number),
            ("CLAWED", Column::Number),
            ("VOIDED", Column::Number),
            ("ADJUSTED", Column::Number),
            ("REPAID", Column::Number),
            ("WHERE", Column::Text),
            ("EXPIRES (UTC)", Column::Id),
            ("WHY", Column::Text),
        ]);
        for grant in &list.items {
            let holds_any = |part: &&grants::Part| !part.remaining.is_zero() || !part.held.is_zero();
            let places: Vec<String> =
                grant.slices.iter().filter(holds_any).map(|part| place(part.scope, &part.site)).collect();
            let order = grant.order.as_ref().map(|order| format!("order {order}"));
            rows.row([
                grant.id.to_string(),
                minute(grant.granted_at),
                grant.label.clone(),
                grant.category.to_string(),
                grant.status.as_str().to_owned(),
                grant.granted.to_string(),
                grant.remaining.to_string(),
                grant.held.to_string(),
                grant.spent.to_string(),
                grant.reversed.to_string(),
                grant.expired.to_string(),
                grant.clawed.to_string(),
                grant.voided.to_string(),
                grant.adjusted.to_string(),
                grant.repaid.to_string(),
                places.join(", "),
                grant.expires_at.map_or_else(|| "never".to_owned(), minute),
                or_dash(grant.reason.clone().or(order)),
            ]);
        }
        let may_be_none = ["HELD", "SPENT", "BACK", "EXPIRED", "CLAWED", "VOIDED", "ADJUSTED", "REPAID"];
        rows.leave_out(&may_be_none, "0");
        page.table(&rows);
    })
}

fn grant(
    session: &mut Session<'_>,
    wallet: WalletRef,
    new: NewGrant,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let given = session.change("cli::wallet_grant", dry_run, move |tx| by_hand::grant(tx, wallet, new))?;
    session.out.show_change(&given, dry_run.dry_run, |page| {
        page.line(format!("granted {} to {} ({})", given.credits.in_words(), given.wallet, given.id));
        if let Some(time) = given.expires_at {
            page.line(format!("good until {time}"));
        }
        if !given.repaid.is_zero() {
            page.line(format!("{} of them paid what was owed", given.repaid));
        }
        page.line(now_available(&Compartment::from(site_of(&given.wallet)), given.available));
    })
}

fn void(session: &mut Session<'_>, grant: GrantId, reason: String, dry_run: DryRun) -> Result<(), Failure> {
    let voided = session.change("cli::wallet_void", dry_run, move |tx| by_hand::void(tx, &grant, &reason))?;
    session.out.show_change(&voided, dry_run.dry_run, |page| {
        page.line(if voided.before {
            format!("nothing to do: {} was withdrawn before", voided.id)
        } else {
            format!("withdrew {} of {}", voided.credits.in_words(), voided.id)
        });
        for place in &voided.places {
            let at = match &place.site {
                Some(site) => format!("site {site}"),
                None => "the pool".to_owned(),
            };
            page.line(format!("{} of {} ({}): {}", at, place.account, place.name, place.credits));
            if !place.held.is_zero() {
                page.line(format!("  {} are held and stay good for their holds", place.held));
            }
        }
    })
}

fn burn_plan(
    session: &mut Session<'_>,
    named: &WalletRef,
    credits: Credits,
    agent: Option<&AgentId>,
) -> Result<(), Failure> {
    if agent.is_some() && site_of(named).is_none() {
        return Err(Failure::usage("an assistant is of one site: name site:ID"));
    }
    let plan = session.read(|tx| {
        let plan = open(tx, named)?.burn_plan(tx, credits, agent);
        plan.map_err(|refusal| Failure::of_wallet(refusal, named))
    })?;
    session.out.show(&plan, |page| {
        let mut rows = Rows::new(&[("GRANT", Column::Id), ("CREDITS", Column::Number)]);
        for part in &plan.slices {
            rows.row([part.grant.to_string(), part.credits.to_string()]);
        }
        page.table(&rows);
    })
}

fn site_of(wallet: &WalletRef) -> Option<SiteId> {
    match wallet {
        WalletRef::Site(site) => Some(site.clone()),
        WalletRef::Account(_) => None,
    }
}

fn now_available(compartment: &Compartment, available: Credits) -> String {
    match compartment {
        Compartment::Pool => format!("the pool has {available} available now"),
        Compartment::Site(site) => format!("{site} has {available} of its own available now"),
    }
}

fn adjust(
    session: &mut Session<'_>,
    wallet: WalletRef,
    change: Delta,
    reason: String,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let adjusted = session.change("cli::wallet_adjust", dry_run, move |tx| {
        by_hand::adjust(tx, wallet.clone(), change, &reason).map_err(|error| Failure::by_hand(error, wallet))
    })?;
    session.out.show_change(&adjusted, dry_run.dry_run, |page| {
        page.line(format!("adjusted {} by {}", adjusted.wallet, adjusted.credits.signed()));
        page.line(now_available(&Compartment::from(site_of(&adjusted.wallet)), adjusted.available));
    })
}

fn allocate(
    session: &mut Session<'_>,
    account: AccountRef,
    site: SiteId,
    credits: Credits,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let moved = session.change("cli::wallet_allocate", dry_run, move |tx| {
        by_hand::allocate(tx, &account, site, credits)
            .map_err(|error| Failure::by_hand(error, WalletRef::Account(account)))
    })?;
    session.out.show_change(&moved, dry_run.dry_run, |page| {
        page.line(format!(
            "moved {} from the pool to {}",
            moved.credits.size().map_or_else(String::new, Credits::in_words),
            moved.site
        ));
        page.line(now_available(&Compartment::Site(moved.site.clone()), moved.available));
    })
}

fn reclaim(
    session: &mut Session<'_>,
    site: SiteId,
    how_many: Amount,
    account: Option<AccountRef>,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let credits = match how_many {
        Amount::All => None,
        Amount::Credits(credits) => Some(credits),
    };
    let moved = session.change("cli::wallet_reclaim", dry_run, move |tx| {
        by_hand::reclaim(tx, site.clone(), credits, account.as_ref())
            .map_err(|error| Failure::by_hand(error, WalletRef::Site(site)))
    })?;
    session.out.show_change(&moved, dry_run.dry_run, |page| {
        let size = moved.credits.size().unwrap_or(Credits::ZERO);
        if size.is_zero() {
            page.line(format!("nothing to do: {} has nothing of its own to give back", moved.site));
        } else {
            page.line(format!("moved {} from {} to the pool", size.in_words(), moved.site));
            page.line(now_available(&Compartment::Site(moved.site.clone()), moved.available));
        }
    })
}
