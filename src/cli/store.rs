//! `store`: the WooCommerce shops that sell credits.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::output::{Column, Page, Rows, count, minute, or_dash};
use super::values::Lasting;
use super::{DryRun, Failure, Session, check, package, pair};
use crate::app;
use crate::catalog::store as packages;
use crate::config::Config;
use crate::db;
use crate::event;
use crate::event::store::Receiver;
use crate::pairing::{self, Pairing};
use crate::reconcile;
use crate::reconcile::store::Run;
use crate::shop::health::{self, Code, Finding, Known, Severity};
use crate::shop::store::{self as shops, OLD_SECRET_VALID_MS, Settings};
use crate::shop::{HookSecret, RestKeys, ShopUrl, Store, StoreName};
use crate::time::{Clock, DAY_MS, HOUR_MS, Timestamp};

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Add a shop, so that its webhooks are taken
    #[command(after_help = "\
Example:
  openssl rand -base64 32 > secret.txt
  nivella-wallet store add shop --url https://shop.example --webhook-secret-file secret.txt \\
      --consumer-key ck_… --consumer-secret-file rest-secret.txt

The shop's REST keys (WooCommerce → Settings → Advanced → REST API, read access) let the daemon
look up products and orders that no webhook has told of.")]
    Add(Box<Add>),
    /// Change a shop: its address, secret, REST keys, categories or statuses
    #[command(after_help = "\
At least one option is needed. What is not named stays as it is; a list that is named is replaced as
a whole. The daemon need not be restarted. Orders that waited for this are granted at once.

After a change of the webhook secret the old one is taken for 24 hours more, so that no delivery is
lost until the shop's webhooks have the new one: `nivella-wallet store check NAME --repair` sets it
there. If the old one leaked, end it at once with --old-secret-valid 0.

Examples:
  nivella-wallet store set shop --consumer-key ck_… --consumer-secret-file rest-secret.txt
  nivella-wallet store set shop --webhook-secret-file secret.txt
  nivella-wallet store set shop --old-secret-valid 0
  nivella-wallet store set shop --tokens-category tokens --tokens-category bundles")]
    #[command(override_usage = "nivella-wallet store set [OPTIONS] <NAME>")]
    Set(Box<Set>),
    /// Make a code with which a shop's plugin connects itself
    #[command(after_help = pair::HELP)]
    Pair(Box<pair::Options>),
    /// List the shops
    List,
    /// Show a shop, and where its webhooks must point
    Show {
        /// The shop's name here
        name: StoreName,
    },
    /// Ask a shop whether its keys, categories, products and webhooks are as they should be
    Check(check::Options),
    /// Remove a shop through which nothing was sold
    Remove {
        /// The shop's name here
        name: StoreName,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// What to call the shop: the last part of its webhooks' address, and the first of its customers' names
    name: StoreName,
    /// The address of the shop's front page
    #[arg(long)]
    url: ShopUrl,
    #[command(flatten)]
    secret: Secret,
    #[command(flatten)]
    details: Details,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("changes").required(true).multiple(true).args(CHANGES)))]
pub(super) struct Set {
    /// The shop's name here
    name: StoreName,
    /// The address of the shop's front page
    #[arg(long)]
    url: Option<ShopUrl>,
    #[command(flatten)]
    secret: NewSecret,
    /// How long the old webhook secret is still taken, like 30m, 24h or 7d; 0 ends it at once [default: 24h]
    #[arg(long, value_name = "DURATION")]
    old_secret_valid: Option<Lasting>,
    #[command(flatten)]
    details: Details,
    #[command(flatten)]
    dry_run: DryRun,
}

/// The options of which `set` needs at least one.
const CHANGES: [&str; 9] = [
    "url",
    "webhook_secret",
    "webhook_secret_file",
    "old_secret_valid",
    "consumer_key",
    "ca_file",
    "tokens_categories",
    "paid_statuses",
    "site_keys",
];

/// What a shop may have besides an address and a secret.
#[derive(Args, Debug)]
struct Details {
    /// The REST API's consumer key, `ck_…`
    #[arg(long, value_name = "KEY", requires = "consumer_secret_file")]
    consumer_key: Option<String>,
    /// A file with the REST API's consumer secret, `cs_…`
    #[arg(long, value_name = "FILE", requires = "consumer_key")]
    consumer_secret_file: Option<PathBuf>,
    /// A file with the certificate authority the shop's certificate is signed by, if not a public one
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A category whose products grant credits, by its slug; child categories count [new: tokens]
    #[arg(long = "tokens-category", value_name = "SLUG")]
    tokens_categories: Vec<String>,
    /// An order status that counts as paid [new: processing and completed]
    #[arg(long = "paid-status", value_name = "STATUS")]
    paid_statuses: Vec<String>,
    /// Where orders name the site, first match wins [new: `_nivella_site_id`, `site_id`, `_site_id`]
    #[arg(long = "site-key", value_name = "META-KEY")]
    site_keys: Vec<String>,
}

