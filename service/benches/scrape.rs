//! What a scrape costs after a busy day, with counts in every cell of every series and the rings of
//! kept flights full: the text in both formats, packing it, and both as a scraper asks for it.
//!
//! `cargo bench -p punctual --bench scrape`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use punctual::benching::Scrape;

fn scrape(criterion: &mut Criterion) {
    let scrape = Scrape::new();
    let text = scrape.text(true);
    println!(
        "{} lines, {} bytes, {} packed, {} examples",
        text.lines().count(),
        text.len(),
        scrape.packed(&text).len(),
        text.matches(" # {trace_id=").count()
    );
    let mut group = criterion.benchmark_group("scrape");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("text", |bencher| bencher.iter(|| black_box(scrape.text(false))));
    group.bench_function("openmetrics", |bencher| bencher.iter(|| black_box(scrape.text(true))));
    group.bench_function("gzip", |bencher| bencher.iter(|| black_box(scrape.packed(&text))));
    group.bench_function("whole", |bencher| {
        bencher.iter(|| black_box(scrape.packed(&scrape.text(true))));
    });
    group.finish();
}

criterion_group!(benches, scrape);
criterion_main!(benches);
