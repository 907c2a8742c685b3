-- name: analyze_grown
SELECT analyze_grown()
