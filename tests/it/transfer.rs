//! A site that is handed over: one owner at every instant, credits as they were, refunds that find them.

use nivella_wallet::account::transfer::{self, Change, OFFER_MS, Transferred};
use nivella_wallet::account::{self, Error, by_hand};
use nivella_wallet::feed;
use nivella_wallet::id::SiteId;
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::plan::NewPlan;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, NewGrant, Shown, plan};
use nivella_wallet::params;
use nivella_wallet::site::{Field, store as sites};
use reqwest::Method;
use serde_json::{Value, json};

use crate::accounts::{Draft, Stage, credits, name};
use crate::app::{TestApp, key, write};
use crate::support::{databases, new_hold};

const ALICE: &str = "lab:customer:2";
const BOB: &str = "lab:customer:3";
const CAROL: &str = "lab:customer:4";

fn site(id: &str) -> SiteId {
    id.parse().unwrap()
}

fn at(id: &str) -> Compartment {
    Compartment::Site(site(id))
}

impl Stage {
    fn offer(&self, id: &str, to: &str) -> Result<transfer::Offered, Error> {
        let (id, to) = (site(id), name(to));
        self.write(move |tx| transfer::offer(tx, &id, &to))
    }

    fn accept(&self, id: &str) -> Result<Transferred, Error> {
        let id = site(id);
        self.write(move |tx| transfer::accept(tx, &id))
    }

    fn hand_over(&self, id: &str, to: &str) -> Transferred {
        self.offer(id, to).unwrap();
        self.accept(id).unwrap()
    }

    fn owner(&self, id: &str) -> Option<String> {
        let owner = self.test.db.read(|tx| sites::owner(tx, &site(id))).unwrap()?;
        [ALICE, BOB, CAROL]
            .into_iter()
            .find(|account| {
                self.test.db.read(|tx| sites::resolve(tx, &name(account))).unwrap() == Some(owner.clone())
            })
            .map(str::to_owned)
    }

    fn give(&self, account: &str, compartment: Compartment, category: Category, expiry: Expiry) {
        let account = name(account);
        self.write(move |tx| {
            let account = sites::open(tx, &account).unwrap();
            LockedAccount::lock(tx, &account)?.grant(&NewGrant {
                compartment,
                amount: credits("100"),
                category,
                priority: Some(7),
                label: format!("{category} credits"),
                reason: None,
                effective_at: None,
                expiry,
                purchase: None,
                shown_as: Shown::grant(category),
            })
        })
        .unwrap();
    }

    /// What lies in a site's compartment of an account, as `amount category expiry priority order`.
    fn slices(&self, account: &str, id: &str) -> Vec<String> {
        let account = self.id(account);
        let slices = self.test.db.read(|tx| {
            tx.query(
                "-- test
                 SELECT s.remaining, g.category, g.expires_at, g.priority, g.order_id
                 FROM slice_now s JOIN credit_grant g ON g.id = s.grant_id
                 WHERE s.account_id = $1 AND s.site = $2 AND s.remaining > 0 ORDER BY g.category, g.order_id",
                params![&account, &site(id)],
                |row| {
                    let (expiry, order) = (row.get::<Option<i64>>(2)?, row.get::<Option<i64>>(4)?);
                    Ok(format!(
                        "{} {} {expiry:?} {} {order:?}",
                        row.get::<i64>(0)? / 1_000_000,
                        row.get::<String>(1)?,
                        row.get::<i64>(3)?
                    ))
                },
            )
        });
        slices.unwrap()
    }
}

