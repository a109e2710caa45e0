//! Progress bars, for work that can last longer than two seconds and only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Session;

/// How often a bar without an end moves.
const TICK: Duration = Duration::from_millis(120);

/// A bar towards `total`.
pub(super) fn bar(session: &Session<'_>, what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), target(session));
    styled(bar, what, "{msg} {bar:32} {human_pos}/{human_len} {eta}")
}

/// A counter of work whose end is not known.
pub(super) fn counter(session: &Session<'_>, what: &'static str) -> ProgressBar {
    let counter = ProgressBar::with_draw_target(None, target(session));
    let counter = styled(counter, what, "{spinner} {msg} {human_pos}");
    counter.enable_steady_tick(TICK);
    counter
}

/// Standard error, where indicatif itself draws nothing unless it is a terminal.
fn target(session: &Session<'_>) -> ProgressDrawTarget {
    if session.quiet || session.out.is_json() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}

fn styled(bar: ProgressBar, what: &'static str, template: &str) -> ProgressBar {
    // Without its style it is a plain bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_message(what)
}
