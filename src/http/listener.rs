//! The accept loops: TCP with or without TLS, and Unix sockets; bounded, drained at the end.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::http::{
    answer::Busy,
    connection::{Answer, Keep, Protocol, Shared, drive},
    local_api::Caller,
    settings::ConnectionLimits,
};
use crate::lifecycle::Stopped;
use crate::telemetry::http::{HttpMetrics, Listener, ListenerMetrics};
use crate::tls::challenge;

/// Encrypted input is read in pieces of this many bytes; rustls alone reads 4 KiB at a time.
const TLS_READ_BYTES: usize = 64 << 10;
/// How long accepting rests after it failed, as it does when file descriptors run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// The longest a connection beyond the limit is given to be told so.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Binds a TCP listener, for one sentence of error that names the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|cause| BindError { address, cause })
}

/// A TCP address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    cause: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, cause } = self;
        let remedies = [
            (io::ErrorKind::AddrInUse, "end what listens there, or set another port"),
            (io::ErrorKind::PermissionDenied, "ports below 1024 need CAP_NET_BIND_SERVICE"),
            (io::ErrorKind::AddrNotAvailable, "set an address of this machine"),
        ];
        let known = remedies.iter().find(|(kind, _)| *kind == cause.kind());
        let remedy = known.map_or("set another address", |(_, remedy)| *remedy);
        write!(f, "cannot listen on {address}: {cause}; {remedy}")
    }
}

impl std::error::Error for BindError {}

/// Everything one listener's accept loops need; several sockets may share its slots.
pub(crate) struct Front<A> {
    shared: Shared<A>,
    busy: Shared<Busy>,
    slots: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    handshakes: Handshakes,
    stopped: Stopped,
}

struct Handshakes {
    ok: prometheus::IntCounter,
    failed: prometheus::IntCounter,
    timeout: prometheus::IntCounter,
}

impl<A: Answer> Front<A> {
    pub(crate) fn new(
        listener: Listener,
        answer: Arc<A>,
        limits: ConnectionLimits,
        metrics: &HttpMetrics,
        stopped: Stopped,
    ) -> Arc<Self> {
        let of_listener: Arc<ListenerMetrics> = Arc::new(metrics.of(listener));
        let handshake = |result| metrics.handshakes.with_label_values(&[listener.name(), result]);
        Arc::new(Self {
            busy: Shared { answer: Arc::new(Busy), limits, metrics: Arc::clone(&of_listener) },
            shared: Shared { answer, limits, metrics: of_listener },
            slots: Arc::new(Semaphore::new(limits.connections_max)),
            refusals: Arc::new(Semaphore::new(limits.refused_max)),
            handshakes: Handshakes { ok: handshake("ok"), failed: handshake("failed"), timeout: handshake("timeout") },
            stopped,
        })
    }

    /// Takes the connection for one that is served, or told that there is no slot, or closed.
    fn slot(&self) -> Option<(OwnedSemaphorePermit, Keep)> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some((slot, Keep::Alive));
        }
        Arc::clone(&self.refusals).try_acquire_owned().ok().map(|slot| (slot, Keep::Once))
    }
}

impl<A: Answer<Peer = IpAddr>> Front<A> {
    /// Accepts HTTPS until the gateway stops and what is under way has ended.
    pub(crate) async fn serve_tls(self: Arc<Self>, listener: TcpListener, tls: Arc<ServerConfig>) {
        let acceptor = TlsAcceptor::from(tls);
        self.accept(listener, move |front, stream, peer, keep| {
            let acceptor = acceptor.clone();
            async move { front.tls(acceptor, stream, peer, keep).await }
        })
        .await;
    }

    /// Accepts plain HTTP/1.1 until the gateway stops and what is under way has ended.
    pub(crate) async fn serve_plain(self: Arc<Self>, listener: TcpListener) {
        self.accept(listener, |front, stream, peer, keep| async move {
            front.speak(stream, Protocol::Http1, keep, peer).await;
        })
        .await;
    }

