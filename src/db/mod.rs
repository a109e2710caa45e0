//! The floor: one SQL text on two engines, one writer, many readers.
//!
//! [`Db::write`] hands a piece of work to the writer thread, which runs what is waiting in one
//! transaction, each piece in a savepoint of its own, commits once and then answers all. [`Db::read`] runs
//! on the caller's thread, on a read-only connection of its own, and never waits for the writer.
//!
//! Statements are written once: `$1` parameters, BIGINT, TEXT and blob columns only, `CAST(… AS BIGINT)`
//! on computed ones. Each begins with `-- module::function`, so that a slow one can be traced to its place.
//!
//! No `await` happens inside a transaction: everything below [`Db::write`] is synchronous.

mod changes;
mod checkpoint;
mod commits;
mod left;
mod memory;
mod migrate;
mod postgres;
mod sqlite;
mod statements;
mod thread;
mod tx;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use tokio::runtime::Handle;

use self::changes::Turn;
pub use self::changes::{Changes, Moment};
use self::checkpoint::Checkpointer;
pub use self::left::Slot;
pub use self::memory::Memory;
pub use self::thread::GROUP_LENGTH_MAX;
use self::thread::{Manner, Writer};
pub use self::tx::{FromColumn, Param, Row, Tx, statements};
use crate::id::AccountId;
use crate::time::Clock;

/// Why the database did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused.
    #[error("PostgreSQL: {}", postgres_message(.0))]
    Postgres(#[from] ::postgres::Error),
    /// The schema could not be brought up to date.
    #[error("migration failed: {0}")]
    Migration(String),
    /// The database cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
    /// A row holds what this version cannot read.
    #[error("column {column} holds {found}")]
    Column {
        /// The column's position, from 0.
        column: usize,
        /// What was found there.
        found: String,
    },
    /// A query that must find one row found none.
    #[error("no row where there must be one")]
    NoRow,
    /// As many writes are waiting as may wait.
    #[error("the database is busy: too many writes are waiting")]
    QueueFull,
    /// The group of writes it was in never got as far as this one.
    #[error("the write was not begun: the database is locked by another program, or does not answer")]
    NotBegun,
    /// The writer has stopped.
    #[error("the database writer has stopped")]
    Closed,
    /// The commit that would have carried this write failed.
    #[error("the write was not committed: {0}")]
    NotCommitted(Arc<str>),
}

fn postgres_message(error: &::postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |cause| cause.message().to_owned())
}

/// Where the data are.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the text may hold a password.
    Postgres(String),
}

/// Why a text does not name a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database is written sqlite:PATH or postgres://USER@HOST/NAME")]
pub struct NotADatabase;

impl FromStr for DatabaseUrl {
    type Err = NotADatabase;

    fn from_str(text: &str) -> Result<Self, NotADatabase> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").ok_or(NotADatabase)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() { Err(NotADatabase) } else { Ok(Self::Sqlite(PathBuf::from(path))) }
    }
}

/// Shows the place without the password.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let place = url
                    .rsplit_once('@')
                    .map_or_else(|| url.split_once("://").map_or("", |(_, rest)| rest), |(_, place)| place);
                write!(f, "postgres://{}", place.split('?').next().unwrap_or_default())
            }
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What an answered write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A power cut.
    #[default]
    Full,
    /// A crash of the process.
    Process,
}

/// Looks at each account that a piece of work has locked, when the work is done and in its transaction: whatever was
/// done to an account, and in however many steps, what follows from how it stands then is written with it.
pub trait Watcher: std::fmt::Debug + Send + Sync {
    /// Looks at `account`, and writes what follows.
    ///
    /// # Errors
    /// When the database fails; the work is taken back then.
    fn look(&self, tx: &mut Tx<'_>, account: &AccountId) -> Result<(), Error>;
}

/// The opened database.
#[derive(Clone, Debug)]
pub struct Db {
    inner: Arc<Inner>,
    watcher: Option<Arc<dyn Watcher>>,
}

#[derive(Debug)]
struct Inner {
    url: DatabaseUrl,
    clock: Clock,
    writer: Writer,
    readers: sqlite::Readers,
    changes: Arc<Changes>,
}

impl Db {
    /// Opens the database, brings its schema up to date and starts the writer.
    pub fn open(url: &DatabaseUrl, durability: Durability, clock: Clock) -> Result<Self, Error> {
        Self::open_with(url, durability, GROUP_LENGTH_MAX, clock)
    }

    /// [`Db::open`]; at most `group_max` writes share a commit.
    pub fn open_with(
        url: &DatabaseUrl,
        durability: Durability,
        group_max: u32,
        clock: Clock,
    ) -> Result<Self, Error> {
        let changes = Arc::new(Changes::new());
        let (writer, readers) = match url {
            DatabaseUrl::Sqlite(path) => {
                let connection = sqlite::open(path, durability)?;
                let readers = sqlite::Readers::new(path.clone());
                let turn = Turn::new(Arc::clone(&changes));
                (
                    Writer::start_sqlite(
                        connection,
                        clock.clone(),
                        group_max,
                        turn,
                        Checkpointer::new(path),
                    )?,
                    readers,
                )
            }
            DatabaseUrl::Postgres(text) => {
                let text = text.clone();
                (Writer::start_postgres(text, clock.clone(), group_max)?, sqlite::Readers::none())
            }
        };
        let inner = Arc::new(Inner { url: url.clone(), clock, writer, readers, changes });
        Ok(Self { inner, watcher: None })
    }

