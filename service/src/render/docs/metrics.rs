//! `docs/metrics.md`, from the table of families and those of the labels' values.

use contract::{Family, Fate, Journey, Limit, Pool, QueryOutcome, RequestOutcome, Stage};

use super::{row, rule};

pub(super) fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\nWritten by `punctual render` from `service/contract/src/family.rs`. Served \
         at `/metrics` of the admin listener, as text 0.0.4 or OpenMetrics with exemplars, \
         whichever the scraper prefers, compressed where it says that it can read that. Every \
         series that can exist is there at zero from the start; labels come from closed sets, \
         never from a request. The trace of an example is one that `/debug/requests/{trace_id}` \
         had at the time of the scrape.\n\n",
    );
    page += &row(["Family", "Kind", "Unit", "Labels", "What it is"]);
    page += &rule::<5>();
    for family in Family::ALL {
        let spec = family.spec();
        let labels: Vec<String> = spec.labels.iter().map(|label| format!("`{label}`")).collect();
        page += &row([
            &format!("`{}`", family.name()),
            spec.kind.name(),
            family.unit().unwrap_or(""),
            &labels.join(", "),
            family.help(),
        ]);
    }
    page += "\n## Deploys\n\n`deploy_timestamp_seconds` is remembered by the database: the first \
             process of another build (another version or revision in `build_info`) notes the \
             time, and all later ones of that build say the same, however often they start. So it \
             is a deploy, and a rollback is one too. The age of the program's file is not asked: \
             an image or a package has it from where it was made. It is 0 until the database was \
             reached. The same build put in place again is no deploy; `process_start_time_seconds` \
             tells when each process began. The dashboards mark both.\n";
    page += "\n## Labels\n\n";
    page += &row(["Label", "Values"]);
    page += &rule::<2>();
    page += &row(["`http_route`", "an endpoint of `docs/endpoints.md`, or `unmatched`"]);
    page += &row(["`db_query_name`", "a statement of `docs/queries.md`"]);
    let with_a_level = Limit::ALL.iter().filter(|row| row.spec().has_level);
    let lists = [
        ("`outcome` of requests", list(RequestOutcome::ALL.iter().map(|row| row.name()))),
        ("`outcome` of statements", list(QueryOutcome::ALL.iter().map(|row| row.name()))),
        ("`stage`", list(Stage::ALL.iter().map(|row| row.name()))),
        ("`journey`", list(Journey::ALL.iter().map(|row| row.name()))),
        ("`fate`", list(Fate::ALL.iter().map(|row| row.name()))),
        ("`pool`", list(Pool::ALL.iter().map(|row| row.name()))),
        ("`limit`", list(Limit::ALL.iter().map(|row| row.name()))),
        ("`limit` of `limit_used_ratio`", list(with_a_level.map(|row| row.name()))),
    ];
    for (label, values) in &lists {
        page += &row([label, values]);
    }
    page
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