/// Details after their files were read: those that are given.
struct Given {
    rest_keys: Option<RestKeys>,
    ca_file: Option<PathBuf>,
    tokens_categories: Vec<String>,
    paid_statuses: Vec<String>,
    site_keys: Vec<String>,
}

impl Details {
    fn read(self) -> Result<Given, Failure> {
        let Self { consumer_key, consumer_secret_file, ca_file, tokens_categories, paid_statuses, site_keys } =
            self;
        let rest_keys = match (consumer_key, consumer_secret_file) {
            (Some(key), Some(file)) => {
                let secret = read_secret(&file)?;
                let keys = RestKeys::new(&key, secret.expose_secret());
                Some(keys.map_err(|wrong| Failure::usage(wrong.to_string()))?)
            }
            _ => None,
        };
        // A relative path would mean another file to a daemon that runs elsewhere.
        let whole = |file: PathBuf| {
            file.canonicalize()
                .map_err(|error| Failure::refused(format!("{} cannot be read: {error}", file.display())))
        };
        let ca_file = ca_file.map(whole).transpose()?;
        Ok(Given { rest_keys, ca_file, tokens_categories, paid_statuses, site_keys })
    }
}

impl Given {
    /// Writes what is given over `settings`; answers what that was.
    fn apply(self, settings: &mut Settings) -> Vec<&'static str> {
        let mut names = Vec::new();
        if let Some(keys) = self.rest_keys {
            settings.rest_keys = Some(keys);
            names.push("rest_keys");
        }
        if let Some(file) = self.ca_file {
            settings.ca_file = Some(file);
            names.push("ca_file");
        }
        for (name, given, setting) in [
            ("tokens_categories", self.tokens_categories, &mut settings.tokens_categories),
            ("paid_statuses", self.paid_statuses, &mut settings.paid_statuses),
            ("site_keys", self.site_keys, &mut settings.site_keys),
        ] {
            if !given.is_empty() {
                *setting = given;
                names.push(name);
            }
        }
        names
    }
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Secret {
    /// What the shop signs its webhooks with; better given in a file, where no process list shows it
    #[arg(long, value_name = "SECRET", value_parser = secret_text)]
    webhook_secret: Option<SecretString>,
    /// A file with what the shop signs its webhooks with
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(multiple = false)]
struct NewSecret {
    /// What the shop signs its webhooks with from now; better given in a file
    #[arg(long, value_name = "SECRET", value_parser = secret_text)]
    webhook_secret: Option<SecretString>,
    /// A file with what the shop signs its webhooks with from now
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a parser that may fail")]
fn secret_text(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

/// A shop, and where its webhooks must point.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    store: Store,
    webhook_url: String,
    /// How its webhooks fare, as far as is known without asking.
    health: Known,
    #[serde(skip)]
    is_public: bool,
}

/// A shop, and how it was last compared with the books.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    shown: Shown,
    reconciliation: Option<Run>,
    /// How its plugin was connected, if it was.
    pairing: Option<Pairing>,
    /// How it takes events, if it wants any.
    events: Option<Receiver>,
}

/// A shop as it is listed.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    store: Store,
    paired_at: Option<Timestamp>,
}

/// A shop after it was changed.
#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    shown: Shown,
    /// What was set, by the names it is shown with.
    set: Vec<&'static str>,
    /// Orders that waited for this and wait no longer.
    orders_finished: usize,
}

#[derive(Serialize)]
struct Removed {
    name: StoreName,
    change: &'static str,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Add(options) => add(session, *options),
        Verb::Set(options) => set(session, *options),
        Verb::Pair(options) => pair::run(*options, session),
        Verb::List => list(session),
        Verb::Show { name } => show(session, &name),
        Verb::Check(options) => check::run(options, session),
        Verb::Remove { name, dry_run } => {
            let gone = name.clone();
            session.change("cli::store_remove", dry_run, move |tx| shops::remove(tx, &gone))?;
            let removed = Removed { name, change: "removed" };
            session.out.show_change(&removed, dry_run.dry_run, |page| {
                page.line(format!("removed store {}: its webhooks are refused from now", removed.name));
            })
        }
    }
}

