//! The daemon is killed, again and again, while shops and an assistant service talk to it.
//!
//! The real binary with its default durability. Four senders deliver signed orders and repeat some of them,
//! one client spends with idempotency keys; whoever gets no answer asks again after the restart. The process
//! is killed with SIGKILL once a random number of answers was seen, so always under load. What was answered
//! must be in the books exactly once, what was not may be there or not, but never in part.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nivella_wallet::db::{DatabaseUrl, Db, Durability, Error, Tx};
use nivella_wallet::inbox::signature;
use nivella_wallet::ledger::audit;
use nivella_wallet::time::Clock;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::app::{SECRET, key, lab, scenario};
use crate::support::seeded;

const KILLS: usize = 25;
const SENDERS: usize = 4;

/// Answers to wait for before a kill: sometimes the first request is cut off, sometimes a group of writes.
const ANSWERS_BEFORE_KILL: std::ops::Range<i64> = 1..60;

/// Customers who buy: few, so that orders of one account race.
const CUSTOMERS: i64 = 6;

/// Longer than anything here takes; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_twenty_five_kills_under_load() {
    let mut random = seeded();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("wallet.db");
    let admin = prepare(&database);
    let stage = Arc::new(Stage::new(&random.random::<[u8; 32]>()));
    let (announce, address) = watch::channel(None);
    let mut load = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let random = StdRng::seed_from_u64(random.random());
        let sender = Shop { stage: Arc::clone(&stage), address: address.clone(), sender, random };
        load.spawn(sender.deliver());
    }
    let random_of_client = StdRng::seed_from_u64(random.random());
    let client = Assistant { stage: Arc::clone(&stage), address, admin, random: random_of_client };
    load.spawn(client.spend());

    for kill in 0..KILLS {
        let mut daemon = Daemon::start(folder.path());
        // The daemon recovers by itself; the proof reads beside it.
        stage.compare_with(&database, &format!("after kill {kill}"));
        let wanted = stage.answers() + random.random_range(ANSWERS_BEFORE_KILL);
        announce.send_replace(Some(daemon.address));
        stage.wait_for_answers(wanted, &mut load).await;
        daemon.kill();
        announce.send_replace(None);
    }

    let daemon = Daemon::start(folder.path());
    stage.finish();
    announce.send_replace(Some(daemon.address));
    tokio::time::timeout(PATIENCE, load.join_all()).await.expect("the load ends once nobody kills");
    daemon.stop();

    stage.compare_with(&database, "in the end");
    stage.compare_all(&database);
    let verify = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
        .args(["verify", "--json", "--database", &format!("sqlite:{}", database.display())])
        .env_clear()
        .current_dir(folder.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&verify.stdout).unwrap();
    assert!(verify.status.success(), "{report}");
    assert_eq!(report["faults"], json!([]));
    println!(
        "{} orders, {} debits, {} entries proved, {} answers lost",
        stage.seen().orders.len(),
        stage.seen().debits.len(),
        report["entries"],
        stage.seen().lost,
    );
    assert!(stage.seen().lost > 0, "no request was cut off: the daemon was never killed under load");
}

/// A database with the store `lab` and a site with credits to spend; answers the administrator's key.
pub(crate) fn prepare(database: &Path) -> String {
    let db = open(database);
    lab(&db);
    let admin = key(&db, "admin");
    crate::app::write(&db, |tx: &mut Tx<'_>| {
        use nivella_wallet::ledger::LockedAccount;
        use nivella_wallet::ledger::slice::{Category, Compartment};
        use nivella_wallet::ledger::store::{Expiry, NewGrant, Shown};
        use nivella_wallet::site::{Field, store as sites};
        // Customer 1 also buys, so debits and grants meet in one account.
        let account = sites::open(tx, &"lab:customer:1".parse().unwrap()).unwrap();
        sites::assign(tx, &"shop".parse().unwrap(), &account, &Field::Keep, &Field::Keep).unwrap();
        LockedAccount::lock(tx, &account)?.grant(&NewGrant {
            compartment: Compartment::Site("shop".parse().unwrap()),
            amount: "1000000".parse().unwrap(),
            category: Category::Bonus,
            priority: None,
            label: "To spend".to_owned(),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(nivella_wallet::time::Validity::Never),
            purchase: None,
            shown_as: Shown::Bonus,
        })
    });
    admin
}

pub(crate) fn open(database: &Path) -> Db {
    Db::open(&DatabaseUrl::Sqlite(database.to_owned()), Durability::Full, Clock::system()).unwrap()
}

// The daemon ----------------------------------------------------------------------------------------

/// The real program, serving.
pub(crate) struct Daemon {
    process: Child,
    pub(crate) address: SocketAddr,
    /// Kept open: a daemon whose output nobody reads is another test.
    _output: BufReader<std::process::ChildStdout>,
}

