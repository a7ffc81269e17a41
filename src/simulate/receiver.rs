//! A made-up receiver of notifications, for tests: it keeps what comes and answers by a script.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::client::trust::Trust;
use crate::clock::{Clock as _, SystemClock};
use crate::simulate::callbacks::wire;
use crate::simulate::sender::Target;
use crate::tls::generate::self_signed;

/// What the fake receiver does with a request.
#[derive(Clone, Copy)]
pub(super) enum Act {
    Answer(u16),
    NeverAnswer,
    Close,
}

type Seen = Arc<Mutex<Vec<(HeaderMap, Vec<u8>)>>>;

/// A receiver of notifications that acts by a script, and then answers 200.
pub(super) struct Receiver {
    address: SocketAddr,
    pub(super) trust: Trust,
    seen: Seen,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(super) async fn new(script: &[Act]) -> Self {
        let pair = self_signed(&["127.0.0.1".to_owned()], SystemClock.now(), 2).expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seen = Seen::default();
        let script = Arc::new(Mutex::new(script.iter().copied().collect::<VecDeque<_>>()));
        let noted = Arc::clone(&seen);
        let answer = move |request: Request<Incoming>| {
            let (noted, script) = (Arc::clone(&noted), Arc::clone(&script));
            async move {
                let (head, mut body) = request.into_parts();
                let mut whole = Vec::new();
                while let Some(frame) = body.frame().await {
                    whole.extend(frame.map_err(io::Error::other)?.into_data().unwrap_or_default());
                }
                noted.lock().expect("no test panics here").push((head.headers, whole));
                let act = script.lock().expect("no test panics here").pop_front().unwrap_or(Act::Answer(200));
                act.perform().await
            }
        };
        let config = wire::server_config(&pair).expect("a certificate");
        let task = tokio::spawn(wire::serve(listener, config, answer));
        let trust = Trust::roots(pair.certificate.as_bytes()).expect("a certificate");
        Self { address, trust, seen, task }
    }

    pub(super) fn target(&self) -> Target {
        Target::of(&format!("https://{}/garmin/x", self.address), self.trust.clone()).expect("a URL")
    }

    /// The headers of what came so far.
    pub(super) fn headers(&self) -> Vec<HeaderMap> {
        self.seen.lock().expect("no test panics here").iter().map(|(headers, _)| headers.clone()).collect()
    }

    /// The bodies of what came so far.
    pub(super) fn bodies(&self) -> Vec<Vec<u8>> {
        self.seen.lock().expect("no test panics here").iter().map(|(_, body)| body.clone()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Act {
    async fn perform(self) -> Result<Response<BoxBody<Bytes, io::Error>>, io::Error> {
        match self {
            Self::Answer(status) => {
                let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                Ok(response)
            }
            Self::NeverAnswer => std::future::pending().await,
            Self::Close => Err(io::Error::other("closed")),
        }
    }
}
