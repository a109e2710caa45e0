//! What can happen to the books in one step, and steps at random. A step names things by numbers that always mean
//! something, so that a walk from which steps were left out is a walk again.

use chrono_tz::Tz;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::books::{Answer, Ask, Bears, Books, Comp, Kind, Limit, Micro, Ms, Policy, Round, Wallet};
use super::calendar::{Good, Span};

pub(super) const CREDIT: Micro = 1_000_000;
pub(super) const ORDERS: usize = 3;
pub(super) const OWNERS: [usize; 3] = [0, 0, 1];
pub(super) const ACCOUNTS: usize = 2;
const HOUR: Ms = 3_600_000;
const DAY: Ms = 24 * HOUR;

/// How much.
#[derive(Clone, Copy, Debug)]
pub(super) enum Much {
    Micro(Micro),
    /// Exactly what there is, and this much more.
    All(Micro),
}

/// Where the clock goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    By(Ms),
    /// To the next instant at which something happens, or the one after it, give or take a millisecond.
    To {
        nth: usize,
        give: Ms,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Clock(Turn),
    Grant(Wallet, Ask),
    Claw {
        order: usize,
        much: Much,
        bears: Bears,
    },
    FreezeOrder {
        order: usize,
        frozen: bool,
    },
    Void {
        lot: usize,
    },
    Debit {
        site: usize,
        agent: Option<usize>,
        much: Much,
    },
    Use {
        site: usize,
        agent: Option<usize>,
        action: usize,
        quantity: i64,
    },
    Hold {
        site: usize,
        agent: Option<usize>,
        much: Much,
        lasts_s: i64,
    },
    Capture {
        hold: usize,
        much: Much,
    },
    Release {
        hold: usize,
    },
    Reverse {
        debit: usize,
        much: Option<Much>,
    },
    Rate {
        action: usize,
        parts: i64,
        round: Round,
        later: Ms,
    },
    Allocate {
        site: usize,
        much: Much,
    },
    Reclaim {
        site: usize,
        much: Option<Much>,
    },
    Adjust {
        wallet: Wallet,
        much: Much,
        minus: bool,
    },
    Freeze {
        account: usize,
        frozen: bool,
    },
    Merge {
        from: usize,
        into: usize,
    },
    Zone {
        account: usize,
        zone: Tz,
    },
    SetPlan {
        plan: usize,
        micro: Micro,
        span: Span,
        rollover: Micro,
    },
    StartPlan {
        plan: usize,
        wallet: Wallet,
        later: Option<Ms>,
    },
    StopPlan {
        plan: usize,
        wallet: Wallet,
    },
    Limit {
        site: usize,
        agent: Option<usize>,
        span: Span,
        micro: Option<Micro>,
        stops: bool,
    },
    Policy {
        site: usize,
        agent: Option<usize>,
        said: Policy,
    },
    Offer {
        site: usize,
        to: usize,
    },
    Accept {
        site: usize,
    },
    Touch {
        account: usize,
    },
    /// An earlier step is asked for again under its key, or something else under its key.
    Again {
        back: usize,
        other: bool,
    },
}

const ZONES: [Tz; 7] = [
    Tz::UTC,
    Tz::Europe__Vienna,
    Tz::America__New_York,
    Tz::Pacific__Kiritimati,
    Tz::Pacific__Pago_Pago,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kathmandu,
];

/// Whose the orders are, and the sites they name.
pub(super) const BUYERS: [(usize, Option<usize>); ORDERS] = [(0, None), (0, Some(1)), (1, None)];

