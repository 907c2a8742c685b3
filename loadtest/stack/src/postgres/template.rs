//! A database per test, copied from a template that was filled once.
//!
//! What belongs here: making and dropping databases. What never does: what is in them; the
//! caller fills the template, with the service's migrations or whatever it likes.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::PostgresPair;
use super::address::Address;
use super::server::connect;
use crate::StackError;

/// For dropping a database when its guard goes: a server that is down or paused is not waited
/// for any longer, as its data goes with it.
const DROP_WITHIN: Duration = Duration::from_secs(10);

/// The templates of a pair by name, each filled once.
#[derive(Debug, Default)]
pub(super) struct Templates(Mutex<HashMap<String, Template>>);

/// A filled database that new ones are copies of.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    primary: Address,
    replica: Address,
}

/// A database of its own; dropped with its guard, whatever is still connected to it.
#[derive(Debug)]
pub struct Database {
    name: String,
    primary: Address,
    replica: Address,
}

impl PostgresPair {
    /// The template of this name, created and filled by the first who asks: `fill` gets the
    /// URL of an empty database and must leave no connection to it.
    pub async fn template<F, E>(
        &self,
        name: &str,
        fill: impl FnOnce(String) -> F,
    ) -> Result<Template, StackError>
    where
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let mut templates = self.templates.0.lock().await;
        if let Some(template) = templates.get(name) {
            return Ok(template.clone());
        }
        let template = Template {
            name: name.to_owned(),
            primary: self.primary.address().clone(),
            replica: self.replica.address().clone(),
        };
        // A fill that failed half-way for an earlier caller leaves one behind.
        template.run(&format!("DROP DATABASE IF EXISTS {}", quote(name))).await?;
        template.run(&format!("CREATE DATABASE {}", quote(name))).await?;
        fill(template.primary.url(name)).await.map_err(|error| StackError::Failed {
            what: format!("filling the template database {name}: {error}"),
            log: crate::LogTail::default(),
        })?;
        template.close().await?;
        templates.insert(name.to_owned(), template.clone());
        Ok(template)
    }
}

impl Template {
    /// A new copy. On the replica it appears a little later (`wait_until_caught_up`).
    pub async fn database(&self) -> Result<Database, StackError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}_{number}", self.name);
        let (copy, template) = (quote(&name), quote(&self.name));
        self.run(&format!("CREATE DATABASE {copy} TEMPLATE {template}")).await?;
        Ok(Database { name, primary: self.primary.clone(), replica: self.replica.clone() })
    }

    /// Nobody may connect any more: a copy is refused while somebody is.
    async fn close(&self) -> Result<(), StackError> {
        let name = quote(&self.name);
        self.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await?;
        // Clients that were dropped may still be saying good-bye.
        let client = connect(&self.primary.url("postgres")).await?;
        client
            .execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                &[&self.name],
            )
            .await
            .map_err(StackError::postgres("ending connections to the template"))?;
        Ok(())
    }

    async fn run(&self, statement: &str) -> Result<(), StackError> {
        let client = connect(&self.primary.url("postgres")).await?;
        client.batch_execute(statement).await.map_err(StackError::postgres(statement))
    }
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL on the primary.
    pub fn url(&self) -> String {
        self.primary.url(&self.name)
    }

    /// Its URL on the replica.
    pub fn replica_url(&self) -> String {
        self.replica.url(&self.name)
    }

    /// Connects to it on the primary.
    pub async fn connect(&self) -> Result<tokio_postgres::Client, StackError> {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    /// Blocks until it is dropped: in a thread with a runtime of its own, as the one that we are
    /// in can't wait here.
    fn drop(&mut self) {
        let url = self.primary.url("postgres");
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
        let work = async move {
            let client = connect(&url).await?;
            client.batch_execute(&statement).await.map_err(StackError::postgres(&statement))
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                match tokio::time::timeout(DROP_WITHIN, work).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "a database was not dropped"),
                    Err(_elapsed) => tracing::debug!("a database was not dropped in time"),
                }
            });
            Ok::<(), std::io::Error>(())
        });
        // A database that stays goes with the server.
        let _ = thread.join();
    }
}

fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_can_not_break_out_of_its_quotes() {
        assert_eq!(quote("plain"), "\"plain\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
