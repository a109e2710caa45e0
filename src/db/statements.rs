//! The statements of a transaction on SQLite: each is taken out of the connection's cache once, however often it runs.
//!
//! A group of the writer runs the same few statements for each debit. To find one in the cache, put it back and learn
//! anew what it does costs about as much as to run it.

use rusqlite::{CachedStatement, Connection};

use super::Error;
use super::changes::{self, Kind};
use super::tx::Param;

/// A connection, and the statements that were run on it.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    open: Vec<Statement<'c>>,
}

/// A statement, and what its text says.
pub(super) struct Statement<'c> {
    sql: &'static str,
    /// What it writes.
    kind: Kind,
    /// For each of SQLite's places which parameter belongs there, counted from 0: SQLite numbers them by their first
    /// appearance, PostgreSQL by their digits.
    order: Vec<usize>,
    run: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, open: Vec::new() }
    }

    /// What a statement writes.
    pub(super) fn kind(&self, sql: &'static str) -> Kind {
        self.find(sql).map_or_else(|| changes::kind(sql), |place| self.open[place].kind)
    }

    /// The statement with this text, its parameters bound.
    pub(super) fn bound(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<&mut CachedStatement<'c>, Error> {
        let place = if let Some(place) = self.find(sql) {
            place
        } else {
            self.open.push(Statement::open(self.connection, sql)?);
            self.open.len() - 1
        };
        let Statement { order, run, .. } = &mut self.open[place];
        if order.len() != params.len() {
            return Err(rusqlite::Error::InvalidParameterCount(params.len(), order.len()).into());
        }
        for (place, parameter) in order.iter().enumerate() {
            run.raw_bind_parameter(place + 1, params[*parameter])?;
        }
        Ok(run)
    }

    /// The id of the row that was inserted last.
    pub(super) fn last_insert_rowid(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Mostly it is the same text at the same place in memory; the compiler may have made two of it.
    fn find(&self, sql: &str) -> Option<usize> {
        let same = |open: &Statement<'_>| {
            open.sql.len() == sql.len() && (std::ptr::eq(open.sql, sql) || open.sql == sql)
        };
        self.open.iter().position(same)
    }
}

impl<'c> Statement<'c> {
    fn open(connection: &'c Connection, sql: &'static str) -> Result<Self, Error> {
        let run = connection.prepare_cached(sql)?;
        let count = run.parameter_count();
        let order = (1..=count)
            .map(|place| {
                let name = run.parameter_name(place).unwrap_or_default();
                let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
                // All are named, each once, so each of so many numbers is there.
                let named = number.filter(|number| (1..=count).contains(number));
                named
                    .map(|number| number - 1)
                    .ok_or_else(|| rusqlite::Error::InvalidParameterName(name.to_owned()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { sql, kind: changes::kind(sql), order, run })
    }
}
