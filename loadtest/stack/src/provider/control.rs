//! The control API: changes the faults and reads the counts of a simulator that runs.
//!
//! Here belongs what a harness may do from outside. Only this machine is listened to, whatever
//! the simulator itself listens on.

use std::net::SocketAddr;

use http::{Method, StatusCode};
use serde_json::json;

use super::engine::Engine;
use super::response::{self, Answer};

/// Answers one request; `body` is read only for those that have one.
pub(crate) fn answer(
    engine: &Engine,
    peer: SocketAddr,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Answer {
    if !peer.ip().to_canonical().is_loopback() {
        return problem(StatusCode::FORBIDDEN, "control is for this machine alone");
    }
    match (path, method) {
        ("/control/state", &Method::GET) => {
            let state = engine.state().borrow().clone();
            response::json(StatusCode::OK, &state)
        }
        ("/control/faults", &Method::GET) => response::json(StatusCode::OK, &*engine.faults()),
        ("/control/faults", &Method::PUT) => set_faults(engine, body),
        ("/control/state" | "/control/faults", _) => {
            problem(StatusCode::METHOD_NOT_ALLOWED, "use GET, or PUT for /control/faults")
        }
        (_, _) => problem(
            StatusCode::NOT_FOUND,
            "there are GET /control/state, GET /control/faults and PUT /control/faults",
        ),
    }
}

fn set_faults(engine: &Engine, body: &[u8]) -> Answer {
    let faults = match serde_json::from_slice(body) {
        Ok(faults) => faults,
        Err(error) => {
            return problem(StatusCode::BAD_REQUEST, &format!("the body is no faults: {error}"));
        }
    };
    match engine.set_faults(faults) {
        Ok(()) => response::json(StatusCode::OK, &*engine.faults()),
        Err(error) => problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    }
}

fn problem(status: StatusCode, message: &str) -> Answer {
    response::json(status, &json!({"error": {"message": message}}))
}
