//! Histories made at random, lived through by the shop, the real program and the model at once.
//!
//! A history is data: a seed, what kind of shop it is, and a list of steps, each with dice of its own. So one
//! that fails can be cut down step by step, and every cut is a history too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use nivella_wallet::catalog::worth::Basis;
use nivella_wallet::catalog::{self, Package};
use nivella_wallet::db::{self, Db, Keep, Tx};
use nivella_wallet::id::SiteId;
use nivella_wallet::inbox::signature::{self, SIGNATURE};
use nivella_wallet::inbox::{self, Envelope, Incoming};
use nivella_wallet::ledger::audit;
use nivella_wallet::ledger::limit::Brake;
use nivella_wallet::ledger::store::{Shortfall, spend};
use nivella_wallet::order::apply::{self, Rules};
use nivella_wallet::order::target::{Discount, OnDelete};
use nivella_wallet::params;
use nivella_wallet::shop::{self, HookSecret, Store};
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::Validity;
use nivella_wallet::units::Credits;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::model::{Bears, Books, Micro, Model, Policy, Worth};
use super::rest::Trouble;
use super::shop::{Act, Mail, PRODUCTS, START, Shop, product_json};
use crate::app::{SECRET, write};
use crate::support::{TestDb, new_debit};

/// The first order; the others follow.
pub(crate) const FIRST_ORDER: i64 = 1_000;

/// What kind of shop it is and what may go wrong.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own that may be so or not")]
pub(crate) struct Kind {
    pub(crate) policy: Policy,
    pub(crate) has_plugin: bool,
    /// The plugin tells all it knows, also of what WooCommerce keeps silent about.
    pub(crate) tells: bool,
    /// Orders change customers and sites; else credits are spent.
    pub(crate) moves: bool,
    /// Facts about products and packages change meanwhile.
    pub(crate) learns: bool,
    /// The shop can be asked: what deliveries tell is not all that is known.
    pub(crate) asks: bool,
    /// Changes that nobody is told of.
    pub(crate) silent: bool,
    /// Of a hundred deliveries so many are lost, repeated and late.
    pub(crate) lost: u32,
    pub(crate) repeated: u32,
    pub(crate) late: u32,
}

/// A history of a few orders of one shop.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) order: i64,
    pub(crate) what: What,
    pub(crate) dice: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Act(Act),
    /// So many seconds pass.
    Wait(i64),
    /// The shop's queue runs and its deliveries are sent off.
    Send,
    /// One delivery arrives.
    Arrive,
    Spend,
    /// A package grants something else from now on.
    Package,
    /// The worker asks the shop one thing, if anything is to be asked.
    Look,
    /// A sweep over the shop, of what changed lately.
    Sweep,
    /// The shop has trouble with one of its next answers.
    Trouble(Trouble),
    /// Something happens just while the shop answers the next question about orders.
    Meanwhile(Act),
}

/// What staff and customers do, as often as it is listed.
const ACTS: &[Act] = &[
    Act::Pay,
    Act::Pay,
    Act::Pay,
    Act::Pay,
    Act::Complete,
    Act::Complete,
    Act::Hold,
    Act::Hold,
    Act::Cancel,
    Act::Cancel,
    Act::Fail,
    Act::Custom,
    Act::BackToPending,
    Act::RefundByHand,
    Act::RefundInFull,
    Act::RefundLines,
    Act::RefundLines,
    Act::RefundQuantity,
    Act::RefundQuantity,
    Act::RefundMoney,
    Act::RefundMoney,
    Act::RefundAmount,
    Act::RefundAmount,
    Act::RefundFreeLine,
    Act::RefundRemovedLine,
    Act::DeleteRefund,
    Act::DeleteRefund,
    Act::DeleteRefundInAdmin,
    Act::AddLine,
    Act::AddLine,
    Act::RemoveLine,
    Act::RemoveAllLines,
    Act::Quantity,
    Act::Quantity,
    Act::Promise,
    Act::MoveSite,
    Act::SilentSite,
    Act::SilentQuantity,
    Act::Note,
    Act::Note,
    Act::Customer,
    Act::Trash,
    Act::Restore,
    Act::Restore,
    Act::DeleteForGood,
];

