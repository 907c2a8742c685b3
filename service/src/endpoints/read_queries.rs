//! `GET /debug/queries`: where the database's time goes, and a review of the database. Answers as
//! long as the process lives: what the database doesn't tell is a note in the answer.

use std::sync::Arc;
use std::time::Duration;

use contract::Query;

use crate::app::App;
use crate::http::{Code, Problem, Request, Response};
use crate::review::{self, Ask};

/// Statements that are told of unless asked otherwise: a screen of a terminal.
const LIMIT: usize = 20;

/// Milliseconds for which a session may be at it before it is told of: a statement's usual time
/// limit.
const OLDER_THAN_MS: u64 = 5_000;
/// A day: whoever looks for older sessions finds them without our help.
const OLDER_THAN_MS_MAX: u64 = 86_400_000;

/// Looks at statements and database.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let within = |name: &str, most: u64| format!("{name} must be a number up to {most}");
    let most = Query::COUNT as u64;
    let limit: usize = request.query_as("limit", "a number")?.unwrap_or(LIMIT);
    if limit == 0 || limit > Query::COUNT {
        return Err(Problem::new(Code::BadQuery, within("limit", most) + " and not 0"));
    }
    let older_than_ms = request.query_as("older_than_ms", "milliseconds")?;
    let older_than_ms = older_than_ms.unwrap_or(OLDER_THAN_MS);
    if older_than_ms > OLDER_THAN_MS_MAX {
        let detail = within("older_than_ms", OLDER_THAN_MS_MAX);
        return Err(Problem::new(Code::BadQuery, detail));
    }
    let ask = Ask { limit, older_than: Duration::from_millis(older_than_ms) };
    let report = review::report(&app.db, app.clock.real_now(), ask).await;
    Ok(Response::json(200, &report))
}
