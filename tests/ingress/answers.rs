//! What a request is answered, by its head.

use std::time::Duration;

use hyper::Method;

use crate::site::{DAILIES, Site, read_all};
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn durable_body_is_answered_200_and_nothing_else() {
    let site = Site::start().await;
    let answer = site.post(DAILIES).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(site.stored(), 1);
    let (bytes, entries) = site.delivered();
    assert_eq!(bytes, DAILIES.as_bytes());
    assert_eq!(entries.len(), 1);
    assert_eq!(site.metric("studygate_notifications_total{outcome=\"accepted\"}"), 1.0);
    assert_eq!(site.metric("studygate_items_total{kind=\"push\",outcome=\"accepted\",type=\"dailies\"}"), 1.0);
}

#[tokio::test]
async fn paths_below_a_known_one_take_notifications() {
    let site = Site::with(|options| options.ingress.paths = vec!["/a".to_owned(), "/b/c".to_owned()]).await;
    for (target, status) in [("/a/x/y", 200), ("/b/c", 200), ("/b", 404), ("/ax", 404), ("/garmin", 404)] {
        assert_eq!(site.ask(Method::POST, target, &[], DAILIES).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn unknown_path_is_404_and_the_same_for_every_method() {
    let site = Site::start().await;
    let mut seen = Vec::new();
    for method in [Method::GET, Method::POST, Method::PUT, Method::OPTIONS, Method::DELETE] {
        for target in ["/", "/garminx", "/metrics", "/api/v1/studies"] {
            let answer = site.ask(method.clone(), target, &[], "").await;
            let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            seen.push((answer.status, headers, answer.body));
        }
    }
    assert_eq!(seen[0].0, 404);
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn method_other_than_post_is_405_with_allow() {
    let site = Site::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = site.ask(method, "/garmin", &[], "").await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.headers["allow"], "POST");
    }
}

/// A head whose body never comes: only an answer that does not wait for it can arrive.
async fn answer_before_the_body(site: &Site, headers: &str) -> String {
    let mut stream = site.raw(b"http/1.1").await;
    let head = format!("POST /garmin HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    read_all(&mut stream).await
}

#[tokio::test]
async fn sender_outside_the_networks_is_403_before_the_body_is_read() {
    let site = Site::with(|options| {
        options.limits.linger = Duration::from_millis(20);
        options.ingress.allow_from = vec!["192.0.2.0/24".parse().expect("a network")];
    })
    .await;
    assert!(answer_before_the_body(&site, "").await.starts_with("HTTP/1.1 403 "));
    assert_eq!(site.metric("studygate_auth_failures_total{listener=\"ingress\"}"), 1.0);
    let forwarded = [("x-forwarded-for", "192.0.2.1")];
    assert_eq!(site.ask(Method::POST, "/garmin", &forwarded, DAILIES).await.status, 403, "the proxy is not trusted");
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn trusted_proxy_is_believed_about_the_sender() {
    let site = Site::with(|options| {
        options.ingress.allow_from = vec!["192.0.2.0/24".parse().expect("a network")];
        options.ingress.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    for (sender, status) in [("192.0.2.1", 200), ("203.0.113.1", 403)] {
        let headers = [("x-forwarded-for", sender)];
        assert_eq!(site.ask(Method::POST, "/garmin", &headers, DAILIES).await.status, status, "{sender}");
    }
}

#[tokio::test]
async fn client_that_is_not_named_is_403_before_the_body_is_read() {
    let site = Site::with(|options| {
        options.limits.linger = Duration::from_millis(20);
        options.ingress.client_ids = vec!["known".to_owned()];
    })
    .await;
    assert!(answer_before_the_body(&site, "").await.starts_with("HTTP/1.1 403 "));
    assert!(answer_before_the_body(&site, "garmin-client-id: other\r\n").await.starts_with("HTTP/1.1 403 "));
    let answer = site.ask(Method::POST, "/garmin", &[("garmin-client-id", "known")], DAILIES).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn signature_is_not_demanded() {
    let site = Site::start().await;
    let headers = [("user-agent", "Garmin Health API"), ("content-type", "application/json;charset=UTF-8")];
    assert_eq!(site.ask(Method::POST, "/garmin", &headers, DAILIES).await.status, 200);
}

#[tokio::test]
async fn media_that_is_not_json_is_415() {
    let site = Site::start().await;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/json;charset=latin1"] {
        let answer = site.ask(Method::POST, "/garmin", &[("content-type", media)], DAILIES).await;
        assert_eq!(answer.status, 415, "{media}");
    }
    for media in ["application/json", "application/vnd.x+json; charset=utf-8"] {
        let answer = site.ask(Method::POST, "/garmin", &[("content-type", media)], DAILIES).await;
        assert_eq!(answer.status, 200, "{media}");
    }
    assert_eq!(site.ask(Method::POST, "/garmin", &[], DAILIES).await.status, 200, "none given");
}

#[tokio::test]
async fn unknown_content_coding_is_415() {
    let site = Site::start().await;
    for coding in ["br", "zstd", "gzip, gzip"] {
        let answer = site.ask(Method::POST, "/garmin", &[("content-encoding", coding)], DAILIES).await;
        assert_eq!(answer.status, 415, "{coding}");
    }
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn body_announced_over_the_limit_is_413_before_it_is_read() {
    let site = Site::with(|options| {
        options.limits.linger = Duration::from_millis(20);
        options.door.body_bytes_max = 999;
    })
    .await;
    let answer = answer_before_the_body(&site, "expect: 100-continue\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn disk_under_its_reserve_is_503_with_retry_after() {
    let site = Site::with(|options| options.reserve = u64::MAX / 2).await;
    for body in [DAILIES.to_owned(), crate::site::dailies(200_000)] {
        let answer = site.post(body).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.headers["retry-after"], "30");
    }
    assert!(site.readiness.is_ready(), "a refused body alone is no failure");
}

#[tokio::test]
async fn closed_journal_is_503_with_retry_after() {
    let site = Site::start().await;
    site.journal.close();
    let answer = site.post(DAILIES).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(site.metric("studygate_notifications_total{outcome=\"unavailable\"}"), 1.0);
}

#[tokio::test]
async fn stopping_gateway_takes_no_further_request() {
    let site = Site::start().await;
    let mut connection = site.connect().await;
    assert_eq!(crate::site::ask(&mut connection, Method::POST, "/garmin", &[], DAILIES).await.status, 200);
    site.stop.stop();
    site.serving.await.expect("ends by itself");
    assert_eq!(site.journal.backlog().0, 1);
    let refused = tokio::net::TcpStream::connect(site.address).await;
    assert!(refused.is_err(), "the port is closed");
}

#[tokio::test]
async fn body_under_way_when_the_gateway_stops_is_still_taken() {
    let site = Site::start().await;
    let mut stream = site.raw(b"http/1.1").await;
    let head = format!("POST /garmin HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", DAILIES.len());
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&DAILIES.as_bytes()[..10]).await.expect("sent");
    site.until("studygate_http_requests_in_flight{listener=\"ingress\"}", 1.0).await;
    site.stop.stop();
    stream.write_all(&DAILIES.as_bytes()[10..]).await.expect("sent");
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 200 "));
    site.serving.await.expect("ends by itself");
}
