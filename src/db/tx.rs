//! A transaction, its parameters and its rows, the same on both engines.

use std::cell::Cell;
use std::collections::BTreeSet;

use rusqlite::types::{ToSqlOutput, ValueRef};

use super::Error;
use super::changes::{self, Kind, Written};
use super::memory::Memory;
use super::statements::Statements;
use crate::id;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

/// A transaction on either engine.
///
/// The time stands still in it.
pub struct Tx<'c> {
    engine: Engine<'c>,
    now: Timestamp,
    /// What was written, where somebody wants to know.
    written: Option<Written>,
    memory: Option<&'c mut Memory>,
    /// The accounts that the present piece of work has locked.
    locked: BTreeSet<id::AccountId>,
    failed: bool,
}

enum Engine<'c> {
    Sqlite(Statements<'c>),
    Postgres(&'c mut postgres::Client),
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("now", &self.now).finish_non_exhaustive()
    }
}

thread_local! {
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
}

/// How many statements this thread has run: the writer's in a write, the caller's own elsewhere. Tests count with it
/// what an act costs.
#[must_use]
pub fn statements() -> u64 {
    STATEMENTS.get()
}

impl<'c> Tx<'c> {
    pub(super) fn sqlite(connection: &'c rusqlite::Connection, now: Timestamp) -> Self {
        Self::on(Engine::Sqlite(Statements::new(connection)), now)
    }

    pub(super) fn postgres(client: &'c mut postgres::Client, now: Timestamp) -> Self {
        Self::on(Engine::Postgres(client), now)
    }

    fn on(engine: Engine<'c>, now: Timestamp) -> Self {
        Self { engine, now, written: None, memory: None, locked: BTreeSet::new(), failed: false }
    }

    /// The transaction with what the writer remembers.
    pub(super) fn remembering(mut self, memory: &'c mut Memory) -> Self {
        self.memory = Some(memory);
        self
    }

    /// What the writer remembers; nothing in a read.
    pub fn memory(&mut self) -> Option<&mut Memory> {
        self.memory.as_deref_mut()
    }

    /// Forgets what the writer remembers.
    pub fn forget(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.forget();
        }
    }

    /// Forgets what the writer remembers if another program wrote since.
    /// Answers what SQLite says about commits of others.
    pub(super) fn forget_if_outdated(&mut self) -> Result<Option<i64>, Error> {
        if matches!(self.engine, Engine::Postgres(_)) {
            return Ok(None);
        }
        let version = changes::data_version(self)?;
        if let Some(memory) = &mut self.memory {
            memory.is_of(version);
        }
        Ok(Some(version))
    }

    /// Begins to watch for failures anew.
    pub(super) fn forget_failure(&mut self) {
        self.failed = false;
    }

    /// Whether the database failed any statement since.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The time of this transaction.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Notes from now what is written.
    pub(super) fn note_writes(&mut self) -> &mut Written {
        self.written.get_or_insert_default()
    }

    /// What was written since that was last asked.
    pub(super) fn take_written(&mut self) -> Written {
        self.written.take().unwrap_or_default()
    }

    /// Notes that this transaction has locked an account, so that what it writes is written to that.
    pub fn note_lock(&mut self, account: &id::AccountId) {
        if let Some(written) = &mut self.written {
            written.lock(account);
        }
        if !self.locked.contains(account) {
            self.locked.insert(account.clone());
        }
    }

    /// The accounts that were locked since that was last asked.
    pub(super) fn take_locked(&mut self) -> BTreeSet<id::AccountId> {
        std::mem::take(&mut self.locked)
    }

    /// What is remembered may rest on anything that is of no one account: it is forgotten before that is written.
    fn note(&mut self, sql: &'static str) {
        if self.memory.is_none() {
            return;
        }
        let kind = self.engine.kind(sql);
        if let Some(written) = &mut self.written {
            written.statement(kind);
        }
        if kind == Kind::Common {
            self.forget();
        }
    }

    /// Runs a statement; answers how many rows it touched.
    pub fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
        self.note(sql);
        let done = self.engine.execute(sql, params);
        self.noted(done)
    }

    /// Runs an `INSERT` of one row; answers the `id` that the database gave it. SQLite knows it anyway, and makes a
    /// table to tell it with `RETURNING`.
    pub fn insert(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<i64, Error> {
        self.note(sql);
        let done = self.engine.insert(sql, params);
        self.noted(done)
    }

    /// All rows of a query, each read by `read`.
    pub fn query<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        self.for_each(sql, params, |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row of a query, if it has one.
    pub fn query_opt<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.note(sql);
        let found = self.engine.query_opt(sql, params, read);
        self.noted(found)
    }

    /// The row of a query that always has one.
    pub fn query_one<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.query_opt(sql, params, read)?.ok_or(Error::NoRow)
    }

    /// Hands each row of a query to `visit`, one at a time, however many there are.
    pub fn for_each(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.note(sql);
        let done = self.engine.for_each(sql, params, visit);
        self.noted(done)
    }

    /// Runs `work`; what it did is taken back if it fails, and the transaction goes on.
    pub fn attempt<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let failed = self.failed;
        self.batch("SAVEPOINT attempt")?;
        let done = work(self);
        if done.is_ok() {
            self.batch("RELEASE SAVEPOINT attempt")?;
        } else {
            self.batch("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt")?;
            // What failed is taken back with the rest.
            self.failed = failed;
            self.forget();
        }
        done
    }

    /// Runs statements that take no parameters and give no rows: `SAVEPOINT` and its like, `; ` between them.
    pub(super) fn batch(&mut self, sql: &'static str) -> Result<(), Error> {
        let done = match &mut self.engine {
            Engine::Sqlite(statements) => sql.split("; ").try_for_each(|one| {
                statements.bound(one, &[])?.raw_execute()?;
                Ok(())
            }),
            Engine::Postgres(client) => client.batch_execute(sql).map_err(Error::from),
        };
        self.noted(done)
    }

    fn noted<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        STATEMENTS.set(STATEMENTS.get() + 1);
        self.failed |= done.is_err();
        done
    }
}

