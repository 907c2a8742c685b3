//! Who certifies whom we connect to over TLS: the authorities that the system trusts.
//!
//! Never here: a CA file of the database's own (`db::tls`).

use rustls::RootCertStore;

/// The authorities of the system, or those of the file that `SSL_CERT_FILE` names.
///
/// # Errors
/// There are none: nobody could be connected to. In words that follow the name of a setting.
pub(crate) fn of_system() -> Result<RootCertStore, String> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let why = loaded.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!(
            "TLS needs certificate authorities and there are none{why}: install ca-certificates, \
             or name a file of them in SSL_CERT_FILE"
        ));
    }
    Ok(roots)
}
