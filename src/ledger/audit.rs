//! Proves the books: every number in them from the entries, and every entry from the one before.
//!
//! The proof walks the entries once, account by account, and holds no more than one account's open tallies
//! in memory. It reads one consistent view, so it may run while the daemon serves.

use std::collections::HashMap;

use super::chain::{self, Link};
use super::entry::{Kind, Place};
use crate::db::{self, Db, Row, Tx};
use crate::id::{AccountId, GrantId};
use crate::params;
use crate::time::Timestamp;

/// Something in the books that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Which rule is broken.
    pub rule: &'static str,
    /// Which row breaks it.
    pub row: String,
    /// How.
    pub detail: String,
}

/// What was proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Accounts walked.
    pub accounts: u64,
    /// Entries walked.
    pub entries: u64,
    /// What does not add up, at most [`FAULTS_MAX`], the first first.
    pub faults: Vec<Fault>,
}

/// A database full of faults is told by the first few.
pub const FAULTS_MAX: usize = 100;

/// Proves the books of `db`. `progress` is told how many entries were walked.
pub fn verify(db: &Db, mut progress: impl FnMut(u64) + Send) -> Result<Report, db::Error> {
    db.read(|tx| {
        let mut report = Report::default();
        entries(tx, &mut report, &mut progress)?;
        for check in CHECKS {
            sums(tx, check, &mut report)?;
        }
        hours(tx, &mut report)?;
        Ok(report)
    })
}

/// The running sums of the account whose entries are being walked.
#[derive(Default)]
struct Walk {
    account: Option<AccountId>,
    seq: i64,
    hash: chain::Hash,
    slices: HashMap<(GrantId, String), Lies>,
    grants: HashMap<GrantId, Tally>,
    debts: HashMap<String, i64>,
    /// Grants with entries in more than one account: their tallies come together from several chains.
    crossed: HashMap<GrantId, Tally>,
    /// Debts that moved between two accounts: what one handed over less what the other took over.
    passed: HashMap<(AccountId, AccountId), i64>,
}

/// What the entries say lies in a slice.
#[derive(Default, PartialEq, Eq, Debug, Clone, Copy)]
struct Lies {
    remaining: i64,
    held: i64,
}

#[derive(Default, PartialEq, Eq, Debug, Clone, Copy)]
struct Tally {
    granted: i64,
    spent: i64,
    reversed: i64,
    expired: i64,
    clawed: i64,
    voided: i64,
    adjusted: i64,
    repaid: i64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.granted += other.granted;
        self.spent += other.spent;
        self.reversed += other.reversed;
        self.expired += other.expired;
        self.clawed += other.clawed;
        self.voided += other.voided;
        self.adjusted += other.adjusted;
        self.repaid += other.repaid;
    }
}

struct EntryRow {
    account: AccountId,
    seq: i64,
    operation: String,
    kind: Kind,
    grant: Option<GrantId>,
    source: String,
    target: String,
    amount: i64,
    booked_at: i64,
    hash: Vec<u8>,
}

