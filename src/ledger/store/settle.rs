//! What is unsettled, in the database: read by all, settled under the account's lock.

use std::collections::BTreeMap;

use super::{Error, LockedAccount};
use crate::db::{self, FromColumn, Row, Tx};
use crate::id::{AccountId, GrantId, SiteId};
use crate::ledger::unsettled::{Hour, Spent, Taken, Unsettled, Used};
use crate::params;
use crate::time::Timestamp;
use crate::units::Delta;

/// What the account's debits changed that no table says yet.
pub fn unsettled(tx: &mut Tx<'_>, account: &AccountId) -> Result<Unsettled, db::Error> {
    let found = tx.query_opt(
        "-- ledger::store::settle::unsettled
         SELECT unsettled FROM account WHERE id = $1",
        params![account],
        |row| row.get::<Option<Unsettled>>(0),
    )?;
    Ok(found.flatten().unwrap_or_default())
}

impl Unsettled {
    /// As it is written in the row of its account.
    pub(super) fn column(&self) -> Result<Option<String>, db::Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let written = serde_json::to_string(self);
        written
            .map(Some)
            .map_err(|error| db::Error::Unusable(format!("what is unsettled cannot be written: {error}")))
    }
}

impl FromColumn for Option<Unsettled> {
    fn from_column(row: &Row<'_>, column: usize) -> Result<Self, db::Error> {
        let Some(text) = Option::<String>::from_column(row, column)? else { return Ok(None) };
        serde_json::from_str(&text).map_err(|_| db::Error::Column { column, found: text })
    }
}

impl LockedAccount<'_, '_> {
    /// Adds to the tables what the account's debits changed.
    pub(super) fn settle(&mut self, unsettled: &Unsettled) -> Result<(), Error> {
        // Added up first: each row is written once, and in the order in which rows lie.
        let (mut spent, mut counted, mut hours) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for Taken(grant, site, credits) in &unsettled.taken {
            self.settle_taken(grant, site, *credits)?;
            *spent.entry(grant).or_insert(0) += credits;
        }
        for (grant, credits) in spent {
            self.settle_spent(grant, credits)?;
        }
        for Spent(site, agent, credits, since) in &unsettled.spent {
            let at = Timestamp::from_millis(*since);
            for per in super::spend::COUNTED {
                let place = (site, agent.as_str(), per.as_str(), per.start(at, self.zone));
                *counted.entry(place).or_insert(0) += credits;
            }
            if agent.is_empty() {
                *hours.entry((site, at.hour())).or_insert(0) += credits;
            }
        }
        for ((site, agent, per, start), credits) in counted {
            self.count(site, agent, per, start, Delta::from_micro(credits))?;
        }
        for ((site, hour), credits) in hours {
            self.count_hour(site, hour, Delta::from_micro(credits))?;
        }
        for Used(site, hour, agent, action, credits) in &unsettled.used {
            let (hour, credits) = (Timestamp::from_millis(*hour), Delta::from_micro(*credits));
            self.count_use(site, hour, agent, action, credits)?;
        }
        for Hour(hour, first, last) in &unsettled.hours {
            self.note_spent(Timestamp::from_millis(*hour), (*first, *last))?;
        }
        for line in &unsettled.lines {
            self.show_used(line)?;
        }
        self.tx.execute(
            "-- ledger::store::settle::settle
             UPDATE account SET unsettled = NULL WHERE id = $1",
            params![&self.id],
        )?;
        Ok(())
    }

    fn settle_taken(&mut self, grant: &GrantId, site: &str, credits: i64) -> Result<(), Error> {
        let touched = self.tx.execute(
            "-- ledger::store::settle::settle_taken
             UPDATE slice SET remaining = remaining - $4
             WHERE grant_id = $1 AND account_id = $2 AND site = $3",
            params![grant, &self.id, site, credits],
        )?;
        assert_eq!(touched, 1, "credits were taken from a slice that exists");
        Ok(())
    }

    fn settle_spent(&mut self, grant: &GrantId, credits: i64) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::settle::settle_spent
             UPDATE credit_grant SET spent = spent + $2 WHERE id = $1",
            params![grant, credits],
        )?;
        Ok(())
    }

    /// Adds `change` to what was spent for the site, or by one of its assistants, in the period that begins at `start`.
    pub(super) fn count(
        &mut self,
        site: &SiteId,
        agent: &str,
        per: &str,
        start: Timestamp,
        change: Delta,
    ) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::settle::count
             INSERT INTO spending (account_id, site, agent, per, period_start, captured)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (account_id, site, agent, per, period_start)
             DO UPDATE SET captured = spending.captured + excluded.captured",
            params![&self.id, site, agent, per, start, change],
        )?;
        Ok(())
    }

    /// Adds `credits` to what was spent in an hour for the site, by an assistant and for an action, or by none and for
    /// none.
    pub(super) fn count_use(
        &mut self,
        site: &SiteId,
        hour: Timestamp,
        agent: &str,
        action: &str,
        credits: Delta,
    ) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::settle::count_use
             INSERT INTO usage_hour (account_id, site, hour, agent, action, credits) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (account_id, site, hour, agent, action)
             DO UPDATE SET credits = usage_hour.credits + excluded.credits",
            params![&self.id, site, hour, agent, action, credits],
        )?;
        Ok(())
    }

    /// Notes where debits of an hour are, which are the account's newest: the ids of their first and their last entry.
    pub(super) fn note_spent(&mut self, hour: Timestamp, (first, last): (i64, i64)) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::settle::note_spent
             INSERT INTO spent_hour (account_id, hour, first_entry, last_entry) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account_id, hour) DO UPDATE SET last_entry = excluded.last_entry",
            params![&self.id, hour, first, last],
        )?;
        Ok(())
    }
}
