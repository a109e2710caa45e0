//! The API document: guarded by a snapshot, and held against the routes, the requests and the papers.
//!
//! `scripts/schemathesis` holds the daemon's answers against it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use axum::http::StatusCode;
use nivella_wallet::http::openapi;
use nivella_wallet::http::problem::Code;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::app::TestApp;

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);

/// Every operation: its method, its path and what is said of it.
fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods.iter().map(move |(method, what)| (method.as_str(), path.as_str(), what))
    })
}

/// What `node` refers to, or itself.
fn resolve(node: &'static Value) -> &'static Value {
    match node["$ref"].as_str() {
        Some(place) => resolve(DOCUMENT.pointer(place.trim_start_matches('#')).expect(place)),
        None => node,
    }
}

/// The problems that are said to be answered to `method path`, if such requests are in the document.
pub(crate) fn codes(method: &str, path: &str) -> Option<BTreeSet<&'static str>> {
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let same = |(wanted, given): (&&str, &&str)| {
            wanted == given || (wanted.starts_with('{') && !given.is_empty())
        };
        wanted.len() == given.len() && wanted.iter().zip(&given).all(same)
    };
    let exact =
        operations().find(|(known, template, _)| known.eq_ignore_ascii_case(method) && *template == path);
    let mut known = exact.into_iter().chain(
        operations().filter(|(known, template, _)| known.eq_ignore_ascii_case(method) && fits(template)),
    );
    let (_, _, operation) = known.next()?;
    Some(problems(operation))
}

fn problems(operation: &'static Value) -> BTreeSet<&'static str> {
    let responses = operation["responses"].as_object().unwrap().values();
    responses
        .filter_map(|response| {
            resolve(response)["content"]["application/problem+json"]["examples"].as_object()
        })
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect()
}

/// The contract. Write it anew with `BLESS=1`, and read what changed.
#[test]
fn the_document_is_the_one_that_was_agreed_on() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/openapi.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, openapi::text()).unwrap();
    }
    let agreed = std::fs::read_to_string(&path).unwrap_or_default();
    let first = openapi::text().lines().zip(agreed.lines()).position(|(now, then)| now != then);
    assert!(
        openapi::text() == agreed,
        "{}: line {:?} is another",
        path.display(),
        first.map(|line| line + 1)
    );
}

/// Nothing that a customer reads can hold what answering cost: the shape has no place for it, at any depth.
#[test]
fn the_feed_has_no_field_for_model_provider_tokens_or_cost() {
    fn fields(schema: &'static Value, seen: &mut BTreeSet<&'static str>, found: &mut BTreeSet<&'static str>) {
        match schema {
            Value::Object(members) => {
                if let Some(place) = schema["$ref"].as_str()
                    && seen.insert(place)
                {
                    fields(resolve(schema), seen, found);
                }
                if let Some(properties) = schema["properties"].as_object() {
                    found.extend(properties.keys().map(String::as_str));
                }
                assert!(
                    members.get("additionalProperties").is_none_or(|more| *more == json!(false)),
                    "fields of any name: {schema}"
                );
                // Whatever is an object says which fields it has.
                let is_object = schema["type"] == "object";
                assert!(!is_object || schema["properties"].is_object(), "any object: {schema}");
                members.values().for_each(|inner| fields(inner, seen, found));
            }
            Value::Array(several) => several.iter().for_each(|inner| fields(inner, seen, found)),
            _ => {}
        }
    }
    let feed = resolve(
        &DOCUMENT["paths"]["/v1/wallets/{wallet}/feed"]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"],
    );
    let mut found = BTreeSet::new();
    fields(feed, &mut BTreeSet::new(), &mut found);
    for known in ["available", "breakdown", "by_action", "price_html", "renews_at", "label"] {
        assert!(found.contains(known), "{known} was not found, so nothing was looked at: {found:?}");
    }
    for field in found {
        for word in field.split('_') {
            for secret in [
                "model",
                "provider",
                "token",
                "tokens",
                "cost",
                "costs",
                "usd",
                "prompt",
                "completion",
                "llm",
                "vendor",
            ] {
                assert_ne!(word, secret, "the feed has a field {field}");
            }
        }
    }
}

/// Each path answers just the methods the document has, and says so.
#[tokio::test]
async fn what_is_documented_is_routed_and_with_no_other_method() {
    let app = TestApp::start().await;
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        let mut documented: BTreeSet<String> =
            methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        if documented.contains("GET") {
            documented.insert("HEAD".to_owned());
        }
        let concrete = path.replace(['{', '}'], "");
        let answer = app.request(Method::PATCH, &concrete).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path} is not routed");
        let allow =
            answer.headers()["allow"].to_str().unwrap().split(',').map(|method| method.trim().to_owned());
        assert_eq!(allow.collect::<BTreeSet<_>>(), documented, "{path}");
    }
}

