//! Which sizes and which numbers of tasks the sweep of pools tries: from below the size that
//! Little's law gives to well above, each with few workers a connection and with many.
//!
//! Pure. Never here: trying them (`pools`), or what came of it (`judge`).

use contract::{Limit, Pool, Stage};

use crate::capacity::search::shuffle;

/// The pools that are swept: those of which requests and texts wait for a connection.
pub(crate) const SWEPT: [Pool; 2] = [Pool::Interactive, Pool::Pipeline];
/// Sizes, as shares of the one by Little's law.
const SIZES: [f64; 3] = [0.5, 1.0, 2.0];
/// Workers for each connection, as nearly as whole tasks make them.
const WORKERS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// Most tasks of a stage: each needs a shard of its own, and on more shards a small machine's
/// batches would be so much smaller that another load would be measured.
const TASKS_MAX: u32 = 8;
/// Most connections of a pool: the servers of a stack take a hundred by default.
const CONNECTIONS_MAX: u32 = 64;

/// A pool's connections, and the tasks of each stage that works with them and whose tasks can be
/// set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Laid {
    pub(crate) connections: u32,
    pub(crate) tasks: u32,
}

/// What a step sets, by pool in the order of [`SWEPT`].
pub(crate) type Setting = [Laid; SWEPT.len()];

/// Everything that is tried besides what is set by default, in a shuffled order, so that nothing
/// that drifts meanwhile looks like a size's doing.
pub(crate) fn settings(by_law: [u32; SWEPT.len()], seed: u64, most: Option<u32>) -> Vec<Setting> {
    let mut all: Vec<Setting> = Vec::new();
    for (share, ratio) in SIZES.iter().flat_map(|share| WORKERS.map(|ratio| (*share, ratio))) {
        let of = |i: usize| {
            let connections = (f64::from(by_law[i]) * share).round() as u32;
            let connections = connections.clamp(1, CONNECTIONS_MAX);
            Laid { connections, tasks: tasks(SWEPT[i], connections, ratio) }
        };
        let setting = std::array::from_fn(of);
        // Of small pools several shares and ratios are the same whole numbers.
        if !all.contains(&setting) {
            all.push(setting);
        }
    }
    shuffle(&mut all, seed);
    all.truncate(most.map_or(usize::MAX, |most| most as usize));
    all
}

/// Tasks of each stage, so that all workers of a pool are as many times its connections as can be.
fn tasks(pool: Pool, connections: u32, ratio: f64) -> u32 {
    let (settable, fixed) = stages(pool);
    let wanted = f64::from(connections) * ratio - f64::from(fixed);
    let each = (wanted / f64::from(settable.max(1))).round();
    (each.max(1.0) as u32).min(TASKS_MAX)
}

/// Stages of a pool whose tasks can be set, and tasks of those whose can't.
fn stages(pool: Pool) -> (u32, u32) {
    Stage::of_pool(pool).fold((0, 0), |(settable, fixed), stage| {
        if stage.has_tasks() {
            (settable + 1, fixed)
        } else {
            (settable, fixed + stage.spec().tasks)
        }
    })
}

/// Workers of a pool: tasks that hold a connection of it each, where each stage has so many.
pub(crate) fn workers(pool: Pool, tasks: u32) -> u32 {
    let (settable, fixed) = stages(pool);
    settable * tasks + fixed
}

/// Workers of a pool as the stages' rows have them.
pub(crate) fn workers_by_default(pool: Pool) -> u32 {
    Stage::of_pool(pool).map(|stage| stage.spec().tasks).sum()
}

/// Shards that each task of a stage finds one of: a shard is worked on by one at a time.
pub(crate) const fn shards(at_least: u16) -> u16 {
    if at_least as u32 > TASKS_MAX { at_least } else { TASKS_MAX as u16 }
}