impl Kind {
    pub(crate) fn random(random: &mut StdRng) -> Self {
        let policy = Policy {
            proportional: random.random_ratio(1, 3),
            free_lines: random.random_ratio(1, 3),
            claw_back_deleted: random.random_bool(0.5),
            require_date_paid: random.random_ratio(3, 4),
            shortfall: *[Bears::Buyer, Bears::Buyer, Bears::Shop, Bears::BuyerFrozen].choose(random).unwrap(),
            knows_tree: false,
        };
        Self {
            policy,
            has_plugin: random.random_bool(0.6),
            tells: false,
            moves: random.random_bool(0.4),
            learns: random.random_ratio(1, 4),
            asks: false,
            silent: true,
            lost: *[0, 0, 10, 30].choose(random).unwrap(),
            repeated: *[0, 20].choose(random).unwrap(),
            late: *[0, 30, 60].choose(random).unwrap(),
        }
    }
}

impl Kind {
    fn some_act(&self, random: &mut StdRng) -> Act {
        loop {
            let act = *ACTS.choose(random).unwrap();
            let is_silent = match act {
                Act::SilentSite | Act::SilentQuantity => true,
                Act::DeleteRefund | Act::DeleteRefundInAdmin | Act::DeleteForGood => !self.tells,
                // Only the shop itself is believed that.
                Act::RemoveAllLines => self.tells,
                _ => false,
            };
            // What is promised later counts only for whoever did not know the line before.
            let is_ambiguous = (self.asks || !self.silent) && act == Act::Promise;
            if (self.silent || !is_silent) && !is_ambiguous {
                return act;
            }
        }
    }
}

const TROUBLES: [Trouble; 4] = [Trouble::Busy, Trouble::Fails, Trouble::Cut, Trouble::Slow];

impl Plan {
    /// The lives of `orders` orders, interleaved.
    pub(crate) fn random(seed: u64, orders: i64, change: impl FnOnce(&mut Kind)) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut kind = Kind::random(&mut random);
        change(&mut kind);
        let mut lives: Vec<(i64, usize)> =
            (FIRST_ORDER..FIRST_ORDER + orders).map(|id| (id, random.random_range(2..8))).collect();
        let mut steps: Vec<Step> = Vec::new();
        let mut placed = BTreeSet::new();
        while !lives.is_empty() {
            let at = random.random_range(0..lives.len());
            let order = lives[at].0;
            let what = if placed.insert(order) {
                What::Act(Act::Place)
            } else if kind.learns && random.random_ratio(1, 40) {
                if random.random_bool(0.5) { What::Act(Act::DeleteProduct) } else { What::Package }
            } else {
                What::Act(kind.some_act(&mut random))
            };
            // Refunds that are deleted at once and changes within a second are where things go wrong.
            let is_hasty = random.random_ratio(1, 3);
            let mut push = |what, dice| steps.push(Step { order, what, dice });
            if kind.asks {
                if random.random_ratio(1, 5) {
                    push(What::Trouble(*TROUBLES.choose(&mut random).unwrap()), 0);
                }
                if random.random_ratio(1, 6) && what != What::Act(Act::Place) {
                    push(What::Meanwhile(kind.some_act(&mut random)), random.random());
                }
                for _ in 0..random.random_range(0..3) {
                    push(What::Look, 0);
                }
                if kind.silent && random.random_ratio(1, 30) {
                    push(What::Sweep, 0);
                }
            }
            push(what, random.random());
            if is_hasty {
                push(What::Send, random.random());
                push(What::Arrive, random.random());
                let is_told = kind.silent || kind.tells;
                push(What::Act(if is_told { Act::DeleteRefund } else { Act::Note }), random.random());
                push(What::Act(kind.some_act(&mut random)), random.random());
            } else if random.random_bool(0.8) {
                push(What::Wait(random.random_range(1..4)), 0);
            }
            if random.random_bool(0.6) {
                push(What::Send, random.random());
            }
            for _ in 0..random.random_range(0..4) {
                push(What::Arrive, random.random());
            }
            if !kind.moves && !kind.asks && random.random_ratio(1, 4) {
                push(What::Spend, random.random());
            }
            lives[at].1 -= 1;
            if lives[at].1 == 0 {
                lives.swap_remove(at);
            }
        }
        steps.push(Step { order: FIRST_ORDER, what: What::Send, dice: random.random() });
        Self { kind, steps }
    }

    /// The same history of one of its orders alone.
    pub(crate) fn only(&self, order: i64) -> Self {
        let is_kept = |step: &&Step| {
            step.order == order
                || matches!(step.what, What::Wait(_) | What::Send | What::Arrive | What::Package)
        };
        Self { kind: self.kind, steps: self.steps.iter().filter(is_kept).copied().collect() }
    }
}