impl Daemon {
    /// Starts it and waits for the line that says where it listens.
    pub(crate) fn start(folder: &Path) -> Self {
        let errors = std::fs::File::options().create(true).append(true).open(log(folder)).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
            .args(["serve", "--listen", "127.0.0.1:0", "--database"])
            .arg(format!("sqlite:{}", folder.join("wallet.db").display()))
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            let log = std::fs::read_to_string(log(folder)).unwrap_or_default();
            panic!("the daemon says {line:?} where its address should be: {log}");
        };
        let address = address.parse().unwrap();
        Self { process, address, _output: output }
    }

    /// SIGKILL: it has no chance to finish anything.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM: it finishes what it accepted and ends well.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status().unwrap();
        assert!(asked.success());
        let status = self.process.wait().unwrap();
        assert!(status.success(), "asked to stop, it ended with {status}");
    }
}

/// A daemon that a failed test leaves behind would serve for ever.
impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("daemon.log")
}

// What was seen -------------------------------------------------------------------------------------

/// What all of the load shares.
struct Stage {
    http: reqwest::Client,
    /// A recorded paid order, to make others of.
    order: Value,
    next_order: AtomicI64,
    seen: Mutex<Seen>,
    /// How many answers came so far.
    answers: watch::Sender<i64>,
    ends: watch::Sender<bool>,
    /// Makes the orders of two runs different bytes.
    salt: String,
}

/// What the outside knows.
#[derive(Clone, Default)]
struct Seen {
    /// Each order that was sent: its customer, what it grants, and whether somebody said 200.
    orders: BTreeMap<i64, Sent>,
    /// Each key that was used: what it asked for and the answer, once there was one.
    debits: BTreeMap<String, (String, Option<Value>)>,
    /// Requests without an answer.
    lost: u64,
}

#[derive(Clone)]
struct Sent {
    customer: i64,
    credits: i64,
    is_answered: bool,
    body: Vec<u8>,
}

impl Stage {
    fn new(salt: &[u8]) -> Self {
        let paid = scenario("02-paid-order-one-token").remove(2);
        Self {
            // Not longer than the test is willing to wait: a request that hangs must not hang the test.
            http: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
            order: serde_json::from_slice(&paid.body).unwrap(),
            next_order: AtomicI64::new(100_000),
            seen: Mutex::default(),
            answers: watch::Sender::new(0),
            ends: watch::Sender::new(false),
            salt: format!("{salt:02x?}"),
        }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().unwrap())
    }

    fn answers(&self) -> i64 {
        *self.answers.borrow()
    }

    fn answered(&self) {
        self.answers.send_modify(|answers| *answers += 1);
    }

    fn finish(&self) {
        self.ends.send_replace(true);
    }

    fn is_ending(&self) -> bool {
        *self.ends.borrow()
    }

    /// Waits until so many answers came; what fails in the load fails here.
    async fn wait_for_answers(&self, wanted: i64, load: &mut tokio::task::JoinSet<()>) {
        let mut answers = self.answers.subscribe();
        let reached = tokio::time::timeout(PATIENCE, answers.wait_for(|answers| *answers >= wanted));
        tokio::select! {
            reached = reached => { reached.expect("answers come while the daemon runs").unwrap(); }
            failed = load.join_next() => { failed.unwrap().unwrap(); panic!("the load ended by itself"); }
        }
    }

    /// A paid order nobody has sent before.
    fn new_order(&self, random: &mut StdRng) -> (i64, Sent) {
        let id = self.next_order.fetch_add(1, Ordering::SeqCst);
        let (customer, quantity) = (random.random_range(1..=CUSTOMERS), random.random_range(1..=3_i64));
        let mut order = self.order.clone();
        order["id"] = id.into();
        order["number"] = id.to_string().into();
        order["customer_id"] = customer.into();
        order["order_key"] = format!("wc_order_{}", self.salt).into();
        let line = &mut order["line_items"][0];
        line["id"] = (id * 10).into();
        line["quantity"] = quantity.into();
        let body = serde_json::to_vec(&order).unwrap();
        (id, Sent { customer, credits: 1000 * quantity, is_answered: false, body })
    }

    /// Compares what the books say with what the outside was told, while the load goes on.
    fn compare_with(&self, database: &Path, when: &str) {
        // What was answered before the books are read must be in them.
        let seen = self.seen();
        let db = open(database);
        let booked = Booked::read(&db);
        for (id, sent) in &seen.orders {
            match booked.orders.get(id) {
                Some(found) => assert_eq!(*found, sent.expected(), "{when}: order {id} is booked in part"),
                None => assert!(!sent.is_answered, "{when}: order {id} was answered and is not in the books"),
            }
        }
        for (key, (_, answer)) in &seen.debits {
            let found = booked.debits.get(key).map_or(&[][..], Vec::as_slice);
            assert!(found.len() <= 1, "{when}: {key} was debited {} times", found.len());
            if let Some(answer) = answer {
                assert_eq!(found, [answer["id"].as_str().unwrap()], "{when}: {key}");
            }
        }
        assert_eq!(audit::verify(&db, |_| {}).unwrap().faults, [], "{when}");
    }

    /// Compares everything, now that everything was answered.
    fn compare_all(&self, database: &Path) {
        let seen = self.seen();
        let db = open(database);
        let booked = Booked::read(&db);
        assert!(seen.orders.values().all(|sent| sent.is_answered), "an order was never answered");
        let sent: BTreeSet<i64> = seen.orders.keys().copied().collect();
        assert_eq!(booked.orders.keys().copied().collect::<BTreeSet<i64>>(), sent, "orders nobody sent");
        assert!(seen.debits.values().all(|(_, answer)| answer.is_some()), "a debit was never answered");
        let keys: BTreeSet<&String> = seen.debits.keys().collect();
        assert_eq!(booked.debits.keys().collect::<BTreeSet<&String>>(), keys, "debits nobody asked for");
        let bought: i64 = seen.orders.values().map(|sent| sent.credits).sum();
        let spent: i64 = seen.debits.values().map(|(credits, _)| credits.parse::<i64>().unwrap()).sum();
        assert_eq!(booked.left, (1_000_000 + bought - spent) * 1_000_000, "credits appeared or vanished");
    }
}

