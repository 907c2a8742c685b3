//! What Punctual declares once. Each table is a list of rows; from a row come routing, metric
//! labels, budgets, alerts, documents and the load harness' verdicts, so that none of them can
//! drift from the others.
//!
//! Belongs here: names, numbers and the pure arithmetic that both sides of a wire must agree on.
//! Never here: I/O, a dependency, anything that knows how a thing is done.

#![forbid(unsafe_code)]

mod table;

pub mod consistency;
pub mod endpoint;
pub mod family;
pub mod journey;
pub mod limit;
pub mod outcome;
pub mod pool;
pub mod query;
pub mod route;
pub mod shard;
pub mod stage;
pub mod tier;

pub use consistency::{Consistency, READ_AFTER, Read, ServerRead};
pub use endpoint::Endpoint;
pub use family::Family;
pub use journey::Journey;
pub use limit::Limit;
pub use outcome::{DeliveryOutcome, Fate, Law, QueryOutcome, RequestOutcome, ResidualKind};
pub use pool::Pool;
pub use query::Query;
pub use route::RouteReason;
pub use shard::{scatter, shard_of};
pub use stage::Stage;
pub use tier::Tier;
