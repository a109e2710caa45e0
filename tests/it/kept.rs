//! What is kept in memory is never older than what was answered, whoever wrote it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use nivella_wallet::access::{self, KeySecret};
use nivella_wallet::account::{by_hand, merge};
use nivella_wallet::app as daemon;
use nivella_wallet::calendar::Per;
use nivella_wallet::catalog::worth::Basis;
use nivella_wallet::catalog::{self, Package, Target};
use nivella_wallet::config::Config;
use nivella_wallet::db::{self, Db, Durability};
use nivella_wallet::feed::{self, wallet};
use nivella_wallet::id::{AccountId, DebitId, HoldId};
use nivella_wallet::inbox::{self, Envelope, Incoming, signature};
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::limit::{Brake, Limit, OnReached};
use nivella_wallet::ledger::plan::NewPlan;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{self as ledger, Capture, Expiry, NewGrant, Shown, plan};
use nivella_wallet::params;
use nivella_wallet::shop;
use nivella_wallet::site::{AccountRef, Field, store as sites};
use nivella_wallet::time::{DAY_MS, HOUR_MS, Timestamp, Validity};
use nivella_wallet::units::Credits;
use rand::RngExt as _;
use rand::rngs::StdRng;
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use serde_json::Value;

use crate::app::{SECRET, TestApp, key, write};
use crate::support::{new_debit, new_hold, recorded, seeded};

/// Another program on the same file.
fn other(app: &TestApp) -> Db {
    Db::open(app.db().url(), Durability::Process, app.clock.clone()).unwrap()
}

/// An account with sites that have nothing yet.
fn account(db: &Db, all: &'static [&'static str]) -> AccountId {
    write(db, move |tx| {
        let account = sites::open(tx, &"lab:customer:1".parse::<AccountRef>().unwrap()).unwrap();
        for site in all {
            sites::assign(tx, &site.parse().unwrap(), &account, &Field::Keep, &Field::Keep).unwrap();
        }
        Ok::<_, db::Error>(account)
    })
}

fn grant(credits: &str, at: Compartment, expiry: Expiry) -> NewGrant {
    NewGrant {
        compartment: at,
        amount: credits.parse().unwrap(),
        category: Category::Paid,
        priority: None,
        label: "AI Credits".to_owned(),
        reason: None,
        effective_at: None,
        expiry,
        purchase: None,
        shown_as: Shown::TopUp,
    }
}

fn never() -> Expiry {
    Expiry::After(Validity::Never)
}

/// What the next request is answered after the command line did something.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_another_program_wrote_is_in_the_very_next_answer() {
    let app = TestApp::start().await;
    let outside = tokio::task::spawn_blocking({
        let app = other(&app);
        move || app
    })
    .await
    .unwrap();
    let (account, id, secret) = tokio::task::block_in_place(|| {
        let account = account(app.db(), &["shop"]);
        let secret = key(app.db(), "site:shop");
        let keys = app.db().read(nivella_wallet::access::store::list).unwrap();
        (account, keys.last().unwrap().id.clone(), secret)
    });
    let run = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
            .args(["--database", &app.db().url().to_string()])
            .args(args)
            .output()
            .unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let ask =
        async || app.http.get(app.url("/v1/wallets/me/feed")).bearer_auth(&secret).send().await.unwrap();
    let feed = async || {
        // Twice: what was read and what was kept.
        let one: Value = ask().await.json().await.unwrap();
        let two: Value = ask().await.json().await.unwrap();
        assert_eq!(one, two);
        two
    };
    assert_eq!(feed().await["available"], "0");

    for number in 1..=20_i64 {
        let to = account.clone();
        tokio::task::block_in_place(|| {
            write(&outside, move |tx| {
                LockedAccount::lock(tx, &to)?.grant(&grant("5", Compartment::Pool, never()))
            });
        });
        assert_eq!(feed().await["available"], (5 * number).to_string());
    }
    tokio::task::block_in_place(|| {
        run(&["site", "assign", "shop", "--account", "lab:customer:1", "--label", "My shop"]);
    });
    assert_eq!(feed().await["site"]["label"], "My shop");
    assert_eq!(feed().await["packages"], serde_json::json!([]));
    tokio::task::block_in_place(|| {
        run(&["package", "set", "--store", "lab", "--product", "13", "--credits", "50"]);
    });
    assert_eq!(feed().await["packages"][0]["credits"], "50");
    tokio::task::block_in_place(|| run(&["key", "revoke", id.as_str()]));
    assert_eq!(ask().await.status(), 401);
}

