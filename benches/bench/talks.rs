//! What the loads say to the daemon, and how its answers are checked.

use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;

use nivella_wallet::inbox::signature;
use serde::Deserialize;

use crate::daemon::SECRET;
use crate::http::{Caller, answer, request};
use crate::load::Talk;

/// What one debit takes, in micro-credits: little enough for any number of rounds, and for the brake.
pub(crate) const DEBIT_MICRO: i64 = 1_000;
/// The same as it is written.
const DEBIT: &str = "0.001";

/// Numbers that look random and are the same in each run.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % end as u64).expect("below a usize")
    }
}

/// What wallets must hold: what they held when the loads began, less what was answered since.
#[derive(Debug)]
pub(crate) struct Tally {
    wallets: Vec<Held>,
    /// Sent debits, for keys that are used once.
    sent: u64,
    name: String,
    /// A few that were answered, to be sent again.
    pub(crate) answered: Vec<(String, usize, String)>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    now: i64,
    /// The least that an answer told of.
    told: i64,
}

/// Sites to be taken one after the other, by whoever comes first.
type Once = Rc<RefCell<std::vec::IntoIter<usize>>>;

/// A tally that several clients note in.
pub(crate) type Shared = Rc<RefCell<Tally>>;

impl Tally {
    /// Asks the daemon for the wallets of sites 1 to `sites`.
    pub(crate) fn read(caller: &mut Caller, sites: usize, name: &str) -> Shared {
        let wallets = (1..=sites)
            .map(|site| {
                let now = available(caller, site);
                Held { now, told: i64::MAX }
            })
            .collect();
        Rc::new(RefCell::new(Self { wallets, sent: 0, name: name.to_owned(), answered: Vec::new() }))
    }

    /// One that knows nothing of what the wallets hold: what is filled is proved by `verify`.
    pub(crate) fn blank(sites: usize, name: &str) -> Shared {
        let wallets = vec![Held { now: 0, told: i64::MAX }; sites];
        Rc::new(RefCell::new(Self { wallets, sent: 0, name: name.to_owned(), answered: Vec::new() }))
    }

    /// One of wallets that hold nothing but what they were filled with.
    pub(crate) fn known(sites: usize, micro: i64, name: &str) -> Shared {
        let tally = Self::blank(sites, name);
        tally.borrow_mut().wallets.iter_mut().for_each(|held| held.now = micro);
        tally
    }

    /// Adds what another, blank one noted meanwhile.
    pub(crate) fn add(&mut self, other: &Self) {
        for (held, more) in self.wallets.iter_mut().zip(&other.wallets) {
            held.now += more.now;
            held.told = held.told.min(more.told);
        }
    }

    /// How many debits were sent.
    pub(crate) fn sent(&self) -> usize {
        usize::try_from(self.sent).expect("small")
    }

    fn new_key(&mut self) -> String {
        self.sent += 1;
        format!("{}-{:08}", self.name, self.sent)
    }

    /// Notes that a debit of `site` was answered.
    fn took(&mut self, site: usize, told: i64) {
        let held = &mut self.wallets[site - 1];
        held.now -= DEBIT_MICRO;
        held.told = held.told.min(told);
    }

    /// What a wallet must show.
    pub(crate) fn available(&self, site: usize) -> i64 {
        self.wallets[site - 1].now
    }

    /// Compares with what the daemon shows: every debit that was answered is in the books exactly once, and no
    /// other; the last answer of each wallet told its balance; what is sent again is done no second time.
    pub(crate) fn prove(&self, caller: &mut Caller) {
        for (key, site, id) in &self.answered {
            let body = debit_body(*site);
            let (status, again) = caller.call("POST", "/v1/debits", &key_header(key), body.as_bytes());
            let again: Debited<'_> = serde_json::from_slice(&again).expect("a debit");
            assert_eq!((status, again.id), (201, id.as_str()), "a debit that is sent again");
        }
        let step = self.wallets.len().div_ceil(PROVED_MAX);
        for (index, held) in self.wallets.iter().enumerate().step_by(step) {
            assert_eq!(
                available(caller, index + 1),
                held.now,
                "site {}: a debit is lost or doubled",
                index + 1
            );
            let is_told = held.told == i64::MAX || held.told == held.now;
            assert!(is_told, "site {}: no answer told of its last balance", index + 1);
        }
    }
}

