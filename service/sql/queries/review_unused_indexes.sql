-- name: review_unused_indexes
-- Indexes that no scan has used since the server began to count, largest first. The index of a
-- partitioned table is judged by its partitions together. Left out are those that enforce
-- something: they work without being scanned.
SELECT c.oid::regclass::text AS subject,
       t.oid::regclass::text AS of_table,
       used.bytes,
       used.writes
FROM (
    SELECT coalesce(pg_partition_root(s.indexrelid), s.indexrelid) AS root,
           sum(pg_relation_size(s.indexrelid))::bigint AS bytes,
           sum(s.idx_scan) AS scans,
           sum(u.n_tup_ins + u.n_tup_upd + u.n_tup_del)::bigint AS writes
    FROM pg_stat_user_indexes s
    JOIN pg_stat_user_tables u ON u.relid = s.relid
    GROUP BY 1
) AS used
JOIN pg_index i ON i.indexrelid = used.root
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
WHERE used.scans = 0
  AND i.indisvalid
  AND NOT i.indisunique
  AND NOT i.indisexclusion
ORDER BY used.bytes DESC, subject
LIMIT $1
