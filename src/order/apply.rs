//! Posts what an order should have granted and has not yet, together with the record of why.
//!
//! There is one way from a state of an order to the books, whoever brought the state: a delivery, the shop's
//! REST API, or a fact that an earlier state had waited for. What is already booked is compared with what
//! [`target`](super::target) says; only the difference is posted. So a repeat changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::bare::{Bare, Remembered};
use super::naming::{Naming, site_of};
use super::newer::{self, Seen, Sighting, Verdict};
use super::notes::Notes;
use super::store::{self, Known, KnownLine};
use super::target::{self, Decision, Discount, LineDecision, LineFacts, OnDelete, Settings, Standing};
use super::{DELETED, Line, Order};
use crate::catalog::{self, Subject, worth};
use crate::db::{self, Tx};
use crate::id::AccountId;
use crate::ledger::slice::Compartment;
use crate::ledger::store::{Expiry, NewGrant, Purchase, Shortfall, Shown};
use crate::ledger::{self, LockedAccount};
use crate::shop::Store;
use crate::site;
use crate::site::NaturalKey;
use crate::site::store::Claim;
use crate::time::Validity;
use crate::units::Credits;

/// How orders count, for all stores.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether paid statuses mean paid only together with the date money came.
    pub require_date_paid: bool,
    /// What a discount does to the credits.
    pub discount: Discount,
    /// Whether a line that cost nothing grants.
    pub free_lines: bool,
    /// What becomes of the credits of an order that is trashed or deleted.
    pub on_delete: OnDelete,
    /// What becomes of credits that were spent before their money went back.
    pub shortfall: Shortfall,
    /// Whether the first purchase that names an unowned site claims it for the buyer.
    pub auto_register: bool,
}

impl Rules {
    /// How the orders of one store count.
    #[must_use]
    pub fn settings(&self, shop: &Store) -> Settings {
        Settings {
            paid_statuses: shop.paid_statuses.clone(),
            require_date_paid: self.require_date_paid,
            discount: self.discount,
            free_lines: self.free_lines,
            on_delete: self.on_delete,
        }
    }
}

/// Where a state of an order comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The id of what brought it; stands in the ledger as the cause of what it books.
    pub operation: &'a str,
    /// How it was seen.
    pub seen: Seen,
}

/// Why an order was not applied. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger refused; a person should look.
    #[error(transparent)]
    Ledger(ledger::store::Error),
    /// The database failed; it may be tried again.
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl From<ledger::store::Error> for Error {
    fn from(error: ledger::store::Error) -> Self {
        match error {
            ledger::store::Error::Database(error) => Self::Database(error),
            refusal => Self::Ledger(refusal),
        }
    }
}

/// What applying an order did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// In a word.
    pub outcome: Outcome,
    /// What it waits for or what a person should look at, in words.
    pub reason: Option<String>,
}

/// What applying an order did, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Credits were added.
    Granted,
    /// Credits were taken back.
    ClawedBack,
    /// Everything was booked already.
    Unchanged,
    /// A line waits for a fact.
    Parked,
    /// No line of it grants credits.
    Ignored,
    /// Something newer was applied before.
    Stale,
    /// The shop is asked whether it is something newer.
    Asked,
}

impl Outcome {
    /// The word the shop is told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::ClawedBack => "clawed_back",
            Self::Unchanged | Self::Stale => "unchanged",
            Self::Parked => "parked",
            Self::Asked => "stored",
            Self::Ignored => "ignored",
        }
    }
}

