-- Everything a reminder needs, from booking to receipt.
--
-- Every table begins with `shard`, and every hot statement names one shard, so that the same
-- statements are single-node tasks on a distributed PostgreSQL. `shard` and `practice_id` lead
-- every key; text keys are COLLATE "C" so that the order of the keys is the order of the bytes
-- (the program sorts batches the same way, which is what keeps them free of deadlocks).

-- Fixed when the database is made: how many shards practices are spread over. Beside it, which build
-- of the service was put in place last, and when its first process began; and until when the
-- provider's list was compared with what is known as sent; null where nobody compares them.
CREATE TABLE deployment (
    id             boolean     PRIMARY KEY DEFAULT true CHECK (id),
    shard_count    smallint    NOT NULL CHECK (shard_count BETWEEN 1 AND 1024),
    created_at     timestamptz NOT NULL DEFAULT now(),
    build          text        NOT NULL,
    deployed_at    timestamptz NOT NULL,
    compared_until timestamptz
);

-- Domain time as all processes see it: domain_origin + max(0, real − real_origin) × speed.
-- The default row is the identity. Before real_origin the domain clock stands still.
CREATE TABLE clock (
    id            boolean          PRIMARY KEY DEFAULT true CHECK (id),
    real_origin   timestamptz      NOT NULL,
    domain_origin timestamptz      NOT NULL,
    speed         double precision NOT NULL CHECK (speed > 0 AND speed <= 100000)
);
INSERT INTO clock (real_origin, domain_origin, speed)
VALUES ('2000-01-01T00:00:00Z', '2000-01-01T00:00:00Z', 1);

-- The primary's time, written anew several times a second where there are replicas: how old what a
-- replica shows is at most. It says so also on an idle server, on which nothing else is written.
CREATE TABLE heartbeat (
    id        boolean     PRIMARY KEY DEFAULT true CHECK (id),
    beaten_at timestamptz NOT NULL
) WITH (fillfactor = 50);
INSERT INTO heartbeat (beaten_at) VALUES ('2000-01-01T00:00:00Z');

-- One row a shard: the floors. Whoever makes a lane ready locks this row FOR SHARE until commit
-- and sets ready_at to at least ready_floor; whoever plans an intent does the same with due_at and
-- release_floor. One maintainer raises the floors under FOR NO KEY UPDATE. A scan that starts at
-- the floor never walks the dead index entries to its left.
CREATE TABLE shard (
    shard         smallint    PRIMARY KEY,
    ready_floor   timestamptz NOT NULL,  -- real time
    release_floor timestamptz NOT NULL,  -- domain time
    release_day   date        NOT NULL   -- the oldest local day that may still hold planned intents
);

-- One row a shard and stage that must have one runner at a time: FOR UPDATE SKIP LOCKED is the lease.
CREATE TABLE maintainer (
    shard  smallint    NOT NULL,
    stage  text        NOT NULL COLLATE "C",
    ran_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (shard, stage)
);

CREATE TABLE practice (
    shard        smallint    NOT NULL,
    practice_id  bigint      NOT NULL CHECK (practice_id BETWEEN 1 AND 9007199254740991),
    revision     integer     NOT NULL,       -- the newest practice_revision
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    sender       bigint      NOT NULL CHECK (sender BETWEEN 1000000 AND 999999999999999),
    replan_after text        COLLATE "C",    -- not null while appointments are replanned: the key reached
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (shard, practice_id)
);
CREATE INDEX practice_replan ON practice (shard, practice_id) WHERE replan_after IS NOT NULL;

-- Which practice a text to this number is for: also to one that it sent from before, until another
-- practice takes the number.
CREATE TABLE sender (
    sender      bigint   PRIMARY KEY,
    shard       smallint NOT NULL,
    practice_id bigint   NOT NULL,
    is_current  boolean  NOT NULL            -- the practice sends from it now; no other may take it
);
CREATE INDEX sender_practice ON sender (practice_id);

