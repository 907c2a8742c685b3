-- name: audit_statements
-- Every statement of this database that we sent to this server begins with its name, and that is one
-- of those in the program, $1. Left out is what a migration sends: it is no named statement but a
-- file that runs once, by a tool that keeps a table and opens transactions of its own. Each start
-- asks that table; what a file does can be in the statistics only where the last deploy is younger
-- than they are, and elsewhere is a statement without a name like any other.
SELECT count(*) AS cases,
       count(*) FILTER (WHERE NOT is_named) AS violations,
       (array_agg(left(query, 80)) FILTER (WHERE NOT is_named))[1:10] AS examples
FROM (
    SELECT s.query,
           coalesce(substring(s.query FROM '^/\*db_query=''([a-z0-9_]+)''') = ANY ($1), false)
               AS is_named
    FROM pg_stat_statements s
    WHERE s.userid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
      AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND s.query NOT IN ('START TRANSACTION', 'COMMIT')
      AND s.query !~ 'refinery_schema_history'
      AND NOT (
          s.query ~ '^(\s|--[^\n]*\n)*(CREATE|ALTER|DROP|INSERT INTO (clock|heartbeat|retention)) '
          AND EXISTS (
              SELECT
              FROM deployment d, pg_stat_statements_info i
              WHERE d.deployed_at >= i.stats_reset
          )
      )
) AS ours
