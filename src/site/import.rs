//! Many sites at once, from a spreadsheet: all rows or none.

use std::collections::HashMap;

use serde::Serialize;

use super::store::{self, Change, Error};
use super::{AccountRef, Field, parse_client, parse_label};
use crate::db::{self, Tx};
use crate::id::{AccountId, ClientId, SiteId};

/// How many sites one file may have: they are one transaction, and all other writes wait for it.
pub const ROWS_MAX: usize = 100_000;

/// How many bytes a file may have: rows of the longest fields, read into memory once.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One site of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteRow {
    /// Where it stands in the file, counted from 1.
    pub line: u64,
    /// The site.
    pub site: SiteId,
    /// Whose it is to be.
    pub account: AccountRef,
    /// Its client; kept as it is if the file has no such column.
    pub client: Field<ClientId>,
    /// Its label; kept as it is if the file has no such column.
    pub label: Field<String>,
}

/// A row that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// Where it stands in the file, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Sites that belonged to nobody before.
    pub assigned: u64,
    /// Sites whose client or label is another now.
    pub changed: u64,
    /// Sites that were so before.
    pub unchanged: u64,
    /// Accounts that were opened for them.
    pub accounts_opened: u64,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// Some rows cannot be taken; all of them are here, in the order of the file.
    #[error("{} of the rows cannot be imported", .0.len())]
    Rows(Vec<BadRow>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// Reads a file with a header line that names at least `site` and `account`, in any order.
///
/// Answers the rows that can be read and those that cannot. A byte order mark, Windows line ends and the
/// semicolons of a spreadsheet in a language with decimal commas are taken as they come.
#[must_use]
pub fn parse(file: &[u8]) -> (Vec<SiteRow>, Vec<BadRow>) {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let first_line = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if first_line.contains(&b';') && !first_line.contains(&b',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(file);
    let columns = match reader.headers().map_err(|_| NOT_UTF8.to_owned()).and_then(Columns::of) {
        Ok(columns) => columns,
        Err(problem) => return (rows, vec![BadRow { line: 1, problem }]),
    };
    let mut lines: HashMap<SiteId, u64> = HashMap::new();
    let mut lines_of = LineCounter::new(file);
    let mut record = csv::StringRecord::new();
    loop {
        let start = reader.position().byte();
        let read = reader.read_record(&mut record);
        let line = lines_of.first_line_with_text(start);
        match read {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let problem = match error.kind() {
                    csv::ErrorKind::Utf8 { .. } => NOT_UTF8.to_owned(),
                    _ => error.to_string(),
                };
                bad.push(BadRow { line, problem });
                continue;
            }
        }
        if record.iter().all(str::is_empty) {
            continue;
        }
        if rows.len() == ROWS_MAX {
            bad.push(BadRow { line, problem: format!("a file has at most {ROWS_MAX} sites: split it") });
            break;
        }
        match columns.read(&record, line) {
            Ok(row) => match lines.insert(row.site.clone(), line) {
                None => rows.push(row),
                Some(first) => {
                    lines.insert(row.site.clone(), first);
                    let problem = format!("site {} is in line {first} already", row.site);
                    bad.push(BadRow { line, problem });
                }
            },
            Err(problem) => bad.push(BadRow { line, problem }),
        }
    }
    if rows.is_empty() && bad.is_empty() {
        bad.push(BadRow { line: 1, problem: "the file has no sites".to_owned() });
    }
    (rows, bad)
}

const NOT_UTF8: &str = "the text is not UTF-8: save the spreadsheet as \"CSV UTF-8\"";

/// Which column holds what.
struct Columns {
    count: usize,
    site: usize,
    account: usize,
    client: Option<usize>,
    label: Option<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, String> {
        let mut found: HashMap<String, usize> = HashMap::new();
        for (position, name) in header.iter().enumerate() {
            let name = name.to_ascii_lowercase();
            if !["site", "account", "client", "label"].contains(&name.as_str()) {
                let name: String = name.chars().take(64).collect();
                return Err(format!("{name:?} is not a column: the header is site,account,client,label"));
            }
            if found.insert(name.clone(), position).is_some() {
                return Err(format!("column {name} is there twice"));
            }
        }
        let needed = |name: &str| {
            let missing = || format!("column {name} is missing: the header is site,account,client,label");
            found.get(name).copied().ok_or_else(missing)
        };
        Ok(Self {
            count: header.len(),
            site: needed("site")?,
            account: needed("account")?,
            client: found.get("client").copied(),
            label: found.get("label").copied(),
        })
    }

    fn read(&self, record: &csv::StringRecord, line: u64) -> Result<SiteRow, String> {
        if record.len() != self.count {
            return Err(format!("{} fields where the header has {}", record.len(), self.count));
        }
        let text = |column: usize| record.get(column).unwrap_or_default();
        let said = |wrong: &dyn std::error::Error| wrong.to_string();
        Ok(SiteRow {
            line,
            site: text(self.site).parse().map_err(|wrong| said(&wrong))?,
            account: text(self.account).parse().map_err(|wrong| said(&wrong))?,
            client: match self.client {
                Some(column) => parse_client(text(column)).map_err(|wrong| said(&wrong))?,
                None => Field::Keep,
            },
            label: match self.label {
                Some(column) => parse_label(text(column)).map_err(|wrong| said(&wrong))?,
                None => Field::Keep,
            },
        })
    }
}

/// Counts lines as an editor does; the reader's own count is off after blank lines.
struct LineCounter<'f> {
    file: &'f [u8],
    position: usize,
    line: u64,
}

