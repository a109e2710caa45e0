//! Accounts and sites in the database.

use super::{Account, AccountRef, Field, FromOrder, NaturalKey, Offer, Owner, Site, WalletRef, tidy_name};
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, ClientId, SiteId};
use crate::ledger::chain;
use crate::ledger::slice::Compartment;
use crate::ledger::store::limit;
use crate::params;
use crate::time::Timestamp;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No store has this name.
    #[error("there is no store {0:?}")]
    UnknownStore(String),
    /// No account has this name.
    #[error("there is no account {0}")]
    UnknownAccount(AccountRef),
    /// The site was never heard of.
    #[error("there is no site {0}")]
    UnknownSite(SiteId),
    /// The site is known and belongs to nobody.
    #[error("site {0} belongs to no account")]
    Unassigned(SiteId),
    /// The site is somebody else's.
    #[error("site {site} belongs to account {owner}")]
    OwnedByOther {
        /// The site.
        site: SiteId,
        /// Whose it is.
        owner: AccountId,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

// Accounts -----------------------------------------------------------------------------------------

/// The account of this name, if there is one. Reading never opens one.
pub fn resolve(tx: &mut Tx<'_>, account: &AccountRef) -> Result<Option<AccountId>, db::Error> {
    match account {
        AccountRef::Id(id) => tx.query_opt(
            "-- site::store::resolve (id)
             SELECT id FROM account WHERE id = $1",
            params![id],
            |row| row.get(0),
        ),
        AccountRef::Customer { store, key } => tx.query_opt(
            "-- site::store::resolve (customer)
             SELECT c.account_id FROM customer c JOIN store s ON s.id = c.store_id
             WHERE s.name = $1 AND c.natural_key = $2",
            params![store, &key.to_string()],
            |row| row.get(0),
        ),
    }
}

/// The account of this name, also one that was merged.
///
/// # Errors
/// [`Error::UnknownAccount`].
pub fn known(tx: &mut Tx<'_>, account: &AccountRef) -> Result<AccountId, Error> {
    resolve(tx, account)?.ok_or_else(|| Error::UnknownAccount(account.clone()))
}

/// As [`known`]; instead of an account that was merged, what it is part of now.
///
/// # Errors
/// [`Error::UnknownAccount`].
pub fn current(tx: &mut Tx<'_>, account: &AccountRef) -> Result<AccountId, Error> {
    let id = known(tx, account)?;
    Ok(follow(tx, &id)?)
}

/// The account that `account` is part of since it was merged; itself if it was not.
pub fn follow(tx: &mut Tx<'_>, account: &AccountId) -> Result<AccountId, db::Error> {
    let into = tx.query_opt(
        "-- site::store::follow
         SELECT merged_into FROM account WHERE id = $1",
        params![account],
        |row| row.get::<Option<AccountId>>(0),
    )?;
    Ok(into.flatten().unwrap_or_else(|| account.clone()))
}

/// The account of this name, opened if its store exists and does not know the customer yet; instead of one
/// that was merged, what it is part of now.
///
/// # Errors
/// [`Error::UnknownStore`]; [`Error::UnknownAccount`] for an id that nobody has: ids are ours to give.
pub fn open(tx: &mut Tx<'_>, account: &AccountRef) -> Result<AccountId, Error> {
    if let Some(id) = resolve(tx, account)? {
        return follow(tx, &id).map_err(Error::from);
    }
    let AccountRef::Customer { store, key } = account else {
        return Err(Error::UnknownAccount(account.clone()));
    };
    let store_id = tx
        .query_opt(
            "-- site::store::open
             SELECT id FROM store WHERE name = $1",
            params![store],
            |row| row.get::<i64>(0),
        )?
        .ok_or_else(|| Error::UnknownStore(store.clone()))?;
    Ok(open_account(tx, store_id, key, None)?)
}

/// The account a store knows by `key`, opened if it is new; `name` is what a new one is called.
///
/// The one place that makes accounts.
pub fn open_account(
    tx: &mut Tx<'_>,
    store_id: i64,
    key: &NaturalKey,
    name: Option<&str>,
) -> Result<AccountId, db::Error> {
    let natural_key = key.to_string();
    if let Some(id) = of_customer(tx, store_id, &natural_key)? {
        return Ok(id);
    }
    let id = AccountId::new();
    let name = name.and_then(tidy_name).unwrap_or_else(|| key.default_name());
    let now = tx.now();
    tx.execute(
        "-- site::store::open_account
         INSERT INTO account (id, name, time_zone, created_at, version, grant_seq, entry_seq, entry_hash)
         VALUES ($1, $2, 'UTC', $3, 0, 0, 0, $4)",
        params![&id, &name, now, &chain::START],
    )?;
    let named = tx.execute(
        "-- site::store::open_account (customer)
         INSERT INTO customer (store_id, natural_key, account_id) VALUES ($1, $2, $3)
         ON CONFLICT (store_id, natural_key) DO NOTHING",
        params![store_id, &natural_key, &id],
    )?;
    if named == 1 {
        return Ok(id);
    }
    // On PostgreSQL another process may have opened it between the look and the insert.
    tx.execute(
        "-- site::store::open_account (second)
         DELETE FROM account WHERE id = $1",
        params![&id],
    )?;
    of_customer(tx, store_id, &natural_key)?.ok_or(db::Error::NoRow)
}

fn of_customer(tx: &mut Tx<'_>, store_id: i64, natural_key: &str) -> Result<Option<AccountId>, db::Error> {
    tx.query_opt(
        "-- site::store::of_customer
         SELECT account_id FROM customer WHERE store_id = $1 AND natural_key = $2",
        params![store_id, natural_key],
        |row| row.get(0),
    )
}

/// Calls the account `name`, as its newest order does; a name without any letter changes nothing, and an
/// account that stores know by several names, because others were merged into it, keeps its own, as one does that a person named.
pub fn rename(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<(), db::Error> {
    let Some(name) = tidy_name(name) else { return Ok(()) };
    // To write what changes nothing would cost everybody what they remember of accounts.
    let is_another = tx.query_opt(
        "-- site::store::rename (another)
         SELECT CAST(1 AS BIGINT) FROM account WHERE id = $1 AND name <> $2 AND named_at IS NULL
           AND (SELECT COUNT(*) FROM customer c WHERE c.account_id = account.id) < 2",
        params![account, &name],
        |row| row.get::<i64>(0),
    )?;
    if is_another.is_some() {
        tx.execute(
            "-- site::store::rename
             UPDATE account SET name = $2 WHERE id = $1",
            params![account, &name],
        )?;
    }
    Ok(())
}

/// Freezes the account for `reason`, or with `None` unfreezes it; answers why it was frozen before.
///
/// No number changes. The account must exist.
pub fn set_frozen(
    tx: &mut Tx<'_>,
    account: &AccountId,
    reason: Option<&str>,
) -> Result<Option<String>, db::Error> {
    let before = tx.query_one(
        "-- site::store::set_frozen (before)
         SELECT frozen_reason FROM account WHERE id = $1",
        params![account],
        |row| row.get(0),
    )?;
    let now = tx.now();
    tx.execute(
        "-- site::store::set_frozen
         UPDATE account SET frozen_at = CASE WHEN CAST($2 AS TEXT) IS NULL THEN NULL
                                             WHEN frozen_reason IS NULL THEN CAST($3 AS BIGINT)
                                             ELSE frozen_at END,
                            frozen_reason = $2, version = version + 1
         WHERE id = $1",
        params![account, reason, now],
    )?;
    Ok(before)
}

/// Since when the account is frozen, if it is and that was written down.
pub fn frozen_at(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<Timestamp>, db::Error> {
    let found = tx.query_opt(
        "-- site::store::frozen_at
         SELECT frozen_at FROM account WHERE id = $1",
        params![account],
        |row| row.get(0),
    )?;
    Ok(found.flatten())
}

/// The account, if there is one.
pub fn account(tx: &mut Tx<'_>, id: &AccountId) -> Result<Option<Account>, db::Error> {
    let found = tx.query_opt(
        "-- site::store::account
         SELECT a.id, a.name, a.time_zone, a.default_site, a.frozen_reason, a.created_at,
                (SELECT COUNT(*) FROM site s WHERE s.account_id = a.id), a.merged_into, a.erased_at
         FROM account a WHERE a.id = $1",
        params![id],
        read_account,
    )?;
    found.map(|account| with_names(tx, account)).transpose()
}

/// Accounts whose id, name or name in a store contains `query`, by id, after `after`; without those that are
/// part of another one now.
pub fn accounts(
    tx: &mut Tx<'_>,
    query: Option<&str>,
    after: Option<&AccountId>,
    limit: i64,
) -> Result<Vec<Account>, db::Error> {
    let pattern = query.map(|query| format!("%{}%", escape_like(&query.to_lowercase())));
    let found = tx.query(
        "-- site::store::accounts
         SELECT a.id, a.name, a.time_zone, a.default_site, a.frozen_reason, a.created_at,
                (SELECT COUNT(*) FROM site s WHERE s.account_id = a.id), a.merged_into, a.erased_at
         FROM account a
         WHERE a.id > $1 AND a.merged_into IS NULL
           AND (CAST($2 AS TEXT) IS NULL OR a.id LIKE $2 ESCAPE '!' OR LOWER(a.name) LIKE $2 ESCAPE '!'
                OR EXISTS (SELECT 1 FROM customer c JOIN store s ON s.id = c.store_id
                           WHERE c.account_id = a.id
                             AND (LOWER(s.name) || ':' || c.natural_key) LIKE $2 ESCAPE '!'))
         ORDER BY a.id LIMIT $3",
        params![after.map_or("", AccountId::as_str), pattern.as_ref(), limit],
        read_account,
    )?;
    found.into_iter().map(|account| with_names(tx, account)).collect()
}

/// Takes the meaning out of LIKE's wildcards.
pub(crate) fn escape_like(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if matches!(c, '%' | '_' | '!') {
            escaped.push('!');
        }
        escaped.push(c);
        escaped
    })
}

fn read_account(row: &Row<'_>) -> Result<Account, db::Error> {
    Ok(Account {
        id: row.get(0)?,
        name: row.get(1)?,
        names: Vec::new(),
        time_zone: row.get(2)?,
        default_site: row.get(3)?,
        frozen_reason: row.get(4)?,
        created_at: row.get(5)?,
        site_count: row.get(6)?,
        merged_into: row.get(7)?,
        erased_at: row.get(8)?,
    })
}

fn with_names(tx: &mut Tx<'_>, mut account: Account) -> Result<Account, db::Error> {
    account.names = tx.query(
        "-- site::store::with_names
         SELECT s.name, c.natural_key FROM customer c JOIN store s ON s.id = c.store_id
         WHERE c.account_id = $1 ORDER BY s.name, c.natural_key",
        params![&account.id],
        |row| {
            let text: String = row.get(1)?;
            let key = text.parse().map_err(|_| db::Error::Column { column: 1, found: text })?;
            Ok(AccountRef::Customer { store: row.get(0)?, key })
        },
    )?;
    Ok(account)
}

// Sites --------------------------------------------------------------------------------------------

/// Sets whether the site may use its account's pool.
pub fn set_uses_pool(tx: &mut Tx<'_>, site: &SiteId, uses_pool: bool) -> Result<(), db::Error> {
    tx.execute(
        "-- site::store::set_uses_pool
         UPDATE site SET uses_pool = $2 WHERE id = $1",
        params![site, uses_pool],
    )?;
    Ok(())
}

/// The site, if it was ever heard of; one without an account was unassigned.
pub fn get(tx: &mut Tx<'_>, site: &SiteId) -> Result<Option<Site>, db::Error> {
    let now = tx.now();
    tx.query_opt(
        "-- site::store::get
         SELECT s.id, s.label, s.client, s.account_id, a.name, s.uses_pool, s.from_store, s.from_order,
                s.created_at, o.name, t.id, t.name, f.offered_at, f.ends_at
         FROM site s LEFT JOIN account a ON a.id = s.account_id LEFT JOIN store o ON o.id = s.from_store
         LEFT JOIN site_offer f ON f.site = s.id AND f.from_account = s.account_id AND f.ends_at > $2
         LEFT JOIN account t ON t.id = f.to_account
         WHERE s.id = $1",
        params![site, now],
        read_site,
    )
}

/// Where credits for a wallet go: a site's compartment of whoever owns it, or the pool of an account, which
/// is opened as by [`open`].
///
/// # Errors
/// As [`owned`] and [`open`].
pub fn open_wallet(tx: &mut Tx<'_>, wallet: &WalletRef) -> Result<(AccountId, Compartment), Error> {
    match wallet {
        WalletRef::Site(site) => Ok((owned(tx, site)?, Compartment::Site(site.clone()))),
        WalletRef::Account(account) => Ok((open(tx, account)?, Compartment::Pool)),
    }
}

/// Who owns the site.
///
/// # Errors
/// [`Error::UnknownSite`], [`Error::Unassigned`].
pub fn owned(tx: &mut Tx<'_>, site: &SiteId) -> Result<AccountId, Error> {
    let found = get(tx, site)?.ok_or_else(|| Error::UnknownSite(site.clone()))?;
    found.account.map(|owner| owner.id).ok_or_else(|| Error::Unassigned(site.clone()))
}

/// Who owns the site: nobody if it is unknown or unassigned.
pub fn owner(tx: &mut Tx<'_>, site: &SiteId) -> Result<Option<AccountId>, db::Error> {
    let found = tx.query_opt(
        "-- site::store::owner
         SELECT account_id FROM site WHERE id = $1",
        params![site],
        |row| row.get::<Option<AccountId>>(0),
    )?;
    Ok(found.flatten())
}

/// Where in another account something lies that comes to it: with its site if that is the account's too, else in the
/// pool, where it can be spent and repaid.
pub fn place(tx: &mut Tx<'_>, into: &AccountId, at: &Compartment) -> Result<Compartment, db::Error> {
    Ok(match at {
        Compartment::Site(site) if owner(tx, site)?.as_ref() == Some(into) => at.clone(),
        Compartment::Site(_) | Compartment::Pool => Compartment::Pool,
    })
}

/// Sites by id after `after`, of one account or one client or all.
pub fn list(
    tx: &mut Tx<'_>,
    account: Option<&AccountId>,
    client: Option<&ClientId>,
    after: Option<&SiteId>,
    limit: i64,
) -> Result<Vec<Site>, db::Error> {
    search(tx, account, client, None, after, limit)
}

/// As [`list`], those whose id, label or client contains `query`, in any case.
pub fn search(
    tx: &mut Tx<'_>,
    account: Option<&AccountId>,
    client: Option<&ClientId>,
    query: Option<&str>,
    after: Option<&SiteId>,
    limit: i64,
) -> Result<Vec<Site>, db::Error> {
    let now = tx.now();
    let pattern = query.map(|query| format!("%{}%", escape_like(&query.to_lowercase())));
    tx.query(
        "-- site::store::search
         SELECT s.id, s.label, s.client, s.account_id, a.name, s.uses_pool, s.from_store, s.from_order,
                s.created_at, o.name, t.id, t.name, f.offered_at, f.ends_at
         FROM site s LEFT JOIN account a ON a.id = s.account_id LEFT JOIN store o ON o.id = s.from_store
         LEFT JOIN site_offer f ON f.site = s.id AND f.from_account = s.account_id AND f.ends_at > $5
         LEFT JOIN account t ON t.id = f.to_account
         WHERE s.id > $1
           AND (CAST($2 AS TEXT) IS NULL OR s.account_id = $2)
           AND (CAST($3 AS TEXT) IS NULL OR s.client = $3)
           AND (CAST($6 AS TEXT) IS NULL OR LOWER(s.id) LIKE $6 ESCAPE '!' OR LOWER(s.label) LIKE $6 ESCAPE '!'
                OR LOWER(s.client) LIKE $6 ESCAPE '!')
         ORDER BY s.id LIMIT $4",
        params![after.map_or("", SiteId::as_str), account, client, limit, now, pattern.as_ref()],
        read_site,
    )
}

fn read_site(row: &Row<'_>) -> Result<Site, db::Error> {
    let account = match (row.get(3)?, row.get(4)?) {
        (Some(id), Some(name)) => Some(Owner { id, name }),
        _ => None,
    };
    let from_order = match (row.get::<Option<i64>>(6)?, row.get(7)?) {
        (Some(store_id), Some(order)) => Some(FromOrder {
            store: row.get::<Option<String>>(9)?.unwrap_or_else(|| store_id.to_string()),
            order,
        }),
        _ => None,
    };
    let offer = match (row.get(10)?, row.get(11)?) {
        (Some(id), Some(name)) => {
            Some(Offer { to: Owner { id, name }, offered_at: row.get(12)?, ends_at: row.get(13)? })
        }
        _ => None,
    };
    Ok(Site {
        id: row.get(0)?,
        label: row.get(1)?,
        client: row.get(2)?,
        account,
        uses_pool: row.get(5)?,
        from_order,
        offer,
        created_at: row.get(8)?,
    })
}

/// What an assignment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The site was unknown or belonged to nobody.
    Assigned,
    /// It was the account's already; its client or label is another now.
    Changed,
    /// Everything was as asked before.
    Unchanged,
}

