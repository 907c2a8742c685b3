//! `alerts/alertmanager.yaml`: who is told, and that one incident is one notification.
//!
//! Belongs here: how Alertmanager wants it written. Never here: when an alert fires (the rules),
//! and what explains what (`roles`).

use std::collections::BTreeSet;

use contract::tier::Tier;

use super::model::{Alert, RuleFile, Severity, one_of};
use super::presence::WATCHDOG;
use super::roles::{self, Explains, Role, Which};
use super::yaml;

/// Prometheus evaluates causes within 15 s and a minute's hold of their beginning, symptoms of the
/// same trouble not much earlier; what comes within half a minute is one notification.
pub(super) const PAGE_WAIT: &str = "30s";

/// What joins an incident that is known is told with the next of these.
const PAGE_INTERVAL: &str = "5m";

/// A page that nobody acted on comes again.
const PAGE_REPEAT: &str = "4h";

const RECEIVERS: &str = "\
receivers:
  - name: pages
    webhook_configs:
      - url: http://alert-receiver:8080/pages
        http_config:
          authorization:
            credentials_file: /etc/alertmanager/secrets/pages
  - name: tickets
    webhook_configs:
      - url: http://alert-receiver:8080/tickets
        http_config:
          authorization:
            credentials_file: /etc/alertmanager/secrets/tickets
  - name: watchdog
    webhook_configs:
      - url: http://alert-receiver:8080/watchdog
        send_resolved: false
        http_config:
          authorization:
            credentials_file: /etc/alertmanager/secrets/watchdog
  - name: nobody
";

pub(super) fn config(rules: &[RuleFile]) -> String {
    [routes(), inhibitions(rules), RECEIVERS.to_owned()].join("\n")
}

fn routes() -> String {
    let [critical, warning, info] =
        [Severity::Critical, Severity::Warning, Severity::Info].map(Severity::name);
    format!(
        r#"# Written by `punctual render`.
#
# Who is told. Every receiver is a webhook: put your own pager in its place. There is no secret in
# this file: a receiver's token is read from the file that is named. (Alertmanager 0.26 and newer
# read a whole secret address from `url_file`; 0.25 doesn't know that for webhooks.)

route:
  receiver: tickets
  # One installation of the service is one job: what fires there at one time is one incident.
  group_by: [job]
  group_wait: 2m
  group_interval: 30m
  # A ticket that is open needs no second one; the next working day it may be asked after.
  repeat_interval: 24h
  routes:
    - receiver: watchdog
      matchers: ['alertname="{WATCHDOG}"']
      group_wait: 0s
      # Whoever watches for it expects one each five minutes.
      group_interval: 1m
      repeat_interval: 5m
    - receiver: pages
      matchers: ['severity="{critical}"']
      group_wait: {PAGE_WAIT}
      group_interval: {PAGE_INTERVAL}
      repeat_interval: {PAGE_REPEAT}
    - receiver: tickets
      matchers: ['severity="{warning}"']
    # To be seen on the dashboards, and told to nobody.
    - receiver: nobody
      matchers: ['severity="{info}"']
"#
    )
}

/// What mutes what.
fn inhibitions(files: &[RuleFile]) -> String {
    let alerts: Vec<&Alert> = files.iter().flat_map(RuleFile::alerts).collect();
    let mut all = Vec::new();
    for (name, role) in roles::table() {
        let Role::Cause(explained) = role else { continue };
        for one in &explained {
            all.extend(of_cause(name, one, &alerts));
        }
    }
    all.extend(of_severities());
    format!("inhibit_rules:\n{}", all.concat())
}

/// One of a cause's rows, so that a ticket mutes no page. Where none of those that it explains
/// matters more than the cause ever does, severities needn't be looked at.
fn of_cause(name: &str, row: &Explains, alerts: &[&Alert]) -> Vec<String> {
    let Explains { why, when, alerts: explained, of, same } = row;
    let are = |names: &[&str], which: &Option<Which>| -> BTreeSet<Severity> {
        let is_of = |alert: &&&Alert| which.as_ref().is_none_or(|which| which.can_be_of(alert));
        let named = alerts.iter().filter(|alert| names.contains(&alert.name));
        named.filter(is_of).map(|alert| alert.severity).collect()
    };
    let matchers = |names: &[&str], which: &Option<Which>, severities: Option<&[Severity]>| {
        let names = one_of("alertname", names);
        let which = which.as_ref().map(|which| one_of(which.label, &which.values));
        let severities = severities.map(|severities| {
            let names: Vec<&str> = severities.iter().copied().map(Severity::name).collect();
            one_of("severity", &names)
        });
        [Some(names), severities, which].into_iter().flatten().collect::<Vec<_>>()
    };
    let (causes, others) = (are(&[name], when), are(explained, of));
    if others.last() <= causes.first() {
        let (source, target) = (matchers(&[name], when, None), matchers(explained, of, None));
        return vec![inhibition(why, &source, &target, same)];
    }
    let each = |cause: &Severity| {
        let lesser: Vec<Severity> =
            Severity::ALL.into_iter().filter(|severity| severity <= cause).collect();
        let lesser = (*cause < Severity::Critical).then_some(&*lesser);
        let source = matchers(&[name], when, Some(&[*cause]));
        inhibition(why, &source, &matchers(explained, of, lesser), same)
    };
    let has_lesser = |cause: &&Severity| others.iter().any(|other| other <= *cause);
    causes.iter().rev().filter(has_lesser).map(each).collect()
}

/// What is told already in a worse way.
fn of_severities() -> [String; 3] {
    let [info, warning, critical] =
        [Severity::Info, Severity::Warning, Severity::Critical].map(Severity::name);
    let burn = r#"burn="true""#.to_owned();
    let is_critical = format!("severity=\"{critical}\"");
    let is_less = one_of("severity", &[warning, info]);
    let [critical_tier, rest] =
        [&[Tier::Critical][..], &[Tier::Standard, Tier::Reporting]].map(|tiers: &[Tier]| {
            let names: Vec<&str> = tiers.iter().copied().map(Tier::name).collect();
            one_of("slo_tier", &names)
        });
    [
        inhibition(
            "By tier: while a critical path pages for its budget, budgets that matter less wait.",
            &[burn.clone(), critical_tier, is_critical.clone()],
            &[burn.clone(), rest],
            &[],
        ),
        inhibition(
            "A path that burns fast burns slowly as well: the page is enough. Labels that neither \
             has are equal.",
            &[burn.clone(), is_critical.clone()],
            &[burn, is_less.clone()],
            &["http_route", "journey", "stage", "slo"],
        ),
        inhibition(
            "What pages needs no ticket of the same name about the same thing.",
            &[is_critical],
            &[is_less],
            &[
                "alertname",
                "instance",
                "device",
                "pool",
                "space",
                "stage",
                "http_route",
                "journey",
                "slo",
            ],
        ),
    ]
}

fn inhibition(why: &str, source: &[String], target: &[String], same: &[&str]) -> String {
    let quoted = |matchers: &[String]| {
        matchers.iter().map(|one| format!("'{one}'")).collect::<Vec<_>>().join(", ")
    };
    let equal = [&["job"][..], same].concat().join(", ");
    format!(
        "{}  - source_matchers: [{}]\n    target_matchers: [{}]\n    equal: [{equal}]\n",
        yaml::comment(why, 2),
        quoted(source),
        quoted(target),
    )
}
