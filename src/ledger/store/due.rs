//! Money went back for credits that a hold has set aside: they are taken back as soon as the hold ends.
//!
//! Of a grant never more is due than is held of it. What a hold gives back is taken first; what it uses is a
//! shortfall only when the holds that are still open cannot give back enough.

use super::{Error, LockedAccount};
use crate::db::{self, Tx};
use crate::id::{AccountId, GrantId};
use crate::ledger::act::{Purchase, Shortfall, Shown};
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::slice::Compartment;
use crate::params;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

/// What is to be taken back of a grant.
#[derive(Clone, Debug)]
pub(super) struct Due {
    /// What brought the news.
    pub(super) operation: String,
    /// How much is still to be taken.
    pub(super) amount: Credits,
    /// What becomes of what is used instead.
    pub(super) shortfall: Shortfall,
    /// Where that is owed.
    pub(super) home: Compartment,
    /// What the customer reads.
    pub(super) label: String,
}

/// How much of a grant is to be taken back from what an account holds of it.
pub(super) fn sum(tx: &mut Tx<'_>, account: &AccountId, grant: &GrantId) -> Result<Credits, db::Error> {
    tx.query_one(
        "-- ledger::store::due::sum
         SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM claw_due WHERE account_id = $1 AND grant_id = $2",
        params![account, grant],
        |row| row.get(0),
    )
}

/// Remembers that `due` is to be taken back from what `account` holds of `grant`.
pub(super) fn add(tx: &mut Tx<'_>, account: &AccountId, grant: &GrantId, due: &Due) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- ledger::store::due::add
         INSERT INTO claw_due (account_id, grant_id, operation, amount, shortfall, home, label, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (account_id, grant_id, operation) DO UPDATE SET amount = claw_due.amount + excluded.amount",
        params![
            account,
            grant,
            &due.operation,
            due.amount,
            due.shortfall.as_str(),
            due.home.column(),
            &due.label,
            now,
        ],
    )?;
    Ok(())
}

fn lessen(
    tx: &mut Tx<'_>,
    account: &AccountId,
    grant: &GrantId,
    due: &Due,
    by: Credits,
) -> Result<(), db::Error> {
    if by == due.amount {
        tx.execute(
            "-- ledger::store::due::lessen (all)
             DELETE FROM claw_due WHERE account_id = $1 AND grant_id = $2 AND operation = $3",
            params![account, grant, &due.operation],
        )?;
    } else {
        tx.execute(
            "-- ledger::store::due::lessen
             UPDATE claw_due SET amount = amount - $4
             WHERE account_id = $1 AND grant_id = $2 AND operation = $3",
            params![account, grant, &due.operation, by],
        )?;
    }
    Ok(())
}

fn of(tx: &mut Tx<'_>, account: &AccountId, grant: &GrantId) -> Result<Vec<Due>, db::Error> {
    tx.query(
        "-- ledger::store::due::of
         SELECT operation, amount, shortfall, home, label FROM claw_due
         WHERE account_id = $1 AND grant_id = $2 ORDER BY created_at, operation",
        params![account, grant],
        |row| {
            let shortfall: String = row.get(2)?;
            Ok(Due {
                operation: row.get(0)?,
                amount: row.get(1)?,
                shortfall: Shortfall::named(&shortfall)
                    .ok_or(db::Error::Column { column: 2, found: shortfall })?,
                home: row.get(3)?,
                label: row.get(4)?,
            })
        },
    )
}

