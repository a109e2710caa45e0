//! Whole accounts: merged, claimed, erased; and what is left when raw deliveries are forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use nivella_wallet::access;
use nivella_wallet::account::merge::{Change, Merged, merge};
use nivella_wallet::account::{self, claim, erase, release_site, transfer};
use nivella_wallet::app;
use nivella_wallet::config::Config;
use nivella_wallet::db::{self, Keep, Tx};
use nivella_wallet::feed;
use nivella_wallet::feed::wallet::Numbers;
use nivella_wallet::id::{AccountId, SiteId};
use nivella_wallet::inbox::{self, Envelope, Incoming, signature};
use nivella_wallet::ledger::limit::Brake;
use nivella_wallet::ledger::slice::{Category, Compartment, View, open_slices};
use nivella_wallet::ledger::store::{self as ledger, Expiry, NewDebit, NewGrant, Shown, spend};
use nivella_wallet::ledger::{LockedAccount, audit};
use nivella_wallet::order::apply::Rules;
use nivella_wallet::order::{explain, store as orders};
use nivella_wallet::params;
use nivella_wallet::shop::Store;
use nivella_wallet::site::store as sites;
use nivella_wallet::site::{AccountRef, Field, WalletRef};
use nivella_wallet::time::Validity;
use nivella_wallet::units::Credits;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, key, lab, scenario};
use crate::support::{TestDb, databases, new_debit, new_hold, seeded, sqlite};

// The stage -----------------------------------------------------------------------------------------

/// A database with the store `lab`, to which orders are delivered.
pub(crate) struct Stage {
    pub(crate) test: TestDb,
    pub(crate) shop: Store,
    pub(crate) rules: Arc<Rules>,
}

/// An order of one line, as its shop has it. A package costs 10.00 and brings 1,000.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) id: i64,
    /// `customer:2` or `email:a@example.com`.
    pub(crate) buyer: String,
    pub(crate) site: Option<String>,
    pub(crate) quantity: i64,
    pub(crate) status: &'static str,
    /// Refunded so far, in whole currency.
    pub(crate) refunded: i64,
    pub(crate) version: u32,
}

impl Draft {
    pub(crate) fn new(id: i64, buyer: &str) -> Self {
        let buyer = buyer.to_owned();
        Self { id, buyer, site: None, quantity: 1, status: "processing", refunded: 0, version: 0 }
    }

    pub(crate) fn at(id: i64, buyer: &str, site: &str) -> Self {
        Self { site: Some(site.to_owned()), ..Self::new(id, buyer) }
    }

    /// As WooCommerce would send it, a second younger than the last.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        self.version += 1;
        let mut order: Value = serde_json::from_slice(&scenario("02-paid-order-one-token")[2].body).unwrap();
        let total = format!("{}.00", self.quantity * 10);
        let (kind, who) = self.buyer.split_once(':').unwrap();
        order["id"] = self.id.into();
        order["number"] = self.id.to_string().into();
        order["customer_id"] = if kind == "customer" { who.parse::<i64>().unwrap() } else { 0 }.into();
        let address = if kind == "email" { who.to_owned() } else { format!("{who}@registered.example") };
        order["billing"]["email"] = address.into();
        order["billing"]["first_name"] = "Gabriele".into();
        order["billing"]["last_name"] = "Buyer".into();
        order["status"] = self.status.into();
        order["total"] = total.clone().into();
        let (minutes, seconds) = (self.version / 60, self.version % 60);
        order["date_modified_gmt"] = format!("2026-11-20T15:{minutes:02}:{seconds:02}").into();
        let line = &mut order["line_items"][0];
        line["id"] = (self.id * 10).into();
        line["quantity"] = self.quantity.into();
        line["subtotal"] = total.clone().into();
        line["total"] = total.into();
        if let Some(site) = &self.site {
            line["meta_data"] = json!([{ "id": 1, "key": "_nivella_site_id", "value": site }]);
        }
        if self.refunded > 0 {
            let total = format!("-{}.00", self.refunded);
            order["refunds"] = json!([{ "id": self.id * 100 + self.refunded, "reason": "", "total": total }]);
        }
        serde_json::to_vec(&order).unwrap()
    }

    /// What it should have granted.
    pub(crate) fn target(&self) -> i64 {
        if self.status == "processing" { self.quantity * 1000 - self.refunded * 100 } else { 0 }
    }
}

impl Stage {
    pub(crate) fn on(test: TestDb) -> Self {
        let shop = lab(&test.db);
        Self { test, shop, rules: Arc::new(app::rules(&Config::default())) }
    }

    pub(crate) fn write<T: Send + 'static, E: From<db::Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let done = self.test.db.write_blocking("test", Keep::Effects, work);
        self.prove();
        done
    }

    pub(crate) fn prove(&self) {
        assert_eq!(audit::verify(&self.test.db, |_| {}).unwrap().faults, [], "on {}", self.test.name);
    }

    pub(crate) fn deliver_as(&self, topic: &str, body: Vec<u8>) -> &'static str {
        let mut headers = http::HeaderMap::new();
        let signed = signature::sign(SECRET.as_bytes(), &body);
        headers.insert(signature::SIGNATURE, signed.parse().unwrap());
        let verified = signature::verify(&[SECRET.as_bytes()], &headers, body.into()).unwrap();
        let envelope = Envelope { topic: topic.to_owned(), ..Envelope::default() };
        let (shop, rules) = (self.shop.clone(), Arc::clone(&self.rules));
        let incoming = Incoming::read(envelope, verified, &shop);
        self.write(move |tx| inbox::receive(tx, &shop, &rules, &incoming)).unwrap().result
    }

    pub(crate) fn deliver(&self, draft: &mut Draft) -> &'static str {
        self.deliver_as("order.updated", draft.next())
    }

    pub(crate) fn merge(&self, from: &str, into: &str) -> Result<Merged, account::Error> {
        let (from, into) = (name(from), name(into));
        self.write(move |tx| merge(tx, &from, &into))
    }

    pub(crate) fn erase(&self, account: &str) -> erase::Erased {
        let account = name(account);
        self.write(move |tx| erase::erase(tx, &account)).unwrap()
    }

    pub(crate) fn id(&self, account: &str) -> AccountId {
        let account = name(account);
        self.test
            .db
            .read(|tx| sites::resolve(tx, &account))
            .unwrap()
            .unwrap_or_else(|| panic!("no {account}"))
    }

    pub(crate) fn numbers(&self, wallet: &str) -> Numbers {
        let wallet: WalletRef = wallet.parse().unwrap();
        let settings = app::feed_settings(&Config::default());
        self.test
            .db
            .read(|tx| feed::wallet::open(tx, &wallet)?.expect("a wallet").numbers(tx, &settings))
            .unwrap()
    }

    /// Available, debt and used.
    pub(crate) fn brief(&self, wallet: &str) -> String {
        let Numbers { available, debt, used, .. } = self.numbers(wallet);
        format!("{available} {debt} {used}")
    }

    /// Spends for a site; answers whether there was enough.
    pub(crate) fn spend(&self, site: &str, amount: &str) -> bool {
        let debit = NewDebit {
            reference: Some("mail of gabriele@guest.example".to_owned()),
            usage: Some(r#"{"visitor":"Gabriele"}"#.to_owned()),
            ..new_debit(site, amount)
        };
        self.write(move |tx| {
            let account = sites::owned(tx, &debit.site).unwrap();
            spend(tx, &account, &debit, &Brake::OFF)
        })
        .is_ok()
    }

    pub(crate) fn sql(&self, sql: &'static str) {
        self.write(move |tx| tx.execute(sql, params![])).unwrap();
    }

    pub(crate) fn count(&self, what: &str) -> i64 {
        let sql = format!("-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM {what}").leak();
        self.test.db.read(|tx| tx.query_one(sql, &[], |row| row.get(0))).unwrap()
    }

    /// Whether any of the tables that can hold a person's data holds `text`.
    pub(crate) fn mentions(&self, text: &str) -> Vec<&'static str> {
        let columns = [
            ("account", "name"),
            ("customer", "natural_key"),
            ("shop_order", "state"),
            ("debit", "COALESCE(usage, '') || COALESCE(reference, '')"),
            ("site", "COALESCE(label, '')"),
            ("api_key", "scopes"),
        ];
        let mut found: Vec<&'static str> = columns
            .into_iter()
            .filter(|(table, column)| {
                self.count(&format!("{table} WHERE LOWER({column}) LIKE '%{}%'", text.to_lowercase())) > 0
            })
            .map(|(table, _)| table)
            .collect();
        let (mut bodies, mut after) = (Vec::new(), 0);
        while let Some(kept) = self.test.db.read(|tx| inbox::store::next(tx, None, after)).unwrap() {
            after = kept.seq;
            bodies.push(kept.body);
        }
        let named =
            |body: &Vec<u8>| String::from_utf8_lossy(body).to_lowercase().contains(&text.to_lowercase());
        if bodies.iter().any(named) {
            found.push("delivery");
        }
        found
    }
}

