//! Answers: tables for people, one JSON document for programs.
//!
//! Whatever a shop's customers may have written (names, labels, addresses) is shown without its control
//! characters, so that no order can play tricks with a terminal.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal as _, Write};
use std::str::FromStr;

use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;

use super::Failure;
use crate::feed::{List, cursor};
use crate::time::Timestamp;

/// Where a command's answer goes.
pub(super) struct Output<'w> {
    json: bool,
    quiet: bool,
    to: &'w mut (dyn Write + Send),
}

/// An answer of a command that changes something, and whether it was only tried.
#[derive(Serialize)]
struct Tried<'a, T> {
    #[serde(flatten)]
    answer: &'a T,
    dry_run: bool,
}

/// A list as the API answers it, all of it on one page.
#[derive(Serialize)]
struct Items<'a, T> {
    items: &'a [T],
    next_cursor: Option<&'a str>,
}

impl<'w> Output<'w> {
    pub(super) fn new(json: bool, quiet: bool, to: &'w mut (dyn Write + Send)) -> Self {
        Self { json, quiet, to }
    }

    /// Whether the answer is for a program.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Where raw text goes that is neither a table nor JSON.
    pub(super) fn raw(&mut self) -> &mut dyn Write {
        self.to
    }

    /// Shows `answer`: as JSON, or as `people` writes it.
    pub(super) fn show<T: Serialize>(
        &mut self,
        answer: &T,
        people: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        if self.json {
            return self.json(answer);
        }
        let mut page = Page(String::new());
        people(&mut page);
        Ok(self.to.write_all(page.0.as_bytes())?)
    }

    /// Shows what a command did, or with `dry_run` would have done.
    pub(super) fn show_change<T: Serialize>(
        &mut self,
        answer: &T,
        dry_run: bool,
        people: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        self.show(&Tried { answer, dry_run }, |page| {
            // First, because what follows is told as if it had been done.
            if dry_run {
                page.line("dry run: nothing was written; without --dry-run this would happen:");
                page.gap();
            }
            people(page);
        })
    }

    /// Shows what a command did to several things, or with `dry_run` would have done.
    pub(super) fn show_changes<T: Serialize>(
        &mut self,
        items: &[T],
        dry_run: bool,
        people: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        self.show_change(&Items { items, next_cursor: None }, dry_run, people)
    }

    /// Shows a list as a table, or says that it is empty.
    pub(super) fn list<T: Serialize>(
        &mut self,
        items: &[T],
        empty: &str,
        people: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        let quiet = self.quiet;
        self.show(&Items { items, next_cursor: None }, |page| {
            if !items.is_empty() {
                people(page);
            } else if !quiet {
                page.line(empty);
            }
        })
    }

    /// Shows a page of a longer list, and how to go on.
    pub(super) fn page<T: Serialize>(
        &mut self,
        list: &List<T>,
        empty: &str,
        people: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        let quiet = self.quiet;
        self.show(list, |page| {
            if !list.items.is_empty() {
                people(page);
            } else if !quiet {
                page.line(empty);
            }
            if let Some(cursor) = &list.next_cursor
                && !quiet
            {
                page.gap();
                page.line(format!("there are more: --limit, or --cursor {cursor}"));
            }
        })
    }

    fn json<T: Serialize>(&mut self, answer: &T) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(answer).map_err(io::Error::from)?;
        text.push('\n');
        Ok(self.to.write_all(text.as_bytes())?)
    }
}

/// Where a page of the list begins, if not at its start.
pub(super) fn begin<K: FromStr>(list: &str, cursor: Option<&str>) -> Result<Option<K>, Failure> {
    let key = cursor.map(|cursor| cursor::read(list, cursor)).transpose();
    key.map_err(|wrong| Failure::usage(wrong.to_string()))
}

/// A page of `limit` rows, of which one more was asked for to see whether there is another page.
pub(super) fn cut<T, K: Display>(
    list: &str,
    mut items: Vec<T>,
    limit: i64,
    key: impl FnOnce(&T) -> K,
) -> List<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| cursor::write(list, &key(last).to_string()));
    List { items, next_cursor }
}

/// What people read.
pub(super) struct Page(String);

impl Page {
    /// A line of text.
    pub(super) fn line(&mut self, text: impl Display) {
        self.0.push_str(&clean(&text.to_string()));
        self.0.push('\n');
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.0.push('\n');
    }

