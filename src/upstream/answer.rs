//! An answer: its head at once, its body piece by piece as it comes.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::{
    Response,
    header::{CONTENT_ENCODING, HeaderMap, RETRY_AFTER, TRANSFER_ENCODING},
};
use tokio::time;

use crate::model::time::UnixSeconds;
use crate::upstream::{fault::Fault, retry_after};

/// What came back from a callback.
pub struct Answer {
    status: u16,
    length: Option<u64>,
    retry_after: Option<String>,
    stall: Duration,
    body: Body,
}

/// How far the body has come.
enum Body {
    /// More may come.
    Open(Response),
    /// All of it has come.
    Whole,
    /// It will not come whole, however often it is asked for.
    Failed(Fault),
}

impl Answer {
    /// The answer of this response. Its body may pause for `stall`.
    pub(super) fn new(response: Response, stall: Duration) -> Self {
        let headers = response.headers();
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is_plain = is_plain(headers);
        Self {
            status: response.status().as_u16(),
            length: response.content_length(),
            retry_after,
            stall,
            body: if is_plain { Body::Open(response) } else { Body::Failed(Fault::Coded) },
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body's length, where the answer announces it. A body that ends before is a fault.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// How long the server asks to wait before the next request.
    pub fn retry_after(&self, now: UnixSeconds) -> Option<Duration> {
        self.retry_after.as_deref().and_then(|value| retry_after::parse(value, now))
    }

    /// The next piece of the body; `None` once it has come whole. After a fault there is only that fault.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let next = match &mut self.body {
            Body::Open(response) => match time::timeout(self.stall, response.chunk()).await {
                Ok(next) => next.map_err(|error| Fault::of(&error)),
                Err(_) => Err(Fault::TimedOut),
            },
            Body::Whole => Ok(None),
            Body::Failed(fault) => Err(*fault),
        };
        match &next {
            Ok(Some(_)) => {}
            Ok(None) => self.body = Body::Whole,
            Err(fault) => self.body = Body::Failed(*fault),
        }
        next
    }
}

/// Whether the body is the content itself. No coding was asked for; one that comes all the same, even between the
/// connection's two ends alone, is nothing to guess at.
fn is_plain(headers: &HeaderMap) -> bool {
    let is_all = |name, only: &[u8]| {
        headers.get_all(name).iter().all(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(only))
    };
    is_all(CONTENT_ENCODING, b"identity") && is_all(TRANSFER_ENCODING, b"chunked")
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("length", &self.length).finish_non_exhaustive()
    }
}
