//! Logs: lines on standard error, for people or for programs.
//!
//! A line reads alone and carries its values as fields too. It never holds a body, a key, an address of a
//! person or a query string.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{Log, LogFormat, LogLevel};

impl LogLevel {
    /// All of them, each louder than the one before.
    const ALL: [Self; 6] = [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The level so many steps louder (`-v`) or, below zero, quieter (`-q`).
    #[must_use]
    pub fn louder(self, steps: i8) -> Self {
        let now = Self::ALL.iter().position(|level| *level == self).unwrap_or_default();
        let then = now.saturating_add_signed(steps.into());
        *Self::ALL.get(then).unwrap_or(&Self::Trace)
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// Starts logging, `louder` steps louder than `log` says. Once per process.
///
/// Libraries are heard from `warn` on only, whatever is asked of the daemon itself.
///
/// # Errors
/// When it was started before.
pub fn start(log: &Log, louder: i8) -> Result<(), TryInitError> {
    let level = log.level.louder(louder).filter();
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Human => lines
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_get_louder_and_quieter_and_stop_at_the_ends() {
        for (level, steps, then) in [
            (LogLevel::Info, 0, LogLevel::Info),
            (LogLevel::Info, 1, LogLevel::Debug),
            (LogLevel::Info, 9, LogLevel::Trace),
            (LogLevel::Info, -1, LogLevel::Warn),
            (LogLevel::Info, -128, LogLevel::Off),
        ] {
            assert_eq!(level.louder(steps), then, "{level:?} {steps:+}");
        }
    }
}
