//! PostgreSQL, for those who outgrow one machine.
//!
//! The client is synchronous and panics when dropped inside async code, so every connection stays on the
//! thread that made it.

use postgres::{Client, NoTls};

use super::{Error, Tx, migrate};
use crate::time::Clock;

/// Connects and brings the schema up to date.
pub(super) fn open(url: &str) -> Result<Client, Error> {
    let mut client = connect(url)?;
    migrate::postgres(&mut client)?;
    Ok(client)
}

fn connect(url: &str) -> Result<Client, Error> {
    Ok(Client::connect(url, NoTls)?)
}

/// Reads on a connection of its own, in a thread of its own.
pub(super) fn read<T, E>(
    url: &str,
    clock: &Clock,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
) -> Result<T, E>
where
    T: Send,
    E: From<Error> + Send,
{
    let now = clock.now();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut client = connect(url)?;
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map_err(Error::from)?;
            let answer = work(&mut Tx::postgres(&mut client, now));
            client.batch_execute("COMMIT").map_err(Error::from)?;
            answer
        });
        reader.join().unwrap_or_else(|_| Err(Error::Closed.into()))
    })
}
