//! What the command line takes and refuses.

#![allow(clippy::unwrap_used)]

use clap::CommandFactory;

use super::*;

fn refused(arguments: &[&str]) -> String {
    let all = std::iter::once("loadtest").chain(arguments.iter().copied());
    Cli::try_parse_from(all).unwrap_err().to_string()
}

#[test]
fn the_flags_fit_together() {
    Cli::command().debug_assert();
}

#[test]
fn help_tells_who_has_to_act_how_it_ends() {
    let mut command = Cli::command();
    for name in ["demo", "day"] {
        let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        assert!(help.contains("130  interrupted"), "{name}: {help}");
        assert!(help.contains("--messages") && help.contains("--report-dir"), "{name}");
    }
}

#[test]
fn help_tells_what_the_verdicts_are() {
    let mut command = Cli::command();
    let invalid = "  3    INVALID: the run can't tell";
    let run = command.find_subcommand_mut("run").unwrap().render_long_help().to_string();
    assert!(run.contains(invalid), "{run}");
    let all = command.render_long_help().to_string();
    assert!(all.contains(invalid) && all.contains("a law was broken"), "{all}");
}

#[test]
fn what_judges_no_service_says_nothing_of_verdicts() {
    let mut command = Cli::command();
    for (name, says) in [
        ("plan", "nothing is judged"),
        ("compare", "nothing is judged"),
        ("profile", "nothing is judged"),
        ("merge", "the log could not be written"),
        ("freeze", "off by 5 % at most"),
    ] {
        let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        assert!(help.contains(says) && help.contains("  2    usage"), "{name}: {help}");
        for word in ["PASS", "INVALID", "every law"] {
            assert!(!help.contains(word), "{name} has no {word}: {help}");
        }
    }
}

#[test]
fn the_gates_tell_how_they_end() {
    let mut command = Cli::command();
    for (name, says) in [
        ("gate", "  3    INVALID: the duets can't tell"),
        ("counts", "  1    not the same: review the difference"),
    ] {
        let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        assert!(help.contains(says), "{name}: {help}");
        assert!(help.contains("  130  interrupted"), "{name}: {help}");
    }
}

#[test]
fn a_demo_has_defaults_for_everything() {
    let cli = Cli::try_parse_from(["loadtest", "demo"]).unwrap();
    let Command::Demo(args) = cli.command else { panic!("asked for the demo") };
    assert_eq!((args.plan.messages, args.plan.seed, args.replay.users), (500_000, 1, 1_200));
    assert_eq!(args.replay.speed, None);
}

#[test]
fn dev_has_defaults_for_everything() {
    let cli = Cli::try_parse_from(["loadtest", "dev"]).unwrap();
    let Command::Dev(args) = cli.command else { panic!("asked for dev") };
    assert_eq!((args.messages, args.seed, args.users), (6_000, 1, 64));
    assert!((args.speed - 150.0).abs() < 1e-9);
}

#[test]
fn isolate_and_incidents_have_defaults_for_everything() {
    let cli = Cli::try_parse_from(["loadtest", "isolate"]).unwrap();
    let Command::Isolate(args) = cli.command else { panic!("asked for isolate") };
    assert_eq!((args.depth, args.sample), (vec![10_000, 100_000, 1_000_000], None));
    let cli = Cli::try_parse_from(["loadtest", "isolate", "--depth", "8_000,500"]).unwrap();
    let Command::Isolate(args) = cli.command else { panic!("asked for isolate") };
    assert_eq!(args.depth, [8_000, 500]);
    assert!(Cli::try_parse_from(["loadtest", "incidents"]).is_ok());
    assert!(Cli::try_parse_from(["loadtest", "incidents", "id_space", "due_at_once"]).is_ok());
}

#[test]
fn wrong_flags_say_what_to_write() {
    for (arguments, says) in [
        (&["demo", "--speed", "0"][..], "0.01 to 10000"),
        (&["dev", "--speed", "fast"], "0.01 to 10000"),
        (&["demo", "--users", "0"], "from 1 to 2000"),
        (&["demo", "--day", "yesterday"], "--day"),
        (&["demo", "--messages", "-5"], "-5"),
        (&["day"], "--service"),
        (&["isolate", "--depth", "deep"], "whole numbers from 1"),
        (&["isolate", "--growth-max", "0.5"], "from 1 to 1000"),
        (&["incidents", "everything"], "due_at_once"),
        (&["dance"], "dance"),
    ] {
        let text = refused(arguments);
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}

#[test]
fn a_limit_is_one_of_the_contracts() {
    assert_eq!(limit("request_head_ms=30000"), Ok(("request_head_ms", 30_000)));
    assert!(limit("patience=3").unwrap_err().contains("request_head_ms"));
    assert!(limit("request_head_ms=long").unwrap_err().contains("whole number"));
    assert!(limit("request_head_ms=0").unwrap_err().contains("from 100 to 3600000"));
    assert!(limit("request_head_ms").unwrap_err().contains("NAME=NUMBER"));
}

#[tokio::test]
async fn a_missing_file_is_one_clear_line() {
    let args = PlanArgs {
        messages: 100,
        appointments: Some("/nonexistent/appointments.csv".into()),
        seed: 1,
        book: None,
        day: None,
    };
    let failure = args.plan().await.unwrap_err();
    let text = failure.to_string();
    assert_eq!(failure.exit(), Exit::Usage);
    assert!(text.contains("/nonexistent/appointments.csv") && !text.contains('\n'), "{text}");
}
