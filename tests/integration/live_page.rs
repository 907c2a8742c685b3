//! The live page as a person has it: in a real browser, against a service that works.
//!
//! Belongs here: what is seen, heard and reached by keys, and all that needs a browser: where there
//! is none, `make test` leaves these out, by the module's name, and says so. Never here: the two
//! endpoints by themselves (`endpoints::read_live`, `endpoints::stream_live`).

mod phone;

use std::collections::BTreeSet;

use fantoccini::key::Key;
use serde_json::{Value, json};
use tests::binary::run;
use tests::browser::Browser;
use tests::database::pair;
use tests::practice::{FIRST_DUE, settings};
use tests::slow::slow_read;
use tests::{Ending, TestApp, appointment, at, until};

use crate::reconcile::broken::lose_zone;

/// The sections, as the page's navigation names them.
const SECTIONS: [&str; 8] =
    ["paths", "flow", "pools", "database", "statements", "kept", "endpoints", "limits"];

async fn opened(app: &TestApp) -> Browser {
    let browser = Browser::start(pair().await.run_dir()).await;
    browser.open(&format!("http://{}/", app.client.admin)).await;
    browser.until("it is live", IS_LIVE).await;
    browser
}

const IS_LIVE: &str = "return document.querySelector('#stream').textContent === '● Live'";

/// A cell of a table by its row's key and its column's label, as a number.
fn cell(table: &str, row: &str, label: &str) -> String {
    format!(
        "return document.querySelector('#{table} [data-key={row}] [data-label=\"{label}\"]')\
         ?.textContent ?? null"
    )
}

/// A figure of a stage's box.
fn of_stage(stage: &str, term: &str) -> String {
    format!(
        "return document.querySelector('#stages [data-key={stage}] [data-key=\"{term}\"] dd')\
         ?.textContent ?? null"
    )
}

#[tokio::test]
async fn its_numbers_move_with_the_work() {
    let app = TestApp::with().replica().start().await;
    let one = app.practice(1).await;
    let browser = opened(&app).await;
    let title = browser.run("return document.title").await;
    assert!(title.as_str().unwrap().contains("Punctual live"), "{title}");
    let started = browser.run(&of_stage("deliver", "since start")).await;
    assert_eq!(started, json!("0"));

    let booked: Vec<_> = (1..=40).map(|n| appointment(&format!("a{n}")).phone(n)).collect();
    for appointment in &booked {
        one.book(appointment).await;
    }
    app.hold(at(FIRST_DUE)).await;
    let expects = async |what: &str, script: &str, wanted: &str| {
        until(&format!("{what} is {wanted}"), async || {
            let shown = browser.run(script).await;
            (shown.as_str() == Some(wanted)).then_some(())
        })
        .await;
    };
    for stage in ["release", "claim", "deliver", "settle"] {
        expects(stage, &of_stage(stage, "since start"), "40").await;
    }
    // A receipt that overtakes its text's settling has no time to be told, so those may be fewer.
    for path in ["booking_to_promise", "due_to_handed_over"] {
        let events = cell("t-paths", path, "Good, since start");
        let script = events.replace("?.textContent", "?.querySelector('small')?.textContent");
        expects(path, &script, "of 40").await;
        let minute = browser.run(&cell("t-paths", path, "Good, last minute")).await;
        assert!(minute.as_str().unwrap().ends_with(" %"), "{minute}");
        let drawn = format!(
            "return document.querySelector('#t-paths [data-key={path}] path.all')\
                             .getAttribute('d').length > 0"
        );
        assert_eq!(browser.run(&drawn).await, json!(true), "{path} is drawn");
    }
    let sent = "return document.querySelector('#fates [data-key=sent] dd span').textContent";
    expects("sent", sent, "40").await;
    let sum = "return document.querySelector('#sum').textContent";
    until("nothing is in hand", async || {
        let text = browser.run(sum).await;
        text.as_str()?.contains("40 settled = 0 in hand").then_some(())
    })
    .await;
    let statements = "return document.querySelectorAll('#t-statements tbody tr').length";
    assert_eq!(browser.run(statements).await, json!(10));
    let pools = "return document.querySelectorAll('#t-pools tbody tr').length";
    assert_eq!(browser.run(pools).await, json!(6));
    let servers = "return [...document.querySelectorAll('#t-servers tbody tr')]\
        .map((row) => row.children[1].textContent).sort().join(', ')";
    until("the servers have their parts", async || {
        let parts = browser.run(servers).await;
        (parts.as_str() == Some("is read, is written to")).then_some(())
    })
    .await;
    let replicas = "return document.querySelectorAll('#t-replicas tbody tr').length > 0";
    browser.until("the replica is shown", replicas).await;

    assert_eq!(browser.console().await, Vec::<String>::new());
    asks_nobody_else(&app, &browser).await;
    browser.finish().await;
    app.finish().await;
}

