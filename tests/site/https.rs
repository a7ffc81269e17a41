//! A small blocking HTTPS client: HTTP/1.1, kept alive, bodies of any size, one certificate and no other trusted.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client of one server.
pub(crate) struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    open: Option<BufReader<Stream>>,
}

/// The body of a request.
pub(crate) enum Body<'a> {
    /// These bytes, with their length announced.
    Bytes(&'a [u8]),
    /// These pieces, of this length altogether.
    Pieces(u64, &'a mut dyn Iterator<Item = Vec<u8>>),
    /// These pieces in chunked framing.
    Chunked(&'a mut dyn Iterator<Item = Vec<u8>>),
}

impl Client {
    /// A client that trusts the server with this certificate (the first of a PEM file).
    pub(crate) fn new(address: SocketAddr, certificate: &Path) -> Self {
        let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { certificate, provider }))
            .with_no_client_auth();
        Self { address, config: Arc::new(config), open: None }
    }

    /// Posts JSON; returns the status.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> io::Result<u16> {
        self.send("POST", path, &[("Content-Type", "application/json;charset=UTF-8")], Body::Bytes(body))
            .map(|(status, _)| status)
    }

    /// Posts JSON piece by piece, with its length announced; returns the status.
    pub(crate) fn post_pieces(
        &mut self,
        path: &str,
        length: u64,
        mut pieces: impl Iterator<Item = Vec<u8>>,
    ) -> io::Result<u16> {
        let headers = [("Content-Type", "application/json;charset=UTF-8")];
        self.send("POST", path, &headers, Body::Pieces(length, &mut pieces)).map(|(status, _)| status)
    }

    /// Sends a request; returns the answer's status and body.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body<'_>,
    ) -> io::Result<(u16, String)> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        // A server that refuses a body may answer and close before it has read all of it.
        let sent = write_request(stream.get_mut(), method, path, headers, body);
        let answer = read_answer(&mut stream);
        let (status, text, keep) = match (sent, answer) {
            (_, Ok(answer)) => answer,
            (Err(error), Err(_)) | (Ok(()), Err(error)) => return Err(error),
        };
        if keep {
            self.open = Some(stream);
        }
        Ok((status, text))
    }

    /// A connection on which nothing was sent yet, for requests that no client would send.
    pub(crate) fn connect(&self) -> io::Result<BufReader<Stream>> {
        let socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(120)))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        Ok(BufReader::new(StreamOwned::new(connection, socket)))
    }
}

/// An answer that came whole: its status and body.
pub(crate) fn parse_answer(bytes: &[u8]) -> io::Result<(u16, String)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((status_of(head)?, body.to_owned()))
}

fn write_request(
    stream: &mut Stream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Body<'_>,
) -> io::Result<()> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match &body {
        Body::Bytes(bytes) => head.push_str(&format!("Content-Length: {}\r\n\r\n", bytes.len())),
        Body::Pieces(length, _) => head.push_str(&format!("Content-Length: {length}\r\n\r\n")),
        Body::Chunked(_) => head.push_str("Transfer-Encoding: chunked\r\n\r\n"),
    }
    stream.write_all(head.as_bytes())?;
    match body {
        Body::Bytes(bytes) => stream.write_all(bytes)?,
        Body::Pieces(_, pieces) => {
            for piece in pieces {
                stream.write_all(&piece)?;
            }
        }
        Body::Chunked(pieces) => {
            for piece in pieces {
                write!(stream, "{:x}\r\n", piece.len())?;
                stream.write_all(&piece)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
    }
    stream.flush()
}

/// Status, body, and whether the connection serves another request.
fn read_answer(stream: &mut BufReader<Stream>) -> io::Result<(u16, String, bool)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = status_of(&head)?;
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let length: u64 = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = String::new();
    stream.by_ref().take(length).read_to_string(&mut body)?;
    let keep = header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"));
    Ok((status, body, keep))
}

fn status_of(head: &str) -> io::Result<u16> {
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other("not an HTTP answer"))
}

/// Trusts one certificate, whatever its names: the one that the site's own file holds.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("another certificate".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