pub(crate) fn name(account: &str) -> AccountRef {
    account.parse().unwrap()
}

pub(crate) fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

const GUEST: &str = "lab:email:gabriele@guest.example";
const BUYER: &str = "email:gabriele@guest.example";
const ALICE: &str = "lab:customer:2";

// Merging -------------------------------------------------------------------------------------------

/// What lies in an account: grant, compartment, what is left, until when, frozen, from when.
fn holdings(stage: &Stage, account: &AccountId) -> Vec<String> {
    let slices = stage.test.db.read(|tx| open_slices(tx, account, &View::Account)).unwrap();
    let mut lines: Vec<String> = slices
        .iter()
        .map(|s| {
            let at = s.compartment.site().map_or("pool", |site| site.as_str());
            format!(
                "{} {} {at} {} {:?} {} {} {:?} {}",
                s.grant, s.category, s.remaining, s.expires_at, s.frozen, s.effective_at, s.order, s.priority
            )
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_merge_moves_every_slice_as_it_is() {
    for test in databases() {
        let stage = Stage::on(test);
        // A guest with a site of the order's, a pool, and every kind of credits.
        stage.deliver(&mut Draft::at(1, BUYER, "shop"));
        stage.deliver(&mut Draft::new(2, BUYER));
        assert!(stage.spend("shop", "100"));
        let mut waiting = Draft { quantity: 2, ..Draft::new(3, BUYER) };
        stage.deliver(&mut waiting);
        waiting.status = "on-hold";
        stage.deliver(&mut waiting);
        let guest = stage.id(GUEST);
        let now = stage.test.clock.now();
        for (number, (category, expiry, later)) in [
            (Category::Bonus, Validity::Days(30), 0),
            (Category::Recurring, Validity::Cycle, 0),
            (Category::Paid, Validity::Never, 86_400_000),
        ]
        .into_iter()
        .enumerate()
        {
            let id = guest.clone();
            stage
                .write(move |tx| {
                    let grant = NewGrant {
                        compartment: if number == 0 {
                            Compartment::Site("shop".parse().unwrap())
                        } else {
                            Compartment::Pool
                        },
                        amount: credits("10.5"),
                        category,
                        priority: Some(7),
                        label: "given".to_owned(),
                        reason: None,
                        effective_at: Some(now.plus_millis(later)),
                        expiry: Expiry::After(expiry),
                        purchase: None,
                        shown_as: Shown::Bonus,
                    };
                    LockedAccount::lock(tx, &id)?.grant(&grant)
                })
                .unwrap();
        }
        stage
            .write(|tx| {
                let alice = sites::open(tx, &name(ALICE))?;
                let (acme, label) = (Field::Set("acme".parse().unwrap()), Field::Set("Blog".to_owned()));
                let guest = sites::open(tx, &name(GUEST))?;
                sites::assign(tx, &"blog".parse().unwrap(), &guest, &acme, &label)?;
                sites::set_default_site(tx, &guest, Some(&"blog".parse().unwrap()))?;
                sites::assign(tx, &"own".parse().unwrap(), &alice, &Field::Keep, &Field::Keep)?;
                Ok::<_, sites::Error>(())
            })
            .unwrap();
        stage.deliver(&mut Draft::at(4, "customer:2", "own"));
        assert!(stage.spend("own", "50"));
        let (alice, before) = (stage.id(ALICE), holdings(&stage, &guest));
        let own = holdings(&stage, &alice);

        let done = stage.merge(GUEST, ALICE).unwrap();
        assert_eq!((&done.from, &done.into, done.change), (&guest, &alice, Change::Merged));
        let moved: Vec<&str> = done.sites.iter().map(SiteId::as_str).collect();
        assert_eq!((moved, done.orders, done.names), (vec!["blog", "shop"], 3, 1));
        // 4,000 of three orders, 31.5 given, 100 spent.
        assert_eq!(done.credits, credits("3931.5"));
        let mut all = [before, own].concat();
        all.sort();
        assert_eq!(holdings(&stage, &alice), all);
        assert_eq!(holdings(&stage, &guest), [""; 0]);

        let (left, kept, blog) = stage
            .test
            .db
            .read(|tx| {
                let blog = sites::get(tx, &"blog".parse().unwrap())?.unwrap();
                Ok::<_, db::Error>((sites::account(tx, &guest)?, sites::account(tx, &alice)?, blog))
            })
            .unwrap();
        let (left, kept) = (left.unwrap(), kept.unwrap());
        assert_eq!((left.merged_into.as_ref(), left.default_site, left.names), (Some(&alice), None, vec![]));
        assert_eq!((kept.default_site, kept.names), (None, vec![name(ALICE), name(GUEST)]));
        assert_eq!((blog.label.as_deref(), blog.client.unwrap().as_str()), (Some("Blog"), "acme"));
        let listed = stage.test.db.read(|tx| sites::accounts(tx, None, None, 9)).unwrap();
        assert_eq!(listed.iter().map(|a| &a.id).collect::<Vec<_>>(), [&alice], "a merged one is not listed");
        // What was used this month is the sum; of a site it is what it was.
        assert_eq!(stage.numbers(&format!("account:{ALICE}")).used, credits("150"));
        assert_eq!(stage.numbers("site:shop").used, credits("100"));
        // Time passes: what expires does so for its new holder.
        stage.test.clock.turn_to("2026-12-25T00:00:00Z".parse().unwrap());
        stage.write(move |tx| LockedAccount::lock(tx, &alice).map(|_| ())).unwrap();
        assert_eq!(stage.count("entry WHERE kind = 'expired'"), 2);
    }
}

#[test]
fn what_comes_after_a_merge_is_the_new_accounts() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut first = Draft::at(1, BUYER, "shop");
        stage.deliver(&mut first);
        let mut second = Draft::new(2, BUYER);
        stage.deliver(&mut second);
        assert!(stage.spend("shop", "600"));
        stage.merge(GUEST, ALICE).unwrap();
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "1400 0 600");

        first.refunded = 5;
        assert_eq!(stage.deliver(&mut first), "clawed_back");
        assert_eq!(stage.brief("site:shop"), "1000 100 600", "400 were left of it, 100 are owed");
        second.status = "cancelled";
        assert_eq!(stage.deliver(&mut second), "clawed_back");
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "0 100 600");
        // The guest's address is one of Alice's names.
        assert_eq!(stage.deliver(&mut Draft::at(3, BUYER, "shop")), "granted");
        assert_eq!(stage.brief(&format!("account:{GUEST}")), "900 0 600");
        assert_eq!(stage.id(GUEST), stage.id(ALICE));
        // Given to Alice in the shop as well, the order stays where it is.
        first.buyer = "customer:2".to_owned();
        stage.deliver(&mut first);
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "900 0 600");
        // And to somebody else, what is left of it goes there.
        second.status = "processing";
        second.buyer = "customer:3".to_owned();
        assert_eq!(stage.deliver(&mut second), "granted");
        assert_eq!(stage.brief("account:lab:customer:3"), "1000 0 0");
        let claims = stage
            .test
            .db
            .read(|tx| orders::list(tx, orders::Filter::Unclaimed, orders::Place::START, 9))
            .unwrap();
        assert_eq!(claims, []);
    }
}

