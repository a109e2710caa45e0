//! The product as it is shipped: the release binary, its own commands, real HTTP.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::http::Caller;
use crate::probe::{self, Running};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nivella-wallet");
/// The secret of every store of the bench.
pub(crate) const SECRET: &str = "a-secret-that-only-the-bench-uses";

/// A database with a key that may do everything.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    pub(crate) key: String,
}

impl Database {
    /// Makes one with a store called `bench`, its one package, and a key.
    pub(crate) fn create(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        let mut database = Self { path: path.to_owned(), key: String::new() };
        database.run(&["store", "add", "bench", "--url", "http://127.0.0.1:9", "--webhook-secret", SECRET]);
        database.run(&["package", "set", "--store", "bench", "--product", "10", "--credits", "1000"]);
        let made = database.run(&["key", "create", "--name", "bench", "--scope", "admin"]);
        let start = made.find("nwk_").expect("a key");
        database.key = made[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        database
    }

    /// A copy at `path`, so that what is measured does not change what is kept.
    pub(crate) fn copy(&self, path: &Path) -> Self {
        std::fs::copy(&self.path, path).expect("room for a copy");
        Self { path: path.to_owned(), key: self.key.clone() }
    }

    /// What `--database` and the configuration take.
    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    /// How large it is, with what waits in its write-ahead log.
    pub(crate) fn bytes(&self) -> u64 {
        let wal = PathBuf::from(format!("{}-wal", self.path.display()));
        [&self.path, &wal].iter().filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum()
    }

    /// Runs one of the program's commands on it, which must succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let done = self.command(arguments).output().expect("the program runs");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["--database", &self.url(), "--json"]).args(arguments);
        command
    }

    /// Proves its books: seconds, and KiB of memory at the most.
    pub(crate) fn verify(&self) -> (f64, u64) {
        let start = Instant::now();
        let mut process = self.command(&["verify"]).stdout(Stdio::null()).spawn().expect("the program runs");
        let mut peak = 0;
        let status = loop {
            peak = probe::memory(process.id()).1.max(peak);
            match process.try_wait().expect("its end") {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert!(status.success(), "the books of {} are wrong", self.path.display());
        (start.elapsed().as_secs_f64(), peak)
    }
}

/// The daemon, serving.
pub(crate) struct Daemon {
    process: Running,
    pub(crate) address: SocketAddr,
    pub(crate) database: Database,
}

impl Daemon {
    pub(crate) fn start(database: &Database) -> Self {
        Self::with(database, &[])
    }

    /// With settings as variables of the environment.
    pub(crate) fn with(database: &Database, settings: &[(&str, &str)]) -> Self {
        let process = Command::new(PROGRAM)
            .args(["--database", &database.url(), "-q", "serve", "--listen", "127.0.0.1:0"])
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (process, address) = listening(process);
        Self { process, address, database: database.clone() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::new(self.address, &self.database.key)
    }

    /// Stops it as an operator would, so that one file holds everything.
    pub(crate) fn stop(mut self) -> Database {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(asked.success(), "the daemon takes a signal");
        assert!(self.process.0.wait().expect("its end").success(), "the daemon stops cleanly");
        self.database.clone()
    }
}

/// Waits until a program says where it listens.
pub(crate) fn listening(mut process: std::process::Child) -> (Running, SocketAddr) {
    let output = process.stdout.take().expect("its output");
    let running = Running(process);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on http://").expect("its address");
    (running, address.parse().expect("an address"))
}
