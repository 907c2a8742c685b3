//! The command line: what can be asked of the binary, and with which status it ends.
//!
//! Never here: what a command does beyond setting it up (`app`, `audit`, `bench`, `db::migrate`).

mod args;
mod health;
mod reconcile;
mod serve;
mod signals;
mod site;
mod top;
mod unknown;

use std::process::ExitCode;

use crate::config::{self, Config, Loaded};
use crate::obs;
use crate::render;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done,
    /// It did, and what it found is not right: a law is broken.
    Failed,
    /// It was asked wrongly: a flag, a setting, a file.
    Usage,
    /// Something that it needs isn't there: the database.
    Unavailable,
    /// It was told to stop before the end.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unavailable => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// Runs the binary.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os().collect()).into()
}

fn run(arguments: Vec<std::ffi::OsString>) -> Exit {
    let asked = match args::parse(arguments) {
        Ok(asked) => asked,
        Err(exit) => return exit,
    };
    let is_mistaken = asked.is_mistaken;
    if is_mistaken && matches!(asked.command, args::Command::Top(_) | args::Command::Render { .. })
    {
        return Exit::Usage; // these need no settings
    }
    if let args::Command::Top(top) = &asked.command {
        return top::run(top, &asked.inputs); // asks of the settings one thing at most
    }
    if let args::Command::Render { root, links, is_check } = &asked.command {
        return render(root, links, *is_check); // reads the source's tables and no setting
    }
    let rust_log = std::env::var("RUST_LOG").ok();
    let is_service = asked.command == args::Command::Serve;
    let filter = obs::log::filter(rust_log.as_deref(), is_service);
    let (loaded, filter) = match (config::load(&asked.inputs), filter) {
        (Ok(loaded), Ok(filter)) if !is_mistaken => (loaded, filter),
        (loaded, filter) => {
            let mistakes = loaded.err().unwrap_or_default();
            let mistakes = mistakes.iter().map(ToString::to_string).chain(filter.err());
            mistakes.for_each(|mistake| complain!("punctual: {mistake}"));
            return Exit::Usage;
        }
    };
    obs::log::install(loaded.config.log_format, filter);
    if let Err(why) = obs::install() {
        complain!("punctual: {why}");
        return Exit::Failed;
    }
    start(asked.command, loaded)
}

fn start(command: args::Command, loaded: Loaded) -> Exit {
    if command == args::Command::Config {
        show(&loaded);
        return Exit::Done;
    }
    if command == args::Command::Health {
        return health::run(loaded.config.admin_addr);
    }
    let built = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(obs::process::note_requested)
        .build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("punctual: no threads to run on: {error}");
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(async move {
        match command {
            args::Command::Serve => Box::pin(serve::run(loaded)).await,
            args::Command::Migrate => migrate(&loaded.config).await,
            args::Command::Audit { is_json } => audit(&loaded.config, is_json).await,
            args::Command::Reconcile { is_json, is_repair, provider } => {
                Box::pin(reconcile::run(loaded.config, is_json, is_repair, provider)).await
            }
            args::Command::Bench(bench) => Box::pin(crate::bench::run(bench, &loaded.config)).await,
            args::Command::Config
            | args::Command::Health
            | args::Command::Render { .. }
            | args::Command::Top(_) => {
                Exit::Done // done above
            }
        }
    });
    // What still runs has had its deadline.
    runtime.shutdown_background();
    exit
}

/// Prints the settings that hold, secrets masked, and where each was set.
fn show(loaded: &Loaded) {
    let lines = loaded.lines();
    let names = lines.iter().map(|(name, _, _)| name.len()).max().unwrap_or(0);
    for (name, text, source) in lines {
        println!("{name:names$}  {text:40}  # {source}");
    }
    for note in &loaded.notes {
        println!("# {note}");
    }
}

/// Writes the derived files, or shows how those that are there differ.
fn render(root: &std::path::Path, links: &render::Links, is_check: bool) -> Exit {
    let stale = if is_check {
        render::differences(root, links)
    } else {
        render::write(root, links).map(told)
    };
    match stale {
        Ok(diffs) if is_check && !diffs.is_empty() => {
            print!("{diffs}");
            complain!("punctual: these files are stale; write them by punctual render");
            Exit::Failed
        }
        Ok(said) => {
            print!("{said}");
            Exit::Done
        }
        Err(error) => {
            complain!("punctual: {error}");
            Exit::Failed
        }
    }
}

fn told(written: Vec<String>) -> String {
    written.into_iter().map(|path| format!("written: {path}\n")).collect()
}

async fn migrate(config: &Config) -> Exit {
    match crate::db::migrate::run(&crate::app::db_settings(config)).await {
        Ok(applied) => {
            println!("punctual: {applied} migrations applied");
            Exit::Done
        }
        Err(error) => unavailable(&error),
    }
}

/// Checks the laws and prints what was found: as a table, or as JSON.
async fn audit(config: &Config, is_json: bool) -> Exit {
    let now = jiff::Timestamp::now(); // only stamps the report
    let report = match crate::audit::run_once(&crate::app::db_settings(config), now).await {
        Ok(report) => report,
        Err(error) => return unavailable(&error),
    };
    if is_json {
        let text = serde_json::to_string(&report).expect("a report is JSON");
        println!("{text}");
    } else {
        print!("{}", report.table());
    }
    if report.holds { Exit::Done } else { Exit::Failed }
}

/// Says that the database is away, or why it refused.
fn unavailable(error: &crate::db::DbError) -> Exit {
    complain!("punctual: PUNCTUAL_DATABASE_URL: {error}");
    if error.is_unavailable() { Exit::Unavailable } else { Exit::Failed }
}
