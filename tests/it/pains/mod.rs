//! What users of other systems complained about, each as a property that would have saved them.
//!
//! The numbers are those of the list of pains the program was designed against.

mod orders;
mod plans;
mod reading;
mod spending;

use nivella_wallet::db;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::app::{TestApp, write};
use crate::twists::Draft;

const ALICE: &str = "account:lab:customer:2";

/// The shop tells the next state of an order.
async fn send(app: &TestApp, draft: &mut Draft) -> String {
    let told = app.deliver("order.updated", draft.next()).await;
    app.prove();
    told
}

/// Gives a site to an account.
fn assign(app: &TestApp, site: &str, account: &str) {
    use nivella_wallet::site::{Field, store as sites};
    let (site, account) = (site.parse().unwrap(), account.parse().unwrap());
    write(app.db(), move |tx| {
        sites::assign(tx, &site, &account, &Field::Keep, &Field::Keep).unwrap();
        Ok::<_, db::Error>(())
    });
}

/// Sends a request, with an idempotency key unless that is empty.
async fn post(app: &TestApp, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
    let mut request = app.request(Method::POST, path).body(body.to_string());
    if !key.is_empty() {
        request = request.header("Idempotency-Key", key);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

/// Credits as they are written, with a sign perhaps, in micro-credits.
fn micro(credits: &str) -> i64 {
    let (sign, text) = match credits.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, credits.trim_start_matches('+')),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    sign * (whole.parse::<i64>().unwrap() * 1_000_000 + format!("{part:0<6}").parse::<i64>().unwrap())
}