    /// A table; where the terminal is too narrow for it, a card for each row.
    pub(super) fn table(&mut self, rows: &Rows) {
        let table = rows.table();
        if table.width().is_some_and(|width| rows.width_min(&table) > usize::from(width)) {
            return self.cards(rows);
        }
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "{}", table.trim_fmt());
    }

    fn cards(&mut self, rows: &Rows) {
        for (number, row) in rows.rows.iter().enumerate() {
            if number > 0 {
                self.gap();
            }
            let cells = rows.columns.iter().zip(row).filter(|(_, cell)| *cell != DASH);
            self.facts(cells.map(|((name, _), cell)| (*name, cell.clone())));
        }
    }

    /// Facts, one on a line, with their names before them.
    pub(super) fn facts<'a>(&mut self, facts: impl IntoIterator<Item = (&'a str, String)>) {
        let facts: Vec<_> = facts.into_iter().collect();
        let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in facts {
            let _ = writeln!(self.0, "{name:width$}  {}", clean(&value));
        }
    }
}

/// A table in the making.
pub(super) struct Rows {
    columns: Vec<(&'static str, Column)>,
    rows: Vec<Vec<String>>,
}

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Text that may be broken over lines on a narrow terminal.
    Text,
    /// A name somebody may want to copy: never broken.
    Id,
    /// An amount: to the right.
    Number,
}

/// How narrow a column of text may get before it is hard to read.
const TEXT_WIDTH_MIN: u16 = 14;

/// How many spaces are between columns.
const GAP: u16 = 2;

impl Rows {
    /// A table with these columns.
    pub(super) fn new(columns: &[(&'static str, Column)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(cells.map(|cell| clean(&cell)).into());
    }

    /// Leaves out those of the columns `names` that say `nothing` in every row.
    pub(super) fn leave_out(&mut self, names: &[&str], nothing: &str) {
        for number in (0..self.columns.len()).rev() {
            let says_nothing = self.rows.iter().all(|row| row[number] == nothing);
            if says_nothing && names.contains(&self.columns[number].0) {
                self.columns.remove(number);
                for row in &mut self.rows {
                    row.remove(number);
                }
            }
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if !io::stdout().is_terminal() {
            table.force_no_tty();
        }
        let is_plain = std::env::var_os("NO_COLOR").is_some();
        table.set_header(self.columns.iter().map(|(name, _)| {
            let cell = Cell::new(name);
            if is_plain { cell } else { cell.add_attribute(Attribute::Bold) }
        }));
        table.add_rows(&self.rows);
        for ((_, kind), column) in self.columns.iter().zip(table.column_iter_mut()) {
            column.set_padding((0, GAP));
            if *kind != Column::Text {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            if *kind == Column::Number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// How wide the table is at least, with its texts broken as far as is good to read.
    fn width_min(&self, table: &Table) -> usize {
        let widths = table.column_max_content_widths();
        let width = |((_, kind), width): (&(&str, Column), &u16)| match kind {
            Column::Text => *width.min(&TEXT_WIDTH_MIN),
            Column::Id | Column::Number => *width,
        };
        self.columns.iter().zip(&widths).map(width).map(|width| usize::from(width + GAP)).sum()
    }
}

/// Text without what a terminal would obey.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_direction_mark(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Marks that turn the direction of text, and so could make one line read as another.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A time as people read it; the column says that it is UTC.
pub(super) fn minute(time: Timestamp) -> String {
    time.utc().format("%Y-%m-%d %H:%M").to_string()
}

/// Text, or a dash where there is none.
pub(super) fn or_dash(text: Option<impl Display>) -> String {
    text.map_or_else(|| DASH.to_owned(), |text| text.to_string())
}

/// Stands where there is nothing.
const DASH: &str = "-";

/// `1 site`, `2 sites`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_customer_wrote_reaches_the_terminal_as_an_order() {
        let mut page = Page(String::new());
        page.line("a\u{1b}[2Jb");
        let mut rows = Rows::new(&[("NAME", Column::Text)]);
        rows.row(["\u{1b}]0;x\u{7}Bob\u{202e}".to_owned()]);
        page.table(&rows);
        page.facts([("Name", "a\rb".to_owned())]);
        assert!(!page.0.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']), "{:?}", page.0);
        assert!(page.0.contains("Bob"));
    }
}