/// Whatever was said about them goes along, and nothing that lies elsewhere does.
#[test]
fn credits_go_along_as_they_are_and_the_rest_stays() {
    for test in databases() {
        let stage = Stage::on(test);
        let end = stage.test.clock.now().plus_millis(9_000_000_000);
        stage.deliver(&mut Draft::at(1, "customer:2", "shop"));
        stage.deliver(&mut Draft::new(2, "customer:2"));
        stage.give(ALICE, at("shop"), Category::Bonus, Expiry::At(end));
        stage
            .write(|tx| {
                let alice = sites::open(tx, &name(ALICE))?;
                let client = Field::Set("acme".parse().unwrap());
                sites::assign(tx, &site("shop"), &alice, &client, &Field::Set("Alice's".to_owned()))?;
                sites::set_default_site(tx, &alice, Some(&site("shop")))
            })
            .unwrap();
        let before = stage.slices(ALICE, "shop");
        assert_eq!(before.len(), 2, "{before:?}");

        let offered = stage.offer("shop", BOB).unwrap();
        assert_eq!(
            (offered.change, offered.site.offer.as_ref().unwrap().to.name.as_str()),
            (Change::Offered, "Customer 3")
        );
        assert_eq!(stage.owner("shop").as_deref(), Some(ALICE), "an offer changes no owner");
        assert_eq!(stage.slices(ALICE, "shop"), before);
        let done = stage.accept("shop").unwrap();
        assert_eq!((done.credits, done.debt), (credits("1100"), credits("0")));
        assert_eq!(stage.owner("shop").as_deref(), Some(BOB));
        assert_eq!(stage.slices(BOB, "shop"), before, "with category, expiry, place and order");
        assert_eq!(stage.slices(ALICE, "shop"), [""; 0]);
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "1000 0 0", "the pool stays");
        let known = stage.test.db.read(|tx| sites::get(tx, &site("shop"))).unwrap().unwrap();
        assert_eq!((known.client, known.label, known.offer, known.from_order), (None, None, None, None));
        let alice = stage.id(ALICE);
        assert_eq!(stage.test.db.read(|tx| sites::default_site(tx, &alice)).unwrap(), None);

        // Time goes on for them as it would have.
        stage.test.clock.turn_to(end);
        assert!(stage.spend("shop", "1000"));
        assert!(!stage.spend("shop", "1"), "the bonus expired when it was to");
    }
}

/// The order is the old owner's: what its refund takes back lies with whoever has the site, and what was spent
/// there is owed by who got the money.
#[test]
fn a_refund_finds_its_credits_after_two_transfers() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut bought = Draft::at(1, "customer:2", "shop");
        bought.quantity = 2;
        stage.deliver(&mut bought);
        stage.deliver(&mut Draft::new(2, "customer:4"));
        stage.hand_over("shop", BOB);
        assert!(stage.spend("shop", "300"));
        stage.hand_over("shop", CAROL);
        assert_eq!(stage.brief("site:shop"), "2700 0 0", "1700 came along, 1000 are Carol's pool");

        bought.refunded = 5;
        assert_eq!(stage.deliver(&mut bought), "clawed_back");
        assert_eq!(stage.slices(CAROL, "shop"), ["1200 paid None 30 Some(1)"]);
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "0 0 0");
        bought.status = "refunded";
        assert_eq!(stage.deliver(&mut bought), "clawed_back");
        assert_eq!(stage.slices(CAROL, "shop"), [""; 0]);
        assert_eq!(stage.brief("site:shop"), "1000 0 0", "what Carol bought herself is not touched");
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "0 300 0", "the money went to Alice");
        assert_eq!(stage.brief(&format!("account:{BOB}")), "0 0 300");
        assert_eq!(stage.deliver(&mut bought), "unchanged");

        // Paid again: new credits are Alice's, her debt is paid first, and the site is no longer hers.
        (bought.status, bought.refunded) = ("processing", 0);
        assert_eq!(stage.deliver(&mut bought), "granted");
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "1700 0 0");
    }
}

/// An order that says nothing new after its site went is nothing for a person to look at; one that would bring
/// something new there is.
#[test]
fn an_order_whose_site_was_handed_over_needs_nobody() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut bought = Draft::at(1, "customer:2", "shop");
        stage.deliver(&mut bought);
        stage.hand_over("shop", BOB);
        stage.deliver(&mut bought);
        assert_eq!(stage.count("shop_order WHERE attention IS NOT NULL"), 0);
        assert_eq!(stage.slices(BOB, "shop").len(), 1, "what Bob has stays");
        bought.quantity = 2;
        assert_eq!(stage.deliver(&mut bought), "granted");
        assert_eq!(stage.count("shop_order WHERE attention LIKE '%belongs to another account%'"), 1);
        assert_eq!(stage.brief(&format!("account:{ALICE}")), "1000 0 0");
    }
}

