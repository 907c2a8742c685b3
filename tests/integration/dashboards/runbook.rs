//! The runbook: each alert's section says what it means, what to look at and what usually mends it,
//! and what it sends its reader to is there: series, statements, commands, pages, panels, sections.
//!
//! Never here: that each alert has a section (`service/src/render/alerts`), or where alerts lead
//! (`rules`).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use contract::{Endpoint, Family, Journey, Limit};
use tests::{TestDatabase, binary};

use super::file::{Dashboard, dashboards, list, root, text};
use super::promql::Parsed;
use super::rules::{OF_PROMETHEUS, anchors, recorded};
use crate::alerts::{OF_NODE_EXPORTER, family};

const RUNBOOK: &str = "runbook.md";

/// Series that Prometheus and Alertmanager have of themselves.
const OF_THE_WATCHERS: [&str; 2] =
    ["prometheus_notifications_dropped_total", "alertmanager_notifications_failed_total"];

/// Words that look like the name of a series, with what they are.
const WORDS: [(&str, &str); 6] = [
    ("attempt_outcome", "a table"),
    ("max_standby_streaming_delay", "a setting of PostgreSQL"),
    ("other_history", "a reason"),
    ("provider_ref", "a field of a residual"),
    ("punctual::request", "a target of the log"),
    ("transaction_id", "a space of numbers"),
];

fn document(name: &str) -> Option<String> {
    std::fs::read_to_string(root().join("docs").join(name)).ok()
}

static SETTINGS: LazyLock<String> = LazyLock::new(|| document("config.md").unwrap());

/// What stands between backticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// For Prometheus.
    Expression,
    /// For PostgreSQL.
    Statement,
    /// Of the service's own program.
    Command,
    /// Of the machine's programs.
    Tool,
    /// Of the service.
    Page,
    Board,
    /// A value, a name: nothing to look with.
    Word,
}

impl Kind {
    fn of(code: &str) -> Self {
        match code.split(' ').next().unwrap_or_default() {
            "SELECT" | "UPDATE" => Self::Statement,
            "punctual" => Self::Command,
            "df" | "du" | "ls" => Self::Tool,
            "GET" | "POST" | "PUT" | "DELETE" => Self::Page,
            first if first.starts_with('/') => Self::Page,
            first if first.starts_with("punctual-") => Self::Board,
            _ if is_expression(code) => Self::Expression,
            _ => Self::Word,
        }
    }
}

/// It calls or selects something, or is a name as series have it.
fn is_expression(code: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    let is_name = code.contains(['_', ':']) && code.chars().all(is_of_name);
    let is_of_postgres = code.starts_with("pg_") || code.starts_with(|c: char| c.is_uppercase());
    let is_known = WORDS.iter().any(|(word, _)| *word == code)
        || Journey::from_name(code).is_some()
        || Limit::from_name(code).is_some()
        || SETTINGS.contains(&format!("| `{code}` |"));
    (is_name || code.contains(['(', '{', '['])) && !is_of_postgres && !is_known
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between backticks, each in one line.
fn codes(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(in_one_line).collect()
}

/// Where links lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// The alerts with what stands about each.
fn sections(runbook: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = runbook.split("\n### ").skip(1);
    let parts = parts.map(|part| part.split_once("\n## ").map_or(part, |(part, _)| part));
    parts.map(|part| part.split_once('\n').unwrap_or((part, "")))
}

/// What to look at, in a section that has its three parts in their order.
fn look_at(section: &str) -> Option<&str> {
    let (means, rest) = section.strip_prefix("\n**Means.** ")?.split_once("\n\n**Look at.** ")?;
    let (look, usually) = rest.split_once("\n\n**Usually.** ")?;
    let is_empty = [means, look, usually].iter().any(|part| part.trim().is_empty());
    (!is_empty).then_some(look)
}

/// Everything that is wrong with it, as far as nobody has to be asked.
fn mistakes(runbook: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, section) in sections(runbook) {
        match look_at(section) {
            None => found.push(format!("{name}: not of three parts")),
            Some(look) if !has_tool(look) => found.push(format!("{name}: nothing to look with")),
            Some(_) => {}
        }
    }
    let (boards, recorded) = (dashboards(), recorded());
    let codes = codes(runbook).into_iter();
    found.extend(codes.filter(|code| !is_there(code, &boards, &recorded)));
    found.extend(links(runbook).filter(|target| !leads(target)).map(str::to_owned));
    found.extend(not_named(runbook, &boards));
    found
}

fn has_tool(look: &str) -> bool {
    links(look).next().is_some() || codes(look).iter().any(|code| Kind::of(code) != Kind::Word)
}

fn is_there(code: &str, boards: &[Dashboard], recorded: &BTreeSet<String>) -> bool {
    match Kind::of(code) {
        Kind::Expression => is_of_series(code, recorded),
        Kind::Page => is_page(code),
        Kind::Board => boards.iter().any(|board| board.uid == code),
        // Who knows is asked below; or nobody does.
        Kind::Statement | Kind::Command | Kind::Tool | Kind::Word => true,
    }
}

/// By itself a histogram's name says where to look; an expression needs what Prometheus has.
fn is_of_series(code: &str, recorded: &BTreeSet<String>) -> bool {
    let has = |name: &String| {
        let is = |other: &str| other == name;
        // Of any name.
        name.is_empty()
            || family(name).is_some()
            || recorded.contains(name)
            || OF_PROMETHEUS.into_iter().chain(OF_THE_WATCHERS).any(is)
            || OF_NODE_EXPORTER.iter().any(|(other, _)| is(other))
    };
    // What its reader puts in is some name.
    let parsed = Parsed::read(&code.replace('…', "x"));
    Family::from_name(code).is_some() || parsed.is_ok_and(|parsed| parsed.names().iter().all(has))
}

