//! What was measured from outside, over time: offered, sent, ended and failed, response, service
//! and lag, and the machine; and beside it what the service said of itself. Charts of a sheet.
//!
//! Never here: where the numbers come from (`engine`, `inside`).

use super::chart::most_telling;
use super::sheet::{Block, Chart, Line, Section, Unit};
use crate::engine::machine::Second;
use crate::engine::windows::WindowRow;
use crate::engine::{Source, Window};
use crate::inside::Told;
use crate::report::units::count;

/// A run second by second.
#[derive(Debug, Clone, Copy)]
pub struct Outside<'a> {
    /// The kinds of requests, in the order of the windows' rows.
    pub kinds: &'a [&'a str],
    /// What ended in each second.
    pub windows: &'a [Window],
    /// How many requests were to leave in each second.
    pub offered: &'a [u64],
    /// How many left.
    pub sent: &'a [u64],
    /// What the machine did.
    pub seconds: &'a [Second],
}

/// Requests of a schedule that are to leave in each second.
#[must_use]
pub fn offered(source: &impl Source) -> Vec<u64> {
    let mut seconds: Vec<u64> = Vec::new();
    for index in 0..source.len() {
        let second = source.intended(index).as_secs() as usize;
        seconds.resize(seconds.len().max(second + 1), 0);
        seconds[second] += 1;
    }
    seconds
}

/// What a chart shows of a window.
type Shown = fn(&WindowRow) -> Option<f64>;

/// The charts' section.
#[must_use]
pub fn section(outside: &Outside<'_>) -> Section {
    let mut blocks = vec![rates(outside)];
    let charts: [(&str, Shown); 6] = [
        ("response p50, from the intended start", |row| Some(row.p50_seconds)),
        ("response p99, from the intended start", |row| Some(row.p99_seconds)),
        ("service p50, from the send", |row| served(row.service_p50_seconds)),
        ("service p99, from the send", |row| served(row.service_p99_seconds)),
        ("lag p50, from the intended start to the send", |row| Some(row.lag_p50_seconds)),
        ("lag p99, from the intended start to the send", |row| Some(row.lag_p99_seconds)),
    ];
    blocks.extend(charts.map(|(title, of)| by_kind(outside, title, of)));
    blocks.extend(machine(outside));
    let shaded = spoilt(outside.seconds);
    for block in &mut blocks {
        if let Block::Chart(chart) = block {
            chart.shaded.clone_from(&shaded);
        }
    }
    let note = if shaded.is_empty() { "" } else { "Seconds that the machine spoilt are shaded." };
    Section::new("From outside, second by second", note, blocks)
}

/// The section of what the service said; none where it was not asked.
#[must_use]
pub fn inside(told: &Told) -> Option<Section> {
    let Told { places, looks, failed, first_failure, panels, missing } = told;
    if places.is_empty() {
        return None;
    }
    let mut text = format!("Asked {} times at {}", count(*looks), places.join(", "));
    if let Some(first) = first_failure {
        text.push_str(&format!("; {} times there was no answer, first {first}", count(*failed)));
    }
    let mut blocks = vec![Block::Text(text)];
    for panel in panels {
        let lines = panel.lines.iter().map(|(name, points)| Line::new(name, points.clone()));
        let title = match panel.left_out {
            0 => panel.title.clone(),
            n => format!("{} (the highest; {n} more)", panel.title),
        };
        let chart = Chart::over_time(title, panel.unit, lines.collect());
        if chart.has_points() {
            blocks.push(Block::Chart(chart));
        } else {
            blocks.push(Block::Text(format!("{}: nothing happened", panel.title)));
        }
    }
    if !missing.is_empty() {
        blocks.push(Block::Text(format!("The service says nothing of: {}", missing.join("; "))));
    }
    Some(Section::new("From inside, as the service says", "", blocks))
}

/// Of what was not sent there is no service time.
fn served(seconds: f64) -> Option<f64> {
    (seconds > 0.0).then_some(seconds)
}

fn rates(outside: &Outside<'_>) -> Block {
    let per_second = |counts: &[u64]| {
        counts.iter().enumerate().map(|(i, &n)| (i as f64 + 0.5, n as f64)).collect::<Vec<_>>()
    };
    let (mut ended, mut failed) = (Vec::new(), Vec::new());
    let mut before = 0.0;
    for window in outside.windows {
        let length = window.at_seconds - before;
        let rate = |of: fn(&WindowRow) -> u64| {
            let n: u64 = window.rows.iter().map(of).sum();
            (window.at_seconds - length / 2.0, n as f64 / length)
        };
        // The last window may be a sliver, from which no rate can be told.
        if length > 0.5 {
            ended.push(rate(|row| row.count));
            failed.push(rate(|row| row.failed));
        }
        before = window.at_seconds;
    }
    let lines = vec![
        Line::new("offered", per_second(outside.offered)),
        Line::new("sent", per_second(outside.sent)),
        Line::new("ended", ended),
        Line::new("failed", failed),
    ];
    Block::Chart(Chart::over_time("requests a second", Unit::PerSecond, lines))
}

