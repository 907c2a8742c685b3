//! `GET /v1/practices/{practice_id}/reports/trend`

use std::sync::Arc;

use contract::Read;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::report::counts::{self, Counts};
use super::report::{self, Days, Line, Standing};
use crate::app::App;
use crate::db::router::Class;
use crate::http::{Format, Problem, Request, Response};

/// A practice's reminders of some local days, for those that have any.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrendAnswer {
    #[schemars(with = "String")]
    from: Date,
    #[schemars(with = "String")]
    until: Date,
    #[serde(flatten)]
    standing: Standing,
    days: Vec<OfDay>,
}

/// The counts of one day over all rules.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrendDay")]
pub(crate) struct OfDay {
    #[schemars(with = "String")]
    day: Date,
    #[serde(flatten)]
    counts: Counts,
}

impl report::Row for OfDay {
    const COLUMNS: &'static [&'static str] = &counts::columns::<1, 15>(["day"]);

    fn write(&self, line: &mut Line) {
        self.counts.write(line.text(&self.day.to_string()));
    }
}

/// Reports on some days.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let Days { from, until } = Days::of(&request, &app.clock, counts::DAYS_MAX, counts::DAYS_MAX)?;
    let format = Format::of(&request.headers)?;
    let shard = app.practices.shard(practice_id);
    let mut reader = app.db.reader(Class::Report);
    let standing = report::standing_of(&mut reader, shard, practice_id).await?;
    let rows = reader.rows(Read::TrendByDay, &[&shard, &practice_id, &from, &until]).await?;
    drop(reader);
    let days = counts::by(&rows, |row| row.get::<_, Date>("local_day"));
    let days = days.into_iter().map(|(day, n)| OfDay { day, counts: Counts::of(&n) }).collect();
    let answer = TrendAnswer { from, until, standing, days };
    Ok(report::whole(format, standing, &answer, &answer.days))
}
