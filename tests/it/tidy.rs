//! The house rules of `docs/ARCHITECTURE.md`, kept by looking at the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nivella_wallet::config::KEYS;
use nivella_wallet::http::problem::Code;

// What is looked at ---------------------------------------------------------------------------------

/// A source file, without its tests.
struct Source {
    /// From the root of the package, like `src/order/woo.rs`.
    path: String,
    /// As it is written.
    text: String,
    /// With comments and the contents of strings blanked, so that what is left is code.
    code: String,
    /// The strings in it, with their lines.
    strings: Vec<(usize, String)>,
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    assert!(found.len() > 40, "the sources were not found");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let whole = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source::new(path, &whole));
        }
    }
}

impl Source {
    fn new(path: String, whole: &str) -> Self {
        let text = whole.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
        let (code, strings) = take_apart(&text);
        Self { path, text, code, strings }
    }

    /// The module the file is, like `order::woo`.
    fn module(&self) -> String {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod").replace('/', "::")
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The modules of this package that the code names: `http` for `crate::http::App` and for
    /// `crate::{db, http}` alike.
    fn modules_used(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (at, _) in self.code.match_indices("crate::") {
            let rest = &self.code[at + "crate::".len()..];
            if let Some(list) = rest.strip_prefix('{') {
                let mut depth = 0;
                let mut start = true;
                for (at, letter) in list.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        letter if start && letter.is_alphabetic() => {
                            used.insert(word(&list[at..]).to_owned());
                            start = false;
                        }
                        _ => {}
                    }
                }
            } else {
                used.insert(word(rest).to_owned());
            }
        }
        used
    }

    /// The lines of code that hold `needle` as a word of its own.
    fn lines_with(&self, needle: &str) -> Vec<String> {
        let is_word =
            |text: Option<char>| text.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        self.code
            .lines()
            .enumerate()
            .filter(|(_, line)| {
                line.match_indices(needle).any(|(at, _)| {
                    !is_word(line[..at].chars().next_back())
                        && !is_word(line[at + needle.len()..].chars().next())
                })
            })
            .map(|(number, line)| format!("{}:{}: {}", self.path, number + 1, line.trim()))
            .collect()
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// Splits Rust into its code, where comments and strings are blank, and its strings.
fn take_apart(text: &str) -> (String, Vec<(usize, String)>) {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let (mut code, mut strings, mut line, mut index) = (String::new(), Vec::new(), 1, 0);
    while index < letters.len() {
        let letter = letters[index];
        let raw_hashes =
            (letter == 'r').then(|| letters[index + 1..].iter().take_while(|l| **l == '#').count());
        let starts_word = index == 0 || !(at(index - 1).is_alphanumeric() || at(index - 1) == '_');
        if letter == '/' && at(index + 1) == '/' {
            while index < letters.len() && letters[index] != '\n' {
                index += 1;
            }
        } else if letter == '/' && at(index + 1) == '*' {
            while index < letters.len() && !(at(index) == '*' && at(index + 1) == '/') {
                if at(index) == '\n' {
                    code.push('\n');
                    line += 1;
                }
                index += 1;
            }
            index += 2;
        } else if let Some(hashes) =
            raw_hashes.filter(|hashes| at(index + 1 + hashes) == '"' && (starts_word || at(index - 1) == 'b'))
        {
            let close: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let begin = index + 2 + hashes;
            let rest: String = letters[begin..].iter().collect();
            let content = rest.split(&close).next().unwrap_or_default().to_owned();
            let (chars, breaks) = (content.chars().count(), content.matches('\n').count());
            strings.push((line, content));
            code.push_str("\"\"");
            code.push_str(&"\n".repeat(breaks));
            line += breaks;
            index = begin + chars + close.len();
        } else if letter == '"' {
            let (start, mut content) = (line, String::new());
            index += 1;
            while index < letters.len() && letters[index] != '"' {
                if letters[index] == '\\' {
                    content.push(letters[index]);
                    index += 1;
                }
                if at(index) == '\n' {
                    line += 1;
                }
                content.push(at(index));
                index += 1;
            }
            index += 1;
            code.push_str("\"\"");
            code.push_str(&"\n".repeat(line - start));
            strings.push((start, content));
        } else if letter == '\'' && (at(index + 2) == '\'' || at(index + 1) == '\\') {
            // A character; what has no second quote there is a lifetime.
            let end = (index + 2..letters.len())
                .find(|end| letters[*end] == '\'' && (at(index + 1) != '\\' || *end > index + 2));
            code.push_str("' '");
            index = end.unwrap_or(letters.len()) + 1;
        } else {
            if letter == '\n' {
                line += 1;
            }
            code.push(letter);
            index += 1;
        }
    }
    (code, strings)
}

#[test]
fn code_and_strings_are_told_apart() {
    let text = "let a = \"x \\\" // y\"; // crate::http \"no\"\n/* \"no\"\n */ let b = r#\"raw \"q\" \"#; 'a' '\\'' '\"' f::<'a>(\"z\");";
    let (code, strings) = take_apart(text);
    let strings: Vec<(usize, &str)> = strings.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(strings, [(1, "x \\\" // y"), (3, "raw \"q\" "), (3, "z")]);
    assert!(!code.contains("crate::http") && !code.contains("no") && code.contains("f::<'a>"), "{code}");

    let source = Source::new("src/a/mod.rs".to_owned(), "use crate::{b::{c, d}, http, e}; crate::f::g();");
    assert_eq!(source.modules_used().into_iter().collect::<Vec<_>>(), ["b", "e", "f", "http"]);
    assert_eq!(source.module(), "a");
}

// Who knows whom -------------------------------------------------------------------------------------

/// Everything below the edges can be used, and read, without them.
#[test]
fn domain_modules_import_no_edge_and_nothing_imports_the_command_line() {
    for source in sources() {
        let used = source.modules_used();
        let is_edge = source.path.starts_with("src/cli/") || source.path.starts_with("src/http/");
        let is_top = ["src/app.rs", "src/main.rs", "src/lib.rs"].contains(&source.path.as_str());
        if !is_edge && !is_top {
            assert!(!used.contains("http"), "{} imports http", source.path);
            let edge = ["axum", "hyper"].iter().flat_map(|name| source.lines_with(name)).collect::<Vec<_>>();
            assert_eq!(edge, [""; 0], "only the HTTP edge knows the server's libraries");
        }
        if !source.path.starts_with("src/cli/") {
            assert!(!used.contains("cli"), "{} imports cli", source.path);
        }
    }
}

/// Decisions that can be tried with nothing but values.
const PURE: [&str; 22] = [
    "src/recent.rs",
    "src/order/target.rs",
    "src/order/newer.rs",
    "src/order/naming.rs",
    "src/order/money.rs",
    "src/order/woo.rs",
    "src/ledger/alert.rs",
    "src/ledger/burn.rs",
    "src/ledger/position.rs",
    "src/ledger/chain.rs",
    "src/reconcile/plan.rs",
    "src/catalog/worth.rs",
    "src/catalog/terms.rs",
    "src/catalog/told.rs",
    "src/access/caller.rs",
    "src/shop/health.rs",
    "src/shop/finding.rs",
    "src/ledger/hold.rs",
    "src/ledger/plan.rs",
    "src/ledger/limit.rs",
    "src/ledger/unsettled.rs",
    "src/feed/runway.rs",
];

#[test]
fn what_decides_is_pure() {
    let sources = sources();
    for path in PURE {
        let source =
            sources.iter().find(|source| source.path == path).unwrap_or_else(|| panic!("{path} is gone"));
        assert!(!source.modules_used().contains("db"), "{path} imports db");
        for needle in [
            "db",
            "Tx",
            "store",
            "tokio",
            "async",
            "await",
            "Clock",
            "Utc",
            "SystemTime",
            "Instant",
            "rand",
            "reqwest",
            "rusqlite",
            "postgres",
            "fs",
            "net",
            "env",
            "thread",
            "static mut",
            "tracing",
        ] {
            let lines = source.lines_with(needle);
            // A store is also a shop, and its field in a value is no database.
            let lines: Vec<_> =
                lines.iter().filter(|line| needle != "store" || line.contains("store::")).collect();
            assert!(lines.is_empty(), "{path} is pure, but names {needle}: {lines:?}");
        }
    }
    for source in &sources {
        let says_so = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .any(|line| line.contains("Pure: no database"));
        assert!(
            !says_so || PURE.contains(&source.path.as_str()),
            "{} says it is pure: list it here",
            source.path
        );
    }
}

/// Below the edges everything is synchronous, so no `await` can happen inside a transaction.
#[test]
fn the_ledger_knows_no_runtime() {
    for source in sources() {
        if [
            "src/ledger/",
            "src/order/",
            "src/site/",
            "src/account/",
            "src/access/",
            "src/idempotency/",
            "src/inbox/",
            "src/feed/",
        ]
        .iter()
        .any(|folder| source.path.starts_with(folder))
        {
            for needle in ["tokio", "async", "await", "sleep", "reqwest::Client"] {
                assert_eq!(source.lines_with(needle), [""; 0], "{} names {needle}", source.path);
            }
        }
    }
}

// SQL ------------------------------------------------------------------------------------------------

/// The strings that are statements.
fn statements(source: &Source) -> impl Iterator<Item = &(usize, String)> {
    source.strings.iter().filter(|(_, text)| {
        let verbs =
            ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH ", "CREATE ", "ALTER ", "DROP "];
        text.lines()
            .map(str::trim_start)
            .find(|line| !line.is_empty() && !line.starts_with("-- "))
            .is_some_and(|line| verbs.iter().any(|verb| line.starts_with(verb)))
    })
}

#[test]
fn sql_stands_only_where_it_may_and_every_statement_names_its_place() {
    let mut count = 0;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for source in sources() {
        let may = source.name() == "store.rs"
            || source.path.contains("/store/")
            || source.path.starts_with("src/db/")
            || source.path == "src/ledger/slice.rs"
            || source.path.starts_with("src/ledger/audit/");
        for (line, text) in statements(&source) {
            count += 1;
            let place = format!("{}:{line}", source.path);
            assert!(may, "{place}: SQL belongs in a store.rs");
            if source.path == "src/db/sqlite.rs" {
                // The floor asks SQLite about itself before there is a schema.
                continue;
            }
            let first = text.split(['\n', '\\']).next().unwrap_or_default();
            let name = first
                .strip_prefix("-- ")
                .unwrap_or_else(|| panic!("{place}: begin with -- module::function"));
            let (module, function) = name.rsplit_once("::").unwrap_or_else(|| panic!("{place}: {name:?}"));
            assert_eq!(module, source.module(), "{place}: {name:?} names another module");
            assert!(!word(function).is_empty(), "{place}: {name:?} names no function");
            let others = names.insert(name.to_owned(), place.clone());
            assert_eq!(others, None, "{place}: another statement is called {name:?} as well");
        }
    }
    assert!(count > 100, "only {count} statements were found");
}

/// One text for both engines: what only one of them understands stays out.
#[test]
fn statements_use_only_what_both_engines_understand() {
    for source in sources().iter().filter(|source| !source.path.starts_with("src/db/")) {
        for (line, text) in statements(source) {
            let place = format!("{}:{line}", source.path);
            let upper = text.to_uppercase();
            for needle in [
                "?1",
                " REAL",
                "DATETIME(",
                "STRFTIME",
                "IFNULL(",
                " GLOB ",
                "ROWID",
                "OR REPLACE",
                "::BIGINT",
                "NOW()",
                "ILIKE",
                "JSON_",
                "AUTOINCREMENT",
            ] {
                assert!(!upper.contains(needle), "{place}: {needle} is understood by one engine only");
            }
            assert!(
                !upper.contains("UPDATE ENTRY ") && !upper.contains("DELETE FROM ENTRY"),
                "{place}: entries are only ever added"
            );
            // Parameters are bound one by one: none may be left out.
            let highest = (1..=40).filter(|number| mentions(text, *number)).max().unwrap_or(0);
            assert!((1..=highest).all(|number| mentions(text, number)), "{place}: a parameter is left out");
        }
    }
}

/// Whether a statement has the parameter `$number`.
fn mentions(statement: &str, number: usize) -> bool {
    let name = format!("${number}");
    statement
        .match_indices(&name)
        .any(|(at, _)| !statement[at + name.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

#[test]
fn both_engines_have_the_same_migrations() {
    let files = |engine: &str| -> BTreeMap<String, String> {
        let folder = root().join("migrations").join(engine);
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    };
    let (sqlite, postgres) = (files("sqlite"), files("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (name, text) in &sqlite {
        let (ours, theirs) = (schema(text), schema(&postgres[name]));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{name}: the engines differ");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}: one engine has more statements");
    }
}

/// The statements of a migration, in the words both engines are compared in.
fn schema(text: &str) -> Vec<String> {
    // JSON is read in other words by each; a list is the same list in both.
    let text = text.replace("CAST(a.unsettled AS JSONB)", "a.unsettled");
    let text = ["taken", "spent", "lines", "used", "hours"].iter().fold(text, |text, list| {
        text.replace(&format!("json_each(a.unsettled, '$.{list}')"), list)
            .replace(&format!("jsonb_array_elements(a.unsettled -> '{list}')"), list)
    });
    let bare: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    bare.join(" ")
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| !statement.is_empty())
        .map(|statement| {
            statement
                .replace(" GENERATED BY DEFAULT AS IDENTITY", "")
                .replace("BIGINT", "INTEGER")
                .replace("BYTEA", "BLOB")
                .trim_end_matches(", WITHOUT ROWID")
                .trim_end_matches(" STRICT")
                .to_owned()
        })
        .collect()
}

// Numbers and time -----------------------------------------------------------------------------------

#[test]
fn nothing_is_counted_in_floats() {
    for source in sources() {
        for needle in ["f32", "f64"] {
            assert_eq!(source.lines_with(needle), [""; 0], "credits and money are exact");
        }
        let literal = |line: &&str| {
            line.match_indices('.').any(|(at, _)| {
                let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
                let before =
                    line[..at].trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
                let is_field =
                    before.ends_with(|letter: char| letter.is_alphanumeric() || ".)]".contains(letter));
                digit(line[..at].chars().next_back()) && digit(line[at + 1..].chars().next()) && !is_field
            })
        };
        let found: Vec<&str> = source.code.lines().filter(literal).collect();
        assert_eq!(found, [""; 0], "{} has a floating-point literal", source.path);
    }
}

#[test]
fn the_system_is_asked_for_the_time_in_one_place() {
    let mut places = Vec::new();
    for source in sources() {
        for needle in ["Utc::now", "Local::now", "SystemTime::now"] {
            places.extend(source.lines_with(needle));
        }
    }
    assert_eq!(places.len(), 1, "{places:?}");
    assert!(places[0].starts_with("src/time.rs:"), "{places:?}");
}

// What is written for people ---------------------------------------------------------------------------

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_problem_code_has_a_heading() {
    let api = read("docs/API.md");
    let headings: BTreeSet<&str> =
        api.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    for code in Code::ALL {
        assert!(headings.contains(code.as_str()), "docs/API.md has no heading ### `{code}`");
    }
}

#[test]
fn every_setting_has_a_line() {
    let operating = read("docs/OPERATING.md");
    for key in KEYS {
        assert!(operating.contains(&format!("`{key}`")), "docs/OPERATING.md does not tell of `{key}`");
    }
}

/// More than this is not read in one go.
const LINES_MAX: usize = 800;

#[test]
fn no_source_file_is_longer_than_can_be_read() {
    for source in sources() {
        let lines = read(&source.path).lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines: it may want to be two rooms", source.path);
    }
}
