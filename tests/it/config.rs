//! What can be set: every key, every way to set it, every kind of wrong input.

use std::path::PathBuf;

use nivella_wallet::config::{Config, Error, LogFormat, Overrides};
use nivella_wallet::ledger::store::Shortfall;
use nivella_wallet::order::target::OnDelete;

/// Loads a configuration from a file with `text` and from `variables`.
fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Error> {
    load_with(text, variables, Overrides::default())
}

fn load_with(text: &str, variables: &[(&str, &str)], overrides: Overrides) -> Result<Config, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.toml");
    std::fs::write(&path, text).unwrap();
    let variables: Vec<_> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(Some(&path), variables.into_iter(), overrides)
}

fn shown(levels: &[nivella_wallet::ledger::position::AlertLevel]) -> Vec<String> {
    levels.iter().map(ToString::to_string).collect()
}

#[test]
fn with_nothing_set_everything_has_the_documented_default() {
    let config = load("", &[]).unwrap();

    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.to_string(), "sqlite:nivella-wallet.db");
    assert_eq!(config.public_url, None);
    assert_eq!(config.unit.to_string(), "AI Credits");
    assert_eq!(format!("{:?}", config.durability), "Full");
    assert_eq!(shown(&config.low_balance), ["20%", "5%", "0"]);
    assert_eq!(config.inbox.retention.days(), 30);
    assert_eq!(config.orders.on_delete, OnDelete::Keep);
    assert!(!config.orders.free_lines);
    assert!(config.orders.require_date_paid);
    assert_eq!(config.orders.shortfall, Shortfall::Debt);
    assert!(config.sites.auto_register);
    assert_eq!(config.reconcile.every.pause(), Some(std::time::Duration::from_mins(5)));
    assert_eq!(config.http.webhook_body_bytes_max.get(), 2 * 1024 * 1024);
    assert!(config.http.connections_per_address_max.get() >= 128);
}

#[test]
fn every_key_can_be_set_in_the_file() {
    let config = load(
        r#"
            listen = "[::1]:0"
            database = "postgres://wallet:swordfish@db.example/wallet"
            public_url = "https://wallet.example/"
            top_up_url = "https://shop.example/credits"
            docs_url = "http://docs.example"
            unit = "Sparks"
            durability = "process"
            low_balance = ["500", "10%"]

            [inbox]
            retention = "7d"

            [orders]
            on_delete = "claw_back"
            discount = "proportional"
            free_lines = true
            require_date_paid = false
            shortfall = "write_off"

            [sites]
            auto_register = false

            [brake]
            enabled = false
            times = 20
            floor = "2500.5"

            [http]
            header_timeout_s = 1
            body_timeout_s = 2
            idle_timeout_s = 3
            stop_timeout_s = 4
            connections_max = 500
            connections_per_address_max = 128
            webhook_body_bytes_max = 65536

            [log]
            format = "json"
            level = "debug"
        "#,
        &[],
    )
    .unwrap();

    assert_eq!(config.listen.to_string(), "[::1]:0");
    assert_eq!(config.public_url.unwrap().to_string(), "https://wallet.example");
    assert_eq!(config.unit.to_string(), "Sparks");
    assert_eq!(shown(&config.low_balance), ["500", "10%"]);
    assert_eq!(config.inbox.retention.to_string(), "7d");
    assert_eq!(config.orders.on_delete, OnDelete::ClawBack);
    assert_eq!(config.orders.shortfall, Shortfall::WriteOff);
    assert!(!config.brake.enabled);
    assert_eq!((config.brake.times.get(), config.brake.floor.to_string().as_str()), (20, "2500.5"));
    assert_eq!(config.http.connections_max.get(), 500);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn a_variable_goes_over_the_file_and_a_flag_over_both() {
    let text = "listen = '127.0.0.1:1'\nunit = 'File'\n[orders]\nfree_lines = true\nshortfall = 'freeze'";
    let variables = [
        ("NIVELLA_WALLET_LISTEN", "127.0.0.1:2"),
        ("NIVELLA_WALLET_UNIT", "Variable"),
        ("NIVELLA_WALLET_ORDERS__FREE_LINES", "false"),
        ("SOMETHING_ELSE", "is none of our business"),
    ];
    let overrides = Overrides {
        listen: Some("127.0.0.1:3".parse().unwrap()),
        database: Some("sqlite:other.db".parse().unwrap()),
    };
    let config = load_with(text, &variables, overrides).unwrap();

    assert_eq!(config.listen.to_string(), "127.0.0.1:3");
    assert_eq!(config.database.to_string(), "sqlite:other.db");
    assert_eq!(config.unit.to_string(), "Variable");
    assert!(!config.orders.free_lines);
    assert_eq!(config.orders.shortfall, Shortfall::Freeze, "what nothing overrides stays");
}

#[test]
fn variables_are_plain_strings_or_toml() {
    for (name, text, shows) in [
        ("UNIT", "Sparks", "UnitName(\"Sparks\")"),
        ("UNIT", "42", "UnitName(\"42\")"),
        ("UNIT", "true", "UnitName(\"true\")"),
        ("UNIT", "\"Quoted Sparks\"", "UnitName(\"Quoted Sparks\")"),
        ("LOW_BALANCE", "[\"20%\",\"5%\"]", "[Percent(20), Percent(5)]"),
        ("INBOX__RETENTION", "7d", "days: 7"),
        ("ORDERS__FREE_LINES", "true", "free_lines: true"),
        ("HTTP__CONNECTIONS_MAX", "300", "connections_max: Bounded(300)"),
        ("LOG__LEVEL", "trace", "level: Trace"),
    ] {
        let config = load("", &[(&format!("NIVELLA_WALLET_{name}"), text)]).unwrap();
        let debug = format!("{config:?}");
        assert!(debug.contains(shows), "{name}={text} gave {debug}");
    }
}

#[test]
fn the_file_can_be_named_by_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("named.toml");
    std::fs::write(&path, "unit = 'Named'").unwrap();
    let variable = ("NIVELLA_WALLET_CONFIG".to_owned(), path.display().to_string());

    let config = Config::load(None, [variable].into_iter(), Overrides::default()).unwrap();
    assert_eq!(config.unit.to_string(), "Named");
    assert_eq!(config.file, Some(path));

    let variable = ("NIVELLA_WALLET_CONFIG".to_owned(), "no/such/file.toml".to_owned());
    let refusal = Config::load(None, [variable].into_iter(), Overrides::default()).unwrap_err();
    assert!(matches!(refusal, Error::Unreadable { .. }));
    assert!(refusal.to_string().starts_with("no/such/file.toml: "), "{refusal}");
}

