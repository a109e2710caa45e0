//! The books as the rules tell them, as plainly as can be: lists of what there is and of what happened, and every
//! number added up anew whenever somebody asks. It knows nothing of the program.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::calendar::{self, Good, Span};

pub(super) type Micro = i64;
pub(super) type Ms = i64;

/// A compartment of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Comp {
    Pool,
    Site(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Recurring,
    Bonus,
    Paid,
}

/// A grant.
#[derive(Clone, Debug)]
pub(super) struct Lot {
    /// The account it was made for, and its number there.
    pub(super) made: (usize, i64),
    pub(super) order: Option<usize>,
    pub(super) kind: Kind,
    pub(super) priority: i64,
    pub(super) amount: Micro,
    pub(super) effective: Ms,
    pub(super) expires: Option<Ms>,
    pub(super) frozen: bool,
    pub(super) voided: bool,
    /// The plan and its compartment, if one brought it.
    pub(super) plan: Option<(usize, Comp)>,
    pub(super) parts: Vec<Part>,
    /// What the program calls it, once that is known.
    pub(super) id: String,
}

/// What can be spent of a lot in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) account: usize,
    pub(super) comp: Comp,
    pub(super) remaining: Micro,
}

/// Something that happened to a lot.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) lot: usize,
    pub(super) what: &'static str,
    pub(super) micro: Micro,
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) zone: Tz,
    pub(super) frozen: bool,
    pub(super) into: Option<usize>,
    /// When what happens by itself was booked last.
    pub(super) locked: Ms,
}

#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) owner: usize,
    pub(super) pool: bool,
    /// To whom it is offered, and until when.
    offer: Option<(usize, Ms)>,
}

/// What a site, or one of its assistants, may spend in a day or month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) site: usize,
    pub(super) agent: Option<usize>,
    pub(super) span: Span,
    pub(super) micro: Micro,
    pub(super) stops: bool,
}

/// What is said about the spending of a site, or of one of its assistants.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Policy {
    /// Only recurring credits.
    pub(super) stops: Option<bool>,
    pub(super) pool: Option<bool>,
    pub(super) grace: Option<Micro>,
}

#[derive(Clone, Debug)]
pub(super) struct Debt {
    account: usize,
    comp: Comp,
    /// Negative: repaid.
    micro: Micro,
}

#[derive(Clone, Debug)]
pub(super) struct Debit {
    account: usize,
    site: usize,
    agent: Option<usize>,
    day: NaiveDate,
    pub(super) micro: Micro,
    /// What it took, in order; what no lot gave was lent.
    took: Vec<(Option<usize>, Comp, Micro)>,
    /// What was given back of it, once that was done.
    reversed: Option<Micro>,
}

/// Credits set aside.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    account: usize,
    site: usize,
    agent: Option<usize>,
    pub(super) micro: Micro,
    lent: Micro,
    parts: Vec<(usize, Comp, Micro)>,
    expires: Ms,
    ended: Option<&'static str>,
}

/// Credits whose money went back while they were held.
#[derive(Clone, Debug)]
struct Due {
    account: usize,
    lot: usize,
    micro: Micro,
    bears: Bears,
    home: Comp,
}

#[derive(Clone, Debug)]
struct Version {
    plan: usize,
    made: Ms,
    micro: Micro,
    span: Span,
    rollover: Micro,
}

/// A plan that a compartment has.
#[derive(Clone, Debug)]
struct Sub {
    account: usize,
    plan: usize,
    comp: Comp,
    /// When the next period begins, and which day that was meant to be.
    due: (Ms, NaiveDate),
    stopped: bool,
    period: Option<Period>,
}

#[derive(Clone, Copy, Debug)]
struct Period {
    micro: Micro,
    span: Span,
    end: Ms,
}

#[derive(Clone, Debug)]
struct RateVersion {
    action: usize,
    from: Ms,
    parts: i64,
    round: Round,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    Up,
    Down,
    HalfUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bears {
    Debt,
    WriteOff,
    Freeze,
}

/// Whose wallet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wallet {
    Account(usize),
    Site(usize),
}

/// What came of a step, as both sides tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Numbers the step answers, and what each lot gave, in order.
    Done(Vec<Micro>, Vec<(usize, Micro)>),
    Short {
        needed: Micro,
        available: Micro,
    },
    /// A limit is reached.
    Limit {
        needed: Micro,
        available: Micro,
    },
    Refused(&'static str),
}

/// Whose limit, how long, how much, whether it stops, what was spent, what is held and when it begins anew.
pub(super) type LimitRow = (Option<usize>, &'static str, Micro, bool, Micro, Micro, Ms);

/// The numbers of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) available: Micro,
    pub(super) posted: Micro,
    pub(super) held: Micro,
    pub(super) frozen: Micro,
    pub(super) debt: Micro,
    pub(super) used: Micro,
    pub(super) total: Micro,
    pub(super) recurring: Micro,
    pub(super) cap: Micro,
    pub(super) renews_at: Option<Ms>,
    pub(super) top_up: Micro,
    pub(super) status: &'static str,
    pub(super) mode: &'static str,
    /// Lot, compartment, remaining and held, sorted.
    pub(super) rows: Vec<(usize, Comp, Micro, Micro)>,
    /// A site's limits, sorted.
    pub(super) limits: Vec<LimitRow>,
}

/// The numbers that a past instant had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) available: Micro,
    pub(super) posted: Micro,
    pub(super) held: Micro,
    pub(super) frozen: Micro,
    pub(super) debt: Micro,
    pub(super) recurring: Micro,
    pub(super) top_up: Micro,
}

#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) now: Ms,
    pub(super) accounts: Vec<Account>,
    pub(super) sites: Vec<Site>,
    pub(super) lots: Vec<Lot>,
    pub(super) flows: Vec<Flow>,
    pub(super) debts: Vec<Debt>,
    pub(super) debits: Vec<Debit>,
    pub(super) holds: Vec<Hold>,
    dues: Vec<Due>,
    plans: Vec<Version>,
    subs: Vec<Sub>,
    rates: Vec<RateVersion>,
    limits: Vec<Limit>,
    policies: Vec<(usize, Option<usize>, Policy)>,
}

/// A grant that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) micro: Micro,
    pub(super) priority: Option<i64>,
    pub(super) later: Option<Ms>,
    pub(super) good: Good,
    pub(super) order: Option<usize>,
}

impl Lot {
    pub(super) fn is_over(&self, now: Ms) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_spendable(&self, now: Ms) -> bool {
        self.effective <= now && !self.is_over(now) && !self.frozen && !self.voided
    }
}

