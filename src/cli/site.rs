//! `site`: which websites belong to whom.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Page, Rows, count, minute, or_dash};
use super::{DryRun, Failure, Session, called, limit, progress};
use crate::account::spending::{self, Spending};
use crate::account::transfer::{self, Change, Offered, Transferred};
use crate::account::{Released, release_site};
use crate::app;
use crate::db::{self, Tx};
use crate::feed;
use crate::id::{ClientId, SiteId};
use crate::ledger::limit::Pause;
use crate::ledger::store::brake;
use crate::site::import::{self, Imported, NotImported};
use crate::site::store::{self, Error};
use crate::site::{AccountRef, Field, Site, WalletRef, parse_client, parse_label};
use crate::units::Credits;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Give a website to an account, or change its client and label
    #[command(after_help = "\
A site that belongs to somebody else is not reassigned: unassign it, or transfer it with its
credits.

Examples:
  nivella-wallet site assign site-123 --account shop:customer:17
  nivella-wallet site assign site-123 --account shop:customer:17 --client acme \\
      --label \"Acme shop\"")]
    Assign {
        /// The site's id
        site: SiteId,
        /// Whose it is: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS; opened if new
        #[arg(long, value_name = "ACC")]
        account: AccountRef,
        /// The client an agency runs it for; empty takes it away
        #[arg(long, value_parser = parse_client)]
        client: Option<Field<ClientId>>,
        /// A name for people; empty takes it away
        #[arg(long, value_parser = parse_label)]
        label: Option<Field<String>>,
        /// Send the account's purchases that name no site here
        #[arg(long)]
        default: bool,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Take a website from its account; credits bought for it stay with the account
    Unassign {
        /// The site's id
        site: SiteId,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Hand a website over to another account: one offers it, the other accepts
    #[command(after_help = "\
The site keeps its credits, with expiry, category and the order that paid for them; debts,
plans, client and label stay behind. An offer stands for 14 days, and until it is accepted
nothing has changed.

Examples:
  nivella-wallet site transfer site-123 --to shop:customer:17
  nivella-wallet site transfer site-123 --accept --dry-run
  nivella-wallet site transfer site-123 --withdraw")]
    Transfer {
        /// The site's id
        site: SiteId,
        #[command(flatten)]
        act: TransferAct,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// List websites
    List {
        /// Only those of this account
        #[arg(long, value_name = "ACC")]
        account: Option<AccountRef>,
        /// Only those of this client
        #[arg(long)]
        client: Option<ClientId>,
        /// Only those that are paused for safety
        #[arg(long)]
        paused: bool,
    },
    /// Show a website and who owns it
    Show {
        /// The site's id
        site: SiteId,
    },
    /// Say how much may be spent for a website, or by one of its assistants, each day or month
    #[command(after_help = limit::LIMIT_HELP)]
    Limit(limit::LimitOptions),
    /// Say from what may be spent for a website, or by one of its assistants
    #[command(after_help = limit::POLICY_HELP)]
    Policy(limit::PolicyOptions),
    /// Let a website spend again that was paused for safety
    Resume {
        /// The site's id
        site: SiteId,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Assign many websites from a spreadsheet, all of them or none
    #[command(after_help = "\
The first line names the columns: site,account,client,label. An empty client or label takes it
away; a column that is not there leaves it as it is. Every row that cannot be taken is named by
its line, and then nothing is written.

Example:
  nivella-wallet site import sites.csv --dry-run")]
    Import {
        /// The file, as CSV in UTF-8
        file: PathBuf,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// What is to become of an offer.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct TransferAct {
    /// Offer it to this account: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS; opened if new
    #[arg(long, value_name = "ACC")]
    to: Option<AccountRef>,
    /// Accept the offer for the account that it was made to
    #[arg(long)]
    accept: bool,
    /// Take the offer back
    #[arg(long)]
    withdraw: bool,
}

/// A site after a command that changed it.
#[derive(Serialize)]
struct Assigned {
    #[serde(flatten)]
    site: Site,
    change: store::Change,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Assign { site, account, client, label, default, dry_run } => {
            let (client, label) = (client.unwrap_or_default(), label.unwrap_or_default());
            let assigned = session.change("cli::site_assign", dry_run, move |tx| {
                let account = store::open(tx, &account)?;
                let change = store::assign(tx, &site, &account, &client, &label)?;
                if default {
                    store::set_default_site(tx, &account, Some(&site))?;
                }
                let site = store::get(tx, &site)?.ok_or(db::Error::NoRow)?;
                Ok::<_, Error>(Assigned { site, change })
            })?;
            session.out.show_change(&assigned, dry_run.dry_run, |page| {
                let Assigned { site, change } = &assigned;
                let owner =
                    or_dash(site.account.as_ref().map(|owner| format!("{} ({})", owner.name, owner.id)));
                page.line(match change {
                    store::Change::Assigned => format!("assigned {} to {owner}", site.id),
                    store::Change::Changed => format!("changed {} of {owner}", site.id),
                    store::Change::Unchanged => format!("nothing to do: {} belongs to {owner}", site.id),
                });
                if default {
                    page.line("purchases that name no site go there");
                }
            })
        }
        Verb::Unassign { site, dry_run } => unassign(session, site, dry_run),
        Verb::Transfer { site, act, dry_run } => match act.to {
            Some(to) => change_offer(session, dry_run, move |tx| transfer::offer(tx, &site, &to)),
            None if act.accept => accept(session, site, dry_run),
            None => change_offer(session, dry_run, move |tx| transfer::withdraw(tx, &site)),
        },
        Verb::List { account, client, paused } => list(session, account.as_ref(), client.as_ref(), paused),
        Verb::Show { site } => show(session, &site),
        Verb::Limit(options) => limit::set_limit(options, session),
        Verb::Policy(options) => limit::set_policy(options, session),
        Verb::Resume { site, dry_run } => limit::resume(session, site, dry_run),
        Verb::Import { file, dry_run } => import_file(session, &file, dry_run),
    }
}

fn unassign(session: &mut Session<'_>, id: SiteId, dry_run: DryRun) -> Result<(), Failure> {
    let (done, owner) = session.change("cli::site_unassign", dry_run, move |tx| {
        let done = release_site(tx, &id)?;
        let owner = called(tx, &done.account)?;
        Ok::<_, crate::account::Error>((done, owner))
    })?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        let Released { id, account, posted, debt } = &done;
        page.line(format!("took {id} from {owner}"));
        if !posted.is_zero() {
            page.line(format!(
                "{} that lay there for {id} stay with {account}: \
                 `nivella-wallet wallet reclaim --site {id} --account {account} --credits all` \
                 brings them to its pool",
                posted.in_words()
            ));
        }
        if !debt.is_zero() {
            page.line(format!("the pool of {account} owes {} now that it owed", debt.in_words()));
        }
    })
}

/// Makes an offer or takes it back.
fn change_offer(
    session: &mut Session<'_>,
    dry_run: DryRun,
    work: impl FnOnce(&mut Tx<'_>) -> Result<Offered, crate::account::Error> + Send + 'static,
) -> Result<(), Failure> {
    let offered = session.change("cli::site_transfer", dry_run, work)?;
    session.out.show_change(&offered, dry_run.dry_run, |page| {
        let Offered { site, change } = &offered;
        let id = &site.id;
        let to = offer_text(site);
        page.line(match (change, &to) {
            (Change::Offered, Some(to)) => format!("offered {id} to {to}"),
            (Change::Unchanged, Some(to)) => format!("nothing to do: {id} is offered to {to}"),
            (Change::Withdrawn, _) => format!("the offer of {id} is over; it stays whose it is"),
            (_, None) => format!("nothing to do: {id} is offered to nobody"),
        });
        if to.is_some() {
            page.line(format!("`nivella-wallet site transfer {id} --accept` hands it over"));
        }
    })
}

/// To whom a site is offered, and until when.
fn offer_text(site: &Site) -> Option<String> {
    let offer = site.offer.as_ref()?;
    Some(format!("{} ({}) until {} UTC", offer.to.name, offer.to.id, minute(offer.ends_at)))
}

fn accept(session: &mut Session<'_>, id: SiteId, dry_run: DryRun) -> Result<(), Failure> {
    let (done, giver, owner) = session.change("cli::site_transfer_accept", dry_run, move |tx| {
        let done = transfer::accept(tx, &id)?;
        let (giver, owner) = (called(tx, &done.from)?, called(tx, &done.account)?);
        Ok::<_, crate::account::Error>((done, giver, owner))
    })?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        let Transferred { id, credits, debt, plans, keys, .. } = &done;
        page.line(format!("{id} belongs to {owner} now, with the {} that lay there", credits.in_words()));
        if !debt.is_zero() {
            page.line(format!("the pool of {giver} owes {} now that it owed", debt.in_words()));
        }
        for plan in plans {
            page.line(format!(
                "plan {plan} of {giver} brings nothing more: `nivella-wallet plan start {plan} site:{id}` goes on \
                 for the new owner"
            ));
        }
        for key in keys {
            page.line(format!(
                "key {key} goes on to work for it: `nivella-wallet key rotate {key} --overlap 0` if the old owner \
                 shall not have it"
            ));
        }
    })
}

