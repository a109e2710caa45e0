//! Whether an amount may be spent, and what pays it: limits, policies, grace and the brake. Pure: no database, no
//! clock.
//!
//! Everything that decides about a debit, a hold or a burn plan is in [`Terms`], and [`decide`] is the only place
//! that decides. What it refuses, it refuses in one order: frozen, paused, a limit, too few credits.

use std::borrow::Borrow;
use std::fmt;

use serde::Serialize;

use super::burn::{self, Part};
use super::slice::{Category, Compartment, Slice};
use crate::calendar::Per;
use crate::id::AgentId;
use crate::time::{HOUR_MS, Timestamp};
use crate::units::Credits;

/// What a site, or one of its assistants, may spend in a period of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The assistant it is for; none for the whole site.
    pub agent: Option<AgentId>,
    /// A day or a month.
    pub per: Per,
    /// How many credits; with 0 nothing may be spent.
    pub credits: Credits,
    /// What becomes of a debit that would pass it.
    pub on_reached: OnReached,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the limit of {} a {}", self.credits.in_words(), self.per)?;
        match &self.agent {
            Some(agent) => write!(f, " for assistant {agent}"),
            None => Ok(()),
        }
    }
}

/// What becomes of a debit that would pass a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum OnReached {
    /// It is refused.
    Stop,
    /// All of it is paid from bonus and paid credits.
    UseBalance,
}

/// What may be spent once recurring credits are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum OnExhausted {
    /// Nothing.
    Stop,
    /// Bonus and paid credits.
    UseBalance,
}

macro_rules! words {
    ($($type:ident),*) => {$(
        impl $type {
            /// The word for it, as it is written everywhere.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::Stop => "stop",
                    Self::UseBalance => "use_balance",
                }
            }

            /// What `word` means, if it is one of the two.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                [Self::Stop, Self::UseBalance].into_iter().find(|meant| meant.as_str() == word)
            }
        }
    )*};
}

words!(OnReached, OnExhausted);

/// A limit in its present period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub limit: Limit,
    /// What was captured in the period, less what was given back.
    pub spent: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// When the next period begins.
    pub resets_at: Timestamp,
}

impl Standing {
    /// What can still be spent under it.
    #[must_use]
    pub fn room(&self) -> Credits {
        self.limit.credits.saturating_sub(self.spent).saturating_sub(self.held)
    }

    /// Whether `amount` more would pass it; to reach it exactly is allowed.
    #[must_use]
    pub fn is_passed_by(&self, amount: Credits) -> bool {
        amount > self.room()
    }

    /// Whether `amount` passes it in every period, so that waiting does not help.
    #[must_use]
    pub fn never_lets(&self, amount: Credits) -> bool {
        amount > self.limit.credits
    }

    /// What can be done about it where `amount` would pass it, for people.
    #[must_use]
    pub fn way_out(&self, amount: Credits) -> String {
        if self.limit.credits.is_zero() {
            "it lets nothing be spent, so waiting does not help: have it raised".to_owned()
        } else if self.never_lets(amount) {
            "that is more than it ever lets, so waiting does not help: ask for less, or have it raised"
                .to_owned()
        } else {
            format!("wait until {}, when it begins anew, or have it raised", self.resets_at.in_words())
        }
    }
}

/// What may be spent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Once recurring credits are used up.
    pub on_exhausted: OnExhausted,
    /// Whether the account's pool may be used.
    pub pool: bool,
    /// How large a last hold is that may go uncovered.
    pub grace: Credits,
}

/// What is said about a policy; what is not said is as the site has it, and for the site itself the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Once recurring credits are used up.
    pub on_exhausted: Option<OnExhausted>,
    /// Whether the account's pool may be used.
    pub pool: Option<bool>,
    /// How large a last hold is that may go uncovered.
    pub grace: Option<Credits>,
}

