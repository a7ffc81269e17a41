//! Certificates that the gateway orders for itself, against an authority that fails in every way it can.

mod acme_support;
#[path = "acme_support/gateway.rs"]
mod gateway;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use acme_support::tls::Judge;
use acme_support::{Authority, Fault, ManualClock};
use ring::rand::SystemRandom;
use studygate::acme::Wanted;
use studygate::acme::vault::Vault;
use studygate::acme::worker::{Parts, Turn, Worker};
use studygate::clock::Clock as _;
use studygate::crypto::key::{Key, Rng};
use studygate::crypto::keyring::Keyring;
use studygate::model::time::UnixSeconds;
use studygate::telemetry::acme::AcmeMetrics;
use studygate::telemetry::registry::Registry;
use studygate::tls::server::Certificate;
use studygate::upstream::authority::Settings;
use studygate::upstream::lookup::SystemLookup;
use studygate::upstream::{Authority as WayOut, Timeouts};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const NAME: &str = "study.example.org";
const DAY: i64 = 86_400;
/// More turns than any order takes.
const TURNS_MAX: usize = 200;

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Served(UnixSeconds),
    Failed(String, UnixSeconds),
}

/// A gateway's part in it: a listener with its certificate, and where the state lies.
struct Site {
    dir: tempfile::TempDir,
    keyring: Arc<Keyring>,
    clock: Arc<ManualClock>,
    authority: Authority,
    certificate: Arc<Certificate>,
    address: SocketAddr,
    registry: Registry,
    metrics: AcmeMetrics,
    wanted: Wanted,
}

impl Site {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let authority = Authority::start(Arc::clone(&clock), 90).await;
        let dir = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([7; 32]), rng()).expect("a keyring");
        let registry = Registry::new();
        let metrics = AcmeMetrics::register(&registry);
        let certificate = Certificate::ordered();
        let address = listen(&certificate).await;
        authority.resolve_to(address);
        let wanted = Wanted::new(&[NAME.to_owned()], "it@example.org", &authority.directory);
        let keyring = Arc::new(keyring);
        Self { dir, keyring, clock, authority, certificate, address, registry, metrics, wanted }
    }

    fn worker(&self) -> Worker {
        self.worker_for(&self.wanted)
    }

    fn worker_for(&self, wanted: &Wanted) -> Worker {
        let settings = Settings {
            directory: wanted.directory.clone(),
            ca: Some(self.authority.own.clone().into_bytes()),
            proxy: None,
            timeouts: Timeouts::default(),
        };
        Worker::open(Parts {
            wanted: wanted.clone(),
            authority: WayOut::new(settings, Arc::new(SystemLookup)).expect("a client"),
            vault: Vault::new(&self.dir.path().join("acme"), Arc::clone(&self.keyring), rng()),
            certificate: Arc::clone(&self.certificate),
            clock: Arc::clone(&self.clock) as _,
            rng: rng(),
            metrics: self.metrics.clone(),
        })
    }

    /// A restart forgets all that is not on disk.
    async fn restarted(&mut self) -> Worker {
        self.certificate = Certificate::ordered();
        self.address = listen(&self.certificate).await;
        self.authority.resolve_to(self.address);
        self.worker()
    }

    /// Takes turns until something has come of it; short waits for the authority pass at once.
    async fn run(&self, worker: &mut Worker) -> Outcome {
        for _ in 0..TURNS_MAX {
            let Turn::Wait(until) = worker.turn().await else { continue };
            if let Some((_, reason)) = self.certificate.outlook().failed {
                return Outcome::Failed(reason, until);
            }
            if until.0 - self.clock.now().0 > 3600 {
                return Outcome::Served(until);
            }
            self.clock.set(until);
        }
        panic!("nothing came of it");
    }

    async fn served(&self, worker: &mut Worker) -> UnixSeconds {
        match self.run(worker).await {
            Outcome::Served(until) => until,
            Outcome::Failed(reason, _) => panic!("it failed: {reason}"),
        }
    }

    async fn failed(&self, worker: &mut Worker) -> (String, UnixSeconds) {
        match self.run(worker).await {
            Outcome::Failed(reason, until) => (reason, until),
            Outcome::Served(_) => panic!("it did not fail"),
        }
    }

    /// Takes turns until a certificate is there, where one failed before; nothing fails again.
    async fn recovers(&self, worker: &mut Worker, after: &str) {
        while self.certificate.identity().is_none() {
            if let Turn::Wait(until) = worker.turn().await {
                assert!(until.0 - self.clock.now().0 < 120, "after {after}: {:?}", self.certificate.outlook());
                self.clock.set(until);
            }
        }
    }

    /// The certificate that a sender sees, held against the authority's root.
    async fn shown(&self, name: &str) -> std::io::Result<Vec<u8>> {
        let judge = Judge::trusting(&self.authority.root, Arc::clone(&self.clock));
        let stream = judge.connect(self.address, name, &[b"h2", b"http/1.1"]).await?;
        let chain = stream.get_ref().1.peer_certificates().expect("a certificate");
        Ok(chain[0].to_vec())
    }

    fn state_file(&self) -> PathBuf {
        self.dir.path().join("acme/state")
    }

    fn metric(&self, result: &str) -> u64 {
        let series = format!("studygate_acme_renewals_total{{result=\"{result}\"}} ");
        let text = self.registry.render();
        let value = text.lines().find_map(|line| line.strip_prefix(&series)).expect("the counter is there");
        value.parse().expect("a number")
    }
}

