//! What is missing for an order's credits to be where somebody looks for them, each with what to do about it.
//!
//! The way of a credit has few places where it can stop: the payment, the product, its worth, the buyer, the site,
//! the refunds, the account, the time. They are looked at in this order, and each that is a stop is named.

use std::collections::BTreeMap;

use serde::Serialize;

use super::explain::{LineStory, buyer};
use super::naming::{Naming, site_of};
use super::store::{GrantOf, Known, KnownLine, Lying};
use super::target::{Decision, LineDecision, Standing};
use super::{Line, words};
use crate::catalog::store::Lookup;
use crate::catalog::{self, Subject, worth};
use crate::db::{self, Tx};
use crate::ledger::slice::Compartment;
use crate::shop::Store;
use crate::site::{self, Account};
use crate::time::Timestamp;
use crate::units::Credits;

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Missing {
    /// At which step it stopped: `payment`, `product`, `worth`, `buyer`, `site`, `refund`, `account`, `expiry`,
    /// `spent`, `shop` or `other`.
    pub step: &'static str,
    /// What, in words.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// What is known of an order when its story is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) shop: &'a Store,
    pub(super) known: &'a Known,
    pub(super) standing: Standing,
    pub(super) lines: &'a [(LineStory, KnownLine)],
    pub(super) decided: &'a BTreeMap<i64, LineDecision>,
    pub(super) account: Option<&'a Account>,
    pub(super) grants: &'a [GrantOf],
    pub(super) places: &'a [Lying],
    pub(super) now: Timestamp,
}

/// How many lookups of a store are looked at.
const LOOKUPS_MAX: i64 = 1000;

/// What is missing, in the order of a credit's way.
pub(super) fn missing(tx: &mut Tx<'_>, scene: &Scene<'_>) -> Result<Vec<Missing>, db::Error> {
    let mut missing = Vec::new();
    missing.extend(scene.payment());
    for (_, line) in scene.lines {
        missing.extend(scene.product(tx, line)?);
    }
    missing.extend(scene.no_tokens());
    missing.extend(scene.buyer());
    for (_, line) in scene.lines {
        if let Some(found) = scene.site(tx, line)?
            && !missing.contains(&found)
        {
            missing.push(found);
        }
    }
    missing.extend(scene.refunds());
    missing.extend(scene.asking(tx)?);
    missing.extend(scene.frozen());
    missing.extend(scene.used_up());
    scene.other(&mut missing);
    Ok(missing)
}

/// How the order stands, in a sentence: what is left of it and where, or at which step it stopped.
pub(super) fn summary(scene: &Scene<'_>, missing: &[Missing]) -> String {
    let left: Credits = scene.places.iter().flat_map(|lying| [lying.remaining, lying.held]).sum();
    let granted: Credits = scene.grants.iter().map(|grant| grant.credits).sum();
    let whose = scene.account.map_or_else(|| "nobody yet".to_owned(), |account| account.name.clone());
    if left.is_zero() {
        return match missing.first() {
            None if scene.ended().is_some() => {
                format!("no credits are left of it: {}", scene.ended().unwrap_or_default())
            }
            Some(first) => format!("no credits are left of it: {}", first.what),
            None if granted.is_zero() => "it granted nothing, as it should be".to_owned(),
            None => format!("it granted {}, and nothing is left", granted.in_words()),
        };
    }
    let mut at: BTreeMap<String, Credits> = BTreeMap::new();
    for lying in scene.places {
        let sum = at
            .entry(words::compartment(lying.site.as_ref().map(crate::id::SiteId::as_str)))
            .or_insert(Credits::ZERO);
        *sum = [*sum, lying.remaining, lying.held].into_iter().sum();
    }
    let at: Vec<String> = at.iter().map(|(place, credits)| format!("{credits} in {place}")).collect();
    let is_over = scene.places.iter().all(|lying| scene.is_over(lying));
    let frozen = if scene.grants.iter().any(|grant| grant.frozen && !grant.remaining.is_zero()) {
        ", frozen until the order is decided"
    } else if is_over {
        ", expired since"
    } else {
        ""
    };
    let sum = |of: fn(&GrantOf) -> Credits| scene.grants.iter().map(of).sum::<Credits>();
    let gone = [
        (sum(|grant| grant.spent), "spent"),
        (sum(|grant| grant.clawed), "taken back"),
        (sum(|grant| grant.expired), "expired"),
    ];
    let gone: Vec<String> = gone
        .iter()
        .filter(|(credits, _)| !credits.is_zero())
        .map(|(credits, how)| format!("{credits} {how}"))
        .collect();
    let are = if left == Credits::ONE { "is" } else { "are" };
    let gone = if gone.is_empty() { String::new() } else { format!(" ({})", gone.join(", ")) };
    format!("{} of it {are} left with {whose}: {}{frozen}{gone}", left.in_words(), at.join(", "))
}

