//! Which site an order names.
//!
//! Pure. A shop keeps the site's id in a meta field of the line or of the order, under one of several keys.
//! What is said here is only what the order *names*; whose site that is and where credits go is decided by
//! whoever knows the sites.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Line, Order};
use crate::id::SiteId;
use crate::shop::meta_key;

/// A meta field that may name a site: its text is not empty and its key was one the store looks under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteName {
    /// The key, in the form keys are compared in.
    pub key: String,
    /// The value, trimmed; far longer than any id if it was cut.
    pub value: String,
}

/// What an order says about the site of one of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// This site.
    Named(SiteId),
    /// A text that cannot be a site's id.
    Invalid(String),
    /// Nothing.
    NotNamed,
}

/// Longest value that is kept: longer than any valid id, so what is cut stays invalid.
const VALUE_CHARS_MAX: usize = 200;

/// The first of `keys` under which something is written decides: in the line's meta, then in the order's.
#[must_use]
pub fn site_of(order: &Order, line: &Line, keys: &[String]) -> Naming {
    let named = |names: &[SiteName]| {
        keys.iter().find_map(|key| {
            let key = meta_key(key);
            names.iter().find(|name| name.key == key).map(|name| name.value.clone())
        })
    };
    match named(&line.site_names).or_else(|| named(&order.site_names)) {
        None => Naming::NotNamed,
        Some(value) => value.parse().map_or(Naming::Invalid(value), Naming::Named),
    }
}

/// Keeps those meta fields that may name a site: the first of each of `keys` that has a text.
pub(crate) fn candidates<'a>(
    meta: impl Iterator<Item = (&'a str, impl FnOnce() -> Option<Cow<'a, str>>)>,
    keys: &[String],
) -> Vec<SiteName> {
    let keys: Vec<String> = keys.iter().map(|key| meta_key(key)).collect();
    let mut names: Vec<SiteName> = Vec::new();
    for (key, value) in meta {
        let key = meta_key(key);
        if !keys.contains(&key) || names.iter().any(|name| name.key == key) {
            continue;
        }
        let Some(value) = value() else { continue };
        let value = value.trim();
        if !value.is_empty() {
            let value = value.chars().take(VALUE_CHARS_MAX).collect();
            names.push(SiteName { key, value });
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::woo::{self, Body};

    fn naming(line_meta: &str, order_meta: &str, keys: &[&str]) -> Naming {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        let body = format!(
            r#"{{"id":1,"status":"processing","total":"1","date_modified_gmt":"2026-11-20T16:00:00",
                "meta_data":{order_meta},"line_items":[{{"id":1,"quantity":1,"total":"1","meta_data":{line_meta}}}]}}"#
        );
        match woo::parse_delivery("order.updated", body.as_bytes(), &keys).unwrap() {
            Body::Order(order) => site_of(&order, &order.lines[0], &keys),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_key_that_is_present_decides() {
        const KEYS: [&str; 3] = ["_nivella_site_id", "site_id", "_site_id"];
        let site = |id: &str| Naming::Named(id.parse().unwrap());
        let invalid = |text: &str| Naming::Invalid(text.to_owned());
        for (line, order, expected) in [
            ("[]", "[]", Naming::NotNamed),
            (r#"[{"key":"_site_id","value":"a"}]"#, r#"[{"key":"_site_id","value":"b"}]"#, site("a")),
            ("[]", r#"[{"key":"_site_id","value":"b"}]"#, site("b")),
            // The list's order counts, not the order's.
            (r#"[{"key":"_site_id","value":"a"},{"key":"Site ID","value":"b"}]"#, "[]", site("b")),
            (r#"[{"key":"SITE_ID","value":" a \n"}]"#, "[]", site("a")),
            // Empty, blank and what is not text count as absent.
            (
                r#"[{"key":"site_id","value":""},{"key":"site_id","value":"  "},{"key":"_site_id","value":"a"}]"#,
                "[]",
                site("a"),
            ),
            (
                r#"[{"key":"site_id","value":["a"]},{"key":"_site_id","value":7}]"#,
                r#"[{"key":"site_id","value":"b"}]"#,
                site("b"),
            ),
            // An invalid one decides as well: nothing is picked from behind it.
            (
                r#"[{"key":"site_id","value":"my shop"},{"key":"_site_id","value":"a"}]"#,
                r#"[{"key":"site_id","value":"b"}]"#,
                invalid("my shop"),
            ),
            ("[]", r#"[{"key":"site_note","value":"b"},{"key":"site-id","value":"b"}]"#, Naming::NotNamed),
            ("{}", r#"{"3":{"key":"site_id","value":"b"}}"#, site("b")),
        ] {
            assert_eq!(naming(line, order, &KEYS), expected, "{line} {order}");
        }
    }

    #[test]
    fn a_value_too_long_for_an_id_stays_invalid_when_it_is_cut() {
        let meta = format!(r#"[{{"key":"site_id","value":"{}"}}]"#, "x".repeat(60_000));
        match naming(&meta, "[]", &["site_id"]) {
            Naming::Invalid(text) => assert_eq!(text.len(), VALUE_CHARS_MAX),
            other => panic!("{other:?}"),
        }
    }
}
