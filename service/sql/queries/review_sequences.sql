-- name: review_sequences
-- Sequences by how much of them is used up: of what the sequence may give, or of what the column
-- that it fills can hold, whichever is less. The name is a label of metrics, so it is of the type
-- that labels are made of.
SELECT format('%I.%I', s.schemaname, s.sequencename)::name AS subject,
       o.of_column,
       s.last_value,
       least(s.max_value, coalesce(o.max_value, s.max_value)) AS max_value
FROM pg_sequences s
LEFT JOIN LATERAL (
    SELECT format('%s.%I', a.attrelid::regclass, a.attname) AS of_column,
           CASE format_type(a.atttypid, NULL)
               WHEN 'smallint' THEN 32767
               WHEN 'integer' THEN 2147483647
               WHEN 'bigint' THEN 9223372036854775807
           END AS max_value
    FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.objid = format('%I.%I', s.schemaname, s.sequencename)::regclass
      AND d.classid = 'pg_class'::regclass
      AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i')
    LIMIT 1
) AS o ON true
WHERE s.last_value IS NOT NULL
ORDER BY s.last_value::float8 / least(s.max_value, coalesce(o.max_value, s.max_value)) DESC, subject
LIMIT $1
