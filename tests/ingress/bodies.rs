//! What a request is answered, by its body.

use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::ZlibEncoder};
use hyper::Method;
use studygate::{
    client::connection::{Outgoing, Sent},
    http::settings::Pace,
    model::entry::{Shape, Whose},
};
use tokio::{io::AsyncWriteExt as _, sync::mpsc};

use crate::site::{DAILIES, Site, dailies, gzip, read_all};

async fn check_malformed(site: &Site, body: &str, offset: u64) {
    let answer = site.post(body.to_owned()).await;
    assert_eq!(answer.status, 400, "{body}");
    assert_eq!(answer.headers["content-type"], "application/json");
    let answer: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(answer["offset"], offset, "{body}: {answer}");
    assert!(answer["error"].is_string());
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn body_that_is_no_json_object_is_400_with_the_offset() {
    let site = Site::start().await;
    check_malformed(&site, r#"{"dailies":[}"#, 12).await;
    check_malformed(&site, "[]", 0).await;
    check_malformed(&site, r#"{"dailies":[]} x"#, 15).await;
    assert_eq!(site.metric("studygate_notifications_total{outcome=\"malformed\"}"), 3.0);
}

#[tokio::test]
async fn body_that_ends_early_is_400_with_the_offset() {
    let site = Site::start().await;
    check_malformed(&site, r#"{"dailies":["#, 12).await;
    check_malformed(&site, "", 0).await;
}

#[tokio::test]
async fn nesting_is_taken_to_64_levels_and_no_deeper() {
    let site = Site::start().await;
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert_eq!(site.post(nested(65)).await.status, 400);
    assert_eq!(site.post(nested(100_000)).await.status, 400);
    assert_eq!(site.stored(), 0);
    assert_eq!(site.post(nested(64)).await.status, 200);
}

#[tokio::test]
async fn malformed_items_do_not_fail_their_neighbours() {
    let site = Site::start().await;
    let answer =
        site.post(r#"{"epochs":7,"dailies":[1,{"userId":"u"},{"userId":"u","userId":"v"},{}],"new":[]}"#).await;
    assert_eq!(answer.status, 200);
    let shapes: Vec<_> = site.delivered().1.into_iter().map(|entry| (entry.shape, entry.whose)).collect();
    assert_eq!(shapes[0].0, Shape::NotAnArray);
    assert_eq!(shapes[1].0, Shape::NotAnObject);
    assert_eq!(shapes[2], (Shape::Push, Whose::User("u".into())));
    assert_eq!(shapes[3], (Shape::Push, Whose::Unreadable));
    assert_eq!(shapes[4], (Shape::Push, Whose::Nobody));
    let quarantined = "studygate_items_total{kind=\"push\",outcome=\"quarantined\",type=\"dailies\"}";
    assert_eq!(site.metric(quarantined), 2.0);
}

#[tokio::test]
async fn every_top_level_key_is_read() {
    let site = Site::start().await;
    let body = r#"{"dailies":[{"userId":"a"}],"mct":[{"userId":"b"}],"activities":[{"userId":"c","callbackURL":"u"}]}"#;
    assert_eq!(site.post(body).await.status, 200);
    let found: Vec<_> = site.delivered().1.into_iter().map(|entry| (entry.member.to_string(), entry.shape)).collect();
    let expected = [("dailies", Shape::Push), ("mct", Shape::Push), ("activities", Shape::Ping)];
    assert_eq!(found, expected.map(|(member, shape)| (member.to_owned(), shape)));
}

#[tokio::test]
async fn user_id_that_comes_last_in_a_large_item_is_found() {
    let site = Site::start().await;
    let samples = vec![r#"{"heartRate":60}"#; 60_000].join(",");
    let body = format!(r#"{{"activityDetails":[{{"samples":[{samples}],"userId":"late"}}]}}"#);
    assert_eq!(site.post(body).await.status, 200);
    assert_eq!(site.delivered().1[0].whose, Whose::User("late".into()));
}

#[tokio::test]
async fn large_body_is_taken_whole() {
    let site = Site::start().await;
    let body = dailies(3 << 20);
    let items = body.matches("userId").count();
    assert_eq!(site.post(body).await.status, 200);
    assert_eq!(site.delivered().1.len(), items);
    let counted = "studygate_items_total{kind=\"push\",outcome=\"accepted\",type=\"dailies\"}";
    assert_eq!(site.metric(counted), items as f64);
}

#[tokio::test]
async fn large_body_with_a_fault_near_its_end_leaves_nothing() {
    let site = Site::start().await;
    let mut body = dailies(3 << 20);
    body.truncate(body.len() - 1);
    let answer = site.post(body.clone()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains(&format!("\"offset\":{}", body.len())), "{}", answer.body);
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn chunked_body_is_taken() {
    let site = Site::start().await;
    let (pieces, body) = mpsc::channel(1);
    let mut connection = site.connect().await;
    let outgoing =
        Outgoing { method: Method::POST, target: "/garmin".into(), headers: vec![], body: Sent::Stream(body) };
    let sending = async move {
        for piece in DAILIES.as_bytes().chunks(7) {
            pieces.send(Ok(piece.into())).await.expect("taken");
        }
    };
    let (answer, ()) = tokio::join!(connection.send(outgoing), sending);
    assert_eq!(answer.expect("an answer").status, 200);
    assert_eq!(site.delivered().0, DAILIES.as_bytes());
}

#[tokio::test]
async fn compressed_bodies_are_taken() {
    let site = Site::start().await;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(DAILIES.as_bytes()).expect("in memory");
    let zlib = zlib.finish().expect("in memory");
    let (first, second) = DAILIES.as_bytes().split_at(20);
    let members = [gzip(first), gzip(second)].concat();
    let coded = [
        ("gzip", gzip(DAILIES.as_bytes())),
        ("X-GZIP", gzip(DAILIES.as_bytes())),
        ("deflate", zlib),
        ("gzip", members),
    ];
    for (coding, body) in coded {
        let answer = site.ask(Method::POST, "/garmin", &[("content-encoding", coding)], body).await;
        assert_eq!(answer.status, 200, "{coding}");
        assert_eq!(site.delivered().0, DAILIES.as_bytes(), "{coding}");
    }
    let large = dailies(2 << 20);
    let answer = site.ask(Method::POST, "/garmin", &[("content-encoding", "gzip")], gzip(large.as_bytes())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(site.delivered().1.len(), large.matches("userId").count());
}

#[tokio::test]
async fn damaged_or_cut_compressed_body_is_400() {
    let site = Site::start().await;
    let whole = gzip(dailies(300_000).as_bytes());
    let mut garbage = whole.clone();
    garbage.extend_from_slice(b"tail");
    let mut altered = whole.clone();
    altered[whole.len() - 6] ^= 1;
    for body in [whole[..whole.len() - 1].to_vec(), garbage, altered, b"plain".to_vec()] {
        let answer = site.ask(Method::POST, "/garmin", &[("content-encoding", "gzip")], body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("\"offset\":"), "{}", answer.body);
    }
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn gzip_bomb_is_413() {
    let site = Site::start().await;
    let mut bomb = br#"{"a":[""#.to_vec();
    bomb.resize(200 << 20, b'x');
    let bomb = gzip(&bomb);
    assert!(bomb.len() < 1 << 20);
    let answer = site.ask(Method::POST, "/garmin", &[("content-encoding", "gzip")], bomb).await;
    assert_eq!(answer.status, 413);
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn long_white_space_counts_against_the_limit_and_nothing_else() {
    let site = Site::start().await;
    let spaces = " ".repeat(3 << 20);
    assert_eq!(site.post(format!("{{{spaces}\"dailies\":[]{spaces}}}")).await.status, 413);
    assert_eq!(site.post(format!("{{{spaces}\"dailies\":[]}}")).await.status, 200);
}

#[tokio::test]
async fn chunked_body_over_the_limit_is_413() {
    let site = Site::with(|options| options.door.body_bytes_max = 100_000).await;
    let (pieces, body) = mpsc::channel(1);
    let mut connection = site.connect().await;
    let outgoing =
        Outgoing { method: Method::POST, target: "/garmin".into(), headers: vec![], body: Sent::Stream(body) };
    let sending = async move {
        // The answer comes while this is sent, which then has no taker.
        while pieces.send(Ok(vec![b' '; 10_000].into())).await.is_ok() {}
    };
    let (answer, ()) = tokio::join!(connection.send(outgoing), sending);
    assert_eq!(answer.expect("an answer").status, 413);
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn announced_length_that_never_comes_is_not_a_body() {
    let site = Site::start().await;
    for body in [DAILIES.to_owned(), dailies(500_000)] {
        let mut stream = site.raw(b"http/1.1").await;
        let head = format!("POST /garmin HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len() + 1);
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(body.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("closed");
        let answer = read_all(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    site.until("studygate_http_requests_in_flight{listener=\"ingress\"}", 0.0).await;
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn chunked_body_without_its_last_chunk_is_not_a_body() {
    let site = Site::start().await;
    for body in [DAILIES.to_owned(), dailies(500_000)] {
        let mut stream = site.raw(b"http/1.1").await;
        let head = "POST /garmin HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(format!("{:x}\r\n{body}\r\n", body.len()).as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("closed");
        let answer = read_all(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    site.until("studygate_http_requests_in_flight{listener=\"ingress\"}", 0.0).await;
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn slow_body_is_408() {
    let site = Site::with(|options| {
        options.limits.linger = Duration::from_millis(20);
        options.ingress.pace =
            Pace { grace: Duration::from_millis(100), rate_min: 1 << 20, deadline: Duration::from_secs(60) };
    })
    .await;
    let answer = site.exchange("POST /garmin HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\n{\"dailies\":[").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(site.metric("studygate_notifications_total{outcome=\"too_slow\"}"), 1.0);
    assert_eq!(site.stored(), 0);
}

#[tokio::test]
async fn body_over_its_deadline_is_408_however_lively() {
    let site = Site::with(|options| {
        options.limits.linger = Duration::from_millis(20);
        options.ingress.pace =
            Pace { grace: Duration::from_secs(60), rate_min: 1, deadline: Duration::from_millis(200) };
    })
    .await;
    let stream = site.raw(b"http/1.1").await;
    let (mut reading, mut writing) = tokio::io::split(stream);
    let trickle = tokio::spawn(async move {
        let head = "POST /garmin HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        writing.write_all(head.as_bytes()).await.expect("sent");
        let mut beat = tokio::time::interval(Duration::from_millis(5));
        while writing.write_all(b"1\r\n \r\n").await.is_ok() {
            beat.tick().await;
        }
    });
    let mut answer = [0; 13];
    tokio::io::AsyncReadExt::read_exact(&mut reading, &mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408 ");
    trickle.abort();
}
