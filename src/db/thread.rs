//! The writer: one thread, one connection, one commit for all that waits.
//!
//! A slow disk makes the groups larger, not the queue longer. A refused piece of work is rolled back to
//! its savepoint and harms nobody beside it. Nobody is answered before the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::runtime::Handle;

use super::changes::Turn;
use super::checkpoint::Checkpointer;
use super::memory::Memory;
use super::{Error, Keep, Tx, Watcher, postgres};
use crate::time::Clock;

/// How many writes may wait. At ten thousand a second this is the work of under half a second.
const QUEUE_LENGTH_MAX: usize = 4096;

/// How many writes share a commit at most, unless fewer are wished: beyond this a larger group saves next to nothing.
pub const GROUP_LENGTH_MAX: u32 = 512;

/// A piece of work for the writer: answers after the commit.
pub(super) struct Job {
    name: &'static str,
    manner: Manner,
    run: Run,
    /// Where the one who waits for the answer is a task.
    at: Option<Handle>,
}

/// How a piece of work goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// In a savepoint, so that it may fail half-way; what is remembered is forgotten after it.
    Any,
    /// It has written nothing when it refuses, and keeps true what is remembered. If the database fails it, the
    /// group fails.
    Remembering,
}

/// Does the work and says whether its effects stay.
type Run = Box<dyn FnOnce(&mut Tx<'_>) -> (Keep, Answer) + Send>;

/// Tells the caller how it ended; given the reason if the commit failed.
type Answer = Box<dyn FnOnce(Option<&Arc<str>>) + Send>;

/// Wraps typed work into a [`Job`]; when it is done, `watcher` looks at what it locked. A task that waits for the answer
/// says `at` which runtime.
pub(super) fn job<T, E>(
    name: &'static str,
    manner: Manner,
    keep: Keep,
    watcher: Option<Arc<dyn Watcher>>,
    at: Option<Handle>,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    answer: impl FnOnce(Result<T, E>) + Send + 'static,
) -> Job
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let run = move |tx: &mut Tx<'_>| {
        tx.take_locked();
        let mut result = work(tx);
        // Of a dry run nothing comes about.
        if result.is_ok()
            && keep == Keep::Effects
            && let Some(watcher) = &watcher
        {
            let looked = tx.take_locked().iter().try_for_each(|account| watcher.look(tx, account));
            result = looked.map_err(E::from).and(result);
        }
        let keep = if result.is_ok() { keep } else { Keep::Nothing };
        let tell = move |not_committed: Option<&Arc<str>>| match not_committed {
            // What was refused anyway stays refused for its own reason.
            Some(reason) if result.is_ok() => answer(Err(Error::NotCommitted(Arc::clone(reason)).into())),
            _ => answer(result),
        };
        (keep, Box::new(tell) as Answer)
    };
    Job { name, manner, run: Box::new(run), at }
}

/// The handle to the writer's thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Job>>,
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn start_sqlite(
        connection: rusqlite::Connection,
        clock: Clock,
        group_max: u32,
        mut turn: Turn,
        mut checkpointer: Checkpointer,
    ) -> Result<Self, Error> {
        Self::start(
            group_max,
            move || Ok(connection),
            move |connection, memory, jobs| {
                let writes = jobs.len();
                let mut tx = Tx::sqlite(connection, clock.now()).remembering(memory);
                run_group(&mut tx, "BEGIN IMMEDIATE", jobs, Some(&mut turn));
                checkpointer.committed(writes);
            },
            // After a clean stop one file holds everything, so that copying it copies everything.
            |connection| drop(connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")),
        )
    }

    pub(super) fn start_postgres(url: String, clock: Clock, group_max: u32) -> Result<Self, Error> {
        Self::start(
            group_max,
            move || postgres::open(&url),
            move |client, memory, jobs| {
                run_group(&mut Tx::postgres(client, clock.now()).remembering(memory), "BEGIN", jobs, None);
                // Nothing tells whether another program writes.
                memory.forget();
            },
            |_| {},
        )
    }

    /// Opens the connection on the writer's own thread and waits until it is open.
    fn start<C>(
        group_max: u32,
        open: impl FnOnce() -> Result<C, Error> + Send + 'static,
        mut run: impl FnMut(&mut C, &mut Memory, Vec<Job>) + Send + 'static,
        close: impl FnOnce(C) + Send + 'static,
    ) -> Result<Self, Error> {
        let (queue, waiting) = sync_channel::<Job>(QUEUE_LENGTH_MAX);
        let (opened, is_open) = sync_channel(1);
        let running = Arc::new(AtomicBool::new(true));
        let flag = StopFlag(Arc::clone(&running));
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                let _flag = flag;
                let mut connection = match open() {
                    Ok(connection) => connection,
                    Err(error) => {
                        let _ = opened.send(Err(error));
                        return;
                    }
                };
                let _ = opened.send(Ok(()));
                let mut memory = Memory::default();
                while let Some(group) = next_group(&waiting, group_max) {
                    run(&mut connection, &mut memory, group);
                }
                // Whatever it has beside the connection ends first.
                drop(run);
                close(connection);
            })
            .map_err(|error| Error::Unusable(format!("the writer's thread cannot start: {error}")))?;
        is_open.recv().map_err(|_| Error::Closed)??;
        Ok(Self { queue: Some(queue), running, thread: Some(thread) })
    }

    pub(super) fn submit(&self, job: Job) -> Result<(), Error> {
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::QueueFull,
            TrySendError::Disconnected(_) => Error::Closed,
        })
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }
}

