//! A WooCommerce shop with a life: what its staff and its customers do, and what it says about it.
//!
//! It behaves as the real one was measured: what moves an order's date and what does not, which webhooks an
//! event queues, that a body is made when it is sent and not when something happened, that dates are whole
//! seconds. It knows nothing of credits, so nothing here can agree with the program by accident.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::DateTime;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use crate::support::recorded;

/// Money in cents.
pub(crate) type Cents = i64;

/// An order as the shop's database has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) status: &'static str,
    pub(crate) customer: i64,
    pub(crate) email: String,
    pub(crate) created: i64,
    /// Whole seconds; what a silent change leaves alone.
    pub(crate) modified: i64,
    pub(crate) paid: Option<i64>,
    pub(crate) cod: bool,
    pub(crate) note: u32,
    pub(crate) site: Option<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) shipping: Option<Charge>,
    pub(crate) fees: Vec<Charge>,
    pub(crate) refunds: Vec<Refund>,
    /// What it was before it went to the trash.
    trashed_from: Option<&'static str>,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) id: i64,
    pub(crate) product: i64,
    pub(crate) quantity: i64,
    pub(crate) subtotal: Cents,
    pub(crate) total: Cents,
    pub(crate) tax: Cents,
    /// What the plugin promised at the sale.
    pub(crate) promise: Option<&'static str>,
    pub(crate) site: Option<String>,
}

/// Shipping, or a fee, which may be below zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Charge {
    id: i64,
    pub(crate) total: Cents,
    pub(crate) tax: Cents,
}

/// A refund; all amounts above zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refund {
    pub(crate) id: i64,
    pub(crate) amount: Cents,
    at: i64,
    pub(crate) parts: Vec<Part>,
    pub(crate) shipping: Cents,
    pub(crate) shipping_tax: Cents,
}

/// What a refund gives back of a line, which may have been removed since.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) line: i64,
    pub(crate) quantity: i64,
    pub(crate) total: Cents,
    pub(crate) tax: Cents,
}

/// Something for sale.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) id: i64,
    /// The product it is a variation of, or 0.
    pub(crate) parent: i64,
    pub(crate) name: &'static str,
    pub(crate) sku: &'static str,
    price: Cents,
    /// 16 is Tokens, 17 Bundles below it, 18 Apparel.
    pub(crate) category: i64,
    /// Its own meta `_nivella_credits`.
    pub(crate) credits: Option<&'static str>,
}

/// What can be bought. 19 has the variations 20 and 21; 20 names its credits itself.
pub(crate) const PRODUCTS: [Product; 10] = [
    product(10, "AI Credits 1,000", "CREDITS-1000", 1_000, 16, None),
    product(11, "AI Credits 5,000", "CREDITS-5000", 4_500, 16, Some("5000.5")),
    product(12, "Bundle", "", 9_900, 17, Some("300.000001")),
    product(13, "Logo T-Shirt", "TSHIRT-1", 2_000, 18, None),
    product(14, "AI Credits by the cent", "CREDITS-CENT", 333, 16, None),
    product(15, "AI Credits by number", "CREDITS-SKU", 777, 16, None),
    product(16, "Mug", "MUG-1", 899, 18, Some("50")),
    product(19, "AI Credits Pack", "CREDITS-PACK", 2_500, 16, Some("70")),
    Product { parent: 19, ..product(20, "AI Credits Pack - Small", "PACK-S", 1_500, 16, Some("1500.25")) },
    Product { parent: 19, ..product(21, "AI Credits Pack - Large", "PACK-L", 15_000, 16, None) },
];

const fn product(
    id: i64,
    name: &'static str,
    sku: &'static str,
    price: Cents,
    category: i64,
    credits: Option<&'static str>,
) -> Product {
    Product { id, parent: 0, name, sku, price, category, credits }
}

pub(crate) fn product_of(id: i64) -> &'static Product {
    PRODUCTS.iter().find(|product| product.id == id).unwrap()
}

