//! What the router adds to the checkout of a connection: one look at the view, the choice among the
//! replicas, the breaker, and the count.
//!
//! `cargo bench -p punctual --bench route`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use punctual::benching::Route;

fn route(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for replicas in [1, 2, 8] {
        let route = Route::new(replicas);
        assert!(route.decide(), "a replica is chosen");
        group.bench_function(format!("{replicas} replicas"), |bencher| {
            bencher.iter(|| black_box(route.decide()));
        });
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
