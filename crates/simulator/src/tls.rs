//! A certificate authority made for one run, and a server certificate signed by it.
//!
//! Collectors refuse plain HTTP to the real API, so they must be tried over HTTPS; they are given this authority's
//! certificate. Its key never leaves the process.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// Names the server certificate always holds.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What the HTTPS listener needs.
pub(crate) struct Identity {
    pub(crate) server: Arc<ServerConfig>,
    /// The authority's certificate, for clients.
    pub(crate) ca_pem: String,
}

/// Why no certificate could be made. Permanent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name is not a host name or address, or key generation failed.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate and its key cannot be used.
    #[error("cannot use the certificate: {0}")]
    Config(#[from] rustls::Error),
}

/// Makes an authority and a certificate for this machine's loopback names and the further ones.
pub(crate) fn identity(further_names: &[String]) -> Result<Identity, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "latchkey-simulator test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let names: Vec<String> = LOCAL.iter().map(ToString::to_string).chain(further_names.iter().cloned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "latchkey-simulator");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, &authority)?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { server: Arc::new(server), ca_pem: authority.pem() })
}
