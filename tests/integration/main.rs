//! One binary for all integration tests: one build, one shared PostgreSQL.
//!
//! What belongs here: the list of test modules. What never does: helpers, which are in the
//! `tests` crate's library.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::large_futures, reason = "tests")]

mod endpoints;
mod life;

mod alerts;
mod audit_finds;
mod bad_http;
mod cancel_races;
mod capacity;
mod ci;
mod compose;
mod dashboards;
mod database_away;
mod day;
mod deployed;
mod depth;
mod dev;
mod folding;
mod freeze;
mod full;
mod gate;
mod given_up;
mod group_commit;
mod in_hand;
mod incidents;
mod isolate;
mod leaving;
mod live_page;
mod malformed_trace;
mod migrations;
mod mistakes;
mod one_shard;
mod plans;
mod pool_sizes;
mod pruning;
mod recipes;
mod reconcile;
mod replica;
mod review;
mod router;
mod run;
mod settings;
mod side_by_side;
mod statements;
mod tls;
mod top;

mod tidy;
