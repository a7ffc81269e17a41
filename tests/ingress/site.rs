//! An ingress on a port of its own, with a real journal in a folder of its own.

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use hyper::{
    HeaderMap, Method,
    header::{HeaderName, HeaderValue},
};
use studygate::{
    client::{
        connection::{Connection, Outgoing, Sent},
        trust::Trust,
    },
    clock::Clock,
    crypto::{key::Key, keyring::Keyring},
    disk::Space,
    http::{
        ingress::Ingress,
        listener::bind,
        settings::{ConnectionLimits, IngressSettings},
    },
    ingest::{
        controls::{Controls, StoreFailed},
        door::{self, Door},
    },
    journal::{self, Body, Header, Journal, Position, Reader},
    lifecycle::{Readiness, Stop},
    model::{
        connection::ClientId,
        entry::{Entry, Whose},
        time::UnixSeconds,
    },
    telemetry::{http::HttpMetrics, ingest::IngestMetrics, registry::Registry},
    tls::{files::Files, generate::self_signed, server::Certificate},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) const NOW: UnixSeconds = UnixSeconds(1_793_509_200);
/// A made-up notification.
pub(crate) const DAILIES: &str = r#"{"dailies":[{"userId":"u-1","summaryId":"x-1","steps":10}]}"#;

pub(crate) struct Options {
    pub(crate) ingress: IngressSettings,
    pub(crate) door: door::Settings,
    pub(crate) limits: ConnectionLimits,
    pub(crate) reserve: u64,
}

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) trust: Trust,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) journal: Journal,
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) obeyed: Arc<Obeyed>,
    pub(crate) stop: Stop,
    pub(crate) serving: JoinHandle<()>,
    reader: Mutex<Reader>,
    _dir: tempfile::TempDir,
}

/// Notes the control items it is given.
#[derive(Default)]
pub(crate) struct Obeyed {
    pub(crate) users: Mutex<Vec<(ClientId, String, String)>>,
    pub(crate) fails: AtomicBool,
}

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> UnixSeconds {
        NOW
    }
}

impl Controls for Obeyed {
    fn apply(&self, position: Position, header: &Header, controls: &[Entry]) -> Result<(), StoreFailed> {
        assert!(position > Position(0) && header.received == NOW && header.pull.is_none());
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreFailed);
        }
        let mut users = self.users.lock().expect("no panic before");
        for entry in controls {
            let Whose::User(user) = &entry.whose else {
                panic!("only items with a user are control items");
            };
            users.push((header.client.clone(), entry.member.to_string(), user.to_string()));
        }
        Ok(())
    }
}

