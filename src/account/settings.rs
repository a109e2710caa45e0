//! What can be set about an account: what people call it, whose midnight ends its days, where its purchases go.

use chrono_tz::Tz;
use serde::Serialize;

use super::{Error, store};
use crate::db::Tx;
use crate::id::{AccountId, SiteId};
use crate::ledger::{self, LockedAccount};
use crate::site::{self, AccountRef, Field};

/// What is to be set; the rest stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What people call it; orders do not change it any more.
    pub name: Option<String>,
    /// Its time zone.
    pub time_zone: Option<Tz>,
    /// Where purchases go that name no site.
    pub default_site: Field<SiteId>,
}

/// An account after it was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The account.
    pub account: AccountId,
    /// Which of its settings are others now.
    pub changed: Vec<&'static str>,
    /// What people call it.
    pub name: String,
    /// Whose midnight ends its days.
    pub time_zone: String,
    /// Where purchases go that name no site; nowhere in particular if none.
    pub default_site: Option<SiteId>,
}

/// Sets what `settings` say about an account, which is opened if its store does not know it yet.
///
/// Another time zone counts for what comes: credits keep the instant they expire, a plan's present period
/// its end, and what was used in a day or month of the old zone counts as used in that of the new one.
///
/// # Errors
/// What the names refuse, and [`Error::Site`] for a default site that is not the account's.
pub fn set(tx: &mut Tx<'_>, account: &AccountRef, settings: &Settings) -> Result<Changed, Error> {
    let id = site::store::open(tx, account)?;
    // What is due is booked by the old zone's calendar first.
    let before = LockedAccount::lock(tx, &id)?.zone();
    let found = site::store::account(tx, &id)?.ok_or(crate::db::Error::NoRow)?;
    let mut changed = Vec::new();
    if let Some(name) = settings.name.as_ref().filter(|name| **name != found.name) {
        store::set_name(tx, &id, name)?;
        changed.push("name");
    }
    if let Some(zone) = settings.time_zone.filter(|zone| *zone != before) {
        store::set_zone(tx, &id, zone)?;
        store::move_spending(tx, (&id, before), (&id, zone))?;
        ledger::store::plan::rezone(tx, &id, before, zone)?;
        changed.push("time_zone");
    }
    let default_site = settings.default_site.over(found.default_site.clone());
    if default_site != found.default_site {
        site::store::set_default_site(tx, &id, default_site.as_ref())?;
        changed.push("default_site");
    }
    Ok(Changed {
        account: id,
        changed,
        name: settings.name.clone().unwrap_or(found.name),
        time_zone: settings.time_zone.unwrap_or(before).to_string(),
        default_site,
    })
}
