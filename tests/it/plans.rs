//! Plans: credits that come again, by the ledger's clock, on both engines.

use chrono::{Datelike as _, TimeZone as _};
use chrono_tz::Tz;
use nivella_wallet::account::settings::{self, Settings};
use nivella_wallet::account::{self, Error as AccountError};
use nivella_wallet::app;
use nivella_wallet::calendar::Per;
use nivella_wallet::config::Config;
use nivella_wallet::db::{self, Keep, Tx};
use nivella_wallet::feed;
use nivella_wallet::feed::wallet::Numbers;
use nivella_wallet::id::AccountId;
use nivella_wallet::ledger::limit::Brake;
use nivella_wallet::ledger::plan::{NewPlan, State};
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::plan::{self, Change};
use nivella_wallet::ledger::store::{Error, Expiry, NewGrant, Shown, spend};
use nivella_wallet::ledger::{LockedAccount, audit};
use nivella_wallet::params;
use nivella_wallet::site::{self, AccountRef, Field};
use nivella_wallet::time::{DAY_MS, HOUR_MS, Timestamp, Validity};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use crate::app::TestApp;
use crate::support::{TestDb, databases, new_debit, seeded};

const ALICE: &str = "lab:customer:1";

/// A store with customers, whose plans are set and started by words.
pub(crate) struct Stage {
    pub(crate) test: TestDb,
}