/// Applies a state of an order that a delivery or the shop's REST API brought.
///
/// # Errors
/// [`Error::Ledger`] when the ledger refuses; nothing is written then, not even the state.
pub fn apply(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    mut incoming: Order,
    source: Source<'_>,
) -> Result<Applied, Error> {
    let known = store::find(tx, shop.id, incoming.id)?;
    let mut recheck = false;
    if let Some(known) = &known {
        if known.erased_at.is_some() {
            incoming.erase_buyer();
        }
        incoming.recall_refunds(&known.order);
        let applied = Sighting { order: &known.order, seen: known.seen };
        match newer::compare(&applied, &Sighting { order: &incoming, seen: source.seen }) {
            Verdict::Newer => {}
            Verdict::Older => {
                let reason = newer::why_older(&known.order, &incoming);
                return Ok(Applied { outcome: Outcome::Stale, reason: Some(reason) });
            }
            Verdict::Same => {
                if incoming.told_at > known.order.told_at {
                    store::save(tx, shop.id, &known.told_again(incoming.told_at, source.seen, tx.now()))?;
                }
                if known.parked.is_none() && known.attention.is_none() {
                    return Ok(Applied { outcome: Outcome::Unchanged, reason: None });
                }
                return again(tx, shop, rules, incoming.id, source.operation);
            }
            Verdict::InDoubt { incoming_wins } => {
                ask_about_order(
                    tx,
                    shop,
                    incoming.id,
                    "which of two states is the later one cannot be told by their dates",
                )?;
                // Where the shop can be asked nothing is supposed: what is spent or frozen meanwhile stays so.
                if shop.has_rest_keys || !incoming_wins {
                    store::mark_for_recheck(tx, shop.id, incoming.id)?;
                    let reason = format!(
                        "whether this is later than what is known of order {} cannot be told by its date",
                        incoming.id
                    );
                    let outcome = if shop.has_rest_keys { Outcome::Asked } else { Outcome::Stale };
                    return Ok(Applied { outcome, reason: Some(reason) });
                }
                recheck = true;
            }
        }
    }
    if source.seen.is_shown() {
        incoming.told_at = known.as_ref().and_then(|known| known.order.told_at);
    }
    let now = tx.now();
    let before = known.as_ref().map(|known| known.order.clone());
    let assigned = known.as_ref().map(|known| known.assigned.after(&known.order, &incoming, &shop.site_keys));
    let next = Known {
        account: known.as_ref().and_then(|known| known.account.clone()),
        assigned: assigned.unwrap_or_default(),
        seen: source.seen,
        recheck,
        parked: None,
        attention: None,
        erased_at: known.as_ref().and_then(|known| known.erased_at),
        first_seen_at: known.map_or(now, |known| known.first_seen_at),
        applied_at: now,
        order: incoming,
    };
    post(tx, shop, rules, &next, Change { before: before.as_ref(), assigns: false }, source.operation)
}

/// Applies the newest known state of an order once more, because facts it waited for may be there now.
pub fn again(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    order: i64,
    operation: &str,
) -> Result<Applied, Error> {
    let Some(known) = store::find(tx, shop.id, order)? else {
        return Ok(Applied { outcome: Outcome::Ignored, reason: None });
    };
    let before = known.order.clone();
    let next = Known { parked: None, attention: None, ..known };
    post(tx, shop, rules, &next, Change { before: Some(&before), assigns: false }, operation)
}

/// Everything that is the same for all lines of an order while it is posted.
struct Posting<'a> {
    shop: &'a Store,
    rules: &'a Rules,
    order: &'a Order,
    /// What this state is compared with.
    change: Change<'a>,
    /// Where a person sent the credits, unless the order says otherwise since.
    assigned: Option<&'a Compartment>,
    /// The buyer, once anything is to be granted.
    buyer: Option<AccountId>,
    /// Whether this state gave the order to another account.
    handed_over: bool,
    /// What its status means.
    standing: Standing,
    /// The id of what brought the state.
    operation: &'a str,
}

/// What brought a state about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// The state before this one.
    pub(super) before: Option<&'a Order>,
    /// Whether a person is just now saying where its credits go, so that all of them move there.
    pub(super) assigns: bool,
}