impl<'f> LineCounter<'f> {
    const fn new(file: &'f [u8]) -> Self {
        Self { file, position: 0, line: 1 }
    }

    /// The line of the first text at or after `byte`, which never goes back.
    fn first_line_with_text(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.file.len());
        let mut at = self.position;
        while let Some(found) = self.file.get(at) {
            if at >= byte && !matches!(found, b'\r' | b'\n') {
                break;
            }
            if *found == b'\n' {
                self.line += 1;
            }
            at += 1;
        }
        self.position = at;
        self.line
    }
}

/// Assigns all `rows`, or nothing; `after_row` is told of each.
///
/// # Errors
/// [`NotImported::Rows`] with every row that is refused.
pub fn apply(
    tx: &mut Tx<'_>,
    rows: &[SiteRow],
    mut after_row: impl FnMut(),
) -> Result<Imported, NotImported> {
    let mut imported = Imported::default();
    let mut bad = Vec::new();
    let mut accounts: HashMap<&AccountRef, Result<AccountId, String>> = HashMap::new();
    for row in rows {
        let account = if let Some(known) = accounts.get(&row.account) {
            known.clone()
        } else {
            let opened = open(tx, &row.account, &mut imported)?;
            accounts.insert(&row.account, opened.clone());
            opened
        };
        let assigned = match account {
            Ok(account) => match store::assign(tx, &row.site, &account, &row.client, &row.label) {
                Ok(change) => Ok(change),
                Err(Error::Database(error)) => return Err(error.into()),
                Err(refusal) => Err(refusal.to_string()),
            },
            Err(problem) => Err(problem),
        };
        match assigned {
            Ok(Change::Assigned) => imported.assigned += 1,
            Ok(Change::Changed) => imported.changed += 1,
            Ok(Change::Unchanged) => imported.unchanged += 1,
            Err(problem) => bad.push(BadRow { line: row.line, problem }),
        }
        after_row();
    }
    if bad.is_empty() { Ok(imported) } else { Err(NotImported::Rows(bad)) }
}

