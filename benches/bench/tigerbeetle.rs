//! `TigerBeetle`, asked by its own benchmark with one transfer in each request, as an assistant service would.
//!
//! No registry has its server, so it is measured where somebody put it: in `PATH`, or where `TIGERBEETLE` says.

use std::path::Path;
use std::process::Command;

/// Transfers in a second, by as many clients as it is best with.
///
/// # Errors
/// Why it is not measured.
pub(crate) fn transfers(folder: &Path, count: u32) -> Result<f64, String> {
    let program = std::env::var("TIGERBEETLE").unwrap_or_else(|_| "tigerbeetle".to_owned());
    let folder = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
    let done = Command::new(&program)
        .args(["benchmark", "--transfer-batch-size=1", "--clients=32", "--account-count=3000"])
        .arg(format!("--transfer-count={count}"))
        .arg(format!("--file={}", folder.path().join("0_0.tigerbeetle").display()))
        .output()
        .map_err(|_| "no registry has its server, and TIGERBEETLE names none".to_owned())?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if !done.status.success() {
        return Err(format!("its benchmark failed: {}", said.lines().last().unwrap_or_default()));
    }
    let line = said.lines().find_map(|line| line.trim().strip_prefix("load accepted = "));
    line.and_then(|line| line.split_whitespace().next()?.replace(',', "").parse().ok())
        .ok_or_else(|| "its benchmark does not say how fast it was".to_owned())
}
