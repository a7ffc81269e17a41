//! Notifications over HTTP/2.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::site::{DAILIES, Site, dailies};

#[tokio::test]
async fn notifications_are_taken_over_http2_many_at_once() {
    let site = Site::start().await;
    let stream = site.raw(b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) =
        http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await.expect("shakes hands");
    let driving = tokio::spawn(connection);
    let mut answers = tokio::task::JoinSet::new();
    for number in 0..10 {
        let mut sender = sender.clone();
        answers.spawn(async move {
            let body = if number % 2 == 0 { DAILIES.to_owned() } else { dailies(300_000) };
            let request = Request::post("https://localhost/garmin").body(Full::from(body)).expect("a request");
            sender.send_request(request).await.expect("an answer").status().as_u16()
        });
    }
    while let Some(status) = answers.join_next().await {
        assert_eq!(status.expect("no panic"), 200);
    }
    assert_eq!(site.stored(), 10);
    driving.abort();
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A head in HPACK: POST, https, `/garmin`, `localhost`, all literal or from the static table.
fn head() -> Vec<u8> {
    let literal = |index: u8, text: &str| {
        let mut bytes = vec![index, u8::try_from(text.len()).expect("short")];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    [vec![0x83, 0x87], literal(0x04, "/garmin"), literal(0x01, "localhost")].concat()
}

#[tokio::test]
async fn stream_that_is_reset_after_a_complete_object_is_not_a_body() {
    const HEADERS: u8 = 1;
    const DATA: u8 = 0;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const END_OF_HEAD: u8 = 4;
    const END_OF_STREAM: u8 = 1;
    for reason in [0_u32, 8] {
        let site = Site::start().await;
        let mut stream = site.raw(b"h2").await;
        let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        sent.extend(frame(SETTINGS, 0, 0, &[]));
        sent.extend(frame(HEADERS, END_OF_HEAD, 1, &head()));
        sent.extend(frame(DATA, 0, 1, DAILIES.as_bytes()));
        stream.write_all(&sent).await.expect("sent");
        site.until("studygate_http_requests_in_flight{listener=\"ingress\"}", 1.0).await;
        stream.write_all(&frame(RESET, 0, 1, &reason.to_be_bytes())).await.expect("sent");
        site.until("studygate_http_requests_in_flight{listener=\"ingress\"}", 0.0).await;

        let mut whole = frame(HEADERS, END_OF_HEAD, 3, &head());
        whole.extend(frame(DATA, END_OF_STREAM, 3, DAILIES.as_bytes()));
        stream.write_all(&whole).await.expect("sent");
        site.until("studygate_notifications_total{outcome=\"accepted\"}", 1.0).await;
        assert_eq!(site.stored(), 1, "reset with reason {reason}");
        let mut answer = [0; 9];
        stream.read_exact(&mut answer).await.expect("the connection goes on");
    }
}
