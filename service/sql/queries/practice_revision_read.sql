-- name: practice_revision_read
-- The name and the number are the newest: a practice that was renamed signs with its new name.
SELECT p.name AS practice_name, p.sender, v.revision,
       v.timezone, v.send_from, v.send_until,
       r.rule_id, r.name AS rule_name, r.before_days, r.before_minutes, r.grouping_minutes,
       r.scatter_seconds, r.template
FROM practice p
JOIN practice_revision v
  ON v.shard = $1 AND v.practice_id = $2 AND v.revision = $3
JOIN rule r
  ON r.shard = $1 AND r.practice_id = $2 AND r.revision = $3
WHERE p.shard = $1
  AND p.practice_id = $2
ORDER BY r.rule_id