-- What planning depends on, never changed once written: an appointment names the revision that it
-- was planned under, so that what was promised can be derived again at any time.
CREATE TABLE practice_revision (
    shard       smallint    NOT NULL,
    practice_id bigint      NOT NULL,
    revision    integer     NOT NULL CHECK (revision > 0),
    timezone    text        NOT NULL,
    send_from   time        NOT NULL,
    send_until  time        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (shard, practice_id, revision),
    CHECK (send_from < send_until),
    -- Computes with the zone: one that this server doesn't know is an error here, and not in each
    -- statement that derives what is due.
    CHECK (timestamptz '2000-01-01T00:00:00Z' AT TIME ZONE timezone IS NOT NULL)
);

CREATE TABLE rule (
    shard              smallint NOT NULL,
    practice_id        bigint   NOT NULL,
    revision           integer  NOT NULL,
    rule_id            smallint NOT NULL CHECK (rule_id BETWEEN 1 AND 100),
    name               text     NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
    before_days        smallint NOT NULL CHECK (before_days BETWEEN 0 AND 60),
    before_minutes     integer  NOT NULL CHECK (before_minutes BETWEEN 0 AND 1440),
    grouping_minutes   integer  NOT NULL CHECK (grouping_minutes BETWEEN 1 AND 1440),
    scatter_seconds    integer  NOT NULL CHECK (scatter_seconds BETWEEN 0 AND 3600),
    template           text     NOT NULL CHECK (length(template) BETWEEN 1 AND 1000),
    PRIMARY KEY (shard, practice_id, revision, rule_id),
    CHECK (before_days > 0 OR before_minutes > 0)
);

CREATE TABLE api_key (
    shard       smallint    NOT NULL,
    practice_id bigint      NOT NULL,
    key_id      integer     NOT NULL CHECK (key_id > 0),
    secret_hash bytea       NOT NULL CHECK (length(secret_hash) = 32),
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    PRIMARY KEY (shard, practice_id, key_id)
);

-- The newest known version of each appointment.
CREATE TABLE appointment (
    shard          smallint    NOT NULL,
    practice_id    bigint      NOT NULL,
    appointment_id text        NOT NULL COLLATE "C" CHECK (length(appointment_id) BETWEEN 1 AND 64),
    version        bigint      NOT NULL CHECK (version BETWEEN 0 AND 9007199254740991),
    revision       integer     NOT NULL,
    status         "char"      NOT NULL CHECK (status IN ('b', 'c')),  -- booked, cancelled
    starts_at      timestamptz NOT NULL,
    phone          bigint      NOT NULL CHECK (phone BETWEEN 1000000 AND 999999999999999),
    patient_name   text        NOT NULL CHECK (length(patient_name) <= 80),
    instructions   text        NOT NULL CHECK (length(instructions) <= 300),
    planned_at     timestamptz NOT NULL,
        -- domain time at which it was first planned for this time and phone
    revised_at     timestamptz NOT NULL CHECK (revised_at >= planned_at),
        -- domain time at which it was first planned so under its revision
    intent_days    date[]      NOT NULL,       -- the days on which it has intents, for pruning
    unplanned_from date,                       -- not null: from this day on beyond the horizon
    PRIMARY KEY (shard, practice_id, appointment_id)
) WITH (fillfactor = 90);
CREATE INDEX appointment_unplanned ON appointment (shard, unplanned_from)
    WHERE unplanned_from IS NOT NULL;

-- The promise: one row for each appointment and rule. Cold and deep; partitioned by the week of the
-- local day on which it is due, dropped whole. plan_version is the appointment's version that
-- planned it. The key begins with what is asked for, so that a range of days only prunes.
CREATE TABLE intent (
    due_day        date        NOT NULL,
    shard          smallint    NOT NULL,
    practice_id    bigint      NOT NULL,
    appointment_id text        NOT NULL COLLATE "C",
    rule_id        smallint    NOT NULL,
    plan_version   bigint      NOT NULL,
    state          "char"      NOT NULL CHECK (state IN ('p', 'r', 'x')),  -- planned, released, suppressed
    reason         "char"      CHECK (reason IN ('c', 'm', 'e')),
        -- cancelled, moved (superseded), expired: alone, of a text that tells of others still ahead
    group_slot     smallint    NOT NULL,       -- which grouping window of the local day
    revision       integer     NOT NULL,
    phone          bigint      NOT NULL,
    message_id     bigint,
    due_at         timestamptz NOT NULL,
    starts_at      timestamptz NOT NULL,
    PRIMARY KEY (shard, practice_id, appointment_id, rule_id, plan_version, due_day),
    CHECK ((state = 'x') = (reason IS NOT NULL)),
    CHECK (state <> 'r' OR message_id IS NOT NULL)
) PARTITION BY RANGE (due_day);
-- Serves release: planned intents of one shard in the order in which they fall due, family by family.
CREATE INDEX intent_due ON intent (shard, due_at, practice_id, phone, rule_id) WHERE state = 'p';

