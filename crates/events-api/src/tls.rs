//! Whom the client trusts.
//!
//! The machine's own certificates, and in addition those the operator gives for an inspecting proxy or a stand-in.

use reqwest::{Certificate, ClientBuilder};

use crate::{Endpoint, Error};

/// Sets up TLS for `endpoint`.
pub(crate) fn configure(
    builder: ClientBuilder,
    endpoint: &Endpoint,
    ca_pem: Option<&[u8]>,
) -> Result<ClientBuilder, Error> {
    // The first provider of the process stays; whoever came first chose ring as well, the only one that is compiled in.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if endpoint.is_plain() {
        // Nothing to verify, so a machine without any certificates will do.
        return Ok(builder.tls_certs_only([]));
    }
    Ok(builder.tls_certs_merge(certificates(ca_pem)?))
}

fn certificates(ca_pem: Option<&[u8]>) -> Result<Vec<Certificate>, Error> {
    let Some(pem) = ca_pem else { return Ok(Vec::new()) };
    let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(Error::Setup { reason: "the CA file holds no certificate in PEM".into() });
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_certificates_is_refused() {
        for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(certificates(Some(pem.as_bytes())), Err(Error::Setup { .. })), "{pem:?}");
        }
        assert_eq!(certificates(None).unwrap().len(), 0);
    }
}
