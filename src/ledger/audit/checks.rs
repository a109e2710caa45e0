//! Statements that must find nothing: each row they find is a fault.
//!
//! Some need time and temporary space in proportion to what they look at; they are run only where [`super::rows`]
//! says that there is something to be found.

use super::Report;
use crate::db::{self, Tx};
use crate::params;
use crate::time::Timestamp;

/// A statement that must find nothing: each row it finds is a fault.
pub(super) struct Check {
    rule: &'static str,
    sql: &'static str,
}

/// What is looked at row by row.
pub(super) const CHECKS: &[Check] = &[
    Check {
        rule: "one grant per purchase",
        sql: "-- ledger::audit::checks::purchases
              SELECT 'order ' || CAST(order_id AS TEXT) || ' line ' || CAST(line_id AS TEXT),
                     CAST(COUNT(*) AS TEXT) || ' grants have the same sequence'
              FROM credit_grant WHERE order_id IS NOT NULL
              GROUP BY store_id, order_id, line_id, line_seq HAVING COUNT(*) > 1",
    },
    // What a line granted beyond what it should have is lapsed, spent and borne by the shop, or held: none of
    // it can be left to be spent.
    Check {
        rule: "orders",
        sql: "-- ledger::audit::checks::orders
              SELECT 'order ' || CAST(l.order_id AS TEXT) || ' line ' || CAST(l.line_id AS TEXT),
                     'it should have granted ' || CAST(l.target AS TEXT) || ' and has granted ' || CAST(l.booked AS TEXT)
              FROM order_line l JOIN shop_order o ON o.store_id = l.store_id AND o.order_id = l.order_id
              WHERE o.parked IS NULL AND o.attention IS NULL
                AND (l.target > l.booked
                     OR (l.target < l.booked AND EXISTS (
                            SELECT 1 FROM credit_grant g JOIN slice_now s ON s.grant_id = g.id
                            WHERE g.store_id = l.store_id AND g.order_id = l.order_id AND g.line_id = l.line_id
                              AND s.remaining > 0)))",
    },
    Check {
        rule: "orders",
        sql: "-- ledger::audit::checks::booked
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
        rule: "holds",
        sql: "-- ledger::audit::checks::held
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
        sql: "-- ledger::audit::checks::holds
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
        sql: "-- ledger::audit::checks::holding
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
        sql: "-- ledger::audit::checks::releases
              SELECT a.id, 'it does not know when its next hold is over'
              FROM account a
              LEFT JOIN (SELECT account_id, MIN(expires_at) AS over_at FROM hold WHERE state = 'open'
                         GROUP BY account_id) h ON h.account_id = a.id
              WHERE COALESCE(a.next_release, -1) <> COALESCE(h.over_at, -1)",
    },
    Check {
        rule: "holds",
        sql: "-- ledger::audit::checks::dues
              SELECT 'grant ' || d.grant_id || ' in ' || d.account_id,
                     CAST(d.due AS TEXT) || ' are to be taken back of ' || CAST(COALESCE(s.held, 0) AS TEXT) || ' held'
              FROM (SELECT account_id, grant_id, SUM(amount) AS due FROM claw_due GROUP BY account_id, grant_id) d
              LEFT JOIN (SELECT account_id, grant_id, SUM(held) AS held FROM slice GROUP BY account_id, grant_id) s
                ON s.account_id = d.account_id AND s.grant_id = d.grant_id
              WHERE d.due > COALESCE(s.held, 0)",
    },
    Check {
        rule: "plans",
        sql: "-- ledger::audit::checks::periods
              SELECT p.grant_id, 'plan ' || p.plan || ' brought it before the period that another grant is for was over'
              FROM (SELECT r.grant_id, r.plan, r.period_start,
                           LAG(g.expires_at) OVER (PARTITION BY r.account_id, r.plan, r.site
                                                   ORDER BY r.period_start) AS over_at
                    FROM plan_grant r JOIN credit_grant g ON g.id = r.grant_id WHERE r.carried_over = 0) p
              WHERE p.over_at > p.period_start",
    },
    Check {
        rule: "plans",
        sql: "-- ledger::audit::checks::renewals
              SELECT a.id, 'it does not know when its plans bring credits next'
              FROM account a
              LEFT JOIN (SELECT account_id, MIN(due_at) AS due_at FROM subscription WHERE stopped_at IS NULL
                         GROUP BY account_id) s ON s.account_id = a.id
              WHERE COALESCE(a.next_renewal, -1) <> COALESCE(s.due_at, -1)",
    },
    Check {
        rule: "merged accounts",
        sql: "-- ledger::audit::checks::merged
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
                 OR EXISTS (SELECT 1 FROM shop_order o WHERE o.account_id = a.id AND o.granted IS NULL)
                 OR EXISTS (SELECT 1 FROM credit_grant g
                            JOIN shop_order o ON o.store_id = g.store_id AND o.order_id = g.order_id
                            WHERE g.account_id = a.id AND o.account_id = a.id)",
    },
    // By these marks an account's grants and orders are found.
    Check {
        rule: "orders",
        sql: "-- ledger::audit::checks::granted
              SELECT 'order ' || CAST(o.order_id AS TEXT), 'no grant of its account names it'
              FROM shop_order o
              WHERE o.granted = 1
                AND NOT EXISTS (SELECT 1 FROM credit_grant g
                                WHERE g.store_id = o.store_id AND g.order_id = o.order_id
                                  AND g.account_id = o.account_id)",
    },
    Check {
        rule: "slices",
        sql: "-- ledger::audit::checks::moved
              SELECT 'slice of ' || s.grant_id || ' in ' || s.account_id, 'it is not marked as another account''s'
              FROM slice s JOIN credit_grant g ON g.id = s.grant_id
              WHERE s.moved = 0 AND s.account_id <> g.account_id",
    },
];

