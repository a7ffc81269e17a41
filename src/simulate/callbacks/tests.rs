//! Every answer and every fault of the callback server, as a client meets them.

use std::sync::atomic::{AtomicI64, Ordering};

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION, RETRY_AFTER};

use super::offer::digest_of;
use super::*;
use crate::client::connection::{Answer, Connection, Error as ClientError, Outgoing};
use crate::client::trust::Trust;
use crate::clock::SystemClock;
use crate::tls::generate::self_signed;

const NOW: i64 = 1_793_509_200;
const BYTES_MAX: usize = 1 << 20;

/// A clock that the test moves.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.0.load(Ordering::Relaxed))
    }
}

struct Place {
    callbacks: Callbacks,
    trust: Trust,
    clock: Arc<Hand>,
}

impl Place {
    async fn new() -> Self {
        let pair = self_signed(&["127.0.0.1".to_owned()], SystemClock.now(), 2).expect("an address");
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let settings = Settings { slow_pause: Duration::from_millis(1), ..Settings::default() };
        let callbacks = Callbacks::start(settings, &pair, Arc::clone(&clock) as _).await.expect("a free port");
        Self { callbacks, trust: Trust::roots(pair.certificate.as_bytes()).expect("a certificate"), clock }
    }

    async fn connect(&self) -> Connection {
        Connection::https(self.callbacks.host(), "127.0.0.1", &self.trust).await.expect("it listens")
    }

    async fn get(&self, url: &str) -> Result<Answer, ClientError> {
        self.connect().await.send(Outgoing::get(target_of(url))).await
    }

    /// Status and body of a URL, where the whole body came.
    async fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>), ClientError> {
        let mut connection = self.connect().await;
        let answer = connection.send(Outgoing::get(target_of(url))).await?;
        let status = answer.status.as_u16();
        Ok((status, answer.whole(BYTES_MAX).await?))
    }

    /// A window whose first attempt meets this fault.
    fn spoiled(&self, fault: Fault) -> Offer {
        let (from, to) = (UnixSeconds(100), UnixSeconds(400));
        let ready = Ready::Window { summary_type: "dailies".to_owned(), from, to, array: array() };
        self.callbacks.offer(ready, Some(vec![fault]))
    }

    /// All answers, once this many have ended.
    async fn ended(&self, count: usize) -> Vec<Fetch> {
        let mut ended = self.callbacks.ended();
        let wait = ended.wait_for(|ended| *ended == count);
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("every answer ends").expect("it runs");
        self.callbacks.fetches()
    }
}

/// Path and query of a URL.
fn target_of(url: &str) -> String {
    url.split_once("/wellness").map(|(_, rest)| format!("/wellness{rest}")).expect("a URL of this server")
}

fn closed() -> Served {
    Served::Spoiled(Fault::Closed)
}

fn array() -> Bytes {
    Bytes::from(format!("[{{\"summaryId\":\"x-1\",\"pad\":\"{}\"}}]", "y".repeat(5000)))
}

#[tokio::test]
async fn window_comes_whole_as_a_bare_array_and_is_noted_by_digest_alone() {
    let place = Place::new().await;
    let offer = place.callbacks.offer_window("dailies", UnixSeconds(100), UnixSeconds(400), array());
    assert_eq!(place.fetch(&offer.url).await.expect("an answer"), (200, array().to_vec()));
    let fetches = place.ended(1).await;
    let fetch = &fetches[0];
    assert_eq!((fetch.offer, &fetch.served, fetch.at), (Some(offer.id), &Served::Good, UnixSeconds(NOW)));
    assert_eq!((fetch.bytes, fetch.is_whole), (array().len() as u64, true));
    let token = offer.url.split("token=").nth(1).expect("a token");
    assert_eq!(fetch.token_digest.as_deref(), Some(digest_of(token).as_str()));
    for text in [format!("{fetch:?}"), format!("{offer:?}"), format!("{:?}", place.callbacks)] {
        assert!(!text.contains(token));
    }
}

#[tokio::test]
async fn empty_window_is_an_empty_array() {
    let place = Place::new().await;
    let empty = Bytes::from_static(b"[]");
    let offer = place.callbacks.offer_window("activities", UnixSeconds(1), UnixSeconds(2), empty);
    assert_eq!(place.fetch(&offer.url).await.expect("an answer"), (200, b"[]".to_vec()));
}

