//! Whether credits may be spent: what the one decision of a debit, of a hold and of a burn plan rests on.
//!
//! The facts are read here; [`decide`] decides.

use chrono_tz::Tz;

use super::{Error, limit};
use crate::db::{self, Tx};
use crate::id::{AccountId, AgentId, SiteId};
use crate::ledger::act::Left;
use crate::ledger::burn::Part;
use crate::ledger::limit::{Decided, Purpose, Refusal, Terms, decide};
use crate::ledger::position::Position;
use crate::ledger::slice::{Slice, View, open_slices};
use crate::params;
use crate::site;
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
    /// The slices that the site's wallet shows, whether they may pay or not.
    pub slices: Vec<Slice>,
    /// What each of them gives.
    pub parts: Vec<Part>,
    /// What none of them gives: it will be owed. Only of a hold.
    pub uncovered: Credits,
    /// What decided, before anything was taken.
    pub terms: Terms,
}

/// Decides whether `amount` may be spent now, all or nothing, and which slices pay.
///
/// # Errors
/// In this order: [`Error::Frozen`], [`Error::Paused`], [`Error::LimitReached`], [`Error::InsufficientCredits`].
pub fn admit(
    tx: &mut Tx<'_>,
    payer: &Payer<'_>,
    spender: &Spender<'_>,
    amount: Credits,
    purpose: Purpose,
) -> Result<Admitted, Error> {
    let terms = limit::terms(tx, payer, spender)?;
    let view = View::Site { site: spender.site.clone(), pool: spender.uses_pool };
    let slices = open_slices(tx, payer.account, &view)?;
    match decide(&terms, &slices, amount, purpose, tx.now()) {
        Ok(Decided { parts, uncovered }) => Ok(Admitted { slices, parts, uncovered, terms }),
        Err(refusal) => Err(refusal.of(amount)),
    }
}

impl Refusal {
    /// The refusal of `amount`, in the ledger's words.
    pub(super) fn of(self, amount: Credits) -> Error {
        match self {
            Self::Frozen(reason) => Error::Frozen(reason),
            Self::Paused(pause) => Error::Paused(pause),
            Self::LimitReached { limit, available } => {
                Error::LimitReached { needed: amount, available, limit }
            }
            Self::Short { available, obstacles } => {
                Error::InsufficientCredits { needed: amount, available, obstacles }
            }
        }
    }
}

/// How the wallet of a site stands now, as a debit for it sees it, whoever has the site by now; of a site that
/// nobody has, what `account` has in its compartment.
pub fn left(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<Left, db::Error> {
    let found = site::store::get(tx, site)?;
    let owner = found.as_ref().and_then(|found| found.account.as_ref()).map(|owner| owner.id.clone());
    let uses_pool = owner.is_some() && found.is_some_and(|found| found.uses_pool);
    let account = owner.as_ref().unwrap_or(account);
    let (zone, frozen_reason) = tx.query_one(
        "-- ledger::store::admit::left
         SELECT time_zone, frozen_reason FROM account WHERE id = $1",
        params![account],
        |row| Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?)),
    )?;
    let zone = zone.parse().map_err(|_| db::Error::Column { column: 0, found: zone })?;
    let payer = Payer { account, zone, frozen_reason: frozen_reason.as_deref() };
    let terms = limit::terms(tx, &payer, &Spender { site, agent: None, uses_pool })?;
    let slices = open_slices(tx, account, &View::Site { site: site.clone(), pool: uses_pool })?;
    let now = tx.now();
    Ok(Left {
        position: Position::of(&slices, now),
        frozen: frozen_reason.is_some(),
        can_spend: terms.let_spend(&slices, now),
    })
}
