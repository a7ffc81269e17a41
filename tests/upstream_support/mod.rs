//! A TLS server that answers by script, a canary that nothing may touch, and names that lead where a test says.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use studygate::model::time::UnixSeconds;
use studygate::tls::generate;
use studygate::upstream::answer::Answer;
use studygate::upstream::fault::Fault;
use studygate::upstream::lookup::{Looking, Lookup};
use studygate::upstream::rules::Rules;
use studygate::upstream::{Settings, Timeouts, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub(crate) const HOST: &str = "apis.garmin.com";
pub(crate) const TOKEN: &str = "SECRET-8f14e45f";
/// A callback that is good for [`HOST`].
pub(crate) const URL: &str = "https://apis.garmin.com/wellness-api/rest/dailies?token=SECRET-8f14e45f";

/// What a connection does once it has written its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Waits for the next request.
    Serve,
    /// Says nothing more.
    Hang,
    /// Closes as TLS wants it.
    Close,
    /// Breaks off.
    Cut,
}

/// An HTTPS server on loopback.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Its certificate as PEM text.
    pub(crate) certificate: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// A server with a certificate for this name; `script` says what each request's target gets.
    pub(crate) fn start<S>(name: &str, script: S) -> Self
    where
        S: Fn(&str) -> (Vec<u8>, Then) + Send + Sync + 'static,
    {
        let made = generate::self_signed(&[name.to_owned()], now(), 10).expect("a certificate");
        let chain = vec![CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(made.private_key.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = listen();
        let address = listener.local_addr().expect("an address");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (Arc::clone(&heads), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, seen, script) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&script));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        serve(stream, &seen, &*script).await;
                    }
                });
            }
        });
        Self { address, certificate: made.certificate, heads }
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic before").clone()
    }
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    seen: &Mutex<Vec<String>>,
    script: &(dyn Fn(&str) -> (Vec<u8>, Then) + Send + Sync),
) {
    while let Some(head) = read_head(&mut stream).await {
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        seen.lock().expect("no panic before").push(head);
        let (bytes, then) = script(&target);
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        match then {
            Then::Serve => {}
            Then::Hang => std::future::pending().await,
            Then::Close => {
                let _closed = stream.shutdown().await;
                return;
            }
            Then::Cut => return,
        }
    }
}

/// The bytes up to the empty line; `None` where the stream ends before.
pub(crate) async fn read_head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).expect("an ASCII head"))
}

/// A listener on loopback that counts who comes.
pub(crate) struct Canary {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Canary {
    pub(crate) fn set() -> Self {
        let listener = listen();
        let address = listener.local_addr().expect("an address");
        Self { listener, address }
    }

    /// How many connections have come since it was asked last. The kernel has them all, taken or not.
    pub(crate) fn connections(&self) -> usize {
        let mut count = 0;
        loop {
            match self.listener.accept() {
                Ok(_) => count += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
                Err(error) => panic!("the canary is dead: {error}"),
            }
        }
    }
}

/// Leads every name to the same addresses, and counts.
pub(crate) struct Names {
    addresses: Vec<SocketAddr>,
    asked: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn lead_to(addresses: &[SocketAddr]) -> Arc<Self> {
        Arc::new(Self { addresses: addresses.to_vec(), asked: AtomicUsize::new(0), names: Mutex::default() })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.names.lock().expect("no panic before").clone()
    }
}

impl Lookup for Names {
    fn lookup(&self, host: &str) -> Looking {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.names.lock().expect("no panic before").push(host.to_owned());
        let addresses = self.addresses.clone();
        Box::pin(async move { Ok(addresses) })
    }
}

pub(crate) fn rules(hosts: &[&str], allow_private: bool) -> Rules {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    Rules::new(&hosts, allow_private).expect("a good list")
}

/// For a trial, with [`HOST`] on the list, trusting this certificate.
pub(crate) fn settings(certificate: Option<&str>) -> Settings {
    Settings {
        rules: rules(&[HOST], true),
        ca: certificate.map(|pem| pem.as_bytes().to_vec()),
        proxy: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(20),
            head: Duration::from_secs(20),
            stall: Duration::from_secs(20),
        },
    }
}

/// A client for which all names lead to this server, and the server's certificate is good.
pub(crate) fn client_of(server: &Server) -> Upstream {
    Upstream::new(settings(Some(&server.certificate)), Names::lead_to(&[server.address])).expect("a client")
}

/// Vets and fetches.
pub(crate) async fn fetch(upstream: &Upstream, rules: &Rules, url: &str) -> Result<Answer, Fault> {
    let callback = rules.vet(url).map_err(Fault::Refused)?;
    upstream.get(&callback).await
}

/// The whole body.
pub(crate) async fn body(answer: &mut Answer) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A whole answer of HTTP/1.1.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

#[expect(clippy::disallowed_methods, reason = "the client's verifier reads the machine's time, too")]
fn now() -> UnixSeconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    UnixSeconds(i64::try_from(since.as_secs()).expect("a clock before the sun's end"))
}

fn listen() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    listener
}