    /// The same database, with somebody who looks at every account that is locked through it.
    #[must_use]
    pub fn watched_by(self, watcher: Arc<dyn Watcher>) -> Self {
        Self { watcher: Some(watcher), ..self }
    }

    /// Where the data are.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.inner.url
    }

    /// The clock of this database.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Runs `work` in the writer's transaction; its effects are durable when this returns `Ok`.
    ///
    /// `Err` from `work` takes back all that it did. `name` says in logs which write it was.
    pub async fn write<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write_keeping(name, Keep::Effects, work).await
    }

    /// [`Db::write`]; with [`Keep::Nothing`] it shows what would happen.
    pub async fn write_keeping<T, E>(
        &self,
        name: &'static str,
        keep: Keep,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.submit(name, Manner::Any, keep, work).await
    }

    /// [`Db::write`] for work that keeps true what the writer remembers in its [`Memory`], and that has written nothing
    /// when it answers `Err`: nothing is taken back then. Should the database fail it, all that shares its commit
    /// fails.
    pub async fn write_remembering<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.submit(name, Manner::Remembering, Keep::Effects, work).await
    }

    async fn submit<T, E>(
        &self,
        name: &'static str,
        manner: Manner,
        keep: Keep,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, done) = tokio::sync::oneshot::channel();
        let (watcher, here) = (self.watcher.clone(), Handle::try_current().ok());
        self.inner.writer.submit(thread::job(name, manner, keep, watcher, here, work, |result| {
            let _ = answer.send(result);
        }))?;
        // The caller may be gone; the transaction is carried out all the same.
        done.await.unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    /// [`Db::write`] for callers that are not async; with [`Keep::Nothing`] it shows what would happen.
    pub fn write_blocking<T, E>(
        &self,
        name: &'static str,
        keep: Keep,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, done) = std::sync::mpsc::sync_channel(1);
        self.inner.writer.submit(thread::job(
            name,
            Manner::Any,
            keep,
            self.watcher.clone(),
            None,
            work,
            move |result| {
                let _ = answer.send(result);
            },
        ))?;
        done.recv().unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    /// Hands `work` to the writer and does not wait for it: for what is tidied up on the way out, where nobody
    /// is left to be told that it failed.
    pub fn write_unwatched(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<(), Error> + Send + 'static,
    ) {
        let job =
            thread::job(name, Manner::Any, Keep::Effects, self.watcher.clone(), None, work, move |result| {
                if let Err(error) = result {
                    tracing::warn!(%error, "{name} was not written: {error}");
                }
            });
        if let Err(error) = self.inner.writer.submit(job) {
            tracing::warn!(%error, "{name} was not written: {error}");
        }
    }

    /// Why a write was never begun.
    fn unanswered(&self) -> Error {
        if self.takes_writes() { Error::NotBegun } else { Error::Closed }
    }

    /// Runs `work` on a consistent, read-only view that includes every write answered before.
    ///
    /// On the embedded default it blocks for the microseconds the read takes and waits for nobody.
    pub fn read<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send) -> Result<T, E>
    where
        T: Send,
        E: From<Error> + Send,
    {
        match &self.inner.url {
            DatabaseUrl::Sqlite(_) => self.inner.readers.read(&self.inner.clock, work),
            DatabaseUrl::Postgres(url) => postgres::read(url, &self.inner.clock, work),
        }
    }

    /// Looks whether another program wrote: after this, [`Db::changes`] knows of every write that was answered
    /// before, whoever made it.
    pub fn look(&self) -> Result<(), Error> {
        match &self.inner.url {
            DatabaseUrl::Sqlite(_) => self.inner.readers.look(&self.inner.clock, &self.inner.changes),
            DatabaseUrl::Postgres(_) => Ok(()),
        }
    }

    /// What was written, and when last, for those who keep what they read; this program's own writes from before they
    /// are answered, other programs' from the next [`Db::look`]. Nothing where nobody can say that, as with
    /// PostgreSQL: then nothing can be kept.
    #[must_use]
    pub fn changes(&self) -> Option<&Changes> {
        match &self.inner.url {
            DatabaseUrl::Sqlite(_) => Some(&self.inner.changes),
            DatabaseUrl::Postgres(_) => None,
        }
    }

    /// Whether the writer can still take work; it stops for good when something in it panics.
    #[must_use]
    pub fn takes_writes(&self) -> bool {
        self.inner.writer.is_running()
    }

    /// Whether the data can be read and the writer takes work.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self) -> Result<(), Error> {
        if !self.inner.writer.is_running() {
            return Err(Error::Closed);
        }
        self.read(|tx| {
            tx.query_one("-- db::check\n SELECT CAST(COUNT(*) AS BIGINT) FROM store", &[], |row| {
                row.get::<i64>(0)
            })
        })?;
        Ok(())
    }
}

/// Whether a write keeps its effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Commit them.
    Effects,
    /// Take them back: a dry run.
    Nothing,
}

/// Lists the parameters of a statement: `params![&name, now, Some(limit)]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Param::from($value)),*] };
}
