//! The document's parts, each from the newest look and the one a minute before it.
//!
//! Never here: reading (`sample`), keeping (`history`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::document::{
    Database, Document, Fate, Flow, Holder, Limit, Minute, Path, Pool, Process, Replica, Residual,
    Server, Stage, Statement, Sum,
};
use super::history::History;
use super::kept;
use super::sample::Sample;
use crate::obs;
use crate::obs::histogram::Snapshot;
use crate::obs::slo::Judged;
use crate::readiness::Latch;

/// The slowest statements that are listed.
const STATEMENTS: usize = 10;

/// Stages that a message goes through, in the order in which it does.
const MOVING: [contract::Stage; 6] = [
    contract::Stage::Release,
    contract::Stage::Render,
    contract::Stage::Claim,
    contract::Stage::Deliver,
    contract::Stage::Settle,
    contract::Stage::Receive,
];

pub(super) fn document(history: &History, missing: &[Latch]) -> Document {
    let now = history.newest();
    Document {
        at: since_epoch_ms(now.wall),
        window: history.seconds(),
        process: process(history),
        missing: missing.iter().map(|latch| latch.missing()).collect(),
        journeys: journeys(history),
        endpoints: endpoints(history),
        flow: flow(history),
        fates: fates(history),
        pools: pools(history),
        limits: limits(now),
        database: database(),
        statements: statements(history),
        kept: kept::kept(),
    }
}

fn process(history: &History) -> Process {
    let (now, before) = (history.newest(), history.oldest());
    let cpu = now.cpu.saturating_sub(before.cpu).as_secs_f64();
    Process {
        id: std::process::id(),
        version: obs::process::VERSION,
        profile: obs::process::PROFILE,
        deployed_at: obs::process::deployed_at().map(|seconds| (seconds * 1e3) as u64),
        uptime_seconds: history.uptime().as_secs(),
        resident_bytes: now.resident_bytes,
        processors: ratio(cpu, history.seconds()).unwrap_or(0.0),
    }
}

fn journeys(history: &History) -> Vec<Path> {
    let (now, before) = (history.newest(), history.oldest());
    let path = |(i, &journey): (usize, &contract::Journey)| {
        let spec = journey.spec();
        let ((took, judged), (took_before, judged_before)) =
            (&now.journeys[i], &before.journeys[i]);
        Path {
            name: journey.name(),
            help: journey.help(),
            tier: contract::Tier::Critical.name(),
            threshold_ms: spec.latency_ms,
            objective: spec.objective,
            all: judged.all,
            good: judged.good,
            budget_left: budget_left(*judged, spec.objective),
            minute: minute(&took.since(took_before), *judged, *judged_before),
            line: history.line(|point| point.journeys[i].0),
            bad_line: history.line(|point| point.journeys[i].1),
        }
    };
    contract::Journey::ALL.iter().enumerate().map(path).collect()
}

/// Those that were asked for in the last minute.
fn endpoints(history: &History) -> Vec<Path> {
    let (now, before) = (history.newest(), history.oldest());
    let path = |(i, &endpoint): (usize, &contract::Endpoint)| {
        let spec = endpoint.spec();
        let (is, was) = (&now.endpoints[i], &before.endpoints[i]);
        let mut minute = minute(&is.judged.since(&was.judged), is.latency, was.latency);
        minute.failed = bad(is.availability).saturating_sub(bad(was.availability));
        minute.aborted = is.aborted.saturating_sub(was.aborted);
        Path {
            name: endpoint.name(),
            help: endpoint.help(),
            tier: spec.tier.name(),
            threshold_ms: spec.latency_ms,
            objective: spec.latency_objective,
            all: is.latency.all,
            good: is.latency.good,
            budget_left: budget_left(is.latency, spec.latency_objective),
            minute,
            line: Vec::new(),
            bad_line: Vec::new(),
        }
    };
    let paths = contract::Endpoint::ALL.iter().enumerate().map(path);
    paths.filter(|path| path.minute.all + path.minute.failed + path.minute.aborted > 0).collect()
}