fn stages() -> Vec<Stage> {
    databases().into_iter().map(Stage::on).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Stage {
    pub(crate) fn on(test: TestDb) -> Self {
        let stage = Self { test };
        stage.write(|tx| {
            tx.execute(
                "-- test
                 INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
                 VALUES (1, 'lab', 'https://lab.example', 'x', '[\"tokens\"]', '[]', '[]', 0)",
                params![],
            )
        });
        for (account, site) in [(ALICE, "a1"), ("lab:customer:2", "b1")] {
            let account: AccountRef = account.parse().unwrap();
            stage.write(move |tx| {
                let account = site::store::open(tx, &account)?;
                let (keep, site) = (Field::Keep, site.parse().unwrap());
                site::store::assign(tx, &site, &account, &keep, &Field::Keep)
            });
        }
        stage
    }

    fn write<T: Send + 'static, E: From<db::Error> + std::fmt::Debug + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> T {
        let done = self.test.db.write_blocking("test", Keep::Effects, work).unwrap();
        self.prove();
        done
    }

    fn prove(&self) {
        assert_eq!(audit::verify(&self.test.db, |_| {}).unwrap().faults, [], "on {}", self.test.name);
    }

    fn account(&self, account: &str) -> AccountId {
        let account = account.parse().unwrap();
        self.test.db.read(|tx| site::store::resolve(tx, &account)).unwrap().unwrap()
    }

    pub(crate) fn turn(&self, time: &str) {
        self.test.clock.turn_to(at(time));
    }

    pub(crate) fn zone(&self, account: &str, zone: &str) {
        let account = account.parse().unwrap();
        let settings = Settings { time_zone: Some(zone.parse().unwrap()), ..Settings::default() };
        self.write(move |tx| settings::set(tx, &account, &settings));
    }

    /// `basic 500 month 50`
    pub(crate) fn set(&self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        let [name, credits, per, rollover] = words[..] else { panic!("{words:?}") };
        let new = NewPlan {
            name: name.parse().unwrap(),
            credits: credits.parse().unwrap(),
            per: Per::named(per).unwrap(),
            rollover: rollover.parse().unwrap(),
            label: None,
        };
        self.write(move |tx| plan::set(tx, &new));
    }

    pub(crate) fn start(&self, plan: &str, wallet: &str) -> Change {
        self.start_from(plan, wallet, None)
    }

    fn start_from(&self, plan: &str, wallet: &str, from: Option<&str>) -> Change {
        let (plan, wallet, from) = (plan.parse().unwrap(), wallet.parse().unwrap(), from.map(at));
        self.write(move |tx| {
            let (account, at) = site::store::open_wallet(tx, &wallet).unwrap();
            LockedAccount::lock(tx, &account)?.start_plan(&plan, &at, from).map(|(_, change)| change)
        })
    }

    fn stop(&self, plan: &str, wallet: &str) {
        let (plan, wallet) = (plan.parse().unwrap(), wallet.parse().unwrap());
        self.write(move |tx| {
            let (account, at) = site::store::open_wallet(tx, &wallet).unwrap();
            LockedAccount::lock(tx, &account)?.stop_plan(&plan, &at).map(|known| known.unwrap())
        });
    }

    pub(crate) fn touch(&self, account: &str) {
        let account = self.account(account);
        self.write(move |tx| LockedAccount::lock(tx, &account).map(drop));
    }

    pub(crate) fn debit(&self, site: &str, amount: &str) -> Result<(), String> {
        let debit = new_debit(site, amount);
        let done = self.test.db.write_blocking("test", Keep::Effects, move |tx| {
            let account = site::store::owner(tx, &debit.site)?.unwrap();
            spend(tx, &account, &debit, &Brake::OFF).map(drop)
        });
        self.prove();
        done.map_err(|error: Error| error.to_string())
    }

    pub(crate) fn pay(
        &self,
        wallet: &str,
        amount: &str,
        validity: &str,
        category: Category,
    ) -> Option<Timestamp> {
        let wallet = wallet.parse().unwrap();
        let (amount, validity): (_, Validity) = (amount.parse().unwrap(), validity.parse().unwrap());
        self.write(move |tx| {
            let (account, compartment) = site::store::open_wallet(tx, &wallet).unwrap();
            let new = NewGrant {
                compartment,
                amount,
                category,
                priority: None,
                label: "Bought".to_owned(),
                reason: None,
                effective_at: None,
                expiry: Expiry::After(validity),
                purchase: None,
                shown_as: Shown::grant(category),
            };
            LockedAccount::lock(tx, &account)?.grant(&new).map(|granted| granted.expires_at)
        })
    }

    pub(crate) fn numbers(&self, wallet: &str) -> Numbers {
        let wallet = wallet.parse().unwrap();
        let settings = app::feed_settings(&Config::default());
        self.test.db.read(|tx| feed::wallet::open(tx, &wallet)?.unwrap().numbers(tx, &settings)).unwrap()
    }

    /// `available cap renews_at used`
    pub(crate) fn sums(&self, wallet: &str) -> String {
        let Numbers { available, recurring, used, .. } = self.numbers(wallet);
        let renews_at = recurring.renews_at.map_or("never".to_owned(), |at| at.to_string());
        format!("{available} of {} until {renews_at}, used {used}", recurring.cap)
    }

    /// Each period that was granted: its plan, start, end and amount, the carried over with a `+`.
    pub(crate) fn periods(&self) -> Vec<String> {
        self.test
            .db
            .read(|tx| {
                tx.query(
                    "-- test
                     SELECT p.plan, p.period_start, g.expires_at, g.amount, p.carried_over, g.effective_at
                     FROM plan_grant p JOIN credit_grant g ON g.id = p.grant_id
                     ORDER BY p.plan, p.period_start, p.carried_over DESC, g.seq",
                    params![],
                    |row| {
                        let (plan, amount): (String, nivella_wallet::units::Credits) =
                            (row.get(0)?, row.get(3)?);
                        let (start, end): (Timestamp, Timestamp) = (row.get(1)?, row.get(2)?);
                        assert_eq!(start, row.get::<Timestamp>(5)?, "good from the period's start");
                        let sign = if row.get::<bool>(4)? { "+" } else { "" };
                        Ok(format!("{plan} {start} {end} {sign}{amount}"))
                    },
                )
            })
            .unwrap()
    }

    fn starts(&self) -> Vec<String> {
        self.periods().iter().map(|period| period.split(' ').nth(1).unwrap().to_owned()).collect()
    }

    fn lines(&self, wallet: &str) -> Vec<String> {
        let wallet = wallet.parse().unwrap();
        let filter = feed::activity::Filter::default();
        let page = self.test.db.read(|tx| {
            let wallet = feed::wallet::open(tx, &wallet)?.unwrap();
            feed::activity::page(tx, &wallet, &filter, i64::MAX, 100)
        });
        let told = page.unwrap().items.into_iter().rev();
        told.map(|line| {
            let line = serde_json::to_value(line).unwrap();
            let text = |field: &str| line[field].as_str().unwrap().to_owned();
            format!("{} {} {} {}", text("at"), text("kind"), text("label"), text("credits"))
        })
        .collect()
    }
}

