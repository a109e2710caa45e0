//! Random walks through everything that can be done to credits, the clock among it, against naive books.
//!
//! After every step the program must have answered what the books say, every number of every wallet and grant must be
//! theirs, and `verify` must find nothing. `NIVELLA_STEPS` says how many steps are taken, `SEED` where the first
//! walk begins. A walk that fails is cut down to the steps that matter.

mod alerts;
mod books;
mod calendar;
mod steps;
mod world;

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use self::alerts::Alerts;
use self::books::{Answer, Books, Ms};
use self::steps::{ACCOUNTS, OWNERS, Step};
use self::world::{Template, World};

/// Steps in a normal run; `make test-long` takes ten million.
const STEPS: u64 = 200_000;

/// Steps of one walk, in a database of its own.
const WALK: u64 = 100;

/// Tests among which the walks are shared out, so that every core has some.
const SHARES: u64 = 4;

#[test]
fn every_step_is_as_the_rules_say_1() {
    walk_share(0);
}

#[test]
fn every_step_is_as_the_rules_say_2() {
    walk_share(1);
}

#[test]
fn every_step_is_as_the_rules_say_3() {
    walk_share(2);
}

#[test]
fn every_step_is_as_the_rules_say_4() {
    walk_share(3);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn walk_share(share: u64) {
    static SEED: LazyLock<u64> =
        LazyLock::new(|| number("SEED").unwrap_or_else(|| rand::random_range(0..1 << 48)));
    println!("SEED={}", *SEED);
    let walks = number("NIVELLA_STEPS").unwrap_or(STEPS).div_ceil(WALK).max(1);
    for walk in (0..walks).skip(usize::try_from(share).unwrap()).step_by(usize::try_from(SHARES).unwrap()) {
        let seed = SEED.wrapping_add(walk);
        let (start, steps) = plan(seed);
        if let Err(fault) = run(start, &steps) {
            let (steps, fault) = shrink(start, steps[..=fault.step].to_vec(), fault);
            let story: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
            panic!(
                "{}\nafter the last of these steps, from {start}:\n{}\nwalk this way again: \
                 SEED={seed} NIVELLA_STEPS=1 cargo test --test it model::every_step_is_as_the_rules_say_1",
                fault.told,
                story.join("\n")
            );
        }
    }
    let [told, late] = [&alerts::TOLD, &alerts::LATE].map(|count| count.load(Ordering::Relaxed));
    println!("{told} alerts so far, {late} of them had to wait");
    assert!(
        walks < 1_000 || (told > 100 && late > 0),
        "walks in which nobody is told anything prove nothing"
    );
}

/// When a walk begins, and its steps.
fn plan(seed: u64) -> (Ms, Vec<Step>) {
    const START: Ms = 1_795_190_400_000; // 2026-11-20T16:00:00Z
    let mut rng = StdRng::seed_from_u64(seed);
    let start = START + rng.random_range(0..730) * 86_400_000 + rng.random_range(0..86_400_000);
    (start, (0..WALK).map(|_| Step::random(&mut rng)).collect())
}

/// The step after which something was wrong, and what.
struct Fault {
    step: usize,
    told: String,
}

/// In a thread of its own, so that the connections it opened go with it.
fn run(start: Ms, steps: &[Step]) -> Result<(), Fault> {
    static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::make);
    let template = &*TEMPLATE;
    std::thread::scope(|scope| {
        let walk = scope.spawn(|| {
            let mut walk = Walk {
                world: World::open(template, start),
                books: Books::new(start, &OWNERS, ACCOUNTS),
                asked: Vec::new(),
                history: Vec::new(),
                alerts: (start % 4 == 0).then(Alerts::default),
            };
            for (at, step) in steps.iter().enumerate() {
                walk.step(at, *step).map_err(|told| Fault { step: at, told })?;
            }
            walk.look_closer(steps.len()).map_err(|told| Fault { step: steps.len() - 1, told })
        });
        walk.join().unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            Err(Fault { step: steps.len() - 1, told: format!("it panics: {}", words.unwrap_or_default()) })
        })
    })
}

