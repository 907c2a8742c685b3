//! `GET /v1/practices/{practice_id}/days/{day}/counts`

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::Read;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use super::report::counts::{self, ByFate, Counts};
use super::report::{self, Line, Standing};
use crate::app::App;
use crate::db::router::Class;
use crate::http::{Format, Problem, Request, Response};

/// As what `daily_counts` gives the promises that wait.
const WAITING: i16 = -1;

/// A practice's reminders of one local day. Counts are reminders (one for each appointment and
/// rule), not texts: a text for a family counts once for each of its appointments.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CountsAnswer {
    #[schemars(with = "String")]
    day: Date,
    #[serde(flatten)]
    standing: Standing,
    rules: Vec<RuleCounts>,
}

/// The counts of one rule.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RuleCounts {
    rule_id: i16,
    #[serde(flatten)]
    counts: Counts,
    /// Expected less all fates and less what waits, by its promises and not by the counts: not zero
    /// means that a reminder was lost, or counted twice.
    residual: i64,
}

impl report::Row for RuleCounts {
    const COLUMNS: &'static [&'static str] = &counts::columns::<2, 16>(["rule_id", "residual"]);

    fn write(&self, line: &mut Line) {
        self.counts.write(line.number(self.rule_id).number(self.residual));
    }
}

/// Counts a day.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let day = request.path.date("day")?;
    let format = Format::of(&request.headers)?;
    let shard = app.practices.shard(practice_id);
    let mut reader = app.db.reader(Class::Report);
    let standing = report::standing_of(&mut reader, shard, practice_id).await?;
    let rows = reader.rows(Read::DailyCounts, &[&shard, &practice_id, &day]).await?;
    drop(reader);
    let counted = counts::by(&rows, |row| row.get::<_, i16>("rule_id"));
    let waiting = waiting(&rows);
    let rules = counted.iter().map(|(rule_id, n)| {
        RuleCounts::of(*rule_id, n, waiting.get(rule_id).copied().unwrap_or_default())
    });
    let answer = CountsAnswer { day, standing, rules: rules.collect() };
    Ok(report::whole(format, standing, &answer, &answer.rules))
}

/// The promises of each rule that wait.
fn waiting(rows: &[Row]) -> BTreeMap<i16, i64> {
    let waiting = rows.iter().filter(|row| row.get::<_, i16>("fate") == WAITING);
    waiting.map(|row| (row.get("rule_id"), row.get("n"))).collect()
}

impl RuleCounts {
    fn of(rule_id: i16, n: &ByFate, waiting: i64) -> Self {
        let by_counts = Counts::of(n);
        let residual = by_counts.pending - waiting;
        Self { rule_id, counts: Counts { pending: waiting, ..by_counts }, residual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Fate;

    #[test]
    fn what_waits_nowhere_is_left_over() {
        let mut n = ByFate::default();
        n[Fate::Expected.index()] = 10;
        n[Fate::Sent.index()] = 6;
        let lost = RuleCounts::of(1, &n, 3);
        assert_eq!((lost.counts.pending, lost.residual), (3, 1));
        assert_eq!(RuleCounts::of(1, &n, 5).residual, -1);
        assert_eq!(RuleCounts::of(1, &n, 4).residual, 0);
    }
}
