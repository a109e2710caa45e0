//! The embedded default: SQLite in WAL mode.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::changes::{self, Changes};
use super::checkpoint::LOG_PAGES_MAX;
use super::commits::Commits;
use super::{Durability, Error, Tx, migrate};
use crate::time::Clock;

/// Marks our files: `NvWl`.
const APPLICATION_ID: i64 = 0x4e76_576c;

/// How much of the file the writer keeps at hand.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// How many prepared statements a connection keeps; more than the program has.
const STATEMENTS_KEPT: usize = 256;

/// Opens the file for writing, makes it if it is not there, and brings it up to date.
pub(super) fn open(path: &Path, durability: Durability) -> Result<Connection, Error> {
    create_private(path)?;
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE,
    )
    .map_err(|error| Error::Unusable(format!("{} cannot be opened: {error}", path.display())))?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Process => "NORMAL",
    };
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let found: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| Error::Unusable(format!("{} is not a database: {error}", path.display())))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found != APPLICATION_ID && (found != 0 || tables != 0) {
        return Err(Error::Unusable(format!("{} belongs to another program", path.display())));
    }
    set_and_check(&connection, "journal_mode", "WAL")?;
    set_and_check(&connection, "synchronous", synchronous)?;
    set_and_check(&connection, "foreign_keys", "ON")?;
    set_and_check(&connection, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
    // What a savepoint would take back is kept for as long as a group lasts: not worth a file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Less than nothing: in KiB, not in pages.
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    keep_plans(&connection)?;
    migrate::sqlite(&mut connection, path)?;
    if found != APPLICATION_ID {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(connection)
}

/// Statements stay prepared, whatever they are given: where a table has a partial index SQLite would otherwise
/// plan anew for every other value.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes the file readable for its owner only, before anything is written to it.
fn create_private(path: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::Unusable(format!("{} cannot be created: {error}", path.display()))),
    }
}

/// Sets a pragma and reads it back: SQLite ignores what it does not understand.
fn set_and_check(connection: &Connection, name: &str, value: &str) -> Result<(), Error> {
    connection.pragma_update(None, name, value)?;
    let found: String = connection.pragma_query_value(None, name, |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap_or_default().to_uppercase(),
        })
    })?;
    let expected = match value {
        "FULL" => "2",
        "NORMAL" | "ON" => "1",
        "OFF" => "0",
        other => other,
    };
    if found == expected {
        Ok(())
    } else {
        Err(Error::Unusable(format!("SQLite does not take {name}={value} on this disk: it stays at {found}")))
    }
}

/// Read-only connections, one for each thread that asks.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    commits: Commits,
    number: u64,
}

/// A read-only connection.
struct Reader {
    /// Of which [`Readers`].
    number: u64,
    connection: Connection,
    /// What it said about commits when it was last asked.
    version: Option<i64>,
}

thread_local! {
    static READERS: RefCell<Vec<Reader>> = const { RefCell::new(Vec::new()) };
}

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { commits: Commits::to(&path), path, number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn none() -> Self {
        Self::new(PathBuf::new())
    }

    pub(super) fn read<T, E: From<Error>>(
        &self,
        clock: &Clock,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let reader = self.take().map_err(Error::from)?;
        let answer = read_on(&reader.connection, clock, work);
        // One that could not end its transaction is of no use any more.
        if reader.connection.is_autocommit() {
            READERS.with_borrow_mut(|readers| readers.push(reader));
        }
        answer
    }

    /// Looks whether another program wrote, and tells that. Where nobody wrote since the last look it costs no look at
    /// the data.
    pub(super) fn look(&self, clock: &Clock, changes: &Changes) -> Result<(), Error> {
        self.commits.look(|| {
            let mut reader = self.take()?;
            let looked = look(&mut reader, clock, changes);
            READERS.with_borrow_mut(|readers| readers.push(reader));
            looked
        })
    }

    /// This thread's connection, taken out while in use, so that a read inside a read gets one of its own.
    fn take(&self) -> rusqlite::Result<Reader> {
        let kept = READERS.with_borrow_mut(|readers| {
            let place = readers.iter().rposition(|reader| reader.number == self.number)?;
            Some(readers.swap_remove(place))
        });
        match kept {
            Some(reader) => Ok(reader),
            None => Ok(Reader { number: self.number, connection: self.open()?, version: None }),
        }
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_EXRESCODE,
        )?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        keep_plans(&connection)?;
        Ok(connection)
    }
}

fn read_on<T, E: From<Error>>(
    connection: &Connection,
    clock: &Clock,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let run = |sql: &str| connection.prepare_cached(sql)?.raw_execute().map(drop);
    run("BEGIN").map_err(Error::from)?;
    let answer = work(&mut Tx::sqlite(connection, clock.now()));
    run("COMMIT").map_err(Error::from)?;
    answer
}

fn look(reader: &mut Reader, clock: &Clock, changes: &Changes) -> Result<(), Error> {
    let mut tx = Tx::sqlite(&reader.connection, clock.now());
    let version = Some(changes::data_version(&mut tx)?);
    if version != reader.version {
        changes.see_turn(changes::turn(&mut tx)?);
        reader.version = version;
    }
    Ok(())
}
