//! The lines a customer reads.

use super::{Error, LockedAccount};
use crate::ledger::act::{NewDebit, Shown};
use crate::ledger::slice::Compartment;
use crate::ledger::unsettled::Line;
use crate::params;
use crate::time::Timestamp;
use crate::units::Delta;

impl LockedAccount<'_, '_> {
    #[expect(clippy::too_many_arguments, reason = "a line of the activity has that many columns")]
    pub(super) fn show(
        &mut self,
        entry: i64,
        part: i64,
        shown: Shown,
        compartment: &Compartment,
        label: &str,
        change: Delta,
        order: Option<i64>,
    ) -> Result<(), Error> {
        self.show_at(self.tx.now(), entry, part, shown, compartment, label, change, order)
    }

    /// Writes the line a customer reads of a debit; a burst of equal usage in one hour is one line.
    pub(super) fn show_usage(&mut self, entry: i64, new: &NewDebit) -> Result<(), Error> {
        self.show_used(&Line::of(self.tx.now(), entry, new))
    }

    /// Adds to the line a customer reads, or begins it.
    pub(super) fn show_used(&mut self, line: &Line) -> Result<(), Error> {
        let at = Timestamp::from_millis(line.at);
        self.tx.execute(
            "-- ledger::store::show::show_used
             INSERT INTO activity (account_id, seq, at, hour, kind, site, label, quantity, credits, order_id)
             VALUES ($1, $2, $3, $4, 'usage', $5, $6, $7, $8, NULL)
             ON CONFLICT (account_id, hour, site, label) WHERE kind = 'usage'
             DO UPDATE SET credits = activity.credits + excluded.credits,
                           quantity = activity.quantity + excluded.quantity",
            params![&self.id, line.seq, at, at.hour(), &line.site, &line.label, line.quantity, -line.credits],
        )?;
        Ok(())
    }

    /// Writes the line a customer reads.
    #[expect(clippy::too_many_arguments, reason = "a line of the activity has that many columns")]
    pub(super) fn show_at(
        &mut self,
        at: Timestamp,
        entry: i64,
        part: i64,
        shown: Shown,
        compartment: &Compartment,
        label: &str,
        change: Delta,
        order: Option<i64>,
    ) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::show::show
             INSERT INTO activity (account_id, seq, at, hour, kind, site, label, credits, order_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                &self.id,
                entry * 2 + part,
                at,
                at.hour(),
                shown.as_str(),
                compartment.column(),
                label,
                change,
                order,
            ],
        )?;
        Ok(())
    }
}