/// Gives the site to the account; a person's word, so it no longer follows the order that registered it.
///
/// # Errors
/// [`Error::OwnedByOther`]: a site never changes hands silently.
pub fn assign(
    tx: &mut Tx<'_>,
    site: &SiteId,
    account: &AccountId,
    client: &Field<ClientId>,
    label: &Field<String>,
) -> Result<Change, Error> {
    let Some(before) = get(tx, site)? else {
        let now = tx.now();
        insert(tx, site, account, client.over(None).as_ref(), label.over(None).as_deref(), now)?;
        return Ok(Change::Assigned);
    };
    let owner = before.account.map(|owner| owner.id);
    if let Some(owner) = owner.clone().filter(|owner| owner != account) {
        return Err(Error::OwnedByOther { site: site.clone(), owner });
    }
    let new_client = client.over(before.client.clone());
    let new_label = label.over(before.label.clone());
    let relabelled = new_client != before.client || new_label != before.label;
    if owner.is_some() && !relabelled && before.from_order.is_none() {
        return Ok(Change::Unchanged);
    }
    tx.execute(
        "-- site::store::assign
         UPDATE site SET account_id = $2, client = $3, label = $4, from_store = NULL, from_order = NULL
         WHERE id = $1",
        params![site, account, new_client.as_ref(), new_label.as_deref()],
    )?;
    Ok(match owner {
        None => Change::Assigned,
        Some(_) if relabelled => Change::Changed,
        Some(_) => Change::Unchanged,
    })
}

