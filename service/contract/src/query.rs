//! Every statement that the service runs: its name is its file under `service/sql/queries`, its
//! metric label and its `-- name:` header. The row says who runs it on which pools, how fresh its
//! data must be and how many rows to expect.
//!
//! Never here: SQL. Never there: a statement without a row.

mod pools;

use crate::consistency::Consistency;
use crate::pool::Pool;
use crate::table::is_snake_case;

/// How many rows a statement returns or touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// None or one.
    One,
    /// At most the batch that it was given.
    Batch,
    /// A page with a stated limit.
    Page,
    /// As many as there are: audits and the like, never on a hot path.
    Many,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// How fresh its data must be.
    pub consistency: Consistency,
    /// How many rows to expect.
    pub rows: Rows,
    /// Limited to one shard by `shard = $n`.
    pub sharded: bool,
    /// On which pools; those of replicas that may answer it as well come from its consistency.
    pub pools: &'static [Pool],
    /// The source file that runs it.
    pub file: &'static str,
    /// The function that runs it.
    pub func: &'static str,
}

/// Hands every row of the query table to the macro named: the one list, for the enum here and for
/// the statement texts in the service.
#[macro_export]
macro_rules! for_each_query {
    ($with:ident) => {
        $with! {
            // Floors and clocks.
            "The floors of a shard, locked so that they can't rise before commit."
            ShardFloors = shard_floors: Strong, One, true, [Interactive, Pipeline, Upkeep], "service/src/db/floors.rs", "lock";
            "The domain clock."
            ClockRead = clock_read: Strong, One, false, [Upkeep], "service/src/clock.rs", "read";
            "Sets the domain clock."
            ClockWrite = clock_write: Strong, One, false, [Upkeep], "service/src/endpoints/put_clock.rs", "handle";
            "Lowers the floors to a clock that was put back."
            ShardFloorsLower = shard_floors_lower: Strong, Many, false, [Upkeep], "service/src/endpoints/put_clock.rs", "handle";
            "The shard count that is fixed, and when the build of now was put in place."
            DeploymentRead = deployment_read: Strong, One, false, [Upkeep], "service/src/db/deployment.rs", "read";
            "Fixes the shard count, which the first one does, and notes a deploy."
            DeploymentInsert = deployment_insert: Strong, One, false, [Upkeep], "service/src/db/deployment.rs", "fix";
            "Makes the rows of the shards that are missing."
            ShardInsert = shard_insert: Strong, Many, false, [Upkeep], "service/src/db/deployment.rs", "fix";
            "Makes the rows of the maintainers that are missing."
            MaintainerInsert = maintainer_insert: Strong, Many, false, [Upkeep], "service/src/db/deployment.rs", "fix";
            "Attaches the weekly partitions that are missing."
            WeeksAttach = weeks_attach: Strong, One, false, [Pipeline, Upkeep], "service/src/db/weeks.rs", "attach";
            "Drops the oldest weekly partition that ends before a day, if nothing of it is needed."
            WeeksDrop = weeks_drop: Strong, One, false, [Upkeep], "service/src/db/weeks.rs", "drop_old";
            "How much stands before each stage of a shard, and since when."
            ObserveShard = observe_shard: Strong, One, true, [Upkeep], "service/src/stages/observe.rs", "depth";
            "Promises that fall due in a stretch of domain time."
            ObserveDue = observe_due: Strong, One, true, [Upkeep], "service/src/stages/observe.rs", "count_due";
            "The database as its server sees it."
            ObserveDatabase = observe_database: Strong, One, false, [Upkeep], "service/src/stages/observe.rs", "database";
            "The replicas that receive the log, and how far each is behind."
            ObserveReplicas = observe_replicas: Strong, Many, false, [Upkeep], "service/src/stages/observe.rs", "database";
            "Whether the database answers and can be written to."
            ReadinessProbe = readiness_probe: Strong, One, false, [Upkeep], "service/src/endpoints/read_readiness.rs", "probe";

            // Servers.
            "What a server says of itself: its role, its history, how far it has come."
            ServerLook = server_look: OfServer, One, false, [Upkeep], "service/src/db/router/monitor.rs", "look";
            "The newest heartbeat that can be read on a server."
            ServerHeartbeat = server_heartbeat: OfServer, One, false, [Upkeep], "service/src/db/router/monitor.rs", "look";
            "The primary's heartbeat, unless another process has just given it."
            ServerBeat = server_beat: Strong, One, false, [Upkeep], "service/src/db/router/monitor.rs", "beat";
            "Whether the replica that a connection leads to is one, and how far it has come."
            ServerCheck = server_check: OfServer, One, false, [Interactive, Reporting, ReplicaInteractive, ReplicaReporting], "service/src/db/router/reader.rs", "has_it";
            "Statements that replay has cancelled on a replica since its statistics were reset."
            ServerConflicts = server_conflicts: OfServer, Many, false, [Upkeep], "service/src/db/router/monitor.rs", "conflicts";

            // Practices and keys.
            "A practice with its newest settings and rules, one row a rule."
            PracticeRead = practice_read: Strong, Batch, true, [Interactive, Pipeline, Upkeep], "service/src/practice/store.rs", "read";
            "Which revision each of some practices has now."
            PracticeRevisions = practice_revisions: Strong, Batch, true, [Interactive, Pipeline, Upkeep], "service/src/practice/cache.rs", "refresh";
            "The settings and rules of one revision, one row a rule."
            PracticeRevisionRead = practice_revision_read: Strong, Batch, true, [Interactive, Pipeline, Upkeep], "service/src/practice/store.rs", "read_revision";
            "Locks a practice against another change."
            PracticeLock = practice_lock: Strong, One, true, [Interactive], "service/src/practice/store.rs", "put";
            "Makes or changes a practice."
            PracticeUpsert = practice_upsert: Strong, One, true, [Interactive], "service/src/practice/store.rs", "put";
            "Opens a revision of a practice's settings."
            PracticeRevisionInsert = practice_revision_insert: Strong, One, true, [Interactive], "service/src/practice/store.rs", "insert_revision";
            "The rules of a revision."
            RuleInsert = rule_insert: Strong, Batch, true, [Interactive], "service/src/practice/store.rs", "insert_rules";
            "Gives a sender number to a practice, unless another one sends from it."
            SenderUpsert = sender_upsert: Strong, One, false, [Interactive], "service/src/practice/store.rs", "put";
            "Marks the sender number that a practice no longer sends from: another may take it."
            SenderLeave = sender_leave: Strong, Many, false, [Interactive], "service/src/practice/store.rs", "put";
            "Which practice sends from a number, or did last."
            SenderRead = sender_read: Strong, One, false, [Interactive], "service/src/practice/senders.rs", "find";
            "Stores the hash of a new API key."
            ApiKeyInsert = api_key_insert: Strong, One, true, [Interactive], "service/src/endpoints/create_api_key.rs", "handle";
            "The hash of an API key that is not revoked."
            ApiKeyRead = api_key_read: Strong, One, true, [Interactive], "service/src/http/auth.rs", "check_practice_key";
            "Ends an API key."
            ApiKeyRevoke = api_key_revoke: Strong, One, true, [Interactive], "service/src/endpoints/revoke_api_key.rs", "handle";

            // Appointments and what they promise.
            "Locks the appointments of a batch in key order and returns what is known of them."
            AppointmentLock = appointment_lock: Strong, Batch, true, [Interactive], "service/src/ingest/write.rs", "write_batch";
            "Stores the newest versions of a batch of appointments."
            AppointmentUpsert = appointment_upsert: Strong, Batch, true, [Interactive], "service/src/ingest/rows.rs", "upsert_appointments";
            "Locks the intents of a batch of appointments in key order."
            IntentLock = intent_lock: Strong, Batch, true, [Interactive], "service/src/ingest/read.rs", "lock_intents";
            "Locks the lanes of released messages and says which can still be stopped."
            LaneLockForMessages = lane_lock_for_messages: Strong, Batch, true, [Interactive], "service/src/ingest/read.rs", "stoppable";
            "The state of released messages, read after their lanes are locked."
            MessageStateRead = message_state_read: Strong, Batch, true, [Interactive], "service/src/ingest/read.rs", "stoppable";
            "Removes planned intents that moved."
            IntentDelete = intent_delete: Strong, Batch, true, [Interactive], "service/src/ingest/rows.rs", "remove_intents";
            "Ends promises: stopped in time, or lost with their text."
            IntentSuppress = intent_suppress: Strong, Batch, true, [Interactive, Pipeline, Upkeep], "service/src/db/intents.rs", "suppress";
            "Makes intents, none of them due below the floor."
            IntentInsert = intent_insert: Strong, Batch, true, [Interactive], "service/src/ingest/rows.rs", "insert_intents";
            "Appointments with a reminder that has come inside the horizon."
            AppointmentUnplanned = appointment_unplanned: Strong, Batch, true, [Upkeep], "service/src/stages/extend.rs", "run_shard";
            "A practice whose appointments are to be planned again."
            PracticeReplanning = practice_replanning: Strong, One, true, [Upkeep], "service/src/stages/replan.rs", "run_shard";
            "A page of a practice's appointments, with those planned under an older revision."
            AppointmentReplanPage = appointment_replan_page: Strong, Batch, true, [Upkeep], "service/src/stages/replan.rs", "run_shard";
            "How far a practice is planned again."
            PracticeReplanned = practice_replanned: Strong, One, true, [Upkeep], "service/src/stages/replan.rs", "run_shard";
            "Appends changes of the counts."
            TallyDeltaInsert = tally_delta_insert: Strong, Batch, true, [Interactive, Pipeline, Upkeep], "service/src/db/tally.rs", "append";
            "An appointment as it is known."
            AppointmentRead = appointment_read: ReadYourWrites, One, true, [Interactive], "service/src/endpoints/read_appointment.rs", "read";
            "The intents of an appointment with the messages they became."
            AppointmentMessages = appointment_messages: ReadYourWrites, Batch, true, [Interactive], "service/src/endpoints/read_appointment.rs", "read";
            "A page of a practice's messages."
            MessagePage = message_page: ReadYourWrites, Page, true, [Interactive], "service/src/endpoints/list_messages.rs", "handle";
            "A page of a practice's messages of one local day."
            MessagePageOfDay = message_page_of_day: ReadYourWrites, Page, true, [Interactive], "service/src/endpoints/list_messages.rs", "handle";
            "Up to when what a report reads is complete."
            ReportAsOf = report_as_of: BoundedStaleness(30), One, false, [Reporting], "service/src/endpoints/report.rs", "as_of";
            "How many promises reports are to say are out of order, by kind."
            ResidualOpen = residual_open: BoundedStaleness(30), Batch, true, [Reporting], "service/src/endpoints/report.rs", "standing";
            "The counts of a practice's day, folded and not yet folded, and what still waits by its promises."
            DailyCounts = daily_counts: BoundedStaleness(30), Batch, true, [Reporting], "service/src/endpoints/read_daily_counts.rs", "handle";
            "A page of what a practice's texts of one local day told whom, and what came of it."
            JobReportPage = job_report_page: BoundedStaleness(30), Page, true, [Reporting], "service/src/endpoints/read_job_report.rs", "page";
            "How late a practice's texts of some days were handed over, by rule and local hour."
            DeliveryByHour = delivery_by_hour: BoundedStaleness(30), Many, true, [Reporting], "service/src/endpoints/read_delivery.rs", "handle";
            "The counts of a practice by day."
            TrendByDay = trend_by_day: BoundedStaleness(30), Many, true, [Reporting], "service/src/endpoints/read_trend.rs", "handle";
            "The counts of a shard's practices by day."
            FleetByDay = fleet_by_day: BoundedStaleness(30), Many, true, [Reporting], "service/src/endpoints/read_fleet.rs", "handle";

            // Reconciliation.
            "The practices whose turn it is."
            ReconcilePractices = reconcile_practices: BoundedStaleness(30), Page, true, [Reporting], "service/src/reconcile/visit.rs", "practices";
            "What is promised to a part of the practices against what is planned, by name."
            ReconcilePromises = reconcile_promises: BoundedStaleness(30), Page, true, [Reporting], "service/src/reconcile/visit.rs", "visit";
            "The counts of a part of the practices against a recount of their promises, by day and rule."
            ReconcileCounts = reconcile_counts: BoundedStaleness(30), Page, true, [Reporting, Upkeep], "service/src/reconcile/balance.rs", "look";
            "Tries that were accepted, or whose answer is lost, to be compared with the provider's list."
            ReconcileSent = reconcile_sent: BoundedStaleness(30), Many, true, [Reporting], "service/src/reconcile/accepted/tries.rs", "read";
            "The promises of texts that the provider doesn't list."
            ReconcileUnlisted = reconcile_unlisted: BoundedStaleness(30), Page, true, [Reporting], "service/src/reconcile/accepted/noted.rs", "unlisted";
            "How many promises of a shard are out of order, by kind."
            ResidualCounts = residual_counts: Strong, Batch, true, [Upkeep], "service/src/reconcile/ledger.rs", "counts";
            "Promises that are in order again."
            ResidualMend = residual_mend: Strong, Many, true, [Upkeep], "service/src/reconcile/ledger.rs", "record";
            "Until when the provider's list was compared."
            DeploymentCompared = deployment_compared: Strong, One, false, [Upkeep], "service/src/reconcile/accepted/noted.rs", "until";
            "Texts of which the provider's list says the same as we do again."
            ResidualAgreed = residual_agreed: Strong, Page, true, [Upkeep], "service/src/reconcile/ledger.rs", "differ";
            "Promises that were found out of order."
            ResidualInsert = residual_insert: Strong, Page, true, [Upkeep], "service/src/reconcile/ledger.rs", "insert";
            "Promises out of order that nothing mends any more."
            ResidualPassed = residual_passed: Strong, Page, true, [Upkeep], "service/src/reconcile/ledger.rs", "passed";
            "Promises out of order that somebody was told of as too late to mend."
            ResidualTell = residual_tell: Strong, Page, true, [Upkeep], "service/src/reconcile/ledger.rs", "tell";
            "How late the repair of a promise came."
            ResidualLate = residual_late: Strong, Page, true, [Upkeep], "service/src/reconcile/ledger.rs", "late";
            "Promises that a repair planned late."
            ResidualWereLate = residual_were_late: Strong, Page, true, [Upkeep], "service/src/reconcile/ledger.rs", "were_late";
            "Removes what was closed so long ago that it is no longer kept."
            ResidualPrune = residual_prune: Strong, Batch, true, [Upkeep], "service/src/reconcile/ledger.rs", "prune";
            "Promises that are out of order, by name."
            ResidualPage = residual_page: BoundedStaleness(30), Page, true, [Reporting], "service/src/endpoints/read_residuals.rs", "handle";

            // Audits and counts for operators, on the primary: up to this instant.
            "How much work stands before each stage of a shard."
            BacklogRead = backlog_read: Strong, One, true, [Reporting], "service/src/endpoints/read_backlog.rs", "read";
            "Promises derived from appointments and rules against the intents that are there."
            AuditExpected = audit_expected: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "Every promise has exactly one fate, and every text that it became is there."
            AuditConservation = audit_conservation: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "The counts against a recount."
            AuditTally = audit_tally: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "The members of every text against the promises that became it."
            AuditMembers = audit_members: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "Every text that left has its attempt, and at most one was accepted."
            AuditAttempts = audit_attempts: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "Per recipient, a text's first attempt comes after the one before is settled."
            AuditOrder = audit_order: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "What was stopped in time is in no text that left."
            AuditCancelled = audit_cancelled: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "No appointment is told twice under one rule for one start."
            AuditGroups = audit_groups: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "Texts that tell of several appointments tell of one group, and generations follow each other."
            AuditFamilies = audit_families: Strong, One, true, [Reporting], "service/src/audit.rs", "run";
            "Statements that a server remembers of us, and those whose name is no row's."
            AuditStatements = audit_statements: OfServer, One, false, [Reporting, ReplicaReporting], "service/src/audit.rs", "statements";

            // The review of the database, for operators.
            "What the service's role may see of its server."
            ReviewServer = review_server: Strong, One, false, [Reporting], "service/src/review/server.rs", "rights";
            "What the server counted of statements, by name."
            ReviewStatements = review_statements: Strong, Page, false, [Reporting], "service/src/review/server.rs", "statements";
            "Indexes that no scan has used."
            ReviewUnusedIndexes = review_unused_indexes: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "Indexes that another one makes superfluous."
            ReviewDuplicateIndexes = review_duplicate_indexes: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "Indexes that every write keeps up and no scan may use."
            ReviewInvalidIndexes = review_invalid_indexes: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "Statements that run for long."
            ReviewLongRunning = review_long_running: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "Statements that wait for a lock, and for whom."
            ReviewBlocked = review_blocked: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "Sessions that hold a transaction open and do nothing."
            ReviewIdleInTransaction = review_idle_in_transaction: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "Tables with many dead rows."
            ReviewDeadRows = review_dead_rows: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "How old the oldest transaction ids and multixacts are that tables still hold."
            ReviewTransactionIds = review_transaction_ids: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";
            "How much of each sequence is used up."
            ReviewSequences = review_sequences: Strong, Page, false, [Reporting, Upkeep], "service/src/review/checks.rs", "run";
            "How much is used up of the numbers that the service counts up itself."
            ReviewIdSpaces = review_id_spaces: Strong, Many, false, [Reporting, Upkeep], "service/src/review/checks.rs", "run";
            "Replication slots, and how much log each keeps from being removed."
            ReviewSlots = review_slots: Strong, Page, false, [Reporting], "service/src/review/checks.rs", "run";

            // Receipts and replies.
            "Stores replies, once each."
            ReplyInsert = reply_insert: Strong, Batch, true, [Interactive], "service/src/receipts/write.rs", "write_replies";
            "Records a batch's receipts that say more than is known, and shows its replies at their texts."
            NewsApply = news_apply: Strong, Batch, true, [Interactive], "service/src/receipts/write.rs", "apply";
            "Records opt-outs and opt-ins."
            ConsentUpsert = consent_upsert: Strong, Batch, true, [Interactive, Pipeline], "service/src/receipts/write.rs", "write_consent";

            // One runner a shard.
            "The right to be a shard's only runner of a stage, until the transaction ends."
            MaintainerLock = maintainer_lock: Strong, One, true, [Pipeline, Upkeep], "service/src/stages/maintainer.rs", "lock";
            "Notes when a shard's runner of a stage ran."
            MaintainerRan = maintainer_ran: Strong, One, true, [Pipeline, Upkeep], "service/src/stages/maintainer.rs", "ran";

            // Release.
            "Planned intents that are due, locked, with the appointments behind them."
            ReleaseDue = release_due: Strong, Batch, true, [Pipeline], "service/src/stages/release/write.rs", "release_batch";
            "When the next planned intent is due."
            ReleaseNext = release_next: Strong, One, true, [Pipeline], "service/src/stages/release/write.rs", "release_batch";
            "Makes or locks the lanes of a batch's recipients."
            LaneEnter = lane_enter: Strong, Batch, true, [Pipeline], "service/src/stages/release/write.rs", "enter";
            "Stores the texts of a batch, one for each group and generation."
            MessageInsert = message_insert: Strong, Batch, true, [Pipeline], "service/src/stages/release/write.rs", "insert";
            "The newest text of groups that have one, and whether it can take in more."
            MessageNewest = message_newest: Strong, Batch, true, [Pipeline], "service/src/stages/release/join.rs", "join";
            "Puts texts at the end of their recipients' lanes."
            LaneItemInsert = lane_item_insert: Strong, Batch, true, [Pipeline], "service/src/stages/release/write.rs", "queue";
            "Marks intents as released into their texts."
            IntentRelease = intent_release: Strong, Batch, true, [Pipeline], "service/src/stages/release/write.rs", "queue";

            // Texts that gain or lose an appointment.
            "What a text says of its appointments."
            MemberRead = member_read: Strong, Batch, true, [Pipeline], "service/src/stages/render.rs", "members";
            "Gives queued texts other members and the words for them."
            MessageRewrite = message_rewrite: Strong, Batch, true, [Pipeline], "service/src/stages/render.rs", "rewrite";
            "Changes until when queued texts are worth sending."
            LaneItemRewrite = lane_item_rewrite: Strong, Batch, true, [Pipeline], "service/src/stages/render.rs", "rewrite";

            // Claim.
            "When the next lane is ready."
            LaneNext = lane_next: Strong, One, true, [Pipeline], "service/src/stages/claim.rs", "next_ready";
            "Leases ready lanes."
            ClaimLanes = claim_lanes: Strong, Batch, true, [Pipeline], "service/src/stages/claim/take.rs", "lease";
            "The heads of leased lanes and their appointments as they are now."
            ClaimHeads = claim_heads: Strong, Batch, true, [Pipeline], "service/src/stages/claim/take.rs", "read_heads";
            "Which promises of texts still hold."
            ClaimIntents = claim_intents: Strong, Batch, true, [Pipeline], "service/src/stages/claim/take.rs", "ask_intents";
            "Records tries before they begin."
            AttemptInsert = attempt_insert: Strong, Batch, true, [Pipeline], "service/src/stages/claim/take.rs", "record_attempts";

            // Settle.
            "Locks promises that texts have lost and nobody has ended."
            IntentDropLock = intent_drop_lock: Strong, Batch, true, [Pipeline], "service/src/stages/settle/drops.rs", "lock";
            "Which completions still hold; locks their lanes."
            SettleLock = settle_lock: Strong, Batch, true, [Pipeline], "service/src/stages/settle/write.rs", "lock";
            "Takes ended texts out of their lanes, which then go or are ready for the next."
            SettleLanes = settle_lanes: Strong, Batch, true, [Pipeline], "service/src/stages/settle/write.rs", "end_lanes";
            "Gives lanes back whose head has not ended."
            LaneReset = lane_reset: Strong, Batch, true, [Pipeline], "service/src/stages/settle/write.rs", "reset_lanes";
            "Counts the tries of texts that have not ended."
            LaneItemTried = lane_item_tried: Strong, Batch, true, [Pipeline], "service/src/stages/settle/write.rs", "reset_lanes";
            "Records what became of texts."
            MessageSettle = message_settle: Strong, Batch, true, [Pipeline], "service/src/stages/settle/write.rs", "write_messages";
            "Records what came of tries."
            AttemptOutcomeInsert = attempt_outcome_insert: Strong, Batch, true, [Pipeline], "service/src/stages/settle/write.rs", "write_outcomes";

            // Recover and resolve.
            "When the next lease runs out."
            RecoverNext = recover_next: Strong, One, true, [Pipeline], "service/src/stages/recover.rs", "run_shard";
            "Leases that ran out, locked."
            RecoverLanes = recover_lanes: Strong, Batch, true, [Pipeline], "service/src/stages/recover.rs", "recover_batch";
            "The heads of lanes whose lease ran out, and whether their try was begun."
            RecoverHeads = recover_heads: Strong, Batch, true, [Pipeline], "service/src/stages/recover.rs", "recover_batch";
            "How many deliveries are unresolved, and when the next one is looked up."
            ResolveNext = resolve_next: Strong, One, true, [Pipeline], "service/src/stages/resolve.rs", "run_shard";
            "Takes unresolved lanes whose look-up is due."
            ResolveLanes = resolve_lanes: Strong, Batch, true, [Pipeline], "service/src/stages/resolve.rs", "take";
            "What is known of deliveries whose answer was lost."
            ResolveHeads = resolve_heads: Strong, Batch, true, [Pipeline], "service/src/stages/resolve.rs", "take";
            "Which of the provider's references belong to other texts."
            ResolveTaken = resolve_taken: Strong, Batch, true, [Pipeline], "service/src/stages/resolve.rs", "not_taken";

            // Upkeep.
            "Bounds how long the maintainer of the floors waits for its lock."
            FloorPatience = floor_patience: Strong, One, false, [Upkeep], "service/src/stages/floor.rs", "raise";
            "Locks a shard's floors against all who stand on them."
            FloorLock = floor_lock: Strong, One, true, [Upkeep], "service/src/stages/floor.rs", "raise";
            "Raises a shard's floors."
            FloorRaise = floor_raise: Strong, One, true, [Upkeep], "service/src/stages/floor.rs", "raise";
            "Gathers statistics on tables that have grown."
            AnalyzeGrown = analyze_grown: Strong, One, false, [Upkeep], "service/src/stages/floor.rs", "run_shard";
            "Counts ready lanes below the floor."
            SweepLanes = sweep_lanes: Strong, One, true, [Upkeep], "service/src/stages/sweep.rs", "run_shard";
            "Counts planned intents below the floor."
            SweepIntents = sweep_intents: Strong, One, true, [Upkeep], "service/src/stages/sweep.rs", "run_shard";
            "How far the next fold goes."
            FoldEdge = fold_edge: Strong, One, true, [Upkeep], "service/src/stages/fold.rs", "run_shard";
            "Adds deltas to the sums."
            FoldSums = fold_sums: Strong, Batch, true, [Upkeep], "service/src/stages/fold.rs", "run_shard";
            "Removes the deltas that were added."
            FoldDelete = fold_delete: Strong, Batch, true, [Upkeep], "service/src/stages/fold.rs", "run_shard";

            // Wake.
            "Listens for other processes' notifications."
            WakeListen = wake_listen: Strong, One, false, [Upkeep], "service/src/wake.rs", "exchange";
            "Notifies other processes of shards that have work."
            WakeNotify = wake_notify: Strong, Many, false, [Upkeep], "service/src/wake.rs", "exchange";
        }
    };
}

macro_rules! query_table {
    ($($help:literal $Variant:ident = $name:ident: $consistency:ident $(($seconds:literal))?, $rows:ident, $sharded:literal, [$($Pool:ident),+], $file:literal, $func:literal;)+) => {
        crate::table::table! {
            /// A statement that the service runs.
            pub enum Query: Spec;
            $(
                #[doc = $help]
                $Variant = $name {
                    consistency: Consistency::$consistency $(($seconds))?,
                    rows: Rows::$rows,
                    sharded: $sharded,
                    pools: &[$(Pool::$Pool),+],
                    file: $file,
                    func: $func,
                }
            )+
        }
    };
}

for_each_query!(query_table);

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Query::COUNT {
        assert!(is_snake_case(Query::ALL[i].name()), "a query's name is snake_case");
        i += 1;
    }
};

#[cfg(test)]
mod tests;
