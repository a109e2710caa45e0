//! The history a customer reads.
//!
//! A line's place is fixed when it is written. A burst of equal usage is one line that grows in its place,
//! so a reader who pages through sees every line once, whatever is written meanwhile.

use serde::{Serialize, Serializer};

use super::store::Written;
use super::wallet::{Shows, Wallet};
use super::{List, cursor, store};
use crate::db::{self, Tx};
use crate::id::SiteId;
use crate::ledger::slice::Compartment;
use crate::ledger::store::Shown;
use crate::schema;
use crate::time::Timestamp;
use crate::units::Delta;

/// What kinds of lines there are.
pub const KINDS: [Shown; 8] = [
    Shown::TopUp,
    Shown::Plan,
    Shown::Bonus,
    Shown::Usage,
    Shown::Refund,
    Shown::Expired,
    Shown::Adjustment,
    Shown::Moved,
];

/// The kind called `text`, if there is one.
#[must_use]
pub fn kind(text: &str) -> Option<Shown> {
    KINDS.into_iter().find(|kind| kind.as_str() == text)
}

/// Which lines are wanted; all, if nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<Shown>,
    /// Only of this site.
    pub site: Option<SiteId>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ActivityLine")]
pub struct Line {
    /// Its place in the account: higher is newer.
    #[serde(skip)]
    pub place: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What kind of line.
    #[schemars(with = "Shown")]
    pub kind: String,
    /// What happened, in words for customers.
    pub label: String,
    /// What it changed.
    #[serde(serialize_with = "signed")]
    #[schemars(with = "schema::SignedCredits")]
    pub credits: Delta,
    /// For which site; nothing for the whole account.
    pub site: Option<SiteId>,
    /// The order it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn signed<S: Serializer>(credits: &Delta, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&credits.signed())
}

/// The list's name in its cursors.
const LIST: &str = "activity";

/// Where a page begins: the place that `cursor` follows, or the newest line.
pub fn begin(cursor: Option<&str>) -> Result<i64, cursor::NotACursor> {
    cursor.map_or(Ok(i64::MAX), |cursor| cursor::read(LIST, cursor))
}

/// Up to `limit` lines before the place `before`, newest first.
pub fn page(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<List<Line>, db::Error> {
    let mut items = gather(wallet, filter, |compartment| {
        store::lines_before(tx, wallet, compartment, filter, before, limit + 1)
    })?;
    items.sort_unstable_by_key(|line| std::cmp::Reverse(line.place));
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|line| cursor::write(LIST, &line.place.to_string()));
    Ok(List { items, next_cursor })
}

/// The newest settled lines, newest first, as many as a page shows.
pub(super) fn settled(tx: &mut Tx<'_>, wallet: &Wallet, most: usize) -> Result<Vec<Written>, db::Error> {
    let mut read = |compartment: Option<&Compartment>| {
        store::settled_before(tx, wallet, compartment, &Filter::default(), i64::MAX, most)
    };
    let mut lines = match wallet.shows.compartments() {
        None => read(None)?,
        Some(shown) => {
            let mut lines = Vec::new();
            for compartment in &shown {
                lines.extend(read(Some(compartment))?);
            }
            lines
        }
    };
    newest(&mut lines, most);
    Ok(lines)
}

/// Leaves the newest lines, newest first.
pub(super) fn newest(lines: &mut Vec<Written>, most: usize) {
    lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.place));
    lines.truncate(most);
}

/// The line as whoever sees the wallet reads it.
pub(super) fn told(shows: &Shows, line: Written) -> Line {
    let mut line = line.told();
    hide_neighbours(shows, &mut line);
    line
}

/// Up to `limit` lines after the place `after` and up to `last`, oldest first.
pub fn forward(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    filter: &Filter,
    after: i64,
    last: i64,
    limit: usize,
) -> Result<Vec<Line>, db::Error> {
    let mut items = gather(wallet, filter, |compartment| {
        store::lines_after(tx, wallet, compartment, filter, (after, last), limit)
    })?;
    items.sort_unstable_by_key(|line| line.place);
    items.truncate(limit);
    Ok(items)
}

/// The place of the account's newest line; 0 without any.
pub fn newest_place(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<i64, db::Error> {
    store::newest_line(tx, wallet)
}

/// Reads every compartment that is wanted and shown; one read where all of the account is.
fn gather(
    wallet: &Wallet,
    filter: &Filter,
    mut read: impl FnMut(Option<&Compartment>) -> Result<Vec<Line>, db::Error>,
) -> Result<Vec<Line>, db::Error> {
    let wanted = filter.site.clone().map(Compartment::Site);
    let mut lines = match (wanted, wallet.shows.compartments()) {
        (Some(wanted), _) if !wallet.shows.compartment(&wanted) => Vec::new(),
        (Some(wanted), _) => read(Some(&wanted))?,
        (None, None) => read(None)?,
        (None, Some(shown)) => {
            let mut lines = Vec::new();
            for compartment in &shown {
                lines.extend(read(Some(compartment))?);
            }
            lines
        }
    };
    for line in &mut lines {
        hide_neighbours(&wallet.shows, line);
    }
    Ok(lines)
}

/// What moves between the pool and a site is told to the pool's other users without the site's name.
fn hide_neighbours(shows: &Shows, line: &mut Line) {
    if *shows != Shows::Account && line.site.is_none() && line.kind == Shown::Moved.as_str() {
        let label = if line.credits.is_negative() { "Moved to a site" } else { "Moved from a site" };
        label.clone_into(&mut line.label);
    }
}

// Export -------------------------------------------------------------------------------------------

/// The columns of an export.
pub const CSV_HEADER: [&str; 6] = ["at", "kind", "label", "credits", "site", "order"];

/// `lines` as rows of CSV, after the header if `with_header`.
pub fn csv(lines: &[Line], with_header: bool) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if with_header {
        writer.write_record(CSV_HEADER)?;
    }
    for line in lines {
        writer.write_record([
            line.at.to_string().as_str(),
            line.kind.as_str(),
            &harmless(&line.label),
            // A number, sign and all: the one column that a spreadsheet should calculate with.
            &line.credits.signed(),
            &harmless(line.site.as_ref().map_or("", SiteId::as_str)),
            line.order.as_deref().unwrap_or_default(),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// The text, with an apostrophe before what a spreadsheet would take for a formula.
fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_finds_no_formula() {
        let line = |label: &str, site: Option<&str>| Line {
            place: 1,
            at: "2026-11-20T16:00:00Z".parse().unwrap(),
            kind: "usage".to_owned(),
            label: label.to_owned(),
            credits: "-3".parse().unwrap(),
            site: site.map(|site| site.parse().unwrap()),
            order: None,
        };
        let lines = [
            line("=1+1", Some("-site")),
            line("@SUM(A1)", None),
            line("\tx", None),
            line("said \"hi\", left\nthen came back", Some("a")),
        ];
        let text = String::from_utf8(csv(&lines, true).unwrap()).unwrap();
        assert_eq!(
            text,
            "at,kind,label,credits,site,order\n\
             2026-11-20T16:00:00Z,usage,'=1+1,-3,'-site,\n\
             2026-11-20T16:00:00Z,usage,'@SUM(A1),-3,,\n\
             2026-11-20T16:00:00Z,usage,'\tx,-3,,\n\
             2026-11-20T16:00:00Z,usage,\"said \"\"hi\"\", left\nthen came back\",-3,a,\n"
        );
    }
}
