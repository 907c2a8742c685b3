//! The dashboards, proved without Grafana: their files by its rules (`lint`), their expressions by
//! what they mean (`units`), their tables by how long they can be (`tables`), and every query
//! against a real Prometheus that scrapes the service at work (`live`); and the runbook, by what is
//! read off them and the rules (`runbook`).
//!
//! Never here: how a dashboard is made; they are read as the files that people install.

mod file;
mod lint;
mod live;
mod promql;
mod rules;
mod runbook;
mod tables;
mod units;
