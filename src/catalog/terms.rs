//! What a shop's own fields say of the credits that something brings.
//!
//! Pure. Products, variations and order lines have the same meta fields, which the shop's plugin writes. A value that is
//! there but cannot be read is kept as it is, so that a person can be told of it: it is neither guessed nor passed
//! over.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ledger::slice::Category;
use crate::time::Validity;

/// The meta key of the credits per unit.
pub const CREDITS: &str = "_nivella_credits";
/// The meta key of how long they are good.
pub const VALIDITY: &str = "_nivella_validity";
/// The meta key of their kind.
pub const KIND: &str = "_nivella_kind";

/// For how long credits are good and of which kind they are, as far as somebody said so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::as_optional_text")]
    pub validity: Option<Validity>,
    /// Of which kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Category>,
    /// Values that are there and cannot be read, shortened, by meta key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<String, String>,
}

impl Terms {
    /// Reads them from meta fields.
    #[must_use]
    pub fn read<'a>(meta: impl Iterator<Item = (&'a str, &'a RawValue)> + Clone) -> Self {
        let mut terms = Self::default();
        terms.validity = terms.keep(VALIDITY, field(meta.clone(), VALIDITY));
        terms.kind = terms.keep(KIND, field(meta, KIND));
        terms
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes what could be read, and notes what could not.
    pub(super) fn keep<T>(&mut self, key: &str, field: Option<Result<T, String>>) -> Option<T> {
        match field? {
            Ok(value) => Some(value),
            Err(text) => {
                self.unreadable.insert(key.to_owned(), text);
                None
            }
        }
    }
}

/// The first field of that key that is not empty; its text, shortened, where it cannot be read.
pub fn field<'a, T: FromStr>(
    meta: impl Iterator<Item = (&'a str, &'a RawValue)>,
    key: &str,
) -> Option<Result<T, String>> {
    meta.filter(|(name, value)| *name == key && value.get() != "null")
        .map(|(_, value)| text(value))
        .find(|value| !value.trim().is_empty())
        .map(|value| value.trim().parse().map_err(|_| value.chars().take(64).collect()))
}

/// What a field should hold, for people.
#[must_use]
pub fn wanted(key: &str) -> &'static str {
    match key {
        VALIDITY => "never, cycle, or a number with d, mo or y, like 30d",
        KIND => "paid, bonus or recurring",
        _ => "an amount of credits",
    }
}

/// The text of a JSON string; of anything else, like a number, what was written.
fn text(value: &RawValue) -> Cow<'_, str> {
    match value.get() {
        quoted if quoted.starts_with('"') => {
            serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(quoted), Cow::Owned)
        }
        // A number's own digits: read as a number it would pass through a float.
        other => Cow::Borrowed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Credits;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn credits_are_read_from_text_and_from_numbers_and_never_guessed() {
        for (value, read) in [
            ("\"1000\"", Some(Ok(1_000_000_000))),
            ("\" 0.5 \"", Some(Ok(500_000))),
            ("1000", Some(Ok(1_000_000_000))),
            ("0.1", Some(Ok(100_000))),
            ("\"0\"", Some(Ok(0))),
            ("\"\"", None),
            ("\"  \"", None),
            ("null", None),
            ("\"1,000\"", Some(Err("1,000"))),
            ("\"1e3\"", Some(Err("1e3"))),
            ("1e3", Some(Err("1e3"))),
            ("\"-5\"", Some(Err("-5"))),
            ("\"many\"", Some(Err("many"))),
            ("true", Some(Err("true"))),
            ("[1000]", Some(Err("[1000]"))),
            ("99999999999999999999", Some(Err("99999999999999999999"))),
        ] {
            let value = raw(value);
            let found = field::<Credits>([(CREDITS, &*value)].into_iter(), CREDITS);
            assert_eq!(
                found.map(|found| found.map(Credits::micro)),
                read.map(|read: Result<i64, &str>| read.map_err(str::to_owned)),
                "{value}"
            );
        }
    }

    #[test]
    fn the_first_that_is_not_empty_counts_and_what_cannot_be_read_is_kept() {
        let values = [raw("\"\""), raw("\"1y\""), raw("\"30d\""), raw("\"gift\""), raw("\"bonus\"")];
        let meta = [
            (VALIDITY, &*values[0]),
            (VALIDITY, &*values[1]),
            (VALIDITY, &*values[2]),
            (KIND, &*values[3]),
            (KIND, &*values[4]),
        ];
        let terms = Terms::read(meta.into_iter());
        assert_eq!((terms.validity, terms.kind), (Some(Validity::Months(12)), None));
        assert_eq!(terms.unreadable, [(KIND.to_owned(), "gift".to_owned())].into());
        let kept = serde_json::to_string(&terms).unwrap();
        assert_eq!(kept, r#"{"validity":"1y","unreadable":{"_nivella_kind":"gift"}}"#);
        assert_eq!(serde_json::from_str::<Terms>(&kept).unwrap(), terms);
        assert_eq!(serde_json::to_string(&Terms::default()).unwrap(), "{}");
    }
}
