//! The provider's list against what is known here as sent.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stack::provider::Options;
use tests::app::Ending;
use tests::binary::{Output, run};
use tests::database::Sql;
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::until_accepted;
use tests::{TestApp, appointment, at, until};

use super::{every_report_says, reconcile};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What the provider lists from an hour ago to an hour ahead, compared.
async fn compared(app: &TestApp) -> (Output, Value) {
    let output = compare(app, &app.simulator.base_url(), Timestamp::now() + HOUR).await;
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report["provider"].clone())
}

/// Compares what a provider lists in the two hours until an instant.
async fn compare(app: &TestApp, provider: &str, until: Timestamp) -> Output {
    let (since, until) = ((until - HOUR * 2).to_string(), until.to_string());
    let url = app.database.url();
    let environment = [
        ("PUNCTUAL_DATABASE_URL", url.as_str()),
        ("PUNCTUAL_PROVIDER_URL", provider),
        ("PUNCTUAL_PROVIDER_SIMULATED", "true"),
        ("PUNCTUAL_TWILIO_ACCOUNT_SID", Options::ACCOUNT_SID),
        ("PUNCTUAL_TWILIO_AUTH_TOKEN", Options::AUTH_TOKEN),
    ];
    let span = ["--since", &since, "--until", &until];
    let arguments = [["reconcile", "--json", "--provider"].as_slice(), &span].concat();
    run(&arguments, &environment).await
}

/// Listed, known here, in doubt, surplus, missing, and answers lost.
fn counts(comparison: &Value) -> [u64; 6] {
    ["listed", "known", "doubtful", "surplus", "missing", "open"]
        .map(|name| comparison[name].as_u64().unwrap())
}

/// The provider's name for an appointment's text under the first rule.
async fn name_of(sql: &Sql, appointment_id: &str) -> String {
    let name = "SELECT provider_ref FROM message \
                WHERE appointment_ids = ARRAY[$1::text] AND rule_id = 1";
    sql.one(name, &[&appointment_id]).await
}

