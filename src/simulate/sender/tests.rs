//! Retries, limits and headers, before a made-up receiver.

use tokio::net::TcpListener;

use super::*;
use crate::simulate::receiver::{Act, Receiver};

fn quick() -> Settings {
    let backoff = Backoff { base: Duration::from_millis(1), cap: Duration::from_millis(4) };
    Settings { backoff, attempts_max: 6, limit: Duration::from_millis(400), ..Settings::default() }
}

fn sender(receiver: &Receiver, settings: Settings) -> Sender {
    Sender::new(receiver.target(), settings)
}

fn body() -> Body {
    Body::Text(Bytes::from_static(b"{\"dailies\":[]}"))
}

#[tokio::test]
async fn whatever_is_not_200_is_sent_again_until_it_is() {
    let script = [Act::Answer(503), Act::Close, Act::Answer(202), Act::Answer(302), Act::NeverAnswer];
    let receiver = Receiver::new(&script).await;
    let delivery = sender(&receiver, quick()).deliver(1, &body()).await;
    assert_eq!(delivery, Delivery { attempts: 6, failure: None });
    assert_eq!(receiver.bodies(), vec![b"{\"dailies\":[]}".to_vec(); 6]);
}

#[tokio::test]
async fn notification_is_given_up_after_the_last_attempt() {
    let receiver = Receiver::new(&[Act::Answer(500); 9]).await;
    let delivery = sender(&receiver, quick()).deliver(1, &body()).await;
    assert_eq!(delivery, Delivery { attempts: 6, failure: Some(Miss::Status(500)) });
}

#[tokio::test]
async fn silence_and_absence_are_told_apart() {
    let receiver = Receiver::new(&[Act::NeverAnswer]).await;
    let sender = sender(&receiver, Settings { limit: Duration::from_millis(50), ..quick() });
    assert_eq!(sender.post(&body()).await, Err(Miss::Late));
    let nobody = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("a port");
    let target = Target::of(&format!("https://{nobody}/x"), receiver.trust.clone()).expect("a URL");
    assert_eq!(Sender::new(target, quick()).post(&body()).await, Err(Miss::Broken));
}

#[tokio::test]
async fn request_carries_garmins_headers() {
    let receiver = Receiver::new(&[]).await;
    let sender = sender(&receiver, Settings { client_id: "made-up-client".to_owned(), ..quick() });
    assert_eq!(sender.post(&body()).await, Ok(()));
    let seen = receiver.headers();
    for (name, value) in [
        ("content-type", "application/json;charset=UTF-8"),
        ("user-agent", "Garmin Health API"),
        ("accept-encoding", "gzip, x-gzip, deflate"),
        ("garmin-client-id", "made-up-client"),
        ("x-forwarded-proto", "https"),
        ("content-length", "14"),
    ] {
        assert_eq!(seen[0].get(name).and_then(|value| value.to_str().ok()), Some(value), "{name}");
    }
}

#[tokio::test]
async fn made_body_is_made_anew_for_each_attempt() {
    let receiver = Receiver::new(&[Act::Answer(500)]).await;
    let make = || {
        let (sender, pieces) = mpsc::channel(2);
        for piece in [&b"{\"dailies\""[..], b":[]}"] {
            sender.try_send(Ok(Bytes::from_static(piece))).expect("room for both");
        }
        pieces
    };
    let delivery = sender(&receiver, quick()).deliver(1, &Body::Made(Arc::new(make))).await;
    assert_eq!(delivery.attempts, 2);
    assert_eq!(receiver.bodies(), vec![b"{\"dailies\":[]}".to_vec(); 2]);
}

#[test]
fn rests_are_the_same_in_every_run_and_spread_those_that_failed_together() {
    let rests = |seed| {
        let settings = Settings { seed, ..Settings::default() };
        (0..100).map(|number| settings.rest(number, 4)).collect::<Vec<_>>()
    };
    assert_eq!(rests(3), rests(3));
    assert_ne!(rests(3), rests(4));
    let bound = Duration::from_secs(4);
    for half in [Duration::ZERO..bound / 2, bound / 2..bound] {
        assert!(rests(3).iter().filter(|rest| half.contains(*rest)).count() > 25, "{half:?}");
    }
}

#[tokio::test]
async fn url_that_is_not_https_is_refused() {
    let trust = Receiver::new(&[]).await.trust.clone();
    for url in ["http://a.example/x", "a.example", "https://", "https://u@a.example/x", "https://a.example/x?y=1", ""] {
        assert_eq!(Target::of(url, trust.clone()).map(|_| ()), Err(BadUrl), "{url}");
    }
    let target = Target::of("https://[::1]:8443/garmin", trust).expect("a URL");
    assert_eq!((target.name.as_str(), target.address.as_str()), ("::1", "[::1]:8443"));
}