fn by_kind(outside: &Outside<'_>, title: &str, of: Shown) -> Block {
    let line = |(i, kind): (usize, &&str)| {
        let rows = outside.windows.iter().map(|window| (window.at_seconds, &window.rows[i]));
        let points = rows.filter(|(_, row)| row.count > 0);
        Line::new(*kind, points.filter_map(|(at, row)| Some((at, of(row)?))).collect())
    };
    let (lines, left_out) = most_telling(outside.kinds.iter().enumerate().map(line).collect());
    let title = match left_out {
        0 => title.to_owned(),
        n => format!("{title} (the highest; {n} more kinds)"),
    };
    Block::Chart(Chart::over_time(title, Unit::Seconds, lines))
}

fn machine(outside: &Outside<'_>) -> Option<Block> {
    let line = |name: &str, of: fn(&Second) -> f64| {
        let points = outside.seconds.iter().enumerate();
        Line::new(name, points.map(|(i, second)| (i as f64 + 0.5, of(second))).collect())
    };
    let lines = vec![
        line("all programs", |second| second.busy_ratio),
        line("steal", |second| second.steal_ratio),
    ];
    let title = "the harness's machine: processors, of all of them";
    (!outside.seconds.is_empty()).then(|| Block::Chart(Chart::over_time(title, Unit::Ratio, lines)))
}

/// Stretches of spoilt seconds.
fn spoilt(seconds: &[Second]) -> Vec<(f64, f64)> {
    let mut stretches: Vec<(f64, f64)> = Vec::new();
    for (i, _) in seconds.iter().enumerate().filter(|(_, second)| second.spoilt.is_some()) {
        let (from, to) = (i as f64, i as f64 + 1.0);
        match stretches.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            Some(_) | None => stretches.push((from, to)),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::machine::Spoilt;
    use crate::inside::Panel;

    fn second(spoilt: Option<Spoilt>) -> Second {
        Second { steal_ratio: 0.0, busy_ratio: 0.5, used_seconds: 0.1, waited_seconds: 0.0, spoilt }
    }

    #[test]
    fn spoilt_seconds_that_follow_each_other_are_one_stretch() {
        let of = |s: &[bool]| {
            let seconds: Vec<Second> =
                s.iter().map(|&spoilt| second(spoilt.then_some(Spoilt::Steal))).collect();
            spoilt(&seconds)
        };
        assert_eq!(of(&[false, true, true, false, true]), [(1.0, 3.0), (4.0, 5.0)]);
        assert_eq!(of(&[false]), []);
    }

    /// A service that is gone ends all of its requests, and answers none.
    #[test]
    fn what_fails_is_drawn_as_such_and_has_no_service_time() {
        let mut row = crate::run::sample::facts().windows[0].rows[0];
        (row.count, row.failed) = (1_000, 1_000);
        (row.service_p50_seconds, row.service_p99_seconds) = (0.0, 0.0);
        let windows = [Window { at_seconds: 1.0, rows: vec![row] }];
        let outside =
            Outside { kinds: &["a"], windows: &windows, offered: &[], sent: &[], seconds: &[] };
        let section = section(&outside);
        let line = |chart: &str, name: &str| {
            let charts = section.blocks.iter();
            let mut lines = charts.filter_map(|block| match block {
                Block::Chart(found) if found.title.starts_with(chart) => Some(&found.lines),
                _ => None,
            });
            let lines = lines.next().expect("the chart is there");
            lines.iter().find(|line| line.name == name).map(|line| line.points.clone())
        };
        let rates = ["ended", "failed"].map(|name| line("requests a second", name));
        assert_eq!(rates, [Some(vec![(0.5, 1_000.0)]), Some(vec![(0.5, 1_000.0)])]);
        assert_eq!(line("service p50", "a").unwrap_or_default(), []);
    }

    #[test]
    fn what_is_said_and_what_is_not_both_stand_in_the_report() {
        let panel = |title: &str, points: Vec<(f64, f64)>| Panel {
            title: title.to_owned(),
            family: "x".to_owned(),
            unit: Unit::Number,
            lines: BTreeMap::from([("a".to_owned(), points)]),
            left_out: 0,
            sum: Vec::new(),
        };
        let told = Told {
            places: vec!["http://127.0.0.1:1/metrics".into()],
            looks: 60,
            failed: 2,
            first_failure: Some("at 12 s: no connection".into()),
            panels: vec![panel("depth", vec![(0.0, 1.0)]), panel("idle", Vec::new())],
            missing: vec!["lateness of the stages, p99".into()],
        };
        let section = inside(&told).expect("it was asked");
        let texts: Vec<&str> = section
            .blocks
            .iter()
            .filter_map(|block| if let Block::Text(text) = block { Some(&**text) } else { None })
            .collect();
        assert!(texts[0].contains("2 times there was no answer, first at 12 s"), "{texts:?}");
        assert_eq!(texts[1], "idle: nothing happened");
        assert_eq!(texts[2], "The service says nothing of: lateness of the stages, p99");
        assert!(matches!(&section.blocks[1], Block::Chart(chart) if chart.title == "depth"));
        assert!(inside(&Told::default()).is_none(), "it was not asked");
    }
}