fn minute(took: &Snapshot, now: Judged, before: Judged) -> Minute {
    Minute {
        all: now.all.saturating_sub(before.all),
        good: now.good.saturating_sub(before.good),
        failed: 0,
        aborted: 0,
        p50_ms: took.quantile(0.5).map(ms),
        p99_ms: took.quantile(0.99).map(ms),
    }
}

fn budget_left(judged: Judged, objective: f64) -> Option<f64> {
    let allowed = judged.all as f64 * (1.0 - objective);
    ratio(bad(judged) as f64, allowed).map(|used| 1.0 - used)
}

const fn bad(judged: Judged) -> u64 {
    judged.all.saturating_sub(judged.good)
}

fn flow(history: &History) -> Flow {
    let others = contract::Stage::ALL.iter().filter(|stage| !MOVING.contains(stage));
    Flow {
        due: history.newest().due,
        due_line: history.line(|point| point.due),
        stages: MOVING.iter().chain(others).map(|&row| stage(history, row)).collect(),
        sum: sum(history),
    }
}

fn stage(history: &History, stage: contract::Stage) -> Stage {
    let seen = &history.newest().stages[stage.index()];
    let (is, was) = (&seen.did, history.oldest().stage(stage));
    let (judged, before) = (is.judged, was.judged);
    let items = is.items.saturating_sub(was.items);
    let of = judged.all.saturating_sub(before.all);
    let on_time = judged.good.saturating_sub(before.good);
    let spec = stage.spec();
    Stage {
        name: stage.name(),
        help: stage.help(),
        moves: MOVING.contains(&stage),
        items: is.items,
        per_second: ratio(items as f64, history.seconds()).unwrap_or(0.0),
        failures: is.failures,
        in_flight: is.in_flight,
        held: is.is_held,
        depth: seen.before.map(|(depth, _)| depth),
        oldest_ms: seen.before.and_then(|(_, age)| age).map(|age| ms(age.as_secs_f64())),
        lateness_ms: spec.lateness_ms,
        late_p99_ms: is.lateness.since(&was.lateness).quantile(0.99).map(ms),
        on_time: ratio(on_time as f64, of as f64),
        objective: spec.objective,
        line: if MOVING.contains(&stage) {
            history.line(|point| point.stages[stage.index()])
        } else {
            Vec::new()
        },
    }
}

fn sum(history: &History) -> Sum {
    let now = history.newest();
    let items = |stage| now.stage(stage).items;
    let law = &now.law;
    Sum {
        claimed: items(contract::Stage::Claim),
        looked_up: items(contract::Stage::Resolve),
        settled: items(contract::Stage::Settle),
        in_hand: now.in_hand(),
        at_provider: now.at_provider(),
        unaccounted: history.unaccounted(),
        residuals: contract::ResidualKind::ALL
            .iter()
            .map(|kind| Residual { kind: kind.name(), promises: law.residuals[kind.index()] })
            .collect(),
        reconciled_until: law.reconciled_until.map(since_epoch_ms),
        round_ms: ms(law.round.as_secs_f64()),
        violations: law.audited.map(|(violations, _)| violations),
        audited_at: law.audited.map(|(_, at)| since_epoch_ms(at)),
        ambiguous: law.ambiguous,
        stranded: law.stranded,
        stale: law.stale,
        fold_lag_ms: ms(law.fold_lag.as_secs_f64()),
    }
}

fn fates(history: &History) -> Vec<Fate> {
    let (now, before) = (history.newest(), history.oldest());
    let fate = |(i, &fate): (usize, &contract::Fate)| {
        let lately = now.fates[i].saturating_sub(before.fates[i]) as f64;
        Fate {
            name: fate.name(),
            all: now.fates[i],
            per_minute: ratio(lately * 60.0, history.seconds()).unwrap_or(0.0),
        }
    };
    contract::Fate::ALL.iter().enumerate().map(fate).collect()
}

