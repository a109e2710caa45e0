//! Whether credits may be spent: the one decision of a debit, of a hold and of a burn plan.

use chrono_tz::Tz;

use super::Error;
use crate::db::Tx;
use crate::id::{AccountId, AgentId, SiteId};
use crate::ledger::burn::{self, Part};
use crate::ledger::slice::{Slice, View, open_slices};
use crate::units::Credits;

/// Whose credits are to be spent.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Its time zone.
    pub zone: Tz,
    /// Why it is frozen, if it is.
    pub frozen_reason: Option<&'a str>,
}

/// For whom credits are to be spent.
#[derive(Clone, Copy, Debug)]
pub struct Spender<'a> {
    /// For which site.
    pub site: &'a SiteId,
    /// By which of its assistants.
    pub agent: Option<&'a AgentId>,
    /// Whether that site may use the account's pool.
    pub uses_pool: bool,
}

/// What pays.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The slices that were asked.
    pub slices: Vec<Slice>,
    /// What each of them gives.
    pub parts: Vec<Part>,
    /// What none of them gives: it becomes debt when it is captured.
    pub uncovered: Credits,
}

/// Decides whether `amount` may be spent now, all or nothing, and which slices pay.
///
/// # Errors
/// In this order: [`Error::Frozen`], [`Error::InsufficientCredits`].
pub fn admit(
    tx: &mut Tx<'_>,
    payer: &Payer<'_>,
    spender: &Spender<'_>,
    amount: Credits,
) -> Result<Admitted, Error> {
    if let Some(reason) = payer.frozen_reason {
        return Err(Error::Frozen(reason.to_owned()));
    }
    let view = View::Site { site: spender.site.clone(), pool: spender.uses_pool };
    let slices = open_slices(tx, payer.account, &view)?;
    let parts = burn::plan(&slices, amount, tx.now())
        .map_err(|short| Error::InsufficientCredits { needed: amount, available: short.available })?;
    Ok(Admitted { slices, parts, uncovered: Credits::ZERO })
}
