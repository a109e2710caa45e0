//! Posting: the only way to change what anybody holds.
//!
//! Here is the lock and what is common to all acts; each kind of act has a file of its own.

pub mod admit;
pub mod alert;
pub mod brake;
mod clawback;
mod due;
mod expire;
mod grant;
pub mod hold;
pub mod hot;
pub mod limit;
mod moves;
pub mod plan;
pub mod reverse;
pub mod settle;
mod show;
mod spend;
mod void;

use chrono_tz::Tz;

pub use self::clawback::lock_holders;
pub use self::grant::{grant_first, takes_first};
pub use self::spend::spend;
use crate::db::{self, Tx};
use crate::id::{AccountId, DebitId, GrantId, HoldId};
pub use crate::ledger::act::{
    Capture, Clawed, Debited, Expiry, Granted, Held, Left, NewDebit, NewGrant, NewHold, Priced, Purchase,
    Reversed, Sent, SentDebt, Shortfall, Shown, Taken,
};
use crate::ledger::burn::{self, Part};
use crate::ledger::chain::{self, Link};
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::hold::State;
use crate::ledger::limit::{Obstacle, Pause, Standing, obstacles_in_words};
use crate::ledger::slice::{self, Compartment, Slice, View, open_slices};
use crate::ledger::unsettled::Unsettled;
use crate::params;
use crate::time::Timestamp;
use crate::units::Credits;

/// Why the ledger refused. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is less than was asked for.
    #[error("{} needed, {available} available{}", .needed.in_words(), also(.obstacles))]
    InsufficientCredits {
        /// What was asked for.
        needed: Credits,
        /// What could have been taken.
        available: Credits,
        /// What keeps it from taking more, beside that there is no more.
        obstacles: Vec<Obstacle>,
    },
    /// The account is frozen: nothing may be spent.
    #[error("the account is frozen: {0}")]
    Frozen(String),
    /// The site is paused: nothing may be spent for it.
    #[error("{0}")]
    Paused(Pause),
    /// A spending limit would be passed.
    #[error("{} needed, {available} left under {}{}", .needed.in_words(), .limit.limit, anew(.limit, *.needed))]
    LimitReached {
        /// What was asked for.
        needed: Credits,
        /// What could have been taken.
        available: Credits,
        /// The limit with the least room.
        limit: Box<Standing>,
    },
    /// There is no such account.
    #[error("there is no account {0}")]
    UnknownAccount(AccountId),
    /// The account is part of another one now.
    #[error("account {account} was merged into {into}")]
    Merged {
        /// The account.
        account: AccountId,
        /// What it is part of.
        into: AccountId,
    },
    /// There is no such hold of the account.
    #[error("there is no hold {0}")]
    UnknownHold(HoldId),
    /// The hold has ended: nothing of it is set aside any more.
    #[error("the hold is {0}: nothing of it is set aside any more")]
    HoldClosed(State),
    /// More was to be captured than is held.
    #[error("{needed} credits are asked for, and the hold has set {held} aside: it is still open")]
    BeyondHold {
        /// What was asked for.
        needed: Credits,
        /// What is held.
        held: Credits,
    },
    /// There is no such debit.
    #[error("there is no debit {0}")]
    UnknownDebit(DebitId),
    /// A debit is undone once.
    #[error("{credits} credits of the debit were given back before: a debit is reversed once")]
    AlreadyReversed {
        /// What was given back.
        credits: Credits,
    },
    /// More was to be given back than was taken.
    #[error("the debit took {taken} credits, not more")]
    BeyondDebit {
        /// What was taken.
        taken: Credits,
    },
    /// The account would hold more than can be counted.
    #[error("the account would hold more than {} credits", Credits::MAX)]
    TooMuch,
    /// The database failed; the request may be tried again.
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl Error {
    /// There is less than `needed`, and nothing else is in the way.
    #[must_use]
    pub const fn short(needed: Credits, available: Credits) -> Self {
        Self::InsufficientCredits { needed, available, obstacles: Vec::new() }
    }
}

/// What is in the way, as the end of a sentence.
fn also(obstacles: &[Obstacle]) -> String {
    if obstacles.is_empty() { String::new() } else { format!(": {}", obstacles_in_words(obstacles)) }
}

/// When there is more room under a limit, as the end of a sentence.
fn anew(standing: &Standing, needed: Credits) -> String {
    if standing.never_lets(needed) {
        format!(": {}", standing.way_out(needed))
    } else {
        format!(", which begins anew at {}", standing.resets_at)
    }
}

