//! Metrics of the listeners.

use prometheus::{Histogram, IntCounter, IntGauge};

use crate::telemetry::families::group;

group! {
    /// Requests, connections and handshakes of every listener.
    pub struct HttpMetrics {
        /// Answered requests.
        requests: IntCounterVec = "studygate_http_requests_total" ["listener", "route", "method", "code"],
        /// Time from a request's head to its answer.
        duration: HistogramVec = "studygate_http_request_duration_seconds" ["listener", "route"],
        /// Requests being answered.
        in_flight: IntGaugeVec = "studygate_http_requests_in_flight" ["listener"],
        /// Bytes of request bodies, as sent.
        body_bytes: IntCounterVec = "studygate_http_request_body_bytes_total" ["listener"],
        /// Open connections.
        connections: IntGaugeVec = "studygate_connections" ["listener"],
        /// Ended TLS handshakes.
        handshakes: IntCounterVec = "studygate_tls_handshakes_total" ["listener", "result"],
        /// When the certificate in use ends.
        certificate_not_after: IntGaugeVec =
            "studygate_tls_certificate_not_after_timestamp_seconds" ["listener"],
        /// Requests whose sender was refused.
        auth_failures: IntCounterVec = "studygate_auth_failures_total" ["listener"],
    }
}

/// A listener's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Notifications.
    Ingress,
    /// The local API.
    Local,
    /// The local API over HTTPS.
    Api,
    /// Health and metrics.
    Metrics,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A notification.
    Notify,
    /// The local API.
    Api,
    /// Health and metrics.
    Health,
    /// Anything else.
    Unknown,
}

/// The methods that have a label of their own, and all others.
const METHODS: [&str; 3] = ["GET", "POST", "other"];
/// The statuses that have a counter of their own, and all others.
const CODES: [u16; 19] = [200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 423, 429, 500, 503, 0];
const ROUTES: [Route; 4] = [Route::Notify, Route::Api, Route::Health, Route::Unknown];

impl Listener {
    /// Every listener.
    pub const ALL: [Self; 4] = [Self::Ingress, Self::Local, Self::Api, Self::Metrics];

    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Local => "local",
            Self::Api => "api",
            Self::Metrics => "metrics",
        }
    }

    const fn routes(self) -> [Route; 2] {
        match self {
            Self::Ingress => [Route::Notify, Route::Unknown],
            Self::Local | Self::Api => [Route::Api, Route::Unknown],
            Self::Metrics => [Route::Health, Route::Unknown],
        }
    }
}

impl Route {
    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Api => "api",
            Self::Health => "health",
            Self::Unknown => "unknown",
        }
    }
}

impl HttpMetrics {
    fn at_zero(&self) {
        for listener in Listener::ALL.map(Listener::name) {
            self.in_flight.with_label_values(&[listener]);
            self.body_bytes.with_label_values(&[listener]);
            self.connections.with_label_values(&[listener]);
            self.auth_failures.with_label_values(&[listener]);
        }
        for result in ["ok", "failed", "timeout"] {
            self.handshakes.with_label_values(&[Listener::Ingress.name(), result]);
        }
    }

    /// The metrics of one listener, looked up once.
    pub fn of(&self, listener: Listener) -> ListenerMetrics {
        let name = listener.name();
        let requests = listener
            .routes()
            .into_iter()
            .flat_map(|route| METHODS.map(|method| (route, method)))
            .map(|(route, method)| {
                CODES.map(|code| {
                    let code = if code == 0 { "other".to_owned() } else { code.to_string() };
                    self.requests.with_label_values(&[name, route.name(), method, &code])
                })
            })
            .collect();
        ListenerMetrics {
            listener,
            requests,
            durations: ROUTES
                .iter()
                .filter(|route| listener.routes().contains(route))
                .map(|route| (*route, self.duration.with_label_values(&[name, route.name()])))
                .collect(),
            in_flight: self.in_flight.with_label_values(&[name]),
            body_bytes: self.body_bytes.with_label_values(&[name]),
            connections: self.connections.with_label_values(&[name]),
            auth_failures: self.auth_failures.with_label_values(&[name]),
        }
    }
}

/// The metrics of one listener; using them takes no lock and no look-up by name.
#[derive(Clone, Debug)]
pub struct ListenerMetrics {
    listener: Listener,
    requests: Vec<[IntCounter; CODES.len()]>,
    durations: Vec<(Route, Histogram)>,
    /// Requests being answered.
    pub in_flight: IntGauge,
    /// Bytes of request bodies, as sent.
    pub body_bytes: IntCounter,
    /// Open connections.
    pub connections: IntGauge,
    /// Requests whose sender was refused.
    pub auth_failures: IntCounter,
}

impl ListenerMetrics {
    /// A request was answered. A route of another listener counts as unknown.
    pub fn answered(&self, route: Route, method: &str, code: u16, seconds: f64) {
        let routes = self.listener.routes();
        let place = routes.iter().position(|known| *known == route).unwrap_or(routes.len() - 1);
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let code = CODES.iter().position(|known| *known == code).unwrap_or(CODES.len() - 1);
        self.requests[place * METHODS.len() + method][code].inc();
        if let Some((_, histogram)) = self.durations.iter().find(|(known, _)| *known == routes[place]) {
            histogram.observe(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::registry::Registry;

    #[test]
    fn answers_are_counted_by_route_method_and_code_from_closed_sets() {
        let registry = Registry::new();
        let metrics = HttpMetrics::register(&registry).of(Listener::Ingress);
        metrics.answered(Route::Notify, "POST", 200, 0.002);
        metrics.answered(Route::Unknown, "BREW", 418, 0.002);
        let text = registry.render();
        let line = |method: &str, route: &str, code: &str, value: u8| {
            format!(
                "studygate_http_requests_total{{code=\"{code}\",listener=\"ingress\",method=\"{method}\",route=\"{route}\"}} {value}\n"
            )
        };
        assert!(text.contains(&line("POST", "notify", "200", 1)));
        assert!(text.contains(&line("POST", "notify", "503", 0)), "counters exist at 0 from the start");
        assert!(text.contains(&line("other", "unknown", "other", 1)));
    }
}