impl Step {
    pub(super) fn random(rng: &mut StdRng) -> Self {
        let (site, account) = (rng.random_range(0..OWNERS.len()), rng.random_range(0..ACCOUNTS));
        let wallet = any_wallet(rng);
        let agent = rng.random_bool(0.5).then(|| rng.random_range(0..2));
        match rng.random_range(0..100) {
            0..17 => Self::Clock(turn(rng)),
            17..29 => Self::Grant(wallet, ask(rng)),
            29..33 => {
                let order = rng.random_range(0..ORDERS);
                Self::Grant(wallet, Ask { kind: Kind::Paid, order: Some(order), ..ask(rng) })
            }
            33..37 => Self::Claw {
                order: rng.random_range(0..ORDERS),
                much: Much::Micro(micro(rng)),
                bears: *[Bears::Debt, Bears::Debt, Bears::WriteOff, Bears::Freeze].choose(rng).unwrap(),
            },
            37..39 => Self::FreezeOrder { order: rng.random_range(0..ORDERS), frozen: rng.random_bool(0.4) },
            39..41 => Self::Void { lot: rng.random_range(0..1_000) },
            41..47 => Self::Debit { site, agent, much: much(rng) },
            47..52 => Self::Hold {
                site,
                agent,
                much: much(rng),
                lasts_s: *[1, 60, 900, 7_200, 86_400].choose(rng).unwrap(),
            },
            // Of what is there, a part; or a little too much.
            52..54 => {
                Self::Capture { hold: rng.random_range(0..1_000), much: Much::All(rng.random_range(-99..=2)) }
            }
            54 => Self::Release { hold: rng.random_range(0..1_000) },
            55..58 => Self::Reverse {
                debit: rng.random_range(0..1_000),
                much: rng.random_bool(0.6).then(|| Much::All(rng.random_range(-99..=2))),
            },
            58..62 => Self::Use {
                site,
                agent,
                action: rng.random_range(0..2),
                quantity: rng.random_range(1..3_000),
            },
            62..64 => Self::Rate {
                action: rng.random_range(0..2),
                parts: *[1, 499, 500, 1_001, 333_333, 2_500_000_500].choose(rng).unwrap(),
                round: *[Round::Up, Round::Down, Round::HalfUp].choose(rng).unwrap(),
                later: if rng.random() { 0 } else { rng.random_range(0..3 * DAY) },
            },
            64..70 => Self::Allocate { site, much: much(rng) },
            70..74 => {
                let all = rng.random_bool(0.3);
                Self::Reclaim { site, much: if all { None } else { Some(much(rng)) } }
            }
            74..78 => Self::Adjust { wallet, much: much(rng), minus: rng.random_bool(0.7) },
            78..81 => Self::Freeze { account, frozen: rng.random_bool(0.2) },
            81 if rng.random_bool(0.5) => Self::Merge { from: account, into: rng.random_range(0..ACCOUNTS) },
            81..83 => Self::Zone { account, zone: *ZONES.choose(rng).unwrap() },
            83..86 => Self::SetPlan {
                plan: rng.random_range(0..2),
                micro: micro(rng),
                span: *[Span::Day, Span::Week, Span::Week, Span::Month, Span::Month, Span::Month, Span::Year]
                    .choose(rng)
                    .unwrap(),
                rollover: if rng.random() { 0 } else { micro(rng) },
            },
            86..89 => Self::StartPlan {
                plan: rng.random_range(0..2),
                wallet,
                later: rng.random_bool(0.3).then(|| rng.random_range(-DAY..20 * DAY)),
            },
            89..91 => Self::StopPlan { plan: rng.random_range(0..2), wallet },
            91 => Self::Limit {
                site,
                agent,
                span: if rng.random() { Span::Day } else { Span::Month },
                micro: rng.random_bool(0.7).then(|| if rng.random_bool(0.1) { 0 } else { 3 * micro(rng) }),
                stops: rng.random(),
            },
            92..94 => Self::Policy {
                site,
                agent: agent.filter(|_| rng.random_bool(0.4)),
                said: Policy {
                    stops: rng.random_bool(0.4).then(|| rng.random_bool(0.4)),
                    pool: rng.random_bool(0.6).then(|| rng.random_bool(0.6)),
                    grace: rng.random_bool(0.4).then(|| micro(rng)),
                },
            },
            94 => Self::Offer { site, to: account },
            95 => Self::Accept { site },
            96 => Self::Touch { account },
            _ => Self::Again { back: rng.random_range(0..6), other: rng.random_bool(0.3) },
        }
    }
}

impl Step {
    /// Whether it is asked for under a key.
    pub(super) fn has_key(&self) -> bool {
        matches!(
            self,
            Self::Grant(..)
                | Self::Debit { .. }
                | Self::Use { .. }
                | Self::Allocate { .. }
                | Self::Reclaim { .. }
                | Self::Adjust { .. }
                | Self::Void { .. }
                | Self::Hold { .. }
                | Self::Capture { .. }
                | Self::Release { .. }
                | Self::Reverse { .. }
        )
    }

