-- name: report_as_of
-- Up to when what follows on this server is complete: whatever was committed before the newest
-- heartbeat that can be read on a replica can be read there too. The primary has everything.
SELECT CASE WHEN pg_is_in_recovery() THEN (SELECT h.beaten_at FROM heartbeat h)
            ELSE statement_timestamp()
       END AS as_of