fn add(session: &mut Session<'_>, options: Add) -> Result<(), Failure> {
    let Add { name, url, secret: Secret { webhook_secret, webhook_secret_file }, details, dry_run } = options;
    let secret = hook_secret(webhook_secret, webhook_secret_file)?
        .ok_or_else(|| Failure::usage("a webhook secret is missing"))?;
    let mut settings = Settings::new(url, secret);
    details.read()?.apply(&mut settings);
    let store = session.set_up("cli::store_add", dry_run, move |tx| shops::add(tx, &name, &settings))?;
    let shown = shown(&session.config, store, Known::default());
    session.out.show_change(&shown, dry_run.dry_run, |page| {
        page.line(format!("added store {} ({})", shown.store.name, shown.store.url));
        page.gap();
        webhooks(page, &shown);
    })
}

fn set(session: &mut Session<'_>, options: Set) -> Result<(), Failure> {
    let Set { name, url, secret, old_secret_valid, details, dry_run } = options;
    let NewSecret { webhook_secret, webhook_secret_file } = secret;
    let secret = hook_secret(webhook_secret, webhook_secret_file)?;
    let given = details.read()?;
    let rules = app::rules(&session.config);
    let db = session.existing()?;
    let done = db.write_blocking("cli::store_set", dry_run.keep(), move |tx| {
        let store = package::find(tx, &name)?;
        let mut settings = shops::settings(tx, store.id)?.ok_or(db::Error::NoRow)?;
        let mut set = Vec::new();
        if let Some(url) = url {
            settings.url = url;
            set.push("url");
        }
        let is_same = change_secret(&mut settings, secret, old_secret_valid, tx.now(), &mut set)?;
        set.extend(given.apply(&mut settings));
        let store = shops::update(tx, store.id, &settings)?;
        packages::retry(tx, store.id)?;
        let orders_tried = if dry_run.dry_run { package::try_all(tx, &store, &rules)? } else { 0 };
        let known = shops::health(tx, store.id)?;
        Ok::<_, Failure>((store, known, set, is_same, orders_tried))
    });
    let (store, known, set, is_same, orders_tried) = done?;
    let orders_finished = if dry_run.dry_run { orders_tried } else { package::retry(session, &db, &store)? };
    let changed = Changed { shown: shown(&session.config, store, known), set, orders_finished };
    session.out.show_change(&changed, dry_run.dry_run, |page| {
        let Changed { shown, set, orders_finished } = &changed;
        let names: Vec<&str> = set.iter().map(|name| in_words(name)).collect();
        if !names.is_empty() {
            page.line(format!("changed store {}: {}", shown.store.name, names.join(", ")));
        }
        if is_same {
            page.line(format!(
                "The webhook secret of store {} is this one already: it stays as it is.",
                shown.store.name
            ));
        }
        package::finished(page, *orders_finished);
        if set.contains(&"old_secret_valid") {
            page.line(match shown.health.old_secret_until {
                Some(until) => format!("The old secret is taken until {} UTC.", minute(until)),
                None => "Deliveries signed with the old secret are refused from now.".to_owned(),
            });
        }
        if set.contains(&"webhook_secret") {
            page.line(match shown.health.old_secret_until {
                Some(until) => format!(
                    "Set the new secret in the shop: deliveries signed with the old one are taken until {} UTC.",
                    minute(until)
                ),
                None => "Deliveries signed with the old secret are refused from now: set the new one in the shop."
                    .to_owned(),
            });
            page.line(format!("`nivella-wallet store check {} --repair` does it.", shown.store.name));
            page.gap();
            webhooks(page, shown);
        }
    })
}