/// A memory that is full is as it is meant to be; a bound that turns callers away isn't.
#[tokio::test]
async fn a_full_memory_is_nothing_to_look_at() {
    let bounds = TestApp::with().env("PUNCTUAL_LIMIT_API_KEY_CACHE", 1);
    let app = bounds.env("PUNCTUAL_LIMIT_STREAMS", 1).start().await;
    app.practice(1).await.book(&appointment("a1")).await;
    let browser = opened(&app).await;
    for limit in ["api_key_cache", "streams"] {
        let full = cell("t-limits", limit, "In use").replace("?? null", "?.includes('100')");
        browser.until(&format!("{limit} is full"), &full).await;
    }
    let said = "return document.querySelector('#verdict').textContent";
    let said = browser.run(said).await.as_str().unwrap().to_lowercase();
    assert!(said.contains("streams: 100") && !said.contains("cache"), "{said}");
    browser.finish().await;
    app.finish().await;
}

/// A slow request is listed as it is kept, opens to what its time went on, and leads to its page.
#[tokio::test]
async fn slow_requests_are_there_with_their_waterfalls() {
    let app = TestApp::start().await;
    let browser = opened(&app).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    slow_read(&app, trace).await;
    let link = format!("document.querySelector('#requests a[href=\"/debug/requests/{trace}\"]')");
    browser.until("the request is listed", &format!("return {link} !== null")).await;
    let heads = format!("return {link}.closest('details').querySelector('summary').textContent");
    let head = browser.run(&heads).await;
    let head = head.as_str().unwrap();
    for piece in ["read_appointment", "ok 200", "slow", " ms"] {
        assert!(head.contains(piece), "{piece}: {head}");
    }
    // By keys, as everything on the page.
    browser.run(&format!("{link}.closest('details').querySelector('summary').focus()")).await;
    browser.press(Key::Enter).await;
    browser.until("it opens", &format!("return {link}.closest('details').open")).await;
    let longest = format!(
        "return [...{link}.closest('details').querySelectorAll('.fall li')]
            .map((line) => [parseFloat(line.querySelector('i').style.width), line.textContent])
            .sort(([a], [b]) => b - a)[0]"
    );
    let longest = browser.run(&longest).await;
    assert!(longest[1].as_str().unwrap().starts_with("appointment_read (query"), "{longest}");
    let width = longest[0].as_f64().unwrap();
    assert!((50.0..=100.0).contains(&width), "most of its time: {longest}");

    browser.run(&format!("{link}.focus()")).await;
    browser.press(Key::Enter).await;
    let page = "return location.pathname";
    until("its page", async || {
        let path = browser.run(page).await;
        (path == json!(format!("/debug/requests/{trace}"))).then_some(())
    })
    .await;
    let bars = "return document.querySelectorAll('.bar.query').length > 0";
    browser.until("its waterfall", bars).await;
    browser.finish().await;
    app.finish().await;
}

