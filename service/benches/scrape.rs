//! What a scrape of every series costs: the text in both formats, and packing it.
//!
//! `cargo bench -p punctual --bench scrape`.

use std::hint::black_box;
use std::io::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use punctual::benching::Scrape;

fn scrape(criterion: &mut Criterion) {
    let scrape = Scrape::new();
    let text = scrape.text(true);
    println!("{} lines, {} bytes", text.lines().count(), text.len());
    let mut group = criterion.benchmark_group("scrape");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("text", |bencher| bencher.iter(|| black_box(scrape.text(false))));
    group.bench_function("openmetrics", |bencher| bencher.iter(|| black_box(scrape.text(true))));
    group.bench_function("gzip", |bencher| {
        bencher.iter(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes()).expect("memory takes all");
            black_box(encoder.finish().expect("memory takes all"))
        });
    });
    group.finish();
}

criterion_group!(benches, scrape);
criterion_main!(benches);
