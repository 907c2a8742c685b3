//! What settings must be together, and what is made up where nobody cares.

use std::net::SocketAddr;
use std::time::Duration;

use contract::pool::Side;
use contract::{Limit, Pool};

use super::amounts::PoolSizes;
use super::layers::Values;
use super::value::{BaseUrl, DatabaseUrl, Environment, ProviderKind, Secret, StageGates, Value};
use super::{LIMIT_PREFIX, Mistake};
use crate::db::pools;
use crate::phone::Phone;
use crate::provider::LEASE_MARGIN;

/// Secrets that production must be given and development makes up, with what that means.
const MADE: [(&str, &str); 2] = [
    ("admin_key", "no admin key was set: a random one was made that nobody knows"),
    ("signing_key", "no signing key was set: callbacks are only known until the next start"),
];

/// Makes up, in development, what has to be there, and says so.
pub(super) fn fill(values: &mut Values, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let is_production =
        values.read::<Environment>("env", &mut Vec::new()).is_some_and(Environment::is_production);
    let mut notes = Vec::new();
    for (name, note) in MADE {
        if values.is_set(name) {
            continue;
        }
        if is_production {
            let what = "is needed in production; make one: openssl rand -hex 32";
            mistakes.push(values.mistake(name, what));
        } else {
            notes.push(note.to_owned());
        }
        values.make(name, Secret::random().expose());
    }
    notes
}

/// Notes what can't be together. A setting that is wrong by itself has been told and is left out.
pub(super) fn together(values: &Values, mistakes: &mut Vec<Mistake>) {
    let mut wrong = Wrong { values, mistakes };
    let is_production = wrong.read::<Environment>("env").is_some_and(Environment::is_production);
    let provider = wrong.read::<BaseUrl>("provider_url");
    if wrong.read::<bool>("provider_simulated") == Some(true) {
        if provider.as_ref().is_some_and(|url| !url.is_loopback()) {
            wrong.note("provider_simulated", "only a provider on loopback can be a simulator");
        }
        if is_production {
            wrong.note("provider_simulated", "no simulator in production");
        }
    }
    if provider.as_ref().is_some_and(|url| !url.is_https() && !url.is_loopback()) {
        wrong.note("provider_url", "must begin with https:// unless it is on loopback");
    }
    secrets_are_there(&mut wrong, is_production);
    try_fits(&mut wrong);
    let public = wrong.read::<SocketAddr>("public_addr").filter(|address| address.port() != 0);
    if public.is_some() && public == wrong.read::<SocketAddr>("admin_addr") {
        wrong.note("admin_addr", "must not be the public address");
    }
    if let Some(sizes) = wrong.read::<PoolSizes>("database_pool_sizes") {
        pools_fit(&mut wrong, &sizes);
        fallbacks_fit(&mut wrong, &sizes);
    }
    if is_production {
        in_production(&mut wrong);
    }
}

/// What a provider is told who we are by. Where nobody is texted anyway (development without an
/// allow-list), it may be missing.
fn secrets_are_there(wrong: &mut Wrong<'_>, is_production: bool) {
    let is_simulated = wrong.read::<bool>("provider_simulated") == Some(true);
    let is_listed = wrong.read::<Vec<Phone>>("allow_list").is_some_and(|list| !list.is_empty());
    if !(is_production || is_simulated || is_listed) {
        return;
    }
    let needed: &[&str] = match wrong.read::<ProviderKind>("provider") {
        Some(ProviderKind::Twilio) => &["twilio_account_sid", "twilio_auth_token"],
        Some(ProviderKind::Webhook) => &["webhook_secret"],
        None => &[],
    };
    for name in needed {
        if !wrong.values.is_set(name) {
            wrong.note(name, "is needed by this provider to send texts");
        }
    }
}