/// A setting, by the name programs read, as people call it.
fn in_words(name: &'static str) -> &'static str {
    match name {
        "url" => "its address",
        "webhook_secret" => "the webhook secret",
        "old_secret_valid" => "how long the old webhook secret is taken",
        "rest_keys" => "the REST keys",
        "ca_file" => "the certificate authority",
        "tokens_categories" => "the Tokens categories",
        "paid_statuses" => "the paid statuses",
        "site_keys" => "where orders name the site",
        other => other,
    }
}

/// Changes the webhook secret, or how long the one before it is taken, or both. Answers whether the secret that is
/// given is the one there is.
fn change_secret(
    settings: &mut Settings,
    secret: Option<HookSecret>,
    valid: Option<Lasting>,
    now: Timestamp,
    set: &mut Vec<&'static str>,
) -> Result<bool, Failure> {
    let until = |ms: i64| (ms > 0).then(|| now.plus_millis(ms));
    let is_given = secret.is_some();
    if let Some(secret) = secret
        && settings.change_secret(secret, until(valid.map_or(OLD_SECRET_VALID_MS, |valid| valid.0)))
    {
        set.push("webhook_secret");
        return Ok(false);
    }
    // The secret there is, given again, changes nothing of it; what is said of the one before it counts.
    if let Some(valid) = valid {
        let running = settings.previous_secret.take().filter(|previous| now < previous.until);
        match running {
            Some(previous) => {
                settings.previous_secret = until(valid.0).map(|until| shops::Previous { until, ..previous });
                set.push("old_secret_valid");
            }
            None if is_given => {}
            None => return Err(Failure::refused("no old webhook secret is taken any more")),
        }
    }
    Ok(is_given)
}

/// What to do in the shop next.
fn webhooks(page: &mut Page, shown: &Shown) {
    page.line(
        "In the shop, under WooCommerce → Settings → Advanced → Webhooks, make one webhook for each of",
    );
    page.line(
        "Order created, updated, deleted, restored and Product created, updated, deleted (with public_url",
    );
    page.line(format!(
        "and REST keys that may write, `nivella-wallet store check {} --repair` does it):",
        shown.store.name
    ));
    address(page, shown);
}

/// Where the webhooks must deliver, and how.
fn address(page: &mut Page, shown: &Shown) {
    page.facts([
        ("  Delivery URL", shown.webhook_url.clone()),
        ("  Secret", "the webhook secret".to_owned()),
        ("  API version", "WP REST API Integration v3".to_owned()),
    ]);
    if !shown.is_public {
        page.line("The address is the one this machine listens on; public_url says how the shop reaches it.");
    }
}

fn shown(config: &Config, store: Store, health: Known) -> Shown {
    let public = config.public_url.as_ref().map(|url| url.to_string().trim_end_matches('/').to_owned());
    let is_public = public.is_some();
    let base = public.unwrap_or_else(|| format!("http://{}", config.listen));
    let webhook_url = format!("{base}/webhooks/woocommerce/{}", store.name);
    Shown { store, webhook_url, health, is_public }
}

/// The webhook secret, if one is given.
fn hook_secret(text: Option<SecretString>, file: Option<PathBuf>) -> Result<Option<HookSecret>, Failure> {
    let text = match (text, file) {
        (Some(text), _) => text,
        (None, Some(file)) => read_secret(&file)?,
        (None, None) => return Ok(None),
    };
    let secret = text.expose_secret().parse();
    secret.map(Some).map_err(|weak: crate::shop::WeakSecret| Failure::usage(weak.to_string()))
}

/// The longest secret file that is read; no secret comes near it.
const SECRET_FILE_BYTES_MAX: u64 = 16 * 1024;

/// The text of a file, without the line end that editors and `openssl` leave.
fn read_secret(path: &Path) -> Result<SecretString, Failure> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(SECRET_FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| Failure::refused(format!("{} cannot be read: {error}", path.display())))?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text.into())
}

fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let stores = session.read(|tx| {
        let paired = pairing::store::list(tx)?;
        let when = |store: &Store| {
            paired.iter().find(|pairing| pairing.store == store.id).map(|pairing| pairing.paired_at)
        };
        let stores = shops::list(tx)?.into_iter();
        Ok::<_, db::Error>(stores.map(|store| Listed { paired_at: when(&store), store }).collect::<Vec<_>>())
    })?;
    session.out.list(
        &stores,
        "no stores yet: `nivella-wallet store pair NAME` makes a code with which a shop connects",
        |page| {
            let mut rows = Rows::new(&[
                ("NAME", Column::Id),
                ("URL", Column::Text),
                ("TOKENS CATEGORIES", Column::Text),
                ("REST KEYS", Column::Text),
                ("PAIRED (UTC)", Column::Id),
            ]);
            for Listed { store, paired_at } in &stores {
                rows.row([
                    store.name.to_string(),
                    store.url.to_string(),
                    store.tokens_categories.join(", "),
                    if store.has_rest_keys { "set" } else { "none" }.to_owned(),
                    or_dash(paired_at.map(minute)),
                ]);
            }
            page.table(&rows);
        },
    )
}

