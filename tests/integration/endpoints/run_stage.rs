//! `POST /admin/stages/{stage}/run`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::RunStage;

async fn run(app: &TestApp, stage: &str, body: &Value) -> Value {
    let path = format!("/admin/stages/{stage}/run");
    let mut ran = app.post(&path, body).send().await.json(200);
    assert!(ran["seconds"].as_f64().unwrap() > 0.0);
    ran.as_object_mut().unwrap().remove("seconds");
    ran
}

fn did(stage: &str, batches: usize, messages: usize, idle: bool) -> Value {
    json!({ "stage": stage, "batches": batches, "messages": messages, "idle": idle })
}

/// All stages held, one after the other made to work: messages go exactly as far as that.
#[tokio::test]
async fn a_message_goes_as_far_as_the_stages_are_made_to_work() {
    let app = TestApp::with()
        .env("PUNCTUAL_STAGE_GATES", "held")
        .env("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", 3)
        .start()
        .await;
    let one = app.practice(1).await;
    let all = json!({});
    app.put("/admin/stages/plan", &json!({ "gate": "open" })).send().await.expect(200);
    let five: Vec<_> = (1..=5).map(|n| appointment(&format!("a{n}")).phone(n)).collect();
    one.send(&five).await;
    assert_eq!(run(&app, "release", &all).await, did("release", 0, 0, true), "none is due");
    app.hold(at(FIRST_DUE)).await;

    let some = json!({ "messages_max": 2 });
    // The last of a batch that is cut is left to the next one: its family may be larger.
    assert_eq!(run(&app, "release", &some).await, did("release", 2, 2, false));
    assert_eq!(run(&app, "release", &all).await, did("release", 1, 3, true));
    assert_eq!(run(&app, "deliver", &all).await, did("deliver", 0, 0, true));
    // Only as many as may be under way.
    assert_eq!(run(&app, "claim", &all).await, did("claim", 1, 3, false));
    assert_eq!(run(&app, "claim", &all).await, did("claim", 0, 0, false));
    assert_eq!(app.simulator.state().accepted, 0);
    assert_eq!(run(&app, "deliver", &some).await, did("deliver", 2, 2, false));
    assert_eq!(run(&app, "deliver", &all).await, did("deliver", 1, 1, true));
    assert_eq!(run(&app, "claim", &all).await, did("claim", 1, 2, true));
    assert_eq!(run(&app, "deliver", &all).await, did("deliver", 2, 2, true));
    assert_eq!(one.reminders("a1", 1).await[0]["fate"], "pending", "none is recorded");
    assert_eq!(run(&app, "settle", &all).await, did("settle", 1, 5, true));
    assert_eq!(one.reminders("a1", 1).await[0]["fate"], "sent");
    let folded = run(&app, "fold", &all).await;
    assert!(folded["messages"].as_i64().unwrap() > 0 && folded["idle"] == true, "{folded}");

    for stage in ["receive", "recover", "resolve", "floor", "fold", "observe", "reconcile"] {
        app.put(&format!("/admin/stages/{stage}"), &json!({ "gate": "open" }))
            .send()
            .await
            .expect(200);
    }
    app.idle().await;
    app.finish().await;
}

#[tokio::test]
async fn a_write_waits_for_its_stage_to_be_made_to_work() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    app.put("/admin/stages/plan", &json!({ "gate": "held" })).send().await.expect(200);
    let appointment = appointment("a");
    let (_, ran) = tokio::join!(one.book(&appointment), async {
        tests::until("it is planned", async || {
            let ran = run(&app, "plan", &json!({})).await;
            (ran["messages"] == 1).then_some(ran)
        })
        .await
    });
    assert_eq!(ran, did("plan", 1, 1, true));
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let path = "/admin/stages/floor/run".to_owned();
    let call = app.post(&path, &json!({})).send();
    let open = is_counted(&app, ENDPOINT, 409, call).await;
    open.problem(409, "conflict");
    app.put("/admin/stages/floor", &json!({ "gate": "held" })).send().await.expect(200);
    let run = app.post(&path, &json!({})).send();
    let (_, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, run)).await;
    assert_eq!(spent.queries, 0.0, "they are the stage's");
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: json!({ "messages_max": 1 }) };
    good.is_refused_when_spoilt().await;
    for most in [json!(0), json!(-1), json!("many")] {
        let body = json!({ "messages_max": most });
        app.post(&good.path, &body).send().await.problem(400, "bad_json");
    }
    app.post("/admin/stages/render/run", &json!({})).send().await.problem(400, "bad_path");
    app.finish().await;
}

#[tokio::test]
async fn no_stage_is_made_to_work_unless_it_is_on() {
    let app = TestApp::start().await;
    app.post("/admin/stages/claim/run", &json!({})).send().await.problem(403, "not_here");
    app.finish().await;
}