impl Books {
    pub(super) fn new(now: Ms, owners: &[usize], accounts: usize) -> Self {
        let account = Account { zone: Tz::UTC, frozen: false, into: None, locked: now };
        Self {
            now,
            accounts: vec![account; accounts],
            sites: owners.iter().map(|&owner| Site { owner, pool: true, offer: None }).collect(),
            lots: Vec::new(),
            flows: Vec::new(),
            debts: Vec::new(),
            debits: Vec::new(),
            holds: Vec::new(),
            dues: Vec::new(),
            plans: Vec::new(),
            subs: Vec::new(),
            rates: Vec::new(),
            limits: Vec::new(),
            policies: Vec::new(),
        }
    }

    // Who is asked about -----------------------------------------------------------------------------

    pub(super) fn follow(&self, account: usize) -> usize {
        self.accounts[account].into.map_or(account, |into| self.follow(into))
    }

    /// The account behind a wallet and its compartment for grants.
    pub(super) fn place(&self, wallet: Wallet) -> (usize, Comp) {
        match wallet {
            Wallet::Account(account) => (self.follow(account), Comp::Pool),
            Wallet::Site(site) => (self.sites[site].owner, Comp::Site(site)),
        }
    }

    /// Where an order's credits go: to its site while that is its account's.
    pub(super) fn order_place(&self, order: usize) -> (usize, Comp) {
        let (account, site) = super::steps::BUYERS[order];
        let account = self.follow(account);
        let own = site.filter(|&site| self.sites[site].owner == account);
        (account, own.map_or(Comp::Pool, Comp::Site))
    }

    /// Whether a wallet shows what lies there.
    fn shows(&self, wallet: Wallet, account: usize, comp: Comp) -> bool {
        account == self.place(wallet).0
            && match (wallet, comp) {
                (Wallet::Account(_), _) => true,
                (Wallet::Site(site), Comp::Pool) => self.sites[site].pool,
                (Wallet::Site(site), Comp::Site(other)) => site == other,
            }
    }

    pub(super) fn debt(&self, account: usize, comp: Comp) -> Micro {
        self.debts
            .iter()
            .filter(|debt| (debt.account, debt.comp) == (account, comp))
            .map(|debt| debt.micro)
            .sum()
    }

    pub(super) fn sum(&self, lot: usize, what: &str) -> Micro {
        self.flows.iter().filter(|flow| flow.lot == lot && flow.what == what).map(|flow| flow.micro).sum()
    }

    /// What can be spent now of a compartment's own.
    pub(super) fn own(&self, account: usize, comp: Comp) -> Micro {
        self.payers(account, &[comp]).iter().map(|&(lot, part)| self.lots[lot].parts[part].remaining).sum()
    }

    /// What a debit of the site could take.
    pub(super) fn in_reach(&self, site: usize, agent: Option<usize>) -> Micro {
        self.spending(site, agent).iter().map(|&(lot, part)| self.lots[lot].parts[part].remaining).sum()
    }

    fn policy(&self, site: usize, agent: Option<usize>) -> Policy {
        let said = self.policies.iter().find(|(of, whose, _)| (*of, *whose) == (site, agent));
        said.map_or(Policy::default(), |(.., said)| *said)
    }

    /// What may pay for the site, as its policy and its assistant's have it.
    fn spending(&self, site: usize, agent: Option<usize>) -> Vec<(usize, usize)> {
        let (own, agent) = (self.policy(site, None), agent.map(|agent| self.policy(site, Some(agent))));
        let agent = agent.unwrap_or_default();
        let pool = self.sites[site].pool && agent.pool != Some(false);
        let comps = [Comp::Site(site), Comp::Pool];
        let mut payers = self.payers(self.sites[site].owner, if pool { &comps } else { &comps[..1] });
        if agent.stops.or(own.stops) == Some(true) {
            payers.retain(|&(lot, _)| self.lots[lot].kind == Kind::Recurring);
        }
        payers
    }

    /// What was spent in the present period of a limit.
    fn spent(&self, limit: &Limit) -> Micro {
        let owner = self.sites[limit.site].owner;
        let today = calendar::first(calendar::day(self.now, self.accounts[owner].zone), limit.span);
        let debits = self.debits.iter().filter(|debit| {
            debit.site == limit.site
                && self.follow(debit.account) == owner
                && (limit.agent.is_none() || limit.agent == debit.agent)
                && calendar::first(debit.day, limit.span) == today
        });
        debits.map(|debit| debit.micro - debit.reversed.unwrap_or(0)).sum()
    }

    /// What open holds have set aside under a limit.
    fn reserved(&self, limit: &Limit) -> Micro {
        let holds = self.holds.iter().filter(|hold| {
            hold.ended.is_none()
                && hold.site == limit.site
                && hold.account == self.sites[limit.site].owner
                && (limit.agent.is_none() || limit.agent == hold.agent)
        });
        holds.map(|hold| hold.micro).sum()
    }

    /// What is held of a lot in one place.
    pub(super) fn held(&self, lot: usize, account: usize, comp: Comp) -> Micro {
        let open = self.holds.iter().filter(|hold| hold.ended.is_none() && hold.account == account);
        let parts = open.flat_map(|hold| &hold.parts).filter(|part| (part.0, part.1) == (lot, comp));
        parts.map(|part| part.2).sum()
    }

    /// The books as a reader sees them: a hold whose time is over is over, whether that was booked or not.
    fn seen(&self) -> Self {
        let mut seen = self.clone();
        let mut over: Vec<usize> = (0..self.holds.len()).collect();
        over.retain(|&hold| self.holds[hold].ended.is_none() && self.holds[hold].expires <= self.now);
        over.sort_by_key(|&hold| self.holds[hold].expires);
        for hold in over {
            seen.end(hold, "expired", 0, self.holds[hold].expires);
        }
        seen
    }

    /// Which parts pay, unless something speaks against it, and how much may go uncovered.
    fn decide(
        &self,
        site: usize,
        agent: Option<usize>,
        micro: Micro,
        is_hold: bool,
    ) -> Result<(Vec<(usize, usize)>, Micro), Answer> {
        if self.accounts[self.sites[site].owner].frozen {
            return Err(Answer::Refused("frozen"));
        }
        let mut payers = self.spending(site, agent);
        let limits = self.limits.iter().filter(|limit| limit.site == site);
        let limits = limits.filter(|limit| limit.agent.is_none() || limit.agent == agent);
        let rooms = limits
            .map(|limit| (limit, (limit.micro - self.spent(limit).max(0) - self.reserved(limit)).max(0)));
        let passed: Vec<(&Limit, Micro)> = rooms.filter(|(_, room)| micro > *room).collect();
        if passed.iter().any(|(limit, _)| !limit.stops) {
            payers.retain(|&(lot, _)| self.lots[lot].kind != Kind::Recurring);
        }
        let sum: Micro = payers.iter().map(|&(lot, part)| self.lots[lot].parts[part].remaining).sum();
        let room = passed.iter().filter(|(limit, _)| limit.stops).map(|(_, room)| *room).min();
        match room {
            Some(room) => Err(Answer::Limit { needed: micro, available: sum.min(room) }),
            None if sum >= micro => Ok((payers, 0)),
            None if is_hold && self.may_lend(site, agent, micro) => Ok((payers, micro - sum)),
            None => Err(Answer::Short { needed: micro, available: sum }),
        }
    }

