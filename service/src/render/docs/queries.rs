//! `docs/queries.md`, from the table of statements.

use contract::query::Rows;
use contract::{Consistency, Query};

use super::{row, rule};

pub(super) fn page() -> String {
    let mut page = String::from(
        "# Statements\n\nWritten by `punctual render` from `service/contract/src/query.rs`. Each \
         is a file under `service/sql/queries` and carries its name, file and function in a \
         leading comment, so that `pg_stat_activity` and the server's log say who runs it. One \
         shard means that it is limited to one by `shard = $n`.\n\n",
    );
    page += &row(["Name", "What it does", "Freshness", "Rows", "One shard", "Run by"]);
    page += &rule::<6>();
    for query in Query::ALL {
        let spec = query.spec();
        let freshness = match spec.consistency {
            Consistency::Strong => "strong".to_owned(),
            Consistency::ReadYourWrites => "own writes".to_owned(),
            Consistency::BoundedStaleness(seconds) => format!("at most {seconds} s old"),
            Consistency::OfServer => "of the server".to_owned(),
        };
        let rows = match spec.rows {
            Rows::One => "one",
            Rows::Batch => "its batch",
            Rows::Page => "a page",
            Rows::Many => "many",
        };
        page += &row([
            &format!("`{}`", query.name()),
            query.help(),
            &freshness,
            rows,
            if spec.sharded { "yes" } else { "no" },
            &format!("`{}` in `{}`", spec.func, spec.file),
        ]);
    }
    page
}
