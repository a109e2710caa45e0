//! Copies what was committed from the write-ahead log to the database file, beside the writer.
//!
//! A checkpoint reads and writes as many pages as the commits before it, and syncs the file; in the writer's thread
//! everybody who waits for a commit would wait for that, too. So a thread with a connection of its own does it while
//! the writer goes on. Only the writer can begin the log anew, and only when all of it is copied: it copies the rest
//! itself once the log has [`LOG_PAGES_MAX`] pages, which is little by then.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

/// From how many pages on the writer itself copies what is not copied yet.
pub(super) const LOG_PAGES_MAX: i64 = 16_000;

/// After how many writes the log is worth copying: about five thousand pages. Most of them were written more than once
/// by then, and are copied once.
const WRITES: usize = 1_600;

/// Counts what is written, and has it copied.
#[derive(Debug)]
pub(super) struct Checkpointer {
    path: PathBuf,
    writes: usize,
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    bell: Option<SyncSender<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), writes: 0, thread: None }
    }

    /// Notes a commit of so many writes. The thread is started when there is first something to do: most programs on
    /// a database write once.
    pub(super) fn committed(&mut self, writes: usize) {
        self.writes += writes;
        if self.writes < WRITES {
            return;
        }
        self.writes = 0;
        let thread = self.thread.get_or_insert_with(|| Thread::start(self.path.clone()));
        if let Some(bell) = &thread.bell {
            // One who is still at work has been rung for.
            let _ = bell.try_send(());
        }
    }
}

impl Thread {
    /// A thread that could not be started, or whose connection could not be opened, is no loss: the writer copies the
    /// log itself.
    fn start(path: PathBuf) -> Self {
        let (bell, rings) = sync_channel::<()>(1);
        let work = move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            match Connection::open_with_flags(path, flags) {
                Ok(connection) => {
                    while rings.recv().is_ok() {
                        if let Err(error) = copy(&connection) {
                            tracing::warn!(%error, "the log could not be copied to the database: {error}");
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "the log is copied by the writer: {error}"),
            }
        };
        let handle = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(work).ok();
        Self { bell: Some(bell), handle }
    }
}

/// Copies what no reader needs from the log.
fn copy(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.bell.take());
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}