/// Each row: what the file says, then fragments the error must have besides the file's name.
const WRONG_FILES: &[(&str, &[&str])] = &[
    // Not TOML.
    ("unit = 'a'\nlisten = 127.0.0.1:80", &[":2: listen: "]),
    ("unit = ", &[":1: unit: "]),
    ("unit = 'a'\nunit = 'b'", &[":2: unit: ", "duplicate key"]),
    ("\n\n[orders\n", &[":3: "]),
    // Unknown keys.
    ("unit = 'a'\nlisen = '127.0.0.1:80'", &[":2: lisen: ", "unknown field", "`listen`"]),
    ("[inbox]\nretain = '7d'", &[":2: inbox.retain: ", "unknown field", "`retention`"]),
    ("[order]\nfree_lines = true", &[":1: order: ", "unknown field", "`orders`"]),
    ("inbox.days = 3", &[":1: inbox.days: ", "unknown field"]),
    ("file = 'x'", &[":1: file: ", "unknown field"]),
    // Wrong types.
    ("listen = 8080", &[":1: listen: ", "integer `8080`", "expected a string"]),
    ("database = ['sqlite:x.db']", &[":1: database: ", "expected a string"]),
    ("[database]\nurl = 'sqlite:x.db'", &[":1: database: ", "expected a string"]),
    ("unit = true", &[":1: unit: ", "expected a string"]),
    ("low_balance = '20%'", &[":1: low_balance: ", "expected a sequence"]),
    ("low_balance = [20]", &[":1: low_balance[0]: ", "expected a string"]),
    ("inbox = '30d'", &[":1: inbox: ", "string"]),
    ("[inbox]\nretention = 30", &[":2: inbox.retention: ", "expected a string"]),
    ("[orders]\n\nfree_lines = 'yes'", &[":3: orders.free_lines: ", "expected a boolean"]),
    ("[orders]\nrequire_date_paid = 1", &[":2: orders.require_date_paid: ", "expected a boolean"]),
    ("[sites]\nauto_register = 'true'", &[":2: sites.auto_register: ", "expected a boolean"]),
    ("[http]\nconnections_max = '1024'", &[":2: http.connections_max: ", "string \"1024\""]),
    ("[http]\nheader_timeout_s = 1.5", &[":2: http.header_timeout_s: ", "floating point"]),
    ("public_url = 1", &[":1: public_url: ", "expected a string"]),
    // Bad values.
    ("listen = 'localhost'", &[":1: listen: ", "\"localhost\"", "like 127.0.0.1:8080"]),
    ("listen = '127.0.0.1:99999'", &[":1: listen: ", "is not an address"]),
    ("database = 'wallet.db'", &[":1: database: ", "sqlite:PATH or postgres://"]),
    ("database = 'mysql://u:swordfish@h/d'", &[":1: database: ", "sqlite:PATH"]),
    ("database = ''", &[":1: database: ", "sqlite:PATH"]),
    ("public_url = 'wallet.example'", &[":1: public_url: ", "not a web address"]),
    ("public_url = 'ftp://wallet.example'", &[":1: public_url: ", "not an http or https"]),
    ("public_url = 'https://'", &[":1: public_url: ", "not a web address"]),
    ("public_url = 'https://u:swordfish@wallet.example'", &[":1: public_url: ", "password does not belong"]),
    ("top_up_url = 'https://shop.example/?a=1'", &[":1: top_up_url: ", "query"]),
    ("docs_url = ''", &[":1: docs_url: ", "not a web address"]),
    ("unit = ''", &[":1: unit: ", "1 to 40 characters"]),
    ("unit = ' Credits'", &[":1: unit: ", "1 to 40 characters"]),
    ("unit = \"a\\nb\"", &[":1: unit: ", "1 to 40 characters"]),
    ("durability = 'none'", &[":1: durability: ", "`none`", "`full` or `process`"]),
    ("low_balance = []", &[":1: low_balance: ", "0 alert levels", "one to 3"]),
    ("low_balance = ['30%', '20%', '5%', '0']", &[":1: low_balance: ", "4 alert levels"]),
    ("low_balance = ['20%', '101%']", &[":1: low_balance: ", "\"101%\" is not an alert level"]),
    ("low_balance = ['-5']", &[":1: low_balance: ", "is not an alert level"]),
    ("low_balance = ['5%', '20%']", &[":1: low_balance: ", "\"20%\" is not below \"5%\""]),
    ("low_balance = ['5%', '5%']", &[":1: low_balance: ", "is not below"]),
    ("low_balance = ['100', '500']", &[":1: low_balance: ", "\"500\" is not below \"100\""]),
    ("low_balance = ['0', '5%']", &[":1: low_balance: ", "is not below \"0\""]),
    ("[inbox]\nretention = '30'", &[":2: inbox.retention: ", "\"30\" is not a retention"]),
    ("[inbox]\nretention = '0d'", &[":2: inbox.retention: ", "1d to 3650d"]),
    ("[inbox]\nretention = '-1d'", &[":2: inbox.retention: ", "is not a retention"]),
    ("[inbox]\nretention = '9999d'", &[":2: inbox.retention: ", "is not a retention"]),
    ("[orders]\non_delete = 'clawback'", &[":2: orders.on_delete: ", "`keep` or `claw_back`"]),
    ("[orders]\ndiscount = 'half'", &[":2: orders.discount: ", "`full` or `proportional`"]),
    ("[orders]\nshortfall = 'forgive'", &[":2: orders.shortfall: ", "`debt`, `write_off`", "`freeze`"]),
    ("[http]\nheader_timeout_s = 0", &[":2: http.header_timeout_s: ", "0 is not within 1 to 3600"]),
    ("[http]\nbody_timeout_s = -1", &[":2: http.body_timeout_s: ", "-1 is not within"]),
    (
        "[http]\nconnections_per_address_max = 127",
        &[":2: http.connections_per_address_max: ", "within 128 to"],
    ),
    ("[http]\nwebhook_body_bytes_max = 5000000000", &[":2: http.webhook_body_bytes_max: ", "is not within"]),
    ("[brake]\nenabled = 1", &[":2: brake.enabled: ", "expected a boolean"]),
    ("[brake]\ntimes = 0", &[":2: brake.times: ", "0 is not within 1 to 10000"]),
    ("[brake]\nfloor = 1000", &[":2: brake.floor: ", "integer `1000`", "expected a string"]),
    ("[brake]\nfloor = 'much'", &[":2: brake.floor: ", "much"]),
    ("[log]\nformat = 'xml'", &[":2: log.format: ", "`human` or `json`"]),
    ("[log]\nlevel = 'loud'", &[":2: log.level: ", "`loud`", "`info`"]),
];