/// Debts lie with their site, or in the pool; the next grant there pays.
#[test]
fn debts_move_with_an_account() {
    for test in databases() {
        let stage = Stage::on(test);
        for (id, site) in [(1, "shop"), (2, "lost")] {
            let mut order = Draft::at(id, BUYER, site);
            stage.deliver(&mut order);
            assert!(stage.spend(site, "400"));
            order.status = "refunded";
            stage.deliver(&mut order);
        }
        // A debt of the pool is added to.
        let mut pooled = Draft::new(3, "customer:2");
        stage.deliver(&mut pooled);
        stage
            .write(|tx| {
                let alice = sites::open(tx, &name(ALICE))?;
                sites::assign(tx, &"own".parse().unwrap(), &alice, &Field::Keep, &Field::Keep)
            })
            .unwrap();
        assert!(stage.spend("own", "1000"));
        pooled.status = "refunded";
        stage.deliver(&mut pooled);
        stage.sql("-- test\n UPDATE site SET account_id = NULL WHERE id = 'lost'");
        assert_eq!(stage.brief(&format!("account:{GUEST}")), "0 800 800");
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "0 1000 1000");

        let done = stage.merge(GUEST, ALICE).unwrap();
        assert_eq!((done.debt, done.credits), (credits("800"), Credits::ZERO));
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "0 1800 1800");
        assert_eq!(stage.count("debt WHERE site = 'shop' AND amount = 400000000"), 1);
        assert_eq!(stage.count("debt WHERE site = '' AND amount = 1400000000"), 1);
        assert_eq!(stage.count("entry WHERE kind = 'moved' AND grant_id IS NULL"), 4);
        assert_eq!(stage.deliver(&mut Draft::at(4, "customer:2", "shop")), "granted");
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "600 1400 1800");
    }
}

/// A debt that one account handed over and nobody took is a fault; and so is one that somebody changed.
#[test]
fn a_debt_that_is_lost_on_the_way_is_found() {
    for test in databases() {
        let stage = Stage::on(test);
        stage.deliver(&mut Draft::new(1, "customer:2"));
        let mut order = Draft::at(2, BUYER, "shop");
        stage.deliver(&mut order);
        assert!(stage.spend("shop", "1000"));
        order.status = "refunded";
        stage.deliver(&mut order);
        let (guest, alice) = (stage.id(GUEST), stage.id(ALICE));
        stage
            .test
            .db
            .write_blocking("test", Keep::Effects, move |tx| {
                LockedAccount::lock(tx, &guest)?.send_debts(&alice).map(|_| ())
            })
            .unwrap();
        let faults = audit::verify(&stage.test.db, |_| {}).unwrap().faults;
        assert_eq!(faults.iter().map(|fault| fault.rule).collect::<Vec<_>>(), ["debts"], "{faults:?}");
        assert!(faults[0].row.starts_with("debts between acc_"), "{faults:?}");
        // So is an account that is part of another and has a site of its own.
        let sql = "-- test\n UPDATE account SET merged_into = (SELECT account_id FROM customer
                   WHERE natural_key = 'customer:2') WHERE name LIKE 'Gab%' AND id NOT IN (SELECT account_id
                   FROM customer WHERE natural_key = 'customer:2')";
        stage.test.db.write_blocking("test", Keep::Effects, |tx| tx.execute(sql, params![])).unwrap();
        let faults = audit::verify(&stage.test.db, |_| {}).unwrap().faults;
        assert!(faults.iter().any(|fault| fault.rule == "merged accounts"), "{faults:?}");
    }
}

