//! The texts of the statements, put together at compile time: a leading comment in sqlcommenter
//! form, then the file. The comment leads because `pg_stat_activity` cuts long texts at their end.

#[cfg(debug_assertions)]
mod planted;

use contract::Query;

macro_rules! texts {
    ($($help:literal $Variant:ident = $name:ident: $c:ident $(($seconds:literal))?, $r:ident, $s:literal, $file:literal, $func:literal;)+) => {
        /// The text of a statement as it is sent.
        pub(crate) const fn text(query: Query) -> &'static str {
            match query {
                $(Query::$Variant => concat!(
                    "/*db_query='", stringify!($name), "',file='", $file, "',func='", $func, "'*/ ",
                    include_str!(concat!("../../sql/queries/", stringify!($name), ".sql")),
                ),)+
            }
        }
    };
}

contract::for_each_query!(texts);

/// The same, or what a test has put in its place.
pub(super) fn sent(query: Query) -> &'static str {
    #[cfg(debug_assertions)]
    if let Some(text) = planted::text(query) {
        return text;
    }
    text(query)
}

/// Begins a transaction that sees, in each statement, what was committed before that statement.
pub(super) const BEGIN: &str = "/*db_query='begin'*/ BEGIN ISOLATION LEVEL READ COMMITTED";
/// Begins a transaction all of whose statements see the same state.
pub(super) const BEGIN_REPEATABLE_READ: &str =
    "/*db_query='begin'*/ BEGIN ISOLATION LEVEL REPEATABLE READ";
/// Commits. Reports success for a failed transaction too, so [`super::Tx`] keeps count itself.
pub(super) const COMMIT: &str = "/*db_query='commit'*/ COMMIT";
/// The same, and up to where the log has come then. The position is taken after the commit, from
/// what is inserted and not what is flushed: with asynchronous commit the latter is behind.
pub(super) const COMMIT_AT: &str = "/*db_query='commit'*/ COMMIT; /*db_query='commit_at'*/ \
    SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS lsn, \
           ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer \
               AS timeline";
/// Rolls back.
pub(super) const ROLLBACK: &str = "/*db_query='rollback'*/ ROLLBACK";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_leads_with_its_name_and_follows_with_its_header() {
        for &query in Query::ALL {
            let text = text(query);
            assert!(text.starts_with(&format!("/*db_query='{}',file='", query.name())));
            assert!(text.contains(&format!("*/ -- name: {}\n", query.name())), "{}", query.name());
        }
    }

    #[test]
    fn a_sharded_statement_names_its_shard() {
        for &query in Query::ALL {
            if query.spec().sharded {
                assert!(text(query).contains("shard = $1"), "{} names no shard", query.name());
            }
        }
    }
}
