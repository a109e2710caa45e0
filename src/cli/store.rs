//! `store`: the WooCommerce shops that sell credits.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::output::{Column, Page, Rows, minute};
use super::{DryRun, Failure, Session, package};
use crate::app;
use crate::config::Config;
use crate::db;
use crate::reconcile;
use crate::reconcile::store::Run;
use crate::shop::store::{self as shops, Settings};
use crate::shop::{HookSecret, RestKeys, ShopUrl, Store, StoreName};

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Add a shop, so that its webhooks are taken
    #[command(after_help = "\
Example:
  openssl rand -base64 32 > secret.txt
  nivella-wallet store add shop --url https://shop.example --webhook-secret-file secret.txt \\
      --consumer-key ck_… --consumer-secret-file rest-secret.txt

The shop's REST keys (WooCommerce → Settings → Advanced → REST API, read access) let the daemon look
up products and orders that no webhook has told of.")]
    Add(Box<Add>),
    /// Change a shop: its address, secret, REST keys, categories or statuses
    #[command(after_help = "\
At least one option is needed. What is not named stays as it is; a list that is named is replaced as
a whole. The daemon need not be restarted. Orders that waited for this are granted at once.

Examples:
  nivella-wallet store set shop --consumer-key ck_… --consumer-secret-file rest-secret.txt
  nivella-wallet store set shop --webhook-secret-file secret.txt
  nivella-wallet store set shop --tokens-category tokens --tokens-category bundles")]
    #[command(override_usage = "nivella-wallet store set [OPTIONS] <NAME>")]
    Set(Box<Set>),
    /// List the shops
    List,
    /// Show a shop, and where its webhooks must point
    Show {
        /// The shop's name here
        name: StoreName,
    },
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
    #[command(flatten)]
    details: Details,
    #[command(flatten)]
    dry_run: DryRun,
}

/// The options of which `set` needs at least one.
const CHANGES: [&str; 8] = [
    "url",
    "webhook_secret",
    "webhook_secret_file",
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
    #[serde(skip)]
    is_public: bool,
}

/// A shop, and how it was last compared with the books.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    shown: Shown,
    reconciliation: Option<Run>,
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
        Verb::List => list(session),
        Verb::Show { name } => show(session, &name),
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
    let store = session.change("cli::store_add", dry_run, move |tx| shops::add(tx, &name, &settings))?;
    let shown = shown(&session.config, store);
    session.out.show_change(&shown, dry_run.dry_run, |page| {
        page.line(format!("added store {} ({})", shown.store.name, shown.store.url));
        page.gap();
        webhooks(page, &shown);
    })
}

fn set(session: &mut Session<'_>, options: Set) -> Result<(), Failure> {
    let Set { name, url, secret: NewSecret { webhook_secret, webhook_secret_file }, details, dry_run } =
        options;
    let secret = hook_secret(webhook_secret, webhook_secret_file)?;
    let given = details.read()?;
    let rules = app::rules(&session.config);
    let (store, set, orders_finished) = session.change("cli::store_set", dry_run, move |tx| {
        let store = package::find(tx, &name)?;
        let mut settings = shops::settings(tx, store.id)?.ok_or(db::Error::NoRow)?;
        let mut set = Vec::new();
        if let Some(url) = url {
            settings.url = url;
            set.push("url");
        }
        if let Some(secret) = secret {
            settings.webhook_secret = secret;
            set.push("webhook_secret");
        }
        set.extend(given.apply(&mut settings));
        let store = shops::update(tx, store.id, &settings)?;
        let orders_finished = package::retry(tx, &store, &rules)?;
        Ok::<_, Failure>((store, set, orders_finished))
    })?;
    let changed = Changed { shown: shown(&session.config, store), set, orders_finished };
    session.out.show_change(&changed, dry_run.dry_run, |page| {
        let Changed { shown, set, orders_finished } = &changed;
        let names: Vec<String> = set.iter().map(|name| name.replace('_', " ")).collect();
        page.line(format!("changed store {}: {}", shown.store.name, names.join(", ")));
        package::finished(page, *orders_finished);
        if set.contains(&"webhook_secret") {
            page.line(
                "Deliveries signed with the old secret are refused from now: set the new one in the shop.",
            );
            page.gap();
            webhooks(page, shown);
        }
    })
}

/// What to do in the shop next.
fn webhooks(page: &mut Page, shown: &Shown) {
    page.line(
        "In the shop, under WooCommerce → Settings → Advanced → Webhooks, make one webhook for each of",
    );
    page.line("Order created, updated, deleted, restored and Product created, updated, deleted, restored:");
    page.facts([
        ("  Delivery URL", shown.webhook_url.clone()),
        ("  Secret", "the webhook secret".to_owned()),
        ("  API version", "WP REST API Integration v3".to_owned()),
    ]);
    if !shown.is_public {
        page.line("The address is the one this machine listens on; public_url says how the shop reaches it.");
    }
}

fn shown(config: &Config, store: Store) -> Shown {
    let public = config.public_url.as_ref().map(|url| url.to_string().trim_end_matches('/').to_owned());
    let is_public = public.is_some();
    let base = public.unwrap_or_else(|| format!("http://{}", config.listen));
    let webhook_url = format!("{base}/webhooks/woocommerce/{}", store.name);
    Shown { store, webhook_url, is_public }
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
    let stores = session.read(shops::list)?;
    session.out.list(&stores, "no stores yet: `nivella-wallet store add NAME --url URL` adds one", |page| {
        let mut rows = Rows::new(&[
            ("NAME", Column::Id),
            ("URL", Column::Text),
            ("TOKENS CATEGORIES", Column::Text),
            ("REST KEYS", Column::Text),
        ]);
        for store in &stores {
            rows.row([
                store.name.to_string(),
                store.url.to_string(),
                store.tokens_categories.join(", "),
                if store.has_rest_keys { "set" } else { "none" }.to_owned(),
            ]);
        }
        page.table(&rows);
    })
}

fn show(session: &mut Session<'_>, name: &StoreName) -> Result<(), Failure> {
    let (store, reconciliation) = session.read(|tx| {
        let store = shops::find(tx, name)?.ok_or_else(|| shops::Error::Unknown(name.to_string()))?;
        let run = reconcile::store::runs(tx, Some(store.id))?.pop();
        Ok::<_, shops::Error>((store, run))
    })?;
    let compared = Compared { shown: shown(&session.config, store), reconciliation };
    session.out.show(&compared, |page| {
        let Compared { shown, reconciliation } = &compared;
        let store = &shown.store;
        page.facts([
            ("Store", store.name.to_string()),
            ("Shop", store.url.to_string()),
            ("Webhook secret", "set".to_owned()),
            ("REST keys", if store.has_rest_keys { "set" } else { "none" }.to_owned()),
            ("Tokens categories", store.tokens_categories.join(", ")),
            ("Paid statuses", store.paid_statuses.join(", ")),
            ("Site named by", store.site_keys.join(", ")),
            ("Added", format!("{} UTC", minute(store.created_at))),
            ("Reconciled", last_run(reconciliation.as_ref())),
        ]);
        page.gap();
        webhooks(page, shown);
    })
}

/// How a shop was last compared with the books, in words.
fn last_run(run: Option<&Run>) -> String {
    let Some(run) = run else { return "never".to_owned() };
    let mut text = match (run.finished_at, &run.result) {
        (Some(at), Some(counts)) => format!("{} UTC: {}", minute(at), counts.line()),
        _ => "not yet".to_owned(),
    };
    if let Some(error) = &run.last_error {
        text.push_str("; then it failed: ");
        text.push_str(error);
    }
    text
}
