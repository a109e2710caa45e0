//! The ledger by tables that a person can check: `fixtures/ledger/*.txt`, on both engines.
//!
//! A story is a block of lines; what stands after `->` is what the line answers. After every line the
//! whole books are proved.

use std::collections::HashMap;

use nivella_wallet::calendar::Per;
use nivella_wallet::db::{Db, Keep, Tx};
use nivella_wallet::id::{AccountId, AgentId, DebitId, GrantId, HoldId, SiteId};
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::audit;
use nivella_wallet::ledger::limit::{Brake, Limit, OnExhausted, OnReached, Said};
use nivella_wallet::ledger::position::Position;
use nivella_wallet::ledger::slice::{Category, Compartment, View, open_slices};
use nivella_wallet::ledger::store::{
    Capture, Error, Expiry, NewDebit, NewGrant, NewHold, Purchase, Shortfall, Shown, spend,
};
use nivella_wallet::params;
use nivella_wallet::site::store as sites;
use nivella_wallet::time::Validity;
use nivella_wallet::units::{Credits, Delta};

use crate::support::{TestDb, databases, new_debit, new_hold};

#[test]
fn spending() {
    tell("spend.txt");
}

#[test]
fn moving_and_adjusting() {
    tell("move.txt");
}

#[test]
fn money_that_goes_back() {
    tell("clawback.txt");
}

#[test]
fn limits_and_policies() {
    tell("limits.txt");
}

#[test]
fn holding() {
    tell("hold.txt");
}

#[test]
fn giving_back() {
    tell("reverse.txt");
}

fn tell(file: &str) {
    let path = format!("{}/fixtures/ledger/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    for story in text.split("\n\n") {
        for test in databases() {
            let mut book = Book::open(&test);
            for line in story.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
                let (act, expected) = line.split_once("->").unwrap_or((line, ""));
                let words: Vec<&str> = act.split_whitespace().collect();
                let answer = book.act(&words, !expected.is_empty());
                assert_eq!(
                    answer,
                    expected.trim(),
                    "{file} on {}: {line}\nin the story:\n{story}",
                    test.name
                );
                let faults = audit::verify(&test.db, |_| {}).unwrap().faults;
                assert_eq!(faults, [], "{file} on {}: after {line}", test.name);
            }
        }
    }
}

struct Book<'t> {
    test: &'t TestDb,
    accounts: HashMap<&'static str, AccountId>,
    holds: HashMap<String, HoldId>,
    debits: HashMap<String, DebitId>,
}

/// What a line did: nothing to say, or words to compare.
type Answer = Result<String, Error>;

impl<'t> Book<'t> {
    fn open(test: &'t TestDb) -> Self {
        let accounts: HashMap<_, _> = ["account", "bob"].map(|name| (name, AccountId::new())).into();
        for id in accounts.values() {
            let id = id.clone();
            write(&test.db, move |tx| {
                tx.execute(
                    "-- test
                     INSERT INTO account (id, name, time_zone, created_at, version, grant_seq, entry_seq, entry_hash)
                     VALUES ($1, 'Test', 'UTC', 0, 0, 0, 0, $2)",
                    params![&id, &[0_u8; 32]],
                )?;
                Ok(String::new())
            })
            .unwrap();
        }
        let owner = accounts["account"].clone();
        write(&test.db, move |tx| {
            for site in ["shop", "blog"] {
                tx.execute(
                    "-- test
                     INSERT INTO site (id, account_id, uses_pool, created_at) VALUES ($1, $2, 1, 0)",
                    params![site, &owner],
                )?;
            }
            Ok(String::new())
        })
        .unwrap();
        Self { test, accounts, holds: HashMap::new(), debits: HashMap::new() }
    }

