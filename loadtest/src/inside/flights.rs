//! What the service kept of a trace: asked for while the run goes on, as it keeps the newest bad
//! ones only. Spoken is the reminder service's `/debug/requests/{trace_id}`; a service that has
//! nothing of the kind is asked once and then left alone.
//!
//! Never here: which traces are worth asking for (the slowest, `engine::slowest`).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Place;
use crate::client::{Client, ClientError};
use crate::exit::Failure;

/// Traces asked for in one look: the rest comes with the next.
const ASKED_AT_ONCE: usize = 8;
/// A flight lands a moment after its answer left, so what isn't there is asked for once more.
const TRIES: u32 = 2;
/// Of a trace whose plan was run before, the older flights are that run's.
const FLIGHTS_MAX: usize = 4;
const WITHIN: Duration = Duration::from_millis(500);

/// What was kept of a request, or of a text on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flight {
    /// The endpoint, or `message`.
    pub route: String,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// How it ended.
    pub outcome: String,
    /// Why it was kept.
    pub why: String,
    /// What its time went on.
    pub spans: Vec<Span>,
}

/// A stretch of a flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// What kind of thing: a pool, a query, a wait, a batch, a call.
    pub kind: String,
    /// Which one.
    pub name: String,
    /// When it began, in milliseconds from the flight's beginning.
    pub start_ms: f64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// Rows that it returned or touched.
    pub rows: u64,
}

/// What was found of a trace.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// What was kept.
    Flights(Vec<Flight>),
    /// Nothing was kept.
    Nothing,
    /// It could not be asked for, and why.
    Unasked(String),
}

#[derive(Deserialize)]
struct Answer {
    flights: Vec<Flight>,
}

/// Asks all processes of a service.
#[derive(Debug)]
pub(super) struct Flights {
    is_nobody: bool,
    askable: Vec<(String, Client)>,
    /// Why a process is not asked any more.
    given_up: Option<String>,
    found: BTreeMap<String, (Found, u32)>,
}

impl Flights {
    pub(super) fn new(places: &[Place]) -> Result<Self, Failure> {
        let askable = places
            .iter()
            .map(|place| Ok((place.address.clone(), place.client()?.within(WITHIN))))
            .collect::<Result<_, Failure>>()?;
        Ok(Self { is_nobody: places.is_empty(), askable, given_up: None, found: BTreeMap::new() })
    }

    /// Asks for those of which nothing is known yet.
    pub(super) async fn resolve(&mut self, traces: impl Iterator<Item = String>) -> usize {
        if self.is_nobody {
            return 0;
        }
        let open = |found: Option<&(Found, u32)>| match found {
            None => true,
            Some((Found::Nothing | Found::Unasked(_), tries)) => *tries < TRIES,
            Some((Found::Flights(_), _)) => false,
        };
        let traces: Vec<String> =
            traces.filter(|trace| open(self.found.get(trace))).take(ASKED_AT_ONCE).collect();
        let asked = traces.len();
        for trace in traces {
            let found = self.ask(&trace).await;
            let tries = self.found.get(&trace).map_or(0, |(_, tries)| *tries);
            self.found.insert(trace, (found, tries + 1));
        }
        asked
    }

    pub(super) fn found(self) -> BTreeMap<String, Found> {
        self.found.into_iter().map(|(trace, (found, _))| (trace, found)).collect()
    }

    async fn ask(&mut self, trace: &str) -> Found {
        let path = format!("/debug/requests/{trace}");
        let mut failed = self.given_up.clone();
        let mut place = 0;
        while place < self.askable.len() {
            let (address, client) = &mut self.askable[place];
            match client.ask(Method::GET, &path, None, Bytes::new()).await {
                Ok(answer) => match serde_json::from_slice::<Answer>(&answer.body) {
                    Ok(Answer { mut flights }) => {
                        let old = flights.len().saturating_sub(FLIGHTS_MAX);
                        return Found::Flights(flights.split_off(old));
                    }
                    Err(_) => self.give_up(place),
                },
                // A problem document says that nothing was kept; any other 404, that there is no
                // such thing here.
                Err(ClientError::Refused { status: 404, text, .. }) if is_problem(&text) => {
                    place += 1;
                }
                Err(ClientError::Refused { .. }) => self.give_up(place),
                Err(ClientError::Broken { broken, .. }) => {
                    failed = Some(format!("{address}: {broken}"));
                    place += 1;
                }
            }
        }
        match failed.or_else(|| self.given_up.clone()) {
            Some(why) => Found::Unasked(why),
            None => Found::Nothing,
        }
    }

    fn give_up(&mut self, place: usize) {
        let (address, _) = self.askable.remove(place);
        self.given_up = Some(format!("{address} has no /debug/requests"));
    }
}

fn is_problem(text: &str) -> bool {
    text.trim_start().starts_with('{') && text.contains("\"code\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_is_told_from_a_page() {
        assert!(is_problem("{\"code\":\"not_found\",\"detail\":\"No flight\"}"));
        assert!(!is_problem("<html>404</html>") && !is_problem("404 page not found"));
    }
}