fn entries(tx: &mut Tx<'_>, report: &mut Report, progress: &mut impl FnMut(u64)) -> Result<(), db::Error> {
    // One page of entries at a time: the sums of a finished account are compared by other statements.
    const PAGE: i64 = 10_000;
    let mut walk = Walk::default();
    tx.for_each(
        "-- ledger::audit::crossing
         SELECT DISTINCT e.grant_id FROM entry e JOIN credit_grant g ON g.id = e.grant_id
         WHERE e.account_id <> g.account_id",
        params![],
        |row| {
            walk.crossed.insert(row.get(0)?, Tally::default());
            Ok(())
        },
    )?;
    let (mut account, mut seq) = (String::new(), 0_i64);
    loop {
        let page = tx.query(
            "-- ledger::audit::entries
             SELECT account_id, seq, operation, kind, grant_id, source, target, amount, booked_at, hash
             FROM entry WHERE account_id > $1 OR (account_id = $1 AND seq > $2)
             ORDER BY account_id, seq LIMIT $3",
            params![&account, seq, PAGE],
            |row| {
                Ok(EntryRow {
                    account: row.get(0)?,
                    seq: row.get(1)?,
                    operation: row.get(2)?,
                    kind: row.get(3)?,
                    grant: row.get(4)?,
                    source: row.get(5)?,
                    target: row.get(6)?,
                    amount: row.get(7)?,
                    booked_at: row.get(8)?,
                    hash: row.get(9)?,
                })
            },
        )?;
        let Some(last) = page.last() else { break };
        (account, seq) = (last.account.to_string(), last.seq);
        for entry in &page {
            if walk.account.as_ref() != Some(&entry.account) {
                finish_account(tx, &mut walk, report)?;
                walk.account = Some(entry.account.clone());
                report.accounts += 1;
            }
            step(&mut walk, entry, report);
            report.entries += 1;
        }
        progress(report.entries);
    }
    finish_account(tx, &mut walk, report)?;
    finish_crossed(tx, &mut walk, report)
}

/// Follows one entry: its number, its hash, where its credits went.
fn step(walk: &mut Walk, entry: &EntryRow, report: &mut Report) {
    let row = || format!("entry {} of {}", entry.seq, entry.account);
    if entry.seq != walk.seq + 1 {
        report.fault("sequence", row(), format!("it follows entry {}", walk.seq));
    }
    let link = Link {
        account: entry.account.as_str(),
        seq: entry.seq,
        operation: &entry.operation,
        kind: entry.kind.as_str(),
        grant: entry.grant.as_ref().map(GrantId::as_str),
        source: &entry.source,
        target: &entry.target,
        amount: entry.amount,
        booked_at: entry.booked_at,
    };
    let expected = chain::hash(&walk.hash, &link);
    if entry.hash != expected {
        report.fault(
            "hash chain",
            row(),
            "its hash does not follow from its content and the entry before".to_owned(),
        );
    }
    walk.seq = entry.seq;
    // Go on from what is written, so that one changed entry is one fault and not all that follow.
    walk.hash = <chain::Hash>::try_from(entry.hash.as_slice()).unwrap_or(expected);

    let mut move_at = |place: &str, amount: i64| match (place.parse::<Place>(), &entry.grant) {
        (Ok(Place::Compartment(compartment)), Some(grant)) => {
            let key = (grant.clone(), compartment.column().to_owned());
            walk.slices.entry(key).or_default().remaining += amount;
        }
        (Ok(Place::Held(compartment)), Some(grant)) => {
            let key = (grant.clone(), compartment.column().to_owned());
            walk.slices.entry(key).or_default().held += amount;
        }
        (Ok(Place::Debt(compartment)), _) => {
            *walk.debts.entry(compartment.column().to_owned()).or_default() -= amount;
        }
        // What one account hands over the other takes: together that is nothing.
        (Ok(Place::Account(other)), None) => {
            let (one, two) = (entry.account.clone().min(other.clone()), other.max(entry.account.clone()));
            *walk.passed.entry((one, two)).or_default() += amount;
        }
        (Ok(_), Some(_)) => {}
        // What was lent for a while is of no grant until one repays it.
        (Ok(Place::Revenue | Place::Issuance), None)
            if matches!(entry.kind, Kind::Spent | Kind::Reversed) => {}
        (Ok(_), None) => {
            report.fault("places", row(), format!("credits at {place:?} are of no grant"));
        }
        (Err(_), _) => report.fault("places", row(), format!("{place:?} is not a place credits can be")),
    };
    move_at(&entry.source, -entry.amount);
    move_at(&entry.target, entry.amount);
    let Some(grant) = &entry.grant else { return };
    let tally = walk.grants.entry(grant.clone()).or_default();
    match entry.kind {
        Kind::Granted => tally.granted += entry.amount,
        Kind::Spent => tally.spent += entry.amount,
        Kind::Reversed => tally.reversed += entry.amount,
        Kind::Expired => tally.expired += entry.amount,
        Kind::Clawed => tally.clawed += entry.amount,
        Kind::Voided => tally.voided += entry.amount,
        Kind::Adjusted => tally.adjusted += entry.amount,
        Kind::Repaid => tally.repaid += entry.amount,
        Kind::Held | Kind::Released | Kind::Owed | Kind::WrittenOff | Kind::Moved => {}
    }
}