/// The program under test: its database, the store in it, and how orders count.
pub(crate) struct Wallet {
    pub(crate) test: TestDb,
    pub(crate) shop: Store,
    pub(crate) rules: Arc<Rules>,
}

/// Where something went wrong, and how it came to that.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) order: Option<i64>,
    pub(crate) what: String,
}

impl Fault {
    pub(crate) fn new(order: Option<i64>, what: impl Into<String>) -> Self {
        Self { order, what: what.into() }
    }
}

/// The sites of the shop's customers, with their owners; the last belongs to nobody.
const SITES: [(&str, i64); 6] =
    [("one", 1), ("two", 1), ("three", 2), ("four", 3), ("five", 3), ("nobodys", 0)];

/// What the operator has set: package, by product.
const PACKAGES: [(i64, &str, Worth); 3] = [
    (10, "product:10", Worth::Each(1_000_000_000)),
    (14, "product:14", Worth::ForWholeCurrency(7_250_000)),
    (15, "sku:CREDITS-SKU", Worth::Each(333_333_333)),
];

impl Wallet {
    /// A store that knows the shop's products as their deliveries tell them.
    pub(crate) fn open(test: TestDb, kind: &Kind, settings: shop::store::Settings) -> Self {
        let policy = kind.policy;
        let rules = Rules {
            require_date_paid: policy.require_date_paid,
            discount: if policy.proportional { Discount::Proportional } else { Discount::Full },
            free_lines: policy.free_lines,
            on_delete: if policy.claw_back_deleted { OnDelete::ClawBack } else { OnDelete::Keep },
            shortfall: match policy.shortfall {
                Bears::Buyer => Shortfall::Debt,
                Bears::Shop => Shortfall::WriteOff,
                Bears::BuyerFrozen => Shortfall::Freeze,
            },
            auto_register: false,
        };
        let shop = write(&test.db, move |tx| {
            let shop = shop::store::add(tx, &"lab".parse().unwrap(), &settings).unwrap();
            for (_, target, worth) in PACKAGES {
                set_package(tx, shop.id, target, worth);
            }
            for (site, customer) in SITES.iter().filter(|(_, customer)| *customer > 0) {
                let key = format!("lab:customer:{customer}");
                let account = sites::open(tx, &key.parse().unwrap()).unwrap();
                sites::assign(tx, &site.parse().unwrap(), &account, &Field::Keep, &Field::Keep).unwrap();
            }
            Ok::<_, db::Error>(shop)
        });
        Self { test, shop, rules: Arc::new(rules) }
    }

    /// The shop saves its products once more, so that the wallet hears of them.
    pub(crate) fn learn_products(&self) {
        for product in &PRODUCTS {
            self.deliver("product.updated", product_json(product).to_string().as_bytes());
        }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.test.db
    }

