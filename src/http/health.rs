//! The metrics listener: `/livez`, `/readyz` and `/metrics`, plain HTTP/1.1 on loopback, or HTTPS and a
//! token.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::access::rights::{Bounds, Rights};
use crate::access::role::Permission;
use crate::clock::{Clock, Synchronised};
use crate::http::{
    bearer::Bearer,
    connection::{Answer, Answered},
    listener::Front,
    local_api::{LocalBody, LocalResponse},
    problem::Problem,
    settings::ConnectionLimits,
};
use crate::lifecycle::{Readiness, Reason, Stopped};
use crate::telemetry::{
    http::{HttpMetrics, Listener, Route},
    registry::Registry,
    store::ReadyMetrics,
};

/// What the metrics listener shows.
pub struct Health {
    registry: Arc<Registry>,
    readiness: Arc<Readiness>,
    certificate: Told,
}

/// What is shown of the certificate that senders of notifications see.
pub type Told = Box<dyn Fn() -> Value + Send + Sync>;

impl Health {
    /// Shows these; the gauges of readiness and of the clock follow them from now on.
    pub fn new(
        registry: Arc<Registry>,
        readiness: Arc<Readiness>,
        clock: Arc<dyn Clock>,
        certificate: Told,
    ) -> Arc<Self> {
        let gauges = ReadyMetrics::register(&registry);
        let shown = Arc::clone(&readiness);
        registry.on_scrape(Box::new(move || {
            let reasons = shown.reasons();
            gauges.ready.set(i64::from(reasons.is_empty()));
            gauges.clock_synchronized.set(i64::from(clock.synchronised() == Synchronised::Yes));
            for reason in Reason::ALL {
                gauges.not_ready.with_label_values(&[reason.name()]).set(i64::from(reasons.contains(&reason)));
            }
        }));
        Arc::new(Self { registry, readiness, certificate })
    }

    /// Serves until the gateway stops.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        limits: ConnectionLimits,
        metrics: &HttpMetrics,
        stopped: Stopped,
    ) {
        Front::new(Listener::Metrics, self, limits, metrics, stopped).serve_plain(listener).await;
    }

    /// Serves over TLS, to whoever has a token that is permitted the metrics.
    pub async fn serve_tls(
        self: Arc<Self>,
        (listener, tls): (TcpListener, Arc<ServerConfig>),
        bearer: Arc<Bearer>,
        limits: ConnectionLimits,
        metrics: &HttpMetrics,
        stopped: Stopped,
    ) {
        let guarded = Arc::new(Guarded { health: self, bearer });
        Front::new(Listener::Metrics, guarded, limits, metrics, stopped).serve_tls(listener, tls).await;
    }

    fn page(&self, path: &str) -> Option<(StatusCode, &'static str, String)> {
        match path {
            "/livez" => Some((StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned())),
            "/readyz" => {
                let reasons: Vec<&str> = self.readiness.reasons().into_iter().map(Reason::name).collect();
                let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                let certificate = (self.certificate)();
                let text = json!({ "ready": reasons.is_empty(), "reasons": reasons, "certificate": certificate });
                let text = text.to_string();
                Some((status, "application/json", text))
            }
            "/metrics" => Some((StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.registry.render())),
            _ => None,
        }
    }
}

/// The same for whoever has a token.
struct Guarded {
    health: Arc<Health>,
    bearer: Arc<Bearer>,
}

impl Answer for Guarded {
    type Peer = IpAddr;
    type Body = Full<Bytes>;

    async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Answered<Full<Bytes>> {
        let identified = self.bearer.identify(peer, request.headers()).and_then(|token| {
            let decided = Rights::new(vec![token.grant]).decide(Permission::Metrics, Bounds::Site);
            decided.map_err(|_| Problem::forbidden())
        });
        match identified {
            Ok(_) => self.health.answer(peer, request).await,
            Err(problem) => Answered { route: Route::Health, response: refused(problem) },
        }
    }
}

fn refused(problem: Problem) -> Response<Full<Bytes>> {
    let LocalResponse { status, content_type, headers, body } = problem.into_response();
    let text = match body {
        LocalBody::Full(text) => text,
        LocalBody::Stream(_) => Bytes::new(),
    };
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().extend(headers);
    response
}

impl Answer for Health {
    type Peer = IpAddr;
    type Body = Full<Bytes>;

    async fn answer(&self, _peer: IpAddr, request: Request<Incoming>) -> Answered<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        let Some((status, media, text)) = self.page(request.uri().path()) else {
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Answered { route: Route::Unknown, response };
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            *response.status_mut() = status;
            *response.body_mut() = Full::from(text);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        } else {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        Answered { route: Route::Health, response }
    }
}
