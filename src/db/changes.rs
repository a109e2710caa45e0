//! What has changed since: lets what was read be kept in memory for exactly as long as it is true.
//!
//! The writer tells after each commit, and before anybody is answered, what was written: to which accounts, or
//! something that is of no one account. Whoever keeps what they read keeps the [`Moment`] from before the read with
//! it, and asks before each use whether anything was written later. Only tables that are listed here count as an
//! account's own or as read by nobody who keeps anything; a write to any other changes everything.
//!
//! Other programs on the same file (the command line) do not tell. Whenever another program than before is the one
//! that writes, it leaves a new number in the table `turn`; so a reader that sees a commit by somebody
//! (`PRAGMA data_version`, which costs a look at shared memory) sees in one row whether it was this program's.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::left::{Left, Slot, Slots};
use super::{Error, Tx};
use crate::id::AccountId;
use crate::params;

/// How many marks there are for accounts. Two that share one only cost each other a read.
const MARKS: usize = 8192;

/// A point in the order of commits, from before a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// What was written, and when last.
#[derive(Debug)]
pub struct Changes {
    /// How many commits were told.
    commits: AtomicU64,
    /// The last that wrote something that is of no one account.
    common: AtomicU64,
    accounts: Box<[Mark]>,
    /// What is known of the rows of accounts.
    slots: Slots,
    /// What this program left in `turn`, and what was found there when it was last looked at.
    own_turn: AtomicI64,
    seen_turn: AtomicI64,
}

/// When an account was last written; [`BEGUN`] while it is.
#[derive(Debug, Default)]
struct Mark {
    /// Anything of it.
    any: AtomicU64,
    /// Anything but what its debits leave in its own row.
    tables: AtomicU64,
    /// What people set and what comes seldom: plans, limits, policies, pauses, debts.
    settings: AtomicU64,
}

impl Mark {
    /// Notes that so much of it was written. Only the writer does.
    fn set(&self, depth: Depth, commit: u64) {
        self.any.store(commit, Ordering::SeqCst);
        if depth >= Depth::Tables {
            self.tables.store(commit, Ordering::SeqCst);
        }
        if depth >= Depth::Settings {
            self.settings.store(commit, Ordering::SeqCst);
        }
    }
}

/// Later than every moment: what is read while a commit is on its way may be from before it or after it, and nobody can
/// tell.
const BEGUN: u64 = u64::MAX;

impl Changes {
    pub(super) fn new() -> Self {
        Self {
            commits: AtomicU64::new(1),
            common: AtomicU64::new(0),
            accounts: (0..MARKS).map(|_| Mark::default()).collect(),
            slots: Slots::default(),
            own_turn: AtomicI64::new(0),
            seen_turn: AtomicI64::new(0),
        }
    }

