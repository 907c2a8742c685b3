-- name: residual_passed
-- What is open of a shard and nothing mends any more: of days before $2, at which no look looks, and
-- what became a text for nothing. By name, up to $3, the most urgent first.
SELECT r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version, r.kind::text AS kind,
       r.reason::text AS reason, r.starts_at, r.due_at, r.closes_at,
       count(*) OVER () AS violations
FROM residual r
WHERE r.shard = $1
  AND r.mended_at IS NULL
  AND r.told_at IS NULL
  AND (r.due_day < $2 OR (r.kind = 's' AND EXISTS (
      SELECT
      FROM intent i
      WHERE i.shard = $1
        AND i.practice_id = r.practice_id
        AND i.appointment_id = r.appointment_id
        AND i.rule_id = r.rule_id
        AND i.plan_version = r.plan_version
        AND i.due_day = r.due_day
        AND i.state = 'r')))
ORDER BY r.closes_at, r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version
LIMIT $3
