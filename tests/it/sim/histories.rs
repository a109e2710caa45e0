//! Thousands of histories; `NIVELLA_HISTORIES` says how many, `SEED` which.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::life::{Fault, Kind, Life, Plan, Told, Wallet, shrink, without_keys};
use crate::support;

/// Histories in a normal run; `make test-long` has a hundred times as many.
const HISTORIES: u64 = 2_000;

/// Orders whose histories are interleaved in one shop.
const ORDERS: u64 = 20;

/// Runs histories in batches on all cores; the first that fails is told as short as it still fails.
fn run_all(name: &str, share: u64, plan: impl Fn(u64) -> Plan + Sync, run: impl Fn(&Plan) -> Told + Sync) {
    let wanted =
        std::env::var("NIVELLA_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES);
    let seed: u64 =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let batches = usize::try_from((wanted * share).div_ceil(100 * ORDERS).max(1)).unwrap();
    let (next, failed) = (AtomicUsize::new(0), std::sync::Mutex::new(None));
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
        let told = shrink(&plan, fault, run);
        panic!(
            "{told}\nrun just this one again: SEED={seed} NIVELLA_HISTORIES=1 cargo test --test it {name}"
        );
    }
    println!("{} histories", batches as u64 * ORDERS);
}

/// Lives through a plan; a panic is a fault like any other.
fn live(plan: &Plan, live: impl FnOnce(&mut Life) -> Result<(), Fault>) -> Told {
    let wallet = Wallet::open(support::sqlite(), &plan.kind, without_keys());
    wallet.learn_products();
    let mut life = Life::new(wallet, plan.kind);
    let told = catch_unwind(AssertUnwindSafe(|| live(&mut life))).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Err(Fault::new(None, format!("it panics: {}", words.unwrap_or_default())))
    });
    told.map_err(|fault| {
        let story = life.tell_all(fault.order);
        (fault, story)
    })
}

fn deliveries_only(plan: &Plan) -> Told {
    live(plan, |life| {
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
        Ok(())
    })
}

/// Whatever is lost, repeated and late: after every single delivery the ledger is what the orders shown so far
/// come to, and at the end replaying everything twice changes nothing.
#[test]
fn deliveries_alone_end_where_the_orders_say() {
    run_all(
        "deliveries_alone_end_where_the_orders_say",
        50,
        |seed| Plan::random(seed, ORDERS.cast_signed(), |_: &mut Kind| {}),
        deliveries_only,
    );
}
