//! `verify`: proves the books.

use clap::Args;

use super::output::{Column, Rows, count};
use super::{Failure, Session, progress};
use crate::ledger::audit;

#[derive(Args, Debug)]
#[command(after_help = "\
It reads only, and may run while the daemon serves. Exit status 1 if anything does not add up.")]
pub(super) struct Options {}

pub(super) fn run(_: Options, session: &mut Session<'_>) -> Result<(), Failure> {
    let db = session.existing()?;
    let counter = progress::counter(session, "entries proved");
    let report = audit::verify(&db, |entries| counter.set_position(entries))?;
    counter.finish_and_clear();
    session.out.show(&report, |page| {
        if let Some(first) = report.faults.first() {
            page.line(format!("the first broken row: {} ({})", first.row, first.rule));
            page.gap();
            let mut rows =
                Rows::new(&[("RULE", Column::Id), ("ROW", Column::Text), ("WHAT IS WRONG", Column::Text)]);
            for fault in &report.faults {
                rows.row([fault.rule.to_owned(), fault.row.clone(), fault.detail.clone()]);
            }
            page.table(&rows);
            page.gap();
        }
        let walked = format!(
            "{} and {}",
            count(report.accounts, "account", "accounts"),
            count(report.entries, "entry", "entries")
        );
        match report.faults.len() {
            0 => page.line(format!("the books are right: {walked} proved")),
            audit::FAULTS_MAX => {
                page.line(format!("{} faults or more in {walked}", audit::FAULTS_MAX));
            }
            faults => {
                page.line(format!("{} in {walked}", count(faults as u64, "fault", "faults")));
            }
        }
    })?;
    if report.faults.is_empty() { Ok(()) } else { Err(Failure::fault_shown()) }
}
