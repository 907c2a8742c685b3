//! What labels may say. A value comes from what is written in the program, from a status, from the
//! settings or from the database's catalogue: there is no way to one from text that came with a
//! request, so nobody can make series by asking for things.
//!
//! Belongs here: the few ways to a value. Never here: a way that takes any string.

use std::error::Error;

use metrics::{Label, SharedString};
use tokio_postgres::Row;
use tokio_postgres::config::Host;
use tokio_postgres::types::{FromSql, Type};

use crate::db::Settings;
use crate::db::pools::parse_url;

/// A label's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value(SharedString);

/// A label and its value.
pub(super) type Pair<V> = (&'static str, V);

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self(SharedString::const_str(text))
    }
}

/// A status of HTTP.
impl From<u16> for Value {
    fn from(status: u16) -> Self {
        Self(status.to_string().into())
    }
}

impl From<&Given> for Value {
    fn from(name: &Given) -> Self {
        Self(name.0.clone().into())
    }
}

/// The label as the facade has it.
pub(super) fn label<V: Into<Value>>((name, value): Pair<V>) -> Label {
    Label::new(name, value.into().0)
}

/// A name that was given to something beside the program, which only a run of it knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Given(String);

impl Given {
    /// A server of the database, by the host and port that the settings have.
    ///
    /// # Errors
    /// One line that says what is wrong with its URL.
    pub(crate) fn server(settings: &Settings) -> Result<Self, String> {
        let config = parse_url(&settings.url)?;
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5_432);
        Ok(Self(format!("{host}:{port}")))
    }

    /// What the database's catalogue calls one of its things: a column of the type `name`, at most
    /// 63 bytes. What people write is `text`, which is refused, whoever asks for it. Which columns
    /// there are of that type is a closed list (`tests/integration/statements.rs`).
    pub(crate) fn by_catalogue(row: &Row, column: &str) -> Self {
        row.get(column)
    }

    /// As it is shown.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromSql<'_> for Given {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(String::from_sql(&Type::NAME, raw)?))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::NAME
    }
}

/// Doesn't compile once any of these is a value: then there are two traits to choose from.
const _: () = {
    trait Is<What> {
        const NO_LABEL: () = ();
    }
    impl<T: ?Sized> Is<()> for T {}
    impl<T: Into<Value>> Is<Value> for T {}
    let () = <String as Is<_>>::NO_LABEL;
    let () = <&String as Is<_>>::NO_LABEL;
    let () = <SharedString as Is<_>>::NO_LABEL;
    let () = <std::borrow::Cow<'static, str> as Is<_>>::NO_LABEL;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_catalogue_names_is_a_label() {
        assert!(Given::accepts(&Type::NAME));
        let texts = [
            Type::TEXT,
            Type::VARCHAR,
            Type::BPCHAR,
            Type::CHAR,
            Type::UNKNOWN,
            Type::JSON,
            Type::NAME_ARRAY,
            Type::INT8,
        ];
        for of in texts {
            assert!(!Given::accepts(&of), "{of}");
        }
        let name = Given::from_sql(&Type::NAME, b"message_1").unwrap();
        assert_eq!(name.as_str(), "message_1");
    }

    #[test]
    fn servers_are_called_by_host_and_port() {
        let named = |url: &str| {
            let name = Given::server(&Settings::of_url(url.to_owned()));
            name.map(|name| name.as_str().to_owned())
        };
        let is = |name: &str| Ok(name.to_owned());
        assert_eq!(named("postgres://u:secret@db.example:6432/x"), is("db.example:6432"));
        assert_eq!(named("postgres://db.example/x"), is("db.example:5432"));
        assert!(named("nonsense").is_err());
    }
}