/// Something that happens to an order. What exactly, the dice say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Place,
    Pay,
    Hold,
    Cancel,
    Fail,
    Custom,
    Complete,
    BackToPending,
    RefundByHand,
    RefundInFull,
    RefundLines,
    RefundQuantity,
    RefundMoney,
    RefundAmount,
    RefundFreeLine,
    RefundRemovedLine,
    DeleteRefund,
    DeleteRefundInAdmin,
    AddLine,
    RemoveLine,
    RemoveAllLines,
    Quantity,
    Promise,
    MoveSite,
    SilentSite,
    SilentQuantity,
    Note,
    Customer,
    Trash,
    Restore,
    DeleteForGood,
    DeleteProduct,
}

/// A delivery that WooCommerce has put together.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) topic: String,
    pub(crate) body: Vec<u8>,
    pub(crate) order: Option<i64>,
    /// What it shows; nothing if its body carries no state.
    pub(crate) shows: Option<Shown>,
}

/// A state of an order as somebody outside gets to see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) order: Order,
    /// Products that were deleted for good: their lines say product 0.
    pub(crate) gone: BTreeSet<i64>,
    /// Whether the lines of its refunds are told.
    pub(crate) details: bool,
    /// When the plugin put it together, in microseconds, where it says so.
    pub(crate) told_at: Option<i64>,
}

/// An event that waits for the queue to run.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    topic: &'static str,
    /// The order, or for an action its argument.
    about: i64,
}

/// The shop.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub(crate) now: i64,
    pub(crate) orders: BTreeMap<i64, Order>,
    pub(crate) gone_products: BTreeSet<i64>,
    /// Whether the plugin adds the lines of refunds to the order's body.
    pub(crate) has_plugin: bool,
    /// Whether the plugin tells all it knows: when a body was put together, what products and categories are, and
    /// what WooCommerce keeps silent about.
    pub(crate) tells: bool,
    /// Sites that lines may name.
    pub(crate) sites: Vec<String>,
    /// Whether orders change customers and sites.
    pub(crate) moves: bool,
    /// Every state an order ever had, oldest first.
    pub(crate) versions: BTreeMap<i64, Vec<Order>>,
    queue: Vec<Event>,
    next_refund: i64,
    next_item: i64,
    /// Bodies put together so far.
    bodies: i64,
}

/// When the life of every shop begins, in seconds.
pub(crate) const START: i64 = 1_795_190_400;

impl Shop {
    pub(crate) fn new(has_plugin: bool, sites: Vec<String>, moves: bool) -> Self {
        Self {
            now: START,
            orders: BTreeMap::new(),
            gone_products: BTreeSet::new(),
            has_plugin,
            tells: false,
            sites,
            moves,
            versions: BTreeMap::new(),
            queue: Vec::new(),
            next_refund: 500_000,
            next_item: 1,
            bodies: 0,
        }
    }

