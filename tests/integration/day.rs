//! `loadtest day`: a day replayed against a service that already runs, and judged.
//!
//! Never here: a stack of the harness' own (`dev`), what a law says (the harness' own tests).

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use serde_json::Value;
use stack::postgres::{self, PostgresPair, Profile};
use stack::provider::{Fates, Faults, Latency, Options};
use stack::{Process, ProcessSpec};
use tests::app::{Service, Setup};
use tests::binary::{self, tool};
use tests::client::ADMIN_KEY;
use tests::database::pair;
use tests::wait::{soon, until, until_within};
use tests::{Ending, TestApp, TestDatabase};

use super::dev::interrupted;

/// A day at the highest speed, its drain and its judgement, on a loaded machine.
const DAY_WITHIN: Duration = Duration::from_secs(120);

/// Longer than the day, so that no connection of the harness is cut in it for being idle; slow
/// clients are cut soon after it.
const REQUEST_HEAD_MS: u32 = 25_000;

/// Of the replayed day, 17:05 in New York: all texts of the rule of two hours have left. Those of
/// the day before have until tomorrow, so that none of them expires for want of a worker, of whom a
/// second lasts most of an hour.
const LATE: &str = "2027-03-09T22:05:00Z";

/// An ordinary day's faults, each ten times as often, as the day is short of texts.
fn of_a_day(options: Options) -> Options {
    let faults = Faults {
        accept_then_drop_share: 0.01,
        server_error_share: 0.01,
        too_many_requests_share: 0.01,
        duplicate_callback_share: 0.1,
        out_of_order_callback_share: 0.1,
        ..Faults::day()
    };
    Options { faults, fates: Fates::day(), ..options }
}

/// Of the replayed day, 11:05 in New York: enough is left for all that a day does.
const MIDDAY: &str = "2027-03-09T16:05:00Z";

async fn app() -> TestApp {
    setup().start().await
}

fn setup() -> Setup {
    let horizon = contract::Limit::PlanHorizonDays.spec().default;
    TestApp::with()
        .replies()
        .provider(of_a_day)
        .env("PUNCTUAL_LIMIT_PLAN_HORIZON_DAYS", horizon)
        .env("PUNCTUAL_LIMIT_REQUEST_HEAD_MS", REQUEST_HEAD_MS)
        // Few deliveries at a time, so that neither of two takes all; short leases, so that what
        // a dead one held is taken over soon.
        .env("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", 3)
        .env("PUNCTUAL_LEASE_MS", 7_500)
        .env("PUNCTUAL_PROVIDER_FIRST_BYTE_MS", 2_000)
        .env("PUNCTUAL_PROVIDER_TOTAL_MS", 2_000)
        .env("PUNCTUAL_PROVIDER_SETTLING_MS", 900)
}

/// A harness that replays a day of few texts against it.
async fn replay(app: &TestApp, dir: &Path, speed: u32) -> Process {
    let spec = ProcessSpec::new("day", binary::loadtest())
        .argument("day")
        .arguments(["--service", app.client.public.to_string().as_str()])
        .arguments(["--admin", app.client.admin.to_string().as_str()])
        .arguments(["--provider", app.simulator.address().to_string().as_str()])
        .argument("--provider-log")
        .argument(app.simulator.log_path())
        .arguments(["--limit", format!("request_head_ms={REQUEST_HEAD_MS}").as_str()])
        .arguments(["--messages", "400", "--users", "8"])
        .arguments(["--speed", speed.to_string().as_str()])
        .argument("--report-dir")
        .argument(dir)
        .env("PUNCTUAL_ADMIN_KEY", ADMIN_KEY)
        .ending(Signal::SIGTERM);
    Process::start(spec, pair().await.run_dir()).unwrap()
}

/// Domain time, as the service has it.
async fn domain_now(app: &TestApp) -> Timestamp {
    let clock = app.get("/admin/clock").send().await.json(200);
    let time = |field: &str| clock[field].as_str().unwrap().parse::<Timestamp>().unwrap();
    let ran = Timestamp::now().duration_since(time("real_origin")).max(SignedDuration::ZERO);
    let ran = ran.as_secs_f64() * clock["speed"].as_f64().unwrap();
    time("domain_origin") + SignedDuration::from_secs_f64(ran)
}

async fn under_way(service: &Service) -> f64 {
    service.scrape().await.sum("stage_in_flight", &[("stage", "deliver")])
}

/// Ends it. Its texts are the harness', in which nobody looks for the tests' own words.
async fn finish(app: TestApp) {
    let TestApp { service, simulator, .. } = app;
    service.finish(Ending::default()).await;
    simulator.stop().await;
}

