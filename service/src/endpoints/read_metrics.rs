//! `GET /metrics`: everything that is measured, as OpenMetrics or in Prometheus' text format,
//! packed where the scraper takes that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::app::App;
use crate::http::{Problem, Request, Response};
use crate::obs::{self, Format, Packer};

/// More than a scrape grows by from one time to the next.
const ROOM: usize = 64 * 1024;

/// Writes the scrape.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    app.db.observe();
    answer(&request.headers).await
}

/// The scrape, made on a thread of its own: a megabyte of text must not hold up requests.
pub(crate) async fn answer(headers: &HeaderMap) -> Result<Response, Problem> {
    let format = Format::negotiate(&all(headers, &ACCEPT));
    let is_packed = takes_gzip(&all(headers, &ACCEPT_ENCODING));
    let made =
        tokio::task::spawn_blocking(move || if is_packed { packed(format) } else { plain(format) });
    let body = made.await.map_err(|error| Problem::internal(error.to_string()))?;
    let response =
        Response::of(200, format.media_type(), body).with_header("vary", "accept, accept-encoding");
    Ok(if is_packed { response.with_header("content-encoding", "gzip") } else { response })
}

/// All values of a header as one list.
fn all(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

fn takes_gzip(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|part| {
        let mut fields = part.split(';').map(str::trim);
        let is_gzip = fields.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = fields.find_map(|field| field.strip_prefix("q="));
        is_gzip && weight.is_none_or(|q| q.parse().is_ok_and(|q: f64| q > 0.0))
    })
}

/// The scrape as it is.
pub(crate) fn plain(format: Format) -> Vec<u8> {
    // It hardly grows: room for all of it, so that none of it is copied again.
    static LENGTH: AtomicUsize = AtomicUsize::new(0);
    let mut text = Vec::with_capacity(LENGTH.load(Ordering::Relaxed) + ROOM);
    obs::render(format, |piece| text.extend_from_slice(piece.text.as_bytes()));
    LENGTH.store(text.len(), Ordering::Relaxed);
    text
}

/// Packed while it is printed.
pub(crate) fn packed(format: Format) -> Vec<u8> {
    static LENGTH: AtomicUsize = AtomicUsize::new(0);
    let mut packer = Packer::with_room(LENGTH.load(Ordering::Relaxed) + ROOM);
    obs::render(format, |piece| piece.pack(&mut packer));
    let packed = packer.finish();
    LENGTH.store(packed.len(), Ordering::Relaxed);
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_for_whom_takes_it() {
        for (accept, is_packed) in [
            ("", false),
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0, identity", false),
            ("gzip; q=much", false),
            ("zstd, br", false),
            ("xgzip", false),
        ] {
            assert_eq!(takes_gzip(accept), is_packed, "{accept}");
        }
    }
}
