//! `wallet explain`, `wallet balance` and `wallet usage`: what a number is made of, what it was, and where it went.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::output::{Column, Rows, minute, or_dash};
use super::wallet::{LINES_MAX, open};
use super::{Failure, Session};
use crate::app;
use crate::feed::usage::{self, By, Group};
use crate::feed::{cursor, explain, past};
use crate::site::WalletRef;
use crate::time::Timestamp;
use crate::units::Delta;

pub(super) const EXPLAIN_HELP: &str = "\
The movements of all pages together are what is available. Those at the top are what is there and
cannot be spent now; the others are the books, newest first.

Example:
  nivella-wallet wallet explain site:site-123";

pub(super) const BALANCE_HELP: &str = "\
All that was booked for that instant is in it, also what was written later, like an expiry.

Example:
  nivella-wallet wallet balance account:shop:customer:17 --at 2026-11-01";

pub(super) const USAGE_HELP: &str = "\
Less what was given back. Days, weeks from Monday and months are those of UTC.

Examples:
  nivella-wallet wallet usage site:site-123 --group action
  nivella-wallet wallet usage account:shop:customer:17 --group site --by month --from 2026-01-01";

#[derive(Args, Debug)]
pub(super) struct Explained {
    /// Which: site:ID or account:ACC
    #[arg(value_name = "WALLET")]
    wallet: WalletRef,
    /// At most so many lines
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=LINES_MAX))]
    limit: u32,
    /// Go on after the lines shown before: their `next_cursor`
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Past {
    /// Which: site:ID or account:ACC
    #[arg(value_name = "WALLET")]
    wallet: WalletRef,
    /// When, like 2026-11-01 or 2026-11-01T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

#[derive(Args, Debug)]
pub(super) struct Used {
    /// Which: site:ID or account:ACC
    #[arg(value_name = "WALLET")]
    wallet: WalletRef,
    /// Told apart by what
    #[arg(long, value_parser = PossibleValuesParser::new(Group::ALL.map(Group::as_str)))]
    group: Option<String>,
    /// A sum for each
    #[arg(long, default_value = "day", value_parser = PossibleValuesParser::new(["day", "week", "month"]))]
    by: String,
    /// Not before this time, like 2026-11-01 [default: 30 days before the end]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time [default: the end of today]
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

impl From<past::Error> for Failure {
    fn from(error: past::Error) -> Self {
        match error {
            past::Error::Future(_) => Self::usage(error.to_string()),
            past::Error::Database(cause) => cause.into(),
        }
    }
}

impl From<usage::Error> for Failure {
    fn from(error: usage::Error) -> Self {
        match error {
            usage::Error::EmptyRange | usage::Error::TooMany => Self::usage(error.to_string()),
            usage::Error::Database(cause) => cause.into(),
        }
    }
}

pub(super) fn explained(session: &mut Session<'_>, asked: &Explained) -> Result<(), Failure> {
    let Explained { wallet: named, limit, cursor } = asked;
    let at = cursor.as_deref().map(explain::begin).transpose();
    let at = at.map_err(|wrong: cursor::NotACursor| Failure::usage(wrong.to_string()))?;
    let settings = app::feed_settings(&session.config);
    let (list, available) = session.read(|tx| {
        let wallet = open(tx, named)?;
        let list = explain::available(tx, &wallet, at, true, *limit as usize)?;
        Ok::<_, Failure>((list, wallet.numbers(tx, &settings)?.available))
    })?;
    let is_all = at.is_none() && list.next_cursor.is_none();
    session.out.page(&list, "nothing has happened yet", |page| {
        let mut rows = Rows::new(&[
            ("AT (UTC)", Column::Id),
            ("KIND", Column::Text),
            ("WHAT", Column::Text),
            ("CREDITS", Column::Number),
            ("GRANT", Column::Id),
            ("ORDER", Column::Text),
            ("WHY", Column::Text),
        ]);
        for item in &list.items {
            rows.row([
                minute(item.at),
                item.kind.clone(),
                item.label.clone(),
                item.credits.signed(),
                or_dash(item.grant.as_ref()),
                or_dash(item.order.as_ref()),
                or_dash(item.reason.as_ref()),
            ]);
        }
        page.table(&rows);
        page.gap();
        let available = available.in_words();
        page.line(if is_all {
            format!("together {available}, which is what is available")
        } else {
            format!("{available} are available, which is what all pages add up to")
        });
    })
}

pub(super) fn balance(session: &mut Session<'_>, asked: &Past) -> Result<(), Failure> {
    let settings = app::feed_settings(&session.config);
    let balance = session.read(|tx| {
        let wallet = open(tx, &asked.wallet)?;
        let at = asked.at.unwrap_or(tx.now());
        Ok::<_, Failure>(past::balance(tx, &wallet, &settings, at)?)
    })?;
    session.out.show(&balance, |page| {
        let mut facts = vec![
            ("Wallet", balance.wallet.clone()),
            ("At", format!("{} UTC", minute(balance.as_of))),
            ("Available", format!("{} {}", balance.available, balance.unit)),
        ];
        for (name, credits) in [("Held", balance.held), ("Frozen", balance.frozen), ("Owed", balance.debt)] {
            if !credits.is_zero() {
                facts.push((name, credits.to_string()));
            }
        }
        facts.push(("Recurring", balance.recurring.balance.to_string()));
        facts.push(("Top-up", balance.top_up.balance.to_string()));
        page.facts(facts);
    })
}

pub(super) fn used(session: &mut Session<'_>, asked: &Used) -> Result<(), Failure> {
    let by = By::named(&asked.by).unwrap_or_default();
    let group = asked.group.as_deref().and_then(Group::named);
    let sums = session.read(|tx| {
        let wallet = open(tx, &asked.wallet)?;
        let query = usage::Query::new(tx.now(), asked.from, asked.to, by, group)?;
        Ok::<_, Failure>(usage::sums(tx, &wallet, &query)?)
    })?;
    session.out.list(&sums, "nothing was used in that time", |page| {
        let name = match group {
            None => "USED",
            Some(Group::Action) => "ACTION",
            Some(Group::Site) => "SITE",
            Some(Group::Agent) => "ASSISTANT",
        };
        let mut rows = Rows::new(&[
            ("FROM (UTC)", Column::Id),
            ("TO (UTC)", Column::Id),
            (name, Column::Text),
            ("CREDITS", Column::Number),
        ]);
        for sum in &sums {
            let of = sum.of.as_ref().and_then(|(_, name)| name.as_ref());
            rows.row([minute(sum.from), minute(sum.to), or_dash(of), sum.credits.to_string()]);
        }
        if group.is_none() {
            rows.leave_out(&[name], "-");
        }
        page.table(&rows);
        let total = sums.iter().map(|sum| sum.credits.micro()).fold(0_i64, i64::saturating_add);
        page.gap();
        page.line(format!("together {}", Delta::from_micro(total)));
    })
}