impl Engine<'_> {
    fn kind(&self, sql: &'static str) -> Kind {
        match self {
            Self::Sqlite(statements) => statements.kind(sql),
            Self::Postgres(_) => changes::kind(sql),
        }
    }

    fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
        match self {
            Self::Sqlite(statements) => Ok(statements.bound(sql, params)?.raw_execute()? as u64),
            Self::Postgres(client) => Ok(client.execute(sql, &as_postgres(params))?),
        }
    }

    fn insert(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<i64, Error> {
        match self {
            Self::Sqlite(statements) => {
                statements.bound(sql, params)?.raw_execute()?;
                Ok(statements.last_insert_rowid())
            }
            Self::Postgres(client) => {
                let row = client.query_one(&format!("{sql} RETURNING id"), &as_postgres(params))?;
                Ok(row.try_get(0)?)
            }
        }
    }

    fn query_opt<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Sqlite(statements) => {
                let mut rows = statements.bound(sql, params)?.raw_query();
                rows.next()?.map(|row| read(&Row::Sqlite(row))).transpose()
            }
            Self::Postgres(client) => {
                let rows = client.query(sql, &as_postgres(params))?;
                rows.first().map(|row| read(&Row::Postgres(row))).transpose()
            }
        }
    }

    fn for_each(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        mut visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Sqlite(statements) => {
                let mut rows = statements.bound(sql, params)?.raw_query();
                while let Some(row) = rows.next()? {
                    visit(&Row::Sqlite(row))?;
                }
            }
            Self::Postgres(client) => {
                use postgres::fallible_iterator::FallibleIterator as _;
                let mut rows = client.query_raw(sql, params.iter())?;
                while let Some(row) = rows.next()? {
                    visit(&Row::Postgres(&row))?;
                }
            }
        }
        Ok(())
    }
}

fn as_postgres<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn postgres::types::ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn postgres::types::ToSql + Sync)).collect()
}

/// A value handed to a statement.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// SQL `NULL`.
    Null,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl postgres::types::ToSql for Param<'_> {
    fn to_sql(
        &self,
        ty: &postgres::types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(postgres::types::IsNull::Yes),
            Self::Int(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Blob(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &postgres::types::Type) -> bool {
        true
    }

    postgres::types::to_sql_checked!();
}

impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Param<'_> {
    fn from(yes: bool) -> Self {
        Self::Int(i64::from(yes))
    }
}

impl From<Timestamp> for Param<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Int(time.millis())
    }
}

