//! A database per test.

use stack::StackError;
use stack::postgres::{Database, Template, shared};

async fn fill(url: String) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE filled AS SELECT 1 AS x").await
}

async fn template() -> Template {
    shared().await.unwrap().template("stack_template", fill).await.unwrap()
}

async fn count(name: &str) -> i64 {
    let client = shared().await.unwrap().primary().connect("postgres").await.unwrap();
    let sql = "SELECT count(*) FROM pg_database WHERE datname = $1";
    client.query_one(sql, &[&name]).await.unwrap().get(0)
}

#[tokio::test]
async fn copies_are_filled_apart_from_each_other_and_go_with_their_guard() {
    let template = template().await;
    let (one, two) = tokio::join!(template.database(), template.database());
    let (one, two): (Database, Database) = (one.unwrap(), two.unwrap());
    let client = one.connect().await.unwrap();
    client.batch_execute("UPDATE filled SET x = 2").await.unwrap();
    let other = two.connect().await.unwrap();
    let x: i32 = other.query_one("SELECT x FROM filled", &[]).await.unwrap().get(0);
    assert_eq!(x, 1);

    let name = one.name().to_owned();
    assert_eq!(count(&name).await, 1);
    // Although `client` is still connected.
    drop(one);
    assert_eq!(count(&name).await, 0);
}

#[tokio::test]
async fn a_template_is_filled_once() {
    template().await;
    let again = shared()
        .await
        .unwrap()
        .template("stack_template", |_url| async { Err("filled twice") })
        .await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn a_fill_that_fails_says_why_and_may_be_tried_again() {
    let pair = shared().await.unwrap();
    let failed = pair.template("stack_fails", |_url| async { Err("no migrations") }).await;
    let error: StackError = failed.unwrap_err();
    assert!(error.to_string().contains("no migrations"), "{error}");
    pair.template("stack_fails", fill).await.unwrap();
}