/// Compares what the account's rows say with what its entries add up to.
fn finish_account(tx: &mut Tx<'_>, walk: &mut Walk, report: &mut Report) -> Result<(), db::Error> {
    let Some(account) = walk.account.take() else { return Ok(()) };
    let Walk { seq, hash, mut slices, mut grants, mut debts, mut crossed, passed, .. } = std::mem::take(walk);
    walk.passed = passed;
    let head = tx.query_opt(
        "-- ledger::audit::head
         SELECT entry_seq, entry_hash FROM account WHERE id = $1",
        params![&account],
        |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?)),
    )?;
    if head.as_ref().is_none_or(|(head_seq, head_hash)| *head_seq != seq || *head_hash != hash) {
        report.fault(
            "hash chain",
            format!("account {account}"),
            format!("its head is not its last entry, {seq}"),
        );
    }
    tx.for_each(
        "-- ledger::audit::slices
         SELECT grant_id, site, remaining, held FROM slice WHERE account_id = $1 ORDER BY grant_id, site",
        params![&account],
        |row| {
            let (grant, site): (GrantId, String) = (row.get(0)?, row.get(1)?);
            let (remaining, held): (i64, i64) = (row.get(2)?, row.get(3)?);
            let name = format!("slice of {grant} at {}", if site.is_empty() { "the pool" } else { &site });
            let entered = slices.remove(&(grant.clone(), site)).unwrap_or_default();
            if remaining < 0 || held < 0 {
                report.fault("nothing negative", name.clone(), format!("remaining {remaining}, held {held}"));
            }
            if (Lies { remaining, held }) != entered {
                let Lies { remaining: left, held: set_aside } = entered;
                report.fault(
                    "slices",
                    name,
                    format!(
                        "{remaining} micro-credits remain and {held} are held, its entries say {left} and {set_aside}"
                    ),
                );
            }
            if let Some(tally) = grants.get_mut(&grant) {
                tally.granted -= remaining + held;
            }
            Ok(())
        },
    )?;
    for ((grant, site), entered) in slices {
        if entered != Lies::default() {
            report.fault(
                "slices",
                format!("slice of {grant} at {site:?}"),
                format!("it is missing; its entries say {}", entered.remaining + entered.held),
            );
        }
    }
    tx.for_each(
        "-- ledger::audit::grants
         SELECT id, amount, spent, reversed, expired, clawed, voided, adjusted, repaid
         FROM credit_grant WHERE account_id = $1 ORDER BY seq",
        params![&account],
        |row| {
            let grant: GrantId = row.get(0)?;
            let entered = grants.remove(&grant).unwrap_or_default();
            match crossed.get_mut(&grant) {
                Some(tally) => tally.add(entered),
                None => compare_grant(row, &grant, entered, report)?,
            }
            Ok(())
        },
    )?;
    for (grant, entered) in grants {
        match crossed.get_mut(&grant) {
            Some(tally) => tally.add(entered),
            // What is owed for a grant that was spent up elsewhere: its row is with whoever was granted it.
            None if entered == Tally::default() => {}
            None => report.fault("grants", format!("grant {grant}"), "it has entries but no row".to_owned()),
        }
    }
    walk.crossed = crossed;
    tx.for_each(
        "-- ledger::audit::debts
         SELECT site, amount FROM debt WHERE account_id = $1 ORDER BY site",
        params![&account],
        |row| {
            let (site, amount): (String, i64) = (row.get(0)?, row.get(1)?);
            let entered = debts.remove(&site).unwrap_or_default();
            if amount != entered {
                report.fault(
                    "debts",
                    format!("debt of {account} at {site:?}"),
                    format!("it is {amount}, its entries say {entered}"),
                );
            }
            Ok(())
        },
    )?;
    for (site, entered) in debts {
        if entered != 0 {
            report.fault(
                "debts",
                format!("debt of {account} at {site:?}"),
                format!("it is missing; its entries say {entered}"),
            );
        }
    }
    Ok(())
}