impl Policy {
    /// Of a site about which nothing is said.
    #[must_use]
    pub const fn of_site(pool: bool) -> Self {
        Self { on_exhausted: OnExhausted::UseBalance, pool, grace: Credits::ZERO }
    }

    /// The policy with what `said` says: the pool can be taken away and not be given.
    #[must_use]
    pub fn with(self, said: &Said) -> Self {
        Self {
            on_exhausted: said.on_exhausted.unwrap_or(self.on_exhausted),
            pool: self.pool && said.pool.unwrap_or(true),
            grace: said.grace.unwrap_or(self.grace),
        }
    }

    /// Whether it lets `slice` pay, apart from whether that can be spent at all.
    fn allows(&self, slice: &Slice) -> bool {
        (self.pool || slice.compartment != Compartment::Pool)
            && (self.on_exhausted == OnExhausted::UseBalance || slice.category == Category::Recurring)
    }
}

/// Why and since when nothing may be spent for a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Why, for people.
    pub reason: String,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spending is paused since {}: {}", self.since.in_words(), self.reason)
    }
}

/// What credits are to be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be spent at once.
    Debit,
    /// To be set aside; of a last hold a part may go uncovered.
    Hold,
}

/// Everything but the slices that decides whether credits may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Why the account is frozen, if it is.
    pub frozen: Option<String>,
    /// Why the site is paused, if it is.
    pub pause: Option<Pause>,
    /// The limits that apply: the site's and the assistant's.
    pub limits: Vec<Standing>,
    /// The site's policy.
    pub site: Policy,
    /// What is said about the assistant's.
    pub agent: Said,
    /// Whether a hold may go uncovered at all: no earlier one did that is open or still owed for.
    pub may_go_uncovered: bool,
}

/// What pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What each slice gives.
    pub parts: Vec<Part>,
    /// What nothing pays; only of a hold.
    pub uncovered: Credits,
}

/// Why nothing may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account is frozen, because of this.
    Frozen(String),
    /// The site is paused.
    Paused(Pause),
    /// A limit would be passed.
    LimitReached {
        /// The one with the least room.
        limit: Box<Standing>,
        /// What could have been taken.
        available: Credits,
    },
    /// There are too few credits.
    Short {
        /// What could have been taken.
        available: Credits,
        /// What keeps it from taking more.
        obstacles: Vec<Obstacle>,
    },
}

/// For people: why nothing can be spent.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen(reason) => write!(f, "the account is frozen: {reason}"),
            Self::Paused(pause) => write!(f, "{pause}"),
            Self::LimitReached { limit, .. } => {
                write!(f, "{} is reached: {}", limit.limit, limit.way_out(Credits::SMALLEST))
            }
            Self::Short { obstacles, .. } if obstacles.is_empty() => {
                f.write_str("there is nothing left to spend")
            }
            Self::Short { obstacles, .. } => f.write_str(&obstacles_in_words(obstacles)),
        }
    }
}

/// What keeps credits from being spent that are there, or would be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The policy lets only recurring credits pay; so many others are there.
    RecurringOnly(Credits),
    /// It would pass this limit, beyond which recurring credits do not pay; so many of them are there.
    SparesRecurring(Limit, Credits),
    /// The policy keeps the account's pool out.
    PoolOff,
    /// Open holds have set so many aside.
    Held(Credits),
    /// So many wait for a decision about their order.
    Undecided(Credits),
}

impl Obstacle {
    /// Whether credits that are bought do away with it.
    #[must_use]
    pub const fn can_be_bought_off(&self) -> bool {
        !matches!(self, Self::RecurringOnly(_))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let are = |credits: &Credits, what: &str| match credits.to_string().as_str() {
            "1" => format!("1 {what}credit is"),
            many => format!("{many} {what}credits are"),
        };
        match self {
            Self::RecurringOnly(others) => {
                if !others.is_zero() {
                    write!(f, "{} there, but ", are(others, ""))?;
                }
                f.write_str("the policy on_exhausted stop allows recurring credits only")
            }
            Self::SparesRecurring(limit, credits) => write!(
                f,
                "{} there, but this would pass {limit}, beyond which only bonus and paid credits pay",
                are(credits, "recurring ")
            ),
            Self::PoolOff => f.write_str("the policy pool off allows none of the account's pool"),
            Self::Held(credits) => write!(f, "{} set aside by open holds", are(credits, "")),
            Self::Undecided(credits) => write!(f, "{} frozen until their order is decided", are(credits, "")),
        }
    }
}

