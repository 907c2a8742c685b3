//! Where a server listens, and how to log in.
//!
//! What belongs here: the one form in which a database's URL is put together. What never does:
//! connections.

/// Port and password of a server on 127.0.0.1.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The port.
    pub port: u16,
    /// Of the superuser `postgres`, made up for this run. Letters and digits.
    pub(super) password: String,
}

impl Address {
    /// The superuser's name on every server of this crate.
    pub const USER: &'static str = "postgres";

    /// `postgres://user:password@127.0.0.1:port/database`
    pub fn url(&self, database: &str) -> String {
        let Self { port, password } = self;
        format!("postgres://{}:{password}@127.0.0.1:{port}/{database}", Self::USER)
    }

    /// A password that nobody guesses.
    pub(super) fn make_password() -> String {
        format!("{:032x}", rand::random::<u128>())
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "127.0.0.1:{}", self.port)
    }
}
