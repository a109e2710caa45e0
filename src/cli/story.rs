//! How the story of an order is told to people.

use super::inbox;
use super::output::{Column, Page, Rows, minute, or_dash};
use crate::order::explain::{EntryStory, LineStory, Story};
use crate::time::Timestamp;

pub(super) fn tell(page: &mut Page, story: &Story) {
    facts(page, story);
    if !story.missing.is_empty() {
        page.gap();
        page.line("What is missing, and what to do:");
        for missing in &story.missing {
            page.line(format!("- {}", missing.what));
            page.line(format!("  → {}", missing.remedy));
        }
    }
    page.gap();
    if story.lines.is_empty() {
        page.line("No lines are known of it.");
    }
    for line in &story.lines {
        tell_line(page, line);
    }
    if !story.grants.is_empty() {
        page.gap();
        grants(page, story);
    }
    if !story.entries.is_empty() {
        page.gap();
        page.line("What became of its credits:");
        for entry in &story.entries {
            page.line(format!("  {}", moved(story, entry)));
        }
    }
    page.gap();
    if story.deliveries.is_empty() {
        page.line("No delivery told of it: the shop was asked.");
    } else {
        page.line("What the shop sent:");
        inbox::table(page, &story.deliveries);
    }
    if let Some(at) = story.confirmed_at {
        page.line(format!("The shop itself was asked {} UTC and showed this state.", minute(at)));
    }
}

fn facts(page: &mut Page, story: &Story) {
    let mut facts = vec![
        ("Order", format!("{} of store {} (number {})", story.order, story.store, story.number)),
        ("In short", story.summary.clone()),
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
        ("Buyer", or_dash(story.buyer.as_ref())),
        ("Account", or_dash(story.account.as_ref().map(|owner| format!("{} ({})", owner.name, owner.id)))),
    ];
    if let Some(assigned) = &story.assigned {
        let at = |at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(", {} UTC", minute(at)));
        if let Some(place) = &assigned.place {
            facts.push(("Assigned", format!("to {place} by hand{}", at(assigned.place_at))));
        }
        if assigned.account_at.is_some() {
            facts.push(("Assigned", format!("to this account by hand{}", at(assigned.account_at))));
        }
    }
    facts.extend(story.parked.as_ref().map(|reason| ("Waits for", reason.clone())));
    facts.extend(story.attention.as_ref().map(|reason| ("Look at", reason.clone())));
    page.facts(facts);
}

fn tell_line(page: &mut Page, line: &LineStory) {
    let quantity = line.quantity.as_ref().map(|quantity| format!("{quantity} × ")).unwrap_or_default();
    let total = line.total.as_ref().map(|total| format!(", {total} without tax")).unwrap_or_default();
    page.line(format!("Line {}: {quantity}{}{total}", line.line, line.name));
    if let Some(worth) = &line.worth {
        page.line(format!("  worth {worth}"));
    }
    if let Some(arithmetic) = &line.arithmetic {
        page.line(format!("  {arithmetic}"));
    }
    if let Some(site) = &line.site {
        page.line(format!("  goes to {}: {}", site.compartment, site.why));
    }
    page.line(format!("  {}", line.says));
}

fn moved(story: &Story, entry: &EntryStory) -> String {
    let others = story.account.as_ref().is_some_and(|owner| owner.id != entry.account);
    let whose = if others { format!(" [account {}]", entry.account) } else { String::new() };
    // A sum has no time of its own.
    let at = entry.at.map_or_else(|| "since then".to_owned(), minute);
    format!("{at:16}  line {}: {}{whose}", entry.line, entry.says)
}

fn grants(page: &mut Page, story: &Story) {
    let mut rows = Rows::new(&[
        ("GRANT", Column::Id),
        ("LINE", Column::Number),
        ("CREDITS", Column::Number),
        ("SPENT", Column::Number),
        ("TAKEN BACK", Column::Number),
        ("EXPIRED", Column::Number),
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
            grant.expired.to_string(),
            if grant.frozen { format!("{} (frozen)", grant.remaining) } else { grant.remaining.to_string() },
            places.join(", "),
            minute(grant.granted_at),
        ]);
    }
    page.table(&rows);
}