/// Which debits are not what the entries say.
pub(super) const DEBITS: &[Check] = &[
    Check {
        rule: "debits",
        sql: "-- ledger::audit::checks::debits
              SELECT d.id, 'it took ' || CAST(d.credits AS TEXT) || ', its entries say ' || CAST(COALESCE(SUM(e.amount), 0) AS TEXT)
              FROM debit d LEFT JOIN entry e
                ON e.id BETWEEN d.first_entry AND d.last_entry AND e.account_id = d.account_id
               AND e.operation = d.id AND e.kind = 'spent'
              GROUP BY d.id, d.credits, d.first_entry, d.last_entry
              HAVING d.credits <> COALESCE(SUM(e.amount), 0) OR d.first_entry <> MIN(e.id) OR d.last_entry <> MAX(e.id)",
    },
    Check {
        rule: "debits",
        sql: "-- ledger::audit::checks::spent
              SELECT e.operation, 'entry ' || CAST(e.seq AS TEXT) || ' of ' || e.account_id || ' took ' || CAST(e.amount AS TEXT)
                     || ', and there is no such debit'
              FROM entry e LEFT JOIN debit d ON d.id = e.operation AND d.account_id = e.account_id
              WHERE e.kind = 'spent' AND d.id IS NULL",
    },
];

/// Which debits were not given back what the entries and the reversals say.
pub(super) const REVERSALS: &[Check] = &[
    Check {
        rule: "reversals",
        sql: "-- ledger::audit::checks::reversals
              SELECT d.id, CAST(d.reversed AS TEXT) || ' were given back, its reversal says '
                     || CAST(COALESCE(r.credits, 0) AS TEXT) || ', the entries ' || CAST(COALESCE(e.sum, 0) AS TEXT)
              FROM debit d
              LEFT JOIN reversal r ON r.debit_id = d.id
              LEFT JOIN (SELECT operation, SUM(amount) AS sum FROM entry WHERE kind = 'reversed' GROUP BY operation) e
                ON e.operation = r.id
              WHERE d.reversed <> COALESCE(r.credits, 0) OR d.reversed <> COALESCE(e.sum, 0)",
    },
    Check {
        rule: "reversals",
        sql: "-- ledger::audit::checks::given_back
              SELECT e.operation, 'entry ' || CAST(e.seq AS TEXT) || ' of ' || e.account_id || ' gave '
                     || CAST(e.amount AS TEXT) || ' back, and there is no such reversal'
              FROM entry e LEFT JOIN reversal r ON r.id = e.operation WHERE e.kind = 'reversed' AND r.id IS NULL",
    },
];