/// All that is in the way, for people.
#[must_use]
pub fn obstacles_in_words(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Terms {
    /// The policy that applies.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.site.with(&self.agent)
    }

    /// The terms of the site as a whole, whoever of its assistants asks.
    #[must_use]
    pub fn of_site(mut self) -> Self {
        self.limits.retain(|standing| standing.limit.agent.is_none());
        self.agent = Said::default();
        self
    }

    /// Counts what was captured just now.
    pub fn count(&mut self, captured: Credits) {
        for standing in &mut self.limits {
            standing.spent = [standing.spent, captured].into_iter().sum();
        }
    }

    /// Whether anything at all can be spent from `slices`.
    #[must_use]
    pub fn let_spend<S: Borrow<Slice>>(&self, slices: &[S], now: Timestamp) -> bool {
        self.hindrance(slices, now).is_none()
    }

    /// Why not even the smallest amount can be spent from `slices`, if that is so.
    #[must_use]
    pub fn hindrance<S: Borrow<Slice>>(&self, slices: &[S], now: Timestamp) -> Option<Refusal> {
        decide(self, slices, Credits::SMALLEST, Purpose::Debit, now).err()
    }

    /// What is in the way of `amount`, of which `slices` do not pay all.
    fn obstacles<S: Borrow<Slice>>(&self, slices: &[S], amount: Credits, now: Timestamp) -> Vec<Obstacle> {
        let policy = self.policy();
        let sum = |of: &dyn Fn(&Slice) -> Option<Credits>| -> Credits {
            slices.iter().map(Borrow::borrow).filter_map(of).sum()
        };
        let in_reach = |slice: &Slice| policy.pool || slice.compartment != Compartment::Pool;
        let spendable = |slice: &Slice| in_reach(slice) && slice.is_spendable(now);
        let mut found = Vec::new();
        if policy.on_exhausted == OnExhausted::Stop {
            let is_other = |slice: &Slice| spendable(slice) && slice.category != Category::Recurring;
            found.push(Obstacle::RecurringOnly(sum(&|slice| is_other(slice).then_some(slice.remaining))));
        }
        let spares = |standing: &&Standing| {
            standing.limit.on_reached == OnReached::UseBalance && standing.is_passed_by(amount)
        };
        if let Some(standing) = self.limits.iter().filter(spares).min_by_key(|standing| standing.room()) {
            let is_spared = |slice: &Slice| spendable(slice) && slice.category == Category::Recurring;
            let spared = sum(&|slice| is_spared(slice).then_some(slice.remaining));
            if !spared.is_zero() {
                found.push(Obstacle::SparesRecurring(standing.limit.clone(), spared));
            }
        }
        if !policy.pool {
            found.push(Obstacle::PoolOff);
        }
        let held = sum(&|slice| policy.allows(slice).then_some(slice.held));
        if !held.is_zero() {
            found.push(Obstacle::Held(held));
        }
        let undecided = sum(&|slice| (policy.allows(slice) && slice.frozen).then_some(slice.remaining));
        if !undecided.is_zero() {
            found.push(Obstacle::Undecided(undecided));
        }
        found
    }
}

