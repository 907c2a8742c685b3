//! What was sent with a text, besides its words.
//!
//! Here belongs the list of that, which is always empty: the links in every message lead to it.

use http::StatusCode;
use serde::Serialize;

use super::list::Page;
use crate::provider::response::{self, Answer};

/// As many as Twilio shows in a page.
const PAGE_SIZE: usize = 50;

#[derive(Serialize)]
struct Media {
    media_list: [(); 0],
    #[serde(flatten)]
    page: Page,
}

/// The list at this path.
pub(super) fn none(path: &str) -> Answer {
    let uri = format!("{path}?PageSize={PAGE_SIZE}&Page=0");
    let page = Page {
        end: 0,
        first_page_uri: uri.clone(),
        next_page_uri: None,
        page: 0,
        page_size: PAGE_SIZE,
        previous_page_uri: None,
        start: 0,
        uri,
    };
    response::json(StatusCode::OK, &Media { media_list: [], page })
}