fn rng() -> Arc<Rng> {
    Arc::new(SystemRandom::new())
}

/// Takes handshakes with this certificate.
async fn listen(certificate: &Arc<Certificate>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TlsAcceptor::from(certificate.server_config());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            // A handshake that fails is one that the other side is told of.
            tokio::spawn(async move { acceptor.accept(socket).await.is_ok() });
        }
    });
    address
}

#[tokio::test]
async fn first_certificate_is_ordered_proved_and_served() {
    let site = Site::new().await;
    let refused = site.shown(NAME).await.expect_err("there is no certificate yet");
    assert!(refused.to_string().contains("alert"), "{refused}");
    let mut worker = site.worker();
    let renews_at = site.served(&mut worker).await;
    let days = (renews_at.0 - site.clock.now().0) / DAY;
    assert!((55..63).contains(&days), "renewed after {days} of 90 days");
    site.shown(NAME).await.expect("it is served");
    assert_eq!(site.certificate.outlook().renews_at, Some(renews_at));
    assert_eq!((site.authority.accounts(), site.authority.orders(), site.metric("done")), (1, 1, 1));
}

#[tokio::test]
async fn state_is_sealed_and_its_owners_alone_and_a_restart_serves_from_it_without_asking() {
    let mut site = Site::new().await;
    let mut worker = site.worker();
    site.served(&mut worker).await;
    let shown = site.shown(NAME).await.expect("served");
    let sealed = fs::read(site.state_file()).expect("a state");
    for clear in [&b"example"[..], b"BEGIN", b"directory", b"renew_at"] {
        assert!(!sealed.windows(clear.len()).any(|window| window == clear), "{}", String::from_utf8_lossy(clear));
    }
    assert_eq!(fs::metadata(site.state_file()).expect("there").permissions().mode() & 0o777, 0o600);
    let asked = site.authority.requests("");
    let mut worker = site.restarted().await;
    assert_eq!(site.shown(NAME).await.expect("served at once"), shown);
    assert!(matches!(worker.turn().await, Turn::Wait(_)));
    assert_eq!(site.authority.requests(""), asked);
}

#[tokio::test]
async fn proof_is_shown_to_the_authority_alone_and_only_while_it_is_expected() {
    let site = Site::new().await;
    let mut worker = site.worker();
    site.served(&mut worker).await;
    let none = acme_support::tls::prove(site.address, NAME, &[0; 32]).await;
    assert_eq!(none, Err("tls"), "no proof is left");
    site.shown("STUDY.example.org").await.expect("others are served");
}

