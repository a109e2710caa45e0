//! `make bench`: what the product does in numbers, measured on the real binary over real HTTP with every
//! safety on: signatures, authentication, `durability = full`, the hash chain.
//!
//! One figure so far: from the moment a shop sends a paid order to the moment the customer's feed shows the
//! credits. `ROUNDS=` sets how many orders are sent. The table goes to standard output, the same as JSON to
//! `target/bench.json`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nivella_wallet::inbox::signature;
use serde_json::{Value, json};

const SECRET: &str = "a-secret-that-only-the-bench-uses";
const ROUNDS_DEFAULT: usize = 300;

fn main() {
    // `cargo test --benches` runs this too, and wants no measurement.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let rounds =
        std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS_DEFAULT);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = format!("sqlite:{}", folder.path().join("bench.db").display());
    let key = prepare(&database);
    let daemon = Daemon::start(&database);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut took = runtime.block_on(deliveries(&daemon.base, &key, rounds));
    took.sort();
    let figure = Figure {
        name: "delivery to changed feed",
        median: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        min: took[0],
        max: took[took.len() - 1],
        target: Duration::from_millis(50),
    };
    println!("{:<28} {:>9} {:>9} {:>19} {:>9}", "figure", "median", "p99", "min–max", "target");
    println!("{figure}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.json");
    std::fs::write(path, json!({ "rounds": rounds, "figures": [figure.json()] }).to_string())
        .expect("target/");
    assert!(figure.is_met(), "the target was missed");
}

struct Figure {
    name: &'static str,
    median: Duration,
    p99: Duration,
    min: Duration,
    max: Duration,
    target: Duration,
}

impl Figure {
    fn is_met(&self) -> bool {
        self.median < self.target
    }

    fn json(&self) -> Value {
        let ms = |time: Duration| time.as_micros();
        json!({ "name": self.name, "median_us": ms(self.median), "p99_us": ms(self.p99), "min_us": ms(self.min),
                "max_us": ms(self.max), "target_us": ms(self.target), "met": self.is_met() })
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| format!("{}.{:02} ms", time.as_millis(), time.as_micros() % 1000 / 10);
        let range = format!("{}–{}", ms(self.min), ms(self.max));
        let met = if self.is_met() { "met" } else { "MISSED" };
        let target = format!("{} ms", self.target.as_millis());
        write!(
            f,
            "{:<28} {:>9} {:>9} {range:>19} {target:>9} {met}",
            self.name,
            ms(self.median),
            ms(self.p99)
        )
    }
}

/// Adds a store, a package and a key with the program's own commands; answers the key.
fn prepare(database: &str) -> String {
    let run = |arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
            .args(["--database", database, "--json"])
            .args(arguments)
            .output()
            .expect("the program runs");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    };
    run(&["store", "add", "bench", "--url", "http://127.0.0.1:9", "--webhook-secret", SECRET]);
    run(&["package", "set", "--store", "bench", "--product", "10", "--credits", "1000"]);
    let made = run(&["key", "create", "--name", "bench", "--scope", "admin"]);
    let start = made.find("nwk_").expect("a key");
    made[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The real program, serving.
struct Daemon {
    process: Child,
    base: String,
}

impl Daemon {
    fn start(database: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
            .args(["--database", database, "serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let base = line.trim().strip_prefix("listening on ").expect("its address").to_owned();
        Self { process, base }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends `rounds` paid orders of one customer, one after the other; each is timed until the customer's feed
/// shows its credits.
async fn deliveries(base: &str, key: &str, rounds: usize) -> Vec<Duration> {
    let recorded = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/woocommerce/02-paid-order-one-token/003-order.updated/body.bin"
    );
    let mut order: Value = serde_json::from_slice(&std::fs::read(recorded).expect("recorded")).expect("JSON");
    let http = reqwest::Client::new();
    let feed = format!("{base}/v1/wallets/account:bench:customer:2/feed");
    let mut took = Vec::with_capacity(rounds);
    for round in 0..rounds {
        order["id"] = (1000 + round).into();
        order["line_items"][0]["id"] = (5000 + round).into();
        let body = order.to_string();
        let start = Instant::now();
        let answer = http
            .post(format!("{base}/webhooks/woocommerce/bench"))
            .header("X-WC-Webhook-Topic", "order.updated")
            .header("X-WC-Webhook-Signature", signature::sign(SECRET.as_bytes(), body.as_bytes()))
            .body(body)
            .send()
            .await
            .expect("an answer");
        assert!(answer.text().await.expect("a body").contains("granted"));
        let seen: Value = serde_json::from_str(
            &http.get(&feed).bearer_auth(key).send().await.expect("an answer").text().await.expect("a body"),
        )
        .expect("JSON");
        took.push(start.elapsed());
        assert_eq!(seen["available"], format!("{}", (round + 1) * 1000), "the feed lags behind the webhook");
    }
    took
}
