//! What the tests stand on: databases on both engines, a clock turned by hand.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use nivella_wallet::db::{DatabaseUrl, Db, Durability};
use nivella_wallet::ledger::hold::LASTS_S;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, NewDebit, NewGrant, NewHold, Shown};
use nivella_wallet::time::{Clock, Timestamp, Validity};

/// A database of its own, gone with the test.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) name: &'static str,
    _place: Place,
}

/// What goes when the test ends, after the database was closed.
enum Place {
    Folder { _dir: tempfile::TempDir },
    Server { url: String, name: String },
}

/// A fresh SQLite database and, where `NIVELLA_TEST_POSTGRES` names a server, a fresh PostgreSQL one.
pub(crate) fn databases() -> Vec<TestDb> {
    let mut databases = vec![sqlite()];
    if let Ok(server) = std::env::var("NIVELLA_TEST_POSTGRES") {
        databases.push(postgres(&server));
    } else {
        println!("PostgreSQL is skipped: NIVELLA_TEST_POSTGRES names no server");
    }
    databases
}

/// A fresh SQLite database.
pub(crate) fn sqlite() -> TestDb {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::standing_at(start());
    let url = DatabaseUrl::Sqlite(dir.path().join("wallet.db"));
    let db = Db::open(&url, Durability::Process, clock.clone()).unwrap();
    TestDb { db, clock, name: "sqlite", _place: Place::Folder { _dir: dir } }
}

fn postgres(server: &str) -> TestDb {
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    on_server(server, &format!("CREATE DATABASE {name}"));
    let (base, _) = server.rsplit_once('/').unwrap();
    let clock = Clock::standing_at(start());
    let db = Db::open(&format!("{base}/{name}").parse().unwrap(), Durability::Full, clock.clone()).unwrap();
    TestDb { db, clock, name: "postgres", _place: Place::Server { url: server.to_owned(), name } }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Server { url, name } = self {
            on_server(url, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// In a thread of its own: the client is synchronous and panics inside a test's runtime.
fn on_server(url: &str, sql: &str) {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
            client.batch_execute(sql).unwrap();
        });
        run.join().unwrap();
    });
}

/// A recorded file of `fixtures/woocommerce`.
pub(crate) fn recorded(path: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/woocommerce");
    std::fs::read(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn start() -> Timestamp {
    "2026-11-20T16:00:00Z".parse().unwrap()
}

/// A random generator whose seed is printed and can be given again as `SEED=`.
pub(crate) fn seeded() -> StdRng {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Credits that a site may spend from its account's pool as well, and nothing else said about it.
pub(crate) fn new_debit(site: &str, credits: &str) -> NewDebit {
    NewDebit {
        site: site.parse().unwrap(),
        uses_pool: true,
        agent: None,
        action: None,
        priced: None,
        label: "chat".to_owned(),
        amount: credits.parse().unwrap(),
        reference: None,
        occurred_at: None,
        usage: None,
    }
}

/// Credits that somebody bought, without an end.
pub(crate) fn new_grant(compartment: Compartment, credits: &str) -> NewGrant {
    NewGrant {
        compartment,
        amount: credits.parse().unwrap(),
        category: Category::Paid,
        priority: None,
        label: "credits".to_owned(),
        reason: None,
        effective_at: None,
        expiry: Expiry::After(Validity::Never),
        purchase: None,
        shown_as: Shown::TopUp,
    }
}

/// A debit's credits set aside, for as long as nobody says how long.
pub(crate) fn new_hold(site: &str, credits: &str) -> NewHold {
    NewHold { spending: new_debit(site, credits), rate: None, lasts_s: LASTS_S }
}
