//! A connection that is kept alive, its requests and their answers.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::client::trust::Trust;

/// A connection that is kept alive; closed when dropped.
pub struct Connection {
    sender: SendRequest<Sent>,
    host: HeaderValue,
    task: JoinHandle<()>,
}

/// A request.
#[derive(Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Headers beside `host` and the body's length.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Sent,
}

/// The body of a request.
#[derive(Debug)]
pub enum Sent {
    /// Whole in memory.
    Whole(Bytes),
    /// Sent as it is made, chunked; an error breaks the request off.
    Stream(mpsc::Receiver<io::Result<Bytes>>),
}

/// An answer, its body still to come.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// Nobody answers there.
    Unreachable(String, io::Error),
    /// The host is no name a certificate can be for.
    BadName(String),
    /// The other side is not who it should be, or speaks no TLS.
    Tls(io::Error),
    /// The path or a header cannot be sent.
    BadRequest,
    /// The connection broke off.
    Broken,
    /// The answer is longer than the caller takes.
    TooLong,
}

impl Connection {
    /// Connects over TLS to `address` (`host:port`), which must show a trusted certificate for `name`.
    pub async fn https(address: &str, name: &str, trust: &Trust) -> Result<Self, Error> {
        let server = ServerName::try_from(name.to_owned()).map_err(|_| Error::BadName(name.to_owned()))?;
        let unreachable = |cause| Error::Unreachable(address.to_owned(), cause);
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let stream = TlsConnector::from(trust.config()).connect(server, stream).await.map_err(Error::Tls)?;
        Self::over(stream, address).await
    }

    /// Connects without TLS to `address` (`host:port`).
    pub async fn plain(address: &str) -> Result<Self, Error> {
        let unreachable = |cause| Error::Unreachable(address.to_owned(), cause);
        Self::over(TcpStream::connect(address).await.map_err(unreachable)?, address).await
    }

    /// Connects to a Unix socket.
    #[cfg(unix)]
    pub async fn unix(path: &std::path::Path) -> Result<Self, Error> {
        let unreachable = |cause| Error::Unreachable(path.display().to_string(), cause);
        Self::over(tokio::net::UnixStream::connect(path).await.map_err(unreachable)?, "localhost").await
    }

    /// Speaks HTTP/1.1 over this stream to the host of this name.
    pub async fn over<IO>(stream: IO, host: &str) -> Result<Self, Error>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let host = HeaderValue::from_str(host).map_err(|_| Error::BadRequest)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Error::Broken)?;
        let task = tokio::spawn(async move {
            // The request that was under way is told by its own answer.
            if connection.await.is_err() {
                tracing::debug!("a connection to a server broke off");
            }
        });
        Ok(Self { sender, host, task })
    }

    /// Sends a request; returns when the answer's head has come.
    pub async fn send(&mut self, outgoing: Outgoing) -> Result<Answer, Error> {
        let Outgoing { method, target, headers, body } = outgoing;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target.parse::<Uri>().map_err(|_| Error::BadRequest)?;
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().extend(headers);
        self.sender.ready().await.map_err(|_| Error::Broken)?;
        let (head, body) = self.sender.send_request(request).await.map_err(|_| Error::Broken)?.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// Whether the other side has closed.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Outgoing {
    /// A GET.
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), headers: Vec::new(), body: Sent::Whole(Bytes::new()) }
    }

    /// A POST of this JSON text.
    pub fn post_json(target: impl Into<String>, text: impl Into<Bytes>) -> Self {
        Self::with_json(Method::POST, target, text)
    }

    /// A request with this method and JSON text.
    pub fn with_json(method: Method, target: impl Into<String>, text: impl Into<Bytes>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"))],
            body: Sent::Whole(text.into()),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Answer {
    /// The next piece of the body; `None` at its announced end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(bytes) = frame.map_err(|_| Error::Broken)?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The whole body, where it is not longer than this many bytes.
    pub async fn whole(mut self, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > bytes_max {
                return Err(Error::TooLong);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(place, cause) => write!(f, "nobody answers at {place}: {cause}; is the gateway running?"),
            Self::BadName(name) => write!(f, "`{name}` is neither a host name nor an address"),
            Self::Tls(cause) => {
                write!(f, "no trusted TLS connection: {cause}; give the server's certificate or its authority's")
            }
            Self::BadRequest => f.write_str("the path or a header of the request cannot be sent"),
            Self::Broken => f.write_str("the connection broke off before the whole answer came; try again"),
            Self::TooLong => f.write_str("the answer is longer than expected"),
        }
    }
}

impl std::error::Error for Error {}
