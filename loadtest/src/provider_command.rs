//! `loadtest provider`: runs the provider simulator until it is told to stop.
//!
//! Here belong the flags, their words for the person who has to act, and the address that is made
//! known; everything the simulator does is in the `stack` crate's `provider`.

mod flags;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use stack::provider::{LogError, Options, Secret, Simulator, StartError, State};
use tokio::signal::unix::{SignalKind, signal};

use self::flags::{FateArgs, FaultArgs, LimitArgs};
use crate::exit::{Exit, Failure};
use crate::open_files;

const AFTER_HELP: &str = "\
Try it:
  loadtest provider --listen 127.0.0.1:4010 --log /tmp/provider.jsonl
  curl -u AC00000000000000000000000000000999:simulated-auth-token \\
    -d To=%2B99912345678 -d From=%2B99900000001 -d Body=hello \\
    http://127.0.0.1:4010/2010-04-01/Accounts/AC00000000000000000000000000000999/Messages.json
  curl http://127.0.0.1:4010/control/state
  curl -X PUT -d '{\"hang_share\":0.5}' http://127.0.0.1:4010/control/faults

A SHARE is a fraction or a percentage (0.001 or 0.1%). A LATENCY is constant:MS, uniform:MIN:MAX
or lognormal:P50:P99, in milliseconds. Which message meets what follows from --seed and the
message itself, so the same day meets the same faults.

The log has one JSON line for each accepted message, written before it is answered; callbacks are
logged beside it, in a file that ends in .callbacks.jsonl. Started again on the same log, it still
knows its messages and sends the callbacks that were to come.

Exit status: 0 when it was stopped by Ctrl-C or SIGTERM, 2 for a wrong flag, file or address,
3 when the system gives it no thread.";

/// Simulates an SMS provider: Twilio's Messages API and a signed webhook, with a log of all it
/// accepted and faults on request. It sends nothing to anyone but this machine.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ProviderArgs {
    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Writes {"address","base_url"} to this file once it listens.
    #[arg(long, value_name = "FILE")]
    address_file: Option<PathBuf>,
    /// The log of accepted messages; in a directory it is named messages.jsonl.
    #[arg(long, value_name = "PATH")]
    log: PathBuf,
    /// The account that clients use: AC and 32 hexadecimal digits.
    #[arg(long, value_name = "SID", env = "PUNCTUAL_TWILIO_ACCOUNT_SID",
        default_value = Options::ACCOUNT_SID)]
    account_sid: String,
    /// Its auth token, which also signs callbacks. Rather set the variable: others see flags.
    #[arg(long, value_name = "TOKEN", env = "PUNCTUAL_TWILIO_AUTH_TOKEN",
        value_parser = secret, hide_env_values = true, default_value = Options::AUTH_TOKEN)]
    auth_token: Secret,
    /// Signs the webhook's requests and callbacks. Rather set the variable: others see flags.
    #[arg(long, value_name = "SECRET", env = "PUNCTUAL_WEBHOOK_SECRET",
        value_parser = secret, hide_env_values = true, default_value = Options::WEBHOOK_SECRET)]
    webhook_secret: Secret,
    /// Where replies of recipients are posted; without it nobody replies.
    #[arg(long, value_name = "URL")]
    inbound_url: Option<String>,
    /// Decides, with the message, all that is left to chance.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Listens on, and calls back, other machines as well. Its control API stays on this one.
    #[arg(long)]
    allow_remote: bool,
    #[command(flatten)]
    faults: FaultArgs,
    #[command(flatten)]
    fates: FateArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs the simulator until Ctrl-C or SIGTERM.
