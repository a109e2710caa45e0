//! Alerts: told once for each crossing, whatever caused it, and never twice in three days; read as events.

use std::sync::Arc;

use nivella_wallet::app;
use nivella_wallet::config::Config;
use nivella_wallet::db::{self, Db, Keep, Tx};
use nivella_wallet::event::{self, Event, Filter};
use nivella_wallet::id::AccountId;
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::limit::Brake;
use nivella_wallet::ledger::position::Position;
use nivella_wallet::ledger::slice::{Compartment, own_slices};
use nivella_wallet::ledger::store::{Capture, Error, Expiry, NewGrant, NewHold, Purchase, Shortfall, spend};
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::{Clock, DAY_MS, HOUR_MS, Timestamp};
use nivella_wallet::{account, params};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, key};
use crate::support::{TestDb, databases, new_debit, new_grant, new_hold};

/// Alice's sites `shop` and `blog`, and a database that somebody looks after.
struct Stage {
    test: TestDb,
    db: Db,
    alice: AccountId,
}

fn at(site: &str) -> Compartment {
    Compartment::Site(site.parse().unwrap())
}

impl Stage {
    fn on(test: TestDb) -> Self {
        let db = test.db.clone().watched_by(app::alerts(&Config::default()));
        let alice = db
            .write_blocking("test", Keep::Effects, |tx| {
                tx.execute(
                    "-- test
                     INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
                     VALUES (1, 'lab', 'https://lab.example', 'x', '[\"tokens\"]', '[]', '[]', 0)",
                    params![],
                )?;
                let alice = sites::open(tx, &"lab:customer:1".parse().unwrap()).unwrap();
                for site in ["shop", "blog"] {
                    sites::assign(tx, &site.parse().unwrap(), &alice, &Field::Keep, &Field::Keep).unwrap();
                }
                Ok::<_, db::Error>(alice)
            })
            .unwrap();
        Self { test, db, alice }
    }

    fn all() -> impl Iterator<Item = Self> {
        databases().into_iter().map(Self::on)
    }

    /// Does something to Alice's account.
    fn act<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut LockedAccount<'_, '_>) -> Result<T, Error> + Send + 'static,
    ) -> T {
        let alice = self.alice.clone();
        let work = move |tx: &mut Tx<'_>| work(&mut LockedAccount::lock(tx, &alice)?);
        self.db.write_blocking("test", Keep::Effects, work).unwrap()
    }

    fn grant(&self, compartment: Compartment, credits: &str) {
        let new = new_grant(compartment, credits);
        self.act(move |account| account.grant(&new));
    }

    /// Spends for `shop`, without the pool, as the daemon does.
    fn spend(&self, credits: &str) {
        let (alice, mut debit) = (self.alice.clone(), new_debit("shop", credits));
        debit.uses_pool = false;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime
            .block_on(
                self.db.write_remembering("test", move |tx| spend(tx, &alice, &debit, &Brake::OFF).map(drop)),
            )
            .unwrap();
    }

    fn events(&self) -> Vec<Event> {
        self.db.read(|tx| event::page(tx, "Credits", &Filter::default(), 0, 200)).unwrap().items
    }

    /// What was told so far: where, which level, and what was left.
    fn told(&self) -> Vec<String> {
        let line = |event: Event| {
            let place = if event.wallet.starts_with("account:") { "pool" } else { event.wallet.as_str() };
            format!("{place} {} {} {}", event.kind.as_str(), event.level, event.available)
        };
        self.events().into_iter().map(line).collect()
    }

    fn pass(&self, millis: i64) {
        self.test.clock.turn_to(self.test.clock.now().plus_millis(millis));
    }
}

