//! The authority's HTTP as the protocol's crate asks for it, over the gateway's own way out; and what the last answer
//! was, which that crate does not tell.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, body::Body as _, header::USER_AGENT};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use crate::acme::fault::Fault;
use crate::clock::Clock;
use crate::upstream::authority::{Authority, retry_after_s};

/// How the last request ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    /// The status of its answer, where one came.
    pub(super) status: Option<u16>,
    /// How long the authority asks to wait, in seconds.
    pub(super) asked: Option<i64>,
    /// Why no answer came.
    pub(super) fault: Option<crate::upstream::fault::Fault>,
}

/// The way to the authority.
#[derive(Clone)]
pub(super) struct Transport {
    authority: Authority,
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<Last>>,
}

impl Transport {
    pub(super) fn new(authority: Authority, clock: Arc<dyn Clock>) -> Self {
        Self { authority, clock, last: Arc::default() }
    }

    /// How the last request ended.
    pub(super) fn last(&self) -> Last {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<BytesResponse, Error> {
        let answered = self.authority.send(request).await;
        let last = match &answered {
            Ok(answer) => Last {
                status: Some(answer.status().as_u16()),
                asked: retry_after_s(answer, self.clock.now()),
                fault: None,
            },
            Err(fault) => Last { status: None, asked: None, fault: Some(*fault) },
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        match answered {
            Ok(answer) => Ok(BytesResponse::from(answer.map(Full::new))),
            Err(fault) => Err(Error::Other(Box::new(Fault::Way(fault)))),
        }
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let transport = self.clone();
        Box::pin(async move {
            let (mut parts, mut body) = request.into_parts();
            parts.headers.insert(USER_AGENT, hyper::header::HeaderValue::from_static("studygate"));
            // The crate's bodies are whole in memory: one frame or none.
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
            let bytes = frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok()).unwrap_or_default();
            transport.send(Request::from_parts(parts, bytes)).await
        })
    }
}