/// Saves a state and posts what follows from it.
pub(super) fn post(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    next: &Known,
    change: Change<'_>,
    operation: &str,
) -> Result<Applied, Error> {
    let order = &next.order;
    let mut notes = Notes::default();
    // One that is new is written when its buyer is known, once.
    let is_new = change.before.is_none();
    // What was remembered may stand in the state before.
    let (known, was_bare) =
        if is_new { Default::default() } else { store::lines_and_mark(tx, shop.id, order.id)? };
    if !is_new {
        store::save(tx, shop.id, next)?;
    }
    let lines = remember(tx, shop, order, known)?;
    let known = facts(&lines, order, next.seen, shop);
    let settings = rules.settings(shop);
    let decisions = target::decide(order, &known, &settings);
    // Of an order the shop has no more it can tell nothing.
    let is_there = order.status != DELETED;
    if is_there && order.lacks_refund_details() {
        ask_about_order(tx, shop, order.id, "the lines of its refunds are not known")?;
    }
    if is_there && target::lost_all_lines(order, &known) {
        ask_about_order(tx, shop, order.id, "it has no lines any more")?;
    }
    let grants = decisions.iter().any(|line| grants(&line.decision));
    let buyer = if next.assigned.account_at.is_some() {
        next.account.clone()
    } else {
        follow_buyer(tx, shop, order, next.account.as_ref(), grants, &mut notes)?
    };
    let standing = target::standing(order, &settings);
    let mut prepared = Prepared { lines, decisions, buyer, standing, was_bare, notes };
    if is_new && !prepared.is_certain(tx)? {
        return tx.attempt(|tx| book(tx, shop, rules, next, change, operation, &mut prepared));
    }
    book(tx, shop, rules, next, change, operation, &mut prepared)
}

/// What a state means, before anything is booked.
struct Prepared {
    lines: BTreeMap<i64, Remembered>,
    decisions: Vec<LineDecision>,
    /// The buyer, once anything is to be granted.
    buyer: Option<AccountId>,
    /// What its status means.
    standing: Standing,
    /// What was remembered of its lines, if they had no rows.
    was_bare: Option<Bare>,
    notes: Notes,
}

impl Prepared {
    /// Whether the ledger refuses nothing of a new order: then nothing needs to be taken back.
    fn is_certain(&self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let mut sum = Credits::ZERO;
        for decided in &self.decisions {
            let Decision::Target { credits, .. } = decided.decision else { continue };
            let Some(more) = sum.checked_add(credits) else { return Ok(false) };
            sum = more;
        }
        match &self.buyer {
            Some(buyer) if !sum.is_zero() => {
                let ends_with_cycle = |line: &Remembered| {
                    line.known.worth.as_ref().is_some_and(|worth| worth.validity == Validity::Cycle)
                };
                Ok(!self.lines.values().any(ends_with_cycle) && ledger::store::takes_first(tx, buyer, sum)?)
            }
            _ => Ok(true),
        }
    }
}

/// Writes a state that is new, and posts what is to be posted.
fn book(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    next: &Known,
    change: Change<'_>,
    operation: &str,
    prepared: &mut Prepared,
) -> Result<Applied, Error> {
    let order = &next.order;
    let is_new = change.before.is_none();
    let Prepared { lines, decisions, buyer, standing, was_bare, notes } = prepared;
    let (standing, was_bare, buyer) = (*standing, *was_bare, buyer.clone());
    let may_be_bare = is_new || was_bare.is_some();
    let bare = if may_be_bare { Bare::of(order, lines.values(), decisions, standing) } else { None };
    if is_new {
        store::save_of(tx, shop.id, next, buyer.as_ref(), bare)?;
    } else if bare != was_bare {
        store::mark_bare(tx, shop.id, order.id, bare)?;
        for line in lines.values_mut() {
            line.written = None;
        }
    }
    let handed_over = next.account.is_some() && buyer != next.account;
    if handed_over && next.assigned.site.is_some() {
        store::forget_place(tx, shop.id, order.id)?;
    }
    let assigned = next.assigned.site.as_ref().filter(|_| !handed_over).map(|placed| &placed.compartment);
    let posting = Posting { shop, rules, order, change, assigned, buyer, handed_over, standing, operation };
    let mut outcome = Outcome::Ignored;
    // What shrinks comes first: what one line owes, another line of the same state repays, whatever their numbers.
    let (growing, others): (Vec<_>, Vec<_>) = decisions
        .iter()
        // A line without a row brings nothing.
        .filter(|_| bare.is_none())
        .filter_map(|decided| Some((lines.get(&decided.line_id)?, &decided.decision)))
        .partition(|(line, decision)| grows(&line.known, decision));
    for (line, decision) in others.into_iter().chain(growing) {
        outcome = outcome.and(posting.line(tx, line, decision, notes)?);
    }
    let (parked, attention) = (notes.parked(), notes.attention());
    if parked.is_some() && outcome.moves_nothing() {
        outcome = Outcome::Parked;
    }
    let concluded = (posting.buyer.as_ref(), parked.as_deref(), attention.as_deref());
    let account = if is_new { concluded.0 } else { next.account.as_ref() };
    if concluded != (account, next.parked.as_deref(), next.attention.as_deref()) {
        let (buyer, parked, attention) = concluded;
        store::conclude(tx, shop.id, order.id, buyer, parked, attention)?;
    }
    Ok(Applied { outcome, reason: parked.or(attention) })
}

