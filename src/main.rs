//! `nivella-wallet`: the daemon and its command line.

use std::io::Write as _;
use std::panic;
use std::process::ExitCode;

fn main() -> ExitCode {
    explain_panics();
    panic::catch_unwind(|| nivella_wallet::cli::main(std::env::args_os())).unwrap_or(ExitCode::FAILURE)
}

/// Tells people what a panic means for them before it tells programmers where it was.
fn explain_panics() {
    let details = panic::take_hook();
    panic::set_hook(Box::new(move |fault| {
        // Standard error may be gone; then there is nobody left to tell.
        let _ = writeln!(
            std::io::stderr().lock(),
            "error: nivella-wallet {} has a fault and had to give up. What it was writing was not written; \
             what it had answered before is kept.\nhelp: please report the following lines",
            env!("CARGO_PKG_VERSION"),
        );
        details(fault);
    }));
}
