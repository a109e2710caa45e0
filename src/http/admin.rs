//! What the acts of an administrator share: who may, and how their fields are read.

use serde_json::{Map, Value};

use super::debits::LABEL_CHARS_MAX;
use super::fields::{required, text};
use super::problem::{Fault, Problem};
use crate::access::Caller;
use crate::account::by_hand;
use crate::site;
use crate::units::{Credits, Delta};

/// Refuses keys that are no administrator's; says no more than they may know: that it is forbidden only of what
/// the key `sees`.
pub(super) fn check(
    caller: &Caller,
    sees: impl FnOnce() -> Result<bool, crate::db::Error>,
) -> Result<(), Problem> {
    if caller.is_admin() {
        Ok(())
    } else if sees()? {
        Err(Problem::forbidden().with_detail("this is done with an admin key"))
    } else {
        Err(Problem::not_found())
    }
}

/// Why something is done: required, so that it can be told later.
pub(super) fn reason(fields: &Map<String, Value>, errors: &mut Vec<Fault>) -> Option<String> {
    let before = errors.len();
    let reason = text(fields, "reason", LABEL_CHARS_MAX, errors);
    if reason.is_none() && errors.len() == before {
        errors.push(Fault::new("/reason", "is missing: say why, for the shop only"));
    }
    reason
}

/// A change that is not nothing, and its size.
pub(super) fn change(fields: &Map<String, Value>, errors: &mut Vec<Fault>) -> Option<(Delta, Credits)> {
    // A plus is for command lines; in JSON an amount has one way to be written.
    if fields.get("credits").and_then(Value::as_str).is_some_and(|text| text.starts_with('+')) {
        errors.push(Fault::new("/credits", "has a sign only if it is negative"));
        return None;
    }
    let change: Delta = required(fields, "credits", errors)?;
    match change.size() {
        Some(size) if !size.is_zero() => Some((change, size)),
        Some(_) => {
            errors.push(Fault::new("/credits", "0 credits would change nothing"));
            None
        }
        None => {
            errors.push(Fault::new("/credits", "is too much"));
            None
        }
    }
}

impl From<site::store::Error> for Problem {
    fn from(error: site::store::Error) -> Self {
        use site::store::Error as E;
        match error {
            E::OwnedByOther { .. } => Self::site_mismatch(error),
            E::UnknownStore(_) | E::UnknownAccount(_) | E::UnknownSite(_) | E::Unassigned(_) => {
                Self::not_found().with_detail(error)
            }
            E::Database(error) => error.into(),
        }
    }
}

impl From<by_hand::Error> for Problem {
    fn from(error: by_hand::Error) -> Self {
        use by_hand::Error as E;
        match error {
            E::Site(error) => error.into(),
            E::Ledger(refusal) => refusal.into(),
            E::Past(_) => Self::invalid("/expires_at", error),
            E::TooMuch(_) => Self::invalid("/credits", error),
            E::UnknownGrant(_) => Self::not_found().with_detail(error),
        }
    }
}