/// What decides about a delivery is remembered by the writer, and by those who check its signature.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_another_program_wrote_decides_about_the_very_next_delivery() {
    let app = TestApp::start().await;
    let outside = tokio::task::block_in_place(|| other(&app));
    let file = recorded("02-paid-order-one-token/003-order.updated/body.bin");
    let body = |number: i64| {
        let mut order: Value = serde_json::from_slice(&file).unwrap();
        order["id"] = number.into();
        order["customer_id"] = 1.into();
        let line = &mut order["line_items"][0];
        line["id"] = number.into();
        line["product_id"] = 10.into();
        line["meta_data"] = serde_json::json!([]);
        order.to_string().into_bytes()
    };
    let mut credits = 0;
    let expect = async |number: i64, brings: i64, credits: &mut i64| {
        // Twice: the second one finds the first.
        assert_eq!(app.deliver("order.updated", body(number)).await, "granted", "order {number}");
        assert_eq!(app.deliver("order.updated", body(number)).await, "unchanged", "order {number}");
        *credits += brings;
        assert_eq!(app.available("account:lab:customer:1").await, credits.to_string(), "order {number}");
    };
    // Numbers go up, but deliveries do not come in their order.
    for number in [2000, 2002, 2001, 2004, 2003] {
        expect(number, 1000, &mut credits).await;
    }

    // The worth of what is sold, the account, an order, in turns with deliveries.
    let write_outside = |work: &dyn Fn(&Db)| tokio::task::block_in_place(|| work(&outside));
    write_outside(&|db| {
        write(db, |tx| {
            let package = Package {
                target: "product:10".parse::<Target>().unwrap(),
                basis: Basis::PerUnit("7".parse().unwrap()),
                validity: Validity::Never,
                category: Category::Paid,
                label: None,
            };
            let lab = shop::store::find(tx, &"lab".parse().unwrap())?.unwrap();
            catalog::store::set_package(tx, lab.id, &package)
                .map(|_| ())
                .map_err(|error| db::Error::Unusable(error.to_string()))
        });
    });
    expect(2010, 7, &mut credits).await;
    write_outside(&|db| {
        write(db, |tx| {
            let account = sites::known(tx, &"lab:customer:1".parse().unwrap()).unwrap();
            LockedAccount::lock(tx, &account)?.grant(&grant("5", Compartment::Pool, never()))
        });
    });
    credits += 5;
    expect(2011, 7, &mut credits).await;
    write_outside(&|db| {
        let body = body(2015);
        let signature = signature::sign(SECRET.as_bytes(), &body);
        let headers = [("x-wc-webhook-signature".parse().unwrap(), signature.parse().unwrap())];
        let headers = headers.into_iter().collect();
        let verified = signature::verify(&[SECRET.as_bytes()], &headers, body.into()).unwrap();
        write(db, move |tx| {
            let lab = shop::store::find(tx, &"lab".parse().unwrap())?.unwrap();
            let envelope = Envelope { topic: "order.updated".to_owned(), ..Envelope::default() };
            let incoming = Incoming::read(envelope, verified, &lab);
            let rules = daemon::rules(&Config::default());
            assert_eq!(inbox::receive(tx, &lab, &rules, &incoming).unwrap().result, "granted");
            Ok::<_, db::Error>(())
        });
    });
    credits += 7;
    assert_eq!(app.deliver("order.updated", body(2015)).await, "unchanged");
    expect(2014, 7, &mut credits).await;
    expect(2016, 7, &mut credits).await;

    write_outside(&|db| {
        write(db, |tx| {
            let lab = shop::store::find(tx, &"lab".parse().unwrap())?.unwrap();
            let mut settings = shop::store::settings(tx, lab.id)?.unwrap();
            settings.change_secret("another secret for webhooks, long enough".parse().unwrap(), None);
            shop::store::update(tx, lab.id, &settings)
                .map(|_| ())
                .map_err(|error| db::Error::Unusable(error.to_string()))
        });
    });
    let refused = app.deliver("order.updated", body(2020)).await;
    assert!(refused.starts_with("401"), "{refused}");
}

