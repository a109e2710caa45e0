//! Brings a database's schema up to date; refuses one made by a newer version.

use std::path::Path;

use super::Error;

mod sqlite_files {
    refinery::embed_migrations!("migrations/sqlite");
}

mod postgres_files {
    refinery::embed_migrations!("migrations/postgres");
}

pub(super) fn sqlite(connection: &mut rusqlite::Connection, path: &Path) -> Result<(), Error> {
    let runner = sqlite_files::migrations::runner();
    let newest = runner.get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0);
    let newest = i64::from(newest);
    // The command line opens the database while the daemon runs: one look is enough when nothing is new.
    match user_version(connection)? {
        found if found == newest => return Ok(()),
        found if found > newest => {
            return Err(Error::Unusable(format!(
                "{} was written by a newer version of nivella-wallet (schema {found}, this one knows {newest})",
                path.display()
            )));
        }
        _ => {}
    }
    if let Err(error) = runner.run(connection) {
        // Another process may have done it in the same moment.
        if user_version(connection)? != newest {
            return Err(Error::Migration(error.to_string()));
        }
        return Ok(());
    }
    connection.pragma_update(None, "user_version", newest)?;
    Ok(())
}

fn user_version(connection: &rusqlite::Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

pub(super) fn postgres(client: &mut ::postgres::Client) -> Result<(), Error> {
    postgres_files::migrations::runner()
        .run(client)
        .map(|_| ())
        .map_err(|error| Error::Migration(error.to_string()))
}