/// Whether the line is to have more than it has.
fn grows(line: &KnownLine, decision: &Decision) -> bool {
    matches!(decision, Decision::Target { credits, .. } if *credits > line.booked)
}

fn grants(decision: &Decision) -> bool {
    matches!(decision, Decision::Target { credits, .. } if !credits.is_zero())
}

/// Takes what is remembered of the order's lines, adds what its state says of new ones, and asks the
/// catalogue for what is still missing. What is known once stays: a later price list changes no old order.
fn remember(
    tx: &mut Tx<'_>,
    shop: &Store,
    order: &Order,
    known: Vec<KnownLine>,
) -> Result<BTreeMap<i64, Remembered>, Error> {
    let mut lines: BTreeMap<i64, Remembered> = known
        .into_iter()
        .map(|known| (known.line, Remembered { written: Some(known.clone()), known, unknown: None }))
        .collect();
    for line in &order.lines {
        let remembered = lines.entry(line.id).or_insert_with(|| Remembered {
            known: KnownLine::new(line),
            written: None,
            unknown: None,
        });
        remembered.known.learn(line);
        let known = &mut remembered.known;
        // A promise that staff added later makes a Tokens line of what was none.
        let is_settled = match known.is_tokens {
            Some(true) => known.worth.is_some(),
            Some(false) => line.credits_promised.is_none(),
            None => false,
        };
        if is_settled {
            continue;
        }
        let question = worth::Line {
            product_id: known.product,
            variation_id: known.variation,
            sku: &known.sku,
            promised: line.credits_promised,
            terms: Some(&line.terms),
        };
        let (judged, origin) = catalog::store::judge_with_origin(tx, shop, &question)?;
        known.is_tokens = judged.is_tokens();
        known.worth = judged.worth().cloned();
        known.worth_from = known.worth.as_ref().and(origin).map(|origin| origin.to_string());
        if let Some(gap) = judged.gap() {
            remembered.unknown = Some(gap.reason.clone());
            if let Some(need) = gap.needs {
                catalog::store::want(tx, shop.id, need.into(), &format!("order {} waits for it", order.id))?;
            }
        }
    }
    Ok(lines)
}

fn facts(lines: &BTreeMap<i64, Remembered>, order: &Order, seen: Seen, shop: &Store) -> target::Known {
    let removed: BTreeSet<i64> = lines
        .values()
        .filter(|line| order.line(line.known.line).is_none() && line.known.is_tokens == Some(true))
        .map(|line| line.known.line)
        .collect();
    let facts = lines.iter().map(|(id, line)| {
        let facts = LineFacts {
            is_tokens: line.known.is_tokens,
            worth: line.known.worth.clone(),
            reason: line.unknown.clone(),
        };
        (*id, facts)
    });
    target::Known {
        facts: facts.collect(),
        removed,
        is_confirmed: seen.is_shown() || order.status == DELETED,
        can_ask: shop.has_rest_keys,
    }
}

/// Finds the buyer's account, opens it when there is something to grant, and lets the order's unspent credits
/// follow when shop staff gave the order to another customer.
fn follow_buyer(
    tx: &mut Tx<'_>,
    shop: &Store,
    order: &Order,
    account: Option<&AccountId>,
    grants: bool,
    notes: &mut Notes,
) -> Result<Option<AccountId>, Error> {
    let Some(key) = order.buyer().natural_key().and_then(|key| key.parse::<NaturalKey>().ok()) else {
        if grants && account.is_none() {
            notes.park(format!(
                "order {} names neither a customer nor an e-mail address: enter one in the shop",
                order.id
            ));
        }
        return Ok(account.cloned());
    };
    if !grants && account.is_none() {
        return Ok(None);
    }
    let buyer = site::kept::buyer(tx, shop.id, &key, &order.buyer_name)?;
    match account {
        Some(former) if *former != buyer => hand_over(tx, shop, order, former, &buyer)?,
        _ => {}
    }
    Ok(Some(buyer))
}

