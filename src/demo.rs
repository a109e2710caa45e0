//! `demo`: the whole way of a credit on this machine, with deliveries of a real WooCommerce.
//!
//! The daemon runs on the embedded default in a temporary folder. Recorded deliveries reach it over HTTP
//! with the signatures they were recorded with; what each did is printed. Their three weeks are played in
//! seconds: until all is delivered the daemon's clock is turned by hand, then it starts again on the
//! system's, on the same address.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::access::{self, Scope};
use crate::app::{self, Running};
use crate::catalog::terms::Terms;
use crate::catalog::worth::Basis;
use crate::catalog::{self, CategoryRef, Package, ProductFacts, Target};
use crate::config::Config;
use crate::db::{DatabaseUrl, Db, Keep};
use crate::ledger::audit;
use crate::ledger::slice::Category;
use crate::shop::{self, HookSecret};
use crate::time::{Clock, DAY_MS, HOUR_MS, Timestamp, Validity};

/// What to do after the deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// End.
    Stop,
    /// Go on serving until told to stop.
    Serve,
}

/// Plays the demo and writes what happens to `out`.
///
/// # Errors
/// When the recordings are missing, the daemon cannot start, or `out` is closed.
pub async fn run(
    mut config: Config,
    recordings: Option<&Path>,
    then: Then,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let scenarios = read_scenarios(&find_recordings(recordings)?)?;
    let folder = tempfile::Builder::new().prefix("nivella-wallet-demo-").tempdir()?;
    config.database = DatabaseUrl::Sqlite(folder.path().join("demo.db"));

    let end = Clock::system().now();
    let clock = Clock::standing_at(end.plus_millis(-DAYS * DAY_MS));
    let running = Running::start(&config, clock.clone())?;
    writeln!(out, "listening on http://{}", running.address)?;
    let db = running.app.db.clone();
    let keys = tokio::task::spawn_blocking(move || set_the_stage(&db)).await??;
    let stage =
        Stage { base: format!("http://{}", running.address), http: reqwest::Client::new(), keys, clock };
    stage.play(&scenarios, end, out).await?;

    let books = audit::verify(&running.app.db, |_| {})?;
    if let Some(fault) = books.faults.first() {
        bail!("the books do not add up: {}: {}: {}", fault.rule, fault.row, fault.detail);
    }
    writeln!(out, "\nverified: {} entries of {} accounts add up", books.entries, books.accounts)?;
    config.listen = running.address;
    let Stage { base, keys, http, .. } = stage;
    drop(http);
    running.stop().await?;

    let running = Running::start(&config, Clock::system())?;
    writeln!(out, "\nLook around (the keys are good as long as this runs):")?;
    writeln!(out, "  wallet key (site:{SITE}): {}", keys.site)?;
    writeln!(out, "  customer key (account:{CUSTOMER}): {}", keys.account)?;
    writeln!(out, "  admin key: {}", keys.admin)?;
    writeln!(out, "  {base}/v1/wallets/me/feed")?;
    writeln!(out, "  curl -H 'Authorization: Bearer {}' {base}/v1/wallets/me", keys.site)?;
    out.flush()?;
    if then == Then::Serve {
        writeln!(out, "\nserving until Ctrl-C")?;
        out.flush()?;
        app::stop_asked().await?;
    }
    running.stop().await
}

/// How many days the deliveries are spread over.
const DAYS: i64 = 20;

/// The customer most recorded orders are of, and a site of hers that an order bought credits for.
const CUSTOMER: &str = "lab:customer:2";
const SITE: &str = "site-456";

/// What the recordings were signed with; it was made up for them.
const SECRET: &str = "lab-webhook-secret-not-a-real-one";

/// What the assistant does in the demo, in a customer's words, and for how many credits each time.
const WORK: [(&str, &str); 4] = [
    ("Answered visitor questions", "14"),
    ("Looked up orders", "6.5"),
    ("Summarised support conversations", "9"),
    ("Drafted replies for the team", "4.25"),
];

