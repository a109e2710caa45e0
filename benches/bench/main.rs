//! `make bench`: what the product does in numbers, beside its peers, measured on the real binary over real HTTP with
//! every safety on: signatures, authentication, idempotency, limits, the hash chain, `durability = full`.
//!
//! The rounds take turns through all figures, so that what the machine does besides meets all of them alike; a ratio
//! is the median of what each round gave. Every answer is looked at, and at the end the books must hold exactly what
//! was answered. The table goes to standard output, everything as JSON to `target/bench.json`. `docs/PERFORMANCE.md`
//! says what each figure means; `settings` says what can be set.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "figures for people: counts far below what a float holds"
)]

mod daemon;
mod floor;
mod http;
mod load;
mod postgres;
mod probe;
mod redis;
mod rounds;
mod seed;
mod settings;
mod shop;
mod table;
mod talks;
mod tigerbeetle;

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let says = |word: &str| words.iter().any(|said| said == word);
    // `cargo test --benches` runs this too, and wants no measurement.
    if says("--test") {
        return ExitCode::SUCCESS;
    }
    if says(floor::WORD) {
        floor::serve();
        return ExitCode::SUCCESS;
    }
    if says(shop::WORD) {
        shop::serve();
        return ExitCode::SUCCESS;
    }
    let start = Instant::now();
    let settings = settings::Settings::read();
    std::fs::create_dir_all(&settings.folder).expect("target/bench");
    let mut book = rounds::measure(&settings);
    book.remark(format!(
        "{} rounds of {} s each; {} sites; {} wallets; a ledger of {} entries; {} s in all",
        settings.rounds,
        settings.time.as_secs_f64(),
        settings.sites,
        settings.wallets,
        settings.entries,
        start.elapsed().as_secs()
    ));
    book.print(settings.markdown);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.json");
    std::fs::write(path, format!("{:#}\n", book.json())).expect("target/");
    if book.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
