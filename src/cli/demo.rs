//! `demo`: see it work, with recorded orders of a real shop.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::config::Config;
use crate::demo::{self, Then};

#[derive(Args, Debug)]
#[command(after_help = "\
It works in a temporary folder and touches no other data. With --once it ends after printing;
otherwise it keeps serving, so that the links can be followed, until Ctrl-C.")]
pub(super) struct Options {
    /// End after printing what each delivery did
    #[arg(long)]
    once: bool,
    /// Where to listen; by default a free port of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// The folder of the recorded deliveries [default: fixtures/woocommerce, here or where it was built]
    #[arg(long, value_name = "FOLDER")]
    recordings: Option<PathBuf>,
}

pub(super) fn run(options: &Options, config: Config, out: &mut dyn Write) -> Result<(), Failure> {
    let then = if options.once { Then::Stop } else { Then::Serve };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime
        .block_on(demo::run(config, options.recordings.as_deref(), then, out))
        .map_err(|error| Failure::refused(format!("{error:#}")))
}
