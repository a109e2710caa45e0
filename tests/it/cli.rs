//! The command line, as people and programs use it: the real binary, a real database file.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nivella_wallet::db::{DatabaseUrl, Db, Durability, Keep};
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::store::{Error, NewHold};
use nivella_wallet::site::store as sites;
use nivella_wallet::time::Clock;
use serde_json::Value;

use crate::support::new_hold;

/// A folder with a database, and the program to work on it.
pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Twice as long as is asked for, and easy to find in a text where it must not be.
const SECRET: &str = "a-secret-nobody-may-ever-read-in-an-answer-0123";

impl Desk {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder whose database has the store `lab`.
    pub(crate) fn with_a_store() -> Self {
        let desk = Self::empty();
        desk.write("secret.txt", &format!("{SECRET}\n"));
        desk.write("rest.txt", "cs_0123456789abcdef0123456789abcdef01234567\n");
        desk.ok("store add lab --url https://lab.example --webhook-secret-file secret.txt");
        desk
    }

    /// As [`Desk::with_a_store`], with two customers, two sites, credits, a package and a key.
    pub(crate) fn with_customers() -> Self {
        let desk = Self::with_a_store();
        desk.ok("site assign shop --account lab:customer:1 --client acme --label Shop");
        desk.ok("site assign blog --account lab:email:bob@example.com");
        desk.ok("wallet grant account:lab:customer:1 --credits 1000 --reason invoice --category paid");
        desk.ok("wallet grant site:shop --credits 50.5 --reason sorry");
        desk.ok("package set --store lab --product 17 --credits 1000");
        desk.ok("key create --scope site:shop --name page");
        desk
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"));
        // Quotes are for arguments with spaces; nothing else of a shell is understood.
        let words = args.split('\'').enumerate().flat_map(|(part, text)| {
            if part % 2 == 1 { vec![text] } else { text.split_whitespace().collect() }
        });
        command.args(words).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    /// Runs a command.
    pub(crate) fn run(&self, args: &str) -> Answer {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command that must work; answers what it printed.
    pub(crate) fn ok(&self, args: &str) -> String {
        let answer = self.run(args);
        assert_eq!(answer.status, 0, "{args}\n{}{}", answer.out, answer.err);
        answer.out
    }

    /// Runs a command that must work with `--json`.
    pub(crate) fn json(&self, args: &str) -> Value {
        let answer = self.run(&format!("--json {args}"));
        assert_eq!(answer.status, 0, "{args}\n{}{}", answer.out, answer.err);
        assert_eq!(answer.err, "", "{args}");
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{args}: {error}\n{}", answer.out))
    }

    /// Everything the database holds, as text.
    pub(crate) fn content(&self) -> String {
        content(&self.folder.path().join("nivella-wallet.db"))
    }
}

fn content(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut tables =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let mut text = String::new();
    for table in tables {
        let mut rows = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|column| row.get_ref(column).unwrap()).collect();
            writeln!(text, "{table} {values:?}").unwrap();
        }
    }
    text
}

#[test]
fn a_shop_is_set_up_from_the_first_command_to_the_proof() {
    let desk = Desk::with_customers();

    let store = desk.json("store show lab");
    assert_eq!(store["webhook_url"], "http://127.0.0.1:8080/webhooks/woocommerce/lab");
    assert_eq!(store["tokens_categories"], serde_json::json!(["tokens"]));
    assert_eq!(desk.json("package list")["items"][0]["target"], "product:17");

    let site = desk.json("site show shop");
    assert_eq!((&site["client"], &site["label"]), (&"acme".into(), &"Shop".into()));
    assert_eq!(desk.json("site list --client acme")["items"].as_array().unwrap().len(), 1);
    assert_eq!(desk.json("account list --query BOB")["items"].as_array().unwrap().len(), 1);
    assert_eq!(desk.json("account show lab:email:Bob@Example.com")["sites"][0]["id"], "blog");
    assert_eq!(desk.json("account show lab:customer:1")["wallet"]["available"], "1050.5");

    desk.ok("wallet allocate --account lab:customer:1 --site shop --credits 200");
    desk.ok("wallet reclaim --site shop --credits 20");
    desk.ok("wallet adjust site:shop --credits -5 --reason 'counted twice'");
    let wallet = desk.json("wallet show site:shop");
    assert_eq!(wallet["available"], "1045.5", "its own credits and the pool's");
    assert_eq!(wallet["breakdown"].as_array().unwrap().len(), 4);
    let plan = desk.json("wallet burn-plan site:shop --credits 50");
    let paid: Vec<&str> =
        plan["slices"].as_array().unwrap().iter().filter_map(|slice| slice["credits"].as_str()).collect();
    assert_eq!(paid, ["25.5", "20", "4.5"], "the bonus first, the site's before the pool's: {plan}");
    assert_eq!(desk.run("wallet burn-plan site:shop --credits 1045.6").status, 1, "more than there is");
    let reclaimed = desk.json("wallet reclaim --site shop --credits all");
    assert_eq!(reclaimed["available"], "0");
    assert_eq!(desk.json("wallet show account:lab:customer:1")["available"], "1045.5");

    let history = desk.json("wallet history site:shop --limit 3");
    assert_eq!(history["items"].as_array().unwrap().len(), 3);
    let cursor = history["next_cursor"].as_str().unwrap();
    let rest = desk.json(&format!("wallet history site:shop --limit 1000 --cursor {cursor}"));
    assert_eq!(rest["next_cursor"], Value::Null);
    let csv = desk.ok("wallet history site:shop --csv");
    assert_eq!(csv.lines().next(), Some("at,kind,label,credits,site,order"));
    assert_eq!(csv.lines().count() - 1, 3 + rest["items"].as_array().unwrap().len());
    let movements = desk.json("wallet explain site:shop --limit 1");
    let cursor = movements["next_cursor"].as_str().unwrap();
    assert_eq!(desk.json(&format!("wallet explain site:shop --cursor {cursor}"))["next_cursor"], Value::Null);
    let said = desk.ok("wallet explain site:shop");
    assert!(said.contains("together 1045.5 credits, which is what is available"), "{said}");
    assert_eq!(desk.json("wallet balance site:shop")["available"], "1045.5");
    assert_eq!(desk.json("wallet balance site:shop --at 2020-01-01")["posted"], "0");
    assert!(desk.ok("wallet balance site:shop --at 2020-01-01").contains("2020-01-01 00:00 UTC"));
    assert_eq!(desk.run("wallet balance site:shop --at 2999-01-01").status, 2, "nobody knows yet");
    let grants = desk.ok("wallet grants site:shop");
    let header = grants.lines().next().unwrap();
    assert!(header.contains("ADJUSTED") && !header.contains("CLAWED"), "only what there is: {grants}");
    let grants = desk.json("wallet grants account:lab:customer:1 --status active");
    assert_eq!(grants["items"][1]["reason"], "invoice");

    let books = desk.json("verify");
    assert_eq!((&books["accounts"], books["faults"].as_array().unwrap().len()), (&1.into(), 0));
    assert!(desk.ok("verify").starts_with("the books are right"));
}

