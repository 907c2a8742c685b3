//! What a stack is like beyond the flags of a demo: for comparisons, which need less of it and all
//! of it the same, and for tests of one thing.
//!
//! Never here: starting it (`stack_up`).

use stack::postgres::{Options, Profile};

use crate::demo::StackArgs;

/// How a stack differs from another.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The servers' settings.
    pub(crate) postgres: Options,
    /// Whether there is a replica, and the service reads it.
    pub(crate) replica: bool,
    /// Settings of the service, and what else stands in its environment.
    pub(crate) service: Vec<(String, String)>,
    /// Flags of the simulator: what goes wrong, what becomes of texts.
    pub(crate) provider: Vec<String>,
}

impl Shape {
    /// That of a demo.
    pub(crate) fn demo(args: &StackArgs) -> Self {
        let mut provider = vec!["--profile".to_owned(), "day".to_owned()];
        if args.no_faults {
            for fault in [
                "--server-errors",
                "--too-many-requests",
                "--accept-then-drop",
                "--duplicate-callbacks",
                "--out-of-order-callbacks",
            ] {
                provider.extend([fault.to_owned(), "0".to_owned()]);
            }
        }
        let postgres = Options::new(Profile::Demo);
        Self { postgres, replica: true, service: Vec::new(), provider }
    }
}
