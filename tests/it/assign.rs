//! Orders that a person sends somewhere: what is unspent goes there, stays there, and is found when its money goes
//! back.

use std::process::Command;

use nivella_wallet::app;
use nivella_wallet::catalog;
use nivella_wallet::config::Config;
use nivella_wallet::db;
use nivella_wallet::id::OperationId;
use nivella_wallet::inbox;
use nivella_wallet::ledger::audit;
use nivella_wallet::ledger::slice::Compartment;
use nivella_wallet::order::apply::{self, Source};
use nivella_wallet::order::assign::{self, Done, Error, Wish};
use nivella_wallet::order::newer::Seen;
use nivella_wallet::order::store::{self as orders, Filter, Place};
use nivella_wallet::order::woo::{self, Body};
use nivella_wallet::order::{Order, explain};
use nivella_wallet::shop;
use nivella_wallet::site;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use crate::app::{TestApp, lab, scenario, write};
use crate::support::{databases, seeded};

const ALICE: &str = "account:lab:customer:2";
const BOB: &str = "account:lab:customer:3";

/// A paid order of one line, 10.00 and 1,000 credits a piece.
#[derive(Clone, Debug)]
struct Draft {
    id: i64,
    customer: i64,
    email: &'static str,
    site: Option<&'static str>,
    quantity: i64,
    status: &'static str,
    refund: i64,
    version: u32,
}

impl Draft {
    fn new(id: i64, customer: i64) -> Self {
        Self { id, customer, email: "", site: None, quantity: 1, status: "processing", refund: 0, version: 0 }
    }

    fn next(&mut self) -> Vec<u8> {
        self.version += 1;
        let mut order: Value = serde_json::from_slice(&scenario("02-paid-order-one-token")[2].body).unwrap();
        let total = format!("{}.00", self.quantity * 10);
        order["id"] = self.id.into();
        order["number"] = self.id.to_string().into();
        order["customer_id"] = self.customer.into();
        order["billing"]["email"] = self.email.into();
        order["status"] = self.status.into();
        order["total"] = total.clone().into();
        order["date_modified_gmt"] =
            format!("2026-11-20T16:{:02}:{:02}", self.version / 60, self.version % 60).into();
        let line = &mut order["line_items"][0];
        line["id"] = (self.id * 10).into();
        line["quantity"] = self.quantity.into();
        line["subtotal"] = total.clone().into();
        line["total"] = total.into();
        if let Some(site) = self.site {
            line["meta_data"] = json!([{ "id": 1, "key": "_nivella_site_id", "value": site }]);
        }
        if self.refund > 0 {
            order["refunds"] =
                json!([{ "id": self.id * 100, "reason": "", "total": format!("-{}.00", self.refund) }]);
        }
        serde_json::to_vec(&order).unwrap()
    }
}

async fn send(app: &TestApp, draft: &mut Draft) -> String {
    let result = app.deliver("order.updated", draft.next()).await;
    app.prove();
    result
}

fn own_site(app: &TestApp, site: &'static str, account: &'static str) {
    write(app.db(), move |tx| {
        let account = site::store::open(tx, &account.parse().unwrap())?;
        site::store::assign(tx, &site.parse().unwrap(), &account, &site::Field::Keep, &site::Field::Keep)
    });
}

/// Assigns as the command line does; `to` is a site, `pool` or nothing.
fn assigned(app: &TestApp, order: i64, account: Option<&str>, to: Option<&str>) -> Result<Done, String> {
    let wish = Wish {
        account: account.map(|account| account.parse().unwrap()),
        place: to.map(|to| match to {
            "pool" => Compartment::Pool,
            site => Compartment::Site(site.parse().unwrap()),
        }),
    };
    let rules = app::rules(&Config::default());
    let shop = app.db().read(|tx| shop::store::find(tx, &"lab".parse().unwrap())).unwrap().unwrap();
    let done = app.db().write_blocking("test", db::Keep::Effects, move |tx| {
        assign::assign(tx, &shop, &rules, order, &wish, OperationId::new().as_str())
    });
    app.prove();
    done.map_err(|error: Error| error.to_string())
}

/// What lies in a site of its own, whatever the pool has.
async fn lies_at(app: &TestApp, site: &str) -> String {
    let wallet = app.get(&format!("/v1/wallets/site:{site}")).await;
    let own = wallet["breakdown"].as_array().unwrap().iter().filter(|part| part["scope"] == "site");
    own.map(|part| part["remaining"].as_str().unwrap().parse::<i64>().unwrap()).sum::<i64>().to_string()
}