    /// Does what a line says; a debit tells which grants paid only where the line wants to know.
    fn act(&mut self, words: &[&str], told: bool) -> String {
        let id = self.accounts["account"].clone();
        let answer = match words {
            ["at", time] => {
                self.test.clock.turn_to(time.parse().unwrap());
                Ok(String::new())
            }
            ["grant", to, amount, category, rest @ ..] => self.grant(id, to, amount, category, rest),
            ["limit", site, per, most, on_reached, by @ ..] => {
                let (site, agent) = (site.parse().unwrap(), agent(by));
                let (per, on_reached) = (Per::named(per).unwrap(), OnReached::named(on_reached).unwrap());
                let most = (*most != "none").then(|| credits(most));
                write(&self.test.db, move |tx| {
                    let mut account = LockedAccount::lock(tx, &id)?;
                    match most {
                        Some(credits) => {
                            account.set_limit(&site, &Limit { agent, per, credits, on_reached })?;
                        }
                        None => assert!(account.remove_limit(&site, agent.as_ref(), per)?),
                    }
                    Ok(String::new())
                })
            }
            ["policy", site, on_exhausted, by @ ..] => {
                let (site, agent) = (site.parse().unwrap(), agent(by));
                let said = Said { on_exhausted: OnExhausted::named(on_exhausted), ..Said::default() };
                write(&self.test.db, move |tx| {
                    LockedAccount::lock(tx, &id)?.set_said(&site, agent.as_ref(), &said)?;
                    Ok(String::new())
                })
            }
            ["debit", site, amount, label, by @ ..] => {
                let debit = NewDebit {
                    uses_pool: !site.ends_with('!'),
                    agent: agent(by),
                    label: (*label).to_owned(),
                    ..new_debit(site.trim_end_matches('!'), amount)
                };
                let made = write(&self.test.db, move |tx| {
                    let made = spend(tx, &id, &debit, &Brake::OFF)?;
                    Ok((made.id, paid(tx, &made.taken.slices, told)?))
                });
                made.map(|(id, paid)| {
                    self.debits.insert((*label).to_owned(), id);
                    paid
                })
            }
            ["hold", site, amount, name, rest @ ..] => {
                let lasts_s = match rest {
                    ["for", seconds] => seconds.parse().unwrap(),
                    _ => 900,
                };
                let spending = NewDebit { label: (*name).to_owned(), ..new_debit(site, amount) };
                let new = NewHold { spending, lasts_s, ..new_hold(site, amount) };
                let made = write(&self.test.db, move |tx| {
                    let hold = LockedAccount::lock(tx, &id)?.hold(&new)?.hold;
                    let slices: Vec<_> =
                        hold.parts.iter().map(|part| (part.grant.clone(), part.credits)).collect();
                    Ok((hold.id, paid(tx, &slices, told)?))
                });
                made.map(|(id, paid)| {
                    self.holds.insert((*name).to_owned(), id);
                    paid
                })
            }
            ["capture", name, amount] => {
                let (hold, amount) = (self.holds[*name].clone(), credits(amount));
                let made = write(&self.test.db, move |tx| {
                    let capture = Capture { amount, ..Capture::default() };
                    let made = LockedAccount::lock(tx, &id)?.capture(&hold, &capture, &Brake::OFF)?;
                    Ok((made.id, paid(tx, &made.taken.slices, told)?))
                });
                made.map(|(id, paid)| {
                    self.debits.insert((*name).to_owned(), id);
                    paid
                })
            }
            // As a policy with grace takes a hold: more than the slices cover.
            ["lend", name, amount] => {
                let (hold, amount) = (self.holds[*name].clone(), credits(amount));
                write(&self.test.db, move |tx| {
                    tx.execute(
                        "-- test\n UPDATE hold SET credits = credits + $2, uncovered = $2 WHERE id = $1",
                        params![&hold, amount],
                    )?;
                    tx.execute(
                        "-- test\n UPDATE holding SET held = held + $1 WHERE held > 0",
                        params![amount],
                    )?;
                    Ok(String::new())
                })
            }
            ["release", name] => {
                let hold = self.holds[*name].clone();
                write(&self.test.db, move |tx| {
                    LockedAccount::lock(tx, &id)?.release(&hold).map(|_| String::new())
                })
            }
            ["reverse", label, rest @ ..] => {
                let (debit, amount) =
                    (self.debits[*label].clone(), rest.first().map(|amount| credits(amount)));
                write(&self.test.db, move |tx| {
                    LockedAccount::lock(tx, &id)?.reverse(&debit, amount, None).map(|_| String::new())
                })
            }
            ["void", label] => {
                let label = (*label).to_owned();
                write(&self.test.db, move |tx| {
                    let grant = tx.query_one(
                        "-- test\n SELECT id FROM credit_grant WHERE label = $1",
                        params![&label],
                        |row| row.get(0),
                    )?;
                    LockedAccount::lock(tx, &id)?.void(&grant, "a mistake").map(|_| String::new())
                })
            }
            ["leave", site] => {
                let site: SiteId = site.parse().unwrap();
                write(&self.test.db, move |tx| {
                    sites::unassign(tx, &site).unwrap();
                    LockedAccount::lock(tx, &id)?.vacate(&Compartment::Site(site)).map(|()| String::new())
                })
            }
            ["move", from, to, amount] => {
                let (from, to, amount) = (compartment(from), compartment(to), credits(amount));
                write(&self.test.db, move |tx| {
                    LockedAccount::lock(tx, &id)?.relocate(&from, &to, amount).map(|_| String::new())
                })
            }
            ["takeout", from, amount] => {
                let (from, amount) = (compartment(from), credits(amount));
                write(&self.test.db, move |tx| {
                    LockedAccount::lock(tx, &id)?
                        .take_out(&from, amount, "counted wrong")
                        .map(|_| String::new())
                })
            }
            ["claw", order, amount, rest @ ..] => {
                let (purchase, amount) = (purchase(order), credits(amount));
                let shortfall = rest.first().map_or(Shortfall::Debt, |word| Shortfall::named(word).unwrap());
                write(&self.test.db, move |tx| {
                    let mut account = LockedAccount::lock(tx, &id)?;
                    let clawed = account.claw_back("test", purchase, amount, "Refund", shortfall, None)?;
                    let due =
                        if clawed.due.is_zero() { String::new() } else { format!("due {}, ", clawed.due) };
                    Ok(format!("taken {}, {due}short {}", clawed.taken, clawed.shortfall))
                })
            }
            ["send", order, to] => {
                let (purchase, to) = (purchase(order), self.accounts[*to].clone());
                write(&self.test.db, move |tx| {
                    let sent =
                        LockedAccount::lock(tx, &id)?.send_purchase(purchase.store, purchase.order, &to)?;
                    let mut account = LockedAccount::lock(tx, &to)?;
                    sent.iter().try_for_each(|sent| account.receive(sent, sent.compartment()))?;
                    Ok(String::new())
                })
            }
            [verb @ ("freeze" | "unfreeze"), order] => {
                let (frozen, purchase) = (*verb == "freeze", purchase(order));
                write(&self.test.db, move |tx| {
                    LockedAccount::lock(tx, &id)?.set_frozen(purchase, frozen).map(|_| String::new())
                })
            }
            ["available", wallet, expected] => {
                Ok(same(&self.position(wallet).available.to_string(), expected))
            }
            ["held", wallet, expected] => Ok(same(&self.position(wallet).held.to_string(), expected)),
            ["debt", at, expected] => {
                let at = compartment(at);
                let debt =
                    write(&self.test.db, move |tx| Ok(LockedAccount::lock(tx, &id)?.debt(&at)?.to_string()));
                Ok(same(&debt.unwrap(), expected))
            }
            ["activity", expected @ ..] => Ok(same(&self.activity(&id), &expected.join(" "))),
            _ => panic!("nobody knows {words:?}"),
        };
        answer.unwrap_or_else(|refused| refused.to_string())
    }

