//! The running gateway: waited for, stopped.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::failure::Failure;
use crate::app::observations::{self, Kept};
use crate::app::start;
use crate::app::watch::Watch;
use crate::audit::Log;
use crate::clock::{Clock, kept::KeptClock};
use crate::config::Config;
use crate::crypto::key::Key;
use crate::journal::Journal;
use crate::lifecycle::{Readiness, Reason, Stop};
use crate::store::format::DataDirectory;

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

/// Runs the gateway until SIGTERM or SIGINT. `ready` is told when it is ready; at SIGHUP the certificate is loaded
/// again and `hang_up` is told.
pub fn serve(config: &Config, root_key: &Key, ready: impl FnOnce(&Gateway), hang_up: impl Fn()) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::storage)?;
    runtime.block_on(async {
        let mut gateway = Gateway::start(config, root_key).await?;
        ready(&gateway);
        let listen = |kind| signal(kind).map_err(Failure::storage);
        let (mut terminate, mut interrupt, mut hangs_up) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangs_up.recv() => {
                    gateway.reload();
                    hang_up();
                }
                failure = gateway.failed() => {
                    tracing::error!(%failure, "stopping; the next start recovers what was taken");
                    return Err(failure);
                }
            }
        }
        tracing::info!("stopping: what was taken is filed first");
        gateway.stop().await
    })
}
