//! The local API's socket, with routes of the test's own.

use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Method, StatusCode};
use ring::rand::SystemRandom;
use studygate::{
    client::connection::{Connection, Outgoing},
    http::{
        local_api::{Caller, LocalAnswer, LocalApi, LocalBody, LocalRequest, LocalResponse, StreamPiece},
        local_socket::{LocalSocket, SocketError},
        request_id::RequestIds,
        settings::ConnectionLimits,
    },
    lifecycle::{Stop, Stopped},
    telemetry::{http::HttpMetrics, registry::Registry},
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::site::ask;

struct Echo;

impl LocalApi for Echo {
    fn handle(&self, request: LocalRequest) -> LocalAnswer<'_> {
        Box::pin(async move {
            let LocalRequest { method, path, query, peer, body, .. } = request;
            let stream = |pieces: Vec<StreamPiece>| {
                let (sender, receiver) = mpsc::channel(8);
                for piece in pieces {
                    sender.try_send(Ok(piece)).expect("room");
                }
                let mut answer = LocalResponse::json(StatusCode::OK, "");
                answer.body = LocalBody::Stream(receiver);
                answer
            };
            let piece = || StreamPiece::Bytes(Bytes::from_static(b"piece"));
            match path.as_str() {
                "/whole" => stream(vec![piece(), piece(), StreamPiece::End]),
                "/cut" => stream(vec![piece(), piece()]),
                _ => {
                    let Caller::Socket { uid, .. } = peer else { panic!("a token on the socket") };
                    let text = format!("{method} {path} {query} {uid} {}", body.len());
                    LocalResponse::json(StatusCode::CREATED, text)
                }
            }
        })
    }
}

fn serve(path: &Path, stopped: Stopped) -> JoinHandle<()> {
    let socket = LocalSocket::bind(path).expect("bound");
    let limits = ConnectionLimits { drain: Duration::from_secs(5), ..ConnectionLimits::default() };
    tokio::spawn(async move {
        let metrics = HttpMetrics::register(&Registry::new());
        socket.serve(Arc::new(Echo), Arc::new(RequestIds::new(&SystemRandom::new())), limits, &metrics, stopped).await;
    })
}

#[tokio::test]
async fn request_comes_with_its_caller_and_the_answer_goes_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.sock");
    let (stop, stopped) = Stop::new();
    let serving = serve(&path, stopped);
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut connection = Connection::unix(&path).await.expect("connects");
    let uid = rustix::process::getuid().as_raw();
    let answer = ask(&mut connection, Method::PUT, "/api/v1/x?a=b", &[], "12345").await;
    assert_eq!((answer.status, answer.body), (201, format!("PUT /api/v1/x a=b {uid} 5")));
    let long = ask(&mut connection, Method::POST, "/", &[], vec![b'x'; (1 << 20) + 1]).await;
    assert_eq!(long.status, 413);
    drop(connection);
    stop.stop();
    serving.await.expect("ends by itself");
    assert!(!path.exists(), "the socket goes with the gateway");
}

#[tokio::test]
async fn streamed_answer_that_is_cut_cannot_pass_for_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.sock");
    let (_stop, stopped) = Stop::new();
    let serving = serve(&path, stopped);
    let mut connection = Connection::unix(&path).await.expect("connects");
    let whole = connection.send(Outgoing::get("/whole")).await.expect("an answer");
    assert_eq!(whole.whole(100).await.expect("whole"), b"piecepiece");
    // Broken off at once, even the head may not come.
    if let Ok(cut) = connection.send(Outgoing::get("/cut")).await {
        assert!(cut.whole(100).await.is_err());
    }
    serving.abort();
}

#[tokio::test]
async fn socket_nobody_listens_on_is_replaced_and_one_in_use_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    let held = LocalSocket::bind(&path).expect("a stale socket is replaced");
    let error = LocalSocket::bind(&path).err().expect("in use");
    assert!(matches!(error, SocketError::InUse(_)), "{error}");
    drop(held);
    std::fs::write(&path, "").expect("written");
    let error = LocalSocket::bind(&path).err().expect("no socket");
    assert!(error.to_string().contains("is no socket"), "{error}");
}
