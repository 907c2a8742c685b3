//! A database for each test, copied from one that the service itself made, and a way to look into
//! it by hand.
//!
//! Never here: what the tables are; that is the service's, and of tests that look on purpose.

use std::path::Path;

use stack::postgres::{Database, PostgresPair, Template, shared};
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Client, NoTls, Row, SimpleQueryMessage};

use crate::app::{self, Service};
use crate::binary;

/// Domain time at which every test begins, and at which it stands until the test moves it: Monday
/// 2026-05-04, 06:00 in São Paulo.
pub const DAWN: &str = "2026-05-04T09:00:00Z";

/// What leads every statement of the tests: each database's statements must all be named (law 12),
/// and these are not the service's.
const NAME: &str = "/*db_query='test'*/ ";

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection to look into a database by hand.
#[derive(Debug)]
pub struct Sql(Client);

impl Sql {
    /// Connects.
    ///
    /// # Panics
    /// When it can't.
    pub async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    /// Runs one statement (a second one in the same text would have no name) and returns how many
    /// rows it touched.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn run(&self, statement: &str, params: Params<'_>) -> u64 {
        let named = format!("{NAME}{statement}");
        self.0
            .execute(&named, params)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"))
    }

    /// The rows of a statement.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn rows(&self, statement: &str, params: Params<'_>) -> Vec<Row> {
        let named = format!("{NAME}{statement}");
        self.0.query(&named, params).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"))
    }

    /// The first column of a statement's only row.
    ///
    /// # Panics
    /// When the server refuses it, or there isn't exactly one row.
    pub async fn one<T: FromSqlOwned>(&self, statement: &str, params: Params<'_>) -> T {
        let rows = self.rows(statement, params).await;
        assert_eq!(rows.len(), 1, "{statement}");
        rows[0].get(0)
    }

    /// The columns of a statement, each with its type, without running it.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn columns(&self, statement: &str) -> Vec<(String, String)> {
        let prepared = self.0.prepare(&format!("{NAME}{statement}")).await;
        let prepared = prepared.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        let columns = prepared.columns().iter();
        columns.map(|of| (of.name().to_owned(), of.type_().name().to_owned())).collect()
    }

    /// Why the server refuses a statement that it has to refuse.
    ///
    /// # Panics
    /// When it doesn't.
    pub async fn refused(&self, statement: &str) -> String {
        let answered = self.0.simple_query(&format!("{NAME}{statement}")).await;
        answered.expect_err(statement).as_db_error().expect("the server's own words").to_string()
    }

    /// The first columns of a statement that can't be prepared, as text.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn texts(&self, statement: &str) -> Vec<String> {
        let named = format!("{NAME}{statement}");
        let answered = self.0.simple_query(&named).await;
        let messages = answered.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
                _ => None,
            })
            .collect()
    }
}

/// A migrated database of its own; dropped with its guard.
#[derive(Debug)]
pub struct TestDatabase {
    database: Database,
    /// A connection to look into it.
    pub sql: Sql,
}

impl TestDatabase {
    /// A new one on the servers that all tests of the process share.
    ///
    /// # Panics
    /// When there is no PostgreSQL, with what to install.
    pub async fn new() -> Self {
        Self::on(pair().await).await
    }

    /// A new one on servers of a test's own.
    ///
    /// # Panics
    /// When it can't be made.
    pub async fn on(pair: &PostgresPair) -> Self {
        let database =
            template(pair).await.database().await.unwrap_or_else(|error| panic!("{error}"));
        let sql = Sql::connect(&database.url()).await;
        Self { database, sql }
    }

    /// Its URL on the primary.
    pub fn url(&self) -> String {
        self.database.url()
    }

    /// Its URL on the replica.
    pub fn replica_url(&self) -> String {
        self.database.replica_url()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.database.name()
    }
}

/// The servers that all tests of the process share.
///
/// # Panics
/// When there is no PostgreSQL, with what to install.
pub async fn pair() -> &'static PostgresPair {
    shared().await.unwrap_or_else(|error| panic!("{error}"))
}

/// An empty database on the shared servers, without a schema.
///
/// # Panics
/// When it can't be made.
pub async fn empty() -> Database {
    let template = pair().await.template("empty", async |_url| Ok::<_, String>(())).await;
    template.unwrap_or_else(|error| panic!("{error}")).database().await.unwrap()
}

async fn template(pair: &PostgresPair) -> Template {
    let folder = pair.run_dir().path().to_owned();
    let fill = async |url: String| fill(&url, pair, &folder).await;
    pair.template("punctual", fill).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Migrates, stops the clock at [`DAWN`], and lets the service make what it makes at its first
/// start: shards, floors, partitions.
async fn fill(url: &str, pair: &PostgresPair, folder: &Path) -> Result<(), String> {
    let migrated = binary::run(&["migrate"], &[("PUNCTUAL_DATABASE_URL", url)]).await;
    if migrated.status != Some(0) {
        return Err(format!("punctual migrate: {}{}", migrated.stdout, migrated.stderr));
    }
    let sql = Sql::connect(url).await;
    let hold = "UPDATE clock SET real_origin = '2100-01-01T00:00:00Z', speed = 1, \
                domain_origin = $1::text::timestamptz";
    sql.run(hold, &[&DAWN]).await;
    drop(sql);
    // It is called back by nobody, and calls nobody: port 9 is discard's.
    let environment = app::environment(url, "http://127.0.0.1:9", folder.join("template.json"));
    let service = Service::start("template", pair.run_dir(), &environment).await;
    service.ready().await;
    let status = service.stop().await;
    if status.success() { Ok(()) } else { Err(format!("punctual serve ended with {status}")) }
}
