//! Budgets of every path of the tables, whatever its objective: each row's alerts fire, and stay
//! silent on what is no trouble. (`burn` has the same for single paths, written out by hand.)
//!
//! Silent: one error on a quiet path, one minute of errors, noise, a weekly season.

use contract::{Endpoint, Family, Journey, Stage};

use super::super::burn;
use super::super::case::Case;
use super::super::objective::{self, Class, Kind, Refused, Slo};
use super::{counter, duration, noise, percentage};

/// The alerts by name, each with the classes that it judges.
fn by_name() -> Vec<(&'static str, Vec<Class>)> {
    let mut all: Vec<(&'static str, Vec<Class>)> = Vec::new();
    for class in objective::all() {
        let name = burn::name(&class);
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, classes)) => classes.push(class),
            None => all.push((name, vec![class])),
        }
    }
    all
}

/// The least share out of a few that is above every threshold of a class.
fn bad_share(class: &Class) -> Result<f64, Refused> {
    let highest = burn::windows(class)?[0].threshold(class);
    let shares = [0.05, 0.2, 0.5];
    Ok(shares.into_iter().find(|share| *share > highest).unwrap_or(1.0))
}

/// Events a minute, so that an hour has more than every window asks for.
fn events_a_minute(class: &Class) -> Result<f64, Refused> {
    let windows = burn::windows(class)?;
    let most = windows.iter().map(|window| window.events_min(class)).fold(0.0, f64::max);
    Ok(100.0 * (most / 5_000.0).ceil())
}

/// What a path's events are held against; none for its availability.
fn bound_seconds(class: &Class, row: &str) -> Option<f64> {
    let ms = match (class.kind, class.slo) {
        (_, Slo::Availability) => return None,
        (Kind::Endpoint, _) => Endpoint::from_name(row)?.spec().latency_ms,
        (Kind::Journey, _) => Journey::from_name(row)?.spec().latency_ms,
        (Kind::Stage, _) => Stage::from_name(row)?.spec().lateness_ms,
    };
    Some(f64::from(ms) / 1e3)
}

trait Path: Sized {
    fn path(self, class: &Class, row: &str, all: String, good: String) -> Self;
    fn each_path(self, class: &Class, all: &str, good: &str) -> Self;
}

impl Path for Case {
    fn path(self, class: &Class, row: &str, all: String, good: String) -> Self {
        let labels = format!("{}=\"{row}\",slo=\"{}\"", class.kind.label(), class.slo.name());
        let case = self.series(class.kind.events(), &labels, all);
        let case = case.series(class.kind.good(), &labels, good);
        match bound_seconds(class, row) {
            Some(bound) => {
                case.series(Family::SloLatencyThreshold.name(), &labels, format!("{bound}x1100"))
            }
            None => case,
        }
    }

    fn each_path(self, class: &Class, all: &str, good: &str) -> Self {
        let add = |case: Self, row: &&str| case.path(class, row, all.to_owned(), good.to_owned());
        class.rows.iter().fold(self, add)
    }
}

/// What an alert says of a row, but for its first words.
fn says(class: &Class, row: &str, share: f64, when: &str) -> String {
    let events = match class.kind {
        Kind::Endpoint => format!("requests to {row}"),
        Kind::Journey => format!("journeys {row}"),
        Kind::Stage => format!("items of stage {row}"),
    };
    let bound = bound_seconds(class, row).map(duration).unwrap_or_default();
    let went = match class.slo {
        Slo::Availability => "failed by our fault or were turned away".to_owned(),
        Slo::Latency => format!("took longer than {bound}"),
        Slo::Lateness => format!("were started later than {bound}"),
    };
    let month = 30.0 * 86_400.0;
    let gone = duration((month * class.budget()).round() / share);
    let may = (class.budget() * 1e7).round() / 1e5;
    format!(
        "{events} in the last {when} {went}. {may} % may. At this pace the month's budget is \
             gone in {gone}."
    )
}

fn labels(class: &Class, row: &str) -> Vec<(&'static str, String)> {
    vec![
        (class.kind.label(), row.to_owned()),
        ("slo", class.slo.name().to_owned()),
        ("job", "punctual".to_owned()),
    ]
}

/// A sample a minute.
pub(super) fn fast() -> Result<Vec<Case>, Refused> {
    let mut cases = Vec::new();
    for (name, classes) in by_name() {
        cases.extend(burns(name, &classes)?);
        cases.extend([one_error(name, &classes), one_minute(name, &classes)]);
        cases.push(noisy(name, &classes));
    }
    Ok(cases)
}

