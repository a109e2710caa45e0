//! What the writer remembers of accounts is what the tables say, whoever changes them; and what a debit changes is
//! settled in time.

use nivella_wallet::db::{self, Db, Durability, Keep, Tx};
use nivella_wallet::id::{AccountId, SiteId};
use nivella_wallet::ledger::limit::{Brake, Limit, OnReached};
use nivella_wallet::ledger::slice::Compartment;
use nivella_wallet::ledger::store::{Error, spend};
use nivella_wallet::ledger::{LockedAccount, audit};
use nivella_wallet::params;
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::HOUR_MS;

use crate::support::{TestDb, databases, new_debit, new_grant};

const QUARTER_MS: i64 = HOUR_MS / 4;

/// Alice's site `shop` with 1,000 credits of its own and 1,000 in the pool, as the daemon and another program see it.
struct Stage {
    test: TestDb,
    other: Db,
    alice: AccountId,
}

impl Stage {
    fn on(test: TestDb) -> Self {
        let alice = test
            .db
            .write_blocking("test", Keep::Effects, |tx| {
                tx.execute(
                    "-- test
                     INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
                     VALUES (1, 'lab', 'https://lab.example', 'x', '[\"tokens\"]', '[]', '[]', 0)",
                    params![],
                )?;
                let alice = sites::open(tx, &"lab:customer:1".parse().unwrap()).unwrap();
                sites::assign(tx, &shop(), &alice, &Field::Keep, &Field::Keep).unwrap();
                let mut account = LockedAccount::lock(tx, &alice)?;
                account.grant(&new_grant(Compartment::Site(shop()), "1000"))?;
                account.grant(&new_grant(Compartment::Pool, "1000"))?;
                Ok::<_, Error>(alice)
            })
            .unwrap();
        let other = Db::open(test.db.url(), Durability::Process, test.clock.clone()).unwrap();
        Self { test, other, alice }
    }

    /// Spends as the daemon does; answers what is left, or why not.
    fn spend(&self, credits: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (alice, debit) = (self.alice.clone(), new_debit("shop", credits));
        let done = runtime.block_on(self.test.db.write_remembering("test", move |tx| {
            let site = nivella_wallet::ledger::store::hot::owned(tx, &debit.site)?;
            assert_eq!(site.map(|site| site.account), Some(alice.clone()));
            spend(tx, &alice, &debit, &Brake::OFF)
        }));
        assert_eq!(audit::verify(&self.test.db, |_| {}).unwrap().faults, [], "on {}", self.test.name);
        match done {
            Ok(done) => done.left.position.available.to_string(),
            Err(refused) => refused.to_string(),
        }
    }

    /// Does something as another program.
    fn elsewhere<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>, &AccountId) -> Result<T, Error> + Send + 'static,
    ) {
        let alice = self.alice.clone();
        self.other.write_blocking("test", Keep::Effects, move |tx| work(tx, &alice)).unwrap();
    }

    fn number(&self, sql: &'static str) -> i64 {
        let (number, from) = sql.split_once(" FROM ").unwrap();
        let sql = format!("-- test\n SELECT CAST({number} AS BIGINT) FROM {from}").leak();
        self.test.db.read(|tx| tx.query_one(sql, params![], |row| row.get(0))).unwrap()
    }
}

fn shop() -> SiteId {
    "shop".parse().unwrap()
}

#[test]
fn what_another_program_changed_counts_for_the_very_next_debit() {
    for stage in databases().into_iter().map(Stage::on) {
        assert_eq!((stage.spend("10"), stage.spend("10")), ("1990".into(), "1980".into()));
        stage.elsewhere(|tx, alice| {
            LockedAccount::lock(tx, alice)?.grant(&new_grant(Compartment::Pool, "500"))
        });
        assert_eq!(stage.spend("10"), "2470");
        stage.elsewhere(|tx, alice| {
            let most = "35".parse().unwrap();
            let limit = Limit {
                agent: None,
                per: nivella_wallet::calendar::Per::Day,
                credits: most,
                on_reached: OnReached::Stop,
            };
            Ok(LockedAccount::lock(tx, alice)?.set_limit(&shop(), &limit)?)
        });
        assert!(stage.spend("10").starts_with("10 credits needed, 5 left under"), "{}", stage.spend("10"));
        assert_eq!(stage.spend("5"), "2465");
        stage.elsewhere(|tx, alice| {
            LockedAccount::lock(tx, alice)?.remove_limit(
                &shop(),
                None,
                nivella_wallet::calendar::Per::Day,
            )?;
            Ok(sites::set_uses_pool(tx, &shop(), false)?)
        });
        assert_eq!(stage.spend("5"), "2460", "the caller says whether the pool counts");
        stage.elsewhere(|tx, alice| {
            let frozen = "-- test\n UPDATE account SET frozen_reason = 'a look' WHERE id = $1";
            Ok(tx.execute(frozen, params![alice])?)
        });
        assert_eq!(stage.spend("5"), "the account is frozen: a look");
    }
}