#[test]
fn lists_are_one_json_document_with_the_fields_of_the_api() {
    let desk = Desk::with_customers();
    for (args, field) in [
        ("store list", "url"),
        ("package list", "credits"),
        ("site list", "account"),
        ("account list", "names"),
        ("key list", "scopes"),
        ("wallet history site:shop", "credits"),
        ("wallet grants site:shop", "remaining"),
    ] {
        let list = desk.json(args);
        assert_eq!(list["next_cursor"], Value::Null, "{args}");
        let first = &list["items"][0];
        assert!(first.get(field).is_some(), "{args}: {first}");
        let people = desk.ok(args);
        assert!(people.lines().count() >= 2, "{args} has a header and a row: {people}");
    }
    for args in ["inbox list", "order list"] {
        assert_eq!(desk.json(args)["items"], serde_json::json!([]), "{args}");
        assert!(desk.ok(args).starts_with("no "), "{args}");
    }
}

/// Follows the cursors of a list to its end, two rows at a time; `between` happens after the first page.
fn pages(desk: &Desk, list: &str, field: &str, between: impl FnOnce()) -> Vec<String> {
    let mut ids = Vec::new();
    let mut page = desk.json(&format!("{list} --limit 2"));
    between();
    loop {
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|item| item[field].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => page = desk.json(&format!("{list} --limit 2 --cursor {cursor}")),
            None => return ids,
        }
    }
}

#[test]
fn lists_that_were_cut_go_on_where_they_ended_whatever_comes_meanwhile() {
    let desk = Desk::with_a_store();
    let connection = rusqlite::Connection::open(desk.folder.path().join("nivella-wallet.db")).unwrap();
    let deliver = |number: u8| {
        connection
            .execute(
                "INSERT INTO delivery (id, store_id, topic, webhook_id, woo_delivery_id, digest, received_at, state,
                                       result, order_id)
                 VALUES (?1, 1, 'order.updated', '1', 'x', ?2, 1795205837425, 'ignored', 'ignored', ?3)",
                (format!("dl_{number:032x}"), [number; 32].as_slice(), 130 + i64::from(number)),
            )
            .unwrap();
    };
    let order = |number: i64, seen_at: i64, modified_at: i64| {
        connection
            .execute(
                "INSERT INTO shop_order (store_id, order_id, state, status, modified_at, arrival, recheck,
                                         parked, first_seen_at, applied_at)
                 VALUES (1, ?1, '{}', 'processing', ?3, 1, 0, 'it waits', ?2, ?2)
                 ON CONFLICT (store_id, order_id) DO UPDATE SET modified_at = excluded.modified_at",
                (number, seen_at, modified_at),
            )
            .unwrap();
    };
    (1..=5).for_each(deliver);
    let ids = |numbers: &[u8]| numbers.iter().map(|number| format!("dl_{number:032x}")).collect::<Vec<_>>();
    assert_eq!(pages(&desk, "inbox list", "id", || deliver(6)), ids(&[5, 4, 3, 2, 1]));
    assert_eq!(pages(&desk, "inbox list --state ignored", "id", || ()), ids(&[6, 5, 4, 3, 2, 1]));
    assert_eq!(desk.json("inbox list --limit 1")["items"][0]["order"], "136", "an order's id is text");

    // Two were heard of at the same instant.
    for (number, seen_at) in [(131, 10), (132, 20), (133, 20), (134, 30), (135, 40)] {
        order(number, seen_at, seen_at);
    }
    for list in ["order list", "order list --attention"] {
        let change = || order(131, 10, 1_000_000);
        assert_eq!(pages(&desk, list, "order", change), ["135", "134", "133", "132", "131"], "{list}");
    }
    assert_eq!(pages(&desk, "order list", "order", || order(136, 50, 50)).len(), 5);
    assert_eq!(desk.json("order list --limit 6")["next_cursor"], Value::Null, "that was all");
    let cursor = desk.json("inbox list --limit 1")["next_cursor"].as_str().unwrap().to_owned();
    assert!(desk.ok("inbox list --limit 1").contains(&format!("--cursor {cursor}")));
    let wrong = desk.run(&format!("order list --cursor {cursor}"));
    assert_eq!((wrong.status, wrong.err.contains("not a cursor of this list")), (2, true), "{wrong:?}");
}

#[test]
fn a_dry_run_shows_the_same_and_writes_nothing() {
    let desk = Desk::with_customers();
    desk.write("sites.csv", "site,account,client,label\nnew,lab:customer:9,,\n");
    let key = desk.json("key list")["items"][0]["id"].as_str().unwrap().to_owned();
    let grant = desk.json("wallet grants site:shop")["items"][0]["id"].as_str().unwrap().to_owned();
    desk.ok("plan set basic --credits 100 --per month");
    let before = desk.content();
    for (args, done) in [
        ("store add two --url https://two.example --webhook-secret-file secret.txt", "added store two"),
        ("store pair lab", "made a pairing code for store lab"),
        ("store pair new --url https://new.example", "made a pairing code for store new"),
        ("package set --store lab --sku X --credits 5", "added: sku:X"),
        ("package remove --store lab --product 17", "removed: product:17"),
        ("site assign new --account lab:customer:9", "assigned new"),
        ("site assign shop --account lab:customer:1 --label Other --default", "changed shop"),
        ("site unassign shop", "took shop"),
        ("site import sites.csv", "1 site assigned"),
        ("wallet grant account:lab:customer:9 --credits 5 --reason x", "granted 5 credits"),
        ("wallet adjust site:shop --credits -5 --reason x", "adjusted site:shop by -5"),
        ("wallet adjust account:lab:customer:1 --credits=+5 --reason x", "by +5"),
        ("wallet allocate --account lab:customer:1 --site shop --credits 7", "moved 7 credits"),
        ("wallet reclaim --site shop --credits all", "moved 50.5 credits"),
        (&format!("wallet void {grant} --reason x"), "withdrew 50.5 credits"),
        ("key create --scope admin --name x", "made key"),
        (&format!("key revoke {key}"), "revoked"),
        ("inbox replay --state all", "0 deliveries replayed"),
        ("account freeze lab:customer:1 --reason x", "froze Customer 1 (acc_"),
        ("store set lab --url https://new.example", "changed store lab: its address"),
        ("account set lab:customer:1 --time-zone Europe/Vienna --name Acme", "name, time zone"),
        ("account set lab:customer:1 --default-site none", "nothing to do"),
        ("plan set more --credits 9 --per week", "plan more brings 9 credits each week"),
        ("plan start basic account:lab:customer:9 --from 2099-01-01", "begins later"),
        ("plan start basic site:shop", "started plan basic of site:shop"),
    ] {
        let out = desk.ok(&format!("{args} --dry-run"));
        assert!(out.contains(done), "{args}: {out}");
        assert!(out.starts_with("dry run: nothing was written"), "{args}: {out}");
        assert_eq!(desk.json(&format!("{args} --dry-run"))["dry_run"], true, "{args}");
        assert_eq!(desk.content(), before, "{args} wrote");
        assert!(!out.contains("nwk_") && !out.contains("nwp_"), "a secret that was never made is not shown");
    }
    let real = desk.json("wallet grant account:lab:customer:9 --credits 5 --reason x");
    assert_eq!(real["dry_run"], false);
    assert_ne!(desk.content(), before);
}

