//! The other half of the online orders: the average over all endpoints hid the one that was dying.
//! Here one endpoint is slower each time it is asked, while others are asked much more often and
//! are as fast as ever. Its own objective must say so, and the average must not.

use std::time::{Duration, Instant};

use contract::Endpoint;
use http::Method;
use tokio::time::sleep;

use crate::client::Client;
use crate::exit::Failure;
use crate::incidents::facts::Found;
use crate::incidents::ground::Ground;
use crate::incidents::watch::{By, Signal};
use crate::piled;
use crate::report::units::latency;

/// For how long its table is locked under the endpoint, in milliseconds: past its objective of 500.
const SLOWER_AND_SLOWER: [u64; 5] = [0, 150, 300, 600, 900];
/// Requests to another endpoint in each of these steps.
const OTHERS: usize = 100;
/// The average over all requests is flat as long as it is no more than this.
const AVERAGE_MAX: Duration = Duration::from_millis(100);

const SIGNALS: &[Signal] = &[Signal {
    family: "slo_requests_total",
    labels: &[("http_route", "create_api_key"), ("slo", "latency")],
    by: By::Bad("slo_good_requests_total"),
    from: 1.0,
}];

pub(super) async fn run(ground: &mut Ground) -> Result<Found, Failure> {
    let mut found = Found::default();
    let watch = ground.watch(SIGNALS).await?;
    let mut last = (0.0, 0.0);
    for ms in SLOWER_AND_SLOWER {
        last = step(ground, Duration::from_millis(ms)).await?;
    }
    let (took, average) = last;
    let said = format!("{} at last", latency(took));
    found.check("the endpoint misses its objective", took > objective(), said);
    let said = format!("{} a request", latency(average));
    found.check("the average stays flat", average <= AVERAGE_MAX.as_secs_f64(), said);
    let (took, _) = step(ground, Duration::ZERO).await?;
    found.check("it is fast again", took <= objective(), latency(took));
    watch.end(&mut found).await;
    Ok(found)
}

fn objective() -> f64 {
    f64::from(Endpoint::CreateApiKey.spec().latency_ms) / 1e3
}

/// Asks the endpoint once while its table is locked for so long, and others meanwhile. How long it
/// took, and how long a request took in the mean.
async fn step(ground: &mut Ground, locked_for: Duration) -> Result<(f64, f64), Failure> {
    let failed = |error: stack::StackError| Failure::Unavailable(error.to_string());
    let before = requests(ground).await?;
    let address = ground.target.public.first().map_or("", String::as_str);
    let mut slow = Client::new(address, Some(&ground.target.admin_key))?;
    let locked = ground.database().lock("api_key").await.map_err(failed)?;
    let asked = async {
        let (path, began) = (piled::path(1) + "/api-keys", Instant::now());
        slow.send(Method::POST, &path, b"{}".to_vec()).await?;
        Ok::<f64, Failure>(began.elapsed().as_secs_f64())
    };
    let others = async {
        for _ in 0..OTHERS {
            ground.public.text(&piled::path(1)).await?;
        }
        Ok::<(), Failure>(())
    };
    let released = async {
        sleep(locked_for).await;
        locked.release().await.map_err(failed)
    };
    let (took, (), ()) = tokio::try_join!(asked, others, released)?;
    let now = requests(ground).await?;
    Ok((took, (now.0 - before.0) / (now.1 - before.1).max(1.0)))
}

/// Seconds of all requests so far, and how many there were.
async fn requests(ground: &mut Ground) -> Result<(f64, f64), Failure> {
    let metrics = ground.metrics().await?;
    let of = |part: &str| metrics.sum(&format!("http_server_request_duration_seconds_{part}"), &[]);
    Ok((of("sum"), of("count")))
}
