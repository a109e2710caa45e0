//! The document, put together from the operations, as version 3.1 of its standard has it.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Documented;
use super::operation::{Access, Answer, Body, Key, Operation, Parameter, Tag};
use crate::http::problem::Code;
use crate::schema::IdempotencyKey;

/// The document of `operations`.
pub(super) fn of(operations: &[Documented]) -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();

    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut codes = Vec::new();
    for Documented { method, path, operation } in operations {
        codes.extend(operation.problems());
        let written = write(method, path, operation, &mut generator);
        paths.entry(path).or_default().insert((*method).to_owned(), written);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), super::problems::schema());
    let mut responses = Map::new();
    for code in Code::ALL.into_iter().filter(|code| codes.contains(code)) {
        schemas.insert(schema_name(code), super::problems::schema_of(code));
        responses.insert(code.as_str().to_owned(), refusal(&[code]));
    }
    let tags = Tag::ALL.map(|tag| {
        let (name, description) = tag.words();
        json!({ "name": name, "description": description })
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Nivella Credit Wallet",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" }
        },
        "servers": [{ "url": "/", "description": "The daemon that answered." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "bearerFormat": "nwk_ and 64 hexadecimal digits",
                         "description": "An API key, sent with each request to `/v1` as `Authorization: Bearer nwk_…`. `nivella-wallet key create` makes one and shows it once; its scopes say what it sees and does." },
                "signature": { "type": "apiKey", "in": "header", "name": "X-WC-Webhook-Signature",
                               "description": "Base64 of the HMAC-SHA256 over the raw body with the store's secret." }
            }
        }
    })
}

const ABOUT: &str = "Prepaid AI credits for WooCommerce shops. Credits are decimal texts, times are RFC 3339 in UTC. \
     Fields and query parameters that are not known are refused. A refusal is an RFC 9457 problem; programs rely on its `code`. \
     What a key may not see is not found.";

fn write(method: &str, path: &str, operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut written = Map::new();
    written.insert("tags".to_owned(), json!([operation.tag.words().0]));
    written.insert("summary".to_owned(), operation.summary.into());
    written.insert("operationId".to_owned(), operation_id(method, path).into());
    let description: Vec<&str> =
        operation.description.into_iter().chain(scopes_in_words(operation)).collect();
    written.insert("description".to_owned(), description.join("\n\n").into());
    written.insert("security".to_owned(), security(&operation.access));
    let mut parameters: Vec<Value> =
        operation.parameters.iter().map(|parameter| write_parameter(parameter, generator)).collect();
    if operation.key != Key::None {
        parameters.push(idempotency_key(operation.key, generator));
    }
    if !parameters.is_empty() {
        written.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(body) = &operation.body {
        written.insert("requestBody".to_owned(), write_body(body, generator));
    }
    let mut responses = Map::new();
    for answer in &operation.answers {
        responses.insert(answer.status.to_string(), write_answer(answer, operation.key, generator));
    }
    let problems = operation.problems();
    for of_one_status in problems.chunk_by(|a, b| a.status() == b.status()) {
        let written = match of_one_status {
            [code] => json!({ "$ref": format!("#/components/responses/{code}") }),
            codes => refusal(codes),
        };
        if let Some(code) = of_one_status.first() {
            responses.insert(code.status().as_str().to_owned(), written);
        }
    }
    written.insert("responses".to_owned(), responses.into());
    written.into()
}

/// A name for generated clients: `post_v1_grants_id_void`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn scopes_in_words(operation: &Operation) -> Option<&'static str> {
    match operation.access {
        Access::Open => None,
        Access::Here => Some("From the daemon's own machine without a key, else with an `admin` key."),
        Access::Signed => Some("Signed with the store's secret."),
        Access::Key(super::operation::READ) => Some("Any key that sees it."),
        Access::Key(super::operation::ADMIN) => Some("`admin` keys."),
        Access::Key(super::operation::SPEND) => {
            Some("`admin` keys, and `debit` keys for what they are bound to.")
        }
        Access::Key(_) => Some("`admin` keys, and `account:` keys for what is their own."),
    }
}

fn security(access: &Access) -> Value {
    match access {
        Access::Open => json!([]),
        Access::Key(scopes) => json!([{ "key": scopes }]),
        Access::Here => json!([{}, { "key": ["admin"] }]),
        Access::Signed => json!([{ "signature": [] }]),
    }
}

