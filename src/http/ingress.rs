//! The listener for notifications: every request is decided from its head, then its body is taken in.
//!
//! Never: a 200 without durability; a body that was broken off taken for a whole one.

use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Version,
    body::{Body, Frame, Incoming},
};
use rustls::ServerConfig;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::http::{
    admission::{Admitted, admit},
    answer::{Outcome, close_after},
    connection::{Answer, Answered},
    listener::Front,
    settings::{ConnectionLimits, IngressSettings, Pace},
};
use crate::ingest::{door::Door, intake::Intake, refusal::Refusal};
use crate::lifecycle::{Readiness, Reason, Stopped};
use crate::telemetry::http::{HttpMetrics, Listener, Route};

/// The listener for notifications.
pub struct Ingress {
    settings: IngressSettings,
    door: Arc<Door>,
    readiness: Arc<Readiness>,
    body_bytes: prometheus::IntCounter,
    auth_failures: prometheus::IntCounter,
    stopped: Stopped,
}

impl Ingress {
    /// A listener that brings what it takes to this door.
    pub fn new(
        settings: IngressSettings,
        door: Arc<Door>,
        readiness: Arc<Readiness>,
        metrics: &HttpMetrics,
        stopped: Stopped,
    ) -> Arc<Self> {
        let name = Listener::Ingress.name();
        Arc::new(Self {
            settings,
            door,
            readiness,
            body_bytes: metrics.body_bytes.with_label_values(&[name]),
            auth_failures: metrics.auth_failures.with_label_values(&[name]),
            stopped,
        })
    }

    /// Serves these sockets over TLS until the gateway stops and what is under way has ended.
    pub async fn serve(
        self: Arc<Self>,
        listeners: Vec<TcpListener>,
        tls: Arc<ServerConfig>,
        limits: ConnectionLimits,
        metrics: &HttpMetrics,
    ) {
        let front = Front::new(Listener::Ingress, Arc::clone(&self), limits, metrics, self.stopped.clone());
        let mut loops = JoinSet::new();
        for listener in listeners {
            loops.spawn(Arc::clone(&front).serve_tls(listener, Arc::clone(&tls)));
        }
        while loops.join_next().await.is_some() {}
    }

    async fn outcome(&self, peer: IpAddr, request: Request<Incoming>) -> (Outcome, bool) {
        let (head, mut body) = request.into_parts();
        let admitted = match admit(&self.settings, self.door.body_bytes_max(), peer, &head) {
            Ok(admitted) => admitted,
            Err(outcome) => return (outcome, body.is_end_stream()),
        };
        if self.stopped.is_stopped() {
            return (Outcome::Refused(Refusal::Stopping), body.is_end_stream());
        }
        let Admitted { client, coding, length } = admitted;
        let mut intake = self.door.open(client, coding, length);
        let mut transfer = Transfer::begin(self.settings.pace);
        let taken = transfer.run(&mut body, &mut intake, head.version, length).await;
        self.body_bytes.inc_by(transfer.received);
        let outcome = match taken {
            Err(outcome) => outcome,
            Ok(()) => match intake.finish().await {
                Ok(_accepted) => {
                    self.door.answered(transfer.received, transfer.began.elapsed());
                    Outcome::Durable
                }
                Err(refusal) => Outcome::Refused(refusal),
            },
        };
        (outcome, body.is_end_stream())
    }
}

impl Answer for Ingress {
    type Peer = IpAddr;
    type Body = Full<Bytes>;

    async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Answered<Full<Bytes>> {
        let version = request.version();
        let (outcome, ended) = self.outcome(peer, request).await;
        match &outcome {
            Outcome::Forbidden => self.auth_failures.inc(),
            Outcome::Refused(Refusal::StoreFailed) => self.readiness.lower(Reason::StoreFailed),
            Outcome::Durable
            | Outcome::UnknownPath
            | Outcome::NotPost
            | Outcome::UnknownMedia
            | Outcome::BadFraming
            | Outcome::TooSlow
            | Outcome::Aborted(_)
            | Outcome::Refused(_) => {}
        }
        if let Some(counted) = outcome.counted_as() {
            self.door.metrics().notification(counted);
        }
        let route = if outcome == Outcome::UnknownPath { Route::Unknown } else { Route::Notify };
        let mut response = outcome.response();
        // A chunked body does not know that it has ended; one that was taken whole has.
        if outcome != Outcome::Durable && !ended {
            close_after(&mut response, version);
        }
        Answered { route, response }
    }
}

/// A body on its way from the socket to its intake.
struct Transfer {
    pace: Pace,
    began: Instant,
    waited: Duration,
    received: u64,
}

impl Transfer {
    fn begin(pace: Pace) -> Self {
        Self { pace, began: Instant::now(), waited: Duration::ZERO, received: 0 }
    }

    /// Hands the body to the intake until it is whole.
    async fn run(
        &mut self,
        body: &mut Incoming,
        intake: &mut Intake,
        version: Version,
        announced: Option<u64>,
    ) -> Result<(), Outcome> {
        while let Some(frame) = self.next(body).await? {
            let frame = frame.map_err(|_| Outcome::Aborted(self.received))?;
            // Trailers say nothing that is used.
            if let Ok(chunk) = frame.into_data() {
                self.received = self.received.saturating_add(chunk.len() as u64);
                intake.push(chunk).await.map_err(Outcome::Refused)?;
            }
        }
        // hyper ends an HTTP/2 body quietly when its stream is reset without an error; only the end flag is an end.
        let whole = version != Version::HTTP_2 || body.is_end_stream();
        if !whole || announced.is_some_and(|announced| announced != self.received) {
            return Err(Outcome::Aborted(self.received));
        }
        Ok(())
    }

    /// The next frame; a timer runs only while there is none.
    async fn next(&mut self, body: &mut Incoming) -> Result<Option<Result<Frame<Bytes>, hyper::Error>>, Outcome> {
        let mut frame = pin!(body.frame());
        let ready = poll_fn(|cx| Poll::Ready(frame.as_mut().poll(cx))).await;
        if let Poll::Ready(frame) = ready {
            return Ok(frame);
        }
        let asked = Instant::now();
        let patience = self.pace.patience(self.received, self.waited, asked - self.began).ok_or(Outcome::TooSlow)?;
        let frame = timeout(patience, frame).await.map_err(|_| Outcome::TooSlow)?;
        self.waited += asked.elapsed();
        Ok(frame)
    }
}
