//! How the fields of a body are read: each that is wrong is noted, so that one refusal names them all.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::extract::{self, Fields};
use super::problem::{Fault, Problem};
use crate::units::Credits;

/// The fields of a body that may be left out.
pub(super) fn or_none(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let Fields(fields) = extract::parse(body)?;
    Ok(fields)
}

/// Refuses a body that says anything: an empty one says as much as an empty object.
pub(super) fn nothing(body: &[u8]) -> Result<(), Problem> {
    complete(Some(()), unknown(&or_none(body)?, &[]))
}

/// The fields that nobody knows.
pub(super) fn unknown(fields: &Map<String, Value>, known: &[&str]) -> Vec<Fault> {
    fields
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| Fault::new(format!("/{}", extract::escape(name)), "there is no such field"))
        .collect()
}

/// What was read, unless anything was wrong.
pub(super) fn complete<T>(read: Option<T>, errors: Vec<Fault>) -> Result<T, Problem> {
    match read {
        Some(read) if errors.is_empty() => Ok(read),
        _ => Err(Problem::invalid_request(errors)),
    }
}

/// A field that names what a request is about: it is read before all others.
pub(super) fn subject<T: FromStr<Err: Display>>(
    fields: &Map<String, Value>,
    name: &str,
) -> Result<T, Problem> {
    let mut errors = Vec::new();
    required(fields, name, &mut errors).ok_or_else(|| Problem::invalid_request(errors))
}

/// Whether a field says something; `null` says nothing.
pub(super) fn given(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

/// An amount above zero.
pub(super) fn positive(fields: &Map<String, Value>, name: &str, errors: &mut Vec<Fault>) -> Option<Credits> {
    let amount = required::<Credits>(fields, name, errors)?;
    if amount.is_zero() {
        errors.push(Fault::new(format!("/{name}"), "must be above 0"));
        return None;
    }
    Some(amount)
}

/// A whole number above zero, as a JSON number or as text.
pub(super) fn whole(fields: &Map<String, Value>, name: &str, errors: &mut Vec<Fault>) -> Option<i64> {
    whole_to(i64::MAX, fields, name, errors)
}

/// As [`whole`], and at most `most`.
pub(super) fn whole_to(
    most: i64,
    fields: &Map<String, Value>,
    name: &str,
    errors: &mut Vec<Fault>,
) -> Option<i64> {
    let value = fields.get(name)?;
    let number = match value {
        Value::Number(number) => number.as_i64(),
        // No sign and no spaces: text is read as strictly as JSON reads a number.
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let number = number.filter(|number| (1..=most).contains(number));
    if number.is_none() {
        let what = format!("must be a whole number from 1 to {most}");
        errors.push(Fault::new(format!("/{name}"), what));
    }
    number
}

/// A field that must be there, written as text.
pub(super) fn required<T: FromStr<Err: Display>>(
    fields: &Map<String, Value>,
    name: &str,
    errors: &mut Vec<Fault>,
) -> Option<T> {
    if !given(fields, name) {
        errors.push(Fault::new(format!("/{name}"), "is missing"));
        return None;
    }
    optional(fields, name, errors)
}

/// A field that may be there, written as text.
pub(super) fn optional<T: FromStr<Err: Display>>(
    fields: &Map<String, Value>,
    name: &str,
    errors: &mut Vec<Fault>,
) -> Option<T> {
    let value = match fields.get(name)? {
        Value::Null => return None,
        Value::String(text) => text.parse::<T>().map_err(|error| error.to_string()),
        Value::Number(number) => Err(format!("must be a string: write \"{number}\"")),
        _ => Err("must be a string".to_owned()),
    };
    value.map_err(|detail| errors.push(Fault::new(format!("/{name}"), detail))).ok()
}

/// Any JSON, as text.
pub(super) fn json(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).filter(|value| !value.is_null()).map(Value::to_string)
}

/// A text for people, trimmed; none if empty.
pub(super) fn text(
    fields: &Map<String, Value>,
    name: &str,
    chars_max: usize,
    errors: &mut Vec<Fault>,
) -> Option<String> {
    let text: String = optional(fields, name, errors)?;
    let text = text.trim();
    if text.chars().count() > chars_max {
        errors.push(Fault::new(format!("/{name}"), format!("has at most {chars_max} characters")));
        return None;
    }
    if text.contains(char::is_control) {
        errors.push(Fault::new(format!("/{name}"), "has no line breaks or other control characters"));
        return None;
    }
    (!text.is_empty()).then(|| text.to_owned())
}
