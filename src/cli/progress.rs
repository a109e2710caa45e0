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

/// Shows how far work is whose end may be known by now.
pub(super) fn follow(bar: &ProgressBar, doing: &'static str, done: u64, total: Option<u64>) {
    if let (Some(total), None) = (total, bar.length()) {
        bar.set_length(total);
        bar.set_style(style("{msg} {bar:32} {human_pos}/{human_len} {eta}"));
    } else if let (None, Some(_)) = (total, bar.length()) {
        bar.unset_length();
        bar.set_style(style("{spinner} {msg} {human_pos}"));
    }
    bar.set_message(doing);
    bar.set_position(done);
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
    bar.set_style(style(template));
    bar.with_message(what)
}

/// Without its style it is a plain bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
