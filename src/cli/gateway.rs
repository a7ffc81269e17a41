//! The running gateway as commands see it: JSON over its Unix socket, or over HTTPS with a token.
//!
//! Limits: an answer of 64 MiB (an export is a stream and has none), 10 minutes until an answer begins.

#[cfg(target_os = "linux")]
use std::path::{Path, PathBuf};
use std::{io, time::Duration};

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use crate::cli::{
    exit::{Exit, Failure},
    remote::Remote,
    resource::Resource,
    signals::Signals,
};
use crate::client::connection::{Answer, Connection, Error, Outgoing};

const BASE: &str = "/api/v1";
const ANSWER_BYTES_MAX: usize = 64 << 20;
const ANSWER_SECONDS_MAX: u64 = 600;

/// The running gateway.
pub(super) struct Gateway {
    place: Place,
    runtime: Runtime,
}

/// Where the gateway is spoken to.
enum Place {
    #[cfg(target_os = "linux")]
    Socket(PathBuf),
    Https(Remote),
}

/// An answer that streams, and the signals that end it early; they are listened to from its start, so that none is lost.
pub(super) struct Download {
    answer: Answer,
    // The body ends with the connection it comes over.
    _connection: Connection,
    signals: Signals,
}

impl Gateway {
    /// The gateway that listens on this socket; nothing is sent yet.
    #[cfg(target_os = "linux")]
    pub(super) fn at(socket: &Path) -> Result<Gateway, Failure> {
        Self::of(Place::Socket(socket.to_owned()))
    }

    /// The gateway on another machine; nothing is sent yet.
    pub(super) fn remote(remote: Remote) -> Result<Gateway, Failure> {
        Self::of(Place::Https(remote))
    }

    fn of(place: Place) -> Result<Gateway, Failure> {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Gateway { place, runtime: built.map_err(|error| impossible(&error))? })
    }

    /// The JSON at this path.
    pub(super) fn get(&self, path: &Resource) -> Result<Value, Failure> {
        self.call(Outgoing::get(target(path)))
    }

    /// The list of this name at this path, page after page: an answer with all of it.
    pub(super) fn list(&self, path: &Resource, name: &str) -> Result<Value, Failure> {
        let mut items = Vec::new();
        let mut page = path.clone();
        loop {
            let mut answer = self.get(&page)?;
            if let Some(more) = answer[name].as_array_mut() {
                items.append(more);
            }
            let next = answer["next"].take();
            let text = next.as_str().map(str::to_owned).or_else(|| next.as_u64().map(|number| number.to_string()));
            let Some(next) = text else {
                let mut whole = Map::new();
                whole.insert(name.to_owned(), Value::Array(items));
                return Ok(Value::Object(whole));
            };
            page = path.clone().with("after", &next);
        }
    }

    /// Posts JSON to this path; the answer's JSON.
    pub(super) fn post(&self, path: &Resource, body: &Value) -> Result<Value, Failure> {
        self.call(Outgoing::post_json(target(path), body.to_string()))
    }

    /// Changes what is at this path; the answer's JSON.
    pub(super) fn patch(&self, path: &Resource, body: &Value) -> Result<Value, Failure> {
        self.call(Outgoing::with_json(Method::PATCH, target(path), body.to_string()))
    }

    /// Removes what is at this path; the answer's JSON.
    pub(super) fn delete(&self, path: &Resource, body: &Value) -> Result<Value, Failure> {
        self.call(Outgoing::with_json(Method::DELETE, target(path), body.to_string()))
    }

    /// Opens the stream at this path.
    pub(super) fn download(&self, path: &Resource) -> Result<Download, Failure> {
        self.runtime.block_on(async {
            let signals = Signals::listen().map_err(|error| impossible(&error))?;
            let (connection, answer) = self.send(Outgoing::get(target(path))).await?;
            if answer.status == StatusCode::OK {
                return Ok(Download { answer, _connection: connection, signals });
            }
            let status = answer.status;
            Err(refusal(status, &self.whole(answer).await?))
        })
    }

    /// The next piece of a stream, `None` after its last; an interrupt or a broken stream is a failure.
    pub(super) fn next(&self, download: &mut Download) -> Result<Option<Bytes>, Failure> {
        let Download { answer, signals, .. } = download;
        let cut = "the gateway ended the stream before it was complete; see its log, then run it again";
        self.runtime.block_on(async {
            tokio::select! {
                piece = answer.chunk() => piece.map_err(|_| Failure::new(Exit::Failed, cut)),
                () = signals.recv() => Err(interrupted()),
            }
        })
    }

    fn call(&self, outgoing: Outgoing) -> Result<Value, Failure> {
        self.runtime.block_on(async {
            // The connection is held until the answer is whole.
            let (_connection, answer) = self.send(outgoing).await?;
            let status = answer.status;
            let body = self.whole(answer).await?;
            if !status.is_success() {
                return Err(refusal(status, &body));
            }
            serde_json::from_slice(&body).map_err(|_| foreign())
        })
    }

    async fn send(&self, outgoing: Outgoing) -> Result<(Connection, Answer), Failure> {
        let (connected, outgoing) = match &self.place {
            #[cfg(target_os = "linux")]
            Place::Socket(socket) => (Connection::unix(socket).await, outgoing),
            Place::Https(remote) => (remote.connect().await, remote.with_token(outgoing)),
        };
        let mut connection = connected.map_err(|error| self.failure(&error))?;
        let answer = tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), connection.send(outgoing)).await;
        match answer {
            Ok(Ok(answer)) => Ok((connection, answer)),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => Err(Failure::new(Exit::TryAgain, "the gateway takes too long to answer; see its log")),
        }
    }

    async fn whole(&self, answer: Answer) -> Result<Vec<u8>, Failure> {
        answer.whole(ANSWER_BYTES_MAX).await.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &Error) -> Failure {
        if matches!(error, Error::TooLong) {
            return Failure::new(Exit::Failed, "the gateway's answer is larger than 64 MiB; ask for less");
        }
        match (&self.place, error) {
            (Place::Https(remote), error) => remote.failure(error),
            #[cfg(target_os = "linux")]
            (Place::Socket(socket), Error::Unreachable(_, cause)) => unreachable(socket, cause),
            #[cfg(target_os = "linux")]
            (Place::Socket(_), _) => foreign(),
        }
    }
}