#[test]
fn periods_begin_at_midnight_of_the_accounts_zone_each_once() {
    for (zone, per, start, until, expected) in [
        (
            "Europe/Vienna",
            "day",
            "2026-03-28T10:00:00Z",
            "2026-03-30T12:00:00Z",
            "2026-03-28T10:00:00Z 2026-03-28T23:00:00Z 2026-03-29T22:00:00Z",
        ),
        (
            "America/New_York",
            "week",
            "2026-10-28T12:00:00Z",
            "2026-11-10T00:00:00Z",
            "2026-10-28T12:00:00Z 2026-11-02T05:00:00Z 2026-11-09T05:00:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "month",
            "2026-08-31T12:00:00Z",
            "2026-11-01T12:00:00Z",
            "2026-08-31T12:00:00Z 2026-08-31T13:30:00Z 2026-09-30T13:30:00Z 2026-10-31T13:00:00Z",
        ),
        (
            "Pacific/Apia",
            "day",
            "2011-12-29T12:00:00Z",
            "2012-01-01T09:00:00Z",
            "2011-12-29T12:00:00Z 2011-12-30T10:00:00Z 2011-12-31T10:00:00Z",
        ),
        (
            "UTC",
            "month",
            "2028-01-31T12:00:00Z",
            "2028-04-30T00:00:00Z",
            "2028-01-31T12:00:00Z 2028-02-01T00:00:00Z 2028-03-01T00:00:00Z 2028-04-01T00:00:00Z",
        ),
        (
            "UTC",
            "year",
            "2028-02-29T12:00:00Z",
            "2029-02-28T00:00:00Z",
            "2028-02-29T12:00:00Z 2029-01-01T00:00:00Z",
        ),
    ] {
        // Calendars are the same on both engines, and this walks through years hour by hour.
        for stage in stages().into_iter().take(1) {
            // Touched often, or not before the end: the periods are the same.
            for (account, site, step) in
                [(ALICE, "site:a1", HOUR_MS), ("lab:customer:2", "site:b1", i64::MAX)]
            {
                stage.turn(start);
                stage.zone(account, zone);
                stage.set(&format!("{} 10 {per} 0", &site[5..]));
                assert_eq!(stage.start(&site[5..], site), Change::Started);
                assert_eq!(stage.start(&site[5..], site), Change::Unchanged);
                let (mut now, until) = (at(start), at(until));
                while now < until {
                    now = Timestamp::from_millis(now.millis().saturating_add(step)).min(until);
                    stage.test.clock.turn_to(now);
                    stage.touch(account);
                }
                let mine: Vec<_> =
                    stage.periods().into_iter().filter(|period| period.starts_with(&site[5..])).collect();
                let starts: Vec<_> = mine.iter().map(|period| period.split(' ').nth(1).unwrap()).collect();
                assert_eq!(starts.join(" "), expected, "{per} in {zone} on {}", stage.test.name);
                for (one, next) in mine.iter().zip(starts.iter().skip(1)) {
                    assert_eq!(one.split(' ').nth(2), Some(*next), "each ends where the next begins");
                }
                assert_eq!(stage.numbers(site).available.to_string(), "10");
            }
        }
    }
}