    /// Lets something happen to an order; answers in words what, or nothing if the shop would not allow it.
    pub(crate) fn act(&mut self, id: i64, act: Act, dice: &mut StdRng) -> Option<String> {
        if act == Act::Place {
            return (!self.orders.contains_key(&id)).then(|| self.place(id, dice));
        }
        if act == Act::DeleteProduct {
            let product = PRODUCTS.choose(dice).unwrap();
            // Its variations go with it.
            let variations = PRODUCTS.iter().filter(|variation| variation.parent == product.id);
            self.gone_products.extend(variations.map(|variation| variation.id));
            return self
                .gone_products
                .insert(product.id)
                .then(|| format!("product {} is deleted for good", product.id));
        }
        let mut order = self.orders.get(&id)?.clone();
        let before = order.clone();
        if order.trashed_from.is_some()
            && !matches!(act, Act::Restore | Act::DeleteForGood | Act::DeleteRefund)
        {
            return None;
        }
        let words = match act {
            Act::DeleteForGood => {
                self.orders.remove(&id);
                // Whoever asks from now on is told so: it is a state like any other, and the last.
                let gone = Order { status: "deleted", modified: self.now, ..order };
                self.versions.entry(id).or_default().push(gone);
                if self.tells {
                    self.event(GONE, id);
                }
                return Some("is deleted for good".to_owned());
            }
            Act::Trash => {
                order.trashed_from = Some(order.status);
                order.status = "trash";
                order.modified = self.now;
                self.event("order.deleted", id);
                if self.tells {
                    self.event("order.updated", id);
                }
                "goes to the trash".to_owned()
            }
            Act::Restore => {
                order.status = order.trashed_from.take()?;
                order.modified = self.now;
                self.event("order.restored", id);
                self.event("order.updated", id);
                if order.status == "completed" {
                    self.event("action.woocommerce_order_status_completed", id);
                }
                if order.status == "refunded" && order.refunds.is_empty() {
                    let refund = self.refund(&order, Vec::new(), 0, order.total());
                    order.refunds.push(refund);
                    self.event("action.woocommerce_order_refunded", id);
                }
                format!("is restored as {}", order.status)
            }
            Act::DeleteRefund | Act::DeleteRefundInAdmin => {
                // Silent: no date moves, only the plugin tells of it; from the admin pages an action about the refund goes out.
                let at = (0..order.refunds.len()).collect::<Vec<_>>().choose(dice).copied()?;
                let refund = order.refunds.remove(at);
                if act == Act::DeleteRefundInAdmin {
                    self.event("action.woocommerce_refund_deleted", refund.id);
                }
                if self.tells {
                    self.event("order.updated", id);
                }
                format!("loses refund {} of {}", refund.id, money(refund.amount))
            }
            Act::SilentSite => {
                let site = self.some_site(dice).filter(|_| self.moves)?;
                let line = pick(&mut order.lines, dice)?;
                line.site = Some(site.clone());
                format!("line {} silently names site {site}", line.id)
            }
            Act::SilentQuantity => {
                let line = pick(&mut order.lines, dice)?;
                line.quantity = dice.random_range(1..6);
                format!("line {} silently has quantity {}", line.id, line.quantity)
            }
            act => {
                let words = self.change(&mut order, act, dice)?;
                order.modified = self.now;
                self.event("order.updated", id);
                if order.status == "completed" && before.status != "completed" {
                    self.event("action.woocommerce_order_status_completed", id);
                }
                if order.refunds.len() > before.refunds.len() {
                    self.event("action.woocommerce_order_refunded", id);
                }
                words
            }
        };
        self.keep(order);
        Some(words)
    }

    fn keep(&mut self, order: Order) {
        self.versions.entry(order.id).or_default().push(order.clone());
        self.orders.insert(order.id, order);
    }

    /// The changes that move the date and send `order.updated`.
    fn change(&mut self, order: &mut Order, act: Act, dice: &mut StdRng) -> Option<String> {
        match act {
            Act::Pay => {
                if matches!(order.status, "processing" | "completed" | "refunded") {
                    return None;
                }
                if order.paid.is_none() && !order.cod {
                    self.event("action.woocommerce_payment_complete", order.id);
                }
                let status = if dice.random_ratio(1, 3) { "completed" } else { "processing" };
                Some(self.enter(order, status))
            }
            Act::Complete => (order.status == "processing" || order.status == "shipped")
                .then(|| self.enter(order, "completed")),
            Act::Hold => Some(self.enter(order, "on-hold")),
            Act::Cancel => Some(self.enter(order, "cancelled")),
            Act::Fail => Some(self.enter(order, "failed")),
            Act::Custom => Some(self.enter(order, "shipped")),
            Act::BackToPending => Some(self.enter(order, "pending")),
            Act::RefundByHand => {
                if order.status == "refunded" {
                    return None;
                }
                let left = order.total() - order.refunded();
                if left > 0 {
                    let refund = self.refund(order, Vec::new(), 0, left);
                    order.refunds.push(refund);
                }
                Some(self.enter(order, "refunded"))
            }
            Act::RefundInFull
            | Act::RefundLines
            | Act::RefundQuantity
            | Act::RefundMoney
            | Act::RefundAmount
            | Act::RefundFreeLine
            | Act::RefundRemovedLine => self.make_refund(order, act, dice),
            Act::AddLine => {
                let line = self.line(dice);
                let words = format!("gets line {}: {}", line.id, line.words());
                order.lines.push(line);
                Some(words)
            }
            Act::RemoveLine => {
                if order.lines.len() < 2 {
                    return None;
                }
                let line = order.lines.remove(dice.random_range(0..order.lines.len()));
                Some(format!("loses line {}", line.id))
            }
            Act::RemoveAllLines => {
                order.lines.clear();
                Some("loses all its lines".to_owned())
            }
            Act::Quantity => {
                let line = pick(&mut order.lines, dice)?;
                let (was, now) = (line.quantity, dice.random_range(1..7));
                line.quantity = now;
                for amount in [&mut line.subtotal, &mut line.total, &mut line.tax] {
                    *amount = *amount / was * now;
                }
                Some(format!("line {} has quantity {now} instead of {was}", line.id))
            }
            Act::Promise => {
                let line = pick(&mut order.lines, dice).filter(|line| line.promise.is_none())?;
                line.promise = Some("42.5");
                Some(format!("line {} is promised 42.5 credits each", line.id))
            }
            Act::MoveSite => {
                let site = self.some_site(dice).filter(|_| self.moves)?;
                if dice.random_bool(0.3) {
                    order.site = Some(site.clone());
                    return Some(format!("names site {site}"));
                }
                let line = pick(&mut order.lines, dice)?;
                line.site = Some(site.clone());
                Some(format!("line {} names site {site}", line.id))
            }
            Act::Note => {
                order.note += 1;
                Some("gets another note".to_owned())
            }
            Act::Customer if self.moves => {
                order.customer = dice.random_range(1..=3);
                Some(format!("is given to customer {}", order.customer))
            }
            _ => None,
        }
    }

