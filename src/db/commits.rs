//! Whether anybody has committed to a file, asked without a lock.
//!
//! Each commit in WAL mode, by whichever program, writes a new head into the log's index, the file `-shm` that all of
//! them share in memory (<https://sqlite.org/walformat.html>, "The WAL-Index Header"). As long as its bytes are what
//! they were, nobody has committed. SQLite itself looks there at the begin of each read, but takes a lock for it and
//! gives it back, which costs ten times as much.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The head: twice the same 48 bytes, the second written first.
pub(super) type Head = [u8; 96];

/// Where the head of a file's log is, and what it was when somebody last looked what was committed.
#[derive(Debug)]
pub(super) struct Commits {
    path: PathBuf,
    index: Mutex<Option<index::Handle>>,
    seen: Mutex<Option<Head>>,
}

impl Commits {
    /// To the database at `path`.
    pub(super) fn to(path: &Path) -> Self {
        let mut index = path.as_os_str().to_owned();
        index.push("-shm");
        Self { path: index.into(), index: Mutex::default(), seen: Mutex::default() }
    }

    /// Has `look` see what was committed, unless nobody committed since it last did.
    pub(super) fn look<E>(&self, look: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // Before the look: what it does not see yet changes the head.
        let head = self.head();
        if head.is_some() && head == *lock(&self.seen) {
            return Ok(());
        }
        look()?;
        *lock(&self.seen) = head;
        Ok(())
    }

    /// The head, at least as new as any commit that ended before; nothing where it cannot be told.
    fn head(&self) -> Option<Head> {
        let mut index = lock(&self.index);
        if index.is_none() {
            *index = index::open(&self.path);
        }
        index::read(index.as_ref()?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(target_os = "linux")]
mod index {
    use std::fs::File;
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use super::{Head, lock};

    pub(super) type Handle = Arc<File>;

    /// The indexes that this process has open.
    ///
    /// To close any handle of a file gives back all POSIX locks that the process has on it, SQLite's too. So there is
    /// one handle for each file, and it stays open until the file is deleted.
    static OPEN: Mutex<Vec<Handle>> = Mutex::new(Vec::new());

    pub(super) fn open(path: &Path) -> Option<Handle> {
        let mut open = lock(&OPEN);
        open.retain(|index| index.metadata().map_or(true, |found| found.nlink() > 0));
        let found = std::fs::metadata(path).ok()?;
        let same = |index: &&Handle| {
            index.metadata().is_ok_and(|known| (known.dev(), known.ino()) == (found.dev(), found.ino()))
        };
        if let Some(index) = open.iter().find(same) {
            return Some(Arc::clone(index));
        }
        let index = Arc::new(File::open(path).ok()?);
        open.push(Arc::clone(&index));
        Some(index)
    }

    pub(super) fn read(index: &Handle) -> Option<Head> {
        let mut head = [0; 96];
        index.read_exact_at(&mut head, 0).ok()?;
        Some(head)
    }
}

/// Elsewhere nobody promises that a file says what is written to its memory.
#[cfg(not(target_os = "linux"))]
mod index {
    use super::{Head, Path};

    #[derive(Debug)]
    pub(super) enum Handle {}

    pub(super) fn open(_: &Path) -> Option<Handle> {
        None
    }

    pub(super) fn read(index: &Handle) -> Option<Head> {
        match *index {}
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// Whether somebody would look.
    fn looks(commits: &Commits) -> bool {
        let mut looked = false;
        let done: Result<(), ()> = commits.look(|| {
            looked = true;
            Ok(())
        });
        done.unwrap();
        looked
    }

    #[test]
    fn each_commit_is_seen_once_whoever_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let commits = Commits::to(&path);
        assert!(looks(&commits) && looks(&commits), "there is no log yet: nobody knows");
        let one = Connection::open(&path).unwrap();
        one.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER);").unwrap();
        let other = Connection::open(&path).unwrap();
        assert!(looks(&commits));
        for (number, connection) in (1..=3).zip([&one, &other, &one]) {
            assert_eq!(looks(&commits), cfg!(not(target_os = "linux")));
            connection.execute("INSERT INTO t VALUES (?1)", [number]).unwrap();
            assert!(looks(&commits), "commit {number}");
        }
        // Neither reading nor copying the log is a commit that anybody has to see, but none is lost beside it.
        let count = |connection: &Connection| -> i64 {
            connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&other), 3);
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        looks(&commits);
        one.execute("INSERT INTO t VALUES (4)", []).unwrap();
        assert!(looks(&commits));
    }

    #[test]
    fn a_look_that_failed_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER);").unwrap();
        let commits = Commits::to(&path);
        assert_eq!(commits.look(|| Err("no")), Err("no"));
        assert!(looks(&commits));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_handle_for_each_file_until_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a-shm");
        std::fs::write(&path, [7; 96]).unwrap();
        let (one, other) = (index::open(&path).unwrap(), index::open(&path).unwrap());
        assert!(std::sync::Arc::ptr_eq(&one, &other));
        drop(one);
        let again = index::open(&path).unwrap();
        assert!(std::sync::Arc::ptr_eq(&again, &other));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, [8; 96]).unwrap();
        let new = index::open(&path).unwrap();
        assert_eq!((index::read(&other), index::read(&new)), (Some([7; 96]), Some([8; 96])));
    }
}
