//! What requests are called: a small file of path templates, or, without one, the path with what
//! looks like an identifier taken out.
//!
//! A line is `METHOD TEMPLATE NAME`; `*` is any method, `{…}` any one segment, `**` at the end any
//! rest; the first line that fits decides, and what no line fits is called `unmatched`. Never here:
//! what a request does.

use std::path::Path;

use super::PlanError;
use super::lines::read_to_string;

/// What no route fits.
pub const UNMATCHED: &str = "unmatched";

/// Names for requests.
#[derive(Debug, Clone, Default)]
pub struct Routes(Option<Vec<Route>>);

#[derive(Debug, Clone)]
struct Route {
    method: Option<String>,
    segments: Vec<Segment>,
    rest: bool,
    name: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Any,
    Only(String),
}

impl Routes {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read, or a line is no route.
    pub fn read(file: &Path) -> Result<Self, PlanError> {
        let text = read_to_string(file)?;
        let mut routes = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let route = Route::parse(line).map_err(|what| PlanError::Line {
                file: file.to_owned(),
                line: number as u64 + 1,
                what,
            })?;
            routes.push(route);
        }
        Ok(Self(Some(routes)))
    }

    /// The name of a request, and the method that stands beside it.
    pub(super) fn name(&self, method: &str, path: &str) -> (String, String) {
        let path = path.split('?').next().unwrap_or(path);
        match &self.0 {
            None => (tag(&format!("{method}:{}", template(path))), method.to_owned()),
            Some(routes) => {
                let fits = routes.iter().find(|route| route.fits(method, path));
                let any = || "*".to_owned();
                fits.map_or((UNMATCHED.to_owned(), any()), |route| {
                    (route.name.clone(), route.method.clone().unwrap_or_else(any))
                })
            }
        }
    }
}

impl Route {
    fn parse(line: &str) -> Result<Self, String> {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [method, template, name] = parts[..] else {
            return Err(format!(
                "{line:?} is no route; write METHOD TEMPLATE NAME, such as GET /users/{{id}} \
                 read_user"
            ));
        };
        if !template.starts_with('/') {
            return Err(format!("the template {template:?} begins with a slash, as paths do"));
        }
        if !is_name(name) {
            return Err(format!("the name {name:?} has characters that logs can't carry; {NAMES}"));
        }
        let mut segments: Vec<Segment> = segments(template).map(Segment::parse).collect();
        let rest = segments.last() == Some(&Segment::Only("**".to_owned()));
        if rest {
            segments.pop();
        }
        let method = (method != "*").then(|| method.to_ascii_uppercase());
        Ok(Self { method, segments, rest, name: name.to_owned() })
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        if self.method.as_deref().is_some_and(|own| own != method) {
            return false;
        }
        let mut given = segments(path);
        let all = self.segments.iter().all(|segment| match (segment, given.next()) {
            (Segment::Any, Some(given)) => !given.is_empty(),
            (Segment::Only(own), Some(given)) => own == given,
            (_, None) => false,
        });
        all && (self.rest || given.next().is_none())
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        if text.starts_with('{') && text.ends_with('}') {
            Self::Any
        } else {
            Self::Only(text.to_owned())
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// The characters of a name: those that goose, HdrHistogram's logs and shells all take.
pub(super) const NAMES: &str = "use letters, digits and _ . : / { } * -";

/// Whether this may be a name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 120 && text.chars().all(is_name_char)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:/{}*-".contains(c)
}

fn tag(text: &str) -> String {
    text.chars().take(120).map(|c| if is_name_char(c) { c } else { '_' }).collect()
}

/// The path with identifiers taken out: numbers, UUIDs, hexadecimal, and anything long with a
/// digit in it.
fn template(path: &str) -> String {
    let segment =
        |text: &str| if is_identifier(text) { "{id}".to_owned() } else { text.to_owned() };
    format!("/{}", segments(path).map(segment).collect::<Vec<_>>().join("/"))
}

fn is_identifier(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    digits > 0
        && (digits * 2 >= text.len() && !is_version(text)
            || hexadecimal && text.len() >= 8
            || text.len() >= 20)
}

/// `v1` is part of an interface, not of a thing.
fn is_version(text: &str) -> bool {
    text.len() <= 3 && text.starts_with('v')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn routes(text: &str) -> Result<Routes, PlanError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Routes::read(file.path())
    }

    #[test]
    fn the_first_route_that_fits_gives_the_name() {
        let routes = routes(
            "# what matters\n\
             GET  /users/me        own_user\n\
             get  /users/{id}      read_user   # by anybody\n\
             *    /assets/**       static\n\
             POST /users           create_user\n",
        )
        .unwrap();
        for (method, path, name) in [
            ("GET", "/users/me", "own_user"),
            ("GET", "/users/7?full=1", "read_user"),
            ("GET", "/users/", "unmatched"),
            ("GET", "/users/7/posts", "unmatched"),
            ("HEAD", "/assets/a/b.css", "static"),
            ("POST", "/users", "create_user"),
            ("DELETE", "/users/7", "unmatched"),
        ] {
            assert_eq!(routes.name(method, path).0, name, "{method} {path}");
        }
    }

    #[test]
    fn a_line_that_is_none_says_where_and_what_to_write() {
        for (text, says) in [
            ("GET /a a\nGET /users\n", ":2: \"GET /users\" is no route; write METHOD TEMPLATE"),
            ("GET users read\n", ":1: the template \"users\" begins with a slash"),
            ("GET /u a,b\n", ":1: the name \"a,b\" has characters"),
        ] {
            let error = routes(text).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn without_a_file_identifiers_are_taken_out() {
        let routes = Routes::default();
        for (path, name) in [
            ("/v1/users/42/posts", "GET:/v1/users/{id}/posts"),
            ("/a/0f8fad5b-d9cb-469f-a165-70867728950e", "GET:/a/{id}"),
            ("/a/a0000042?x=1", "GET:/a/{id}"),
            ("/favicon.ico", "GET:/favicon.ico"),
            ("/", "GET:/"),
            ("/a,b c", "GET:/a_b_c"),
        ] {
            assert_eq!(routes.name("GET", path).0, name, "{path}");
        }
    }
}