/// Debts and plans are the old owner's; the present period's credits are the site's.
#[test]
fn debts_and_plans_stay_with_the_old_owner() {
    for test in databases() {
        let stage = Stage::on(test);
        let mut bought = Draft::at(1, "customer:2", "shop");
        stage.deliver(&mut bought);
        assert!(stage.spend("shop", "1000"));
        bought.status = "refunded";
        stage.deliver(&mut bought);
        assert_eq!(stage.brief("site:shop"), "0 1000 1000");
        let monthly = NewPlan {
            name: "monthly".parse().unwrap(),
            credits: credits("50"),
            per: nivella_wallet::calendar::Per::Month,
            rollover: credits("10"),
            label: None,
        };
        stage
            .write(move |tx| {
                plan::set(tx, &monthly)?;
                let alice = sites::resolve(tx, &name(ALICE))?.unwrap();
                // In debt the first period repays; the next one can be used.
                LockedAccount::lock(tx, &alice)?.start_plan(&monthly.name, &at("shop"), None)
            })
            .unwrap();
        assert_eq!(stage.brief("site:shop"), "0 950 1000");
        stage.test.clock.turn_to("2026-12-20T16:00:00Z".parse().unwrap());
        stage.give(ALICE, at("shop"), Category::Bonus, Expiry::At("2027-06-01T00:00:00Z".parse().unwrap()));
        let owed = stage.numbers("site:shop").debt;

        let done = stage.hand_over("shop", BOB);
        assert_eq!((done.debt, done.plans.len()), (owed, 1));
        assert_eq!(stage.numbers("site:shop").debt, credits("0"), "the new owner owes nothing");
        assert_eq!(stage.numbers(&format!("account:{ALICE}")).debt, owed);
        assert_eq!(
            stage.count("debt WHERE site = '' AND amount > 0"),
            1,
            "owed by the pool, where the next grant goes"
        );
        let had = stage.numbers("site:shop").available;
        stage.test.clock.turn_to("2027-03-20T16:00:00Z".parse().unwrap());
        stage.give(
            BOB,
            Compartment::Pool,
            Category::Bonus,
            Expiry::At("2028-01-01T00:00:00Z".parse().unwrap()),
        );
        assert_eq!(
            stage.numbers("site:shop").available,
            credits("100").checked_add(had).unwrap(),
            "no plan went on"
        );
        assert_eq!(stage.count("subscription WHERE stopped_at IS NULL"), 0);
    }
}