/// Where the recordings are: where the caller says, below this folder, or below the one the program was
/// built in.
fn find_recordings(said: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(said) = said {
        return Ok(said.to_owned());
    }
    let program = std::env::current_exe().unwrap_or_default();
    let above_program = program.ancestors().map(Path::to_owned);
    std::iter::once(PathBuf::from("."))
        .chain(above_program)
        .map(|folder| folder.join("fixtures/woocommerce"))
        .find(|folder| folder.is_dir())
        .context("the recorded deliveries are not here: run this in the project's folder, or name it with --recordings")
}

struct Scenario {
    name: String,
    title: String,
    deliveries: Vec<Delivery>,
}

struct Delivery {
    topic: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn read_scenarios(folder: &Path) -> anyhow::Result<Vec<Scenario>> {
    #[derive(Deserialize)]
    struct Index {
        title: String,
    }
    #[derive(Deserialize)]
    struct Head {
        headers: Vec<(String, String)>,
    }
    let mut scenarios = Vec::new();
    for path in sorted(folder)?.into_iter().filter(|path| path.join("index.json").is_file()) {
        let index: Index = serde_json::from_slice(&std::fs::read(path.join("index.json"))?)?;
        let mut deliveries = Vec::new();
        for path in sorted(&path)?.into_iter().filter(|path| path.join("body.bin").is_file()) {
            let head: Head = serde_json::from_slice(&std::fs::read(path.join("headers.json"))?)?;
            let topic = head.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("X-WC-Webhook-Topic"));
            deliveries.push(Delivery {
                topic: topic.map_or("ping", |(_, topic)| topic).to_owned(),
                body: std::fs::read(path.join("body.bin"))?,
                headers: head.headers,
            });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        scenarios.push(Scenario { name, title: index.title, deliveries });
    }
    Ok(scenarios)
}

fn sorted(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Keys, shown because they open nothing but the demo.
struct Keys {
    admin: String,
    debit: String,
    site: String,
    account: String,
}

/// Adds the recorded shop, what its products bring, and the keys.
fn set_the_stage(db: &Db) -> anyhow::Result<Keys> {
    db.write_blocking("demo::set_the_stage", Keep::Effects, |tx| {
        let settings =
            shop::store::Settings::new("http://127.0.0.1:8088".parse()?, SECRET.parse::<HookSecret>()?);
        let store = shop::store::add(tx, &"lab".parse()?, &settings)?;
        for (target, credits, name) in PRODUCTS {
            let target: Target = target.parse()?;
            let package = Package {
                target: target.clone(),
                basis: Basis::PerUnit(credits.parse()?),
                validity: if credits == "15000" { Validity::Months(3) } else { Validity::Never },
                category: Category::Paid,
                label: None,
            };
            catalog::store::set_package(tx, store.id, &package)?;
            if let (Target::Product(id), false) = (target, name.is_empty()) {
                catalog::store::learn_product(tx, store.id, &product(id, name, "tokens"))?;
            }
        }
        catalog::store::learn_product(tx, store.id, &product(13, "Logo T-Shirt", "apparel"))?;
        let mut key = |scope: String| -> anyhow::Result<String> {
            let scopes: [Scope; 1] = [scope.parse()?];
            Ok(access::store::create(tx, "demo", &scopes, None)?.1.reveal().to_owned())
        };
        Ok(Keys {
            admin: key("admin".to_owned())?,
            debit: key("debit".to_owned())?,
            site: key(format!("site:{SITE}"))?,
            account: key(format!("account:{CUSTOMER}"))?,
        })
    })
}

/// What the recorded shop sold, and what we say it brings.
const PRODUCTS: [(&str, &str, &str); 11] = [
    ("product:10", "1000", "AI Credits 1,000"),
    ("product:11", "5000", "AI Credits 5,000"),
    ("product:12", "2000", ""),
    ("product:14", "500", ""),
    ("product:15", "100", ""),
    ("product:17", "1200", "AI Credits Downloadable"),
    ("product:18", "777", ""),
    ("product:82", "400", ""),
    ("variation:20", "1000", ""),
    ("variation:21", "4000", ""),
    ("variation:22", "15000", ""),
];

fn product(id: i64, name: &str, category: &str) -> ProductFacts {
    ProductFacts {
        id,
        parent_id: 0,
        name: name.to_owned(),
        sku: String::new(),
        permalink: format!("http://127.0.0.1:8088/?post_type=product&p={id}"),
        price_html: String::new(),
        on_sale_now: true,
        credits: None,
        terms: Terms::default(),
        categories: Some(vec![CategoryRef {
            id: if category == "tokens" { 16 } else { 18 },
            slug: category.to_owned(),
            name: category.to_owned(),
        }]),
        modified_at: Timestamp::from_millis(0),
    }
}

/// A daemon whose clock we turn, and somebody to talk to it.
struct Stage {
    base: String,
    http: reqwest::Client,
    keys: Keys,
    clock: Clock,
}

impl Stage {
    /// Sends everything, with the assistant at work in between, and ends at `end`.
    async fn play(&self, scenarios: &[Scenario], end: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
        let start = self.clock.now();
        let step = (end.millis() - start.millis()) / i64::try_from(scenarios.len().max(1))?;
        let mut spent = 0_usize;
        for (number, scenario) in scenarios.iter().enumerate() {
            self.clock.turn_to(start.plus_millis(step * i64::try_from(number)?));
            writeln!(out, "\n{}: {}", scenario.name, scenario.title)?;
            for delivery in &scenario.deliveries {
                let answer = self.deliver(delivery).await?;
                writeln!(out, "  {:<45} {}", describe(delivery), answer)?;
            }
            // Each step is most of a day; the assistant works through it where credits were bought for it.
            for hour in 0..4 {
                self.clock.turn_to(start.plus_millis(step * i64::try_from(number)? + hour * 2 * HOUR_MS));
                spent += usize::from(self.spend(spent).await?);
            }
        }
        self.clock.turn_to(end);
        writeln!(out, "\nthe assistant was paid {spent} times on {SITE}; wallets now:")?;
        for wallet in
            [format!("account:{CUSTOMER}"), "account:lab:customer:3".to_owned(), format!("site:{SITE}")]
        {
            let numbers = self.get(&format!("/v1/wallets/{wallet}")).await?;
            let text = |name: &str| numbers[name].as_str().unwrap_or("?").to_owned();
            writeln!(
                out,
                "  {wallet:<26} {:>9} available, {:>8} used this month, {}",
                text("available"),
                text("used"),
                text("status")
            )?;
        }
        Ok(())
    }

    async fn deliver(&self, delivery: &Delivery) -> anyhow::Result<String> {
        let url = format!("{}/webhooks/woocommerce/lab", self.base);
        let mut request = self.http.post(url).body(delivery.body.clone());
        for (name, value) in &delivery.headers {
            // What belongs to the connection it was recorded on.
            if !["host", "content-length", "connection", "accept-encoding"]
                .contains(&name.to_lowercase().as_str())
            {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = serde_json::from_str(&answer.text().await?).unwrap_or_default();
        match body["result"].as_str() {
            Some(result) if status.is_success() => Ok(result.to_owned()),
            _ => bail!("a recorded delivery was answered {status}: {body}"),
        }
    }

    /// Spends something for the site, if it has anything yet.
    async fn spend(&self, number: usize) -> anyhow::Result<bool> {
        let (label, credits) = WORK[number * 7 % WORK.len()];
        let answer = self
            .http
            .post(format!("{}/v1/debits", self.base))
            .bearer_auth(&self.keys.debit)
            .header("Idempotency-Key", format!("demo-{number}-{}", self.clock.now().millis()))
            .body(serde_json::json!({ "site": SITE, "credits": credits, "label": label }).to_string())
            .send()
            .await?;
        Ok(answer.status().is_success())
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.keys.admin);
        Ok(serde_json::from_str(&request.send().await?.text().await?).unwrap_or_default())
    }
}

/// A delivery in a line: what it is about and, for an order, in which state.
fn describe(delivery: &Delivery) -> String {
    let body: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
    let number = body["id"].as_i64().or(body["arg"].as_i64());
    let number = number.map_or_else(String::new, |id| format!(" {id}"));
    let state = match (body["status"].as_str(), body["code"].as_str()) {
        (Some(status), _) if body["line_items"].is_array() => format!(" {status}"),
        (_, Some(_)) => " (an error object)".to_owned(),
        _ => String::new(),
    };
    let topic = delivery.topic.strip_prefix("action.woocommerce_").unwrap_or(&delivery.topic);
    format!("{topic}{number}{state}")
}
