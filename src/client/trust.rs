//! Whom a client trusts: the certificates it is given, or the built-in ones, and no others.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};

/// The TLS settings of a client.
#[derive(Clone)]
pub struct Trust(pub(crate) Arc<ClientConfig>);

/// The PEM text holds no usable certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCertificate;

impl Trust {
    /// Trusts the authorities, or the self-signed server, of this PEM text.
    pub fn roots(pem: &[u8]) -> Result<Self, NoCertificate> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|_| NoCertificate)?).map_err(|_| NoCertificate)?;
        }
        if roots.is_empty() { Err(NoCertificate) } else { Ok(Self::of(roots)) }
    }

    /// Trusts the public authorities that are built in, and none that the machine adds.
    pub fn built_in() -> Self {
        Self::of(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    fn of(roots: RootCertStore) -> Self {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring has cipher suites for both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }

    /// The rustls settings, for other protocols over the same trust.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl fmt::Display for NoCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no usable certificate: give a PEM file with the authority's or the server's own certificate")
    }
}

impl std::error::Error for NoCertificate {}
