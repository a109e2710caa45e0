//! `nivella-wallet`: the daemon and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    nivella_wallet::cli::main(std::env::args_os())
}
