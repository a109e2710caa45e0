//! `demo`: see all of it work.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::values::listen_address;
use crate::config::Config;
use crate::demo::{self, Then};

#[derive(Args, Debug)]
#[command(after_help = "\
Everything happens in a temporary folder that is gone afterwards; your own database is not
touched.")]
pub(super) struct Options {
    /// End after printing what happened, instead of going on to serve
    #[arg(long)]
    once: bool,
    /// Where the recorded deliveries are [default: fixtures/woocommerce of this project]
    #[arg(long, value_name = "FOLDER")]
    recordings: Option<PathBuf>,
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = listen_address)]
    pub(super) listen: SocketAddr,
}

pub(super) fn run(options: Options, config: Config, mut to: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let Options { once, recordings, listen: _ } = options;
    let then = if once { Then::Stop } else { Then::Serve };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(demo::run(config, recordings.as_deref(), then, &mut to))?)
}