fn insert(
    tx: &mut Tx<'_>,
    site: &SiteId,
    account: &AccountId,
    client: Option<&ClientId>,
    label: Option<&str>,
    now: Timestamp,
) -> Result<(), db::Error> {
    tx.execute(
        "-- site::store::insert
         INSERT INTO site (id, account_id, client, label, uses_pool, created_at)
         VALUES ($1, $2, $3, $4, 1, $5)",
        params![site, account, client, label, now],
    )?;
    Ok(())
}

/// Takes the site from its account and forgets what the account said about it; answers whose it was.
///
/// Credits in its compartment stay the account's and can be spent again when it is assigned back, or be
/// reclaimed to the pool.
///
/// # Errors
/// [`Error::UnknownSite`], [`Error::Unassigned`].
pub fn unassign(tx: &mut Tx<'_>, site: &SiteId) -> Result<AccountId, Error> {
    let owner = owned(tx, site)?;
    tx.execute(
        "-- site::store::unassign
         UPDATE site SET account_id = NULL, client = NULL, label = NULL, uses_pool = 1, from_store = NULL,
                         from_order = NULL
         WHERE id = $1",
        params![site],
    )?;
    tx.execute(
        "-- site::store::unassign (default site)
         UPDATE account SET default_site = NULL WHERE id = $1 AND default_site = $2",
        params![&owner, site],
    )?;
    tx.execute(
        "-- site::store::unassign (offer)
         DELETE FROM site_offer WHERE site = $1",
        params![site],
    )?;
    limit::forget(tx, &owner, site)?;
    Ok(owner)
}

