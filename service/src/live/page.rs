//! The page itself: one document with its style and its script inside, and the policy that lets a
//! browser run exactly those. It loads nothing from anywhere and speaks to this process alone.
//!
//! Never here: what it shows (`document`).

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("drawing.js"), include_str!("page.js"));

/// Where the style and the script go.
const CSS_HERE: &str = "/* page.css */";
const SCRIPT_HERE: &str = "/* page.js */";

struct Page {
    html: Bytes,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let html = HTML.replace(CSS_HERE, CSS).replace(SCRIPT_HERE, SCRIPT);
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(CSS)
    );
    Page { html: html.into(), policy }
});

/// The document.
pub(crate) fn html() -> Bytes {
    PAGE.html.clone()
}

/// Its `Content-Security-Policy`: these two pieces of text, events from here, nothing else.
pub(crate) fn policy() -> &'static str {
    &PAGE.policy
}

/// As the policy names an inline element by what stands in it.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_inside() {
        let html = String::from_utf8(html().to_vec()).unwrap();
        assert!(html.contains(CSS) && html.contains(SCRIPT));
        assert!(!html.contains(CSS_HERE) && !html.contains(SCRIPT_HERE));
        for outside in ["http:", "https:", "src=", "url(", "@import", " style="] {
            assert!(!html.contains(outside), "{outside}");
        }
        // An inline element ends at its end tag, wherever that stands.
        assert_eq!(html.matches("</script").count(), 1);
        assert_eq!(html.matches("</style").count(), 1);
    }

    #[test]
    fn the_policy_names_what_may_run() {
        let policy = policy();
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    }
}