    /// What the server does with a delivery; answers what the shop is told.
    pub(crate) fn deliver(&self, topic: &str, body: &[u8]) -> &'static str {
        deliver(self.db(), &self.shop, &self.rules, topic, body)
    }

    /// Delivers from wherever it is carried to.
    pub(crate) fn receiver(&self) -> impl Fn(&Mail) + Send + use<> {
        let (db, shop, rules) = (self.db().clone(), self.shop.clone(), Arc::clone(&self.rules));
        move |mail| {
            deliver(&db, &shop, &rules, &mail.topic, &mail.body);
        }
    }

    /// Applies every kept delivery once more, oldest first, as `inbox replay --state all` does.
    pub(crate) fn replay(&self) {
        let mut after = 0;
        while let Some(kept) = self.db().read(|tx| inbox::store::next(tx, None, after)).unwrap() {
            after = kept.seq;
            let (shop, rules) = (self.shop.clone(), Arc::clone(&self.rules));
            self.db()
                .write_blocking("replay", Keep::Effects, move |tx| inbox::replay(tx, &shop, &rules, &kept))
                .unwrap();
        }
    }

    pub(crate) fn set_package(&self, target: &'static str, worth: Worth) {
        let (shop, rules) = (self.shop.clone(), Arc::clone(&self.rules));
        write(self.db(), move |tx| {
            set_package(tx, shop.id, target, worth);
            inbox::retry_parked(tx, &shop, &rules, "package")
        });
    }

    /// Spends for a site; answers whether it was granted.
    pub(crate) fn spend(&self, site: &'static str, amount: Micro) -> bool {
        let amount = Credits::from_micro(amount.try_into().unwrap()).unwrap();
        self.db()
            .write_blocking("spend", Keep::Effects, move |tx| {
                let site: SiteId = site.parse().unwrap();
                let Some(owner) = sites::owner(tx, &site)? else { return Ok(false) };
                let new = new_debit(site.as_str(), &amount.to_string());
                match spend(tx, &owner, &new, &Brake::OFF) {
                    Ok(_) => Ok(true),
                    Err(nivella_wallet::ledger::store::Error::Database(error)) => Err(error.into()),
                    Err(_) => Ok::<_, nivella_wallet::ledger::store::Error>(false),
                }
            })
            .unwrap()
    }

    /// The whole ledger in the form the model has it.
    pub(crate) fn books(&self) -> Books {
        let of_store = self.shop.id;
        self.db()
            .read(|tx| {
                let mut books = Books::default();
                tx.for_each(
                    "-- test\n SELECT order_id, line_id, booked FROM order_line WHERE store_id = $1 AND booked <> 0",
                    params![of_store],
                    |row| {
                        books.lines.insert((row.get(0)?, row.get(1)?), row.get::<i64>(2)?.into());
                        Ok(())
                    },
                )?;
                tx.for_each(
                    "-- test
                     SELECT g.order_id, g.line_id, c.natural_key, s.site, g.frozen,
                            CAST(SUM(s.remaining + s.held) AS BIGINT)
                     FROM slice_now s JOIN credit_grant g ON g.id = s.grant_id JOIN customer c ON c.account_id = s.account_id
                     WHERE s.remaining + s.held > 0
                     GROUP BY g.order_id, g.line_id, c.natural_key, s.site, g.frozen",
                    params![],
                    |row| {
                        let at = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
                        books.left.insert(at, row.get::<i64>(5)?.into());
                        Ok(())
                    },
                )?;
                tx.for_each(
                    "-- test
                     SELECT g.order_id, g.line_id, CAST(SUM(e.amount) AS BIGINT)
                     FROM entry e JOIN credit_grant g ON g.id = e.grant_id WHERE e.kind = 'written_off'
                     GROUP BY g.order_id, g.line_id",
                    params![],
                    |row| {
                        books.written_off.insert((row.get(0)?, row.get(1)?), row.get::<i64>(2)?.into());
                        Ok(())
                    },
                )?;
                tx.for_each(
                    "-- test
                     SELECT c.natural_key, d.site, d.amount FROM debt d JOIN customer c ON c.account_id = d.account_id
                     WHERE d.amount > 0",
                    params![],
                    |row| {
                        books.debts.insert((row.get(0)?, row.get(1)?), row.get::<i64>(2)?.into());
                        Ok(())
                    },
                )?;
                Ok::<_, db::Error>(books)
            })
            .unwrap()
    }

    /// How many entries the ledger has.
    pub(crate) fn entries(&self) -> i64 {
        let sql = "-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM entry";
        self.db().read(|tx| tx.query_one(sql, params![], |row| row.get(0))).unwrap()
    }

    /// Proves the books.
    pub(crate) fn prove(&self) -> Result<(), Fault> {
        let faults = audit::verify(self.db(), |_| {}).unwrap().faults;
        if faults.is_empty() { Ok(()) } else { Err(Fault::new(None, format!("verify says {faults:#?}"))) }
    }
}

