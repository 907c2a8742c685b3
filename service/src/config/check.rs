//! What settings must be together, and what is made up where nobody cares.

use super::layers::Values;
use super::value::{Environment, ProviderKind, Secret};
use super::{Config, Mistake};

/// Secrets that production must be given and development makes up, with what that means.
const MADE: [(&str, &str); 2] = [
    (
        "admin_key",
        "no admin key was set: a random one was made that nobody knows",
    ),
    (
        "signing_key",
        "no signing key was set: callbacks are only known until the next start",
    ),
];

/// Makes up, in development, what has to be there, and says so.
pub(super) fn fill(values: &mut Values, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let is_production = values
        .read::<Environment>("env", &mut Vec::new())
        .is_some_and(Environment::is_production);
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

/// Notes what can't be together.
pub(super) fn together(config: &Config, values: &Values, mistakes: &mut Vec<Mistake>) {
    let mut wrong = |name: &str, what: &str| mistakes.push(values.mistake(name, what));
    if config.provider_simulated && !config.provider_url.is_loopback() {
        wrong(
            "provider_simulated",
            "only a provider on loopback can be a simulator",
        );
    }
    if config.provider_simulated && config.env.is_production() {
        wrong("provider_simulated", "no simulator in production");
    }
    let (public, admin) = (config.public_addr, config.admin_addr);
    if public.port() != 0 && public == admin {
        wrong("admin_addr", "must not be the public address");
    }
    if config.limit(contract::Limit::RequestHeadBytes) < 8_192 {
        wrong("limit_request_head_bytes", "must be at least 8192");
    }
    if config.env.is_production() {
        in_production(config, &mut wrong);
    }
}

fn in_production(config: &Config, wrong: &mut impl FnMut(&str, &str)) {
    match &config.public_url {
        None => wrong(
            "public_url",
            "is needed in production: providers call back to it",
        ),
        Some(url) if !url.is_https() && !url.is_loopback() => {
            wrong("public_url", "must begin with https:// in production");
        }
        Some(_) => {}
    }
    if !config.provider_url.is_https() && !config.provider_url.is_loopback() {
        wrong("provider_url", "must begin with https:// in production");
    }
    match config.provider {
        ProviderKind::Twilio => {
            if config.twilio_account_sid.is_empty() {
                wrong(
                    "twilio_account_sid",
                    "is needed in production with provider twilio",
                );
            }
            if config.twilio_auth_token.is_none() {
                wrong(
                    "twilio_auth_token",
                    "is needed in production with provider twilio",
                );
            }
        }
        ProviderKind::Webhook => {
            if config.webhook_secret.is_none() {
                wrong(
                    "webhook_secret",
                    "is needed in production with provider webhook",
                );
            }
        }
    }
}