    fn enter(&self, order: &mut Order, status: &'static str) -> String {
        order.status = status;
        // Cash on delivery is only paid once the order is completed.
        if status == "completed" || (status == "processing" && !order.cod) {
            order.paid.get_or_insert(self.now);
        }
        format!("is {status}")
    }

    fn make_refund(&mut self, order: &mut Order, act: Act, dice: &mut StdRng) -> Option<String> {
        let left = order.total() - order.refunded();
        let mut shipping = 0;
        let mut parts = Vec::new();
        match act {
            Act::RefundInFull => {
                let rest = |line: &Line| Part {
                    line: line.id,
                    quantity: line.quantity,
                    total: line.total,
                    tax: line.tax,
                };
                if order.refunds.is_empty() {
                    parts = order.lines.iter().map(rest).collect();
                    shipping = order.shipping.as_ref().map_or(0, |charge| charge.total);
                }
            }
            Act::RefundLines | Act::RefundQuantity => {
                let several = if act == Act::RefundLines { order.lines.len() } else { 1 };
                for line in order.lines.iter().take(several) {
                    if dice.random_bool(0.2) {
                        continue;
                    }
                    let quantity = dice.random_range(1..=line.quantity);
                    let share = |amount: Cents| amount * quantity / line.quantity;
                    parts.push(Part {
                        line: line.id,
                        quantity,
                        total: share(line.total),
                        tax: share(line.tax),
                    });
                }
                if dice.random_bool(0.3) {
                    shipping = order.shipping.as_ref().map_or(0, |charge| charge.total / 2);
                }
            }
            Act::RefundMoney => {
                let line = order.lines.choose(dice)?;
                let total = dice.random_range(0..=line.total.max(0));
                // Money mostly goes back without a piece.
                let quantity = i64::from(dice.random_bool(0.3));
                parts.push(Part { line: line.id, quantity, total, tax: 0 });
            }
            Act::RefundFreeLine => {
                let line = order.lines.iter().find(|line| line.total == 0)?;
                parts.push(Part {
                    line: line.id,
                    quantity: dice.random_range(1..=line.quantity),
                    total: 0,
                    tax: 0,
                });
            }
            Act::RefundRemovedLine => {
                // The line is taken from the order after its money went back.
                if order.lines.len() < 2 {
                    return None;
                }
                let line = order.lines.remove(dice.random_range(0..order.lines.len()));
                parts.push(Part { line: line.id, quantity: line.quantity, total: line.total, tax: line.tax });
            }
            _ => {}
        }
        let of_parts = parts.iter().map(|part| part.total + part.tax).sum::<Cents>() + shipping;
        let amount = match act {
            Act::RefundInFull => left,
            Act::RefundAmount => dice.random_range(1..=left.max(1)),
            // Staff may type another sum than the parts come to.
            _ if dice.random_ratio(1, 6) => of_parts + dice.random_range(-100..300),
            _ => of_parts,
        };
        if amount < 0 || amount > left || (parts.is_empty() && amount == 0) {
            return None;
        }
        let refund = self.refund(order, parts, shipping, amount);
        let words =
            format!("has {} refunded: {:?}, shipping {}", money(amount), refund.parts, money(shipping));
        order.refunds.push(refund);
        if amount == left && amount > 0 {
            self.enter(order, "refunded");
        }
        Some(words)
    }

