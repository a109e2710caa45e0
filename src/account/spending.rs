//! What people set about the spending of a site and its assistants: limits, policies, and that it goes on.
//!
//! The command line and the API do these through here, so that both mean the same. None of them changes a number of
//! a wallet, and a frozen account refuses none of them.

use serde::Serialize;

use super::store::zone;
use crate::calendar::Per;
use crate::db::{self, Tx};
use crate::id::{AccountId, AgentId, SiteId};
use crate::ledger::limit::{Limit, OnExhausted, OnReached, Pause, Policy, Said, Standing};
use crate::ledger::store::{brake, limit};
use crate::ledger::{self, LockedAccount};
use crate::site::{self, Field};
use crate::time::Timestamp;
use crate::units::Credits;

/// The periods a limit can be for.
pub const PERIODS: [Per; 2] = [Per::Day, Per::Month];

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The site is unknown or nobody's.
    #[error(transparent)]
    Site(#[from] site::store::Error),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] ledger::store::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// A limit as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Limit")]
pub struct LimitShown {
    /// The assistant it is for; none for the whole site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// A day or a month.
    pub per: Per,
    /// How many credits; nothing if there is no limit.
    pub credits: Option<Credits>,
    /// What becomes of a debit that would pass it.
    pub on_reached: OnReached,
    /// What was spent in the present period.
    pub spent: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// When the next period begins.
    pub resets_at: Timestamp,
}

/// A policy as it is shown: what holds, whoever said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Policy")]
pub struct PolicyShown {
    /// The assistant it is for; none for the whole site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Once recurring credits are used up.
    pub on_exhausted: OnExhausted,
    /// Whether the account's pool may be used.
    pub pool: bool,
    /// How much of a last hold may go uncovered.
    pub grace: Credits,
}

/// What is to be set of a policy; the rest stays as it is. What is cleared is as the site has it, and of the site
/// itself the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// Once recurring credits are used up.
    pub on_exhausted: Field<OnExhausted>,
    /// Whether the account's pool may be used.
    pub pool: Field<bool>,
    /// How much of a last hold may go uncovered.
    pub grace: Field<Credits>,
}

/// A site whose spending goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Resumed {
    /// The site.
    pub site: SiteId,
    /// Why and since when it was paused; nothing if it was not.
    pub was: Option<Pause>,
}