/// Above everything else, in words, for as long as it is so.
#[tokio::test]
async fn reminders_out_of_order_are_said_at_the_top_until_they_are_mended() {
    let app = TestApp::with()
        .env("TEST_PLANNER_BUG", "1,0") // none is planned
        .env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000)
        .start()
        .await;
    let one = app.practice(1).await;
    let browser = opened(&app).await;
    let says = "document.querySelector('#verdict').innerText.includes('Reconciliation:')";
    let figures = "return !document.querySelector('#verdict').classList.contains('waiting')";
    browser.until("its first figures", figures).await;
    assert_eq!(browser.run(&format!("return {says}")).await, json!(false));

    one.send(&[appointment("a"), appointment("b").phone(2)]).await;
    let said = browser.until("it is said", &format!("return {says}")).await;
    assert_eq!(said, json!(true));
    let line = "[...document.querySelectorAll('#verdict.bad li')]
        .find((line) => line.innerText.startsWith('Reconciliation:'))";
    let words = browser.run(&format!("return {line}.innerText")).await;
    assert_eq!(words, json!("Reconciliation: 4 reminders missing; /admin/residuals names them."));
    let is_seen = format!(
        "const place = {line}.getBoundingClientRect();
         return place.height > 0 && place.top >= 0 && place.bottom <= innerHeight"
    );
    assert_eq!(browser.run(&is_seen).await, json!(true), "without scrolling");
    let title = browser.run("return document.title").await;
    assert!(title.as_str().unwrap().starts_with('✕'), "{title}");
    let aloud = "return document.querySelector('#verdict').getAttribute('role')";
    assert_eq!(browser.run(aloud).await, json!("status"));
    let law = "return document.querySelector('#sum').innerText.includes('4 out of order')";
    browser.until("the law's line as well", law).await;

    let url = app.database.url();
    let repaired = run(&["reconcile", "--repair"], &[("PUNCTUAL_DATABASE_URL", &url)]).await;
    assert_eq!(repaired.status, Some(0), "{repaired:?}");
    browser.until("it is gone", &format!("return !{says}")).await;
    let law = "return document.querySelector('#sum').innerText.includes('Law 1 (every promise has \
               its fate, and the counts balance): held')";
    browser.until("the law holds", law).await;
    browser.finish().await;
    let errors = &["promises are out of order"];
    app.finish_as(Ending { errors, ..Ending::default() }).await;
}

/// That no reminder is found missing of a practice says nothing where nobody can look.
#[tokio::test]
async fn a_practice_that_cannot_be_compared_is_said_at_the_top_until_it_can() {
    let app = TestApp::with().env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000).start().await;
    app.practice(1).await.book(&appointment("a")).await;
    let browser = opened(&app).await;
    lose_zone(&app.database.sql).await;
    let line = "[...document.querySelectorAll('#verdict.bad li')]
        .find((line) => line.innerText.startsWith('Reconciliation:'))";
    browser.until("it is said", &format!("return {line} !== undefined")).await;
    let words = browser.run(&format!("return {line}.innerText")).await;
    let expected = "Reconciliation: 1 practices uncompared; /admin/residuals names them.";
    assert_eq!(words, json!(expected));
    let law = "return document.querySelector('#sum').innerText.includes('1 out of order')";
    browser.until("the law's line as well", law).await;

    app.put("/v1/practices/1", &settings(1)).send().await.expect(200);
    browser.until("it is gone", &format!("return {line} === undefined")).await;
    browser.finish().await;
    let errors = &["a practice can't be compared"];
    app.finish_as(Ending { errors, ..Ending::default() }).await;
}

/// Nothing was asked of anybody but this listener, and nothing can be.
async fn asks_nobody_else(app: &TestApp, browser: &Browser) {
    let asked = "return performance.getEntries().map((entry) => entry.name)\
                 .filter((name) => name.includes('://'))";
    let asked = browser.run(asked).await;
    let own = format!("http://{}/", app.client.admin);
    let asked: BTreeSet<&str> =
        asked.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(asked.iter().all(|address| address.starts_with(&own)), "{asked:?}");

    let tried = "
        window.refused = [];
        document.addEventListener('securitypolicyviolation',
            (event) => window.refused.push(event.effectiveDirective));
        new Image().src = 'http://127.0.0.1:9/image';
        fetch('http://127.0.0.1:9/fetched').catch(() => {});
        const script = document.createElement('script');
        script.textContent = 'window.hasRun = true';
        document.body.append(script);
        const style = document.createElement('style');
        style.textContent = 'body { display: none }';
        document.body.append(style);
        return null";
    browser.run(tried).await;
    browser.until("all four are refused", "return window.refused.length >= 4").await;
    let refused = browser.run("return window.refused.sort()").await;
    let expected = json!(["connect-src", "img-src", "script-src-elem", "style-src-elem"]);
    assert_eq!(refused, expected);
    assert_eq!(browser.run("return window.hasRun ?? null").await, Value::Null);
}