    /// The lots and their parts that may pay, in burn-down order.
    fn payers(&self, account: usize, comps: &[Comp]) -> Vec<(usize, usize)> {
        let mut payers = Vec::new();
        for (at, lot) in self.lots.iter().enumerate().filter(|(_, lot)| lot.is_spendable(self.now)) {
            for (part, found) in lot.parts.iter().enumerate() {
                if found.account == account && comps.contains(&found.comp) && found.remaining > 0 {
                    payers.push((at, part));
                }
            }
        }
        payers.sort_by_key(|&(at, part)| {
            let lot = &self.lots[at];
            let last = lot.expires.unwrap_or(Ms::MAX);
            let is_pool = lot.parts[part].comp == Comp::Pool;
            (lot.priority, last, is_pool, lot.effective, lot.made.1, lot.id.clone())
        });
        payers
    }

    // The wallet's numbers ---------------------------------------------------------------------------

    /// What can be spent of a compartment, and the amount of the grants that it is of.
    pub(super) fn compartment(&self, account: usize, comp: Comp) -> (Micro, Micro) {
        let seen = self.seen();
        let (mut available, mut active) = (0, 0);
        for (at, lot) in seen.lots.iter().enumerate().filter(|(_, lot)| lot.is_spendable(seen.now)) {
            let mut is_open = false;
            for part in lot.parts.iter().filter(|part| (part.account, part.comp) == (account, comp)) {
                available += part.remaining;
                is_open |= part.remaining + seen.held(at, account, comp) > 0;
            }
            active += if is_open { lot.amount } else { 0 };
        }
        (available, active)
    }

    pub(super) fn numbers(&self, wallet: Wallet) -> Numbers {
        self.seen().count(wallet)
    }

    fn count(&self, wallet: Wallet) -> Numbers {
        let Past { available, posted, held, frozen, debt, recurring, top_up } = self.past(wallet, self.now);
        let (account, _) = self.place(wallet);
        let zone = self.accounts[account].zone;
        let mut subs: Vec<&Sub> =
            self.subs.iter().filter(|sub| self.shows(wallet, sub.account, sub.comp)).collect();
        subs.sort_by_key(|sub| (sub.due.0, sub.plan, sub.comp));
        // What follows on a period that is over and is not booked yet looks like it.
        let present = |sub: &&Sub| {
            let goes_on = |period: &Period| !sub.stopped && period.end == sub.due.0;
            sub.period.filter(|period| self.now < period.end || goes_on(period))
        };
        let periods: Vec<Period> = subs.iter().filter_map(present).collect();
        let cycle = periods.first().map_or(Span::Month, |period| period.span);
        let today = calendar::day(self.now, zone);
        let used = self
            .debits
            .iter()
            .filter(|debit| match wallet {
                Wallet::Account(_) => self.follow(debit.account) == account,
                Wallet::Site(site) => debit.site == site && self.follow(debit.account) == account,
            })
            .filter(|debit| calendar::first(debit.day, cycle) == calendar::first(today, cycle))
            .map(|debit| debit.micro - debit.reversed.unwrap_or(0))
            .sum();
        let mut rows = Vec::new();
        let mut active = 0;
        for (at, lot) in self.lots.iter().enumerate() {
            let mut is_open = false;
            for part in lot.parts.iter().filter(|part| self.shows(wallet, part.account, part.comp)) {
                let remaining = if lot.is_spendable(self.now) { part.remaining } else { 0 };
                let held = self.held(at, part.account, part.comp);
                if remaining + held > 0 {
                    rows.push((at, part.comp, remaining, held));
                    is_open |= lot.is_spendable(self.now);
                }
            }
            active += if is_open { lot.amount } else { 0 };
        }
        rows.sort_unstable();
        let under = |percent: i64| i128::from(available) <= i128::from(active) * i128::from(percent) / 100;
        let status = match () {
            () if self.accounts[account].frozen => "frozen",
            () if available == 0 => "empty",
            () if under(5) => "critical",
            () if under(20) => "low",
            () => "ok",
        };
        let can_spend = match wallet {
            Wallet::Account(_) => true,
            Wallet::Site(site) => self.decide(site, None, 1, false).is_ok(),
        };
        let mode = match status {
            "frozen" | "empty" => "handover",
            _ if !can_spend => "handover",
            "critical" => "saver",
            _ => "normal",
        };
        let limits = self.limits.iter().filter(|limit| Wallet::Site(limit.site) == wallet);
        let mut limits: Vec<_> = limits
            .map(|limit| {
                let resets = calendar::begins(calendar::next(today, limit.span), zone);
                let name = if limit.span == Span::Day { "day" } else { "month" };
                (limit.agent, name, limit.micro, limit.stops, self.spent(limit), self.reserved(limit), resets)
            })
            .collect();
        limits.sort_unstable();
        let (cap, total) = (periods.iter().map(|period| period.micro).sum(), posted + used);
        let comes = |sub: &&Sub| match sub.period {
            Some(period) if sub.due.0 <= self.now => {
                calendar::begins(calendar::next(calendar::day(self.now, zone), period.span), zone)
            }
            _ => sub.due.0,
        };
        let renews_at = subs.iter().filter(|sub| !sub.stopped).map(comes).min();
        Numbers {
            available,
            posted,
            held,
            frozen,
            debt,
            used,
            total,
            recurring,
            cap,
            renews_at,
            top_up,
            status,
            mode,
            rows,
            limits,
        }
    }

    /// What a wallet has at `at` by these books, in which nothing happened since.
    pub(super) fn past(&self, wallet: Wallet, at: Ms) -> Past {
        let sum = |wanted: &dyn Fn(&Lot) -> bool| -> Micro {
            let parts = self.lots.iter().filter(|lot| wanted(lot)).flat_map(|lot| &lot.parts);
            parts.filter(|part| self.shows(wallet, part.account, part.comp)).map(|part| part.remaining).sum()
        };
        let available = sum(&|lot| lot.is_spendable(at));
        let recurring = sum(&|lot| lot.is_spendable(at) && lot.kind == Kind::Recurring);
        let frozen = sum(&|lot| lot.frozen && !lot.voided && !lot.is_over(at));
        let debts = self.debts.iter().filter(|debt| self.shows(wallet, debt.account, debt.comp));
        let debt = debts.map(|debt| debt.micro).sum();
        let open = self.holds.iter().filter(|hold| hold.ended.is_none());
        let parts = open.flat_map(|hold| hold.parts.iter().map(|part| (hold.account, part)));
        let parts = parts.filter(|(account, part)| self.shows(wallet, *account, part.1));
        let held = parts.map(|(_, part)| part.2).sum();
        let (posted, top_up) = (available + held, available - recurring);
        Past { available, posted, held, frozen, debt, recurring, top_up }
    }