impl From<Credits> for Param<'_> {
    fn from(amount: Credits) -> Self {
        Self::Int(amount.micro())
    }
}

impl From<Delta> for Param<'_> {
    fn from(change: Delta) -> Self {
        Self::Int(change.micro())
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer.
#[derive(Debug)]
pub enum Row<'r> {
    /// From SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// From PostgreSQL.
    Postgres(&'r postgres::Row),
}

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub fn get<T: FromColumn>(&self, column: usize) -> Result<T, Error> {
        T::from_column(self, column)
    }

    /// The text of a column where it lies, for those who read millions of rows.
    pub fn text(&self, column: usize) -> Result<&str, Error> {
        self.text_opt(column)?.ok_or_else(|| Error::Column { column, found: "NULL".to_owned() })
    }

    /// [`Row::text`] of a column that may be empty.
    pub fn text_opt(&self, column: usize) -> Result<Option<&str>, Error> {
        match self {
            Row::Sqlite(row) => {
                let found = row.get_ref(column)?;
                found.as_str_or_null().map_err(|_| Error::Column { column, found: format!("{found:?}") })
            }
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// The bytes of a column where they lie.
    pub fn bytes(&self, column: usize) -> Result<&[u8], Error> {
        match self {
            Row::Sqlite(row) => {
                let found = row.get_ref(column)?;
                found.as_blob().map_err(|_| Error::Column { column, found: format!("{found:?}") })
            }
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

/// A type that can be read from a column.
pub trait FromColumn: Sized {
    /// Reads the value.
    fn from_column(row: &Row<'_>, column: usize) -> Result<Self, Error>;
}

macro_rules! native_column {
    ($($type:ty),*) => {$(
        impl FromColumn for $type {
            fn from_column(row: &Row<'_>, column: usize) -> Result<Self, Error> {
                match row {
                    Row::Sqlite(row) => Ok(row.get(column)?),
                    Row::Postgres(row) => Ok(row.try_get(column)?),
                }
            }
        }

        impl FromColumn for Option<$type> {
            fn from_column(row: &Row<'_>, column: usize) -> Result<Self, Error> {
                match row {
                    Row::Sqlite(row) => Ok(row.get(column)?),
                    Row::Postgres(row) => Ok(row.try_get(column)?),
                }
            }
        }
    )*};
}

native_column!(i64, String, Vec<u8>);

/// Reads a type from the native one it is stored as; what does not fit is an error, never a guess.
macro_rules! converted_column {
    ($($type:ty, $native:ty, $convert:expr);* $(;)?) => {$(
        impl FromColumn for $type {
            fn from_column(row: &Row<'_>, column: usize) -> Result<Self, Error> {
                let native = <$native>::from_column(row, column)?;
                let convert: fn($native) -> Result<Self, String> = $convert;
                convert(native).map_err(|found| Error::Column { column, found })
            }
        }

        impl FromColumn for Option<$type> {
            fn from_column(row: &Row<'_>, column: usize) -> Result<Self, Error> {
                let Some(native) = Option::<$native>::from_column(row, column)? else { return Ok(None) };
                let convert: fn($native) -> Result<$type, String> = $convert;
                convert(native).map(Some).map_err(|found| Error::Column { column, found })
            }
        }
    )*};
}

converted_column! {
    bool, i64, |number| match number { 0 => Ok(false), 1 => Ok(true), other => Err(other.to_string()) };
    Timestamp, i64, |millis| Ok(Timestamp::from_millis(millis));
    Delta, i64, |micro| Ok(Delta::from_micro(micro));
    Credits, i64, |micro| Credits::from_micro(micro).ok_or_else(|| micro.to_string());
}

macro_rules! id_column {
    ($($type:ty),*) => {
        converted_column! { $($type, String, |text| text.parse().map_err(|_| text);)* }

        $(impl<'a> From<&'a $type> for Param<'a> {
            fn from(id: &'a $type) -> Self {
                Self::Text(id.as_str())
            }
        })*
    };
}

id_column!(
    id::AccountId,
    id::GrantId,
    id::DebitId,
    id::HoldId,
    id::ReversalId,
    id::DeliveryId,
    id::EventId,
    id::OperationId,
    id::KeyId,
    id::SiteId,
    id::ClientId,
    id::AgentId,
    id::ActionId,
    id::PlanId
);
