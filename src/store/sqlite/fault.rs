//! What can go wrong inside the store, and how it is told outside.
//!
//! No text here carries what a row holds: SQLite's own messages name tables and columns, serde's
//! may quote values and are reduced to a place.

use crate::store::StoreError;

pub(super) type Fallible<T> = Result<T, Fault>;

#[derive(Debug)]
pub(super) enum Fault {
    Sql(sqlx::Error),
    /// A stored value is not what this store writes.
    Damaged {
        what: &'static str,
        reason: String,
    },
    /// The caller asked for something that would break what the store promises.
    Refused(String),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    pub fn damaged(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Damaged { what, reason: reason.into() }
    }

    /// The fault as the outside sees it; `action` completes "the store did not …".
    pub fn during(self, action: &'static str) -> StoreError {
        match self {
            Self::Damaged { what, reason } => StoreError::Damaged { what, reason },
            Self::Refused(reason) => StoreError::Failed { action, reason },
            Self::Sql(error) if is_corrupt(&error) => {
                StoreError::Damaged { what: "file", reason: reason(&error) }
            }
            Self::Sql(sqlx::Error::ColumnDecode { index, .. }) => StoreError::Damaged {
                what: "row",
                reason: format!("column {index} has another type than was written"),
            },
            Self::Sql(error) => StoreError::Failed { action, reason: reason(&error) },
        }
    }
}

/// For `map_err` at the boundary.
pub(super) fn during<E: Into<Fault>>(action: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| error.into().during(action)
}

/// A text for an error of the database that quotes no row.
pub(super) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        sqlx::Error::Io(io) => io.kind().to_string(),
        sqlx::Error::PoolTimedOut => "all connections stayed busy".to_owned(),
        sqlx::Error::PoolClosed => "it is closed".to_owned(),
        sqlx::Error::WorkerCrashed => "its connection ended".to_owned(),
        sqlx::Error::RowNotFound => "a row that must be there is missing".to_owned(),
        _ => "the database driver failed".to_owned(),
    }
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`, see <https://www.sqlite.org/rescode.html>.
pub(super) fn is_corrupt(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| code == 11 || code == 26)
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?.parse::<u32>().ok()?;
    // The lowest byte of an extended result code is the primary one.
    Some(code & 0xff)
}