    /// The present moment. What is read after this call is at least as new.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment(self.commits.load(Ordering::SeqCst))
    }

    /// Whether everything that is of no one account is as it was at `moment`.
    #[must_use]
    pub fn none_since(&self, moment: Moment) -> bool {
        self.common.load(Ordering::SeqCst) <= moment.0
    }

    /// Whether the account, and everything that is of no one account, is as it was at `moment`.
    #[must_use]
    pub fn none_of_account_since(&self, account: &AccountId, moment: Moment) -> bool {
        self.none_since(moment) && self.mark(account).any.load(Ordering::SeqCst) <= moment.0
    }

    /// Whether the account is as it was at `moment` but for what its debits left in its own row, and everything that is of
    /// no one account is.
    #[must_use]
    pub fn only_spent_since(&self, account: &AccountId, moment: Moment) -> bool {
        self.none_since(moment) && self.mark(account).tables.load(Ordering::SeqCst) <= moment.0
    }

    /// Whether what is set about the account, and everything that is of no one account, is as it was at `moment`.
    #[must_use]
    pub fn no_setting_since(&self, account: &AccountId, moment: Moment) -> bool {
        self.none_since(moment) && self.mark(account).settings.load(Ordering::SeqCst) <= moment.0
    }

    fn mark(&self, account: &AccountId) -> &Mark {
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        &self.accounts[usize::try_from(hasher.finish() % MARKS as u64).unwrap_or_default()]
    }

    /// The slot of an account, for whoever keeps what the tables say of it.
    #[must_use]
    pub fn slot(&self, account: &AccountId) -> Arc<Slot> {
        self.slots.of(account)
    }

    /// What the row of the account of `slot` says, if that is known.
    #[must_use]
    pub fn left<T: Send + Sync + 'static>(&self, slot: &Slot) -> Option<Arc<T>> {
        let (moment, left) = slot.get()?;
        // Another program does not empty slots.
        if self.none_since(moment) { left.downcast().ok() } else { None }
    }

    /// Leaves in `slot` what was read after `moment` of the row of its account, unless that was written since.
    pub fn leave<T: Send + Sync + 'static>(
        &self,
        account: &AccountId,
        slot: &Slot,
        moment: Moment,
        left: Arc<T>,
    ) {
        slot.set_if((moment, left), || self.none_of_account_since(account, moment));
    }

    /// Tells what is about to be committed.
    fn begin(&self, written: &Written) {
        for (account, depth) in &written.accounts {
            self.mark(account).set(*depth, BEGUN);
        }
        if written.common {
            self.change_all();
        }
        self.slots.each(written.accounts.iter().map(|(account, _)| account), |_, slot| slot.set(None));
    }

    /// Tells that anything may be another one.
    fn change_all(&self) {
        let commit = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        self.common.fetch_max(commit, Ordering::SeqCst);
    }

    /// Tells what was committed, or was not.
    fn end(&self, written: &Written, committed: bool) {
        if written.is_empty() {
            return;
        }
        let commit = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        for (account, depth) in &written.accounts {
            self.mark(account).set(*depth, commit);
        }
        if written.common {
            self.common.fetch_max(commit, Ordering::SeqCst);
        }
        self.slots.each(written.accounts.iter().map(|(account, _)| account), |account, slot| {
            let left = written.left.get(account).filter(|_| committed);
            slot.set(left.map(|left| (Moment(commit), Arc::clone(left))));
        });
    }

    /// Notes that this program is the one that writes, and what it left in `turn` to say so.
    pub(super) fn take_turn(&self, turn: i64) {
        self.own_turn.store(turn, Ordering::SeqCst);
    }

    /// Notes what a reader found in `turn` after somebody's commit: unless all commits since the last look were this
    /// program's, nobody knows what changed.
    pub(super) fn see_turn(&self, turn: i64) {
        if turn == self.own_turn.load(Ordering::SeqCst) && turn == self.seen_turn.load(Ordering::SeqCst) {
            return;
        }
        self.change_all();
        self.seen_turn.store(turn, Ordering::SeqCst);
    }
}

/// The writer's side: says that this program writes, and what it wrote.
#[derive(Debug)]
pub(super) struct Turn {
    changes: Arc<Changes>,
    /// What SQLite says about commits of others, as of this program's last commit.
    version: Option<i64>,
}

impl Turn {
    pub(super) fn new(changes: Arc<Changes>) -> Self {
        Self { changes, version: None }
    }

    /// To be called before a commit: takes the turn if another program had it, and tells what is about to be written,
    /// so that nobody sees it beside what they kept and does not know. Where nothing is written nothing is.
    /// `version` is what SQLite says about commits of others.
    pub(super) fn announce(&mut self, tx: &mut Tx<'_>, version: Option<i64>) -> Result<(), Error> {
        if tx.note_writes().is_empty() {
            return Ok(());
        }
        if version != self.version {
            let number = RandomState::new().hash_one(version).cast_signed();
            tx.execute(
                "-- db::changes::announce\n UPDATE turn SET number = $1 WHERE one = 1",
                params![number],
            )?;
            self.changes.take_turn(number);
            self.version = version;
        }
        self.changes.begin(tx.note_writes());
        Ok(())
    }

    /// Tells what was written, when the transaction is over and before anybody is answered.
    pub(super) fn end(&mut self, tx: &mut Tx<'_>, committed: bool) {
        if !committed {
            self.version = None;
        }
        self.changes.end(&tx.take_written(), committed);
    }
}

/// A number that is another one after commits of others than this connection.
pub(super) fn data_version(tx: &mut Tx<'_>) -> Result<i64, Error> {
    tx.query_one("-- db::changes::data_version\n PRAGMA data_version", &[], |row| row.get(0))
}

