//! Asking shops for what orders need to know.
//!
//! Whoever lacks a fact leaves a row with [`store::want`]; [`step`] answers one row. The network is asked
//! between two transactions, never inside one, and a row is crossed off in the transaction that uses its
//! answer: after a crash it is asked again.

use std::time::Duration;

use super::store::{self, Claim, Lookup};
use super::{ProductFacts, ShopCategory, Subject, woo};
use crate::db::{self, Db};
use crate::shop::rest::{self, Clients, Rest, WholeOrder};
use crate::shop::trouble;
use crate::time::Timestamp;

/// How long one answer may take in all, with every page and every retry.
pub const ASKING_MAX: Duration = Duration::from_mins(1);

/// How long a thing the shop no longer has is left alone: it may be restored, but nobody expects it.
const GONE_PAUSE_MS: i64 = 24 * 60 * 60 * 1000;

/// What a [`step`] did.
#[derive(Debug)]
pub enum Progress {
    /// Nothing was due.
    Idle,
    /// Facts about products or categories of a store are new: its parked orders are [to be tried
    /// again](store::retry).
    Learned {
        /// The store.
        store_id: i64,
        /// What was asked about.
        subject: Subject,
    },
    /// An order was read. It is crossed off by calling [`store::finish_lookup`] with `claim` in the transaction
    /// that applies it.
    OrderRead {
        /// The store.
        store_id: i64,
        /// The order.
        order_id: i64,
        /// When it was asked.
        asked_at: Timestamp,
        /// What it showed; `None` when it has the order no more.
        shown: Option<WholeOrder>,
        /// What it answers.
        claim: Box<Claim>,
    },
    /// The shop did not answer, or not as hoped; it is asked again later.
    Failed {
        /// The store.
        store_id: i64,
        /// What was asked about.
        subject: Subject,
    },
}

/// Answers the lookup that is due longest, of one store or of any; if any is.
///
/// # Errors
/// When the database fails; the lookup then stays.
pub async fn step(db: &Db, clients: &Clients, store_id: Option<i64>) -> Result<Progress, db::Error> {
    // Looked at first, because a write that finds nothing would still cost a commit.
    if !db.read(|tx| store::lookup_is_due(tx, store_id))? {
        return Ok(Progress::Idle);
    }
    let claimed = db.write("catalog::claim_lookup", move |tx| store::claim_lookup(tx, store_id)).await?;
    let Some(claim) = claimed else {
        return Ok(Progress::Idle);
    };
    let (store_id, subject) = (claim.store_id, claim.subject);
    let asked_at = db.clock().now();
    let answer = match tokio::time::timeout(ASKING_MAX, ask(&claim, clients)).await {
        Ok(answer) => answer,
        Err(_) => Err(rest::Error::Timeout(ASKING_MAX)),
    };
    let learned = match answer {
        Ok(Answer::Order { id: order_id, shown }) => {
            return Ok(Progress::OrderRead { store_id, order_id, asked_at, shown, claim: Box::new(claim) });
        }
        Ok(Answer::Gone) => {
            let error = gone(subject);
            let store = &claim.store;
            tracing::warn!(%store, %subject, "store {store} answered: {error}; it is asked again in a day");
            return postpone(db, claim, error, GONE_PAUSE_MS).await;
        }
        Err(error) => {
            let asked = error.retry_after().unwrap_or_default().as_millis();
            let at_least_ms = i64::try_from(asked).unwrap_or(i64::MAX).min(GONE_PAUSE_MS);
            let store = &claim.store;
            tracing::warn!(%store, %error, "store {store} could not be asked about {subject}: {error}");
            return postpone(db, claim, error.to_string(), at_least_ms).await;
        }
        Ok(learned) => learned,
    };
    let store = claim.store.clone();
    db.write("catalog::learn", move |tx| {
        match learned {
            Answer::Product(facts) => drop(store::learn_product(tx, store_id, &facts)?),
            Answer::Categories(categories) => store::learn_categories(tx, store_id, &categories)?,
            Answer::Order { .. } | Answer::Gone => {}
        }
        store::retry(tx, store_id)?;
        store::finish_lookup(tx, &claim)
    })
    .await?;
    tracing::info!(%store, "store {store} was asked about {subject}");
    Ok(Progress::Learned { store_id, subject })
}

/// Notes that the answer to a [claim](Claim) is of no use: it is asked for again, after doubling pauses.
///
/// # Errors
/// When the database fails; the lookup then stays.
pub async fn fail(db: &Db, claim: Claim, error: String) -> Result<(), db::Error> {
    let (store, subject) = (&claim.store, claim.subject);
    tracing::warn!(%store, %error, "store {store} answered about {subject}, but: {error}; it is asked again");
    postpone(db, claim, error, 0).await.map(drop)
}

async fn postpone(db: &Db, claim: Claim, error: String, at_least_ms: i64) -> Result<Progress, db::Error> {
    let (store_id, subject) = (claim.store_id, claim.subject);
    db.write("catalog::postpone_lookup", move |tx| store::postpone_lookup(tx, &claim, &error, at_least_ms))
        .await?;
    Ok(Progress::Failed { store_id, subject })
}

/// What is noted of a thing that the shop does not have. A number alone does not say whether it is a product's or a
/// variation's.
fn gone(subject: Subject) -> String {
    format!("the shop has no {subject}")
}

impl Lookup {
    /// Whether the shop answered that it has no such thing.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.last_error.as_ref().is_some_and(|error| *error == gone(self.subject))
    }
}

/// What a shop answered.
enum Answer {
    Product(Box<ProductFacts>),
    Categories(Vec<ShopCategory>),
    Order { id: i64, shown: Option<WholeOrder> },
    Gone,
}

async fn ask(claim: &Claim, clients: &Clients) -> Result<Answer, rest::Error> {
    let rest = clients.of(claim.store_id, &claim.access)?;
    match claim.subject {
        Subject::Product(id) => match rest.product(id).await? {
            Some(body) => {
                let facts =
                    woo::product(&body).map_err(|error| trouble::unreadable("product", &body, error))?;
                Ok(Answer::Product(Box::new(facts)))
            }
            None => Ok(Answer::Gone),
        },
        Subject::Categories => Ok(Answer::Categories(categories(&rest).await?)),
        Subject::Order(id) => Ok(Answer::Order { id, shown: rest.whole_order(id).await? }),
    }
}

/// The shop's whole tree of categories: two hundred bytes each, some thousands in the largest shops.
pub(super) async fn categories(rest: &Rest) -> Result<Vec<ShopCategory>, rest::Error> {
    let mut categories = Vec::new();
    let mut pages = rest.categories();
    while let Some(page) = pages.next().await? {
        for item in &page.items {
            let body = item.get().as_bytes();
            categories
                .push(woo::category(body).map_err(|error| trouble::unreadable("category", body, error))?);
        }
    }
    Ok(categories)
}
