//! What the kernel knows about a process: processor time, memory, bytes for the disk.

use std::process::Child;

/// The counters of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Processor time, in microseconds.
    pub(crate) cpu_us: u64,
    /// Bytes that it made the kernel write to the disk.
    pub(crate) written: u64,
}

/// The counters of a process; nothing, if it may not be looked at.
pub(crate) fn counters(pid: u32) -> Counters {
    of(pid).unwrap_or_default()
}

fn of(pid: u32) -> Option<Counters> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    Some(Counters { cpu_us: ticks * TICK_US, written: line(&io, "write_bytes:").unwrap_or(0) })
}

/// The kernel counts in hundredths of a second.
const TICK_US: u64 = 10_000;

/// Resident memory of a process in KiB: now, and at its highest.
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    (line(&status, "VmRSS:").unwrap_or(0), line(&status, "VmHWM:").unwrap_or(0))
}

fn line(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// A process that ends with what holds it.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