#[test]
fn each_level_is_told_once_as_debits_come() {
    for stage in Stage::all() {
        stage.grant(at("shop"), "1000");
        for _ in 0..1000 {
            stage.spend("1");
        }
        assert_eq!(
            stage.told(),
            [
                "site:shop credits.low 20% 200",
                "site:shop credits.critical 5% 50",
                "site:shop credits.empty 0 0"
            ],
            "on {}",
            stage.test.name
        );
        let event = stage.events().remove(0);
        assert_eq!((event.account.name.as_str(), event.unit.as_str()), ("Customer 1", "Credits"));
        assert_eq!(event.account.names.first().map(ToString::to_string).as_deref(), Some("lab:customer:1"));
    }
}

#[test]
fn who_falls_through_several_levels_hears_of_the_deepest() {
    for stage in Stage::all() {
        stage.grant(at("shop"), "1000");
        stage.spend("970");
        stage.spend("29");
        stage.spend("1");
        assert_eq!(
            stage.told(),
            ["site:shop credits.critical 5% 30", "site:shop credits.empty 0 0"],
            "on {}",
            stage.test.name
        );
    }
}

/// The acts, each on an account that has just what it takes, and what is told of it.
#[test]
fn a_level_is_crossed_by_whatever_is_done() {
    type Act = Box<dyn Fn(&Stage)>;
    let store = |stage: &Stage, compartment, reason: &'static str| {
        let mut new = new_grant(compartment, "1000");
        new.reason = Some(reason.to_owned());
        new.purchase = Some(Purchase { store: 1, order: 7, line: 1 });
        stage.act(move |account| account.grant(&new).map(|made| made.id))
    };
    let acts: Vec<(&str, Act, &[&str])> = vec![
        (
            "a hold",
            Box::new(|stage| {
                stage.grant(at("shop"), "1000");
                let hold = NewHold { ..new_hold("shop", "900") };
                stage.act(move |account| account.hold(&hold));
            }),
            &["site:shop credits.low 20% 100"],
        ),
        (
            "a capture that uses less gives back, and tells nothing",
            Box::new(|stage| {
                stage.grant(at("shop"), "1000");
                let hold = new_hold("shop", "700");
                let hold = stage.act(move |account| account.hold(&hold)).hold;
                let capture = Capture { amount: "1".parse().unwrap(), ..Capture::default() };
                stage.act(move |account| account.capture(&hold.id, &capture, &Brake::OFF));
            }),
            &[],
        ),
        (
            "money that goes back",
            Box::new(move |stage| {
                store(stage, at("shop"), "order");
                let purchase = Purchase { store: 1, order: 7, line: 1 };
                stage.act(move |account| {
                    let amount = "1000".parse().unwrap();
                    account.claw_back("dl_1", purchase, amount, "refunded", Shortfall::Debt, None)
                });
            }),
            &["site:shop credits.empty 0 0"],
        ),
        (
            "an order that waits for a decision",
            Box::new(move |stage| {
                store(stage, at("shop"), "order");
                let purchase = Purchase { store: 1, order: 7, line: 1 };
                stage.act(move |account| account.set_frozen(purchase, true));
            }),
            &["site:shop credits.empty 0 0"],
        ),
        (
            "a correction",
            Box::new(|stage| {
                stage.grant(Compartment::Pool, "1000");
                stage.act(|account| {
                    account.take_out(&Compartment::Pool, "960".parse().unwrap(), "counted twice")
                });
            }),
            &["pool credits.critical 5% 40"],
        ),
        (
            "a grant that is withdrawn",
            Box::new(move |stage| {
                let id = store(stage, Compartment::Pool, "mistake");
                stage.act(move |account| account.void(&id, "mistake"));
            }),
            &["pool credits.empty 0 0"],
        ),
        (
            "credits that move to a site",
            Box::new(|stage| {
                stage.grant(Compartment::Pool, "1000");
                let some = "850".parse().unwrap();
                stage.act(move |account| account.relocate(&Compartment::Pool, &at("shop"), some));
            }),
            &["pool credits.low 20% 150"],
        ),
        (
            "credits whose time is over, which somebody else's act finds",
            Box::new(|stage| {
                let expiry = Expiry::At(stage.test.clock.now().plus_millis(DAY_MS));
                let new = NewGrant { expiry, ..new_grant(at("shop"), "1000") };
                stage.act(move |account| account.grant(&new));
                stage.grant(at("blog"), "1000");
                stage.pass(DAY_MS);
                stage.grant(at("blog"), "10");
            }),
            &["site:shop credits.empty 0 0"],
        ),
        (
            "credits whose time is over, before a debit for another site",
            Box::new(|stage| {
                stage.grant(at("shop"), "1000");
                stage.spend("1");
                let expiry = Expiry::At(stage.test.clock.now().plus_millis(DAY_MS));
                let new = NewGrant { expiry, ..new_grant(at("blog"), "1000") };
                stage.act(move |account| account.grant(&new));
                stage.spend("1");
                stage.pass(DAY_MS);
                stage.spend("1");
            }),
            &["site:blog credits.empty 0 0"],
        ),
        (
            "what comes and goes in one act",
            Box::new(|stage| {
                stage.grant(at("shop"), "1000");
                stage.act(|account| {
                    let some: nivella_wallet::units::Credits = "990".parse().unwrap();
                    account.relocate(&at("shop"), &Compartment::Pool, some)?;
                    account.relocate(&Compartment::Pool, &at("shop"), some)
                });
            }),
            &[],
        ),
    ];
    for (what, act, expected) in acts {
        for stage in Stage::all() {
            act(&stage);
            assert_eq!(stage.told(), expected, "{what}, on {}", stage.test.name);
        }
    }
}