fn target(path: &Resource) -> String {
    format!("{BASE}/{}", path.as_str())
}

fn impossible(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the system gives this program too little to run ({error}); free some and try again"),
    )
}

fn interrupted() -> Failure {
    Failure::new(Exit::Failed, "interrupted, and nothing was kept; run it again")
}

/// What a problem document means here.
fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = problem["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default();
    let exit = match (kind, status.as_u16()) {
        ("store-failed", _) | (_, 507) => Exit::Storage,
        ("invalid" | "not-built" | "too-large", _) | (_, 400 | 413 | 501) => Exit::Usage,
        (_, 404) => Exit::NotFound,
        (_, 429 | 503) => Exit::TryAgain,
        _ => Exit::Failed,
    };
    match problem["detail"].as_str() {
        Some(detail) => Failure::new(exit, detail),
        None => Failure::new(exit, format!("the gateway answered {} without a reason; see its log", status.as_u16())),
    }
}

#[cfg(target_os = "linux")]
fn unreachable(socket: &Path, error: &io::Error) -> Failure {
    let (kind, socket) = (error.kind(), socket.display());
    let text = if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        format!(
            "no gateway listens on {socket}; start it with `studygate serve`, or name its configuration with --config"
        )
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("you may not use {socket}; become a member of its group")
    } else {
        format!("the gateway cannot be reached on {socket} ({error}); check local.socket")
    };
    Failure::new(Exit::Unreachable, text)
}

fn foreign() -> Failure {
    Failure::new(Exit::Unreachable, "the gateway broke off, or something else listens on its socket; see its log")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, kind: &str, exit: Exit) {
        let status = StatusCode::from_u16(status).expect("a status");
        let body = format!(r#"{{"type":"urn:studygate:problem:{kind}","detail":"Do this."}}"#);
        assert_eq!(refusal(status, body.as_bytes()), Failure::new(exit, "Do this."), "{status} {kind}");
    }

    #[test]
    fn problem_ends_with_its_exit_code() {
        check(400, "invalid", Exit::Usage);
        check(404, "not-found", Exit::NotFound);
        check(409, "conflict", Exit::Failed);
        check(423, "locked", Exit::Failed);
        check(501, "not-built", Exit::Usage);
        check(503, "unavailable", Exit::TryAgain);
        check(503, "store-failed", Exit::Storage);
        check(500, "internal", Exit::Failed);
    }

    #[test]
    fn answer_that_is_no_problem_document_still_ends_in_a_sentence() {
        let failure = refusal(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(failure, Failure::new(Exit::Failed, "the gateway answered 502 without a reason; see its log"));
    }
}