/// Compares the grants and debts that moved between accounts, once all chains were walked.
fn finish_crossed(tx: &mut Tx<'_>, walk: &mut Walk, report: &mut Report) -> Result<(), db::Error> {
    for (grant, entered) in std::mem::take(&mut walk.crossed) {
        let found = tx.query_opt(
            "-- ledger::audit::crossed
             SELECT id, amount, spent, reversed, expired, clawed, voided, adjusted, repaid
             FROM credit_grant WHERE id = $1",
            params![&grant],
            |row| compare_grant(row, &grant, entered, report),
        )?;
        if found.is_none() {
            report.fault("grants", format!("grant {grant}"), "it has entries but no row".to_owned());
        }
    }
    for ((one, other), difference) in std::mem::take(&mut walk.passed) {
        if difference != 0 {
            report.fault(
                "debts",
                format!("debts between {one} and {other}"),
                format!("what one handed over and what the other took over differ by {difference}"),
            );
        }
    }
    Ok(())
}

/// Compares a grant's row with what its entries add up to; `entered.granted` is what was granted less what
/// its slices still hold, so it must be what left them.
fn compare_grant(
    row: &Row<'_>,
    grant: &GrantId,
    entered: Tally,
    report: &mut Report,
) -> Result<(), db::Error> {
    let amount: i64 = row.get(1)?;
    let written = Tally {
        granted: 0,
        spent: row.get(2)?,
        reversed: row.get(3)?,
        expired: row.get(4)?,
        clawed: row.get(5)?,
        voided: row.get(6)?,
        adjusted: row.get(7)?,
        repaid: row.get(8)?,
    };
    let left = written.spent - written.reversed
        + written.expired
        + written.clawed
        + written.voided
        + written.adjusted
        + written.repaid;
    let name = format!("grant {grant}");
    if (Tally { granted: 0, ..entered }) != written {
        report.fault("grants", name, format!("it says {written:?}, its entries say {entered:?}"));
    } else if entered.granted != left {
        report.fault(
            "grants",
            name,
            format!("of {amount} granted {} should have left it, {left} did", entered.granted),
        );
    }
    Ok(())
}

/// A statement that must find nothing: each row it finds is a fault.
struct Check {
    rule: &'static str,
    sql: &'static str,
}