#[test]
fn merges_that_cannot_be_are_refused_and_repeats_change_nothing() {
    use account::Error as E;
    for test in databases() {
        let stage = Stage::on(test);
        for (id, buyer) in [(1, BUYER), (2, "customer:2"), (3, "customer:3"), (4, "email:b@example.com")] {
            stage.deliver(&mut Draft::new(id, buyer));
        }
        let (guest, alice) = (stage.id(GUEST), stage.id(ALICE));
        assert!(matches!(stage.merge(ALICE, ALICE), Err(E::Itself(_))));
        assert!(matches!(
            stage.merge("lab:customer:99", ALICE),
            Err(E::Site(sites::Error::UnknownAccount(_)))
        ));
        assert!(matches!(stage.merge(GUEST, "shop:customer:1"), Err(E::Site(sites::Error::UnknownStore(_)))));
        let holder = guest.clone();
        let held = stage.write(move |tx| -> Result<_, ledger::Error> {
            LockedAccount::lock(tx, &holder)?.hold(&new_hold("some-site", "5"))
        });
        let hold = held.unwrap().hold.id;
        assert!(
            matches!(stage.merge(GUEST, ALICE), Err(E::Held { credits, .. }) if credits.to_string() == "5")
        );
        let holder = guest.clone();
        stage.write(move |tx| LockedAccount::lock(tx, &holder)?.release(&hold)).unwrap();
        let frozen = guest.clone();
        stage.write(move |tx| sites::set_frozen(tx, &frozen, Some("fraud"))).unwrap();
        assert!(matches!(stage.merge(GUEST, ALICE), Err(E::Frozen { reason, .. }) if reason == "fraud"));
        let frozen = guest.clone();
        stage.write(move |tx| sites::set_frozen(tx, &frozen, None)).unwrap();
        // Into a frozen one credits may go: they cannot be spent there either.
        let frozen = alice.clone();
        stage.write(move |tx| sites::set_frozen(tx, &frozen, Some("look"))).unwrap();
        assert_eq!(stage.merge(GUEST, ALICE).unwrap().change, Change::Merged);
        let frozen = alice.clone();
        stage.write(move |tx| sites::set_frozen(tx, &frozen, None)).unwrap();

        // Again by either name, by its id, the other way round: they are one.
        for (from, into) in [(GUEST, ALICE), (guest.as_str(), ALICE), (ALICE, guest.as_str()), (ALICE, GUEST)]
        {
            assert_eq!(stage.merge(from, into).unwrap().change, Change::Unchanged, "{from} {into}");
        }
        let refused = stage.merge(guest.as_str(), "lab:customer:3");
        assert!(matches!(refused, Err(E::Merged { account, into }) if account == guest && into == alice));
        // A chain of merges ends where its last account is.
        // The guest's old name is one of two of Alice's: it does not say that Alice is meant.
        for one in [GUEST, ALICE] {
            let refused = stage.merge(one, "lab:customer:3");
            assert!(
                matches!(&refused, Err(E::NotAlone { account, merged_at, .. })
                    if *account == alice && merged_at.is_some() == (one == GUEST)),
                "{refused:?}"
            );
        }
        let by_name = name(GUEST);
        let refused = stage.write(move |tx| erase::erase(tx, &by_name));
        assert!(matches!(refused, Err(E::NotAlone { .. })), "{refused:?}");
        assert_eq!(stage.merge(alice.as_str(), "lab:customer:3").unwrap().credits, credits("2000"));
        let last = stage.id("lab:customer:3");
        assert_eq!(stage.test.db.read(|tx| sites::follow(tx, &guest)).unwrap(), last);
        let (into, merged) = (AccountRef::from(guest.clone()), last.clone());
        assert_eq!(stage.write(move |tx| sites::open(tx, &into)).unwrap(), merged);
        let refused = stage.write(move |tx| LockedAccount::lock(tx, &guest).map(|_| ()));
        assert!(
            matches!(refused, Err(nivella_wallet::ledger::store::Error::Merged { into, .. }) if into == last)
        );
        // An agency that bought in two shops is one account.
        stage.sql(
            "-- test
             INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
             VALUES (9, 'other', 'https://other.example', 'x', '[]', '[]', '[]', 0)",
        );
        stage.write(|tx| sites::open(tx, &name("other:customer:2"))).unwrap();
        assert_eq!(stage.merge("other:customer:2", "lab:customer:3").unwrap().names, 1);
        assert_eq!(stage.id("other:customer:2"), last);
        // A customer that has no account yet is opened.
        assert_eq!(
            stage.merge("lab:email:b@example.com", "lab:customer:77").unwrap().credits,
            credits("1000")
        );
    }
}

/// What two accounts used in the same month is one number, whatever their midnights.
#[test]
fn a_month_is_a_month_in_another_time_zone() {
    for test in databases() {
        let stage = Stage::on(test);
        stage.deliver(&mut Draft::at(1, BUYER, "shop"));
        stage.deliver(&mut Draft::at(2, "customer:2", "own"));
        stage.sql("-- test\n UPDATE account SET time_zone = 'Pacific/Auckland' WHERE name LIKE 'Gab%'");
        stage.sql("-- test\n UPDATE account SET time_zone = 'America/New_York' WHERE id IN (SELECT account_id FROM customer WHERE natural_key = 'customer:2')");
        assert!(stage.spend("shop", "10") && stage.spend("own", "1"));
        stage.merge(GUEST, ALICE).unwrap();
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "1989 0 11");
    }
}

/// What a site owes stays with whoever spent it, when the site goes.
#[test]
fn a_debt_does_not_stay_with_a_site_that_goes() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut registers = Draft::at(1, "customer:2", "shop");
        stage.deliver(&mut registers);
        let mut spent = Draft::at(2, "customer:2", "shop");
        stage.deliver(&mut spent);
        assert!(stage.spend("shop", "2000"));
        spent.status = "refunded";
        stage.deliver(&mut spent);
        assert_eq!(stage.count("debt WHERE site = 'shop' AND amount > 0"), 1);
        // The order that registered the site goes to another customer, and the site with it.
        registers.buyer = "customer:3".to_owned();
        stage.deliver(&mut registers);
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "0 1000 2000");
        assert_eq!(stage.brief("account:lab:customer:3"), "0 0 0");
        assert_eq!(stage.count("debt WHERE site = '' AND amount = 1000000000"), 1);
        assert_eq!(stage.deliver(&mut Draft { quantity: 2, ..Draft::new(3, "customer:2") }), "granted");
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "1000 0 2000", "the pool's next grant paid");

        // Taken from its account by hand: the same.
        let mut other = Draft::at(4, "customer:2", "blog");
        stage.deliver(&mut other);
        assert!(stage.spend("blog", "1500"));
        other.status = "refunded";
        stage.deliver(&mut other);
        let released = stage.write(|tx| release_site(tx, &"blog".parse().unwrap())).unwrap();
        assert_eq!((released.debt, released.posted), (credits("1000"), Credits::ZERO));
        stage.deliver(&mut Draft { quantity: 2, ..Draft::new(5, "customer:2") });
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "1500 0 3500");
    }
}

