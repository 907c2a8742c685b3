//! The addresses that providers are given for their status callbacks. They carry practice, message
//! and attempt, signed, so that a callback finds its row before settle has stored the provider's
//! name for it, and so that nobody can make one up.

use aws_lc_rs::{constant_time, hmac};

use super::signature::{from_hex, hex};
use crate::config::Config;

/// Bytes of the signature that an address carries: 128 bits can't be guessed, and an address stays
/// short enough for a provider's log.
const SIGNATURE_BYTES: usize = 16;

/// Makes and checks callback addresses.
#[derive(Clone)]
pub(crate) struct Signer {
    key: hmac::Key,
    /// Our public base URL, without a slash at its end.
    base: String,
    /// The provider's name in the path.
    provider: &'static str,
}

impl Signer {
    /// A signer as configured.
    pub(super) fn new(config: &Config) -> Self {
        let base = config.public_url.as_ref().map_or("", |url| url.as_str());
        Self::with(config.signing_key.expose().as_bytes(), base, config.provider.name())
    }

    fn with(key: &[u8], base: &str, provider: &'static str) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), base: base.to_owned(), provider }
    }

    /// Where the provider says what became of a try.
    pub(super) fn status_url(&self, practice_id: i64, message_id: i64, attempt_no: i16) -> String {
        let Self { base, provider, .. } = self;
        let signature = hex(&self.signature(practice_id, message_id, attempt_no));
        let call = format!("{practice_id}/{message_id}/{attempt_no}/{signature}");
        format!("{base}/v1/callbacks/{provider}/status/{call}")
    }

    /// The whole address of a request that came to us, for the provider's own signature.
    pub(super) fn url(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.base)
    }

    /// Whether the signature in an address is ours.
    pub(crate) fn verify(
        &self,
        practice_id: i64,
        message_id: i64,
        attempt_no: i16,
        signature: &str,
    ) -> bool {
        let ours = self.signature(practice_id, message_id, attempt_no);
        from_hex(signature)
            .is_some_and(|theirs| constant_time::verify_slices_are_equal(&ours, &theirs).is_ok())
    }

    fn signature(
        &self,
        practice_id: i64,
        message_id: i64,
        attempt_no: i16,
    ) -> [u8; SIGNATURE_BYTES] {
        let signed = format!("status/{practice_id}/{message_id}/{attempt_no}");
        let tag = hmac::sign(&self.key, signed.as_bytes());
        tag.as_ref().first_chunk().copied().expect("an HMAC-SHA256 has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_addresses_are_known() {
        let signer = Signer::with(b"a key of ours", "https://example.test", "twilio");
        let url = signer.status_url(7, 123, 1);
        let (path, signature) = url.rsplit_once('/').unwrap();
        assert_eq!(path, "https://example.test/v1/callbacks/twilio/status/7/123/1");
        assert_eq!(signature.len(), 32);
        assert!(signer.verify(7, 123, 1, signature));
        assert!(!signer.verify(8, 123, 1, signature));
        assert!(!signer.verify(7, 124, 1, signature));
        assert!(!signer.verify(7, 123, 2, signature));
        assert!(!signer.verify(7, 123, 1, &signature[..30]));
        assert!(!signer.verify(7, 123, 1, ""));
        let other = Signer::with(b"another key", "https://example.test", "twilio");
        assert!(!other.verify(7, 123, 1, signature));
    }
}
