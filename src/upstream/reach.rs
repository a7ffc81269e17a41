//! Whether a host that callbacks may lead to can be reached: its name, the way there, its certificate. Nothing is asked
//! of it: the connection ends behind the handshake.
//!
//! Limits: 5 s for each step.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::upstream::{Settings, address::is_public, lookup::Lookup, proxy, trust};

const STEP: Duration = Duration::from_secs(5);
const HTTPS: u16 = 443;
/// The head of a proxy's answer, in bytes.
const HEAD_BYTES_MAX: usize = 8192;

/// Why a host cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// The settings cannot be used.
    Settings,
    /// The name servers do not know the name, or do not answer.
    NoName,
    /// The name leads to an address that is not public.
    NotPublic,
    /// Nobody accepts the connection.
    NoConnection,
    /// The proxy's own name is not known.
    NoProxyName,
    /// The proxy does not accept the connection.
    NoProxy,
    /// The proxy refuses, with this status.
    ProxyRefuses(u16),
    /// What answers there shows a certificate that nobody trusts.
    NotTrusted,
    /// What answers there speaks no TLS, or broke off.
    NoTls,
}

/// Tries the way to this host (`host` or `host:port`).
pub async fn reach(settings: &Settings, lookup: Arc<dyn Lookup>, host: &str) -> Result<(), Unreached> {
    let tls = trust::config(settings.ca.as_deref()).ok_or(Unreached::Settings)?;
    let (name, port) = match host.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) => (name, port),
        Some(_) | None => (host, HTTPS),
    };
    let stream = match settings.proxy.as_deref() {
        Some(text) => through(text, &*lookup, name, port).await?,
        None => {
            let found = addresses(&*lookup, name, port).await.ok_or(Unreached::NoName)?;
            if !settings.rules.allow_private() && !found.iter().all(|address| is_public(address.ip())) {
                return Err(Unreached::NotPublic);
            }
            connect(&found).await.ok_or(Unreached::NoConnection)?
        }
    };
    let server = ServerName::try_from(name.to_owned()).map_err(|_| Unreached::Settings)?;
    match timeout(STEP, TlsConnector::from(Arc::new(tls)).connect(server, stream)).await {
        Ok(Ok(_shaken)) => Ok(()),
        Ok(Err(error)) if is_about_trust(&error) => Err(Unreached::NotTrusted),
        Ok(Err(_)) | Err(_) => Err(Unreached::NoTls),
    }
}

async fn through(proxy: &str, lookup: &dyn Lookup, name: &str, port: u16) -> Result<TcpStream, Unreached> {
    let proxy = proxy::parse(proxy).ok_or(Unreached::Settings)?;
    let found = addresses(lookup, &proxy.host, proxy.port).await.ok_or(Unreached::NoProxyName)?;
    let mut stream = connect(&found).await.ok_or(Unreached::NoProxy)?;
    let asked = format!("CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n");
    let answered = timeout(STEP, async {
        stream.write_all(asked.as_bytes()).await?;
        head(&mut stream).await
    });
    match answered.await.ok().and_then(Result::ok).as_deref().and_then(status) {
        Some(200..=299) => Ok(stream),
        Some(other) => Err(Unreached::ProxyRefuses(other)),
        None => Err(Unreached::NoProxy),
    }
}

/// Byte by byte, so that nothing of what follows is taken.
async fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(line.get(2..5)?).ok()?.parse().ok()
}

async fn addresses(lookup: &dyn Lookup, name: &str, port: u16) -> Option<Vec<SocketAddr>> {
    let found = timeout(STEP, lookup.lookup(name)).await.ok()?.ok()?;
    let found: Vec<_> = found.into_iter().map(|address| SocketAddr::new(address.ip(), port)).collect();
    (!found.is_empty()).then_some(found)
}

async fn connect(addresses: &[SocketAddr]) -> Option<TcpStream> {
    timeout(STEP, TcpStream::connect(addresses)).await.ok()?.ok()
}

fn is_about_trust(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("the settings of [pull] cannot be used"),
            Self::NoName => f.write_str("its name is not found"),
            Self::NotPublic => f.write_str("its name leads to an address that is not public"),
            Self::NoConnection => f.write_str("nothing accepts a connection there"),
            Self::NoProxyName => f.write_str("the proxy's name is not found"),
            Self::NoProxy => f.write_str("the proxy does not answer"),
            Self::ProxyRefuses(status) => write!(f, "the proxy refuses to connect to it (status {status})"),
            Self::NotTrusted => f.write_str("what answers there shows a certificate that nobody trusts"),
            Self::NoTls => f.write_str("what answers there breaks off or speaks no TLS"),
        }
    }
}