-- One text for one phone. Its identity is its group and generation, so two planners can't make two.
-- Flat: it carries all that a report needs. Room for two more versions of most rows beside each
-- (sent, then its receipt), so that those need no new index entries.
CREATE TABLE message (
    shard           smallint    NOT NULL,
    practice_id     bigint      NOT NULL,
    message_id      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    phone           bigint      NOT NULL,
    local_day       date        NOT NULL,
    rule_id         smallint    NOT NULL,
    group_slot      smallint    NOT NULL,
    generation      smallint    NOT NULL CHECK (generation > 0),
    state           "char"      NOT NULL CHECK (state IN ('q', 's', 'f', 'x', 'e', 'a')),
        -- queued, sent (the provider accepted it), failed, suppressed, expired, ambiguous
    reason          "char"      CHECK (reason IN ('c', 'm', 'o', 'n')),
        -- cancelled, moved, opted out, not allowed (outside production)
    receipt         smallint    NOT NULL DEFAULT 0 CHECK (receipt BETWEEN 0 AND 3),
        -- none, undelivered, delivered, read; a higher one wins
    attempts        smallint    NOT NULL DEFAULT 0,
    segments        smallint    NOT NULL,
    revision        integer     NOT NULL,      -- of the settings that its words are of
    error_code      integer,
    due_at          timestamptz NOT NULL,      -- domain time
    expires_at      timestamptz NOT NULL,      -- domain time: the latest appointment in it
    released_at     timestamptz NOT NULL,      -- real time
    sent_at         timestamptz,               -- real time
    receipt_at      timestamptz,               -- real time
    replied_at      timestamptz,               -- real time
    reply           "char"      CHECK (reply IN ('y', 'n', 's', 't')),  -- yes, no, stop, other text
    provider_ref    text,
    appointment_ids text[]      NOT NULL,
    starts_at       timestamptz[] NOT NULL,    -- as rendered, one for each appointment
    body            text        NOT NULL,
    PRIMARY KEY (shard, practice_id, message_id),
    UNIQUE (shard, practice_id, phone, local_day, rule_id, group_slot, generation),
    CHECK ((state = 'x') = (reason IS NOT NULL)),
    CHECK (cardinality(appointment_ids) = cardinality(starts_at))
) WITH (fillfactor = 60);

-- Serves the lists and reports of a practice's day.
CREATE INDEX message_day ON message (shard, practice_id, local_day, message_id);

