//! A wallet that was found and may be seen, and its numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::Serialize;

use super::around::Around;
use super::runway::{Renewal, Supply};
use super::{Settings, store};
use crate::access::{Caller, Own, Subject};
use crate::calendar::Per;
use crate::db::{self, Tx};
use crate::id::{AccountId, AgentId, ClientId, GrantId, SiteId};
use crate::ledger::limit::{Policy, Purpose, Refusal, Said, Terms};
use crate::ledger::plan::Subscription;
use crate::ledger::position::{Mode, Position, Status};
use crate::ledger::slice::{
    Category, Compartment, Slice, View, less_unsettled, open_slices, release_overdue, settled_slices,
};
use crate::ledger::store::admit::{Payer, Spender, admit};
use crate::ledger::store::{limit, settle};
use crate::ledger::unsettled::Unsettled;
use crate::ledger::{self, burn};
use crate::site::{self, AccountRef, WalletRef};
use crate::time::{DAY_MS, Timestamp};
use crate::units::Credits;

/// Somebody's wallet, as far as they may see it.
///
/// There is one only for what exists and belongs to an account; what a caller may not see is not found.
#[derive(Clone, Debug)]
pub struct Wallet {
    pub(super) account: AccountId,
    pub(super) name: String,
    pub(super) zone: Tz,
    pub(super) frozen_reason: Option<String>,
    /// When a plan of the account brings credits next that are not booked yet.
    pub(super) next_renewal: Option<Timestamp>,
    /// When the first of the account's open holds is over.
    pub(super) next_release: Option<Timestamp>,
    pub(super) shows: Shows,
    /// What surrounds it, once that is known.
    pub(super) around: Option<Arc<Around>>,
}

/// Which of the account's compartments a wallet shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// All of them.
    Account,
    /// Those of the sites an agency runs for one client, and the pool if one of them may use it.
    Client {
        /// The client.
        client: ClientId,
        /// Its sites; at least one.
        sites: BTreeSet<SiteId>,
        /// Whether one of them may use the pool.
        pool: bool,
    },
    /// One site's, and the pool while the site may use it.
    Site {
        /// The site.
        site: SiteId,
        /// Its name for people.
        label: Option<String>,
        /// The client it is run for.
        client: Option<ClientId>,
        /// Whether it may use the pool.
        pool: bool,
    },
}

/// The wallet `named`, if `caller` may see it; instead of a merged account's, that of what it is part of.
pub fn find(tx: &mut Tx<'_>, caller: &Caller, named: &WalletRef) -> Result<Option<Wallet>, db::Error> {
    let wallet = match named {
        WalletRef::Account(AccountRef::Id(id)) => {
            let account = site::store::follow(tx, id)?;
            open(tx, &WalletRef::Account(account.into()))?
        }
        named => open(tx, named)?,
    };
    Ok(wallet.filter(|wallet| caller.may_see(&wallet.subject())))
}

/// The wallet that `me` means for `caller`; for a client's key that is all of the client's sites together.
pub fn own(tx: &mut Tx<'_>, caller: &Caller) -> Result<Option<Wallet>, db::Error> {
    match caller.own() {
        None => Ok(None),
        Some(Own::Account(account)) => open(tx, &WalletRef::Account(account.into())),
        Some(Own::Site(site)) => open(tx, &WalletRef::Site(site)),
        Some(Own::Client(account, client)) => {
            let rows = store::client_sites(tx, &account, &client)?;
            if rows.is_empty() {
                return Ok(None);
            }
            let pool = rows.iter().any(|(_, uses_pool)| *uses_pool);
            let sites = rows.into_iter().map(|(site, _)| site).collect();
            store::wallet(tx, &account, Shows::Client { client, sites, pool })
        }
    }
}

/// The wallet with surroundings that are known, if `caller` may see it.
pub fn reopen(tx: &mut Tx<'_>, caller: &Caller, around: &Arc<Around>) -> Result<Option<Wallet>, db::Error> {
    let Some(mut wallet) = store::wallet(tx, &around.account, around.shows.clone())? else { return Ok(None) };
    wallet.around = Some(Arc::clone(around));
    Ok(Some(wallet).filter(|wallet| caller.may_see(&wallet.subject())))
}