/// Finishes what was accepted, then stops.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the writer has been printed; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// Says that the writer is gone, also when it panicked.
struct StopFlag(Arc<AtomicBool>);

impl Drop for StopFlag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Waits for work and takes all that is there, up to a limit; `None` when nobody can send any more.
fn next_group(waiting: &Receiver<Job>, group_max: u32) -> Option<Vec<Job>> {
    let mut group = vec![waiting.recv().ok()?];
    group.extend(waiting.try_iter().take(group_max.saturating_sub(1) as usize));
    Some(group)
}

/// Begins a transaction, and waits for another program that writes to the same file: WooCommerce waits a
/// minute for its answer, and never sends again what was refused.
fn begin_patiently(tx: &mut Tx<'_>, begin: &'static str) -> Result<(), Error> {
    let mut begun = tx.batch(begin);
    for _ in 0..BEGIN_RETRIES {
        match &begun {
            Err(Error::Sqlite(error))
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                tracing::warn!("another program has been writing to the database for seconds");
                begun = tx.batch(begin);
            }
            _ => break,
        }
    }
    begun
}

/// Each waits as long as the connection's busy timeout, five seconds.
const BEGIN_RETRIES: usize = 5;

/// `turn` tells those who keep what they read; nobody keeps anything of PostgreSQL.
fn run_group(tx: &mut Tx<'_>, begin: &'static str, jobs: Vec<Job>, mut turn: Option<&mut Turn>) {
    let mut answers = Answers::default();
    let outcome = (|| {
        begin_patiently(tx, begin)?;
        // Nobody else commits before this is over.
        let version = tx.forget_if_outdated()?;
        for Job { name, manner, run, at } in jobs {
            if turn.is_some() {
                tx.note_writes().begin_work();
            }
            match manner {
                Manner::Any => {
                    tx.batch("SAVEPOINT job")?;
                    let (keep, answer) = run(tx);
                    answers.add(at, answer);
                    match keep {
                        Keep::Effects => tx.batch("RELEASE SAVEPOINT job")?,
                        Keep::Nothing => tx.batch("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job")?,
                    }
                    // An account that it locked is forgotten already.
                    let is_known = turn.is_some() && keep == Keep::Effects && !tx.note_writes().is_common();
                    if !is_known {
                        tx.forget();
                    }
                    if turn.is_some() && keep == Keep::Nothing {
                        tx.note_writes().forget_work();
                    }
                }
                Manner::Remembering => {
                    tx.forget_failure();
                    let (_, answer) = run(tx);
                    answers.add(at, answer);
                    if tx.has_failed() {
                        return Err(Error::Unusable(format!("the database failed {name}")));
                    }
                }
            }
        }
        if let Some(turn) = &mut turn {
            turn.announce(tx, version)?;
        }
        tx.batch("COMMIT")
    })();
    let failure: Option<Arc<str>> = outcome.err().map(|error: Error| {
        tracing::error!(%error, "the writer could not commit a group of {}: {error}", answers.number);
        // After some failures SQLite has rolled back by itself; a second time does no harm.
        let _ = tx.batch("ROLLBACK");
        tx.forget();
        Arc::from(error.to_string())
    });
    if let Some(turn) = turn {
        turn.end(tx, failure.is_none());
    }
    answers.tell(failure.as_ref());
}

/// What a group is told, by where those are who wait for it.
#[derive(Default)]
struct Answers {
    number: usize,
    threads: Vec<Answer>,
    tasks: Vec<(Handle, Vec<Answer>)>,
}

impl Answers {
    fn add(&mut self, at: Option<Handle>, answer: Answer) {
        self.number += 1;
        let Some(at) = at else { return self.threads.push(answer) };
        match self.tasks.iter_mut().find(|(known, _)| known.id() == at.id()) {
            Some((_, answers)) => answers.push(answer),
            None => self.tasks.push((at, vec![answer])),
        }
    }

    /// Tasks are told by a task among them: to wake it costs as much as to wake one of them from here, and that one wakes
    /// all the others for next to nothing.
    fn tell(self, failure: Option<&Arc<str>>) {
        for (at, answers) in self.tasks {
            let failure = failure.cloned();
            at.spawn(async move {
                for answer in answers {
                    answer(failure.as_ref());
                }
            });
        }
        for answer in self.threads {
            answer(failure);
        }
    }
}
