//! What the ledger should hold, worked out a second time from the shop's own orders.
//!
//! Written from the rules and nothing else: whole micro-credits and cents in wide integers, one list of lots
//! for all accounts, states compared by a tuple. It is fed with what somebody outside was shown, in the order
//! in which it was shown.

use std::collections::{BTreeMap, BTreeSet};

use super::shop::{Line, Order, Shown, product_of};

/// Micro-credits.
pub(crate) type Micro = i128;

/// The settings that decide, one for one as an operator sets them.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Policy {
    pub(crate) proportional: bool,
    pub(crate) free_lines: bool,
    pub(crate) claw_back_deleted: bool,
    pub(crate) require_date_paid: bool,
    pub(crate) shortfall: Bears,
    /// Whether the shop tells what lies above a category.
    pub(crate) knows_tree: bool,
}

/// Who bears what was spent before its money went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bears {
    Buyer,
    Shop,
    BuyerFrozen,
}

/// What a line is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    Each(Micro),
    ForWholeCurrency(Micro),
}

/// What a state of an order asks for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    Exactly(Micro),
    /// As it is, spendable or not; `None`: as spendable as it was.
    AsItIs {
        frozen: Option<bool>,
    },
}

/// Credits of one line in one place.
#[derive(Clone, Debug)]
struct Lot {
    order: i64,
    line: i64,
    account: String,
    place: String,
    left: Micro,
    spent: Micro,
    /// What of the spent part is owed or was written off already.
    borne: Micro,
    frozen: bool,
}

/// Which of two states is newer: the date, when it was put together, how far along, how many refunds, which came later.
type Age = (i64, i64, u8, usize, u64);

/// Nothing is newer than that an order was deleted for good.
const GONE: Age = (i64::MAX, i64::MAX, u8::MAX, usize::MAX, u64::MAX);

#[derive(Clone, Debug)]
struct Known {
    age: Age,
    account: Option<String>,
    lines: BTreeMap<i64, Memory>,
    /// The state that holds.
    last: Option<Shown>,
}

#[derive(Clone, Debug, Default)]
struct Memory {
    product: Option<i64>,
    is_tokens: Option<bool>,
    worth: Option<Worth>,
    booked: Micro,
    /// What its order last named for it.
    named: Option<String>,
    is_on_order: bool,
}

/// The ledger as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    policy: Policy,
    /// Packages, by product.
    pub(crate) packages: BTreeMap<i64, Worth>,
    /// Who owns a site; all that is not here belongs to nobody.
    pub(crate) owners: BTreeMap<String, String>,
    orders: BTreeMap<i64, Known>,
    lots: Vec<Lot>,
    debts: BTreeMap<(String, String), Micro>,
    written_off: BTreeMap<(i64, i64), Micro>,
    frozen: BTreeSet<String>,
    /// What was shown already, by topic and body: a repeat has no effect.
    repeats: BTreeSet<(String, Vec<u8>)>,
    arrivals: u64,
}

/// The ledger in comparable form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// What each line has granted, less what was taken back; lines with nothing are left out.
    pub(crate) lines: BTreeMap<(i64, i64), Micro>,
    /// What lies where: order, line, account, place, whether it is frozen.
    pub(crate) left: BTreeMap<(i64, i64, String, String, bool), Micro>,
    pub(crate) debts: BTreeMap<(String, String), Micro>,
    /// What the shop bears of each line.
    pub(crate) written_off: BTreeMap<(i64, i64), Micro>,
}