/// The limits of a site and its assistants, the site's own first.
pub fn limits(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<Vec<LimitShown>, db::Error> {
    let zone = zone(tx, account)?;
    Ok(limit::standings(tx, account, zone, site)?.into_iter().map(LimitShown::from).collect())
}

/// Sets a limit of a site or of one of its assistants, or with no credits takes it away. What happens when it is
/// reached stays as it was unless it is said; a new one stops.
///
/// # Errors
/// When the site is unknown or nobody's.
pub fn set_limit(
    tx: &mut Tx<'_>,
    site: &SiteId,
    agent: Option<&AgentId>,
    per: Per,
    credits: Option<Credits>,
    on_reached: Option<OnReached>,
) -> Result<LimitShown, Error> {
    let id = site::store::owned(tx, site)?;
    let mut account = LockedAccount::lock(tx, &id)?;
    let zone = account.zone();
    let before = limit::get(account.tx(), &id, site, agent, per)?;
    let on_reached = on_reached.or(before.map(|before| before.on_reached)).unwrap_or(OnReached::Stop);
    let limit = Limit { agent: agent.cloned(), per, credits: credits.unwrap_or(Credits::ZERO), on_reached };
    if credits.is_some() {
        account.set_limit(site, &limit)?;
    } else {
        account.remove_limit(site, agent, per)?;
    }
    let standing = limit::standing(tx, &id, zone, site, limit)?;
    Ok(LimitShown { credits, ..standing.into() })
}

/// The policies of a site and of those of its assistants about which anything is said, the site's own first.
pub fn policies(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    uses_pool: bool,
) -> Result<Vec<PolicyShown>, db::Error> {
    let own = Policy::of_site(uses_pool).with(&limit::said(tx, account, site, None)?);
    let agents = limit::agents(tx, account, site)?;
    let shown = agents.into_iter().map(|(agent, said)| PolicyShown::of(Some(agent), own.with(&said)));
    Ok(std::iter::once(PolicyShown::of(None, own)).chain(shown).collect())
}

/// Sets what is said about the policy of a site or of one of its assistants; answers what holds.
///
/// # Errors
/// When the site is unknown or nobody's.
pub fn set_policy(
    tx: &mut Tx<'_>,
    site: &SiteId,
    agent: Option<&AgentId>,
    change: &PolicyChange,
) -> Result<PolicyShown, Error> {
    let id = site::store::owned(tx, site)?;
    let mut account = LockedAccount::lock(tx, &id)?;
    let before = limit::said(account.tx(), &id, site, agent)?;
    let said = Said {
        on_exhausted: change.on_exhausted.over(before.on_exhausted),
        pool: change.pool.over(before.pool),
        grace: change.grace.over(before.grace),
    };
    account.set_said(site, agent, &said)?;
    if agent.is_none() {
        match change.pool {
            Field::Keep => {}
            Field::Clear => site::store::set_uses_pool(tx, site, true)?,
            Field::Set(pool) => site::store::set_uses_pool(tx, site, pool)?,
        }
    }
    let uses_pool = site::store::get(tx, site)?.is_some_and(|site| site.uses_pool);
    let own = Policy::of_site(uses_pool).with(&limit::said(tx, &id, site, None)?);
    let policy = if agent.is_some() { own.with(&said) } else { own };
    Ok(PolicyShown::of(agent.cloned(), policy))
}

/// Lets a site spend again that the brake has paused. What it spent in this hour so far does not count any more.
///
/// # Errors
/// When the site is unknown or nobody's.
pub fn resume(tx: &mut Tx<'_>, site: &SiteId) -> Result<Resumed, Error> {
    let id = site::store::owned(tx, site)?;
    let was = LockedAccount::lock(tx, &id)?.resume(site)?;
    Ok(Resumed { site: site.clone(), was })
}

/// Why and since when the site is paused, if it is.
pub fn pause(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<Option<Pause>, db::Error> {
    brake::pause(tx, account, site)
}

/// What is set about the spending of a site, and how that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SiteSpending")]
pub struct Spending {
    /// The site's policy, and those of its assistants.
    pub policies: Vec<PolicyShown>,
    /// Its limits, and those of its assistants.
    pub limits: Vec<LimitShown>,
    /// Why and since when it is paused, if it is.
    pub pause: Option<Pause>,
}

/// All that is set about the spending of a site that is somebody's.
pub fn of_site(tx: &mut Tx<'_>, site: &site::Site) -> Result<Option<Spending>, db::Error> {
    let Some(owner) = &site.account else { return Ok(None) };
    Ok(Some(Spending {
        policies: policies(tx, &owner.id, &site.id, site.uses_pool)?,
        limits: limits(tx, &owner.id, &site.id)?,
        pause: pause(tx, &owner.id, &site.id)?,
    }))
}

impl LimitShown {
    /// What can still be spent under it; as much as there is without a limit.
    #[must_use]
    pub fn left(&self) -> Option<Credits> {
        Some(self.credits?.saturating_sub(self.spent).saturating_sub(self.held))
    }
}

impl From<Standing> for LimitShown {
    fn from(standing: Standing) -> Self {
        let Standing { limit: Limit { agent, per, credits, on_reached }, spent, held, resets_at } = standing;
        Self { agent, per, credits: Some(credits), on_reached, spent, held, resets_at }
    }
}

impl PolicyShown {
    fn of(agent: Option<AgentId>, policy: Policy) -> Self {
        let Policy { on_exhausted, pool, grace } = policy;
        Self { agent, on_exhausted, pool, grace }
    }
}