/// An account that nobody else can post to until the transaction ends.
///
/// Locking is the only way to reach the functions that post, so a balance that was checked is still the
/// balance when the entry is written. Holds whose time is over, what has expired and what plans bring are booked
/// before anything else.
#[derive(Debug)]
pub struct LockedAccount<'t, 'c> {
    pub(super) tx: &'t mut Tx<'c>,
    pub(super) id: AccountId,
    zone: Tz,
    frozen_reason: Option<String>,
    grant_seq: i64,
    entry_seq: i64,
    entry_hash: chain::Hash,
    /// The id of the newest entry.
    last_entry: Option<i64>,
    /// The ids of the first and the last entry that were written together last.
    posted: (i64, i64),
    pub(super) next_expiry: Option<Timestamp>,
    pub(super) next_renewal: Option<Timestamp>,
    pub(super) next_release: Option<Timestamp>,
}

/// The row of an account, locked.
#[derive(Clone, Debug)]
pub(super) struct Head {
    id: AccountId,
    zone: Tz,
    frozen_reason: Option<String>,
    grant_seq: i64,
    entry_seq: i64,
    entry_hash: chain::Hash,
    last_entry: Option<i64>,
    next_expiry: Option<Timestamp>,
    next_renewal: Option<Timestamp>,
    next_release: Option<Timestamp>,
    unsettled: Unsettled,
}

impl Head {
    fn lock(tx: &mut Tx<'_>, id: &AccountId) -> Result<Self, Error> {
        tx.note_lock(id);
        let wrong = |column, found| db::Error::Column { column, found };
        let found = tx.query_opt(
            "-- ledger::store::lock
             UPDATE account SET version = version + 1 WHERE id = $1
             RETURNING time_zone, frozen_reason, grant_seq, entry_seq, entry_hash, next_expiry, merged_into,
                       next_renewal, next_release, last_entry, unsettled",
            params![id],
            |row| {
                let zone: String = row.get(0)?;
                let head = Self {
                    id: id.clone(),
                    zone: zone.parse().map_err(|_| wrong(0, zone))?,
                    frozen_reason: row.get(1)?,
                    grant_seq: row.get(2)?,
                    entry_seq: row.get(3)?,
                    entry_hash: row
                        .get::<Vec<u8>>(4)?
                        .try_into()
                        .map_err(|bytes| wrong(4, format!("{bytes:?}")))?,
                    next_expiry: row.get(5)?,
                    next_renewal: row.get(7)?,
                    next_release: row.get(8)?,
                    last_entry: row.get(9)?,
                    unsettled: row.get::<Option<Unsettled>>(10)?.unwrap_or_default(),
                };
                Ok((head, row.get::<Option<AccountId>>(6)?))
            },
        )?;
        match found {
            None => Err(Error::UnknownAccount(id.clone())),
            Some((_, Some(into))) => Err(Error::Merged { account: id.clone(), into }),
            Some((head, None)) => Ok(head),
        }
    }
}

impl<'t, 'c> LockedAccount<'t, 'c> {
    /// Locks `id`, settles what its debits changed, and books what happened by itself: holds that ended, what has
    /// expired, what its plans brought.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; [`Error::Merged`], so that nothing is booked where nobody looks any more.
    pub fn lock(tx: &'t mut Tx<'c>, id: &AccountId) -> Result<Self, Error> {
        hot::forget(tx, id);
        let head = Head::lock(tx, id)?;
        let mut account = Self::of(tx, &head);
        if !head.unsettled.is_empty() {
            account.settle(&head.unsettled)?;
        }
        account.catch_up()?;
        Ok(account)
    }

    /// The account whose row is locked.
    fn of(tx: &'t mut Tx<'c>, head: &Head) -> Self {
        Self {
            tx,
            id: head.id.clone(),
            zone: head.zone,
            frozen_reason: head.frozen_reason.clone(),
            grant_seq: head.grant_seq,
            entry_seq: head.entry_seq,
            entry_hash: head.entry_hash,
            last_entry: head.last_entry,
            posted: (0, 0),
            next_expiry: head.next_expiry,
            next_renewal: head.next_renewal,
            next_release: head.next_release,
        }
    }

