//! One connection, from its first byte to its last: HTTP/1.1 or HTTP/2 over whatever carries it.
//!
//! Never: a timer that is not set; hyper's are inert without one.

use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};

use crate::http::{settings::ConnectionLimits, wire::Wire};
use crate::lifecycle::Stopped;
use crate::telemetry::http::{ListenerMetrics, Route};

/// The read buffer of an HTTP/1.1 connection, at most, in bytes.
const READ_BUFFER_BYTES_MAX: usize = 128 << 10;
/// How much of its bodies an HTTP/2 connection may send ahead, in bytes.
const WINDOW_BYTES: u32 = 1 << 20;

/// An answer, and what it is counted under.
pub(crate) struct Answered<B> {
    pub route: Route,
    pub response: Response<B>,
}

/// What answers the requests of a listener.
pub(crate) trait Answer: Send + Sync + 'static {
    /// What is known of the other side.
    type Peer: Clone + Send + Sync + 'static;
    /// The answers' body.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers one request.
    fn answer(&self, peer: Self::Peer, request: Request<Incoming>)
    -> impl Future<Output = Answered<Self::Body>> + Send;
}

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// How long a connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// As long as it is used.
    Alive,
    /// For one request.
    Once,
}

/// What all connections of a listener share.
pub(crate) struct Shared<A> {
    pub answer: Arc<A>,
    pub limits: ConnectionLimits,
    pub metrics: Arc<ListenerMetrics>,
}

/// What all requests of a connection share.
struct Requests<A: Answer> {
    answer: Arc<A>,
    metrics: Arc<ListenerMetrics>,
    peer: A::Peer,
    activity: Activity,
}

/// Speaks HTTP until the connection ends, is idle for too long, or the gateway stops.
pub(crate) async fn drive<A: Answer, IO>(
    shared: &Shared<A>,
    io: IO,
    protocol: Protocol,
    keep: Keep,
    peer: A::Peer,
    stopped: Stopped,
) where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = shared.limits;
    let requests = Arc::new(Requests {
        answer: Arc::clone(&shared.answer),
        metrics: Arc::clone(&shared.metrics),
        peer,
        activity: Activity::default(),
    });
    let service = {
        let requests = Arc::clone(&requests);
        service_fn(move |request| {
            let requests = Arc::clone(&requests);
            async move {
                let under_way = UnderWay::begin(&requests.metrics, &requests.activity);
                let method = request.method().clone();
                let Answered { route, response } = requests.answer.answer(requests.peer.clone(), request).await;
                under_way.end(route, method.as_str(), response.status().as_u16());
                Ok::<_, Infallible>(response)
            }
        })
    };
    match protocol {
        Protocol::Http1 => {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head_timeout)
                .max_headers(limits.headers_max)
                .max_header_size(limits.head_bytes_max)
                .max_buf_size(READ_BUFFER_BYTES_MAX)
                .keep_alive(keep == Keep::Alive)
                .serve_connection(TokioIo::new(Wire::new(io, limits.linger)), service);
            supervise(pin!(connection), http1::Connection::graceful_shutdown, &limits, &requests.activity, stopped)
                .await;
        }
        Protocol::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(limits.head_timeout)
                .keep_alive_timeout(limits.head_timeout)
                .max_concurrent_streams(limits.streams_max)
                .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES)
                .serve_connection(TokioIo::new(io), service);
            let mut connection = pin!(connection);
            if keep == Keep::Once {
                connection.as_mut().graceful_shutdown();
            }
            supervise(connection, http2::Connection::graceful_shutdown, &limits, &requests.activity, stopped).await;
        }
    }
}

/// Drives a connection; closes it when it is idle for two looks in a row, or the gateway stops.
async fn supervise<C: Future>(
    mut connection: Pin<&mut C>,
    close: fn(Pin<&mut C>),
    limits: &ConnectionLimits,
    activity: &Activity,
    mut stopped: Stopped,
) {
    let mut looks = tokio::time::interval_at(Instant::now() + limits.idle_timeout, limits.idle_timeout);
    let mut seen = None;
    loop {
        tokio::select! {
            biased;
            // How a connection ended is its sender's affair; requests are counted by themselves.
            _ended = &mut connection => return,
            () = stopped.wait() => break,
            _ = looks.tick() => {
                let now = activity.idle_since();
                if now.is_some() && now == seen {
                    break;
                }
                seen = now;
            }
        }
    }
    close(connection.as_mut());
    // What does not end by then is dropped, which closes it.
    if timeout(limits.drain, connection).await.is_err() {
        tracing::debug!("a connection did not end in time");
    }
}

/// What happened on a connection.
#[derive(Default)]
struct Activity {
    under_way: AtomicUsize,
    begun: AtomicU64,
}

impl Activity {
    /// How many requests there were, where none is under way.
    fn idle_since(&self) -> Option<u64> {
        (self.under_way.load(Ordering::Relaxed) == 0).then(|| self.begun.load(Ordering::Relaxed))
    }
}

/// A request under way; counted down when dropped, however it ends.
struct UnderWay<'a> {
    metrics: &'a ListenerMetrics,
    activity: &'a Activity,
    began: Instant,
}

impl<'a> UnderWay<'a> {
    fn begin(metrics: &'a ListenerMetrics, activity: &'a Activity) -> Self {
        metrics.in_flight.inc();
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self { metrics, activity, began: Instant::now() }
    }

    fn end(self, route: Route, method: &str, code: u16) {
        self.metrics.answered(route, method, code, self.began.elapsed().as_secs_f64());
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        self.activity.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
