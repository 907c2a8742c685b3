//! `GET /metrics`: everything that is measured, as OpenMetrics or in Prometheus' text format,
//! packed where the scraper takes that.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::app::App;
use crate::http::{Problem, Request, Response};
use crate::obs::{self, Format};

/// Writes the scrape.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    app.db.observe();
    answer(&request.headers).await
}

/// The scrape, made on a thread of its own: a megabyte of text must not hold up requests.
pub(crate) async fn answer(headers: &HeaderMap) -> Result<Response, Problem> {
    let format = Format::negotiate(&all(headers, &ACCEPT));
    let is_packed = takes_gzip(&all(headers, &ACCEPT_ENCODING));
    let made = tokio::task::spawn_blocking(move || {
        let text = obs::render(format).into_bytes();
        if is_packed { pack(&text) } else { Ok(text) }
    });
    let body = made.await.map_err(|error| Problem::internal(error.to_string()))?;
    let body = body.map_err(|error| Problem::internal(error.to_string()))?;
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

/// Fast rather than small: the text repeats itself so much that the first pass takes nine tenths.
pub(crate) fn pack(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
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
