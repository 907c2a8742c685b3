//! `GET /admin/fleet`

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{Fate, Read};
use jiff::civil::Date;
use serde::Serialize;

use super::report::counts::{self, ByFate, Counts};
use super::report::{self, Days, Line, Standing};
use crate::app::App;
use crate::db::router::Class;
use crate::http::{Format, Problem, Request, Response};

/// Days without a wish.
const DAYS: u16 = 14;

/// The reminders of all practices of some local days, for those that have any.
#[derive(Debug, Serialize)]
struct FleetAnswer {
    from: Date,
    until: Date,
    #[serde(flatten)]
    standing: Standing,
    days: Vec<OfDay>,
}

/// The counts of one day over all practices and rules.
#[derive(Debug, Serialize)]
struct OfDay {
    day: Date,
    /// Practices with reminders on it.
    practices: i64,
    #[serde(flatten)]
    counts: Counts,
}

impl report::Row for OfDay {
    const COLUMNS: &'static [&'static str] = &counts::columns::<2, 16>(["day", "practices"]);

    fn write(&self, line: &mut Line) {
        self.counts.write(line.text(&self.day.to_string()).number(self.practices));
    }
}

/// Reports on some days.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let Days { from, until } = Days::of(&request, &app.clock, DAYS, counts::DAYS_MAX)?;
    let format = Format::of(&request.headers)?;
    let mut by_day: BTreeMap<Date, (i64, ByFate)> = BTreeMap::new();
    let mut reader = app.db.reader(Class::Report);
    let shards = 0..app.practices.shard_count();
    let standing = report::standing(&mut reader, shards.clone(), None).await?;
    for shard in shards {
        for row in reader.rows(Read::FleetByDay, &[&shard, &from, &until]).await? {
            let (practices, n) = by_day.entry(row.get("local_day")).or_default();
            let fate: i16 = row.get("fate");
            // A practice is in one shard; it has reminders on a day where it expects some.
            if usize::try_from(fate) == Ok(Fate::Expected.index()) {
                *practices += row.get::<_, i64>("practices");
            }
            counts::add(n, fate, row.get("n"));
        }
    }
    drop(reader);
    let days = by_day.into_iter();
    let days = days
        .map(|(day, (practices, n))| OfDay { day, practices, counts: Counts::of(&n) })
        .collect();
    let answer = FleetAnswer { from, until, standing, days };
    Ok(report::whole(format, standing, &answer, &answer.days))
}
