//! What a scrape costs after a busy day, with counts in every cell of every series and the rings of
//! kept flights full: the text in both formats, packing it, and both as a scraper asks for it.
//!
//! `cargo bench -p punctual --bench scrape`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use punctual::benching::Scrape;

fn scrape(criterion: &mut Criterion) {
    let scrape = Scrape::new();
    let text = String::from_utf8(scrape.plain(true)).expect("it is text");
    println!(
        "{} lines, {} bytes, {} packed, {} examples",
        text.lines().count(),
        text.len(),
        scrape.packed(true).len(),
        text.matches(" # {trace_id=").count()
    );
    let mut group = criterion.benchmark_group("scrape");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, is_open_metrics) in [("text", false), ("openmetrics", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(scrape.plain(is_open_metrics)));
        });
        group.bench_function(format!("{name}, packed"), |bencher| {
            bencher.iter(|| black_box(scrape.packed(is_open_metrics)));
        });
    }
    group.finish();
}

criterion_group!(benches, scrape);
criterion_main!(benches);