/// P27: alert spam, or alerts that never fire at zero.
#[test]
fn p27_a_hovering_balance_is_told_at_most_once_in_three_days_for_each_level() {
    for stage in Stage::all() {
        stage.grant(at("shop"), "1000");
        for hour in 0..24 * 9 {
            // Up and down over all levels: everything is used every hour and something new comes.
            stage.spend("1000");
            stage.grant(at("shop"), "1000");
            if hour % 2 == 0 {
                stage.spend("850");
                stage.grant(at("shop"), "850");
            }
            stage.pass(HOUR_MS);
        }
        for level in ["credits.low", "credits.critical", "credits.empty"] {
            let times: Vec<Timestamp> = stage
                .events()
                .iter()
                .filter(|event| event.kind.as_str() == level)
                .map(|event| event.at)
                .collect();
            assert!(
                times.windows(2).all(|two| two[1].millis() - two[0].millis() >= 72 * HOUR_MS),
                "{times:?}"
            );
            if level == "credits.empty" {
                assert_eq!(times.len(), 3, "zero is told, too: {times:?}");
            }
        }
    }
}

/// A site that goes to somebody else takes its credits along, and so does an account that is merged: nobody hears that
/// anything ran low.
#[test]
fn credits_that_go_with_their_site_or_account_have_not_run_low() {
    for stage in Stage::all() {
        stage.grant(at("shop"), "1000");
        stage.grant(Compartment::Pool, "1000");
        stage
            .db
            .write_blocking("test", Keep::Effects, |tx| account::release_site(tx, &"shop".parse().unwrap()))
            .unwrap();
        stage
            .db
            .write_blocking("test", Keep::Effects, |tx| {
                let bob = "lab:customer:2".parse().unwrap();
                sites::open(tx, &bob).unwrap();
                account::merge::merge(tx, &"lab:customer:1".parse().unwrap(), &bob)
            })
            .unwrap();
        assert_eq!(stage.told(), [""; 0], "on {}", stage.test.name);
    }
}

