//! Runs a command on a PostgreSQL of its own, set up as for the demo: a primary and its replica,
//! durable, and gone afterwards.
//!
//! `with_postgres COMMAND [ARGUMENT…]`. The command finds an empty database in
//! `PUNCTUAL_DATABASE_URL`; its status becomes ours. A signal goes to both of us: we wait for the
//! command and then remove what we made.

#![expect(clippy::disallowed_methods, reason = "it makes a database; it is not the service")]

use std::error::Error;
use std::process::ExitCode;

use stack::postgres::{Options, PostgresPair, Profile};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

const DATABASE: &str = "bench";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with_postgres COMMAND [ARGUMENT…]");
        return Ok(ExitCode::from(2));
    };
    // From here on they don't end us.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let pair = PostgresPair::start(Options::new(Profile::Demo)).await?;
    let client = pair.primary().connect("postgres").await?;
    client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
    drop(client);
    let mut child = Command::new(&program)
        .args(arguments)
        .env("PUNCTUAL_DATABASE_URL", pair.primary().url(DATABASE))
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = interrupted.recv() => {}
            _ = terminated.recv() => child.start_kill()?,
        }
    };
    pair.stop().await;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
