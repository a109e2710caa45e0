//! `TigerBeetle`, asked by its own benchmark with one transfer in each request, as an assistant service would.
//!
//! No registry has its server, so it is measured where somebody put it: in `PATH`, or where `TIGERBEETLE` says.

use std::path::Path;
use std::process::Command;

/// Transfers in a second, by 32 clients.
///
/// # Errors
/// Why it is not measured.
pub(crate) fn transfers(folder: &Path, count: u32) -> Result<f64, String> {
    let program = std::env::var("TIGERBEETLE").unwrap_or_else(|_| "tigerbeetle".to_owned());
    let folder = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
    let mut said = String::new();
    // Its releases call the same option differently.
    for one_each in ["--transfer-batch-count=1", "--transfer-batch-size=1"] {
        let done = Command::new(&program)
            .args(["benchmark", one_each, "--clients=32", "--account-count=3000", "--query-count=0"])
            .arg(format!("--transfer-count={count}"))
            .current_dir(folder.path())
            .output()
            .map_err(|_| "no registry has its server, and TIGERBEETLE names none".to_owned())?;
        said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        let line = said.lines().find_map(|line| line.trim().strip_prefix("load accepted = "));
        if let Some(rate) =
            line.and_then(|line| line.split_whitespace().next()?.replace(',', "").parse().ok())
        {
            return Ok(rate);
        }
    }
    Err(format!("its benchmark does not say how fast it was: {}", said.lines().last().unwrap_or_default()))
}
