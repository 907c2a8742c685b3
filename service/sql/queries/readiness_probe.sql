-- name: readiness_probe
-- False on a replica: it answers, but nothing can be promised there.
SELECT NOT pg_is_in_recovery()
