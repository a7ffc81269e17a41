//! The same with the whole gateway, senders and all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use studygate::app::Gateway;
use studygate::config::Config;
use studygate::crypto::key::Key;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::acme_support::tls::Judge;
use crate::acme_support::{Authority, ManualClock};

const NAME: &str = "study.example.org";
const DAY: i64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(120);

/// A gateway that orders its certificate, in a folder of its own.
struct Site {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    authority: Authority,
}

impl Site {
    async fn new() -> Self {
        let clock = ManualClock::going_on();
        let authority = Authority::start(Arc::clone(&clock), 90).await;
        Self { dir: tempfile::tempdir().expect("a folder"), clock, authority }
    }

    fn config(&self) -> Config {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config { data_dir: self.dir.path().join("data"), ..Config::default() };
        config.ingress.listen = vec![here];
        config.ingress.acme.domains = vec![NAME.to_owned()];
        config.ingress.acme.directory.clone_from(&self.authority.directory);
        config.metrics.listen = Some(here);
        config.local.socket = self.dir.path().join("s.sock");
        config.pull.ca_file = self.dir.path().join("ca.pem");
        std::fs::write(&config.pull.ca_file, &self.authority.own).expect("written");
        config
    }

    async fn start(&self) -> Gateway {
        let key = Key::from_bytes([7; 32]);
        Gateway::start_by(&self.config(), &key, Arc::clone(&self.clock) as _).await.expect("it starts")
    }

    fn judge(&self) -> Judge {
        Judge::trusting(&self.authority.root, Arc::clone(&self.clock))
    }
}

/// What the metrics listener answers: the status, and the text behind the head.
async fn get(gateway: &Gateway, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(gateway.metrics().expect("it is on")).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("read");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    (head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"), body.to_owned())
}

async fn readiness(gateway: &Gateway) -> (u16, Value) {
    let (status, text) = get(gateway, "/readyz").await;
    (status, serde_json::from_str(&text).expect("JSON"))
}

/// Waits until something holds.
async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it holds in time");
}

/// Pushes one notification over a connection of its own; the certificate that it saw.
async fn push(judge: &Judge, to: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = judge.connect(to, NAME, &[b"http/1.1"]).await?;
    let seen = stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec();
    let request = "POST /garmin/x HTTP/1.1\r\nHost: study.example.org\r\nContent-Type: application/json\r\n\
                   Content-Length: 14\r\nConnection: close\r\n\r\n{\"dailies\":[]}";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200") { Ok(seen) } else { Err(io::Error::other("it was not answered 200")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_without_a_certificate_says_so_until_it_has_one_and_shows_where_it_comes_from() {
    let site = Site::new().await;
    let gateway = site.start().await;
    assert!(!gateway.is_ready());
    let (status, told) = readiness(&gateway).await;
    assert_eq!((status, &told["reasons"]), (503, &serde_json::json!(["certificate"])));
    assert_eq!(told["certificate"]["source"], "acme");
    let ingress = gateway.ingress()[0];
    let refused = push(&site.judge(), ingress).await.expect_err("there is none");
    assert!(refused.to_string().contains("alert"), "{refused}");
    site.authority.resolve_to(ingress);
    until(|| async { readiness(&gateway).await.0 == 200 }).await;
    push(&site.judge(), ingress).await.expect("taken");
    let (_, told) = readiness(&gateway).await;
    let shown = |name: &str| told["certificate"][name].as_str().unwrap_or_default().to_owned();
    assert!(shown("not_after") > shown("renews_at") && !shown("renews_at").is_empty(), "{told}");
    let (_, metrics) = get(&gateway, "/metrics").await;
    assert!(metrics.contains("studygate_acme_renewals_total{result=\"done\"} 1"));
    assert!(metrics.contains("studygate_tls_certificate_not_after_timestamp_seconds{listener=\"ingress\"}"));
    gateway.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_under_load_fails_no_handshake_and_the_next_certificate_is_served() {
    let site = Site::new().await;
    let gateway = site.start().await;
    let ingress = gateway.ingress()[0];
    site.authority.resolve_to(ingress);
    until(|| async { gateway.is_ready() }).await;
    let old = push(&site.judge(), ingress).await.expect("taken");

    let (over, pushed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let senders: Vec<_> = (0..2)
        .map(|_| {
            let (judge, over, pushed) = (site.judge(), Arc::clone(&over), Arc::clone(&pushed));
            tokio::spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    push(&judge, ingress).await?;
                    pushed.fetch_add(1, Ordering::SeqCst);
                }
                io::Result::Ok(())
            })
        })
        .collect();
    until(|| async { pushed.load(Ordering::SeqCst) > 20 }).await;
    site.clock.skip(70 * DAY);
    let judge = site.judge();
    until(|| async { push(&judge, ingress).await.is_ok_and(|seen| seen != old) }).await;
    let at_renewal = pushed.load(Ordering::SeqCst);
    until(|| async { pushed.load(Ordering::SeqCst) > at_renewal + 20 }).await;
    over.store(true, Ordering::SeqCst);
    for sender in senders {
        sender.await.expect("no panic").expect("every push was taken");
    }
    assert!(gateway.is_ready());
    assert_eq!((site.authority.accounts(), site.authority.orders()), (1, 2));
    gateway.stop().await.expect("it stops");
}
