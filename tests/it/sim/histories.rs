//! Thousands of histories; `NIVELLA_HISTORIES` says how many, `SEED` which.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::FutureExt as _;
use nivella_wallet::catalog;
use nivella_wallet::reconcile::report::Report;
use nivella_wallet::reconcile::{self, Window, answers};
use nivella_wallet::time::Timestamp;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};

use super::life::{
    FIRST_ORDER, Fault, Kind, Life, Plan, Step, Told, Wallet, What, new_shop, shrink, without_keys,
};
use super::model::Micro;
use super::rest::{Served, World};
use super::shop::{Act, Mail, START};
use crate::support;

/// Histories in a normal run; `make test-long` has a hundred times as many.
const HISTORIES: u64 = 2_000;

/// Orders whose histories are interleaved in one shop.
const ORDERS: i64 = 20;

/// Runs `percent` of all histories in batches on all cores; the first that fails is told as short as it still
/// fails.
fn run_all(name: &str, percent: u64, plan: impl Fn(u64) -> Plan + Sync, run: impl Fn(&Plan) -> Told + Sync) {
    let wanted =
        std::env::var("NIVELLA_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES);
    let seed: u64 =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let batches = usize::try_from((wanted * percent).div_ceil(100 * ORDERS.unsigned_abs()).max(1)).unwrap();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let work = || {
        while failed.lock().unwrap().is_none() {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            if batch >= batches {
                break;
            }
            let seed = seed.wrapping_add(batch as u64);
            let plan = plan(seed);
            if let Err(fault) = run(&plan) {
                failed.lock().unwrap().get_or_insert((seed, plan, fault));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, Into::into) {
            scope.spawn(work);
        }
    });
    if let Some((seed, plan, fault)) = failed.into_inner().unwrap() {
        println!("{}\nthe history of seed {seed}, which is being cut down:\n{}", fault.0.what, fault.1);
        let told = shrink(&plan, fault, run);
        panic!(
            "{told}\nrun just this one again: SEED={seed} NIVELLA_HISTORIES=1 cargo test --test it {name}"
        );
    }
    println!("{} histories", batches * 20);
}

/// What a panic says, as a fault like any other.
fn fault_of(panic: &(dyn std::any::Any + Send)) -> Fault {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    Fault::new(None, format!("it panics: {}", words.unwrap_or("without a word")))
}

fn with_story<T>(told: Result<T, Fault>, life: &Life) -> Result<T, (Fault, String)> {
    told.map_err(|fault| {
        let story = life.tell_all(fault.order);
        (fault, story)
    })
}

// Deliveries alone ----------------------------------------------------------------------------------

/// A shop that cannot be asked, and what lives in it.
fn live<T>(kind: Kind, live: impl FnOnce(&mut Life) -> Result<T, Fault>) -> Result<T, (Fault, String)> {
    let wallet = Wallet::open(support::sqlite(), &kind, without_keys());
    // A plugin that tells all it knows tells of products with each order.
    if !kind.tells {
        wallet.learn_products();
    }
    let mut life = Life::new(wallet, kind, new_shop(&kind));
    let told = catch_unwind(AssertUnwindSafe(|| live(&mut life)));
    with_story(told.unwrap_or_else(|panic| Err(fault_of(&*panic))), &life)
}

/// Whatever is lost, repeated and late: after every single delivery the ledger is what the orders shown so far
/// come to, and at the end replaying everything twice changes nothing.
#[test]
fn deliveries_alone_end_where_the_orders_say() {
    let seen: Mutex<BTreeMap<&str, u64>> = Mutex::default();
    run_all(
        "deliveries_alone_end_where_the_orders_say",
        30,
        |seed| {
            Plan::random(seed, ORDERS, |kind| {
                if seed.is_multiple_of(3) {
                    telling(kind);
                }
            })
        },
        |plan| {
            live(plan.kind, |life| {
                for step in &plan.steps {
                    life.step(step)?;
                }
                life.arrive_all(&mut StdRng::seed_from_u64(plan.steps.len() as u64))?;
                let entries = life.wallet.entries();
                for _ in 0..2 {
                    life.wallet.replay();
                }
                life.compare(None)?;
                if life.wallet.entries() != entries {
                    return Err(Fault::new(None, "replaying the whole inbox twice posted something"));
                }
                for (outcome, times) in &life.outcomes {
                    *seen.lock().unwrap().entry(outcome).or_default() += times;
                }
                Ok(())
            })
        },
    );
    let seen = seen.into_inner().unwrap();
    println!("{seen:?}");
    if seen.values().sum::<u64>() > 1_000 {
        let words: Vec<&str> = seen.keys().copied().filter(|word| *word != "parked").collect();
        assert_eq!(words, ["clawed_back", "granted", "ignored", "unchanged"]);
    }
}

/// A shop whose plugin tells all it knows.
fn telling(kind: &mut Kind) {
    (kind.tells, kind.has_plugin, kind.policy.knows_tree) = (true, true, true);
}

/// A shop with the plugin and without keys: whatever order its deliveries come in, once all are there the ledger is
/// what the shop has, also after refunds and orders were deleted, of which WooCommerce itself says nothing.
#[test]
fn with_the_plugin_deliveries_alone_end_as_the_shop() {
    run_all(
        "with_the_plugin_deliveries_alone_end_as_the_shop",
        20,
        |seed| {
            Plan::random(seed, ORDERS, |kind| {
                telling(kind);
                (kind.silent, kind.learns, kind.lost) = (false, false, 0);
            })
        },
        |plan| {
            live(plan.kind, |life| {
                // What is spent does not lie where the shop says; the model of the other histories knows where.
                for step in plan.steps.iter().filter(|step| step.what != What::Spend) {
                    life.step(step)?;
                }
                let mut dice = StdRng::seed_from_u64(plan.steps.len() as u64);
                life.send(&mut dice);
                life.arrive_all(&mut dice)?;
                life.ends_as_the_shop()?;
                let entries = life.wallet.entries();
                life.wallet.replay();
                life.compare(None)?;
                life.ends_as_the_shop()?;
                if life.wallet.entries() != entries {
                    return Err(Fault::new(None, "replaying the whole inbox posted something"));
                }
                let sql =
                    "-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM shop_order WHERE parked IS NOT NULL";
                let parked: i64 =
                    life.wallet.db().read(|tx| tx.query_one(sql, &[], |row| row.get(0))).unwrap();
                if parked > 0 {
                    return Err(Fault::new(None, format!("{parked} orders wait for what was told")));
                }
                Ok(())
            })
        },
    );
}

/// One history, once for each permutation of its deliveries.
fn permutable(seed: u64) -> Plan {
    let one = Plan::random(seed, 1, |kind| {
        (kind.lost, kind.repeated, kind.late, kind.learns, kind.moves) = (0, 0, 0, false, true);
        if seed.is_multiple_of(2) {
            telling(kind);
        }
        kind.policy.shortfall = super::model::Bears::Buyer;
    });
    Plan { kind: one.kind, steps: one.steps }
}

/// As many orders as permutations that are tried; a history with four deliveries has that many.
const PERMUTATIONS: i64 = 24;

/// The `number`th permutation of `mails`: all of them in turn if they are few, else at random.
fn permuted(mut mails: Vec<Mail>, number: i64, dice: &mut StdRng) -> Vec<Mail> {
    if mails.len() > 4 {
        if number > 0 {
            mails.shuffle(dice);
        }
        return mails;
    }
    let (mut permuted, mut number) = (Vec::new(), usize::try_from(number).unwrap());
    while !mails.is_empty() {
        permuted.push(mails.remove(number % mails.len()));
        number /= mails.len() + 1;
    }
    permuted
}

/// Whatever order the deliveries of a history come in, its lines end with the same credits.
#[test]
fn every_permutation_of_deliveries_ends_in_the_same_ledger() {
    let compared = AtomicUsize::new(0);
    let batches = AtomicUsize::new(0);
    run_all("every_permutation_of_deliveries_ends_in_the_same_ledger", 20, permutable, |plan| {
        batches.fetch_add(1, Ordering::Relaxed);
        live(plan.kind, |life| {
            let mut sent: BTreeMap<i64, Vec<Mail>> = BTreeMap::new();
            for step in &plan.steps {
                match step.what {
                    What::Act(Act::Promise) | What::Arrive | What::Spend => continue,
                    What::Act(_) => {
                        for number in 0..PERMUTATIONS {
                            life.step(&Step { order: FIRST_ORDER + number, ..*step })?;
                        }
                    }
                    _ => life.step(step)?,
                }
                for mail in std::mem::take(&mut life.under_way) {
                    if let Some(order) = mail.order {
                        sent.entry(order).or_default().push(mail);
                    }
                }
            }
            let mut dice = StdRng::seed_from_u64(plan.steps.len() as u64);
            let is_clear = sent.get(&FIRST_ORDER).is_some_and(|sent| has_one_newest(life, sent));
            for (number, (_, mails)) in (0..).zip(sent) {
                for mail in permuted(mails, number, &mut dice) {
                    life.arrive(&mail)?;
                }
            }
            life.wallet.prove()?;
            if !is_clear {
                return Ok(());
            }
            compared.fetch_add(1, Ordering::Relaxed);
            // Lines have other ids in each order, but come in the same sequence.
            let books = life.wallet.books();
            let ended: BTreeSet<Vec<Micro>> = (FIRST_ORDER..FIRST_ORDER + PERMUTATIONS)
                .map(|order| {
                    books.lines.range((order, 0)..(order + 1, 0)).map(|(_, booked)| *booked).collect()
                })
                .collect();
            if ended.len() == 1 {
                return Ok(());
            }
            Err(Fault::new(None, format!("the permutations end with {ended:?} micro-credits on their lines")))
        })
    });
    let (compared, batches) = (compared.into_inner(), batches.into_inner());
    println!("{compared} of {batches} histories have one newest state that decides");
    assert!(compared * 8 > batches || batches < 20, "a good part of the histories should be clear");
}

/// Whether deliveries alone can tell which state is the newest, and that state decides by itself. Of two
/// different ones of a second, as far along and with as many refunds, the later arrival holds.
fn has_one_newest(life: &Life, sent: &[Mail]) -> bool {
    let states = sent.iter().filter_map(|mail| mail.shows.as_ref());
    let age = |shown: &super::shop::Shown| {
        let (order, told_at) = (&shown.order, shown.told_at);
        let is_gone = order.status == "deleted";
        let rank = nivella_wallet::order::newer::rank(order.status);
        (is_gone, order.modified, told_at, rank, order.refunds.len())
    };
    let Some(newest) = states.clone().max_by_key(|shown| age(shown)) else { return false };
    let all = || states.clone().filter(|shown| age(shown) == age(newest));
    let told = life.kind.has_plugin || newest.order.refunds.is_empty();
    all().all(|shown| shown == newest)
        && told
        && !newest.order.lines.is_empty()
        && life.model.decides(&newest.order)
}

// With REST -----------------------------------------------------------------------------------------

/// A shop that can be asked, what lives in it, and who asks it.
pub(super) struct Asking {
    pub(super) life: Life,
    served: Served,
    clients: nivella_wallet::shop::rest::Clients,
}

impl Asking {
    async fn open(kind: Kind) -> Self {
        let (test, shop) = (support::sqlite(), new_shop(&kind));
        let served = Served::start(Arc::clone(&shop), &test.clock).await;
        let wallet = Wallet::open(test, &kind, served.settings());
        let clients = served.clients();
        let receiver = wallet.receiver();
        let clock = wallet.test.clock.clone();
        served.world.lock().unwrap().receiver = Some(Box::new(move |mail: &Mail| {
            // It arrives later than the question it overtakes.
            clock.turn_to(clock.now().plus_millis(1));
            receiver(mail);
        }));
        Self { life: Life::new(wallet, kind, shop), served, clients }
    }

    pub(super) async fn step(&mut self, step: &Step) -> Result<(), Fault> {
        match step.what {
            What::Trouble(trouble) => self.world().troubles.push_back(Some(trouble)),
            What::Meanwhile(act) => {
                self.world().meanwhile.push_back(Some(Step { what: What::Act(act), ..*step }));
            }
            What::Look => {
                self.look().await?;
            }
            What::Sweep => {
                let lately = Timestamp::from_millis((self.life.shop().now - 60) * 1000);
                // A shop that is too troubled is read another time.
                if let Ok(report) = self.sweep(Window::since(lately)).await {
                    self.life.tell(None, format!("what changed lately was reconciled: {:?}", report.counts));
                }
                self.life.no_more_than_allowed(None)?;
            }
            _ => self.life.step(step)?,
        }
        Ok(())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.served.world.lock().unwrap()
    }

    /// What happened while the shop was read.
    fn hear(&mut self) {
        let told = std::mem::take(&mut self.world().told);
        for (order, words) in told {
            self.life.tell(Some(order), words);
        }
    }

    /// The worker asks one thing; answers whether there was nothing to ask.
    pub(super) async fn look(&mut self) -> Result<bool, Fault> {
        let wallet = &self.life.wallet;
        let is_idle = answers::step(wallet.db(), &self.clients, &wallet.rules, None).await.unwrap();
        self.hear();
        if !is_idle {
            self.life.tell(None, "the worker asked the shop");
            self.life.no_more_than_allowed(None)?;
        }
        Ok(is_idle)
    }

    pub(super) async fn sweep(&mut self, window: Window) -> Result<Report, reconcile::Error> {
        let wallet = &self.life.wallet;
        let report =
            reconcile::run(wallet.db(), &self.clients, &wallet.rules, &wallet.shop, window, &mut |_| {})
                .await;
        self.hear();
        report
    }

    /// Reads the whole shop in peace: then nothing is missing and nothing too much, the ledger is what the shop
    /// says, and reading it once more books nothing.
    pub(super) async fn reconcile(&mut self, window: Window) -> Result<Report, Fault> {
        self.world().meanwhile.clear();
        self.world().troubles.clear();
        let report = self.sweep(window).await.map_err(|error| Fault::new(None, error.to_string()))?;
        self.life.tell(None, format!("the shop was reconciled: {:?}", report.counts));
        self.life.wallet.prove()?;
        self.life.ends_as_the_shop()?;
        let entries = self.life.wallet.entries();
        // What a reading learns of the products of unpaid orders is written down by the next, which may want to know
        // of a product's parent; nothing of that is booked, and it has an end.
        for reading in 1.. {
            let again = self.sweep(window).await.map_err(|error| Fault::new(None, error.to_string()))?;
            let counts = again.counts;
            if (counts.missing, counts.extra) != (0, 0)
                || self.life.wallet.entries() != entries
                || reading > 4
            {
                return Err(Fault::new(None, format!("reading {reading} after that found {counts:?}")));
            }
            if counts.repaired == 0 {
                break;
            }
        }
        Ok(report)
    }

    /// Until there is nothing more to ask; nothing happens meanwhile.
    pub(super) async fn look_all(&mut self) -> Result<(), Fault> {
        /// Questions after which it should have an end.
        const ENOUGH: usize = 2_000;
        self.world().meanwhile.clear();
        for _ in 0..ENOUGH {
            if self.look().await? {
                let next = self.life.wallet.db().read(|tx| catalog::store::next_lookup(tx, None)).unwrap();
                let Some(due_at) = next else { return self.life.wallet.prove() };
                let seconds = due_at.millis() / 1000 - self.life.shop().now + 1;
                self.life.wait(seconds.max(1));
            }
        }
        let store = self.life.wallet.shop.id;
        let open = self.life.wallet.db().read(|tx| catalog::store::lookups(tx, store, 5)).unwrap();
        Err(Fault::new(None, format!("the worker asks and asks: {open:?}")))
    }
}

pub(super) fn ask<T>(
    kind: Kind,
    live: impl AsyncFnOnce(&mut Asking) -> Result<T, Fault>,
) -> Result<T, (Fault, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asking = Asking::open(kind).await;
        let told = AssertUnwindSafe(live(&mut asking)).catch_unwind().await;
        with_story(told.unwrap_or_else(|panic| Err(fault_of(&*panic))), &asking.life)
    })
}

