-- name: tally_delta_insert
INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n)
SELECT s.shard, u.practice_id, u.local_day, u.rule_id, u.fate, u.n
FROM shard s,
     unnest($2::bigint[], $3::date[], $4::smallint[], $5::smallint[], $6::integer[])
         AS u(practice_id, local_day, rule_id, fate, n)
WHERE s.shard = $1
