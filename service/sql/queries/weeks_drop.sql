-- name: weeks_drop
SELECT dropped, overdue_days FROM drop_week($1, $2)
