//! What can go wrong with the database, told apart by what the caller can do about it.

use tokio_postgres::error::SqlState;

/// A failure of the database.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DbError {
    /// It can't be reached, or went away: try again later, on another connection.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// No connection of the pool came free in time: shed the work.
    #[error("no connection of pool {0} came free in time")]
    PoolTimeout(&'static str),
    /// Too much had fallen back to the primary already: shed the work.
    #[error("the replicas can't be read now, and too many reads were sent to the primary already")]
    Shed,
    /// The statement was given up at its deadline; whether it took effect is not known.
    #[error("statement {0} was given up at its deadline")]
    Timeout(&'static str),
    /// A deadlock, a serialisation failure or a lock not had in time: run the transaction again.
    #[error("statement {query} has to be run again ({code})")]
    Retry {
        /// Name of the statement.
        query: &'static str,
        /// SQLSTATE.
        code: String,
    },
    /// A constraint refused it: the request is wrong, or two of them raced.
    #[error("statement {query} was refused by constraint {constraint}")]
    Constraint {
        /// Name of the statement.
        query: &'static str,
        /// Name of the constraint, empty if the server didn't say.
        constraint: String,
    },
    /// The server refused the statement for another reason: a bug of ours or a wrong schema.
    #[error("statement {query} was refused: {code} {message}")]
    Refused {
        /// Name of the statement.
        query: &'static str,
        /// SQLSTATE, or `client`.
        code: String,
        /// The server's message, which never holds data of ours that is private.
        message: String,
    },
}

impl DbError {
    /// True when running the same transaction again can succeed at once.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::Retry { .. } => true,
            Self::Unavailable(_)
            | Self::PoolTimeout(_)
            | Self::Shed
            | Self::Timeout(_)
            | Self::Constraint { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// True when it lies with the rows of the transaction: of a batch, others may be taken.
    pub(crate) const fn is_of_the_rows(&self) -> bool {
        match self {
            Self::Constraint { .. } | Self::Refused { .. } => true,
            Self::Unavailable(_)
            | Self::PoolTimeout(_)
            | Self::Shed
            | Self::Timeout(_)
            | Self::Retry { .. } => false,
        }
    }

    /// True when a value that is stored can't be computed with: other rows can. Class 22.
    pub(crate) fn is_of_the_data(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code.starts_with("22"))
    }

    /// True when it lies with the database's presence and not with the statement.
    pub(crate) const fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::PoolTimeout(_) | Self::Shed | Self::Timeout(_) => true,
            Self::Retry { .. } | Self::Constraint { .. } | Self::Refused { .. } => false,
        }
    }

    /// Sorts a driver's error by what the caller can do.
    pub(crate) fn of_statement(query: &'static str, error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            if error.is_closed() || is_io(error) {
                return Self::Unavailable(describe(error));
            }
            return Self::Refused { query, code: "client".into(), message: describe(error) };
        };
        let code = db.code();
        if *code == SqlState::QUERY_CANCELED {
            return Self::Timeout(query);
        }
        if [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
        ]
        .contains(code)
        {
            return Self::Retry { query, code: code.code().into() };
        }
        // Class 57P: the server is going down or coming up. 08: the connection. 53: its resources.
        // 25006: it became a read-only replica.
        if ["57P", "08", "53", "25006"].iter().any(|class| code.code().starts_with(class)) {
            return Self::Unavailable(format!("{} {}", code.code(), db.message()));
        }
        if code.code().starts_with("23") {
            let constraint = db.constraint().unwrap_or_default().to_owned();
            return Self::Constraint { query, constraint };
        }
        Self::Refused { query, code: code.code().into(), message: db.message().to_owned() }
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// The driver's error with its cause, which its `Display` leaves out.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
