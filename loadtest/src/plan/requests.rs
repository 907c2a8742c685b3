//! Which request arrives, where a source has only times: one, or a mix by weight from a file.
//!
//! Never here: when it arrives.

use std::path::Path;

use super::build::{Builder, Wanted};
use super::lines::Lines;
use super::trace::{Line, said};
use super::{Arrival, PlanError};
use crate::day::draw::{Draw, Purpose};

/// Requests with the share of each.
#[derive(Debug)]
pub(super) struct Mix {
    requests: Vec<u32>,
    /// Sums of the weights up to each, the last one being 1.
    up_to: Vec<f64>,
}

impl Mix {
    pub(super) fn one(builder: &mut Builder, wanted: Wanted) -> Result<Self, PlanError> {
        let request =
            builder.request(wanted).map_err(|refused| PlanError::Wrong(refused.into()))?;
        Ok(Self { requests: vec![request], up_to: vec![1.0] })
    }

    /// Reads NDJSON: `method, path, body?, headers?, name?, weight?`.
    pub(super) fn read(builder: &mut Builder, file: &Path) -> Result<Self, PlanError> {
        let mut lines = Lines::open(file)?;
        let (mut requests, mut up_to, mut total) = (Vec::new(), Vec::new(), 0.0);
        while let Some((_, text)) = lines.next()? {
            let line = serde_json::from_str::<Line>(&text);
            let line = line.map_err(|error| lines.wrong(said(&error)))?;
            let weight = line.weight.unwrap_or(1.0);
            if !(weight > 0.0 && weight.is_finite()) {
                return Err(lines.wrong(format!("the weight {weight} is not above 0")));
            }
            total += weight;
            up_to.push(total);
            let request = line.wanted().and_then(|wanted| Ok(builder.request(wanted)?));
            requests.push(request.map_err(|what| lines.wrong(what))?);
        }
        if requests.is_empty() {
            return Err(PlanError::Wrong(format!("{}: has no requests", file.display())));
        }
        up_to.iter_mut().for_each(|sum| *sum /= total);
        Ok(Self { requests, up_to })
    }

    /// A request for each of these instants; the same seed gives the same ones.
    pub(super) fn arrivals(&self, instants: &[u64], seed: u64) -> Vec<Arrival> {
        let mut draw = Draw::new(seed, Purpose::Mix, 0);
        let mut request = || match self.requests[..] {
            [only] => only,
            ref several => {
                let at = draw.unit();
                let found = self.up_to.partition_point(|sum| *sum <= at);
                several[found.min(several.len() - 1)]
            }
        };
        let arrival = |&intended_ns| Arrival { intended_ns, request: request() };
        instants.iter().map(arrival).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::super::routes::Routes;
    use super::*;

    #[test]
    fn a_mix_has_its_shares_and_its_seed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{\"path\":\"/a\",\"weight\":3}\n{\"path\":\"/b\"}\n").unwrap();
        let mix = Mix::read(&mut Builder::new(Routes::default()), file.path()).unwrap();
        let instants: Vec<u64> = (0..10_000).collect();
        let arrivals = mix.arrivals(&instants, 1);
        let first = arrivals.iter().filter(|a| a.request == 0).count();
        assert!((first as f64 - 7_500.0).abs() < 200.0, "{first}");
        assert_eq!(arrivals, mix.arrivals(&instants, 1));
        assert_ne!(arrivals, mix.arrivals(&instants, 2));
    }

    #[test]
    fn a_weight_of_nothing_is_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{\"path\":\"/a\",\"weight\":0}\n").unwrap();
        let error = Mix::read(&mut Builder::new(Routes::default()), file.path()).unwrap_err();
        assert!(error.to_string().ends_with(":1: the weight 0 is not above 0"), "{error}");
    }
}