impl Sent {
    /// What the books say of it once it is there.
    fn expected(&self) -> BookedOrder {
        BookedOrder {
            customer: format!("customer:{}", self.customer),
            deliveries: 1,
            grants: 1,
            micro_credits: self.credits * 1_000_000,
            lines: 1,
        }
    }
}

/// What the books say.
struct Booked {
    orders: BTreeMap<i64, BookedOrder>,
    /// The ids of the debits, by the caller's reference.
    debits: BTreeMap<String, Vec<String>>,
    /// What all slices hold, in micro-credits.
    left: i64,
}

#[derive(Debug, PartialEq, Eq)]
struct BookedOrder {
    customer: String,
    deliveries: i64,
    grants: i64,
    micro_credits: i64,
    lines: i64,
}

impl Booked {
    fn read(db: &Db) -> Self {
        db.read(|tx| {
            // Starts at the deliveries: one that was kept without its order would be found as well.
            let orders = tx.query(
                "-- test
                 SELECT d.order_id, COALESCE(MAX(c.natural_key), ''), CAST(COUNT(DISTINCT d.seq) AS BIGINT),
                        CAST(COUNT(DISTINCT g.id) AS BIGINT), CAST(COALESCE(MAX(g.amount), 0) AS BIGINT),
                        CAST(COUNT(DISTINCT a.seq) AS BIGINT)
                 FROM delivery d
                 LEFT JOIN credit_grant g ON g.store_id = d.store_id AND g.order_id = d.order_id
                 LEFT JOIN customer c ON c.account_id = g.account_id
                 LEFT JOIN activity a ON a.order_id = d.order_id
                 GROUP BY d.order_id",
                &[],
                |row| {
                    let order = BookedOrder {
                        customer: row.get(1)?,
                        deliveries: row.get(2)?,
                        grants: row.get(3)?,
                        micro_credits: row.get(4)?,
                        lines: row.get(5)?,
                    };
                    Ok((row.get(0)?, order))
                },
            )?;
            let mut debits: BTreeMap<String, Vec<String>> = BTreeMap::new();
            tx.for_each("-- test\n SELECT COALESCE(reference, ''), id FROM debit", &[], |row| {
                debits.entry(row.get(0)?).or_default().push(row.get(1)?);
                Ok(())
            })?;
            let sum = "-- test\n SELECT CAST(SUM(remaining) AS BIGINT) FROM slice_now";
            let left = tx.query_one(sum, &[], |row| row.get(0))?;
            Ok::<_, Error>(Self { orders: orders.into_iter().collect(), debits, left })
        })
        .unwrap()
    }
}

// The load ------------------------------------------------------------------------------------------

/// Waits for a daemon; `None` where there will be none any more.
async fn running(address: &mut watch::Receiver<Option<SocketAddr>>) -> SocketAddr {
    let found = tokio::time::timeout(PATIENCE, address.wait_for(Option::is_some)).await;
    found.expect("the daemon starts again").unwrap().expect("waited for")
}

/// One of the senders of a shop's deliveries.
struct Shop {
    stage: Arc<Stage>,
    address: watch::Receiver<Option<SocketAddr>>,
    sender: usize,
    random: StdRng,
}

