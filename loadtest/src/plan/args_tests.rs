//! Plans as flags make them.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    work: WorkArgs,
}

fn plan(flags: &[&str]) -> Plan {
    made(flags).unwrap()
}

fn made(flags: &[&str]) -> Result<Plan, PlanError> {
    let flags = std::iter::once("plan").chain(flags.iter().copied());
    Line::try_parse_from(flags).unwrap().work.plan()
}

fn refused(flags: &[&str]) -> String {
    let all = std::iter::once("plan").chain(flags.iter().copied());
    Line::try_parse_from(all).unwrap_err().to_string()
}

#[test]
fn a_rate_is_a_plan() {
    let rate = ["--rate", "100", "--duration", "10s", "--path", "/a", "--body", "x"];
    let plan = plan(&rate);
    assert_eq!((plan.arrivals().len(), plan.span()), (1_000, Duration::from_secs(10)));
    assert_eq!((plan.requests().len(), plan.busiest_second()), (1, 100));
    assert_eq!(plan.requests()[0].method, "POST");
    assert_eq!(plan.kinds()[0].name, "POST:/a");
    assert_eq!(plan.about().source, "100 a second for 10s, evenly");
    assert_eq!(plan.about().seed, None, "nothing of it is left to chance");
}

#[test]
fn the_same_flags_give_the_same_hash_and_other_seeds_another() {
    let of = |seed| {
        let flags = ["--rate", "100", "--duration", "5s", "--poisson", "--seed", seed];
        plan(&flags).hash().to_owned()
    };
    assert_eq!(of("1"), of("1"));
    assert_ne!(of("1"), of("2"));
}

#[test]
fn a_day_has_its_own_requests_or_others_at_its_times() {
    let hour = ["--day", "300", "--window", "09:00-10:00", "--warp", "60"];
    let own = plan(&hour);
    assert_eq!(own.span(), Duration::from_secs(60));
    assert!(own.kinds().iter().any(|kind| kind.name == "upsert_appointments"));
    let others = plan(&[&hour[..], &["--path", "/ping"]].concat());
    assert_eq!(others.requests().len(), 1);
    let times = |plan: &Plan| plan.arrivals().iter().map(|a| a.intended_ns).collect::<Vec<_>>();
    assert_eq!(times(&own), times(&others));
    assert_ne!(own.hash(), others.hash());
    let whole = plan(&["--day", "300"]);
    assert!(
        whole.arrivals().len() > own.arrivals().len()
            && whole.arrivals().is_sorted_by_key(|a| a.intended_ns)
    );
}

#[test]
fn a_log_is_sorted_spread_and_named() {
    let mut log = tempfile::NamedTempFile::new().unwrap();
    let mut routes = tempfile::NamedTempFile::new().unwrap();
    for (second, path) in [(1, "/u/1"), (0, "/u/2"), (1, "/x")] {
        let time = format!("09/Mar/2027:10:00:0{second} +0100");
        writeln!(log, "h - - [{time}] \"GET {path} HTTP/1.1\" 200 1").unwrap();
    }
    writeln!(routes, "GET /u/{{id}} read_user").unwrap();
    let (log, routes) = (log.path().to_str().unwrap(), routes.path().to_str().unwrap());
    let plan = plan(&["--access-log", log, "--routes", routes]);
    let starts: Vec<_> = plan.arrivals().iter().map(|a| a.intended_ns / 1_000_000).collect();
    assert_eq!(starts, [0, 1_000, 1_500]);
    let names: Vec<_> = plan.kinds().iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names, ["read_user", "unmatched"]);
    assert_eq!(plan.counts(), [2, 1]);
    assert_eq!(plan.about().notes.len(), 2, "{:?}", plan.about().notes);
}

#[test]
fn flags_that_do_not_fit_are_refused() {
    for (flags, says) in [
        (&[][..], "--rate <RATE>"),
        (&["--rate", "1", "--day"], "cannot be used with"),
        (&["--trace", "x", "--duration", "3s"], "cannot be used with"),
        (&["--trace", "x", "--all-methods"], "cannot be used with"),
        (&["--rate", "1", "--warp", "2"], "cannot be used with"),
        (&["--rate", "1", "--duration", "soon"], "250ms, 30s or 5m"),
        (&["--day", "--window", "9-10"], "09:00-10:00"),
    ] {
        let text = refused(flags);
        assert!(text.contains(says), "{flags:?}: {text}");
    }
    for flags in [&["--method", "PATCH"][..], &["--body", "x"], &["--routes", "/dev/null"]] {
        let error = made(&[&["--day", "300"][..], flags].concat()).unwrap_err().to_string();
        assert!(error.contains(flags[0]) && error.contains("--path or --requests"), "{error}");
        assert!(made(&[&["--day", "300", "--path", "/a"][..], flags].concat()).is_ok());
    }
    let error = made(&["--rate", "fast"]).unwrap_err().to_string();
    assert!(error.starts_with("--rate \"fast\": write a rate"), "{error}");
}