#[test]
fn months_without_the_daemon_are_made_up_once_in_the_order_of_time() {
    for stage in stages() {
        stage.turn("2026-11-20T16:00:00Z");
        stage.set("basic 100 month 30");
        stage.start("basic", "site:a1");
        stage.debit("a1", "80").unwrap();
        stage.turn("2027-04-20T00:00:00Z");
        // What has expired cannot be spent, and the new is shown once it is booked.
        assert_eq!(stage.sums("site:a1"), "0 of 100 until 2027-05-01T00:00:00Z, used 0");
        stage.debit("a1", "125").unwrap();
        stage.touch(ALICE);
        assert_eq!(
            stage.periods(),
            [
                "basic 2026-11-20T16:00:00Z 2026-12-01T00:00:00Z 100",
                "basic 2026-12-01T00:00:00Z 2027-01-01T00:00:00Z +20",
                "basic 2026-12-01T00:00:00Z 2027-01-01T00:00:00Z 100",
                "basic 2027-01-01T00:00:00Z 2027-02-01T00:00:00Z +30",
                "basic 2027-01-01T00:00:00Z 2027-02-01T00:00:00Z 100",
                "basic 2027-02-01T00:00:00Z 2027-03-01T00:00:00Z +30",
                "basic 2027-02-01T00:00:00Z 2027-03-01T00:00:00Z 100",
                "basic 2027-03-01T00:00:00Z 2027-04-01T00:00:00Z +30",
                "basic 2027-03-01T00:00:00Z 2027-04-01T00:00:00Z 100",
                "basic 2027-04-01T00:00:00Z 2027-05-01T00:00:00Z +30",
                "basic 2027-04-01T00:00:00Z 2027-05-01T00:00:00Z 100",
            ]
        );
        assert_eq!(stage.sums("site:a1"), "5 of 100 until 2027-05-01T00:00:00Z, used 125");
        assert_eq!(
            stage.lines("site:a1")[..5],
            [
                "2026-11-20T16:00:00Z plan Monthly allowance +100",
                "2026-11-20T16:00:00Z usage chat -80",
                "2026-12-01T00:00:00Z expired Monthly allowance -20",
                "2026-12-01T00:00:00Z plan Monthly allowance (carried over) +20",
                "2026-12-01T00:00:00Z plan Monthly allowance +100",
            ]
        );
        let booked: Vec<Timestamp> = stage
            .test
            .db
            .read(|tx| {
                tx.query("-- test\n SELECT booked_at FROM entry ORDER BY seq", params![], |row| row.get(0))
            })
            .unwrap();
        assert!(booked.is_sorted(), "{booked:?}");
    }
}

#[test]
fn a_debit_at_the_instant_of_renewal_finds_the_new_credits() {
    for stage in stages() {
        stage.zone(ALICE, "Europe/Vienna");
        stage.set("basic 100 day 0");
        stage.start("basic", "account:lab:customer:1");
        stage.debit("a1", "100").unwrap();
        stage.turn("2026-11-20T22:59:59.999Z");
        assert_eq!(stage.debit("a1", "1").unwrap_err(), "1 credit needed, 0 available");
        stage.turn("2026-11-20T23:00:00Z");
        stage.debit("a1", "100").unwrap();
        assert_eq!(stage.sums("site:a1"), "0 of 100 until 2026-11-21T23:00:00Z, used 100");
    }
}

#[test]
fn a_plan_that_changes_or_stops_keeps_the_present_period_as_it_is() {
    for stage in stages() {
        stage.set("basic 100 month 0");
        stage.start("basic", "site:a1");
        stage.set("basic 40 week 0");
        assert_eq!(stage.sums("site:a1"), "100 of 100 until 2026-12-01T00:00:00Z, used 0");
        // Set again after the next period began, though nobody was there to book it.
        stage.turn("2026-12-02T00:00:00Z");
        stage.set("basic 7 week 0");
        stage.touch(ALICE);
        assert_eq!(stage.sums("site:a1"), "40 of 40 until 2026-12-07T00:00:00Z, used 0");
        stage.stop("basic", "site:a1");
        assert_eq!(stage.sums("site:a1"), "40 of 40 until never, used 0");
        // Started again, it goes on where it would have.
        assert_eq!(stage.start("basic", "site:a1"), Change::Started);
        assert_eq!(stage.sums("site:a1"), "40 of 40 until 2026-12-07T00:00:00Z, used 0");
        stage.stop("basic", "site:a1");
        stage.turn("2026-12-20T12:00:00Z");
        stage.touch(ALICE);
        assert_eq!(stage.sums("site:a1"), "0 of 0 until never, used 0");
        stage.start("basic", "site:a1");
        assert_eq!(stage.sums("site:a1"), "7 of 7 until 2026-12-21T00:00:00Z, used 0");
        assert_eq!(stage.starts().len(), 3);
        // One that begins later, and is called off before.
        stage.start_from("basic", "site:b1", Some("2027-01-06T09:00:00Z"));
        assert_eq!(stage.sums("site:b1"), "0 of 0 until 2027-01-06T09:00:00Z, used 0");
        stage.stop("basic", "site:b1");
        stage.turn("2027-02-01T00:00:00Z");
        stage.touch("lab:customer:2");
        assert_eq!(stage.sums("site:b1"), "0 of 0 until never, used 0");
    }
}