    async fn accept<F, Fut>(self: Arc<Self>, listener: TcpListener, serve: F)
    where
        F: Fn(Arc<Self>, TcpStream, IpAddr, Keep) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        let mut stopped = self.stopped.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopped.wait() => break,
                Some(ended) = connections.join_next() => {
                    log_panic(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            let Some((slot, keep)) = self.slot() else {
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection was gone before it began");
                continue;
            }
            let served = serve(Arc::clone(&self), stream, address.ip().to_canonical(), keep);
            connections.spawn(counted(Arc::clone(&self.shared.metrics), slot, served));
        }
        drop(listener);
        drain(connections, self.shared.limits.drain).await;
    }

    async fn tls(self: Arc<Self>, acceptor: TlsAcceptor, stream: TcpStream, peer: IpAddr, keep: Keep) {
        let stream = BufReader::with_capacity(TLS_READ_BYTES, stream);
        let stream = match timeout(self.shared.limits.handshake_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) => return self.handshakes.failed.inc(),
            Err(_) => return self.handshakes.timeout.inc(),
        };
        self.handshakes.ok.inc();
        let protocol = match stream.get_ref().1.alpn_protocol() {
            // The handshake was all that the authority wanted to see.
            Some(challenge::PROTOCOL) => return end(stream).await,
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        self.speak(stream, protocol, keep, peer).await;
    }

    async fn speak<IO>(&self, stream: IO, protocol: Protocol, keep: Keep, peer: IpAddr)
    where
        IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let stopped = self.stopped.clone();
        match keep {
            Keep::Alive => drive(&self.shared, stream, protocol, keep, peer, stopped).await,
            Keep::Once => {
                let told = drive(&self.busy, stream, protocol, keep, peer, stopped);
                if timeout(REFUSAL_TIMEOUT, told).await.is_err() {
                    tracing::debug!("a connection beyond the limit did not end in time");
                }
            }
        }
    }
}

impl<A: Answer<Peer = Caller>> Front<A> {
    /// Accepts on a Unix socket until the gateway stops and what is under way has ended.
    pub(crate) async fn serve_unix(self: Arc<Self>, listener: UnixListener) {
        let mut connections = JoinSet::new();
        let mut stopped = self.stopped.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopped.wait() => break,
                Some(ended) = connections.join_next() => {
                    log_panic(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a local connection could not be accepted");
                    sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                continue;
            };
            let Ok(peer) = crate::http::local_socket::caller(&stream) else {
                continue;
            };
            let front = Arc::clone(&self);
            let served = async move {
                let stopped = front.stopped.clone();
                drive(&front.shared, stream, Protocol::Http1, Keep::Alive, peer, stopped).await;
            };
            connections.spawn(counted(Arc::clone(&self.shared.metrics), slot, served));
        }
        drain(connections, self.shared.limits.drain).await;
    }
}

/// Closes a connection on which no HTTP is spoken.
async fn end<IO: AsyncWrite + Unpin>(mut stream: IO) {
    if timeout(REFUSAL_TIMEOUT, stream.shutdown()).await.is_err() {
        tracing::debug!("a connection that proved a name did not end in time");
    }
}

async fn counted(metrics: Arc<ListenerMetrics>, slot: OwnedSemaphorePermit, served: impl Future<Output = ()>) {
    struct Open(Arc<ListenerMetrics>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.connections.dec();
        }
    }
    metrics.connections.inc();
    let open = Open(metrics);
    served.await;
    drop(open);
    drop(slot);
}

/// Connections close themselves once the gateway stops; those that do not are dropped with the set.
async fn drain(mut connections: JoinSet<()>, limit: Duration) {
    let ended = async {
        while let Some(ended) = connections.join_next().await {
            log_panic(ended);
        }
    };
    if timeout(limit + limit / 4, ended).await.is_err() {
        tracing::warn!("some connections did not end in time and were closed");
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("answering a connection failed unexpectedly; it was closed, please report it");
    }
}
