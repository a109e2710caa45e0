//! `serve`: the daemon.

use std::net::SocketAddr;

use clap::Args;

use super::Failure;
use super::values::listen_address;
use crate::app;
use crate::config::Config;

#[derive(Args, Debug)]
#[command(after_help = "\
It prints `listening on http://…` once it takes requests. On SIGTERM or SIGINT it finishes what it
had accepted, then ends.")]
pub(super) struct Options {
    /// Where to listen, like 127.0.0.1:8080; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    pub(super) listen: Option<SocketAddr>,
}

pub(super) fn run(config: Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(app::serve(config))?)
}