/// What stands in the way of a site is seen where one looks for it.
#[test]
fn a_list_of_sites_says_which_are_paused_and_what_each_can_spend() {
    let desk = Desk::with_customers();
    assert!(desk.ok("site list --paused").contains("no paused sites"));
    let url = DatabaseUrl::Sqlite(desk.folder.path().join("nivella-wallet.db"));
    let db = Db::open(&url, Durability::Process, Clock::system()).unwrap();
    let paused = db.write_blocking("test", Keep::Effects, |tx| {
        tx.execute(
            "-- test
             INSERT INTO brake (account_id, site, paused_at, reason, forgiven)
             SELECT account_id, id, 0, 'too much at once', 0 FROM site WHERE id = 'shop'",
            nivella_wallet::params![],
        )
    });
    assert_eq!(paused.unwrap(), 1);
    drop(db);
    let items = desk.json("site list --paused")["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!((&items[0]["id"], &items[0]["pause"]["reason"]), (&"shop".into(), &"too much at once".into()));
    assert!(desk.ok("account show lab:customer:1").contains("1970-01-01 00:00"));
    let why = desk.ok("wallet show site:shop");
    assert!(why.contains("too much at once") && why.contains("nivella-wallet site resume shop"), "{why}");
    let shown = desk.json("wallet show site:shop")["available"].clone();
    let items = desk.json("site list --account lab:customer:1")["items"].clone();
    let shop = items.as_array().unwrap().iter().find(|item| item["id"] == "shop").unwrap();
    assert_eq!(shop["available"], shown);
    desk.ok("account freeze lab:customer:1 --reason chargeback");
    assert!(desk.ok("site show shop").contains("frozen: chargeback"));
}

/// Somebody's assistant broke at 3 a.m. and keeps what the customer waits for.
#[test]
fn an_operator_finds_a_hold_and_releases_it() {
    let desk = Desk::with_customers();
    assert!(desk.ok("hold list site:shop").contains("nothing is held"));
    let url = DatabaseUrl::Sqlite(desk.folder.path().join("nivella-wallet.db"));
    let db = Db::open(&url, Durability::Process, Clock::system()).unwrap();
    let held = db.write_blocking("test", Keep::Effects, |tx| -> Result<_, Error> {
        let site = "shop".parse().unwrap();
        let owner = sites::owner(tx, &site)?.unwrap();
        LockedAccount::lock(tx, &owner)?.hold(&NewHold { lasts_s: 3600, ..new_hold("shop", "600") })
    });
    let id = held.unwrap().hold.id;
    drop(db);
    for wallet in ["site:shop", "account:lab:customer:1"] {
        assert_eq!(desk.json(&format!("hold list {wallet}"))["items"][0]["id"], id.as_str(), "{wallet}");
    }
    assert!(desk.ok("hold list site:blog").contains("nothing is held"));
    assert!(desk.ok("hold list site:shop").contains("600"));
    let history = desk.ok("wallet history site:shop");
    assert!(history.contains("600 credits") && history.contains("hold list site:shop"), "{history}");
    assert!(desk.ok("wallet grants site:shop").lines().next().unwrap().contains("HELD"));
    let before = desk.content();
    let tried = desk.ok(&format!("hold release {id} --dry-run"));
    assert!(tried.contains("no longer set aside: 600 credits of site shop"), "{tried}");
    assert_eq!(desk.content(), before);
    assert_eq!(desk.json(&format!("hold release {id}"))["state"], "released");
    let again = desk.run(&format!("hold release {id}"));
    assert_eq!(again.status, 1);
    assert!(again.err.contains("the hold is released"), "{}", again.err);
    assert_eq!(desk.run("hold release hd_00000000000000000000000000000000").status, 1);
    assert_eq!(desk.json("wallet show site:shop")["held"], "0");
    desk.ok("verify");
}

#[test]
fn wrong_input_gets_its_own_words_and_its_own_status() {
    let desk = Desk::with_customers();
    desk.write("empty.txt", "\n");
    desk.write("bad.toml", "listen = \"127.0.0.1:8080\"\nlitsen = 1\n");
    let secret = "--webhook-secret-file secret.txt";
    for (args, status, said) in [
        // How a command is written.
        ("", 2, "Usage:"),
        ("shop", 2, "unrecognized subcommand 'shop'"),
        ("site", 2, "Usage:"),
        ("site lst", 2, "unrecognized subcommand 'lst'"),
        ("site list --acount x", 2, "unexpected argument '--acount'"),
        ("site assign shop", 2, "--account <ACC>"),
        ("site list -v -q", 2, "cannot be used with"),
        ("--config nowhere.toml site list", 2, "nowhere.toml"),
        ("--config bad.toml site list", 2, "bad.toml:2"),
        ("--database mysql://x site list", 2, "sqlite:PATH or postgres://"),
        ("completions tcsh", 2, "possible values"),
        // Values.
        ("site assign 'a b' --account lab:customer:1", 2, "is not a site id"),
        ("site assign shop --account bob", 2, "STORE:customer:ID"),
        ("site assign shop --account lab:customer:0", 2, "a guest is named by address"),
        ("site assign shop --account lab:email:bob", 2, "is not an e-mail address"),
        ("site assign shop --account lab:customer:1 --client 'a b'", 2, "is not a client id"),
        ("wallet show shop", 2, "write site:ID or account:ACC"),
        ("wallet show site:", 2, "is not a site id"),
        ("wallet grant site:shop --credits 0 --reason x", 2, "would change nothing"),
        ("wallet grant site:shop --credits 1e3 --reason x", 2, "write a plain decimal"),
        ("wallet grant site:shop --credits 1.0000001 --reason x", 2, "more than 6 decimals"),
        ("wallet grant site:shop --credits -5 --reason x", 2, "-5"),
        ("wallet grant site:shop --credits 5 --reason ''", 2, "it is empty"),
        ("wallet grant site:shop --credits 5 --reason x --expires soon", 2, "write never, cycle, 30d"),
        ("wallet grant site:shop --credits 5 --reason x --expires 2020-01-01", 2, "is in the past"),
        ("wallet grant site:shop --credits 5 --reason x --category gold", 2, "possible values"),
        ("wallet adjust site:shop --credits 0 --reason x", 2, "would change nothing"),
        ("wallet reclaim --site shop --credits some", 2, "write a plain decimal"),
        ("wallet history site:shop --from yesterday", 2, "write it like 2026-11-20T16:00:00Z"),
        ("wallet history site:shop --kind sales", 2, "possible values"),
        ("wallet history site:shop --limit 0", 2, "is not in 1.."),
        ("wallet history site:shop --cursor x", 2, "this is not a cursor"),
        ("key create --scope root --name x", 2, "is not a scope"),
        ("key create --scope admin --name ''", 2, "a key's name has"),
        ("key create --scope admin --name x --expires 2020-01-01", 2, "is in the past"),
        ("key revoke 5", 2, "is not a key id"),
        ("inbox show dl_5", 2, "is not a delivery id"),
        ("inbox list --state lost", 2, "possible values"),
        ("package set --store lab --credits 5", 2, "--product"),
        ("package set --store lab --product 0 --credits 5", 2, "write the number the shop gave it"),
        ("package set --store lab --product x --credits 5", 2, "write the number the shop gave it"),
        ("serve --listen localhost:8080", 2, "write an IP address and a port"),
        ("demo --listen 8080", 2, "write an IP address and a port"),
        ("package set --store lab --variation 3 --credits 5", 2, "--product"),
        ("package set --store lab --product 3 --sku X --credits 5", 2, "cannot be used with"),
        ("package set --store lab --product 3", 2, "--credits"),
        ("package set --store lab --product 3 --credits 5 --expires 30", 2, "is not a validity"),
        (
            "store add 'a b' --url https://x.example --webhook-secret-file secret.txt",
            2,
            "is not a store name",
        ),
        (&format!("store add x --url x.example {secret}"), 2, "is not the address of a shop"),
        (&format!("store add x --url https://u:p@x.example {secret}"), 2, "REST keys are given apart"),
        ("store add x --url https://x.example", 2, "--webhook-secret"),
        ("store add x --url https://x.example --webhook-secret short", 2, "24 or more"),
        ("store add x --url https://x.example --webhook-secret ''", 2, "is empty"),
        ("store add x --url https://x.example --webhook-secret-file empty.txt", 2, "is empty"),
        (
            &format!("store add x --url https://x.example {secret} --consumer-key ck_1"),
            2,
            "--consumer-secret-file",
        ),
        (
            &format!(
                "store add x --url https://x.example {secret} --consumer-key cs_1 --consumer-secret-file rest.txt"
            ),
            2,
            "begin with ck_",
        ),
        ("order explain lab x", 2, "write the number the shop gave it, like 1234"),
        // Acts that are refused.
        ("store show nowhere", 1, "no store named nowhere"),
        ("store remove nowhere", 1, "no store named nowhere"),
        ("store remove lab", 1, "it stays"),
        (&format!("store add lab --url https://x.example {secret}"), 1, "is there already"),
        (
            "store add x --url https://x.example --webhook-secret-file nowhere.txt",
            1,
            "nowhere.txt cannot be read",
        ),
        ("package set --store nowhere --product 3 --credits 5", 1, "no store named nowhere"),
        ("package remove --store lab --product 3", 1, "has no package for product:3"),
        ("package sync --store lab", 1, "store set lab --consumer-key"),
        ("site assign x --account nowhere:customer:1", 1, "there is no store \"nowhere\""),
        ("site assign shop --account lab:customer:2", 1, "site shop belongs to account acc_"),
        ("site assign shop --account acc_00000000000000000000000000000000", 1, "there is no account"),
        ("site show nowhere", 1, "there is no site nowhere"),
        ("site unassign nowhere", 1, "there is no site nowhere"),
        ("site list --account lab:customer:7", 1, "there is no account lab:customer:7"),
        ("site import nowhere.csv", 1, "nowhere.csv cannot be read"),
        ("account freeze lab:customer:1", 2, "--reason"),
        ("account freeze lab:customer:1 --reason ''", 2, "it is empty"),
        ("account set lab:customer:1", 2, "--time-zone"),
        ("account set lab:customer:1 --time-zone Mars", 2, "\"Mars\" is not a time zone"),
        ("account set lab:customer:1 --default-site nope", 1, "nope"),
        ("plan set basic --credits 0 --per month", 2, "0 credits would change nothing"),
        ("plan set basic --credits 5 --per century", 2, "invalid value 'century'"),
        ("plan start basic site:shop", 1, "there is no plan basic"),
        ("plan stop basic site:shop", 1, "there is no plan basic"),
        ("plan start basic site:shop --from soon", 2, "is not a time"),
        ("account freeze lab:customer:7 --reason x", 1, "there is no account lab:customer:7"),
        ("account unfreeze lab:customer:7 --reason x", 1, "there is no account lab:customer:7"),
        ("account show lab:customer:7", 1, "there is no account lab:customer:7"),
        ("wallet show site:nowhere", 1, "there is no site nowhere"),
        ("wallet show account:lab:customer:7", 1, "there is no account lab:customer:7"),
        ("wallet grant site:nowhere --credits 5 --reason x", 1, "there is no site nowhere"),
        ("wallet adjust site:shop --credits -51 --reason x", 1, "51 credits needed, 50.5 available"),
        (
            "wallet allocate --account lab:customer:1 --site blog --credits 5",
            1,
            "site blog belongs to account",
        ),
        ("wallet allocate --account lab:customer:1 --site shop --credits 5000", 1, "1000 available"),
        ("wallet reclaim --site shop --credits 5000", 1, "50.5 available"),
        ("wallet grant site:shop --credits 1000000000000 --reason x", 1, "would hold more"),
        ("key revoke key_00000000000000000000000000000000", 1, "there is no key"),
        ("inbox show dl_00000000000000000000000000000000", 1, "there is no delivery"),
        ("order explain nowhere 5", 1, "no store named nowhere"),
        ("order explain lab 5", 1, "order 5"),
        ("--database sqlite:/nowhere/x.db site list", 1, "there is no database at sqlite:/nowhere/x.db"),
        ("--database sqlite:/nowhere/x.db key create --scope admin --name x", 1, "cannot be created"),
        ("--database sqlite:secret.txt site list", 1, "is not a database"),
    ] {
        let answer = desk.run(args);
        assert_eq!(answer.status, status, "{args}: {answer:?}");
        assert!(answer.err.contains(said), "{args} should say {said:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{args}: what is wrong goes to standard error");
        if status == 1 {
            assert!(answer.err.starts_with("error: "), "{args}: {}", answer.err);
        }

        let answer = desk.run(&format!("--json {args}"));
        assert_eq!(answer.status, status, "--json {args}: {answer:?}");
        let document: Value = serde_json::from_str(&answer.err)
            .unwrap_or_else(|error| panic!("--json {args}: {error}: {}", answer.err));
        assert_eq!(document["exit_status"], status, "--json {args}");
        assert!(document["error"].as_str().is_some_and(|error| !error.is_empty()), "--json {args}");
    }
}

#[test]
fn an_import_with_one_bad_row_imports_nothing_and_names_every_bad_row() {
    let desk = Desk::with_customers();
    let before = desk.content();
    desk.write(
        "sites.csv",
        "\u{feff}site,account,client,label\r\n\
         one,lab:customer:5,acme,One\r\n\
         two,nowhere:customer:5,,\r\n\
         a b,lab:customer:5,,\r\n\
         one,lab:customer:6,,\r\n\
         blog,lab:customer:5,,\r\n",
    );
    let answer = desk.run("site import sites.csv");
    assert_eq!(answer.status, 1);
    for said in [
        "error: 4 rows of sites.csv cannot be imported",
        "line 3: there is no store \"nowhere\"",
        "line 4: \"a b\" is not a site id",
        "line 5: site one is in line 2 already",
        "line 6: site blog belongs to account acc_",
        "nothing was written",
    ] {
        assert!(answer.err.contains(said), "{said}: {}", answer.err);
    }
    assert_eq!(desk.content(), before);
    let answer = desk.run("--json site import sites.csv");
    let document: Value = serde_json::from_str(&answer.err).unwrap();
    let lines: Vec<_> = document["rows"].as_array().unwrap().iter().map(|row| row["line"].clone()).collect();
    assert_eq!(lines, [3, 4, 5, 6]);

    desk.write(
        "sites.csv",
        "site;account;client;label\none;lab:customer:5;acme;One\nshop;lab:customer:1;acme;\n",
    );
    let done = desk.json("site import sites.csv");
    assert_eq!(
        (&done["assigned"], &done["changed"], &done["accounts_opened"]),
        (&1.into(), &1.into(), &1.into())
    );
    let again = desk.json("site import sites.csv");
    assert_eq!(
        (&again["assigned"], &again["changed"], &again["unchanged"]),
        (&0.into(), &0.into(), &2.into())
    );
    assert_eq!(desk.json("site show shop")["label"], Value::Null, "an empty cell takes it away");
}

#[test]
fn a_site_that_was_unassigned_is_told_from_one_nobody_heard_of() {
    let desk = Desk::with_customers();
    let out = desk.ok("site unassign shop");
    assert!(out.contains("50.5 credits that lay there for shop stay with acc_"), "{out}");
    assert!(desk.ok("site show shop").contains("nobody: it was unassigned"));
    assert_eq!(desk.json("site show shop")["account"], Value::Null);
    assert_eq!(desk.run("site show nowhere").status, 1);
    assert!(desk.run("wallet show site:shop").err.contains("site shop belongs to no account"));

    desk.ok("wallet reclaim --site shop --account lab:customer:1 --credits all");
    assert_eq!(desk.json("wallet show account:lab:customer:1")["available"], "1050.5");
    desk.ok("site assign shop --account lab:email:bob@example.com");
    desk.ok("verify");
}

#[test]
fn a_frozen_account_keeps_its_numbers_and_can_be_unfrozen() {
    let desk = Desk::with_customers();
    let numbers = || {
        let mut wallet = desk.json("wallet show account:lab:customer:1");
        let wallet = wallet.as_object_mut().unwrap();
        // Beside the numbers it says when that was, and what it means for whoever asks.
        wallet.retain(|name, _| !["as_of", "status", "mode"].contains(&name.as_str()));
        wallet.clone()
    };
    let before = numbers();
    let frozen = desk.json("account freeze lab:customer:1 --reason 'the card was stolen'");
    assert_eq!((&frozen["change"], &frozen["frozen_reason_before"]), (&"frozen".into(), &Value::Null));
    let again = desk.json("account freeze lab:customer:1 --reason 'the card was stolen'");
    assert_eq!(again["change"], "unchanged");
    assert!(desk.ok("account show lab:customer:1").contains("frozen: the card was stolen"));
    let other = desk.ok("account freeze lab:customer:1 --reason 'a dispute' --dry-run");
    assert!(other.contains("was: the card was stolen; now: a dispute"), "{other}");

    let during = desk.json("wallet show account:lab:customer:1");
    assert_eq!((&during["status"], &during["mode"]), (&"frozen".into(), &"handover".into()));
    assert_eq!(desk.json("wallet show site:shop")["status"], "frozen");
    assert_eq!(numbers(), before, "a freeze changes no number");

    let out = desk.ok("account unfreeze lab:customer:1 --reason 'it was found'");
    assert!(
        out.contains("unfroze Customer 1 (acc_") && out.contains("it was frozen: the card was stolen"),
        "{out}"
    );
    assert_eq!(desk.json("wallet show account:lab:customer:1")["status"], "ok");
    assert_eq!(numbers(), before);
    assert!(desk.ok("account unfreeze lab:customer:1 --reason x").starts_with("nothing to do"));
    desk.ok("verify");
}

#[test]
fn a_store_is_changed_where_it_is_named_and_nowhere_else() {
    let desk = Desk::with_a_store();
    let before = desk.json("store show lab");
    let keys = "--consumer-key ck_1 --consumer-secret-file rest.txt";
    let set = desk.json(&format!("store set lab {keys} --tokens-category tokens --tokens-category bundles"));
    assert_eq!(set["set"], serde_json::json!(["rest_keys", "tokens_categories"]));
    let mut after = desk.json("store show lab");
    assert_eq!(after["tokens_categories"], serde_json::json!(["tokens", "bundles"]));
    assert_eq!((&before["has_rest_keys"], &after["has_rest_keys"]), (&false.into(), &true.into()));
    for name in ["tokens_categories", "has_rest_keys"] {
        after[name] = before[name].clone();
    }
    assert_eq!(after, before, "everything else stays");

    let content = desk.content();
    let new = "another-secret-nobody-may-ever-read-in-an-answer";
    let out = desk.ok(&format!("store set lab --webhook-secret {new} --old-secret-valid 0"));
    assert!(out.contains("set the new one in the shop") && out.contains("Delivery URL"), "{out}");
    assert!(!out.contains(new), "{out}");
    let bytes = |text: &str| format!("{:?}", text.as_bytes());
    let changed: Vec<String> = desk
        .content()
        .lines()
        .filter(|row| !row.starts_with("store_health ") && !row.starts_with("turn "))
        .map(str::to_owned)
        .collect();
    let expected = content.replace(&bytes(SECRET), &bytes(new));
    let expected: Vec<&str> = expected.lines().filter(|row| !row.starts_with("turn ")).collect();
    assert_eq!(changed, expected, "only the secret is another");

    for (args, status, said) in [
        ("store set lab", 2, "--webhook-secret"),
        ("store set lab --consumer-key ck_1", 2, "--consumer-secret-file"),
        ("store set lab --webhook-secret short", 2, "24 or more"),
        ("store set lab --paid-status ''", 2, "at least one paid status"),
        ("store set nowhere --url https://x.example", 1, "no store named nowhere"),
        (
            "store add lab --url https://x.example --webhook-secret-file secret.txt",
            1,
            "`nivella-wallet store set lab` changes it",
        ),
    ] {
        let answer = desk.run(args);
        assert_eq!(answer.status, status, "{args}: {answer:?}");
        assert!(answer.err.contains(said), "{args}: {answer:?}");
    }
}

#[test]
fn secrets_are_in_no_answer() {
    let desk = Desk::with_a_store();
    let rest = "cs_0123456789abcdef0123456789abcdef01234567";
    desk.ok("store add two --url https://two.example --webhook-secret-file secret.txt --consumer-key ck_1 \
             --consumer-secret-file rest.txt");
    let made = desk.json("key create --scope admin --name x");
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("nwk_"));
    for args in [
        "store list",
        "store show two",
        "key list",
        "store add two --url https://two.example \
                  --webhook-secret a-secret-nobody-may-ever-read-in-an-answer-0123",
        "-v store list",
    ] {
        for args in [args.to_owned(), format!("--json {args}")] {
            let answer = desk.run(&args);
            for secret in [SECRET, rest, &key] {
                let said = format!("{}{}", answer.out, answer.err);
                assert!(!said.contains(secret), "{args}: {said}");
            }
        }
    }
    let short = desk.run("store add x --url https://x.example --webhook-secret hunter2hunter2");
    assert!(!short.err.contains("hunter2"), "{}", short.err);
}