/// Which of `slices` pay `amount`, all or nothing, unless `terms` forbid it.
///
/// # Errors
/// In the order of [`Refusal`].
pub fn decide<S: Borrow<Slice>>(
    terms: &Terms,
    slices: &[S],
    amount: Credits,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Decided, Refusal> {
    if let Some(reason) = &terms.frozen {
        return Err(Refusal::Frozen(reason.clone()));
    }
    if let Some(pause) = &terms.pause {
        return Err(Refusal::Paused(pause.clone()));
    }
    let passed = |on_reached| {
        let standing = terms.limits.iter().filter(move |standing| standing.limit.on_reached == on_reached);
        standing.filter(|standing| standing.is_passed_by(amount))
    };
    let policy = terms.policy();
    let spares_recurring = passed(OnReached::UseBalance).next().is_some();
    let may_pay =
        |slice: &Slice| policy.allows(slice) && !(spares_recurring && slice.category == Category::Recurring);
    let plan = burn::plan_from(slices, amount, now, may_pay);
    if let Some(limit) = passed(OnReached::Stop).min_by_key(|standing| standing.room()) {
        let available = plan.map_or_else(|short| short.available, |_| amount).min(limit.room());
        return Err(Refusal::LimitReached { limit: Box::new(limit.clone()), available });
    }
    match plan {
        Ok(parts) => Ok(Decided { parts, uncovered: Credits::ZERO }),
        Err(short) => {
            let uncovered = amount.saturating_sub(short.available);
            if purpose == Purpose::Hold && terms.may_go_uncovered && amount <= policy.grace {
                let parts = burn::plan_from(slices, short.available, now, may_pay).unwrap_or_default();
                Ok(Decided { parts, uncovered })
            } else {
                let obstacles = terms.obstacles(slices, amount, now);
                Err(Refusal::Short { available: short.available, obstacles })
            }
        }
    }
}

// The brake ------------------------------------------------------------------------------------------

/// How the brake against runaway spending is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// Whether it works at all.
    pub enabled: bool,
    /// An hour is too much above so many times the usual one.
    pub times: u32,
    /// An hour up to this is never too much.
    pub floor: Credits,
}

impl Brake {
    /// It does not work.
    pub const OFF: Self = Self { enabled: false, times: 1, floor: Credits::MAX };

    /// How far back the usual hour is looked for, in milliseconds.
    pub const WINDOW_MS: i64 = 28 * 24 * HOUR_MS;

    /// On how many different days a site has to have spent before it is known what is usual.
    pub const DAYS_MIN: usize = 7;

    /// What an hour may have at most, where `typical` is usual.
    #[must_use]
    pub fn threshold(&self, typical: Credits) -> Credits {
        let many = typical.mul_div_floor(i128::from(self.times), 1).unwrap_or(Credits::MAX);
        self.floor.max(many)
    }
}

