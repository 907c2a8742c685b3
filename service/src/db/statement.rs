//! The texts of the statements, put together at compile time: a leading comment in sqlcommenter
//! form (`comment`), then the file.

mod comment;
#[cfg(debug_assertions)]
mod planted;

use contract::Query;

use comment::Piece;

macro_rules! texts {
    ($($help:literal $Variant:ident = $name:ident: $c:ident $(($seconds:literal))?, $r:ident, $s:literal, [$($p:ident),+], $file:literal, $func:literal;)+) => {
        /// The text of a statement as it is sent.
        pub(crate) const fn text(query: Query) -> &'static str {
            match query {
                $(Query::$Variant => {
                    const PIECES: &[Piece] = &[
                        Piece::Plain("/*db_query='"),
                        Piece::Value(stringify!($name)),
                        Piece::Plain("',file='"),
                        Piece::Value($file),
                        Piece::Plain("',func='"),
                        Piece::Value($func),
                        Piece::Plain("'*/ "),
                        Piece::Plain(include_str!(concat!(
                            "../../sql/queries/", stringify!($name), ".sql"
                        ))),
                    ];
                    const TEXT: &[u8; comment::len(PIECES)] = &comment::text(PIECES);
                    const SENT: &str = match std::str::from_utf8(TEXT) {
                        Ok(text) => text,
                        Err(_) => panic!("pieces of UTF-8 are UTF-8"),
                    };
                    SENT
                })+
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

    /// What a comment says of a statement leads whoever reads it to the code that runs it.
    #[test]
    fn every_text_names_its_place_in_the_code() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for &query in Query::ALL {
            let (name, spec) = (query.name(), query.spec());
            let encoded = spec.file.replace('/', "%2F");
            let place = format!("',file='{encoded}',func='{}'*/ ", spec.func);
            let text = text(query);
            assert!(text.starts_with(&format!("/*db_query='{name}{place}")), "{text}");
            let code = std::fs::read_to_string(root.join(spec.file)).unwrap();
            let runs = functions_naming(&code, &format!("{query:?}"));
            // Audits and checks are listed in a table, which one function goes through.
            let is_listed = runs.contains(&"spec") && code.contains(&format!("fn {}(", spec.func));
            assert!(runs.contains(&spec.func) || is_listed, "{name} is run by {runs:?}");
        }
    }

    /// The functions that name a statement.
    fn functions_naming<'a>(code: &'a str, variant: &str) -> Vec<&'a str> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let named = [format!("Query::{variant}"), format!("Read::{variant}")];
        let names = |piece: &str| {
            named.iter().any(|named| {
                let mut ends = piece.match_indices(named).map(|(at, found)| at + found.len());
                ends.any(|end| !piece[end..].starts_with(is_word))
            })
        };
        let functions = code.split("fn ").skip(1).filter(|piece| names(piece));
        functions.filter_map(|piece| piece.split(|c| !is_word(c)).next()).collect()
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
