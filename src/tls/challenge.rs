//! The certificate that proves to an ACME authority, in a handshake, that this server answers for a name (RFC 8737).
//!
//! Never: a certificate that serves anybody but that authority; it names the protocol `acme-tls/1` and nothing else.

use std::{fmt, sync::Arc};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

/// The protocol under which the authority asks.
pub const PROTOCOL: &[u8] = b"acme-tls/1";

/// The name is none that a certificate can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

/// The certificate for this name that holds the SHA-256 digest of a key authorization; its key is used for it alone.
pub fn certified(name: &str, digest: [u8; 32]) -> Result<Arc<CertifiedKey>, BadName> {
    let key = KeyPair::generate().expect("ring makes P-256 keys");
    let mut params = CertificateParams::new([name.to_owned()]).map_err(|_| BadName)?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let certificate = params.self_signed(&key).map_err(|_| BadName)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing = ring::default_provider().key_provider.load_private_key(key).expect("ring takes the key that it made");
    // Checked against its key it would be refused, for an extension that nobody but the authority knows.
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing)))
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name to be certified is no host name")
    }
}

impl std::error::Error for BadName {}