/// 64 readers, eight writers here and one in another program: whatever a reader is told is no older than what was
/// answered before it asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_is_older_than_a_write_that_was_answered_before() {
    const SITES: [&str; 3] = ["a", "b", "c"];
    const ROUNDS: usize = 60;
    let app = Arc::new(TestApp::start().await);
    let outside = tokio::task::block_in_place(|| other(&app));
    let account = tokio::task::block_in_place(|| {
        let account = account(app.db(), &SITES);
        let to = account.clone();
        write(app.db(), move |tx| {
            let mut account = LockedAccount::lock(tx, &to)?;
            for site in SITES {
                account.grant(&grant("100000", Compartment::Site(site.parse().unwrap()), never()))?;
            }
            Ok::<_, ledger::Error>(())
        });
        account
    });
    // Whole credits that were spent and given for each site, and answered.
    let done: Arc<[[AtomicI64; 2]; 3]> = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (app, done, mut random) = (Arc::clone(&app), Arc::clone(&done), seeded());
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let at = random.random_range(0..SITES.len());
                let answer = app.debit(SITES[at], "1", &format!("{writer}-{round}")).await;
                assert_eq!(answer.status(), 201);
                done[at][0].fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    tasks.spawn_blocking({
        let (done, mut random) = (Arc::clone(&done), seeded());
        move || {
            for _ in 0..ROUNDS {
                let (at, to) = (random.random_range(0..SITES.len()), account.clone());
                write(&outside, move |tx| {
                    let place = Compartment::Site(SITES[at].parse().unwrap());
                    LockedAccount::lock(tx, &to)?.grant(&grant("1", place, never()))
                });
                done[at][1].fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    for _ in 0..64 {
        let (app, done, mut random) = (Arc::clone(&app), Arc::clone(&done), seeded());
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                let at = random.random_range(0..SITES.len());
                let [spent, given] = [0, 1].map(|what| done[at][what].load(Ordering::SeqCst));
                let wallet = app.get(&format!("/v1/wallets/site:{}/feed", SITES[at])).await;
                let number = |name: &str| wallet[name].as_str().unwrap().parse::<i64>().unwrap();
                assert!(number("used") >= spent, "{spent} were spent for {}: {wallet}", SITES[at]);
                assert!(number("total") >= 100_000 + given, "{given} were given to {}: {wallet}", SITES[at]);
                assert_eq!(number("available") + number("used"), number("total"));
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

fn brake() -> Brake {
    nivella_wallet::app::brake(&nivella_wallet::config::Config::default())
}

const WALKED: [&str; 2] = ["a", "b"];

/// What can be done to a wallet between two looks at its page.
fn act(db: &Db, account: &AccountId, random: &mut StdRng, now: Timestamp) {
    let account = account.clone();
    let site = WALKED[random.random_range(0..WALKED.len())];
    let amount = random.random_range(1..50).to_string();
    let at = if random.random() { Compartment::Pool } else { Compartment::Site(site.parse().unwrap()) };
    let soon = now.plus_millis(random.random_range(1..40 * HOUR_MS));
    let what = random.random_range(0..15);
    let nth = random.random_range(0..1_000_000);
    write(db, move |tx| {
        // What is refused is refused: the page is the same before and after.
        let _refused = tx.attempt(|tx| {
            if what == 0 {
                sites::rename(tx, &account, &amount)?;
                return Ok(());
            }
            if what == 1 {
                sites::set_uses_pool(tx, &site.parse().unwrap(), amount.len() > 1)?;
                return Ok(());
            }
            if what == 5 {
                let debit: Option<DebitId> = tx.query_opt(
                    "-- test
                     SELECT id FROM debit WHERE account_id = $1 AND reversed = 0 ORDER BY id DESC LIMIT 1",
                    params![&account],
                    |row| row.get(0),
                )?;
                if let Some(debit) = debit {
                    LockedAccount::lock(tx, &account)?.reverse(&debit, None, None)?;
                }
                return Ok(());
            }
            if what == 13 || what == 14 {
                let hold: Option<HoldId> = tx.query_opt(
                    "-- test
                     SELECT id FROM hold WHERE account_id = $1 AND state = 'open' ORDER BY id DESC LIMIT 1",
                    params![&account],
                    |row| row.get(0),
                )?;
                if let Some(hold) = hold {
                    let mut locked = LockedAccount::lock(tx, &account)?;
                    let used = Capture {
                        amount: "0.5".parse().unwrap(),
                        quantity: None,
                        label: None,
                        reference: None,
                        occurred_at: None,
                        usage: None,
                    };
                    if what == 13 {
                        locked.release(&hold)?;
                    } else {
                        locked.capture(&hold, &used, &brake())?;
                    }
                }
                return Ok(());
            }
            if what == 10 {
                let into: AccountRef = account.clone().into();
                let _refused = by_hand::allocate(tx, &into, site.parse().unwrap(), amount.parse().unwrap());
                return Ok(());
            }
            if what == 11 {
                // Another customer who used something becomes part of this one.
                let from: AccountRef = format!("lab:customer:{}", 2 + nth).parse().unwrap();
                let (other, at) = (sites::open(tx, &from).unwrap(), format!("site-{nth}"));
                sites::assign(tx, &at.parse().unwrap(), &other, &Field::Keep, &Field::Keep).unwrap();
                LockedAccount::lock(tx, &other)?.grant(&grant(&amount, Compartment::Pool, never()))?;
                ledger::spend(tx, &other, &new_debit(&at, "1"), &brake())?;
                merge::merge(tx, &from, &account.clone().into()).unwrap();
                return Ok(());
            }
            let mut locked = LockedAccount::lock(tx, &account)?;
            match what {
                2 | 3 => locked.grant(&grant(&amount, at, Expiry::At(soon))).map(drop)?,
                4 => {
                    let later = NewGrant { effective_at: Some(soon), ..grant(&amount, at, never()) };
                    locked.grant(&later).map(drop)?;
                }
                6 => {
                    let mut hold = new_hold(site, &amount);
                    hold.lasts_s = if amount.len() > 1 { 3600 } else { 1800 };
                    drop(locked.hold(&hold)?);
                }
                7 => drop(locked.start_plan(&"daily".parse().unwrap(), &at, Some(soon))?),
                8 => drop(locked.stop_plan(&"daily".parse().unwrap(), &at)?),
                _ => locked.set_limit(
                    &site.parse().unwrap(),
                    &Limit {
                        agent: None,
                        per: Per::Day,
                        credits: amount.parse().unwrap(),
                        on_reached: OnReached::Stop,
                    },
                )?,
            }
            Ok::<_, ledger::Error>(())
        });
        Ok::<_, db::Error>(())
    });
}

/// Spends as the daemon does.
async fn spend(db: &Db, account: &AccountId, random: &mut StdRng) {
    let (account, mut debit) =
        (account.clone(), new_debit(WALKED[random.random_range(0..WALKED.len())], "1"));
    debit.amount = Credits::from_micro(random.random_range(1..3_000_000)).unwrap();
    ["chat", "Read a page", "Wrote a text"][random.random_range(0..3)].clone_into(&mut debit.label);
    debit.agent = random.random::<bool>().then(|| "helper".parse().unwrap());
    debit.uses_pool = random.random();
    let refused =
        db.write_remembering("test", move |tx| ledger::spend(tx, &account, &debit, &brake())).await.err();
    assert!(!matches!(refused, Some(ledger::Error::Database(_))), "{refused:?}");
}

/// Whatever is written and however the clock is turned, a page from memory is the page that is read anew, byte for
/// byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_from_memory_is_the_page_that_is_read() {
    let mut random = seeded();
    let app = TestApp::start().await;
    let outside = tokio::task::block_in_place(|| other(&app));
    let account = tokio::task::block_in_place(|| {
        let account = account(app.db(), &WALKED);
        let to = account.clone();
        write(app.db(), move |tx| {
            sites::assign(tx, &"a".parse().unwrap(), &to, &Field::Set("acme".parse().unwrap()), &Field::Keep)
        });
        let new = NewPlan {
            name: "daily".parse().unwrap(),
            credits: "20".parse().unwrap(),
            per: Per::Day,
            rollover: "5".parse().unwrap(),
            label: None,
        };
        write(app.db(), move |tx| plan::set(tx, &new));
        account
    });
    let mut now = app.clock.now();
    let client = tokio::task::block_in_place(|| key(app.db(), &format!("client:{account}/acme")));
    // The page that `named` shows, or the client's own.
    let ask = async |named: &str, tag: Option<HeaderValue>| {
        let (secret, name) = match named {
            "me" => (client.as_str(), "me"),
            named => (app.admin.as_str(), named),
        };
        let path = app.url(&format!("/v1/wallets/{name}/feed"));
        let mut request = app.http.get(path).bearer_auth(secret);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        request.send().await.unwrap()
    };
    let secret: KeySecret = client.parse().unwrap();
    let known = app.db().read(|tx| access::store::authenticate(tx, &secret.hash()));
    let caller = known.unwrap_or_else(|error: db::Error| panic!("{error}")).unwrap().caller;
    let tag = |answer: &reqwest::Response| answer.headers().get(ETAG).cloned().unwrap();
    for step in 0..600 {
        let names = ["site:a", "site:b", &format!("account:{account}"), "me"];
        let named = names[random.random_range(0..names.len())].to_owned();
        // What is settled is shown as it was before.
        if random.random_ratio(1, 4) {
            let settle = |db: &Db| {
                let account = account.clone();
                write(db, move |tx| LockedAccount::lock(tx, &account).map(drop));
            };
            tokio::task::block_in_place(|| settle(app.db()));
            for _ in 0..random.random_range(1..4) {
                ask(&named, None).await;
                spend(app.db(), &account, &mut random).await;
            }
            let before = ask(&named, None).await;
            tokio::task::block_in_place(|| settle(if random.random() { app.db() } else { &outside }));
            assert_eq!(tag(&before), tag(&ask(&named, None).await), "step {step} at {named}");
        }
        let fresh = || {
            let answer = app.db().read(|tx| {
                let wallet = match named.as_str() {
                    "me" => wallet::own(tx, &caller)?.unwrap(),
                    named => wallet::open(tx, &named.parse().unwrap())?.unwrap(),
                };
                let (ground, unsettled) = feed::Ground::read(tx, &wallet)?;
                Ok(ground.answer(&feed::Settings::default(), &unsettled, tx.now()).unwrap())
            });
            answer.unwrap_or_else(|error: db::Error| panic!("{error}")).body().to_vec()
        };
        // The daemon itself books what is due. Looks between which it did are looks at two wallets.
        loop {
            let before = fresh();
            let mut tag = None;
            let mut bodies = Vec::new();
            for _ in 0..2 {
                let answer = ask(&named, None).await;
                tag = answer.headers().get(ETAG).cloned();
                bodies.push(answer.bytes().await.unwrap());
            }
            let again = ask(&named, tag).await;
            if before != fresh() {
                continue;
            }
            for body in bodies {
                assert_eq!(
                    String::from_utf8_lossy(&body),
                    String::from_utf8_lossy(&before),
                    "step {step} at {named}"
                );
            }
            assert_eq!(again.status(), 304, "step {step}");
            break;
        }

        match random.random_range(0..5) {
            4 => spend(if random.random() { app.db() } else { &outside }, &account, &mut random).await,
            0 => {
                let db = if random.random() { app.db() } else { &outside };
                tokio::task::block_in_place(|| act(db, &account, &mut random, now));
            }
            1 => now = now.plus_millis(random.random_range(1..3000)),
            2 => now = now.plus_millis(random.random_range(1..DAY_MS)),
            _ => {
                // To the very instant at which the next hour begins, or one beside it.
                let hour = now.hour().plus_millis(HOUR_MS + random.random_range(-1..2));
                now = now.max(hour);
            }
        }
        app.clock.turn_to(now);
    }
}
