-- name: review_invalid_indexes
-- Indexes that every write keeps up and no scan may use: what is left of an index that was to be
-- built beside the work and could not be. One that is being built now is no such thing.
SELECT i.indexrelid::regclass::text AS subject,
       i.indrelid::regclass::text AS of_table,
       pg_relation_size(i.indexrelid) AS bytes
FROM pg_index i
LEFT JOIN pg_stat_progress_create_index p ON p.index_relid = i.indexrelid
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
  AND p.pid IS NULL
ORDER BY subject
LIMIT $1
