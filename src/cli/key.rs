//! `key`: who may see and do what over the API.

use clap::Subcommand;
use serde::Serialize;

use super::output::{Column, Rows, minute};
use super::{DryRun, Failure, Session};
use crate::access::{Scope, store as access};
use crate::db::{self, Tx};
use crate::id::{KeyId, SiteId};
use crate::site::{self, AccountRef};
use crate::time::{Timestamp, Validity};

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Make a key and show it, this once
    #[command(after_help = "\
Scopes:
  admin                 everything
  debit                 spend for any site; debit:site:SITE or debit:account:ACC bind it
  account:ACC           read an account and its sites
  client:ACC/CLIENT     read the sites an agency runs for one client
  site:SITE             read one site

Examples:
  nivella-wallet key create --scope site:site-123 --name \"WordPress of site-123\"
  nivella-wallet key create --scope debit --name assistant --expires 1y")]
    Create {
        /// What the key may see and do; may be given several times
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        /// What people call the key, to tell it from others
        #[arg(long)]
        name: String,
        /// Until when it works: never, 30d, 3mo, 1y or a time like 2027-01-31
        #[arg(long, value_name = "WHEN", default_value = "never")]
        expires: Lifetime,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// List all keys, never their secrets
    List,
    /// Take a key back: from then on it opens nothing
    Revoke {
        /// The key's id, `key_…`
        id: KeyId,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// Until when a key works.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lifetime {
    For(Validity),
    Until(Timestamp),
}

impl std::str::FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.parse(), text.parse()) {
            (Ok(validity), _) if validity != Validity::Cycle => Ok(Self::For(validity)),
            (_, Ok(time)) => Ok(Self::Until(time)),
            _ => Err(format!(
                "{text:?} is not a lifetime: write never, 30d, 3mo, 1y or a time like 2027-01-31"
            )),
        }
    }
}

#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    about: access::Key,
    /// The key itself, shown this once; nothing when only tried.
    #[serde(rename = "key")]
    secret: Option<String>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Revoked {
    id: KeyId,
    change: &'static str,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Create { scopes, name, expires, dry_run } => create(session, scopes, name, expires, dry_run),
        Verb::List => list(session),
        Verb::Revoke { id, dry_run } => revoke(session, id, dry_run),
    }
}

fn create(
    session: &mut Session<'_>,
    scopes: Vec<Scope>,
    name: String,
    expires: Lifetime,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let (key, secret, warnings) = session.change("cli::key_create", dry_run, move |tx| {
        let expires_at = match expires {
            Lifetime::For(validity) => validity.expires_at(tx.now(), chrono_tz::UTC),
            Lifetime::Until(time) => Some(time),
        };
        let (key, secret) = access::create(tx, &name, &scopes, expires_at)?;
        let mut warnings = Vec::new();
        for scope in &scopes {
            warnings.extend(warning(tx, scope)?);
        }
        Ok::<_, access::Error>((key, secret, warnings))
    })?;
    // A secret that was taken back would only be mistaken for one that works.
    let secret = (!dry_run.dry_run).then(|| secret.reveal().to_owned());
    let created = Created { about: key, secret, warnings };
    session.out.show_change(&created, dry_run.dry_run, |page| {
        page.line(format!("made key {} ({})", created.about.id, created.about.name));
        if let Some(secret) = &created.secret {
            page.gap();
            page.line(format!("  {secret}"));
            page.gap();
            page.line("Keep it now: it is not shown again.");
        }
        for warning in &created.warnings {
            page.line(format!("warning: {warning}"));
        }
    })
}

/// A scope may name what comes later, so an unknown name is no error; it may as well be a slip.
fn warning(tx: &mut Tx<'_>, scope: &Scope) -> Result<Option<String>, db::Error> {
    let mut unknown_account = |account: &AccountRef| {
        let known = site::store::resolve(tx, account)?;
        Ok(known
            .is_none()
            .then(|| format!("there is no account {account} yet: {scope} opens nothing until then")))
    };
    match scope {
        Scope::Admin | Scope::Debit => Ok(None),
        Scope::Account(account) | Scope::DebitAccount(account) => unknown_account(account),
        Scope::Client(account, client) => {
            if let Some(warning) = unknown_account(account)? {
                return Ok(Some(warning));
            }
            let Some(account) = site::store::resolve(tx, account)? else { return Ok(None) };
            let sites = site::store::list(tx, Some(&account), Some(client), None, 1)?;
            Ok(sites
                .is_empty()
                .then(|| format!("no site has client {client} yet: {scope} opens nothing until then")))
        }
        Scope::Site(site) | Scope::DebitSite(site) => unowned_site(tx, site, scope),
    }
}

fn unowned_site(tx: &mut Tx<'_>, site: &SiteId, scope: &Scope) -> Result<Option<String>, db::Error> {
    let owner = site::store::owner(tx, site)?;
    Ok(owner
        .is_none()
        .then(|| format!("site {site} belongs to no account yet: {scope} opens nothing until then")))
}

fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let (keys, now) = session.read(|tx| Ok::<_, db::Error>((access::list(tx)?, tx.now())))?;
    session.out.list(&keys, "no keys yet: `nivella-wallet key create` makes one", |page| {
        let mut rows = Rows::new(&[
            ("ID", Column::Id),
            ("NAME", Column::Text),
            ("SCOPES", Column::Text),
            ("MADE (UTC)", Column::Id),
            ("STATE", Column::Text),
        ]);
        for key in &keys {
            let scopes: Vec<String> = key.scopes.iter().map(ToString::to_string).collect();
            let state = match (key.revoked_at, key.expires_at) {
                (Some(at), _) => format!("revoked {}", minute(at)),
                (None, Some(at)) if at <= now => format!("expired {}", minute(at)),
                (None, Some(at)) => format!("works until {}", minute(at)),
                (None, None) => "works".to_owned(),
            };
            rows.row([
                key.id.to_string(),
                key.name.clone(),
                scopes.join(", "),
                minute(key.created_at),
                state,
            ]);
        }
        page.table(&rows);
    })
}

fn revoke(session: &mut Session<'_>, id: KeyId, dry_run: DryRun) -> Result<(), Failure> {
    let key = id.clone();
    let revoked = session.change("cli::key_revoke", dry_run, move |tx| access::revoke(tx, &key))?;
    let (change, text) = match revoked {
        access::Revoked::Now => ("revoked", format!("revoked {id}: from now it opens nothing")),
        access::Revoked::Before => ("unchanged", format!("nothing to do: {id} was revoked before")),
        access::Revoked::Unknown => {
            return Err(Failure::refused(format!("there is no key {id}"))
                .with_help("`nivella-wallet key list` shows the keys"));
        }
    };
    session.out.show_change(&Revoked { id, change }, dry_run.dry_run, |page| page.line(text))
}
