//! Per recipient one text at a time, in order; recipients beside each other.

use stack::provider::{Faults, Latency, Options};
use tests::provider::until_accepted;
use tests::{TestApp, appointment, at, phone};

const LATENCY_MS: u64 = 300;

#[tokio::test]
async fn a_recipients_next_text_leaves_when_the_one_before_is_settled() {
    let slow = |options: Options| Options {
        faults: Faults { latency: Latency::Constant { ms: 300.0 }, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(slow).start().await;
    let one = app.practice(1).await;
    // Three windows of the day before are three texts.
    let starts = ["2026-05-06T09:00", "2026-05-06T13:00", "2026-05-06T17:00"];
    for (n, starts) in starts.into_iter().enumerate() {
        one.book(&appointment(&format!("a-{n}")).phone(1).starts(starts)).await;
        one.book(&appointment(&format!("b-{n}")).phone(2).starts(starts)).await;
    }
    app.hold(at("2026-05-05T16:00")).await;
    let texts = until_accepted(&app.simulator, 6).await;
    app.idle().await;
    for number in [1, 2] {
        let to: Vec<_> = texts.iter().filter(|text| text.to == phone(number)).collect();
        for (text, time) in to.iter().zip(["09:00", "13:00", "17:00"]) {
            assert!(text.body.contains(time), "{time}: {}", text.body);
        }
        assert_eq!(to.len(), 3);
        for pair in to.windows(2) {
            let apart = pair[1].t_ns - pair[0].t_ns;
            assert!(apart >= LATENCY_MS * 1_000_000, "{apart} ns apart");
        }
    }
    // The two recipients did not wait for each other.
    let last_of = |number| texts.iter().rposition(|text| text.to == phone(number));
    let first_of = |number| texts.iter().position(|text| text.to == phone(number));
    assert!(first_of(1) < last_of(2) && first_of(2) < last_of(1));
    app.finish().await;
}
