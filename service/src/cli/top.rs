//! `punctual top`: asks a running service where its database's time goes, on its admin address,
//! and prints the answer as tables or as it came.
//!
//! Never here: looking at the database, which is the service's (`review`).

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use contract::Endpoint;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::Exit;
use crate::config::{self, BaseUrl, Inputs};
use crate::review::Report;

/// How long connecting may take: the address is this machine's or a near one's.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Longer than any answer can be: a thousand bytes for each statement, caller and finding.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Top {
    /// Where the service's operators reach it, unless as configured.
    pub(super) admin: Option<BaseUrl>,
    /// Most statements, and findings of each check.
    pub(super) limit: Option<u64>,
    /// Sessions that have been at it for less are left out.
    pub(super) older_than_ms: Option<u64>,
    /// Print the answer as it came.
    pub(super) is_json: bool,
}

/// Why there is nothing to print.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Usage(String),
    #[error("no thread to run on: {0}")]
    NoRuntime(std::io::Error),
    #[error(
        "nothing answers at {0} ({1}): is the service running, and is this its admin address? \
         Name another by --admin"
    )]
    NobodyThere(String, String),
    #[error("{0} answered {1}: {2}")]
    NotNow(String, u16, String),
    #[error("{0} answered {1}; is this the service's admin address? Name another by --admin")]
    NotTheService(String, String),
}

impl Failed {
    const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::NobodyThere(..) | Self::NotNow(..) => Exit::Unavailable,
            Self::NotTheService(..) | Self::NoRuntime(_) => Exit::Failed,
        }
    }
}

/// Asks and prints.
pub(super) fn run(top: &Top, inputs: &Inputs) -> Exit {
    let said = address(top, inputs).and_then(|base| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failed::NoRuntime)?;
        runtime.block_on(ask(top, &base))
    });
    match said {
        Ok(text) => {
            // The reader of a closed pipe has seen enough.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            Exit::Done
        }
        Err(failed) => {
            for line in failed.to_string().lines() {
                complain!("punctual: {line}");
            }
            failed.exit()
        }
    }
}

fn address(top: &Top, inputs: &Inputs) -> Result<BaseUrl, Failed> {
    if let Some(admin) = &top.admin {
        return Ok(admin.clone());
    }
    let configured = config::admin_addr(inputs).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Failed::Usage(lines.join("\n"))
    })?;
    if configured.port() == 0 {
        let why = "PUNCTUAL_ADMIN_ADDR takes a free port each time: name the address by --admin";
        return Err(Failed::Usage(why.into()));
    }
    Ok(BaseUrl::of_address(configured))
}

async fn ask(top: &Top, base: &BaseUrl) -> Result<String, Failed> {
    let base = base.as_str();
    let spec = Endpoint::ReadQueries.spec();
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("limit", top.limit), ("older_than_ms", top.older_than_ms)] {
        if let Some(value) = value {
            query.append_pair(name, &value.to_string());
        }
    }
    let url = format!("{base}{}?{}", spec.path, query.finish());
    let nobody = |why: String| Failed::NobodyThere(base.to_owned(), why);
    // Its own deadline, and some time for the way.
    let within = Duration::from_millis(u64::from(spec.deadline_ms)) + CONNECT_WITHIN;
    let answer = timeout(within, get(&url)).await;
    let (status, body) = answer.map_err(|_| nobody("no answer in time".into()))?.map_err(nobody)?;
    match status {
        200 => print(top, &body)
            .ok_or_else(|| Failed::NotTheService(base.to_owned(), "something else".to_owned())),
        400 => Err(Failed::Usage(detail(&body))),
        503 => Err(Failed::NotNow(base.to_owned(), status, detail(&body))),
        _ => Err(Failed::NotTheService(base.to_owned(), status.to_string())),
    }
}

/// The answer's status and whole body.
async fn get(url: &str) -> Result<(u16, Bytes), String> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_WITHIN));
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    let response = client.get(uri).await.map_err(|error| innermost(&error))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| innermost(error.as_ref()))?;
    Ok((status, body.to_bytes()))
}

/// What is printed of an answer; none if it is not the service's.
fn print(top: &Top, body: &Bytes) -> Option<String> {
    let report: Report = serde_json::from_slice(body).ok()?;
    if top.is_json {
        return Some(format!("{}\n", String::from_utf8_lossy(body)));
    }
    Some(report.table())
}

/// What a problem says, if it is one of ours.
fn detail(body: &Bytes) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    detail.unwrap_or("without saying why").to_owned()
}

/// The outer ones only say that the client had an error.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
