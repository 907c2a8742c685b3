//! Who passes a gate, and when.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

fn gate(setting: StageGates) -> Arc<Gate> {
    Arc::clone(Gates::new(setting).of(Stage::Deliver))
}

async fn is_stuck<T>(waits: impl Future<Output = T>) -> bool {
    timeout(Duration::from_secs(60), waits).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn off_or_open_it_lets_everybody_through() {
    for setting in [StageGates::Off, StageGates::Open] {
        let gate = gate(setting);
        let _inside = gate.pass().await;
        gate.opened().await;
        assert!(gate.enter().is_some());
    }
    assert_eq!(gate(StageGates::Open).begin_run().err(), Some(Refused::Open));
}

#[tokio::test(start_paused = true)]
async fn held_it_comes_to_rest_and_lets_nobody_through_until_it_is_opened() {
    let gate = gate(StageGates::Open);
    let inside = gate.pass().await;
    gate.hold().unwrap();
    assert!(gate.enter().is_none());
    assert!(is_stuck(gate.pass()).await && is_stuck(gate.at_rest()).await);
    assert_eq!(gate.read(), Reading { is_held: true, runs: false, inside: 1, waiting: 0 });
    drop(inside);
    gate.at_rest().await;
    let waits = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { drop(gate.pass().await) }
    });
    tokio::task::yield_now().await;
    assert_eq!(gate.read().waiting, 1);
    gate.open().unwrap();
    waits.await.unwrap();
    assert_eq!(gate.read(), Reading { is_held: false, runs: false, inside: 0, waiting: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_run_lets_through_what_stands_there_and_waits_for_it() {
    let gate = gate(StageGates::Held);
    for _ in 0..5 {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let _inside = gate.pass().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
    }
    tokio::task::yield_now().await;
    let run = gate.begin_run().unwrap();
    assert_eq!(gate.begin_run().err(), Some(Refused::Runs));
    assert_eq!(gate.open().err(), Some(Refused::Runs));
    assert_eq!(run.let_through(2).await, 2);
    assert_eq!((gate.read().inside, gate.read().waiting), (0, 3));
    assert_eq!(run.let_through(usize::MAX).await, 3);
    assert_eq!(run.let_through(usize::MAX).await, 0);
    drop(run);
    assert!(is_stuck(gate.pass()).await, "it is held after the run as before");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_leaves_holds_nothing() {
    let gates = Gates::new(StageGates::Held);
    let gate = gates.of(Stage::Settle);
    assert!(!gates.of(Stage::Render).read().is_held, "it has no gate");
    gates.leave();
    let _inside = gate.pass().await;
    assert_eq!(gate.hold().err(), Some(Refused::Left));
    assert_eq!(gate.begin_run().err(), Some(Refused::Left));
}