/// What the alerts of one path of each class say, and that those of every path fire.
fn burns(name: &'static str, classes: &[Class]) -> Result<[Case; 2], Refused> {
    let mut one = Case::new(name, "one path of each objective has many bad events", "80m");
    let mut each = Case::new(name, "every path has", "80m");
    for class in classes {
        let (share, a_minute) = (bad_share(class)?, events_a_minute(class)?);
        let all = format!("0+{a_minute}x90");
        let good = format!("0+{}x90", a_minute * (1.0 - share));
        let row = class.rows[0];
        one = one.path(class, row, all.clone(), good.clone());
        each = each.each_path(class, &all, &good);
        for window in burn::windows(class)? {
            let rule = burn::burn(class, window);
            let text =
                format!("{} of the {}", percentage(share), says(class, row, share, window.words));
            one = one.fires_of(&rule, labels(class, row), text);
            each = each.all_rows_fire(&rule);
        }
    }
    Ok([one, each])
}

fn one_error(name: &'static str, classes: &[Class]) -> Case {
    let good = counter(90, |step| if step == 45 { 0.0 } else { 1.0 });
    let quiet = Case::new(name, "one error on each path, all of them quiet", "80m");
    classes.iter().fold(quiet, |case, class| case.each_path(class, "0+1x90", &good))
}

/// A hundred times what is allowed (every event, if that is a hundredth), for one minute of six
/// hours: a quarter of what is allowed.
fn one_minute(name: &'static str, classes: &[Class]) -> Case {
    let quarter = Case::new(name, "one spike: a minute of a hundred times what is allowed", "6h");
    classes.iter().fold(quarter, |case, class| {
        let share = (100.0 * class.budget()).min(1.0);
        let rise = |step| if step == 340 { 1_000.0 * (1.0 - share) } else { 1_000.0 };
        case.each_path(class, "0+1000x400", &counter(400, rise))
    })
}

/// So many events that the budget is twenty of them.
fn events_of_twenty(class: &Class) -> f64 {
    (20.0 / class.budget()).ceil()
}

fn noisy(name: &'static str, classes: &[Class]) -> Case {
    let case = Case::new(name, "noise, four fifths of what is allowed on average", "80m");
    classes.iter().fold(case, |case, class| {
        let events = events_of_twenty(class);
        let good = counter(90, |step| events - (32.0 * noise(step)).round());
        case.path(class, class.rows[0], format!("0+{events}x90"), good)
    })
}

/// A sample each ten minutes.
pub(super) fn slow() -> Result<Vec<Case>, Refused> {
    let mut cases: Vec<Case> =
        by_name().into_iter().map(|(name, classes)| season(name, &classes)).collect();
    cases.extend(trickles()?);
    Ok(cases)
}

/// Weekdays are ten times as busy as weekends, with the same share of bad events.
fn season(name: &'static str, classes: &[Class]) -> Case {
    let a_day = 144;
    let case = Case::new(name, "a weekly season, with nine tenths of what is allowed", "168h");
    classes.iter().fold(case, |case, class| {
        let events = 10.0 * events_of_twenty(class);
        let week = |step: u32| if step / a_day % 7 < 5 { events } else { events / 10.0 };
        let bad = |step: u32| 0.9 * 200.0 * week(step) / events;
        let (all, good) =
            (counter(7 * a_day, week), counter(7 * a_day, |step| week(step) - bad(step)));
        case.path(class, class.rows[0], all, good)
    })
}

/// Paths with so few events that no other alert looks at them: 16 a day.
fn trickles() -> Result<[Case; 3], Refused> {
    let each_90_minutes = |step: u32| if step.is_multiple_of(9) { 1.0 } else { 0.0 };
    let but_one = |step: u32| if step == 63 { 0.0 } else { each_90_minutes(step) };
    let (all, good) = (counter(150, each_90_minutes), counter(150, but_one));
    let case = |what| Case::new(burn::TRICKLE, what, "24h");
    let mut one = case("one path of each objective has few events, all of them bad");
    let mut each = case("every path has");
    let mut error = case("one error in a day on each path");
    for class in objective::all() {
        let (rule, row) = (burn::trickle(&class)?, class.rows[0]);
        let text = format!("100% of the few {}", says(&class, row, 1.0, "day"));
        one = one.path(&class, row, all.clone(), "0x150".to_owned());
        one = one.fires_of(&rule, labels(&class, row), text);
        each = each.each_path(&class, &all, "0x150").all_rows_fire(&rule);
        error = error.each_path(&class, &all, &good);
    }
    Ok([one, each, error])
}
