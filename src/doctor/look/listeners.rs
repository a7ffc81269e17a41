//! Whether the listeners answer: a connection over loopback, and a handshake where they speak TLS. Nothing is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::{Config, Tls};
use crate::doctor::facts::{ListenerFacts, Outcome};
use crate::doctor::look::files;

const STEP: Duration = Duration::from_secs(5);

/// Every listener of the configuration but the socket.
pub(super) async fn look(config: &Config) -> Vec<ListenerFacts> {
    let ingress = config.ingress.listen.iter().map(|address| ("ingress", *address, true, config.ingress.tls.as_ref()));
    let local = config.local.listen.iter().map(|address| ("local", *address, true, config.local.tls.as_ref()));
    let metrics = config.metrics.tls.as_ref();
    let metrics = config.metrics.listen.iter().map(|address| ("metrics", *address, metrics.is_some(), metrics));
    let mut found = Vec::new();
    for (listener, address, has_tls, tls) in ingress.chain(local).chain(metrics) {
        let outcome = if has_tls { over_tls(here(address), tls).await } else { plain(here(address)).await };
        found.push(ListenerFacts { listener, address, outcome });
    }
    found
}

/// Where this machine finds a listener of this address.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other @ (IpAddr::V4(_) | IpAddr::V6(_)) => other,
    };
    SocketAddr::new(ip, address.port())
}

async fn plain(address: SocketAddr) -> Outcome {
    if connect(address).await.is_some() { Outcome::Answers } else { Outcome::NoConnection }
}

async fn over_tls(address: SocketAddr, tls: Option<&Tls>) -> Outcome {
    let Some(stream) = connect(address).await else { return Outcome::NoConnection };
    let wanted = tls.and_then(|tls| files::load(tls).ok());
    let wanted = wanted.and_then(|identity| identity.certified.cert.first().cloned());
    let server = ServerName::IpAddress(address.ip().into());
    match timeout(STEP, TlsConnector::from(Arc::new(any_server())).connect(server, stream)).await {
        Ok(Ok(shaken)) => {
            let shown = shaken.get_ref().1.peer_certificates().and_then(<[_]>::first);
            // Where the file may not be read, there is nothing to compare with.
            let differs = wanted.is_some_and(|wanted| shown != Some(&wanted));
            if differs { Outcome::OtherCertificate } else { Outcome::Answers }
        }
        Ok(Err(_)) | Err(_) => Outcome::NoTls,
    }
}

async fn connect(address: SocketAddr) -> Option<TcpStream> {
    timeout(STEP, TcpStream::connect(address)).await.ok()?.ok()
}

/// Takes whatever certificate is shown: it is compared with the file, and nothing is sent.
fn any_server() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
        .with_no_client_auth()
}

#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _above: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
