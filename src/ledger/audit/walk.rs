//! Follows the chains of the accounts through the entries, in the order in which these were written.

use std::collections::{BTreeMap, HashMap};

use super::Report;
use super::scale::{Balance, Scale, Sort};
use crate::db::{self, Row, Tx};
use crate::id::AccountId;
use crate::ledger::chain::{self, Link};
use crate::ledger::entry::{Kind, Place};
use crate::params;
use crate::time::Timestamp;

/// Grants are weighed in so many heaps, so that few have to be looked at where one is wrong.
const HEAPS: u64 = 4096;

/// What the entries say, to be compared with the rows.
pub(super) struct Found {
    pub(super) scale: Scale,
    /// How many entries there are, of whatever accounts.
    read: Option<u64>,
    /// What left the grants, by heap.
    pub(super) grants: Vec<Balance>,
    /// What debits took, and where their entries are.
    pub(super) debits: Balance,
    pub(super) reversals: Balance,
    /// Where the debits of each hour are.
    pub(super) hours: Balance,
    /// Accounts whose slices or debts are not what their entries say, the first few.
    pub(super) suspects: Vec<String>,
    /// Debts that moved between two accounts: what one handed over less what the other took over.
    pub(super) passed: BTreeMap<(AccountId, AccountId), i64>,
}

impl Found {
    /// The heap that a grant is weighed in.
    pub(super) fn heap(&self, grant: &str) -> usize {
        usize::try_from(self.scale.number(Sort::Grant, &[grant]) % HEAPS).unwrap_or_default()
    }

    /// Puts what an entry, or a row, says that left a grant on the scale.
    pub(super) fn weigh(&mut self, grant: &str, by: &str, amount: i64) {
        let (heap, number) = (self.heap(grant), self.scale.number(Sort::Tally, &[grant, by]));
        self.grants[heap].add(number, amount);
    }
}

/// What a grant's part of all entries but the one that made it took from it: the name it is weighed by.
pub(super) const LEFT: &str = "left";

/// An account's chain, as far as it was followed.
#[derive(Default)]
struct Chain {
    seq: i64,
    hash: chain::Hash,
    /// The id of the newest entry.
    entry: Option<i64>,
    /// The number of the debit that the newest entry is of; 0: of none.
    debit: u64,
    /// The hour of the newest entry that spends, and its id.
    spent: (i64, i64),
    /// What lies where by the entries, less what lies there by the rows.
    lies: Balance,
}

/// An entry as it is read.
struct Entry<'r> {
    id: i64,
    previous: Option<i64>,
    link: Link<'r>,
    kind: Kind,
    hash: &'r [u8],
}

impl<'r> Entry<'r> {
    fn read(row: &'r Row<'r>) -> Result<Self, db::Error> {
        let kind = row.text(5)?;
        let link = Link {
            account: row.text(2)?,
            seq: row.get(3)?,
            operation: row.text(4)?,
            kind,
            grant: row.text_opt(6)?,
            source: row.text(7)?,
            target: row.text(8)?,
            amount: row.get(9)?,
            booked_at: row.get(10)?,
        };
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        let kind = kind.ok_or_else(|| db::Error::Column { column: 5, found: link.kind.to_owned() })?;
        Ok(Self { id: row.get(0)?, previous: row.get(1)?, link, kind, hash: row.bytes(11)? })
    }

    fn name(&self) -> String {
        format!("entry {} of {}", self.link.seq, self.link.account)
    }
}