#[test]
fn two_plans_add_up_and_the_first_to_end_is_the_cycle() {
    for stage in stages() {
        stage.set("small 10 day 0");
        stage.set("large 100 month 0");
        stage.start("small", "site:a1");
        stage.start("large", "account:lab:customer:1");
        stage.debit("a1", "15").unwrap();
        assert_eq!(stage.sums("site:a1"), "95 of 110 until 2026-11-21T00:00:00Z, used 15");
        stage.turn("2026-11-21T00:00:00Z");
        stage.touch(ALICE);
        assert_eq!(stage.sums("site:a1"), "105 of 110 until 2026-11-22T00:00:00Z, used 0");
        stage.stop("small", "site:a1");
        stage.turn("2026-11-22T00:00:00Z");
        assert_eq!(stage.sums("account:lab:customer:1"), "95 of 100 until 2026-12-01T00:00:00Z, used 15");
    }
}

#[test]
fn a_product_with_the_validity_cycle_follows_the_plan() {
    for stage in stages() {
        let cycle = |wallet| stage.pay(wallet, "5", "cycle", Category::Recurring).unwrap().to_string();
        assert_eq!(cycle("site:a1"), "2026-12-01T00:00:00Z");
        stage.set("small 10 day 0");
        stage.set("large 100 week 0");
        stage.start("large", "account:lab:customer:1");
        // The site has none of its own: that of its account's pool.
        assert_eq!(cycle("site:a1"), "2026-11-23T00:00:00Z");
        stage.start("small", "site:a1");
        assert_eq!(cycle("site:a1"), "2026-11-21T00:00:00Z");
        assert_eq!(cycle("account:lab:customer:1"), "2026-11-23T00:00:00Z");
        assert_eq!(cycle("site:b1"), "2026-12-01T00:00:00Z");
    }
}

#[test]
fn another_time_zone_counts_for_what_comes() {
    for stage in stages() {
        stage.set("basic 100 month 0");
        stage.zone(ALICE, "America/New_York");
        stage.start("basic", "site:a1");
        stage.debit("a1", "30").unwrap();
        stage.zone(ALICE, "Europe/Vienna");
        // The present period ends when it would have; what was used in November was.
        assert_eq!(stage.sums("site:a1"), "70 of 100 until 2026-12-01T05:00:00Z, used 30");
        stage.turn("2027-01-02T00:00:00Z");
        stage.touch(ALICE);
        assert_eq!(
            stage.periods(),
            [
                "basic 2026-11-20T16:00:00Z 2026-12-01T05:00:00Z 100",
                "basic 2026-12-01T05:00:00Z 2026-12-31T23:00:00Z 100",
                "basic 2026-12-31T23:00:00Z 2027-01-31T23:00:00Z 100",
            ]
        );
    }
}

#[test]
fn plans_follow_a_merged_account_and_nobody_gets_one_twice() {
    for stage in stages() {
        stage.set("basic 100 month 0");
        stage.set("extra 7 month 0");
        stage.zone("lab:customer:2", "Europe/Vienna");
        stage.start("basic", "account:lab:customer:1");
        stage.start("extra", "site:a1");
        stage.start("basic", "account:lab:customer:2");
        stage.write(|tx| {
            let (from, into) = (ALICE.parse().unwrap(), "lab:customer:2".parse().unwrap());
            account::merge::merge(tx, &from, &into)
        });
        assert_eq!(stage.sums("account:lab:customer:2"), "207 of 107 until 2026-11-30T23:00:00Z, used 0");
        stage.turn("2026-12-15T00:00:00Z");
        stage.touch("lab:customer:2");
        assert_eq!(stage.sums("account:lab:customer:2"), "107 of 107 until 2026-12-31T23:00:00Z, used 0");
        assert_eq!(stage.sums("site:a1"), "107 of 107 until 2026-12-31T23:00:00Z, used 0");
    }
}

#[test]
fn a_site_that_left_its_account_ends_its_plan() {
    for stage in stages() {
        stage.set("basic 100 day 0");
        stage.start("basic", "site:a1");
        stage.write(|tx| account::release_site(tx, &"a1".parse().unwrap()));
        stage.turn("2026-11-23T00:00:00Z");
        stage.touch(ALICE);
        assert_eq!(stage.starts().len(), 1);
        let id = stage.account(ALICE);
        let plans = stage.test.db.read(|tx| plan::subscriptions(tx, &id)).unwrap();
        assert_eq!(plans[0].state(at("2026-11-23T00:00:00Z")), State::Stopped);
        assert_eq!(plans[0].stopped_at, Some(at("2026-11-21T00:00:00Z")));
    }
}