impl LockedAccount<'_, '_> {
    /// Takes back what is due of a grant from `amount` that came back to one of its slices; answers how much.
    pub(super) fn claw_due(
        &mut self,
        grant: &GrantId,
        lies_at: &Compartment,
        amount: Credits,
        at: Timestamp,
    ) -> Result<Credits, Error> {
        let mut left = amount;
        for due in of(self.tx, &self.id, grant)? {
            let credits = left.min(due.amount);
            if credits.is_zero() {
                break;
            }
            left = left.saturating_sub(credits);
            lessen(self.tx, &self.id, grant, &due, credits)?;
            let first = self.post(&[Posting {
                operation: &due.operation,
                kind: Kind::Clawed,
                grant: Some(grant),
                source: Place::Compartment(lies_at.clone()),
                target: Place::Clawback,
                amount: credits,
                booked_at: at,
            }])?;
            let (order, change) = (self.order_of(grant)?, Delta::minus(credits));
            self.show_at(at, first, 0, Shown::Refund, lies_at, &due.label, change, order)?;
        }
        Ok(amount.saturating_sub(left))
    }

    /// Lets what is due of a grant and can no longer come back, because it was used, be owed or borne.
    pub(super) fn owe_captured(&mut self, grant: &GrantId) -> Result<(), Error> {
        let dues = of(self.tx, &self.id, grant)?;
        if dues.is_empty() {
            return Ok(());
        }
        let held: Credits = self.tx.query_one(
            "-- ledger::store::due::owe_captured
             SELECT CAST(COALESCE(SUM(held), 0) AS BIGINT) FROM slice WHERE account_id = $1 AND grant_id = $2",
            params![&self.id, grant],
            |row| row.get(0),
        )?;
        let due: Credits = dues.iter().map(|due| due.amount).sum();
        let mut lacking = due.saturating_sub(held);
        for due in dues {
            let amount = lacking.min(due.amount);
            if amount.is_zero() {
                break;
            }
            lacking = lacking.saturating_sub(amount);
            lessen(self.tx, &self.id, grant, &due, amount)?;
            let home = self.own_or_pool(&due.home)?;
            self.owe_of(&due.operation, grant, amount, due.shortfall, &home)?;
            if due.shortfall == Shortfall::WriteOff {
                // What the shop bears counts as granted, as it does when it was used before its money went back.
                self.rebook(grant, Delta::plus(amount))?;
            }
            if due.shortfall == Shortfall::Freeze {
                let order = self.order_of(grant)?.unwrap_or_default();
                self.freeze_for(order, amount)?;
            }
        }
        Ok(())
    }

    /// Takes up to `amount` of a purchase back no more, because it counts again; answers how much that is.
    pub fn forgive_due(&mut self, purchase: Purchase, amount: Credits) -> Result<Credits, Error> {
        let grants: Vec<(AccountId, GrantId)> = self.tx.query(
            "-- ledger::store::due::forgive_due
             SELECT DISTINCT d.account_id, d.grant_id FROM claw_due d JOIN credit_grant g ON g.id = d.grant_id
             WHERE g.store_id = $1 AND g.order_id = $2 AND g.line_id = $3 ORDER BY d.account_id, d.grant_id",
            params![purchase.store, purchase.order, purchase.line],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut left = amount;
        for (account, grant) in grants {
            for due in of(self.tx, &account, &grant)? {
                let by = left.min(due.amount);
                if !by.is_zero() {
                    left = left.saturating_sub(by);
                    lessen(self.tx, &account, &grant, &due, by)?;
                }
            }
        }
        Ok(amount.saturating_sub(left))
    }

    /// Changes what counts as granted of the order line that a grant is of.
    pub(super) fn rebook(&mut self, grant: &GrantId, change: Delta) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::due::rebook
             UPDATE order_line SET booked = booked + $2
             WHERE EXISTS (SELECT 1 FROM credit_grant g
                           WHERE g.id = $1 AND g.store_id = order_line.store_id AND g.order_id = order_line.order_id
                             AND g.line_id = order_line.line_id)",
            params![grant, change],
        )?;
        Ok(())
    }

    /// The order that a grant was bought with.
    pub(super) fn order_of(&mut self, grant: &GrantId) -> Result<Option<i64>, Error> {
        Ok(self.tx.query_one(
            "-- ledger::store::due::order_of
             SELECT order_id FROM credit_grant WHERE id = $1",
            params![grant],
            |row| row.get(0),
        )?)
    }
}
