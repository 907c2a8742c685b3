//! Rules and cases as YAML: short texts as JSON's strings, which are YAML's too, and long ones as
//! blocks, so that people can read them.
//!
//! Never here: what stands in them.

use std::fmt::Write as _;

use super::super::File;
use super::case::{Case, CaseFile, Fires, RowsFire, is_of};
use super::model::{Alert, Group, Record, Rule, RuleFile};

/// How each of these files begins: what begins otherwise is somebody else's.
pub(in crate::render) const WRITTEN: &str = "# Written by `punctual render`";

/// Columns of a comment or of a folded text.
const COLUMNS: usize = 96;

pub(super) fn rules(file: &RuleFile) -> File {
    let RuleFile { name, about, groups } = file;
    let mut out = format!("{WRITTEN} from the contract's tables.\n");
    out += &comment(about, 0);
    out += "\ngroups:\n";
    for Group { name, interval, rules } in groups {
        _ = write!(out, "  - name: {name}\n    interval: {interval}\n    rules:\n");
        let texts: Vec<String> = rules.iter().map(rule).collect();
        out += &texts.join("\n");
    }
    File { path: format!("alerts/{name}.rules.yaml"), text: out }
}

fn rule(rule: &Rule) -> String {
    match rule {
        Rule::Record(Record { name, why, expr, labels }) => {
            let mut out = comment(why, 6);
            _ = writeln!(out, "      - record: {name}");
            out += &block("expr", expr, 8);
            out += &map("labels", labels, 8);
            out
        }
        Rule::Alert(alert) => {
            let mut out = comment(&alert.why, 6);
            _ = writeln!(out, "      - alert: {}", alert.name);
            out += &block("expr", &alert.expr, 8);
            _ = writeln!(out, "        for: {}", alert.hold);
            if let Some(keep) = alert.keep {
                _ = writeln!(out, "        keep_firing_for: {keep}");
            }
            out += &map("labels", &alert.all_labels(), 8);
            out += "        annotations:\n";
            for (name, text) in alert.annotations() {
                out += &folded(name, &text, 10);
            }
            out
        }
    }
}

pub(super) fn cases(file: &CaseFile, rules: &[RuleFile]) -> File {
    let CaseFile { name, rules: about, interval, evaluation, cases } = file;
    let mut out = format!(
        "{WRITTEN}: for each alert when it fires, and when it must not.\n\
         # Run by `promtool test rules`.\n\n\
         rule_files:\n  - ../{about}.rules.yaml\nevaluation_interval: {evaluation}\n"
    );
    // One group may be made of another's series: without an order promtool takes any.
    let of_file = rules.iter().filter(|file| file.name == *about);
    let groups: Vec<&str> = of_file.flat_map(|file| &file.groups).map(|group| group.name).collect();
    _ = writeln!(out, "group_eval_order: [{}]\ntests:", groups.join(", "));
    let all: Vec<&Alert> = rules.iter().flat_map(RuleFile::alerts).collect();
    let texts: Vec<String> = cases.iter().map(|one| case(one, interval, &all)).collect();
    out += &texts.join("\n");
    File { path: format!("alerts/tests/{name}.yaml"), text: out }
}

fn case(case: &Case, interval: &str, alerts: &[&Alert]) -> String {
    let Case { alert, story, series, at, fires, rows } = case;
    let is_silent = fires.is_empty() && rows.is_empty();
    let verdict = if is_silent { "silent" } else { "fires" };
    let mut out = comment(&format!("{alert}, {verdict}: {story}."), 2);
    _ = writeln!(out, "  - interval: {interval}\n    input_series:");
    for (name, values) in series {
        _ = writeln!(out, "      - series: '{name}'\n        values: '{values}'");
    }
    if !rows.is_empty() {
        out += "    promql_expr_test:\n";
        out.extend(rows.iter().map(|rows| each_row(alert, at, rows)));
        return out;
    }
    _ = writeln!(out, "    alert_rule_test:\n      - eval_time: {at}\n        alertname: {alert}");
    if is_silent {
        out += "        exp_alerts: []\n";
        return out;
    }
    out += "        exp_alerts:\n";
    for Fires { rule, labels, says } in fires {
        let of = alerts.iter().find(|of| of.name == *alert && is_of(rule, of));
        let of = of.unwrap_or_else(|| panic!("no rule {alert} with {rule:?}"));
        let mut all = of.all_labels();
        // What a rule sets takes the place of what its series has.
        all.extend(labels.iter().cloned());
        out += &map("- exp_labels", &all, 10);
        out += "            exp_annotations:\n";
        for (name, text) in of.annotations() {
            let text = if name == "description" { says.clone() } else { filled(text, &all) };
            out += &folded(name, &text, 14);
        }
    }
    out
}

/// A template of an address, with the labels of what fires.
fn filled(template: String, labels: &[(&'static str, String)]) -> String {
    labels.iter().fold(template, |text, (name, value)| {
        text.replace(&format!("{{{{$labels.{name}}}}}"), value)
    })
}

/// That each row of a rule fires, once.
fn each_row(alert: &str, at: &str, rows: &RowsFire) -> String {
    let RowsFire { rule, label, rows } = rows;
    let labels: String =
        rule.iter().map(|(name, value)| format!(",{name}={}", quoted(value))).collect();
    let firing = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"{labels}}}");
    let mut out = format!("      - expr: 'count by ({label}) ({firing})'\n");
    _ = writeln!(out, "        eval_time: {at}\n        exp_samples:");
    for row in rows {
        _ = writeln!(out, "          - {{ labels: '{{{label}=\"{row}\"}}', value: 1 }}");
    }
    out
}

fn map(name: &str, pairs: &[(&'static str, String)], indent: usize) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let inner = indent + if name.starts_with('-') { 4 } else { 2 };
    let mut out = format!("{:indent$}{name}:\n", "");
    for (name, value) in pairs {
        _ = writeln!(out, "{:inner$}{name}: {}", "", quoted(value));
    }
    out
}

/// An expression as it was written.
fn block(name: &str, text: &str, indent: usize) -> String {
    let mut out = format!("{:indent$}{name}: |-\n", "");
    for line in text.lines() {
        _ = writeln!(out, "{:indent$}  {line}", "");
    }
    out
}

/// A text that YAML puts together again: a line's end is a space.
fn folded(name: &str, text: &str, indent: usize) -> String {
    let mut out = format!("{:indent$}{name}: >-\n", "");
    for line in wrapped(text, COLUMNS - indent - 2) {
        _ = writeln!(out, "{:indent$}  {line}", "");
    }
    out
}

pub(super) fn comment(text: &str, indent: usize) -> String {
    let lines = wrapped(text, COLUMNS - indent - 2);
    lines.iter().map(|line| format!("{:indent$}# {line}\n", "")).collect()
}

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wrapped_at_words_and_lose_nothing() {
        let text = "one two three four";
        assert_eq!(wrapped(text, 9), ["one two", "three", "four"]);
        assert_eq!(wrapped(text, 9).join(" "), text);
        assert_eq!(folded("x", "a b", 2), "  x: >-\n    a b\n");
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
    }
}