    // What happens by itself -------------------------------------------------------------------------

    /// Expiry and renewals until now, in the order of time.
    pub(super) fn catch_up(&mut self, account: usize) {
        let now = self.now;
        while let Some(at) = self.due(account).filter(|at| *at <= now) {
            self.expire(account, at - 1);
            for hold in 0..self.holds.len() {
                let Hold { account: whose, expires, ended, .. } = self.holds[hold];
                if (whose, expires, ended) == (account, at, None) {
                    self.end(hold, "expired", 0, at);
                }
            }
            let mut due: Vec<usize> = (0..self.subs.len()).collect();
            due.retain(|&sub| {
                let sub = &self.subs[sub];
                sub.account == account && !sub.stopped && sub.due.0 == at
            });
            due.sort_by_key(|&sub| (self.subs[sub].plan, self.subs[sub].comp));
            let left: Vec<Micro> = due.iter().map(|&sub| self.left(sub)).collect();
            self.expire(account, at);
            for (sub, left) in due.into_iter().zip(left) {
                self.renew(sub, left);
            }
        }
        self.expire(account, now);
        self.accounts[account].locked = now;
    }

    /// When the next hold ends or the next period begins.
    fn due(&self, account: usize) -> Option<Ms> {
        let running = self.subs.iter().filter(|sub| sub.account == account && !sub.stopped);
        let open = self.holds.iter().filter(|hold| hold.account == account && hold.ended.is_none());
        running.map(|sub| sub.due.0).chain(open.map(|hold| hold.expires)).min()
    }

    fn expire(&mut self, account: usize, until: Ms) {
        for (at, lot) in self.lots.iter_mut().enumerate().filter(|(_, lot)| lot.is_over(until)) {
            for part in lot.parts.iter_mut().filter(|part| part.account == account && part.remaining > 0) {
                self.flows.push(Flow { lot: at, what: "expired", micro: part.remaining });
                part.remaining = 0;
            }
        }
    }

    /// What is left of the period that ends when the next one of this plan begins.
    fn left(&self, sub: usize) -> Micro {
        let Sub { account, plan, comp, due, .. } = self.subs[sub];
        let of_period = self.lots.iter().filter(|lot| {
            lot.plan == Some((plan, comp)) && lot.expires == Some(due.0) && !lot.voided && !lot.frozen
        });
        let parts = of_period.flat_map(|lot| &lot.parts).filter(|part| part.account == account);
        parts.map(|part| part.remaining).sum()
    }

    fn renew(&mut self, at: usize, left: Micro) {
        let Sub { account, plan, comp, due: (start, meant), .. } = self.subs[at];
        let mut versions = self.plans.iter().filter(|version| version.plan == plan);
        let first = versions.next().unwrap();
        let version = versions.rfind(|version| version.made <= start).unwrap_or(first).clone();
        let mut day = calendar::next(meant, version.span);
        while calendar::begins(day, self.accounts[account].zone) <= start {
            day = calendar::next(day, version.span);
        }
        let end = calendar::begins(day, self.accounts[account].zone);
        for micro in [left.min(version.rollover), version.micro].into_iter().filter(|micro| *micro > 0) {
            self.add(account, comp, Kind::Recurring, micro, (start, Some(end)));
            self.lots.last_mut().unwrap().plan = Some((plan, comp));
        }
        let sub = &mut self.subs[at];
        sub.due = (end, day);
        sub.period = Some(Period { micro: version.micro, span: version.span, end });
    }

    /// A new lot, of which a debt of its compartment is paid first.
    fn add(&mut self, account: usize, comp: Comp, kind: Kind, micro: Micro, good: (Ms, Option<Ms>)) {
        let repaid = self.debt(account, comp).min(micro);
        let seq = self.lots.iter().filter(|lot| lot.made.0 == account).count();
        let lot = self.lots.len();
        self.lots.push(Lot {
            made: (account, i64::try_from(seq).unwrap() + 1),
            order: None,
            kind,
            priority: match kind {
                Kind::Recurring => 10,
                Kind::Bonus => 20,
                Kind::Paid => 30,
            },
            amount: micro,
            effective: good.0,
            expires: good.1,
            frozen: false,
            voided: false,
            plan: None,
            parts: vec![Part { account, comp, remaining: micro - repaid }],
            id: String::new(),
        });
        if repaid > 0 {
            self.flows.push(Flow { lot, what: "repaid", micro: repaid });
            self.debts.push(Debt { account, comp, micro: -repaid });
        }
    }

    // What people and programs do --------------------------------------------------------------------

    pub(super) fn grant(&mut self, wallet: Wallet, ask: &Ask) -> Answer {
        let (account, comp) = ask.order.map_or_else(|| self.place(wallet), |order| self.order_place(order));
        self.catch_up(account);
        let from = self.now + ask.later.unwrap_or(0);
        let over = match ask.good {
            Good::Cycle => Some(self.cycle_end(account, comp, from)),
            good => good.over(from, self.now, self.accounts[account].zone),
        };
        // A purchase is booked whatever its dates are.
        if ask.order.is_none() && over.is_some_and(|over| over <= from) {
            return Answer::Refused("past");
        }
        self.add(account, comp, ask.kind, ask.micro, (from, over));
        let lot = self.lots.last_mut().unwrap();
        lot.order = ask.order;
        lot.priority = ask.priority.unwrap_or(lot.priority);
        let repaid = self.sum(self.lots.len() - 1, "repaid");
        let priority = self.lots.last().unwrap().priority;
        let mut numbers = vec![from, over.unwrap_or(-1), priority, repaid];
        numbers.extend(ask.order.is_none().then(|| self.own(account, comp)));
        Answer::Done(numbers, Vec::new())
    }

    /// The end of the plan's period around `at`, else of the calendar month.
    fn cycle_end(&self, account: usize, comp: Comp, at: Ms) -> Ms {
        let zone = self.accounts[account].zone;
        let mut subs: Vec<&Sub> = self.subs.iter().filter(|sub| sub.account == account).collect();
        subs.sort_by_key(|sub| (sub.due.0, sub.plan, sub.comp));
        let around = |wanted: Comp| {
            let own = subs.iter().filter(|sub| sub.comp == wanted);
            own.filter_map(|sub| Some((sub, sub.period?)))
                .find(|(sub, period)| at < period.end || !sub.stopped)
        };
        match around(comp).or_else(|| around(Comp::Pool)) {
            Some((_, period)) if at < period.end => period.end,
            Some((_, period)) => calendar::begins(calendar::next(calendar::day(at, zone), period.span), zone),
            None => calendar::begins(calendar::next(calendar::day(at, zone), Span::Month), zone),
        }
    }

