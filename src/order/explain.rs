//! The whole story of an order: what the shop said, what follows from it, what was booked, and what is missing.
//!
//! Nothing is decided here. Targets and their working are those of [`target`](super::target), worths and amounts
//! are what is remembered and booked; this puts them side by side, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::apply::Rules;
use super::naming::{Naming, site_of};
use super::preview::Sums;
use super::remedy::{self, Missing, Scene};
use super::store::{self, GrantOf, KnownLine, Lying, Moved};
use super::target::{self, Decision, Known, LineDecision, LineFacts, Standing, Working};
use super::{DELETED, Order, words};
use crate::db::{self, Tx};
use crate::id::{AccountId, SiteId};
use crate::inbox::store::{self as inbox, Delivery};
use crate::ledger::slice::Compartment;
use crate::schema;
use crate::shop::Store;
use crate::site::{self, Account, AccountRef, Owner};
use crate::time::Timestamp;
use crate::units::Credits;

/// The most movements that are told; an order has a handful.
const MOVEMENTS_MAX: i64 = 1000;

/// All that is known of an order and its credits.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "OrderStory")]
pub struct Story {
    /// The store's name.
    pub store: String,
    /// The order's id there.
    #[serde(serialize_with = "super::id_as_text")]
    #[schemars(with = "schema::OrderId")]
    pub order: i64,
    /// The number customers read.
    pub number: String,
    /// How it stands, in a sentence.
    pub summary: String,
    /// Its status in the shop.
    pub status: String,
    /// What that means for its credits.
    pub meaning: &'static str,
    /// When money came.
    pub paid_at: Option<Timestamp>,
    /// When the shop last changed it.
    pub modified_at: Timestamp,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When its newest state was applied.
    pub applied_at: Timestamp,
    /// When the shop itself was asked and showed this state; nothing if it only told of it.
    pub confirmed_at: Option<Timestamp>,
    /// Whom the order names as its buyer, like `shop:customer:7`.
    pub buyer: Option<String>,
    /// Whose credits they are, once anything was granted.
    pub account: Option<Owner>,
    /// What a person decided about its credits.
    pub assigned: Option<Assignment>,
    /// What it waits for.
    pub parked: Option<String>,
    /// What a person should look at.
    pub attention: Option<String>,
    /// What is missing, each with what to do about it.
    pub missing: Vec<Missing>,
    /// What it granted, less what was taken back.
    pub granted: Credits,
    /// What was used of that.
    pub used: Credits,
    /// What is left of it, held or not.
    pub left: Credits,
    /// Its lines, and those it had.
    pub lines: Vec<LineStory>,
    /// What it granted.
    pub grants: Vec<GrantOf>,
    /// What became of it, first things first.
    pub entries: Vec<EntryStory>,
    /// Where what is left of it lies.
    pub places: Vec<Lying>,
    /// What the shop sent of it, in order of arrival.
    pub deliveries: Vec<Delivery>,
}

/// What a person decided about an order's credits.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Assignment {
    /// Where they go: `pool`, `site:ID`, or nothing where the order says.
    pub place: Option<String>,
    /// When that was said.
    pub place_at: Option<Timestamp>,
    /// When somebody said whose they are.
    pub account_at: Option<Timestamp>,
}

/// One line of the story.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct LineStory {
    /// The line's id in the shop.
    pub line: i64,
    /// What was bought.
    pub name: String,
    /// The product, 0 if it was never known.
    pub product: i64,
    /// The variation, 0 if there is none.
    pub variation: i64,
    /// The stock keeping unit, if it has one.
    pub sku: Option<String>,
    /// How many; nothing once the line was removed.
    pub quantity: Option<String>,
    /// What was paid for it without tax; nothing once the line was removed.
    pub total: Option<String>,
    /// Whether it is a Tokens line, as far as that is known.
    pub is_tokens: Option<bool>,
    /// What it is worth, as it is remembered from the first time that was known.
    pub worth: Option<String>,
    /// Who said so: `promise`, `package TARGET` or `product ID`.
    pub worth_from: Option<String>,
    /// What the order says of its site, and where its credits go therefore.
    pub site: Option<SiteStory>,
    /// What it should have granted.
    pub target: Credits,
    /// What it has granted, less what was taken back.
    pub booked: Credits,
    /// The same by its grants: it differs from what is booked by what is owed or borne by the shop.
    pub granted: Credits,
    /// What was used of that.
    pub used: Credits,
    /// What is left of it, held or not.
    pub left: Credits,
    /// How the target was reached.
    pub working: Option<Working>,
    /// The same in words.
    pub arithmetic: Option<String>,
    /// All of that in a sentence.
    pub says: String,
}

