//! The metrics listener: `/livez`, `/readyz` and `/metrics`, plain HTTP/1.1.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::http::{
    connection::{Answer, Answered},
    listener::Front,
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
}

impl Health {
    /// Shows these; the gauges of readiness follow it from now on.
    pub fn new(registry: Arc<Registry>, readiness: Arc<Readiness>) -> Arc<Self> {
        let gauges = ReadyMetrics::register(&registry);
        let shown = Arc::clone(&readiness);
        registry.on_scrape(Box::new(move || {
            let reasons = shown.reasons();
            gauges.ready.set(i64::from(reasons.is_empty()));
            for reason in Reason::ALL {
                gauges.not_ready.with_label_values(&[reason.name()]).set(i64::from(reasons.contains(&reason)));
            }
        }));
        Arc::new(Self { registry, readiness })
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

    fn page(&self, path: &str) -> Option<(StatusCode, &'static str, String)> {
        match path {
            "/livez" => Some((StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned())),
            "/readyz" => {
                let reasons: Vec<&str> = self.readiness.reasons().into_iter().map(Reason::name).collect();
                let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                let text = json!({ "ready": reasons.is_empty(), "reasons": reasons }).to_string();
                Some((status, "application/json", text))
            }
            "/metrics" => Some((StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.registry.render())),
            _ => None,
        }
    }
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