    /// Takes from `payers` in their order, all or nothing.
    fn take(
        &mut self,
        payers: &[(usize, usize)],
        micro: Micro,
        what: &'static str,
    ) -> Result<Vec<(usize, Comp, Micro)>, Answer> {
        let available = payers.iter().map(|&(lot, part)| self.lots[lot].parts[part].remaining).sum();
        if available < micro {
            return Err(Answer::Short { needed: micro, available });
        }
        let (mut missing, mut taken) = (micro, Vec::new());
        for &(lot, part) in payers {
            let found = &mut self.lots[lot].parts[part];
            let micro = found.remaining.min(missing);
            if micro > 0 {
                (found.remaining, missing) = (found.remaining - micro, missing - micro);
                taken.push((lot, found.comp, micro));
                self.flows.push(Flow { lot, what, micro });
            }
        }
        Ok(taken)
    }

    pub(super) fn debit(
        &mut self,
        site: usize,
        agent: Option<usize>,
        micro: Micro,
    ) -> Result<Answer, Answer> {
        let account = self.sites[site].owner;
        self.catch_up(account);
        let (payers, _) = self.decide(site, agent, micro, false)?;
        let taken = self.take(&payers, micro, "spent")?;
        let took = taken.iter().map(|&(lot, comp, micro)| (Some(lot), comp, micro)).collect();
        self.spend(account, site, agent, took);
        let after = self.numbers(Wallet::Site(site));
        Ok(Answer::Done(vec![micro, after.available], slices(taken)))
    }

    fn spend(
        &mut self,
        account: usize,
        site: usize,
        agent: Option<usize>,
        took: Vec<(Option<usize>, Comp, Micro)>,
    ) {
        let day = calendar::day(self.now, self.accounts[account].zone);
        let micro = took.iter().map(|part| part.2).sum();
        self.debits.push(Debit { account, site, agent, day, micro, took, reversed: None });
    }

    pub(super) fn hold(
        &mut self,
        site: usize,
        agent: Option<usize>,
        micro: Micro,
        lasts: Ms,
    ) -> Result<Answer, Answer> {
        let account = self.sites[site].owner;
        self.catch_up(account);
        let (payers, lent) = self.decide(site, agent, micro, true)?;
        let parts = self.take(&payers, micro - lent, "held")?;
        let expires = self.now + lasts;
        self.holds.push(Hold {
            account,
            site,
            agent,
            micro,
            lent,
            parts: parts.clone(),
            expires,
            ended: None,
        });
        Ok(Answer::Done(vec![micro, lent, self.numbers(Wallet::Site(site)).available], slices(parts)))
    }

    /// Whether a hold of so much may be the last, part of which is lent: none is open or still owed for.
    fn may_lend(&self, site: usize, agent: Option<usize>, micro: Micro) -> bool {
        let (own, agent) = (self.policy(site, None), agent.map(|agent| self.policy(site, Some(agent))));
        let grace = agent.unwrap_or_default().grace.or(own.grace).unwrap_or(0);
        let owner = self.sites[site].owner;
        let lent = self
            .holds
            .iter()
            .any(|hold| (hold.account, hold.site, hold.ended) == (owner, site, None) && hold.lent > 0);
        micro <= grace && !lent && self.debt(owner, Comp::Site(site)) == 0
    }

    /// A hold by any number: mostly one that is open.
    pub(super) fn hold_like(&self, number: usize) -> usize {
        let open: Vec<usize> =
            (0..self.holds.len()).filter(|&hold| self.holds[hold].ended.is_none()).collect();
        if open.is_empty() || number.is_multiple_of(8) {
            number % self.holds.len()
        } else {
            open[number % open.len()]
        }
    }

    /// Ends a hold of which `used` is captured; what comes back meets what happened to its lots meanwhile.
    fn end(&mut self, at: usize, how: &'static str, used: Micro, when: Ms) {
        let Hold { account, parts, .. } = self.holds[at].clone();
        self.holds[at].ended = Some(how);
        let mut left = used;
        let back = parts.iter().map(|&(lot, comp, micro)| {
            let used = micro.min(left);
            left -= used;
            (lot, comp, micro - used)
        });
        for (lot, comp, micro) in back.collect::<Vec<_>>() {
            self.come_back(account, (lot, comp), micro, when);
        }
        for (lot, ..) in parts {
            self.owe_captured(account, lot);
        }
    }

    fn come_back(&mut self, account: usize, (lot, comp): (usize, Comp), micro: Micro, at: Ms) {
        let mut left = micro;
        for due in self.dues.iter_mut().filter(|due| (due.account, due.lot) == (account, lot)) {
            let micro = due.micro.min(left);
            (due.micro, left) = (due.micro - micro, left - micro);
            self.flows.push(Flow { lot, what: "clawed", micro });
        }
        if self.lots[lot].voided {
            self.flows.push(Flow { lot, what: "voided", micro: left });
        } else if self.lots[lot].is_over(at) {
            self.flows.push(Flow { lot, what: "expired", micro: left });
        } else {
            self.put(lot, account, self.own_or_pool(account, comp), left);
        }
    }

    /// What is due of a lot and can no longer come back, because it was used, is a shortfall.
    fn owe_captured(&mut self, account: usize, lot: usize) {
        let comps: std::collections::BTreeSet<Comp> = self.lots[lot]
            .parts
            .iter()
            .filter(|part| part.account == account)
            .map(|part| part.comp)
            .collect();
        let held: Micro = comps.into_iter().map(|comp| self.held(lot, account, comp)).sum();
        let due = |books: &Self| -> Micro {
            let dues = books.dues.iter().filter(|due| (due.account, due.lot) == (account, lot));
            dues.map(|due| due.micro).sum()
        };
        let mut lacking = (due(self) - held).max(0);
        for at in 0..self.dues.len() {
            let Due { account: whose, lot: of, micro, bears, home } = self.dues[at];
            let micro = micro.min(lacking);
            if (whose, of) == (account, lot) && micro > 0 {
                lacking -= micro;
                self.dues[at].micro -= micro;
                self.owe(account, lot, micro, bears, home);
            }
        }
    }

    fn owe(&mut self, account: usize, lot: usize, micro: Micro, bears: Bears, home: Comp) {
        let what = if bears == Bears::WriteOff { "written_off" } else { "owed" };
        self.flows.push(Flow { lot, what, micro });
        if bears != Bears::WriteOff {
            let comp = self.own_or_pool(account, home);
            self.debts.push(Debt { account, comp, micro });
        }
        self.accounts[account].frozen |= bears == Bears::Freeze && micro > 0;
    }