/// Moves what is unspent of an order to another account, together with the sites only this order brought.
pub(super) fn hand_over(
    tx: &mut Tx<'_>,
    shop: &Store,
    order: &Order,
    from: &AccountId,
    to: &AccountId,
) -> Result<(), Error> {
    // Two accounts are always locked in the same order, so that two hand-overs cannot wait for each other.
    for id in BTreeSet::from([from, to]) {
        LockedAccount::lock(tx, id)?;
    }
    let sent = LockedAccount::lock(tx, from)?.send_purchase(shop.id, order.id, to)?;
    for site in site::store::follow_order(tx, shop.id, order.id, from, to)? {
        LockedAccount::lock(tx, from)?.vacate(&Compartment::Site(site))?;
    }
    for sent in &sent {
        let at = site::store::place(tx, to, sent.compartment())?;
        LockedAccount::lock(tx, to)?.receive(sent, &at)?;
    }
    Ok(())
}

impl Posting<'_> {
    /// Brings one line to where it should be, and remembers it.
    fn line(
        &self,
        tx: &mut Tx<'_>,
        remembered: &Remembered,
        decision: &Decision,
        notes: &mut Notes,
    ) -> Result<Outcome, Error> {
        let mut line = remembered.known.clone();
        line.target = line.booked;
        let outcome = match decision {
            Decision::NotTokens => {
                // As long as nothing was paid, somebody may still say that it sells credits.
                if self.standing != Standing::Paid {
                    line.is_tokens = None;
                }
                Outcome::Ignored
            }
            // It stands for an order that counts: what it granted before can be spent.
            Decision::Parked { reason } => {
                notes.park(reason.clone());
                self.keep(tx, &line, false, notes)?;
                Outcome::Unchanged
            }
            Decision::Attention { reason } => {
                notes.attend(reason.clone());
                // Of an order that is undone nothing becomes spendable while the shop is asked.
                if self.standing == Standing::Paid {
                    self.keep(tx, &line, false, notes)?;
                } else {
                    self.follow_name(tx, &line, notes)?;
                }
                Outcome::Unchanged
            }
            Decision::Keep { frozen } => {
                self.keep(tx, &line, *frozen, notes)?;
                Outcome::Unchanged
            }
            Decision::Target { credits, .. } => match &self.buyer {
                Some(buyer) => {
                    line.target = *credits;
                    // Of a line that was never written down nothing was granted.
                    let is_first = remembered.written.is_none();
                    let (outcome, booked) = self.settle(tx, buyer, &line, is_first, notes)?;
                    line.booked = booked;
                    outcome
                }
                // Nothing to grant, or nobody to grant it to; the latter is noted already.
                None => Outcome::Unchanged,
            },
        };
        if remembered.written.as_ref() != Some(&line) {
            store::save_line(tx, self.shop.id, self.order.id, &line)?;
        }
        Ok(outcome)
    }

    /// Leaves as many credits as the line has, spendable or not, where the order says now.
    fn keep(&self, tx: &mut Tx<'_>, line: &KnownLine, frozen: bool, notes: &mut Notes) -> Result<(), Error> {
        let Some(buyer) = self.buyer.as_ref().filter(|_| !line.booked.is_zero()) else { return Ok(()) };
        LockedAccount::lock(tx, buyer)?.set_frozen(self.purchase(line), frozen)?;
        self.follow_name(tx, line, notes)
    }

    /// Moves the line's credits to where the order names now, or a person says, and did not before. The next
    /// state is compared with this one, so it would find nothing new in the name.
    fn follow_name(&self, tx: &mut Tx<'_>, line: &KnownLine, notes: &mut Notes) -> Result<(), Error> {
        let Some(buyer) = self.buyer.as_ref().filter(|_| !line.booked.is_zero()) else { return Ok(()) };
        let named = self.named_by(line);
        let moves = self.is_named_anew(line, &named);
        // Asked for in any case: what a person should look at stays on the list, however often it is told.
        let compartment = self.compartment(tx, buyer, &named, moves, notes)?;
        if moves {
            LockedAccount::lock(tx, buyer)?.relocate_purchase(self.purchase(line), &compartment)?;
        }
        Ok(())
    }

    /// Posts the difference between what the line should have granted and what it has; answers what it has
    /// granted then, less what was taken back.
    fn settle(
        &self,
        tx: &mut Tx<'_>,
        buyer: &AccountId,
        line: &KnownLine,
        is_first: bool,
        notes: &mut Notes,
    ) -> Result<(Outcome, Credits), Error> {
        if line.target.is_zero() && line.booked.is_zero() {
            return Ok((Outcome::Unchanged, line.booked));
        }
        let purchase = self.purchase(line);
        let on_order = self.order.line(line.line);
        let named = self.named_by(line);
        let moves = !line.booked.is_zero() && self.is_named_anew(line, &named);
        // Where the credits of an undone order would lie is nothing a person needs to look at.
        let mut unsaid = Notes::default();
        let notes = if line.target.is_zero() { &mut unsaid } else { notes };
        let compartment = self.compartment(tx, buyer, &named, moves || line.target > line.booked, notes)?;
        if is_first && let Some(worth) = &line.worth {
            let new = Self::new_grant(line, line.target, worth, compartment, purchase);
            ledger::store::grant_first(tx, buyer, &new)?;
            return Ok((Outcome::Granted, line.target));
        }
        if line.target < line.booked {
            ledger::store::lock_holders(tx, buyer, purchase)?;
        }
        let mut account = LockedAccount::lock(tx, buyer)?;
        if !line.booked.is_zero() {
            account.set_frozen(purchase, false)?;
            if moves {
                account.relocate_purchase(purchase, &compartment)?;
            }
        }
        if let Some(lacking) = line.target.checked_sub(line.booked).filter(|lacking| !lacking.is_zero()) {
            let Some(worth) = &line.worth else { return Ok((Outcome::Unchanged, line.booked)) };
            // What was only to be taken back, once it is no longer held, is not: nothing new need be granted for it.
            let forgiven = account.forgive_due(purchase, lacking)?;
            let lacking = lacking.saturating_sub(forgiven);
            if lacking.is_zero() {
                return Ok((Outcome::Granted, line.target));
            }
            account.grant(&Self::new_grant(line, lacking, worth, compartment, purchase))?;
            return Ok((Outcome::Granted, line.target));
        }
        let surplus = line.booked.saturating_sub(line.target);
        if surplus.is_zero() {
            return Ok((Outcome::Unchanged, line.booked));
        }
        let (why, shortfall) = (self.takes_back_because(), self.rules.shortfall);
        // Of a line that is gone the order no longer says where it belongs.
        let home = on_order.map(|_| &compartment);
        let clawed = account.claw_back(self.operation, purchase, surplus, &why, shortfall, home)?;
        // What expired was not taken back, nor what the shop bears: paid again, it is not granted again.
        let owed = if shortfall == Shortfall::WriteOff { Credits::ZERO } else { clawed.shortfall };
        // What is held is as good as taken: it can come back to nobody.
        let booked = [clawed.taken, clawed.due, owed].into_iter().fold(line.booked, Credits::saturating_sub);
        let moves = [clawed.taken, clawed.due, clawed.shortfall].iter().any(|part| !part.is_zero());
        Ok((if moves { Outcome::ClawedBack } else { Outcome::Unchanged }, booked))
    }

    fn new_grant(
        line: &KnownLine,
        amount: Credits,
        worth: &worth::Worth,
        compartment: Compartment,
        purchase: Purchase,
    ) -> NewGrant {
        NewGrant {
            compartment,
            amount,
            category: worth.category,
            priority: None,
            label: worth.label.clone().unwrap_or_else(|| line.name.clone()),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(worth.validity),
            purchase: Some(purchase),
            shown_as: Shown::grant(worth.category),
        }
    }

    fn purchase(&self, line: &KnownLine) -> Purchase {
        Purchase { store: self.shop.id, order: self.order.id, line: line.line }
    }

    fn named(&self, order: &Order, line: &Line) -> Naming {
        site_of(order, line, &self.shop.site_keys)
    }

    /// What the order says of the line's site; nothing once the line is gone.
    fn named_by(&self, line: &KnownLine) -> Naming {
        self.order.line(line.line).map_or(Naming::NotNamed, |on_order| self.named(self.order, on_order))
    }

    /// Whether the order names another site for this line than it did before, or what it names means another
    /// place because the buyer is another. Credits somebody moved by hand stay where they are as long as the
    /// order says what it said.
    fn is_named_anew(&self, line: &KnownLine, named: &Naming) -> bool {
        if self.change.assigns {
            return true;
        }
        let earlier = self.change.before.and_then(|before| Some(self.named(before, before.line(line.line)?)));
        let is_anew = self.handed_over || earlier.is_some_and(|earlier| earlier != *named);
        self.order.line(line.line).is_some() && is_anew
    }

    /// Where a line's credits go. Registers a site that belongs to nobody only if `claims`.
    fn compartment(
        &self,
        tx: &mut Tx<'_>,
        buyer: &AccountId,
        named: &Naming,
        claims: bool,
        notes: &mut Notes,
    ) -> Result<Compartment, Error> {
        let (shop, order) = (self.shop, self.order.id);
        match self.assigned {
            Some(Compartment::Pool) => return Ok(Compartment::Pool),
            Some(Compartment::Site(site)) if site::store::owner(tx, site)?.as_ref() == Some(buyer) => {
                return Ok(Compartment::Site(site.clone()));
            }
            Some(Compartment::Site(site)) => {
                notes.attend(format!(
                    "site {site}, where order {order} was assigned by hand, is no longer its account's: its credits \
                     are in the pool"
                ));
                return Ok(Compartment::Pool);
            }
            None => {}
        }
        let site = match named {
            Naming::NotNamed => return Ok(site::kept::default_site(tx, buyer)?.into()),
            Naming::Invalid(text) => {
                notes.attend(format!("{text:?} on order {order} is no site id: its credits are in the pool"));
                return Ok(Compartment::Pool);
            }
            Naming::Named(site) => site,
        };
        let owner = site::store::owner(tx, site)?;
        if owner.as_ref() == Some(buyer) {
            return Ok(Compartment::Site(site.clone()));
        }
        if owner.is_none() && self.rules.auto_register && claims {
            match site::store::claim(tx, site, buyer, shop.id, order)? {
                Claim::Own | Claim::Registered => return Ok(Compartment::Site(site.clone())),
                Claim::OwnedByOther(_) => {}
            }
        }
        // What was bought for it went along; only something new would be in another place than the order says.
        if owner.is_some() && !claims && site::store::was_handed_over(tx, site, buyer)? {
            return Ok(Compartment::Pool);
        }
        notes.attend(match owner {
            Some(_) => format!(
                "site {site} on order {order} belongs to another account: its credits are in the pool"
            ),
            None => format!("site {site} on order {order} belongs to nobody: its credits are in the pool"),
        });
        Ok(Compartment::Pool)
    }

    /// What the customer reads beside credits that go.
    fn takes_back_because(&self) -> String {
        let number = &self.order.number;
        match self.order.status.as_str() {
            "cancelled" => format!("Order {number} was cancelled"),
            "failed" => format!("The payment of order {number} failed"),
            "refunded" => format!("Order {number} was refunded"),
            _ if !self.order.refunds.is_empty() => format!("Order {number} was refunded in part"),
            _ => format!("Order {number} was changed"),
        }
    }
}

impl Outcome {
    /// What two lines of one order did together: adding outweighs taking back, and either outweighs nothing.
    fn and(self, other: Self) -> Self {
        let weight = |outcome: Self| match outcome {
            Self::Ignored | Self::Stale | Self::Asked => 0,
            Self::Unchanged => 1,
            Self::Parked => 2,
            Self::ClawedBack => 3,
            Self::Granted => 4,
        };
        if weight(other) > weight(self) { other } else { self }
    }

    fn moves_nothing(self) -> bool {
        !matches!(self, Self::Granted | Self::ClawedBack)
    }
}

/// Has the order read from the shop, if the shop can be asked.
fn ask_about_order(tx: &mut Tx<'_>, shop: &Store, order: i64, reason: &str) -> Result<(), Error> {
    Ok(catalog::store::want(tx, shop.id, Subject::Order(order), reason)?)
}
