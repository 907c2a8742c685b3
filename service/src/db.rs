//! PostgreSQL, through one door: [`Conn`] takes a [`contract::Query`], never a string, and every
//! statement, wait and connection that passes it is measured. One pool a class of work.
//!
//! Belongs here: connections, statements' texts, transactions, errors, migrations, the weekly
//! partitions, and the few writes that several modules share (floors, ended promises, counts).
//! Never here: what a statement is for; that is the module of its caller, named in its row.

pub(crate) mod conn;
pub(crate) mod deployment;
pub(crate) mod error;
pub(crate) mod floors;
pub(crate) mod intents;
pub(crate) mod listener;
pub(crate) mod migrate;
pub(crate) mod pools;
pub(crate) mod router;
pub(crate) mod single;
pub(crate) mod statement;
pub(crate) mod tally;
pub(crate) mod tls;
pub(crate) mod tx;
pub(crate) mod weeks;

pub(crate) use conn::{Conn, Params};
pub(crate) use error::DbError;
pub(crate) use pools::Settings;
pub(crate) use router::Db;
pub(crate) use tx::Tx;
