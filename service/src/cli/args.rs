//! Reads the command line. Every setting is a flag, from the table of settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};
use jiff::Timestamp;

use super::Exit;
use super::top::Top;
use super::unknown::{self, Read};
use crate::bench::{self, Bench};
use crate::config::{BaseUrl, Inputs, LIMIT_PREFIX, settings};
use crate::render::Links;

/// Which build it is, as `build_info` has it.
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (revision ", env!("BUILD_REVISION"), ")");

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Run the service.
    Serve,
    /// Bring the schema up to date.
    Migrate,
    /// Check the laws.
    Audit {
        /// Print the report as JSON.
        is_json: bool,
    },
    /// Compare what is promised with what is planned.
    Reconcile {
        /// Print the report as JSON.
        is_json: bool,
        /// Plan again what is out of order.
        is_repair: bool,
        /// Compare a stretch of time with the provider's list.
        provider: Option<Asking>,
    },
    /// Measure the statements.
    Bench(Bench),
    /// Print the settings.
    Config,
    /// Say whether the process lives.
    Health,
    /// Say where a running service's database spends its time.
    Top(Top),
    /// Write what is derived from the tables.
    Render {
        /// The repository's top.
        root: PathBuf,
        /// Where alerts lead.
        links: Links,
        /// Write nothing; say what is stale.
        is_check: bool,
    },
}

/// Of which time the provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

/// The command with all that settings are read from.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) command: Command,
    pub(super) inputs: Inputs,
    /// Something of the command line was not known, and told: nothing is to be done but to tell
    /// what else is wrong.
    pub(super) is_mistaken: bool,
}

/// Reads the command line and the environment.
///
/// # Errors
/// How to end: help was asked for and printed, or a mistake was told.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Asked, Exit> {
    let Read { known, unknown } = unknown::read(&command(), arguments);
    for error in &unknown {
        complain!("punctual: {}", one_line(&error.to_string()));
    }
    let is_mistaken = !unknown.is_empty();
    let matches = match known {
        Ok(matches) => matches,
        Err(error) if is_mistaken && shows_help(&error) => return Err(Exit::Usage),
        Err(error) => return Err(tell(&error)),
    };
    let (command, matches) = match matches.subcommand() {
        Some(("serve", matches)) => (Command::Serve, matches),
        Some(("migrate", matches)) => (Command::Migrate, matches),
        Some(("audit", matches)) => (Command::Audit { is_json: matches.get_flag("json") }, matches),
        Some(("reconcile", matches)) => {
            let (is_json, is_repair) = (matches.get_flag("json"), matches.get_flag("repair"));
            let provider = matches.get_flag("provider").then(|| Asking {
                since: matches.get_one("since").copied(),
                until: matches.get_one("until").copied(),
            });
            (Command::Reconcile { is_json, is_repair, provider }, matches)
        }
        Some(("bench", matches)) => match (bench::read(matches), matches.subcommand()) {
            (Some(bench), Some((_, matches))) => (Command::Bench(bench), matches),
            (_, _) => return Err(Exit::Usage), // nor here
        },
        Some(("config", matches)) => (Command::Config, matches),
        Some(("health", matches)) => (Command::Health, matches),
        Some(("top", matches)) => (Command::Top(asked_top(matches)), matches),
        Some(("render", matches)) => {
            let given = inputs(matches);
            if let Some((name, _)) = given.flags.first() {
                let flag = name.replace('_', "-");
                complain!("punctual: render reads no settings: leave out --{flag}");
                return Err(Exit::Usage);
            }
            let root = matches.get_one::<PathBuf>("root").cloned().unwrap_or_default();
            let own = |name| matches.get_one::<String>(name).cloned();
            let links = Links { docs: own("docs-url"), grafana: own("grafana-url") };
            (Command::Render { root, links, is_check: matches.get_flag("check") }, matches)
        }
        Some(_) | None => return Err(Exit::Usage), // clap lets nothing else through
    };
    let environment = std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
        .collect();
    Ok(Asked { command, inputs: Inputs { environment, ..inputs(matches) }, is_mistaken })
}