/// The wallet `named`, for those who may see all of them.
pub fn open(tx: &mut Tx<'_>, named: &WalletRef) -> Result<Option<Wallet>, db::Error> {
    match named {
        WalletRef::Account(account) => match site::store::resolve(tx, account)? {
            Some(account) => store::wallet(tx, &account, Shows::Account),
            None => Ok(None),
        },
        WalletRef::Site(site) => match store::site(tx, site)? {
            Some((account, shows)) => store::wallet(tx, &account, shows),
            None => Ok(None),
        },
    }
}

/// What the tables say of a wallet's credits: what debits changed that is not settled is to be added.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// The slices it shows, in grant order; of holds whose time is over nothing is held.
    pub(super) slices: Vec<Slice>,
    /// The limits of its site itself.
    limits: Vec<limit::Settled>,
    /// What was used in the cycle, in micro-credits.
    used: i64,
    /// The cycle.
    cycle: (Timestamp, Timestamp),
}

impl Sums {
    pub(super) fn read(tx: &mut Tx<'_>, wallet: &Wallet, around: &Around) -> Result<Self, db::Error> {
        let mut slices = settled_slices(tx, &wallet.account, &wallet.view())?;
        release_overdue(tx, &wallet.account, &mut slices)?;
        slices.retain(|slice| wallet.shows.compartment(&slice.compartment));
        let mut limits = match &wallet.shows {
            Shows::Site { site, .. } => limit::settled(tx, &wallet.account, wallet.zone, site)?,
            Shows::Account | Shows::Client { .. } => Vec::new(),
        };
        limits.retain(|settled| settled.limit.agent.is_none());
        let plans: Vec<&Subscription> = wallet.plans(around).collect();
        let (per, cycle) = wallet.cycle(&plans, tx.now());
        let used = store::used(tx, wallet, (per, cycle))?;
        Ok(Self { slices, limits, used, cycle })
    }

    /// The slices that still hold anything.
    pub(super) fn slices(&self, unsettled: &Unsettled) -> Vec<Slice> {
        let mut slices = self.slices.clone();
        less_unsettled(&mut slices, unsettled);
        slices
    }
}