/// Of more wallets than this, every so many is looked at.
const PROVED_MAX: usize = 10_000;

fn available(caller: &mut Caller, site: usize) -> i64 {
    let wallet = caller.json("GET", &format!("/v1/wallets/site:site-{site}"), "", b"");
    micro(wallet["available"].as_str().expect("credits"))
}

/// Credits as they are written, in micro-credits.
pub(crate) fn micro(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: i64 = format!("{part:0<6}").parse().expect("decimals");
    whole.parse::<i64>().expect("credits") * 1_000_000 + part
}

fn key_header(key: &str) -> String {
    format!("Idempotency-Key: {key}\r\n")
}

fn debit_body(site: usize) -> String {
    format!(
        r#"{{"site":"site-{site}","agent":"helper","credits":"{DEBIT}","action":"chat","label":"Answered a visitor question"}}"#
    )
}

#[derive(Deserialize)]
struct Debited<'a> {
    id: &'a str,
    credits: &'a str,
    available: &'a str,
}

impl Debited<'_> {
    fn check(&self) -> i64 {
        assert!(self.id.starts_with("db_") && self.credits == DEBIT, "{} took {}", self.id, self.credits);
        micro(self.available)
    }
}

/// Debits of sites picked at random.
pub(crate) struct Debits {
    tally: Shared,
    head: String,
    sites: usize,
    dice: Dice,
    asked: (String, usize),
    count: u64,
}

impl Debits {
    /// `clients` of them, over the first `sites` sites.
    pub(crate) fn many(tally: &Shared, key: &str, sites: usize, clients: usize) -> Vec<Self> {
        let head = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
        let seed = tally.borrow().sent;
        let one = |client| Self {
            tally: Rc::clone(tally),
            head: head.clone(),
            sites,
            dice: Dice::new(seed + client as u64 + 1),
            asked: (String::new(), 0),
            count: 0,
        };
        (0..clients).map(one).collect()
    }
}

impl Talk for Debits {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        let site = self.dice.below(self.sites) + 1;
        let key = self.tally.borrow_mut().new_key();
        let headers = format!("{}Idempotency-Key: {key}\r\n", self.head);
        request(out, "POST", "/v1/debits", &headers, debit_body(site).as_bytes());
        self.asked = (key, site);
        true
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        let answer = answer(input)?;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(answer.body));
        assert!(!answer.replayed, "a key was used twice");
        let debited: Debited<'_> = serde_json::from_slice(answer.body).expect("a debit");
        let mut tally = self.tally.borrow_mut();
        tally.took(self.asked.1, debited.check());
        self.count += 1;
        if self.count % SAMPLE == 1 && tally.answered.len() < SAMPLES_MAX {
            let (key, site) = std::mem::take(&mut self.asked);
            tally.answered.push((key, site, debited.id.to_owned()));
        }
        Some(answer.length)
    }
}

/// One in so many answers is asked for again at the end.
const SAMPLE: u64 = 500;
const SAMPLES_MAX: usize = 500;

/// Debits in batches.
pub(crate) struct Batches {
    tally: Shared,
    head: String,
    /// What a batch is filled with; each picks sites at random unless `in_order` says to take one after the other.
    sites: usize,
    size: usize,
    dice: Dice,
    in_order: Option<Once>,
    asked: Vec<usize>,
}

#[derive(Deserialize)]
struct BatchAnswer<'a> {
    #[serde(borrow)]
    results: Vec<Outcome<'a>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(borrow)]
    body: Debited<'a>,
    #[serde(default)]
    replayed: bool,
}

impl Batches {
    /// `clients` that send batches of `size` without end.
    pub(crate) fn many(
        tally: &Shared,
        key: &str,
        sites: usize,
        (clients, size): (usize, usize),
    ) -> Vec<Self> {
        (0..clients).map(|client| Self::one(tally, key, sites, size, client)).collect()
    }

    /// `clients` that together debit each site of `once` once.
    pub(crate) fn once(tally: &Shared, key: &str, once: Vec<usize>, clients: usize) -> Vec<Self> {
        let in_order = Rc::new(RefCell::new(once.into_iter()));
        let one =
            |client| Self { in_order: Some(Rc::clone(&in_order)), ..Self::one(tally, key, 1, BATCH, client) };
        (0..clients).map(one).collect()
    }

