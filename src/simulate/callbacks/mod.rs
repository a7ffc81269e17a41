//! Garmin's callback server, made up: lays summaries and files ready behind single-use tokens, answers those who come
//! for them over HTTPS, well or badly, and remembers what it answered.
//!
//! Never: a token or a URL in a log, an error or the ledger; only its digest.

mod answering;
pub mod fault;
pub mod offer;
mod sending;
pub(super) mod wire;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::clock::Clock;
use crate::model::time::UnixSeconds;
use crate::simulate::callbacks::fault::{Fault, Faults};
use crate::simulate::callbacks::offer::{OfferId, Offers, Ready};
use crate::tls::generate::Pair;

/// How a callback server behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `host:port` in its URLs; `None` takes the address it listens on.
    pub host: Option<String>,
    /// What its tokens and faults come from.
    pub seed: u64,
    /// How long a URL is good, in seconds.
    pub lifetime_s: i64,
    /// What goes wrong where an offer has no script of its own.
    pub faults: Faults,
    /// The rest between two pieces of a slow answer.
    pub slow_pause: Duration,
}

impl Default for Settings {
    /// A free port of loopback, 24 hours, no faults.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            host: None,
            seed: 0,
            lifetime_s: 86_400,
            faults: Faults::none(),
            slow_pause: Duration::from_millis(50),
        }
    }
}

/// A running callback server; stops when dropped.
pub struct Callbacks {
    shared: Arc<Shared>,
    host: String,
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// Something that lies ready.
pub struct Offer {
    /// Its place among the server's offers.
    pub id: OfferId,
    /// Where it is fetched; a secret.
    pub url: String,
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What was asked for, where the token was known.
    pub offer: Option<OfferId>,
    /// The digest of the token, where there was one.
    pub token_digest: Option<String>,
    /// When the request came.
    pub at: UnixSeconds,
    /// What was answered.
    pub served: Served,
    /// How many bytes of the body were handed to the connection.
    pub bytes: u64,
    /// Whether the whole of what was offered was handed to the connection before it ended.
    pub is_whole: bool,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// What lay ready.
    Good,
    /// What lay ready, or less, with this fault.
    Spoiled(Fault),
    /// An error of this status, because there was nothing to give.
    Refused(u16),
}

/// Why the server does not start.
#[derive(Debug)]
pub enum Error {
    /// The address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The certificate and its key cannot be used.
    Certificate,
}

struct Shared {
    clock: Arc<dyn Clock>,
    slow_pause: Duration,
    offers: Mutex<Offers>,
    log: Arc<Log>,
}

/// The answers of a server, and how many of them have ended.
#[derive(Default)]
struct Log {
    fetches: Mutex<Vec<Fetch>>,
    ended: watch::Sender<usize>,
}

impl Callbacks {
    /// Starts a server with this certificate.
    pub async fn start(settings: Settings, pair: &Pair, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let config = wire::server_config(pair).ok_or(Error::Certificate)?;
        let cannot = |cause| Error::Bind(settings.listen, cause);
        let listener = TcpListener::bind(settings.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let Settings { host, seed, lifetime_s, faults, slow_pause, .. } = settings;
        let offers = Mutex::new(Offers::new(seed, lifetime_s, faults));
        let shared = Arc::new(Shared { clock, slow_pause, offers, log: Arc::default() });
        let answering = Arc::clone(&shared);
        let answer = move |request| {
            let shared = Arc::clone(&answering);
            async move { shared.answer(&request) }
        };
        let task = tokio::spawn(wire::serve(listener, config, answer));
        Ok(Self { shared, host: host.unwrap_or_else(|| address.to_string()), address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `host:port` of its URLs.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Lays summaries ready: a bare JSON array, for this window of uploads.
    pub fn offer_window(&self, summary_type: &str, from: UnixSeconds, to: UnixSeconds, array: Bytes) -> Offer {
        self.offer(Ready::Window { summary_type: summary_type.to_owned(), from, to, array }, None)
    }

    /// Lays an activity's file ready, to be downloaded once. `id` takes digits, letters and dashes.
    pub fn offer_file(&self, id: &str, bytes: Bytes) -> Offer {
        self.offer(Ready::File { id: id.to_owned(), bytes }, None)
    }

    /// Lays something ready; the first attempts meet these faults in order, and all further none. Without a script
    /// the server's own faults hold.
    pub fn offer(&self, ready: Ready, script: Option<Vec<Fault>>) -> Offer {
        let now = self.shared.clock.now();
        let (id, target) = lock(&self.shared.offers).add(ready, script, now);
        Offer { id, url: format!("https://{}{target}", self.host) }
    }

    /// From now on the user does not permit this: 412.
    pub fn forbid(&self, id: OfferId) {
        lock(&self.shared.offers).forbid(id);
    }

    /// What was answered so far, in the order the requests came.
    pub fn fetches(&self) -> Vec<Fetch> {
        lock(&self.shared.log.fetches).clone()
    }

    /// How many answers have ended; changes with each.
    pub fn ended(&self) -> watch::Receiver<usize> {
        self.shared.log.ended.subscribe()
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Log {
    fn begin(&self, fetch: Fetch) -> usize {
        let mut fetches = lock(&self.fetches);
        fetches.push(fetch);
        fetches.len() - 1
    }

    fn end(&self, number: usize, bytes: u64, is_whole: bool) {
        if let Some(fetch) = lock(&self.fetches).get_mut(number) {
            (fetch.bytes, fetch.is_whole) = (bytes, is_whole);
        }
        self.ended.send_modify(|count| *count += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Spoiled(fault) => fault.fmt(f),
            Self::Refused(status) => write!(f, "refused with {status}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, cause) => {
                write!(f, "callbacks cannot be answered at {address}: {cause}; name another address of this machine")
            }
            Self::Certificate => f.write_str("the callback certificate or its key cannot be used; name other files"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
