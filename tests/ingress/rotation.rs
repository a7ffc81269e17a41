//! The keyring rotates while bodies come in: each is acknowledged and read back.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::{Method, Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use studygate::client::connection::{Outgoing, Sent};
use studygate::crypto::keyring::Change;
use tokio::sync::mpsc;

use crate::site::{DAILIES, Site, dailies};

/// As a purge does it: what comes from here on is wrapped under the next generation, which ends those before it where
/// no body needs them.
fn rotate(site: &Site) {
    site.keyring.update(&[Change::NextJournalGeneration]).expect("written");
    let current = site.keyring.journal_current().0;
    let needed = site.journal.oldest_generation().map_or(current, |oldest| oldest.min(current));
    site.keyring.rotate(&[Change::DestroyJournalBefore(needed)]).expect("rotated");
}

/// Sends a body over HTTP/1.1 in two halves, the keyring rotated between them, or while both are under way.
async fn halved(site: &Site, body: String) {
    let (pieces, sent) = mpsc::channel(1);
    let mut connection = site.connect().await;
    let outgoing =
        Outgoing { method: Method::POST, target: "/garmin".into(), headers: vec![], body: Sent::Stream(sent) };
    let sending = async {
        let (first, second) = body.as_bytes().split_at(body.len() / 2);
        for half in [first, second] {
            for piece in half.chunks(100_000) {
                pieces.send(Ok(piece.to_vec().into())).await.expect("taken");
            }
            rotate(site);
        }
        drop(pieces);
    };
    let (answer, ()) = tokio::join!(connection.send(outgoing), sending);
    assert_eq!(answer.expect("an answer").status, 200);
}

/// Reads every stored body, under whatever keys are left, and returns how many items they hold.
fn read_back(site: &Site, bodies: u64) -> usize {
    assert_eq!(site.stored(), bodies);
    (0..bodies).map(|_| site.delivered().1.len()).sum()
}

#[tokio::test]
async fn small_and_large_bodies_that_come_slowly_over_a_rotation_are_acknowledged_and_read_back() {
    let site = Site::start().await;
    let large = dailies(900_000);
    let items = large.matches("userId").count();
    let before = site.keyring.epoch();
    assert_eq!(site.post(DAILIES).await.status, 200, "it waits in the journal over all rotations");
    halved(&site, DAILIES.to_owned()).await;
    halved(&site, large.clone()).await;
    tokio::join!(halved(&site, large.clone()), halved(&site, DAILIES.to_owned()), halved(&site, large));
    assert_eq!(site.keyring.epoch(), before + 10);
    assert_eq!(read_back(&site, 6), 3 * DAILIES.matches("userId").count() + 3 * items);
}

#[tokio::test]
async fn bodies_that_come_over_http2_over_rotations_are_acknowledged_and_read_back() {
    let site = Site::start().await;
    let stream = site.raw(b"h2").await;
    let (sender, connection) =
        http2::handshake::<_, _, Pieces>(TokioExecutor::new(), TokioIo::new(stream)).await.expect("shakes hands");
    let driving = tokio::spawn(connection);
    let large = dailies(300_000);
    let mut answers = tokio::task::JoinSet::new();
    let mut halves = Vec::new();
    for number in 0..8 {
        let body = if number % 2 == 0 { DAILIES.to_owned() } else { large.clone() };
        let (pieces, sent) = mpsc::channel(1);
        let request = Request::post("https://localhost/garmin").body(Pieces(sent)).expect("a request");
        let mut sender = sender.clone();
        answers.spawn(async move { sender.send_request(request).await.expect("an answer").status().as_u16() });
        let (first, second) = body.split_at(body.len() / 2);
        pieces.send(first.to_owned()).await.expect("taken");
        halves.push((pieces, second.to_owned()));
    }
    for (pieces, second) in halves {
        rotate(&site);
        pieces.send(second).await.expect("taken");
    }
    while let Some(status) = answers.join_next().await {
        assert_eq!(status.expect("no panic"), 200);
    }
    let items = 4 * DAILIES.matches("userId").count() + 4 * large.matches("userId").count();
    assert_eq!(read_back(&site, 8), items);
    driving.abort();
}

/// The pieces of a body as they are sent.
struct Pieces(mpsc::Receiver<String>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }
}