fn deliver(db: &Db, shop: &Store, rules: &Arc<Rules>, topic: &str, body: &[u8]) -> &'static str {
    let mut headers = http::HeaderMap::new();
    headers.insert(SIGNATURE, signature::sign(SECRET.as_bytes(), body).parse().unwrap());
    let body = signature::verify(&[SECRET.as_bytes()], &headers, Bytes::copy_from_slice(body)).unwrap();
    let envelope = Envelope { topic: topic.to_owned(), ..Envelope::default() };
    let incoming = Incoming::read(envelope, body, shop);
    let (shop, rules) = (shop.clone(), Arc::clone(rules));
    let received =
        db.write_blocking("receive", Keep::Effects, move |tx| inbox::receive(tx, &shop, &rules, &incoming));
    match received {
        Ok(receipt) => receipt.result,
        Err(apply::Error::Ledger(refusal)) => panic!("the ledger refuses: {refusal}"),
        Err(apply::Error::Database(error)) => panic!("{error}"),
    }
}

fn set_package(tx: &mut Tx<'_>, store: i64, target: &str, worth: Worth) {
    let credits = |micro: Micro| Credits::from_micro(micro.try_into().unwrap()).unwrap();
    let package = Package {
        target: target.parse().unwrap(),
        basis: match worth {
            Worth::Each(each) => Basis::PerUnit(credits(each)),
            Worth::ForWholeCurrency(rate) => Basis::PerCurrencyUnit(credits(rate)),
        },
        validity: Validity::Never,
        category: nivella_wallet::ledger::slice::Category::Paid,
        label: None,
    };
    catalog::store::set_package(tx, store, &package).unwrap();
}

/// A shop without keys: what it delivers is all that is known of it.
pub(crate) fn without_keys() -> shop::store::Settings {
    shop::store::Settings::new(
        "http://127.0.0.1:8088".parse().unwrap(),
        SECRET.parse::<HookSecret>().unwrap(),
    )
}

/// The shop before its first day.
pub(crate) fn new_shop(kind: &Kind) -> Arc<Mutex<Shop>> {
    let sites = SITES.iter().map(|(site, _)| (*site).to_owned()).collect();
    let mut shop = Shop::new(kind.has_plugin, sites, kind.moves);
    shop.tells = kind.tells;
    Arc::new(Mutex::new(shop))
}

/// A history while it is lived through.
pub(crate) struct Life {
    /// Shared with whoever serves it.
    pub(crate) shop: Arc<Mutex<Shop>>,
    pub(crate) model: Model,
    pub(crate) wallet: Wallet,
    pub(crate) kind: Kind,
    /// Sent off and not yet there.
    pub(crate) under_way: Vec<Mail>,
    /// Orders that a delivery touched since the books were proved last.
    touched: BTreeSet<i64>,
    /// The date of the newest state that arrived of each order.
    pub(crate) told: BTreeMap<i64, i64>,
    /// How often the shop was told what.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    /// What happened, in words, each with its order.
    pub(crate) story: Vec<(Option<i64>, String)>,
}

impl Life {
    pub(crate) fn new(wallet: Wallet, kind: Kind, shop: Arc<Mutex<Shop>>) -> Self {
        let mut model = Model::new(kind.policy);
        for (product, _, worth) in PACKAGES {
            model.packages.insert(product, worth);
        }
        for (site, customer) in SITES.iter().filter(|(_, customer)| *customer > 0) {
            model.owners.insert((*site).to_owned(), format!("customer:{customer}"));
        }
        Self {
            shop,
            model,
            wallet,
            kind,
            under_way: Vec::new(),
            touched: BTreeSet::new(),
            told: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            story: Vec::new(),
        }
    }