impl Wallet {
    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Whether a plan of its account has brought something by `now` that is not booked yet.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_renewal.is_some_and(|due_at| due_at <= now)
    }

    /// What it shows.
    #[must_use]
    pub fn shows(&self) -> &Shows {
        &self.shows
    }

    /// The wallet as a question to a [`Caller`].
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        let account = &self.account;
        match &self.shows {
            Shows::Account => Subject::Account(account),
            Shows::Client { client, .. } => Subject::Client { account, client },
            Shows::Site { site, client, .. } => Subject::Site { site, account, client: client.as_ref() },
        }
    }

    /// What surrounds it: read now, unless it is known.
    pub fn around(&self, tx: &mut Tx<'_>) -> Result<Arc<Around>, db::Error> {
        match &self.around {
            Some(around) => Ok(Arc::clone(around)),
            None => Around::read(tx, &self.account, self.shows.clone()).map(Arc::new),
        }
    }

    /// Reads what surrounds it, and keeps that.
    pub fn surround(&mut self, tx: &mut Tx<'_>) -> Result<&Arc<Around>, db::Error> {
        let around = self.around(tx)?;
        Ok(self.around.insert(around))
    }

    /// The wallet, and as it was in each account that was merged into its account: what was used there counts
    /// here.
    pub(super) fn with_merged(&self, tx: &mut Tx<'_>) -> Result<Vec<Self>, db::Error> {
        let merged = match &self.around {
            Some(around) => around.merged.clone(),
            None => store::merged(tx, &self.account)?,
        };
        let earlier = merged.into_iter().map(|account| Self { account, around: None, ..self.clone() });
        Ok(std::iter::once(self.clone()).chain(earlier).collect())
    }

    /// Its numbers at the time of the transaction.
    pub fn numbers(&self, tx: &mut Tx<'_>, settings: &Settings) -> Result<Numbers, db::Error> {
        let around = self.around(tx)?;
        let sums = Sums::read(tx, self, &around)?;
        let unsettled = settle::unsettled(tx, &self.account)?;
        let slices = sums.slices(&unsettled);
        Ok(self.numbers_of(settings, &around, &sums, &slices, &unsettled, tx.now()))
    }

    /// What can be spent now: one of its [`Wallet::numbers`], at the price of that one.
    pub fn available(&self, tx: &mut Tx<'_>) -> Result<Credits, db::Error> {
        Ok(Position::of(&self.slices(tx)?, tx.now()).available)
    }

    /// The open slices it shows, in grant order.
    pub(super) fn slices(&self, tx: &mut Tx<'_>) -> Result<Vec<Slice>, db::Error> {
        let mut slices = open_slices(tx, &self.account, &self.view())?;
        slices.retain(|slice| self.shows.compartment(&slice.compartment));
        Ok(slices)
    }

    /// Whose slices are read for it.
    fn view(&self) -> View {
        match &self.shows {
            Shows::Site { site, pool, .. } => View::Site { site: site.clone(), pool: *pool },
            Shows::Account | Shows::Client { .. } => View::Account,
        }
    }

    /// Which slices a debit of `credits`, by this assistant of the site, would take from what the wallet shows: the
    /// decision of the debit itself, without the write.
    ///
    /// # Errors
    /// As the debit: [`admit`].
    pub fn burn_plan(
        &self,
        tx: &mut Tx<'_>,
        credits: Credits,
        agent: Option<&AgentId>,
    ) -> Result<BurnPlan, ledger::store::Error> {
        let (slices, parts) = match self.spender(agent) {
            Some(spender) => {
                let admitted = admit(tx, &self.payer(), &spender, credits, Purpose::Debit)?;
                (admitted.slices, admitted.parts)
            }
            None => self.burn_all(tx, credits)?,
        };
        let paid =
            |part: &burn::Part| Paid { grant: slices[part.slice].grant.clone(), credits: part.credits };
        Ok(BurnPlan { slices: parts.iter().map(paid).collect() })
    }

    /// What would pay in a wallet of more than one site, whose limits and policies are not those of any one of them.
    fn burn_all(
        &self,
        tx: &mut Tx<'_>,
        credits: Credits,
    ) -> Result<(Vec<Slice>, Vec<burn::Part>), ledger::store::Error> {
        if let Some(reason) = &self.frozen_reason {
            return Err(ledger::store::Error::Frozen(reason.clone()));
        }
        let slices = self.slices(tx)?;
        let parts = burn::plan(&slices, credits, tx.now())
            .map_err(|short| ledger::store::Error::short(credits, short.available))?;
        Ok((slices, parts))
    }

    fn payer(&self) -> Payer<'_> {
        Payer { account: &self.account, zone: self.zone, frozen_reason: self.frozen_reason.as_deref() }
    }

    /// Whoever of a site spends; nobody does for a wallet of more than one.
    fn spender<'a>(&'a self, agent: Option<&'a AgentId>) -> Option<Spender<'a>> {
        match &self.shows {
            Shows::Site { site, pool, .. } => Some(Spender { site, agent, uses_pool: *pool }),
            Shows::Account | Shows::Client { .. } => None,
        }
    }

    /// Why nothing may be spent for its site, if that is so; nothing is said of a wallet of more than one.
    fn hindrance(
        &self,
        around: &Around,
        sums: &Sums,
        slices: &[Slice],
        unsettled: &Unsettled,
        now: Timestamp,
    ) -> Option<Refusal> {
        let (spender, set) = (self.spender(None)?, around.site.as_ref()?);
        let terms = Terms {
            frozen: self.frozen_reason.clone(),
            pause: set.pause.clone(),
            limits: sums.limits.iter().map(|limit| limit.with(spender.site, unsettled)).collect(),
            site: Policy::of_site(spender.uses_pool).with(&set.policy),
            agent: Said::default(),
            // Only a hold may go uncovered, and this asks about a debit.
            may_go_uncovered: false,
        };
        terms.hindrance(slices, now)
    }

    /// What its sites used in the present cycle, with what is unsettled.
    fn used(&self, sums: &Sums, unsettled: &Unsettled) -> Credits {
        let unsettled = match self.shows.compartments() {
            None => unsettled.spent_in_all(sums.cycle),
            Some(shown) => {
                let sites = shown.iter().filter_map(Compartment::site);
                sites.map(|site| unsettled.spent(site, None, sums.cycle)).sum()
            }
        };
        // A debit may be undone in another period than it was counted in, when the account's time zone was changed
        // between them; less than nothing was not used for that.
        Credits::from_micro(sums.used.saturating_add(unsettled).max(0)).unwrap_or(Credits::MAX)
    }

    /// Its numbers, of what is settled and what is not; of `slices` both is known.
    pub(super) fn numbers_of(
        &self,
        settings: &Settings,
        around: &Around,
        sums: &Sums,
        slices: &[Slice],
        unsettled: &Unsettled,
        now: Timestamp,
    ) -> Numbers {
        let position = Position::of(slices, now);
        let status = position.status(self.frozen_reason.is_some(), &settings.low_balance);
        let hindrance = self.hindrance(around, sums, slices, unsettled, now);
        let plans: Vec<&Subscription> = self.plans(around).collect();
        let used = self.used(sums, unsettled);
        let debts = around.debt.iter().filter(|(compartment, _)| self.shows.compartment(compartment));
        let debt = debts.map(|(_, amount)| *amount).sum();
        let counted = slices.iter().filter(|slice| slice.is_spendable(now) || !slice.held.is_zero());
        let (site, client) = match &self.shows {
            Shows::Account => (None, None),
            Shows::Client { client, .. } => (None, Some(client.clone())),
            Shows::Site { site, label, client, .. } => {
                let (label, client) = (label.clone(), client.clone());
                (Some(SiteName { id: site.clone(), label, client }), None)
            }
        };
        Numbers {
            wallet: self.to_string(),
            unit: settings.unit.clone(),
            as_of: now,
            account: AccountName { id: self.account.clone(), name: self.name.clone() },
            site,
            client,
            available: position.available,
            posted: position.posted,
            held: position.held,
            frozen: position.frozen,
            debt,
            used,
            total: [position.posted, used].into_iter().sum(),
            recurring: Recurring {
                balance: position.recurring,
                cap: plans.iter().filter_map(|plan| plan.present(now)).map(|present| present.credits).sum(),
                renews_at: plans.iter().filter_map(|plan| plan.renews_at(now, self.zone)).min(),
            },
            top_up: TopUp { balance: position.top_up },
            status,
            mode: status.mode(hindrance.is_none()),
            hindrance,
            breakdown: counted.map(|slice| self.part(slice, now)).collect(),
        }
    }

    /// The plans of the compartments it shows, also those that were stopped, the next due first.
    fn plans<'a>(&'a self, around: &'a Around) -> impl Iterator<Item = &'a Subscription> {
        around.plans.iter().filter(|plan| self.shows.compartment(&plan.compartment))
    }

    /// From when any of its numbers is another one though nothing is written, or what a page says beside them.
    pub(super) fn until(&self, around: &Around, slices: &[Slice], now: Timestamp) -> Timestamp {
        // Sums of days and months, of UTC and of the account.
        let midnights = [now.day().plus_millis(DAY_MS), Per::Day.span(now, self.zone).1];
        let of_slice = |slice: &Slice| [Some(slice.effective_at), slice.expires_at];
        let of_slices = slices.iter().flat_map(of_slice).flatten();
        // In whole days: the number of them is another one at the same time of the day.
        let renews_at = self.plans(around).filter_map(|plan| plan.renews_at(now, self.zone)).min();
        let in_days = renews_at
            .filter(|at| *at > now)
            .map(|at| at.plus_millis(-((at.millis() - now.millis() - 1) / DAY_MS) * DAY_MS));
        let later = midnights
            .into_iter()
            .chain(of_slices)
            .chain(around.plans.iter().map(|plan| plan.due_at))
            .chain(in_days)
            .filter(|at| *at > now);
        // What was over before now and is not booked comes back bit by bit: that is read each time.
        let ends = later.chain(self.next_release).chain(self.next_renewal);
        ends.min().unwrap_or(now)
    }

    /// What it has to be used, and what comes again.
    pub(super) fn supply(&self, around: &Around, numbers: &Numbers) -> Supply {
        let now = numbers.as_of;
        let days = |from: Timestamp, to: Timestamp| {
            u32::try_from((to.millis() - from.millis() + DAY_MS - 1) / DAY_MS).unwrap_or(u32::MAX)
        };
        // The next to come stands for all: plans of one wallet with different periods are rare.
        let renewal = numbers.recurring.renews_at.map(|at| {
            let next =
                self.plans(around).filter(|plan| plan.stopped_at.is_none()).find_map(|plan| plan.newest);
            let (start, end) = next.map_or(Per::Month, |next| next.per).span(at, self.zone);
            Renewal { in_days: days(now, at), every_days: days(start, end), credits: numbers.recurring.cap }
        });
        Supply {
            recurring: numbers.recurring.balance,
            top_up: numbers.top_up.balance,
            renewal: renewal.filter(|renewal| !renewal.credits.is_zero()),
        }
    }

    /// The present cycle: the period of the plan that ends first, else the calendar month.
    fn cycle(&self, plans: &[&Subscription], now: Timestamp) -> (Per, (Timestamp, Timestamp)) {
        let per = plans.iter().find_map(|plan| plan.present(now)).map_or(Per::Month, |present| present.per);
        (per, per.span(now, self.zone))
    }

    /// A row of the breakdown. What cannot be spent counts in no sum, so it is not shown as remaining.
    fn part(&self, slice: &Slice, now: Timestamp) -> Part {
        Part {
            grant: slice.grant.clone(),
            category: slice.category,
            label: slice.label.clone(),
            scope: Scope::of(&slice.compartment),
            site: self.shows.column(&slice.compartment),
            amount: slice.grant_amount,
            remaining: if slice.is_spendable(now) { slice.remaining } else { Credits::ZERO },
            held: slice.held,
            effective_at: slice.effective_at,
            expires_at: slice.expires_at,
            order: slice.order.map(|order| order.to_string()),
        }
    }
}

