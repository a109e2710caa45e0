//! A grant is withdrawn.

use super::{Error, LockedAccount};
use crate::id::{GrantId, OperationId};
use crate::ledger::act::Shown;
use crate::ledger::entry::{Kind, Place};
use crate::ledger::slice::{Compartment, View, open_slices};
use crate::params;
use crate::units::{Credits, Delta};

impl LockedAccount<'_, '_> {
    /// Withdraws what this account has left of a grant, wherever it lies in it; what is held stays with its
    /// hold. From then on the grant is voided. Answers how much went from each compartment, and how much stays held there.
    pub fn void(
        &mut self,
        grant: &GrantId,
        reason: &str,
    ) -> Result<Vec<(Compartment, Credits, Credits)>, Error> {
        let now = self.tx.now();
        self.tx.execute(
            "-- ledger::store::void::void
             UPDATE credit_grant SET voided_at = $2, void_reason = $3 WHERE id = $1 AND voided_at IS NULL",
            params![grant, now, reason],
        )?;
        let mut slices = open_slices(self.tx, &self.id, &View::Account)?;
        slices.retain(|slice| slice.grant == *grant);
        let operation = OperationId::new();
        for slice in slices.iter().filter(|slice| !slice.remaining.is_zero()) {
            let (first, _) = self.take_all(operation.as_str(), Kind::Voided, slice, &Place::Issuance)?;
            let (at, change) = (&slice.compartment, Delta::minus(slice.remaining));
            self.show(first, 0, Shown::Adjustment, at, "Credits withdrawn", change, slice.order)?;
        }
        Ok(slices.into_iter().map(|slice| (slice.compartment, slice.remaining, slice.held)).collect())
    }
}
