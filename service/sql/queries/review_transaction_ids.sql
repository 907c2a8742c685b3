-- name: review_transaction_ids
-- How old the oldest transaction ids and multixacts are that tables of this database still hold,
-- the oldest tables first, as shares of the 2^31 at which the server stops writing. LIMIT $1.
SELECT c.oid::regclass::text AS subject,
       age(c.relfrozenxid)::float8 / 2147483648 AS transactions,
       mxid_age(c.relminmxid)::float8 / 2147483648 AS multixacts
FROM pg_class c
WHERE c.relkind IN ('r', 'm', 't')
ORDER BY greatest(age(c.relfrozenxid), mxid_age(c.relminmxid)) DESC, subject
LIMIT $1
