//! Every endpoint while its database takes nobody in: what needs it is refused at once and says so,
//! what doesn't goes on.
//!
//! Never here: a server that crashes (`database_away`).

use contract::endpoint::{Access, Listener};
use contract::{Endpoint, Journey};
use serde_json::json;
use tests::database::{Sql, pair};
use tests::provider::reply;
use tests::{Ending, TestApp, appointment, phone, practice, until};

use super::common::path_of;

/// What an endpoint answers then.
fn expected(endpoint: Endpoint) -> (u16, &'static str) {
    match endpoint {
        Endpoint::ReadHealth
        | Endpoint::ReadMetrics
        | Endpoint::ReadLive
        | Endpoint::StreamLive
        | Endpoint::ReadOpenapi => (200, ""),
        // What the process itself has counted is there, with a note on what isn't.
        Endpoint::ReadQueries => (200, ""),
        // No stage can be held there.
        Endpoint::PutStage | Endpoint::RunStage => (403, "not_here"),
        Endpoint::ReadReadiness => (503, "not_ready"),
        // Nothing of theirs is the database's: no such trace was kept, and no route is asked for.
        Endpoint::DebugRequest => (404, "not_found"),
        Endpoint::DebugSlow => (400, "bad_query"),
        // The practice is in memory.
        Endpoint::ReadPractice => (200, ""),
        // Nothing is looked up for a signature that is wrong.
        Endpoint::ReceiveStatus | Endpoint::ReceiveReply => (403, "bad_signature"),
        Endpoint::PutPractice
        | Endpoint::CreateApiKey
        | Endpoint::RevokeApiKey
        | Endpoint::UpsertAppointments
        | Endpoint::CancelAppointment
        | Endpoint::ReadAppointment
        | Endpoint::ListMessages
        | Endpoint::ReadDailyCounts
        | Endpoint::ReadJobReport
        | Endpoint::ReadDelivery
        | Endpoint::ReadTrend
        | Endpoint::ReadFleet
        | Endpoint::RunAudit
        | Endpoint::ReadResiduals
        | Endpoint::ReadBacklog
        | Endpoint::ReadStages
        | Endpoint::ReadClock
        | Endpoint::PutClock => (503, "unavailable"),
    }
}

fn body(endpoint: Endpoint) -> serde_json::Value {
    if endpoint == Endpoint::PutPractice {
        let mut settings = practice::settings(1);
        settings["name"] = json!("Another");
        settings
    } else if endpoint == Endpoint::UpsertAppointments {
        appointment("b").json().clone()
    } else if endpoint == Endpoint::PutClock {
        let dawn = tests::database::DAWN;
        json!({ "real_origin": "2100-01-01T00:00:00Z", "domain_origin": dawn, "speed": 1.0 })
    } else {
        json!({})
    }
}

#[tokio::test]
async fn what_needs_the_database_says_that_it_is_away() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    // Whose number it is, is remembered.
    let answers = async |sid: &str| reply(&app.client, &phone(1), &one.sender(), sid, "yes").await;
    answers(&format!("SM{:032x}", 1)).await.expect(200);
    let postgres = Sql::connect(&pair().await.primary().url("postgres")).await;
    let name = app.database.name().to_owned();
    let allow = |is_allowed: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {is_allowed}");
    postgres.run(&allow(false), &[]).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = $1 AND application_name LIKE 'punctual%'";
    postgres.rows(end, &[&name]).await;

    // The live page's stream has no end that could be read.
    for &endpoint in Endpoint::ALL.iter().filter(|endpoint| **endpoint != Endpoint::StreamLive) {
        let spec = endpoint.spec();
        let path = path_of(endpoint);
        let call = app.call(spec.method.name().parse().unwrap(), &path);
        let call = match (spec.body_bytes_max, spec.access) {
            (0, _) => call,
            (_, Access::Provider) => call.form(&[("MessageSid", "SM1")]),
            (_, _) => call.json(&body(endpoint)),
        };
        assert_eq!(path.starts_with("/v1/"), spec.listener == Listener::Public);
        let answer = call.send().await;
        match expected(endpoint) {
            (200, _) => drop(answer.expect(200)),
            (status, code) => drop(answer.problem(status, code)),
        }
    }
    answers(&format!("SM{:032x}", 2)).await.problem(503, "unavailable");
    // Each of these was one request's, and broke off.
    let scrape = app.scrape().await;
    for journey in [Journey::BookingToPromise, Journey::CancelToSafe, Journey::ReplyToShown] {
        let labels = [("journey", journey.name())];
        let ended = scrape.sum("journey_duration_seconds_count", &labels);
        let broke_off = scrape.sum("slo_journeys_total", &labels) - ended;
        assert_eq!(broke_off, 1.0, "{}", journey.name());
    }

    postgres.run(&allow(true), &[]).await;
    until("ready again", async || (app.get("/readyz").send().await.status == 200).then_some(()))
        .await;
    one.book(&appointment("b")).await;
    let errors = &["stage", "listen"];
    app.finish_as(Ending { errors, ..Ending::default() }).await;
}
