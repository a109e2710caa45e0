//! What the tests stand on: databases on both engines, a clock turned by hand.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use nivella_wallet::db::{DatabaseUrl, Db, Durability};
use nivella_wallet::time::{Clock, Timestamp};

/// A database of its own, gone with the test.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) name: &'static str,
    _dir: tempfile::TempDir,
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
    TestDb { db, clock, name: "sqlite", _dir: dir }
}

fn postgres(server: &str) -> TestDb {
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut client = postgres::Client::connect(server, postgres::NoTls).unwrap();
    client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let clock = Clock::standing_at(start());
    let db = Db::open(&format!("{base}/{name}").parse().unwrap(), Durability::Full, clock.clone()).unwrap();
    TestDb { db, clock, name: "postgres", _dir: tempfile::tempdir().unwrap() }
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