    fn own_or_pool(&self, account: usize, comp: Comp) -> Comp {
        match comp {
            Comp::Site(site) if self.sites[site].owner == account => comp,
            Comp::Site(_) | Comp::Pool => Comp::Pool,
        }
    }

    pub(super) fn capture(&mut self, at: usize, micro: Micro) -> Result<Answer, Answer> {
        let Hold { account, site, agent, .. } = self.holds[at];
        self.catch_up(account);
        let hold = self.holds[at].clone();
        if hold.ended.is_some() {
            return Err(Answer::Refused("hold_closed"));
        }
        if micro > hold.micro {
            return Err(Answer::Refused("beyond"));
        }
        let (mut left, mut took) = (micro, Vec::new());
        for (lot, comp, held) in hold.parts {
            let micro = held.min(left);
            if micro > 0 {
                left -= micro;
                took.push((Some(lot), comp, micro));
                self.flows.push(Flow { lot, what: "spent", micro });
            }
        }
        if left > 0 {
            let comp = self.own_or_pool(account, Comp::Site(site));
            took.push((None, comp, left));
            self.debts.push(Debt { account, comp, micro: left });
        }
        let gave = took.iter().filter_map(|&(lot, _, micro)| Some((lot?, micro))).collect();
        self.spend(account, site, agent, took);
        self.end(at, "captured", micro, self.now);
        Ok(Answer::Done(vec![micro, self.after(site)], gave))
    }

    pub(super) fn release(&mut self, at: usize) -> Result<Answer, Answer> {
        let Hold { account, site, .. } = self.holds[at];
        self.catch_up(account);
        if self.holds[at].ended.is_some() {
            return Err(Answer::Refused("hold_closed"));
        }
        self.end(at, "released", 0, self.now);
        Ok(Answer::Done(vec![self.after(site)], Vec::new()))
    }

    /// What a site's wallet has available, whoever owns it by now.
    fn after(&self, site: usize) -> Micro {
        self.numbers(Wallet::Site(site)).available
    }

    /// A debit gives back, the last it took first.
    pub(super) fn reverse(&mut self, at: usize, micro: Option<Micro>) -> Result<Answer, Answer> {
        let debit = self.debits[at].clone();
        let account = self.follow(debit.account);
        self.catch_up(account);
        let micro = micro.unwrap_or(debit.micro);
        if debit.reversed.is_some() {
            return Err(Answer::Refused("already_reversed"));
        }
        if micro > debit.micro {
            return Err(Answer::Refused("beyond"));
        }
        self.debits[at].reversed = Some(micro);
        let mut left = micro;
        for &(lot, comp, took) in debit.took.iter().rev() {
            let micro = took.min(left);
            left -= micro;
            let comp = self.own_or_pool(account, comp);
            match lot {
                _ if micro == 0 => {}
                Some(lot) => {
                    self.flows.push(Flow { lot, what: "reversed", micro });
                    let settled = self.settle(account, (lot, comp), micro);
                    self.come_back(account, (lot, comp), micro - settled, self.now);
                }
                None => {
                    let owed = self.debt(account, comp).min(micro);
                    self.debts.push(Debt { account, comp, micro: -owed });
                    if micro > owed {
                        self.add(account, comp, Kind::Bonus, micro - owed, (self.now, None));
                    }
                }
            }
        }
        let gave = debit.took.iter().filter_map(|&(lot, _, micro)| Some((lot?, micro))).collect();
        Ok(Answer::Done(vec![micro, self.after(debit.site)], gave))
    }

    /// What was owed or borne because a lot's money went back is so no more, now that its credits come back.
    fn settle(&mut self, account: usize, (lot, comp): (usize, Comp), micro: Micro) -> Micro {
        let owed = self.sum(lot, "owed").min(micro);
        let borne = self.sum(lot, "written_off").min(micro - owed);
        self.flows.push(Flow { lot, what: "clawed", micro: owed + borne });
        self.flows.push(Flow { lot, what: "owed", micro: -owed });
        self.flows.push(Flow { lot, what: "written_off", micro: -borne });
        let mut left = owed;
        let sites = (0..self.sites.len()).map(Comp::Site);
        for comp in [comp, Comp::Pool].into_iter().chain(sites) {
            let micro = self.debt(account, comp).min(left);
            left -= micro;
            self.debts.push(Debt { account, comp, micro: -micro });
        }
        if left > 0 {
            self.add(account, comp, Kind::Bonus, left, (self.now, None));
        }
        owed + borne
    }

    pub(super) fn set_limit(&mut self, limit: &Limit, none: bool) {
        self.catch_up(self.sites[limit.site].owner);
        let whose = |limit: &Limit| (limit.site, limit.agent, limit.span == Span::Day);
        self.limits.retain(|other| whose(other) != whose(limit));
        if !none {
            self.limits.push(limit.clone());
        }
    }

    pub(super) fn set_policy(&mut self, site: usize, agent: Option<usize>, new: Policy) {
        self.catch_up(self.sites[site].owner);
        let old = self.policy(site, agent);
        self.policies.retain(|(of, whose, _)| (*of, *whose) != (site, agent));
        let said = Policy {
            stops: new.stops.or(old.stops),
            pool: new.pool.or(old.pool),
            grace: new.grace.or(old.grace),
        };
        self.policies.push((site, agent, said));
        if let (None, Some(pool)) = (agent, new.pool) {
            self.sites[site].pool = pool;
        }
    }

    pub(super) fn offer(&mut self, site: usize, to: usize) -> Result<Answer, Answer> {
        let (from, to) = (self.sites[site].owner, self.follow(to));
        if from == to {
            return Err(Answer::Refused("already theirs"));
        }
        self.lock_both(from, to)?;
        let stands = self.sites[site].offer.is_some_and(|(other, until)| other == to && self.now < until);
        if !stands {
            self.sites[site].offer = Some((to, self.now + 14 * 86_400_000));
        }
        Ok(Answer::Done(vec![i64::from(!stands)], Vec::new()))
    }

    /// The site changes hands with all that lies in it; what it owes and what was said about it stays behind.
    pub(super) fn accept(&mut self, site: usize) -> Result<Answer, Answer> {
        let from = self.sites[site].owner;
        let offer = self.sites[site].offer.filter(|(_, until)| self.now < *until);
        let to = self.follow(offer.ok_or(Answer::Refused("not offered"))?.0);
        self.lock_both(from, to)?;
        let at = Comp::Site(site);
        if self.holds.iter().any(|hold| (hold.account, hold.site, hold.ended) == (from, site, None)) {
            return Err(Answer::Refused("held"));
        }
        for sub in self.subs.iter_mut().filter(|sub| (sub.account, sub.comp) == (from, at)) {
            sub.stopped = true;
        }
        let (mut moved, owed) = (0, self.debt(from, at));
        for lot in 0..self.lots.len() {
            let mut taken = 0;
            for part in self.lots[lot].parts.iter_mut().filter(|part| (part.account, part.comp) == (from, at))
            {
                taken += std::mem::take(&mut part.remaining);
            }
            if taken > 0 {
                self.put(lot, to, at, taken);
            }
            moved += taken;
        }
        for debt in self.debts.iter_mut().filter(|debt| (debt.account, debt.comp) == (from, at)) {
            debt.comp = Comp::Pool;
        }
        self.limits.retain(|limit| limit.site != site);
        self.policies.retain(|(of, ..)| *of != site);
        self.sites[site] = Site { owner: to, pool: true, offer: None };
        Ok(Answer::Done(vec![moved, owed], Vec::new()))
    }

