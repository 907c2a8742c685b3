//! Texts of earlier days, with their counts: what reports read.
//!
//! Never here: what falls due while it is looked at.

use contract::Fate;
use tests::TestApp;

/// Texts of earlier days, for reports to read.
const OLD_TEXTS: i64 = 600_000;

/// Writes them past the service, for all practices that there are.
pub(crate) async fn write(app: &TestApp) {
    let sql = &app.database.sql;
    let old = "INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, \
               generation, state, receipt, segments, revision, due_at, expires_at, released_at, \
               sent_at, receipt_at, appointment_ids, starts_at, body) \
               SELECT p.shard, p.practice_id, 99900000000 + n, '2026-03-01'::date + d, 1, 0, 1, \
                      's', 2, 1, 1, t.at, t.at, t.at, t.at + random() * interval '3 s', t.at, \
                      ARRAY['old-' || n], ARRAY[t.at], repeat('x', 150) \
               FROM practice p, generate_series(0, 59) AS d, \
                    generate_series(1, $1::bigint / 60 / 8) AS n, \
                    LATERAL (SELECT '2026-03-01T11:00Z'::timestamptz + d * interval '1 day' \
                                    + n % 12 * interval '1 hour' AS at) AS t";
    sql.run(old, &[&OLD_TEXTS]).await;
    // Each was expected, sent and delivered.
    let counts = "INSERT INTO tally (shard, practice_id, local_day, rule_id, fate, n) \
                  SELECT shard, practice_id, local_day, rule_id, fate, count(*) \
                  FROM message, unnest($1::smallint[]) AS fate \
                  WHERE local_day < '2026-05-01' GROUP BY 1, 2, 3, 4, 5";
    let fates = [Fate::Expected, Fate::Sent, Fate::Delivered].map(|fate| fate.index() as i16);
    sql.run(counts, &[&fates.as_slice()]).await;
    sql.run("VACUUM (ANALYZE) message, tally", &[]).await;
}