/// kill -9 of a worker with texts under way, on a day with faults: every law holds at its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_hold_though_a_worker_is_killed() {
    let app = app().await;
    let public_url = format!("http://{}", app.client.public);
    // Its texts are called back to the one that survives, as a load balancer would see to.
    let doomed = app.another(&[("PUNCTUAL_PUBLIC_URL", public_url.as_str())]).await;
    let dir = tempfile::tempdir().unwrap();
    let day = replay(&app, dir.path(), 2_500).await;
    until_it_is(&app, &day, LATE).await;
    let faults = until_slowly_delivering(&app, &doomed).await;
    doomed.kill().await;
    app.simulator.set_faults(faults).unwrap();

    let ended = tokio::time::timeout(DAY_WITHIN, day.wait()).await.expect("it ends");
    assert!(ended.success(), "{ended}: {}", day.output());
    assert!(day.output().contains("PASSED"), "{}", day.output());
    let recovered = app.scrape().await.sum("stage_items_total", &[("stage", "recover")]);
    assert!(recovered >= 1.0, "it had nothing under way");
    app.audit().await;
    all_are_logged(dir.path()).await;
    finish(app).await;
}

/// Its interval logs hold each request of its report, in each measure.
async fn all_are_logged(dir: &Path) {
    let report = std::fs::read(dir.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let endpoints = report["endpoints"].as_array().unwrap();
    let requests: u64 = endpoints.iter().map(|row| row["counts"]["total"].as_u64().unwrap()).sum();
    assert!(requests > 400, "{report}");
    for measure in ["response", "service", "lag"] {
        let log = dir.join(format!("{measure}.hlog")).display().to_string();
        let merged = dir.join("merged.hlog").display().to_string();
        let program = binary::loadtest().display().to_string();
        let output = tool(&program, &["merge", "--out", &merged, &log], DAY_WITHIN).await;
        let says = output.stdout.replace(',', "");
        let wanted = format!("merged.hlog: {requests} requests of 1 logs\n");
        assert!(says.ends_with(&wanted), "{wanted}{output:?}");
    }
}

/// Waits until the day has come so far.
async fn until_it_is(app: &TestApp, day: &Process, instant: &str) {
    let instant = instant.parse::<Timestamp>().unwrap();
    until_within(DAY_WITHIN, "a time of the day", async || {
        assert!(day.ended().is_none(), "{}", day.output());
        (domain_now(app).await >= instant).then_some(())
    })
    .await;
}

/// Makes the provider so slow that a process has something under way, and returns what it was like.
async fn until_slowly_delivering(app: &TestApp, service: &Service) -> Faults {
    let faults = app.simulator.faults();
    let slow = Latency::Constant { ms: 1_500.0 };
    app.simulator.set_faults(Faults { latency: slow, ..faults.clone() }).unwrap();
    until("it delivers", async || (under_way(service).await >= 1.0).then_some(())).await;
    faults
}

/// The primary dies at midday with texts under way, and its synchronous standby is promoted: every
/// law holds at the day's end, for all that was acknowledged, on the server that leads then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_hold_though_the_primary_dies_and_its_replica_is_promoted() {
    let pair = PostgresPair::start(postgres::Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    let tell = async |server: &postgres::Server, statement: &str| {
        server.connect("postgres").await.unwrap().batch_execute(statement).await.unwrap();
    };
    tell(pair.primary(), "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
    tell(pair.primary(), "SELECT pg_reload_conf()").await;
    let app = setup().database(database).replica().start().await;
    let dir = tempfile::tempdir().unwrap();
    let day = replay(&app, dir.path(), 1_500).await;
    until_it_is(&app, &day, MIDDAY).await;

    let faults = until_slowly_delivering(&app, &app.service).await;
    pair.primary().kill().await.unwrap();
    tell(pair.replica(), "SELECT pg_promote()").await;
    until("the service is ready again", async || {
        (app.get("/readyz").send().await.status == 200).then_some(())
    })
    .await;
    app.simulator.set_faults(faults).unwrap();

    let ended = tokio::time::timeout(DAY_WITHIN, day.wait()).await.expect("it ends");
    assert!(ended.success(), "{ended}: {}", day.output());
    assert!(day.output().contains("PASSED"), "{}", day.output());
    app.audit().await;
    let TestApp { service, simulator, .. } = app;
    service.finish(Ending { errors: &["stage", "listen"], ..Ending::default() }).await;
    simulator.stop().await;
    pair.stop().await;
}

/// Ctrl-C in the middle: a report of what was done so far.
#[tokio::test]
async fn a_day_that_is_interrupted_reports_what_there_is() {
    let app = app().await;
    let dir = tempfile::tempdir().unwrap();
    // So slow that it isn't over before it is interrupted: it takes nine minutes.
    let day = replay(&app, dir.path(), 100).await;
    day.ready_line("replay   ", DAY_WITHIN).await.unwrap();
    day.signal(Signal::SIGINT);
    let status = soon("its end", day.wait()).await;
    assert_eq!(status.code(), Some(130), "{}", day.output());
    interrupted(&day, dir.path());
    finish(app).await;
}
