//! `account`: the shops' customers.

use chrono_tz::Tz;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Rows, count, minute, or_dash};
use super::values::{Ending, words};
use super::{DryRun, Failure, Session};
use crate::account::claim;
use crate::account::merge::{Change, Merged};
use crate::account::settings::{self, Settings};
use crate::db::{self, Tx};
use crate::feed;
use crate::feed::wallet::Numbers;
use crate::id::{AccountId, SiteId};
use crate::ledger::store::Expiry;
use crate::site::{self, Account, AccountRef, Field, WalletRef};
use crate::{account, app};

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
    /// Set an account's time zone, name and the site its purchases go to
    #[command(after_help = "\
The time zone says when days, months and a plan's periods begin. Another one counts for what comes:
credits keep the instant they expire, and a plan's present period its end. A name that was set here
stays when orders say another.

Examples:
  nivella-wallet account set shop:customer:17 --time-zone Europe/Vienna
  nivella-wallet account set shop:customer:17 --default-site site-123 --name \"Acme GmbH\"")]
    Set(Set),
    /// Make an account part of another, with all that it has and that comes for it later
    #[command(after_help = "\
FROM is named by its id if it has more than one name, so that nothing is merged that was not meant.
What FROM has moves with its expiry and purchase, so a later refund finds it; what it owes moves as
well. It stays as an empty account that says what it is part of. There is no way back. The accounts
may be of different stores; ACC is opened if its store exists and does not know the customer yet.

Example:
  nivella-wallet account merge shop:email:alice@example.com --into shop:customer:17 --dry-run")]
    Merge {
        /// The account that goes: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS
        #[arg(value_name = "FROM")]
        from: AccountRef,
        /// The account it becomes part of
        #[arg(long, value_name = "ACC")]
        into: AccountRef,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Make a link with which a guest claims the credits for a registered account, once
    #[command(after_help = "\
Whoever has the link can claim: send it to the guest's own address only.

Example:
  nivella-wallet account claim-link shop:email:alice@example.com --expires 14d")]
    ClaimLink {
        /// The guest's account
        #[arg(value_name = "ACC")]
        account: AccountRef,
        /// Until when it works: 30d, 3mo, 1y or a time like 2027-01-31
        #[arg(long, value_name = "WHEN", default_value = "30d")]
        expires: Ending,
        /// The shop the link leads to, if several know the guest
        #[arg(long, value_name = "NAME")]
        store: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Claim a guest's credits with the token of a claim link
    Claim {
        /// What stands after `nivella_claim=` in the link
        token: String,
        /// Whose they become; opened if new
        #[arg(long, value_name = "ACC")]
        into: AccountRef,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Remove a customer's names and addresses; credits and books stay
    #[command(after_help = "\
Removed are the name, a guest's address, name and address in orders, raw deliveries about them, what
services wrote privately beside debits, and labels of sites. Later states of these orders bring
nothing back. There is no way back.

Example:
  nivella-wallet account erase shop:email:alice@example.com --dry-run")]
    Erase {
        /// The account: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS
        #[arg(value_name = "ACC")]
        account: AccountRef,
        #[command(flatten)]
        dry_run: DryRun,
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
#[group(id = "settings", required = true, multiple = true, args = ["time_zone", "default_site", "name"])]
pub(super) struct Set {
    /// The account: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS; opened if new
    #[arg(value_name = "ACC")]
    account: AccountRef,
    /// Whose midnight ends its days, as the time zone database names it, like Europe/Vienna
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    time_zone: Option<Tz>,
    /// Where purchases go that name no site: one of its own sites, or none for the pool
    #[arg(long, value_name = "S|none", value_parser = site_or_none)]
    default_site: Option<Field<SiteId>>,
    /// What people call it
    #[arg(long, value_name = "N", value_parser = words)]
    name: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Reads the name of a time zone.
fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not a time zone: write a name of the time zone database, like Europe/Vienna or UTC"
        )
    })
}

fn site_or_none(text: &str) -> Result<Field<SiteId>, String> {
    if text == "none" {
        return Ok(Field::Clear);
    }
    text.parse().map(Field::Set).map_err(|wrong: crate::id::NotAnId| wrong.to_string())
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
    sites: Vec<super::site::Listed>,
    /// The account's wallet, as the API answers it.
    wallet: Numbers,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::List { query } => list(session, query.as_deref()),
        Verb::Show { account } => show(session, &account),
        Verb::Merge { from, into, dry_run } => merge(session, from, into, dry_run),
        Verb::ClaimLink { account, expires, store, dry_run } => {
            claim_link(session, account, expires, store, dry_run)
        }
        Verb::Claim { token, into, dry_run } => {
            let done = session
                .change("cli::account_claim", dry_run, move |tx| claim::claim(tx, token.trim(), &into))?;
            let joined = Joined { merged: done, from_person: None, into_person: None, named: None };
            show_merged(session, &joined, dry_run)
        }
        Verb::Erase { account, dry_run } => erase(session, account, dry_run),
        Verb::Set(options) => set(session, options),
        Verb::Freeze(options) => set_frozen(session, options, true),
        Verb::Unfreeze(options) => set_frozen(session, options, false),
    }
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
        let id = site::store::known(tx, account)?;
        let found = site::store::account(tx, &id)?.ok_or(db::Error::NoRow)?;
        let wallet =
            feed::wallet::open(tx, &WalletRef::Account(id.clone().into()))?.ok_or(db::Error::NoRow)?;
        Ok::<_, site::store::Error>(Shown {
            sites: {
                let sites = site::store::list(tx, Some(&id), None, None, i64::MAX)?;
                super::site::listed(tx, sites)?
            },
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
            ("State", state(account)),
            ("Opened", format!("{} UTC", minute(account.created_at))),
            ("Time zone", account.time_zone.clone()),
            ("Default site", or_dash(account.default_site.as_ref())),
            ("Available", format!("{} {}", wallet.available, wallet.unit)),
            ("Owed", if wallet.debt.is_zero() { "nothing".to_owned() } else { wallet.debt.in_words() }),
            ("Used", format!("{} of {} in this cycle", wallet.used, wallet.total)),
        ]);
        page.gap();
        if sites.is_empty() {
            page.line("no sites");
        } else {
            super::site::table(page, sites);
        }
    })
}

