//! Settings that give some rows of a table a number each, written `name=number,…`: sizes of pools,
//! tasks of stages. A row that isn't named keeps what the table says.
//!
//! Never here: what the numbers do, or whether they fit what else is set (`check`).

use contract::pool::Side;
use contract::{Pool, Stage};

use super::value::Value;

/// As many connections as a process may have to a server.
const SIZE_MOST: u32 = 500;
/// More tasks than a small machine can wake usefully are a slip of the pen.
const TASKS_MOST: u32 = 64;

/// What single pools have of the connections to their side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PoolSizes([Option<u32>; Pool::COUNT]);

/// How many tasks do the work of single stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StageTasks([Option<u32>; Stage::COUNT]);

impl PoolSizes {
    /// The sizes that are given, by the pools' places in their table.
    pub(crate) const fn given(&self) -> [Option<u32>; Pool::COUNT] {
        self.0
    }

    /// Whether a pool of a side is named.
    pub(super) fn names_any(&self, side: Side) -> bool {
        of_side(side).any(|pool| self.0[pool.index()].is_some())
    }

    /// What the pools of a side need at the least: what is given, and one for each other.
    pub(super) fn needed(&self, side: Side) -> u32 {
        of_side(side).map(|pool| self.0[pool.index()].unwrap_or(1)).sum()
    }
}

fn of_side(side: Side) -> impl Iterator<Item = Pool> {
    Pool::ALL.iter().copied().filter(move |pool| pool.spec().side == side)
}

impl Value for PoolSizes {
    const FORM: &'static str = "sizes from 1 to 500 such as interactive=10,pipeline=8";
    fn read(text: &str) -> Result<Self, String> {
        let names = Pool::ALL.iter().map(|pool| pool.name());
        read(text, names, SIZE_MOST).map(Self)
    }
    fn show(&self) -> String {
        show(&self.0, Pool::ALL.iter().map(|pool| pool.name()))
    }
}

impl StageTasks {
    /// Of a stage: what is given, or its row's number.
    pub(super) fn of(&self, stage: Stage) -> usize {
        let settable = with_tasks().position(|other| other == stage);
        let given = settable.and_then(|at| self.0[at]);
        given.unwrap_or(stage.spec().tasks) as usize
    }
}

/// The stages of which the number of tasks can be set.
fn with_tasks() -> impl Iterator<Item = Stage> {
    Stage::ALL.iter().copied().filter(|stage| stage.has_tasks())
}

impl Value for StageTasks {
    const FORM: &'static str = "numbers of tasks from 1 to 64 such as plan=2,claim=4";
    fn read(text: &str) -> Result<Self, String> {
        read(text, with_tasks().map(Stage::name), TASKS_MOST).map(Self)
    }
    fn show(&self) -> String {
        show(&self.0, with_tasks().map(Stage::name))
    }
}

/// Takes `name=number,…` apart, one cell a name. What is wrong is told by its place, as it may be a
/// secret that was set here by mistake.
fn read<const N: usize>(
    text: &str,
    names: impl Iterator<Item = &'static str>,
    most: u32,
) -> Result<[Option<u32>; N], String> {
    let names: Vec<&str> = names.collect();
    let mut given = [None; N];
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    for (i, part) in parts.enumerate() {
        let wrong = |what: &str| Err(format!("entry {} {what}", i + 1));
        let Some((name, number)) = part.split_once('=') else {
            return wrong("has no =");
        };
        let Some(at) = names.iter().position(|known| *known == name.trim()) else {
            return wrong(&format!("must name one of {}", names.join(", ")));
        };
        let number = number.trim().parse().ok().filter(|number| (1..=most).contains(number));
        let Some(number) = number else {
            return wrong(&format!("is no number from 1 to {most}"));
        };
        if given[at].replace(number).is_some() {
            return wrong("names again what an earlier one does");
        }
    }
    Ok(given)
}

fn show(given: &[Option<u32>], names: impl Iterator<Item = &'static str>) -> String {
    let named = names.zip(given).filter_map(|(name, n)| n.map(|n| format!("{name}={n}")));
    named.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_set_and_the_rest_is_as_the_table_says() {
        let sizes = PoolSizes::read("pipeline=9, interactive = 3,").unwrap();
        assert_eq!(sizes.given(), [Some(3), Some(9), None, None, None, None]);
        assert_eq!((sizes.needed(Side::Primary), sizes.needed(Side::Replica)), (14, 2));
        assert!(sizes.names_any(Side::Primary) && !sizes.names_any(Side::Replica));
        assert_eq!(sizes.show(), "interactive=3,pipeline=9");
        let tasks = StageTasks::read("claim=5,plan=1").unwrap();
        let of = [Stage::Plan, Stage::Receive, Stage::Claim, Stage::Fold, Stage::Deliver];
        assert_eq!(of.map(|stage| tasks.of(stage)), [1, 2, 5, 1, 0]);
        assert_eq!(tasks.show(), "plan=1,claim=5");
        assert_eq!(StageTasks::read("").unwrap().show(), "");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        for (text, says) in [
            ("interactive", "entry 1 has no ="),
            ("interactive=1,hunter2=4", "entry 2 must name one of interactive, pipeline, upkeep"),
            ("interactive=0", "entry 1 is no number from 1 to 500"),
            ("interactive=501", "entry 1 is no number from 1 to 500"),
            ("interactive=x", "entry 1 is no number from 1 to 500"),
            ("upkeep=1,upkeep=2", "entry 2 names again"),
        ] {
            let said = PoolSizes::read(text).unwrap_err();
            assert!(said.starts_with(says) && !said.contains("hunter2"), "{text}: {said}");
        }
        for text in ["deliver=2", "fold=2", "render=1"] {
            let said = StageTasks::read(text).unwrap_err();
            let stages = "plan, receive, release, claim, settle";
            assert_eq!(said, format!("entry 1 must name one of {stages}"));
        }
        assert!(StageTasks::read("plan=65").unwrap_err().contains("from 1 to 64"));
    }
}
