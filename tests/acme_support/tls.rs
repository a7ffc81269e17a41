//! TLS as the authority and as senders speak it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime, pem::PemObject as _,
};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme};
use studygate::clock::Clock;
use studygate::tls::generate::Pair;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use x509_parser::extensions::GeneralName;

use super::ManualClock;

const PATIENCE: Duration = Duration::from_secs(60);

/// Takes connections as the holder of this pair.
pub(crate) fn acceptor(pair: &Pair) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(pair.private_key.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

/// Judges certificates by a root and a clock of the test; without a root it takes any.
#[derive(Clone)]
pub(crate) struct Judge {
    inner: Option<(Arc<WebPkiServerVerifier>, Arc<ManualClock>)>,
}

impl Judge {
    pub(crate) fn trusting(root: &CertificateDer<'static>, clock: Arc<ManualClock>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).expect("a root");
        let provider = Arc::new(ring::default_provider());
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("a root");
        Self { inner: Some((built, clock)) }
    }

    /// Connects under this name with these protocols, and does the handshake.
    pub(crate) async fn connect(
        &self,
        to: SocketAddr,
        name: &str,
        protocols: &[&[u8]],
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.clone()))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let stream = timeout(PATIENCE, TcpStream::connect(to)).await??;
        timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await?
    }
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Judge")
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some((inner, clock)) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        let now = Duration::from_secs(u64::try_from(clock.now().0).expect("after 1970"));
        inner.verify_server_cert(leaf, above, name, ocsp, UnixTime::since_unix_epoch(now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        if self.inner.is_none() {
            // rustls reads no certificate with a critical extension that it does not know, as the proof of a name has.
            let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
                .map_err(|_| Error::InvalidCertificate(rustls::CertificateError::BadEncoding))?;
            let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
            return rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signed, &algorithms);
        }
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Whether whoever listens there proves this name with this digest (RFC 8737 §3), else the problem.
pub(crate) async fn prove(to: SocketAddr, name: &str, digest: &[u8]) -> Result<(), &'static str> {
    let stream = Judge { inner: None }.connect(to, name, &[b"acme-tls/1"]).await;
    let stream =
        stream.map_err(|error| if error.kind() == io::ErrorKind::ConnectionRefused { "connection" } else { "tls" })?;
    let (_, connection) = stream.get_ref();
    if connection.alpn_protocol() != Some(b"acme-tls/1") {
        return Err("tls");
    }
    let chain = connection.peer_certificates().expect("a certificate");
    let (_, shown) = x509_parser::parse_x509_certificate(&chain[0]).map_err(|_| "incorrectResponse")?;
    let names = shown.subject_alternative_name().ok().flatten().ok_or("incorrectResponse")?;
    let is_for_it = matches!(names.value.general_names.as_slice(), [GeneralName::DNSName(only)] if *only == name);
    let expected = [&[4, 32][..], digest].concat();
    let proof = shown.extensions().iter().find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31");
    let proves = proof.is_some_and(|proof| proof.critical && proof.value == expected);
    if is_for_it && proves { Ok(()) } else { Err("incorrectResponse") }
}