#[test]
fn warnings_of_a_new_key_name_what_does_not_exist_yet() {
    let desk = Desk::with_customers();
    let made = desk.json(
        "key create --scope site:shop --scope site:later --scope account:lab:customer:9 \
         --scope client:lab:customer:1/acme --scope client:lab:customer:1/other --name x --expires 30d",
    );
    let warnings: Vec<&str> =
        made["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap()).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(made["expires_at"].is_string());
    let id = made["id"].as_str().unwrap();
    assert_eq!(desk.json(&format!("key revoke {id}"))["change"], "revoked");
    assert_eq!(desk.json(&format!("key revoke {id}"))["change"], "unchanged");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let desk = Desk::empty();
    let mut child =
        desk.command("completions bash").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The script is larger than a pipe holds, so the program meets the closed end.
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn every_shell_gets_a_completion_script() {
    let desk = Desk::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(desk.ok(&format!("completions {shell}")).contains("nivella"), "{shell}");
    }
    assert!(!desk.folder.path().join("nivella-wallet.db").exists(), "no database is needed for that");
}

#[test]
fn a_new_database_is_private_and_announced() {
    let desk = Desk::empty();
    desk.write("secret.txt", SECRET);
    let first = desk.run("store add lab --url https://lab.example --webhook-secret-file secret.txt");
    assert_eq!((first.status, first.err.contains("is new")), (0, true), "{first:?}");
    let second = desk.run("site list");
    assert_eq!((second.status, second.err.as_str()), (0, ""));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode =
            std::fs::metadata(desk.folder.path().join("nivella-wallet.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_command_that_sets_nothing_up_makes_no_database() {
    let desk = Desk::empty();
    for args in [
        "verify",
        "store list",
        "store show lab",
        "package list",
        "site list",
        "site show shop",
        "account list",
        "account show lab:customer:1",
        "wallet show site:shop",
        "wallet history site:shop",
        "wallet history site:shop --csv",
        "wallet grants site:shop",
        "key list",
        "order list",
        "order explain lab 5",
        "inbox replay",
        "package set --store lab --product 1 --credits 1",
        "site assign shop --account lab:customer:1",
        "site transfer shop --accept",
        "wallet grant site:shop --credits 1 --reason r",
        "key revoke key_00000000000000000000000000000000",
        "plan start monthly site:shop",
        "store set lab --url https://lab.example",
        "reconcile",
        "inbox list",
        "inbox show dl_00000000000000000000000000000000",
    ] {
        let answer = desk.run(args);
        assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{args}: {answer:?}");
        assert!(
            answer.err.contains("there is no database at sqlite:nivella-wallet.db"),
            "{args}: {answer:?}"
        );
        assert!(answer.err.contains("help: `nivella-wallet store add`"), "{args}: {answer:?}");
    }
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_dry_run_makes_no_database_either() {
    let desk = Desk::empty();
    desk.write("secret.txt", SECRET);
    desk.write("sites.csv", "site,account,client,label\nshop,lab:customer:1,,\n");
    for (args, status) in [
        ("store add lab --url https://lab.example --webhook-secret-file secret.txt", 0),
        ("site import sites.csv", 1),
        ("inbox replay", 1),
        ("key create --scope admin --name x", 0),
        ("store remove lab", 1),
        ("package sync", 1),
    ] {
        let answer = desk.run(&format!("{args} --dry-run"));
        assert_eq!(answer.status, status, "{args}: {answer:?}");
        assert!(!answer.err.contains("is new"), "{args}: {answer:?}");
        let files = std::fs::read_dir(desk.folder.path()).unwrap().count();
        assert_eq!(files, 2, "{args} left a file");
    }
}

#[test]
fn the_configuration_is_read_from_its_places() {
    let desk = Desk::empty();
    desk.write(
        "nivella-wallet.toml",
        "database = \"sqlite:other.db\"\npublic_url = \"https://credits.example\"\n",
    );
    desk.write("secret.txt", SECRET);
    desk.ok("store add lab --url https://lab.example --webhook-secret-file secret.txt");
    assert!(desk.folder.path().join("other.db").exists());
    assert_eq!(
        desk.json("store show lab")["webhook_url"],
        "https://credits.example/webhooks/woocommerce/lab"
    );
    desk.ok("--database sqlite:third.db key create --scope admin --name x");
    let mut command = desk.command("store list --json");
    let output = command.env("NIVELLA_WALLET_DATABASE", "sqlite:third.db").output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["items"], serde_json::json!([]), "the environment is over the file");
    let flag = desk.json("store list --database sqlite:other.db");
    assert_eq!(flag["items"][0]["name"], "lab", "a flag is over both");
}

/// The daemon and the command line share a database; neither waits longer than a commit takes.
#[test]
fn commands_work_while_others_write() {
    use nivella_wallet::db::{DatabaseUrl, Db, Durability, Keep};
    use nivella_wallet::site::store;
    use nivella_wallet::time::Clock;

    let desk = Desk::with_customers();
    let url = DatabaseUrl::Sqlite(desk.folder.path().join("nivella-wallet.db"));
    let db = Db::open(&url, Durability::Full, Clock::system()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (stop, db) = (&stop, &db);
        scope.spawn(move || {
            let mut number = 0;
            while !stop.load(Ordering::SeqCst) {
                number += 1;
                let account = format!("lab:customer:{}", 1_000 + number).parse().unwrap();
                db.write_blocking("test", Keep::Effects, move |tx| store::open(tx, &account)).unwrap();
            }
        });
        let commands: Vec<_> = (0..2)
            .map(|_| {
                let desk = &desk;
                scope.spawn(move || {
                    for _ in 0..10 {
                        desk.ok("wallet grant site:shop --credits 1 --reason x");
                    }
                })
            })
            .collect();
        for command in commands {
            command.join().unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
    drop(db);
    assert_eq!(desk.json("wallet show site:shop")["available"], "1070.5");
    desk.ok("verify");
}

/// The daemon, on a port of its own, gone with the test.
struct Daemon {
    process: std::process::Child,
    address: String,
}

impl Daemon {
    fn start(desk: &Desk) -> Self {
        let mut process = desk
            .command("serve --listen 127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { process, address }
    }

    /// Sends a recorded delivery with its recorded signature, as the shop did.
    async fn deliver(&self, recording: &str) -> Value {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/woocommerce").join(recording);
        let text = std::fs::read(folder.join("headers.json")).unwrap();
        let recorded: Value = serde_json::from_slice(&text).unwrap();
        let mut request = reqwest::Client::new().post(format!("{}/webhooks/woocommerce/lab", self.address));
        for header in recorded["headers"].as_array().unwrap() {
            let name = header[0].as_str().unwrap();
            if name.starts_with("X-WC") || name == "Content-Type" {
                request = request.header(name, header[1].as_str().unwrap());
            }
        }
        let body = std::fs::read(folder.join("body.bin")).unwrap();
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Asks the daemon to stop; answers its exit status.
    #[cfg(unix)]
    fn stop(mut self) -> Option<i32> {
        Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has stopped already where the test got that far.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A real paid order arrives before anybody said what its product brings.
#[cfg(unix)]
#[tokio::test]
async fn an_order_is_followed_from_its_delivery_to_the_wallet_while_the_daemon_serves() {
    let desk = Desk::empty();
    desk.ok("store add lab --url http://127.0.0.1:8088 --webhook-secret lab-webhook-secret-not-a-real-one");
    let daemon = Daemon::start(&desk);
    let scenario = "02-paid-order-one-token";
    for delivery in ["001-order.created", "002-order.updated", "003-order.updated"] {
        daemon.deliver(&format!("{scenario}/{delivery}")).await;
    }
    let orders = desk.json("order list --attention");
    let order = orders["items"][0]["order"].as_str().unwrap().to_owned();
    assert!(orders["items"][0]["parked"].as_str().unwrap().contains("product 10"), "{orders}");
    let waiting = desk.json(&format!("order explain lab {order}"));
    assert_eq!(waiting["lines"][0]["is_tokens"], Value::Null);

    let set = "package set --store lab --product 10 --credits 1000 --expires 1y";
    assert_eq!(desk.json(&format!("{set} --dry-run"))["orders_finished"], 1);
    assert_eq!(desk.json("account list")["items"], serde_json::json!([]), "a dry run grants nothing");
    assert_eq!(desk.json(set)["orders_finished"], 1);

    let story = desk.json(&format!("order explain lab {order}"));
    assert_eq!(story["lines"][0]["says"], "1000 credits booked, as it should be");
    assert_eq!(story["grants"][0]["credits"], "1000");
    assert_eq!(story["deliveries"].as_array().unwrap().len(), 3);
    let people = desk.ok(&format!("order explain lab {order}"));
    assert!(people.contains("1000 credits each, paid, good for 1 year"), "{people}");
    assert_eq!(desk.json("wallet show account:lab:customer:2")["available"], "1000");
    assert_eq!(desk.json("order list --attention")["items"], serde_json::json!([]));

    let list = desk.json("inbox list --limit 1");
    let id = list["items"][0]["id"].as_str().unwrap();
    let shown = desk.json(&format!("inbox show {id}"));
    let body: Value = serde_json::from_str(shown["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["id"].to_string(), order);
    for each in [&shown["order"], &list["items"][0]["order"], &story["order"]] {
        assert_eq!(*each, *order, "an order's id is text wherever a program reads it");
    }
    let books = desk.json("verify");
    let again = desk.json("inbox replay --state all");
    assert_eq!((&again["replayed"], &again["unchanged"]), (&3.into(), &3.into()), "{again}");
    assert_eq!(desk.json("verify"), books, "a replay moves nothing");
    assert!(desk.run("store remove lab").err.contains("it stays"));

    assert_eq!(daemon.stop(), Some(0));
}

/// Why an order granted nothing is said in its own words, also when nothing is wrong with its products.
#[cfg(unix)]
#[tokio::test]
async fn an_order_that_waits_says_for_what() {
    let desk = Desk::empty();
    desk.ok("store add lab --url http://127.0.0.1:8088 --webhook-secret not-the-one-of-the-recordings");
    let daemon = Daemon::start(&desk);
    // The daemon serves meanwhile; it takes the new secret from the next delivery on.
    desk.ok("store set lab --webhook-secret lab-webhook-secret-not-a-real-one");
    daemon.deliver("02-paid-order-one-token/003-order.updated").await;
    assert_eq!(daemon.stop(), Some(0));
    let order = desk.json("order list")["items"][0]["order"].as_str().unwrap().to_owned();
    let says = || desk.json(&format!("order explain lab {order}"))["lines"][0]["says"].to_string();
    assert!(says().contains("it waits until it is known whether this is a Tokens product"), "{}", says());

    // An order of nobody, as a shop's own code can make one.
    let connection = rusqlite::Connection::open(desk.folder.path().join("nivella-wallet.db")).unwrap();
    let nobody = "UPDATE shop_order SET state = json_set(state, '$.customer_id', 0, '$.email', '')";
    connection.execute(nobody, []).unwrap();
    let set = desk.ok("package set --store lab --product 10 --credits 1000");
    assert!(set.contains("product:10 of store lab brings 1000 credits, never expire"), "{set}");
    let waits = format!("0 credits booked, 1000 due; it waits: order {order} names neither a customer nor");
    assert!(says().contains(&waits), "{}", says());
}

#[test]
fn an_order_whose_deliveries_could_not_be_read_is_told_from_one_nobody_told_of() {
    let desk = Desk::with_a_store();
    assert!(desk.run("order explain lab 130").err.contains("never told of order 130"));
    let connection = rusqlite::Connection::open(desk.folder.path().join("nivella-wallet.db")).unwrap();
    let id = "dl_00000000000000000000000000000001";
    connection
        .execute(
            "INSERT INTO delivery (id, store_id, topic, webhook_id, woo_delivery_id, digest, received_at, state,
                                   result, reason, order_id)
             VALUES (?1, 1, 'order.updated', '1', 'x', ?2, 1, 'failed', 'stored', '/total: not an amount', 130)",
            (id, [1_u8; 32].as_slice()),
        )
        .unwrap();
    let answer = desk.run("order explain lab 130");
    assert_eq!(answer.status, 1);
    for said in ["could not be read", id, "order.updated, failed", "/total: not an amount", "inbox replay"] {
        assert!(answer.err.contains(said), "{said}: {}", answer.err);
    }
}

#[test]
fn what_does_not_answer_takes_no_json() {
    let desk = Desk::empty();
    for args in ["serve --json", "demo --once --json"] {
        let answer = desk.run(args);
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{args}: {answer:?}");
        let document: Value = serde_json::from_str(&answer.err).unwrap();
        assert!(document["error"].as_str().unwrap().contains("do not answer with JSON"), "{document}");
    }
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 0);
}

#[test]
fn the_demo_ends_with_books_that_are_right() {
    let desk = Desk::empty();
    let recordings = format!("{}/fixtures/woocommerce", env!("CARGO_MANIFEST_DIR"));
    let out = desk.ok(&format!("demo --once --listen 127.0.0.1:0 --recordings '{recordings}'"));
    assert!(out.starts_with("listening on http://127.0.0.1:"), "{out}");
    assert!(out.contains("verified: "), "{out}");
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 0, "nothing is left here");
}

#[test]
fn a_broken_row_is_named_and_the_status_says_so() {
    let desk = Desk::with_customers();
    let connection = rusqlite::Connection::open(desk.folder.path().join("nivella-wallet.db")).unwrap();
    connection.execute("UPDATE slice SET remaining = remaining + 1 WHERE site = 'shop'", []).unwrap();
    let answer = desk.run("verify");
    assert_eq!(answer.status, 1);
    assert!(answer.out.contains("the first broken row: slice of gr_"), "{}", answer.out);
    let answer = desk.run("--json verify");
    assert_eq!(answer.status, 1);
    let report: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(report["faults"][0]["rule"], "slices");
}

#[test]
fn help_is_there_for_every_command() {
    let desk = Desk::empty();
    let nouns =
        ["store", "package", "site", "account", "wallet", "hold", "plan", "rate", "key", "order", "inbox"];
    for noun in nouns {
        let help = desk.ok(&format!("{noun} --help"));
        let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for verb in verbs.take_while(|line| !line.is_empty()) {
            let name = verb.split_whitespace().next().unwrap();
            let words = desk.ok(&format!("{noun} {name} --help"));
            assert!(words.starts_with(char::is_uppercase), "{noun} {name}: {words}");
            for line in words.lines().filter(|line| !line.starts_with("Usage:")) {
                assert!(line.chars().count() <= 100, "{noun} {name}: {line}");
            }
        }
    }
    assert!(desk.ok("--version").starts_with("nivella-wallet "));
}

#[test]
fn limits_and_policies_are_set_by_hand_and_shown() {
    let desk = Desk::with_customers();
    let before = desk.content();
    let said = desk.ok("site limit shop --per month --credits 100 --dry-run");
    assert!(said.contains("shop may spend 100 credits a month"), "{said}");
    assert_eq!(desk.content(), before, "a dry run writes nothing");

    for change in ["changed", "unchanged"] {
        let shown = desk.json("site limit shop --per month --credits 100");
        let named = (&shown["site"], &shown["agent"], &shown["change"]);
        assert_eq!(named, (&"shop".into(), &Value::Null, &change.into()));
    }
    assert!(
        desk.ok("site limit shop --per month --credits 100").starts_with("nothing to do: shop may spend")
    );
    assert!(desk.ok("site limit shop --per day --credits 1 --dry-run").contains("may spend 1 credit a day"));
    let shown = desk.json("site limit shop --agent bot --per day --credits 0 --on-reached use_balance");
    assert_eq!(
        (&shown["agent"], &shown["credits"], &shown["on_reached"]),
        (&"bot".into(), &"0".into(), &"use_balance".into())
    );
    let policy = desk.json("site policy shop --on-exhausted stop --pool off");
    assert_eq!(
        (&policy["on_exhausted"], &policy["pool"], &policy["grace"]),
        (&"stop".into(), &false.into(), &"0".into())
    );
    assert_eq!((&policy["site"], &policy["change"]), (&"shop".into(), &"changed".into()));
    assert_eq!(desk.json("site policy shop --pool off")["change"], "unchanged");
    desk.ok("site policy shop --agent bot --grace 2.5 --on-exhausted use_balance");

    let shown = desk.json("site show shop");
    assert_eq!(shown["limits"].as_array().unwrap().len(), 2);
    assert_eq!((&shown["policies"][1]["grace"], &shown["uses_pool"]), (&"2.5".into(), &false.into()));
    let text = desk.ok("site show shop");
    for words in [
        "spends recurring credits only, not the pool's",
        "assistant bot spends",
        "LEFT",
        "use bonus and paid",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    let refused = desk.run("wallet burn-plan site:shop --credits 101");
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("0 left under the limit of 100 credits a month"), "{}", refused.err);
    assert!(desk.run("wallet burn-plan site:shop --credits 1").err.contains("1 credit needed, 0 available"));
    let text = desk.ok("wallet show site:shop");
    assert!(text.contains("the policy on_exhausted stop allows recurring credits only"), "{text}");
    desk.ok("wallet burn-plan site:shop --credits 1 --agent bot");
    assert_eq!(desk.run("wallet burn-plan account:lab:customer:1 --credits 1 --agent bot").status, 2);

    let taken = desk.ok("site limit shop --per month --credits none");
    assert!(taken.contains("shop may spend without limit each month"), "{taken}");
    assert_eq!(desk.json("site show shop")["limits"].as_array().unwrap().len(), 1);
    assert!(desk.ok("site resume shop").contains("nothing to do: shop is not paused"));
    for (args, status, words) in [
        ("site limit shop --per week --credits 1", 2, "write day or month"),
        ("site limit shop --per day --credits -1", 2, "-1"),
        ("site limit shop --per day --credits many", 2, "write none for no limit"),
        ("site limit shop --per day", 2, "--credits"),
        ("site limit nowhere --per day --credits 1", 1, "there is no site nowhere"),
        ("site policy shop", 2, "--on-exhausted"),
        ("site policy shop --pool maybe", 2, "write on or off"),
        ("site policy nowhere --pool on", 1, "there is no site nowhere"),
        ("site resume nowhere", 1, "there is no site nowhere"),
    ] {
        let answer = desk.run(args);
        assert_eq!(answer.status, status, "{args}: {}", answer.err);
        assert!(answer.err.contains(words), "{args}: {}", answer.err);
    }
    desk.ok("verify");
}