/// Where a line's credits go, and why.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct SiteStory {
    /// What the order names, whether or not that is a site.
    pub named: Option<String>,
    /// Where they go: `pool` or `site:ID`.
    pub compartment: String,
    /// Why there.
    pub why: String,
}

/// A movement of the order's credits.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct EntryStory {
    /// When; nothing for a sum.
    pub at: Option<Timestamp>,
    /// In whose books.
    pub account: AccountId,
    /// The grant.
    pub grant: crate::id::GrantId,
    /// The line that brought it.
    pub line: i64,
    /// Its kind: `granted`, `moved`, `spent`, `expired`, `clawed`, `owed`, `repaid`, …
    pub kind: &'static str,
    /// How many.
    pub credits: Credits,
    /// What caused it; nothing for a sum.
    pub operation: Option<String>,
    /// In words.
    pub says: String,
}

impl Story {
    /// Adds up what became of the grants it tells of, in all and line by line.
    fn add_up(&mut self) {
        let Sums { granted, used, left } = Sums::of(self.grants.iter());
        (self.granted, self.used, self.left) = (granted, used, left);
        for line in &mut self.lines {
            let of_line = self.grants.iter().filter(|grant| grant.line == line.line);
            let Sums { granted, used, left } = Sums::of(of_line);
            (line.granted, line.used, line.left) = (granted, used, left);
        }
    }

    /// The story as far as it is `account`'s own: not what the shop sent, nor what others have.
    #[must_use]
    pub fn for_account(mut self, account: &AccountId) -> Self {
        self.deliveries.clear();
        self.entries.retain(|entry| entry.account == *account);
        self.places.retain(|lying| lying.account == *account);
        self.grants.retain(|grant| {
            grant.account == *account || self.places.iter().any(|lying| lying.grant == grant.id)
        });
        for grant in &mut self.grants {
            grant.account.clone_from(account);
        }
        self.add_up();
        // Who else it was bought by, or had been given to, is not this account's to read.
        self.buyer = None;
        for entry in &mut self.entries {
            let words: Vec<&str> = entry.says.split(' ').collect();
            if let Some(at) = words.iter().position(|word| word.starts_with("acc_")).filter(|at| *at > 0) {
                entry.says = [&words[..at - 1], &["another", "account"], &words[at + 1..]].concat().join(" ");
            }
        }
        self
    }
}

/// Tells the story of an order, if it was ever heard of.
pub fn story(tx: &mut Tx<'_>, shop: &Store, rules: &Rules, order: i64) -> Result<Option<Story>, db::Error> {
    let Some(known) = store::find(tx, shop.id, order)? else { return Ok(None) };
    let settings = rules.settings(shop);
    let standing = target::standing(&known.order, &settings);
    let account = match &known.account {
        Some(id) => site::store::account(tx, id)?,
        None => None,
    };
    let remembered = store::lines(tx, shop.id, order)?;
    let decided: BTreeMap<i64, LineDecision> =
        target::decide(&known.order, &facts(&remembered, &known, shop), &settings)
            .into_iter()
            .map(|line| (line.line_id, line))
            .collect();
    let mut lines = Vec::with_capacity(remembered.len());
    for line in remembered {
        let site = match (known.order.line(line.line), line.is_tokens) {
            (None, _) | (_, Some(false)) => None,
            _ if standing == Standing::Undone && line.booked.is_zero() => None,
            (Some(_), _) => Some(site_story(tx, shop, rules, &known, &line, account.as_ref())?),
        };
        let decision = decided.get(&line.line);
        let waits = waits(&line, decision.map(|line| &line.decision), known.parked.as_deref());
        lines.push((tell(&known.order, &line, decision, standing, site, waits), line));
    }
    let grants = store::grants(tx, shop.id, order)?;
    let mut entries: Vec<EntryStory> =
        store::movements(tx, shop.id, order, MOVEMENTS_MAX)?.into_iter().map(entry).collect();
    let now = tx.now();
    entries.extend(grants.iter().filter(|grant| !grant.spent.is_zero()).map(used));
    let places = store::lying(tx, shop.id, order)?;
    let scene = Scene {
        shop,
        known: &known,
        standing,
        lines: &lines,
        decided: &decided,
        account: account.as_ref(),
        grants: &grants,
        places: &places,
        now,
    };
    let missing = remedy::missing(tx, &scene)?;
    let summary = remedy::summary(&scene, &missing);
    let assigned = &known.assigned;
    let is_assigned = assigned.site.is_some() || assigned.account_at.is_some();
    let assigned = is_assigned.then(|| Assignment {
        place: assigned.site.as_ref().map(|placed| words::wallet(&placed.compartment)),
        place_at: assigned.site.as_ref().map(|placed| placed.at),
        account_at: assigned.account_at,
    });
    let mut story = Story {
        store: shop.name.to_string(),
        order,
        summary,
        meaning: words::meaning(standing),
        paid_at: known.order.paid_at,
        modified_at: known.order.modified_at,
        first_seen_at: known.first_seen_at,
        applied_at: known.applied_at,
        confirmed_at: known.seen.asked_at(),
        buyer: buyer(shop, &known.order),
        account: account.map(|account| Owner { id: account.id, name: account.name }),
        assigned,
        missing,
        lines: lines.into_iter().map(|(line, _)| line).collect(),
        grants,
        entries,
        places,
        deliveries: inbox::of_order(tx, shop.id, order)?,
        number: known.order.number,
        status: known.order.status,
        parked: known.parked,
        attention: known.attention,
        granted: Credits::ZERO,
        used: Credits::ZERO,
        left: Credits::ZERO,
    };
    story.add_up();
    Ok(Some(story))
}