    fn refund(&mut self, _of: &Order, parts: Vec<Part>, shipping: Cents, amount: Cents) -> Refund {
        self.next_refund += 1;
        Refund { id: self.next_refund, amount, at: self.now, parts, shipping, shipping_tax: 0 }
    }

    fn place(&mut self, id: i64, dice: &mut StdRng) -> String {
        let customer = if dice.random_bool(0.25) { 0 } else { dice.random_range(1..=3) };
        let count = *[1, 1, 1, 2, 2, 3, 4].choose(dice).unwrap();
        let lines: Vec<Line> = (0..count).map(|_| self.line(dice)).collect();
        let mut order = Order {
            id,
            status: "pending",
            customer,
            email: format!("buyer{}@example.test", dice.random_range(1..=2)),
            created: self.now,
            modified: self.now,
            paid: None,
            cod: dice.random_ratio(1, 8),
            note: 0,
            site: dice.random_ratio(1, 4).then(|| self.some_site(dice)).flatten(),
            lines,
            shipping: dice.random_ratio(1, 5).then(|| self.charge(490, 93)),
            fees: if dice.random_ratio(1, 6) {
                vec![self.charge(250, 0), self.charge(-100, 0)]
            } else {
                Vec::new()
            },
            refunds: Vec::new(),
            trashed_from: None,
        };
        let status = *[
            "pending",
            "pending",
            "on-hold",
            "checkout-draft",
            "processing",
            "processing",
            "processing",
            "completed",
        ]
        .choose(dice)
        .unwrap();
        self.enter(&mut order, status);
        let at_checkout = dice.random_bool(0.3);
        let topics =
            if at_checkout { ["order.updated", "order.created"] } else { ["order.created", "order.updated"] };
        for topic in topics {
            self.event(topic, id);
        }
        if order.paid.is_some() {
            self.event("action.woocommerce_payment_complete", id);
        }
        let words = format!("is placed, {}", order.words());
        self.keep(order);
        words
    }

    fn line(&mut self, dice: &mut StdRng) -> Line {
        self.next_item += 1;
        // The parent of variations is not for sale itself; what is gone is not either.
        let for_sale: Vec<_> = PRODUCTS
            .iter()
            .filter(|product| product.id != 19 && !self.gone_products.contains(&product.id))
            .collect();
        let product = for_sale.choose(dice).copied().unwrap_or(&PRODUCTS[0]);
        let quantity = dice.random_range(1..=4);
        let subtotal = product.price * quantity;
        let total = subtotal - subtotal * *[0, 0, 0, 10, 33, 100].choose(dice).unwrap() / 100;
        let promise =
            dice.random_ratio(1, 6).then(|| *["123.456789", "7", "0.000001", "10000"].choose(dice).unwrap());
        Line {
            id: self.next_item,
            product: product.id,
            quantity,
            subtotal,
            total,
            tax: total * *[0, 0, 19].choose(dice).unwrap() / 100,
            promise,
            site: dice.random_ratio(1, 3).then(|| self.some_site(dice)).flatten(),
        }
    }

    fn charge(&mut self, total: Cents, tax: Cents) -> Charge {
        self.next_item += 1;
        Charge { id: self.next_item, total, tax }
    }

    fn some_site(&self, dice: &mut StdRng) -> Option<String> {
        if dice.random_ratio(1, 12) {
            Some("not a site!".to_owned())
        } else {
            self.sites.choose(dice).cloned()
        }
    }

    /// Queues a webhook, unless the same one waits already.
    fn event(&mut self, topic: &'static str, about: i64) {
        let event = Event { topic, about };
        if !self.queue.contains(&event) {
            self.queue.push(event);
        }
    }

    /// Runs the queue: every body shows the order as it is now, whatever it was when the event happened.
    pub(crate) fn run_queue(&mut self) -> Vec<Mail> {
        let queue = std::mem::take(&mut self.queue);
        queue.iter().map(|event| self.mail(event)).collect()
    }