/// Leaves out steps for as long as the rest still fails.
fn shrink(start: Ms, mut steps: Vec<Step>, mut fault: Fault) -> (Vec<Step>, Fault) {
    println!("a walk of {} steps fails and is being cut down: {}", steps.len(), fault.told);
    let mut width = steps.len() / 2;
    while width > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + width));
            match run(start, &fewer) {
                Err(still) => {
                    fewer.truncate(still.step + 1);
                    (steps, fault) = (fewer, still);
                }
                Ok(()) => at += width,
            }
        }
        width /= 2;
    }
    (steps, fault)
}

type Asked = (Step, Option<String>, Option<(Answer, Ms)>);

/// The program and the books, side by side.
struct Walk {
    world: World,
    books: Books,
    /// What was asked for under a key: the step, the grant it names, and the answer if it had an effect, with its time.
    asked: Vec<Asked>,
    /// The books after each step.
    history: Vec<Books>,
    /// Who is told that credits run low, in walks in which the daemon is awake: what happens by itself is booked
    /// at once.
    alerts: Option<Alerts>,
}

impl Walk {
    fn step(&mut self, at: usize, step: Step) -> Result<(), String> {
        /// How long an answer is given again.
        const KEPT: Ms = 30 * 86_400_000;
        let (nth, other) = match step {
            Step::Again { .. } if self.asked.is_empty() => return Ok(()),
            step if !step.is_about_something(&self.books) => return Ok(()),
            Step::Again { back, other } => (self.asked.len() - 1 - back % self.asked.len(), other),
            step => {
                let step = step.exactly(&self.books);
                let grant = match step {
                    Step::Void { lot } => Some(self.books.lots[lot % self.books.lots.len()].id.clone()),
                    _ => None,
                };
                if !step.has_key() {
                    let expected = step.on(&mut self.books);
                    let seen = self.world.step(step, None, None);
                    return self.check(at, step, &expected, seen);
                }
                self.asked.push((step, grant, None));
                (self.asked.len() - 1, false)
            }
        };
        let (step, grant, kept) = self.asked[nth].clone();
        let step = match step {
            // The lot it named then.
            Step::Void { .. } => Step::Void {
                lot: grant
                    .as_ref()
                    .map_or(0, |id| self.books.lots.iter().position(|lot| lot.id == *id).unwrap()),
            },
            step => step,
        };
        let kept = kept.filter(|(_, when)| self.books.now - when < KEPT);
        let expected = match kept {
            None if other => return Ok(()),
            Some(_) if other => Answer::Refused("idempotency_mismatch"),
            Some((answer, _)) => answer,
            None => {
                let answer = step.on(&mut self.books);
                if matches!(answer, Answer::Done(..)) {
                    self.asked[nth].2 = Some((answer.clone(), self.books.now));
                }
                answer
            }
        };
        let asked = if other { "something else".to_owned() } else { format!("{step:?}") };
        let seen = self.world.step(step, grant, Some((format!("key-{nth}"), asked)));
        self.check(at, step, &expected, seen)
    }

    fn check(
        &mut self,
        at: usize,
        step: Step,
        expected: &Answer,
        seen: Result<world::Raw, world::No>,
    ) -> Result<(), String> {
        if let Err(world::No::Broken(why)) = &seen {
            return Err(format!("{step:?}: the program fails: {why}\n  by the rules: {expected:?}"));
        }
        if let Some(alerts) = &mut self.alerts {
            // Every other step looks at what it has touched by itself.
            if matches!(step, Step::Clock(_)) {
                self.world.wake()?;
                for account in 0..ACCOUNTS {
                    if self.books.accounts[account].into.is_none() {
                        self.books.catch_up(account);
                    }
                }
            }
            alerts.look(&self.books);
            self.world.compare_alerts(alerts)?;
        }
        self.world.compare(&mut self.books)?;
        let seen = self.world.translate(seen, &self.books)?;
        if *expected != seen {
            return Err(format!("{step:?} answers\n  by the rules: {expected:?}\n  the program:  {seen:?}"));
        }
        self.history.push(self.books.clone());
        if at % 10 == 9 { self.look_closer(at) } else { Ok(()) }
    }

    /// At what is not looked at after every step.
    fn look_closer(&self, at: usize) -> Result<(), String> {
        if self.history.is_empty() {
            return Ok(());
        }
        let nth = at.wrapping_mul(7) + self.history.len();
        self.world.compare_more(&self.books, &self.history, 1 + self.books.now % 90_000_000, nth)
    }
}