/// Follows every account's chain, `at_once` accounts at a time, and compares each with its head, its slices and its
/// debts.
pub(super) fn entries(
    tx: &mut Tx<'_>,
    at_once: i64,
    report: &mut Report,
    progress: &mut impl FnMut(u64),
) -> Result<Found, db::Error> {
    let mut found = Found {
        scale: Scale::default(),
        read: None,
        grants: vec![Balance::default(); usize::try_from(HEAPS).unwrap_or_default()],
        debits: Balance::default(),
        reversals: Balance::default(),
        hours: Balance::default(),
        suspects: Vec::new(),
        passed: BTreeMap::new(),
    };
    let mut after = String::new();
    loop {
        let ids: Vec<String> = tx.query(
            "-- ledger::audit::walk::entries (accounts)
             SELECT id FROM account WHERE id > $1 ORDER BY id LIMIT $2",
            params![&after, at_once],
            |row| row.get(0),
        )?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        let mut chains: HashMap<String, Chain> = ids.into_iter().map(|id| (id, Chain::default())).collect();
        follow(tx, &mut chains, &mut found, report, progress)?;
        heads(tx, &chains, report)?;
        slices(tx, &mut chains, &found.scale, report)?;
        debts(tx, &mut chains, &found.scale)?;
        let mut suspects: Vec<String> =
            chains.into_iter().filter(|(_, chain)| !chain.lies.is_even()).map(|(id, _)| id).collect();
        suspects.sort_unstable();
        found.suspects.append(&mut suspects);
        found.suspects.truncate(super::FAULTS_MAX);
    }
    if found.read != Some(report.entries) {
        strangers(tx, report)?;
    }
    Ok(found)
}

/// Reads all entries, and follows those of `chains`.
fn follow(
    tx: &mut Tx<'_>,
    chains: &mut HashMap<String, Chain>,
    found: &mut Found,
    report: &mut Report,
    progress: &mut impl FnMut(u64),
) -> Result<(), db::Error> {
    /// After how many entries somebody is told.
    const TOLD_EVERY: u64 = 10_000;
    let mut read = 0;
    tx.for_each(
        "-- ledger::audit::walk::follow
         SELECT id, previous, account_id, seq, operation, kind, grant_id, source, target, amount, booked_at, hash
         FROM entry ORDER BY id",
        params![],
        |row| {
            read += 1;
            let Some(chain) = chains.get_mut(row.text(2)?) else { return Ok(()) };
            let entry = Entry::read(row)?;
            if chain.entry.is_none() {
                report.accounts += 1;
            }
            step(chain, &entry, found, report);
            report.entries += 1;
            if report.entries.is_multiple_of(TOLD_EVERY) {
                progress(report.entries);
            }
            Ok(())
        },
    )?;
    progress(report.entries);
    found.read = Some(read);
    Ok(())
}

/// Follows one entry: its number, what it follows, its hash, where its credits went.
fn step(chain: &mut Chain, entry: &Entry<'_>, found: &mut Found, report: &mut Report) {
    let link = &entry.link;
    if link.seq != chain.seq + 1 {
        report.fault("sequence", entry.name(), format!("it follows entry {}", chain.seq));
    }
    if entry.previous != chain.entry {
        let id = |entry: Option<i64>| entry.map_or_else(|| "none".to_owned(), |id| id.to_string());
        let (before, named) = (id(chain.entry), id(entry.previous));
        report.fault(
            "hash chain",
            entry.name(),
            format!("the entry before has the id {before}, it names {named}"),
        );
    }
    let expected = chain::hash(&chain.hash, link);
    if entry.hash != expected {
        let detail = "its hash does not follow from its content and the entry before";
        report.fault("hash chain", entry.name(), detail.to_owned());
    }
    // Go on from what is written, so that one changed entry is one fault and not all that follow.
    chain.hash = <chain::Hash>::try_from(entry.hash).unwrap_or(expected);
    chain.seq = link.seq;
    of_debit(chain, entry, found);
    chain.entry = Some(entry.id);
    lie(chain, entry, link.source, -link.amount, found, report);
    lie(chain, entry, link.target, link.amount, found, report);
    let Some(grant) = link.grant else { return };
    match entry.kind {
        Kind::Granted => found.weigh(grant, LEFT, link.amount),
        Kind::Spent
        | Kind::Reversed
        | Kind::Expired
        | Kind::Clawed
        | Kind::Voided
        | Kind::Adjusted
        | Kind::Repaid => found.weigh(grant, link.kind, link.amount),
        Kind::Held | Kind::Released | Kind::Owed | Kind::WrittenOff | Kind::Moved => {}
    }
}

