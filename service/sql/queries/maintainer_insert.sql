-- name: maintainer_insert
-- Reconciliation begins with a round at its usual pace: nobody has missed one yet.
INSERT INTO maintainer (shard, stage, ran_at)
SELECT n, stage, CASE WHEN stage = 'reconcile' THEN statement_timestamp() ELSE '-infinity' END
FROM generate_series(0, $1::smallint - 1) AS n, unnest($2::text[]) AS stage
ON CONFLICT DO NOTHING