fn list(
    session: &mut Session<'_>,
    account: Option<&AccountRef>,
    client: Option<&ClientId>,
    paused: bool,
) -> Result<(), Failure> {
    let settings = app::feed_settings(&session.config);
    let sites = session.read(|tx| {
        let owner = account.map(|account| store::current(tx, account)).transpose()?;
        let sites = store::list(tx, owner.as_ref(), client, None, i64::MAX)?;
        let mut sites = listed(tx, sites)?;
        sites.retain(|listed| !paused || listed.pause.is_some());
        // Of all sites there are, each with its wallet, it would take too long.
        for listed in sites.iter_mut().filter(|_| owner.is_some()) {
            if let Some(wallet) = feed::wallet::open(tx, &WalletRef::Site(listed.site.id.clone()))? {
                listed.available = Some(wallet.numbers(tx, &settings)?.available);
            }
        }
        Ok::<_, Error>(sites)
    })?;
    let none = if paused { "no paused sites" } else { "no sites" };
    session.out.list(&sites, none, |page| table(page, &sites))
}

/// A site in a list.
#[derive(Serialize)]
pub(super) struct Listed {
    #[serde(flatten)]
    site: Site,
    /// Why and since when it is paused, if it is.
    pause: Option<Pause>,
    /// What it can spend, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<Credits>,
}

