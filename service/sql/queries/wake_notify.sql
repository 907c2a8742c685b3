-- name: wake_notify
-- One notification a shard. Outside of all transactions that change anything: a commit that
-- notifies takes a lock that the whole server shares. $2 is the sender, who doesn't listen to
-- itself.
SELECT pg_notify('punctual_wake', n::text || ' ' || $2)
FROM unnest($1::smallint[]) AS n
