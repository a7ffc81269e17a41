//! The metrics listener.

use std::{sync::Arc, time::Duration};

use hyper::Method;
use studygate::{
    client::connection::Connection,
    clock::{Clock, Synchronised},
    http::{health::Health, listener::bind, settings::ConnectionLimits},
    lifecycle::{Readiness, Reason, Stop},
    model::time::UnixSeconds,
    telemetry::{http::HttpMetrics, registry::Registry},
};

use crate::site::ask;

/// A clock that something keeps right.
struct Kept;

impl Clock for Kept {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(1_795_132_800)
    }

    fn synchronised(&self) -> Synchronised {
        Synchronised::Yes
    }
}

#[tokio::test]
async fn readiness_liveness_and_metrics_are_shown() {
    let registry = Arc::new(Registry::new());
    let metrics = HttpMetrics::register(&registry);
    let readiness = Arc::new(Readiness::default());
    readiness.lower(Reason::Starting);
    let (stop, stopped) = Stop::new();
    let told = Box::new(|| serde_json::json!({ "source": "files" }));
    let health = Health::new(registry, Arc::clone(&readiness), Arc::new(Kept), told);
    let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let limits = ConnectionLimits { drain: Duration::from_secs(5), ..ConnectionLimits::default() };
    let serving = tokio::spawn(async move { health.serve(listener, limits, &metrics, stopped).await });

    let mut connection = Connection::plain(&address).await.expect("connects");
    assert_eq!(ask(&mut connection, Method::GET, "/livez", &[], "").await.status, 200);
    let not_ready = ask(&mut connection, Method::GET, "/readyz", &[], "").await;
    let told = r#"{"certificate":{"source":"files"},"ready":false,"reasons":["starting"]}"#;
    assert_eq!((not_ready.status, not_ready.body.as_str()), (503, told));
    let text = ask(&mut connection, Method::GET, "/metrics", &[], "").await.body;
    assert!(text.contains("\nstudygate_clock_synchronized 1\n"));
    assert!(text.contains("\nstudygate_ready 0\n") && text.contains("studygate_not_ready{reason=\"starting\"} 1\n"));
    readiness.raise(Reason::Starting);
    let ready = ask(&mut connection, Method::GET, "/readyz", &[], "").await;
    let told = r#"{"certificate":{"source":"files"},"ready":true,"reasons":[]}"#;
    assert_eq!((ready.status, ready.body.as_str()), (200, told));
    let text = ask(&mut connection, Method::GET, "/metrics", &[], "").await.body;
    assert!(text.contains("\nstudygate_ready 1\n") && text.contains("studygate_not_ready{reason=\"starting\"} 0\n"));
    assert_eq!(ask(&mut connection, Method::POST, "/metrics", &[], "").await.status, 405);
    assert_eq!(ask(&mut connection, Method::GET, "/", &[], "").await.status, 404);
    stop.stop();
    serving.await.expect("ends by itself");
}

#[tokio::test]
async fn address_in_use_is_one_sentence_that_names_it() {
    let held = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let address = held.local_addr().expect("bound");
    let error = bind(address).await.expect_err("in use").to_string();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")) && error.contains("end what listens there"));
}
