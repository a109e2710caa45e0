//! `completions`: what a shell needs to complete our commands.

use std::io::Write;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Failure};

#[derive(Args, Debug)]
#[command(after_help = "\
Example, for bash:
  nivella-wallet completions bash > /etc/bash_completion.d/nivella-wallet")]
pub(super) struct Options {
    /// The shell
    shell: Shell,
}

pub(super) fn run(options: &Options, to: &mut dyn Write) -> Result<(), Failure> {
    // The generator panics when its writer fails; a closed pipe must not.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "nivella-wallet", &mut script);
    Ok(to.write_all(&script)?)
}
