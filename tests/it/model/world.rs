//! The program, asked in its own process through what its edges call, and what is to be seen of it.

use std::collections::HashMap;

use nivella_wallet::account::settings::{self, Settings};
use nivella_wallet::account::{self, by_hand, merge, spending, transfer};
use nivella_wallet::calendar::Per;
use nivella_wallet::config::Config;
use nivella_wallet::db::{self, DatabaseUrl, Db, Durability, Keep, Tx};
use nivella_wallet::feed::{self, wallet};
use nivella_wallet::id::{AccountId, AgentId, GrantId, HoldId, KeyId, OperationId, SiteId};
use nivella_wallet::idempotency::{self, Seen};
use nivella_wallet::ledger::limit::{Brake, OnExhausted, OnReached};
use nivella_wallet::ledger::plan::NewPlan;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{
    Capture, Debited, Expiry, NewDebit, NewGrant, NewHold, Priced, Purchase, Shortfall, Shown, hold, plan,
    reverse, spend,
};
use nivella_wallet::ledger::{self, LockedAccount, audit};
use nivella_wallet::params;
use nivella_wallet::rate;
use nivella_wallet::site::{self, AccountRef, Field, WalletRef};
use nivella_wallet::time::{Clock, Timestamp, Validity};
use nivella_wallet::units::{Credits, Delta};

use super::alerts::Alerts;
use super::books::{Answer, Ask, Bears, Books, Comp, Kind, Lot, Micro, Ms, Numbers, Past, Round, Wallet};
use super::calendar::{Good, Span};
use super::steps::{ACCOUNTS, BUYERS, OWNERS, Step, by, micros};

/// A database with accounts and sites and nothing else, to be copied for each walk.
pub(super) struct Template {
    bytes: Vec<u8>,
    accounts: Vec<AccountId>,
    key: KeyId,
}

impl Template {
    pub(super) fn make() -> Self {
        let dir = folder();
        let path = dir.path().join("wallet.db");
        let clock = Clock::standing_at(Timestamp::from_millis(0));
        let db = Db::open(&DatabaseUrl::Sqlite(path.clone()), Durability::Process, clock).unwrap();
        let made = db.write_blocking("test", Keep::Effects, |tx| -> Result<_, site::store::Error> {
            tx.execute(
                "-- test
                 INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
                 VALUES (1, 'lab', 'https://lab.example', 'x', '[\"tokens\"]', '[]', '[]', 0)",
                params![],
            )?;
            let accounts: Result<Vec<_>, _> =
                (0..ACCOUNTS).map(|account| site::store::open(tx, &account_ref(account))).collect();
            let accounts = accounts?;
            for (site, owner) in OWNERS.iter().enumerate() {
                site::store::assign(tx, &site_id(site), &accounts[*owner], &Field::Keep, &Field::Keep)?;
            }
            let key = KeyId::new();
            tx.execute(
                "-- test
                 INSERT INTO api_key (id, name, secret_hash, scopes, created_at) VALUES ($1, 'test', $2, '[\"admin\"]', 0)",
                params![&key, &[0_u8; 32]],
            )?;
            Ok((accounts, key))
        });
        drop(db);
        let (accounts, key) = made.unwrap();
        Self { bytes: std::fs::read(path).unwrap(), accounts, key }
    }
}

/// A folder in memory where there is one: what the walks prove does not depend on the disk.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn account_ref(account: usize) -> AccountRef {
    format!("lab:customer:{}", account + 1).parse().unwrap()
}

fn site_id(site: usize) -> SiteId {
    format!("s{site}").parse().unwrap()
}

fn wallet_ref(wallet: Wallet) -> WalletRef {
    match wallet {
        Wallet::Account(account) => WalletRef::Account(account_ref(account)),
        Wallet::Site(site) => WalletRef::Site(site_id(site)),
    }
}

fn agent_id(agent: usize) -> AgentId {
    format!("a{agent}").parse().unwrap()
}

fn comp(column: &str) -> Comp {
    column.strip_prefix('s').map_or(Comp::Pool, |site| Comp::Site(site.parse().unwrap()))
}

fn credits(micro: Micro) -> Credits {
    Credits::from_micro(micro).unwrap()
}

fn at(ms: Ms) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn plan_id(plan: usize) -> nivella_wallet::id::PlanId {
    format!("plan{plan}").parse().unwrap()
}

/// What a step answered, with grants as the program names them.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Raw {
    numbers: Vec<Micro>,
    slices: Vec<(String, Micro)>,
    /// The hold or debit that was made.
    made: Option<String>,
}