/// The settings of the service that make it so.
pub(crate) fn environment(setting: &Setting) -> Vec<(String, String)> {
    let swept = || SWEPT.iter().zip(setting);
    let sizes = swept().map(|(pool, laid)| format!("{}={}", pool.name(), laid.connections));
    let tasks = swept().flat_map(|(pool, laid)| {
        let settable = Stage::of_pool(*pool).filter(|stage| stage.has_tasks());
        settable.map(|stage| format!("{}={}", stage.name(), laid.tasks))
    });
    // The others keep what they have by default, where a share is a connection.
    let others = Pool::ALL.iter().filter(|pool| !SWEPT.contains(pool));
    let others = others.filter(|pool| pool.spec().side == SWEPT[0].spec().side);
    let others: u32 = others.map(|pool| pool.spec().share).sum();
    let connections: u32 = setting.iter().map(|laid| laid.connections).sum();
    let named = |name: &str, value| (format!("PUNCTUAL_{name}"), value);
    // No more places for reads that fall back than connections: the service refuses them.
    let places = u64::from(setting[0].connections).min(Limit::FallbackReads.spec().default);
    vec![
        named("LIMIT_FALLBACK_READS", places.to_string()),
        named("DATABASE_CONNECTIONS", (connections + others).to_string()),
        named("DATABASE_POOL_SIZES", sizes.collect::<Vec<_>>().join(",")),
        named("STAGE_TASKS", tasks.collect::<Vec<_>>().join(",")),
    ]
}

/// Connections that the servers must take: of the largest setting, of so many processes, and as
/// many again as they take by default.
pub(crate) fn connections_max(by_law: [u32; SWEPT.len()], processes: u16) -> u32 {
    let largest = SIZES[SIZES.len() - 1];
    let of = |size: u32| ((f64::from(size) * largest).round() as u32).min(CONNECTIONS_MAX);
    100 + by_law.map(of).iter().sum::<u32>() * u32::from(processes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_lie_on_both_sides_of_the_law_and_workers_on_both_sides_of_the_connections() {
        let all = settings([4, 6], 1, None);
        // With half a worker a connection and with one, the smallest has a task a stage.
        assert_eq!(all.len(), 11);
        for (i, pool) in SWEPT.into_iter().enumerate() {
            let mut sizes: Vec<u32> = all.iter().map(|setting| setting[i].connections).collect();
            sizes.sort_unstable();
            sizes.dedup();
            assert_eq!(sizes, [[2, 4, 8], [3, 6, 12]][i]);
            let ratios = all.iter().map(|setting| {
                let Laid { connections, tasks } = setting[i];
                f64::from(workers(pool, tasks)) / f64::from(connections)
            });
            let ratios: Vec<f64> = ratios.collect();
            let [least, most] = [f64::min, f64::max].map(|of| ratios.iter().copied().fold(1.0, of));
            assert!(least < 1.0 && most >= 3.0, "{}: {ratios:?}", pool.name());
        }
        let rises = all.windows(2).all(|two| two[0][0].connections <= two[1][0].connections);
        assert!(!rises, "shuffled: {all:?}");
        assert_eq!(settings([4, 6], 1, None), all, "the same seed, the same order");
        assert_eq!(settings([4, 6], 1, Some(2)), all[..2]);
    }

    #[test]
    fn small_pools_are_tried_once_and_large_ones_within_bounds() {
        let all = settings([1, 1], 1, None);
        assert!(all.len() < 12 && all.iter().flatten().all(|laid| laid.connections <= 2));
        assert!(all.iter().enumerate().all(|(i, setting)| !all[..i].contains(setting)));
        let all = settings([1_000, 1_000], 1, None);
        assert!(all.iter().flatten().all(|laid| laid.connections <= CONNECTIONS_MAX));
        assert!(all.iter().flatten().all(|laid| (1..=TASKS_MAX).contains(&laid.tasks)));
    }

    #[test]
    fn a_setting_is_told_in_the_services_own_words() {
        let setting = [Laid { connections: 3, tasks: 2 }, Laid { connections: 5, tasks: 4 }];
        let said = environment(&setting);
        let said: Vec<(&str, &str)> = said.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(
            said,
            [
                ("PUNCTUAL_LIMIT_FALLBACK_READS", "3"),
                ("PUNCTUAL_DATABASE_CONNECTIONS", "12"),
                ("PUNCTUAL_DATABASE_POOL_SIZES", "interactive=3,pipeline=5"),
                ("PUNCTUAL_STAGE_TASKS", "plan=2,receive=2,release=4,claim=4,settle=4"),
            ]
        );
        let small = [Laid { connections: 2, ..setting[0] }, setting[1]];
        assert_eq!(environment(&small)[0].1, "2", "no more places than connections");
        // Recovering and resolving are a task each, whatever is set.
        assert_eq!((workers(Pool::Interactive, 2), workers(Pool::Pipeline, 4)), (4, 14));
        assert_eq!((workers_by_default(Pool::Pipeline), connections_max([4, 6], 2)), (8, 140));
        assert_eq!((shards(1), shards(16)), (8, 16));
    }
}