/// The number that the program left which wrote last.
pub(super) fn turn(tx: &mut Tx<'_>) -> Result<i64, Error> {
    tx.query_one("-- db::changes::turn\n SELECT number FROM turn WHERE one = 1", &[], |row| row.get(0))
}

/// What the statements of a transaction wrote.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Accounts, each with how much of it was written.
    accounts: Vec<(AccountId, Depth)>,
    /// What the rows of accounts say now, where that is known.
    left: HashMap<AccountId, Left>,
    /// Where the accounts of the present piece of work begin.
    work: usize,
    common: bool,
    /// Whether that was so before the present piece of work.
    common_before: bool,
    /// How much of its accounts the present piece of work wrote.
    depth: Depth,
}

/// How much of an account is written; each with what is before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    /// What debits leave in its own row.
    #[default]
    Spent,
    /// Its tables.
    Tables,
    /// What is set about it.
    Settings,
}

impl Written {
    /// Begins a piece of work, which locks the accounts it writes to.
    pub(super) fn begin_work(&mut self) {
        self.work = self.accounts.len();
        self.common_before = self.common;
        self.depth = Depth::Spent;
    }

    /// Forgets the present piece of work: it was taken back.
    pub(super) fn forget_work(&mut self) {
        self.accounts.truncate(self.work);
        self.common = self.common_before;
    }

    /// Notes that an account is locked.
    pub(super) fn lock(&mut self, account: &AccountId) {
        self.accounts.push((account.clone(), self.depth));
        self.left.remove(account);
    }

    /// Notes a statement of this kind.
    pub(super) fn statement(&mut self, kind: Kind) {
        let written = match kind {
            Kind::Unkept => return,
            Kind::OfAccount(depth) => depth,
            Kind::Common => {
                self.common = true;
                return;
            }
        };
        let of_work = &mut self.accounts[self.work..];
        if of_work.is_empty() {
            self.common = true;
        } else if self.depth < written {
            for (_, depth) in of_work {
                *depth = written.max(*depth);
            }
            self.depth = written;
        }
    }

    /// Notes what the row of a locked account says now.
    pub(super) fn leave(&mut self, account: &AccountId, left: Left) {
        self.left.insert(account.clone(), left);
    }

    /// Forgets what the rows of accounts say: something may have been taken back.
    pub(super) fn forget_left(&mut self) {
        self.left.clear();
    }

    fn is_empty(&self) -> bool {
        self.accounts.is_empty() && !self.common
    }

    /// Whether anything was written that is of no one account.
    pub(super) fn is_common(&self) -> bool {
        self.common
    }
}

/// What a statement writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, or what nobody keeps in memory.
    Unkept,
    /// What only happens to an account that is locked.
    OfAccount(Depth),
    /// Anything else.
    Common,
}

/// The statements that write only what a debit leaves in the row of its account.
const SPENT: [&str; 2] = ["-- ledger::store::lock", "-- ledger::store::save_spent"];

