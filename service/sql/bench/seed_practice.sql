-- name: seed_practice
-- Practices 1 to $2 of a shard, each with one revision and the two usual rules.
WITH made AS (
    INSERT INTO practice (shard, practice_id, revision, name, sender, created_at)
    SELECT $1, n, 1, 'Practice ' || n, 999000000000 + n, '2026-01-01T00:00:00Z'
    FROM generate_series(1, $2::bigint) AS n
    RETURNING practice_id
), revised AS (
    INSERT INTO practice_revision
        (shard, practice_id, revision, timezone, send_from, send_until, created_at)
    SELECT $1, practice_id, 1, 'UTC', '08:00', '20:00', '2026-01-01T00:00:00Z'
    FROM made
    RETURNING practice_id
)
INSERT INTO rule (shard, practice_id, revision, rule_id, name, before_days, before_minutes,
                  grouping_minutes, scatter_seconds, template)
SELECT $1, r.practice_id, 1, v.rule_id, v.name, v.before_days, v.before_minutes, 240, 600,
       'Your appointment at {{ practice }} is {{ when }}.'
FROM revised r,
     (VALUES (1::smallint, 'day_before', 1::smallint, 0),
             (2::smallint, 'two_hours_before', 0::smallint, 120))
         AS v(rule_id, name, before_days, before_minutes)
