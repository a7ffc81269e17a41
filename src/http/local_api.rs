//! What the local API is asked and what it answers, apart from sockets and HTTP framing.
//!
//! Never: deciding who may do what; the routes do that with the [`Caller`] they are given.

use std::{fmt, future::Future, io, pin::Pin};

use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{HeaderName, HeaderValue},
};
use tokio::sync::mpsc;

use crate::access::{rights::Scope, role::Role};

/// The longest body of a local request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody at the socket, as the kernel says.
    Socket {
        /// The user the asking process runs as.
        uid: u32,
        /// The user who logged in, where the kernel keeps it.
        login_uid: Option<u32>,
        /// The process's groups, its own and the supplementary ones.
        groups: Vec<u32>,
    },
    /// Whoever holds a token.
    Token {
        /// The token's name.
        name: String,
        /// What it is to the gateway.
        role: Role,
        /// Over what.
        scope: Scope,
    },
}

/// A request, its body whole.
pub struct LocalRequest {
    /// The method.
    pub method: Method,
    /// The path as sent, percent-encoded, beginning with a slash.
    pub path: String,
    /// What follows the question mark, percent-encoded; empty where there is none.
    pub query: String,
    /// Who asks.
    pub peer: Caller,
    /// The request's name.
    pub id: String,
    /// The body, at most [`REQUEST_BYTES_MAX`] long.
    pub body: Bytes,
}

/// The answer.
#[derive(Debug)]
pub struct LocalResponse {
    /// The status.
    pub status: StatusCode,
    /// The media type of the body.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: LocalBody,
}

/// The body of an answer.
#[derive(Debug)]
pub enum LocalBody {
    /// Whole in memory.
    Full(Bytes),
    /// Sent piece by piece as it is made; an error breaks the transfer off, so that what came cannot pass for whole.
    /// It has ended when [`StreamPiece::End`] comes; a channel closed before counts as an error.
    Stream(mpsc::Receiver<io::Result<StreamPiece>>),
}

/// A piece of a streamed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamPiece {
    /// Some bytes.
    Bytes(Bytes),
    /// The body is whole; nothing follows.
    End,
}

/// The answer, when it is ready.
pub type LocalAnswer<'a> = Pin<Box<dyn Future<Output = LocalResponse> + Send + 'a>>;

/// The routes of the local API.
pub trait LocalApi: Send + Sync {
    /// Answers one request; errors are answers, too.
    fn handle(&self, request: LocalRequest) -> LocalAnswer<'_>;
}

impl LocalResponse {
    /// An answer with this JSON text.
    pub fn json(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self { status, content_type: "application/json", headers: Vec::new(), body: LocalBody::Full(text.into()) }
    }
}

/// Bodies may name participants: only the outline is shown.
impl fmt::Debug for LocalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRequest")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("peer", &self.peer)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
