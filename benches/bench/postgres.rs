//! PostgreSQL, with the same steps in a function of its own and the same promise: an answered debit survives a power
//! cut. `pgbench` asks, with prepared statements.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use postgres::{Client, NoTls};

use crate::probe::Running;
use crate::talks::DEBIT_MICRO;

/// A server of our own; it is gone with this.
pub(crate) struct Postgres {
    bin: PathBuf,
    port: u16,
    sites: usize,
    script: PathBuf,
    answered: u64,
    _folder: tempfile::TempDir,
    _server: Running,
}

impl Postgres {
    /// Starts one in a new folder in `folder`.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn start(folder: &Path, sites: usize) -> Result<Self, String> {
        let bin = newest()?;
        let folder = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
        let data = folder.path().join("data");
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|this| owner(&this) == 0);
        if is_root {
            // PostgreSQL refuses to run as root.
            let done = Command::new("chown").arg("postgres").arg(folder.path()).status();
            done.ok().filter(std::process::ExitStatus::success).ok_or("chown to postgres failed")?;
        }
        let run = |program: &str| {
            let path = bin.join(program);
            if !is_root {
                return Command::new(path);
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]).arg(path);
            command
        };
        let made = run("initdb")
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
            .current_dir(folder.path())
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        let port = free_port();
        let mut command = run("postgres");
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        // Full durability; memory and log enough for the run, so that no checkpoint falls into it.
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "shared_buffers=1GB",
            "max_wal_size=8GB",
            "checkpoint_timeout=30min",
            "max_connections=200",
        ] {
            command.args(["-c", setting]);
        }
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(folder.path()).spawn();
        let server = Running(server.map_err(|error| error.to_string())?);
        let mut client = connect(port)?;
        fill(&mut client, sites).map_err(|error| error.to_string())?;
        let script = folder.path().join("debit.pgbench");
        std::fs::write(&script, script_of(sites)).map_err(|error| error.to_string())?;
        Ok(Self { bin, port, sites, script, answered: 0, _folder: folder, _server: server })
    }

    /// Debits in a second with so many clients.
    pub(crate) fn debits(&mut self, clients: usize, time: Duration) -> f64 {
        let seconds = time.as_secs().max(2).to_string();
        let done = Command::new(self.bin.join("pgbench"))
            .args(["-n", "-M", "prepared", "-j", "1", "-c", &clients.to_string(), "-T", &seconds])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-f"])
            .arg(&self.script)
            .arg("postgres")
            .output()
            .expect("pgbench runs");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "pgbench: {}", String::from_utf8_lossy(&done.stderr));
        let number = |name: &str| -> Option<f64> {
            said.lines()
                .find_map(|line| line.strip_prefix(name))?
                .trim()
                .split([' ', '/'])
                .next()?
                .parse()
                .ok()
        };
        self.answered += number("number of transactions actually processed:").expect("pgbench counts") as u64;
        // It says no rate when there was time for none.
        number("tps =").unwrap_or(0.0)
    }

    /// Proves that every debit that was answered is in the books once.
    pub(crate) fn prove(&self) {
        let mut client = connect(self.port).expect("PostgreSQL answers");
        let sums = "SELECT (SELECT count(*) FROM debit), (SELECT count(*) FROM idempotency),
                           (SELECT sum(amount)::bigint FROM entry), (SELECT sum(remaining)::bigint FROM slice)";
        let row = client.query_one(sums, &[]).expect("PostgreSQL answers");
        let (debits, keys, spent, left): (i64, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        assert_eq!((debits, keys), (self.answered as i64, self.answered as i64), "PostgreSQL's debits");
        assert_eq!((spent, spent + left), (debits * DEBIT_MICRO, self.sites as i64 * 3 * GRANT), "its books");
    }
}

/// Micro-credits of each of the three grants of a site.
const GRANT: i64 = 1_000_000_000_000;

/// The owner of a file, as the kernel numbers users.
fn owner(file: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(file)
}

/// The newest one installed; Debian keeps its tools out of PATH.
fn newest() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").map_err(|_| "PostgreSQL is not installed")?;
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let found = versions.filter(|bin| bin.join("initdb").is_file() && bin.join("pgbench").is_file()).max();
    found.ok_or_else(|| "PostgreSQL is not installed".to_owned())
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

fn connect(port: u16) -> Result<Client, String> {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let mut failed = String::new();
    for _ in 0..200 {
        match Client::connect(&url, NoTls) {
            Ok(client) => return Ok(client),
            Err(error) => failed = error.to_string(),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("PostgreSQL did not start: {failed}"))
}

fn fill(client: &mut Client, sites: usize) -> Result<(), postgres::Error> {
    client.batch_execute(include_str!("postgres.sql"))?;
    client.batch_execute(&format!(
        "INSERT INTO account (site) SELECT 'site-' || n FROM generate_series(1, {sites}) n;
         INSERT INTO slice SELECT 'site-' || n, g, 20, NULL, 0, {GRANT}
             FROM generate_series(1, {sites}) n, generate_series(1, 3) g;
         INSERT INTO spending_limit SELECT 'site-' || n, per, {GRANT}
             FROM generate_series(1, {sites}) n, unnest(ARRAY['day', 'month']) per"
    ))?;
    client.batch_execute("VACUUM ANALYZE")
}

fn script_of(sites: usize) -> String {
    format!(
        "\\set site random(1, {sites})\n\\set key random(1, 9000000000000000000)\n\
         SELECT debit('bench-' || :key, 'site-' || :site, 'helper', {DEBIT_MICRO}, 'Answered a visitor question');\n"
    )
}