#[test]
fn a_default_site_and_a_name_are_set_and_stay() {
    for stage in stages() {
        let set = |settings: Settings| {
            let account = ALICE.parse().unwrap();
            stage
                .test
                .db
                .write_blocking("test", Keep::Effects, move |tx| settings::set(tx, &account, &settings))
        };
        let a1 = Settings { default_site: Field::Set("a1".parse().unwrap()), ..Settings::default() };
        assert_eq!(set(a1.clone()).unwrap().changed, ["default_site"]);
        assert!(set(a1).unwrap().changed.is_empty());
        let other = Settings { default_site: Field::Set("b1".parse().unwrap()), ..Settings::default() };
        assert!(matches!(set(other), Err(AccountError::Site(site::store::Error::OwnedByOther { .. }))));
        let named =
            Settings { name: Some("Acme".to_owned()), default_site: Field::Clear, ..Settings::default() };
        assert_eq!(set(named).unwrap().changed, ["name", "default_site"]);
        let id = stage.account(ALICE);
        stage.write(move |tx| site::store::rename(tx, &id, "As An Order Says"));
        assert_eq!(stage.numbers("account:lab:customer:1").account.name, "Acme");
    }
}

/// The end of the period around `from`, found without any arithmetic of the calendar: by looking on.
fn naive_end(per: Per, from: Timestamp, zone: Tz) -> Timestamp {
    let name = |time: Timestamp| {
        let local = zone.from_utc_datetime(&time.utc().naive_utc());
        let (day, week) = (local.date_naive(), local.iso_week());
        match per {
            Per::Day => day.to_string(),
            Per::Week => format!("{week:?}"),
            Per::Month => format!("{} {}", day.year(), day.month()),
            Per::Year => day.year().to_string(),
        }
    };
    let quarter = HOUR_MS / 4;
    let mut time = Timestamp::from_millis(from.millis() - from.millis().rem_euclid(quarter));
    while name(time) == name(from) {
        time = time.plus_millis(quarter);
    }
    time
}

/// A clock that goes in steps of any size, a plan that is set, stopped and started, debits in between: each
/// period comes once, and what is left is what a few lines of counting say.
#[test]
fn each_period_comes_once_whatever_happens() {
    let mut random = seeded();
    for stage in stages() {
        for round in 0..6 {
            let zones =
                ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"];
            let zone: Tz = zones.choose(&mut random).unwrap().parse().unwrap();
            let per = *[Per::Day, Per::Week, Per::Month, Per::Year].choose(&mut random).unwrap();
            let stage = if round == 0 { &stage } else { &Stage::on(crate::support::sqlite()) };
            let mut now = at("2026-01-01").plus_millis(random.random_range(0..400 * DAY_MS));
            stage.test.clock.turn_to(now);
            stage.zone(ALICE, zone.name());
            let (mut credits, mut rollover) =
                (random.random_range(1..50_i64), random.random_range(0..50_i64));
            stage.set(&format!("basic {credits} {per} {rollover}"));
            let (mut expected, mut running, mut due, mut left) = (Vec::new(), false, now, 0);
            for _ in 0..40 {
                let longest = if per == Per::Day { 5 * DAY_MS } else { 50 * DAY_MS };
                now = now.plus_millis(match random.random_range(0..3) {
                    0 => random.random_range(0..HOUR_MS),
                    1 if now < due => due.millis() - now.millis() - random.random_range(0..2),
                    _ => random.random_range(0..longest),
                });
                stage.test.clock.turn_to(now);
                // What happened meanwhile.
                while due <= now && (running || left > 0) {
                    let carried = left.min(rollover);
                    left = 0;
                    if running {
                        if carried > 0 {
                            expected.push(format!("{due} +{carried}"));
                        }
                        expected.push(format!("{due} {credits}"));
                        left = credits + carried;
                        due = naive_end(per, due, zone);
                    }
                }
                match random.random_range(0..6) {
                    0 => {
                        stage.stop_if_known("basic", "site:a1");
                        running = false;
                    }
                    1 | 2 => {
                        stage.start("basic", "site:a1");
                        if !running {
                            running = true;
                            due = due.max(now);
                            if due == now {
                                expected.push(format!("{due} {credits}"));
                                left = credits;
                                due = naive_end(per, due, zone);
                            }
                        }
                    }
                    3 | 4 => {
                        let amount = random.random_range(1..60);
                        let done = stage.debit("a1", &amount.to_string());
                        assert_eq!(done.is_ok(), amount <= left, "{amount} of {left}: {done:?}");
                        left -= if done.is_ok() { amount } else { 0 };
                    }
                    _ => {
                        stage.touch(ALICE);
                        (credits, rollover) = (random.random_range(1..50), random.random_range(0..50));
                        stage.set(&format!("basic {credits} {per} {rollover}"));
                    }
                }
                stage.touch(ALICE);
                let shown: Vec<String> = stage
                    .periods()
                    .iter()
                    .map(|period| {
                        let words: Vec<&str> = period.split(' ').collect();
                        format!("{} {}", words[1], words[3])
                    })
                    .collect();
                assert_eq!(shown, expected, "{per} in {zone} at {now}");
                assert_eq!(
                    stage.numbers("site:a1").available.to_string(),
                    left.to_string(),
                    "{per} in {zone} at {now}"
                );
            }
        }
    }
}