/// Purchases, spending, refunds, hand-overs, merges and erasures in any order: no credit is made or lost.
#[test]
fn nothing_is_made_or_lost_whatever_is_merged() {
    let mut random = seeded();
    for _ in 0..6 {
        let stage = Stage::on(sqlite());
        let buyers = ["customer:2", "customer:3", BUYER, "email:b@example.com"];
        let sites = ["one", "two", "three"];
        let mut drafts: BTreeMap<i64, Draft> = BTreeMap::new();
        let mut spent = 0_i64;
        for step in 0..40 {
            match random.random_range(0..12) {
                11 => {
                    let site: SiteId = sites.choose(&mut random).unwrap().parse().unwrap();
                    let to = name(&format!("lab:{}", buyers.choose(&mut random).unwrap()));
                    let handed_over = stage.write(move |tx| {
                        transfer::offer(tx, &site, &to)?;
                        transfer::accept(tx, &site)
                    });
                    match handed_over {
                        Ok(_)
                        | Err(
                            account::Error::AlreadyTheirs { .. }
                            | account::Error::Site(sites::Error::UnknownSite(_) | sites::Error::Unassigned(_)),
                        ) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                0..3 => {
                    let id = i64::try_from(drafts.len()).unwrap() + 1;
                    let mut draft = Draft::new(id, buyers.choose(&mut random).unwrap());
                    draft.quantity = random.random_range(1..4);
                    draft.site = sites.get(random.random_range(0..5)).map(|site| (*site).to_owned());
                    stage.deliver(&mut draft);
                    drafts.insert(id, draft);
                }
                3..6 => {
                    let (site, amount) = (*sites.choose(&mut random).unwrap(), random.random_range(1..900));
                    let owned = stage.test.db.read(|tx| sites::owner(tx, &site.parse().unwrap())).unwrap();
                    if owned.is_some() && stage.spend(site, &amount.to_string()) {
                        spent += amount;
                    }
                }
                kind @ 6..9 => {
                    let Some(draft) = drafts.values().collect::<Vec<_>>().choose(&mut random).map(|d| d.id)
                    else {
                        continue;
                    };
                    let draft = drafts.get_mut(&draft).unwrap();
                    match kind {
                        6 => draft.refunded = random.random_range(0..=draft.quantity * 10),
                        7 => draft.status = *["processing", "cancelled"].choose(&mut random).unwrap(),
                        _ => draft.buyer = (*buyers.choose(&mut random).unwrap()).to_owned(),
                    }
                    stage.deliver(draft);
                }
                9 => {
                    let account = format!("lab:{}", buyers.choose(&mut random).unwrap());
                    let named = name(&account);
                    if stage.test.db.read(|tx| sites::resolve(tx, &named)).unwrap().is_some() {
                        stage.erase(stage.id(&account).as_str());
                        // What services write beside the debits of others names one address here.
                        let mut named = stage.mentions(account.rsplit(':').next().unwrap());
                        named.retain(|table| *table != "debit");
                        assert!(account.contains("customer") || named.is_empty(), "{account}: {named:?}");
                    }
                }
                _ => {
                    let (from, into) =
                        (buyers.choose(&mut random).unwrap(), buyers.choose(&mut random).unwrap());
                    let (from, into) = (format!("lab:{from}"), format!("lab:{into}"));
                    // By its id: one name of several does not say that all of it is meant.
                    let known = stage.test.db.read(|tx| sites::resolve(tx, &name(&from))).unwrap();
                    let from = known.map_or(from, |id| id.to_string());
                    match stage.merge(&from, &into) {
                        Ok(_)
                        | Err(
                            account::Error::Itself(_) | account::Error::Site(sites::Error::UnknownAccount(_)),
                        ) => {}
                        Err(error) => panic!("{from} into {into}: {error}"),
                    }
                }
            }
            let sum = |table: &str, column: &str| {
                let sql = format!("-- test\n SELECT CAST(COALESCE(SUM({column}), 0) AS BIGINT) FROM {table}")
                    .leak();
                stage.test.db.read(|tx| tx.query_one(sql, &[], |row| row.get::<i64>(0))).unwrap() / 1_000_000
            };
            let owned = sum("slice_now", "remaining") - sum("debt", "amount");
            let granted: i64 = drafts.values().map(Draft::target).sum();
            assert_eq!(owned, granted - spent, "after step {step}");
            let in_merged =
                "slice_now s JOIN account a ON a.id = s.account_id WHERE a.merged_into IS NOT NULL";
            assert_eq!(sum(in_merged, "s.remaining"), 0, "nothing lies where nobody looks");
        }
    }
}

// Claiming ------------------------------------------------------------------------------------------

/// A claim link's token for the guest.
fn token(app: &TestApp, validity: Validity) -> String {
    let link = write_claim(app, move |tx| {
        let until = validity.expires_at(tx.now(), chrono_tz::Tz::UTC).unwrap();
        claim::link(tx, &name(GUEST), None, until, true)
    })
    .unwrap();
    let (place, token) = link.url.split_once("nivella_claim=").unwrap();
    assert_eq!(place, "http://127.0.0.1:8088/?");
    token.to_owned()
}

fn write_claim<T: Send + 'static>(
    app: &TestApp,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, claim::Error> + Send + 'static,
) -> Result<T, claim::Error> {
    app.db().write_blocking("test", Keep::Effects, work)
}

/// Sends a claim; answers its status and, in a word, what it says.
async fn post(
    app: &TestApp,
    api_key: &str,
    idempotency_key: Option<&str>,
    body: Value,
) -> (u16, String, Value) {
    let mut request =
        app.http.request(Method::POST, app.url("/v1/claims")).bearer_auth(api_key).body(body.to_string());
    if let Some(key) = idempotency_key {
        request = request.header("Idempotency-Key", key);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let replayed = answer.headers().contains_key("idempotent-replayed");
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let word = match body["code"].as_str() {
        Some(code) => code.to_owned(),
        None if replayed => "replayed".to_owned(),
        None => body["change"].as_str().unwrap().to_owned(),
    };
    (status, word, body)
}

async fn claim_as_admin(app: &TestApp, idempotency_key: Option<&str>, body: Value) -> String {
    let (status, word, _) = post(app, &app.admin, idempotency_key, body).await;
    format!("{status} {word}")
}

#[tokio::test]
async fn a_guest_claims_once() {
    let app = TestApp::start().await;
    app.deliver("order.updated", Draft::at(1, BUYER, "shop").next()).await;
    let token = token(&app, Validity::Days(30));
    let ask = |account: &str| json!({ "token": token, "account": account });

    // Nothing of this claims anything.
    let forged = format!("{}A{}", &token[..token.len() - 9], &token[token.len() - 8..]);
    for (body, expected, pointer) in [
        (json!({ "token": token }), "invalid_request", "/account"),
        (json!({ "account": ALICE }), "invalid_request", "/token"),
        (json!({ "token": token, "account": ALICE, "x": 1 }), "invalid_request", "/x"),
        (json!({ "token": "", "account": ALICE }), "invalid_request", "/token"),
        (json!({ "token": forged, "account": ALICE }), "invalid_request", "/token"),
        (json!({ "token": token, "account": "nobody" }), "invalid_request", "/account"),
    ] {
        let (status, word, answer) = post(&app, &app.admin, Some("k"), body.clone()).await;
        assert_eq!((status, word.as_str()), (422, expected), "{body}");
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{body}");
    }
    for account in ["shop:customer:1", AccountId::new().as_str()] {
        assert_eq!(claim_as_admin(&app, None, ask(account)).await, "404 not_found", "{account}");
    }
    assert_eq!(claim_as_admin(&app, None, ask(GUEST)).await, "422 invalid_request");
    let db = app.db().clone();
    let reading = tokio::task::spawn_blocking(move || {
        ["account:lab:email:gabriele@guest.example", "debit", "site:shop"].map(|scope| key(&db, scope))
    })
    .await
    .unwrap();
    for (key, account, expected) in [
        (&reading[0], GUEST, 403),
        (&reading[1], GUEST, 403),
        (&reading[2], GUEST, 404),
        (&reading[0], ALICE, 404),
    ] {
        assert_eq!(post(&app, key, None, ask(account)).await.0, expected);
    }
    assert_eq!(app.available(&format!("account:{GUEST}")).await, "1000");

    // Claimed, with an account that is opened by it.
    let (status, word, answer) = post(&app, &app.admin, Some("first"), ask(ALICE)).await;
    assert_eq!((status, word.as_str(), answer["credits"].as_str()), (200, "merged", Some("1000")));
    assert!(!answer.to_string().contains("guest.example"), "{answer}");
    assert_eq!(app.available(&format!("account:{ALICE}")).await, "1000");
    // The same request is answered as before; another one is too late, whoever asks.
    assert_eq!(claim_as_admin(&app, Some("first"), ask(ALICE)).await, "200 replayed");
    assert_eq!(claim_as_admin(&app, Some("first"), ask("lab:customer:3")).await, "422 idempotency_mismatch");
    for (key, account) in [(None, ALICE), (Some("second"), ALICE), (None, "lab:customer:3")] {
        assert_eq!(claim_as_admin(&app, key, ask(account)).await, "409 already_claimed");
    }
    // A key that named the guest's account opens what it became, by any name.
    let guest = answer["from"].as_str().unwrap();
    for named in ["me", &format!("account:{guest}"), &format!("account:{ALICE}")] {
        let answer = app
            .http
            .get(app.url(&format!("/v1/wallets/{named}")))
            .bearer_auth(&reading[0])
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{named}");
    }
}

#[tokio::test]
async fn a_key_bound_to_a_merged_account_goes_on() {
    let app = TestApp::start().await;
    app.deliver("order.updated", Draft::at(1, BUYER, "shop").next()).await;
    assert_eq!(app.debit("shop", "100", "a").await.status(), 201);
    let guest = app.get(&format!("/v1/wallets/account:{GUEST}")).await["account"]["id"].clone();
    let guest = guest.as_str().unwrap().to_owned();
    let (db, id) = (app.db().clone(), guest.clone());
    let bound = tokio::task::spawn_blocking(move || {
        [format!("account:{id}"), format!("debit:account:{id}")].map(|scope| key(&db, &scope))
    })
    .await
    .unwrap();
    write_claim(&app, |tx| Ok(merge(tx, &name(GUEST), &name(ALICE))?)).unwrap();
    for key in &bound {
        let answer = app.http.get(app.url("/v1/wallets/me/feed")).bearer_auth(key).send().await.unwrap();
        let feed: Value = answer.json().await.unwrap();
        assert_eq!((feed["available"].as_str(), feed["used"].as_str()), (Some("900"), Some("100")));
        assert_eq!(feed["usage"]["by_action"][0]["credits"], "100", "what was used before still shows");
    }
    let usage = app.get(&format!("/v1/wallets/account:{guest}/usage?group=site")).await;
    assert_eq!((&usage["items"][0]["site"], &usage["items"][0]["credits"]), (&json!("shop"), &json!("100")));
    let spent = app
        .http
        .post(app.url("/v1/debits"))
        .bearer_auth(&bound[1])
        .header("Idempotency-Key", "b")
        .body(r#"{"site":"shop","credits":"900"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(spent.status(), 201);
}

#[tokio::test]
async fn a_link_is_good_until_it_expires() {
    let app = TestApp::start().await;
    app.deliver("order.updated", Draft::new(1, BUYER).next()).await;
    let token = token(&app, Validity::Days(1));
    let ask = json!({ "token": token, "account": ALICE });
    app.clock.turn_to("2026-11-22T00:00:00Z".parse().unwrap());
    assert_eq!(claim_as_admin(&app, Some("k"), ask.clone()).await, "410 claim_expired");
    // Frozen credits are claimed when the freeze is over, with the same idempotency key.
    app.clock.turn_to("2026-11-21T23:59:59.999Z".parse().unwrap());
    let frozen = |reason: Option<&'static str>| {
        write_claim(&app, move |tx| {
            let guest = sites::resolve(tx, &name(GUEST))?.unwrap();
            Ok(sites::set_frozen(tx, &guest, reason)?)
        })
        .unwrap()
    };
    frozen(Some("fraud"));
    assert_eq!(claim_as_admin(&app, Some("k"), ask.clone()).await, "423 frozen");
    frozen(None);
    assert_eq!(claim_as_admin(&app, Some("k"), ask).await, "200 merged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_claims_at_once_one_wins() {
    let app = Arc::new(TestApp::start().await);
    app.deliver("order.updated", Draft::new(1, BUYER).next()).await;
    let token = token(&app, Validity::Days(30));
    let claims = (0..16).map(|number| {
        let (app, token) = (Arc::clone(&app), token.clone());
        tokio::spawn(async move {
            let body = json!({ "token": token, "account": format!("lab:customer:{}", number + 10) });
            claim_as_admin(&app, Some(&format!("k{number}")), body).await
        })
    });
    let mut answers = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        answers.push(claim.await.unwrap());
    }
    answers.sort();
    assert_eq!(answers[0], "200 merged");
    assert!(answers[1..].iter().all(|answer| answer == "409 already_claimed"), "{answers:?}");
    assert_eq!(app.count("account WHERE merged_into IS NOT NULL"), 1);
}

#[test]
fn links_are_for_guests_and_signed_by_one_secret() {
    use claim::Error as E;
    for test in databases() {
        let stage = Stage::on(test);
        stage.deliver(&mut Draft::new(1, BUYER));
        stage.deliver(&mut Draft::new(2, "customer:2"));
        stage.sql(
            "-- test
             INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
             VALUES (9, 'other', 'https://other.example/de?x=1', 'x', '[]', '[]', '[]', 0)",
        );
        let link = |account: &str, store: Option<&'static str>, signs: bool| {
            let account = name(account);
            stage.write(move |tx| {
                let until = tx.now().plus_millis(1);
                claim::link(tx, &account, store, until, signs)
            })
        };
        assert!(matches!(link(ALICE, None, true), Err(E::Registered(_))));
        assert!(matches!(link("lab:email:x@example.com", None, true), Err(E::Account(_))));
        assert!(matches!(link(GUEST, Some("other"), true), Err(E::Account(_))));
        assert!(link(GUEST, None, false).unwrap().url.ends_with("/?nivella_claim=TOKEN"));
        assert_eq!(stage.count("signing_secret"), 0, "trying it makes no secret");
        let forged = stage.write(|tx| claim::claim(tx, "acc_1.2.AAAA", &name(ALICE)));
        assert!(matches!(forged, Err(E::Forged)));
        let first = link(GUEST, None, true).unwrap();
        assert_eq!(link(GUEST, None, true).unwrap().url, first.url, "one secret signs all");
        assert_eq!(stage.count("signing_secret"), 1);
        let past = stage.write(|tx| claim::link(tx, &name(GUEST), None, tx.now(), true).map(|_| ()));
        assert!(matches!(past, Err(E::Past(_))));

        // Known to two shops, a link leads to the one that is named.
        stage.sql("-- test\n INSERT INTO customer (store_id, natural_key, account_id) SELECT 9, natural_key, account_id FROM customer WHERE natural_key LIKE 'email:%'");
        assert!(
            matches!(link(GUEST, None, true), Err(E::WhichStore { stores, .. }) if stores == ["lab", "other"])
        );
        let other = link(GUEST, Some("other"), true).unwrap().url;
        assert!(other.starts_with("https://other.example/de?x=1&nivella_claim=acc_"), "{other}");
    }
}

// Personal data -------------------------------------------------------------------------------------

#[test]
fn an_erased_guest_leaves_books_and_no_name() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut paid = Draft::at(1, BUYER, "shop");
        stage.deliver(&mut paid);
        let mut pending = Draft { status: "pending", ..Draft::new(2, BUYER) };
        stage.deliver(&mut pending);
        stage.deliver_as("customer.updated", br#"{"id":7,"email":"Gabriele@guest.example"}"#.to_vec());
        stage.deliver(&mut Draft::new(3, "customer:2"));
        stage.deliver_as("customer.updated", br#"{"id":2,"email":"alice@example.com"}"#.to_vec());
        stage
            .write(|tx| {
                let guest = sites::open(tx, &name(GUEST))?;
                let label = Field::Set("Gabriele's shop".to_owned());
                sites::assign(tx, &"shop".parse().unwrap(), &guest, &Field::Keep, &label)
            })
            .unwrap();
        let reader = key(&stage.test.db, &format!("account:{GUEST}"));
        assert!(stage.spend("shop", "300"));
        let guest = stage.id(GUEST);
        assert!(!stage.mentions("guest.example").is_empty() && !stage.mentions("Gabriele").is_empty());
        let (entries, heads) = (stage.count("entry"), holdings(&stage, &guest));

        let tried = stage.test.db.write_blocking("test", Keep::Nothing, |tx| erase::erase(tx, &name(GUEST)));
        assert!(!stage.mentions("guest.example").is_empty(), "a dry run removes nothing");
        let erased = stage.erase(GUEST);
        assert_eq!(tried.unwrap(), erased);
        let expected = erase::Erased {
            accounts: vec![guest.clone()],
            renamed: 1,
            addresses: 1,
            orders: 2,
            deliveries: 3,
            debits: 1,
            sites: 1,
            keys: 1,
        };
        assert_eq!(erased, expected);
        assert_eq!(stage.mentions("guest.example"), [""; 0]);
        // Alice's billing name is the same here: hers stays.
        assert_eq!(stage.mentions("alice@example.com"), ["delivery"]);
        assert_eq!((stage.count("entry"), holdings(&stage, &guest)), (entries, heads));
        let known = stage.test.db.read(|tx| sites::account(tx, &guest)).unwrap().unwrap();
        assert_eq!((known.name.as_str(), known.erased_at), (erase::NAME, Some(stage.test.clock.now())));
        let by_id = guest.to_string();
        assert!(stage.write(move |tx| erase::erase(tx, &name(&by_id))).unwrap().is_nothing());
        // The reader's key goes on, by id.
        let secret: access::KeySecret = reader.parse().unwrap();
        let known =
            stage.test.db.read(|tx| access::store::authenticate(tx, &secret.hash())).unwrap().unwrap();
        let own = stage.test.db.read(|tx| feed::wallet::own(tx, &known.caller)).unwrap().unwrap();
        assert_eq!(own.account(), &guest);

        // A repeat is known by its digest; later states work and bring nobody back.
        let mut again = Draft { version: 0, ..paid.clone() };
        assert_eq!(stage.deliver(&mut again), "unchanged");
        paid.refunded = 2;
        assert_eq!(stage.deliver(&mut paid), "clawed_back");
        pending.status = "processing";
        assert_eq!(stage.deliver(&mut pending), "granted", "paid later, it is still the same person's");
        pending.quantity = 3;
        assert_eq!(stage.deliver(&mut pending), "granted");
        assert_eq!(stage.brief(&format!("account:{guest}")), "3500 0 300");
        assert_eq!(stage.mentions("guest.example"), [""; 0]);
        assert_eq!(stage.count("account"), 2);
        // Read from the shop itself: the same.
        let (shop, rules, body) = (stage.shop.clone(), Arc::clone(&stage.rules), paid.next());
        stage
            .write(move |tx| {
                let known = orders::find(tx, shop.id, 1)?.unwrap();
                let body = nivella_wallet::order::woo::parse_rest(&body, None, &shop.site_keys).unwrap();
                assert!(!body.email.is_empty() && known.order.email.is_empty());
                let seen = nivella_wallet::order::newer::Seen::Shown { asked_at: tx.now() };
                let source = nivella_wallet::order::apply::Source { operation: "rest", seen };
                nivella_wallet::order::apply::apply(tx, &shop, &rules, body, source)
            })
            .unwrap();
        assert_eq!(stage.mentions("guest.example"), [""; 0]);
        let story =
            stage.test.db.read(|tx| explain::story(tx, &stage.shop, &stage.rules, 1)).unwrap().unwrap();
        assert_eq!(story.account.unwrap().name, erase::NAME);

        // A new order of the same address is a new customer's.
        assert_eq!(stage.deliver(&mut Draft::new(9, BUYER)), "granted");
        assert_ne!(stage.id(GUEST), guest);
        assert_eq!(stage.brief(&format!("account:{guest}")), "3500 0 300");
        // And an erased order that is given to a registered customer goes there, without a name.
        paid.buyer = "customer:3".to_owned();
        stage.deliver(&mut paid);
        assert_eq!(stage.brief("account:lab:customer:3"), "500 0 0");
    }
}

#[test]
fn an_erased_customer_keeps_the_shops_number() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut order = Draft::new(1, "customer:2");
        stage.deliver(&mut order);
        stage.deliver(&mut Draft::new(2, BUYER));
        stage.merge(GUEST, ALICE).unwrap();
        let erased = stage.erase(stage.id(ALICE).as_str());
        assert_eq!((erased.accounts.len(), erased.renamed, erased.addresses, erased.orders), (2, 2, 1, 2));
        assert_eq!(stage.mentions("guest.example"), [""; 0]);
        assert_eq!(stage.mentions("Gabriele"), [""; 0]);
        order.status = "cancelled";
        assert_eq!(stage.deliver(&mut order), "clawed_back");
        assert_eq!(stage.mentions("Gabriele"), [""; 0]);
        // What a new order brings is new, and goes the same way.
        stage.deliver(&mut Draft::new(3, "customer:2"));
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "2000 0 0");
        assert_eq!(stage.mentions("Gabriele"), ["account", "shop_order", "delivery"]);
        assert_eq!(stage.erase(ALICE).orders, 1);
        assert_eq!(stage.mentions("Gabriele"), [""; 0]);
        assert!(stage.erase(ALICE).is_nothing());
    }
}

