//! The audit can fail: rows broken by hand, one way at a time, are each found by the check whose
//! law it is, and named.
//!
//! Each case is a copy of one finished world, audited by the command, whose exit status is what CI
//! and the harness go by. Never here: that a world without mistakes passes (every test's end).

use std::collections::BTreeMap;

use serde_json::Value;
use tests::app::Ending;
use tests::binary::{Output, run};
use tests::database::{Sql, pair};
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at, until};

/// One way to break the world.
struct Case {
    what: &'static str,
    /// Statements that break it.
    breaks: &'static [&'static str],
    /// The checks that find it, and no others.
    found_by: &'static [&'static str],
    /// What is named.
    named: &'static str,
}

const CASES: &[Case] = &[
    Case {
        what: "a planned promise is gone",
        breaks: &["DELETE FROM intent WHERE appointment_id = 'alone' AND rule_id = 2"],
        found_by: &["expected", "tally"],
        named: "missing: practice 1 appointment alone rule 2",
    },
    Case {
        what: "a promise that nobody made",
        breaks: &["UPDATE intent SET state = 'p', reason = NULL WHERE appointment_id = 'gone'"],
        found_by: &["expected", "tally"],
        named: "surplus: practice 1 appointment gone",
    },
    Case {
        what: "the promise behind a text is gone",
        breaks: &["DELETE FROM intent WHERE appointment_id = 'alone' AND rule_id = 1"],
        found_by: &["expected", "members", "tally"],
        named: "missing: practice 1 appointment alone rule 1",
    },
    Case {
        what: "a text that was sent waits, and stands in no lane",
        breaks: &["UPDATE message SET state = 'q' WHERE 'alone' = ANY (appointment_ids)"],
        found_by: &["attempts", "conservation", "tally"],
        named: "appointment alone",
    },
    Case {
        what: "a text is gone",
        breaks: &["DELETE FROM message WHERE 'alone' = ANY (appointment_ids)"],
        found_by: &["conservation", "members", "tally"],
        named: "appointment alone",
    },
    Case {
        what: "a count is one too high",
        breaks: &["INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n) \
                   SELECT shard, 1, '2026-05-05', 1, 1, 1 FROM practice WHERE practice_id = 1"],
        found_by: &["tally"],
        named: "practice 1 day 2026-05-05 rule 1 fate 1: rows say 5, counts say 6",
    },
    Case {
        what: "sent without an attempt",
        breaks: &["DELETE FROM attempt WHERE message_id = (SELECT message_id FROM message \
                   WHERE 'alone' = ANY (appointment_ids))"],
        found_by: &["attempts"],
        named: "sent without an attempt",
    },
    Case {
        what: "accepted twice",
        breaks: &["INSERT INTO attempt_outcome SELECT o.* FROM attempt_outcome o \
                   JOIN message m USING (shard, practice_id, message_id) \
                   WHERE 'alone' = ANY (m.appointment_ids)"],
        found_by: &["attempts"],
        named: "not accepted once",
    },
    Case {
        what: "a try of which nobody knows the end",
        breaks: &["INSERT INTO attempt SELECT a.local_day, a.shard, a.practice_id, a.message_id, \
                   2::smallint, a.token, a.sender, a.started_at FROM attempt a \
                   JOIN message m USING (shard, practice_id, message_id) \
                   WHERE 'alone' = ANY (m.appointment_ids)"],
        found_by: &["attempts"],
        named: "an attempt without an outcome",
    },
    Case {
        what: "a recipient's second text left before the first was settled",
        breaks: &["UPDATE attempt SET started_at = started_at - interval '1 hour' \
                   WHERE message_id = (SELECT max(message_id) FROM message \
                   WHERE phone = 99900000007)"],
        found_by: &["order"],
        named: "left before message",
    },
    Case {
        what: "what was stopped in time is told by a text that left",
        breaks: &[
            "UPDATE intent i SET message_id = m.message_id FROM message m \
                   WHERE i.appointment_id = 'gone' AND i.rule_id = 1 \
                     AND 'alone' = ANY (m.appointment_ids)",
            "UPDATE message SET appointment_ids = appointment_ids || 'gone'::text, \
                   starts_at = starts_at || starts_at WHERE 'alone' = ANY (appointment_ids)",
        ],
        found_by: &["cancelled", "families", "members"],
        named: "appointment gone rule 1",
    },
    Case {
        what: "somebody is told twice",
        breaks: &[
            "INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, \
                   generation, state, segments, revision, due_at, expires_at, released_at, \
                   sent_at, \
                   appointment_ids, starts_at, body) SELECT shard, practice_id, phone, local_day, \
                   rule_id, group_slot, 2, state, segments, revision, due_at, expires_at, \
                   released_at, sent_at, appointment_ids, starts_at, body FROM message \
                   WHERE 'alone' = ANY (appointment_ids)",
        ],
        found_by: &["attempts", "groups", "members"],
        named: "appointment alone rule 1: 2 texts",
    },
    Case {
        what: "a text tells of a stranger",
        breaks: &[
            "UPDATE intent SET phone = 99900000055 WHERE appointment_id = 'son' AND rule_id = 1",
        ],
        found_by: &["expected", "families"],
        named: "practice 1 message",
    },
    Case {
        what: "a generation of a text is not there",
        breaks: &["UPDATE message SET generation = 3 WHERE 'alone' = ANY (appointment_ids)"],
        found_by: &["families"],
        named: "follows a generation that is not there",
    },
    Case {
        what: "a generation is older than the one before it",
        breaks: &[
            "UPDATE message SET generation = 2 WHERE 'alone' = ANY (appointment_ids)",
            "INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, \
                   generation, state, reason, segments, revision, due_at, expires_at, \
                   released_at, appointment_ids, starts_at, body) SELECT shard, practice_id, \
                   phone, local_day, \
                   rule_id, group_slot, 1, 'x', 'm', segments, revision, due_at, expires_at, \
                   released_at, '{}', '{}', body FROM message \
                   WHERE 'alone' = ANY (appointment_ids)",
        ],
        found_by: &["families"],
        named: "is older than the generation before it",
    },
    Case {
        what: "a text lost a member",
        breaks: &["UPDATE message SET appointment_ids = ARRAY['mother'], \
                   starts_at = starts_at[1:1] WHERE 'mother' = ANY (appointment_ids)"],
        found_by: &["members"],
        named: "differs",
    },
];

