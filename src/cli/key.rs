//! `key`: who may see and do what over the API.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Page, Rows, minute, or_dash};
use super::values::Lasting;
use super::{DryRun, Failure, Session};
use crate::access::origin::{Seen, State};
use crate::access::store::Said;
use crate::access::{Origin, Scope, store as access};
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
    /// Give a key a new secret and show it, this once; the old one works for a while longer
    #[command(after_help = "\
The key keeps its id, scopes, name, end and idempotency keys: a request that is sent again with
the new secret has no second effect. Of two changes the secret before the first no longer works.

Examples:
  nivella-wallet key rotate key_01a1fa67730b778aa2ec748e9839efc7
  nivella-wallet key rotate key_01a1fa67730b778aa2ec748e9839efc7 --overlap 0")]
    Rotate {
        /// The key's id, `key_…`
        id: KeyId,
        /// How long the old secret works: 0, 30m, 24h or 7d
        #[arg(long, value_name = "TIME", default_value = "24h")]
        overlap: Lasting,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Show which websites ask with a site's key, and say whether one moved or is a copy
    #[command(after_help = "\
A key whose scopes are all site:SITE is for the first website that asks with it. Another one is
refused until its owner says what it is.

Examples:
  nivella-wallet key origin key_01a1fa67730b778aa2ec748e9839efc7
  nivella-wallet key origin key_01a1fa67730b778aa2ec748e9839efc7 --moved https://new.example
  nivella-wallet key origin key_01a1fa67730b778aa2ec748e9839efc7 --copy https://staging.example")]
    Origin {
        /// The key's id, `key_…`
        id: KeyId,
        #[command(flatten)]
        said: OriginSaid,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Take a key back: from then on it opens nothing
    Revoke {
        /// The key's id, `key_…`
        id: KeyId,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// What a person says about a website.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(super) struct OriginSaid {
    /// The website is there now; where it was is refused from now on
    #[arg(long, value_name = "URL")]
    moved: Option<Origin>,
    /// It is a copy, which may read as well
    #[arg(long, value_name = "URL")]
    copy: Option<Origin>,
    /// Forget it; a key for no website is for the next one that asks
    #[arg(long, value_name = "URL")]
    forget: Option<Origin>,
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
        Verb::Rotate { id, overlap, dry_run } => rotate(session, id, overlap, dry_run),
        Verb::Origin { id, said, dry_run } => origin(session, id, said, dry_run),
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
    let (key, secret, warnings) = session.set_up("cli::key_create", dry_run, move |tx| {
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

fn rotate(session: &mut Session<'_>, id: KeyId, overlap: Lasting, dry_run: DryRun) -> Result<(), Failure> {
    let (key, secret) =
        session.change("cli::key_rotate", dry_run, move |tx| access::rotate(tx, &id, overlap.0))?;
    let secret = (!dry_run.dry_run).then(|| secret.reveal().to_owned());
    let rotated = Created { about: key, secret, warnings: Vec::new() };
    session.out.show_change(&rotated, dry_run.dry_run, |page| {
        let key = &rotated.about;
        page.line(format!("key {} ({}) has a new secret", key.id, key.name));
        if let Some(secret) = &rotated.secret {
            page.gap();
            page.line(format!("  {secret}"));
            page.gap();
            page.line("Keep it now: it is not shown again.");
        }
        page.line(match key.old_secret_until {
            Some(until) if overlap.0 > 0 => format!("the old one works until {} UTC", minute(until)),
            _ => "the old one no longer works".to_owned(),
        });
    })
}

#[derive(Serialize)]
struct Websites {
    key: KeyId,
    origins: Vec<Seen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<access::Change>,
}

fn origin(session: &mut Session<'_>, key: KeyId, said: OriginSaid, dry_run: DryRun) -> Result<(), Failure> {
    let OriginSaid { moved, copy, forget } = said;
    let said = moved.map(Said::Moved).or(copy.map(Said::Copy)).or(forget.map(Said::Forget));
    let id = key.clone();
    let Some(said) = said else {
        let origins = session.read(|tx| access::websites(tx, &id))?;
        let shown = Websites { key, origins, change: None };
        return session.out.show(&shown, |page| websites(page, &shown.origins));
    };
    let (origins, change) =
        session.change("cli::key_origin", dry_run, move |tx| access::say(tx, &id, &said))?;
    let done = Websites { key, origins, change: Some(change) };
    session.out.show_change(&done, dry_run.dry_run, |page| {
        if change == access::Change::Unchanged {
            page.line("nothing to do: it was so before");
        }
        websites(page, &done.origins);
    })
}

/// Websites, one on a line.
fn websites(page: &mut Page, origins: &[Seen]) {
    if origins.is_empty() {
        page.line("no website has asked with it yet: it will be for the first one that does");
        return;
    }
    let mut rows =
        Rows::new(&[("WEBSITE", Column::Text), ("STATE", Column::Text), ("SINCE (UTC)", Column::Id)]);
    for seen in origins {
        let state = match seen.state {
            State::Bound => "the key is for it",
            State::Copy => "a copy, may read",
            State::Moved => "moved away, refused",
            State::Refused => "asked, refused",
        };
        rows.row([seen.url.clone(), state.to_owned(), minute(seen.seen_at)]);
    }
    page.table(&rows);
}

fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let (keys, now) = session.read(|tx| Ok::<_, db::Error>((access::list(tx)?, tx.now())))?;
    session.out.list(&keys, "no keys yet: `nivella-wallet key create` makes one", |page| {
        let mut rows = Rows::new(&[
            ("ID", Column::Id),
            ("NAME", Column::Text),
            ("SCOPES", Column::Text),
            ("MADE (UTC)", Column::Id),
            ("LAST USED (UTC)", Column::Id),
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
            let old = key.old_secret_until.filter(|until| now < *until && key.works(now));
            let state =
                old.map_or(state.clone(), |until| format!("{state}; its old secret until {}", minute(until)));
            rows.row([
                key.id.to_string(),
                key.name.clone(),
                scopes.join(", "),
                minute(key.created_at),
                or_dash(key.used_at.map(minute)),
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