    fn one(tally: &Shared, key: &str, sites: usize, size: usize, client: usize) -> Self {
        let seed = tally.borrow().sent + client as u64 + 1;
        let head = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
        Self {
            tally: Rc::clone(tally),
            head,
            sites,
            size,
            dice: Dice::new(seed),
            in_order: None,
            asked: Vec::new(),
        }
    }

    /// The next batches have so many debits.
    pub(crate) fn fill_up_to(&mut self, size: usize) {
        self.size = size;
    }

    fn pick(&mut self) -> Option<usize> {
        match &self.in_order {
            Some(sites) => sites.borrow_mut().next(),
            None => Some(self.dice.below(self.sites) + 1),
        }
    }
}

/// How many debits go into a batch that is about speed.
pub(crate) const BATCH: usize = 512;

impl Talk for Batches {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        self.asked.clear();
        while self.asked.len() < self.size {
            let Some(site) = self.pick() else { break };
            self.asked.push(site);
        }
        if self.asked.is_empty() {
            return false;
        }
        let mut body = br#"{"items":["#.to_vec();
        for (index, site) in self.asked.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let key = self.tally.borrow_mut().new_key();
            write!(
                body,
                r#"{comma}{{"idempotency_key":"{key}","site":"site-{site}","agent":"helper","credits":"{DEBIT}","action":"chat","label":"Answered a visitor question"}}"#
            )
            .expect("memory");
        }
        body.extend_from_slice(b"]}");
        request(out, "POST", "/v1/debits/batch", &self.head, &body);
        true
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        let answer = answer(input)?;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
        let BatchAnswer { results } = serde_json::from_slice(answer.body).expect("results of debits");
        assert_eq!(results.len(), self.asked.len(), "a result for each");
        let mut tally = self.tally.borrow_mut();
        for (site, result) in self.asked.iter().zip(&results) {
            assert!(result.status == 201 && !result.replayed, "site {site}: {}", result.status);
            tally.took(*site, result.body.check());
        }
        Some(answer.length)
    }
}

/// Reads of wallets' feeds.
pub(crate) struct Feeds {
    tally: Shared,
    head: String,
    sites: usize,
    dice: Dice,
    in_order: Option<Once>,
    /// Whether others write meanwhile, so that it cannot be said what is there.
    changing: bool,
    asked: usize,
    heard: usize,
}

#[derive(Deserialize)]
struct Feed<'a> {
    wallet: &'a str,
    available: &'a str,
}

/// One of so many feeds is parsed as a whole, of the others only what is compared: whoever shows a feed does that on a
/// machine of its own.
const WHOLE: usize = 16;

/// The text of one of the first fields: inside another text its quotes would be escaped.
fn field<'a>(body: &'a [u8], name: &str) -> &'a str {
    let body = std::str::from_utf8(&body[..body.len().min(512)]).expect("plain JSON");
    let (_, rest) = body.split_once(&format!("\"{name}\":\"")).expect("the field");
    rest.split_once('"').expect("its end").0
}

impl Feeds {
    /// `clients` that read the feeds of sites picked at random, while others write.
    pub(crate) fn many(tally: &Shared, key: &str, sites: usize, clients: usize) -> Vec<Self> {
        (0..clients).map(|client| Self::one(tally, key, (sites, client), None)).collect()
    }

    /// `clients` that together read each of the feeds of `once` once.
    pub(crate) fn once(tally: &Shared, key: &str, once: Vec<usize>, clients: usize) -> Vec<Self> {
        let in_order = Rc::new(RefCell::new(once.into_iter()));
        (0..clients).map(|client| Self::one(tally, key, (1, client), Some(Rc::clone(&in_order)))).collect()
    }

    fn one(tally: &Shared, key: &str, (sites, client): (usize, usize), in_order: Option<Once>) -> Self {
        Self {
            tally: Rc::clone(tally),
            head: format!("Authorization: Bearer {key}\r\n"),
            sites,
            dice: Dice::new(client as u64 + 1),
            changing: in_order.is_none(),
            in_order,
            asked: 0,
            heard: 0,
        }
    }
}