/// A family of two, one alone, one with two texts, one cancelled: all that the checks look at.
async fn finished_world() -> TestApp {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.send(&[
        appointment("mother").phone(1),
        appointment("son").phone(1).starts("2026-05-06T15:00"),
        appointment("alone").phone(2),
        appointment("gone").phone(3),
        appointment("morning").phone(7).starts("2026-05-06T09:00"),
        appointment("evening").phone(7).starts("2026-05-06T14:00"),
    ])
    .await;
    one.cancel("gone").await;
    app.hold(at(FIRST_DUE)).await;
    for id in ["mother", "alone", "morning", "evening"] {
        one.until_fate(id, 1, "sent").await;
    }
    app.idle().await;
    app
}

/// Checks and how many violations each found.
fn violations(output: &Output) -> BTreeMap<String, u64> {
    let report: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let found = checks.iter().map(|check| {
        (check["name"].as_str().unwrap().to_owned(), check["violations"].as_u64().unwrap())
    });
    found.collect()
}

async fn audit(url: &str) -> Output {
    run(&["audit", "--json"], &[("PUNCTUAL_DATABASE_URL", url)]).await
}

#[tokio::test]
async fn each_mistake_is_found_by_its_law_and_named() {
    let app = finished_world().await;
    let url = app.database.url();
    let sound = audit(&url).await;
    assert_eq!(sound.status, Some(0), "{sound:?}");
    assert_eq!(violations(&sound).len(), 10, "{}", sound.stdout);

    let TestApp { service, database, .. } = app;
    service.finish(Ending::default()).await;
    let postgres = Sql::connect(&pair().await.primary().url("postgres")).await;
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
    postgres.rows(end, &[&database.name()]).await;
    let mut wrong = Vec::new();
    for (n, case) in CASES.iter().enumerate() {
        let name = format!("{}_case_{n}", database.name());
        postgres.texts(&format!("CREATE DATABASE {name} TEMPLATE {}", database.name())).await;
        let url = pair().await.primary().url(&name);
        let sql = Sql::connect(&url).await;
        for breaks in case.breaks {
            assert!(sql.run(breaks, &[]).await > 0, "{}: nothing was broken", case.what);
        }
        let output = audit(&url).await;
        drop(sql);
        postgres.texts(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        let found = violations(&output);
        let found_by: Vec<&str> =
            found.iter().filter(|(_, n)| **n > 0).map(|(check, _)| check.as_str()).collect();
        let is_named = output.stdout.contains(case.named);
        if output.status != Some(1) || found_by != case.found_by || !is_named {
            wrong.push(format!(
                "{}: found by {found_by:?}, status {:?}\n{}{}",
                case.what, output.status, output.stdout, output.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Law 12: a statement that nobody named, on either server.
#[tokio::test]
async fn a_statement_without_a_name_is_found() {
    let app = TestApp::with().replica().start().await;
    until("the replica is read", async || {
        (app.scrape().await.sum("db_server_readable", &[]) > 0.0).then_some(())
    })
    .await;
    app.audit().await;
    let client = unnamed(&app.database.url()).await;
    client.query("SELECT count(*) FROM lane_item WHERE attempts > 17", &[]).await.unwrap();
    // A name that is no row's is none.
    let made_up = "/*db_query='lane_glance'*/ SELECT count(*) FROM lane_item WHERE attempts < 17";
    client.query(made_up, &[]).await.unwrap();
    let on_replica = unnamed(&app.database.replica_url()).await;
    let there = "SELECT count(*) FROM lane_item WHERE attempts = 17";
    on_replica.query(there, &[]).await.unwrap();
    client.execute("CREATE INDEX by_hand ON lane_item (attempts)", &[]).await.unwrap();
    let found = async |violations: i64| {
        let report = app.get("/admin/audit").send().await.json(200);
        assert_eq!(report["holds"], false);
        let checks = report["checks"].as_array().unwrap();
        let statements = checks.iter().find(|check| check["name"] == "statements").unwrap();
        assert_eq!(statements["law"], 12);
        assert_eq!(statements["violations"], violations, "{statements:#}");
        statements["examples"].to_string()
    };
    // A migration of the deploy may have made the index, as the statistics began before that.
    let examples = found(3).await;
    for named in ["attempts >", "lane_glance", "attempts ="] {
        assert!(examples.contains(named), "{named}: {examples}");
    }
    let earlier = "UPDATE deployment SET deployed_at = stats_reset - interval '1 second' \
                   FROM pg_stat_statements_info";
    app.database.sql.run(earlier, &[]).await;
    let examples = found(4).await;
    assert!(examples.contains("by_hand"), "{examples}");
    // What is found of any law is seen by whoever is alerted.
    let scrape = app.scrape().await;
    let violations = |law| scrape.sum("audit_violations", &[("law", law)]);
    assert_eq!((violations("statements"), violations("conservation")), (4.0, 0.0));
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

/// A connection whose statements have no names.
async fn unnamed(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