/// An endpoint by its address, or a folder of some.
fn is_page(code: &str) -> bool {
    let (method, address) = code.split_once(' ').unwrap_or(("GET", code));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let names: Vec<&str> = pairs.filter_map(|pair| pair.split('=').next()).collect();
    let folder = format!("{path}/");
    Endpoint::ALL.iter().map(|row| row.spec()).any(|spec| {
        let is_it = spec.path == path && spec.method.name() == method;
        let takes = names.iter().all(|name| spec.params.contains(name));
        (is_it && takes) || (code == path && spec.path.starts_with(&folder))
    })
}

/// Whether there is such a document, or such a section.
fn leads(target: &str) -> bool {
    let (name, anchor) = target.split_once('#').unwrap_or((target, ""));
    let text = document(if name.is_empty() { RUNBOOK } else { name });
    text.is_some_and(|text| anchor.is_empty() || anchors(&text).contains(anchor))
}

/// Alerts and panels that are spoken of, and aren't there.
fn not_named(runbook: &str, boards: &[Dashboard]) -> Vec<String> {
    let prose: String = runbook.split('`').step_by(2).collect();
    let prose = prose.replace("**", "");
    let shown = boards.iter().flat_map(|board| list(&board.json["panels"]));
    let titles: BTreeSet<&str> = shown.map(|panel| text(&panel["title"])).collect();
    let panels = prose.split('*').skip(1).step_by(2).map(in_one_line);
    let mut missing: Vec<String> = panels.filter(|it| !titles.contains(it.as_str())).collect();
    let alerts: BTreeSet<&str> = sections(runbook).map(|(name, _)| name).collect();
    let words = prose.split(|c: char| !c.is_ascii_alphanumeric());
    let spoken = words.filter(|word| word.starts_with("Punctual") && *word != "Punctual");
    missing.extend(spoken.filter(|word| !alerts.contains(word)).map(str::to_owned));
    missing
}

fn runbook() -> String {
    document(RUNBOOK).unwrap()
}

/// What stands there of a kind.
fn of(kind: Kind) -> BTreeSet<String> {
    codes(&runbook()).into_iter().filter(|code| Kind::of(code) == kind).collect()
}

#[test]
fn each_alert_says_what_to_look_at_and_that_is_there() {
    let runbook = runbook();
    assert_eq!(mistakes(&runbook), [""; 0]);
    assert!(sections(&runbook).count() > 30 && of(Kind::Expression).len() > 30);
    let stale = WORDS.iter().filter(|(word, _)| !runbook.contains(&format!("`{word}`")));
    assert_eq!(stale.count(), 0, "a word that isn't there any more");
}

/// It is typed as it stands there, at night.
#[tokio::test]
async fn its_commands_are_the_programs_own() {
    let commands = of(Kind::Command);
    assert!(commands.contains("punctual reconcile --provider"), "{commands:?}");
    for command in &commands {
        let arguments: Vec<&str> = command.split(' ').skip(1).chain(["--help"]).collect();
        let told = binary::run(&arguments, &[]).await;
        assert_eq!(told.status, Some(0), "{command}: {}", told.stderr);
    }
}

#[tokio::test]
async fn its_statements_are_about_what_the_database_has() {
    let database = TestDatabase::new().await;
    let statements = of(Kind::Statement);
    assert!(statements.len() > 5, "{statements:?}");
    for statement in &statements {
        // Of a session that its reader has found.
        database.sql.columns(&statement.replace("(pid)", "(0)")).await;
    }
}

#[test]
fn what_is_wrong_is_found() {
    let good = r#"`up{job="punctual"} == 0`"#;
    let with = |look: &str| {
        let head = "# Runbook\n\n## Presence\n\n### PunctualDown\n\n**Means.** It is down.";
        format!("{head}\n\n**Look at.** {look}\n\n**Usually.** Start it.\n")
    };
    assert_eq!(mistakes(&with(good)), [""; 0]);
    let missing = "PunctualDown: not of three parts";
    for part in ["**Means.** ", "**Look at.** ", "**Usually.** "] {
        assert!(mistakes(&with(good).replace(part, "")).contains(&missing.to_owned()), "{part}");
    }
    let nothing = "PunctualDown: nothing to look with";
    for (look, expected) in [
        ("Its log.", nothing),
        ("The log's lines with `stage=fold`.", nothing),
        ("`pending_mesages`", "pending_mesages"),
        ("`rate(stage_duration_seconds[5m])`", "rate(stage_duration_seconds[5m])"),
        ("`sum(up{job=\"punctual\"}`", "sum(up{job=\"punctual\"}"),
        ("`punctual-nowhere`", "punctual-nowhere"),
        ("`/debug/fast`", "/debug/fast"),
        ("`/debug/slow?rout=x`", "/debug/slow?rout=x"),
        ("`GET /admin/stages/{stage}`", "GET /admin/stages/{stage}"),
        ("[that](#punctualnobody)", "#punctualnobody"),
        ("[that](nowhere.md)", "nowhere.md"),
        ("*Nothing shown* on `punctual-overview`", "Nothing shown"),
        ("`up{}`, see PunctualNobody", "PunctualNobody"),
    ] {
        assert_eq!(mistakes(&with(look)), [expected], "{look}");
    }
    assert!(is_page("/debug/slow?route=…") && is_page("/debug") && is_page("/healthz"));
}
