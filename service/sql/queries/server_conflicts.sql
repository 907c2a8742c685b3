-- name: server_conflicts
-- Why replay cancelled statements of this database, on the replica that is asked.
SELECT k.kind, k.total
FROM pg_stat_database_conflicts AS c
CROSS JOIN LATERAL (VALUES ('tablespace', c.confl_tablespace),
                           ('lock', c.confl_lock),
                           ('snapshot', c.confl_snapshot),
                           ('buffer_pin', c.confl_bufferpin),
                           ('deadlock', c.confl_deadlock)) AS k(kind, total)
WHERE c.datname = current_database()