/// More texts than a page has. The simulator's clock is the machine's; nothing here asserts on it.
#[tokio::test]
async fn what_the_provider_lists_is_known_here_and_the_other_way_round() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..250).map(|n| appointment(&format!("a{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    let (output, comparison) = compared(&app).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    assert_eq!(counts(&comparison), [250, 250, 0, 0, 0, 0]);

    // One that still waits at the provider is on no list of the time in which it was tried.
    let sql = Sql::connect(&app.database.url()).await;
    let earlier = "UPDATE attempt SET started_at = started_at - interval '50 minutes' \
                   WHERE ctid = (SELECT min(ctid) FROM attempt WHERE local_day = '2026-05-05') \
                     AND local_day = '2026-05-05'";
    assert_eq!(sql.run(earlier, &[]).await, 1);
    let before = compare(&app, &app.simulator.base_url(), Timestamp::now() - HOUR / 2).await;
    let report: Value = serde_json::from_str(&before.stdout).unwrap();
    assert_eq!(before.status, Some(0), "{before:?}");
    assert_eq!(counts(&report["provider"]), [0, 0, 0, 0, 0, 0]);
    assert_eq!(report["provider"]["waiting"], 1, "{report:#}");

    // One that we say was sent, and it wasn't: the provider knows it by another name.
    let was = "SELECT min(provider_ref) FROM attempt_outcome";
    let was: String = sql.one(was, &[]).await;
    let forge = "UPDATE attempt_outcome SET provider_ref = 'SM0' WHERE provider_ref = $1";
    sql.run(forge, &[&was]).await;
    let (output, comparison) = compared(&app).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!(counts(&comparison), [250, 249, 0, 1, 1, 0]);
    let surplus = &comparison["surplus_texts"][0];
    assert_eq!((&surplus["practice_id"], &surplus["provider_ref"]), (&json!(1), &json!(was)));
    let missing = &comparison["missing_texts"][0];
    assert_eq!((&missing["practice_id"], &missing["provider_ref"]), (&json!(1), &json!("SM0")));
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

/// A lost answer may be one text of the list, to its recipient, and no other.
#[tokio::test]
async fn a_lost_answer_hides_no_other_text() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("a"), appointment("b").phone(2)]).await;
    for (due, texts) in [(FIRST_DUE, 2), (SECOND_DUE, 4)] {
        app.hold(at(due)).await;
        until_accepted(&app.simulator, texts).await;
        app.idle().await;
    }
    let sql = Sql::connect(&app.database.url()).await;
    let (a, b) = (name_of(&sql, "a").await, name_of(&sql, "b").await);
    // Another try of the first, without an answer, that the provider has never had.
    let lost = "INSERT INTO attempt (local_day, shard, practice_id, message_id, attempt_no, token, \
                                     sender, started_at) \
                SELECT t.local_day, t.shard, t.practice_id, t.message_id, 2, t.token, t.sender, \
                       t.started_at \
                FROM attempt t JOIN message m USING (shard, practice_id, message_id) \
                WHERE m.provider_ref = $1";
    assert_eq!(sql.run(lost, &[&a]).await, 1);
    let (output, comparison) = compared(&app).await;
    assert_eq!((output.status, counts(&comparison)), (Some(0), [4, 4, 0, 0, 0, 1]));

    // The second one left by another hand.
    let forget = "DELETE FROM attempt t USING message m \
                  WHERE m.message_id = t.message_id AND m.provider_ref = $1";
    assert_eq!(sql.run(forget, &[&b]).await, 1);
    let (output, comparison) = compared(&app).await;
    assert_eq!((output.status, counts(&comparison)), (Some(1), [4, 3, 0, 1, 0, 1]));
    assert_eq!(comparison["surplus_texts"][0]["provider_ref"], b);

    // Neither is the answer to the first one's first try known.
    let forget = "DELETE FROM attempt_outcome WHERE provider_ref = $1";
    assert_eq!(sql.run(forget, &[&a]).await, 1);
    let (output, comparison) = compared(&app).await;
    assert_eq!((output.status, counts(&comparison)), (Some(1), [4, 2, 1, 1, 0, 2]));

    // The second text to the same recipient left by another hand, and there is one lost answer.
    let forget = "DELETE FROM attempt t USING message m \
                  WHERE m.message_id = t.message_id AND m.appointment_ids = '{a}' \
                    AND (t.attempt_no = 2 OR m.rule_id = 2)";
    assert_eq!(sql.run(forget, &[]).await, 2);
    let (output, comparison) = compared(&app).await;
    assert_eq!((output.status, counts(&comparison)), (Some(1), [4, 1, 1, 2, 0, 1]));
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

/// Whoever ran the comparison knows it by its exit status; everybody else by these.
#[tokio::test]
async fn what_the_lists_differ_in_is_shown_until_it_is_in_order_or_told() {
    let app = TestApp::with().env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000).start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("a"), appointment("b").phone(2)]).await;
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    let sql = Sql::connect(&app.database.url()).await;
    let was = name_of(&sql, "b").await;
    let forge = "UPDATE attempt_outcome SET provider_ref = $2 WHERE provider_ref = $1";
    assert_eq!(sql.run(forge, &[&was, &"SM0"]).await, 1);
    let (output, _) = compared(&app).await;
    assert_eq!(output.status, Some(1), "{output:?}");

    let shown = async |missing: u64, surplus: u64| {
        until("the stage says so", async || {
            let scrape = app.scrape().await;
            let of = |kind| scrape.sum("conservation_residual_messages", &[("kind", kind)]);
            let wanted = (missing as f64, surplus as f64);
            ((of("missing"), of("surplus")) == wanted).then_some(())
        })
        .await;
        let said = json!({
            "missing": missing, "surplus": surplus, "unfinished": 0,
            "unbalanced": 0, "uncompared": 0,
        });
        every_report_says(&app, said).await;
    };
    shown(1, 1).await;
    // The stage has looked at all promises, and so does this: it is not for them to say that it is
    // in order.
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, &report["residual"]), (Some(1), &json!(2)), "{report:#}");
    let listed = app.get("/admin/residuals").send().await.json(200);
    let name = |residual: &Value| {
        ["appointment_id", "kind", "reason", "provider_ref"]
            .map(|field| residual[field].as_str().unwrap().to_owned())
    };
    let named: BTreeSet<_> = listed["residuals"].as_array().unwrap().iter().map(name).collect();
    let wanted = [
        ["b", "missing", "the provider doesn't list its text", "SM0"],
        ["", "surplus", "the provider took a text that is not known here", &was],
    ];
    assert_eq!(named, wanted.map(|fields| fields.map(str::to_owned)).into());

    // Put right: the one is in order, and of the other nothing is known any more.
    assert_eq!(sql.run(forge, &[&"SM0", &was]).await, 1);
    let (output, _) = compared(&app).await;
    assert_eq!(output.status, Some(1), "what nobody was told of: {output:?}");
    shown(1, 0).await;
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!(report["too_late"][0]["provider_ref"], "SM0", "{report:#}");
    shown(0, 0).await;
    let (output, _) = compared(&app).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