impl Talk for Feeds {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        let site = match &self.in_order {
            Some(sites) => sites.borrow_mut().next(),
            None => Some(self.dice.below(self.sites) + 1),
        };
        let Some(site) = site else { return false };
        self.asked = site;
        request(out, "GET", &format!("/v1/wallets/site:site-{site}/feed"), &self.head, b"");
        true
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        let answer = answer(input)?;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
        self.heard += 1;
        if self.heard.is_multiple_of(WHOLE) {
            let feed: Feed<'_> = serde_json::from_slice(answer.body).expect("a feed");
            assert_eq!(feed.available, field(answer.body, "available"));
            assert_eq!(feed.wallet, field(answer.body, "wallet"));
        }
        let site = field(answer.body, "wallet").strip_prefix("site:site-").and_then(|site| site.parse().ok());
        assert_eq!(site, Some(self.asked));
        if !self.changing {
            let (is, must) = (field(answer.body, "available"), self.tally.borrow().available(self.asked));
            assert_eq!(micro(is), must, "site {}: the feed lags behind", self.asked);
        }
        Some(answer.length)
    }
}

/// The same `GET` again and again.
pub(crate) struct Same {
    request: Vec<u8>,
}

impl Same {
    pub(crate) fn many(path: &str, clients: usize) -> Vec<Self> {
        let mut out = Vec::new();
        request(&mut out, "GET", path, "", b"");
        (0..clients).map(|_| Self { request: out.clone() }).collect()
    }
}

impl Talk for Same {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.request);
        true
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        let answer = answer(input)?;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
        let _: serde_json::Value = serde_json::from_slice(answer.body).expect("JSON");
        Some(answer.length)
    }
}

// Deliveries -----------------------------------------------------------------------------------------

/// What orders buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wares {
    /// A shirt: the delivery is kept, and there is nothing to grant.
    Shirt,
    /// 1,000 credits.
    Credits,
}

/// An order as WooCommerce writes it, of about four kilobytes, cut where something is put in.
pub(crate) struct Template {
    parts: Vec<String>,
}

/// The credits one order brings.
pub(crate) const ORDER_MICRO: i64 = 1_000 * 1_000_000;
/// Customers have numbers from here on.
pub(crate) const FIRST_CUSTOMER: u64 = 100_000;

impl Template {
    pub(crate) fn new(wares: Wares) -> Self {
        let folder = match wares {
            Wares::Shirt => "06-only-apparel/004-order.updated",
            Wares::Credits => "02-paid-order-one-token/003-order.updated",
        };
        let path = format!("{}/fixtures/woocommerce/{folder}/body.bin", env!("CARGO_MANIFEST_DIR"));
        let mut order: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).expect("recorded")).expect("JSON");
        order["id"] = "\u{1}N\u{1}".into();
        order["number"] = "\u{1}n\u{1}".into();
        order["customer_id"] = "\u{1}C\u{1}".into();
        order["line_items"][0]["id"] = "\u{1}N\u{1}".into();
        order["meta_data"] = meta();
        let text = order.to_string();
        // In JSON the marks are written as escapes.
        let parts = text
            .replace("\"\\u0001N\\u0001\"", "\u{1}N\u{1}")
            .replace("\\u0001n\\u0001", "\u{1}N\u{1}")
            .replace("\"\\u0001C\\u0001\"", "\u{1}C\u{1}")
            .split('\u{1}')
            .map(str::to_owned)
            .collect();
        Self { parts }
    }

    /// The body of order `number` of a customer.
    pub(crate) fn write(&self, number: u64, customer: u64) -> Vec<u8> {
        let mut body = Vec::with_capacity(5_000);
        for part in &self.parts {
            match part.as_str() {
                "N" => write!(body, "{number}").expect("memory"),
                "C" => write!(body, "{customer}").expect("memory"),
                text => body.extend_from_slice(text.as_bytes()),
            }
        }
        body
    }
}

/// What shops of today keep beside an order: where the buyer came from, what other plugins noted.
fn meta() -> serde_json::Value {
    let names = [
        "source_type",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "session_entry",
        "session_start_time",
        "session_pages",
        "session_count",
        "user_agent",
        "device_type",
        "referrer",
        "utm_content",
    ];
    let value = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0";
    let rows = names.iter().enumerate().map(|(index, name)| {
        serde_json::json!({ "id": 9000 + index, "key": format!("_wc_order_attribution_{name}"), "value": value })
    });
    rows.collect()
}

/// What was delivered so far.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    next: u64,
    /// The orders that were answered, of each customer.
    pub(crate) orders: Vec<i64>,
    /// A few, to be delivered again.
    pub(crate) answered: Vec<(u64, String)>,
}

