//! Which accounts there are: found by a text, filtered and in an order, a page at a time.
//!
//! A page begins beside an account, by the value it had when it was shown: rows that are added meanwhile neither hide nor
//! repeat one. In the order of balances somebody who spends moves, as in any list of what changes.

use std::fmt;
use std::str::FromStr;

use super::store;
use crate::db::{self, Tx};
use crate::id::AccountId;

/// Which accounts to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    #[default]
    All,
    /// Those that are frozen.
    Frozen,
    /// Guests': stores know them by addresses only.
    Guest,
    /// Those that owe something.
    Debt,
    /// Those that have nothing to spend.
    Empty,
}

impl Filter {
    /// All of them, by name.
    pub const NAMES: [&'static str; 5] = ["all", "frozen", "guest", "debt", "empty"];

    /// The filter of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "frozen" => Self::Frozen,
            "guest" => Self::Guest,
            "debt" => Self::Debt,
            "empty" => Self::Empty,
            _ => return None,
        })
    }
}

/// By what accounts are in order; of two alike the one whose id comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// What people call them, in any case.
    Name,
    /// When they were opened.
    #[default]
    Created,
    /// What they have to spend.
    Available,
}

/// An order of accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: By,
    /// Whether the last come first.
    pub down: bool,
}

impl Sort {
    /// All of them, by name.
    pub const NAMES: [&'static str; 6] = ["name", "-name", "created", "-created", "available", "-available"];

    /// The order of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (down, name) = name.strip_prefix('-').map_or((false, name), |name| (true, name));
        let by = match name {
            "name" => By::Name,
            "created" => By::Created,
            "available" => By::Available,
            _ => return None,
        };
        Some(Self { by, down })
    }
}

/// Where an account stands in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number it is in order by: when it was opened, or micro-credits.
    pub number: i64,
    /// The account.
    pub account: AccountId,
    /// The word it is in order by.
    pub word: String,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// After a place.
    After(Place),
    /// So that it ends before a place.
    Before(Place),
}

/// Why a text is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in the list of accounts")]
pub struct NotAPlace;

impl fmt::Display for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, Place { number, account, word }) = match self {
            Self::After(place) => ('>', place),
            Self::Before(place) => ('<', place),
        };
        // The word comes last: it may hold anything.
        write!(f, "{side}{number} {account} {word}")
    }
}

impl FromStr for Begin {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let side = text.chars().next().ok_or(NotAPlace)?;
        let mut parts = text.get(side.len_utf8()..).unwrap_or_default().splitn(3, ' ');
        let mut next = || parts.next().ok_or(NotAPlace);
        let place = Place {
            number: next()?.parse().map_err(|_| NotAPlace)?,
            account: next()?.parse().map_err(|_| NotAPlace)?,
            word: next()?.to_owned(),
        };
        match side {
            '>' => Ok(Self::After(place)),
            '<' => Ok(Self::Before(place)),
            _ => Err(NotAPlace),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Part of an id, a name or a name in a store, in any case.
    pub query: Option<String>,
    /// Which accounts.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// Where the page begins; at the beginning if nowhere.
    pub begin: Option<Begin>,
    /// How many.
    pub limit: usize,
}

/// A page of a list of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The accounts, with what they are in order by.
    pub places: Vec<Place>,
    /// How many there are on all pages.
    pub total: i64,
    /// Whether there are any before these.
    pub is_after: bool,
    /// Whether there are any after these.
    pub is_before: bool,
}

impl Page {
    /// Where the page before this one ends.
    #[must_use]
    pub fn previous(&self) -> Option<Begin> {
        self.places.first().filter(|_| self.is_after).cloned().map(Begin::Before)
    }

    /// Where the next page begins.
    #[must_use]
    pub fn next(&self) -> Option<Begin> {
        self.places.last().filter(|_| self.is_before).cloned().map(Begin::After)
    }
}

/// A page of the accounts that are asked for, without those that are part of another one.
pub fn page(tx: &mut Tx<'_>, asked: &Asked) -> Result<Page, db::Error> {
    let is_backward = matches!(asked.begin, Some(Begin::Before(_)));
    let mut rows = store::page(tx, asked)?;
    let Some(total) = rows.first().map(|row| row.total) else {
        // Whoever stood beside the place is gone, or nobody is there at all.
        let at_all = Asked { begin: None, limit: 1, ..asked.clone() };
        let total =
            if asked.begin.is_some() { store::page(tx, &at_all)?.first().map(|row| row.total) } else { None };
        return Ok(Page { total: total.unwrap_or(0), ..Page::default() });
    };
    if is_backward {
        rows.reverse();
    }
    // Places are counted from the lowest; a list that goes down begins with the highest.
    let (first, last) = if asked.sort.down { (total, 1) } else { (1, total) };
    let stands_at = |row: Option<&store::Row>, at: i64| row.is_some_and(|row| row.place == at);
    Ok(Page {
        is_after: !stands_at(rows.first(), first),
        is_before: !stands_at(rows.last(), last),
        total,
        places: rows.into_iter().map(|row| row.at).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_whatever_people_are_called() {
        for word in ["", "alice doe", " two  spaces ", "ünïcode", "> 1 acc_x"] {
            for begin in [Begin::After, Begin::Before] {
                let place = Place { number: -5, account: AccountId::new(), word: word.to_owned() };
                let begin = begin(place);
                assert_eq!(begin.to_string().parse(), Ok(begin));
            }
        }
        for wrong in ["", ">", ">1", ">1 acc_", "x1 acc_01a1fa67730b778aa2ec748e9839efc7 a", "ü"] {
            assert_eq!(wrong.parse::<Begin>(), Err(NotAPlace), "{wrong:?}");
        }
    }

    #[test]
    fn every_order_and_filter_has_its_name() {
        assert!(Sort::NAMES.iter().all(|name| Sort::named(name).is_some()));
        assert!(Filter::NAMES.iter().all(|name| Filter::named(name).is_some()));
        assert_eq!(Sort::named("-created"), Some(Sort { by: By::Created, down: true }));
        assert_eq!((Sort::named("--name"), Sort::named(""), Filter::named("x")), (None, None, None));
    }
}