fn state(account: &Account) -> String {
    match (&account.merged_into, &account.frozen_reason, account.erased_at) {
        (Some(into), _, _) => format!("merged into {into}"),
        (None, Some(why), _) => format!("frozen: {why}"),
        (None, None, Some(at)) => format!("ok; names and addresses were erased {} UTC", minute(at)),
        (None, None, None) => "ok".to_owned(),
    }
}

fn set(session: &mut Session<'_>, options: Set) -> Result<(), Failure> {
    let Set { account, time_zone, default_site, name, dry_run } = options;
    let settings = Settings { name, time_zone, default_site: default_site.unwrap_or_default() };
    let done =
        session.change("cli::account_set", dry_run, move |tx| settings::set(tx, &account, &settings))?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        if done.changed.is_empty() {
            page.line(format!("nothing to do: {} is set so already", done.account));
            return;
        }
        page.line(format!("changed {}: {}", done.account, done.changed.join(", ").replace('_', " ")));
        page.facts([
            ("Name", done.name.clone()),
            ("Time zone", done.time_zone.clone()),
            ("Default site", or_dash(done.default_site.as_ref())),
        ]);
    })
}

fn merge(
    session: &mut Session<'_>,
    from: AccountRef,
    into: AccountRef,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let done = session.change("cli::account_merge", dry_run, move |tx| {
        let who = person_of(tx, &from)?;
        let into_person = person_of(tx, &into)?;
        let merged = account::merge::merge(tx, &from, &into)?;
        let named = Some([from.to_string(), into.to_string()]);
        Ok::<_, account::Error>(Joined { merged, from_person: who, into_person, named })
    })?;
    show_merged(session, &done, dry_run)
}

/// Two accounts that became one, and who they were.
#[derive(Serialize)]
struct Joined {
    #[serde(flatten)]
    merged: Merged,
    /// Who they were before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_person: Option<Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    into_person: Option<Person>,
    /// The names that were given for the two.
    #[serde(skip)]
    named: Option<[String; 2]>,
}

/// Who an account is, as people know it.
#[derive(Clone, Serialize)]
struct Person {
    id: AccountId,
    name: String,
    known_as: Vec<String>,
}

impl Person {
    /// The name, and what shops know it as.
    fn words(&self) -> String {
        let known = if self.known_as.is_empty() {
            "no shop knows it by a name".to_owned()
        } else {
            self.known_as.join(", ")
        };
        format!("{}: {} ({known})", self.id, self.name)
    }
}

/// Who an account is.
fn person(tx: &mut Tx<'_>, id: &AccountId) -> Result<Person, site::store::Error> {
    let account = site::store::account(tx, id)?.ok_or(db::Error::NoRow)?;
    let known_as = account.names.iter().map(ToString::to_string).collect();
    Ok(Person { id: account.id, name: account.name, known_as })
}

/// Who the account of this name is, if there is one.
fn person_of(tx: &mut Tx<'_>, account: &AccountRef) -> Result<Option<Person>, site::store::Error> {
    let Some(id) = site::store::resolve(tx, account)? else { return Ok(None) };
    let id = site::store::follow(tx, &id)?;
    person(tx, &id).map(Some)
}

fn show_merged(session: &mut Session<'_>, done: &Joined, dry_run: DryRun) -> Result<(), Failure> {
    session.out.show_change(done, dry_run.dry_run, |page| {
        let Merged { from, into, change, credits, debt, sites, orders, names } = &done.merged;
        if *change == Change::Unchanged {
            let [one, other] = done.named.clone().unwrap_or_else(|| [from.to_string(), into.to_string()]);
            page.line(format!("nothing to do: {one} and {other} are one account, {into}"));
            return;
        }
        page.line(if dry_run.dry_run {
            format!("would merge {from} into {into}, for ever")
        } else {
            format!("merged {from} into {into}")
        });
        for person in done.from_person.iter().chain(&done.into_person) {
            page.line(format!("  {}", person.words()));
        }
        page.line(format!(
            "{}, {}, {} and {} {}",
            credits.in_words(),
            count(sites.len() as u64, "site", "sites"),
            count(*orders, "order", "orders"),
            count(*names, "name", "names"),
            if dry_run.dry_run { "would move" } else { "moved" },
        ));
        if !debt.is_zero() {
            let are = if dry_run.dry_run { "would be" } else { "are" };
            page.line(format!("{} that it owed {are} owed by {into} now", debt.in_words()));
        }
    })
}

