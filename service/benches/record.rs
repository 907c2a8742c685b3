//! What one measurement costs: our histogram beside the exporter's (by a cached handle, as it is
//! meant to be used) and `prometheus-client`'s, alone and with a second thread that records into
//! the same one for as long as the first is timed. The same for a counter.
//!
//! `cargo bench -p punctual --bench record`. The other thread does the same work, so that each
//! figure is nanoseconds a call of one thread.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use punctual::benching::{Counting, Recording};

/// Durations of some endpoint, in nanoseconds: they fall into different cells.
const NANOS: [u64; 8] =
    [180_000, 950_000, 3_000_000, 4_100_000, 12_000_000, 700_000, 45_000_000, 2_200_000];

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

    // What was recorded has to be folded now and then, as in a process.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                handle.run_upkeep();
                std::thread::park_timeout(Duration::from_millis(200));
            }
        });
        let mut group = criterion.benchmark_group("record");
        compare(&mut group, "ours", &|nanos| ours.record(nanos));
        compare(&mut group, "ours, with a trace", &|nanos| ours.record_traced(nanos));
        compare(&mut group, "ours, by the facade", &|nanos| ours.record_by_facade(nanos));
        compare(&mut group, "metrics-exporter-prometheus", &|n| cached.record(n as f64 / 1e9));
        compare(&mut group, "prometheus-client", &|n| client.observe(n as f64 / 1e9));
        compare(&mut group, "ours, a counter", &|_| ours_counts.count());
        compare(&mut group, "metrics-exporter-prometheus, a counter", &|_| {
            cached_counts.increment(1);
        });
        compare(&mut group, "prometheus-client, a counter", &|_| {
            let _before = client_counts.inc();
        });
        group.finish();
        stop.store(true, Ordering::Relaxed);
    });
}

/// Alone, and beside another thread.
fn compare<F: Fn(u64) + Sync>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, call: &F) {
    group.bench_function(format!("{name}/alone"), |bencher| {
        let mut at = 0;
        bencher.iter(|| {
            at = (at + 1) % NANOS.len();
            call(black_box(NANOS[at]));
        });
    });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                NANOS.iter().for_each(|&nanos| call(black_box(nanos)));
            }
        });
        group.bench_function(format!("{name}/contended"), |bencher| {
            let mut at = 0;
            bencher.iter(|| {
                at = (at + 1) % NANOS.len();
                call(black_box(NANOS[at]));
            });
        });
        stop.store(true, Ordering::Relaxed);
    });
}

criterion_group!(benches, record);
criterion_main!(benches);
