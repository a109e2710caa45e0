//! Redis with an append-only file that is synced before each answer, and the same steps in a script.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nivella_wallet::time::{Clock, DAY_MS, HOUR_MS};

use crate::load::{self, Load, Talk, Time};
use crate::postgres::free_port;
use crate::probe::Running;
use crate::talks::{DEBIT_MICRO, Dice};

/// A server of our own; it is gone with this.
pub(crate) struct Redis {
    address: SocketAddr,
    sites: usize,
    script: String,
    sent: Rc<Cell<u64>>,
    _folder: tempfile::TempDir,
    _server: Running,
}

impl Redis {
    /// Starts one in a new folder in `folder`.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn start(folder: &Path, sites: usize) -> Result<Self, String> {
        let folder = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
        let port = free_port();
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|_| "redis-server is not installed".to_owned())?;
        let server = Running(server);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut redis = Self {
            address,
            sites,
            script: String::new(),
            sent: Rc::default(),
            _folder: folder,
            _server: server,
        };
        redis.fill()?;
        Ok(redis)
    }

    fn fill(&mut self) -> Result<(), String> {
        let mut stream = None;
        for _ in 0..100 {
            stream = TcpStream::connect(self.address).ok();
            if stream.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut stream = stream.ok_or("Redis did not start")?;
        for site in 1..=self.sites {
            let site = format!("site-{site}");
            let (wallet, order, grants) = (format!("w:{site}"), format!("b:{site}"), format!("g:{site}"));
            let (much, limit) = (GRANT.to_string(), GRANT.to_string());
            let head = ["HSET", &wallet, "frozen", "0", "seq", "0", "hash", "", "limit_day", &limit];
            call(&mut stream, &[&head[..], &["limit_month", &limit]].concat());
            call(&mut stream, &["ZADD", &order, "20", "1", "20", "2", "20", "3"]);
            call(&mut stream, &["HSET", &grants, "1", &much, "2", &much, "3", &much]);
        }
        let named = call(&mut stream, &["SCRIPT", "LOAD", include_str!("redis.lua")]);
        bulk(&named).expect("the script's name").clone_into(&mut self.script);
        Ok(())
    }

    /// Debits over all sites by so many clients.
    pub(crate) fn debits(&self, clients: usize, time: Time) -> Load {
        let one = |client| Debits {
            sites: self.sites,
            script: self.script.clone(),
            sent: Rc::clone(&self.sent),
            dice: Dice::new(self.sent.get() + client as u64 + 1),
        };
        load::closed(self.address, (0..clients).map(one).collect(), time)
    }

    /// Proves that every debit that was answered is in the books once.
    pub(crate) fn prove(&self) {
        let mut stream = TcpStream::connect(self.address).expect("Redis answers");
        let (mut entries, mut left) = (0_i64, 0_i64);
        for site in 1..=self.sites {
            entries += call(&mut stream, &["LLEN", &format!("e:site-{site}")])
                .trim_start_matches(':')
                .trim()
                .parse::<i64>()
                .expect("a number");
            for grant in ["1", "2", "3"] {
                let has = call(&mut stream, &["HGET", &format!("g:site-{site}"), grant]);
                left += bulk(&has).expect("a number").parse::<i64>().expect("a number");
            }
        }
        let sent = i64::try_from(self.sent.get()).expect("small");
        assert_eq!(entries, sent, "Redis has an entry for each answer");
        assert_eq!(left, self.sites as i64 * 3 * GRANT - sent * DEBIT_MICRO, "the books of Redis");
    }
}

/// Micro-credits of each of the three grants of a site; Redis' numbers are exact up to 2^53.
const GRANT: i64 = 1_000_000_000_000;

/// Puts a command into `out`.
fn command(out: &mut Vec<u8>, words: &[&str]) {
    write!(out, "*{}\r\n", words.len()).expect("memory");
    for word in words {
        write!(out, "${}\r\n{word}\r\n", word.len()).expect("memory");
    }
}

/// How long the reply at the front of `input` is, if it is there as a whole: a line, or a text of a given length.
fn whole(input: &[u8]) -> Option<usize> {
    let line = input.windows(2).position(|pair| pair == b"\r\n")?;
    if input[0] != b'$' {
        return Some(line + 2);
    }
    let length: usize = std::str::from_utf8(&input[1..line]).ok()?.parse().expect("a length");
    Some(line + 2 + length + 2).filter(|whole| *whole <= input.len())
}

/// Sends one command and waits for its reply.
fn call(stream: &mut TcpStream, words: &[&str]) -> String {
    let mut out = Vec::new();
    command(&mut out, words);
    stream.write_all(&out).expect("Redis answers");
    let mut input = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).expect("Redis answers");
        assert!(read > 0, "Redis hung up");
        input.extend_from_slice(&part[..read]);
        if let Some(length) = whole(&input) {
            let text = String::from_utf8_lossy(&input[..length]).into_owned();
            assert!(!text.starts_with('-'), "Redis refuses: {text}");
            assert_eq!(length, input.len(), "one reply for one command");
            return text;
        }
    }
}

/// The text of a reply.
fn bulk(reply: &str) -> Option<&str> {
    reply.split("\r\n").nth(1)
}

struct Debits {
    sites: usize,
    script: String,
    sent: Rc<Cell<u64>>,
    dice: Dice,
}

impl Talk for Debits {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        let number = self.sent.get() + 1;
        self.sent.set(number);
        let now = Clock::system().now().millis();
        let site = format!("site-{}", self.dice.below(self.sites) + 1);
        let start = |of: i64| (now - now.rem_euclid(of)).to_string();
        command(
            out,
            &[
                "EVALSHA",
                &self.script,
                "1",
                &site,
                &format!("bench-{number:08}"),
                "helper",
                &DEBIT_MICRO.to_string(),
                "Answered a visitor question",
                &now.to_string(),
                &start(HOUR_MS),
                &start(DAY_MS),
                &start(30 * DAY_MS),
                &format!("db_{number:032x}"),
            ],
        );
        true
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        let length = whole(input)?;
        let text = std::str::from_utf8(&input[..length]).expect("text");
        let answer: Debited<'_> = serde_json::from_str(bulk(text).unwrap_or(text)).expect("a debit");
        assert!(answer.id.starts_with("db_") && answer.credits == DEBIT_MICRO && answer.available > 0);
        Some(length)
    }
}

#[derive(serde::Deserialize)]
struct Debited<'a> {
    id: &'a str,
    credits: i64,
    available: i64,
}
