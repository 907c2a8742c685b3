//! `punctual top` against a running service, as people run it: both forms, and every way in which
//! there is nothing to show.
//!
//! Never here: what is in the answer (`endpoints::read_queries`, `review`).

use expect_test::expect;
use serde_json::Value;
use tests::binary::run;
use tests::practice::FIRST_DUE;
use tests::{Ending, TestApp, appointment, at};

/// Cells of a line: two spaces stand between them, one within.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// The tables of an output, each a list of rows.
fn tables(text: &str) -> Vec<Vec<Vec<&str>>> {
    text.split("\n\n").map(|table| table.lines().map(cells).collect()).collect()
}

/// The table that begins with this word.
fn table<'a>(tables: &'a [Vec<Vec<&'a str>>], first: &str) -> &'a [Vec<&'a str>] {
    tables
        .iter()
        .find(|table| table[0][0] == first)
        .unwrap_or_else(|| panic!("{first}: {tables:#?}"))
}

#[tokio::test]
async fn a_table_and_json() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    let admin = format!("http://{}", app.admin);
    let shown = run(&["top", "--admin", &admin, "--limit", "100"], &[]).await;
    assert_eq!((shown.status, shown.stderr.as_str()), (Some(0), ""), "{shown:?}");
    let tables = tables(&shown.stdout);
    let heads: Vec<String> = tables.iter().map(|table| table[0].join(" | ")).collect();
    expect![[r#"
        STATEMENT | TOTAL | MEAN | P50 | P99 | CALLS | ROWS | BUFFERS | LOG | MOST BY
        SERVER TIME | MEAN | CALLS | BUFFERS | STATEMENT OF OTHERS
        WHO | TURNS | STATEMENTS A TURN
        CHECK | IS | VALUE | WHAT"#]]
    .assert_eq(&heads.join("\n"));
    let statements = table(&tables, "STATEMENT");
    assert!(statements.len() > 30 && statements.iter().all(|row| row.len() == 10));
    let put = statements.iter().find(|row| row[0] == "practice_upsert").unwrap();
    assert_eq!((put[5], put[6], put[9]), ("1", "1", "put_practice, 1.00 a request"));
    let callers = table(&tables, "WHO");
    let plan = callers.iter().find(|row| row[0] == "plan").unwrap();
    assert_eq!(plan[1], "1 batch");
    let names: Vec<&str> = table(&tables, "CHECK").iter().map(|row| row[0]).collect();
    for check in ["blocked", "slots", "sequences", "unused_indexes"] {
        assert!(names.contains(&check), "{names:?}");
    }

    // The configured address, without any other setting.
    let address = app.admin.to_string();
    let configured = [("PUNCTUAL_ADMIN_ADDR", address.as_str())];
    let json = run(&["top", "--json", "--older-than-ms", "0"], &configured).await;
    assert_eq!((json.status, json.stderr.as_str()), (Some(0), ""), "{json:?}");
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["statements"].as_array().map(Vec::len), Some(20));
    assert!(json.stdout.ends_with("}\n") && json.stdout.lines().count() == 1);
    app.finish().await;
}

#[tokio::test]
async fn wrong_addresses_are_one_line() {
    let app = TestApp::start().await;
    let nobody = format!("http://127.0.0.1:{}", stack::ports::free_port().unwrap());
    let (public, admin) = (format!("http://{}", app.public), format!("http://{}", app.admin));
    for (arguments, environment, status, expected) in [
        (vec!["--admin", &nobody], vec![], 3, "nothing answers at http://127.0.0.1:"),
        (vec!["--admin", &nobody, "--json"], vec![], 3, "nothing answers at http://127.0.0.1:"),
        (vec!["--admin", &public], vec![], 1, "is this the service's admin address?"),
        (vec!["--admin", "127.0.0.1:1"], vec![], 2, "it must be a URL such as http://"),
        (vec!["--admin", "https://127.0.0.1:1"], vec![], 2, "it must be a URL such as http://"),
        (vec!["--admin", &admin, "--limit", "0"], vec![], 2, "limit must be a number up to"),
        (vec!["--colour"], vec![], 2, "unexpected argument '--colour' found"),
        (vec![], vec![("PUNCTUAL_ADMIN_ADDR", "127.0.0.1:0")], 2, "name the address by --admin"),
        (vec![], vec![("PUNCTUAL_ADMIN_ADDR", "here")], 2, "PUNCTUAL_ADMIN_ADDR (environment)"),
    ] {
        let all: Vec<&str> = std::iter::once("top").chain(arguments).collect();
        let output = run(&all, &environment).await;
        assert_eq!(
            (output.status, output.stdout.as_str()),
            (Some(status), ""),
            "{all:?}: {output:?}"
        );
        assert_eq!(output.stderr.lines().count(), 1, "{all:?}: {output:?}");
        assert!(output.stderr.starts_with("punctual: "), "{output:?}");
        assert!(output.stderr.contains(expected), "{all:?}: {output:?}");
    }
    app.finish().await;
}

/// The process listens, and has not reached its database.
#[tokio::test]
async fn a_service_that_has_not_started_says_so() {
    let nowhere = "postgres://nobody:no-password@127.0.0.1:9/nowhere";
    let app = TestApp::with().env("PUNCTUAL_DATABASE_URL", nowhere).start_unready().await;
    let output = run(&["top", "--admin", &format!("http://{}", app.admin)], &[]).await;
    assert_eq!(output.status, Some(3), "{output:?}");
    assert!(output.stderr.contains("answered 503: The process has not reached"), "{output:?}");
    let TestApp { service, .. } = app;
    service.finish(Ending { errors: &["database"], ..Ending::default() }).await;
}