/// A try has one end, and its lease ends later.
fn try_fits(wrong: &mut Wrong<'_>) {
    let [first_byte, total] =
        ["provider_first_byte_ms", "provider_total_ms"].map(|name| wrong.read::<Duration>(name));
    if let (Some(first_byte), Some(total)) = (first_byte, total)
        && first_byte > total
    {
        let what = format!("must be at most provider_total_ms, {} ms", total.as_millis());
        wrong.note("provider_first_byte_ms", &what);
    }
    let lease = wrong.read::<Duration>("lease_ms");
    if let (Some(lease), Some(total)) = (lease, total)
        && lease < total + LEASE_MARGIN
    {
        let (margin, least) = (LEASE_MARGIN.as_millis(), (total + LEASE_MARGIN).as_millis());
        let what = format!("must be at least {least}: {margin} above provider_total_ms");
        wrong.note("lease_ms", &what);
    }
}

/// Sizes that are given are of the connections that there are, and leave one to each other pool.
fn pools_fit(wrong: &mut Wrong<'_>, sizes: &PoolSizes) {
    let sides =
        [(Side::Primary, "database_connections"), (Side::Replica, "database_replica_connections")];
    for (side, name) in sides {
        let needed = sizes.needed(side);
        if sizes.names_any(side) && wrong.read::<u32>(name).is_some_and(|most| most < needed) {
            let what = format!("with one for each other pool these are {needed}, above {name}");
            wrong.note("database_pool_sizes", &what);
        }
    }
}

/// The places on the primary for what replicas should answer, and the pools that have them.
const PLACES: [(Limit, &[Pool]); 3] = [
    (Limit::FallbackReads, &[Pool::Interactive]),
    (Limit::FallbackReports, &[Pool::Reporting]),
    (Limit::ForeignTokens, &[Pool::Interactive, Pool::Reporting]),
];

/// A place is a connection: more places than a pool has bound nothing, and what writes would wait
/// behind what replicas should have answered.
fn fallbacks_fit(wrong: &mut Wrong<'_>, sizes: &PoolSizes) {
    let replicas = wrong.read::<Vec<DatabaseUrl>>("database_replica_urls").unwrap_or_default();
    let connections =
        ["database_connections", "database_replica_connections"].map(|name| wrong.read(name));
    let [Some(to_primary), Some(to_replica)] = connections else { return };
    if replicas.is_empty() {
        return; // nothing falls back
    }
    let sizes = pools::sizes(to_primary, to_replica, &sizes.given());
    for (limit, pools) in PLACES {
        let name = format!("{LIMIT_PREFIX}{}", limit.name());
        let Some(places) = wrong.read::<u64>(&name) else { continue };
        let smallest = pools.iter().min_by_key(|pool| sizes[pool.index()]);
        let Some((pool, size)) = smallest.map(|pool| (pool, sizes[pool.index()])) else { continue };
        if places > size as u64 {
            let what = format!(
                "{places} places are more than the {size} connections of the pool {}: lower it, or \
                 give the pool more (database_connections, database_pool_sizes)",
                pool.name()
            );
            wrong.note(&name, &what);
        }
    }
}

fn in_production(wrong: &mut Wrong<'_>) {
    if wrong.read::<StageGates>("stage_gates").is_some_and(|gates| gates != StageGates::Off) {
        wrong.note("stage_gates", "no stage can be held in production");
    }
    let is_open = |url: &BaseUrl| !url.is_https() && !url.is_loopback();
    match wrong.read::<Option<BaseUrl>>("public_url") {
        Some(None) => wrong.note("public_url", "is needed in production: providers call it back"),
        Some(Some(url)) if is_open(&url) => {
            wrong.note("public_url", "must begin with https:// in production");
        }
        Some(Some(_)) | None => {}
    }
}

/// Reads settings without telling their own mistakes again, and notes those of several together.
struct Wrong<'a> {
    values: &'a Values,
    mistakes: &'a mut Vec<Mistake>,
}

impl Wrong<'_> {
    fn read<T: Value>(&self, name: &str) -> Option<T> {
        self.values.read(name, &mut Vec::new())
    }

    fn note(&mut self, name: &str, what: &str) {
        self.mistakes.push(self.values.mistake(name, what));
    }
}