/// A route can be added only with what the document says of it: nothing else in `http` makes routes.
#[test]
fn no_route_is_made_beside_the_document() {
    fn walk(folder: &Path, makers: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, makers);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if [".route(", ".route_service(", ".nest(", "Router::new()"]
                .iter()
                .any(|maker| text.contains(maker))
            {
                makers.insert(path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string());
            }
        }
    }
    let mut makers = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut makers);
    assert_eq!(makers, BTreeSet::from(["src/http/openapi/mod.rs".to_owned()]));
    // And the server serves what those are merged into, with nothing beside.
    let http =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/mod.rs")).unwrap();
    assert!(http.contains("documented().into_router()"));
}

/// The document, its page and the papers name the same codes and calls.
#[test]
fn every_call_and_every_code_is_explained() {
    let papers = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/API.md");
    let papers = std::fs::read_to_string(papers).unwrap();
    let mut answered = BTreeSet::new();
    for (method, path, operation) in operations() {
        assert!(
            papers.contains(&format!("`{} {path}`", method.to_uppercase())),
            "docs/API.md is silent on {method} {path}"
        );
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
        answered.extend(problems(operation));
        // What may go wrong with a key is said wherever there is one.
        let is_open = operation["security"] == json!([]);
        assert_eq!(problems(operation).contains("unauthorized"), !is_open, "{method} {path}");
    }
    for code in answered {
        assert!(papers.contains(&format!("\n### `{code}`\n")), "docs/API.md has no heading for {code}");
        assert!(Code::ALL.iter().any(|known| known.as_str() == code), "{code} is no code");
    }
}

/// What a request may hold stands beside the code that reads it; here the two are compared.
#[tokio::test]
async fn every_field_and_parameter_that_is_documented_is_known() {
    let app = TestApp::start().await;
    let mut fields = 0;
    for (method, path, operation) in operations() {
        let concrete = path
            .replace("{wallet}", "account:lab:customer:1")
            .replace("{id}", "gr_01a1fa67730b778aa2ec748e9839efc7")
            .replace("{store}", "lab")
            .replace(['{', '}'], "");
        let send = async |path: &str, body: Option<String>| {
            let request = app.request(method.to_uppercase().parse().unwrap(), path);
            let request = request.header("Idempotency-Key", uuid());
            let answer = match body {
                Some(body) => request.body(body),
                None => request,
            };
            answer.send().await.unwrap().text().await.unwrap()
        };
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        for name in schema["properties"].as_object().into_iter().flat_map(Map::keys) {
            let mut body = operation["requestBody"]["content"]["application/json"]["example"].clone();
            // Of the wrong kind, so that nothing is done, whatever else the request says.
            body[name] = json!({ "a": [true] });
            let said = send(&concrete, Some(body.to_string())).await;
            assert!(!said.contains("no such field"), "{method} {path} does not know {name}: {said}");
            fields += 1;
        }
        // Where a parameter is refused, those that there are are told: they are the documented ones.
        let said = send(&format!("{concrete}?nonsense=1"), None).await;
        if let Some((_, told)) = said.split_once("there is no such parameter; there are ") {
            let told: BTreeSet<&str> =
                told.split('"').next().unwrap().split(';').next().unwrap().split(", ").collect();
            let parameters = operation["parameters"].as_array().unwrap().iter();
            let documented =
                parameters.filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap());
            assert_eq!(documented.collect::<BTreeSet<_>>(), told, "{method} {path}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" {
                let name = parameter["name"].as_str().unwrap();
                let said = send(&format!("{concrete}?{name}=%00"), None).await;
                assert!(!said.contains("no such parameter"), "{method} {path} does not know {name}: {said}");
                fields += 1;
            }
        }
    }
    assert!(fields > 40, "only {fields} were looked at");
}

fn uuid() -> String {
    nivella_wallet::id::OperationId::new().to_string()
}

#[tokio::test]
async fn the_document_is_printed_and_served_alike() {
    let app = TestApp::start().await;
    let answer = app.http.get(app.url("/openapi.json")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let served = answer.text().await.unwrap();
    let printed =
        Command::new(env!("CARGO_BIN_EXE_nivella-wallet")).env_clear().arg("openapi").output().unwrap();
    assert!(printed.status.success() && printed.stderr.is_empty(), "{printed:?}");
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), served);
    assert_eq!(serde_json::from_str::<Value>(&served).unwrap()["openapi"], "3.1.0");
}

/// The page needs nothing from anywhere, and the browser is told to refuse whatever would be fetched or run.
#[tokio::test]
async fn the_page_works_offline() {
    let app = TestApp::start().await;
    let answer = app.http.get(app.url("/docs")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let page = answer.text().await.unwrap();
    for foreign in ["<script", "<link", "<img", "<iframe", "src=", "@import", "url(", "onclick", "style="] {
        assert!(!page.contains(foreign), "the page has {foreign}");
    }
    for (_, path, operation) in operations() {
        assert!(page.contains(operation["summary"].as_str().unwrap().split('\'').next().unwrap()), "{path}");
    }
    // Where the page leads to is there.
    let targets: BTreeSet<&str> =
        page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(targets.len() > 60, "{}", targets.len());
    for target in targets {
        if let Some(id) = target.strip_prefix('#') {
            assert!(page.contains(&format!("id=\"{id}\"")), "{target} is nowhere");
        } else {
            let answer = app.http.get(app.url(&format!("/{target}"))).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{target}");
        }
    }
}