    pub(crate) fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap()
    }

    /// Time passes, in the shop and in the program.
    pub(crate) fn wait(&mut self, seconds: i64) {
        let mut shop = self.shop();
        shop.now += seconds;
        let now = nivella_wallet::time::Timestamp::from_millis(shop.now * 1000);
        drop(shop);
        self.wallet.test.clock.turn_to(now);
    }

    pub(crate) fn tell(&mut self, order: Option<i64>, words: impl Into<String>) {
        let at = self.shop().now - START;
        self.story.push((order, format!("{at:>4} s  {}", words.into())));
    }

    /// One step of the plan. After it the ledger is what the model says, and proved.
    pub(crate) fn step(&mut self, step: &Step) -> Result<(), Fault> {
        let mut dice = StdRng::seed_from_u64(step.dice);
        match step.what {
            What::Act(act) => {
                let words = self.shop().act(step.order, act, &mut dice);
                if let Some(words) = words {
                    self.tell(Some(step.order), format!("order {} {words}", step.order));
                }
            }
            What::Wait(seconds) => {
                self.wait(seconds);
            }
            What::Send => self.send(&mut dice),
            What::Arrive => {
                if !self.under_way.is_empty() {
                    let is_late = dice.random_ratio(self.kind.late, 100);
                    let at = if is_late { dice.random_range(0..self.under_way.len()) } else { 0 };
                    let mail = self.under_way.remove(at);
                    self.arrive(&mail)?;
                }
            }
            What::Spend => {
                let (site, _) = SITES.choose(&mut dice).unwrap();
                let amount = Micro::from(dice.random_range(1..3_000_000_000_i64));
                let (done, should) = (self.wallet.spend(site, amount), self.model.spend(site, amount));
                self.tell(None, format!("{amount} micro-credits are spent for {site}: {done}"));
                if done != should {
                    return Err(Fault::new(None, format!("spending should have answered {should}")));
                }
                self.compare(None)?;
            }
            What::Package => {
                let (product, target, worth) = *PACKAGES.choose(&mut dice).unwrap();
                let more = Micro::from(dice.random_range(1..9_i64));
                let worth = match worth {
                    Worth::Each(each) => Worth::Each(each * more + more),
                    Worth::ForWholeCurrency(rate) => Worth::ForWholeCurrency(rate * more + more),
                };
                self.model.packages.insert(product, worth);
                self.wallet.set_package(target, worth);
                self.tell(None, format!("package {target} brings {worth:?}"));
                self.compare(None)?;
            }
            What::Look | What::Sweep | What::Trouble(_) | What::Meanwhile(_) => {}
        }
        Ok(())
    }

    /// The queue runs, and what it sends off is lost, repeated or on its way.
    pub(crate) fn send(&mut self, dice: &mut StdRng) {
        let mails = self.shop().run_queue();
        for mail in mails {
            if dice.random_ratio(self.kind.lost, 100) {
                self.tell(mail.order, format!("{} of order {:?} is lost", mail.topic, mail.order));
                continue;
            }
            if dice.random_ratio(self.kind.repeated, 100) {
                self.under_way.push(mail.clone());
            }
            self.under_way.push(mail);
        }
    }

    /// A delivery arrives, at the program and at the model.
    pub(crate) fn arrive(&mut self, mail: &Mail) -> Result<(), Fault> {
        if let Some(order) = mail.order
            && !self.touched.insert(order)
        {
            self.wallet.prove()?;
            self.touched = BTreeSet::from([order]);
        }
        let told = self.wallet.deliver(&mail.topic, &mail.body);
        if let Some(shown) = &mail.shows {
            let newest = self.told.entry(shown.order.id).or_default();
            *newest = shown.order.modified.max(*newest);
        }
        *self.outcomes.entry(told).or_default() += 1;
        self.model.arrive(&mail.topic, &mail.body, mail.shows.as_ref());
        let state = mail.shows.as_ref().map_or_else(String::new, |shown| {
            format!(
                " as of {} s, {}, {} refunds",
                shown.order.modified - START,
                shown.order.status,
                shown.order.refunds.len()
            )
        });
        let of = mail.order.map_or_else(String::new, |order| format!(" of order {order}"));
        self.tell(mail.order, format!("{}{of} arrives{state}: {told}", mail.topic));
        self.compare(mail.order)
    }

    /// What is still under way arrives, in any order.
    pub(crate) fn arrive_all(&mut self, dice: &mut StdRng) -> Result<(), Fault> {
        while !self.under_way.is_empty() {
            let at = dice.random_range(0..self.under_way.len());
            let mail = self.under_way.remove(at);
            self.arrive(&mail)?;
        }
        self.wallet.prove()
    }

    /// Holds the ledger against the model: exactly where deliveries are all that is known, and else by what can
    /// be said without knowing what the shop was asked.
    pub(crate) fn compare(&self, order: Option<i64>) -> Result<(), Fault> {
        if self.kind.asks {
            return self.no_more_than_allowed(order);
        }
        same(&self.wallet.books(), &self.model.books()).map_err(|what| Fault::new(order, what))
    }

    /// At no moment more can be spent than the newest state that arrived, or one after it, allows.
    pub(crate) fn no_more_than_allowed(&self, order: Option<i64>) -> Result<(), Fault> {
        let shop = self.shop();
        let mut spendable: BTreeMap<(i64, i64), Micro> = BTreeMap::new();
        for ((order, line, _, _, frozen), left) in self.wallet.books().left {
            *spendable.entry((order, line)).or_default() += if frozen { 0 } else { left };
        }
        for ((id, line), spendable) in spendable {
            let told = self.told.get(&id).copied().unwrap_or(0);
            let versions = &shop.versions[&id];
            let mut allowed = 0;
            let mut depends = false;
            for version in versions.iter().filter(|version| version.modified >= told) {
                match self.due(version, line) {
                    Some(due) => allowed = allowed.max(due),
                    None => depends = true,
                }
                // Until the shop was asked of which lines its refunds are, what was granted stays.
                depends |= !self.kind.has_plugin && !version.refunds.is_empty();
            }
            if depends {
                let earlier = versions.iter().filter_map(|version| self.due(version, line)).max();
                allowed = allowed.max(earlier.unwrap_or(0));
            }
            if spendable > allowed {
                let what = format!("order {id} line {line}: {spendable} can be spent, {allowed} is allowed");
                return Err(Fault::new(order.or(Some(id)), what));
            }
        }
        Ok(())
    }

    /// What a line should have by a version of its order alone, if that version says.
    fn due(&self, version: &super::shop::Order, line: i64) -> Option<Micro> {
        match version.lines.iter().find(|on_order| on_order.id == line) {
            Some(line) => self.model.due(version, line, true),
            // Removed, or not there yet. That all are gone counts only once the shop shows it.
            None => (self.model.decides(version) && !version.lines.is_empty()).then_some(0),
        }
    }

    /// What became of all orders in the end is what the shop has now, whatever was told and lost before.
    pub(crate) fn ends_as_the_shop(&self) -> Result<(), Fault> {
        let shop = self.shop();
        let books = self.wallet.books();
        let mut problems = Vec::new();
        for (id, versions) in &shop.versions {
            let now = shop.orders.get(id);
            let lines: BTreeSet<i64> =
                versions.iter().flat_map(|version| version.lines.iter().map(|line| line.id)).collect();
            for line in lines {
                let booked = books.lines.get(&(*id, line)).copied().unwrap_or(0);
                let on_order = now.and_then(|now| now.lines.iter().find(|on_order| on_order.id == line));
                let due = match (now, on_order) {
                    (Some(now), Some(on_order)) => self.model.due(now, on_order, true),
                    (Some(now), None) => self.model.decides(now).then_some(0),
                    (None, _) => self.kind.policy.claw_back_deleted.then_some(0),
                };
                let left: Vec<_> = books
                    .left
                    .iter()
                    .filter(|((order, of, ..), _)| (*order, *of) == (*id, line))
                    .map(|((_, _, account, place, frozen), left)| {
                        (account.clone(), place.clone(), *frozen, *left)
                    })
                    .collect();
                if let Some(due) = due {
                    // Nothing was spent: all of it lies in one place, and can be spent.
                    let place = now.zip(on_order).filter(|_| due > 0).map(|(now, on_order)| {
                        let (account, place) = self.model.home(now, on_order);
                        (account, place, false, due)
                    });
                    if booked != due || left != Vec::from_iter(place.clone()) {
                        problems.push(Fault::new(
                            Some(*id),
                            format!(
                                "order {id} line {line}: booked {booked}, which lies as {left:?}; it should be {due}, as {place:?}"
                            ),
                        ));
                    }
                    continue;
                }
                // What was granted stays, so it is what some earlier state said.
                let could_be = versions.iter().any(|version| {
                    let was = version.lines.iter().find(|was| was.id == line);
                    booked == 0
                        || was.is_some_and(|was| {
                            [true, false]
                                .iter()
                                .any(|details| self.model.due(version, was, *details) == Some(booked))
                        })
                });
                let should_freeze = now.is_some_and(|now| self.model.freezes(now));
                if !could_be || left.iter().any(|(_, _, frozen, _)| *frozen != should_freeze) {
                    problems.push(Fault::new(
                        Some(*id),
                        format!("order {id} line {line}: booked {booked}, which lies as {left:?}; no state ever said so"),
                    ));
                }
            }
        }
        problems.into_iter().next().map_or(Ok(()), Err)
    }

    /// What happened to one order, or to all.
    pub(crate) fn tell_all(&self, order: Option<i64>) -> String {
        let mut text = format!("{:#?}\n", self.kind);
        for (of, words) in &self.story {
            if order.is_none() || of.is_none() || *of == order {
                let _ = writeln!(text, "  {words}");
            }
        }
        text
    }
}