/// Deliveries of new orders.
pub(crate) struct Deliveries {
    template: Rc<Template>,
    delivered: Rc<RefCell<Delivered>>,
    path: &'static str,
    wares: Option<Wares>,
    asked: u64,
}

#[derive(Deserialize)]
struct Receipt<'a> {
    delivery: &'a str,
    result: &'a str,
}

impl Deliveries {
    /// `clients` that deliver to the daemon.
    pub(crate) fn many(wares: Wares, delivered: &Rc<RefCell<Delivered>>, clients: usize) -> Vec<Self> {
        Self::to(HOOK, wares, Some(wares), delivered, clients)
    }

    /// The same to the floor, which keeps nothing.
    pub(crate) fn floor(delivered: &Rc<RefCell<Delivered>>, clients: usize) -> Vec<Self> {
        Self::to("/hook", Wares::Shirt, None, delivered, clients)
    }

    fn to(
        path: &'static str,
        template: Wares,
        wares: Option<Wares>,
        delivered: &Rc<RefCell<Delivered>>,
        clients: usize,
    ) -> Vec<Self> {
        let template = Rc::new(Template::new(template));
        delivered.borrow_mut().orders.resize(CUSTOMERS, 0);
        let one = |_| Self {
            template: Rc::clone(&template),
            delivered: Rc::clone(delivered),
            path,
            wares,
            asked: 0,
        };
        (0..clients).map(one).collect()
    }
}

/// Where the daemon takes deliveries.
const HOOK: &str = "/webhooks/woocommerce/bench";
/// Over so many customers orders are spread.
pub(crate) const CUSTOMERS: usize = 1_000;

fn customer_of(order: u64) -> usize {
    usize::try_from(order).expect("small") % CUSTOMERS
}

/// The headers of a delivery.
pub(crate) fn signed(body: &[u8], topic: &str) -> String {
    format!(
        "Content-Type: application/json\r\nX-WC-Webhook-Topic: {topic}\r\nX-WC-Webhook-ID: 7\r\nX-WC-Webhook-Signature: {}\r\n",
        signature::sign(SECRET.as_bytes(), body)
    )
}

impl Talk for Deliveries {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        let mut delivered = self.delivered.borrow_mut();
        self.asked = FIRST_ORDER + delivered.next;
        delivered.next += 1;
        let body = self.template.write(self.asked, FIRST_CUSTOMER + customer_of(self.asked) as u64);
        request(out, "POST", self.path, &signed(&body, "order.updated"), &body);
        true
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        let answer = answer(input)?;
        let text = String::from_utf8_lossy(answer.body);
        assert_eq!(answer.status, 200, "{text}");
        if let Some(wares) = self.wares {
            let receipt: Receipt<'_> = serde_json::from_slice(answer.body).expect("a receipt");
            let must = if wares == Wares::Credits { "granted" } else { "ignored" };
            assert_eq!(receipt.result, must, "{text}");
            let mut delivered = self.delivered.borrow_mut();
            delivered.orders[customer_of(self.asked)] += 1;
            if self.asked.is_multiple_of(SAMPLE) && delivered.answered.len() < SAMPLES_MAX {
                delivered.answered.push((self.asked, receipt.delivery.to_owned()));
            }
        }
        Some(answer.length)
    }
}

/// Orders have numbers from here on.
const FIRST_ORDER: u64 = 1_000_000;

/// Proves that what was answered is kept: it is known when it is delivered again, and each customer has the credits
/// of exactly the orders that were answered.
pub(crate) fn prove_delivered(caller: &mut Caller, wares: Wares, delivered: &Delivered) {
    let template = Template::new(wares);
    for (order, id) in &delivered.answered {
        let body = template.write(*order, FIRST_CUSTOMER + customer_of(*order) as u64);
        let again = caller.json("POST", HOOK, &signed(&body, "order.updated"), &body);
        assert_eq!((again["result"].as_str(), again["delivery"].as_str()), (Some("unchanged"), Some(&**id)));
    }
    if wares == Wares::Shirt {
        return;
    }
    for (customer, orders) in delivered.orders.iter().enumerate().filter(|(_, orders)| **orders > 0) {
        let number = FIRST_CUSTOMER + customer as u64;
        let path = format!("/v1/wallets/account:bench:customer:{number}");
        let wallet = caller.json("GET", &path, "", b"");
        assert_eq!(micro(wallet["available"].as_str().expect("credits")), orders * ORDER_MICRO, "{path}");
    }
}