#[test]
fn a_wrong_file_is_refused_by_file_line_and_key() {
    for (text, fragments) in WRONG_FILES {
        let refusal = match load(text, &[]) {
            Ok(config) => panic!("{text:?} was taken: {config:?}"),
            Err(refusal) => refusal.to_string(),
        };
        for fragment in ["wallet.toml:"].iter().chain(*fragments) {
            assert!(refusal.contains(fragment), "{text:?}\n gave {refusal}\n without {fragment}");
        }
        assert!(!refusal.contains("swordfish"), "{refusal}");
        assert!(!refusal.contains('\n'), "{refusal:?}");
    }
}

/// Each row: a variable, what it says, then fragments the error must have besides its name.
const WRONG_VARIABLES: &[(&str, &str, &[&str])] = &[
    ("LISEN", "127.0.0.1:80", &["no key `lisen`", "`listen`"]),
    ("INBOX", "{retention = '7d'}", &["no key `inbox`", "`inbox.retention`"]),
    ("INBOX_RETENTION", "7d", &["no key `inbox_retention`"]),
    ("", "x", &["no key ``"]),
    ("LISTEN", "8080", &["\"8080\" is not an address"]),
    ("LISTEN", "", &["is not an address"]),
    ("DATABASE", "mysql://u:swordfish@h/d", &["sqlite:PATH or postgres://"]),
    ("DURABILITY", "yes", &["`full` or `process`"]),
    ("LOW_BALANCE", "20%", &["expected a sequence"]),
    ("LOW_BALANCE", "[]", &["0 alert levels"]),
    ("LOW_BALANCE", "[\"20\", 5]", &["integer `5`"]),
    ("INBOX__RETENTION", "30", &["\"30\" is not a retention"]),
    ("ORDERS__FREE_LINES", "maybe", &["expected a boolean"]),
    ("ORDERS__FREE_LINES", "1", &["integer `1`", "expected a boolean"]),
    ("ORDERS__ON_DELETE", "drop", &["`keep` or `claw_back`"]),
    ("HTTP__CONNECTIONS_MAX", "5", &["5 is not within 128 to 65536"]),
    ("BRAKE__TIMES", "0", &["0 is not within 1 to 10000"]),
    ("BRAKE__FLOOR", "-1", &["-1"]),
    ("HTTP__CONNECTIONS_MAX", "many", &["string \"many\""]),
    ("PUBLIC_URL", "https://u:swordfish@wallet.example", &["password does not belong"]),
];