    fn grant(&mut self, id: AccountId, to: &str, amount: &str, category: &str, rest: &[&str]) -> Answer {
        let category: Category = category.parse().unwrap();
        let mut grant = NewGrant {
            compartment: compartment(to),
            amount: credits(amount),
            category,
            priority: None,
            label: "credits".to_owned(),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(Validity::Never),
            purchase: None,
            shown_as: Shown::grant(category),
        };
        for pair in rest.chunks(2) {
            match pair {
                ["expires", validity] => grant.expiry = Expiry::After(validity.parse().unwrap()),
                ["label", label] => (*label).clone_into(&mut grant.label),
                ["order", order] => grant.purchase = Some(purchase(order)),
                _ => panic!("nobody knows {pair:?}"),
            }
        }
        write(&self.test.db, move |tx| {
            let repaid = LockedAccount::lock(tx, &id)?.grant(&grant)?.repaid;
            Ok(if repaid.is_zero() { String::new() } else { format!("repaid {repaid}") })
        })
    }

    fn position(&self, wallet: &str) -> Position {
        let view = match wallet {
            "account" | "bob" => View::Account,
            site => {
                View::Site { site: site.trim_end_matches('!').parse().unwrap(), pool: !site.ends_with('!') }
            }
        };
        let id = &self.accounts[if wallet == "bob" { "bob" } else { "account" }];
        let position = self.test.db.read(|tx| {
            let now = tx.now();
            Ok::<_, nivella_wallet::db::Error>(Position::of(&open_slices(tx, id, &view)?, now))
        });
        position.unwrap()
    }

    fn activity(&self, id: &AccountId) -> String {
        let lines = self.test.db.read(|tx| {
            tx.query(
                "-- test
                 SELECT credits, kind, label FROM activity_now WHERE account_id = $1 ORDER BY seq DESC",
                params![id],
                |row| {
                    let change: Delta = row.get(0)?;
                    Ok(format!("{} {} {}", change.signed(), row.get::<String>(1)?, row.get::<String>(2)?))
                },
            )
        });
        lines.unwrap().join("; ")
    }
}

/// Which grants paid how much, where somebody wants to know.
fn paid(tx: &mut Tx<'_>, slices: &[(GrantId, Credits)], told: bool) -> Answer {
    let mut parts = Vec::new();
    for (grant, amount) in slices.iter().filter(|_| told) {
        let label: String =
            tx.query_one("-- test\n SELECT label FROM credit_grant WHERE id = $1", params![grant], |row| {
                row.get(0)
            })?;
        parts.push(format!("{label} {amount}"));
    }
    Ok(parts.join(", "))
}

fn write<T: Send + 'static>(
    db: &Db,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    db.write_blocking("test", Keep::Effects, work)
}

/// Nothing when both are the same, so that the line needs no answer; both otherwise.
fn same(found: &str, expected: &str) -> String {
    if found == expected { String::new() } else { format!("{found} instead of {expected}") }
}

fn compartment(word: &str) -> Compartment {
    if word == "pool" { Compartment::Pool } else { Compartment::Site(word.parse().unwrap()) }
}

/// `by bot`
fn agent(words: &[&str]) -> Option<AgentId> {
    match words {
        ["by", agent] => Some(agent.parse().unwrap()),
        [] => None,
        _ => panic!("nobody knows {words:?}"),
    }
}

fn credits(word: &str) -> Credits {
    word.parse().unwrap()
}

fn purchase(order: &str) -> Purchase {
    Purchase { store: 1, order: order.parse().unwrap(), line: 1 }
}