fn write_parameter(parameter: &Parameter, generator: &mut SchemaGenerator) -> Value {
    let mut schema = parameter.shape.schema(generator);
    if parameter.place == "query" && !parameter.required {
        // An empty value is as good as none: that is how forms send a field that was left alone.
        schema = json!({ "anyOf": [schema, { "type": "string", "maxLength": 0 }] });
    }
    let mut written = json!({
        "name": parameter.name, "in": parameter.place, "required": parameter.required,
        "description": parameter.what, "schema": schema
    });
    if let (Some(example), Value::Object(written)) = (&parameter.example, &mut written) {
        written.insert("example".to_owned(), example.clone());
    }
    written
}

fn idempotency_key(key: Key, generator: &mut SchemaGenerator) -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": key == Key::Required,
        "description": "Your own name for this request, new for each new one and the same when it is sent again: then the answer is the stored one and nothing happens twice. It counts within one API key, for 30 days.",
    "schema": generator.subschema_for::<IdempotencyKey>(),
        "example": "chat-4711-answer-3"
    })
}

fn write_body(body: &Body, generator: &mut SchemaGenerator) -> Value {
    match body {
        Body::Shop => json!({
            "required": true,
            "description": "A delivery of WooCommerce, byte for byte, of any content type.",
            "content": { "application/json": { "schema": { "description": "What WooCommerce sends." } } }
        }),
        Body::Empty => json!({
            "required": false,
            "content": { "application/json": { "schema": { "type": "object", "additionalProperties": false }, "example": {} } }
        }),
        Body::Json(object, example) | Body::JsonOrNothing(object, example) => {
            let content = json!({ "schema": object.schema(generator), "example": example });
            let required = matches!(body, Body::Json(..));
            json!({ "required": required, "content": { "application/json": content } })
        }
    }
}

fn write_answer(answer: &Answer, key: Key, generator: &mut SchemaGenerator) -> Value {
    let mut headers = Map::new();
    headers.insert("X-Request-Id".to_owned(), header("The request's id, as in the daemon's log.", true));
    if key != Key::None {
        let what = "`true` if this is the stored answer of an earlier request with this Idempotency-Key.";
        headers.insert("Idempotent-Replayed".to_owned(), header(what, false));
    }
    for (name, what) in &answer.headers {
        headers.insert((*name).to_owned(), header(what, true));
    }
    let mut written = json!({ "description": answer.what, "headers": headers });
    let mut contents = Map::new();
    for (content_type, kind, example) in &answer.contents {
        let mut content = json!({ "schema": kind.schema(generator) });
        if let (Some(example), Value::Object(content)) = (example, &mut content) {
            content.insert("example".to_owned(), example.clone());
        }
        contents.insert((*content_type).to_owned(), content);
    }
    if let Value::Object(written) = &mut written
        && !contents.is_empty()
    {
        written.insert("content".to_owned(), contents.into());
    }
    written
}

fn header(what: &str, required: bool) -> Value {
    json!({ "description": what, "required": required, "schema": { "type": "string" } })
}

/// The answer with one of `codes`, which have one status.
fn refusal(codes: &[Code]) -> Value {
    let refs: Vec<Value> = codes
        .iter()
        .map(|code| json!({ "$ref": format!("#/components/schemas/{}", schema_name(*code)) }))
        .collect();
    let schema = match refs.as_slice() {
        [one] => one.clone(),
        several => json!({ "oneOf": several }),
    };
    let examples: Map<String, Value> = codes
        .iter()
        .map(|code| {
            let example = json!({ "summary": code.title(), "value": super::problems::example(*code) });
            (code.as_str().to_owned(), example)
        })
        .collect();
    let titles: Vec<String> = codes.iter().map(|code| format!("`{code}`: {}", code.title())).collect();
    let mut headers = Map::new();
    headers.insert("X-Request-Id".to_owned(), header("The request's id, as in the daemon's log.", false));
    if codes.iter().any(|code| super::problems::example(*code).retry_after_s().is_some()) {
        headers.insert(
            "Retry-After".to_owned(),
            header("After how many seconds to send it again.", codes.len() == 1),
        );
    }
    if codes == [Code::Unauthorized] {
        headers.insert("WWW-Authenticate".to_owned(), header("How to sign in: `Bearer`.", true));
    }
    json!({
        "description": titles.join("; "),
        "headers": headers,
        "content": { "application/problem+json": { "schema": schema, "examples": examples } }
    })
}

/// What the schema of a code is called: `InsufficientCreditsProblem`.
fn schema_name(code: Code) -> String {
    let words = code.as_str().split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect::<String>() + "Problem"
}