/// After the retention only failed deliveries still have their content; everything else goes on without.
#[test]
fn what_was_pruned_is_missed_by_nothing() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut order = Draft::new(1, "customer:2");
        let first = order.next();
        stage.deliver_as("order.updated", first.clone());
        let late = order.next();
        order.quantity = 2;
        assert_eq!(stage.deliver(&mut order), "granted");
        assert_eq!(stage.deliver_as("order.updated", late), "unchanged", "stale");
        assert_eq!(stage.deliver_as("coupon.created", b"{\"id\":1}".to_vec()), "ignored");
        assert_eq!(stage.deliver_as("order.updated", b"{\"id\":5,".to_vec()), "stored");
        let mut unknown: Value = serde_json::from_slice(&Draft::new(2, "customer:2").next()).unwrap();
        unknown["line_items"][0]["product_id"] = 4711.into();
        unknown["line_items"][0]["sku"] = "".into();
        assert_eq!(stage.deliver_as("order.updated", serde_json::to_vec(&unknown).unwrap()), "parked");

        let now = stage.test.clock.now();
        assert_eq!(stage.write(move |tx| inbox::store::prune(tx, now, 99)).unwrap(), 0, "none is older");
        let later = now.plus_millis(1);
        assert_eq!(stage.write(move |tx| inbox::store::prune(tx, later, 4)).unwrap(), 4);
        assert_eq!(stage.write(move |tx| inbox::store::prune(tx, later, 99)).unwrap(), 1);
        assert_eq!(stage.count("delivery WHERE body IS NOT NULL AND state = 'failed'"), 1);
        assert_eq!(stage.count("delivery WHERE body IS NOT NULL"), 1);

        assert_eq!(stage.deliver_as("order.updated", first), "unchanged", "known by its digest");
        assert_eq!(stage.count("delivery"), 6);
        assert_eq!(stage.test.db.read(|tx| inbox::store::pruned(tx, None, None)).unwrap().count, 5);
        let kept = stage.test.db.read(|tx| inbox::store::next(tx, None, 0)).unwrap().unwrap();
        assert_eq!(kept.state, inbox::store::State::Failed);
        let story = |order| {
            let told = stage.test.db.read(|tx| explain::story(tx, &stage.shop, &stage.rules, order));
            told.unwrap().unwrap()
        };
        assert_eq!(story(1).lines[0].says, "2000 credits booked, as it should be");
        assert!(story(2).parked.is_some());
        // What the parked one waited for comes, and it goes on from the saved state.
        let (shop, rules) = (stage.shop.clone(), Arc::clone(&stage.rules));
        let finished = stage
            .write(move |tx| {
                let mut package =
                    nivella_wallet::catalog::store::package(tx, shop.id, &"product:10".parse().unwrap())?
                        .unwrap();
                package.target = "product:4711".parse().unwrap();
                nivella_wallet::catalog::store::set_package(tx, shop.id, &package).unwrap();
                nivella_wallet::catalog::store::retry(tx, shop.id)?;
                inbox::retry_parked(tx, &shop, &rules, "test")
            })
            .unwrap();
        assert_eq!(finished.finished, 1);
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "3000 0 0");
    }
}