const CHECKS: &[Check] = &[
    Check {
        rule: "one grant per purchase",
        sql: "-- ledger::audit::purchases
              SELECT 'order ' || CAST(order_id AS TEXT) || ' line ' || CAST(line_id AS TEXT),
                     CAST(COUNT(*) AS TEXT) || ' grants have the same sequence'
              FROM credit_grant WHERE order_id IS NOT NULL
              GROUP BY store_id, order_id, line_id, line_seq HAVING COUNT(*) > 1",
    },
    // What a line granted beyond what it should have is lapsed, spent and borne by the shop, or held: none of
    // it can be left to be spent.
    Check {
        rule: "orders",
        sql: "-- ledger::audit::orders
              SELECT 'order ' || CAST(l.order_id AS TEXT) || ' line ' || CAST(l.line_id AS TEXT),
                     'it should have granted ' || CAST(l.target AS TEXT) || ' and has granted ' || CAST(l.booked AS TEXT)
              FROM order_line l JOIN shop_order o ON o.store_id = l.store_id AND o.order_id = l.order_id
              WHERE o.parked IS NULL AND o.attention IS NULL
                AND (l.target > l.booked
                     OR (l.target < l.booked AND EXISTS (
                            SELECT 1 FROM credit_grant g JOIN slice s ON s.grant_id = g.id
                            WHERE g.store_id = l.store_id AND g.order_id = l.order_id AND g.line_id = l.line_id
                              AND s.remaining > 0)))",
    },
    Check {
        rule: "orders",
        sql: "-- ledger::audit::booked
              SELECT 'order ' || CAST(l.order_id AS TEXT) || ' line ' || CAST(l.line_id AS TEXT),
                     'it says ' || CAST(l.booked AS TEXT) || ' are booked, its grants give at least '
                     || CAST(SUM(g.amount - g.clawed - g.expired - g.spent + g.reversed - g.repaid - g.voided - g.adjusted
                                 - COALESCE(d.due, 0)) AS TEXT)
              FROM order_line l
              JOIN credit_grant g ON g.store_id = l.store_id AND g.order_id = l.order_id AND g.line_id = l.line_id
              LEFT JOIN (SELECT grant_id, SUM(amount) AS due FROM claw_due GROUP BY grant_id) d ON d.grant_id = g.id
              GROUP BY l.store_id, l.order_id, l.line_id, l.booked
              HAVING l.booked < SUM(g.amount - g.clawed - g.expired - g.spent + g.reversed - g.repaid - g.voided - g.adjusted
                                    - COALESCE(d.due, 0))
                  OR l.booked > SUM(g.amount - g.clawed)",
    },
    Check {
        rule: "debits",
        sql: "-- ledger::audit::debits
              SELECT d.id, 'it took ' || CAST(d.credits AS TEXT) || ', its entries say ' || CAST(COALESCE(SUM(e.amount), 0) AS TEXT)
              FROM debit d LEFT JOIN entry e
                ON e.id BETWEEN d.first_entry AND d.last_entry AND e.account_id = d.account_id
               AND e.operation = d.id AND e.kind = 'spent'
              GROUP BY d.id, d.credits HAVING d.credits <> COALESCE(SUM(e.amount), 0)",
    },
    Check {
        rule: "holds",
        sql: "-- ledger::audit::held
              SELECT 'slice of ' || s.grant_id || ' in ' || s.account_id,
                     CAST(s.held AS TEXT) || ' are held, its open holds say ' || CAST(COALESCE(h.held, 0) AS TEXT)
              FROM slice s
              LEFT JOIN (SELECT o.account_id, p.grant_id, p.site, SUM(p.credits) AS held
                         FROM hold o JOIN hold_slice p ON p.hold_id = o.id WHERE o.state = 'open'
                         GROUP BY o.account_id, p.grant_id, p.site) h
                ON h.account_id = s.account_id AND h.grant_id = s.grant_id AND h.site = s.site
              WHERE s.held <> COALESCE(h.held, 0)",
    },
    Check {
        rule: "holds",
        sql: "-- ledger::audit::holds
              SELECT h.id, 'it holds ' || CAST(h.credits AS TEXT) || ', its slices gave ' || CAST(COALESCE(p.sum, 0) AS TEXT)
                     || ' and its debit took ' || CAST(COALESCE(d.credits, 0) AS TEXT) || ' of '
                     || CAST(h.captured AS TEXT) || ' captured'
              FROM hold h
              LEFT JOIN (SELECT hold_id, SUM(credits) AS sum FROM hold_slice GROUP BY hold_id) p ON p.hold_id = h.id
              LEFT JOIN debit d ON d.id = h.debit_id AND d.hold_id = h.id
              WHERE h.credits <> h.uncovered + COALESCE(p.sum, 0) OR h.captured <> COALESCE(d.credits, 0)",
    },
    Check {
        rule: "holds",
        sql: "-- ledger::audit::holding
              SELECT c.account_id || ' ' || c.site || ' ' || c.agent,
                     'counted ' || CAST(c.held AS TEXT) || ' held, its open holds say ' || CAST(COALESCE(h.held, 0) AS TEXT)
              FROM holding c
              LEFT JOIN (SELECT account_id, site, '' AS agent, SUM(credits) AS held FROM hold WHERE state = 'open'
                         GROUP BY account_id, site
                         UNION ALL
                         SELECT account_id, site, agent, SUM(credits) FROM hold
                         WHERE state = 'open' AND agent IS NOT NULL GROUP BY account_id, site, agent) h
                ON h.account_id = c.account_id AND h.site = c.site AND h.agent = c.agent
              WHERE c.held <> COALESCE(h.held, 0)",
    },
    Check {
        rule: "holds",
        sql: "-- ledger::audit::releases
              SELECT a.id, 'it does not know when its next hold is over'
              FROM account a
              LEFT JOIN (SELECT account_id, MIN(expires_at) AS over_at FROM hold WHERE state = 'open'
                         GROUP BY account_id) h ON h.account_id = a.id
              WHERE COALESCE(a.next_release, -1) <> COALESCE(h.over_at, -1)",
    },
    Check {
        rule: "holds",
        sql: "-- ledger::audit::dues
              SELECT 'grant ' || d.grant_id || ' in ' || d.account_id,
                     CAST(d.due AS TEXT) || ' are to be taken back of ' || CAST(COALESCE(s.held, 0) AS TEXT) || ' held'
              FROM (SELECT account_id, grant_id, SUM(amount) AS due FROM claw_due GROUP BY account_id, grant_id) d
              LEFT JOIN (SELECT account_id, grant_id, SUM(held) AS held FROM slice GROUP BY account_id, grant_id) s
                ON s.account_id = d.account_id AND s.grant_id = d.grant_id
              WHERE d.due > COALESCE(s.held, 0)",
    },
    Check {
        rule: "reversals",
        sql: "-- ledger::audit::reversals
              SELECT d.id, CAST(d.reversed AS TEXT) || ' were given back, its reversal says '
                     || CAST(COALESCE(r.credits, 0) AS TEXT) || ', the entries ' || CAST(COALESCE(e.sum, 0) AS TEXT)
              FROM debit d
              LEFT JOIN reversal r ON r.debit_id = d.id
              LEFT JOIN (SELECT operation, SUM(amount) AS sum FROM entry WHERE kind = 'reversed' GROUP BY operation) e
                ON e.operation = r.id
              WHERE d.reversed <> COALESCE(r.credits, 0) OR d.reversed <> COALESCE(e.sum, 0)",
    },
    Check {
        rule: "counters",
        sql: "-- ledger::audit::counters
              SELECT c.account_id || ' ' || c.site || CASE c.agent WHEN '' THEN '' ELSE ' ' || c.agent END || ' by ' || c.per,
                     'counted ' || CAST(SUM(c.counted) AS TEXT) || ', its debits say ' || CAST(SUM(c.spent) AS TEXT)
              FROM (SELECT account_id, site, agent, per, captured AS counted, 0 AS spent FROM spending
                    UNION ALL
                    SELECT COALESCE(a.merged_into, a.id), d.site, d.agent, p.per, 0, d.spent
                    FROM (SELECT account_id, site, '' AS agent, SUM(credits - reversed) AS spent FROM debit
                          GROUP BY account_id, site
                          UNION ALL
                          SELECT account_id, site, agent, SUM(credits - reversed) FROM debit WHERE agent IS NOT NULL
                          GROUP BY account_id, site, agent) d
                    JOIN account a ON a.id = d.account_id
                    CROSS JOIN (SELECT 'day' AS per UNION ALL SELECT 'month') p) c
              GROUP BY c.account_id, c.site, c.agent, c.per HAVING SUM(c.counted) <> SUM(c.spent)",
    },
    Check {
        rule: "plans",
        sql: "-- ledger::audit::periods
              SELECT p.grant_id, 'plan ' || p.plan || ' brought it before the period that another grant is for was over'
              FROM (SELECT r.grant_id, r.plan, r.period_start,
                           LAG(g.expires_at) OVER (PARTITION BY r.account_id, r.plan, r.site
                                                   ORDER BY r.period_start) AS over_at
                    FROM plan_grant r JOIN credit_grant g ON g.id = r.grant_id WHERE r.carried_over = 0) p
              WHERE p.over_at > p.period_start",
    },
    Check {
        rule: "plans",
        sql: "-- ledger::audit::renewals
              SELECT a.id, 'it does not know when its plans bring credits next'
              FROM account a
              LEFT JOIN (SELECT account_id, MIN(due_at) AS due_at FROM subscription WHERE stopped_at IS NULL
                         GROUP BY account_id) s ON s.account_id = a.id
              WHERE COALESCE(a.next_renewal, -1) <> COALESCE(s.due_at, -1)",
    },
    Check {
        rule: "merged accounts",
        sql: "-- ledger::audit::merged
              SELECT a.id, 'it is part of ' || a.merged_into || ' and something is still its own'
              FROM account a JOIN account b ON b.id = a.merged_into
              WHERE b.merged_into IS NOT NULL
                 OR EXISTS (SELECT 1 FROM slice s WHERE s.account_id = a.id AND (s.remaining > 0 OR s.held > 0))
                 OR EXISTS (SELECT 1 FROM hold h WHERE h.account_id = a.id AND h.state = 'open')
                 OR EXISTS (SELECT 1 FROM debt d WHERE d.account_id = a.id AND d.amount > 0)
                 OR EXISTS (SELECT 1 FROM spending c WHERE c.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM spending_hour h WHERE h.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM spending_limit l WHERE l.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM spending_policy y WHERE y.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM brake k WHERE k.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM subscription p WHERE p.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM site s WHERE s.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM customer c WHERE c.account_id = a.id)
                 OR EXISTS (SELECT 1 FROM shop_order o WHERE o.account_id = a.id)",
    },
    Check {
        rule: "activity",
        sql: "-- ledger::audit::activity
              SELECT a.id, 'its lines add up to ' || CAST(COALESCE(l.sum, 0) AS TEXT)
                     || ', its slices hold ' || CAST(COALESCE(s.sum, 0) AS TEXT)
              FROM account a
              LEFT JOIN (SELECT account_id, SUM(credits) AS sum FROM activity GROUP BY account_id) l ON l.account_id = a.id
              LEFT JOIN (SELECT account_id, SUM(remaining + held) AS sum FROM slice GROUP BY account_id) s
                ON s.account_id = a.id
              WHERE COALESCE(l.sum, 0) <> COALESCE(s.sum, 0)",
    },
];