/// As it is named in answers: an account always by its id.
impl std::fmt::Display for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.shows {
            Shows::Account => write!(f, "account:{}", self.account),
            Shows::Client { client, .. } => write!(f, "client:{}/{client}", self.account),
            Shows::Site { site, .. } => write!(f, "site:{site}"),
        }
    }
}

impl Shows {
    /// Whether what lies in `compartment` is shown.
    #[must_use]
    pub fn compartment(&self, compartment: &Compartment) -> bool {
        match (self, compartment) {
            (Self::Account, _) => true,
            (Self::Client { pool, .. } | Self::Site { pool, .. }, Compartment::Pool) => *pool,
            (Self::Client { sites, .. }, Compartment::Site(other)) => sites.contains(other),
            (Self::Site { site, .. }, Compartment::Site(other)) => site == other,
        }
    }

    /// Whether what lies with `site` is shown.
    pub(super) fn site(&self, site: &SiteId) -> bool {
        match self {
            Self::Account => true,
            Self::Client { sites, .. } => sites.contains(site),
            Self::Site { site: own, .. } => own == site,
        }
    }

    /// The compartments that are shown, or `None` for all there are.
    pub(super) fn compartments(&self) -> Option<Vec<Compartment>> {
        let sites: Vec<&SiteId> = match self {
            Self::Account => return None,
            Self::Client { sites, .. } => sites.iter().collect(),
            Self::Site { site, .. } => vec![site],
        };
        let pool = self.compartment(&Compartment::Pool).then_some(Compartment::Pool);
        Some(pool.into_iter().chain(sites.into_iter().cloned().map(Compartment::Site)).collect())
    }