fn differences<K: Ord + std::fmt::Debug>(
    text: &mut String,
    what: &str,
    found: &BTreeMap<K, Micro>,
    expected: &BTreeMap<K, Micro>,
) {
    for key in found.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        let [found, expected] = [found, expected].map(|of| of.get(key).copied().unwrap_or(0));
        if found != expected {
            let _ = writeln!(text, "{what} {key:?}: the ledger says {found}, it should be {expected}");
        }
    }
}

/// Whether two ledgers are the same; else where they differ.
pub(crate) fn same(found: &Books, expected: &Books) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let mut text = String::new();
    differences(&mut text, "line", &found.lines, &expected.lines);
    differences(&mut text, "left of", &found.left, &expected.left);
    differences(&mut text, "debt", &found.debts, &expected.debts);
    differences(&mut text, "written off of line", &found.written_off, &expected.written_off);
    Err(text)
}

// Running and shrinking ----------------------------------------------------------------------------

/// What a history ended with.
pub(crate) type Told = Result<(), (Fault, String)>;

/// Takes away what is not needed for the failure, and tells what is left of the history.
pub(crate) fn shrink(plan: &Plan, told: (Fault, String), mut run: impl FnMut(&Plan) -> Told) -> String {
    /// Histories tried before the smallest so far is good enough.
    const TRIES_MAX: usize = 120;
    /// How long it may take: whoever waits has the long story already.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
    let began = std::time::Instant::now();
    let (mut smallest, mut told) = (plan.clone(), told);
    let mut tries = 0;
    let mut attempt = |candidate: Plan, smallest: &mut Plan, told: &mut (Fault, String)| {
        tries += 1;
        if tries > TRIES_MAX || began.elapsed() > PATIENCE {
            return false;
        }
        match run(&candidate) {
            Ok(()) => false,
            Err(fault) => {
                (*smallest, *told) = (candidate, fault);
                true
            }
        }
    };
    if let Some(order) = told.0.order {
        attempt(plan.only(order), &mut smallest, &mut told);
    }
    let mut size = smallest.steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < smallest.steps.len() {
            let mut candidate = smallest.clone();
            candidate.steps.drain(at..(at + size).min(candidate.steps.len()));
            if !attempt(candidate, &mut smallest, &mut told) {
                at += size;
            }
        }
        size /= 2;
    }
    format!("{}\nwhat happened, as short as it still fails:\n{}", told.0.what, told.1)
}
