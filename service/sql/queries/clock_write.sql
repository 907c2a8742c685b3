-- name: clock_write
UPDATE clock
SET real_origin = $1, domain_origin = $2, speed = $3
