//! What one measurement costs: our histogram beside the exporter's (by a cached handle, as it is
//! meant to be used) and `prometheus-client`'s, alone and with a second thread that records into
//! the same one for as long as the first is timed. The same for a counter.
//!
//! `cargo bench -p punctual --bench record`. The other thread does the same work, so that each
//! figure is nanoseconds a call of one thread.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use punctual::benching::{Counting, Recording};

/// Durations of some endpoint, in nanoseconds: they fall into different cells.
const NANOS: [u64; 8] =
    [180_000, 950_000, 3_000_000, 4_100_000, 12_000_000, 700_000, 45_000_000, 2_200_000];

/// What the second thread does until it is told to stop. It is the same thread for all, as those of
/// a process are there all its life: a new one each time would once have the stripe of the first.
struct Turn<'a> {
    call: &'a (dyn Fn(u64) + Sync),
    stop: Arc<AtomicBool>,
}

#[expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "it is what ours is compared with"
)]
fn record(criterion: &mut Criterion) {
    let ours = Recording::new();
    let exporter = PrometheusBuilder::new()
        .set_buckets(Recording::BOUNDS)
        .expect("the bounds rise")
        .build_recorder();
    let handle = exporter.handle();
    let cached = metrics::with_local_recorder(&exporter, || metrics::histogram!("bench_seconds"));
    let (ours_counts, client_counts) =
        (Counting::new(), prometheus_client::metrics::counter::Counter::<u64>::default());
    let cached_counts = metrics::with_local_recorder(&exporter, || metrics::counter!("bench"));
    let client =
        prometheus_client::metrics::histogram::Histogram::new(Recording::BOUNDS.iter().copied());

    let plainly = |nanos| ours.record(nanos);
    let traced = |nanos| ours.record_traced(nanos);
    let by_facade = |nanos| ours.record_by_facade(nanos);
    let by_exporter = |n| cached.record(n as f64 / 1e9);
    let by_client = |n| client.observe(n as f64 / 1e9);
    let counted = |_| ours_counts.count();
    let counted_by_exporter = |_| cached_counts.increment(1);
    let counted_by_client = |_| {
        let _before = client_counts.inc();
    };

    // What was recorded has to be folded now and then, as in a process.
    let stop = AtomicBool::new(false);
    let (turns, asked) = mpsc::channel::<Turn<'_>>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                handle.run_upkeep();
                std::thread::park_timeout(Duration::from_millis(200));
            }
        });
        scope.spawn(move || {
            for Turn { call, stop } in asked {
                while !stop.load(Ordering::Relaxed) {
                    NANOS.iter().for_each(|&nanos| call(black_box(nanos)));
                }
            }
        });
        let mut group = criterion.benchmark_group("record");
        compare(&mut group, &turns, "ours", &plainly);
        compare(&mut group, &turns, "ours, with a trace", &traced);
        compare(&mut group, &turns, "ours, by the facade", &by_facade);
        compare(&mut group, &turns, "metrics-exporter-prometheus", &by_exporter);
        compare(&mut group, &turns, "prometheus-client", &by_client);
        compare(&mut group, &turns, "ours, a counter", &counted);
        let counter = "metrics-exporter-prometheus, a counter";
        compare(&mut group, &turns, counter, &counted_by_exporter);
        compare(&mut group, &turns, "prometheus-client, a counter", &counted_by_client);
        group.finish();
        drop(turns);
        stop.store(true, Ordering::Relaxed);
    });
}

/// Alone, and beside the other thread.
fn compare<'a, F: Fn(u64) + Sync>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    turns: &Sender<Turn<'a>>,
    name: &str,
    call: &'a F,
) {
    let mut time = |name: String| {
        group.bench_function(name, |bencher| {
            let mut at = 0;
            bencher.iter(|| {
                at = (at + 1) % NANOS.len();
                call(black_box(NANOS[at]));
            });
        });
    };
    time(format!("{name}/alone"));
    let stop = Arc::new(AtomicBool::new(false));
    turns.send(Turn { call, stop: Arc::clone(&stop) }).expect("the other thread waits for it");
    time(format!("{name}/contended"));
    stop.store(true, Ordering::Relaxed);
}

criterion_group!(benches, record);
criterion_main!(benches);