async fn attention(app: &TestApp, order: i64) -> Value {
    app.get(&format!("/v1/orders/lab/{order}")).await["attention"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unspent_goes_to_the_site_and_later_credits_too() {
    let app = TestApp::start().await;
    own_site(&app, "blog", "lab:customer:2");
    let mut draft = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    assert_eq!(app.debit("shop", "300", "k").await.status(), 201);
    let done = assigned(&app, 1, None, Some("blog")).unwrap();
    assert_eq!((done.moved.to_string().as_str(), done.place.as_deref()), ("700", Some("blog")));
    assert_eq!((lies_at(&app, "shop").await, lies_at(&app, "blog").await), ("0".into(), "700".into()));
    assert_eq!(assigned(&app, 1, None, Some("blog")).unwrap().moved.to_string(), "0", "once is enough");
    // It still names the first site, and that no longer counts: more credits, and fewer.
    draft.quantity = 3;
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(lies_at(&app, "blog").await, "2700");
    draft.status = "on-hold";
    send(&app, &mut draft).await;
    draft.status = "processing";
    send(&app, &mut draft).await;
    assert_eq!(lies_at(&app, "blog").await, "2700");
    draft.refund = 15;
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(lies_at(&app, "blog").await, "1200");
    // A refund that is deleted: its credits come back to where they were.
    draft.refund = 0;
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(lies_at(&app, "blog").await, "2700");
    // The order itself says something new: it is followed again.
    draft.site = Some("third");
    send(&app, &mut draft).await;
    assert_eq!((lies_at(&app, "third").await, lies_at(&app, "blog").await), ("2700".into(), "0".into()));
    let story = app.get("/v1/orders/lab/1").await;
    assert_eq!(story["assigned"], Value::Null);
    assert_eq!(story["lines"][0]["site"]["compartment"], "site:third");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_of_somebody_else_needs_its_owner_named_too() {
    let app = TestApp::start().await;
    own_site(&app, "bobs", "lab:customer:3");
    let mut draft = Draft { site: Some("bobs"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    assert!(attention(&app, 1).await.as_str().unwrap().contains("belongs to another account"));
    for (site, wrong) in
        [("bobs", "site bobs does not belong to the account of order 1"), ("nobodys", "site nobodys")]
    {
        let error = assigned(&app, 1, None, Some(site)).unwrap_err();
        assert!(error.contains(wrong), "{error}");
    }
    let error = assigned(&app, 1, Some("lab:customer:9"), Some("bobs")).unwrap_err();
    assert!(error.contains("does not belong"), "{error}");
    assert!(assigned(&app, 7, None, Some("pool")).unwrap_err().contains("never told of order 7"));
    assert!(assigned(&app, 1, Some("other:customer:9"), None).unwrap_err().contains("no store"));
    // Left in the pool on purpose: nobody needs to look at it any more.
    assert_eq!(assigned(&app, 1, None, Some("pool")).unwrap().attention, None);
    assert_eq!(attention(&app, 1).await, Value::Null);
    send(&app, &mut draft).await;
    assert_eq!(attention(&app, 1).await, Value::Null, "nor after its next delivery");
    // Both together hand it to the owner of the site.
    assert_eq!(assigned(&app, 1, Some("lab:customer:3"), Some("bobs")).unwrap().moved.to_string(), "1000");
    assert_eq!((lies_at(&app, "bobs").await, app.available(ALICE).await), ("1000".into(), "0".into()));
    send(&app, &mut draft).await;
    assert_eq!(app.available(BOB).await, "1000", "the order still names Alice, and that is nothing new");
    draft.quantity = 2;
    send(&app, &mut draft).await;
    assert_eq!(lies_at(&app, "bobs").await, "2000");
    // Spent by Bob and refunded: Bob's site owes it.
    assert_eq!(app.debit("bobs", "1500", "k").await.status(), 201);
    draft.status = "refunded";
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(app.get("/v1/wallets/site:bobs").await["debt"], "1500");
    // The shop gives it to a third customer: paid again it is theirs.
    (draft.status, draft.customer) = ("processing", 4);
    send(&app, &mut draft).await;
    assert_eq!(app.get("/v1/orders/lab/1").await["assigned"], Value::Null);
    assert_ne!(app.available("account:lab:customer:4").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_nobody_is_booked_for_the_account_that_is_named() {
    let app = TestApp::start().await;
    let mut draft = Draft::new(1, 0);
    assert_eq!(send(&app, &mut draft).await, "parked");
    let missing = app.get("/v1/orders/lab/1").await["missing"][0].clone();
    assert!(missing["remedy"].as_str().unwrap().contains("order assign lab 1 --account"), "{missing}");
    assert!(assigned(&app, 1, None, Some("blog")).unwrap_err().contains("has no account yet"));
    let done = assigned(&app, 1, Some("lab:email:new@example.test"), None).unwrap();
    assert_eq!((done.parked, done.result.as_str()), (None, "granted"));
    assert_eq!(app.available("account:lab:email:new@example.test").await, "1000");
    // It pays later for more, and still names nobody.
    draft.quantity = 2;
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(app.available("account:lab:email:new@example.test").await, "2000");
    draft.customer = 2;
    send(&app, &mut draft).await;
    assert_eq!(app.available(ALICE).await, "2000", "now it names somebody");
}

/// Assigned before anything was paid, it goes there when it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_yet_remembers_where_to_go() {
    let app = TestApp::start().await;
    own_site(&app, "blog", "lab:customer:2");
    let mut draft = Draft { status: "pending", site: Some("shop"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    assert_eq!(assigned(&app, 1, None, Some("blog")).unwrap().moved.to_string(), "0");
    draft.status = "processing";
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(lies_at(&app, "blog").await, "1000");
    // The site goes away: what comes later is in the pool, and somebody is told.
    write(app.db(), |tx| site::store::unassign(tx, &"blog".parse().unwrap()));
    draft.quantity = 2;
    send(&app, &mut draft).await;
    assert!(attention(&app, 1).await.as_str().unwrap().contains("no longer its account's"));
}

/// Orders are assigned, changed, spent and refunded in any order; the books are right at every step, and each order
/// has granted what its state says.
#[tokio::test(flavor = "multi_thread")]
async fn assigning_spending_and_refunding_in_any_order_keeps_the_books() {
    let mut random = seeded();
    let app = TestApp::start().await;
    for (site, account) in [("a1", "lab:customer:2"), ("a2", "lab:customer:2"), ("b1", "lab:customer:3")] {
        own_site(&app, site, account);
    }
    let mut drafts: Vec<Draft> = (1..=4).map(|id| Draft::new(id, 2 + id % 2)).collect();
    let mut story = Vec::new();
    for step in 0..120 {
        let at = random.random_range(0..drafts.len());
        let draft = &mut drafts[at];
        let said = match random.random_range(0..4) {
            0 => {
                let to = [("lab:customer:2", "a1"), ("lab:customer:2", "a2"), ("lab:customer:3", "b1")];
                let (account, site) = *to.choose(&mut random).unwrap();
                let account = random.random_ratio(1, 2).then_some(account);
                let place = *[Some(site), Some("pool"), None].choose(&mut random).unwrap();
                let done = (account, place) != (None, None) && draft.version > 0;
                let done = done.then(|| assigned(&app, draft.id, account, place).map(|done| done.moved));
                format!("assign {} {account:?} {place:?}: {done:?}", draft.id)
            }
            1 => {
                let site = *["a1", "a2", "b1"].choose(&mut random).unwrap();
                let credits = random.random_range(1..900).to_string();
                format!(
                    "debit {site} {credits}: {}",
                    app.debit(site, &credits, &step.to_string()).await.status()
                )
            }
            _ => {
                match random.random_range(0..5) {
                    0 => draft.quantity = random.random_range(1..=3),
                    1 => draft.refund = random.random_range(0..=10),
                    2 => draft.site = *[None, Some("a1"), Some("b1")].choose(&mut random).unwrap(),
                    3 => draft.customer = random.random_range(2..=3),
                    _ => {
                        draft.status =
                            ["processing", "completed", "cancelled", "on-hold"].choose(&mut random).unwrap();
                    }
                }
                format!("{draft:?}: {}", app.deliver("order.updated", draft.next()).await)
            }
        };
        story.push(said);
        let faults = nivella_wallet::ledger::audit::verify(app.db(), |_| {}).unwrap().faults;
        assert_eq!(faults, [], "after {story:#?}");
    }
    for draft in &mut drafts {
        (draft.status, draft.refund) = ("cancelled", 0);
        send(&app, draft).await;
    }
    // Whatever way they went, all of them are undone: nothing of them can be spent any more.
    for account in [ALICE, BOB] {
        assert_eq!(app.available(account).await, "0", "{story:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_assigns_and_tries_it_first() {
    let app = TestApp::start().await;
    own_site(&app, "bobs", "lab:customer:3");
    let mut draft = Draft { site: Some("bobs"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    let run = |args: &str| {
        let done = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
            .env_clear()
            .args(["--database", &app.db().url().to_string()])
            .args(args.split(' '))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    };
    let list = run("--json order list --attention");
    let list: Value = serde_json::from_str(&list.1).unwrap();
    let remedy = list["items"][0]["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("order assign lab 1 --account acc_") && remedy.contains("--site bobs"),
        "{remedy}"
    );
    let refused = run("order assign lab 1 --site bobs");
    assert!(refused.0 == 1 && refused.2.contains("hands the order to the site's owner"), "{refused:?}");
    assert_eq!(run("order assign lab 1").0, 2, "somewhere it must go");
    assert_eq!(run("order assign lab 1 --site bobs --pool").0, 2);
    let both = "order assign lab 1 --account lab:customer:3 --site bobs";
    let tried = run(&format!("{both} --dry-run"));
    assert!(
        tried.1.contains("1000 unspent credits moved") && tried.1.contains("nothing was written"),
        "{tried:?}"
    );
    assert_eq!(app.available(ALICE).await, "1000");
    let done: Value = serde_json::from_str(&run(&format!("--json {both}")).1).unwrap();
    assert_eq!(
        (&done["moved"], &done["place"], &done["dry_run"]),
        (&json!("1000"), &json!("bobs"), &json!(false))
    );
    assert_eq!(lies_at(&app, "bobs").await, "1000");
    let people = run("order explain lab 1").1;
    assert!(people.contains("to site:bobs by hand") && people.contains("assigned there by hand"), "{people}");
}

/// The statements of assigning, explaining, listing, pruning and retrying, on both engines.
#[test]
fn an_order_is_assigned_and_told_alike_on_both_engines() {
    for test in databases() {
        let shop = lab(&test.db);
        let rules = app::rules(&Config::default());
        write(&test.db, |tx| {
            let alice = site::store::open(tx, &"lab:customer:2".parse().unwrap())?;
            site::store::assign(tx, &"blog".parse().unwrap(), &alice, &site::Field::Keep, &site::Field::Keep)
        });
        let parsed = |draft: &mut Draft| -> Order {
            match woo::parse_delivery("order.updated", &draft.next(), &shop.site_keys).unwrap() {
                Body::Order(order) => *order,
                other => panic!("{other:?}"),
            }
        };
        let mut drafts = [
            Draft { site: Some("shop"), ..Draft::new(1, 2) },
            Draft { email: "g@example.test", ..Draft::new(2, 0) },
            Draft::new(3, 0),
        ];
        for order in drafts.iter_mut().map(parsed).collect::<Vec<_>>() {
            let (shop, rules) = (shop.clone(), rules.clone());
            write(&test.db, move |tx| {
                let seen = Seen::Told { arrival: 1, at: tx.now() };
                apply::apply(tx, &shop, &rules, order, Source { operation: "test", seen })
            });
        }
        let (of, with) = (shop.clone(), rules.clone());
        let done = write(&test.db, move |tx| {
            let wish = Wish { account: None, place: Some(Compartment::Site("blog".parse().unwrap())) };
            assign::assign(tx, &of, &with, 1, &wish, "test")
        });
        assert_eq!(
            (done.moved.to_string().as_str(), done.place.as_deref()),
            ("1000", Some("blog")),
            "{}",
            test.name
        );
        let (of, with) = (shop.clone(), rules.clone());
        let retried = write(&test.db, move |tx| {
            catalog::store::retry(tx, of.id)?;
            assert_eq!(catalog::store::next_retry(tx)?, Some(of.id));
            inbox::retry_parked(tx, &of, &with, "test")
        });
        assert_eq!((retried.tried, retried.finished, retried.more), (1, 0, false), "{}", test.name);
        write(&test.db, |tx| {
            assert_eq!(catalog::store::next_retry(tx)?, None);
            let now = tx.now();
            assert_eq!(inbox::store::prune_by_hand(tx, now, false, 10)?, 0);
            inbox::store::prune_by_hand(tx, now, true, 10)
        });
        test.db
            .read(|tx| {
                let story = explain::story(tx, &shop, &rules, 1)?.unwrap();
                let kinds: Vec<&str> = story.entries.iter().map(|entry| entry.kind).collect();
                assert_eq!(kinds, ["granted", "moved"], "{}", test.name);
                assert_eq!(story.assigned.unwrap().place.as_deref(), Some("site:blog"));
                assert_eq!(explain::story(tx, &shop, &rules, 3)?.unwrap().missing[0].step, "buyer");
                for (filter, found) in [(Filter::All, 3), (Filter::Unclaimed, 1), (Filter::Attention, 1)] {
                    assert_eq!(orders::list(tx, filter, Place::START, 10)?.len(), found, "{filter:?}");
                }
                let now = tx.now();
                assert_eq!(inbox::store::pruned(tx, None, None)?.count, 0);
                assert_eq!(inbox::store::pruned(tx, None, Some((shop.id, 1)))?.count, 0);
                assert_eq!(inbox::store::prunable(tx, now)?, []);
                assert_eq!(inbox::store::newest(tx, shop.id)?, None);
                assert!(inbox::store::next_of_order(tx, shop.id, 1, 0)?.is_none());
                Ok::<_, db::Error>(())
            })
            .unwrap();
        assert_eq!(audit::verify(&test.db, |_| {}).unwrap().faults, [], "{}", test.name);
    }
}
