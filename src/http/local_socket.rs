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
    sync::Arc,
};

use hyper::{Request, body::Incoming};
use tokio::net::{UnixListener, UnixStream};

use crate::http::{
    connection::{Answer, Answered},
    listener::Front,
    local_answer::{self, AnswerBody},
    local_api::{Caller, LocalApi},
    request_id::RequestIds,
    settings::ConnectionLimits,
};
use crate::lifecycle::Stopped;
use crate::telemetry::http::{HttpMetrics, Listener};

/// Owner and group may use the socket.
const SOCKET_MODE: u32 = 0o660;

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
        ids: Arc<RequestIds>,
        limits: ConnectionLimits,
        metrics: &HttpMetrics,
        stopped: Stopped,
    ) {
        let Self { listener, _file } = self;
        Front::new(Listener::Local, Arc::new(Local { api, ids }), limits, metrics, stopped).serve_unix(listener).await;
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

struct Local {
    api: Arc<dyn LocalApi>,
    ids: Arc<RequestIds>,
}

impl Answer for Local {
    type Peer = Caller;
    type Body = AnswerBody;

    async fn answer(&self, peer: Caller, request: Request<Incoming>) -> Answered<AnswerBody> {
        let id = self.ids.of(request.headers());
        local_answer::answer(&*self.api, peer, id, request).await
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