/// Which counters are not the sums of their debits.
pub(super) const COUNTERS: &[Check] = &[
    Check {
        rule: "counters",
        sql: "-- ledger::audit::checks::counters
              SELECT c.account_id || ' ' || c.site || CASE c.agent WHEN '' THEN '' ELSE ' ' || c.agent END || ' by ' || c.per,
                     'counted ' || CAST(SUM(c.counted) AS TEXT) || ', its debits say ' || CAST(SUM(c.spent) AS TEXT)
              FROM (SELECT account_id, site, agent, per, captured AS counted, 0 AS spent FROM spending
                    UNION ALL
                    SELECT u.account_id, u.site, u.agent, p.per, u.captured, 0 FROM unsettled_spending u
                    CROSS JOIN (SELECT 'day' AS per UNION ALL SELECT 'month') p
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
];

/// Whose lines do not add up.
pub(super) const ACTIVITY: &[Check] = &[Check {
    rule: "activity",
    sql: "-- ledger::audit::checks::activity
              SELECT a.id, 'its lines add up to ' || CAST(COALESCE(l.sum, 0) AS TEXT)
                     || ', its slices hold ' || CAST(COALESCE(s.sum, 0) AS TEXT)
              FROM account a
              LEFT JOIN (SELECT c.account_id, SUM(c.credits) AS sum
                         FROM (SELECT account_id, credits FROM activity
                               UNION ALL
                               SELECT account_id, -credits FROM unsettled_line) c
                         GROUP BY c.account_id) l ON l.account_id = a.id
              LEFT JOIN (SELECT account_id, SUM(remaining + held) AS sum FROM slice_now GROUP BY account_id) s
                ON s.account_id = a.id
              WHERE COALESCE(l.sum, 0) <> COALESCE(s.sum, 0)",
}];

/// Tells what the statements find.
pub(super) fn run(tx: &mut Tx<'_>, checks: &[Check], report: &mut Report) -> Result<(), db::Error> {
    for check in checks {
        tx.for_each(check.sql, params![], |row| {
            report.fault(check.rule, row.get(0)?, row.get(1)?);
            Ok(())
        })?;
    }
    Ok(())
}

/// Hours that are too old to matter are forgotten; the others are their debits.
pub(super) fn hours(tx: &mut Tx<'_>, report: &mut Report) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::checks::hours
         SELECT h.account_id || ' ' || h.site, h.hour,
                'counted ' || CAST(h.captured AS TEXT) || ', its debits say ' || CAST(COALESCE(d.spent, 0) AS TEXT)
         FROM (SELECT account_id, site, hour, CAST(SUM(captured) AS BIGINT) AS captured
               FROM (SELECT account_id, site, hour, captured FROM spending_hour
                     UNION ALL
                     SELECT account_id, site, since - since % 3600000, captured FROM unsettled_spending
                     WHERE agent = '') c
               GROUP BY account_id, site, hour) h
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

/// What was spent for what is what its debits say.
pub(super) fn uses(tx: &mut Tx<'_>, report: &mut Report) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::checks::uses
         SELECT u.account_id || ' ' || u.site || ' ' || u.agent || ' ' || u.action, u.hour,
                'counted ' || CAST(SUM(u.counted) AS TEXT) || ', its debits say ' || CAST(SUM(u.spent) AS TEXT)
         FROM (SELECT account_id, site, hour, agent, action, credits AS counted, 0 AS spent FROM usage_now
               UNION ALL
               SELECT account_id, site, booked_at - booked_at % 3600000, COALESCE(agent, ''), COALESCE(action, ''), 0,
                      credits - reversed
               FROM debit) u
         GROUP BY u.account_id, u.site, u.hour, u.agent, u.action HAVING SUM(u.counted) <> SUM(u.spent)",
        params![],
        |row| {
            let (of, hour): (String, Timestamp) = (row.get(0)?, row.get(1)?);
            report.fault("counters", format!("use of {of} in the hour from {}", hour.in_words()), row.get(2)?);
            Ok(())
        },
    )
}

/// The debits of an hour are where the account's entries of that hour that spend are.
pub(super) fn places(tx: &mut Tx<'_>, report: &mut Report) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::checks::places
         SELECT p.account_id, p.hour, 'said to be from entry ' || CAST(COALESCE(MAX(p.first_said), 0) AS TEXT) || ' to '
                || CAST(COALESCE(MAX(p.last_said), 0) AS TEXT) || ', and are from '
                || CAST(COALESCE(MAX(p.first_is), 0) AS TEXT) || ' to ' || CAST(COALESCE(MAX(p.last_is), 0) AS TEXT)
         FROM (SELECT account_id, hour, MIN(first_entry) AS first_said, MAX(last_entry) AS last_said,
                      NULL AS first_is, NULL AS last_is
               FROM spent_now GROUP BY account_id, hour
               UNION ALL
               SELECT account_id, booked_at - booked_at % 3600000, NULL, NULL, MIN(id), MAX(id)
               FROM entry WHERE kind = 'spent' GROUP BY 1, 2) p
         GROUP BY p.account_id, p.hour
         HAVING COALESCE(MAX(p.first_said), 0) <> COALESCE(MAX(p.first_is), 0)
             OR COALESCE(MAX(p.last_said), 0) <> COALESCE(MAX(p.last_is), 0)",
        params![],
        |row| {
            let (account, hour): (String, Timestamp) = (row.get(0)?, row.get(1)?);
            report.fault("counters", format!("debits of {account} in the hour from {}", hour.in_words()), row.get(2)?);
            Ok(())
        },
    )
}