impl Raw {
    fn of(numbers: &[Micro], slices: impl IntoIterator<Item = (GrantId, Credits)>) -> Self {
        let slices =
            slices.into_iter().map(|(grant, credits)| (grant.to_string(), credits.micro())).collect();
        Self { numbers: numbers.to_vec(), slices, made: None }
    }

    fn making(self, id: &str) -> Self {
        Self { made: Some(id.to_owned()), ..self }
    }
}

/// Why a step was refused.
#[derive(Debug)]
pub(super) enum No {
    Short { needed: Micro, available: Micro },
    Limit { needed: Micro, available: Micro },
    Refused(&'static str),
    Broken(String),
}

impl From<db::Error> for No {
    fn from(error: db::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<ledger::store::Error> for No {
    fn from(error: ledger::store::Error) -> Self {
        use ledger::store::Error as E;
        match error {
            E::InsufficientCredits { needed, available, .. } => {
                Self::Short { needed: needed.micro(), available: available.micro() }
            }
            E::LimitReached { needed, available, .. } => {
                Self::Limit { needed: needed.micro(), available: available.micro() }
            }
            E::Frozen(_) => Self::Refused("frozen"),
            E::HoldClosed(_) => Self::Refused("hold_closed"),
            E::BeyondHold { .. } | E::BeyondDebit { .. } => Self::Refused("beyond"),
            E::AlreadyReversed { .. } => Self::Refused("already_reversed"),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<by_hand::Error> for No {
    fn from(error: by_hand::Error) -> Self {
        match error {
            by_hand::Error::Ledger(error) => error.into(),
            by_hand::Error::Past(_) => Self::Refused("past"),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<account::Error> for No {
    fn from(error: account::Error) -> Self {
        match error {
            account::Error::Itself(_) => Self::Refused("itself"),
            account::Error::AlreadyTheirs { .. } => Self::Refused("already theirs"),
            account::Error::Held { .. } | account::Error::SiteHeld { .. } => Self::Refused("held"),
            account::Error::NotOffered(_) => Self::Refused("not offered"),
            account::Error::Ledger(error) => error.into(),
            account::Error::Frozen { .. } => Self::Refused("frozen"),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<spending::Error> for No {
    fn from(error: spending::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<site::store::Error> for No {
    fn from(error: site::store::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A grant as the program has it, to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LotSeen {
    made: (usize, i64),
    kind: Kind,
    priority: i64,
    amount: Micro,
    effective: Ms,
    expires: Option<Ms>,
    frozen: bool,
    voided: bool,
    /// Spent, reversed, expired, clawed, voided, adjusted, repaid.
    tallies: Vec<Micro>,
    /// Account, compartment, remaining and held where there is any, sorted.
    parts: Vec<(usize, Comp, Micro, Micro)>,
}

const TALLIES: [&str; 7] = ["spent", "reversed", "expired", "clawed", "voided", "adjusted", "repaid"];

impl LotSeen {
    /// As the books have it.
    fn of(books: &Books, at: usize, lot: &Lot) -> Self {
        let parts = lot
            .parts
            .iter()
            .map(|part| (part.account, part.comp, part.remaining, books.held(at, part.account, part.comp)));
        let mut parts: Vec<_> = parts.filter(|(.., remaining, held)| remaining + held > 0).collect();
        parts.sort_unstable();
        Self {
            made: lot.made,
            kind: lot.kind,
            priority: lot.priority,
            amount: lot.amount,
            effective: lot.effective,
            expires: lot.expires,
            frozen: lot.frozen,
            voided: lot.voided,
            tallies: TALLIES.iter().map(|what| books.sum(at, what)).collect(),
            parts,
        }
    }

    /// The equation of the rules.
    fn adds_up(&self) -> bool {
        let [spent, reversed, expired, clawed, voided, adjusted, repaid] = self.tallies[..] else {
            return false;
        };
        let there: Micro = self.parts.iter().map(|(_, _, remaining, held)| remaining + held).sum();
        self.amount == there + spent - reversed + expired + clawed + voided + adjusted + repaid
    }
}

/// A database of its own, and what the books call what is in it.
pub(super) struct World {
    db: Db,
    clock: Clock,
    accounts: Vec<AccountId>,
    key: KeyId,
    settings: feed::Settings,
    lots: HashMap<String, usize>,
    holds: Vec<String>,
    debits: Vec<String>,
    _dir: tempfile::TempDir,
}

type Told<T = ()> = Result<T, String>;

impl World {
    pub(super) fn open(template: &Template, now: Ms) -> Self {
        let dir = folder();
        let path = dir.path().join("wallet.db");
        std::fs::write(&path, &template.bytes).unwrap();
        let clock = Clock::standing_at(at(now));
        let db = Db::open(&DatabaseUrl::Sqlite(path), Durability::Process, clock.clone()).unwrap();
        Self {
            db: db.watched_by(nivella_wallet::app::alerts(&Config::default())),
            clock,
            accounts: template.accounts.clone(),
            key: template.key.clone(),
            settings: nivella_wallet::app::feed_settings(&Config::default()),
            lots: HashMap::new(),
            holds: Vec::new(),
            debits: Vec::new(),
            _dir: dir,
        }
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, No> + Send + 'static,
    ) -> Result<T, No> {
        self.db.write_blocking("test", Keep::Effects, work)
    }

    /// Does a step whose numbers are known; under a key the second time is no second time.
    pub(super) fn step(
        &self,
        step: Step,
        grant: Option<String>,
        key: Option<(String, String)>,
    ) -> Result<Raw, No> {
        if let Step::Clock(turn) = step {
            let now = self.clock.now().plus_millis(by(turn));
            self.clock.turn_to(now);
            return Ok(Raw::default());
        }
        let caller = self.key.clone();
        let named = match step {
            Step::Capture { hold, .. } | Step::Release { hold } => Some(self.holds[hold].clone()),
            Step::Reverse { debit, .. } => Some(self.debits[debit].clone()),
            _ => grant,
        };
        let debits = matches!(step, Step::Debit { .. } | Step::Use { .. });
        let work = move |tx: &mut Tx<'_>| {
            let Some((key, asked)) = key else { return act(tx, step, named) };
            let key = idempotency::OwnKey::new(&caller, key.parse().unwrap());
            let digest = idempotency::digest("POST", "/v1/test", asked.as_bytes());
            match idempotency::store::look(tx, &key, &digest)? {
                Seen::Answered(answer) => Ok(serde_json::from_str(&answer.body).unwrap()),
                Seen::Mismatch(_) => Err(No::Refused("idempotency_mismatch")),
                Seen::Never => {
                    let raw = act(tx, step, named)?;
                    let answer =
                        idempotency::Answer { status: 201, body: serde_json::to_string(&raw).unwrap() };
                    idempotency::store::keep(tx, &key, &digest, &answer)?;
                    Ok(raw)
                }
            }
        };
        if debits { self.write_remembering(work) } else { self.write(work) }
    }

    /// As the API writes debits.
    fn write_remembering<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, No> + Send + 'static,
    ) -> Result<T, No> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.db.write_remembering("test", work))
    }

    /// An answer in the words of the books, which have made by now what it made.
    pub(super) fn translate(&mut self, answer: Result<Raw, No>, books: &Books) -> Told<Answer> {
        Ok(match answer {
            Ok(raw) => {
                if let Some(made) = raw.made {
                    if self.holds.len() < books.holds.len() {
                        self.holds.push(made);
                    } else if self.debits.len() < books.debits.len() {
                        self.debits.push(made);
                    }
                }
                let slices = raw.slices.iter().map(|(grant, micro)| (self.lots[grant], *micro));
                Answer::Done(raw.numbers, slices.collect())
            }
            Err(No::Short { needed, available }) => Answer::Short { needed, available },
            Err(No::Limit { needed, available }) => Answer::Limit { needed, available },
            Err(No::Refused(why)) => Answer::Refused(why),
            Err(No::Broken(why)) => return Err(format!("the program failed: {why}")),
        })
    }

    /// What the daemon does by itself: books what is due, and looks after alerts that had to wait.
    pub(super) fn wake(&self) -> Told {
        for id in self.accounts.clone() {
            match self.write(move |tx| Ok(LockedAccount::lock(tx, &id).map(drop)?)) {
                Ok(()) => {}
                Err(No::Broken(why)) if why.contains("was merged into") => {}
                Err(why) => return Err(format!("the daemon fails: {why:?}")),
            }
        }
        Ok(())
    }

    /// Everybody was told what the books say, and when they do.
    pub(super) fn compare_alerts(&self, alerts: &Alerts) -> Told {
        let events = self.read(|world, tx| {
            tx.query(
                "-- test\n SELECT at, account_id, site, type, available FROM event ORDER BY seq",
                params![],
                |row| {
                    let account = world.account(&row.get(1)?);
                    let kind = row.get::<String>(3)?;
                    Ok((row.get(0)?, account, comp(&row.get::<String>(2)?), kind, row.get(4)?))
                },
            )
        });
        let told: Vec<(Ms, usize, Comp, String, Micro)> = alerts
            .told
            .iter()
            .map(|(at, account, comp, kind, left)| (*at, *account, *comp, (*kind).to_owned(), *left))
            .collect();
        same("who is told that credits run low", &told, &events)
    }

    /// All that can be seen must be as the books say. The books learn what the program calls new lots.
    pub(super) fn compare(&mut self, books: &mut Books) -> Told {
        self.compare_lots(books)?;
        let wallets = wallets(books);
        let seen = self.read(|world, tx| {
            wallets.iter().map(|&wallet| world.numbers(tx, wallet)).collect::<Result<Vec<_>, _>>()
        });
        for (wallet, seen) in wallets.iter().zip(seen) {
            same(&format!("{wallet:?}"), &books.numbers(*wallet), &seen)?;
        }
        same("the proof", &Vec::new(), &audit::verify(&self.db, |_| {}).unwrap().faults)
    }

    fn read<T: Send>(&self, work: impl FnOnce(&Self, &mut Tx<'_>) -> Result<T, db::Error> + Send) -> T {
        self.db.read(|tx| work(self, tx)).unwrap()
    }

    fn account(&self, id: &AccountId) -> usize {
        self.accounts.iter().position(|account| account == id).unwrap()
    }

    fn compare_lots(&mut self, books: &mut Books) -> Told {
        let (grants, slices) = self.read(|world, tx| {
            let grants = tx.query(
                "-- test
                 SELECT id, account_id, seq, category, priority, amount, effective_at, expires_at, frozen, voided_at,
                        spent, reversed, expired, clawed, voided, adjusted, repaid FROM grant_now",
                params![],
                |row| {
                    let tallies: Result<Vec<i64>, _> = (10..17).map(|column| row.get(column)).collect();
                    let lot = LotSeen {
                        made: (world.account(&row.get(1)?), row.get(2)?),
                        kind: kind_of(row.get(3)?),
                        priority: row.get(4)?,
                        amount: row.get(5)?,
                        effective: row.get(6)?,
                        expires: row.get(7)?,
                        frozen: row.get(8)?,
                        voided: row.get::<Option<i64>>(9)?.is_some(),
                        tallies: tallies?,
                        parts: Vec::new(),
                    };
                    Ok((row.get::<String>(0)?, lot))
                },
            )?;
            let slices = tx.query(
                "-- test
                 SELECT grant_id, account_id, site, remaining, held FROM slice_now WHERE remaining > 0 OR held > 0",
                params![],
                |row| {
                    let account = world.account(&row.get(1)?);
                    let part = (account, comp(&row.get::<String>(2)?), row.get(3)?, row.get(4)?);
                    Ok((row.get::<String>(0)?, part))
                },
            )?;
            Ok((grants, slices))
        });
        let mut seen: HashMap<String, LotSeen> = grants.into_iter().collect();
        for (grant, part) in slices {
            seen.get_mut(&grant).unwrap().parts.push(part);
        }
        for (at, lot) in books.lots.iter_mut().enumerate().filter(|(_, lot)| lot.id.is_empty()) {
            let found = seen.iter().find(|(_, found)| found.made == lot.made);
            let Some((id, _)) = found else { return Err(format!("the program has no grant for {lot:?}")) };
            lot.id.clone_from(id);
            self.lots.insert(id.clone(), at);
        }
        if let Some((id, lot)) = seen.iter().find(|(id, _)| !self.lots.contains_key(*id)) {
            return Err(format!("the program has a grant too many: {id} {lot:?}"));
        }
        for (at, lot) in books.lots.iter().enumerate() {
            let mut seen = seen.remove(&lot.id).unwrap();
            seen.parts.sort_unstable();
            same(&format!("grant {at}"), &LotSeen::of(books, at, lot), &seen)?;
            if !seen.adds_up() {
                return Err(format!("grant {at} does not add up: {seen:?}"));
            }
        }
        Ok(())
    }

    fn numbers(&self, tx: &mut Tx<'_>, wallet: Wallet) -> Result<Numbers, db::Error> {
        let seen = wallet::open(tx, &wallet_ref(wallet))?.unwrap().numbers(tx, &self.settings)?;
        let mut rows: Vec<_> = seen
            .breakdown
            .iter()
            .map(|part| {
                let comp = match (&part.site, part.scope, wallet) {
                    (wallet::SiteColumn::Site(site), ..) => comp(site.as_str()),
                    (_, wallet::Scope::Site, Wallet::Site(site)) => Comp::Site(site),
                    _ => Comp::Pool,
                };
                (self.lots[part.grant.as_str()], comp, part.remaining.micro(), part.held.micro())
            })
            .collect();
        rows.sort_unstable();
        let limits = match wallet {
            Wallet::Account(_) => Vec::new(),
            Wallet::Site(site) => {
                let owner = site::store::owner(tx, &site_id(site))?.unwrap();
                spending::limits(tx, &owner, &site_id(site))?
            }
        };
        let mut limits: Vec<_> = limits
            .into_iter()
            .map(|limit| {
                let agent = limit.agent.map(|agent| agent.as_str()[1..].parse().unwrap());
                let (micro, stops) = (limit.credits.unwrap().micro(), limit.on_reached == OnReached::Stop);
                let (spent, held) = (limit.spent.micro(), limit.held.micro());
                (agent, limit.per.as_str(), micro, stops, spent, held, limit.resets_at.millis())
            })
            .collect();
        limits.sort_unstable();
        Ok(Numbers {
            available: seen.available.micro(),
            posted: seen.posted.micro(),
            held: seen.held.micro(),
            frozen: seen.frozen.micro(),
            debt: seen.debt.micro(),
            used: seen.used.micro(),
            total: seen.total.micro(),
            recurring: seen.recurring.balance.micro(),
            cap: seen.recurring.cap.micro(),
            renews_at: seen.recurring.renews_at.map(Timestamp::millis),
            top_up: seen.top_up.balance.micro(),
            status: word(&seen.status),
            mode: word(&seen.mode),
            rows,
            limits,
        })
    }

    /// What is looked at now and then: burn plans, the past, explanations and what customers read.
    pub(super) fn compare_more(&self, books: &Books, history: &[Books], much: Micro, nth: usize) -> Told {
        for wallet in wallets(books) {
            let (account, _) = books.place(wallet);
            if let Wallet::Site(site) = wallet {
                let agent = (nth % 3).checked_sub(1);
                let expected = books.plan_to_burn(site, agent, much);
                let seen = self.db.read(|tx| -> Result<_, No> {
                    let wallet = wallet::open(tx, &wallet_ref(wallet))?.unwrap();
                    Ok(wallet.burn_plan(tx, credits(much), agent.map(agent_id).as_ref())?.slices)
                });
                let seen = match seen {
                    Ok(slices) => Answer::Done(
                        Vec::new(),
                        slices
                            .iter()
                            .map(|paid| (self.lots[paid.grant.as_str()], paid.credits.micro()))
                            .collect(),
                    ),
                    Err(No::Short { needed, available }) => Answer::Short { needed, available },
                    Err(No::Limit { needed, available }) => Answer::Limit { needed, available },
                    Err(No::Refused(why)) => Answer::Refused(why),
                    Err(No::Broken(why)) => return Err(why),
                };
                let expected = expected.map_or_else(|no| no, |slices| Answer::Done(Vec::new(), slices));
                same(&format!("the burn plan of {much} for {wallet:?}"), &expected, &seen)?;
            }
            let (sum, read) = self.read(|_, tx| {
                let shown = wallet::open(tx, &wallet_ref(wallet))?.unwrap();
                let (mut sum, mut cursor) = (0, None);
                loop {
                    let page = feed::explain::available(tx, &shown, cursor, true, 1 + nth % 50)?;
                    sum += page.items.iter().map(|item| item.credits.micro()).sum::<i64>();
                    let Some(next) = page.next_cursor else { break };
                    cursor = Some(feed::explain::begin(&next).unwrap());
                }
                let (mut read, mut before) = (0, i64::MAX);
                loop {
                    let page = feed::activity::page(
                        tx,
                        &shown,
                        &feed::activity::Filter::default(),
                        before,
                        1 + nth % 70,
                    )?;
                    read += page.items.iter().map(|line| line.credits.micro()).sum::<i64>();
                    let Some(next) = page.next_cursor else { break };
                    before = feed::activity::begin(Some(&next)).unwrap();
                }
                Ok((sum, read))
            });
            same(&format!("the explanation of {wallet:?}"), &books.numbers(wallet).available, &sum)?;
            if wallet == Wallet::Account(account) {
                // Setting aside is no line: only what is used or given back in the end.
                let there = books.lots.iter().enumerate().flat_map(|(lot, found)| {
                    let parts = found.parts.iter().filter(|part| part.account == account);
                    parts.map(move |part| part.remaining + books.held(lot, account, part.comp))
                });
                same(&format!("what customers read of {wallet:?}"), &there.sum::<Micro>(), &read)?;
            }
            let then = &history[nth % history.len()];
            let next = history.get(nth % history.len() + 1).map_or(books.now, |next| next.now);
            for ms in [then.now, then.now + (next - then.now) / 2] {
                let Some(expected) = books.balance(history, wallet, ms) else { continue };
                let seen = self.read(|world, tx| {
                    let shown = wallet::open(tx, &wallet_ref(wallet))?.unwrap();
                    let seen = feed::past::balance(tx, &shown, &world.settings, at(ms)).unwrap();
                    Ok(Past {
                        available: seen.available.micro(),
                        posted: seen.posted.micro(),
                        held: seen.held.micro(),
                        frozen: seen.frozen.micro(),
                        debt: seen.debt.micro(),
                        recurring: seen.recurring.balance.micro(),
                        top_up: seen.top_up.balance.micro(),
                    })
                });
                same(&format!("{wallet:?} at {}", at(ms)), &expected, &seen)?;
            }
        }
        Ok(())
    }
}

/// The wallets there are: an account that was merged has none of its own.
fn wallets(books: &Books) -> Vec<Wallet> {
    let accounts = (0..books.accounts.len()).filter(|&account| books.accounts[account].into.is_none());
    accounts.map(Wallet::Account).chain((0..books.sites.len()).map(Wallet::Site)).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, seen: &T) -> Told {
    if expected == seen {
        return Ok(());
    }
    Err(format!("{what}\n  by the rules: {expected:?}\n  the program:  {seen:?}"))
}

fn word(of: &impl serde::Serialize) -> &'static str {
    const WORDS: [&str; 8] = ["ok", "low", "critical", "empty", "frozen", "normal", "saver", "handover"];
    let word = serde_json::to_value(of).unwrap();
    WORDS.into_iter().find(|known| word == *known).unwrap()
}

fn kind_of(category: Category) -> Kind {
    match category {
        Category::Recurring => Kind::Recurring,
        Category::Bonus => Kind::Bonus,
        Category::Paid => Kind::Paid,
    }
}

fn new_grant(tx: &Tx<'_>, ask: &Ask) -> NewGrant {
    let category = match ask.kind {
        Kind::Recurring => Category::Recurring,
        Kind::Bonus => Category::Bonus,
        Kind::Paid => Category::Paid,
    };
    NewGrant {
        compartment: Compartment::Pool,
        amount: credits(ask.micro),
        category,
        priority: ask.priority,
        label: "Credits".to_owned(),
        reason: None,
        effective_at: ask.later.map(|later| tx.now().plus_millis(later)),
        expiry: match ask.good {
            Good::Forever => Expiry::After(Validity::Never),
            Good::Days(days) => Expiry::After(Validity::Days(days)),
            Good::Months(months) => Expiry::After(Validity::Months(months)),
            Good::Cycle => Expiry::After(Validity::Cycle),
            Good::For(ms) => Expiry::At(tx.now().plus_millis(ms)),
        },
        purchase: ask.order.map(purchase),
        shown_as: Shown::grant(category),
    }
}

fn purchase(order: usize) -> Purchase {
    Purchase { store: 1, order: i64::try_from(order).unwrap() + 1, line: 1 }
}

/// The account of an order, and where its credits go there.
fn order_place(tx: &mut Tx<'_>, order: usize) -> Result<(AccountId, Compartment), No> {
    let (account, site) = BUYERS[order];
    let account = site::store::open(tx, &account_ref(account))?;
    let at = site.map_or(Compartment::Pool, |site| Compartment::Site(site_id(site)));
    let at = site::store::place(tx, &account, &at)?;
    Ok((account, at))
}

fn new_debit(tx: &mut Tx<'_>, site: usize, agent: Option<usize>) -> Result<(AccountId, NewDebit), No> {
    let site = site_id(site);
    let found = site::store::get(tx, &site)?.unwrap();
    let debit = NewDebit {
        uses_pool: found.uses_pool,
        agent: agent.map(agent_id),
        ..crate::support::new_debit(site.as_str(), "0")
    };
    Ok((found.account.unwrap().id, debit))
}

fn debit(tx: &mut Tx<'_>, account: &AccountId, debit: &NewDebit) -> Result<Raw, No> {
    let made = spend(tx, account, debit, &Brake::OFF)?;
    Ok(debited(made, debit.amount))
}

fn debited(made: Debited, amount: Credits) -> Raw {
    let id = made.id;
    Raw::of(&[amount.micro(), made.left.position.available.micro()], made.taken.slices).making(id.as_str())
}

/// A step as the command line and the API do it.
fn act(tx: &mut Tx<'_>, step: Step, named: Option<String>) -> Result<Raw, No> {
    let done = Raw::default;
    let part = |part: by_hand::Part| (part.grant, part.credits);
    Ok(match step {
        Step::Grant(_, ask @ Ask { order: Some(order), .. }) => {
            let (account, compartment) = order_place(tx, order)?;
            let new = NewGrant { compartment, ..new_grant(tx, &ask) };
            let granted = LockedAccount::lock(tx, &account)?.grant(&new)?;
            let over = granted.expires_at.map_or(-1, Timestamp::millis);
            Raw::of(&[granted.effective_at.millis(), over, granted.priority, granted.repaid.micro()], [])
        }
        Step::Grant(wallet, ask) => {
            let new = new_grant(tx, &ask);
            let given = by_hand::grant(tx, wallet_ref(wallet), new)?;
            let over = given.expires_at.map_or(-1, Timestamp::millis);
            let (repaid, available) = (given.repaid.micro(), given.available.micro());
            Raw::of(&[given.effective_at.millis(), over, given.priority, repaid, available], [])
        }
        Step::Claw { order, much, bears } => {
            let (account, at) = order_place(tx, order)?;
            ledger::store::lock_holders(tx, &account, purchase(order))?;
            let shortfall = match bears {
                Bears::Debt => Shortfall::Debt,
                Bears::WriteOff => Shortfall::WriteOff,
                Bears::Freeze => Shortfall::Freeze,
            };
            let amount = credits(micros(much));
            let clawed = LockedAccount::lock(tx, &account)?.claw_back(
                OperationId::new().as_str(),
                purchase(order),
                amount,
                "Refund",
                shortfall,
                Some(&at),
            )?;
            Raw::of(&[clawed.taken.micro(), clawed.due.micro(), clawed.shortfall.micro()], [])
        }
        Step::FreezeOrder { order, frozen } => {
            let (account, _) = order_place(tx, order)?;
            let changed = LockedAccount::lock(tx, &account)?.set_frozen(purchase(order), frozen)?;
            Raw::of(&[i64::try_from(changed).unwrap()], [])
        }
        Step::Void { .. } => {
            let grant = named.unwrap().parse().unwrap();
            let voided = by_hand::void(tx, &grant, "a test")?;
            Raw::of(&[voided.credits.micro(), voided.before.into()], [])
        }
        Step::Debit { site, agent, much } => {
            let (account, mut new) = new_debit(tx, site, agent)?;
            new.amount = credits(micros(much));
            debit(tx, &account, &new)?
        }
        Step::Use { site, agent, action, quantity } => {
            let (account, mut new) = new_debit(tx, site, agent)?;
            let now = tx.now();
            let rate = rate::store::effective(tx, &format!("action{action}").parse().unwrap(), now)?;
            let rate = rate.ok_or(No::Refused("unknown_action"))?;
            new.amount = rate.price(quantity).map_err(|_| No::Refused("price"))?;
            new.priced = Some(Priced { quantity, version: rate.version });
            new.action = Some(format!("action{action}"));
            debit(tx, &account, &new)?
        }
        Step::Hold { site, agent, much, lasts_s } => {
            let (account, mut spending) = new_debit(tx, site, agent)?;
            spending.amount = credits(micros(much));
            let held = LockedAccount::lock(tx, &account)?.hold(&NewHold { spending, rate: None, lasts_s })?;
            let numbers = [held.hold.credits, held.hold.uncovered, held.left.position.available];
            let parts = held.hold.parts.into_iter().map(|part| (part.grant, part.credits));
            Raw::of(&numbers.map(Credits::micro), parts).making(held.hold.id.as_str())
        }
        Step::Capture { much, .. } => {
            let id: HoldId = named.unwrap().parse().unwrap();
            let account = hold::get(tx, &id)?.unwrap().account;
            let account = site::store::follow(tx, &account)?;
            let capture = Capture { amount: credits(micros(much)), ..Capture::default() };
            let made = LockedAccount::lock(tx, &account)?.capture(&id, &capture, &Brake::OFF)?;
            debited(made, capture.amount)
        }
        Step::Release { .. } => {
            let id: HoldId = named.unwrap().parse().unwrap();
            let account = hold::get(tx, &id)?.unwrap().account;
            let account = site::store::follow(tx, &account)?;
            let held = LockedAccount::lock(tx, &account)?.release(&id)?;
            Raw::of(&[held.left.position.available.micro()], [])
        }
        Step::Reverse { much, .. } => {
            let id = named.unwrap().parse().unwrap();
            let booked = reverse::booked(tx, &id)?.unwrap();
            let account = site::store::follow(tx, &booked.account)?;
            let amount = much.map(|much| credits(micros(much)));
            let back = LockedAccount::lock(tx, &account)?.reverse(&id, amount, None)?;
            Raw::of(&[back.credits.micro(), back.left.position.available.micro()], back.taken.slices)
        }
        Step::Rate { action, parts, round, later } => {
            let effective_at = (later > 0).then(|| tx.now().plus_millis(later));
            let round = match round {
                Round::Up => rate::Round::Up,
                Round::Down => rate::Round::Down,
                Round::HalfUp => rate::Round::HalfUp,
            };
            let (action, rate) =
                (format!("action{action}").parse().unwrap(), rate::Rate::from_parts(parts).unwrap());
            let new =
                rate::NewRate { action, rate, per: None, round: Some(round), label: None, effective_at };
            rate::store::set(tx, &new)?;
            done()
        }
        Step::Allocate { site, much } => {
            let owner = site::store::owned(tx, &site_id(site))?.into();
            let moved = by_hand::allocate(tx, &owner, site_id(site), credits(micros(much)))?;
            Raw::of(&[moved.credits.micro(), moved.available.micro()], moved.slices.into_iter().map(part))
        }
        Step::Reclaim { site, much } => {
            let amount = much.map(|much| credits(micros(much)));
            let moved = by_hand::reclaim(tx, site_id(site), amount, None)?;
            Raw::of(&[moved.credits.micro(), moved.available.micro()], moved.slices.into_iter().map(part))
        }
        Step::Adjust { wallet, much, minus } => {
            let amount = credits(micros(much));
            let change = if minus { Delta::minus(amount) } else { Delta::plus(amount) };
            let adjusted = by_hand::adjust(tx, wallet_ref(wallet), change, "a test")?;
            Raw::of(
                &[adjusted.credits.micro(), adjusted.available.micro()],
                adjusted.slices.into_iter().map(part),
            )
        }
        Step::Freeze { account, frozen } => {
            let account = site::store::open(tx, &account_ref(account))?;
            site::store::set_frozen(tx, &account, frozen.then_some("a test"))?;
            done()
        }
        Step::Merge { from, into } => {
            let merged = merge::merge(tx, &account_ref(from), &account_ref(into))?;
            Raw::of(&[merged.credits.micro(), merged.debt.micro()], [])
        }
        Step::Zone { account, zone } => {
            let settings = Settings { time_zone: Some(zone), ..Settings::default() };
            settings::set(tx, &account_ref(account), &settings)?;
            done()
        }
        Step::SetPlan { plan, micro, span, rollover } => {
            let per = match span {
                Span::Day => Per::Day,
                Span::Week => Per::Week,
                Span::Month => Per::Month,
                Span::Year => Per::Year,
            };
            let (name, credits, rollover) = (plan_id(plan), credits(micro), credits(rollover));
            plan::set(tx, &NewPlan { name, credits, per, rollover, label: None })?;
            done()
        }
        Step::StartPlan { plan, wallet, later } => {
            let now = tx.now();
            if plan::in_force(tx, &plan_id(plan), now)?.is_none() {
                return Err(No::Refused("there is none"));
            }
            let from = later.map(|later| tx.now().plus_millis(later));
            let (account, at) = site::store::open_wallet(tx, &wallet_ref(wallet))?;
            let (_, change) = LockedAccount::lock(tx, &account)?.start_plan(&plan_id(plan), &at, from)?;
            Raw::of(&[(change != plan::Change::Unchanged).into()], [])
        }
        Step::StopPlan { plan, wallet } => {
            let (account, at) = site::store::open_wallet(tx, &wallet_ref(wallet))?;
            let known = LockedAccount::lock(tx, &account)?.stop_plan(&plan_id(plan), &at)?;
            let changed = known.map_or(-1, |(_, change)| (change != plan::Change::Unchanged).into());
            Raw::of(&[changed], [])
        }
        Step::Limit { site, agent, span, micro, stops } => {
            let per = if span == Span::Day { Per::Day } else { Per::Month };
            let reached = if stops { OnReached::Stop } else { OnReached::UseBalance };
            let agent = agent.map(agent_id);
            spending::set_limit(tx, &site_id(site), agent.as_ref(), per, micro.map(credits), Some(reached))?;
            done()
        }
        Step::Policy { site, agent, said } => {
            let exhausted =
                said.stops.map(|stops| if stops { OnExhausted::Stop } else { OnExhausted::UseBalance });
            let change = spending::PolicyChange {
                on_exhausted: exhausted.map_or(Field::Keep, Field::Set),
                pool: said.pool.map_or(Field::Keep, Field::Set),
                grace: said.grace.map_or(Field::Keep, |micro| Field::Set(credits(micro))),
            };
            spending::set_policy(tx, &site_id(site), agent.map(agent_id).as_ref(), &change)?;
            done()
        }
        Step::Offer { site, to } => {
            let offered = transfer::offer(tx, &site_id(site), &account_ref(to))?;
            Raw::of(&[(offered.change == transfer::Change::Offered).into()], [])
        }
        Step::Accept { site } => {
            let moved = transfer::accept(tx, &site_id(site))?;
            Raw::of(&[moved.credits.micro(), moved.debt.micro()], [])
        }
        Step::Touch { account } => {
            let account = site::store::open(tx, &account_ref(account))?;
            LockedAccount::lock(tx, &account)?;
            done()
        }
        Step::Clock(_) | Step::Again { .. } => unreachable!("the walk does it"),
    })
}