    /// The transaction, for statements about other things than credits.
    pub fn tx(&mut self) -> &mut Tx<'c> {
        self.tx
    }

    /// Which account this is.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// Why the account is frozen, if it is.
    #[must_use]
    pub fn frozen_reason(&self) -> Option<&str> {
        self.frozen_reason.as_deref()
    }

    /// The account's time zone.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    pub(super) fn plan(&self, slices: &[Slice], amount: Credits) -> Result<Vec<Part>, Error> {
        burn::plan(slices, amount, self.tx.now()).map_err(|short| Error::short(amount, short.available))
    }

    /// The slices that lie in `compartment` itself.
    pub(super) fn own_slices(&mut self, compartment: &Compartment) -> Result<Vec<Slice>, Error> {
        Ok(slice::own_slices(self.tx, &self.id, compartment)?)
    }

    /// What is left of a purchase, wherever it lies in the account.
    pub(super) fn purchase_slices(
        &mut self,
        store: i64,
        order: i64,
        line: Option<i64>,
    ) -> Result<Vec<Slice>, Error> {
        let grants: Vec<GrantId> = self.tx.query(
            "-- ledger::store::purchase_slices
             SELECT id FROM credit_grant
             WHERE store_id = $1 AND order_id = $2 AND line_id BETWEEN $3 AND $4",
            params![store, order, line.unwrap_or(i64::MIN), line.unwrap_or(i64::MAX)],
            |row| row.get(0),
        )?;
        let mut slices = open_slices(self.tx, &self.id, &View::Account)?;
        slices.retain(|slice| grants.contains(&slice.grant));
        Ok(slices)
    }

    /// Takes `parts` of `slices` to `target`; answers the first entry's number and what each grant gave.
    pub(super) fn take(
        &mut self,
        operation: &str,
        kind: Kind,
        slices: &[Slice],
        parts: &[Part],
        target: &Place,
    ) -> Result<(i64, Taken), Error> {
        let now = self.tx.now();
        let postings: Vec<Posting<'_>> = parts
            .iter()
            .map(|part| Posting {
                operation,
                kind,
                grant: Some(&slices[part.slice].grant),
                source: Place::Compartment(slices[part.slice].compartment.clone()),
                target: target.clone(),
                amount: part.credits,
                booked_at: now,
            })
            .collect();
        let first = self.post(&postings)?;
        let taken = parts.iter().map(|part| (slices[part.slice].grant.clone(), part.credits)).collect();
        Ok((first, Taken { slices: taken }))
    }

    /// [`LockedAccount::take`] of all that remains in one slice.
    pub(super) fn take_all(
        &mut self,
        operation: &str,
        kind: Kind,
        slice: &Slice,
        target: &Place,
    ) -> Result<(i64, Taken), Error> {
        self.take(
            operation,
            kind,
            std::slice::from_ref(slice),
            &[Part { slice: 0, credits: slice.remaining }],
            target,
        )
    }

    /// Writes the entries and what follows from each: slices, the grant's tally, the debt, the chain.
    /// Answers the number of the first.
    pub(super) fn post(&mut self, postings: &[Posting<'_>]) -> Result<i64, Error> {
        let first = self.entry_seq + 1;
        for (number, posting) in postings.iter().enumerate() {
            let id = self.append(posting)?;
            self.posted = (if number == 0 { id } else { self.posted.0 }, id);
            if let Place::Compartment(compartment) = &posting.source {
                let touched = self.tx.execute(
                    "-- ledger::store::post (source)
                     UPDATE slice SET remaining = remaining - $4
                     WHERE grant_id = $1 AND account_id = $2 AND site = $3",
                    params![posting.grant, &self.id, compartment.column(), posting.amount],
                )?;
                assert_eq!(touched, 1, "credits are taken from a slice that exists");
            }
            if let Place::Compartment(compartment) = &posting.target {
                self.tx.execute(
                    "-- ledger::store::post (target)
                     INSERT INTO slice (grant_id, site, account_id, remaining, held) VALUES ($1, $2, $3, $4, 0)
                     ON CONFLICT (grant_id, account_id, site)
                     DO UPDATE SET remaining = slice.remaining + excluded.remaining",
                    params![posting.grant, compartment.column(), &self.id, posting.amount],
                )?;
            }
            if let Place::Held(compartment) = &posting.source {
                let touched = self.tx.execute(
                    "-- ledger::store::post (no longer held)
                     UPDATE slice SET held = held - $4
                     WHERE grant_id = $1 AND account_id = $2 AND site = $3",
                    params![posting.grant, &self.id, compartment.column(), posting.amount],
                )?;
                assert_eq!(touched, 1, "credits are held of a slice that exists");
            }
            if let Place::Held(compartment) = &posting.target {
                let touched = self.tx.execute(
                    "-- ledger::store::post (held)
                     UPDATE slice SET held = held + $4
                     WHERE grant_id = $1 AND account_id = $2 AND site = $3",
                    params![posting.grant, &self.id, compartment.column(), posting.amount],
                )?;
                assert_eq!(touched, 1, "credits are held of a slice that exists");
            }
            if let Place::Debt(compartment) = &posting.source {
                self.tx.execute(
                    "-- ledger::store::post (owed)
                     INSERT INTO debt (account_id, site, amount) VALUES ($1, $2, $3)
                     ON CONFLICT (account_id, site) DO UPDATE SET amount = debt.amount + excluded.amount",
                    params![&self.id, compartment.column(), posting.amount],
                )?;
            }
            if let Place::Debt(compartment) = &posting.target {
                self.tx.execute(
                    "-- ledger::store::post (repaid)
                     UPDATE debt SET amount = amount - $3 WHERE account_id = $1 AND site = $2",
                    params![&self.id, compartment.column(), posting.amount],
                )?;
            }
            self.tally(posting)?;
        }
        self.save_head()?;
        Ok(first)
    }

    /// The number that the next entry will have.
    pub(super) fn next_entry(&self) -> i64 {
        self.entry_seq + 1
    }

    /// Writes an entry; answers its id.
    fn append(&mut self, posting: &Posting<'_>) -> Result<i64, Error> {
        self.entry_seq += 1;
        let (source, target) = (posting.source.to_string(), posting.target.to_string());
        self.entry_hash = chain::hash(
            &self.entry_hash,
            &Link {
                account: self.id.as_str(),
                seq: self.entry_seq,
                operation: posting.operation,
                kind: posting.kind.as_str(),
                grant: posting.grant.map(GrantId::as_str),
                source: &source,
                target: &target,
                amount: posting.amount.micro(),
                booked_at: posting.booked_at.millis(),
            },
        );
        let id = self.tx.insert(
            "-- ledger::store::append
             INSERT INTO entry (previous, account_id, seq, operation, kind, grant_id, source, target, amount, booked_at,
                                hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            params![
                self.last_entry,
                &self.id,
                self.entry_seq,
                posting.operation,
                posting.kind.as_str(),
                posting.grant,
                &source,
                &target,
                posting.amount,
                posting.booked_at,
                &self.entry_hash,
            ],
        )?;
        self.last_entry = Some(id);
        Ok(id)
    }

    /// Adds the posting to its grant's side of "granted = remaining + held + spent − reversed + …".
    fn tally(&mut self, posting: &Posting<'_>) -> Result<(), Error> {
        let of = |kind: Kind| {
            if posting.kind == kind { posting.amount } else { Credits::ZERO }
        };
        let columns = [
            of(Kind::Spent),
            of(Kind::Reversed),
            of(Kind::Expired),
            of(Kind::Clawed),
            of(Kind::Voided),
            of(Kind::Adjusted),
            of(Kind::Repaid),
        ];
        if columns.iter().all(|amount| amount.is_zero()) {
            return Ok(());
        }
        let [spent, reversed, expired, clawed, voided, adjusted, repaid] = columns;
        self.tx.execute(
            "-- ledger::store::tally
             UPDATE credit_grant SET spent = spent + $2, reversed = reversed + $3, expired = expired + $4,
                    clawed = clawed + $5, voided = voided + $6, adjusted = adjusted + $7, repaid = repaid + $8
             WHERE id = $1",
            params![posting.grant, spent, reversed, expired, clawed, voided, adjusted, repaid],
        )?;
        Ok(())
    }

    /// Writes what a debit changed in the account's row.
    fn save_spent(&mut self, unsettled: &Unsettled) -> Result<(), Error> {
        let unsettled = unsettled.column()?;
        self.tx.execute(
            "-- ledger::store::save_spent
             UPDATE account SET version = version + 1, entry_seq = $2, entry_hash = $3, last_entry = $4, unsettled = $5
             WHERE id = $1",
            params![&self.id, self.entry_seq, &self.entry_hash, self.last_entry, unsettled.as_ref()],
        )?;
        Ok(())
    }

    pub(super) fn save_head(&mut self) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::save_head
             UPDATE account SET version = version + 1, grant_seq = $2, entry_seq = $3, entry_hash = $4, next_expiry = $5, last_entry = $6
             WHERE id = $1",
            params![
                &self.id,
                self.grant_seq,
                self.entry_seq,
                &self.entry_hash,
                self.next_expiry,
                self.last_entry,
            ],
        )?;
        Ok(())
    }
}
