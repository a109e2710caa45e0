//! `order`: what was bought, and why it granted what it did.

use clap::Subcommand;
use serde::Serialize;

use super::output::{self, Column, Page, Rows, minute, or_dash};
use super::values::shop_number;
use super::{Failure, Session, inbox, package};
use crate::app;
use crate::inbox::store::{self as deliveries, Delivery, State};
use crate::order::explain::{self, Story};
use crate::order::store::{self, Filter, Place};
use crate::shop::StoreName;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// List orders, those first that were heard of last
    #[command(after_help = "\
What comes while you page neither hides nor repeats an order.")]
    List {
        /// Only those of guests, who have not claimed their credits
        #[arg(long, conflicts_with = "attention")]
        unclaimed: bool,
        /// Only those that wait for something or that a person should look at
        #[arg(long)]
        attention: bool,
        /// At most so many
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// Go on where this one of the answer before says
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Tell why an order granted what it did: its lines, its credits, what the shop sent
    #[command(after_help = "\
Example:
  nivella-wallet order explain shop 1234")]
    Explain {
        /// The shop
        store: StoreName,
        /// The order's id in the shop
        #[arg(value_parser = shop_number)]
        order: i64,
    },
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    story: Story,
    deliveries: Vec<Delivery>,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::List { unclaimed, attention, limit, cursor } => {
            let filter = match (unclaimed, attention) {
                (true, _) => Filter::Unclaimed,
                (_, true) => Filter::Attention,
                _ => Filter::All,
            };
            list(session, filter, limit, cursor.as_deref())
        }
        Verb::Explain { store, order } => explain(session, &store, order),
    }
}

/// The list's name in its cursors.
const LIST: &str = "orders";

fn list(session: &mut Session<'_>, filter: Filter, limit: i64, cursor: Option<&str>) -> Result<(), Failure> {
    let after = output::begin(LIST, cursor)?.unwrap_or(Place::START);
    let orders = session.read(|tx| store::list(tx, filter, after, limit + 1))?;
    let list = output::cut(LIST, orders, limit, |order| order.place);
    let empty = match filter {
        Filter::All => "no orders yet",
        Filter::Unclaimed => "no order waits to be claimed",
        Filter::Attention => "no order waits for anything",
    };
    session.out.page(&list, empty, |page| {
        let mut rows = Rows::new(&[
            ("STORE", Column::Id),
            ("ORDER", Column::Number),
            ("STATUS", Column::Text),
            ("CREDITS", Column::Number),
            ("BUYER", Column::Text),
            ("CHANGED (UTC)", Column::Id),
            ("NEEDS", Column::Text),
        ]);
        for order in &list.items {
            rows.row([
                order.store.clone(),
                order.order.to_string(),
                order.status.clone(),
                order.credits.to_string(),
                or_dash(order.name.as_ref()),
                minute(order.modified_at),
                or_dash(order.attention.as_ref().or(order.parked.as_ref())),
            ]);
        }
        page.table(&rows);
    })
}

fn explain(session: &mut Session<'_>, name: &StoreName, order: i64) -> Result<(), Failure> {
    let rules = app::rules(&session.config);
    let explained = session.read(|tx| {
        let shop = package::find(tx, name)?;
        let deliveries = deliveries::of_order(tx, shop.id, order)?;
        let story = explain::story(tx, &shop, &rules, order)?;
        match story {
            Some(story) => Ok(Explained { story, deliveries }),
            None if deliveries.is_empty() => {
                Err(Failure::refused(format!("store {name} never told of order {order}"))
                    .with_help("is its webhook set up? `nivella-wallet inbox list` shows what came"))
            }
            None => Err(never_read(name, order, &deliveries)),
        }
    })?;
    session.out.show(&explained, |page| {
        tell(page, &explained.story);
        page.gap();
        page.line(if explained.deliveries.is_empty() {
            "No delivery told of it: the shop was asked."
        } else {
            "What the shop sent:"
        });
        if !explained.deliveries.is_empty() {
            inbox::table(page, &explained.deliveries);
        }
    })
}

/// How many deliveries an error names: the newest say best what is wrong.
const NAMED_MAX: usize = 3;

/// What to say of an order that deliveries name, of which none told what is in it.
fn never_read(name: &StoreName, order: i64, deliveries: &[Delivery]) -> Failure {
    let named: Vec<String> = deliveries
        .iter()
        .rev()
        .take(NAMED_MAX)
        .map(|delivery| {
            let reason = delivery.reason.as_deref().unwrap_or("no reason is known");
            format!("{} ({}, {}): {reason}", delivery.id, delivery.topic, delivery.state.as_str())
        })
        .collect();
    let failed = deliveries.iter().rev().find(|delivery| delivery.state == State::Failed);
    let failure = Failure::refused(format!(
        "store {name} told of order {order}, but what is in it could not be read: {}",
        named.join("; ")
    ));
    match failed {
        Some(failed) => failure.with_help(format!(
            "`nivella-wallet inbox show {}` shows what came; once the cause is gone, `inbox replay` or save the \
             order in the shop",
            failed.id
        )),
        None => failure.with_help("save the order once in the shop: that tells its present state"),
    }
}

fn tell(page: &mut Page, story: &Story) {
    let mut facts = vec![
        ("Order", format!("{} of store {} (number {})", story.order, story.store, story.number)),
        ("Status", story.status.clone()),
        ("It is", story.meaning.to_owned()),
        ("Paid", story.paid_at.map_or_else(|| "-".to_owned(), |at| format!("{} UTC", minute(at)))),
        (
            "Changed",
            format!(
                "{} UTC in the shop, applied {} UTC",
                minute(story.modified_at),
                minute(story.applied_at)
            ),
        ),
        ("Account", or_dash(story.account.as_ref().map(|owner| format!("{} ({})", owner.name, owner.id)))),
    ];
    facts.extend(story.parked.as_ref().map(|reason| ("Waits for", reason.clone())));
    facts.extend(story.attention.as_ref().map(|reason| ("Look at", reason.clone())));
    page.facts(facts);
    page.gap();
    if story.lines.is_empty() {
        page.line("No lines are known of it.");
        return;
    }
    for line in &story.lines {
        let quantity = line.quantity.as_ref().map(|quantity| format!("{quantity} × ")).unwrap_or_default();
        page.line(format!("Line {}: {quantity}{}", line.line, line.name));
        if let Some(worth) = &line.worth {
            page.line(format!("  worth {worth}"));
        }
        page.line(format!("  {}", line.says));
    }
    if story.grants.is_empty() {
        return;
    }
    page.gap();
    let mut rows = Rows::new(&[
        ("GRANT", Column::Id),
        ("LINE", Column::Number),
        ("CREDITS", Column::Number),
        ("SPENT", Column::Number),
        ("TAKEN BACK", Column::Number),
        ("LEFT", Column::Number),
        ("WHERE", Column::Text),
        ("MADE (UTC)", Column::Id),
    ]);
    for grant in &story.grants {
        let places: Vec<&str> =
            grant.sites.iter().map(|site| site.as_ref().map_or("pool", |site| site.as_str())).collect();
        rows.row([
            grant.id.to_string(),
            grant.line.to_string(),
            grant.credits.to_string(),
            grant.spent.to_string(),
            grant.clawed.to_string(),
            if grant.frozen { format!("{} (frozen)", grant.remaining) } else { grant.remaining.to_string() },
            places.join(", "),
            minute(grant.granted_at),
        ]);
    }
    page.table(&rows);
}
