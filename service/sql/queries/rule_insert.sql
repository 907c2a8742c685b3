-- name: rule_insert
INSERT INTO rule
    (shard, practice_id, revision, rule_id, name, before_days, before_minutes, grouping_minutes,
     scatter_seconds, template)
SELECT s.shard, $2, $3, u.rule_id, u.name, u.before_days, u.before_minutes, u.grouping_minutes,
       u.scatter_seconds, u.template
FROM shard s,
     unnest($4::smallint[], $5::text[], $6::smallint[], $7::integer[], $8::integer[],
            $9::integer[], $10::text[])
         AS u(rule_id, name, before_days, before_minutes, grouping_minutes, scatter_seconds,
              template)
WHERE s.shard = $1