    /// Whether there is anything that it can be about.
    pub(super) fn is_about_something(&self, books: &Books) -> bool {
        match self {
            Self::Void { .. } => !books.lots.is_empty(),
            Self::Capture { .. } | Self::Release { .. } => !books.holds.is_empty(),
            Self::Reverse { .. } => !books.debits.is_empty(),
            _ => true,
        }
    }

    /// The step with numbers in the place of words, as things stand.
    pub(super) fn exactly(self, books: &Books) -> Self {
        let known = |much: Much, all: Micro| match much {
            Much::Micro(micro) => Much::Micro(micro),
            Much::All(more) => Much::Micro((all + more).max(1)),
        };
        // So many hundredths of it less, or so many micro-credits more.
        let part = |much: Much, all: Micro| match much {
            Much::All(less @ ..0) => Much::Micro((all + all * less / 100).max(1)),
            much => known(much, all),
        };
        let own = |wallet: Wallet| {
            let (account, comp) = books.place(wallet);
            books.own(account, comp)
        };
        match self {
            Self::Clock(Turn::To { nth, give }) => {
                let instants = books.instants();
                let at = instants[nth % instants.len()];
                Self::Clock(Turn::By((at + give - books.now).max(0)))
            }
            Self::Debit { site, agent, much } => {
                Self::Debit { site, agent, much: known(much, books.in_reach(site, agent)) }
            }
            Self::Hold { site, agent, much, lasts_s } => {
                Self::Hold { site, agent, much: known(much, books.in_reach(site, agent)), lasts_s }
            }
            Self::Capture { hold, much } => {
                let hold = books.hold_like(hold);
                Self::Capture { hold, much: part(much, books.holds[hold].micro) }
            }
            Self::Release { hold } => Self::Release { hold: books.hold_like(hold) },
            Self::Reverse { debit, much } => {
                let debit = debit % books.debits.len();
                Self::Reverse { debit, much: much.map(|much| part(much, books.debits[debit].micro)) }
            }
            Self::Allocate { site, much } => {
                Self::Allocate { site, much: known(much, books.own(books.sites[site].owner, Comp::Pool)) }
            }
            Self::Reclaim { site, much: Some(much) } => {
                Self::Reclaim { site, much: Some(known(much, own(Wallet::Site(site)))) }
            }
            Self::Adjust { wallet, much, minus } => {
                Self::Adjust { wallet, much: known(much, own(wallet)), minus }
            }
            step => step,
        }
    }

    /// What the rules say comes of it. What is refused changes nothing.
    pub(super) fn on(&self, books: &mut Books) -> Answer {
        let mut next = books.clone();
        let answer = self.play(&mut next).unwrap_or_else(|refused| refused);
        if matches!(answer, Answer::Done(..)) {
            *books = next;
        }
        answer
    }

