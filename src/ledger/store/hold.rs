//! Credits are set aside, and then used or given back.
//!
//! A hold takes its slices at once and pins them: whatever becomes of their grants, they are good for it. What
//! it does not use goes back to the same slices, and there meets what happened meanwhile.

use super::admit::{Admitted, Spender, left};
use super::{Error, LockedAccount, brake};
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, AgentId, DebitId, GrantId, HoldId, OperationId, SiteId};
use crate::ledger::act::{Capture, Debited, Held, Left, NewDebit, NewHold, Priced, Shown, Taken};
use crate::ledger::entry::{Kind, Place, Posting};
use crate::ledger::hold::{self, Hold, Part, State};
use crate::ledger::limit::{Brake, Purpose};
use crate::ledger::position::Position;
use crate::ledger::slice::Compartment;
use crate::params;
use crate::site;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

// What there is -------------------------------------------------------------------------------------

/// The hold, if there is one.
pub fn get(tx: &mut Tx<'_>, id: &HoldId) -> Result<Option<Hold>, db::Error> {
    let found = tx.query_opt(
        "-- ledger::store::hold::get
         SELECT id, account_id, site, agent, action, quantity, rate, label, credits, uncovered, captured, state,
                created_at, expires_at, closed_at, debit_id, reference
         FROM hold WHERE id = $1",
        params![id],
        read,
    )?;
    found.map(|found| with_parts(tx, found)).transpose()
}

/// The open holds of an account, the first to expire first.
pub fn open(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<Hold>, db::Error> {
    let open = tx.query(
        "-- ledger::store::hold::open
         SELECT id, account_id, site, agent, action, quantity, rate, label, credits, uncovered, captured, state,
                created_at, expires_at, closed_at, debit_id, reference
         FROM hold WHERE account_id = $1 AND state = 'open' ORDER BY expires_at, id",
        params![account],
        read,
    )?;
    open.into_iter().map(|hold| with_parts(tx, hold)).collect()
}

/// The open holds of all accounts whose time is not over, the oldest first.
pub fn open_everywhere(tx: &mut Tx<'_>) -> Result<Vec<Hold>, db::Error> {
    let now = tx.now();
    tx.query(
        "-- ledger::store::hold::open_everywhere
         SELECT id, account_id, site, agent, action, quantity, rate, label, credits, uncovered, captured, state,
                created_at, expires_at, closed_at, debit_id, reference
         FROM hold WHERE state = 'open' AND expires_at > $1 ORDER BY created_at, id",
        params![now],
        read,
    )
}

/// Accounts with a hold whose time is over, the longest due first, at most `limit`.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<AccountId>, db::Error> {
    let now = tx.now();
    let mut accounts: Vec<AccountId> = tx.query(
        "-- ledger::store::hold::due
         SELECT account_id FROM hold WHERE state = 'open' AND expires_at <= $1
         ORDER BY expires_at, account_id LIMIT $2",
        params![now, limit],
        |row| row.get(0),
    )?;
    accounts.dedup();
    Ok(accounts)
}

/// What is held of a slice by holds whose time is over and that nobody has closed yet.
#[derive(Clone, Debug)]
pub struct Overdue {
    /// The grant.
    pub grant: GrantId,
    /// Where the slice lies.
    pub compartment: Compartment,
    /// What is no longer held.
    pub credits: Credits,
    /// What of it is to be taken back, because its money went back.
    pub clawed: Credits,
}

impl Overdue {
    /// What comes back to the slice.
    #[must_use]
    pub fn back(&self) -> Credits {
        self.credits.saturating_sub(self.clawed)
    }
}

/// What the holds of an account have set aside whose time was over at `at`, though that is not booked: a read
/// counts it as released.
pub fn overdue(tx: &mut Tx<'_>, account: &AccountId, at: Timestamp) -> Result<Vec<Overdue>, db::Error> {
    let parts: Vec<Overdue> = tx.query(
        "-- ledger::store::hold::overdue
         SELECT s.grant_id, s.site, s.credits FROM hold h JOIN hold_slice s ON s.hold_id = h.id
         WHERE h.account_id = $1 AND h.state = 'open' AND h.expires_at <= $2
         ORDER BY h.expires_at, h.id, s.position",
        params![account, at],
        |row| {
            let (grant, compartment, credits) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Overdue { grant, compartment, credits, clawed: Credits::ZERO })
        },
    )?;
    let mut overdue: Vec<Overdue> = Vec::with_capacity(parts.len());
    // In the order in which they will be booked: the first to come back are taken first.
    for mut part in parts {
        let of_grant = overdue.iter().filter(|earlier| earlier.grant == part.grant);
        let before: Credits = of_grant.map(|earlier| earlier.clawed).sum();
        let due = super::due::sum(tx, account, &part.grant)?.saturating_sub(before);
        part.clawed = due.min(part.credits);
        let same =
            |earlier: &&mut Overdue| earlier.grant == part.grant && earlier.compartment == part.compartment;
        match overdue.iter_mut().find(same) {
            Some(earlier) => {
                earlier.credits = [earlier.credits, part.credits].into_iter().sum();
                earlier.clawed = [earlier.clawed, part.clawed].into_iter().sum();
            }
            None => overdue.push(part),
        }
    }
    Ok(overdue)
}

