//! The running gateway: waited for, stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::failure::Failure;
use crate::app::observations::{self, Kept};
use crate::app::start;
use crate::app::supervised::Supervised;
use crate::app::watch::Watch;
use crate::audit::Log;
use crate::clock::{Clock, SystemClock, kept::KeptClock};
use crate::config::Config;
use crate::crypto::key::Key;
use crate::journal::Journal;
use crate::lifecycle::supervisor::Supervisor;
use crate::lifecycle::watchdog::{Part, Progress, Pulse};
use crate::lifecycle::{Readiness, Reason, Stop};
use crate::store::format::DataDirectory;

/// A round of filing may rewrite the whole database on a slow card.
const FILING_PATIENCE: Duration = Duration::from_secs(3600);
/// A card may stall for minutes in an fsync, and a restart would not mend that.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(600);

/// A running gateway.
pub struct Gateway {
    pub(super) stop: Stop,
    pub(super) readiness: Arc<Readiness>,
    pub(super) journal: Journal,
    pub(super) audit: Arc<Log>,
    pub(super) listeners: JoinSet<()>,
    pub(super) watching: JoinHandle<Result<(), Failure>>,
    pub(super) pulling: JoinHandle<Result<(), Failure>>,
    pub(super) filing: Option<oneshot::Receiver<Result<(), Failure>>>,
    pub(super) filing_pulse: Pulse,
    /// Filing goes on until nothing more is taken.
    pub(super) filing_stop: Stop,
    pub(super) observations: Arc<Kept>,
    pub(super) watch: Arc<Watch>,
    pub(super) ingress: Vec<SocketAddr>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) api: Option<SocketAddr>,
    pub(super) _directory: DataDirectory,
}

impl Gateway {
    /// Starts the gateway by the machine's clock; on return it is ready, or says why it is not.
    pub async fn start(config: &Config, root_key: &Key) -> Result<Gateway, Failure> {
        Self::start_by(config, root_key, Arc::new(KeptClock::default())).await
    }

    /// The same by another clock.
    pub async fn start_by(config: &Config, root_key: &Key, clock: Arc<dyn Clock>) -> Result<Gateway, Failure> {
        start::start(config, root_key, clock).await
    }

    /// The addresses that take notifications.
    pub fn ingress(&self) -> &[SocketAddr] {
        &self.ingress
    }

    /// The address of metrics and health, where it is on.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The address of the API over HTTPS, where it is on.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api
    }

    /// Whether it takes notifications.
    pub fn is_ready(&self) -> bool {
        self.readiness.is_ready()
    }

    /// Reads the certificate files again.
    pub fn reload(&self) {
        self.watch.reload();
    }

    /// Waits until something fails for good.
    pub async fn failed(&mut self) -> Failure {
        let filing = self.filing.as_mut().expect("filing is taken by `stop` alone");
        let outcome = tokio::select! {
            outcome = filing => outcome.unwrap_or_else(|_| Err(Failure::storage("filing ended unexpectedly"))),
            outcome = &mut self.pulling => outcome.unwrap_or_else(|_| Err(Failure::storage("pulling ended unexpectedly"))),
            outcome = &mut self.watching => outcome.unwrap_or_else(|_| Err(Failure::storage("the watch ended"))),
        };
        self.readiness.lower(Reason::StoreFailed);
        outcome.err().unwrap_or_else(|| Failure::storage("the gateway ended unexpectedly"))
    }

    /// The threads without which it is not alive, beside the event loop.
    fn essential(&self) -> Vec<Part> {
        let (filing, journal) = (self.filing_pulse.clone(), self.journal.clone());
        let filed = move || Progress::At(filing.count());
        let written = move || journal.under_way().map_or(Progress::Idle, Progress::At);
        vec![
            Part { name: "filing", patience: FILING_PATIENCE, progress: Box::new(filed) },
            Part { name: "journal", patience: JOURNAL_PATIENCE, progress: Box::new(written) },
        ]
    }

    /// How it is, in counts and reasons.
    fn status(&self) -> impl Fn() -> String + Send + use<> {
        let (readiness, journal) = (Arc::clone(&self.readiness), self.journal.clone());
        move || {
            let reasons: Vec<_> = readiness.reasons().into_iter().map(Reason::name).collect();
            let state = match reasons.as_slice() {
                [] => "taking notifications".to_owned(),
                reasons => format!("not ready ({})", reasons.join(", ")),
            };
            match journal.backlog() {
                (0, _) => state,
                (bodies, _) => format!("{state}; bodies to be filed: {bodies}"),
            }
        }
    }

    /// Takes nothing more, lets what was begun end, and files what was taken.
    pub async fn stop(mut self) -> Result<(), Failure> {
        self.readiness.lower(Reason::Stopping);
        self.stop.stop();
        while self.listeners.join_next().await.is_some() {}
        // What it fetched is to be in the journal before that closes; how it ended is told by whoever waits for it.
        let pulled = self.pulling.await.unwrap_or_else(|_| Err(Failure::storage("pulling ended unexpectedly")));
        self.journal.close();
        self.filing_stop.stop();
        if let Some(filing) = self.filing.take() {
            filing.await.unwrap_or_else(|_| Err(Failure::storage("filing ended unexpectedly")))?;
        }
        observations::write(&self.observations).await;
        self.audit.stopped().map(|_| ()).map_err(Failure::storage).and(pulled)
    }
}

/// Runs the gateway until SIGTERM or SIGINT. `ready` is told when it listens; at SIGHUP the certificate is loaded again
/// and `hang_up` is told. The supervisor is told of all of it.
pub fn serve(
    config: &Config,
    root_key: &Key,
    supervisor: Supervisor,
    ready: impl FnOnce(&Gateway),
    hang_up: impl Fn(),
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::storage)?;
    runtime.block_on(async {
        let listen = |kind| signal(kind).map_err(Failure::storage);
        // One that comes while the gateway starts would end it; it is obeyed afterwards.
        let mut hangs_up = listen(SignalKind::hangup())?;
        let supervised = Supervised::start(supervisor, Arc::new(SystemClock)).map_err(Failure::storage)?;
        let mut gateway = Gateway::start(config, root_key).await?;
        let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        ready(&gateway);
        supervised.running(gateway.essential(), gateway.status());
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangs_up.recv() => supervised.reload(|| {
                    gateway.reload();
                    hang_up();
                }),
                failure = gateway.failed() => {
                    tracing::error!(%failure, "stopping; the next start recovers what was taken");
                    supervised.stopping();
                    return Err(failure);
                }
            }
        }
        tracing::info!("stopping: what was taken is filed first");
        supervised.stopping();
        gateway.stop().await
    })
}