impl Scene<'_> {
    fn is_over(&self, lying: &Lying) -> bool {
        lying.expires_at.is_some_and(|at| at <= self.now)
    }

    fn name(&self) -> String {
        format!("{} {}", self.shop.name, self.known.order.id)
    }

    fn on_order(&self, line: &KnownLine) -> Option<&Line> {
        self.known.order.line(line.line)
    }

    /// Whether money came.
    fn payment(&self) -> Option<Missing> {
        let order = &self.known.order;
        let status = &order.status;
        let (what, remedy) = match self.standing {
            // As it should be: of one that is undone or gone the summary says what became of it.
            Standing::Paid | Standing::Undone | Standing::Gone => return None,
            Standing::WithoutDate => (
                format!("the order is {status}, but the shop has no date of payment, as with cash on delivery"),
                "when the money came, set the order to completed in the shop, which writes the date; to count such \
                 orders at once set orders.require_date_paid = false"
                    .to_owned(),
            ),
            Standing::Waiting => (
                self.waiting(),
                format!(
                    "it goes on by itself when the shop sets it to {}; if {status} means paid in this shop, \
                     `nivella-wallet store set {} --paid-status …` names all that do",
                    self.shop.paid_statuses.join(" or "),
                    self.shop.name
                ),
            ),
        };
        Some(Missing { step: "payment", what, remedy })
    }

    /// Why an order that is not decided grants nothing more.
    fn waiting(&self) -> String {
        let status = &self.known.order.status;
        let has_granted = self.grants.iter().any(|grant| !grant.remaining.is_zero());
        let frozen = if has_granted { ", and what is left of what it granted is frozen" } else { "" };
        match status.as_str() {
            "pending" | "on-hold" | "checkout-draft" => match self.known.order.paid_at {
                None => format!("the order is {status}: nobody has paid it yet{frozen}"),
                Some(at) => format!(
                    "the order is {status}: it was paid at {at}, and the shop has put it back since{frozen}"
                ),
            },
            _ => format!("the order is {status}, which is no paid status of this store{frozen}"),
        }
    }

    /// What became of an order that counts no more.
    fn ended(&self) -> Option<String> {
        let status = &self.known.order.status;
        let sum = |of: fn(&GrantOf) -> Credits| self.grants.iter().map(of).sum::<Credits>();
        let (granted, clawed) = (sum(|grant| grant.credits), sum(|grant| grant.clawed));
        let how = match self.standing {
            Standing::Undone => format!("the order is {status}"),
            Standing::Gone if status == "trash" => "the order is in the shop's trash".to_owned(),
            Standing::Gone => "the order was deleted for good in the shop".to_owned(),
            Standing::Paid | Standing::Waiting | Standing::WithoutDate => return None,
        };
        let spent = sum(|grant| grant.spent);
        Some(if granted.is_zero() {
            format!("{how}, and it never granted anything")
        } else if self.standing == Standing::Undone && !spent.is_zero() {
            format!("{how}: {} taken back, {spent} had been spent", clawed.in_words())
        } else if clawed.is_zero() {
            format!("{how}: what it granted stays, nothing new is granted")
        } else {
            format!("{how}: {} taken back", clawed.in_words())
        })
    }

    /// Whether a line's product and worth are known.
    fn product(&self, tx: &mut Tx<'_>, line: &KnownLine) -> Result<Option<Missing>, db::Error> {
        let Some(on_order) = self.on_order(line) else { return Ok(None) };
        // Of an order that grants nothing more, nobody needs to know what it would grant.
        if matches!(self.standing, Standing::Undone | Standing::Gone) {
            return Ok(None);
        }
        if line.is_tokens == Some(false) || (line.is_tokens.is_some() && line.worth.is_some()) {
            return Ok(self.too_large(line));
        }
        let question = worth::Line {
            product_id: line.product,
            variation_id: line.variation,
            sku: &line.sku,
            promised: on_order.credits_promised,
            terms: Some(&on_order.terms),
        };
        let judged = catalog::store::judge(tx, self.shop, &question)?;
        let step = if judged.is_tokens() == Some(true) { "worth" } else { "product" };
        if let Some(text) = &on_order.promise_unreadable {
            let what = format!("line {} promises {text:?} credits, which is no amount", line.line);
            let remedy =
                format!("correct _nivella_credits on the order in the shop, or {}", self.set_package(line));
            return Ok(Some(Missing { step: "worth", what, remedy }));
        }
        let Some(gap) = judged.gap() else {
            // While nothing is paid a line is left open, because somebody may still say that it sells credits.
            if self.standing != Standing::Paid || judged.is_tokens() == Some(false) {
                return Ok(None);
            }
            let what = format!("line {} waits, although all that it waited for is known", line.line);
            let remedy = format!("`nivella-wallet order replay {}` books it", self.name());
            return Ok(Some(Missing { step, what, remedy }));
        };
        let remedy = match gap.needs {
            _ if line.product == 0 => self.give_by_hand(),
            Some(need) if self.shop.has_rest_keys => {
                if let Some(lookup) = self.asked(tx, need.into())? {
                    return Ok(Some(self.asked_in_vain(line, step, &lookup)));
                }
                format!(
                    "the shop is asked by itself; if it has the product no more, and it sold credits, {}",
                    self.set_package(line)
                )
            }
            Some(_) => format!(
                "save the product once in the shop, so that its category is known: if it sells no credits, nothing more \
                 is to be done; if it does and is no Tokens product there, {}",
                self.set_package(line)
            ),
            None => gap.remedy.clone().unwrap_or_else(|| self.set_package(line)),
        };
        Ok(Some(Missing { step, what: gap.reason.clone(), remedy }))
    }

    /// What the shop was asked and did not say.
    fn asked(&self, tx: &mut Tx<'_>, subject: Subject) -> Result<Option<Lookup>, db::Error> {
        let lookups = catalog::store::lookups(tx, self.shop.id, LOOKUPS_MAX)?;
        Ok(lookups.into_iter().find(|lookup| lookup.subject == subject && lookup.last_error.is_some()))
    }

    fn asked_in_vain(&self, line: &KnownLine, step: &'static str, lookup: &Lookup) -> Missing {
        let when = format!(
            "(asked {}again {})",
            lookup.asked_at.map(|at| format!("{}, ", words::minute(at))).unwrap_or_default(),
            words::minute(lookup.due_at)
        );
        let what = match lookup.subject {
            Subject::Product(id) if id == line.variation && lookup.is_gone() => {
                format!("the shop has no variation {id} of product {} {when}", line.product)
            }
            Subject::Product(id) if lookup.is_gone() => format!("the shop has no product {id} {when}"),
            subject => format!(
                "the shop did not say what {subject} is: {} {when}",
                lookup.last_error.as_deref().unwrap_or_default()
            ),
        };
        let remedy = format!(
            "{}; once the shop has it, `nivella-wallet order replay {}` has it asked at once",
            self.set_package(line),
            self.name()
        );
        Missing { step, what, remedy }
    }

    fn too_large(&self, line: &KnownLine) -> Option<Missing> {
        match self.decided.get(&line.line).map(|line| &line.decision) {
            Some(Decision::Parked { reason }) => {
                Some(Missing { step: "worth", what: reason.clone(), remedy: self.give_by_hand() })
            }
            _ => None,
        }
    }

    fn set_package(&self, line: &KnownLine) -> String {
        let variation =
            if line.variation > 0 { format!(" --variation {}", line.variation) } else { String::new() };
        format!(
            "`nivella-wallet package set --store {} --product {}{variation} --credits N`",
            self.shop.name, line.product
        )
    }

    fn give_by_hand(&self) -> String {
        let wallet = self
            .account
            .map(|account| account.id.to_string())
            .or_else(|| buyer(self.shop, &self.known.order));
        let wallet = wallet.unwrap_or_else(|| "ACC".to_owned());
        format!("`nivella-wallet wallet grant account:{wallet} --credits N --reason …` gives credits by hand")
    }

    /// Whether anything on the order sells credits.
    fn no_tokens(&self) -> Option<Missing> {
        let on_order = || self.lines.iter().filter(|(_, line)| self.on_order(line).is_some());
        if on_order().next().is_none() || on_order().any(|(_, line)| line.is_tokens != Some(false)) {
            return None;
        }
        let products: Vec<String> =
            on_order().map(|(_, line)| format!("{} ({})", line.product, line.name)).collect();
        Some(Missing {
            step: "product",
            what: format!(
                "none of its products is in a Tokens category ({}): {}",
                self.shop.tokens_categories.join(", "),
                products.join(", ")
            ),
            remedy: format!(
                "nothing, if none of them sells credits. If one does, put it into the category and save it in the shop, \
                 or `nivella-wallet package set --store {} --product ID --credits N`: that counts for later orders. For \
                 this one {}",
                self.shop.name,
                self.give_by_hand()
            ),
        })
    }

    /// Whether it is known whose the credits are.
    fn buyer(&self) -> Option<Missing> {
        let is_due = self
            .decided
            .values()
            .any(|line| matches!(line.decision, Decision::Target { credits, .. } if !credits.is_zero()));
        if self.known.account.is_some() || !is_due || buyer(self.shop, &self.known.order).is_some() {
            return None;
        }
        Some(Missing {
            step: "buyer",
            what: format!("order {} names neither a customer nor an e-mail address", self.known.order.id),
            remedy: format!(
                "enter one in the shop, or `nivella-wallet order assign {} --account ACC`",
                self.name()
            ),
        })
    }

    /// Whether a line's credits are where the order says.
    fn site(&self, tx: &mut Tx<'_>, line: &KnownLine) -> Result<Option<Missing>, db::Error> {
        let (Some(on_order), Some(true), true) =
            (self.on_order(line), line.is_tokens, self.known.attention.is_some())
        else {
            return Ok(None);
        };
        let order = self.known.order.id;
        let assign = format!(
            "`nivella-wallet order assign {} --site SITE`, or --pool to leave them there",
            self.name()
        );
        let theirs = self.account.map(|account| &account.id);
        if let Some(placed) = &self.known.assigned.site {
            let Compartment::Site(site) = &placed.compartment else { return Ok(None) };
            if site::store::owner(tx, site)?.as_ref() == theirs {
                return Ok(None);
            }
            return Ok(Some(Missing {
                step: "site",
                what: format!(
                    "site {site}, where order {order} was assigned by hand, is no longer its account's"
                ),
                remedy: assign,
            }));
        }
        let found = match site_of(&self.known.order, on_order, &self.shop.site_keys) {
            Naming::NotNamed => None,
            Naming::Invalid(text) => Some((
                format!("{text:?} on order {order} is no site id: its credits are in the pool"),
                format!("correct it on the order in the shop, or {assign}"),
            )),
            Naming::Named(site) => match site::store::owner(tx, &site)? {
                owner if owner.is_some() && owner.as_ref() == theirs => None,
                Some(owner) => Some((
                    format!(
                        "site {site} on order {order} belongs to another account: its credits are in the pool"
                    ),
                    format!(
                        "if they are for that site, `nivella-wallet order assign {} --account {owner} --site {site}`; \
                         else {assign}",
                        self.name()
                    ),
                )),
                None => Some((
                    format!("site {site} on order {order} belongs to nobody: its credits are in the pool"),
                    format!(
                        "`nivella-wallet site assign {site} --account {}`, then `nivella-wallet order assign {} \
                         --site {site}`",
                        self.account.map_or_else(|| "ACC".to_owned(), |account| account.id.to_string()),
                        self.name()
                    ),
                )),
            },
        };
        Ok(found.map(|(what, remedy)| Missing { step: "site", what, remedy }))
    }

    /// Whether it is known what was refunded.
    fn refunds(&self) -> Option<Missing> {
        let reason = self.decided.values().find_map(|line| match &line.decision {
            Decision::Attention { reason } => Some(reason.clone()),
            _ => None,
        })?;
        let remedy = if self.shop.has_rest_keys {
            format!("the shop is asked by itself; `nivella-wallet order replay {}` asks at once", self.name())
        } else {
            format!(
                "give the store REST keys with `nivella-wallet store set {} --consumer-key ck_… \
                 --consumer-secret-file FILE`: then the shop is asked; or correct by hand with `nivella-wallet wallet adjust`",
                self.shop.name
            )
        };
        Some(Missing { step: "refund", what: reason, remedy })
    }

    /// Whether the shop is still to be asked about the order. Without REST keys it cannot be, and if that matters
    /// another step says so.
    fn asking(&self, tx: &mut Tx<'_>) -> Result<Option<Missing>, db::Error> {
        if !self.shop.has_rest_keys {
            return Ok(None);
        }
        let order = Subject::Order(self.known.order.id);
        let lookups = catalog::store::lookups(tx, self.shop.id, LOOKUPS_MAX)?;
        let Some(lookup) = lookups.into_iter().find(|lookup| lookup.subject == order) else {
            return Ok(None);
        };
        let (what, remedy) = match lookup.last_error {
            None => (
                format!("the shop is being asked about it: {}", lookup.reason),
                "nothing: it goes on by itself within seconds while the daemon runs".to_owned(),
            ),
            Some(error) => (
                format!(
                    "the shop was asked about it in vain: {error} (again {})",
                    words::minute(lookup.due_at)
                ),
                format!(
                    "it is asked again by itself; `nivella-wallet store check {}` looks at its keys",
                    self.shop.name
                ),
            ),
        };
        Ok(Some(Missing { step: "shop", what, remedy }))
    }

    /// Whether the account may spend.
    fn frozen(&self) -> Option<Missing> {
        let account = self.account?;
        let reason = account.frozen_reason.as_ref()?;
        Some(Missing {
            step: "account",
            what: format!("account {} is frozen: {reason}", account.name),
            remedy: format!(
                "`nivella-wallet account unfreeze {} --reason …` once that is settled",
                account.id
            ),
        })
    }

    /// What became of credits that are no longer there.
    fn used_up(&self) -> Option<Missing> {
        let sum = |of: fn(&GrantOf) -> Credits| self.grants.iter().map(of).sum::<Credits>();
        let (spent, left) = (sum(|grant| grant.spent), sum(|grant| grant.remaining));
        // What is over and not booked so yet is over all the same.
        let unbooked = self.places.iter().filter(|lying| self.is_over(lying)).map(|lying| lying.remaining);
        let expired = unbooked.chain([sum(|grant| grant.expired)]).sum::<Credits>();
        if !expired.is_zero() {
            let ends = self.grants.iter().filter_map(|grant| grant.expires_at);
            let at = ends.filter(|at| *at <= self.now).max();
            let at = at.map_or_else(String::new, |at| format!(" at {at}"));
            return Some(Missing {
                step: "expiry",
                what: format!("{expired} of its credits expired{at}"),
                remedy: self.give_by_hand(),
            });
        }
        (left.is_zero() && !spent.is_zero() && self.standing == Standing::Paid).then(|| Missing {
            step: "spent",
            what: format!("{spent} of its credits were spent"),
            remedy: format!(
                "`nivella-wallet wallet history account:{}` shows for what",
                self.account.map_or_else(|| "ACC".to_owned(), |account| account.id.to_string())
            ),
        })
    }

    /// What was noted and none of the above says: a refusal of the ledger, mostly.
    fn other(&self, missing: &mut Vec<Missing>) {
        let steps =
            |missing: &[Missing], wanted: &[&str]| missing.iter().any(|each| wanted.contains(&each.step));
        let remedy =
            format!("`nivella-wallet order replay {}` tries it again, once the cause is gone", self.name());
        if let Some(what) = &self.known.parked
            && !steps(missing, &["product", "worth", "buyer"])
        {
            missing.push(Missing { step: "other", what: what.clone(), remedy: remedy.clone() });
        }
        if let Some(what) = &self.known.attention
            && !steps(missing, &["site", "refund"])
        {
            missing.push(Missing { step: "other", what: what.clone(), remedy });
        }
    }
}