#[tokio::test]
async fn keys_lead_to_every_section() {
    let app = TestApp::start().await;
    let browser = opened(&app).await;
    let focused = "return document.activeElement.getAttribute('href')";
    browser.press(Key::Tab).await;
    assert_eq!(browser.run(focused).await, json!("#main"), "first the way past the header");
    for section in SECTIONS {
        browser.press(Key::Tab).await;
        let link = format!("#{section}");
        assert_eq!(browser.run(focused).await, json!(link));
        let outline = "return getComputedStyle(document.activeElement).outlineStyle";
        assert_ne!(browser.run(outline).await, json!("none"), "{section}: the focus can't be seen");
    }
    for section in SECTIONS {
        browser.run(&format!("document.querySelector('nav a[href=\"#{section}\"]').focus()")).await;
        browser.press(Key::Enter).await;
        let there = "return document.activeElement.id";
        assert_eq!(browser.run(there).await, json!(section));
        let heading = format!(
            "const label = document.getElementById('{section}').getAttribute('aria-labelledby');
             const place = document.getElementById(label).getBoundingClientRect();
             const header = document.querySelector('header').getBoundingClientRect();
             return place.top >= header.bottom && place.bottom <= innerHeight"
        );
        browser.until(&format!("the heading of {section} is in sight"), &heading).await;
    }
    // What is folded opens by a key and stays open as the page changes.
    browser.run("document.querySelector('#flow summary').focus()").await;
    browser.press(Key::Enter).await;
    let is_open = "return document.querySelector('#flow details').open";
    assert_eq!(browser.run(is_open).await, json!(true));
    let at = "window.before = document.querySelector('#process').textContent";
    browser.run(at).await;
    let changed = "return document.querySelector('#process').textContent !== window.before";
    browser.until("another second", changed).await;
    assert_eq!(browser.run(is_open).await, json!(true));
    let has_focus = "return document.activeElement.tagName";
    assert_eq!(browser.run(has_focus).await, json!("SUMMARY"));
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn it_says_that_the_stream_is_lost_and_finds_it_again() {
    let port = stack::ports::free_port().unwrap();
    let address = format!("127.0.0.1:{port}");
    let app = TestApp::with().env("PUNCTUAL_ADMIN_ADDR", &address).start().await;
    let browser = opened(&app).await;
    let process =
        "return document.querySelector('#process').textContent.match(/itself: (\\d+)/)[1]";
    let first = browser.run(process).await;
    app.process.stop(tests::SOON).await;
    let lost = "return document.querySelector('#stream').textContent.includes('Stream lost')";
    browser.until("it says so", lost).await;
    let stale =
        "return document.body.classList.contains('stale') && document.title.includes('lost')";
    assert_eq!(browser.run(stale).await, json!(true));
    assert_eq!(browser.run(process).await, first, "its last figures stay");
    let polite = "return document.querySelector('#stream').getAttribute('role')";
    assert_eq!(browser.run(polite).await, json!("status"), "and it is said aloud");

    let second = app.another(&[("PUNCTUAL_ADMIN_ADDR", &address)]).await;
    browser.until("it is live again", IS_LIVE).await;
    assert_ne!(browser.run(process).await, first, "another process");
    let fresh = "return !document.body.classList.contains('stale')";
    assert_eq!(browser.run(fresh).await, json!(true));
    browser.finish().await;
    second.finish(Ending::default()).await;
    let TestApp { service, .. } = app;
    service.finished(Ending::default()).await;
}
