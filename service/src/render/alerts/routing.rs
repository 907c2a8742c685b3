//! `alerts/alertmanager.yaml`: who is told, and that one incident is one notification.
//!
//! Never here: when an alert fires (the rules).

use super::model::{Role, Severity};
use super::presence::WATCHDOG;

/// Prometheus evaluates causes within 15 s and a minute's hold of their beginning, symptoms of the
/// same trouble not much earlier; what comes within half a minute is one notification.
const PAGE_WAIT: &str = "30s";

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

pub(super) fn config() -> String {
    [routes(), inhibitions(), RECEIVERS.to_owned()].join("\n")
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

fn inhibitions() -> String {
    let (cause, symptom) = (Role::Cause.name(), Role::Symptom.name());
    let [critical, warning, info] =
        [Severity::Critical, Severity::Warning, Severity::Info].map(Severity::name);
    format!(
        r#"inhibit_rules:
  # A cause that pages is the incident: its symptoms are told once it is mended and they stay.
  # (An exhausted pool is why endpoints are slow.)
  - source_matchers: ['role="{cause}"', 'severity="{critical}"']
    target_matchers: ['role="{symptom}"']
    equal: [job]
  # Causes that don't page are looked at with the one that does.
  - source_matchers: ['role="{cause}"', 'severity="{critical}"']
    target_matchers: ['role="{cause}"', 'severity=~"{warning}|{info}"']
    equal: [job]
  # By tier: while a critical path pages, those that matter less wait.
  - source_matchers: ['slo_tier="critical"', 'severity="{critical}"']
    target_matchers: ['role="{symptom}"', 'slo_tier=~"standard|reporting"']
    equal: [job]
  # A path that burns fast burns slowly as well: the page is enough. Labels that neither has are
  # equal.
  - source_matchers: ['burn="true"', 'severity="{critical}"']
    target_matchers: ['burn="true"', 'severity=~"{warning}|{info}"']
    equal: [job, http_route, journey, stage]
  # Without any process, each of them is down.
  - source_matchers: ['alertname="PunctualDown"']
    target_matchers: ['alertname=~"PunctualInstanceDown|PunctualMetricsAbsent"']
    equal: [job]
"#
    )
}
