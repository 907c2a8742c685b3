//! Draws the picture of the live page: a demo of its own, a real browser, and the middle of a day.
//!
//! `cargo run -p tests --example live_picture docs/live.png`, after `cargo build --workspace
//! --bins`. It takes a few minutes: the page shows two minutes of work.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::Signal;
use stack::{Process, ProcessSpec, RunDir};
use tests::binary;
use tests::browser::Browser;
use tests::wait::until_within;

/// A day of forty thousand texts in five minutes: some hundred and fifty a second, more at its
/// busiest. With its faults, so that something is kept.
const DAY: [&str; 5] = ["demo", "--messages", "40000", "--speed", "300"];
/// From the start to two full minutes of texts.
const WITHIN: Duration = Duration::from_secs(300);
/// As wide as a small screen; as high as it takes from the paths to what was kept.
const WIDTH: u32 = 1_280;
/// Of what was kept, two of different routes are opened: those with most parts.
const OPENED: &str = "
    const parts = (one) => one.querySelectorAll('li').length;
    const route = (one) => one.querySelector('strong').textContent;
    const kept = [...document.querySelectorAll('#requests details')];
    kept.sort((a, b) => parts(b) - parts(a));
    const other = kept.find((one) => route(one) !== route(kept[0]));
    [kept[0], other].forEach((one) => { if (one) one.open = true; });
    const end = document.getElementById('kept').getBoundingClientRect().bottom;
    return Math.ceil(end + window.scrollY) + 16";

/// Nearly all of the last two minutes' seconds have texts that were handed over.
const IS_FULL: &str = "
    const path = last?.journeys.find((path) => path.name === 'due_to_handed_over');
    return path !== undefined && path.line.filter((n) => n > 0).length >= 115";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [picture] = arguments.as_slice() else {
        eprintln!("usage: live_picture FILE.png");
        return ExitCode::from(2);
    };
    let run = RunDir::create(None).expect("a directory for the run");
    let reports = run.path().join("report");
    let spec = ProcessSpec::new("demo", binary::loadtest())
        .arguments(DAY)
        .argument(format!("--report-dir={}", reports.display()))
        .ending(Signal::SIGINT);
    let demo = Process::start(spec, &run).expect("the demo starts");
    let line = demo.ready_line("live page ", WITHIN).await.expect("the demo tells its address");
    let browser = Browser::start(&run).await;
    browser.open(line.trim_start_matches("live page ")).await;
    until_within(WITHIN, "two minutes of texts", async || {
        assert!(demo.ended().is_none(), "{}", demo.output());
        (browser.run(IS_FULL).await == true).then_some(())
    })
    .await;
    browser.is_wide(WIDTH).await;
    let height = browser.run(OPENED).await.as_u64().and_then(|n| u32::try_from(n).ok());
    let png = browser.picture(WIDTH, height.expect("the page has an end")).await;
    std::fs::write(picture, png).expect("the picture can be written");
    browser.finish().await;
    demo.stop(WITHIN).await;
    ExitCode::SUCCESS
}