    fn mail(&mut self, event: &Event) -> Mail {
        let (topic, id) = (event.topic.to_owned(), event.about);
        self.bodies += 1;
        let told_at = self.tells.then_some(self.now * 1_000_000 + self.bodies);
        if event.topic == GONE {
            let body = json!({ "id": id, "nivella": { "version": 1, "told_at": told_at.map(micros), "gone": true } });
            let last = self.versions[&id].last().unwrap();
            let order = Order { status: "deleted", ..last.clone() };
            let shows = Shown { order, gone: self.gone_products.clone(), details: true, told_at };
            let topic = "order.deleted".to_owned();
            return Mail { topic, body: body.to_string().into_bytes(), order: Some(id), shows: Some(shows) };
        }
        let bare = |body: Value, order| Mail {
            topic: topic.clone(),
            body: body.to_string().into_bytes(),
            order,
            shows: None,
        };
        if let Some(action) = event.topic.strip_prefix("action.") {
            let order = (!action.contains("refund_deleted")).then_some(id);
            return bare(json!({ "action": action, "arg": id }), order);
        }
        if event.topic == "order.deleted" {
            return bare(json!({ "id": id }), Some(id));
        }
        match self.show(id) {
            Some(shows) => {
                let shows = Shown { told_at, ..shows };
                let body = order_json(&shows).to_string().into_bytes();
                Mail { topic, body, order: Some(id), shows: Some(shows) }
            }
            None => Mail { topic, body: recorded("rest/order-404.body"), order: None, shows: None },
        }
    }

    /// An order as its webhooks show it now.
    pub(crate) fn show(&self, id: i64) -> Option<Shown> {
        let order = self.orders.get(&id)?.clone();
        Some(Shown { order, gone: self.gone_products.clone(), details: self.has_plugin, told_at: None })
    }
}

impl Order {
    /// What is to be paid, with tax; refunds do not lower it.
    pub(crate) fn total(&self) -> Cents {
        let lines = self.lines.iter().map(|line| line.total + line.tax);
        let charges = self.shipping.iter().chain(&self.fees).map(|charge| charge.total + charge.tax);
        lines.chain(charges).sum()
    }

    fn refunded(&self) -> Cents {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }

    pub(crate) fn words(&self) -> String {
        let lines: Vec<String> =
            self.lines.iter().map(|line| format!("line {}: {}", line.id, line.words())).collect();
        let charges = [("shipping", self.shipping.is_some()), ("fees", !self.fees.is_empty())]
            .iter()
            .filter_map(|(name, has)| has.then_some(*name))
            .collect::<Vec<_>>()
            .join(", ");
        format!(
            "{} by customer {} <{}>{}{}: {} {charges} = {}",
            self.status,
            self.customer,
            self.email,
            if self.cod { ", cash on delivery" } else { "" },
            self.site.as_ref().map(|site| format!(", site {site}")).unwrap_or_default(),
            lines.join("; "),
            money(self.total())
        )
    }
}

impl Line {
    fn words(&self) -> String {
        format!(
            "{} x product {} at {} of {}{}{}",
            self.quantity,
            self.product,
            money(self.total),
            money(self.subtotal),
            self.promise.map(|promise| format!(", promises {promise}")).unwrap_or_default(),
            self.site.as_ref().map(|site| format!(", site {site}")).unwrap_or_default(),
        )
    }
}

fn pick<'a, T>(list: &'a mut [T], dice: &mut StdRng) -> Option<&'a mut T> {
    if list.is_empty() {
        return None;
    }
    let at = dice.random_range(0..list.len());
    list.get_mut(at)
}

// JSON ----------------------------------------------------------------------------------------------

static ORDER: LazyLock<Value> = LazyLock::new(|| read("rest/order-refunded.body"));
static CHARGED: LazyLock<Value> = LazyLock::new(|| read("04-mixed-cart/001-order.created/body.bin"));
static FEES: LazyLock<Value> = LazyLock::new(|| read("09-fees/001-order.created/body.bin"));
static REFUNDS: LazyLock<Value> = LazyLock::new(|| read("rest/order-refunds.body"));
static PRODUCT: LazyLock<Value> = LazyLock::new(|| read("rest/product-simple.body"));
static VARIATION: LazyLock<Value> = LazyLock::new(|| read("rest/product-variation-via-products.body"));

