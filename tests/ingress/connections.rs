//! Connections: kept alive, bounded, and closed when nothing comes over them.

use std::{sync::Arc, time::Duration};

use hyper::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::site::{DAILIES, Site, ask, read_all};

#[tokio::test]
async fn connection_serves_one_request_after_the_other() {
    let site = Site::start().await;
    let mut connection = site.connect().await;
    for _ in 0..20 {
        assert_eq!(ask(&mut connection, Method::POST, "/garmin", &[], DAILIES).await.status, 200);
    }
    let malformed = ask(&mut connection, Method::POST, "/garmin", &[], "[]").await;
    assert_eq!(malformed.status, 400);
    assert_eq!(ask(&mut connection, Method::POST, "/garmin", &[], DAILIES).await.status, 200);
    assert_eq!(site.metric("studygate_tls_handshakes_total{listener=\"ingress\",result=\"ok\"}"), 1.0);
    assert_eq!(site.metric("studygate_connections{listener=\"ingress\"}"), 1.0);
    assert_eq!(site.stored(), 21);
}

#[tokio::test]
async fn connection_beyond_the_limit_is_told_503_with_retry_after() {
    let site = Site::with(|options| options.limits.connections_max = 1).await;
    let mut first = site.connect().await;
    assert_eq!(ask(&mut first, Method::POST, "/garmin", &[], DAILIES).await.status, 200);
    let answer = site.post(DAILIES).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
    drop(first);
    site.until("studygate_connections{listener=\"ingress\"}", 0.0).await;
    assert_eq!(site.post(DAILIES).await.status, 200);
}

#[tokio::test]
async fn large_body_without_a_slot_is_told_503() {
    let site = Site::with(|options| options.door.large_bodies_max = 0).await;
    let answer = site.post(crate::site::dailies(200_000)).await;
    assert_eq!(answer.status, 503);
    assert_eq!(site.post(DAILIES).await.status, 200, "a small one needs no slot");
}

#[tokio::test]
async fn slowloris_is_closed() {
    let site = Site::with(|options| options.limits.head_timeout = Duration::from_millis(100)).await;
    let mut stream = site.raw(b"http/1.1").await;
    stream.write_all(b"POST /garmin HTTP/1.1\r\nhost: a\r\nx-slow: ").await.expect("sent");
    assert_eq!(read_all(&mut stream).await, "");
    site.until("studygate_connections{listener=\"ingress\"}", 0.0).await;
}

#[tokio::test]
async fn idle_http2_connection_is_closed() {
    let site = Site::with(|options| {
        options.limits.idle_timeout = Duration::from_millis(50);
        options.limits.drain = Duration::from_millis(50);
    })
    .await;
    let silent = site.raw(b"h2").await;
    site.until("studygate_tls_handshakes_total{listener=\"ingress\",result=\"ok\"}", 1.0).await;
    site.until("studygate_connections{listener=\"ingress\"}", 0.0).await;
    drop(silent);
}

#[tokio::test]
async fn handshake_that_never_comes_is_given_up() {
    let site = Site::with(|options| options.limits.handshake_timeout = Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(site.address).await.expect("connects");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("closed");
    site.until("studygate_tls_handshakes_total{listener=\"ingress\",result=\"timeout\"}", 1.0).await;
}

#[tokio::test]
async fn plain_http_is_not_spoken() {
    let site = Site::start().await;
    let mut stream = TcpStream::connect(site.address).await.expect("connects");
    stream.write_all(b"POST /garmin HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    if stream.read_to_end(&mut answer).await.is_ok() {
        assert!(!answer.starts_with(b"HTTP/"));
    }
    site.until("studygate_tls_handshakes_total{listener=\"ingress\",result=\"failed\"}", 1.0).await;
}

#[tokio::test]
async fn tls_1_2_is_spoken_too() {
    let site = Site::start().await;
    let mut roots = rustls::RootCertStore::empty();
    let shown = site.raw(b"http/1.1").await.get_ref().1.peer_certificates().expect("shown")[0].clone();
    roots.add(shown.into_owned()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("has suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(site.address).await.expect("connects");
    let name = "localhost".try_into().expect("a name");
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("shakes hands");
    let request = format!(
        "POST /garmin HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{DAILIES}",
        DAILIES.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn sender_of_a_long_refused_body_reads_the_answer() {
    let site = Site::start().await;
    let body = crate::site::dailies(3 << 20);
    let answer = site.ask(Method::POST, "/nowhere", &[], body).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["connection"], "close");
}
