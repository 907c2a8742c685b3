//! What `loadtest` says of wrong flags, files and settings: one line each, that says what is wrong,
//! where, and what to do; and the exit status of a mistake.
//!
//! Never here: wrong requests (`bad_http`), wrong settings of the service (`settings`).

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use tests::binary::{self, Output, run_program};

/// Words of a command line, apart by spaces; `DIR` is a folder with the files below, `TAKEN` an
/// address at which somebody listens, `NOBODY` one at which nobody does.
const WRONG: &[&str] = &[
    "dance",
    "demo --mesages 5",
    "demo --messages many",
    "demo --messages 0 --report-dir DIR/r",
    "demo --messages 99999999999999999999999",
    "demo --users 0",
    "demo --speed 0",
    "demo --day yesterday",
    "demo --shards 0",
    "demo --processes 9",
    "demo --prometheus x --no-prometheus",
    "demo --punctual DIR/absent",
    "demo --report-dir DIR/empty/below",
    "demo --report-dir DIR/r --appointments DIR/absent",
    "demo --report-dir DIR/r --appointments DIR",
    "demo --report-dir DIR/r --appointments DIR/empty",
    "demo --report-dir DIR/r --appointments DIR/bad.gz",
    "demo --report-dir DIR/r --appointments DIR/cut.gz",
    "demo --report-dir DIR/r --appointments DIR/other.csv",
    "demo --report-dir DIR/r --appointments DIR/header.csv",
    "demo --report-dir DIR/r --appointments DIR/rows.csv",
    "dev --speed fast",
    "day",
    "day --service 127.0.0.1:1 --admin 127.0.0.1:1 --admin-key k --provider nonsense \
     --provider-log x",
    "day --service ftp://x --admin 127.0.0.1:1 --admin-key k --provider 127.0.0.1:1 \
     --provider-log x",
    "day --service 127.0.0.1:1 --service 127.0.0.1:2 --admin 127.0.0.1:3 --admin-key k \
     --provider 127.0.0.1:1 --provider-log x",
    "day --service 127.0.0.1:1 --admin 127.0.0.1:1 --admin-key k --provider 127.0.0.1:1 \
     --provider-log x --limit patience=3",
    "day --service 127.0.0.1:1 --admin 127.0.0.1:1 --admin-key k --provider 127.0.0.1:1 \
     --provider-log x --limit streams=0",
    "provider",
    "provider --log DIR/empty/below",
    "provider --log DIR/other.csv",
    "provider --log DIR/p.jsonl --listen TAKEN",
    "provider --log DIR/p.jsonl --listen nonsense",
    "provider --log DIR/p.jsonl --listen 192.0.2.1:0",
    "provider --log DIR/p.jsonl --latency sometimes",
    "provider --log DIR/p.jsonl --hang 2",
    "provider --log DIR/p.jsonl --hang 0.6 --reset 0.6",
    "provider --log DIR/p.jsonl --account-sid short",
    "provider --log DIR/p.jsonl --inbound-url ftp://x",
    "provider --log DIR/p.jsonl --address-file DIR/empty/below",
    "run",
    "run --target https://x --rate 1",
    "run --target ftp://x --rate 1",
    "run --target http://x/path --rate 1",
    "run --target NOBODY --rate fast --report-dir DIR/r",
    "run --target NOBODY --rate 10 --trace x",
    "run --target NOBODY --report-dir DIR/r --trace DIR/absent",
    "run --target NOBODY --report-dir DIR/r --trace DIR",
    "run --target NOBODY --report-dir DIR/r --trace DIR/bad.gz",
    "run --target NOBODY --report-dir DIR/r --trace DIR/trace.csv",
    "run --target NOBODY --report-dir DIR/r --trace DIR/trace.ndjson",
    "run --target NOBODY --report-dir DIR/r --access-log DIR/absent",
    "run --target NOBODY --report-dir DIR/r --access-log DIR/other.csv",
    "run --target NOBODY --report-dir DIR/r --rate 1 --routes DIR/routes",
    "run --target NOBODY --report-dir DIR/r --rate 1 --requests DIR/other.csv",
    "run --target NOBODY --report-dir DIR/r --rate 1 --objective nobody=5ms",
    "run --target NOBODY --report-dir DIR/empty/below --rate 1",
    "run --target NOBODY --report-dir DIR/r --rate 1 --duration 1s",
    "run --target NOBODY --rate 1 --objective fast",
    "run --target NOBODY --rate 1 --header nocolon",
    "run --target NOBODY --rate 1 --duration soon",
    "run --target NOBODY --rate 1 --ok 300-200",
    "run --target NOBODY --trace x --window 25:00-26:00",
    "run --target NOBODY --rate 1 --metrics ftp://x",
    "run --target NOBODY --rate 1 --traceparent maybe",
    "run --target NOBODY --rate 1 --connections 0",
    "run --target NOBODY --rate 1 --dashboard 99999",
    "plan --rate 0",
    "plan --rate 1 --path users",
    "plan --day 0",
    "merge --out DIR/merged DIR/absent",
    "merge --out DIR/merged DIR/other.csv",
    "compare DIR/absent DIR/absent",
    "compare DIR/empty DIR",
    "isolate --depth deep",
    "isolate --depth 100",
    "incidents everything",
    "gate --pairs 0",
    "counts --env novalue",
    "counts --report-dir DIR/r --baseline DIR/absent",
    "counts --report-dir DIR/r --baseline DIR/other.csv",
    "profile DIR/absent",
    "profile DIR",
];

