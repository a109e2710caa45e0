//! What several tests need.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use nivella_wallet::db::{DatabaseUrl, Db, Durability};
use nivella_wallet::time::Clock;

/// An empty database that is gone when dropped.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    pub(crate) engine: &'static str,
    _place: Place,
}

enum Place {
    Folder(#[expect(dead_code, reason = "held until the test ends")] tempfile::TempDir),
    Server { url: String, name: String },
}

/// An empty database on each engine there is: the embedded one always, PostgreSQL when
/// `NIVELLA_TEST_POSTGRES=postgres://…` names a server on which databases may be made.
pub(crate) fn databases(clock: &Clock) -> Vec<TestDb> {
    let mut databases = vec![sqlite(clock)];
    if let Ok(url) = std::env::var("NIVELLA_TEST_POSTGRES") {
        databases.push(postgres(&url, clock));
    }
    databases
}

/// An empty embedded database.
pub(crate) fn sqlite(clock: &Clock) -> TestDb {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("wallet.db"));
    TestDb {
        db: Db::open(&url, Durability::Process, clock.clone()).unwrap(),
        engine: "SQLite",
        _place: Place::Folder(folder),
    }
}

fn postgres(server: &str, clock: &Clock) -> TestDb {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("nivella_test_{}_{number}", uuid::Uuid::now_v7().simple());
    on_server(server, &format!("CREATE DATABASE {name}"));
    let (place, _) = server.rsplit_once('/').unwrap();
    let url: DatabaseUrl = format!("{place}/{name}").parse().unwrap();
    TestDb {
        db: Db::open(&url, Durability::Process, clock.clone()).unwrap(),
        engine: "PostgreSQL",
        _place: Place::Server {
            url: server.to_owned(),
            name,
        },
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Server { url, name } = self {
            on_server(url, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// The client is synchronous and must not run inside a test's runtime.
fn on_server(url: &str, sql: &str) {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
                client.batch_execute(sql).unwrap();
            })
            .join()
            .unwrap();
    });
}

/// A recorded file of `fixtures/woocommerce`.
pub(crate) fn recorded(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/woocommerce");
    std::fs::read(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
