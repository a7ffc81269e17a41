//! The Unix socket of the local API: who asks is known from the kernel, what is asked goes to [`LocalApi`].
//!
//! Never: a socket that others than its owner and group may use; taking a socket from a gateway that still listens.

use std::{
    fmt, fs, io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream as StdUnixStream,
    },
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONTENT_TYPE, HeaderValue},
};
use tokio::{
    net::{UnixListener, UnixStream},
    time::timeout,
};

use crate::http::{
    connection::{Answer, Answered},
    listener::Front,
    local_api::{Caller, LocalApi, LocalBody, LocalRequest, LocalResponse, REQUEST_BYTES_MAX, StreamPiece},
    settings::ConnectionLimits,
};
use crate::lifecycle::Stopped;
use crate::telemetry::http::{HttpMetrics, Listener, Route};

/// Owner and group may use the socket.
const SOCKET_MODE: u32 = 0o660;
/// The longest time for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A bound socket; its file goes when this is dropped.
pub struct LocalSocket {
    listener: UnixListener,
    _file: SocketFile,
}

struct SocketFile(PathBuf);

/// Why the socket cannot be bound.
#[derive(Debug)]
pub enum SocketError {
    /// Another process listens on it.
    InUse(PathBuf),
    /// Something else than a socket is there.
    NotASocket(PathBuf),
    /// It cannot be made.
    Io(PathBuf, io::Error),
}

impl LocalSocket {
    /// Binds the socket at this path; one that nobody listens on any more is replaced. Needs a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        clear(path)?;
        // Made under another name, so that it never stands there with other permissions.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let made = path.with_file_name(name);
        let failed = |error| SocketError::Io(path.to_owned(), error);
        match fs::remove_file(&made) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&made).map_err(failed)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
        fs::rename(&made, path).map_err(failed)?;
        Ok(Self { listener, _file: SocketFile(path.to_owned()) })
    }

    /// Serves the local API until the gateway stops and what is under way has ended.
    pub async fn serve(
        self,
        api: Arc<dyn LocalApi>,
        limits: ConnectionLimits,
        metrics: &HttpMetrics,
        stopped: Stopped,
    ) {
        let Self { listener, _file } = self;
        Front::new(Listener::Local, Arc::new(Local(api)), limits, metrics, stopped).serve_unix(listener).await;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, "the socket's file was gone already");
        }
    }
}

fn clear(path: &Path) -> Result<(), SocketError> {
    let failed = |error| SocketError::Io(path.to_owned(), error);
    let kind = match fs::symlink_metadata(path) {
        Ok(meta) => meta.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !kind.is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match StdUnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        // Its listener is gone; binding replaces the file.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Who is at the other end of a local connection.
pub(crate) fn caller(stream: &UnixStream) -> io::Result<Caller> {
    let peer = stream.peer_cred()?;
    let of_process = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", peer.pid()?)).ok();
    // The kernel says all ones where nobody logged in.
    let login_uid = of_process("loginuid").and_then(|text| text.trim().parse().ok()).filter(|uid| *uid != u32::MAX);
    let mut groups = of_process("status").map_or_else(Vec::new, |status| groups(&status, peer.uid()));
    if !groups.contains(&peer.gid()) {
        groups.push(peer.gid());
    }
    Ok(Caller::Socket { uid: peer.uid(), login_uid, groups })
}

/// The supplementary groups that `/proc/PID/status` tells of a process of this user; of another's, which has the number
/// of one that is gone, none.
fn groups(status: &str, uid: u32) -> Vec<u32> {
    let line = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.into_iter().flat_map(str::split_whitespace).filter_map(|number| number.parse::<u32>().ok())
    };
    // Real, effective, saved and file system's user.
    let is_theirs = line("Uid:").nth(1) == Some(uid);
    if is_theirs { line("Groups:").collect() } else { Vec::new() }
}

struct Local(Arc<dyn LocalApi>);

impl Answer for Local {
    type Peer = Caller;
    type Body = AnswerBody;

    async fn answer(&self, peer: Caller, request: Request<Incoming>) -> Answered<AnswerBody> {
        let (head, body) = request.into_parts();
        let answer = match timeout(BODY_TIMEOUT, whole(body)).await {
            Ok(Ok(body)) => {
                let request = LocalRequest {
                    method: head.method,
                    path: head.uri.path().to_owned(),
                    query: head.uri.query().unwrap_or_default().to_owned(),
                    peer,
                    body,
                };
                self.0.handle(request).await
            }
            Ok(Err(status)) => refusal(status),
            Err(_) => refusal(StatusCode::REQUEST_TIMEOUT),
        };
        let route = if answer.status == StatusCode::NOT_FOUND { Route::Unknown } else { Route::Api };
        let mut response = Response::new(AnswerBody(answer.body));
        *response.status_mut() = answer.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        response.headers_mut().extend(answer.headers);
        Answered { route, response }
    }
}

async fn whole(mut body: Incoming) -> Result<Bytes, StatusCode> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else {
            continue;
        };
        if whole.len() + chunk.len() > REQUEST_BYTES_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

fn refusal(status: StatusCode) -> LocalResponse {
    let title = status.canonical_reason().unwrap_or("refused");
    let text = serde_json::json!({ "title": title, "status": status.as_u16() }).to_string();
    let mut response = LocalResponse::json(status, text);
    response.content_type = "application/problem+json";
    response
}

/// The body of an answer on its way out.
struct AnswerBody(LocalBody);

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.0 {
            LocalBody::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            LocalBody::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            LocalBody::Stream(pieces) => match ready!(pieces.poll_recv(cx)) {
                Some(Ok(StreamPiece::Bytes(bytes))) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Ok(StreamPiece::End)) => {
                    self.0 = LocalBody::Full(Bytes::new());
                    Poll::Ready(None)
                }
                Some(Err(error)) => Poll::Ready(Some(Err(error))),
                None => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, LocalBody::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            LocalBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            LocalBody::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => {
                write!(f, "another gateway listens on {}: end it, or set local.socket to another path", path.display())
            }
            Self::NotASocket(path) => {
                write!(f, "{} is no socket: move it away, or set local.socket to another path", path.display())
            }
            Self::Io(path, cause) => {
                write!(f, "cannot make the socket {}: {cause}; its folder must exist and be writable", path.display())
            }
        }
    }
}

impl std::error::Error for SocketError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_a_process_are_read_where_it_is_the_callers() {
        let status = "Name:\tsh\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\nGroups:\t100 2001 2002 \n";
        assert_eq!(groups(status, 1000), [100, 2001, 2002]);
        assert_eq!(groups(status, 1001), Vec::<u32>::new());
        assert_eq!(groups("", 1000), Vec::<u32>::new());
    }
}
