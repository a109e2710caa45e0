//! How long the credits last. Pure: no database, no clock.
//!
//! A plain estimate from the last 28 full days, without those before the first use: of the daily averages of
//! every seven days in a row it goes on with the median, at most with the upper quartile, at least with the
//! lower one. Seven days, because many rest on weekends. With fewer than seven days of use nothing is said.
//! A plan's credits are used first and come again when
//! they do; what else will expire is not looked at.

use super::page::Runway;
use crate::units::Credits;

/// How many full days are looked at.
pub const DAYS: usize = 28;

/// On how many of them something must have been used.
const USED_DAYS_MIN: usize = 7;

/// How many days in a row make an average.
const WEEK: usize = 7;

/// Further ahead nothing is said.
pub const DAYS_MAX: u32 = 365;

/// What is there to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// What the present period of the plans has left.
    pub recurring: Credits,
    /// The rest.
    pub top_up: Credits,
    /// The plans' next period, if there is one.
    pub renewal: Option<Renewal>,
}

/// When a plan's credits come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// In so many days.
    pub in_days: u32,
    /// And every so many days after that; at least 1.
    pub every_days: u32,
    /// So many.
    pub credits: Credits,
}

/// For how many days `supply` lasts after days on which so many micro-credits were `used`, oldest first.
///
/// `None` when that cannot be said: too little was used, in most weeks nothing, or what comes again is enough.
#[must_use]
pub fn runway(supply: &Supply, used: &[i64]) -> Option<Runway> {
    let used = &used[used.len().saturating_sub(DAYS)..];
    let used: Vec<i64> = used.iter().map(|used| (*used).max(0)).skip_while(|used| *used == 0).collect();
    if used.iter().filter(|used| **used > 0).count() < USED_DAYS_MIN {
        return None;
    }
    let mut averages: Vec<i64> = used.windows(WEEK).map(|week| week.iter().sum::<i64>() / 7).collect();
    averages.sort_unstable();
    let quartile = |quarters: usize| averages[(averages.len() - 1) * quarters / 4];
    let median = quartile(2);
    if median == 0 {
        return None;
    }
    let most_likely = lasts(supply, median);
    if most_likely > DAYS_MAX && supply.renewal.is_some() {
        return None;
    }
    let [days, low, high] =
        [most_likely, lasts(supply, quartile(3)), lasts(supply, quartile(1))].map(|days| days.min(DAYS_MAX));
    Some(Runway { days, low, high })
}

/// How many whole days it lasts if `daily` is used on each; more than [`DAYS_MAX`] is that many and one.
fn lasts(supply: &Supply, daily: i64) -> u32 {
    let (mut recurring, mut top_up) = (supply.recurring.micro(), supply.top_up.micro());
    for day in 0..=DAYS_MAX {
        if let Some(renewal) = supply.renewal
            && day >= renewal.in_days
            && (day - renewal.in_days).is_multiple_of(renewal.every_days.max(1))
        {
            recurring = renewal.credits.micro();
        }
        let of_plan = recurring.min(daily);
        recurring -= of_plan;
        top_up -= daily - of_plan;
        if top_up < 0 {
            return day;
        }
    }
    DAYS_MAX + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credits(text: &str) -> Credits {
        text.parse().unwrap()
    }

    /// What there is, days on which so many credits were used, what is said.
    type Row = (&'static str, &'static [(usize, i64)], Option<(u32, u32, u32)>);

    /// Days on which so many credits were used.
    fn days(groups: &[(usize, i64)]) -> Vec<i64> {
        groups.iter().flat_map(|(days, used)| std::iter::repeat_n(used * 1_000_000, *days)).collect()
    }

    fn said(supply: &Supply, used: &[(usize, i64)]) -> Option<(u32, u32, u32)> {
        runway(supply, &days(used)).map(|found| (found.days, found.low, found.high))
    }

    #[test]
    fn what_is_left_lasts_as_long_as_the_last_weeks_say() {
        let table: &[Row] = &[
            ("120", &[(28, 10)], Some((12, 12, 12))),
            ("129.999999", &[(28, 10)], Some((12, 12, 12))),
            // A quarter of the days 5, half of them 10, a quarter 20.
            ("120", &[(8, 5), (12, 10), (8, 20)], Some((12, 9, 15))),
            // Of older days only 28 count, and not those before the first use.
            ("120", &[(10, 1000), (28, 10)], Some((12, 12, 12))),
            ("120", &[(21, 0), (7, 10)], Some((12, 12, 12))),
            // Nothing on weekends.
            (
                "120",
                &[(5, 10), (2, 0), (5, 10), (2, 0), (5, 10), (2, 0), (5, 10), (2, 0)],
                Some((16, 16, 16)),
            ),
            // Nothing lately: it may last longer.
            ("120", &[(18, 10), (10, 0)], Some((12, 12, 42))),
            ("0", &[(28, 10)], Some((0, 0, 0))),
            ("5", &[(28, 10)], Some((0, 0, 0))),
            ("1000000", &[(28, 1)], Some((365, 365, 365))),
            // Too little to say anything.
            ("120", &[], None),
            ("120", &[(28, 0)], None),
            ("120", &[(6, 10)], None),
            ("120", &[(7, 10), (21, 0)], None),
        ];
        for (available, used, expected) in table {
            let supply = Supply { top_up: credits(available), ..Supply::default() };
            assert_eq!(said(&supply, used), *expected, "{available} after {used:?}");
        }
    }

    #[test]
    fn what_comes_again_lengthens_it_and_may_have_no_end() {
        let renewal = |in_days, every_days, amount| Renewal { in_days, every_days, credits: credits(amount) };
        for (recurring, top_up, renewal, expected) in [
            // 10 a day. 3 days of the plan, 2 of the rest, and then 30 days with 20 days' worth.
            ("30", "20", renewal(5, 30, "200"), Some((25, 25, 25))),
            // What is left of a period is gone when the next one begins.
            ("500", "0", renewal(5, 30, "200"), Some((25, 25, 25))),
            // The plan alone is enough, or is not quite.
            ("50", "0", renewal(5, 30, "300"), None),
            ("50", "20", renewal(5, 30, "290"), Some((94, 94, 94))),
            // There is nothing until it comes.
            ("0", "0", renewal(5, 30, "300"), Some((0, 0, 0))),
        ] {
            let supply =
                Supply { recurring: credits(recurring), top_up: credits(top_up), renewal: Some(renewal) };
            assert_eq!(said(&supply, &[(28, 10)]), expected, "{recurring} and {top_up}, {renewal:?}");
        }
    }
}