-- One row for each recipient with pending work: hot and small, deleted when empty.
CREATE TABLE lane (
    shard       smallint    NOT NULL,
    practice_id bigint      NOT NULL,
    phone       bigint      NOT NULL,
    state       "char"      NOT NULL CHECK (state IN ('r', 'l', 'u')),
        -- ready (from ready_at on), leased, unresolved (its head's fate is being looked up)
    token       bigint      NOT NULL,          -- raised by every lease: a late worker's is too low
    ready_at    timestamptz NOT NULL,          -- real time
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (shard, practice_id, phone)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lane_ready ON lane (shard, ready_at, practice_id, phone) WHERE state = 'r';
CREATE INDEX lane_leased ON lane (shard, lease_until) WHERE state = 'l';
CREATE INDEX lane_unresolved ON lane (shard, ready_at) WHERE state = 'u';

-- The recipient's messages in order; the head is the lowest message_id.
CREATE TABLE lane_item (
    shard       smallint    NOT NULL,
    practice_id bigint      NOT NULL,
    phone       bigint      NOT NULL,
    message_id  bigint      NOT NULL,
    attempts    smallint    NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL,          -- domain time
    PRIMARY KEY (shard, practice_id, phone, message_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

-- Every try at the provider, committed before its first byte leaves. Append-only, by local week.
CREATE TABLE attempt (
    local_day   date        NOT NULL,
    shard       smallint    NOT NULL,
    practice_id bigint      NOT NULL,
    message_id  bigint      NOT NULL,
    attempt_no  smallint    NOT NULL,
    token       bigint      NOT NULL,
    sender      bigint      NOT NULL,          -- the number it was sent from
    started_at  timestamptz NOT NULL,
    PRIMARY KEY (local_day, shard, practice_id, message_id, attempt_no)
) PARTITION BY RANGE (local_day);

-- What came of it. Append-only: an ambiguous try that was looked up has a second row.
CREATE TABLE attempt_outcome (
    local_day    date        NOT NULL,
    shard        smallint    NOT NULL,
    practice_id  bigint      NOT NULL,
    message_id   bigint      NOT NULL,
    attempt_no   smallint    NOT NULL,
    outcome      "char"      NOT NULL CHECK (outcome IN ('s', 't', 'f', 'a', 'n')),
        -- sent, transient failure, failed for good, ambiguous, not accepted (looked up)
    http_status  smallint,
    error_code   integer,
    provider_ref text,
    finished_at  timestamptz NOT NULL
) PARTITION BY RANGE (local_day);
CREATE INDEX attempt_outcome_message ON attempt_outcome (local_day, shard, practice_id, message_id);

-- Inbound texts, once each by the provider's reference.
CREATE TABLE reply (
    shard        smallint    NOT NULL,
    practice_id  bigint      NOT NULL,
    provider_ref text        NOT NULL COLLATE "C" CHECK (length(provider_ref) BETWEEN 1 AND 64),
    phone        bigint      NOT NULL,
    message_id   bigint,                       -- the text that it answers, where there is one
    kind         "char"      NOT NULL CHECK (kind IN ('y', 'n', 's', 't')),
    body         text        NOT NULL CHECK (length(body) <= 1600),
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (shard, practice_id, provider_ref)
);

CREATE TABLE consent (
    shard       smallint    NOT NULL,
    practice_id bigint      NOT NULL,
    phone       bigint      NOT NULL,
    opted_out   boolean     NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (shard, practice_id, phone)
);

-- Flat counts. Deltas are appended in the transaction that makes the fact true and folded into
-- tally by one maintainer a shard; the truth is tally + what is not yet folded.
CREATE TABLE tally_delta (
    shard       smallint NOT NULL,
    delta_id    bigint   NOT NULL GENERATED ALWAYS AS IDENTITY,
    practice_id bigint   NOT NULL,
    local_day   date     NOT NULL,
    rule_id     smallint NOT NULL,
    fate        smallint NOT NULL,
    n           integer  NOT NULL,
    -- By practice and day: whoever counts a practice's day reads what is unfolded of it alone.
    PRIMARY KEY (shard, practice_id, local_day, delta_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE TABLE tally (
    shard       smallint NOT NULL,
    practice_id bigint   NOT NULL,
    local_day   date     NOT NULL,
    rule_id     smallint NOT NULL,
    fate        smallint NOT NULL,
    n           bigint   NOT NULL,
    PRIMARY KEY (shard, practice_id, local_day, rule_id, fate)
) WITH (fillfactor = 80);
-- Serves what is asked of all practices on some days. Without n, so that folding changes no index.
CREATE INDEX tally_day ON tally (shard, local_day);

-- What appointments and rules promise, by PostgreSQL's own calendar: one row for each appointment
-- that stands and each rule that gives a reminder. Nothing of the planner is used: an appointment
-- names the revision it was planned under and the domain time of that. Days from unplanned_from on are
-- beyond the horizon, by the planner's word: they are planned when their time comes.
CREATE VIEW promised AS
SELECT a.shard, a.practice_id, a.appointment_id, r.rule_id, a.phone, a.starts_at,
       w.within::date AS local_day,
       o.opens AT TIME ZONE v.timezone AS opens_at,
       w.closes AT TIME ZONE v.timezone AS closes_at,
       a.unplanned_from
FROM appointment a
JOIN practice_revision v
  ON v.shard = a.shard AND v.practice_id = a.practice_id AND v.revision = a.revision
JOIN rule r
  ON r.shard = a.shard AND r.practice_id = a.practice_id AND r.revision = a.revision
CROSS JOIN LATERAL (
    -- Calendar days at the same wall time, then minutes.
    SELECT (a.starts_at AT TIME ZONE v.timezone) - make_interval(days => r.before_days)
           - make_interval(mins => r.before_minutes) AS exact
) AS e
CROSS JOIN LATERAL (
    -- Into the practice's hours of that day.
    SELECT e.exact::date
           + least(greatest(e.exact::time, v.send_from), v.send_until - interval '1 second')
               AS within,
           e.exact::date + (v.send_until - interval '1 second') AS closes
) AS w
CROSS JOIN LATERAL (
    -- Back to the start of the grouping window, and to the end of its spread.
    SELECT greatest(
               w.within::date + make_interval(mins => r.grouping_minutes
                   * (extract(epoch FROM w.within::time)::integer / 60 / r.grouping_minutes)),
               w.within::date + v.send_from) AS opens
) AS o
WHERE a.status = 'b'
  AND e.exact AT TIME ZONE v.timezone >= a.planned_at
  AND a.revised_at <= w.closes AT TIME ZONE v.timezone
  AND a.revised_at < a.starts_at
  AND least(o.opens + make_interval(secs => r.scatter_seconds), w.closes)
          AT TIME ZONE v.timezone < a.starts_at;

-- What is planned or became a text, against which that is held: the first of those that are alike, and
-- the others. What became a text of an older version stays and is not promised again, to that phone;
-- nor is what expired out of one.
CREATE VIEW planned AS
SELECT i.shard, i.practice_id, i.appointment_id, i.rule_id, i.phone, i.starts_at, i.due_day,
       i.plan_version, i.state, i.due_at, i.message_id,
       row_number() OVER (PARTITION BY i.shard, i.practice_id, i.appointment_id, i.rule_id, i.phone,
                                       i.starts_at, i.due_day
                          ORDER BY i.state = 'p', i.plan_version) AS nth
FROM intent i
WHERE i.state IN ('p', 'r')
   OR i.reason = 'e';

-- What excuses the few promises that the two views disagree about, where the settings of a practice
-- changed: asked of those alone. By shard, practice, appointment, rule and its start: whether a text
-- was made of that rule's reminder under earlier settings, on another day, for the same phone.
CREATE FUNCTION became_text(smallint, bigint, text, smallint, timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT
    FROM appointment a
    JOIN intent i
      ON i.shard = a.shard
     AND i.practice_id = a.practice_id
     AND i.appointment_id = a.appointment_id
     AND i.phone = a.phone
    WHERE a.shard = $1
      AND a.practice_id = $2
      AND a.appointment_id = $3
      AND i.rule_id = $4
      AND i.starts_at = $5
      AND (i.state = 'r' OR i.reason = 'e'));

-- By shard, practice, appointment, rule, phone, its start and a due time: whether that was before the
-- settings came that take the reminder away, and it is the only one of its rule. It leaves as soon as it
-- can. So the planner has it too: what is not excused here, it takes back when it plans again.
CREATE FUNCTION was_due(smallint, bigint, text, smallint, bigint, timestamptz, timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT
    FROM appointment a
    WHERE a.shard = $1
      AND a.practice_id = $2
      AND a.appointment_id = $3
      AND a.status = 'b'
      AND a.phone = $5
      AND a.starts_at = $6
      AND a.revised_at >= $7
) AND (
    SELECT count(*) = 1
    FROM intent i
    WHERE i.shard = $1
      AND i.practice_id = $2
      AND i.appointment_id = $3
      AND i.rule_id = $4
      AND i.phone = $5
      AND i.starts_at = $6
      AND i.state IN ('p', 'r'));

-- Where in a round of reconciliation a practice has its turn: the practices evenly over the slots.
CREATE FUNCTION turn_of(practice_id bigint, slots integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8(practice_id)::bigint & 2147483647) % slots;

-- What reconciliation found: promises that are missing, there for nothing, or unfinished, texts of
-- which the provider's list says otherwise, and counts that don't balance, by name. A row stays when all is in order again, with
-- the instant at which that was seen, or when it is too late for that, with the instant at which
-- whoever ran a repair was told. From then on it is kept for as long as a promise is.
CREATE TABLE residual (
    shard          smallint    NOT NULL,
    practice_id    bigint      NOT NULL,
    appointment_id text        NOT NULL COLLATE "C",
        -- empty where only the provider knows of it, of counts and of a practice
    rule_id        smallint    NOT NULL,
        -- 0 where only the provider knows of it, and of a practice
    due_day        date        NOT NULL,               -- the last that there is of a practice
    plan_version   bigint      NOT NULL,
        -- of the surplus or unfinished one; 0 for a missing one and for counts; the text's number
        -- where it is one's
    kind           "char"      NOT NULL CHECK (kind IN ('m', 's', 'u', 'b', 'i')),
        -- missing, surplus, unfinished (its appointment has begun), unbalanced (counts), uncompared
        -- (a practice)
    reason         "char"      NOT NULL
                   CHECK (reason IN ('?', 'r', 'x', 'v', 'c', 't', 'n', 'k', 'p', 'q', 'l', 'e', 'f', 'i')),
        -- unknown; missing: being planned again, suppressed, not on the provider's list; surplus:
        -- cancelled, there twice, no rule gives it, known to the provider alone; unfinished:
        -- planned, queued, its text lost; unbalanced: expected isn't the sum, another fate;
        -- uncompared: the server can't compute with it
    provider_ref   text        NOT NULL DEFAULT '' COLLATE "C",
        -- the provider's name for the text, where its list says otherwise
    starts_at      timestamptz NOT NULL,       -- domain time; of counts the end of their day, in UTC
    due_at         timestamptz NOT NULL,       -- domain time: when it was or is to leave at the earliest
    closes_at      timestamptz NOT NULL,       -- domain time: when it can't leave any more
    found_at       timestamptz NOT NULL,       -- real time
    mended_at      timestamptz,                -- real time
    told_at        timestamptz,                -- real time: told as too late to mend
    late_seconds   integer,                    -- how late its repair planned it, in domain time
    PRIMARY KEY (shard, practice_id, appointment_id, rule_id, due_day, plan_version, kind,
                 provider_ref),
    CHECK ((reason IN ('v', 'k')) = (provider_ref <> ''))
);
CREATE INDEX residual_open ON residual (shard, practice_id)
    WHERE mended_at IS NULL AND told_at IS NULL;
-- Serves pruning: what is closed, the oldest first.
CREATE INDEX residual_closed ON residual (shard, (greatest(mended_at, told_at)));

-- What is out of order: neither mended nor told as too late. Final is what no planning changes and
-- no look at promises finds in order: what became a text for nothing, and what the provider's list
-- says otherwise.
CREATE VIEW open_residual AS
SELECT r.shard, r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version, r.kind,
       r.reason, r.provider_ref, r.starts_at, r.due_at, r.closes_at, r.found_at,
       r.provider_ref <> '' OR r.kind = 's' AND EXISTS (
           SELECT
           FROM intent i
           WHERE i.shard = r.shard
             AND i.practice_id = r.practice_id
             AND i.appointment_id = r.appointment_id
             AND i.rule_id = r.rule_id
             AND i.plan_version = r.plan_version
             AND i.due_day = r.due_day
             AND i.state = 'r') AS is_final,
       r.ctid AS place
FROM residual r
WHERE r.mended_at IS NULL
  AND r.told_at IS NULL;

-- Attaches the missing weekly partitions of a table that cover the days from one up to, not
-- including, another. A week begins on Monday and names its partition.
-- CREATE TABLE … PARTITION OF would lock the parent ACCESS EXCLUSIVE; ATTACH does not.
CREATE FUNCTION attach_weeks(parent text, first_day date, end_day date) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    monday date := date_trunc('week', first_day::timestamp)::date;
    part   text;
    made   integer := 0;
BEGIN
    -- One process at a time; the others find the work done.
    PERFORM pg_advisory_xact_lock(hashtext('attach_weeks'));
    WHILE monday < end_day LOOP
        part := parent || '_' || to_char(monday, 'YYYYMMDD');
        IF to_regclass(part) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, part, monday, monday + 7);
            made := made + 1;
        END IF;
        monday := monday + 7;
    END LOOP;
    RETURN made;
END $$;

-- From which local day on the tables that are cut into weeks are whole: what lies before was
-- dropped on purpose, and audits look at what lies after. Written in the transaction that drops.
CREATE TABLE retention (
    partitioned text PRIMARY KEY COLLATE "C" CHECK (partitioned IN ('intent', 'attempt')),
    from_day    date NOT NULL
);
INSERT INTO retention (partitioned, from_day) VALUES ('intent', '0001-01-01'), ('attempt', '0001-01-01');

-- Drops the oldest week of a table that ends by a day, if there is one and nothing of it is needed:
-- no promise in it waits, no text of it stands in a lane, no count of it is unfolded. Tries go
-- with what came of them. Says whether it did, and by how many days the oldest week left is
-- overdue. The parent is locked for as long as its catalogue changes; where that can't be had at
-- once, it is tried again some seconds later. The names of the partitions say their weeks.
CREATE FUNCTION drop_week(parent text, keep_from date,
                          OUT dropped boolean, OUT overdue_days integer)
LANGUAGE plpgsql SET lock_timeout = '50ms' AS $$
DECLARE
    parents text[] := CASE parent WHEN 'attempt' THEN ARRAY['attempt', 'attempt_outcome']
                                  ELSE ARRAY[parent]
                      END;
    monday  date;
    is_free boolean;
    part    text;
BEGIN
    dropped := false;
    overdue_days := 0;
    -- One process at a time; the others find the work done.
    IF NOT pg_try_advisory_xact_lock(hashtext('drop_week')) THEN
        RETURN;
    END IF;
    FOR monday IN
        SELECT to_date(right(c.relname, 8), 'YYYYMMDD')
        FROM pg_inherits h
        JOIN pg_class c ON c.oid = h.inhrelid
        WHERE h.inhparent = parent::regclass
        ORDER BY 1
        LIMIT 2
    LOOP
        EXIT WHEN monday + 7 > keep_from;
        overdue_days := keep_from - (monday + 7);
        EXIT WHEN dropped;
        SELECT NOT EXISTS (SELECT FROM tally_delta d WHERE d.local_day < monday + 7)
           AND NOT EXISTS (SELECT
                           FROM lane_item t
                           JOIN message m
                             ON m.shard = t.shard
                            AND m.practice_id = t.practice_id
                            AND m.message_id = t.message_id
                           WHERE m.local_day < monday + 7)
        INTO is_free;
        IF is_free AND parent = 'intent' THEN
            EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I WHERE state = ''p'')',
                           parent || '_' || to_char(monday, 'YYYYMMDD'))
            INTO is_free;
        END IF;
        EXIT WHEN NOT is_free;
        FOREACH part IN ARRAY parents LOOP
            EXECUTE format('DROP TABLE IF EXISTS %I', part || '_' || to_char(monday, 'YYYYMMDD'));
        END LOOP;
        UPDATE retention SET from_day = greatest(from_day, monday + 7) WHERE partitioned = parent;
        dropped := true;
        overdue_days := 0;
    END LOOP;
END $$;

-- Gathers statistics on tables that have grown to four times what they were when that was last
-- done, in pages or in rows, and returns how many those were. Autovacuum does it too, within a
-- minute: long enough for plans made without statistics to read whole tables a thousand times.
-- Tables that are large already are left to it. Plans that are kept are made anew after it.
CREATE FUNCTION analyze_grown() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    grown    text;
    analyzed integer := 0;
BEGIN
    -- One process at a time; the others find the work done.
    IF NOT pg_try_advisory_xact_lock(hashtext('analyze_grown')) THEN
        RETURN 0;
    END IF;
    FOR grown IN
        SELECT c.relname
        FROM pg_class c
        CROSS JOIN LATERAL (
            SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint AS pages,
                   pg_stat_get_live_tuples(c.oid) AS n
        ) AS now
        WHERE c.relnamespace = current_schema()::regnamespace
          AND c.relkind = 'r'
          AND now.pages <= 30000
          AND (now.pages >= 8 AND now.pages > 4 * c.relpages
               OR now.n >= 200 AND now.n > 4 * c.reltuples)
    LOOP
        EXECUTE format('ANALYZE %I', grown);
        analyzed := analyzed + 1;
    END LOOP;
    RETURN analyzed;
END $$;