/// Puts what the entry says of a debit, or of a reversal, on the scale. A debit's entries follow each other in the
/// account: the last is the first and the steps from there.
fn of_debit(chain: &mut Chain, entry: &Entry<'_>, found: &mut Found) {
    let (link, scale) = (&entry.link, &found.scale);
    match entry.kind {
        Kind::Spent => {
            let names = [link.account, link.operation];
            let debit = scale.number(Sort::Debit, &names);
            let last = scale.number(Sort::Last, &names);
            found.debits.add(debit, link.amount);
            if chain.debit == debit {
                found.debits.add(last, entry.id - chain.entry.unwrap_or_default());
            } else {
                found.debits.add(scale.number(Sort::First, &names), entry.id);
                found.debits.add(last, entry.id);
            }
            chain.debit = debit;
            in_hour(chain, entry, found);
        }
        Kind::Reversed => {
            found.reversals.add(scale.number(Sort::Reversal, &[link.operation]), link.amount);
            chain.debit = 0;
        }
        _ => chain.debit = 0,
    }
}

/// Puts where the debits of an hour are on the scale: the last entry is the first and the steps from there. Where a
/// clock was set back an hour begins twice: what does not balance then is looked at row by row.
fn in_hour(chain: &mut Chain, entry: &Entry<'_>, found: &mut Found) {
    let (hour, before) = (hour_of(entry.link.booked_at), chain.spent);
    let text = hour.to_string();
    let number = |sort| found.scale.number(sort, &[entry.link.account, &text]);
    let last = number(Sort::LastOfHour);
    if before.0 == hour && before.1 != 0 {
        found.hours.add(last, entry.id - before.1);
    } else {
        found.hours.add(number(Sort::FirstOfHour), entry.id);
        found.hours.add(last, entry.id);
    }
    chain.spent = (hour, entry.id);
}

/// The start of the hour that an instant lies in, both in milliseconds.
pub(super) fn hour_of(at: i64) -> i64 {
    Timestamp::from_millis(at).hour().millis()
}

/// Lets `amount` more lie at a place.
fn lie(
    chain: &mut Chain,
    entry: &Entry<'_>,
    place: &str,
    amount: i64,
    found: &mut Found,
    report: &mut Report,
) {
    let scale = &found.scale;
    match (place.parse::<Place>(), entry.link.grant) {
        (Ok(Place::Compartment(at)), Some(grant)) => {
            chain.lies.add(scale.number(Sort::Remaining, &[grant, at.column()]), amount);
        }
        (Ok(Place::Held(at)), Some(grant)) => {
            chain.lies.add(scale.number(Sort::Held, &[grant, at.column()]), amount);
        }
        (Ok(Place::Debt(at)), _) => chain.lies.add(scale.number(Sort::Debt, &[at.column()]), -amount),
        // What one account hands over the other takes: together that is nothing.
        (Ok(Place::Account(other)), None) => {
            if let Ok(own) = entry.link.account.parse::<AccountId>() {
                let pair = (own.clone().min(other.clone()), other.max(own));
                let difference = found.passed.entry(pair.clone()).or_default();
                *difference += amount;
                if *difference == 0 {
                    found.passed.remove(&pair);
                }
            }
        }
        (Ok(_), Some(_)) => {}
        // What was lent for a while is of no grant until one repays it.
        (Ok(Place::Revenue | Place::Issuance), None)
            if matches!(entry.kind, Kind::Spent | Kind::Reversed) => {}
        (Ok(_), None) => {
            report.fault("places", entry.name(), format!("credits at {place:?} are of no grant"));
        }
        (Err(_), _) => {
            report.fault("places", entry.name(), format!("{place:?} is not a place credits can be"));
        }
    }
}

