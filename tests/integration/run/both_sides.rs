//! What a service says of itself, beside what is measured from outside: metrics every second, and
//! what it kept of the slowest requests.

use serde_json::Value;

use super::toy::{Toy, answer, header};
use super::{LENIENT, json, one_line, run};

const METRICS: &str = "# TYPE process_cpu_seconds_total counter\n\
                       process_cpu_seconds_total 1.5\n\
                       process_resident_memory_bytes 1000000\n\
                       queue_depth{queue=\"a\"} 3\n\
                       queue_depth{queue=\"b\"} 4\n";

/// A service with metrics for those who know the key, that keeps every request.
async fn service() -> Toy {
    Toy::start(|head| {
        let path = head.split(' ').nth(1).unwrap();
        if let Some(trace) = path.strip_prefix("/debug/requests/") {
            let flight = format!(
                r#"{{"trace_id":"{trace}","flights":[{{"route":"read_a","took_ms":0.5,"status":200,
                "outcome":"ok","why":"slow","at":"2027-03-09T12:00:00Z","spans_dropped":0,"spans":
                [{{"kind":"query","name":"a_read","start_ms":0.1,"took_ms":0.3,"rows":1}}]}}]}}"#
            );
            return answer("200 OK", "", &flight);
        }
        match (path, header(head, "authorization")) {
            ("/metrics", Some("Bearer secret")) => answer("200 OK", "", METRICS),
            ("/metrics", _) => answer("401 Unauthorized", "", ""),
            _ => answer("200 OK", "Server-Timing: db;dur=0.3\r\n", "ok"),
        }
    })
    .await
}

#[tokio::test]
async fn metrics_and_traces_stand_beside_what_was_measured() {
    let service = service().await;
    let dir = tempfile::tempdir().unwrap();
    let flags = ["run", "--target", &service.address, "--metrics", &service.address];
    let metrics =
        ["--metrics-header", "authorization: Bearer secret", "--metric", "queue_depth:queue"];
    let work = ["--rate", "50", "--duration", "2s", "--path", "/a/1", "--connections", "4"];
    let reports = ["--report-dir", dir.path().to_str().unwrap()];
    let output = run(&[&flags[..], &metrics, &work, &reports, &LENIENT].concat()).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    assert!(output.stdout.contains("\ninside      http://127.0.0.1:"), "{output:?}");

    let run = &json(dir.path())["run"];
    let panels = run["inside"]["panels"].as_array().unwrap();
    let of = |family: &str| panels.iter().find(|panel| panel["family"] == family).unwrap();
    let first = |lines: &Value, name: &str| lines[name][0][1].as_f64().unwrap();
    let depth = &of("queue_depth")["lines"];
    assert_eq!((first(depth, "a"), first(depth, "b")), (3.0, 4.0));
    assert_eq!(first(&of("process_resident_memory_bytes")["lines"], ""), 1e6);
    assert!(
        of("process_cpu_seconds_total")["lines"][""][0].is_array(),
        "a rate by the second look"
    );
    let missing = run["inside"]["missing"].to_string();
    assert!(missing.contains("lateness of the stages") && !missing.contains("memory"), "{missing}");

    let slowest = run["slowest"].as_array().unwrap();
    assert_eq!(slowest.len(), 5);
    let sent: Vec<String> = service.heads().iter().filter_map(|head| trace_of(head)).collect();
    for row in slowest {
        let trace = row["trace_id"].as_str().unwrap();
        assert_eq!(sent.iter().filter(|sent| *sent == trace).count(), 1, "{row}");
        assert_eq!(row["flights"][0]["spans"][0]["name"], "a_read", "{row}");
        assert_eq!(row["server_timing"], "db;dur=0.3");
    }
    let page = std::fs::read_to_string(dir.path().join("run.html")).unwrap();
    for text in ["queue_depth", "query a_read (1 rows)", "service p99, from the send", "steal"] {
        assert!(page.contains(text), "{text} is not on the page");
    }
    let markdown = std::fs::read_to_string(dir.path().join("run.md")).unwrap();
    assert!(markdown.starts_with("### loadtest run: PASS\n"), "{markdown}");
    let xml = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
    assert!(xml.contains("GET:/a/{id}") && xml.contains("failures=\"0\""), "{xml}");
}

/// The trace that a request of the plan began.
fn trace_of(head: &str) -> Option<String> {
    let value = header(head, "traceparent")?;
    let parts: Vec<&str> = value.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "00", "00"), "{value}");
    Some(parts[1].to_owned())
}

#[tokio::test]
async fn the_same_plan_begins_the_same_traces_and_may_begin_none() {
    let mut all = Vec::new();
    for how in ["unsampled", "unsampled", "off"] {
        let service = service().await;
        let dir = tempfile::tempdir().unwrap();
        let flags = ["run", "--target", &service.address, "--traceparent", how];
        let work = ["--rate", "20", "--duration", "1s", "--connections", "2"];
        let reports = ["--report-dir", dir.path().to_str().unwrap()];
        let output = run(&[&flags[..], &work, &reports, &LENIENT].concat()).await;
        assert_eq!(output.status, Some(0), "{output:?}");
        let mut traces: Vec<String> =
            service.heads().iter().filter_map(|head| trace_of(head)).collect();
        traces.sort();
        all.push(traces);
        let why = &json(dir.path())["run"]["slowest"][0]["flights_missing"];
        let expected = if how == "off" { "it began no trace" } else { "the service was not asked" };
        assert_eq!(why, expected);
    }
    assert_eq!((all[0].len(), all[2].len()), (20, 0));
    assert_eq!(all[0], all[1]);
}

#[tokio::test]
async fn metrics_that_are_away_or_garbage_are_one_clear_line() {
    let service = service().await;
    let gone = {
        let toy = Toy::start(|_| String::new()).await;
        toy.address.clone()
    };
    let garbage = format!("{}/a", service.address);
    for (metrics, status, says) in [
        (&gone, 3, "no connection; is the service up?"),
        (&service.address, 3, "/metrics: answered 401"),
        (&garbage, 2, "what it answers is not Prometheus' text format"),
    ] {
        let flags = ["run", "--target", &service.address, "--metrics", metrics];
        let output = run(&[&flags[..], &["--rate", "1", "--duration", "1s"]].concat()).await;
        assert_eq!(output.status, Some(status), "{output:?}");
        assert!(one_line(&output).contains(says), "{output:?}");
    }
}
