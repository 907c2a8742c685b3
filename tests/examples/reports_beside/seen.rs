//! What the service and its primary have counted, at one instant and between two.
//!
//! Never here: what it means.

use tests::app::Service;
use tests::{Scrape, TestApp};

/// What was counted up to now.
pub(super) struct Seen {
    scrape: Scrape,
    claims: i64,
    buffers: i64,
}

impl Seen {
    pub(super) async fn now(app: &TestApp) -> Self {
        let service: &Service = &app.service;
        let counted = "SELECT coalesce(sum(rows), 0)::bigint, \
                       coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint \
                       FROM pg_stat_statements WHERE query ~ 'db_query=''claim_(lanes|heads)'''";
        let rows = app.database.sql.rows(counted, &[]).await;
        Self { scrape: service.scrape().await, claims: rows[0].get(0), buffers: rows[0].get(1) }
    }

    pub(super) fn texts(&self) -> f64 {
        self.scrape.sum("messages_total", &[("fate", "sent")])
    }

    pub(super) fn busy(&self) -> f64 {
        self.scrape.sum("process_cpu_seconds_total", &[])
    }

    pub(super) fn buffers_a_call(&self, before: &Self) -> f64 {
        (self.buffers - before.buffers) as f64 / (self.claims - before.claims).max(1) as f64
    }

    /// The least bound that this share of what came since was below.
    pub(super) fn quantile(&self, before: &Self, of: (&str, &str, &str, &str), q: f64) -> f64 {
        let (_, family, label, value) = of;
        let name = format!("{family}_bucket");
        let labels = [(label, value)];
        let counts = |scrape: &Scrape| -> Vec<(f64, f64)> {
            let mut counts: Vec<(f64, f64)> = scrape
                .all(&name, &labels)
                .map(|sample| (bound(&sample.labels["le"]), sample.value))
                .collect();
            counts.sort_by(|a, b| a.0.total_cmp(&b.0));
            counts
        };
        let (now, then) = (counts(&self.scrape), counts(&before.scrape));
        let since: Vec<(f64, f64)> = now.iter().zip(&then).map(|(a, b)| (a.0, a.1 - b.1)).collect();
        let all = since.last().map_or(0.0, |last| last.1);
        let mut below = (0.0, 0.0);
        for (bound, count) in since {
            if count >= q * all && count > below.1 {
                let share = (q * all - below.1) / (count - below.1);
                return if bound.is_finite() {
                    below.0 + share * (bound - below.0)
                } else {
                    below.0
                };
            }
            below = (bound, count);
        }
        0.0
    }
}

fn bound(text: &str) -> f64 {
    if text == "+Inf" { f64::INFINITY } else { text.parse().expect("a bound is a number") }
}