#[test]
fn offers_are_repeated_replaced_withdrawn_and_end() {
    for test in databases() {
        let stage = Stage::on(test);
        stage.deliver(&mut Draft::at(1, "customer:2", "shop"));
        assert!(matches!(stage.accept("shop"), Err(Error::NotOffered(_))));
        assert!(matches!(stage.offer("shop", ALICE), Err(Error::AlreadyTheirs { .. })));
        assert!(matches!(stage.offer("farm", BOB), Err(Error::Site(sites::Error::UnknownSite(_)))));
        assert_eq!(stage.offer("shop", BOB).unwrap().change, Change::Offered);
        assert_eq!(stage.offer("shop", BOB).unwrap().change, Change::Unchanged);
        assert_eq!(stage.offer("shop", CAROL).unwrap().change, Change::Offered);
        let offered = stage.test.db.read(|tx| sites::get(tx, &site("shop"))).unwrap().unwrap().offer.unwrap();
        assert_eq!(offered.to.id, stage.id(CAROL), "another target replaces it");
        let withdrawn = stage.write(|tx| transfer::withdraw(tx, &site("shop"))).unwrap();
        assert_eq!((withdrawn.change, withdrawn.site.offer), (Change::Withdrawn, None));
        let again = stage.write(|tx| transfer::withdraw(tx, &site("shop"))).unwrap();
        assert_eq!(again.change, Change::Unchanged);
        assert!(matches!(stage.accept("shop"), Err(Error::NotOffered(_))));

        let offered = stage.offer("shop", BOB).unwrap().site.offer.unwrap();
        assert_eq!(offered.ends_at, offered.offered_at.plus_millis(OFFER_MS));
        stage.test.clock.turn_to(offered.ends_at.plus_millis(-1));
        assert!(stage.test.db.read(|tx| sites::get(tx, &site("shop"))).unwrap().unwrap().offer.is_some());
        stage.test.clock.turn_to(offered.ends_at);
        assert!(matches!(stage.accept("shop"), Err(Error::NotOffered(_))), "its time is over");
        assert_eq!(stage.test.db.read(|tx| sites::get(tx, &site("shop"))).unwrap().unwrap().offer, None);
        assert_eq!(stage.owner("shop").as_deref(), Some(ALICE));

        // An account that was merged hands over, and gets, what the one does that it is part of.
        stage.offer("shop", BOB).unwrap();
        stage.merge(BOB, CAROL).unwrap();
        assert_eq!(stage.accept("shop").unwrap().account, stage.id(CAROL));
        stage.offer("shop", ALICE).unwrap();
        stage.merge(stage.id(CAROL).as_str(), ALICE).unwrap();
        assert!(matches!(stage.accept("shop"), Err(Error::NotOffered(_))), "there are no two any more");
        assert_eq!(stage.count("site_offer"), 0);
    }
}

#[test]
fn what_is_frozen_or_held_is_not_handed_over() {
    for test in databases() {
        let stage = Stage::on(test);
        stage.deliver(&mut Draft::at(1, "customer:2", "shop"));
        stage.offer("shop", BOB).unwrap();
        for account in [ALICE, BOB] {
            let id = stage.id(account);
            stage.write(move |tx| sites::set_frozen(tx, &id, Some("chargeback"))).unwrap();
            assert!(matches!(stage.accept("shop"), Err(Error::Frozen { .. })), "{account}");
            assert!(matches!(stage.offer("shop", BOB), Err(Error::Frozen { .. })), "{account}");
            let id = stage.id(account);
            stage.write(move |tx| sites::set_frozen(tx, &id, None)).unwrap();
        }
        let holder = stage.id(ALICE);
        let hold = stage
            .write(move |tx| LockedAccount::lock(tx, &holder)?.hold(&new_hold("shop", "5")))
            .unwrap()
            .hold;
        let refused = stage.accept("shop").unwrap_err();
        let Error::SiteHeld { credits: held, until, .. } = &refused else { panic!("{refused}") };
        assert_eq!((*held, *until), (credits("5"), stage.test.clock.now().plus_millis(900_000)));
        assert!(refused.to_string().contains("2026-11-20 16:15 UTC"), "{refused}");
        assert_eq!(stage.owner("shop").as_deref(), Some(ALICE));
        let holder = stage.id(ALICE);
        stage.write(move |tx| LockedAccount::lock(tx, &holder)?.release(&hold.id)).unwrap();
        stage.accept("shop").unwrap();
    }
}

