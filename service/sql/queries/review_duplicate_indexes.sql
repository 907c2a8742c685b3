-- name: review_duplicate_indexes
-- Indexes whose columns, in their order and under the same rules, begin another index of their
-- table: whatever they serve, that one serves too. Of two that are equal the newer one is named.
-- Left out are those that enforce something, and the partitions' own: their parents stand for them.
WITH known AS (
    SELECT i.indexrelid, i.indrelid, i.indisunique, i.indisvalid, i.indnkeyatts,
           i.indnatts > i.indnkeyatts AS includes,
           i.indkey::int2[] AS keys,
           i.indclass::oid[] AS classes,
           i.indcollation::oid[] AS collations,
           i.indoption::int2[] AS options,
           pg_get_expr(i.indexprs, i.indrelid) AS expressions,
           pg_get_expr(i.indpred, i.indrelid) AS predicate
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am a ON a.oid = c.relam
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.amname = 'btree'
      AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
)
SELECT d.indexrelid::regclass::text AS subject,
       k.indexrelid::regclass::text AS covered_by,
       d.indrelid::regclass::text AS of_table,
       pg_relation_size(d.indexrelid) AS bytes
FROM known d
JOIN known k
  ON k.indrelid = d.indrelid
 AND k.indexrelid <> d.indexrelid
 AND k.indnkeyatts >= d.indnkeyatts
WHERE d.indisvalid
  AND k.indisvalid
  AND NOT d.indisunique
  AND NOT d.includes
  AND k.keys[0:d.indnkeyatts - 1] = d.keys[0:d.indnkeyatts - 1]
  AND k.classes[0:d.indnkeyatts - 1] = d.classes[0:d.indnkeyatts - 1]
  AND k.collations[0:d.indnkeyatts - 1] = d.collations[0:d.indnkeyatts - 1]
  AND k.options[0:d.indnkeyatts - 1] = d.options[0:d.indnkeyatts - 1]
  AND k.expressions IS NOT DISTINCT FROM d.expressions
  AND k.predicate IS NOT DISTINCT FROM d.predicate
  AND (k.indisunique OR k.includes OR k.indnkeyatts > d.indnkeyatts
       OR k.indexrelid < d.indexrelid)
ORDER BY bytes DESC, subject, covered_by
LIMIT $1
