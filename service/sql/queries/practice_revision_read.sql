-- name: practice_revision_read
-- What never changes: the name and the number are the newest's, practice_read has them.
SELECT v.revision, v.timezone, v.send_from, v.send_until,
       r.rule_id, r.name AS rule_name, r.before_days, r.before_minutes, r.grouping_minutes,
       r.scatter_seconds, r.template
FROM practice_revision v
JOIN rule r
  ON r.shard = $1 AND r.practice_id = $2 AND r.revision = $3
WHERE v.shard = $1
  AND v.practice_id = $2
  AND v.revision = $3
ORDER BY r.rule_id