/// What of a grant one account has is nobody else's business; the list of all grants has all of it.
#[test]
fn each_account_is_told_its_own_part_of_a_grant() {
    for test in databases() {
        let stage = Stage::on(test);
        stage.deliver(&mut Draft::new(1, "customer:2"));
        let alice = stage.write(|tx| sites::open(tx, &name(ALICE))).unwrap();
        stage.deliver(&mut Draft::at(2, "customer:2", "shop"));
        assert!(stage.spend("shop", "100"));
        stage
            .write(move |tx| LockedAccount::lock(tx, &alice)?.take_out(&at("shop"), credits("7"), "r"))
            .unwrap();
        stage.hand_over("shop", BOB);
        assert!(stage.spend("shop", "30"));
        // id, granted, remaining, spent, adjusted
        let told = |wallet: &str| -> Vec<[String; 4]> {
            let wallet = wallet.parse().unwrap();
            let list = stage.test.db.read(|tx| {
                let wallet = feed::wallet::open(tx, &wallet)?.expect("a wallet");
                feed::grants::page(tx, &wallet, None, false, None, 10)
            });
            let numbers = |grant: feed::grants::Grant| {
                [grant.granted, grant.remaining, grant.spent, grant.adjusted].map(|amount| amount.to_string())
            };
            list.unwrap().items.into_iter().map(numbers).collect()
        };
        let row = |numbers: [&str; 4]| numbers.map(str::to_owned);
        // What is spent for the site of its pool is spent of the grant that is not the site's.
        let alices = told(&format!("account:{ALICE}"));
        let bobs = told(&format!("account:{BOB}"));
        assert_eq!(bobs.len(), 1, "{bobs:?}");
        assert_eq!(bobs[0], row([&bobs[0][0], &bobs[0][1], "30", "0"]));
        assert_eq!(told("site:shop"), bobs);
        let whole = stage.test.db.read(|tx| feed::grants::list(tx, None, None, None, 10)).unwrap().items;
        let of = |index: usize| -> i64 {
            let sum: i64 = alices.iter().chain(&bobs).map(|row| credits(&row[index]).micro()).sum();
            let all: i64 = whole
                .iter()
                .map(|listed| {
                    let grant = &listed.grant;
                    [grant.granted, grant.remaining, grant.spent, grant.adjusted][index].micro()
                })
                .sum();
            assert_eq!(sum, all, "{alices:?} {bobs:?} {whole:?}");
            sum
        };
        assert_eq!([of(0), of(2), of(3)], [2_000_000_000, 130_000_000, 7_000_000]);
        assert!(of(1) > 0);
    }
}

/// What is withdrawn from two customers names both.
#[test]
fn a_grant_that_is_withdrawn_says_from_whom() {
    for test in databases() {
        let stage = Stage::on(test);
        stage.deliver(&mut Draft::new(1, "customer:2"));
        stage
            .write(|tx| {
                let alice = sites::open(tx, &name(ALICE))?;
                sites::assign(tx, &site("shop"), &alice, &Field::Keep, &Field::Keep).map(drop)
            })
            .unwrap();
        stage.write(|tx| by_hand::allocate(tx, &name(ALICE), site("shop"), credits("300"))).unwrap();
        stage.hand_over("shop", BOB);
        let bob = stage.id(BOB);
        stage.write(move |tx| LockedAccount::lock(tx, &bob)?.hold(&new_hold("shop", "20"))).unwrap();
        let whole = stage.test.db.read(|tx| feed::grants::list(tx, None, None, None, 10)).unwrap().items;
        let grant = whole[0].grant.id.clone();
        let voided = stage.write(move |tx| by_hand::void(tx, &grant, "r")).unwrap();
        let mut told: Vec<String> = voided
            .places
            .iter()
            .map(|place| {
                let site = place.site.as_ref().map_or("pool", SiteId::as_str);
                format!("{} {site} {} {}", place.name, place.credits, place.held)
            })
            .collect();
        told.sort();
        assert_eq!(told, ["Customer 3 shop 280 20", "Gabriele Buyer pool 700 0"]);
        assert_eq!(voided.credits, credits("980"));
    }
}

// Over HTTP -----------------------------------------------------------------------------------------

