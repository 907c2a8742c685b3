-- name: server_heartbeat
-- The newest heartbeat that can be read on the server that is asked. Apart from server_look, which
-- is also asked before the schema is there.
SELECT h.beaten_at FROM heartbeat AS h
