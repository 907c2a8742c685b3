//! Carriers that block a sender, from the provider to the alert: the real service, whose texts are
//! all taken and from one moment on not delivered, and a real Prometheus.
//!
//! Never here: shares and windows; those are the cases in `alerts/tests`.

use stack::RunDir;
use stack::provider::Faults;
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::until_accepted;
use tests::{Prometheus, PrometheusConfig, TestApp, appointment, at};

use super::quick::{fires, firing, quick_rules};

/// Each to a phone of its own, at each of two times: more than the twenty that are a page.
const TEXTS: u32 = 30;

const ALERT: &str = "PunctualMessagesUndelivered";

/// What is not wrong here: nothing was given up, and a receipt came for each text.
const OTHERS: [&str; 3] =
    ["PunctualMessagesLost", "PunctualReceiptsMissing", "PunctualMessagesMissing"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_that_are_taken_and_not_delivered_are_told() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let run = RunDir::create(None).unwrap();
    let prometheus = Prometheus::start(&PrometheusConfig {
        targets: vec![app.client.admin],
        rule_files: quick_rules(&run, ".rules.yaml"),
        ..PrometheusConfig::default()
    })
    .await;
    let counted = |fate: &str, n: u32| format!("messages_total{{fate=\"{fate}\"}} == {n}");
    // What has no sample before it rises can't be seen to rise.
    prometheus.until(&counted("undelivered", 0), |found| !found.is_empty()).await;
    let many: Vec<_> = (0..TEXTS).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    prometheus.until(&counted("delivered", TEXTS), |found| !found.is_empty()).await;
    let told = format!("ALERTS{{alertname=\"{ALERT}\"}}");
    assert_eq!(prometheus.query(&told).await.unwrap(), [], "all was delivered");

    let blocked = Faults { blocked_share: 1.0, ..app.simulator.faults() };
    app.simulator.set_faults(blocked).unwrap();
    app.hold(at(SECOND_DUE)).await;
    until_accepted(&app.simulator, u64::from(2 * TEXTS)).await;
    fires(&prometheus, ALERT, ",severity=\"critical\",window=\"10m\"").await;
    prometheus.until(&counted("undelivered", TEXTS), |found| !found.is_empty()).await;
    for other in OTHERS {
        assert_eq!(prometheus.query(&firing(other, "")).await.unwrap(), [], "{other}");
    }
    app.idle().await;
    app.finish().await;
}
