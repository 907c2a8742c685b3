//! `loadtest freeze`: the table that it prints, and how it ends.
//!
//! Never here: how far off the harness is; on a machine that others use that proves nothing.

use std::time::Duration;

use tests::binary::{loadtest, tool};

/// Ten seconds of sending, on a machine that has other things to do.
const WITHIN: Duration = Duration::from_secs(60);

/// The cells of the table's row of this name.
fn cells<'a>(printed: &'a str, name: &str) -> Vec<&'a str> {
    let mut rows = printed.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let found = rows.find(|cells| cells.get(1) == Some(&name));
    found.unwrap_or_else(|| panic!("a row {name}: {printed}"))
}

#[tokio::test]
async fn a_freeze_is_told_from_the_intended_start_and_from_the_send() {
    let program = loadtest();
    let output = tool(program.to_str().unwrap(), &["freeze", "--alone"], WITHIN).await;
    let printed = &output.stdout;
    let ours = cells(printed, "**loadtest run**");
    let sent = cells(printed, "the same run, counted from the send");
    assert_eq!(ours[2], "10,000", "each request is counted: {output:?}");
    assert_eq!(ours[6], sent[6], "one freeze, one truth: {output:?}");
    let tools = printed.lines().filter(|line| line.starts_with('|')).count() - 2;
    assert_eq!(tools, 2, "no other tool: {output:?}");
    let off = printed.split("this harness is off by ").nth(1).unwrap();
    let off: f64 = off.split(' ').next().unwrap().parse().unwrap();
    // The figure is cut to two digits, so from 5.00 to 5.01 either is right.
    let right: &[i32] = if off < 5.0 {
        &[0]
    } else if off > 5.005 {
        &[1]
    } else {
        &[0, 1]
    };
    assert!(right.contains(&output.status.unwrap()), "{output:?}");
}
