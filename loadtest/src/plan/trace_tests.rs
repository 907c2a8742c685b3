//! What traces are read as, and what is said of those that can't be.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::super::routes::Routes;
use super::*;
use crate::plan::BODY_BYTES_MAX;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn requests(text: &str) -> Vec<String> {
    let mut builder = Builder::new(Routes::default());
    let file = file(text);
    let rows = read(file.path(), &mut builder).unwrap();
    let plan = builder
        .plan(
            rows.iter()
                .map(|row| super::super::Arrival { intended_ns: 0, request: row.request })
                .collect(),
            std::time::Duration::ZERO,
            super::super::About::default(),
        )
        .unwrap();
    let written = |row: &Timed| {
        let request = &plan.requests()[row.request as usize];
        format!(
            "{} {} {} {:?} {} {}",
            row.at.ns / 1_000_000,
            request.method,
            request.uri,
            request.headers,
            String::from_utf8_lossy(&request.body),
            plan.kinds()[request.kind].name
        )
    };
    rows.iter().map(written).collect()
}

fn refused(text: &str) -> String {
    let file = file(text);
    let error = read(file.path(), &mut Builder::new(Routes::default())).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error.replace(&file.path().display().to_string(), "FILE")
}

#[test]
fn csv_and_ndjson_say_the_same() {
    let csv = "t,method,path,body,headers,name\n\
               0.5,POST,/a?x=1,\"{\"\"a\"\": 1}\",\"{\"\"accept\"\": \"\"x/y\"\"}\",make\n\
               2,,/b/7,,,\n";
    let ndjson = "{\"t\":0.5,\"method\":\"POST\",\"path\":\"/a?x=1\",\"body\":\"{\\\"a\\\": 1}\",\
                  \"headers\":{\"accept\":\"x/y\"},\"name\":\"make\"}\n\n\
                  {\"t\":\"2\",\"path\":\"/b/7\"}\n";
    let expected =
        [r#"500 POST /a?x=1 {"accept": "x/y"} {"a": 1} make"#, r#"2000 GET /b/7 {}  GET:/b/{id}"#];
    assert_eq!(requests(csv), expected);
    assert_eq!(requests(ndjson), expected);
}

#[test]
fn spaces_around_a_cell_and_a_mark_before_the_first_are_nobodys() {
    let csv = "\u{feff}t, method , path, name, body\n 0.5 , GET, /a , x ,\n1, POST, /b,, c \n";
    assert_eq!(requests(csv), ["500 GET /a {}  x", "1000 POST /b {}  c  POST:/b"]);
    assert_eq!(requests("\u{feff}{\"t\":1,\"path\":\"/a\"}\n"), ["1000 GET /a {}  GET:/a"]);
}

#[test]
fn a_body_that_is_json_keeps_its_bytes_and_says_so() {
    let line = "{\"t\":1,\"path\":\"/a\",\"method\":\"put\",\"body\":{\"z\": 1.50, \"a\":[]}}";
    let expected = r#"1000 PUT /a {"content-type": "application/json"} {"z": 1.50, "a":[]} PUT:/a"#;
    assert_eq!(requests(line), [expected]);
}

#[test]
fn a_bad_row_says_where_what_and_what_to_do() {
    let huge =
        format!("{{\"t\":1,\"path\":\"/\",\"body\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX + 1));
    let longer = format!("{{\"t\":1,\"path\":\"{}\"}}", "x".repeat(3 * BODY_BYTES_MAX));
    for (text, says) in [
        ("a,b\n1,2\n", "FILE:1: the first line names the columns: t, method, path"),
        ("t,path\n1,/a\nsoon,/b\n", "FILE:3: t is \"soon\"; write seconds, such as 12.345"),
        ("t,path\n1,/a\n2\n", "FILE:3: has 1 cells, the first line has 2"),
        ("t,path\n1,a\n", "FILE:2: the path \"a\" doesn't begin with a slash"),
        ("t,path,headers\n1,/a,x\n", "FILE:2: headers are a JSON object"),
        ("t,path,weather\n1,/a,x\n", "FILE:2: unknown field `weather`"),
        ("{\"t\":1,\"path\":\"/\"}\n{\"t\":1\n", "FILE:2: EOF while parsing an object"),
        ("{\"t\":1,\"path\":\"/\"}\n{\"path\":\"/\"}\n", "FILE:2: has no t"),
        ("{\"t\":1,\"path\":\"/\",\"url\":\"\"}", "FILE:1: unknown field `url`"),
        (&huge, "FILE:1: its body has 1048577 bytes, 1048576 at most; leave the row out"),
        (&longer, "FILE:1: is longer than 2 MiB"),
    ] {
        let error = refused(text);
        assert!(error.starts_with(says), "{error}");
    }
}

/// Neither a cell without an end nor what unpacks to one is read to where memory ends.
#[test]
fn a_record_is_bounded_while_it_is_read() {
    let mut read = 0;
    let endless = std::io::repeat(b'x').take(256 << 20);
    let all = std::io::Cursor::new("t,path,body\n1,/a,b\n2,/a,\"").chain(endless);
    let mut counted = Counted(all, &mut read);
    let error = records(&mut counted, Path::new("x.csv"), &mut Builder::new(Routes::default()));
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("x.csv:3: is longer than 2 MiB"), "{error}");
    assert!(read < 3 << 20, "{read} bytes");

    let mut packed = tempfile::NamedTempFile::new().unwrap();
    let mut pack = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
    std::io::copy(
        &mut std::io::Cursor::new("t,path\n1,/").chain(std::io::repeat(b'x').take(16 << 20)),
        &mut pack,
    )
    .unwrap();
    pack.finish().unwrap();
    let error = super::read(packed.path(), &mut Builder::new(Routes::default())).unwrap_err();
    assert!(error.to_string().contains(":2: is longer than 2 MiB"), "{error}");
}

/// A record as long as any may be is read whole, also when others have been read ahead.
#[test]
fn the_longest_body_is_read_from_csv() {
    let body = "x".repeat(BODY_BYTES_MAX);
    let rows = requests(&format!("t,path,method,body\n0,/a,PUT,{body}\n1,/a,PUT,{body}\n"));
    assert_eq!(rows.len(), 2);
}

/// Counts what is read.
struct Counted<'a, R>(R, &'a mut usize);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(into)?;
        *self.1 += read;
        Ok(read)
    }
}

#[test]
fn a_file_that_is_not_there_is_one_clear_line() {
    let absent = Path::new("/nonexistent/trace.csv");
    let error = read(absent, &mut Builder::new(Routes::default())).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/trace.csv: No such file"), "{error}");
}
