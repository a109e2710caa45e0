//! A whole daemon in the test's process: real server, real database, hand-turned clock; only the shop is
//! played.

use std::path::{Path, PathBuf};

use nivella_wallet::access::{self, Scope};
use nivella_wallet::app::Running;
use nivella_wallet::catalog::terms::Terms;
use nivella_wallet::catalog::worth::Basis;
use nivella_wallet::catalog::{self, CategoryRef, Package, ProductFacts, Target};
use nivella_wallet::config::{Config, Every};
use nivella_wallet::db::{self, Db, Keep, Tx};
use nivella_wallet::inbox::signature;
use nivella_wallet::ledger::audit;
use nivella_wallet::ledger::slice::Category;
use nivella_wallet::shop::{self, HookSecret, Store};
use nivella_wallet::time::{Clock, Timestamp, Validity};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

/// What the recorded deliveries were signed with.
pub(crate) const SECRET: &str = "lab-webhook-secret-not-a-real-one";

/// A running daemon with a store `lab` that knows what the recorded shop sold.
pub(crate) struct TestApp {
    pub(crate) running: Running,
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    pub(crate) admin: String,
    _dir: tempfile::TempDir,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with a changed configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config {
            database: format!("sqlite:{}", dir.path().join("wallet.db").display()).parse().unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            durability: db::Durability::Process,
            ..Config::default()
        };
        // Shops of tests are asked when a test says so.
        config.reconcile.every = Every::NEVER;
        change(&mut config);
        let clock = Clock::standing_at("2026-11-20T18:00:00Z".parse().unwrap());
        let running = Running::start(&config, clock.clone()).unwrap();
        let db = running.app.db.clone();
        let admin = tokio::task::spawn_blocking(move || {
            lab(&db);
            key(&db, "admin")
        })
        .await
        .unwrap();
        Self { running, clock, http: reqwest::Client::new(), admin, _dir: dir }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.running.app.db
    }

    /// The store `lab`.
    pub(crate) fn store_id(&self) -> i64 {
        let name = "lab".parse().unwrap();
        self.db().read(|tx| shop::store::find(tx, &name)).unwrap().unwrap().id
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    /// A request with the admin's key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(&self.admin)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert!(status.is_success(), "GET {path}: {status} {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Spends credits for a site.
    pub(crate) async fn debit(&self, site: &str, credits: &str, key: &str) -> Response {
        self.request(Method::POST, "/v1/debits")
            .header("Idempotency-Key", key)
            .body(format!(r#"{{"site":"{site}","credits":"{credits}"}}"#))
            .send()
            .await
            .unwrap()
    }

    /// Sends a body as WooCommerce would, signed; answers what the daemon says it did.
    pub(crate) async fn deliver(&self, topic: &str, body: Vec<u8>) -> String {
        let answer = self
            .http
            .post(self.url("/webhooks/woocommerce/lab"))
            .header("X-WC-Webhook-Topic", topic)
            .header("X-WC-Webhook-Signature", signature::sign(SECRET.as_bytes(), &body))
            .body(body)
            .send()
            .await
            .unwrap();
        told(answer).await
    }

    /// Sends a recorded delivery exactly as it was recorded.
    pub(crate) async fn replay(&self, recorded: &Recorded) -> String {
        let mut request = self.http.post(self.url("/webhooks/woocommerce/lab")).body(recorded.body.clone());
        for (name, value) in &recorded.headers {
            if !["host", "content-length", "connection"].contains(&name.to_lowercase().as_str()) {
                request = request.header(name, value);
            }
        }
        told(request.send().await.unwrap()).await
    }

    /// What an account has, `0` if there is none.
    pub(crate) async fn available(&self, wallet: &str) -> String {
        let answer = self.request(Method::GET, &format!("/v1/wallets/{wallet}")).send().await.unwrap();
        if answer.status() == 404 {
            return "0".to_owned();
        }
        let wallet: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        wallet["available"].as_str().unwrap().to_owned()
    }

    /// Proves the books.
    pub(crate) fn prove(&self) {
        assert_eq!(audit::verify(self.db(), |_| {}).unwrap().faults, []);
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &str) -> i64 {
        let sql = format!("-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM {table}").leak();
        self.db().read(|tx| tx.query_one(sql, &[], |row| row.get(0))).unwrap()
    }
}

/// Whatever the test was about, the books add up.
impl Drop for TestApp {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.prove();
        }
    }
}