    fn play(&self, books: &mut Books) -> Result<Answer, Answer> {
        let done = || Ok(Answer::Done(Vec::new(), Vec::new()));
        match *self {
            Self::Clock(turn) => {
                books.now += by(turn);
                done()
            }
            Self::Grant(wallet, ref ask) => Ok(books.grant(wallet, ask)),
            Self::Claw { order, much, bears } => Ok(books.claw(order, micros(much), bears)),
            Self::FreezeOrder { order, frozen } => Ok(books.freeze_order(order, frozen)),
            Self::Void { lot } => Ok(books.void(lot % books.lots.len())),
            Self::Debit { site, agent, much } => books.debit(site, agent, micros(much)),
            Self::Use { site, agent, action, quantity } => {
                books.debit(site, agent, books.price(action, quantity)?)
            }
            Self::Hold { site, agent, much, lasts_s } => {
                books.hold(site, agent, micros(much), lasts_s * 1_000)
            }
            Self::Capture { hold, much } => books.capture(hold, micros(much)),
            Self::Release { hold } => books.release(hold),
            Self::Reverse { debit, much } => books.reverse(debit, much.map(micros)),
            Self::Rate { action, parts, round, later } => {
                books.set_rate(action, parts, round, later);
                done()
            }
            Self::Allocate { site, much } => books.relocate(site, Some(micros(much)), false),
            Self::Reclaim { site, much } => books.relocate(site, much.map(micros), true),
            Self::Adjust { wallet, much, minus } => {
                books.adjust(wallet, if minus { -micros(much) } else { micros(much) })
            }
            Self::Freeze { account, frozen } => {
                let account = books.follow(account);
                books.accounts[account].frozen = frozen;
                done()
            }
            Self::Merge { from, into } => Ok(books.merge(from, into)),
            Self::Zone { account, zone } => {
                books.set_zone(account, zone);
                done()
            }
            Self::SetPlan { plan, micro, span, rollover } => {
                books.set_plan(plan, micro, span, rollover);
                done()
            }
            Self::StartPlan { plan, .. } if !books.has_plan(plan) => Err(none(plan)),
            Self::StartPlan { plan, wallet, later } => Ok(books.start_plan(plan, wallet, later)),
            Self::StopPlan { plan, wallet } => Ok(books.stop_plan(plan, wallet)),
            Self::Limit { site, agent, span, micro, stops } => {
                let limit = Limit { site, agent, span, micro: micro.unwrap_or(0), stops };
                books.set_limit(&limit, micro.is_none());
                done()
            }
            Self::Policy { site, agent, said } => {
                books.set_policy(site, agent, said);
                done()
            }
            Self::Offer { site, to } => books.offer(site, to),
            Self::Accept { site } => books.accept(site),
            Self::Touch { account } => {
                books.catch_up(books.follow(account));
                done()
            }
            Self::Again { .. } => unreachable!("the walk knows which step is meant"),
        }
    }
}

/// An amount that is known by now.
pub(super) fn micros(much: Much) -> Micro {
    let Much::Micro(micro) = much else { unreachable!("{much:?} is known") };
    micro
}

/// A distance that is known by now.
pub(super) fn by(turn: Turn) -> Ms {
    let Turn::By(ms) = turn else { unreachable!("{turn:?} is known") };
    ms
}

fn none(_: usize) -> Answer {
    Answer::Refused("there is none")
}

fn any_wallet(rng: &mut StdRng) -> Wallet {
    if rng.random_bool(0.45) {
        Wallet::Account(rng.random_range(0..ACCOUNTS))
    } else {
        Wallet::Site(rng.random_range(0..OWNERS.len()))
    }
}

fn micro(rng: &mut StdRng) -> Micro {
    match rng.random_range(0..10) {
        0 => rng.random_range(1..10),
        1..3 => rng.random_range(1..60 * CREDIT),
        _ => rng.random_range(1..60) * CREDIT,
    }
}

fn much(rng: &mut StdRng) -> Much {
    match rng.random_range(0..10) {
        0..3 => Much::All(rng.random_range(-1..=1)),
        _ => Much::Micro(micro(rng)),
    }
}

fn turn(rng: &mut StdRng) -> Turn {
    match rng.random_range(0..10) {
        0..2 => Turn::By(rng.random_range(1..10_000)),
        2..4 => Turn::By(rng.random_range(0..30) * HOUR),
        4 => Turn::By(rng.random_range(0..45 * DAY)),
        _ => Turn::To { nth: rng.random_range(0..3), give: rng.random_range(-1..=1) },
    }
}

fn ask(rng: &mut StdRng) -> Ask {
    Ask {
        kind: *[Kind::Paid, Kind::Paid, Kind::Bonus, Kind::Recurring].choose(rng).unwrap(),
        micro: micro(rng),
        priority: rng.random_bool(0.15).then(|| *[0, 10, 15, 20, 25, 30].choose(rng).unwrap()),
        later: rng.random_bool(0.15).then(|| rng.random_range(0..10 * DAY)),
        good: match rng.random_range(0..10) {
            0..3 => Good::Forever,
            3..5 => Good::Days(*[1, 2, 7, 30].choose(rng).unwrap()),
            5 => Good::Months(*[1, 3, 12].choose(rng).unwrap()),
            6..8 => Good::Cycle,
            _ => Good::For(*[-1, 0, 1, 1_000, HOUR, DAY].choose(rng).unwrap()),
        },
        order: None,
    }
}
