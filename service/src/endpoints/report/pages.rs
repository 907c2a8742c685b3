//! A report whose size has no bound: it is read and sent a page at a time. While a page goes out
//! nothing is held but it and the one after it, no connection and no snapshot either: what a slow
//! reader takes its time for keeps nothing else waiting.
//!
//! Each page sees at least what the one before it saw, whichever server answers; so all of it is
//! complete up to `as_of`, which was read first.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::sheet::{Row, Sheet};
use super::{Standing, standing_of};
use crate::app::App;
use crate::db::DbError;
use crate::db::router::carried::{self, Carried};
use crate::db::router::{After, Class, Reader};
use crate::http::{Code, Format, Pieces, Problem, Request, Response, Stream};
use crate::obs;
use crate::obs::given_up::in_time;

/// A report by pages.
pub(crate) trait Pages: Send + Sync + 'static {
    /// One of its rows.
    type Row: Row + Send + Sync;
    /// The shard and the practice that it is of.
    fn of(&self) -> (i16, i64);

    /// The rows of the page that follows a key; 0 is before all.
    fn page(
        &self,
        reader: &mut Reader,
        after: i64,
    ) -> impl Future<Output = Result<Page<Self::Row>, DbError>> + Send;
}

/// Rows of a report.
pub(crate) struct Page<R> {
    /// In order.
    pub(crate) rows: Vec<R>,
    /// The key that the next page follows; none on the last one.
    pub(crate) next_after: Option<i64>,
}

/// Reads the first page and begins to send. What goes wrong until then is answered as ever; what
/// goes wrong later breaks the connection, so that nobody takes a part for the whole.
pub(crate) async fn stream<P: Pages, H: Serialize>(
    app: &Arc<App>,
    request: &Request,
    pages: P,
    head: impl FnOnce(Standing) -> H + Send,
) -> Result<Response, Problem> {
    let format = Format::of(&request.headers)?;
    let mut reader = app.db.reader(Class::Report);
    let (shard, practice_id) = pages.of();
    let standing = standing_of(&mut reader, shard, practice_id).await?;
    let Page { rows, next_after } = pages.page(&mut reader, 0).await?;
    let seen = reader.seen().await?;
    drop(reader);
    let (sheet, begun) = Sheet::begin(format, standing, &head(standing), &rows);
    let deadline = Duration::from_millis(u64::from(request.endpoint.spec().deadline_ms));
    let rest = Rest { app: Arc::clone(app), pages, sheet, seen, deadline };
    let (pieces, stream) = Stream::report();
    // It ends with its reader, or with the last page; what it reads is this request's.
    let sending = rest.send(begun, next_after, pieces);
    match obs::request::current() {
        Some(scope) => tokio::spawn(obs::request::within(scope, sending)),
        None => tokio::spawn(sending),
    };
    let answer = Response::stream(format.content_type(), stream);
    Ok(standing.told(answer))
}

/// What is still to be sent.
struct Rest<P> {
    app: Arc<App>,
    pages: P,
    sheet: Sheet,
    /// What the next page must have seen.
    seen: After,
    /// For each page.
    deadline: Duration,
}

impl<P: Pages> Rest<P> {
    async fn send(mut self, begun: Bytes, mut next_after: Option<i64>, pieces: Pieces) {
        let mut text = begun;
        while let Some(after) = next_after {
            if !text.is_empty() && !pieces.send(text).await {
                return;
            }
            match self.page(after).await {
                Ok(page) => (text, next_after) = (self.sheet.rows(&page.rows), page.next_after),
                Err(problem) => return pieces.fail(problem).await,
            }
        }
        let mut last = BytesMut::from(text);
        last.extend_from_slice(&self.sheet.end());
        if last.is_empty() || pieces.send(last.freeze()).await {
            pieces.end().await;
        }
    }

    async fn page(&mut self, after: i64) -> Result<Page<P::Row>, Problem> {
        let carried = Carried::new(self.seen);
        let reading = carried::within(carried, async {
            let mut reader = self.app.db.reader(Class::Report);
            let page = self.pages.page(&mut reader, after).await?;
            let seen = if page.next_after.is_some() { reader.seen().await? } else { self.seen };
            Ok::<_, DbError>((page, seen))
        });
        let Ok(read) = in_time(self.deadline, pin!(Some(reading))).await else {
            return Err(Problem::new(Code::DeadlineExceeded, "A page took too long."));
        };
        let (page, seen) = read?;
        self.seen = seen;
        Ok(page)
    }
}