/// Sites, with which of them are paused.
pub(super) fn listed(tx: &mut Tx<'_>, sites: Vec<Site>) -> Result<Vec<Listed>, db::Error> {
    let mut pauses: HashMap<SiteId, Pause> =
        brake::paused(tx)?.into_iter().map(|paused| (paused.site, paused.pause)).collect();
    let listed = |site: Site| Listed { pause: pauses.remove(&site.id), site, available: None };
    Ok(sites.into_iter().map(listed).collect())
}

/// Sites, one on a line.
pub(super) fn table(page: &mut Page, sites: &[Listed]) {
    let mut rows = Rows::new(&[
        ("SITE", Column::Id),
        ("LABEL", Column::Text),
        ("CLIENT", Column::Text),
        ("OWNER", Column::Text),
        ("ACCOUNT", Column::Id),
        ("OFFERED TO", Column::Text),
        ("PAUSED (UTC)", Column::Id),
        ("AVAILABLE", Column::Number),
    ]);
    for Listed { site, pause, available } in sites {
        rows.row([
            site.id.to_string(),
            or_dash(site.label.as_ref()),
            or_dash(site.client.as_ref()),
            site.account.as_ref().map_or_else(|| "nobody".to_owned(), |owner| owner.name.clone()),
            or_dash(site.account.as_ref().map(|owner| &owner.id)),
            or_dash(site.offer.as_ref().map(|offer| &offer.to.name)),
            or_dash(pause.as_ref().map(|pause| minute(pause.since))),
            or_dash(available.as_ref()),
        ]);
    }
    page.table(&rows);
    let with_pool = sites.iter().filter(|listed| listed.available.is_some() && listed.site.uses_pool).count();
    if with_pool > 1 {
        page.line("the account's pool is in the available of each site that may use it");
    }
}