impl Shop {
    /// Delivers orders until the end; then delivers once more what had no answer.
    async fn deliver(mut self) {
        let mut unanswered: Vec<i64> = Vec::new();
        let mut answered: Vec<i64> = Vec::new();
        loop {
            let is_ending = self.stage.is_ending();
            if is_ending && unanswered.is_empty() {
                return;
            }
            let fresh = !is_ending && self.random.random_ratio(7, 10);
            let id = if fresh || (unanswered.is_empty() && answered.is_empty()) {
                let (id, sent) = self.stage.new_order(&mut self.random);
                self.stage.note(|seen| seen.orders.insert(id, sent));
                id
            } else if !unanswered.is_empty() && (is_ending || self.random.random_bool(0.5)) {
                unanswered.swap_remove(self.random.random_range(0..unanswered.len()))
            } else if answered.is_empty() {
                continue;
            } else {
                answered[self.random.random_range(0..answered.len())]
            };
            let (was_answered, body) = self.stage.note(|seen| {
                let sent = &seen.orders[&id];
                (sent.is_answered, sent.body.clone())
            });
            let is_repeat = was_answered || !fresh;
            match self.send(body).await {
                Some(result) if was_answered => {
                    assert_eq!(result, "unchanged", "order {id} was answered before, sender {}", self.sender);
                }
                Some(result) => {
                    let is_right = result == "granted" || (is_repeat && result == "unchanged");
                    assert!(is_right, "order {id} is told {result:?}, sender {}", self.sender);
                    self.stage.note(|seen| seen.orders.get_mut(&id).unwrap().is_answered = true);
                    answered.push(id);
                }
                None if was_answered => {}
                None => unanswered.push(id),
            }
        }
    }

    /// What the daemon says it did, or nothing if no answer came.
    async fn send(&mut self, body: Vec<u8>) -> Option<String> {
        let address = running(&mut self.address).await;
        let request = self
            .stage
            .http
            .post(format!("http://{address}/webhooks/woocommerce/lab"))
            .header("X-WC-Webhook-Topic", "order.updated")
            .header("X-WC-Webhook-Signature", signature::sign(SECRET.as_bytes(), &body))
            .body(body);
        let (status, body) = answer(&self.stage, request).await?;
        assert_eq!(status, 200, "{body}");
        Some(body["result"].as_str().unwrap().to_owned())
    }
}

/// The assistant service: it spends, and asks again with the same key until it knows.
struct Assistant {
    stage: Arc<Stage>,
    address: watch::Receiver<Option<SocketAddr>>,
    admin: String,
    random: StdRng,
}

impl Assistant {
    async fn spend(mut self) {
        let mut number = 0;
        while !self.stage.is_ending() {
            number += 1;
            let key = format!("debit-{number}");
            let credits = self.random.random_range(1..5_i64).to_string();
            self.stage.note(|seen| seen.debits.insert(key.clone(), (credits.clone(), None)));
            let first = loop {
                if let Some((_, answer)) = self.ask(&key, &credits).await {
                    break answer;
                }
            };
            assert_eq!(first["credits"], *credits);
            self.stage.note(|seen| seen.debits.get_mut(&key).unwrap().1 = Some(first.clone()));
            if self.random.random_ratio(1, 4)
                && let Some((replayed, again)) = self.ask(&key, &credits).await
            {
                assert!(replayed, "{key} was debited a second time");
                assert_eq!(again, first, "{key}");
            }
        }
    }

    async fn ask(&mut self, key: &str, credits: &str) -> Option<(bool, Value)> {
        let address = running(&mut self.address).await;
        let request = self
            .stage
            .http
            .post(format!("http://{address}/v1/debits"))
            .bearer_auth(&self.admin)
            .header("Idempotency-Key", key)
            .body(json!({ "site": "shop", "credits": credits, "reference": key }).to_string());
        let Ok(response) = request.send().await else { return self.lost() };
        let (status, replayed) = (response.status(), response.headers().contains_key("idempotent-replayed"));
        let Ok(text) = response.text().await else { return self.lost() };
        assert_eq!(status, 201, "{text}");
        self.stage.answered();
        Some((replayed, serde_json::from_str(&text).unwrap()))
    }

    fn lost<T>(&self) -> Option<T> {
        self.stage.note(|seen| seen.lost += 1);
        None
    }
}

/// The whole answer to a request, or nothing: half an answer is none.
async fn answer(stage: &Stage, request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let whole = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, response.text().await?))
    };
    if let Ok((status, text)) = whole.await {
        stage.answered();
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {error}: {text}"));
        return Some((status, body));
    }
    stage.note(|seen| seen.lost += 1);
    None
}