#[tokio::test]
async fn second_download_of_a_file_is_gone_and_an_expired_token_is_invalid() {
    let place = Place::new().await;
    let file = place.callbacks.offer_file("123", Bytes::from_static(b"bytes of a file"));
    assert_eq!(place.fetch(&file.url).await.expect("an answer"), (200, b"bytes of a file".to_vec()));
    let (status, body) = place.fetch(&file.url).await.expect("an answer");
    assert_eq!(status, 410);
    let error: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert!(error["errorMessage"].is_string());
    place.clock.0.store(NOW + 86_401, Ordering::Relaxed);
    let (status, body) = place.fetch(&file.url).await.expect("an answer");
    assert_eq!((status, body), (400, br#"{"errorMessage":"Invalid download token"}"#.to_vec()));
    let served: Vec<_> = place.ended(3).await.into_iter().map(|fetch| fetch.served).collect();
    assert_eq!(served, [Served::Good, Served::Refused(410), Served::Refused(400)]);
}

#[tokio::test]
async fn unknown_tokens_other_methods_and_forbidden_types_are_refused() {
    let place = Place::new().await;
    let offer = place.callbacks.offer_window("sleeps", UnixSeconds(100), UnixSeconds(400), array());
    assert_eq!(place.fetch(&format!("{}0", offer.url)).await.expect("an answer").0, 401);
    let post = Outgoing::with_json(Method::POST, target_of(&offer.url), "{}");
    assert_eq!(place.connect().await.send(post).await.expect("an answer").status, 405);
    let bearer = Outgoing::get(target_of(&offer.url)).header(AUTHORIZATION, HeaderValue::from_static("Bearer made-up"));
    assert_eq!(place.connect().await.send(bearer).await.expect("an answer").status, 401);
    place.callbacks.forbid(offer.id);
    assert_eq!(place.fetch(&offer.url).await.expect("an answer").0, 412);
}

#[tokio::test]
async fn every_error_status_comes_once_and_then_the_data() {
    let place = Place::new().await;
    for status in [400, 401, 403, 410, 412, 500, 502, 503] {
        let offer = place.spoiled(Fault::Status(status));
        let (answered, body) = place.fetch(&offer.url).await.expect("an answer");
        assert_eq!(answered, status);
        assert!(body.starts_with(b"{\"errorMessage\":"));
        assert_eq!(place.fetch(&offer.url).await.expect("an answer"), (200, array().to_vec()));
    }
}

#[tokio::test]
async fn too_many_requests_come_with_and_without_retry_after() {
    let place = Place::new().await;
    for (retry_after_s, header) in [(Some(7), Some("7")), (None, None)] {
        let offer = place.spoiled(Fault::TooManyRequests { retry_after_s });
        let answer = place.get(&offer.url).await.expect("an answer");
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()), header);
    }
}

#[tokio::test]
async fn slow_answer_comes_whole_in_pieces() {
    let place = Place::new().await;
    let offer = place.spoiled(Fault::Slow);
    assert_eq!(place.fetch(&offer.url).await.expect("an answer"), (200, array().to_vec()));
    let fetches = place.ended(1).await;
    assert_eq!((fetches[0].served.to_string().as_str(), fetches[0].is_whole), ("slow", true));
}

#[tokio::test]
async fn cut_and_overlong_answers_break_off_and_do_not_count_as_whole() {
    let place = Place::new().await;
    for fault in [Fault::Cut, Fault::LengthTooLong] {
        let offer = place.spoiled(fault.clone());
        assert!(matches!(place.fetch(&offer.url).await, Err(ClientError::Broken)), "{fault}");
        assert_eq!(place.fetch(&offer.url).await.expect("an answer").1, array());
    }
    let whole: Vec<_> = place.ended(4).await.into_iter().map(|fetch| fetch.is_whole).collect();
    assert_eq!(whole, [false, true, false, true]);
}

#[tokio::test]
async fn length_that_is_too_short_gives_half_of_the_data_in_good_form() {
    let place = Place::new().await;
    let offer = place.spoiled(Fault::LengthTooShort);
    let (status, body) = place.fetch(&offer.url).await.expect("an answer");
    assert_eq!((status, body.as_slice()), (200, &array()[..array().len() / 2]));
    assert!(!place.ended(1).await[0].is_whole);
}

#[tokio::test]
async fn closed_connection_gives_no_head() {
    let place = Place::new().await;
    let offer = place.spoiled(Fault::Closed);
    assert!(matches!(place.fetch(&offer.url).await, Err(ClientError::Broken)));
    assert_eq!(place.ended(1).await[0].served, closed());
    assert_eq!(place.fetch(&offer.url).await.expect("an answer").0, 200);
}

#[tokio::test]
async fn redirect_names_the_given_place() {
    let place = Place::new().await;
    let offer = place.spoiled(Fault::Redirect("https://127.0.0.1:1/".to_owned()));
    let answer = place.get(&offer.url).await.expect("an answer");
    assert_eq!(answer.status, 302);
    assert_eq!(answer.headers[LOCATION], "https://127.0.0.1:1/");
}

#[tokio::test]
async fn address_in_use_is_told() {
    let place = Place::new().await;
    let pair = self_signed(&["127.0.0.1".to_owned()], SystemClock.now(), 2).expect("an address");
    let settings = Settings { listen: place.callbacks.address(), ..Settings::default() };
    let error = Callbacks::start(settings, &pair, Arc::clone(&place.clock) as _).await.expect_err("taken");
    assert!(error.to_string().contains("name another address"), "{error}");
}