fn read(file: &str) -> Value {
    serde_json::from_slice(&recorded(file)).unwrap()
}

/// An order as `GET /orders/{id}` and the webhooks give it.
pub(crate) fn order_json(shown: &Shown) -> Value {
    let order = &shown.order;
    let mut json = ORDER.clone();
    let lines: Vec<Value> = order.lines.iter().map(|line| line_json(line, shown)).collect();
    let fees = order.fees.iter().map(|fee| charge_json(&FEES["fee_lines"][0], fee));
    let shipping = order.shipping.iter().map(|charge| charge_json(&CHARGED["shipping_lines"][0], charge));
    let discount: Cents = order.lines.iter().map(|line| line.subtotal - line.total).sum();
    let shipping_total = order.shipping.as_ref().map_or(0, |charge| charge.total);
    // The newest second first, and within one the first refund first; the list of refunds has it the other way.
    let mut refunds: Vec<&Refund> = order.refunds.iter().collect();
    refunds.sort_by_key(|refund| (std::cmp::Reverse(refund.at), refund.id));
    let refunds = refunds.iter().map(|refund| {
        json!({ "id": refund.id, "reason": "", "total": money(-refund.amount), "total_tax": "0.00" })
    });
    set(&mut json, "id", order.id);
    set(&mut json, "number", order.id.to_string());
    set(&mut json, "status", order.status);
    set(&mut json, "customer_id", order.customer);
    set(&mut json, "customer_note", "note ".repeat(order.note as usize));
    set(&mut json, "total", money(order.total()));
    set(&mut json, "discount_total", money(discount));
    set(&mut json, "shipping_total", money(shipping_total));
    json["billing"]["email"] = order.email.clone().into();
    set(&mut json, "payment_method", if order.cod { "cod" } else { "bacs" });
    let completed = (order.status == "completed").then_some(order.modified);
    for (name, at) in [
        ("date_created", Some(order.created)),
        ("date_modified", Some(order.modified)),
        ("date_paid", order.paid),
        ("date_completed", completed),
    ] {
        let at = at.map(date);
        json[name] = at.clone().into();
        json[format!("{name}_gmt")] = at.into();
    }
    json["meta_data"] = match &order.site {
        Some(site) => json!([{ "id": order.id, "key": "site_id", "value": site }]),
        None => json!([]),
    };
    json["line_items"] = lines.into();
    json["shipping_lines"] = shipping.collect();
    json["fee_lines"] = fees.collect();
    json["refunds"] = refunds.collect();
    if shown.details && !order.refunds.is_empty() {
        json["nivella"] = json!({ "refunds": refunds_json(order) });
    }
    if let Some(told_at) = shown.told_at {
        json["nivella"] = json!({
            "version": 1,
            "told_at": micros(told_at),
            "refunds": refunds_json(order),
            "products": told_products(shown),
            "categories": [
                { "id": 16, "name": "Tokens", "slug": "tokens", "parent": 0 },
                { "id": 17, "name": "Bundles", "slug": "bundles", "parent": 16 },
                { "id": 18, "name": "Apparel", "slug": "apparel", "parent": 0 },
            ],
        });
    }
    json
}

/// What the plugin tells of what was bought: each product that is still there, and of a variation its parent too.
fn told_products(shown: &Shown) -> Value {
    let sold: BTreeSet<i64> = shown
        .order
        .lines
        .iter()
        .map(|line| product_of(line.product))
        .flat_map(|product| [product.id, product.parent])
        .filter(|id| *id > 0 && !shown.gone.contains(id))
        .collect();
    let tell = |id| {
        let json = product_json(product_of(id));
        let mut told = json!({ "status": "publish" });
        for name in ["id", "parent_id", "sku", "name", "categories", "meta_data", "permalink", "price"] {
            told[name] = json[name].clone();
        }
        told
    };
    sold.into_iter().map(tell).collect()
}