fn show(session: &mut Session<'_>, name: &StoreName) -> Result<(), Failure> {
    let (store, known, reconciliation, pairing, events) = session.read(|tx| {
        let store = package::find(tx, name)?;
        let known = shops::health(tx, store.id)?;
        let run = reconcile::store::runs(tx, Some(store.id))?.pop();
        let pairing = pairing::store::of(tx, store.id)?;
        let events = event::store::receiver(tx, store.id)?;
        Ok::<_, shops::Error>((store, known, run, pairing, events))
    })?;
    let now = Clock::system().now();
    let compared = Compared { shown: shown(&session.config, store, known), reconciliation, pairing, events };
    session.out.show(&compared, |page| {
        let Compared { shown, reconciliation, pairing, events } = &compared;
        let store = &shown.store;
        page.facts([
            ("Store", store.name.to_string()),
            ("Shop", store.url.to_string()),
            (
                "Webhook secret",
                match shown.health.old_secret_until {
                    Some(until) => format!("set; the old one is taken until {} UTC", minute(until)),
                    None => "set".to_owned(),
                },
            ),
            ("REST keys", if store.has_rest_keys { "set" } else { "none" }.to_owned()),
            ("Tokens categories", store.tokens_categories.join(", ")),
            ("Paid statuses", store.paid_statuses.join(", ")),
            ("Site named by", store.site_keys.join(", ")),
            ("Added", format!("{} UTC", minute(store.created_at))),
            (
                "Paired",
                match pairing {
                    Some(Pairing { key, paired_at, .. }) => format!("{} UTC, with {key}", minute(*paired_at)),
                    None => format!("no; `nivella-wallet store pair {}` makes a code for it", store.name),
                },
            ),
            ("Webhooks", standing(&shown.health, now)),
            ("Reconciled", last_run(reconciliation.as_ref())),
        ]);
        if let Some(events) = events {
            page.facts([("Events", told(events))]);
        }
        let findings = shown.health.findings.iter();
        let wrong: Vec<Finding> =
            findings.filter(|finding| finding.severity != Severity::Ok).cloned().collect();
        if !wrong.is_empty() {
            page.gap();
            check::show(page, &wrong);
        }
        page.gap();
        if shown.health.findings.iter().any(|finding| finding.is_good(Code::Webhooks)) {
            page.line("The webhooks stand in the shop, each with:");
            address(page, shown);
        } else if pairing.is_some() {
            page.line("The shop's plugin made its webhooks when it was paired, and looks after them.");
        } else {
            webhooks(page, shown);
        }
    })
}

/// What the last look at the shop showed, and how long ago that was.
fn standing(known: &Known, now: Timestamp) -> String {
    let Some(at) = known.checked_at else { return "not checked yet".to_owned() };
    let age = match (now.millis() - at.millis()) / (60 * 1000) {
        minutes if minutes < 1 => "just now".to_owned(),
        minutes if minutes < 120 => format!("{minutes} min ago"),
        minutes if minutes < 48 * 60 => format!("{} h ago", minutes * 60 * 1000 / HOUR_MS),
        minutes => format!("{} days ago", minutes * 60 * 1000 / DAY_MS),
    };
    let faults = health::count(&known.findings, Severity::Fault) as u64;
    let warnings = health::count(&known.findings, Severity::Warning) as u64;
    match (faults, warnings) {
        (0, 0) => format!("as they should be, checked {age}"),
        _ => format!(
            "{} and {}, checked {age}",
            count(faults, "fault", "faults"),
            count(warnings, "warning", "warnings")
        ),
    }
}

/// How a shop takes events, in words.
fn told(events: &Receiver) -> String {
    let mut parts = vec![match (events.taken_at, events.failed_at) {
        (_, Some(since)) => format!("none taken since {} UTC", minute(since)),
        (Some(at), None) => format!("taken, the last {} UTC", minute(at)),
        (None, None) => "none told yet".to_owned(),
    }];
    if let Some(failure) = &events.failure {
        parts.push(format!("the shop {failure}"));
    }
    if events.waiting > 0 {
        parts.push(format!("{} on the way", events.waiting));
    }
    if let Some(at) = events.given_up_at {
        parts.push(format!("{} given up after three days, the last {} UTC", events.given_up, minute(at)));
    }
    parts.join("; ")
}

/// How a shop was last compared with the books, in words.
fn last_run(run: Option<&Run>) -> String {
    let Some(run) = run else { return "never".to_owned() };
    let mut text = match (run.finished_at, &run.result) {
        (Some(at), Some(counts)) => format!("{} UTC: {}", minute(at), counts.line()),
        _ => "not yet".to_owned(),
    };
    if let Some(counts) = run.result.as_ref().filter(|counts| counts.unread > 0) {
        text = format!("{text}, {} could not be read", counts.unread);
    }
    if let Some(error) = &run.last_error {
        let which = if run.finished_at.is_some() { "a later try" } else { "the last try" };
        text = format!("{text}; {which} failed: {error}");
    }
    text
}
