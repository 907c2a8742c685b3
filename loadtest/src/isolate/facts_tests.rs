//! Who is guilty, and who isn't.

use expect_test::expect_file;

use super::*;
use crate::report::schema;

fn cost(stage: &'static str, depth: u64, statements: &[(&str, u64)]) -> Cost {
    let served = |&(name, buffers): &(&str, u64)| {
        (name.to_owned(), Served { calls: 2, buffers, wal_bytes: 100 })
    };
    Cost {
        stage,
        depth,
        before: depth,
        unit: Unit::Text,
        judged: true,
        items: 100,
        batches: 1,
        seconds: 0.5,
        service_cpu_seconds: 0.1,
        database_cpu_seconds: 0.2,
        statements: statements.iter().map(served).collect(),
    }
}

pub(in crate::isolate) fn sample() -> Facts {
    let mut facts = Facts::new(vec![100, 1_000, 10_000], 100, 1.5);
    for (depth, lanes) in [(100, 700), (1_000, 2_000), (10_000, 16_000)] {
        facts.note(cost("release", depth, &[("release_due", 900), ("message_insert", 1_200)]));
        facts.note(cost("claim", depth, &[("claim_lanes", lanes), ("claim_heads", 600)]));
        let observe = cost("observe", depth, &[("observe_shard", depth)]);
        facts.note(Cost { judged: false, unit: Unit::Turn, ..observe });
        facts.audits.push(Audited { depth, cases: 1_234, broken: Vec::new() });
    }
    facts
}

pub(in crate::isolate) fn missing() -> Missing {
    Missing { stage: "claim", depth: 10_000, what: "did 3 of 100".to_owned() }
}

#[test]
fn the_guilty_stage_and_its_statement_are_named() {
    let verdict = sample().verdict();
    assert_eq!(verdict.ended, Ended::Failed);
    let [guilty] = &verdict.guilty[..] else { panic!("{verdict:?}") };
    assert_eq!((guilty.stage, guilty.statement.as_str()), ("claim", "claim_lanes"));
    assert_eq!((guilty.from_depth, guilty.to_depth), (100, 10_000));
    assert!((guilty.growth - 16_600.0 / 1_300.0).abs() < 1e-9);
    assert_eq!(guilty.buffers, [7.0, 160.0]);
}

#[test]
fn nobody_is_guilty_of_a_page_or_two_or_of_half_as_much_again() {
    let mut facts = Facts::new(vec![100, 10_000], 100, 1.5);
    facts.note(cost("release", 100, &[("release_due", 1_000)]));
    facts.note(cost("release", 10_000, &[("release_due", 1_500)]));
    // Twice as much, but a third of a page for a text.
    facts.note(cost("claim", 100, &[("claim_lanes", 30)]));
    facts.note(cost("claim", 10_000, &[("claim_lanes", 60)]));
    // Nothing at all.
    facts.note(cost("deliver", 100, &[]));
    facts.note(cost("deliver", 10_000, &[]));
    assert_eq!(facts.verdict(), Verdict { ended: Ended::Passed, guilty: Vec::new() });
    facts.broken = Some("postgres is gone".to_owned());
    assert_eq!(facts.verdict().ended, Ended::Invalid);
    facts.broken = None;
    facts.missing.push(missing());
    assert_eq!(facts.verdict().ended, Ended::Invalid);
    facts.audits.push(Audited { depth: 100, cases: 5, broken: vec!["order".to_owned()] });
    assert_eq!(facts.verdict().ended, Ended::Failed, "a broken law is no excuse");
    facts.interrupted = true;
    assert_eq!(facts.verdict().ended, Ended::Interrupted);
}

#[test]
fn rounds_at_one_depth_add_up() {
    let mut facts = Facts::new(vec![100], 200, 1.5);
    facts.note(cost("claim", 100, &[("claim_lanes", 300)]));
    let again = cost("claim", 100, &[("claim_lanes", 500), ("claim_heads", 400)]);
    facts.note(Cost { before: 40, ..again });
    let [cost] = &facts.costs[..] else { panic!("{facts:?}") };
    assert_eq!((cost.items, cost.batches, cost.buffers_each()), (200, 2, Some(6.0)));
    assert_eq!(cost.before, 100, "the most that stood there in a round");
    assert_eq!(cost.statements["claim_lanes"], Served { calls: 4, buffers: 800, wal_bytes: 200 });
    assert_eq!(growth(&[cost]), None, "one depth shows no growth");
}

#[test]
fn the_json_is_as_it_is_written_down() {
    let facts = sample();
    let mut other = Facts::new(vec![100], 100, 1.5);
    other.missing.push(missing());
    other.broken = Some("postgres is gone".to_owned());
    let file = expect_file!["../../../docs/isolate.schema.json"];
    schema::check(file, &[facts.document(), other.document()]);
}