/// Opens the account of a row; the inner error is the row's problem.
fn open(
    tx: &mut Tx<'_>,
    account: &AccountRef,
    imported: &mut Imported,
) -> Result<Result<AccountId, String>, db::Error> {
    let known = store::resolve(tx, account)?;
    if let Some(id) = known {
        return store::follow(tx, &id).map(Ok);
    }
    match store::open(tx, account) {
        Ok(id) => {
            imported.accounts_opened += 1;
            Ok(Ok(id))
        }
        Err(Error::Database(error)) => Err(error),
        Err(refusal) => Ok(Err(refusal.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Vec<(u64, String)>;

    fn lines(file: &str) -> (Lines, Lines) {
        let (rows, bad) = parse(file.as_bytes());
        (
            rows.into_iter().map(|row| (row.line, row.site.to_string())).collect(),
            bad.into_iter().map(|row| (row.line, row.problem)).collect(),
        )
    }

    #[test]
    fn files_of_every_spreadsheet_are_read() {
        for file in [
            "site,account,client,label\na,lab:customer:1,acme,Shop\n",
            "\u{feff}site,account,client,label\r\na,lab:customer:1,acme,Shop\r\n",
            "site;account;client;label\r\na;lab:customer:1;acme;Shop",
            "Label,Site,ACCOUNT,client\n\"Shop\", a ,lab:customer:1,acme\n\n",
        ] {
            let (rows, bad) = parse(file.as_bytes());
            assert_eq!(bad, [], "{file:?}");
            assert_eq!(
                rows,
                [SiteRow {
                    line: 2,
                    site: "a".parse().unwrap(),
                    account: "lab:customer:1".parse().unwrap(),
                    client: Field::Set("acme".parse().unwrap()),
                    label: Field::Set("Shop".to_owned()),
                }],
                "{file:?}"
            );
        }
    }

    #[test]
    fn an_empty_cell_takes_away_and_a_missing_column_keeps() {
        let (rows, _) = parse(b"site,account,client\na,lab:customer:1,\n");
        assert_eq!((&rows[0].client, &rows[0].label), (&Field::Clear, &Field::Keep));
    }

    #[test]
    fn every_bad_row_is_named_by_its_line() {
        let file = "site,account,client,label\r\n\
                    ok,lab:customer:1,,\"two\nlines\"\r\n\
                    \r\n\
                    a b,lab:customer:1,,\r\n\
                    c,nobody,,\r\n\
                    good,lab:customer:1,,\r\n\
                    d,lab:customer:1\r\n\
                    good,lab:customer:2,,\r\n\
                    e,lab:customer:1,no client,\r\n";
        let (rows, bad) = lines(file);
        assert_eq!(rows, [(7, "good".to_owned())]);
        let numbers: Vec<u64> = bad.iter().map(|(line, _)| *line).collect();
        assert_eq!(numbers, [2, 5, 6, 8, 9, 10], "{bad:?}");
        assert!(bad[4].1.contains("in line 7 already"), "{}", bad[4].1);
    }

    #[test]
    fn a_header_that_is_none_is_one_clear_problem() {
        for (file, problem) in [
            ("", "column site is missing"),
            ("site,client\n", "column account is missing"),
            ("site,account,sites\n", "\"sites\" is not a column"),
            ("site,account,site\n", "there twice"),
            ("site,account\n", "no sites"),
            ("a,lab:customer:1\n", "\"a\" is not a column"),
        ] {
            let (_, bad) = lines(file);
            assert_eq!(bad.len(), 1, "{file:?}: {bad:?}");
            assert!(bad[0].1.contains(problem), "{file:?}: {}", bad[0].1);
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_named() {
        let (rows, bad) = parse(b"site,account,label\na,lab:customer:1,Caf\xe9\nb,lab:customer:1,Bar\n");
        assert_eq!(rows.len(), 1);
        assert_eq!(bad.len(), 1);
        assert_eq!(bad[0].line, 2);
        assert!(bad[0].problem.contains("UTF-8"));
    }
}