fn sums(tx: &mut Tx<'_>, check: &Check, report: &mut Report) -> Result<(), db::Error> {
    tx.for_each(check.sql, params![], |row| {
        report.fault(check.rule, row.get(0)?, row.get(1)?);
        Ok(())
    })
}

/// Hours that are too old to matter are forgotten; the others are their debits.
fn hours(tx: &mut Tx<'_>, report: &mut Report) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::hours
         SELECT h.account_id || ' ' || h.site, h.hour,
                'counted ' || CAST(h.captured AS TEXT) || ', its debits say ' || CAST(COALESCE(d.spent, 0) AS TEXT)
         FROM spending_hour h
         LEFT JOIN (SELECT COALESCE(a.merged_into, a.id) AS account_id, t.site,
                           t.booked_at - t.booked_at % 3600000 AS hour, SUM(t.credits - t.reversed) AS spent
                    FROM debit t JOIN account a ON a.id = t.account_id GROUP BY 1, t.site, 3) d
           ON d.account_id = h.account_id AND d.site = h.site AND d.hour = h.hour
         WHERE h.captured <> COALESCE(d.spent, 0)",
        params![],
        |row| {
            let (site, hour): (String, Timestamp) = (row.get(0)?, row.get(1)?);
            report.fault("counters", format!("{site} in the hour from {}", hour.in_words()), row.get(2)?);
            Ok(())
        },
    )
}

impl Report {
    fn fault(&mut self, rule: &'static str, row: String, detail: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { rule, row, detail });
        }
    }
}