/// No delivery is lost and nothing changes in silence: then what deliveries leave open is asked of the shop, and
/// the ledger ends where the shop does, though answers fail and the shop changes while it is read.
#[test]
fn what_deliveries_leave_open_is_asked_and_ends_as_the_shop() {
    run_all(
        "what_deliveries_leave_open_is_asked_and_ends_as_the_shop",
        15,
        |seed| {
            Plan::random(seed, ORDERS, |kind| {
                (kind.asks, kind.silent, kind.lost, kind.learns) = (true, false, 0, false);
                kind.policy.knows_tree = true;
            })
        },
        |plan| {
            ask(plan.kind, async |asking| {
                for step in &plan.steps {
                    asking.step(step).await?;
                }
                let mut dice = StdRng::seed_from_u64(dice_of(plan));
                asking.life.send(&mut dice);
                asking.life.arrive_all(&mut dice)?;
                asking.look_all().await?;
                asking.life.ends_as_the_shop()
            })
        },
    );
}

/// Deliveries are lost, things change in silence, answers fail, orders change while they are read. Then the
/// whole shop is read once: the ledger ends where the shop does, to the micro-credit.
fn reconciled(plan: &Plan) -> Told {
    ask(plan.kind, async |asking| {
        for step in &plan.steps {
            asking.step(step).await?;
        }
        let mut dice = StdRng::seed_from_u64(dice_of(plan));
        asking.life.send(&mut dice);
        if dice.random_bool(0.5) {
            asking.life.arrive_all(&mut dice)?;
        }
        let since = Timestamp::from_millis((START - 1) * 1000);
        let window = if dice.random_bool(0.5) { Window::ALL } else { Window::since(since) };
        asking.reconcile(window).await?;
        // What was under way all that time arrives: old news. Of an order that is gone it is mended by the next reading.
        asking.life.arrive_all(&mut dice)?;
        asking.look_all().await?;
        asking.reconcile(Window::ALL).await.map(|_| ())
    })
}