/// The usual hour of a site: the median of the `hours` in which it spent anything; `None` while it spent on too
/// few different days. With an even number of hours it is the middle of the two in the middle, rounded down.
#[must_use]
pub fn typical(hours: &[(Timestamp, Credits)]) -> Option<Credits> {
    let spent = || hours.iter().filter(|(_, captured)| !captured.is_zero());
    let mut days: Vec<Timestamp> = spent().map(|(hour, _)| hour.day()).collect();
    days.sort_unstable();
    days.dedup();
    if days.len() < Brake::DAYS_MIN {
        return None;
    }
    let mut amounts: Vec<Credits> = spent().map(|(_, captured)| *captured).collect();
    amounts.sort_unstable();
    let (low, high) = (amounts[(amounts.len() - 1) / 2], amounts[amounts.len() / 2]);
    Credits::from_micro(low.micro().midpoint(high.micro()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::GrantId;
    use crate::time::DAY_MS;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn credits(text: &str) -> Credits {
        text.parse().unwrap()
    }

    /// `recurring 10`, `paid 5 pool`, `bonus 1 gone`
    fn slice(at: usize, words: &str) -> Slice {
        let words: Vec<&str> = words.split(' ').collect();
        let (category, remaining): (Category, Credits) = (words[0].parse().unwrap(), credits(words[1]));
        let site = || Compartment::Site("s".parse().unwrap());
        Slice {
            grant: GrantId::new(),
            grant_seq: i64::try_from(at).unwrap(),
            compartment: if words.contains(&"pool") { Compartment::Pool } else { site() },
            category,
            priority: category.priority(),
            label: words[0].to_owned(),
            grant_amount: remaining,
            remaining,
            held: Credits::ZERO,
            effective_at: Timestamp::from_millis(0),
            expires_at: words.contains(&"gone").then_some(NOW),
            frozen: false,
            voided: false,
            order: None,
        }
    }

    /// Terms in words: `stop 100: spent 40 held 10`, `balance 100: spent 100`, `exhausted stop`, `pool off`,
    /// `grace 10`, `uncovered`, `frozen`, `paused`.
    fn terms(text: &str) -> Terms {
        let mut terms = Terms {
            frozen: None,
            pause: None,
            limits: Vec::new(),
            site: Policy::of_site(true),
            agent: Said::default(),
            may_go_uncovered: true,
        };
        for words in text.split(", ").filter(|words| !words.is_empty()) {
            let words: Vec<&str> = words.split([' ', ':']).filter(|word| !word.is_empty()).collect();
            match words[..] {
                ["frozen"] => terms.frozen = Some("dispute".to_owned()),
                ["paused"] => terms.pause = Some(Pause { since: NOW, reason: "much".to_owned() }),
                ["exhausted", word] => terms.site.on_exhausted = OnExhausted::named(word).unwrap(),
                ["agent", "exhausted", word] => terms.agent.on_exhausted = OnExhausted::named(word),
                ["pool", word] => terms.site.pool = word == "on",
                ["agent", "pool", word] => terms.agent.pool = Some(word == "on"),
                ["grace", amount] => terms.site.grace = credits(amount),
                ["agent", "grace", amount] => terms.agent.grace = Some(credits(amount)),
                ["uncovered"] => terms.may_go_uncovered = false,
                [on_reached @ ("stop" | "balance"), limit, ref rest @ ..] => {
                    let amount = |name| {
                        let at = rest.iter().position(|word| *word == name);
                        at.map_or(Credits::ZERO, |at| credits(rest[at + 1]))
                    };
                    let stop = on_reached == "stop";
                    terms.limits.push(Standing {
                        limit: Limit {
                            agent: None,
                            per: Per::Month,
                            credits: credits(limit),
                            on_reached: if stop { OnReached::Stop } else { OnReached::UseBalance },
                        },
                        spent: amount("spent"),
                        held: amount("held"),
                        resets_at: NOW,
                    });
                }
                _ => panic!("nobody knows {words:?}"),
            }
        }
        terms
    }

    fn told(terms: &Terms, slices: &[Slice], amount: &str, purpose: Purpose) -> String {
        match decide(terms, slices, credits(amount), purpose, NOW) {
            Ok(Decided { parts, uncovered }) => {
                let mut words: Vec<String> = parts
                    .iter()
                    .map(|part| format!("{} {}", slices[part.slice].label, part.credits))
                    .collect();
                if !uncovered.is_zero() {
                    words.push(format!("nothing {uncovered}"));
                }
                words.join(", ")
            }
            Err(Refusal::Frozen(_)) => "frozen".to_owned(),
            Err(Refusal::Paused(_)) => "paused".to_owned(),
            Err(Refusal::LimitReached { limit, available }) => {
                format!("limit {}, {available} available", limit.limit.credits)
            }
            Err(Refusal::Short { available, .. }) => format!("short, {available} available"),
        }
    }

    #[test]
    fn limits_and_policies_decide_which_slices_pay() {
        let all = "recurring 10, bonus 20, paid 30";
        for (terms_in_words, slices, amount, expected) in [
            ("", all, "35", "recurring 10, bonus 20, paid 5"),
            ("", all, "60.000001", "short, 60 available"),
            // What is allowed is allowed to the last micro-credit, and not one more.
            ("stop 100: spent 60 held 20", all, "20", "recurring 10, bonus 10"),
            ("stop 100: spent 60 held 20", all, "20.000001", "limit 100, 20 available"),
            ("stop 100: spent 60 held 20", "paid 5", "30", "limit 100, 5 available"),
            ("stop 100: spent 60 held 20", "paid 5", "15", "short, 5 available"),
            // Lowered below what was spent, it has no room, and never less than none.
            ("stop 10: spent 60 held 20", all, "0.000001", "limit 10, 0 available"),
            // 0 is nothing at all, and no limit is none.
            ("stop 0", all, "0.000001", "limit 0, 0 available"),
            ("balance 0", all, "5", "bonus 5"),
            // The whole debit spares recurring credits, not only what passes the limit.
            ("balance 100: spent 95", all, "5", "recurring 5"),
            ("balance 100: spent 95", all, "6", "bonus 6"),
            ("balance 100: spent 95", all, "50", "bonus 20, paid 30"),
            ("balance 100: spent 95", all, "51", "short, 50 available"),
            // Of several, the one with the least room counts, and one that stops wins.
            ("stop 50: spent 45, stop 100: spent 99", all, "10", "limit 100, 1 available"),
            ("balance 100: spent 95, stop 100: spent 95", all, "6", "limit 100, 5 available"),
            ("balance 100: spent 100, stop 200: spent 100", all, "6", "bonus 6"),
            // Only recurring credits, own and the pool's.
            ("exhausted stop", all, "10", "recurring 10"),
            ("exhausted stop", all, "11", "short, 10 available"),
            ("exhausted stop", "recurring 10 gone, paid 5", "1", "short, 0 available"),
            ("exhausted stop", "recurring 10, recurring 5 pool", "15", "recurring 10, recurring 5"),
            ("exhausted stop, pool off", "recurring 10, recurring 5 pool", "15", "short, 10 available"),
            ("exhausted stop, stop 12: spent 5", all, "11", "limit 12, 7 available"),
            ("exhausted stop, balance 5: spent 5", all, "1", "short, 0 available"),
            ("pool off", "paid 10 pool, paid 5", "6", "short, 5 available"),
            // What is said of an assistant is said over the site, but it cannot have a pool the site has not.
            ("agent exhausted stop", all, "11", "short, 10 available"),
            ("exhausted stop, agent exhausted use_balance", all, "11", "recurring 10, bonus 1"),
            ("agent pool off", "paid 10 pool, paid 5", "6", "short, 5 available"),
            ("pool off, agent pool on", "paid 10 pool, paid 5", "6", "short, 5 available"),
            // Refused in one order.
            ("frozen, paused, stop 0", "", "1", "frozen"),
            ("paused, stop 0", "", "1", "paused"),
            ("stop 0", "", "1", "limit 0, 0 available"),
            ("", "", "1", "short, 0 available"),
            // A debit has no grace.
            ("grace 10", "paid 5", "6", "short, 5 available"),
        ] {
            let slices: Vec<Slice> = slices
                .split(", ")
                .filter(|words| !words.is_empty())
                .enumerate()
                .map(|(at, words)| slice(at, words))
                .collect();
            let found = told(&terms(terms_in_words), &slices, amount, Purpose::Debit);
            assert_eq!(found, expected, "{terms_in_words:?} on {slices:?}: {amount}");
        }
    }

    #[test]
    fn a_last_hold_of_at_most_the_grace_may_go_uncovered() {
        for (terms_in_words, slices, amount, expected) in [
            ("", "paid 5", "5", "paid 5"),
            ("", "paid 5", "6", "short, 5 available"),
            ("grace 10", "paid 5", "5", "paid 5"),
            ("grace 10", "paid 5", "10", "paid 5, nothing 5"),
            ("grace 10", "paid 5", "10.000001", "short, 5 available"),
            ("grace 10", "paid 5 gone", "10", "nothing 10"),
            ("grace 10, uncovered", "paid 5", "6", "short, 5 available"),
            ("grace 10, uncovered", "paid 5", "5", "paid 5"),
            ("grace 10, agent grace 0", "paid 5", "6", "short, 5 available"),
            ("agent grace 6", "paid 5", "6", "paid 5, nothing 1"),
            ("grace 10, stop 10: spent 4", "paid 5", "7", "limit 10, 5 available"),
            ("grace 10, exhausted stop", "recurring 2, paid 5", "7", "recurring 2, nothing 5"),
        ] {
            let slices = [slice(0, slices.split(", ").next().unwrap())]
                .into_iter()
                .chain(slices.split(", ").skip(1).enumerate().map(|(at, words)| slice(at + 1, words)));
            let found = told(&terms(terms_in_words), &slices.collect::<Vec<_>>(), amount, Purpose::Hold);
            assert_eq!(found, expected, "{terms_in_words:?}: {amount}");
        }
    }

    #[test]
    fn nothing_can_be_spent_where_nothing_may_be() {
        for (terms_in_words, slices, expected) in [
            ("", "paid 5", true),
            ("", "paid 0", false),
            ("", "paid 5 gone", false),
            ("paused", "paid 5", false),
            ("frozen", "paid 5", false),
            ("stop 10: spent 9.999999", "paid 5", true),
            ("stop 10: spent 10", "paid 5", false),
            ("balance 10: spent 10", "paid 5", true),
            ("balance 10: spent 10", "recurring 5", false),
            ("exhausted stop", "paid 5", false),
            ("exhausted stop", "recurring 5", true),
            ("grace 10", "paid 0", false),
        ] {
            let found = terms(terms_in_words).let_spend(&[slice(0, slices)], NOW);
            assert_eq!(found, expected, "{terms_in_words:?} with {slices:?}");
        }
    }

    #[test]
    fn an_assistants_limits_are_not_the_sites() {
        let mut both = terms("stop 10, stop 20, agent pool off");
        both.limits[1].limit.agent = Some("bot".parse().unwrap());
        let mut site = both.of_site();
        site.count(credits("3"));
        assert_eq!(site.limits.iter().map(Standing::room).collect::<Vec<_>>(), [credits("7")]);
        assert_eq!(site.policy(), Policy::of_site(true));
    }

    #[test]
    fn what_is_usual_is_the_median_of_hours_on_enough_days() {
        let hour = |day: i64, hour: i64, amount: &str| {
            (Timestamp::from_millis(day * DAY_MS + hour * HOUR_MS), credits(amount))
        };
        let days = |count: i64| (0..count).map(|day| hour(day, 3, "10")).collect::<Vec<_>>();
        assert_eq!(typical(&[]), None);
        assert_eq!(typical(&days(6)), None);
        assert_eq!(typical(&days(7)), Some(credits("10")));
        // An hour of which all was given back is none, and makes no day.
        let mut hours = days(6);
        hours.push(hour(6, 3, "0"));
        assert_eq!(typical(&hours), None);
        // Many hours of one day are one day.
        hours.extend((4..20).map(|at| hour(5, at, "1000")));
        assert_eq!(typical(&hours), None);
        hours.push(hour(9, 0, "10"));
        assert_eq!(typical(&hours), Some(credits("1000")));
        let mut even = days(7);
        even.push(hour(1, 4, "20"));
        assert_eq!(typical(&even), Some(credits("10")));
        even.extend((5..11).map(|at| hour(1, at, "20.000001")));
        assert_eq!(typical(&even), Some(credits("15")));
    }

    #[test]
    fn an_hour_is_too_much_above_the_floor_and_above_what_is_usual() {
        let brake = Brake { enabled: true, times: 8, floor: credits("1000") };
        for (typical, threshold) in
            [("0.000001", "1000"), ("125", "1000"), ("125.5", "1004"), ("500", "4000")]
        {
            assert_eq!(brake.threshold(credits(typical)), credits(threshold), "{typical}");
        }
        assert_eq!(brake.threshold(Credits::MAX), Credits::MAX);
    }
}