/// Microseconds as the plugin writes them.
fn micros(at: i64) -> String {
    DateTime::from_timestamp_micros(at).unwrap().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// An order was deleted for good; told by the plugin alone.
const GONE: &str = "nivella.gone";

/// The refunds of an order as `GET /orders/{id}/refunds` gives them.
pub(crate) fn refunds_json(order: &Order) -> Value {
    let refund_json = |refund: &Refund| {
        let mut json = REFUNDS[0].clone();
        set(&mut json, "id", refund.id);
        set(&mut json, "amount", money(refund.amount));
        json["date_created"] = date(refund.at).into();
        json["date_created_gmt"] = date(refund.at).into();
        let line_json = |part: &Part| {
            let mut line = REFUNDS[0]["line_items"][0].clone();
            set(&mut line, "id", refund.id * 10 + part.line % 10);
            set(&mut line, "quantity", -part.quantity);
            set(&mut line, "subtotal", money(-part.total));
            set(&mut line, "total", money(-part.total));
            set(&mut line, "total_tax", money(-part.tax));
            line["meta_data"][0]["value"] = part.line.to_string().into();
            line["meta_data"][0]["display_value"] = part.line.to_string().into();
            line
        };
        json["line_items"] = refund.parts.iter().map(line_json).collect();
        json["shipping_lines"] = if refund.shipping == 0 {
            json!([])
        } else {
            let charge = Charge { id: refund.id + 1, total: -refund.shipping, tax: -refund.shipping_tax };
            json!([charge_json(&CHARGED["shipping_lines"][0], &charge)])
        };
        json
    };
    let mut refunds: Vec<&Refund> = order.refunds.iter().collect();
    refunds.sort_by_key(|refund| std::cmp::Reverse((refund.at, refund.id)));
    refunds.into_iter().map(refund_json).collect()
}

fn line_json(line: &Line, shown: &Shown) -> Value {
    let mut json = ORDER["line_items"][0].clone();
    let product = product_of(line.product);
    let is_gone = shown.gone.contains(&product.id);
    let (sold, variation) = if product.parent > 0 { (product.parent, product.id) } else { (product.id, 0) };
    set(&mut json, "id", line.id);
    set(&mut json, "name", product.name);
    set(&mut json, "product_id", if is_gone { 0 } else { sold });
    set(&mut json, "variation_id", if is_gone { 0 } else { variation });
    json["sku"] = if is_gone { Value::Null } else { product.sku.into() };
    set(&mut json, "quantity", line.quantity);
    set(&mut json, "subtotal", money(line.subtotal));
    set(&mut json, "total", money(line.total));
    set(&mut json, "total_tax", money(line.tax));
    let meta = |(key, value): (&str, &str)| json!({ "id": line.id, "key": key, "value": value, "display_key": key, "display_value": value });
    let promise = line.promise.map(|promise| ("_nivella_credits", promise));
    let site = line.site.as_deref().map(|site| ("_nivella_site_id", site));
    json["meta_data"] = promise.into_iter().chain(site).map(meta).collect();
    json
}

fn charge_json(like: &Value, charge: &Charge) -> Value {
    let mut json = like.clone();
    set(&mut json, "id", charge.id);
    set(&mut json, "total", money(charge.total));
    set(&mut json, "total_tax", money(charge.tax));
    json
}

/// A product as `GET /products/{id}` and the webhooks give it.
pub(crate) fn product_json(product: &Product) -> Value {
    let mut json = if product.parent > 0 { VARIATION.clone() } else { PRODUCT.clone() };
    set(&mut json, "id", product.id);
    set(&mut json, "name", product.name);
    set(&mut json, "sku", product.sku);
    set(&mut json, "parent_id", product.parent);
    set(&mut json, "price", money(product.price));
    if product.parent == 0 {
        let (name, slug) = match product.category {
            16 => ("Tokens", "tokens"),
            17 => ("Bundles", "bundles"),
            _ => ("Apparel", "apparel"),
        };
        json["categories"] = json!([{ "id": product.category, "name": name, "slug": slug }]);
    }
    json["meta_data"] = match product.credits {
        Some(credits) => json!([{ "id": product.id, "key": "_nivella_credits", "value": credits }]),
        None => json!([]),
    };
    json
}

fn set(json: &mut Value, name: &str, value: impl Into<Value>) {
    json[name] = value.into();
}

pub(crate) fn date(second: i64) -> String {
    DateTime::from_timestamp(second, 0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string()
}

pub(crate) fn money(cents: Cents) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}
