//! What the feed reads, in SQL. Nothing here writes.

mod grants;
mod lines;
mod made_of;

pub(in crate::feed) use self::grants::*;
pub(in crate::feed) use self::lines::*;
pub(in crate::feed) use self::made_of::*;
use chrono_tz::Tz;

use crate::calendar::Per;
use crate::db::{self, Tx};
use crate::feed::wallet::{Shows, Wallet};
use crate::id::{AccountId, ClientId, SiteId};
use crate::ledger::slice::Compartment;
use crate::params;
use crate::time::Timestamp;
use crate::units::Credits;

// Whose wallet -------------------------------------------------------------------------------------

/// The account with what the wallet shows of it, if there is such an account.
pub(in crate::feed) fn wallet(
    tx: &mut Tx<'_>,
    account: &AccountId,
    shows: Shows,
) -> Result<Option<Wallet>, db::Error> {
    tx.query_opt(
        "-- feed::store::wallet
         SELECT name, time_zone, frozen_reason, next_renewal, next_release FROM account WHERE id = $1",
        params![account],
        |row| {
            let zone: String = row.get(1)?;
            let zone: Tz = zone.parse().map_err(|_| db::Error::Column { column: 1, found: zone })?;
            Ok(Wallet {
                account: account.clone(),
                name: row.get(0)?,
                zone,
                frozen_reason: row.get(2)?,
                next_renewal: row.get(3)?,
                next_release: row.get(4)?,
                shows,
                around: None,
            })
        },
    )
}

/// The accounts that were merged into this one.
pub(in crate::feed) fn merged(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<AccountId>, db::Error> {
    tx.query(
        "-- feed::store::merged
         SELECT id FROM account WHERE merged_into = $1 ORDER BY id",
        params![account],
        |row| row.get(0),
    )
}

/// A site that belongs to somebody: to whom, and what its wallet shows.
pub(in crate::feed) fn site(tx: &mut Tx<'_>, site: &SiteId) -> Result<Option<(AccountId, Shows)>, db::Error> {
    tx.query_opt(
        "-- feed::store::site
         SELECT account_id, label, client, uses_pool FROM site WHERE id = $1 AND account_id IS NOT NULL",
        params![site],
        |row| {
            let (label, client, pool) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((row.get(0)?, Shows::Site { site: site.clone(), label, client, pool }))
        },
    )
}

/// The sites an account runs for a client, each with whether it may use the pool.
pub(in crate::feed) fn client_sites(
    tx: &mut Tx<'_>,
    account: &AccountId,
    client: &ClientId,
) -> Result<Vec<(SiteId, bool)>, db::Error> {
    tx.query(
        "-- feed::store::client_sites
         SELECT id, uses_pool FROM site WHERE account_id = $1 AND client = $2",
        params![account, client],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

// Numbers ------------------------------------------------------------------------------------------

/// What is settled of what the wallet's sites used in a period of the calendar, added up from the counters of days or
/// months, in micro-credits.
pub(in crate::feed) fn used(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    (per, (from, to)): (Per, (Timestamp, Timestamp)),
) -> Result<i64, db::Error> {
    let counted = match per {
        Per::Day | Per::Week => Per::Day.as_str(),
        Per::Month | Per::Year => Per::Month.as_str(),
    };
    let Some(sites) = wallet.shows.compartments() else {
        return tx.query_one(
            "-- feed::store::used (account)
             SELECT CAST(COALESCE(SUM(captured), 0) AS BIGINT) FROM spending
             WHERE account_id = $1 AND agent = '' AND per = $2 AND period_start >= $3 AND period_start < $4",
            params![&wallet.account, counted, from, to],
            |row| row.get(0),
        );
    };
    let mut sum = 0_i64;
    for site in sites.iter().filter_map(Compartment::site) {
        let used: i64 = tx.query_one(
            "-- feed::store::used (site)
             SELECT CAST(COALESCE(SUM(captured), 0) AS BIGINT) FROM spending
             WHERE account_id = $1 AND site = $2 AND agent = '' AND per = $3
               AND period_start >= $4 AND period_start < $5",
            params![&wallet.account, site, counted, from, to],
            |row| row.get(0),
        )?;
        sum = sum.saturating_add(used);
    }
    Ok(sum)
}

/// What each compartment of the account owes.
pub(in crate::feed) fn debt(
    tx: &mut Tx<'_>,
    account: &AccountId,
) -> Result<Vec<(Compartment, Credits)>, db::Error> {
    tx.query(
        "-- feed::store::debt
         SELECT site, amount FROM debt WHERE account_id = $1 AND amount > 0",
        params![account],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

// What can be bought -------------------------------------------------------------------------------

/// The shops the account is a customer of.
pub(in crate::feed) fn shops(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<i64>, db::Error> {
    tx.query(
        "-- feed::store::shops
         SELECT DISTINCT store_id FROM customer WHERE account_id = $1 ORDER BY store_id",
        params![account],
        |row| row.get(0),
    )
}

/// The page of the account's shop that lists its packages; of several shops, of the one it was with first.
pub(in crate::feed) fn tokens_category_url(
    tx: &mut Tx<'_>,
    account: &AccountId,
) -> Result<Option<String>, db::Error> {
    let shop = tx.query_opt(
        "-- feed::store::tokens_category_url
         SELECT s.url, s.tokens_categories FROM store s JOIN customer c ON c.store_id = s.id
         WHERE c.account_id = $1 ORDER BY s.id LIMIT 1",
        params![account],
        |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
    )?;
    let Some((url, slugs)) = shop else { return Ok(None) };
    let slugs: Vec<String> =
        serde_json::from_str(&slugs).map_err(|_| db::Error::Column { column: 1, found: slugs })?;
    let address = reqwest::Url::parse(&url).ok().zip(slugs.first()).map(|(mut address, slug)| {
        if !address.path().ends_with('/') {
            let path = format!("{}/", address.path());
            address.set_path(&path);
        }
        address.query_pairs_mut().append_pair("product_cat", slug);
        address.to_string()
    });
    Ok(address)
}