fn claim_link(
    session: &mut Session<'_>,
    account: AccountRef,
    expires: Ending,
    store: Option<String>,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let made = session.change("cli::account_claim_link", dry_run, move |tx| {
        let expires_at = match expires.0 {
            Expiry::At(instant) => instant,
            Expiry::After(validity) => {
                validity.expires_at(tx.now(), chrono_tz::Tz::UTC).ok_or_else(|| {
                    Failure::usage("a claim link must expire").with_help("write --expires 30d or a time")
                })?
            }
        };
        let signs = !dry_run.dry_run;
        Ok::<_, Failure>(claim::link(tx, &account, store.as_deref(), expires_at, signs)?)
    })?;
    session.out.show_change(&made, dry_run.dry_run, |page| {
        page.line(format!("whoever has this link can claim what {} has, once,", made.account));
        page.line(format!("until {} UTC:", minute(made.expires_at)));
        page.gap();
        page.line(format!("  {}", made.url));
    })
}

fn erase(session: &mut Session<'_>, account: AccountRef, dry_run: DryRun) -> Result<(), Failure> {
    let erasure = session.change("cli::account_erase", dry_run, move |tx| {
        let who = person_of(tx, &account)?;
        let erased = account::erase::erase(tx, &account)?;
        Ok::<_, account::Error>((who.filter(|_| !erased.is_nothing()), erased))
    })?;
    let (who, erased) = erasure;
    session.out.show_change(&erased, dry_run.dry_run, |page| {
        let accounts: Vec<&str> = erased.accounts.iter().map(AccountId::as_str).collect();
        let accounts = accounts.join(", ");
        if erased.is_nothing() {
            page.line(format!("nothing to do: {accounts} has no name or address left"));
            return;
        }
        page.line(if dry_run.dry_run {
            format!("would erase, for ever, who {accounts} is; credits and books would stay as they are")
        } else {
            format!("erased who {accounts} is; credits and books are as they were")
        });
        // Once it is done, its answer is no place to find the name again.
        if let Some(who) = who.filter(|_| dry_run.dry_run) {
            page.line(format!("  {}", who.words()));
        }
        for (number, one, many) in [
            (erased.renamed, "name", "names"),
            (erased.addresses, "address as a guest", "addresses as a guest"),
            (erased.orders, "order without name and address now", "orders without name and address now"),
            (erased.deliveries, "delivery without content now", "deliveries without content now"),
            (erased.debits, "debit without private notes now", "debits without private notes now"),
            (erased.sites, "site without label now", "sites without label now"),
            (erased.keys, "API key names it by its id now", "API keys name it by its id now"),
        ] {
            if number > 0 {
                page.line(format!("  {}", count(number, one, many)));
            }
        }
    })
}

fn set_frozen(session: &mut Session<'_>, options: Freeze, freeze: bool) -> Result<(), Failure> {
    let Freeze { account, reason, dry_run } = options;
    let (changed, called) = session.change("cli::account_set_frozen", dry_run, move |tx| {
        let id = site::store::current(tx, &account)?;
        let wanted = freeze.then_some(reason.as_str());
        let before = site::store::set_frozen(tx, &id, wanted)?;
        let change = match (before.as_deref(), wanted) {
            (before, wanted) if before == wanted => "unchanged",
            (Some(_), Some(_)) => "reason_changed",
            (None, Some(_)) => "frozen",
            (_, None) => "unfrozen",
        };
        let called = super::called(tx, &id)?;
        let frozen_reason = wanted.map(str::to_owned);
        let changed = Changed { account: id, change, frozen_reason, frozen_reason_before: before, reason };
        Ok::<_, site::store::Error>((changed, called))
    })?;
    session.out.show_change(&changed, dry_run.dry_run, |page| {
        let Changed { change, frozen_reason_before: before, reason, .. } = &changed;
        let before = before.as_deref().unwrap_or_default();
        match *change {
            "frozen" => page.line(format!("froze {called}: its debits are refused from now")),
            "unfrozen" => {
                page.line(format!("unfroze {called}: it may spend what it has"));
                page.line(format!("it was frozen: {before}"));
            }
            "reason_changed" => {
                page.line(format!("{called} was frozen already: only the reason is another"));
                page.line(format!("was: {before}; now: {reason}"));
            }
            _ if freeze => page.line(format!("nothing to do: {called} is frozen for that already")),
            _ => page.line(format!("nothing to do: {called} is not frozen")),
        }
    })
}