pub(super) fn kind(sql: &str) -> Kind {
    let (name, rest) = match sql.split_once('\n') {
        Some((name, rest)) if name.starts_with("--") => (name, rest.trim_ascii_start()),
        _ => ("", sql.trim_ascii_start()),
    };
    let table = match rest.split_once(' ') {
        Some(("SELECT" | "PRAGMA", _)) => return Kind::Unkept,
        Some(("UPDATE", rest)) => rest,
        Some(("INSERT", rest)) => rest.strip_prefix("INTO ").unwrap_or_default(),
        Some(("DELETE", rest)) => rest.strip_prefix("FROM ").unwrap_or_default(),
        _ => return Kind::Common,
    };
    let end =
        table.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_').unwrap_or(table.len());
    match &table[..end] {
        "entry" | "debit" | "idempotency" | "idempotency_before" | "delivery" | "shop_order"
        | "order_line" | "lookup" | "parked_retry" | "store_health" | "reconciliation" | "signing_secret"
        | "correction" | "turn" | "usage_hour" | "spent_hour" | "told" | "event" | "event_number"
        | "event_push" | "event_receiver" => Kind::Unkept,
        // Hours that are too old to tell anything.
        "spending_hour" if name == "-- ledger::store::brake::prune" => Kind::Unkept,
        "slice" | "activity" | "spending" | "spending_hour" | "credit_grant" | "plan_grant" | "hold"
        | "hold_slice" | "holding" | "reversal" | "claw_due" | "alert" => Kind::OfAccount(Depth::Tables),
        "account" if SPENT.contains(&name) => Kind::OfAccount(Depth::Spent),
        "account" if name.starts_with("-- ledger::") => Kind::OfAccount(Depth::Tables),
        "subscription" | "debt" | "spending_limit" | "spending_policy" | "brake" => {
            Kind::OfAccount(Depth::Settings)
        }
        _ => Kind::Common,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_tells_by_its_table_what_it_changes() {
        for (sql, expected) in [
            ("-- a::b\n             SELECT 1 FROM site", Kind::Unkept),
            ("-- a::b\n UPDATE entry SET x = 1", Kind::Unkept),
            (
                "-- ledger::store::lock\n UPDATE account SET version = version + 1",
                Kind::OfAccount(Depth::Spent),
            ),
            ("-- ledger::store::save_head\n UPDATE account SET a = $1", Kind::OfAccount(Depth::Tables)),
            ("-- ledger::store::brake::prune\n DELETE FROM spending_hour WHERE x", Kind::Unkept),
            ("-- site::store::rename\n UPDATE account SET name = $1", Kind::Common),
            ("-- a::b\n INSERT INTO spending_limit (a) VALUES ($1)", Kind::OfAccount(Depth::Settings)),
            ("-- a::b\n INSERT INTO spending(a) VALUES ($1)", Kind::OfAccount(Depth::Tables)),
            ("-- a::b\n DELETE FROM site WHERE id = $1", Kind::Common),
            ("-- a::b\n INSERT OR REPLACE INTO entry VALUES ($1)", Kind::Common),
            ("WITH x AS (SELECT 1) INSERT INTO entry SELECT * FROM x", Kind::Common),
            ("UPDATE what_is_new SET x = 1", Kind::Common),
        ] {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_was_written_later_is_told_and_nothing_else() {
        let (changes, one, other) = (Changes::new(), AccountId::new(), AccountId::new());
        let write = |locked: &[&AccountId], sql: &str| {
            let mut written = Written::default();
            written.begin_work();
            for account in locked {
                written.lock(account);
            }
            written.statement(kind(sql));
            changes.begin(&written);
            assert!(locked.iter().all(|account| !changes.none_of_account_since(account, changes.moment())));
            changes.end(&written, true);
        };
        let before = changes.moment();
        write(&[&one], "-- ledger::store::save_spent\n UPDATE account SET unsettled = 1");
        assert!(!changes.none_of_account_since(&one, before) && changes.only_spent_since(&one, before));
        write(&[&one], "UPDATE slice SET remaining = 1");
        assert!(!changes.only_spent_since(&one, before) && changes.only_spent_since(&other, before));
        assert!(!changes.none_of_account_since(&one, before) && changes.no_setting_since(&one, before));
        assert!(changes.none_of_account_since(&other, before) && changes.none_since(before));
        assert!(changes.none_of_account_since(&one, changes.moment()));
        write(&[&one], "UPDATE debt SET amount = 1");
        assert!(!changes.no_setting_since(&one, before) && changes.no_setting_since(&other, before));
        // Nobody was locked: nobody knows whose it is.
        write(&[], "UPDATE slice SET remaining = 1");
        assert!(!changes.none_of_account_since(&other, before));
    }

    #[test]
    fn a_commit_of_another_program_changes_everything_and_ones_own_nothing() {
        let changes = Changes::new();
        changes.take_turn(7);
        changes.see_turn(7);
        let before = changes.moment();
        changes.see_turn(7);
        assert!(changes.none_since(before));
        // The other one wrote, and wrote again, and then this one.
        for (own, seen) in [(7, 8), (7, 8), (9, 9)] {
            let before = changes.moment();
            changes.take_turn(own);
            changes.see_turn(seen);
            assert!(!changes.none_since(before), "{own} {seen}");
        }
        let before = changes.moment();
        changes.see_turn(9);
        assert!(changes.none_since(before));
    }
}
