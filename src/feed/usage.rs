//! What was used, by period and by what it was for.
//!
//! Sums over debits, less what was given back, in the period a debit was booked in. Periods are UTC days,
//! ISO weeks (from Monday) and calendar months, cut at the ends of the range that was asked for, so that
//! each sum is true for exactly the span it names. Spans in which nothing was used are left out.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::store;
use super::wallet::Wallet;
use crate::calendar::Per;
use crate::db::{self, Tx};
use crate::time::{DAY_MS, Timestamp};
use crate::units::Delta;

/// How many sums an answer holds at most: a thousand days of five things, and under a megabyte.
pub const SUMS_MAX: usize = 5_000;

/// How many days are summed up unless somebody says from when.
pub const DAYS_DEFAULT: i64 = 30;

/// How long a period is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A day of UTC.
    #[default]
    Day,
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// What sums are told apart by, besides their period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What was done, as the rate card names it.
    Action,
    /// For which site.
    Site,
    /// By which assistant.
    Agent,
}

/// Which sums are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    from: Timestamp,
    to: Timestamp,
    by: By,
    group: Option<Group>,
}

/// Why there are no sums.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The range ends before it begins.
    #[error("the range is empty: from must be before to")]
    EmptyRange,
    /// There would be too many.
    #[error("this range has more than {SUMS_MAX} sums: ask for a shorter one, or for longer periods with by")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl Query {
    /// Sums from `from` up to but not at `to`; without them the last 30 days, today included.
    ///
    /// # Errors
    /// [`Error::EmptyRange`].
    pub fn new(
        now: Timestamp,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        by: By,
        group: Option<Group>,
    ) -> Result<Self, Error> {
        let to = to.unwrap_or_else(|| now.day().plus_millis(DAY_MS));
        let from = from.unwrap_or_else(|| to.plus_millis(-DAYS_DEFAULT * DAY_MS));
        if from < to { Ok(Self { from, to, by, group }) } else { Err(Error::EmptyRange) }
    }

    /// The span of the period `at` lies in, as far as it was asked for.
    fn span(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let (start, end) = self.by.period(at);
        (start.max(self.from), end.min(self.to))
    }
}

impl By {
    /// The period called `text`, if there is one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "day" => Some(Self::Day),
            "week" => Some(Self::Week),
            "month" => Some(Self::Month),
            _ => None,
        }
    }

    /// The start and end of the period `at` lies in.
    fn period(self, at: Timestamp) -> (Timestamp, Timestamp) {
        let per = match self {
            Self::Day => Per::Day,
            Self::Week => Per::Week,
            Self::Month => Per::Month,
        };
        per.span(at, Tz::UTC)
    }
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Action, Self::Site, Self::Agent];

    /// The group called `text`, if there is one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == text)
    }

    /// Its name, and the name of the field that holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Site => "site",
            Self::Agent => "agent",
        }
    }
}

/// What was used in one span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Its first instant.
    pub from: Timestamp,
    /// The instant after it.
    pub to: Timestamp,
    /// What it was used for, if sums are told apart by that; `None` in it for debits that do not say.
    pub of: Option<(Group, Option<String>)>,
    /// How much, less what was given back.
    pub credits: Delta,
}

/// By hand like its [`Serialize`]: the name's field is called what it holds.
impl schemars::JsonSchema for Sum {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UsageSum".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (time, credits) = (generator.subschema_for::<Timestamp>(), generator.subschema_for::<Delta>());
        schemars::json_schema!({
            "type": "object",
            "description": "What was used in one span.",
            "properties": {
                "from": time,
                "to": time,
                "action": { "type": ["string", "null"], "description": "With group=action: what for." },
                "site": { "type": ["string", "null"], "description": "With group=site: for which site." },
                "agent": { "type": ["string", "null"], "description": "With group=agent: by which assistant." },
                "credits": credits
            },
            "required": ["from", "to", "credits"]
        })
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("from", &self.from)?;
        map.serialize_entry("to", &self.to)?;
        if let Some((group, name)) = &self.of {
            map.serialize_entry(group.as_str(), name)?;
        }
        map.serialize_entry("credits", &self.credits)?;
        map.end()
    }
}

/// The sums that `query` asks for, in order of time and then of name, the nameless last.
pub fn sums(tx: &mut Tx<'_>, wallet: &Wallet, query: &Query) -> Result<Vec<Sum>, Error> {
    let mut sums: BTreeMap<Key, i64> = BTreeMap::new();
    let mut too_many = false;
    let mut add = |day: Timestamp, name: Option<String>, credits: i64| {
        let key = (query.span(day.max(query.from)), name.is_none(), name);
        if sums.len() < SUMS_MAX || sums.contains_key(&key) {
            let sum = sums.entry(key).or_default();
            *sum = sum.saturating_add(credits);
        } else {
            too_many = true;
        }
    };
    for wallet in wallet.with_merged(tx)? {
        for site in store::used_sites(tx, &wallet)? {
            store::used_by_day(tx, &wallet, &site, (query.from, query.to), query.group, &mut add)?;
        }
    }
    if too_many {
        return Err(Error::TooMany);
    }
    let used = sums.into_iter().filter(|(_, credits)| *credits != 0);
    Ok(used
        .map(|(((from, to), _, name), credits)| Sum {
            from,
            to,
            of: query.group.map(|group| (group, name)),
            credits: Delta::from_micro(credits),
        })
        .collect())
}

/// The span, whether the name is missing, the name: sums are answered in this order.
type Key = ((Timestamp, Timestamp), bool, Option<String>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_last_thirty_days_unless_said() {
        let now: Timestamp = "2026-11-20T16:00:00Z".parse().unwrap();
        let query = Query::new(now, None, None, By::Day, None).unwrap();
        assert_eq!(
            (query.from.to_string(), query.to.to_string()),
            ("2026-10-22T00:00:00Z".to_owned(), "2026-11-21T00:00:00Z".to_owned(),)
        );
        assert!(Query::new(now, Some(now), Some(now), By::Day, None).is_err());
    }
}
