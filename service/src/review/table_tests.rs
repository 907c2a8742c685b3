//! What the terminal shows.

use super::*;
use crate::review::{Other, Served, Severity};

fn served(calls: i64) -> Served {
    Served {
        queryid: Some("-1739183385080879393".into()),
        calls,
        total_seconds: 6.5,
        rows: 51_000,
        blocks_hit: 35 * calls,
        blocks_read: calls / 2,
        blocks_dirtied: 7,
        temp_blocks_written: 0,
        wal_bytes: 1_234 * calls,
    }
}

fn turn(name: &str, kind: Kind, calls: u64, calls_per_turn: Option<f64>) -> Turn {
    Turn { name: name.into(), kind, calls, rows: 0, calls_per_turn }
}

fn found(subject: &str, severity: Severity, value: f64, unit: &str, says: &str) -> Finding {
    Finding { subject: subject.into(), severity, value, unit: unit.into(), says: says.into() }
}

fn statement(name: &str, calls: u64, seconds: f64) -> Statement {
    let by_call = (calls > 0).then(|| seconds / calls as f64);
    Statement {
        name: name.into(),
        file: "service/src/x.rs".into(),
        func: "f".into(),
        calls,
        failed: 0,
        rows: 5 * calls,
        total_seconds: seconds,
        mean_seconds: by_call,
        p50_seconds: by_call.map(|mean| mean * 0.9),
        p99_seconds: by_call.map(|mean| mean * 4.0),
        most_by: None,
        server: None,
    }
}

fn sample() -> Report {
    let claim = Statement {
        most_by: Some(turn("claim", Kind::Stage, 10_200, Some(1.0))),
        server: Some(served(10_200)),
        ..statement("claim_lanes", 10_200, 12.345)
    };
    let key = Statement {
        most_by: Some(turn("read_practice", Kind::Endpoint, 4, Some(0.021))),
        ..statement("api_key_read", 4, 0.001_6)
    };
    let many: Vec<Turn> =
        (0..8).map(|n| turn(&format!("statement_{n}"), Kind::Stage, 9, Some(0.5))).collect();
    let check = |name: &str, findings, nearest, refused: Option<&str>| Check {
        name: name.into(),
        looks_for: String::new(),
        findings,
        nearest,
        refused: refused.map(ToOwned::to_owned),
    };
    let (act, watch, fine) = (Severity::Act, Severity::Watch, Severity::Fine);
    Report {
        as_of: "2026-05-04T09:00:00Z".parse().unwrap(),
        notes: vec!["something was not looked at".into()],
        statements: vec![claim, key, statement("audit_order", 0, 0.0)],
        callers: vec![
            Caller { name: "claim".into(), kind: Kind::Stage, turns: 10_200, statements: many },
            Caller {
                name: "process".into(),
                kind: Kind::Process,
                turns: 0,
                statements: vec![turn("clock_read", Kind::Process, 1_234, None)],
            },
        ],
        others: vec![Other { text: "SELECT ? FROM x".into(), server: served(3) }],
        checks: vec![
            check("blocked", vec![found("pid 7", act, 75.0, "seconds", "waits")], None, None),
            check(
                "dead_rows",
                vec![
                    found("a", watch, 12_345.0, "rows", "dead"),
                    found("b", watch, 1_000.0, "rows", "dead"),
                ],
                None,
                None,
            ),
            check("sequences", vec![], Some(found("s", fine, 0.014, "ratio", "")), None),
            check("slots", vec![], None, Some("42501 permission denied")),
            check("unused_indexes", vec![], None, None),
        ],
    }
}

#[test]
fn three_tables_and_what_stands_in_them() {
    expect_test::expect_file!["expected/table.txt"].assert_eq(&sample().table());
}

#[test]
fn json_comes_back_as_it_was() {
    let text = serde_json::to_string(&sample()).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), sample());
}

#[test]
fn three_digits_in_every_unit() {
    for (value, expected) in [
        (0.0, "0.00 µs"),
        (0.000_000_5, "0.50 µs"),
        (0.000_25, "250 µs"),
        (0.001, "1.00 ms"),
        (0.012_34, "12.3 ms"),
        (0.999_6, "1.00 s"),
        (1_234.0, "1,234 s"),
    ] {
        assert_eq!(seconds(value), expected);
    }
    for (value, expected) in [
        (0.0, "0 B"),
        (999.0, "999 B"),
        (8_192.0, "8.19 kB"),
        (1.5e9, "1.50 GB"),
        (2e15, "2000 TB"),
    ] {
        assert_eq!(bytes(value), expected);
    }
    for (value, expected) in
        [(0.0, "0"), (3.0, "3"), (0.5, "0.50"), (12.34, "12.3"), (12_345.6, "12,346")]
    {
        assert_eq!(number(value), expected);
    }
}
