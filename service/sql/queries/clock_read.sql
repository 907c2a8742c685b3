-- name: clock_read
SELECT real_origin, domain_origin, speed
FROM clock
