//! Other load generators: how each is asked for ten seconds at 1,000 requests a second (or for what
//! it can, where it knows no rate), and how its report is read.
//!
//! Never here: judging them.

use serde_json::Value;

use super::{CONNECTIONS, RATE, SECONDS};

/// What a tool says that it saw, as far as it says it; latencies in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) requests: Option<u64>,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) p999: Option<f64>,
}

/// A load generator.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) program: &'static str,
    pub(super) arguments: fn(&str) -> Vec<String>,
    pub(super) read: fn(&str) -> Option<Seen>,
}

/// All that are known.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "wrk (no rate)",
        program: "wrk",
        arguments: |url| words(&format!("-t1 -c{CONNECTIONS} -d{SECONDS}s --latency {url}")),
        read: wrk,
    },
    Tool {
        name: "wrk2 -R",
        program: "wrk2",
        arguments: |url| {
            words(&format!("-t1 -c{CONNECTIONS} -d{SECONDS}s -R{RATE} --latency {url}"))
        },
        read: wrk,
    },
    Tool {
        name: "hey -q",
        program: "hey",
        arguments: |url| {
            let (workers, each) = (RATE / 20, 20);
            words(&format!("-z {SECONDS}s -c {workers} -q {each} {url}"))
        },
        read: hey,
    },
    Tool {
        name: "oha -q",
        program: "oha",
        arguments: |url| words(&format!("{} {url}", oha_flags())),
        read: oha,
    },
    Tool {
        name: "oha -q --latency-correction",
        program: "oha",
        arguments: |url| words(&format!("{} --latency-correction {url}", oha_flags())),
        read: oha,
    },
    Tool {
        name: "autocannon -R",
        program: "autocannon",
        arguments: |url| words(&format!("-j -c {CONNECTIONS} -d {SECONDS} -R {RATE} {url}")),
        read: autocannon,
    },
];

fn oha_flags() -> String {
    format!("--no-tui --output-format json -c {CONNECTIONS} -z {SECONDS}s -q {RATE}")
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// `99%   48.03ms` and `10023 requests in 10.00s`, also wrk2's `99.900%    1.02s`.
fn wrk(output: &str) -> Option<Seen> {
    let mut seen = Seen::default();
    for line in output.lines() {
        let mut words = line.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if second == "requests" {
            seen.requests = first.parse().ok();
        }
        let Some(percent) = first.strip_suffix('%').and_then(|p| p.parse::<f64>().ok()) else {
            continue;
        };
        for (wanted, point) in
            [(95.0, &mut seen.p95), (99.0, &mut seen.p99), (99.9, &mut seen.p999)]
        {
            if (percent - wanted).abs() < 1e-9 {
                *point = unit(second);
            }
        }
    }
    seen.p99.map(|_| seen)
}

/// `850.00us`, `48.03ms`, `1.02s`, `1.10m`.
fn unit(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[number.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

/// `99% in 0.0465 secs` and `[200]`, a tab and `10000 responses`.
fn hey(output: &str) -> Option<Seen> {
    let mut seen = Seen::default();
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["95%", "in", seconds, "secs"] => seen.p95 = seconds.parse().ok(),
            ["99%", "in", seconds, "secs"] => seen.p99 = seconds.parse().ok(),
            ["[200]", responses, "responses"] => seen.requests = responses.parse().ok(),
            _ => {}
        }
    }
    seen.p99.map(|_| seen)
}

/// A document with `latencyPercentiles` in seconds and `statusCodeDistribution`.
fn oha(output: &str) -> Option<Seen> {
    let json = document(output)?;
    let at = |point: &str| json["latencyPercentiles"][point].as_f64();
    Some(Seen {
        requests: json["statusCodeDistribution"]["200"].as_u64(),
        p95: at("p95"),
        p99: Some(at("p99")?),
        p999: at("p99.9"),
    })
}

/// A document with `latency` in milliseconds; it has no 95th percentile.
fn autocannon(output: &str) -> Option<Seen> {
    let json = document(output)?;
    let at = |point: &str| json["latency"][point].as_f64().map(|ms| ms / 1e3);
    Some(Seen {
        requests: json["2xx"].as_u64(),
        p95: None,
        p99: Some(at("p99")?),
        p999: at("p99_9"),
    })
}

/// The JSON in an output that may begin or end with something else.
fn document(output: &str) -> Option<Value> {
    let json = &output[output.find('{')?..=output.rfind('}')?];
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_report_is_read() {
        let seen = |requests, p95, p99, p999| Some(Seen { requests, p95, p99, p999 });
        let of_wrk = "  Latency Distribution\n     50%  850.00us\n     99%   48.03ms\n  \
                      10023 requests in 10.00s, 1.2MB read\n";
        assert_eq!(wrk(of_wrk), seen(Some(10_023), None, Some(0.04803), None));
        let of_wrk2 = " 50.000%    1.03ms\n 99.000%  809.47ms\n 99.900%    0.98s\n";
        assert_eq!(wrk(of_wrk2), seen(None, None, Some(0.80947), Some(0.98)));
        let of_hey = "  95% in 0.0081 secs\n  99% in 0.0300 secs\n\nStatus code distribution:\n  \
                      [200]\t9800 responses\n";
        assert_eq!(hey(of_hey), seen(Some(9_800), Some(0.0081), Some(0.03), None));
        let of_oha = r#"{"latencyPercentiles":{"p95":0.5,"p99":0.9,"p99.9":0.99},
                        "statusCodeDistribution":{"200":10000}}"#;
        assert_eq!(oha(of_oha), seen(Some(10_000), Some(0.5), Some(0.9), Some(0.99)));
        let of_autocannon = "Running…\n{\"2xx\":10000,\"latency\":{\"p99\":866,\"p99_9\":990}}\n";
        assert_eq!(autocannon(of_autocannon), seen(Some(10_000), None, Some(0.866), Some(0.99)));
        for read in [wrk, hey, oha, autocannon] {
            assert_eq!(read("connection refused"), None);
        }
    }
}
