//! Who is told that credits run low, worked out from the books after each step: every crossing by itself, every balance
//! anew. It knows nothing of the program.

use std::sync::atomic::{AtomicU64, Ordering};

use super::books::{Books, Comp, Micro, Ms};

/// How often somebody was told in all walks, and how often later than the level was crossed.
pub(super) static TOLD: AtomicU64 = AtomicU64::new(0);
pub(super) static LATE: AtomicU64 = AtomicU64::new(0);

/// The levels of the standard configuration: their names, and how many percent they are.
const LEVELS: [(&str, i128); 3] = [("credits.low", 20), ("credits.critical", 5), ("credits.empty", 0)];

const GAP: Ms = 72 * 3_600_000;

/// Somebody was told: when, who, where, of what, and what was left.
pub(super) type Told = (Ms, usize, Comp, &'static str, Micro);

/// One level of one compartment.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    crossed: bool,
    crossed_at: Ms,
    owed: bool,
    told: Option<Ms>,
}

/// All compartments that have held credits.
#[derive(Clone, Debug, Default)]
pub(super) struct Alerts {
    watched: Vec<((usize, Comp), [Level; 3])>,
    pub(super) told: Vec<Told>,
}

impl Alerts {
    /// Looks at all compartments.
    pub(super) fn look(&mut self, books: &Books) {
        for account in 0..books.accounts.len() {
            let sites = (0..books.sites.len()).map(Comp::Site);
            for comp in std::iter::once(Comp::Pool).chain(sites) {
                let is_there = books.accounts[account].into.is_none()
                    && match comp {
                        Comp::Pool => true,
                        Comp::Site(site) => books.sites[site].owner == account,
                    };
                self.look_at(books, (account, comp), is_there);
            }
        }
    }

    fn look_at(&mut self, books: &Books, place: (usize, Comp), is_there: bool) {
        let (available, active) = books.compartment(place.0, place.1);
        let (left, whole) = (i128::from(available), i128::from(active));
        // The floor of a percentage is as good as the percentage: balances are whole micro-credits.
        let reached = |percent: i128| left * 100 <= whole * percent;
        let Some((_, levels)) = self.watched.iter_mut().find(|(known, _)| *known == place) else {
            if available > 0 {
                let levels =
                    LEVELS.map(|(_, percent)| Level { crossed: reached(percent), ..Level::default() });
                self.watched.push((place, levels));
            }
            return;
        };
        for (level, (_, percent)) in levels.iter_mut().zip(LEVELS) {
            let is_armed = left * 100 >= whole * (percent + 10);
            if reached(percent) && !level.crossed {
                (level.crossed, level.crossed_at, level.owed) = (true, books.now, is_there);
            } else if !reached(percent) && is_armed {
                (level.crossed, level.owed) = (false, false);
            }
        }
        let Some(deepest) = (0..3).rev().find(|at| reached(LEVELS[*at].1)) else { return };
        for level in &mut levels[..deepest] {
            level.owed = false;
        }
        let level = &mut levels[deepest];
        let waits = level.told.is_some_and(|told| books.now - told < GAP);
        // What had to wait is of no interest to those whom the site, or the whole account, has left meanwhile.
        level.owed &= waits || is_there;
        if level.owed && !waits {
            (level.owed, level.told) = (false, Some(books.now));
            if level.crossed_at < books.now {
                LATE.fetch_add(1, Ordering::Relaxed);
            }
            TOLD.fetch_add(1, Ordering::Relaxed);
            self.told.push((books.now, place.0, place.1, LEVELS[deepest].0, available));
        }
    }
}