#[tokio::test]
async fn authority_that_dies_after_any_request_and_a_restart_lead_to_one_account_and_a_certificate() {
    for lives in 0.. {
        let mut site = Site::new().await;
        site.authority.die_after(Some(lives));
        let mut worker = site.worker();
        let outcome = site.run(&mut worker).await;
        drop(worker);
        let Outcome::Failed(reason, next_try) = outcome else {
            assert!(lives > 10, "an order takes more than {lives} requests");
            return;
        };
        assert!(reason.contains("authority"), "{reason}");
        site.authority.die_after(None);
        let asked = site.authority.requests("");
        let mut worker = site.restarted().await;
        assert_eq!(worker.turn().await, Turn::Wait(next_try), "after {lives} requests");
        assert_eq!(site.authority.requests(""), asked, "a restart is no reason to ask sooner");
        site.clock.set(next_try);
        site.recovers(&mut worker, &format!("{lives} requests")).await;
        site.shown(NAME).await.expect("served");
        assert_eq!(site.authority.accounts(), 1, "after {lives} requests");
        assert!(site.authority.orders() <= 2, "after {lives} requests: {}", site.authority.orders());
    }
}

#[tokio::test]
async fn authority_that_dies_between_finalize_and_download_is_asked_for_the_same_certificate() {
    let mut site = Site::new().await;
    site.authority.fail("finalize", Fault::CutAfterwards);
    let mut worker = site.worker();
    let (_, next_try) = site.failed(&mut worker).await;
    let mut worker = site.restarted().await;
    site.clock.set(next_try);
    site.authority.fail("certificate", Fault::Cut);
    while site.metric("unreachable") < 2 {
        if let Turn::Wait(until) = worker.turn().await {
            site.clock.set(until);
        }
    }
    let Turn::Wait(next_try) = worker.turn().await else { panic!("no wait after a failure") };
    site.clock.set(next_try);
    site.recovers(&mut worker, "a download that was cut").await;
    site.shown(NAME).await.expect("served");
    assert_eq!((site.authority.orders(), site.authority.requests("finalize")), (1, 1));
    assert_eq!(site.metric("unreachable"), 2);
}

#[tokio::test]
async fn nonce_that_is_refused_is_replaced_without_a_failure() {
    let site = Site::new().await;
    for resource in ["new-account", "new-order", "finalize"] {
        site.authority.fail(resource, Fault::BadNonce);
    }
    site.served(&mut site.worker()).await;
    assert_eq!(site.metric("done"), 1);
}

#[tokio::test]
async fn each_fault_is_told_in_words_and_waited_out() {
    let rate = "the authority asks to wait";
    for (resource, fault, words, result, least_s) in [
        ("new-order", Fault::Status(429, Some("7200")), rate, "limited", 7200),
        ("new-account", Fault::Status(503, Some("7200")), "status 503", "unavailable", 7200),
        ("order", Fault::Status(500, None), "status 500", "unavailable", 300),
        ("directory", Fault::Status(404, None), "is an ACME directory", "unavailable", 300),
        ("directory", Fault::Cut, "cut short", "unreachable", 300),
        ("new-order", Fault::Problem(403, "rejectedIdentifier"), "ingress.acme.domains", "refused", 300),
        ("account", Fault::Problem(400, "invalidContact"), "ingress.acme.contact", "refused", 300),
        ("new-account", Fault::Problem(403, "externalAccountRequired"), "bound to another", "refused", 300),
        ("new-order", Fault::Problem(403, "userActionRequired"), "terms of service", "refused", 300),
        ("finalize", Fault::WrongKey, "does not belong to the first certificate", "unfit", 300),
        ("finalize", Fault::WrongName, "is not for study.example.org", "unfit", 300),
    ] {
        let site = Site::new().await;
        site.authority.fail(resource, fault.clone());
        let mut worker = site.worker();
        let (reason, next_try) = site.failed(&mut worker).await;
        assert!(reason.contains(words), "{fault:?}: {reason}");
        assert!(!reason.contains("10.1.2.3") && !reason.contains("https://"), "an answer is not quoted: {reason}");
        assert!(next_try.0 - site.clock.now().0 >= least_s, "{fault:?}");
        assert_eq!(site.metric(result), 1, "{fault:?}");
        assert!(site.certificate.identity().is_none());
        site.clock.set(next_try);
        site.recovers(&mut worker, &format!("{fault:?}")).await;
        assert_eq!(site.certificate.outlook().failed, None);
    }
}

