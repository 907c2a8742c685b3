//! HTTP/1.1 on hyper: everything between a socket and a handler. A handler gets a [`Request`] that
//! is complete, within its limits and whose caller is known, and gives a [`Response`] or a
//! [`Problem`]; no hyper type passes this module's border.
//!
//! Belongs here: listening, limits, deadlines, routing by the endpoint table, authentication,
//! errors' shape, the interface's description. Never here: what an endpoint does.

mod accept;
mod answer;
pub(crate) mod auth;
mod body;
mod connection;
mod exchange;
pub(crate) mod json;
pub(crate) mod listen;
pub(crate) mod openapi;
mod path;
pub(crate) mod problem;
pub(crate) mod rate;
mod request;
mod response;
mod route;
pub(crate) mod server;
mod timing;
mod trace;

pub(crate) use accept::Format;
pub(crate) use path::PathParams;
pub(crate) use problem::{Code, Problem};
pub(crate) use request::{Principal, Request};
pub(crate) use response::{Pieces, Response, Stream};