    fn lock_both(&mut self, one: usize, other: usize) -> Result<(), Answer> {
        self.catch_up(one);
        self.catch_up(other);
        let frozen = self.accounts[one].frozen || self.accounts[other].frozen;
        if frozen { Err(Answer::Refused("frozen")) } else { Ok(()) }
    }

    pub(super) fn price(&self, action: usize, quantity: i64) -> Result<Micro, Answer> {
        let versions = self.rates.iter().filter(|rate| rate.action == action && rate.from <= self.now);
        let rate = versions.max_by_key(|rate| rate.from).ok_or(Answer::Refused("unknown_action"))?;
        let (whole, rest) = (quantity * rate.parts / 1_000, quantity * rate.parts % 1_000);
        let more = match rate.round {
            Round::Up => rest > 0,
            Round::Down => false,
            Round::HalfUp => rest >= 500,
        };
        let price = whole + i64::from(more);
        if price == 0 { Err(Answer::Refused("price")) } else { Ok(price) }
    }

    pub(super) fn set_rate(&mut self, action: usize, parts: i64, round: Round, later: Ms) {
        self.rates.push(RateVersion { action, from: self.now + later, parts, round });
    }

    pub(super) fn relocate(
        &mut self,
        site: usize,
        micro: Option<Micro>,
        back: bool,
    ) -> Result<Answer, Answer> {
        let account = self.sites[site].owner;
        self.catch_up(account);
        let (from, to) = if back { (Comp::Site(site), Comp::Pool) } else { (Comp::Pool, Comp::Site(site)) };
        let micro = micro.unwrap_or_else(|| self.own(account, from));
        let taken = self.take(&self.payers(account, &[from]), micro, "moved")?;
        for &(lot, _, micro) in &taken {
            self.put(lot, account, to, micro);
        }
        let change = if back { -micro } else { micro };
        Ok(Answer::Done(vec![change, self.own(account, Comp::Site(site))], slices(taken)))
    }

    fn put(&mut self, lot: usize, account: usize, comp: Comp, micro: Micro) {
        let parts = &mut self.lots[lot].parts;
        match parts.iter_mut().find(|part| (part.account, part.comp) == (account, comp)) {
            Some(part) => part.remaining += micro,
            None => parts.push(Part { account, comp, remaining: micro }),
        }
    }

    pub(super) fn adjust(&mut self, wallet: Wallet, change: Micro) -> Result<Answer, Answer> {
        let (account, comp) = self.place(wallet);
        self.catch_up(account);
        let taken = if change < 0 {
            slices(self.take(&self.payers(account, &[comp]), -change, "adjusted")?)
        } else {
            self.add(account, comp, Kind::Bonus, change, (self.now, None));
            vec![(self.lots.len() - 1, change)]
        };
        Ok(Answer::Done(vec![change, self.own(account, comp)], taken))
    }

    pub(super) fn void(&mut self, lot: usize) -> Answer {
        if self.lots[lot].voided {
            return Answer::Done(vec![0, 1], Vec::new());
        }
        let holders = self.lots[lot].parts.iter().filter(|part| part.remaining > 0);
        let mut holders: Vec<usize> = holders.map(|part| part.account).collect();
        if holders.is_empty() {
            holders.push(self.follow(self.lots[lot].made.0));
        }
        for account in holders {
            self.catch_up(account);
        }
        let mut voided = 0;
        for part in &mut self.lots[lot].parts {
            voided += part.remaining;
            part.remaining = 0;
        }
        self.flows.push(Flow { lot, what: "voided", micro: voided });
        self.lots[lot].voided = true;
        Answer::Done(vec![voided, 0], Vec::new())
    }

    /// An order's money goes back, and its credits do: from the newest of its lots first.
    pub(super) fn claw(&mut self, order: usize, micro: Micro, bears: Bears) -> Answer {
        let (account, home) = self.order_place(order);
        let mut lots: Vec<usize> = (0..self.lots.len()).collect();
        lots.retain(|&lot| self.lots[lot].order == Some(order));
        lots.reverse();
        self.catch_up(account);
        let (mut missing, mut taken) = (micro, 0);
        // What its own account has first, then what went along with a site.
        for own in [true, false] {
            for &lot in &lots {
                let there = |part: &Part| (part.account == account) == own && part.remaining > 0;
                let holders: Vec<usize> =
                    self.lots[lot].parts.iter().filter(|part| there(part)).map(|part| part.account).collect();
                for holder in holders {
                    self.catch_up(holder);
                }
                let mut parts: Vec<&mut Part> =
                    self.lots[lot].parts.iter_mut().filter(|part| there(part)).collect();
                parts.sort_by_key(|part| part.comp);
                for part in parts {
                    let micro = part.remaining.min(missing);
                    (part.remaining, missing, taken) =
                        (part.remaining - micro, missing - micro, taken + micro);
                    self.flows.push(Flow { lot, what: "clawed", micro });
                }
            }
        }
        // What is held is taken when it comes back.
        let mut waits = 0;
        for &lot in &lots {
            let parts = self.lots[lot].parts.clone();
            for account in
                (0..self.accounts.len()).filter(|&account| parts.iter().any(|part| part.account == account))
            {
                let parts = parts.iter().filter(|part| part.account == account);
                let held: Micro = parts.map(|part| self.held(lot, account, part.comp)).sum();
                let dues = self.dues.iter().filter(|due| (due.account, due.lot) == (account, lot));
                let before: Micro = dues.map(|due| due.micro).sum();
                let micro = (held - before).min(missing);
                if micro > 0 {
                    (missing, waits) = (missing - micro, waits + micro);
                    self.dues.push(Due { account, lot, micro, bears, home });
                }
            }
        }
        // What the shop bore once is not asked for again.
        missing -= lots.iter().map(|&lot| self.sum(lot, "written_off")).sum::<Micro>().min(missing);
        let mut short = 0;
        for &lot in &lots {
            let sum = |what| self.sum(lot, what);
            let spent = sum("spent") - sum("reversed") + sum("repaid") - sum("owed") - sum("written_off");
            let micro = spent.max(0).min(missing);
            (missing, short) = (missing - micro, short + micro);
            self.owe(account, lot, micro, bears, home);
        }
        Answer::Done(vec![taken, waits, short], Vec::new())
    }