/// Whom the order names as its buyer.
pub(super) fn buyer(shop: &Store, order: &Order) -> Option<String> {
    let key = order.buyer().natural_key()?.parse().ok()?;
    Some(AccountRef::Customer { store: shop.name.to_string(), key }.to_string())
}

/// What is remembered of the lines, as far as it decides about them.
fn facts(lines: &[KnownLine], known: &store::Known, shop: &Store) -> Known {
    let facts = lines.iter().map(|line| {
        (line.line, LineFacts { is_tokens: line.is_tokens, worth: line.worth.clone(), reason: None })
    });
    let removed = lines
        .iter()
        .filter(|line| known.order.line(line.line).is_none() && line.is_tokens == Some(true))
        .map(|line| line.line);
    Known {
        facts: facts.collect(),
        removed: removed.collect(),
        is_confirmed: known.seen.is_shown() || known.order.status == DELETED,
        can_ask: shop.has_rest_keys,
    }
}

/// Where a line's credits go, and why. Reads only: a site nobody owns stays nobody's.
fn site_story(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    known: &store::Known,
    line: &KnownLine,
    account: Option<&Account>,
) -> Result<SiteStory, db::Error> {
    let naming = known
        .order
        .line(line.line)
        .map_or(Naming::NotNamed, |on_order| site_of(&known.order, on_order, &shop.site_keys));
    let named = match &naming {
        Naming::Named(site) => Some(site.to_string()),
        Naming::Invalid(text) => Some(text.clone()),
        Naming::NotNamed => None,
    };
    let story = |compartment: &Compartment, why: String| SiteStory {
        named: named.clone(),
        compartment: words::wallet(compartment),
        why,
    };
    let pool = |why: String| story(&Compartment::Pool, why);
    let theirs = account.map(|account| &account.id);
    if let Some(placed) = &known.assigned.site {
        return Ok(match &placed.compartment {
            Compartment::Pool => pool("assigned to the pool by hand".to_owned()),
            at @ Compartment::Site(site) => match site::store::owner(tx, site)? {
                owner if owner.as_ref() == theirs => story(at, "assigned there by hand".to_owned()),
                _ => pool(format!("site {site}, where it was assigned by hand, is no longer its account's")),
            },
        });
    }
    let site: SiteId = match naming {
        Naming::NotNamed => {
            return Ok(match account.and_then(|account| account.default_site.clone()) {
                Some(site) => {
                    let why = "the order names no site, and this is the account's default".to_owned();
                    story(&Compartment::Site(site), why)
                }
                None => pool("the order names no site, and the account has no default site".to_owned()),
            });
        }
        Naming::Invalid(text) => return Ok(pool(format!("{text:?}, which the order names, is no site id"))),
        Naming::Named(site) => site,
    };
    let found = site::store::get(tx, &site)?;
    let from = found.as_ref().and_then(|found| found.from_order.as_ref());
    let is_from_here =
        from.is_some_and(|from| from.store == shop.name.as_str() && from.order == known.order.id);
    let owner = found.as_ref().and_then(|found| found.account.as_ref());
    let at = Compartment::Site(site.clone());
    Ok(match owner {
        Some(owner) if Some(&owner.id) == theirs && is_from_here => {
            story(&at, "the order names it, and registered it because it was nobody's".to_owned())
        }
        Some(owner) if Some(&owner.id) == theirs => {
            story(&at, "the order names it, and it is the account's own".to_owned())
        }
        Some(owner) => match theirs {
            Some(theirs) if site::store::was_handed_over(tx, &site, theirs)? => pool(format!(
                "site {site}, which the order names, was handed over to {} with the credits that were there",
                owner.id
            )),
            _ => pool(format!("site {site}, which the order names, belongs to another account")),
        },
        None if rules.auto_register && line.booked.is_zero() => {
            story(&at, "the order names it; it is nobody's and will be registered for the buyer".to_owned())
        }
        None => pool(format!("site {site}, which the order names, belongs to nobody")),
    })
}