impl Stage {
    fn stop_if_known(&self, plan: &str, wallet: &str) {
        let (plan, wallet) = (plan.parse().unwrap(), wallet.parse().unwrap());
        self.write(move |tx| {
            let (account, at) = site::store::open_wallet(tx, &wallet).unwrap();
            LockedAccount::lock(tx, &account)?.stop_plan(&plan, &at).map(drop)
        });
    }
}

/// The daemon books for those nobody touches, and the page tells of it.
#[tokio::test]
async fn the_daemon_renews_by_itself() {
    let app = TestApp::start().await;
    let db = app.db().clone();
    tokio::task::spawn_blocking(move || {
        crate::app::write(&db, |tx| {
            let new = NewPlan {
                name: "basic".parse().unwrap(),
                credits: "100".parse().unwrap(),
                per: Per::Day,
                rollover: "0".parse().unwrap(),
                label: Some("Daily answers".to_owned()),
            };
            plan::set(tx, &new)?;
            for customer in 1..=3 {
                let account =
                    site::store::open(tx, &format!("lab:customer:{customer}").parse().unwrap()).unwrap();
                LockedAccount::lock(tx, &account)?.start_plan(&new.name, &Compartment::Pool, None)?;
            }
            Ok::<_, Error>(())
        });
    })
    .await
    .unwrap();
    assert_eq!(app.count("plan_grant"), 3);
    app.clock.turn_to(at("2026-11-22T00:00:00Z"));
    let patience = std::time::Instant::now();
    while app.count("plan_grant") < 9 {
        assert!(patience.elapsed().as_secs() < 20, "{} periods were granted", app.count("plan_grant"));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(app.count("plan_grant"), 9);
    let feed = app.get("/v1/wallets/account:lab:customer:1/feed").await;
    assert_eq!(feed["available"], "100");
    assert_eq!(feed["recurring"]["renews_at"], "2026-11-23T00:00:00Z");
    assert_eq!(feed["activity"][0]["kind"], "plan");
    assert_eq!(feed["activity"][0]["label"], "Daily answers");
}

/// A plan that was stopped and is to come again some day brings nothing until then, and shows nothing.
#[test]
fn a_plan_that_is_to_come_again_shows_nothing_until_then() {
    for stage in stages() {
        stage.set("basic 36 week 0");
        stage.start("basic", "site:a1");
        stage.stop("basic", "site:a1");
        stage.turn("2026-12-10T12:00:00Z");
        assert_eq!(stage.start_from("basic", "site:a1", Some("2026-12-20T00:00:00Z")), Change::Started);
        assert_eq!(stage.sums("site:a1"), "0 of 0 until 2026-12-20T00:00:00Z, used 0");
        stage.turn("2026-12-20T00:00:00Z");
        stage.touch(ALICE);
        assert_eq!(stage.sums("site:a1"), "36 of 36 until 2026-12-21T00:00:00Z, used 0");
    }
}