    pub(super) fn freeze_order(&mut self, order: usize, frozen: bool) -> Answer {
        self.catch_up(self.order_place(order).0);
        let mut changed = 0;
        for lot in self.lots.iter_mut().filter(|lot| lot.order == Some(order) && lot.frozen != frozen) {
            lot.frozen = frozen;
            changed += 1;
        }
        Answer::Done(vec![changed], Vec::new())
    }

    pub(super) fn set_zone(&mut self, account: usize, zone: Tz) {
        let account = self.follow(account);
        self.catch_up(account);
        self.accounts[account].zone = zone;
    }

    pub(super) fn merge(&mut self, from: usize, into: usize) -> Answer {
        if self.follow(from) == self.follow(into) {
            return if from == into {
                Answer::Refused("itself")
            } else {
                Answer::Done(vec![0, 0], Vec::new())
            };
        }
        self.catch_up(from);
        self.catch_up(into);
        if self.accounts[from].frozen {
            return Answer::Refused("frozen");
        }
        if self.holds.iter().any(|hold| hold.account == from && hold.ended.is_none()) {
            return Answer::Refused("held");
        }
        let (mut moved, mut owed) = (0, 0);
        for site in &mut self.sites {
            // An offer to oneself is none.
            site.offer =
                site.offer.filter(|(to, _)| ![(from, into), (into, from)].contains(&(site.owner, *to)));
            if site.owner == from {
                site.owner = into;
            }
        }
        for lot in 0..self.lots.len() {
            let parts = self.lots[lot].parts.clone();
            self.lots[lot].parts.retain(|part| part.account != from);
            for part in parts.iter().filter(|part| part.account == from && part.remaining > 0) {
                moved += part.remaining;
                self.put(lot, into, part.comp, part.remaining);
            }
        }
        for debt in self.debts.iter_mut().filter(|debt| debt.account == from) {
            owed += debt.micro;
            debt.account = into;
        }
        // A plan that goes on in both is the other's alone; what was stopped gives way to what comes.
        while let Some(at) = self.subs.iter().position(|sub| sub.account == from) {
            let Sub { plan, comp, .. } = self.subs[at];
            let theirs = |sub: &Sub| (sub.account, sub.plan, sub.comp) == (into, plan, comp);
            if self.subs.iter().any(|sub| theirs(sub) && !sub.stopped) {
                self.subs.remove(at);
            } else {
                self.subs[at].account = usize::MAX;
                self.subs.retain(|sub| !theirs(sub));
                self.subs.iter_mut().find(|sub| sub.account == usize::MAX).unwrap().account = into;
            }
        }
        self.accounts[from].into = Some(into);
        Answer::Done(vec![moved, owed], Vec::new())
    }

    pub(super) fn set_plan(&mut self, plan: usize, micro: Micro, span: Span, rollover: Micro) {
        self.plans.push(Version { plan, made: self.now, micro, span, rollover });
    }

    pub(super) fn has_plan(&self, plan: usize) -> bool {
        self.plans.iter().any(|version| version.plan == plan)
    }

    pub(super) fn start_plan(&mut self, plan: usize, wallet: Wallet, later: Option<Ms>) -> Answer {
        let (account, comp) = self.place(wallet);
        self.catch_up(account);
        let from = self.now + later.unwrap_or(0).max(0);
        let at = self.subs.iter().position(|sub| (sub.account, sub.plan, sub.comp) == (account, plan, comp));
        let before = at.map(|at| self.subs.remove(at));
        let due = (from, calendar::day(from, self.accounts[account].zone));
        let mut new = Sub { account, plan, comp, due, stopped: false, period: None };
        if let Some(before) = before {
            let runs = !before.stopped;
            if runs && (before.period.is_some() || later.is_none() || from == before.due.0) {
                self.subs.push(before);
                return Answer::Done(vec![0], Vec::new());
            }
            // Within the period it was stopped in it goes on as if nothing had happened; later it begins anew.
            if before.period.is_some() && from <= before.due.0 {
                (new.period, new.due) = (before.period, before.due);
            }
        }
        self.subs.push(new);
        self.catch_up(account);
        Answer::Done(vec![1], Vec::new())
    }

    pub(super) fn stop_plan(&mut self, plan: usize, wallet: Wallet) -> Answer {
        let (account, comp) = self.place(wallet);
        self.catch_up(account);
        let known =
            self.subs.iter_mut().find(|sub| (sub.account, sub.plan, sub.comp) == (account, plan, comp));
        match known {
            None => Answer::Done(vec![-1], Vec::new()),
            Some(sub) => {
                Answer::Done(vec![i64::from(!std::mem::replace(&mut sub.stopped, true))], Vec::new())
            }
        }
    }

    /// What a debit would take now; the look changes nothing, not even what is due by itself.
    pub(super) fn plan_to_burn(
        &self,
        site: usize,
        agent: Option<usize>,
        micro: Micro,
    ) -> Result<Vec<(usize, Micro)>, Answer> {
        let mut then = self.seen();
        let (payers, _) = then.decide(site, agent, micro, false)?;
        then.take(&payers, micro, "spent").map(slices)
    }

    /// What a wallet as it is today had at `at`, with all that is booked for that instant, whenever it was booked.
    pub(super) fn balance(&self, history: &[Self], wallet: Wallet, at: Ms) -> Option<Past> {
        let mut then = history.iter().rev().find(|then| then.now <= at)?.clone();
        then.now = at;
        for account in 0..self.accounts.len() {
            if at <= self.accounts[account].locked && then.accounts[account].into.is_none() {
                then.catch_up(account);
            }
        }
        then = then.seen();
        then.accounts.clone_from(&self.accounts);
        then.sites.clone_from(&self.sites);
        Some(then.past(wallet, at))
    }

    /// The instants at which something will happen by itself.
    pub(super) fn instants(&self) -> Vec<Ms> {
        let lots = self.lots.iter().flat_map(|lot| [Some(lot.effective), lot.expires]).flatten();
        let subs = self.subs.iter().map(|sub| sub.due.0);
        let rates = self.rates.iter().map(|rate| rate.from).chain(self.holds.iter().map(|hold| hold.expires));
        let zones = self.accounts.iter().map(|account| account.zone);
        let days = zones.flat_map(|zone| {
            let day = calendar::day(self.now, zone);
            [Span::Day, Span::Month].map(|span| calendar::begins(calendar::next(day, span), zone))
        });
        let mut all: Vec<Ms> =
            lots.chain(subs).chain(rates).chain(days).filter(|at| *at > self.now).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn slices(taken: Vec<(usize, Comp, Micro)>) -> Vec<(usize, Micro)> {
    taken.into_iter().map(|(lot, _, micro)| (lot, micro)).collect()
}