/// The first thing that a database of an earlier version is asked to do may use up all there is.
#[test]
fn who_held_credits_before_there_were_alerts_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.db");
    let dump = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/upgrade/schema-4.sql");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    connection.close().unwrap();
    let clock = Clock::standing_at("2026-11-21T10:00:00Z".parse().unwrap());
    let url = format!("sqlite:{}", path.display()).parse().unwrap();
    let db =
        Db::open(&url, db::Durability::Process, clock).unwrap().watched_by(app::alerts(&Config::default()));
    let places: Vec<(AccountId, Compartment)> = db
        .read(|tx| {
            let sql = "-- test\n SELECT DISTINCT account_id, site FROM slice WHERE remaining > 0 ORDER BY account_id, site";
            tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .unwrap();
    assert!(places.len() > 2, "{places:?}");
    for (account, place) in places.clone() {
        db.write_blocking("test", Keep::Effects, move |tx| {
            let now = tx.now();
            LockedAccount::lock(tx, &account)?;
            let all = Position::of(&own_slices(tx, &account, &place)?, now).available;
            if !all.is_zero() {
                LockedAccount::lock(tx, &account)?.take_out(&place, all, "gone")?;
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    }
    let told: Vec<(AccountId, Compartment)> = db
        .read(|tx| {
            let sql = "-- test\n SELECT account_id, site FROM event WHERE type = 'credits.empty' ORDER BY account_id, site";
            tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .unwrap();
    assert_eq!(told, places);
}

/// Nobody who asks again and again misses an event or gets one twice, however many write meanwhile.
#[test]
fn cursors_miss_no_event_and_repeat_none() {
    for stage in Stage::all() {
        let stage = Arc::new(stage);
        let done = std::sync::atomic::AtomicBool::new(false);
        let mut seen = Vec::new();
        std::thread::scope(|scope| {
            for writer in 0..3 {
                let (stage, done) = (Arc::clone(&stage), &done);
                // The last as another program, with a connection of its own.
                let db = if writer == 2 {
                    let clock = stage.test.clock.clone();
                    Db::open(stage.db.url(), db::Durability::Process, clock)
                        .unwrap()
                        .watched_by(app::alerts(&Config::default()))
                } else {
                    stage.db.clone()
                };
                scope.spawn(move || {
                    for number in 0..30 {
                        let name = format!("lab:customer:{}", 100 + writer * 100 + number);
                        db.write_blocking("test", Keep::Effects, move |tx| {
                            let account = sites::open(tx, &name.parse().unwrap()).unwrap();
                            LockedAccount::lock(tx, &account)?
                                .grant(&new_grant(Compartment::Pool, "10"))
                                .map(drop)?;
                            Ok::<_, Error>(account)
                        })
                        .and_then(|account| {
                            db.write_blocking("test", Keep::Effects, move |tx| {
                                let mut account = LockedAccount::lock(tx, &account)?;
                                account.take_out(&Compartment::Pool, "10".parse().unwrap(), "gone").map(drop)
                            })
                        })
                        .unwrap();
                    }
                    if writer == 2 {
                        done.store(true, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
            let mut after = 0;
            loop {
                let was_done = done.load(std::sync::atomic::Ordering::SeqCst);
                let page =
                    stage.db.read(|tx| event::page(tx, "Credits", &Filter::default(), after, 3)).unwrap();
                after = event::cursor(&page.cursor).unwrap();
                let is_over = was_done && page.items.is_empty() && seen.len() >= 90;
                seen.extend(page.items.into_iter().map(|event| event.id));
                if is_over {
                    break;
                }
            }
        });
        let all: Vec<_> = {
            let (mut all, mut after) = (Vec::new(), 0);
            loop {
                let page =
                    stage.db.read(|tx| event::page(tx, "Credits", &Filter::default(), after, 200)).unwrap();
                after = event::cursor(&page.cursor).unwrap();
                all.extend(page.items.into_iter().map(|event| event.id));
                if !page.more {
                    break all;
                }
            }
        };
        assert_eq!((all.len(), &seen), (90, &all), "on {}", stage.test.name);
    }
}

/// Old events go in small steps, and cursors go on as before.
#[test]
fn events_are_forgotten_after_ninety_days() {
    for stage in Stage::all() {
        stage.grant(at("shop"), "1000");
        stage.spend("1000");
        let after = stage
            .db
            .read(|tx| event::page(tx, "Credits", &Filter::default(), 0, 10))
            .map(|page| event::cursor(&page.cursor).unwrap())
            .unwrap();
        let prune =
            || stage.db.write_blocking("test", Keep::Effects, |tx| event::store::prune(tx, 1)).unwrap();
        stage.pass(event::KEPT_MS);
        assert_eq!((prune(), stage.told().len()), (0, 1));
        stage.pass(1);
        assert_eq!((prune(), prune(), stage.told().len()), (1, 0, 0));
        stage.grant(Compartment::Pool, "10");
        stage.act(|account| account.take_out(&Compartment::Pool, "10".parse().unwrap(), "gone"));
        let page = stage.db.read(|tx| event::page(tx, "Credits", &Filter::default(), after, 10)).unwrap();
        assert_eq!(page.items.len(), 1, "on {}", stage.test.name);
    }
}

// Over HTTP ----------------------------------------------------------------------------------------

/// Alice's site `shop` and Bob's pool, each with 1,000 credits.
async fn start() -> TestApp {
    let app = TestApp::start().await;
    for (site, account) in [("shop", "lab:customer:1"), ("farm", "lab:customer:2")] {
        let body = json!({ "account": account }).to_string();
        let path = format!("/v1/sites/{site}");
        assert_eq!(app.request(Method::PUT, &path).body(body).send().await.unwrap().status(), 200);
    }
    give(&app, "site:shop", "1000").await;
    give(&app, "account:lab:customer:2", "1000").await;
    app
}

async fn give(app: &TestApp, wallet: &str, credits: &str) {
    let body = json!({ "wallet": wallet, "credits": credits, "reason": "test" }).to_string();
    let key = format!("{wallet} {credits} {}", app.count("credit_grant"));
    let given = app.request(Method::POST, "/v1/grants").header("Idempotency-Key", key).body(body);
    assert_eq!(given.send().await.unwrap().status(), 201);
}

/// What `key` is answered: the status, and of each event where and what.
async fn ask(app: &TestApp, key: &str, query: &str) -> (u16, Vec<String>, Value) {
    let url = app.url(&format!("/v1/events{query}"));
    let answer = app.http.get(url).bearer_auth(key).send().await.unwrap();
    let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
    let body: Value = serde_json::from_str(&body).unwrap();
    let line = |event: &Value| {
        let name = event["account"]["names"][0].as_str().unwrap();
        format!("{name} {}", event["type"].as_str().unwrap())
    };
    let lines = body["items"].as_array().map(|items| items.iter().map(line).collect());
    (status, lines.unwrap_or_default(), body)
}

#[tokio::test]
async fn events_are_listed_for_whom_they_are_about() {
    let app = start().await;
    for (site, credits, key) in [("shop", "800", "a"), ("farm", "1000", "b"), ("shop", "200", "c")] {
        assert_eq!(app.debit(site, credits, key).await.status(), 201);
    }
    let all = ["lab:customer:1 credits.low", "lab:customer:2 credits.empty", "lab:customer:1 credits.empty"]
        .map(str::to_owned);
    let (status, found, body) = ask(&app, &app.admin, "").await;
    assert_eq!((status, found.as_slice(), &body["more"]), (200, all.as_slice(), &json!(false)));
    assert_eq!(body["items"][0]["wallet"], "site:shop");
    assert_eq!(body["items"][0]["available"], "200");
    assert_eq!(body["items"][0]["status"], "low");
    assert!(body["items"][1]["wallet"].as_str().unwrap().starts_with("account:acc_"));
    // Page by page, and from the end.
    let (_, found, first) = ask(&app, &app.admin, "?limit=2").await;
    assert_eq!((found.as_slice(), &first["more"]), (&all[..2], &json!(true)));
    let after = first["cursor"].as_str().unwrap();
    let (_, found, second) = ask(&app, &app.admin, &format!("?limit=2&after={after}")).await;
    assert_eq!((found.as_slice(), &second["more"]), (&all[2..], &json!(false)));
    let (_, found, last) =
        ask(&app, &app.admin, &format!("?after={}", second["cursor"].as_str().unwrap())).await;
    assert_eq!((found.len(), &last["cursor"]), (0, &second["cursor"]));
    let (_, found, _) = ask(&app, &app.admin, "?type=credits.empty&account=lab:customer:1").await;
    assert_eq!(found, all[2..]);
    // Others see their own.
    let db = app.db().clone();
    let keys = ["account:lab:customer:1", "site:shop", "debit", "client:lab:customer:1/acme"];
    let keys = keys.map(|scope| key(&db, scope));
    let own = [all[0].clone(), all[2].clone()];
    assert_eq!(ask(&app, &keys[0], "").await.1, own);
    assert_eq!(ask(&app, &keys[0], "?account=lab:customer:1").await.1, own);
    for (key, query) in [
        (&keys[0], "?account=lab:customer:2"),
        (&keys[0], "?account=lab:customer:99"),
        (&keys[1], ""),
        (&keys[2], ""),
        (&keys[3], ""),
        (&keys[1], "?account=lab:customer:1"),
    ] {
        assert_eq!(ask(&app, key, query).await.0, 404, "{query}");
    }
    for query in ["?after=x", "?type=credits.gone", "?limit=201", "?account=nobody", "?cursor=x"] {
        assert_eq!(ask(&app, &app.admin, query).await.0, 422, "{query}");
    }
}

/// What nobody asks for is told all the same: credits that expire in silence, and what it was too soon for.
#[tokio::test]
async fn the_daemon_tells_of_what_happens_by_itself() {
    let app = start().await;
    let body = json!({ "wallet": "site:farm", "credits": "10", "reason": "r", "expires_at": "2026-11-22T00:00:00Z" });
    let given = app.request(Method::POST, "/v1/grants").header("Idempotency-Key", "expiring");
    assert_eq!(given.body(body.to_string()).send().await.unwrap().status(), 201);
    for key in ["a", "b"] {
        assert_eq!(app.debit("shop", "1000", key).await.status(), 201);
        give(&app, "site:shop", "1000").await;
    }
    assert_eq!(app.debit("shop", "1000", "c").await.status(), 201);
    let first = app.clock.now();
    let told = async |number: usize| {
        let began = std::time::Instant::now();
        loop {
            let (_, found, body) = ask(&app, &app.admin, "").await;
            if found.len() == number {
                break body["items"][number - 1].clone();
            }
            assert!(found.len() < number && began.elapsed().as_secs() < 20, "{body}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    told(1).await;
    app.clock.turn_to("2026-11-22T00:00:00Z".parse().unwrap());
    let expired = told(2).await;
    assert_eq!((&expired["wallet"], &expired["type"]), (&json!("site:farm"), &json!("credits.empty")));
    app.clock.turn_to(first.plus_millis(72 * HOUR_MS));
    let again = told(3).await;
    assert_eq!((&again["wallet"], &again["type"]), (&json!("site:shop"), &json!("credits.empty")));
    assert_eq!(again["at"], json!(first.plus_millis(72 * HOUR_MS).to_string()));
}

/// The feed says since when; the same crossing stays the same however the balance hovers.
#[tokio::test]
async fn the_feed_says_since_when_a_level_is_crossed() {
    let app = start().await;
    let alerts = async || app.get("/v1/wallets/site:shop/feed").await["alerts"].clone();
    assert_eq!(alerts().await, json!([]));
    assert_eq!(app.debit("shop", "800", "a").await.status(), 201);
    let crossed = app.clock.now();
    let low = json!([{ "level": "20%", "status": "low", "since": crossed.to_string() }]);
    assert_eq!(alerts().await, low);
    app.clock.turn_to(crossed.plus_millis(HOUR_MS));
    give(&app, "site:shop", "100").await;
    assert_eq!(alerts().await, json!([]), "27 of a hundred is enough, and yet no other time");
    assert_eq!(app.debit("shop", "100", "b").await.status(), 201);
    assert_eq!(alerts().await, low);
    assert_eq!(app.debit("shop", "200", "c").await.status(), 201);
    let since = crossed.plus_millis(HOUR_MS).to_string();
    assert_eq!(alerts().await, json!([{ "level": "0", "status": "empty", "since": since }]));
}