/// What keeps a line from being where it should be, though its product and worth are known.
fn waits(line: &KnownLine, decision: Option<&Decision>, parked: Option<&str>) -> Option<String> {
    if line.is_tokens != Some(true) || line.worth.is_none() {
        return None;
    }
    let booked = line.booked;
    match decision? {
        Decision::Parked { reason } => Some(format!("{} booked; it waits: {reason}", booked.in_words())),
        Decision::Attention { reason } => {
            Some(format!("{} booked; somebody must look at it: {reason}", booked.in_words()))
        }
        Decision::Target { credits, .. } if *credits != booked => {
            parked.map(|reason| format!("{} booked, {credits} due; it waits: {reason}", booked.in_words()))
        }
        Decision::Target { .. } | Decision::Keep { .. } | Decision::NotTokens => None,
    }
}

fn tell(
    order: &Order,
    line: &KnownLine,
    decision: Option<&LineDecision>,
    standing: Standing,
    site: Option<SiteStory>,
    waits: Option<String>,
) -> LineStory {
    let on_order = order.line(line.line);
    let working = decision.and_then(|line| line.working.clone());
    LineStory {
        says: waits.unwrap_or_else(|| says(line, on_order.is_some(), standing)),
        line: line.line,
        name: line.name.clone(),
        product: line.product,
        variation: line.variation,
        sku: Some(line.sku.clone()).filter(|sku| !sku.is_empty()),
        quantity: on_order.map(|line| line.quantity.normalize().to_string()),
        total: on_order.map(|line| format!("{} {}", line.total, order.currency).trim().to_owned()),
        is_tokens: line.is_tokens,
        worth: line.worth.as_ref().map(|worth| words::worth(worth, line.worth_from.as_deref())),
        worth_from: line.worth_from.clone(),
        site,
        target: line.target,
        booked: line.booked,
        granted: Credits::ZERO,
        used: Credits::ZERO,
        left: Credits::ZERO,
        arithmetic: working.as_ref().map(|working| words::arithmetic(working, line.booked)),
        working,
    }
}

fn entry(moved: Moved) -> EntryStory {
    EntryStory {
        says: words::movement(&moved),
        at: Some(moved.at),
        account: moved.account,
        grant: moved.grant,
        line: moved.line,
        kind: moved.kind.as_str(),
        credits: moved.credits,
        operation: Some(moved.operation),
    }
}

/// What was used of a grant, as one entry.
fn used(grant: &GrantOf) -> EntryStory {
    EntryStory {
        at: None,
        account: grant.account.clone(),
        grant: grant.id.clone(),
        line: grant.line,
        kind: "spent",
        credits: grant.spent,
        operation: None,
        says: format!("{} spent until now", grant.spent),
    }
}

fn says(line: &KnownLine, is_on_order: bool, standing: Standing) -> String {
    match (line.is_tokens, &line.worth) {
        (Some(false), _) => "not a Tokens product: grants nothing".to_owned(),
        (None, _) if standing == Standing::Paid => {
            "nothing granted: it waits until it is known whether this is a Tokens product".to_owned()
        }
        (None, _) => "whether this is a Tokens product is decided when it is paid".to_owned(),
        (Some(true), None) => {
            "a Tokens product, but nobody said how many credits it brings: `nivella-wallet package set` does"
                .to_owned()
        }
        (Some(true), Some(_)) if !is_on_order => {
            format!("no longer on the order: {} of its credits are still booked", line.booked)
        }
        (Some(true), Some(_)) => match standing {
            Standing::Paid | Standing::Gone | Standing::Undone if line.target == line.booked => {
                format!("{} booked, as it should be", line.booked.in_words())
            }
            Standing::Waiting if !line.booked.is_zero() => {
                format!("{} booked and frozen", line.booked.in_words())
            }
            Standing::Waiting | Standing::WithoutDate if line.booked.is_zero() => {
                "nothing granted until it is paid".to_owned()
            }
            _ => format!("{} booked, {} due", line.booked.in_words(), line.target),
        },
    }
}
