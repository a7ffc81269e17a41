//! Requests that are framed to deceive, over raw sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::site::{DAILIES, Site, read_all};

async fn check_refused(head: &str, body: &str) {
    let site = Site::with(|options| options.limits.linger = Duration::from_millis(20)).await;
    let answer = site.exchange(&format!("POST /garmin HTTP/1.1\r\nhost: a\r\n{head}\r\n{body}")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "nothing follows a refusal: {answer}");
    assert_eq!(site.stored(), 0, "{head:?}");
}

#[tokio::test]
async fn content_length_with_transfer_encoding_is_400() {
    let chunked = format!("{:x}\r\n{DAILIES}\r\n0\r\n\r\n", DAILIES.len());
    let length = format!("content-length: {}\r\n", chunked.len());
    check_refused(&format!("{length}transfer-encoding: chunked\r\n"), &chunked).await;
    check_refused(&format!("transfer-encoding: chunked\r\n{length}"), &chunked).await;
}

#[tokio::test]
async fn content_length_given_twice_is_400_even_when_alike() {
    let length = DAILIES.len();
    check_refused(&format!("content-length: {length}\r\ncontent-length: {length}\r\n"), DAILIES).await;
    check_refused(&format!("content-length: {length}\r\nContent-Length: 3\r\n"), DAILIES).await;
    check_refused(&format!("content-length: {length}, {length}\r\n"), DAILIES).await;
}

#[tokio::test]
async fn bad_framing_is_400() {
    check_refused("content-length: +5\r\n", DAILIES).await;
    check_refused("content-length: x\r\n", DAILIES).await;
    check_refused("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n").await;
    check_refused("transfer-encoding: chunked\r\n", &format!("zz\r\n{DAILIES}\r\n0\r\n\r\n")).await;
}

#[tokio::test]
async fn second_request_of_a_connection_is_judged_by_its_own_head() {
    let site = Site::with(|options| options.limits.linger = Duration::from_millis(20)).await;
    let length = DAILIES.len();
    let good = format!("POST /garmin HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{DAILIES}");
    let bad = format!(
        "POST /garmin HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\ncontent-length: {length}\r\n\r\n{DAILIES}"
    );
    let answer = site.exchange(&format!("{good}{good}{bad}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 400 ").count(), 1, "{answer}");
    assert_eq!(site.stored(), 2);
}

#[tokio::test]
async fn expected_continue_is_answered_before_the_body() {
    let site = Site::start().await;
    let mut stream = site.raw(b"http/1.1").await;
    let head = format!(
        "POST /garmin HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        DAILIES.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.expect("an interim answer");
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(DAILIES.as_bytes()).await.expect("sent");
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn head_that_is_too_large_is_431() {
    let site = Site::start().await;
    let many = "x-a: b\r\n".repeat(100);
    let long = format!("x-a: {}\r\n", "b".repeat(20_000));
    for headers in [many, long] {
        let answer = site.exchange(&format!("POST /garmin HTTP/1.1\r\nhost: a\r\n{headers}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
