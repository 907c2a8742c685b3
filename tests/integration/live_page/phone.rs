//! The pages that people look at, on a phone and in the dark, with everything on them that makes
//! them wide: a page without figures fits anywhere.
//!
//! Never here: whether the figures are right.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::browser::Browser;
use tests::practice::FIRST_DUE;
use tests::slow::slow_read;
use tests::{TestApp, appointment, at, until};

use super::{of_stage, opened};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// From a small phone over both sides of where tables become lists, to a screen.
const WIDTHS: [u32; 6] = [320, 360, 768, 890, 900, 1_280];

/// What has to be on the live page before it is looked at, as a selector and how many.
const SHOWN: [(&str, usize); 12] = [
    ("#verdict li", 1),
    ("#t-paths tbody tr", 5),
    ("#stages li", 7),
    ("#fates dd", 5),
    ("#t-stages tbody tr", 3),
    ("#t-pools tbody tr", 6),
    ("#t-servers tbody tr", 1),
    ("#t-replicas tbody tr", 1),
    ("#t-statements tbody tr", 10),
    ("#requests .fall li", 2),
    ("#t-endpoints tbody tr", 2),
    ("#t-limits tbody tr", 2),
];

/// What is too wide: the page, what lies outside of it and of every scroller, and what runs out of
/// its own box and over what is beside it. An empty list is good.
const TOO_WIDE: &str = "
    const style = (element) => getComputedStyle(element);
    const scrolls = (element) => ['auto', 'scroll'].includes(style(element).overflowX);
    const above = (element, what) => {
        for (let at = element; at && at !== document.body; at = at.parentElement) {
            if (what(at)) return true;
        }
        return false;
    };
    const isHidden = (element) => above(element, (at) => style(at).clipPath !== 'none');
    const found = [];
    const tell = (what, element) => {
        const text = element.textContent.trim().slice(0, 40);
        found.push(`${what}: ${element.tagName} #${element.id} .${element.className} ${text}`);
    };
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth) tell(`${page.scrollWidth - innerWidth} px`, page);
    for (const element of document.querySelectorAll('body *')) {
        if (!element.checkVisibility() || element.closest('svg, .skip') || isHidden(element)) {
            continue;
        }
        const { left, right, width } = element.getBoundingClientRect();
        const isIn = left >= -0.5 && right <= innerWidth + 0.5;
        if (width > 0 && !isIn && !above(element.parentElement, scrolls)) tell('outside', element);
        // A bar may be cut, a text may not.
        const isCut = style(element).overflowX === 'hidden' && element.textContent.trim() === '';
        const runsOut = element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
        if (runsOut && !isCut && !scrolls(element)) tell('runs out', element);
    }
    return found;";

/// The text with the least contrast to what is behind it, of all that is seen: how much, and which.
const CONTRAST: &str = "
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (rgb) => {
        const [r, g, b] = rgb.slice(0, 3).map((n) => {
            const c = n / 255;
            return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const rgb = parse(getComputedStyle(at).backgroundColor);
            if (rgb.length === 3 || rgb[3] === 1) return rgb;
        }
        return [255, 255, 255];
    };
    const ratio = (element) => {
        const pair = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    };
    let least = [Infinity, '', 0];
    let texts = 0;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        const element = node.parentElement;
        if (node.data.trim() === '' || element.closest('script, style')) continue;
        if (!element.checkVisibility()) continue;
        texts += 1;
        const is = ratio(element);
        if (is < least[0]) least = [is, `${element.tagName} .${element.className} ${node.data}`];
    }
    return { least: least[0], which: least[1], texts };";

/// As WCAG 2.1 asks of text of any size (criterion 1.4.3).
const CONTRAST_MIN: f64 = 4.5;

/// Looks at the page that is open, light and dark, at every width.
async fn fits_and_can_be_read(browser: &Browser, page: &str, texts_min: f64) {
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let mut grounds = BTreeSet::new();
    for scheme in ["light", "dark"] {
        browser.prefers(scheme).await;
        for width in WIDTHS {
            browser.is_wide(width).await;
            let found = browser.run(TOO_WIDE).await;
            assert_eq!(found, json!([]), "{page}, {scheme} at {width}");
            let text = browser.run(CONTRAST).await;
            let least = text["least"].as_f64().unwrap();
            assert!(least >= CONTRAST_MIN, "{page}, {scheme} at {width}: {text}");
            assert!(text["texts"].as_f64().unwrap() >= texts_min, "{page} at {width}: {text}");
        }
        grounds.insert(browser.run(ground).await.to_string());
    }
    assert_eq!(grounds.len(), 2, "{page}: the schemes are the same: {grounds:?}");
}

#[tokio::test]
async fn they_are_read_on_a_phone_in_the_dark() {
    // A bound that is full is something to say at the top. The replica is there, and not read: what
    // is slow on purpose waits on the primary.
    let app = TestApp::with().env("PUNCTUAL_LIMIT_STREAMS", 1).start().await;
    let browser = opened(&app).await;
    let one = slow_read(&app, TRACE).await;
    let booked: Vec<_> = (1..=40).map(|n| appointment(&format!("b{n}")).phone(n)).collect();
    one.send(&booked).await;
    app.hold(at(FIRST_DUE)).await;
    until("the texts are on the page", async || {
        let sent = browser.run(&of_stage("settle", "since start")).await;
        let sent: u32 = sent.as_str()?.parse().ok()?;
        (sent >= 40).then_some(())
    })
    .await;
    for (selector, least) in SHOWN {
        let count = format!("return document.querySelectorAll('{selector}').length >= {least}");
        browser.until(&format!("{least} of {selector}"), &count).await;
    }
    // With all that is folded unfolded.
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true })").await;
    fits_and_can_be_read(&browser, "the live page", 200.0).await;

    // It would be noticed. (On a screen each section may scroll by itself.)
    browser.is_wide(360).await;
    browser.run("document.querySelector('#t-pools').style.width = '3000px'").await;
    assert_ne!(browser.run(TOO_WIDE).await, json!([]));
    let faint = "const { style } = document.querySelector('#t-pools tbody th');
                 style.color = 'rgb(128, 128, 128)';
                 style.background = 'rgb(128, 128, 128)'";
    browser.run(faint).await;
    assert_eq!(browser.run(CONTRAST).await["least"].as_f64(), Some(1.0));
    assert_eq!(browser.console().await, Vec::<String>::new());

    for path in
        ["/debug/slow?route=read_appointment".to_owned(), format!("/debug/requests/{TRACE}")]
    {
        browser.open(&format!("http://{}{path}", app.client.admin)).await;
        let tables = "const tables = [...document.querySelectorAll('table')];
             return tables.every((table) => table.closest('.scroll') !== null)";
        assert_eq!(browser.run(tables).await, Value::Bool(true), "{path}");
        fits_and_can_be_read(&browser, &path, 10.0).await;
    }
    browser.finish().await;
    app.finish().await;
}