    /// Whether rows say which site they are about: only where there can be more than one.
    pub(super) fn column(&self, compartment: &Compartment) -> SiteColumn {
        match (self, compartment) {
            (Self::Site { .. }, _) => SiteColumn::Left,
            (Self::Account | Self::Client { .. }, Compartment::Pool) => SiteColumn::Pool,
            (Self::Account | Self::Client { .. }, Compartment::Site(site)) => SiteColumn::Site(site.clone()),
        }
    }
}

/// What a debit would take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct BurnPlan {
    /// What it would take from each slice, in burn-down order.
    pub slices: Vec<Paid>,
}

/// What one slice would give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PlannedSlice")]
pub struct Paid {
    /// Its grant.
    pub grant: GrantId,
    /// How many credits.
    pub credits: Credits,
}

/// The wallet object of the API.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Wallet")]
pub struct Numbers {
    /// What it is called.
    pub wallet: String,
    /// What customers call credits.
    pub unit: String,
    /// The instant all of this is true for.
    pub as_of: Timestamp,
    /// Whose it is.
    pub account: AccountName,
    /// Which site it is for, if for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Which client it is for, if for all sites of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// What can be spent now.
    pub available: Credits,
    /// What can be spent now and what open holds have set aside.
    pub posted: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// What waits for a decision about its order.
    pub frozen: Credits,
    /// What is owed because credits that were taken back had been spent.
    pub debt: Credits,
    /// What was used in this cycle, less what was given back.
    pub used: Credits,
    /// What there was to use in this cycle.
    pub total: Credits,
    /// The part that comes again.
    pub recurring: Recurring,
    /// The part that was bought or given.
    pub top_up: TopUp,
    /// How it stands.
    pub status: Status,
    /// How the assistant should behave.
    pub mode: Mode,
    /// Why nothing can be spent for its site, if that is so; a pause is told with the alerts.
    #[serde(skip)]
    pub hindrance: Option<Refusal>,
    /// What `posted` is made of.
    pub breakdown: Vec<Part>,
}