#[test]
fn a_reconciled_ledger_is_what_the_shop_has() {
    run_all(
        "a_reconciled_ledger_is_what_the_shop_has",
        20,
        |seed| {
            Plan::random(seed, ORDERS, |kind| {
                (kind.asks, kind.silent, kind.learns) = (true, true, false);
                kind.policy.knows_tree = true;
            })
        },
        reconciled,
    );
}

/// Three of ten deliveries never arrive, and nobody asks until the end.
#[test]
fn p06_thirty_percent_lost_deliveries_and_reconciliation_equals_all_paid_orders() {
    run_all(
        "p06_thirty_percent_lost_deliveries_and_reconciliation_equals_all_paid_orders",
        10,
        |seed| {
            Plan::random(seed, ORDERS, |kind| {
                (kind.asks, kind.silent, kind.learns) = (true, true, false);
                (kind.lost, kind.repeated, kind.late) = (30, 20, 30);
                kind.policy.knows_tree = true;
            })
        },
        |plan| {
            let is_quiet = |step: &&Step| !matches!(step.what, What::Look | What::Sweep | What::Meanwhile(_));
            let steps = plan.steps.iter().filter(is_quiet).copied().collect();
            reconciled(&Plan { kind: plan.kind, steps })
        },
    );
}

/// Refunds come and are deleted, of which nobody is told; whenever the order is read, the ledger is what its
/// refunds are then.
#[test]
fn p08_the_ledger_follows_the_current_refund_set() {
    const REFUNDS: [Act; 9] = [
        Act::RefundLines,
        Act::RefundQuantity,
        Act::RefundMoney,
        Act::RefundAmount,
        Act::RefundFreeLine,
        Act::RefundRemovedLine,
        Act::DeleteRefund,
        Act::DeleteRefund,
        Act::DeleteRefundInAdmin,
    ];
    run_all(
        "p08_the_ledger_follows_the_current_refund_set",
        5,
        |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            let mut kind = Kind::random(&mut random);
            (kind.asks, kind.silent, kind.learns, kind.lost) = (true, true, false, 0);
            kind.policy.knows_tree = true;
            let mut acts = vec![Act::Place, Act::Pay];
            acts.extend((0..8).map(|_| *REFUNDS.choose(&mut random).unwrap()));
            let mut steps = Vec::new();
            for act in acts {
                for order in FIRST_ORDER..FIRST_ORDER + ORDERS {
                    steps.push(Step { order, what: What::Act(act), dice: random.random() });
                }
                if random.random_bool(0.7) {
                    steps.push(Step { order: FIRST_ORDER, what: What::Wait(1), dice: 0 });
                }
            }
            Plan { kind, steps }
        },
        |plan| {
            ask(plan.kind, async |asking| {
                let mut dice = StdRng::seed_from_u64(dice_of(plan));
                for step in &plan.steps {
                    asking.step(step).await?;
                    if dice.random_ratio(1, 12) {
                        asking.life.send(&mut dice);
                        asking.life.arrive_all(&mut dice)?;
                        asking.look_all().await?;
                        asking.reconcile(Window::ALL).await?;
                    }
                }
                asking.reconcile(Window::ALL).await.map(|_| ())
            })
        },
    );
}

fn dice_of(plan: &Plan) -> u64 {
    let mut dice = StdRng::seed_from_u64(plan.steps.len() as u64);
    dice.random()
}