fn pools(history: &History) -> Vec<Pool> {
    let (now, before) = (history.newest(), history.oldest());
    let pool = |(i, seen): (usize, &super::sample::PoolSeen)| {
        let (is, was) = (&seen.is, before.pools.get(i).map(|pool| &pool.is));
        let waited = was.map_or_else(|| is.wait.clone(), |was| is.wait.since(&was.wait));
        let holder = |&(name, held): &(&'static str, u64)| Holder { name, held };
        Pool {
            name: seen.pool.name(),
            used_by: seen.pool.spec().used_by,
            used: is.used,
            idle: is.idle,
            max: is.max,
            waiting: is.pending,
            timeouts: is.timeouts,
            wait_p99_ms: waited.quantile(0.99).map(ms),
            holders: seen.holders.iter().map(holder).collect(),
            line: history.line(|point| point.pools[seen.pool.index()]),
        }
    };
    now.pools.iter().enumerate().map(pool).collect()
}

/// Less of a bound than this is as good as nothing.
const USED_MIN: f64 = 0.005;

/// Those that are in use or were reached.
fn limits(now: &Sample) -> Vec<Limit> {
    let rows = contract::Limit::ALL.iter().zip(now.limits);
    let is_used = |used: Option<f64>| used.is_some_and(|used| used >= USED_MIN);
    let told = rows.filter(|(_, (used, reached))| is_used(*used) || *reached > 0);
    told.map(|(limit, (used, reached))| Limit {
        name: limit.name(),
        help: limit.help(),
        used,
        reached,
        forgets: limit.spec().forgets,
    })
    .collect()
}

fn database() -> Option<Database> {
    let (observed, replicas) = obs::database::read()?;
    Some(Database {
        size_bytes: observed.size_bytes,
        oldest_transaction_ms: ms(observed.oldest_transaction_seconds),
        blocked_sessions: observed.blocked_sessions,
        replicas: replicas
            .into_iter()
            .map(|replica| Replica {
                name: replica.name.as_str().to_owned(),
                lag_bytes: replica.lag_bytes,
                lag_ms: ms(replica.lag_seconds),
            })
            .collect(),
        servers: obs::route::servers().into_iter().map(server).collect(),
    })
}

fn server((name, now): (String, obs::route::Server)) -> Server {
    let in_ms = |time: Option<Duration>| time.map(|time| ms(time.as_secs_f64()));
    Server {
        name,
        part: match (now.leads, now.is_readable) {
            (true, _) => "leads",
            (false, true) => "read",
            (false, false) => "not_read",
        },
        staleness_ms: in_ms(now.staleness),
        seen_ms: in_ms(now.look_age),
        is_left_alone: now.breaker_open > 0.0,
    }
}

/// Those that took the most time in the last minute, the slowest first.
fn statements(history: &History) -> Vec<Statement> {
    let (now, before) = (history.newest(), history.oldest());
    let mut lately: Vec<(contract::Query, Snapshot, u64)> = contract::Query::ALL
        .iter()
        .enumerate()
        .map(|(i, &query)| {
            let (took, errors) = &now.statements[i];
            (query, took.since(&before.statements[i].0), *errors)
        })
        .filter(|(_, took, _)| took.count() > 0)
        .collect();
    let all: f64 = lately.iter().map(|(_, took, _)| took.sum).sum();
    lately.sort_by(|(_, a, _), (_, b, _)| b.sum.total_cmp(&a.sum));
    lately.truncate(STATEMENTS);
    let statement = |(query, took, errors): (contract::Query, Snapshot, u64)| {
        let calls = took.count() as f64;
        Statement {
            name: query.name(),
            file: query.spec().file,
            func: query.spec().func,
            per_second: ratio(calls, history.seconds()).unwrap_or(0.0),
            mean_ms: ms(took.sum / calls),
            p99_ms: took.quantile(0.99).map(ms),
            share: ratio(took.sum, all).unwrap_or(0.0),
            errors,
        }
    };
    lately.into_iter().map(statement).collect()
}

/// Nothing where there is nothing to divide by.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// To the microsecond, as people read them.
pub(super) fn ms(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

pub(super) fn since_epoch_ms(at: SystemTime) -> u64 {
    let since: Duration = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