/// The daemon's own other writes count as much.
#[test]
fn what_is_written_beside_debits_is_not_forgotten_by_them() {
    for stage in databases().into_iter().map(Stage::on) {
        assert_eq!(stage.spend("10"), "1990");
        let alice = stage.alice.clone();
        let freeze = move |tx: &mut Tx<'_>| {
            let frozen = "-- test\n UPDATE account SET frozen_reason = 'a look' WHERE id = $1";
            tx.execute(frozen, params![&alice])
        };
        stage.test.db.write_blocking("test", Keep::Effects, freeze).unwrap();
        assert_eq!(stage.spend("10"), "the account is frozen: a look");
    }
}

/// A debit writes little; the rest follows when it has come to be much, or when somebody locks the account.
#[test]
fn what_debits_changed_is_settled_when_it_is_much_or_by_whoever_locks_the_account() {
    let (slices, now) = ("SUM(remaining) / 1000000 FROM slice", "SUM(remaining) / 1000000 FROM slice_now");
    let lines = "COUNT(*) FROM activity WHERE kind = 'usage'";
    let waiting = "COUNT(*) FROM account WHERE unsettled IS NOT NULL";
    for stage in databases().into_iter().map(Stage::on) {
        stage.spend("10");
        stage.spend("10");
        assert_eq!([slices, now, lines, waiting].map(|sql| stage.number(sql)), [2000, 1980, 0, 1]);
        stage.elsewhere(|tx, alice| LockedAccount::lock(tx, alice).map(drop));
        assert_eq!([slices, now, lines, waiting].map(|sql| stage.number(sql)), [1980, 1980, 1, 0]);
        let mut most = 0;
        for quarter in 1..=100 {
            let next = stage.test.clock.now().plus_millis(QUARTER_MS);
            stage.test.clock.turn_to(next);
            stage.spend("1");
            assert_eq!(stage.number(now), 1980 - quarter);
            most = most.max(stage.number(slices) - stage.number(now));
        }
        assert!((10..60).contains(&most), "at most {most} debits wait");
        assert!(stage.number(lines) > 10);
        stage.elsewhere(|tx, alice| LockedAccount::lock(tx, alice).map(drop));
        assert_eq!([slices, now, lines, waiting].map(|sql| stage.number(sql)), [1880, 1880, 26, 0]);
        assert_eq!(stage.number("SUM(captured) / 1000000 FROM spending WHERE per = 'day'"), 120);
        assert_eq!(stage.number("SUM(captured) / 1000000 FROM spending_hour"), 120);
    }
}

/// Work that promised to write nothing when it refuses has no savepoint: where the database fails it, nobody of its
/// group is told that it was written.
#[test]
fn what_the_database_fails_half_way_takes_its_group_with_it() {
    for stage in databases().into_iter().map(Stage::on) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let alice = stage.alice.clone();
        let failed = runtime.block_on(stage.test.db.write_remembering("test", move |tx| {
            spend(tx, &alice, &new_debit("shop", "10"), &Brake::OFF).map(drop)?;
            let row = "-- test\n INSERT INTO debt (account_id, site, amount) VALUES ($1, 'shop', -1)";
            tx.execute(row, params![&alice])?;
            Ok::<_, Error>(())
        }));
        assert!(
            matches!(failed, Err(Error::Database(db::Error::Sqlite(_) | db::Error::Postgres(_)))),
            "{failed:?}"
        );
        assert_eq!(stage.number("COUNT(*) FROM debit"), 0);
        assert_eq!(stage.spend("10"), "1990", "nothing is remembered of it");
    }
}
