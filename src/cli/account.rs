//! `account`: the shops' customers.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Rows, minute, or_dash};
use super::values::words;
use super::{DryRun, Failure, Session};
use crate::app;
use crate::db::{self, Tx};
use crate::feed;
use crate::feed::wallet::Numbers;
use crate::id::AccountId;
use crate::site::{self, Account, AccountRef, Site, WalletRef};

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// List accounts: everybody who bought, was given credits or sites a site
    List {
        /// Only those whose name, address or id contains this
        #[arg(long, value_name = "TEXT")]
        query: Option<String>,
    },
    /// Show an account: who it is, its sites, what it holds
    #[command(after_help = "\
Examples:
  nivella-wallet account show shop:customer:17
  nivella-wallet account show shop:email:alice@example.com")]
    Show {
        /// The account: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS
        #[arg(value_name = "ACC")]
        account: AccountRef,
    },
    /// Stop an account from spending; its credits stay, and new ones still arrive
    #[command(after_help = "\
Every debit of the account and of its sites is refused with 423 until it is unfrozen. No number
changes.

Example:
  nivella-wallet account freeze shop:customer:17 --reason \"the card was stolen\"")]
    Freeze(Freeze),
    /// Let a frozen account spend again
    #[command(after_help = "\
What it owes stays owed: its next credits pay that first. No number changes. The reason is
answered, not kept: the account is as if it had never been frozen.

Example:
  nivella-wallet account unfreeze shop:customer:17 --reason \"the refund was a mistake\"")]
    Unfreeze(Freeze),
}

#[derive(Args, Debug)]
pub(super) struct Freeze {
    /// The account: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS
    #[arg(value_name = "ACC")]
    account: AccountRef,
    /// Why; for the shop, never shown to customers
    #[arg(long, value_parser = words)]
    reason: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// An account after it was frozen or unfrozen.
#[derive(Serialize)]
struct Changed {
    account: AccountId,
    change: &'static str,
    reason: String,
    frozen_reason: Option<String>,
    /// Why it was frozen before.
    frozen_reason_before: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    account: Account,
    sites: Vec<Site>,
    /// The account's wallet, as the API answers it.
    wallet: Numbers,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::List { query } => list(session, query.as_deref()),
        Verb::Show { account } => show(session, &account),
        Verb::Freeze(options) => set_frozen(session, options, true),
        Verb::Unfreeze(options) => set_frozen(session, options, false),
    }
}

/// The account of this name, or what to say when there is none.
pub(super) fn resolve(tx: &mut Tx<'_>, account: &AccountRef) -> Result<AccountId, site::store::Error> {
    site::store::resolve(tx, account)?.ok_or_else(|| site::store::Error::UnknownAccount(account.clone()))
}

fn list(session: &mut Session<'_>, query: Option<&str>) -> Result<(), Failure> {
    let accounts = session.read(|tx| site::store::accounts(tx, query, None, i64::MAX))?;
    let empty = if query.is_some() { "no account matches" } else { "no accounts yet" };
    session.out.list(&accounts, empty, |page| {
        let mut rows = Rows::new(&[
            ("ID", Column::Id),
            ("NAME", Column::Text),
            ("KNOWN AS", Column::Text),
            ("SITES", Column::Number),
        ]);
        for account in &accounts {
            let names: Vec<String> = account.names.iter().map(ToString::to_string).collect();
            let frozen = if account.frozen_reason.is_some() { " (frozen)" } else { "" };
            rows.row([
                account.id.to_string(),
                format!("{}{frozen}", account.name),
                names.join(", "),
                account.site_count.to_string(),
            ]);
        }
        page.table(&rows);
    })
}

fn show(session: &mut Session<'_>, account: &AccountRef) -> Result<(), Failure> {
    let settings = app::feed_settings(&session.config);
    let shown = session.read(|tx| {
        let id = resolve(tx, account)?;
        let found = site::store::account(tx, &id)?.ok_or(db::Error::NoRow)?;
        let wallet =
            feed::wallet::open(tx, &WalletRef::Account(id.clone().into()))?.ok_or(db::Error::NoRow)?;
        Ok::<_, site::store::Error>(Shown {
            sites: site::store::list(tx, Some(&id), None, None, i64::MAX)?,
            account: found,
            wallet: wallet.numbers(tx, &settings)?,
        })
    })?;
    session.out.show(&shown, |page| {
        let Shown { account, sites, wallet } = &shown;
        let names: Vec<String> = account.names.iter().map(ToString::to_string).collect();
        page.facts([
            ("Account", account.id.to_string()),
            ("Name", account.name.clone()),
            ("Known as", or_dash((!names.is_empty()).then(|| names.join(", ")))),
            ("State", account.frozen_reason.as_ref().map_or("ok".to_owned(), |why| format!("frozen: {why}"))),
            ("Opened", format!("{} UTC", minute(account.created_at))),
            ("Time zone", account.time_zone.clone()),
            ("Default site", or_dash(account.default_site.as_ref())),
            ("Available", format!("{} {}", wallet.available, wallet.unit)),
            ("Used", format!("{} of {} this month", wallet.used, wallet.total)),
        ]);
        page.gap();
        if sites.is_empty() {
            page.line("no sites");
        } else {
            super::site::table(page, sites);
        }
    })
}

fn set_frozen(session: &mut Session<'_>, options: Freeze, freeze: bool) -> Result<(), Failure> {
    let Freeze { account, reason, dry_run } = options;
    let changed = session.change("cli::account_set_frozen", dry_run, move |tx| {
        let id = resolve(tx, &account)?;
        let wanted = freeze.then_some(reason.as_str());
        let before = site::store::set_frozen(tx, &id, wanted)?;
        let change = match (before.as_deref(), wanted) {
            (before, wanted) if before == wanted => "unchanged",
            (_, Some(_)) => "frozen",
            (_, None) => "unfrozen",
        };
        Ok::<_, site::store::Error>(Changed {
            account: id,
            change,
            frozen_reason: wanted.map(str::to_owned),
            frozen_reason_before: before,
            reason,
        })
    })?;
    session.out.show_change(&changed, dry_run.dry_run, |page| {
        let Changed { account, change, frozen_reason_before: before, .. } = &changed;
        page.line(match (*change, freeze) {
            ("unchanged", true) => format!("nothing to do: {account} is frozen for that already"),
            ("unchanged", false) => format!("nothing to do: {account} is not frozen"),
            (_, true) => format!("froze {account}: its debits are refused from now"),
            (_, false) => format!("unfroze {account}: it may spend what it has"),
        });
        if let Some(before) = before
            && *change != "unchanged"
        {
            page.line(format!("it was frozen: {before}"));
        }
    })
}