async fn send(
    app: &TestApp,
    api_key: &str,
    method: Method,
    path: &str,
    once: &str,
    body: Value,
) -> (String, Value) {
    let mut request = app.http.request(method, app.url(path)).bearer_auth(api_key);
    if !once.is_empty() {
        request = request.header("Idempotency-Key", once);
    }
    let answer =
        request.body(if body.is_null() { String::new() } else { body.to_string() }).send().await.unwrap();
    let replayed = if answer.headers().contains_key("idempotent-replayed") { " replayed" } else { "" };
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let code = body["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
    (format!("{status}{code}{replayed}"), body)
}

/// Who reads the site, with which key, before and after: at every instant exactly one account does.
#[tokio::test]
async fn the_site_has_one_owner_at_every_instant() {
    let app = TestApp::start().await;
    write(app.db(), |tx| {
        let alice = sites::open(tx, &name(ALICE))?;
        sites::open(tx, &name(BOB))?;
        let acme = Field::Set("acme".parse().unwrap());
        sites::assign(tx, &site("shop"), &alice, &acme, &Field::Keep).map(drop)
    });
    let given = json!({ "wallet": "site:shop", "credits": "10", "reason": "r" });
    assert_eq!(send(&app, &app.admin, Method::POST, "/v1/grants", "g", given).await.0, "201");
    let scopes = [
        "site:shop",
        "account:lab:customer:2",
        "account:lab:customer:3",
        "client:lab:customer:2/acme",
        "debit:account:lab:customer:3",
    ];
    let keys = scopes.map(|scope| key(app.db(), scope));
    let reads = async || {
        let mut answers = Vec::new();
        for api_key in &keys {
            answers.push(send(&app, api_key, Method::GET, "/v1/wallets/site:shop", "", Value::Null).await.0);
        }
        answers
    };
    let (ok, no) = ("200", "404 not_found");
    assert_eq!(reads().await, [ok, ok, no, ok, no]);
    let path = "/v1/sites/shop/transfer";
    let to_bob = json!({ "to": BOB });
    let (status, offered) = send(&app, &app.admin, Method::POST, path, "o", to_bob.clone()).await;
    assert_eq!(
        (status.as_str(), &offered["offer"]["to"]["name"], &offered["change"]),
        ("201", &json!("Customer 3"), &json!("offered"))
    );
    assert_eq!(send(&app, &app.admin, Method::POST, path, "o", to_bob.clone()).await.0, "201 replayed");
    assert_eq!(send(&app, &app.admin, Method::POST, path, "p", to_bob).await.0, "200", "so before");
    assert_eq!(
        send(&app, &app.admin, Method::POST, path, "p", json!({ "to": CAROL })).await.0,
        "422 idempotency_mismatch"
    );
    for wrong in [json!({}), json!({ "to": "nobody" }), json!({ "to": ALICE }), json!({ "to": BOB, "at": 1 })]
    {
        assert_eq!(
            send(&app, &app.admin, Method::POST, path, "", wrong.clone()).await.0,
            "422 invalid_request",
            "{wrong}"
        );
    }
    assert_eq!(reads().await, [ok, ok, no, ok, no], "an offer opens nothing");
    let accept = "/v1/sites/shop/transfer/accept";
    for (api_key, seen) in keys.iter().zip(["403 forbidden", "403 forbidden", no, "403 forbidden", no]) {
        assert_eq!(send(&app, api_key, Method::POST, accept, "", Value::Null).await.0, seen);
        assert_eq!(send(&app, api_key, Method::POST, path, "", json!({ "to": BOB })).await.0, seen);
        assert_eq!(send(&app, api_key, Method::DELETE, path, "", Value::Null).await.0, seen);
    }

    let (status, done) = send(&app, &app.admin, Method::POST, accept, "a", Value::Null).await;
    assert_eq!(
        (status.as_str(), &done["credits"], done["keys"].as_array().map(Vec::len)),
        ("200", &json!("10"), Some(1))
    );
    assert_eq!(reads().await, [ok, no, ok, no, ok]);
    assert_eq!(send(&app, &app.admin, Method::POST, accept, "a", Value::Null).await.0, "200 replayed");
    assert_eq!(send(&app, &app.admin, Method::POST, accept, "b", Value::Null).await.0, "404 not_found");
    let (_, shown) = send(&app, &keys[0], Method::GET, "/v1/wallets/site:shop", "", Value::Null).await;
    assert_eq!((&shown["available"], &shown["account"]["name"]), (&json!("10"), &json!("Customer 3")));
    assert_eq!(send(&app, &app.admin, Method::DELETE, path, "", Value::Null).await.1["change"], "unchanged");
    assert_eq!(
        send(&app, &app.admin, Method::POST, "/v1/sites/lawn/transfer", "", json!({ "to": BOB })).await.0,
        "404 not_found"
    );
}

/// A debit of the owner before is given back to that one; how the site stands is how it stands now.
#[tokio::test]
async fn a_reversal_after_a_transfer_tells_the_wallet_of_today() {
    let app = TestApp::start().await;
    write(app.db(), |tx| {
        let alice = sites::open(tx, &name(ALICE))?;
        sites::open(tx, &name(BOB))?;
        sites::assign(tx, &site("shop"), &alice, &Field::Keep, &Field::Keep).map(drop)
    });
    let given = json!({ "wallet": "site:shop", "credits": "100", "reason": "r" });
    assert_eq!(send(&app, &app.admin, Method::POST, "/v1/grants", "g", given).await.0, "201");
    let debit: Value =
        serde_json::from_str(&app.debit("shop", "10", "d").await.text().await.unwrap()).unwrap();
    let asked = json!({ "site": "shop", "credits": "5", "expires_in": 1800 });
    let (_, held) = send(&app, &app.admin, Method::POST, "/v1/holds", "h", asked).await;
    let path = "/v1/sites/shop/transfer";
    assert_eq!(send(&app, &app.admin, Method::POST, path, "", json!({ "to": BOB })).await.0, "201");
    let accept = format!("{path}/accept");
    let (refused, problem) = send(&app, &app.admin, Method::POST, &accept, "", Value::Null).await;
    assert_eq!((refused.as_str(), &problem["until"]), ("409 holds_open", &held["expires_at"]));
    let capture = format!("/v1/holds/{}", held["id"].as_str().unwrap());
    let (_, captured) =
        send(&app, &app.admin, Method::POST, &format!("{capture}/capture"), "", json!({ "credits": "5" }))
            .await;
    assert_eq!(
        send(&app, &app.admin, Method::GET, &capture, "", Value::Null).await.1["debit"],
        captured["id"]
    );
    assert_eq!(send(&app, &app.admin, Method::POST, &accept, "", Value::Null).await.0, "200");
    let reversal = format!("/v1/debits/{}/reversal", debit["id"].as_str().unwrap());
    let (_, back) = send(&app, &app.admin, Method::POST, &reversal, "", Value::Null).await;
    let now = app.get("/v1/wallets/site:shop").await;
    assert_eq!(
        [&back["available"], &back["status"], &back["mode"]],
        [&now["available"], &now["status"], &now["mode"]]
    );
    assert_eq!(now["available"], "85");
    assert_eq!(app.available("account:lab:customer:2").await, "10");
}

/// Two that accept at once, while others spend: one hands it over, and nothing is made or lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_accept_at_once_one_does() {
    let app = TestApp::start().await;
    write(app.db(), |tx| {
        let alice = sites::open(tx, &name(ALICE))?;
        sites::assign(tx, &site("shop"), &alice, &Field::Keep, &Field::Keep)?;
        transfer::offer(tx, &site("shop"), &name(BOB))?;
        Ok::<_, account::Error>(())
    });
    let given = json!({ "wallet": "site:shop", "credits": "100", "reason": "r" });
    assert_eq!(send(&app, &app.admin, Method::POST, "/v1/grants", "g", given).await.0, "201");
    let accepts = (0..4)
        .map(|_| send(&app, &app.admin, Method::POST, "/v1/sites/shop/transfer/accept", "", Value::Null));
    let once: Vec<String> = (0..20).map(|n| format!("d{n}")).collect();
    let debits = once.iter().map(|once| app.debit("shop", "1", once));
    let (accepted, spent) =
        tokio::join!(futures_util::future::join_all(accepts), futures_util::future::join_all(debits));
    let done = accepted.iter().filter(|(status, _)| status == "200").count();
    assert_eq!(done, 1, "{accepted:?}");
    assert!(spent.iter().all(|answer| answer.status() == 201));
    assert_eq!(app.available("site:shop").await, "80");
    assert_eq!(app.available("account:lab:customer:3").await, "80");
    assert_eq!(app.available("account:lab:customer:2").await, "0");
}