/// Whether the account, or one that is part of it now, handed the site over to somebody else.
pub fn was_handed_over(tx: &mut Tx<'_>, site: &SiteId, by: &AccountId) -> Result<bool, db::Error> {
    tx.query_one(
        "-- site::store::was_handed_over
         SELECT CAST(COUNT(*) AS BIGINT) FROM site_transfer t JOIN account a ON a.id = t.from_account
         WHERE t.site = $1 AND (a.id = $2 OR a.merged_into = $2)",
        params![site, by],
        |row| Ok(row.get::<i64>(0)? > 0),
    )
}

/// What a purchase for a site found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The site was the account's already.
    Own,
    /// It belonged to nobody and is the account's now.
    Registered,
    /// It is somebody else's and stays so.
    OwnedByOther(AccountId),
}

/// Registers a site for the account whose order names it, if it belongs to nobody.
pub fn claim(
    tx: &mut Tx<'_>,
    site: &SiteId,
    account: &AccountId,
    store_id: i64,
    order_id: i64,
) -> Result<Claim, db::Error> {
    let now = tx.now();
    let registered = tx.execute(
        "-- site::store::claim
         INSERT INTO site (id, account_id, uses_pool, from_store, from_order, created_at)
         VALUES ($1, $2, 1, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, from_store = excluded.from_store,
                                        from_order = excluded.from_order
         WHERE site.account_id IS NULL",
        params![site, account, store_id, order_id, now],
    )?;
    if registered == 1 {
        return Ok(Claim::Registered);
    }
    match owner(tx, site)? {
        Some(owner) if owner != *account => Ok(Claim::OwnedByOther(owner)),
        Some(_) => Ok(Claim::Own),
        None => Err(db::Error::NoRow),
    }
}

/// Gives the sites that only this order registered to the account the order belongs to now; answers them.
pub fn follow_order(
    tx: &mut Tx<'_>,
    store_id: i64,
    order_id: i64,
    from: &AccountId,
    to: &AccountId,
) -> Result<Vec<SiteId>, db::Error> {
    let sites: Vec<SiteId> = tx.query(
        "-- site::store::follow_order
         UPDATE site SET account_id = $4 WHERE from_store = $1 AND from_order = $2 AND account_id = $3
         RETURNING id",
        params![store_id, order_id, from, to],
        |row| row.get(0),
    )?;
    for site in &sites {
        tx.execute(
            "-- site::store::follow_order (offer)
             DELETE FROM site_offer WHERE site = $1",
            params![site],
        )?;
        limit::forget(tx, from, site)?;
    }
    Ok(sites)
}

/// Where purchases of the account go that name no site.
pub fn default_site(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<SiteId>, db::Error> {
    let found = tx.query_opt(
        "-- site::store::default_site
         SELECT default_site FROM account WHERE id = $1",
        params![account],
        |row| row.get::<Option<SiteId>>(0),
    )?;
    Ok(found.flatten())
}

/// Sets where purchases of the account go that name no site: one of its own sites, or the pool.
///
/// # Errors
/// [`Error::OwnedByOther`], [`Error::Unassigned`], [`Error::UnknownSite`].
pub fn set_default_site(tx: &mut Tx<'_>, account: &AccountId, site: Option<&SiteId>) -> Result<(), Error> {
    if let Some(site) = site {
        let owner = owned(tx, site)?;
        if owner != *account {
            return Err(Error::OwnedByOther { site: site.clone(), owner });
        }
    }
    tx.execute(
        "-- site::store::set_default_site
         UPDATE account SET default_site = $2 WHERE id = $1",
        params![account, site],
    )?;
    Ok(())
}