#[tokio::test]
async fn authority_that_is_not_there_is_asked_again_soon_and_less_and_less_often() {
    let site = Site::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let directory = format!("https://localhost:{}/directory", closed.port());
    let mut worker = site.worker_for(&Wanted { directory, ..site.wanted.clone() });
    let mut waits = Vec::new();
    for _ in 0..12 {
        let (reason, next_try) = site.failed(&mut worker).await;
        assert!(reason.starts_with("no connection to the authority"), "{reason}");
        waits.push(next_try.0 - site.clock.now().0);
        site.clock.set(next_try);
        assert_eq!(worker.turn().await, Turn::Done);
    }
    assert!(waits[0] <= 30 && waits[11] >= 1800, "{waits:?}");
}

#[tokio::test]
async fn name_that_leads_elsewhere_is_told_and_ordered_anew() {
    let site = Site::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    site.authority.resolve_to(closed);
    let mut worker = site.worker();
    let (reason, next_try) = site.failed(&mut worker).await;
    assert!(reason.contains("answers for study.example.org: nothing answers at the name's address"), "{reason}");
    assert_eq!(site.metric("unproven"), 1);
    site.authority.resolve_to(site.address);
    site.clock.set(next_try);
    site.recovers(&mut worker, "a name that led elsewhere").await;
    assert_eq!(site.authority.orders(), 2);
}

#[tokio::test]
async fn old_certificate_is_served_until_the_next_one_is_and_failures_outlive_a_restart() {
    let mut site = Site::new().await;
    let mut worker = site.worker();
    let due = site.served(&mut worker).await;
    let old = site.shown(NAME).await.expect("served");
    site.clock.set(due.plus(-1));
    assert!(matches!(worker.turn().await, Turn::Wait(_)), "not before its time");
    site.clock.set(due);
    site.authority.fail("finalize", Fault::WrongKey);
    let (_, next_try) = site.failed(&mut worker).await;
    assert_eq!(site.shown(NAME).await.expect("served"), old);
    let asked = site.authority.requests("");
    let mut worker = site.restarted().await;
    assert_eq!(worker.turn().await, Turn::Wait(next_try));
    assert_eq!(site.authority.requests(""), asked);
    assert_eq!(site.shown(NAME).await.expect("served"), old);
    site.clock.set(next_try);
    while site.certificate.outlook().failed.is_some() {
        if let Turn::Wait(until) = worker.turn().await {
            assert!(until.0 - site.clock.now().0 < 120, "{:?}", site.certificate.outlook());
            site.clock.set(until);
        }
        site.shown(NAME).await.expect("one of the two is served at every moment");
    }
    assert_ne!(site.shown(NAME).await.expect("served"), old);
    assert_eq!((site.metric("done"), site.metric("unfit"), site.authority.accounts()), (2, 1, 1));
}

#[tokio::test]
async fn other_names_are_ordered_at_once_and_the_old_certificate_serves_meanwhile() {
    let site = Site::new().await;
    site.served(&mut site.worker()).await;
    let names = [NAME.to_owned(), "gate.example.org".to_owned()];
    let wanted = Wanted::new(&names, "it@example.org", &site.authority.directory);
    let mut worker = site.worker_for(&wanted);
    site.shown(NAME).await.expect("served");
    site.shown("gate.example.org").await.expect_err("not yet");
    while site.shown("gate.example.org").await.is_err() {
        if let Turn::Wait(until) = worker.turn().await {
            assert!(until.0 - site.clock.now().0 < 120, "{:?}", site.certificate.outlook());
            site.clock.set(until);
        }
        site.shown(NAME).await.expect("one of the two is served at every moment");
    }
    assert_eq!(site.authority.orders(), 2);
}

#[tokio::test]
async fn state_that_does_not_open_is_begun_anew() {
    let mut site = Site::new().await;
    site.served(&mut site.worker()).await;
    let mut sealed = fs::read(site.state_file()).expect("a state");
    sealed[60] ^= 1;
    fs::write(site.state_file(), sealed).expect("written");
    let mut worker = site.restarted().await;
    assert!(site.certificate.identity().is_none());
    site.served(&mut worker).await;
    site.shown(NAME).await.expect("served");
}
