//! What a scrape costs after a busy day, with counts in every cell of every series and the rings of
//! kept flights full: the pieces as they are printed, the text in both formats, and packed as a
//! scraper asks for it, by ours and by the library.
//!
//! `cargo bench -p punctual --bench scrape`.

use std::hint::black_box;
use std::io::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use punctual::benching::Scrape;

/// The service's own: a scrape of the exporter's part is many small allocations.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Packed by the library as it would be packed by ours: piece by piece, as fast as it can.
fn by_library(scrape: &Scrape, is_open_metrics: bool) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(256 * 1024), Compression::fast());
    scrape.print(is_open_metrics, |piece| {
        encoder.write_all(piece.as_bytes()).expect("memory takes all that is written");
    });
    encoder.finish().expect("memory takes all that is written")
}

fn scrape(criterion: &mut Criterion) {
    let scrape = Scrape::new();
    let text = String::from_utf8(scrape.plain(true)).expect("it is text");
    println!(
        "{} lines, {} bytes, {} packed, {} by the library, {} examples",
        text.lines().count(),
        text.len(),
        scrape.packed(true).len(),
        by_library(&scrape, true).len(),
        text.matches(" # {trace_id=").count()
    );
    let mut group = criterion.benchmark_group("scrape");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, is_open_metrics) in [("text", false), ("openmetrics", true)] {
        group.bench_function(format!("{name}, printed"), |bencher| {
            bencher.iter(|| scrape.print(is_open_metrics, |piece| _ = black_box(piece)));
        });
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(scrape.plain(is_open_metrics)));
        });
        group.bench_function(format!("{name}, packed"), |bencher| {
            bencher.iter(|| black_box(scrape.packed(is_open_metrics)));
        });
        group.bench_function(format!("{name}, packed by the library"), |bencher| {
            bencher.iter(|| black_box(by_library(&scrape, is_open_metrics)));
        });
    }
    group.finish();
}

criterion_group!(benches, scrape);
criterion_main!(benches);