/// Compares the accounts' heads with their last entries.
fn heads(tx: &mut Tx<'_>, chains: &HashMap<String, Chain>, report: &mut Report) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::walk::heads
         SELECT id, entry_seq, entry_hash, last_entry FROM account ORDER BY id",
        params![],
        |row| {
            let account = row.text(0)?;
            let Some(chain) = chains.get(account) else { return Ok(()) };
            let (seq, entry): (i64, Option<i64>) = (row.get(1)?, row.get(3)?);
            if seq != chain.seq || row.bytes(2)? != chain.hash || entry != chain.entry {
                let detail = format!("its head is not its last entry, {}", chain.seq);
                report.fault("hash chain", format!("account {account}"), detail);
            }
            Ok(())
        },
    )
}

/// Takes what the slices hold off the scale.
fn slices(
    tx: &mut Tx<'_>,
    chains: &mut HashMap<String, Chain>,
    scale: &Scale,
    report: &mut Report,
) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::walk::slices
         SELECT account_id, grant_id, site, remaining, held FROM slice",
        params![],
        |row| {
            let Some(chain) = chains.get_mut(row.text(0)?) else { return Ok(()) };
            let (grant, site) = (row.text(1)?, row.text(2)?);
            let (remaining, held): (i64, i64) = (row.get(3)?, row.get(4)?);
            if remaining < 0 || held < 0 {
                let detail = format!("remaining {remaining}, held {held}");
                report.fault("nothing negative", slice_name(grant, site), detail);
            }
            chain.lies.add(scale.number(Sort::Remaining, &[grant, site]), -remaining);
            chain.lies.add(scale.number(Sort::Held, &[grant, site]), -held);
            Ok(())
        },
    )?;
    // Read once for each account, not once for each slice.
    tx.for_each(
        "-- ledger::audit::walk::slices (unsettled)
         SELECT u.account_id, u.grant_id, u.site, u.taken, s.remaining - u.taken
         FROM unsettled_slice u
         LEFT JOIN slice s ON s.grant_id = u.grant_id AND s.account_id = u.account_id AND s.site = u.site",
        params![],
        |row| {
            let Some(chain) = chains.get_mut(row.text(0)?) else { return Ok(()) };
            let (grant, site) = (row.text(1)?, row.text(2)?);
            if let Some(remaining @ ..0) = row.get::<Option<i64>>(4)? {
                let detail = format!("remaining {remaining}");
                report.fault("nothing negative", slice_name(grant, site), detail);
            }
            chain.lies.add(scale.number(Sort::Remaining, &[grant, site]), row.get(3)?);
            Ok(())
        },
    )
}

/// A slice, in words.
pub(super) fn slice_name(grant: &str, site: &str) -> String {
    format!("slice of {grant} at {}", if site.is_empty() { "the pool" } else { site })
}

/// Takes what the compartments owe off the scale.
fn debts(tx: &mut Tx<'_>, chains: &mut HashMap<String, Chain>, scale: &Scale) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::walk::debts
         SELECT account_id, site, amount FROM debt",
        params![],
        |row| {
            let Some(chain) = chains.get_mut(row.text(0)?) else { return Ok(()) };
            chain.lies.add(scale.number(Sort::Debt, &[row.text(1)?]), -row.get::<i64>(2)?);
            Ok(())
        },
    )
}

/// Entries of accounts that there are not.
fn strangers(tx: &mut Tx<'_>, report: &mut Report) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::walk::strangers
         SELECT e.seq, e.account_id FROM entry e LEFT JOIN account a ON a.id = e.account_id WHERE a.id IS NULL",
        params![],
        |row| {
            let name = format!("entry {} of {}", row.get::<i64>(0)?, row.text(1)?);
            report.fault("hash chain", name, "there is no such account".to_owned());
            Ok(())
        },
    )
}