impl Model {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            packages: BTreeMap::new(),
            owners: BTreeMap::new(),
            orders: BTreeMap::new(),
            lots: Vec::new(),
            debts: BTreeMap::new(),
            written_off: BTreeMap::new(),
            frozen: BTreeSet::new(),
            repeats: BTreeSet::new(),
            arrivals: 0,
        }
    }

    /// A delivery arrives.
    pub(crate) fn arrive(&mut self, topic: &str, body: &[u8], shown: Option<&Shown>) {
        self.arrivals += 1;
        if !self.repeats.insert((topic.to_owned(), body.to_vec())) {
            return;
        }
        let Some(shown) = shown else { return };
        let order = &shown.order;
        if order.status == "deleted" {
            return self.delete(order.id);
        }
        let told_at = shown.told_at.unwrap_or(0);
        let age = (order.modified, told_at, how_far(order.status), order.refunds.len(), self.arrivals);
        if self.orders.get(&order.id).is_none_or(|known| age > known.age) {
            self.take(shown, age);
        }
    }

    /// An order is deleted for good: what was known of it last is what is gone.
    fn delete(&mut self, order: i64) {
        let Some(known) = self.orders.get(&order) else {
            let never_seen = Known { age: GONE, account: None, lines: BTreeMap::new(), last: None };
            self.orders.insert(order, never_seen);
            return;
        };
        if let Some(mut last) = known.last.clone().filter(|_| known.age < GONE) {
            last.order.status = "deleted";
            self.take(&last, GONE);
        }
    }

    /// Somebody spends; answers whether that much can be spent.
    pub(crate) fn spend(&mut self, site: &str, amount: Micro) -> bool {
        let Some(owner) = self.owners.get(site) else { return false };
        let is_usable = |lot: &Lot| {
            lot.account == *owner
                && !lot.frozen
                && lot.left > 0
                && (lot.place == site || lot.place.is_empty())
        };
        let can = self.lots.iter().filter(|lot| is_usable(lot)).map(|lot| lot.left).sum::<Micro>();
        if self.frozen.contains(owner) || can < amount {
            return false;
        }
        let mut missing = amount;
        // The site's own first, then the pool, each from the oldest.
        for in_pool in [false, true] {
            for lot in self.lots.iter_mut().filter(|lot| lot.place.is_empty() == in_pool && is_usable(lot)) {
                let taken = missing.min(lot.left);
                (lot.left, lot.spent, missing) = (lot.left - taken, lot.spent + taken, missing - taken);
            }
        }
        true
    }

    pub(crate) fn books(&self) -> Books {
        let mut books = Books::default();
        for (order, known) in &self.orders {
            for (line, memory) in known.lines.iter().filter(|(_, memory)| memory.booked != 0) {
                books.lines.insert((*order, *line), memory.booked);
            }
        }
        for lot in self.lots.iter().filter(|lot| lot.left > 0) {
            let at = (lot.order, lot.line, lot.account.clone(), lot.place.clone(), lot.frozen);
            *books.left.entry(at).or_default() += lot.left;
        }
        books.debts =
            self.debts.iter().filter(|(_, owed)| **owed > 0).map(|(at, owed)| (at.clone(), *owed)).collect();
        books.written_off.clone_from(&self.written_off);
        books
    }

    /// Lets a state hold from now on.
    fn take(&mut self, shown: &Shown, age: Age) {
        let order = &shown.order;
        let mut known = self.orders.remove(&order.id).unwrap_or(Known {
            age,
            account: None,
            lines: BTreeMap::new(),
            last: None,
        });
        known.age = age;
        known.last = Some(shown.clone());
        self.remember(&mut known, shown);
        let wishes = self.wishes(&known, shown);
        let grants = wishes.iter().any(|(_, wish)| matches!(wish, Wish::Exactly(micro) if *micro > 0));
        let buyer = buyer(order);
        let mut is_handed_over = false;
        if (known.account.is_some() || grants)
            && let Some(former) = known.account.replace(buyer.clone())
            && former != buyer
        {
            is_handed_over = true;
            for lot in self.lots.iter_mut().filter(|lot| lot.order == order.id && lot.left > 0) {
                lot.account.clone_from(&buyer);
                if self.owners.get(&lot.place) != Some(&buyer) {
                    lot.place.clear();
                }
            }
        }
        // Lines that are to have more come last, so that they repay what the others owe.
        let grows = |id: &i64, wish: &Wish| {
            let booked = known.lines.get(id).map_or(0, |memory| memory.booked);
            matches!(wish, Wish::Exactly(target) if *target > booked)
        };
        let (growing, others): (Vec<_>, Vec<_>) = wishes.into_iter().partition(|(id, wish)| grows(id, wish));
        for (id, wish) in others.into_iter().chain(growing) {
            let on_order = order.lines.iter().find(|line| line.id == id);
            let named = on_order.and_then(|line| line.site.clone().or_else(|| order.site.clone()));
            let place = named
                .as_ref()
                .filter(|site| self.owners.get(*site) == Some(&buyer))
                .cloned()
                .unwrap_or_default();
            let mut memory = known.lines.remove(&id).unwrap();
            // A line that comes back is compared with nothing: it stays where it lies.
            let is_anew =
                on_order.is_some() && (is_handed_over || (memory.is_on_order && memory.named != named));
            let decides = !matches!(wish, Wish::Nothing | Wish::AsItIs { frozen: None });
            if memory.booked != 0 && decides {
                let frozen = matches!(wish, Wish::AsItIs { frozen: Some(true) });
                for lot in self.lots.iter_mut().filter(|lot| (lot.order, lot.line) == (order.id, id)) {
                    lot.frozen = frozen;
                    if is_anew && lot.left > 0 {
                        lot.place.clone_from(&place);
                    }
                }
            }
            if let Wish::Exactly(target) = wish {
                if target > memory.booked {
                    self.grant(order.id, id, &buyer, &place, target - memory.booked);
                    memory.booked = target;
                } else if target < memory.booked {
                    let home = on_order.map(|_| place.as_str());
                    let (taken, owed) = self.claw((order.id, id), memory.booked - target, &buyer, home);
                    memory.booked -= taken;
                    if self.policy.shortfall != Bears::Shop {
                        memory.booked -= owed;
                    }
                }
            }
            memory.is_on_order = on_order.is_some();
            memory.named = named;
            known.lines.insert(id, memory);
        }
        for (id, memory) in &mut known.lines {
            memory.is_on_order = order.lines.iter().any(|line| line.id == *id);
        }
        self.orders.insert(order.id, known);
    }

    fn grant(&mut self, order: i64, line: i64, account: &str, place: &str, amount: Micro) {
        let debt = self.debts.entry((account.to_owned(), place.to_owned())).or_default();
        let repaid = amount.min(*debt);
        *debt -= repaid;
        self.lots.push(Lot {
            order,
            line,
            account: account.to_owned(),
            place: place.to_owned(),
            left: amount - repaid,
            // What paid a debt counts as spent when its own money goes back.
            spent: repaid,
            borne: 0,
            frozen: false,
        });
    }

    /// Takes credits of a line back, the newest first; answers what was there and what is owed.
    fn claw(&mut self, of: (i64, i64), amount: Micro, buyer: &str, home: Option<&str>) -> (Micro, Micro) {
        let mut missing = amount;
        let mut taken = 0;
        for lot in self.lots.iter_mut().rev().filter(|lot| (lot.order, lot.line) == of) {
            let part = missing.min(lot.left);
            (lot.left, missing, taken) = (lot.left - part, missing - part, taken + part);
        }
        // What the shop bears already, it does not bear twice.
        missing -= missing.min(self.written_off.get(&of).copied().unwrap_or(0));
        let mut owed = 0;
        for lot in self.lots.iter_mut().rev().filter(|lot| (lot.order, lot.line) == of) {
            let part = missing.min(lot.spent - lot.borne);
            if part == 0 {
                continue;
            }
            (lot.borne, missing, owed) = (lot.borne + part, missing - part, owed + part);
            if self.policy.shortfall == Bears::Shop {
                *self.written_off.entry(of).or_default() += part;
            } else {
                let place = home.unwrap_or(&lot.place).to_owned();
                *self.debts.entry((buyer.to_owned(), place)).or_default() += part;
            }
        }
        if owed > 0 && self.policy.shortfall == Bears::BuyerFrozen {
            self.frozen.insert(buyer.to_owned());
        }
        (taken, owed)
    }

    /// What is known of a line is known for good; what it is worth, from the first time that can be told.
    fn remember(&self, known: &mut Known, shown: &Shown) {
        for line in &shown.order.lines {
            let memory = known.lines.entry(line.id).or_default();
            if memory.product.is_none() && !shown.gone.contains(&line.product) {
                memory.product = Some(line.product);
            }
            let is_settled =
                memory.worth.is_some() || (memory.is_tokens == Some(false) && line.promise.is_none());
            if !is_settled {
                (memory.is_tokens, memory.worth) = self.judge(line, memory.product);
            }
        }
    }

    fn judge(&self, line: &Line, product: Option<i64>) -> (Option<bool>, Option<Worth>) {
        if let Some(promise) = line.promise {
            return (Some(true), Some(Worth::Each(micro(promise))));
        }
        let Some(product) = product.map(product_of) else { return (None, None) };
        for id in [product.id, product.parent] {
            if let Some(package) = self.packages.get(&id) {
                return (Some(true), Some(*package));
            }
        }
        let is_tokens = product.category == 16 || (product.category == 17 && self.policy.knows_tree);
        if !is_tokens {
            return (Some(false), None);
        }
        let parent = (product.parent > 0).then(|| product_of(product.parent));
        let credits = product.credits.or_else(|| parent.and_then(|parent| parent.credits));
        (Some(true), credits.map(|credits| Worth::Each(micro(credits))))
    }

    /// What the state asks for: its lines in their order, then the Tokens lines it no longer has.
    fn wishes(&self, known: &Known, shown: &Shown) -> Vec<(i64, Wish)> {
        let order = &shown.order;
        let removed: Vec<i64> = known
            .lines
            .iter()
            .filter(|(id, memory)| {
                memory.is_tokens == Some(true) && order.lines.iter().all(|line| line.id != **id)
            })
            .map(|(id, _)| *id)
            .collect();
        let standing = self.standing(order);
        let mut wishes: Vec<(i64, Wish)> = order
            .lines
            .iter()
            .map(|line| {
                let memory = &known.lines[&line.id];
                (line.id, self.wish(line, memory, standing, known, shown))
            })
            .collect();
        for id in removed {
            let wish = match standing {
                // Nothing is taken back from an order without any line until the shop itself shows it so.
                Standing::Paid if order.lines.is_empty() => Wish::AsItIs { frozen: Some(false) },
                Standing::Undone if order.lines.is_empty() && order.status != "deleted" => {
                    Wish::AsItIs { frozen: None }
                }
                Standing::Paid | Standing::Undone => Wish::Exactly(0),
                Standing::Open => Wish::AsItIs { frozen: Some(true) },
                Standing::Undated | Standing::Gone => Wish::AsItIs { frozen: Some(false) },
            };
            wishes.push((id, wish));
        }
        wishes
    }

    fn wish(&self, line: &Line, memory: &Memory, standing: Standing, known: &Known, shown: &Shown) -> Wish {
        if memory.is_tokens == Some(false) {
            return Wish::Nothing;
        }
        let as_it_is = |frozen| Wish::AsItIs { frozen: Some(frozen) };
        match standing {
            Standing::Undone => Wish::Exactly(0),
            Standing::Open => as_it_is(true),
            Standing::Undated | Standing::Gone => as_it_is(false),
            Standing::Paid => {
                let Some(worth) = memory.worth else { return as_it_is(false) };
                let refunds = !shown.order.refunds.is_empty();
                let only_tokens = has_no_charges(&shown.order)
                    && shown.order.lines.iter().all(|line| known.lines[&line.id].is_tokens == Some(true));
                if refunds && !shown.details && !only_tokens {
                    return as_it_is(false);
                }
                Wish::Exactly(self.target(&shown.order, line, worth, shown.details))
            }
        }
    }

    /// What is to be granted for a line of a paid order.
    pub(crate) fn target(&self, order: &Order, line: &Line, worth: Worth, details: bool) -> Micro {
        let [quantity, total, subtotal, order_total] =
            [line.quantity, line.total, line.subtotal, order.total()].map(Micro::from);
        if total == 0 && !self.policy.free_lines {
            return 0;
        }
        let gross = match worth {
            Worth::ForWholeCurrency(rate) => rate * total / 100,
            Worth::Each(each) if self.policy.proportional && subtotal != 0 => {
                each * quantity * total / subtotal
            }
            Worth::Each(each) => each * quantity,
        };
        let mut of_line = 0;
        let mut pieces = 0;
        let mut of_nothing = 0;
        for refund in &order.refunds {
            let mut told = Micro::from(refund.shipping + refund.shipping_tax);
            for part in &refund.parts {
                told += Micro::from(part.total + part.tax);
                if part.line == line.id {
                    of_line += Micro::from(part.total);
                    pieces += Micro::from(part.quantity);
                }
            }
            of_nothing +=
                if details { (Micro::from(refund.amount) - told).max(0) } else { refund.amount.into() };
        }
        if !details {
            (of_line, pieces) = (0, 0);
        }
        // The part that went back, as a fraction.
        let (back, whole) = if total == 0 {
            (pieces, quantity)
        } else if order_total > 0 {
            (of_line * order_total + of_nothing * total, total * order_total)
        } else if of_nothing > 0 {
            (1, 1)
        } else {
            (of_line, total)
        };
        if back >= whole { 0 } else { gross - gross * back / whole }
    }

    fn standing(&self, order: &Order) -> Standing {
        match order.status {
            "refunded" | "cancelled" | "failed" => Standing::Undone,
            "trash" | "deleted" if self.policy.claw_back_deleted => Standing::Undone,
            "trash" | "deleted" => Standing::Gone,
            "processing" | "completed" if order.paid.is_some() || !self.policy.require_date_paid => {
                Standing::Paid
            }
            "processing" | "completed" => Standing::Undated,
            _ => Standing::Open,
        }
    }

    /// What a line should have by a state alone; `None` where it depends on what was before, `Some(0)` for what
    /// sells no credits.
    pub(crate) fn due(&self, order: &Order, line: &Line, details: bool) -> Option<Micro> {
        if self.standing(order) == Standing::Undone {
            return Some(0);
        }
        let unclear = !order.refunds.is_empty() && !details;
        if self.standing(order) != Standing::Paid || unclear {
            return None;
        }
        match self.judge(line, Some(line.product)).1 {
            Some(worth) => Some(self.target(order, line, worth, details)),
            None => Some(0),
        }
    }

    /// Where credits of a line belong: account and place, the pool if that is empty.
    pub(crate) fn home(&self, order: &Order, line: &Line) -> (String, String) {
        let buyer = buyer(order);
        let named = line.site.as_ref().or(order.site.as_ref());
        let place = named.filter(|site| self.owners.get(*site) == Some(&buyer)).cloned();
        (buyer, place.unwrap_or_default())
    }

    /// Whether what was granted waits for a decision in this state.
    pub(crate) fn freezes(&self, order: &Order) -> bool {
        self.standing(order) == Standing::Open
    }

    /// Whether a state says for itself what its lines should have, whatever was before it.
    pub(crate) fn decides(&self, order: &Order) -> bool {
        matches!(self.standing(order), Standing::Paid | Standing::Undone)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Paid,
    Undone,
    /// Not decided: pending, on hold, or a status of somebody's own.
    Open,
    /// Paid by its status, without the date.
    Undated,
    Gone,
}

fn has_no_charges(order: &Order) -> bool {
    order.shipping.iter().chain(&order.fees).all(|charge| charge.total == 0 && charge.tax == 0)
}

fn how_far(status: &str) -> u8 {
    let along = ["checkout-draft", "pending", "on-hold", "processing", "shipped", "completed"];
    match status {
        "failed" | "cancelled" => 10,
        "refunded" => 11,
        "trash" => 12,
        "deleted" => 13,
        status => u8::try_from(along.iter().position(|name| *name == status).unwrap()).unwrap(),
    }
}

pub(crate) fn buyer(order: &Order) -> String {
    if order.customer > 0 { format!("customer:{}", order.customer) } else { format!("email:{}", order.email) }
}

/// `12.5` in micro-credits.
pub(crate) fn micro(text: &str) -> Micro {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().unwrap()
}