/// An account as a customer knows it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WalletAccount")]
pub struct AccountName {
    /// Its id.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
}

/// A site as a customer knows it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WalletSite")]
pub struct SiteName {
    /// What the customer calls it.
    pub id: SiteId,
    /// A name for people.
    pub label: Option<String>,
    /// The client it is run for.
    pub client: Option<ClientId>,
}

/// Credits that come again.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Recurring {
    /// What is left of them.
    pub balance: Credits,
    /// What comes each time; nothing without a plan.
    pub cap: Credits,
    /// When they come next; never without a plan.
    pub renews_at: Option<Timestamp>,
}

/// Credits that were bought or given.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct TopUp {
    /// What is left of them.
    pub balance: Credits,
}

/// A slice of the breakdown.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "BreakdownRow")]
pub struct Part {
    /// The grant it is part of.
    pub grant: GrantId,
    /// What kind of credits.
    pub category: Category,
    /// What the customer reads.
    pub label: String,
    /// Whether it is for one site or for all.
    pub scope: Scope,
    /// For which site, where there can be more than one.
    #[serde(skip_serializing_if = "SiteColumn::is_left_out")]
    pub site: SiteColumn,
    /// The whole grant's amount.
    pub amount: Credits,
    /// What can be spent of it now.
    pub remaining: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// From when it is good.
    pub effective_at: Timestamp,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// The order it was bought with.
    pub order: Option<String>,
}

/// Whether credits are for one site or for all of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "SliceScope")]
pub enum Scope {
    /// One site.
    Site,
    /// All of them.
    Pool,
}

impl Scope {
    /// The scope of what lies in `compartment`.
    #[must_use]
    pub fn of(compartment: &Compartment) -> Self {
        match compartment {
            Compartment::Pool => Self::Pool,
            Compartment::Site(_) => Self::Site,
        }
    }
}

/// The field `site` of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteColumn {
    /// Not there: the wallet is one site's.
    Left,
    /// Null: for all sites.
    Pool,
    /// The site.
    Site(SiteId),
}

impl SiteColumn {
    /// Whether the row has no such field.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        *self == Self::Left
    }
}

impl schemars::JsonSchema for SiteColumn {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SiteColumn".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Option::<SiteId>::json_schema(generator)
    }
}

impl Serialize for SiteColumn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Left | Self::Pool => serializer.serialize_none(),
            Self::Site(site) => site.serialize(serializer),
        }
    }
}
