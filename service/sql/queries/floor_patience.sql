-- name: floor_patience
-- The maintainer gives up early rather than make the workers queue behind it. The second column
-- tells it apart from plan_custom in pg_stat_statements, which looks past literals.
SELECT set_config('lock_timeout', '50ms', true), true
