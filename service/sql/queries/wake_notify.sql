-- name: wake_notify
-- One notification a shard. Outside of all transactions that change anything: a commit that
-- notifies takes a lock that the whole server shares.
SELECT pg_notify('punctual_wake', n::text)
FROM unnest($1::smallint[]) AS n