async fn told(answer: Response) -> String {
    let status = answer.status();
    let body = answer.text().await.unwrap();
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    match json["result"].as_str() {
        Some(result) if status == 200 => result.to_owned(),
        _ => format!("{status} {body}"),
    }
}

/// Writes from a test's own thread.
pub(crate) fn write<T: Send + 'static, E: From<db::Error> + std::fmt::Debug + Send + 'static>(
    db: &Db,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
) -> T {
    db.write_blocking("test", Keep::Effects, work).unwrap()
}

/// A key with one scope.
pub(crate) fn key(db: &Db, scope: &str) -> String {
    let scope: Scope = scope.parse().unwrap();
    write(db, move |tx| {
        access::store::create(tx, "test", &[scope], None).map(|(_, secret)| secret.reveal().to_owned())
    })
}

/// The store the deliveries were recorded in, and what its products bring.
pub(crate) fn lab(db: &Db) -> Store {
    write(db, |tx| {
        let settings = shop::store::Settings::new(
            "http://127.0.0.1:8088".parse().unwrap(),
            SECRET.parse::<HookSecret>().unwrap(),
        );
        let store = shop::store::add(tx, &"lab".parse().unwrap(), &settings).unwrap();
        for (target, credits) in [
            ("product:10", "1000"),
            ("product:11", "5000"),
            ("product:12", "2000"),
            ("product:14", "500"),
            ("product:15", "100"),
            ("product:17", "1200"),
            ("product:18", "777"),
            ("variation:20", "1000"),
            ("variation:21", "4000"),
            ("variation:22", "15000"),
            ("product:82", "400"),
        ] {
            let package = Package {
                target: target.parse::<Target>().unwrap(),
                basis: Basis::PerUnit(credits.parse().unwrap()),
                validity: Validity::Never,
                category: Category::Paid,
                label: None,
            };
            catalog::store::set_package(tx, store.id, &package).unwrap();
        }
        let shirt = ProductFacts {
            id: 13,
            parent_id: 0,
            name: "Logo T-Shirt".to_owned(),
            sku: "TSHIRT-1".to_owned(),
            permalink: "http://127.0.0.1:8088/product/logo-t-shirt/".to_owned(),
            price_html: String::new(),
            on_sale_now: true,
            credits: None,
            terms: Terms::default(),
            categories: Some(vec![CategoryRef {
                id: 18,
                slug: "apparel".to_owned(),
                name: "Apparel".to_owned(),
            }]),
            modified_at: Timestamp::from_millis(0),
        };
        catalog::store::learn_product(tx, store.id, &shirt)?;
        Ok::<_, db::Error>(store)
    })
}

/// A delivery as the real WooCommerce sent it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Where the recordings are.
pub(crate) fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/woocommerce")
}

/// The deliveries of a scenario, in order of arrival.
pub(crate) fn scenario(folder: &str) -> Vec<Recorded> {
    let mut deliveries: Vec<_> = std::fs::read_dir(recordings().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("body.bin").is_file())
        .collect();
    deliveries.sort();
    deliveries.iter().map(|path| recorded(path)).collect()
}

fn recorded(path: &Path) -> Recorded {
    let head: Value = serde_json::from_slice(&std::fs::read(path.join("headers.json")).unwrap()).unwrap();
    let headers: Vec<(String, String)> = serde_json::from_value(head["headers"].clone()).unwrap();
    let topic = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("X-WC-Webhook-Topic"));
    Recorded {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        topic: topic.map(|(_, topic)| topic.clone()).unwrap_or_default(),
        body: std::fs::read(path.join("body.bin")).unwrap(),
        headers,
    }
}