fn shows_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// Prints help or a mistake.
fn tell(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // The reader of a closed pipe has seen enough.
            let _closed = error.print();
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _closed = error.print();
            Exit::Usage
        }
        _ => {
            complain!("punctual: {}", one_line(&error.to_string()));
            Exit::Usage
        }
    }
}

/// clap's message without its usage: what is wrong, and its tip.
fn one_line(message: &str) -> String {
    let what = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let tip = message.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let tip = tip.map(|tip| format!("; {tip}")).unwrap_or_default();
    format!("{what}{tip}; see punctual --help")
}

fn inputs(matches: &ArgMatches) -> Inputs {
    let given = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    let flags = settings()
        .into_iter()
        .map(|setting| {
            let file = if setting.is_secret { "_file" } else { "" };
            format!("{}{file}", setting.name)
        })
        .filter_map(|name| given(&name).map(|text| (name, text)))
        .collect();
    Inputs { file: matches.get_one::<PathBuf>("config_file").cloned(), flags, ..Inputs::default() }
}

fn command() -> clap::Command {
    let file = Arg::new("config_file")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help_heading("Settings")
        .help("Read settings from a TOML file");
    clap::Command::new("punctual")
        .version(VERSION)
        .about("Sends appointment reminders on time and proves it")
        .after_help(
            "Every setting can come from a file, from the environment (PUNCTUAL_DATABASE_URL) or \
             from a flag, in rising order. --help names them all; docs/config.md explains them.\n\
             Exit status: 0 done, 1 failed, 2 wrong usage or settings, 3 database or \
             service away, 130 interrupted.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(clap::Command::new("serve").about("Runs the service"))
        .subcommand(clap::Command::new("migrate").about("Brings the database's schema up to date"))
        .subcommand(
            clap::Command::new("audit")
                .about("Checks the laws on the database's side")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")),
        )
        .subcommand(reconcile())
        .subcommand(bench::command())
        .subcommand(clap::Command::new("config").about("Prints the settings that hold"))
        .subcommand(
            clap::Command::new("health")
                .about("Exits 0 if the process with these settings lives, else 1"),
        )
        .subcommand(top())
        .subcommand(render())
        .arg(file)
        .args(settings().into_iter().map(flag))
}

fn reconcile() -> clap::Command {
    clap::Command::new("reconcile")
        .about("Compares what appointments and rules promise with what is planned; names the rest")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
        .arg(
            Arg::new("repair")
                .long("repair")
                .action(ArgAction::SetTrue)
                .help("Plan again what is missing or surplus, where it still makes sense"),
        )
        .arg(
            Arg::new("provider").long("provider").action(ArgAction::SetTrue).help(
                "Also compare what the provider lists as taken with what is known here as sent",
            ),
        )
        .arg(instant("since", "Texts that it took from then on [default: a day before --until]"))
        .arg(instant("until", "Texts that it took before then [default: 15 minutes ago]"))
}

fn instant(name: &'static str, help: &'static str) -> Arg {
    let parser = |text: &str| {
        text.parse::<Timestamp>().map_err(|_| "it must be an instant such as 2026-05-04T00:00:00Z")
    };
    Arg::new(name)
        .long(name)
        .value_name("INSTANT")
        .value_parser(parser)
        .requires("provider")
        .help(help)
}

fn render() -> clap::Command {
    clap::Command::new("render")
        .about("Writes alerts, dashboards and documents from the tables of the source")
        .arg(
            Arg::new("root")
                .long("root")
                .value_name("DIRECTORY")
                .value_parser(clap::value_parser!(PathBuf))
                .default_value(".")
                .help("Where the repository is"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Write nothing; show what is stale and exit 1 if anything is"),
        )
        .arg(link("docs-url", "Where docs/ is read by whoever is paged; alerts link to it"))
        .arg(link("grafana-url", "Where Grafana is; alerts link to its dashboards"))
}

fn link(name: &'static str, help: &'static str) -> Arg {
    let http = |text: &str| match text {
        _ if text.starts_with("https://") || text.starts_with("http://") => Ok(text.to_owned()),
        _ => Err("it begins with https:// or http://"),
    };
    Arg::new(name).long(name).value_name("URL").value_parser(http).help(help)
}

fn top() -> clap::Command {
    let number = |name: &'static str, value: &'static str, help: &'static str| {
        let parser = clap::value_parser!(u64).range(..);
        Arg::new(name).long(name).value_name(value).value_parser(parser).help(help)
    };
    clap::Command::new("top")
        .about("Shows which statements take a running service's time, and reviews its database")
        .arg(
            Arg::new("admin")
                .long("admin")
                .value_name("URL")
                .value_parser(admin)
                .help("Where the service's admin listener is [default: as configured]"),
        )
        .arg(number("limit", "N", "Statements, and findings of each check [default: 20]"))
        .arg(number(
            "older-than-ms",
            "MS",
            "Leave out sessions that have been at it for less [default: 5000]",
        ))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

/// The admin listener has no TLS.
fn admin(text: &str) -> Result<BaseUrl, String> {
    let wrong = || "it must be a URL such as http://127.0.0.1:8081".to_owned();
    let url = BaseUrl::parse(text).map_err(|_| wrong())?;
    if url.is_https() { Err(wrong()) } else { Ok(url) }
}

fn asked_top(matches: &ArgMatches) -> Top {
    Top {
        admin: matches.get_one::<BaseUrl>("admin").cloned(),
        limit: matches.get_one::<u64>("limit").copied(),
        older_than_ms: matches.get_one::<u64>("older-than-ms").copied(),
        is_json: matches.get_flag("json"),
    }
}

fn flag(setting: crate::config::Setting) -> Arg {
    let unit = if setting.unit.is_empty() { String::new() } else { format!(" {}", setting.unit) };
    let default = match &*setting.default {
        "" => String::new(),
        default => format!(" [default: {default}{unit}]"),
    };
    let variable = setting.variable();
    let help = format!("{} Must be {}.{default} [{variable}]", setting.help, setting.must_be());
    let name = setting.name.to_string();
    let is_limit = name.starts_with(LIMIT_PREFIX);
    let arg = if setting.is_secret {
        Arg::new(format!("{name}_file"))
            .long(format!("{}-file", setting.flag()))
            .value_name("FILE")
            .help(format!("{help} This flag names a file that holds it."))
    } else {
        Arg::new(name).long(setting.flag()).value_name("VALUE").help(help)
    };
    arg.global(true).hide_short_help(true).help_heading(if is_limit {
        "Limits"
    } else {
        "Settings"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_become_settings_and_secrets_only_files() {
        let arguments = [
            "punctual",
            "serve",
            "--shard-count",
            "4",
            "--admin-key-file",
            "k",
            "--config",
            "f.toml",
        ];
        let matches = command().try_get_matches_from(arguments).unwrap();
        let inputs = inputs(matches.subcommand().unwrap().1);
        let flags: Vec<_> = inputs.flags.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        assert_eq!(flags, [("shard_count", "4"), ("admin_key_file", "k")]);
        assert_eq!(inputs.file.unwrap().to_str(), Some("f.toml"));
        assert!(command().try_get_matches_from(["punctual", "serve", "--admin-key", "x"]).is_err());
    }

    #[test]
    fn a_mistake_is_one_line() {
        let error = |arguments: &[&str]| {
            let error = command().try_get_matches_from(arguments).unwrap_err();
            one_line(&error.to_string())
        };
        let said = [
            error(&["punctual", "serve", "--shard-cuont", "4"]),
            error(&["punctual", "serv"]),
            error(&["punctual", "serve", "--shard-count"]),
            error(&["punctual", "serve", "extra"]),
            error(&["punctual", "top", "--admin", "127.0.0.1:8081"]),
            error(&["punctual", "top", "--admin", "https://127.0.0.1:8081"]),
            error(&["punctual", "top", "--limit", "many"]),
            error(&["punctual", "top", "--jsn"]),
        ];
        expect_test::expect_file!["expected/mistakes.txt"].assert_eq(&(said.join("\n") + "\n"));
    }
}