pub async fn run(args: ProviderArgs) -> Result<Exit, Failure> {
    open_files::raise();
    // Before it listens, so that a signal right after the address is known ends it cleanly.
    let handler = |kind| signal(kind).map_err(|error| Failure::Unavailable(error.to_string()));
    let (mut interrupt, mut terminate) =
        (handler(SignalKind::interrupt())?, handler(SignalKind::terminate())?);
    let address_file = args.address_file.clone();
    let file_failure = |file: &Path, error: io::Error| {
        Failure::Usage(format!(
            "address-file {}: {error}; give another place with --address-file",
            file.display()
        ))
    };
    if let Some(file) = &address_file {
        forget(file).map_err(|error| file_failure(file, error))?;
    }
    let simulator = Simulator::start(args.options()?).await.map_err(failure)?;
    announce!(
        "provider simulator on {}, logging to {}",
        simulator.base_url(),
        simulator.log_path().display()
    );
    if let Some(file) = address_file {
        make_known(&file, &simulator).map_err(|error| file_failure(&file, error))?;
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    announce!("{}", summary(&simulator.stop().await));
    Ok(Exit::Passed)
}

impl ProviderArgs {
    /// The options that the flags stand for.
    fn options(self) -> Result<Options, Failure> {
        let log = if self.log.is_dir() { self.log.join("messages.jsonl") } else { self.log };
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder).map_err(|error| {
                let log = log.display();
                Failure::Usage(format!("log {log}: {error}; give another place with --log"))
            })?;
        }
        let profile = self.faults.profile;
        Ok(Options {
            listen: self.listen,
            allow_remote: self.allow_remote,
            account_sid: self.account_sid,
            auth_token: self.auth_token,
            webhook_secret: self.webhook_secret,
            inbound_url: self.inbound_url,
            seed: self.seed,
            faults: self.faults.faults(),
            fates: self.fates.fates(profile),
            limits: self.limits.limits(),
            ..Options::new(log)
        })
    }
}

fn failure(error: StartError) -> Failure {
    match error {
        StartError::Options(_)
        | StartError::Log(LogError::File { .. } | LogError::InUse(_) | LogError::Line { .. })
        | StartError::Listen { .. } => Failure::Usage(error.to_string()),
        StartError::Thread(_) => Failure::Unavailable(error.to_string()),
    }
}

/// Forgets the address of an earlier run, so that nobody who waits for the file reads that one.
fn forget(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes the address beside the file and renames it, so that whoever waits for the file never
/// reads half of it.
fn make_known(file: &Path, simulator: &Simulator) -> io::Result<()> {
    let address = simulator.address().to_string();
    let document = json!({"address": address, "base_url": simulator.base_url()});
    let whole = file.with_added_extension("new");
    fs::write(&whole, format!("{document}\n"))?;
    fs::rename(&whole, file)
}

fn summary(state: &State) -> String {
    let State { accepted, messages, dropped, callbacks, replies, .. } = state;
    let refused: u64 =
        state.answered.iter().filter(|(status, _)| **status >= 400).map(|(_, count)| count).sum();
    format!(
        "stopped: {accepted} messages accepted ({messages} in the log), {dropped} of them without \
         an answer, {refused} requests refused; callbacks {} acknowledged, {} given up, {} still \
         to come; {} replies",
        callbacks.acknowledged,
        callbacks.given_up,
        callbacks.pending,
        replies.acknowledged(),
    )
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use stack::provider::{Fates, Faults, Latency, Limits};

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        args: ProviderArgs,
    }

    fn options(flags: &[&str]) -> Options {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let log = log.to_str().expect("plain characters");
        let all = ["provider", "--log", log].into_iter().chain(flags.iter().copied());
        Program::parse_from(all).args.options().map_err(|it| it.to_string()).expect("options")
    }

    #[test]
    fn without_flags_everything_goes_right() {
        let options = options(&[]);
        assert_eq!(options.faults, Faults::none());
        assert_eq!(options.fates, Fates::default());
        assert_eq!(options.limits, Limits::default());
        options.check().expect("defaults that can be started with");
    }

    #[test]
    fn flags_change_the_profile_they_start_from() {
        let options = options(&[
            "--profile",
            "day",
            "--hang",
            "1%",
            "--latency",
            "uniform:1:2",
            "--failed",
            "0",
        ]);
        let latency = Latency::Uniform { min_ms: 1.0, max_ms: 2.0 };
        assert_eq!(options.faults, Faults { hang_share: 0.01, latency, ..Faults::day() });
        assert_eq!(options.fates, Fates { failed_share: 0.0, ..Fates::day() });
    }
}