/// An answer, whole.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options {
            ingress: IngressSettings::default(),
            door: door::Settings { body_bytes_max: 4 << 20, large_bodies_max: 8 },
            limits: ConnectionLimits { drain: Duration::from_secs(5), ..ConnectionLimits::default() },
            reserve: 0,
        };
        change(&mut options);

        let dir = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: dir.path().join("c.pem"), private_key: dir.path().join("k.pem") };
        let pair = self_signed(&["localhost".to_owned()], NOW, 365).expect("a certificate");
        std::fs::write(&files.certificate, &pair.certificate).expect("written");
        std::fs::write(&files.private_key, &*pair.private_key).expect("written");
        let trust = Trust::roots(pair.certificate.as_bytes()).expect("a root");
        let tls = Certificate::load(files).expect("loads").server_config();

        let folder = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).expect("made");
            path
        };
        let rng = Arc::new(ring::rand::SystemRandom::new());
        let keyring = Keyring::open(&folder("keyring"), &Key::from_bytes([7; 32]), rng.clone()).expect("a keyring");
        let keyring = Arc::new(keyring);
        let journal_dir = folder("journal");
        let space = Space::new(&journal_dir, options.reserve).expect("a disk");
        let (journal, reader) = Journal::open(
            &journal::Settings { dir: journal_dir },
            journal::Limits::default(),
            Arc::clone(&keyring),
            space,
            rng,
            Position(0),
        )
        .expect("a journal");

        let registry = Arc::new(Registry::new());
        let metrics = HttpMetrics::register(&registry);
        let door_metrics = IngestMetrics::register(&registry).door();
        let obeyed = Arc::new(Obeyed::default());
        let door = Door::new(
            options.door,
            journal.clone(),
            Arc::clone(&obeyed) as Arc<dyn Controls>,
            Arc::new(Frozen),
            door_metrics,
        );
        let readiness = Arc::new(Readiness::default());
        let (stop, stopped) = Stop::new();
        let ingress = Ingress::new(options.ingress, door, Arc::clone(&readiness), &metrics, stopped);
        let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let serving = tokio::spawn(async move { ingress.serve(vec![listener], tls, options.limits, &metrics).await });
        Self {
            address,
            trust,
            keyring,
            journal,
            registry,
            readiness,
            obeyed,
            stop,
            serving,
            reader: Mutex::new(reader),
            _dir: dir,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::https(&self.address.to_string(), "localhost", &self.trust).await.expect("connects")
    }

    /// POSTs this body as JSON to `/garmin` over a connection of its own.
    pub(crate) async fn post(&self, body: impl Into<bytes::Bytes>) -> Answered {
        self.ask(Method::POST, "/garmin", &[("content-type", "application/json;charset=UTF-8")], body).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Answered {
        ask(&mut self.connect().await, method, target, headers, body).await
    }

    /// A TLS connection that speaks whatever it is told to.
    pub(crate) async fn raw(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        let mut config = (*self.trust.config()).clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.address).await.expect("connects");
        let name = "localhost".try_into().expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("shakes hands")
    }

    /// Sends these bytes over a connection of its own and reads until the other side closes.
    pub(crate) async fn exchange(&self, sent: &str) -> String {
        let mut stream = self.raw(b"http/1.1").await;
        stream.write_all(sent.as_bytes()).await.expect("sent");
        read_all(&mut stream).await
    }

    /// Bodies that are durable.
    pub(crate) fn stored(&self) -> u64 {
        self.journal.backlog().0
    }

    /// The next stored body.
    pub(crate) fn delivered(&self) -> (Vec<u8>, Vec<Entry>) {
        let mut reader = self.reader.lock().expect("no panic before");
        let delivery = reader.next(Duration::from_secs(5)).expect("reads").expect("a body");
        assert_eq!((delivery.header.received, &delivery.header.client), (NOW, &ClientId::single()));
        match delivery.body {
            Body::Inline { bytes, entries } => (bytes, entries),
            Body::Spilled(mut spilled) => {
                let mut entries = Vec::new();
                while let Some(entry) = spilled.next_entry().expect("reads") {
                    entries.push(entry);
                }
                (Vec::new(), entries)
            }
        }
    }

    /// The value of a line of the metrics, named as it is rendered.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.registry.render();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name}")).parse().expect("a number")
    }

    /// Waits until a metric has this value.
    pub(crate) async fn until(&self, name: &str, value: f64) {
        let reached = async {
            while self.metric(name) != value {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(10), reached).await.is_err() {
            panic!("{name} stays at {}", self.metric(name));
        }
    }
}

pub(crate) async fn ask(
    connection: &mut Connection,
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<bytes::Bytes>,
) -> Answered {
    let mut outgoing =
        Outgoing { method, target: target.to_owned(), headers: Vec::new(), body: Sent::Whole(body.into()) };
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        outgoing = outgoing.header(name, HeaderValue::from_str(value).expect("a value"));
    }
    let answer = connection.send(outgoing).await.expect("an answer");
    let (status, headers) = (answer.status.as_u16(), answer.headers.clone());
    let body = String::from_utf8(answer.whole(1 << 20).await.expect("a whole answer")).expect("text");
    Answered { status, headers, body }
}

/// What comes until the other side closes, however it does.
pub(crate) async fn read_all(stream: &mut TlsStream<TcpStream>) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    let reading = async {
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            text.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the other side closes");
    String::from_utf8_lossy(&text).into_owned()
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("in memory");
    encoder.finish().expect("in memory")
}

/// A notification of at least this many bytes.
pub(crate) fn dailies(bytes: usize) -> String {
    let item = r#"{"userId":"u-1","summaryId":"x-1","steps":10,"note":"0123456789012345678901234567890123456789"}"#;
    let items = vec![item; bytes / item.len() + 1].join(",");
    format!("{{\"dailies\":[{items}]}}")
}
