//! `dashboards/provisioning/`: what Grafana reads at its start (where the dashboards are, where the
//! data is), and what Prometheus scrapes. `compose.yaml` mounts them; who has a Grafana already
//! copies what fits.
//!
//! Never here: an address of somebody's network; those come from the environment, or are names
//! that `compose.yaml` gives.

use crate::render::File;
use crate::render::alerts::NODE_JOB;

/// How often Prometheus scrapes. Grafana has to know: a window shorter than four of these may hold
/// one sample, from which there is no rate.
pub(in crate::render) const SCRAPE_SECONDS: u32 = 15;

/// The job under which the service's processes are scraped.
const JOB: &str = "punctual";

const WRITTEN: &str =
    "# Written by `punctual render`; change service/src/render/dashboards/provisioning.rs.\n";

pub(super) fn files() -> Vec<File> {
    let file = |path: &str, text: String| File {
        path: format!("dashboards/provisioning/{path}"),
        text: format!("{WRITTEN}{text}"),
    };
    vec![
        file("dashboards/punctual.yaml", dashboards()),
        file("datasources/punctual.yaml", datasources()),
        file("prometheus/prometheus.yaml", prometheus()),
    ]
}

/// Files are the truth: what is changed in the browser is not kept.
fn dashboards() -> String {
    "\
apiVersion: 1
providers:
  - name: punctual
    folder: Punctual
    type: file
    disableDeletion: true
    allowUiUpdates: false
    updateIntervalSeconds: 60
    options:
      path: /srv/dashboards
"
    .to_owned()
}

/// An example leads to the process that kept the request. Which of two that is, no example says:
/// there is a link to each. `$$` is a dollar sign that is not the environment's.
fn datasources() -> String {
    let links = [1, 2].map(|n| {
        format!(
            "        - name: trace_id
          url: $ADMIN_URL_{n}/debug/requests/$${{__value.raw}}
          urlDisplayLabel: Waterfall, process {n}
"
        )
    });
    format!(
        "\
apiVersion: 1
datasources:
  - name: Prometheus
    uid: prometheus
    type: prometheus
    access: proxy
    url: $PROMETHEUS_URL
    isDefault: true
    editable: false
    jsonData:
      httpMethod: POST
      timeInterval: {SCRAPE_SECONDS}s
      exemplarTraceIdDestinations:
{}",
        links.concat()
    )
}

fn prometheus() -> String {
    format!(
        "\
global:
  scrape_interval: {SCRAPE_SECONDS}s
  evaluation_interval: {SCRAPE_SECONDS}s
rule_files:
  - /etc/prometheus/rendered/alerts/*.rules.yaml
alerting:
  alertmanagers:
    - static_configs:
        - targets: ['alertmanager:9093']
scrape_configs:
  - job_name: {JOB}
    static_configs:
      - targets: ['punctual-1:8081', 'punctual-2:8181']
  - job_name: {NODE_JOB}
    static_configs:
      - targets: ['node-exporter:9100']
  - job_name: prometheus
    static_configs:
      - targets: ['localhost:9090']
"
    )
}