// The command line ----------------------------------------------------------------------------------

/// Runs the program in `folder`; answers its status and what it printed.
fn run(folder: &std::path::Path, args: &str) -> (i32, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
        .args(args.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), text)
}

/// A folder whose database has the store `lab`, a guest with a site and 100 credits, and a customer.
fn desk() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
    for args in [
        "store add lab --url https://lab.example --webhook-secret-file secret.txt",
        "site assign shop --account lab:email:gabriele@guest.example --label Gabriele",
        "wallet grant account:lab:email:gabriele@guest.example --credits 100 --reason gift",
        "wallet grant account:lab:customer:2 --credits 10 --reason gift",
    ] {
        let (status, text) = run(folder.path(), args);
        assert_eq!(status, 0, "{args}\n{text}");
    }
    folder
}

fn run_json(folder: &std::path::Path, args: &str) -> Value {
    let (status, text) = run(folder, &format!("--json {args}"));
    assert_eq!(status, 0, "{args}\n{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args}: {error}\n{text}"))
}

#[test]
fn accounts_are_merged_claimed_and_erased_from_the_command_line() {
    let desk = desk();
    let desk = desk.path();
    let says = |args: &str, expected_status: i32, expected: &[&str]| {
        let (status, text) = run(desk, args);
        assert_eq!(status, expected_status, "{args}\n{text}");
        for words in expected {
            assert!(text.contains(words), "{args}: {words:?} is not in\n{text}");
        }
        text
    };
    let merge = format!("account merge {GUEST} --into {ALICE}");
    let tried = run_json(desk, &format!("{merge} --dry-run"));
    assert_eq!(
        (&tried["credits"], &tried["sites"], &tried["change"]),
        (&json!("100"), &json!(["shop"]), &json!("merged"))
    );
    assert_eq!(run_json(desk, &format!("account show {GUEST}"))["merged_into"], Value::Null);

    // A link, tried and made; what it signs with is nowhere to be seen.
    says(&format!("account claim-link {GUEST} --dry-run"), 0, &["https://lab.example/?nivella_claim=TOKEN"]);
    says(&format!("account claim-link {GUEST} --expires never"), 2, &["must expire", "write 30d"]);
    let text =
        says(&format!("account claim-link {GUEST} --expires cycle"), 2, &["must expire", "30d, 3mo, 1y"]);
    assert!(!text.contains("never"), "{text}");
    says(&format!("account claim-link {GUEST} --expires 2020-01-01"), 2, &["in the past"]);
    says(&format!("account claim-link {ALICE}"), 1, &["registered customer", "account merge"]);
    let link = run_json(desk, &format!("account claim-link {GUEST} --expires 14d"));
    let token = link["url"].as_str().unwrap().strip_prefix("https://lab.example/?nivella_claim=").unwrap();
    says(&format!("account claim {token}x --into {ALICE}"), 1, &["no claim token", "whole token"]);
    says(&format!("account claim {token} --into {ALICE} --dry-run"), 0, &["100 credits, 1 site, 0 orders"]);
    let guest = run_json(desk, &format!("account show {GUEST}"))["id"].as_str().unwrap().to_owned();
    says(&format!("account claim {token} --into {ALICE}"), 0, &[&format!("merged {guest} into acc_")]);
    says(&format!("account claim {token} --into {ALICE}"), 1, &["was claimed before", "account show acc_"]);
    says(&merge, 0, &["nothing to do", "one account"]);
    says(&format!("account merge {ALICE} --into {ALICE}"), 1, &["into itself"]);
    says(
        &format!("account merge {guest} --into lab:customer:9"),
        1,
        &["merged into acc_", "nothing is left"],
    );
    says(&format!("account show {guest}"), 0, &["merged into acc_", "0 AI Credits"]);
    assert!(!says("account list", 0, &[]).contains(&guest));
    let shown = run_json(desk, &format!("account show {GUEST}"));
    assert_eq!((&shown["wallet"]["available"], &shown["site_count"]), (&json!("110"), &json!(1)));
    // Credits for the merged account are the other's.
    says(&format!("wallet grant account:{guest} --credits 5 --reason late"), 0, &[]);
    assert_eq!(run_json(desk, &format!("account show {ALICE}"))["wallet"]["available"], "115");

    // The guest's address means a registered customer now: an act without a way back is refused by that name.
    let alice = run_json(desk, &format!("account show {ALICE}"))["id"].as_str().unwrap().to_owned();
    for act in [&format!("account merge {GUEST} --into lab:customer:9"), &format!("account erase {GUEST}")] {
        says(act, 1, &["was merged into lab:customer:2 on", &format!("name {alice} if you mean all of it")]);
    }
    says(
        &format!("account merge {alice} --into lab:customer:9 --dry-run"),
        0,
        &["dry run: nothing", "would merge", "lab:customer:2", GUEST],
    );
    says(&format!("account erase {alice} --dry-run"), 0, &["would erase", "lab:customer:2", GUEST]);

    let tried = run_json(desk, &format!("account erase {alice} --dry-run"));
    assert_eq!((&tried["addresses"], &tried["sites"], &tried["renamed"]), (&json!(1), &json!(1), &json!(2)));
    says(
        &format!("account erase {alice}"),
        0,
        &["erased who", "1 address as a guest", "1 site without label"],
    );
    says(&format!("account erase {ALICE}"), 0, &["nothing to do"]);
    says(&format!("account show {ALICE}"), 0, &["Erased customer", "were erased", "115 AI Credits"]);
    says(&format!("account show {GUEST}"), 1, &["there is no account"]);
    says("verify", 0, &[]);

    // A site that is taken away; deliveries whose content is gone.
    says("site unassign shop", 0, &["took shop from "]);
    let database = rusqlite::Connection::open(desk.join("nivella-wallet.db")).unwrap();
    database
        .execute(
            "INSERT INTO delivery (id, store_id, topic, webhook_id, woo_delivery_id, digest, received_at, state, result)
             VALUES ('dl_01a1fd7355d773828bbdc9f3ebc7c48a', 1, 'order.updated', '', '', x'00', 0, 'applied', 'granted')",
            [],
        )
        .unwrap();
    says(
        "inbox replay --state all",
        0,
        &["0 deliveries replayed", "1 delivery could not be replayed, because their content was pruned"],
    );
    assert_eq!(run_json(desk, "inbox replay --state all")["pruned"]["count"], 1);
}