#[tokio::test]
async fn a_provider_without_a_list_or_away_is_one_line() {
    let app = TestApp::start().await;
    let url = app.database.url();
    let database = ("PUNCTUAL_DATABASE_URL", url.as_str());
    let webhook =
        [("PUNCTUAL_PROVIDER", "webhook"), ("PUNCTUAL_PROVIDER_URL", "http://127.0.0.1:9")];
    let arguments = ["reconcile", "--provider"];
    let told = run(&arguments, &[[database].as_slice(), &webhook].concat()).await;
    assert_eq!(told.status, Some(2), "{told:?}");
    assert!(told.stderr.contains("the webhook provider keeps no list"), "{told:?}");
    let away = [("PUNCTUAL_PROVIDER_URL", "http://127.0.0.1:9")];
    let told = run(&arguments, &[[database].as_slice(), &away].concat()).await;
    assert_eq!(told.status, Some(3), "{told:?}");
    assert!(told.stderr.contains("it can't be reached"), "{told:?}");
    let told = run(&["reconcile", "--since", "2026-05-04T00:00:00Z"], &[database]).await;
    assert_eq!(told.status, Some(2), "--since asks the provider: {told:?}");
    app.finish().await;
}

/// Cron runs it, and somebody has to hear when it no longer does.
#[tokio::test]
async fn until_when_lists_were_compared_is_told_and_only_moves_on() {
    let app = TestApp::start().await;
    let sql = Sql::connect(&app.database.url()).await;
    let noted = "SELECT extract(epoch FROM compared_until)::float8 FROM deployment";
    let noted = async || sql.one::<Option<f64>>(noted, &[]).await;
    let provider = app.simulator.base_url();
    assert_eq!(noted().await, None);

    // A provider that doesn't answer has compared nothing.
    let failed = compare(&app, "http://127.0.0.1:1", Timestamp::now()).await;
    assert_eq!((failed.status, noted().await), (Some(3), None), "{failed:?}");

    let until_then = Timestamp::now() - HOUR;
    assert_eq!(compare(&app, &provider, until_then).await.status, Some(0));
    let first = noted().await.unwrap();
    assert!((first - until_then.as_second() as f64).abs() <= 1.0, "{first} {until_then}");
    // What lies ahead was not compared, and an older stretch takes nothing back.
    let ahead = compare(&app, &provider, Timestamp::now() + HOUR).await;
    let second = noted().await.unwrap();
    let now = Timestamp::now().as_second() as f64;
    assert!(ahead.status == Some(0) && first < second && second <= now + 1.0, "{second} {now}");
    assert_eq!(compare(&app, &provider, until_then).await.status, Some(0));
    assert_eq!(noted().await, Some(second));
    until("every process says so", async || {
        let told = app.scrape().await.sum("provider_compared_until_timestamp_seconds", &[]);
        ((told - second).abs() < 1e-3).then_some(())
    })
    .await;
    app.finish().await;
}
