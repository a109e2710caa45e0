//! Credits whose time is over.

use super::{Error, LockedAccount};
use crate::id::OperationId;
use crate::ledger::act::Shown;
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::slice::{View, written_slices};
use crate::time::Timestamp;
use crate::units::Delta;

impl LockedAccount<'_, '_> {
    /// Books as expired what is no longer good at `until`, for the instant it ceased to be.
    pub(super) fn expire(&mut self, until: Timestamp) -> Result<(), Error> {
        if self.next_expiry.is_none_or(|next| until < next) {
            return Ok(());
        }
        // As they are written: what overdue holds give back is booked in its turn, and expires then.
        let mut slices = written_slices(self.tx, &self.id, &View::Account)?;
        slices.sort_by_key(|slice| (slice.expires_at, slice.grant_seq));
        for slice in slices.iter().filter(|slice| !slice.remaining.is_zero() && !slice.voided) {
            let Some(expired_at) = slice.expires_at.filter(|expires_at| *expires_at <= until) else {
                continue;
            };
            let operation = OperationId::new();
            let posting = Posting {
                operation: operation.as_str(),
                kind: Kind::Expired,
                grant: Some(&slice.grant),
                source: Place::Compartment(slice.compartment.clone()),
                target: Place::Breakage,
                amount: slice.remaining,
                booked_at: expired_at,
            };
            let first = self.post(&[posting])?;
            let (at, change) = (&slice.compartment, Delta::minus(slice.remaining));
            self.show_at(expired_at, first, 0, Shown::Expired, at, &slice.label, change, slice.order)?;
        }
        self.next_expiry = slices.iter().filter_map(|slice| slice.expires_at).filter(|at| until < *at).min();
        self.save_head()
    }
}
