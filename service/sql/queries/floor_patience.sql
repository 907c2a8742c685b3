-- name: floor_patience
-- The maintainer gives up early rather than make the workers queue behind it.
SELECT set_config('lock_timeout', '50ms', true)