/// A site, who owns it, and what is set about its spending if somebody does.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    site: Site,
    #[serde(flatten)]
    spending: Option<Spending>,
    /// Why its account is frozen, if it is.
    account_frozen: Option<String>,
}

fn show(session: &mut Session<'_>, id: &SiteId) -> Result<(), Failure> {
    let shown = session.read(|tx| {
        let site = store::get(tx, id)?.ok_or_else(|| Error::UnknownSite(id.clone()))?;
        let spending = spending::of_site(tx, &site)?;
        let owner = site.account.as_ref().map(|owner| store::account(tx, &owner.id)).transpose()?.flatten();
        Ok::<_, Error>(Shown { site, spending, account_frozen: owner.and_then(|owner| owner.frozen_reason) })
    })?;
    session.out.show(&shown, |page| {
        let Shown { site, spending, account_frozen } = &shown;
        let owner = site.account.as_ref();
        let mut facts = vec![
            ("Site", site.id.to_string()),
            ("Label", or_dash(site.label.as_ref())),
            ("Client", or_dash(site.client.as_ref())),
            (
                "Owner",
                owner.map_or_else(
                    || "nobody: it was unassigned".to_owned(),
                    |owner| format!("{} ({})", owner.name, owner.id),
                ),
            ),
            ("Offered to", offer_text(site).unwrap_or_else(|| "nobody".to_owned())),
            ("May use the pool", if site.uses_pool { "yes" } else { "no" }.to_owned()),
            (
                "Assigned by",
                or_dash(match (owner, &site.from_order) {
                    (None, _) => None,
                    (Some(_), None) => Some("a person".to_owned()),
                    (Some(_), Some(from)) => Some(format!("order {} of store {}", from.order, from.store)),
                }),
            ),
            ("Known since", format!("{} UTC", minute(site.created_at))),
        ];
        facts.extend(account_frozen.as_ref().map(|why| ("Account", format!("frozen: {why}"))));
        if let Some(spending) = spending {
            limit::facts(&mut facts, spending);
        }
        page.facts(facts);
        if let Some(spending) = spending {
            limit::tables(page, spending);
        }
    })
}

fn import_file(session: &mut Session<'_>, path: &Path, dry_run: DryRun) -> Result<(), Failure> {
    let text = read_file(path)?;
    let (rows, mut bad) = import::parse(&text);
    let bar = progress::bar(session, "sites", rows.len() as u64);
    let (told, tried) = (bar.clone(), !bad.is_empty());
    // With rows that cannot be read the others are tried all the same, so that all faults are told at once.
    let keep = DryRun { dry_run: dry_run.dry_run || tried };
    let imported = session
        .existing()?
        .write_blocking("cli::site_import", keep.keep(), move |tx| import::apply(tx, &rows, || told.inc(1)));
    bar.finish_and_clear();
    let imported: Imported = match imported {
        Ok(imported) => imported,
        Err(NotImported::Database(error)) => return Err(error.into()),
        Err(NotImported::Rows(refused)) => {
            bad.extend(refused);
            Imported::default()
        }
    };
    if !bad.is_empty() {
        bad.sort_by_key(|row| row.line);
        let rows = count(bad.len() as u64, "row", "rows");
        return Err(Failure::refused(format!("{rows} of {} cannot be imported", path.display()))
            .with_rows(bad)
            .with_help("nothing was written; mend these rows and import the file again"));
    }
    session.out.show_change(&imported, dry_run.dry_run, |page| {
        let Imported { assigned, changed, unchanged, accounts_opened } = imported;
        page.line(format!(
            "{} assigned, {changed} changed, {unchanged} as before; {} opened",
            count(assigned, "site", "sites"),
            count(accounts_opened, "account", "accounts"),
        ));
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::refused(format!("{} cannot be read: {error}", path.display()));
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(import::FILE_BYTES_MAX + 1).read_to_end(&mut text))
        .map_err(unreadable)?;
    if text.len() as u64 > import::FILE_BYTES_MAX {
        let mebibytes = import::FILE_BYTES_MAX / (1024 * 1024);
        return Err(Failure::refused(format!("{} is larger than {mebibytes} MiB", path.display()))
            .with_help("split it into smaller files"));
    }
    Ok(text)
}