#[test]
fn a_wrong_variable_is_refused_by_its_name() {
    for (name, text, fragments) in WRONG_VARIABLES {
        let name = format!("NIVELLA_WALLET_{name}");
        let refusal = match load("", &[(&name, text)]) {
            Ok(config) => panic!("{name}={text} was taken: {config:?}"),
            Err(refusal) => refusal.to_string(),
        };
        for fragment in [name.as_str()].iter().chain(*fragments) {
            assert!(refusal.contains(fragment), "{name}={text}\n gave {refusal}\n without {fragment}");
        }
        assert!(!refusal.contains("swordfish"), "{refusal}");
    }
}

#[test]
fn a_file_that_is_wrong_is_refused_even_where_a_variable_would_go_over_it() {
    let refusal = load("unit = 5", &[("NIVELLA_WALLET_UNIT", "Fine")]).unwrap_err();
    assert!(refusal.to_string().contains(":1: unit: "), "{refusal}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("missing.toml"), {
        let binary: PathBuf = folder.path().join("binary.toml");
        std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
        binary
    }] {
        let refusal = Config::load(Some(&path), std::iter::empty(), Overrides::default()).unwrap_err();
        assert!(refusal.to_string().starts_with(&path.display().to_string()), "{refusal}");
    }
}

#[test]
fn a_password_is_never_printed() {
    let config =
        load("", &[("NIVELLA_WALLET_DATABASE", "postgres://u:swordfish@db.example/w?password=swordfish")]);
    let config = config.unwrap();
    assert!(!format!("{config:?}").contains("swordfish"), "{config:?}");
    assert!(!config.database.to_string().contains("swordfish"));
}

#[test]
fn how_often_is_a_number_with_a_unit_or_never() {
    let every = |text: &str| load(&format!("[reconcile]\nevery = \"{text}\""), &[]);
    for (text, seconds) in [
        ("10s", Some(10)),
        ("5m", Some(300)),
        ("24h", Some(86_400)),
        ("1440m", Some(86_400)),
        ("never", None),
    ] {
        let pause = every(text).unwrap().reconcile.every.pause();
        assert_eq!(pause.map(|pause| pause.as_secs()), seconds, "{text}");
    }
    for wrong in ["", "5", "m", "9s", "25h", "+5m", "5 m", "5d", "Never", "99999999999999999999h"] {
        let refusal = every(wrong).unwrap_err().to_string();
        assert!(refusal.contains("reconcile.every") && refusal.contains("like 5m, or never"), "{refusal}");
    }
    let by_variable = load("", &[("NIVELLA_WALLET_RECONCILE__EVERY", "1h")]).unwrap();
    assert_eq!(by_variable.reconcile.every.pause(), Some(std::time::Duration::from_hours(1)));
}