/// What open holds of the site, or of one of its assistants, have set aside now.
pub(super) fn held(
    tx: &mut Tx<'_>,
    account: &AccountId,
    site: &SiteId,
    agent: Option<&AgentId>,
) -> Result<Credits, db::Error> {
    let now = tx.now();
    let held = tx.query_opt(
        "-- ledger::store::hold::held
         SELECT CAST(c.held - COALESCE((
                    SELECT SUM(h.credits) FROM hold h
                    WHERE h.account_id = $1 AND h.state = 'open' AND h.expires_at <= $4
                      AND h.site = $2 AND ($3 = '' OR h.agent = $3)), 0) AS BIGINT)
         FROM holding c WHERE c.account_id = $1 AND c.site = $2 AND c.agent = $3",
        params![account, site, agent.map_or("", AgentId::as_str), now],
        |row| row.get(0),
    )?;
    Ok(held.unwrap_or(Credits::ZERO))
}

/// Whether a hold of the site that went uncovered is still open.
pub(super) fn has_uncovered(tx: &mut Tx<'_>, account: &AccountId, site: &SiteId) -> Result<bool, db::Error> {
    let now = tx.now();
    let found = tx.query_opt(
        "-- ledger::store::hold::has_uncovered
         SELECT CAST(1 AS BIGINT) FROM hold
         WHERE account_id = $1 AND state = 'open' AND expires_at > $3 AND site = $2 AND uncovered > 0 LIMIT 1",
        params![account, site, now],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}

fn read(row: &Row<'_>) -> Result<Hold, db::Error> {
    let state: String = row.get(11)?;
    Ok(Hold {
        id: row.get(0)?,
        account: row.get(1)?,
        site: row.get(2)?,
        agent: row.get(3)?,
        action: row.get(4)?,
        quantity: row.get(5)?,
        rate: row.get(6)?,
        label: row.get(7)?,
        credits: row.get(8)?,
        uncovered: row.get(9)?,
        captured: row.get(10)?,
        state: State::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or(db::Error::Column { column: 11, found: state })?,
        created_at: row.get(12)?,
        expires_at: row.get(13)?,
        closed_at: row.get(14)?,
        debit: row.get(15)?,
        reference: row.get(16)?,
        parts: Vec::new(),
    })
}

fn with_parts(tx: &mut Tx<'_>, mut hold: Hold) -> Result<Hold, db::Error> {
    hold.parts = tx.query(
        "-- ledger::store::hold::with_parts
         SELECT grant_id, site, credits FROM hold_slice WHERE hold_id = $1 ORDER BY position",
        params![&hold.id],
        |row| Ok(Part { grant: row.get(0)?, compartment: row.get(1)?, credits: row.get(2)? }),
    )?;
    Ok(hold)
}

// Posting -------------------------------------------------------------------------------------------

impl LockedAccount<'_, '_> {
    /// Sets credits aside for a site, all or nothing.
    ///
    /// # Errors
    /// As [`LockedAccount::debit`].
    pub fn hold(&mut self, new: &NewHold) -> Result<Held, Error> {
        let now = self.tx.now();
        let NewHold { spending: new, rate, lasts_s } = new;
        let spender = Spender { site: &new.site, agent: new.agent.as_ref(), uses_pool: new.uses_pool };
        let Admitted { mut slices, parts, uncovered, terms } =
            self.admit(&spender, new.amount, Purpose::Hold)?;
        let mut hold = Hold {
            id: HoldId::new(),
            account: self.id.clone(),
            site: new.site.clone(),
            agent: new.agent.clone(),
            action: new.action.clone(),
            quantity: new.priced.map(|priced| priced.quantity),
            rate: *rate,
            label: new.label.clone(),
            credits: new.amount,
            uncovered,
            captured: Credits::ZERO,
            state: State::Open,
            created_at: now,
            expires_at: now.plus_millis(lasts_s * 1000),
            closed_at: None,
            debit: None,
            reference: new.reference.clone(),
            parts: Vec::with_capacity(parts.len()),
        };
        self.insert_hold(&hold)?;
        let mut postings = Vec::with_capacity(parts.len());
        for part in &parts {
            let slice = &mut slices[part.slice];
            slice.remaining = slice.remaining.saturating_sub(part.credits);
            slice.held = slice.held.checked_add(part.credits).ok_or(Error::TooMuch)?;
            hold.parts.push(Part {
                grant: slice.grant.clone(),
                compartment: slice.compartment.clone(),
                credits: part.credits,
            });
        }
        for (position, part) in (0_i64..).zip(&hold.parts) {
            self.tx.execute(
                "-- ledger::store::hold::hold (slice)
                 INSERT INTO hold_slice (hold_id, position, grant_id, site, credits) VALUES ($1, $2, $3, $4, $5)",
                params![&hold.id, position, &part.grant, part.compartment.column(), part.credits],
            )?;
            postings.push(Posting {
                operation: hold.id.as_str(),
                kind: Kind::Held,
                grant: Some(&part.grant),
                source: Place::Compartment(part.compartment.clone()),
                target: Place::Held(part.compartment.clone()),
                amount: part.credits,
                booked_at: now,
            });
        }
        self.post(&postings)?;
        self.count_held(&hold.site, hold.agent.as_ref(), Delta::plus(hold.credits))?;
        self.save_next_release()?;
        let mut terms = terms.of_site();
        terms.count(hold.credits);
        let can_spend = terms.let_spend(&slices, now);
        let left = Left { position: Position::of(&slices, now), frozen: false, can_spend };
        Ok(Held { hold, left })
    }

    /// Uses up to all of what a hold has set aside, taken from its slices in their order; the rest goes back. What
    /// goes beyond what `limits` allows is booked all the same, and pauses the site.
    ///
    /// # Errors
    /// [`Error::HoldClosed`]; [`Error::BeyondHold`], and the hold stays open.
    pub fn capture(&mut self, id: &HoldId, capture: &Capture, limits: &Brake) -> Result<Debited, Error> {
        let mut hold = self.open_hold(id)?;
        if hold.credits < capture.amount {
            return Err(Error::BeyondHold { needed: capture.amount, held: hold.credits });
        }
        let now = self.tx.now();
        let split = hold::split(hold.parts.iter().map(|part| part.credits), capture.amount);
        let debit = DebitId::new();
        let mut postings: Vec<Posting<'_>> = hold
            .parts
            .iter()
            .zip(&split.captured)
            .filter(|(_, captured)| !captured.is_zero())
            .map(|(part, captured)| Posting {
                operation: debit.as_str(),
                kind: Kind::Spent,
                grant: Some(&part.grant),
                source: Place::Held(part.compartment.clone()),
                target: Place::Revenue,
                amount: *captured,
                booked_at: now,
            })
            .collect();
        let taken: Vec<_> =
            postings.iter().filter_map(|posting| Some((posting.grant?.clone(), posting.amount))).collect();
        // What no slice covers was lent: the site owes it.
        let debtor = self.own_or_pool(&Compartment::Site(hold.site.clone()))?;
        if !split.uncovered.is_zero() {
            postings.push(Posting {
                operation: debit.as_str(),
                kind: Kind::Spent,
                grant: None,
                source: Place::Debt(debtor.clone()),
                target: Place::Revenue,
                amount: split.uncovered,
                booked_at: now,
            });
        }
        let first = self.post(&postings)?;
        let spent = spending(&hold, capture);
        self.insert_debit(&debit, &spent, Some(id))?;
        self.count_debit(&spent)?;
        let captured =
            self.count_spending(&hold.site, hold.agent.as_ref(), now, Delta::plus(capture.amount))?;
        brake::look(self.tx, &self.id, &hold.site, captured, limits)?;
        self.show_usage(first, &spent)?;
        if !split.uncovered.is_zero() {
            let (lent, change) = ("Lent until the next credits come", Delta::plus(split.uncovered));
            self.show(first, 1, Shown::Adjustment, &debtor, lent, change, None)?;
        }
        hold.captured = capture.amount;
        hold.debit = Some(debit.clone());
        self.close(&mut hold, State::Captured, now, &split.released)?;
        let left = left(self.tx, &self.id, &hold.site)?;
        Ok(Debited { id: debit, taken: Taken { slices: taken }, left })
    }

    /// Gives back all that a hold has set aside.
    ///
    /// # Errors
    /// [`Error::HoldClosed`].
    pub fn release(&mut self, id: &HoldId) -> Result<Held, Error> {
        let mut hold = self.open_hold(id)?;
        let now = self.tx.now();
        self.close_unused(&mut hold, State::Released, now)?;
        let left = left(self.tx, &self.id, &hold.site)?;
        Ok(Held { hold, left })
    }

    /// Gives back what the holds have set aside whose time was over at `at`, for that instant.
    pub(super) fn expire_holds(&mut self, at: Timestamp) -> Result<(), Error> {
        let mut over = open(self.tx, &self.id)?;
        over.retain(|hold| hold.expires_at <= at);
        for hold in &mut over {
            self.close_unused(hold, State::Expired, at)?;
        }
        // The holds say themselves when the next is over.
        self.save_next_release()
    }

    /// The hold, unless it is closed.
    fn open_hold(&mut self, id: &HoldId) -> Result<Hold, Error> {
        let hold = get(self.tx, id)?.ok_or_else(|| Error::UnknownHold(id.clone()))?;
        match hold.state {
            // Of another account there is none that this one may touch.
            State::Open if hold.account == self.id => Ok(hold),
            State::Open => Err(Error::UnknownHold(id.clone())),
            state => Err(Error::HoldClosed(state)),
        }
    }

    fn close_unused(&mut self, hold: &mut Hold, state: State, at: Timestamp) -> Result<(), Error> {
        let all: Vec<Credits> = hold.parts.iter().map(|part| part.credits).collect();
        self.close(hold, state, at, &all)
    }

    /// Writes how a hold ended at `at`, and gives back `released` of each of its parts.
    fn close(
        &mut self,
        hold: &mut Hold,
        state: State,
        at: Timestamp,
        released: &[Credits],
    ) -> Result<(), Error> {
        (hold.state, hold.closed_at) = (state, Some(at));
        self.tx.execute(
            "-- ledger::store::hold::close
             UPDATE hold SET state = $2, captured = $3, closed_at = $4, debit_id = $5 WHERE id = $1",
            params![&hold.id, state.as_str(), hold.captured, at, hold.debit.as_ref()],
        )?;
        self.count_held(&hold.site, hold.agent.as_ref(), Delta::minus(hold.credits))?;
        self.save_next_release()?;
        let back: Vec<(&Part, Credits)> =
            hold.parts.iter().zip(released.iter().copied()).filter(|(_, back)| !back.is_zero()).collect();
        let postings: Vec<Posting<'_>> = back
            .iter()
            .map(|(part, amount)| Posting {
                operation: hold.id.as_str(),
                kind: Kind::Released,
                grant: Some(&part.grant),
                source: Place::Held(part.compartment.clone()),
                target: Place::Compartment(part.compartment.clone()),
                amount: *amount,
                booked_at: at,
            })
            .collect();
        self.post(&postings)?;
        for (part, amount) in back {
            self.come_back(&part.grant, &part.compartment, amount, at)?;
        }
        let mut grants: Vec<&GrantId> = hold.parts.iter().map(|part| &part.grant).collect();
        grants.dedup();
        for grant in grants {
            self.owe_captured(grant)?;
        }
        Ok(())
    }

    /// What becomes of credits that came back to a slice at `at`: what their money went back for is taken back,
    /// what was voided or has expired meanwhile is voided or expires at once, and what lies with a site that is no
    /// longer the account's goes to the pool.
    pub(super) fn come_back(
        &mut self,
        grant: &GrantId,
        lies_at: &Compartment,
        amount: Credits,
        at: Timestamp,
    ) -> Result<(), Error> {
        let clawed = self.claw_due(grant, lies_at, amount, at)?;
        let amount = amount.saturating_sub(clawed);
        if amount.is_zero() {
            return Ok(());
        }
        let (expires_at, voided, order, label): (Option<Timestamp>, bool, Option<i64>, String) =
            self.tx.query_one(
                "-- ledger::store::hold::come_back
             SELECT expires_at, voided_at, order_id, label FROM credit_grant WHERE id = $1",
                params![grant],
                |row| Ok((row.get(0)?, row.get::<Option<Timestamp>>(1)?.is_some(), row.get(2)?, row.get(3)?)),
            )?;
        let own = self.own_or_pool(lies_at)?;
        let (kind, target) = if voided {
            (Kind::Voided, Place::Issuance)
        } else if expires_at.is_some_and(|expires_at| expires_at <= at) {
            (Kind::Expired, Place::Breakage)
        } else {
            if let Some(expires_at) = expires_at {
                self.next_expiry = Some(self.next_expiry.map_or(expires_at, |next| next.min(expires_at)));
                self.save_head()?;
            }
            if own == *lies_at {
                return Ok(());
            }
            (Kind::Moved, Place::Compartment(own.clone()))
        };
        let operation = OperationId::new();
        let source = Place::Compartment(lies_at.clone());
        let grant = Some(grant);
        let operation = operation.as_str();
        let first =
            self.post(&[Posting { operation, kind, grant, source, target, amount, booked_at: at }])?;
        let change = Delta::minus(amount);
        match kind {
            Kind::Voided => {
                let words = "Credits withdrawn";
                self.show_at(at, first, 0, Shown::Adjustment, lies_at, words, change, order)
            }
            Kind::Expired => self.show_at(at, first, 0, Shown::Expired, lies_at, &label, change, order),
            _ => self.show_move(at, first, lies_at, &own, amount, order),
        }
    }

    /// The compartment, or the pool if it is of a site that is no longer the account's.
    pub(super) fn own_or_pool(&mut self, compartment: &Compartment) -> Result<Compartment, Error> {
        Ok(site::store::place(self.tx, &self.id, compartment)?)
    }

    /// Adds `change` to what the site and the assistant hold.
    fn count_held(&mut self, site: &SiteId, agent: Option<&AgentId>, change: Delta) -> Result<(), Error> {
        for counted in std::iter::once("").chain(agent.map(AgentId::as_str)) {
            // Changed first: SQLite checks the sum of an upsert's own values before it finds the row.
            let changed = self.tx.execute(
                "-- ledger::store::hold::count_held
                 UPDATE holding SET held = held + $4 WHERE account_id = $1 AND site = $2 AND agent = $3",
                params![&self.id, site, counted, change],
            )?;
            if changed == 0 {
                self.tx.execute(
                    "-- ledger::store::hold::count_held (first)
                     INSERT INTO holding (account_id, site, agent, held) VALUES ($1, $2, $3, $4)",
                    params![&self.id, site, counted, change],
                )?;
            }
        }
        Ok(())
    }

    fn save_next_release(&mut self) -> Result<(), Error> {
        self.next_release = self.tx.query_one(
            "-- ledger::store::hold::save_next_release
             UPDATE account SET next_release = (SELECT MIN(h.expires_at) FROM hold h
                                                WHERE h.account_id = account.id AND h.state = 'open')
             WHERE id = $1 RETURNING next_release",
            params![&self.id],
            |row| row.get(0),
        )?;
        Ok(())
    }

    fn insert_hold(&mut self, hold: &Hold) -> Result<(), Error> {
        self.tx.execute(
            "-- ledger::store::hold::insert_hold
             INSERT INTO hold (id, account_id, site, agent, action, quantity, rate, label, credits, uncovered, captured,
                               state, created_at, expires_at, reference)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14)",
            params![
                &hold.id,
                &hold.account,
                &hold.site,
                hold.agent.as_ref(),
                hold.action.as_ref(),
                hold.quantity,
                hold.rate,
                &hold.label,
                hold.credits,
                hold.uncovered,
                hold.state.as_str(),
                hold.created_at,
                hold.expires_at,
                hold.reference.as_ref(),
            ],
        )?;
        Ok(())
    }
}

/// A capture as the debit it is.
fn spending(hold: &Hold, capture: &Capture) -> NewDebit {
    // The words may tell how much: of a part of what was held, as much as it is a part.
    let quantity = capture.quantity.or_else(|| prorate(hold.quantity?, capture.amount, hold.credits));
    NewDebit {
        site: hold.site.clone(),
        uses_pool: false,
        agent: hold.agent.clone(),
        action: hold.action.clone(),
        priced: quantity.zip(hold.rate).map(|(quantity, version)| Priced { quantity, version }),
        label: capture.label.clone().unwrap_or_else(|| hold.label.clone()),
        amount: capture.amount,
        reference: capture.reference.clone().or_else(|| hold.reference.clone()),
        occurred_at: capture.occurred_at,
        usage: capture.usage.clone(),
    }
}

/// As much of `quantity` as `part` is of `whole`.
pub(super) fn prorate(quantity: i64, part: Credits, whole: Credits) -> Option<i64> {
    let share = i128::from(quantity) * i128::from(part.micro()) / i128::from(whole.micro().max(1));
    i64::try_from(share).ok()
}