/// What only the environment can have wrong.
const WRONG_IN_THE_ENVIRONMENT: &[(&str, &str, &str)] = &[
    ("RUST_LOG", "loadtest=loud", "plan --rate 1"),
    ("PUNCTUAL_PG_BIN", "DIR", "demo --messages 10 --report-dir DIR/r"),
];

fn write_files(dir: &Path) {
    let header = "PatientId,AppointmentID,ScheduledDay,AppointmentDay,Neighbourhood\n";
    let row = format!("{header}x,1,2016-04-29T18:38:08Z,2016-04-29T00:00:00Z,A\n");
    // The first bytes of a gzip file, of which one goes on as something else and one ends.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
    let nonsense = b"\x1f\x8bnonsense";
    for (name, content) in [
        ("empty", &b""[..]),
        ("bad.gz", nonsense),
        ("cut.gz", gzip),
        ("other.csv", b"a,b\n1,2\n"),
        ("header.csv", header.as_bytes()),
        ("rows.csv", row.as_bytes()),
        ("trace.csv", b"t,method,path\nsoon,GET,/\n"),
        ("trace.ndjson", b"{\"t\":0,\"method\":\"GET\"}\n"),
        ("routes", b"GET /users\n"),
    ] {
        std::fs::write(dir.join(name), content).unwrap();
    }
}

/// The one line of a complaint. What a program does before it finds out is told by name and dots.
fn complaint(output: &Output) -> Result<&str, String> {
    let mut complaints = output.stderr.lines().filter(|line| line.starts_with("loadtest: "));
    match (complaints.next(), complaints.next(), output.status) {
        (Some(line), None, Some(2 | 3)) if output.stderr.ends_with(&format!("{line}\n")) => {
            Ok(line)
        }
        _ => Err(format!("{output:?}")),
    }
}

#[tokio::test]
async fn each_is_told_in_one_line_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().to_string()
    };
    let taken_at = taken.local_addr().unwrap().to_string();
    let folder = dir.path().display().to_string();
    let real = |text: &str| {
        text.replace("DIR", &folder).replace("TAKEN", &taken_at).replace("NOBODY", &nobody)
    };
    let shown = |text: &str| {
        text.replace(&folder, "DIR").replace(&taken_at, "TAKEN").replace(&nobody, "NOBODY")
    };
    let plain = WRONG.iter().map(|words| (None, *words));
    let others = WRONG_IN_THE_ENVIRONMENT;
    let others = others.iter().map(|(name, value, words)| (Some((*name, *value)), *words));
    let (mut told, mut wrong) = (String::new(), Vec::new());
    for (variable, words) in plain.chain(others) {
        let arguments = real(words);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let variable = variable.map(|(name, value)| (name, real(value)));
        let environment: Vec<_> = variable.iter().map(|(name, value)| (*name, &**value)).collect();
        let output = run_program(&binary::loadtest(), &arguments, &environment).await;
        let asked = variable.iter().map(|(name, value)| format!("{name}={} ", shown(value)));
        let asked = asked.collect::<String>() + words;
        match complaint(&output) {
            Ok(line) => {
                let status = output.status.unwrap_or_default();
                writeln!(told, "{asked}\n  {status} {}", shown(line)).unwrap();
            }
            Err(other) => wrong.push(format!("{asked}: {other}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    expect_test::expect_file!["../../loadtest/testdata/mistakes.txt"].assert_eq(&told);
}

/// Nobody who reads standard error is no reason to end otherwise than one would.
#[tokio::test]
async fn who_reads_no_complaint_still_gets_the_exit_status() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tokio::process::Command::new(binary::loadtest());
    command.args(["plan", "--rate", "0"]).stderr(writer).kill_on_drop(true);
    let status = tests::wait::soon("its end", command.status()).await.unwrap();
    assert_eq!(status.code(), Some(2));
}

/// Whoever reads standard output may have seen enough; what can't be written there is a mistake.
#[tokio::test]
async fn who_reads_no_result_is_no_mistake_and_a_full_disk_is_one() {
    let plan = async |stdout: Stdio| {
        let mut command = tokio::process::Command::new(binary::loadtest());
        command.args(["plan", "--rate", "5", "--duration", "1s"]).stdout(stdout);
        command.stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let ended = tests::wait::soon("its end", child.wait_with_output()).await.unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(plan(writer.into()).await, (Some(0), String::new()));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let (status, said) = plan(full.into()).await;
    assert_eq!(status, Some(3), "{said}");
    assert!(said.starts_with("loadtest: standard output: No space left"), "{said}");
}
