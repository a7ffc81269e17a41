//! The running gateway: started, waited for, stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use ring::rand::SystemRandom;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::controls::ControlDesk;
use crate::app::desk::GatewayDesk;
use crate::app::failure::{Failure, Kind};
use crate::app::gauges;
use crate::app::pulling::Pulling;
use crate::app::site::{Site, seconds};
use crate::app::trail;
use crate::app::watch::Watch;
use crate::audit::Log;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, UnassignedPolicy};
use crate::crypto::key::{Key, Rng};
use crate::filing::worker::{Filing, Parts, Settings as FilingSettings};
use crate::http::health::Health;
use crate::http::ingress::Ingress;
use crate::http::listener::bind;
use crate::http::local::Routes;
use crate::http::local_socket::LocalSocket;
use crate::http::settings::{ConnectionLimits, IngressSettings, Pace};
use crate::ingest::door::{Door, Settings as DoorSettings};
use crate::journal::Journal;
use crate::lifecycle::{Readiness, Reason, Stop, Stopped};
use crate::store::format::DataDirectory;
use crate::telemetry::audit::AuditMetrics;
use crate::telemetry::filing::FilingMetrics;
use crate::telemetry::http::HttpMetrics;
use crate::telemetry::ingest::IngestMetrics;
use crate::telemetry::people::{ExportMetrics, PeopleMetrics};
use crate::telemetry::registry::Registry;
use crate::tls::files::Files;
use crate::tls::server::Certificate;

/// A running gateway.
pub struct Gateway {
    stop: Stop,
    readiness: Arc<Readiness>,
    journal: Journal,
    audit: Arc<Log>,
    listeners: JoinSet<()>,
    watching: JoinHandle<Result<(), Failure>>,
    pulling: JoinHandle<Result<(), Failure>>,
    filing: Option<oneshot::Receiver<Result<(), Failure>>>,
    /// Filing goes on until nothing more is taken.
    filing_stop: Stop,
    watch: Arc<Watch>,
    ingress: Vec<SocketAddr>,
    metrics: Option<SocketAddr>,
    _directory: DataDirectory,
}

impl Gateway {
    /// Starts the gateway by the machine's clock; on return it is ready, or says why it is not.
    pub async fn start(config: &Config, root_key: &Key) -> Result<Gateway, Failure> {
        Self::start_by(config, root_key, Arc::new(SystemClock)).await
    }

    /// The same by another clock.
    pub async fn start_by(config: &Config, root_key: &Key, clock: Arc<dyn Clock>) -> Result<Gateway, Failure> {
        let rng: Arc<Rng> = Arc::new(SystemRandom::new());
        let readiness = Arc::new(Readiness::default());
        readiness.lower(Reason::Starting);
        let (stop, stopped) = Stop::new();
        let certificate = certificate(config)?;

        let registry = Arc::new(Registry::new());
        // Opening waits for the disk, and for the journal where a file has to be recovered.
        let opening = {
            let (config, root_key, rng, clock) =
                (config.clone(), root_key.clone(), Arc::clone(&rng), Arc::clone(&clock));
            let metrics = AuditMetrics::register(&registry);
            move || {
                let site = Site::open(&config, &root_key, &rng, &clock, metrics)?;
                site.audit.started().map_err(Failure::storage)?;
                Ok(site)
            }
        };
        let site = tokio::task::spawn_blocking(opening).await.map_err(Failure::storage)??;
        let audit = Arc::clone(&site.audit);
        let (http, ingest) = (HttpMetrics::register(&registry), IngestMetrics::register(&registry));
        let people = PeopleMetrics::register(&registry);
        let (exports, filing_metrics) = (ExportMetrics::register(&registry), FilingMetrics::register(&registry));
        gauges::install(&registry, &site, config, people.clone(), &exports, &filing_metrics);

        let pulling = Pulling::new(&site, config, &registry, &ingest, &rng, &clock)?;
        let controls = ControlDesk {
            withdrawal: Arc::clone(&site.withdrawal),
            readiness: Arc::clone(&readiness),
            audit: Arc::clone(&audit),
            metrics: ingest.clone(),
        };
        let door = Door::new(
            DoorSettings { body_bytes_max: config.ingress.max_body, ..DoorSettings::default() },
            site.journal.clone(),
            Arc::new(controls),
            Arc::clone(&clock),
            ingest.door(),
        );
        let desk = GatewayDesk::new(
            &site,
            config,
            (people, exports),
            Arc::clone(&door),
            Arc::clone(&readiness),
            Arc::clone(&certificate),
        );
        let watch = Arc::new(Watch {
            readiness: Arc::clone(&readiness),
            space: Arc::clone(&site.space),
            certificate: Arc::clone(&certificate),
            clock: Arc::clone(&clock),
            audit: Arc::clone(&audit),
            highest_time: site.progress.highest_time,
            metrics: http.clone(),
        });

        let (people, journal) = (Arc::clone(&site.people), site.journal.clone());
        let making = {
            let (config, clock) = (config.clone(), Arc::clone(&clock));
            move || {
                let (directory, mut filing) = make_filing(&config, site, rng, clock, filing_metrics)?;
                // What was begun before is done before anybody can ask.
                filing.end_purges().map_err(Failure::storage)?;
                Ok((directory, filing))
            }
        };
        let (directory, filing) = tokio::task::spawn_blocking(making).await.map_err(Failure::storage)??;

        let mut listeners = JoinSet::new();
        let limits =
            ConnectionLimits { connections_max: config.ingress.max_connections, ..ConnectionLimits::default() };
        let mut sockets = Vec::new();
        for address in &config.ingress.listen {
            sockets.push(bind(*address).await.map_err(|error| Failure::new(Kind::Listener, error))?);
        }
        let ingress_at = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let ingress = Ingress::new(ingress_settings(config), door, Arc::clone(&readiness), &http, stopped.clone());
        let (tls, metrics) = (certificate.server_config(), http.clone());
        listeners.spawn(async move { ingress.serve(sockets, tls, limits, &metrics).await });

        let metrics_at = match config.metrics.listen {
            None => None,
            Some(address) => {
                let socket = bind(address).await.map_err(|error| Failure::new(Kind::Listener, error))?;
                let at = socket.local_addr().ok();
                let health = Health::new(registry, Arc::clone(&readiness));
                let (metrics, stopped) = (http.clone(), stopped.clone());
                listeners
                    .spawn(async move { health.serve(socket, ConnectionLimits::default(), &metrics, stopped).await });
                at
            }
        };

        let local = LocalSocket::bind(&config.local.socket).map_err(|error| Failure::new(Kind::Listener, error))?;
        let routes = Arc::new(Routes::new(people, Arc::new(desk), Arc::clone(&audit), Arc::clone(&clock)));
        let (metrics, local_stopped) = (http.clone(), stopped.clone());
        listeners.spawn(async move {
            local.serve(routes, ConnectionLimits::default(), &metrics, local_stopped).await;
        });

        listeners.spawn(trail::keep(Arc::clone(&audit), Arc::clone(&clock), stopped.clone()));
        let (filing_stop, filing_stopped) = Stop::new();
        let filing = start_filing(filing, &readiness, filing_stopped)?;
        watch.look();
        readiness.raise(Reason::Starting);
        let pulling = pulling.start(stopped.clone());
        let watching = tokio::spawn({
            let watch = Arc::clone(&watch);
            async move { watch.run(stopped).await }
        });
        Ok(Gateway {
            stop,
            readiness,
            journal,
            audit,
            listeners,
            watching,
            pulling,
            filing: Some(filing),
            filing_stop,
            watch,
            ingress: ingress_at,
            metrics: metrics_at,
            _directory: directory,
        })
    }
}

impl Gateway {
    /// The addresses that take notifications.
    pub fn ingress(&self) -> &[SocketAddr] {
        &self.ingress
    }

    /// The address of metrics and health, where it is on.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
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
                    tracing::error!(%failure, "stopping");
                    return Err(failure);
                }
            }
        }
        tracing::info!("stopping: what was taken is filed first");
        gateway.stop().await
    })
}

fn certificate(config: &Config) -> Result<Arc<Certificate>, Failure> {
    let Some(tls) = &config.ingress.tls else {
        return Err(Failure::new(
            Kind::Configuration,
            "[ingress.tls] names no certificate; set certificate and private_key",
        ));
    };
    let files = Files { certificate: tls.certificate.clone(), private_key: tls.private_key.clone() };
    Certificate::load(files).map_err(|error| Failure::new(Kind::Configuration, error))
}

fn ingress_settings(config: &Config) -> IngressSettings {
    let ingress = &config.ingress;
    IngressSettings {
        paths: ingress.paths.iter().map(|path| path.trim_end_matches('/').to_owned()).collect(),
        client_ids: ingress.client_ids.clone(),
        allow_from: ingress.allow_from.clone(),
        trusted_proxies: ingress.trusted_proxies.clone(),
        pace: Pace { deadline: ingress.body_deadline, rate_min: ingress.body_min_rate, ..Pace::default() },
    }
}

/// What files, of what lies in the data directory.
fn make_filing(
    config: &Config,
    site: Site,
    rng: Arc<Rng>,
    clock: Arc<dyn Clock>,
    metrics: FilingMetrics,
) -> Result<(DataDirectory, Filing), Failure> {
    let settings = FilingSettings {
        hold: config.unassigned.policy == UnassignedPolicy::Hold,
        hold_for: seconds(config.unassigned.hold_for),
        hold_bytes_max: config.unassigned.max_bytes,
        quarantine_for: seconds(config.quarantine.keep_for),
        per_study: config.metrics.per_study,
    };
    let Site {
        directory,
        keyring,
        engine,
        quarantine,
        people,
        catalog,
        queue,
        callbacks,
        journal,
        reader,
        progress,
        withdrawal,
        audit,
        ..
    } = site;
    let parts = Parts {
        settings,
        people,
        catalog,
        quarantine,
        queue,
        callbacks,
        withdrawal,
        audit,
        engine,
        keyring,
        journal,
        rng,
        clock,
        metrics,
    };
    Ok((directory, Filing::new(parts, reader, progress).map_err(Failure::storage)?))
}

/// Filing has a thread of its own; how it ended is told once.
fn start_filing(
    filing: Filing,
    readiness: &Arc<Readiness>,
    stopped: Stopped,
) -> Result<oneshot::Receiver<Result<(), Failure>>, Failure> {
    let (tell, told) = oneshot::channel();
    let readiness = Arc::clone(readiness);
    let run = move || {
        let outcome = filing.run(&stopped).map_err(|failure| {
            readiness.lower(Reason::StoreFailed);
            Failure::storage(failure)
        });
        if tell.send(outcome).is_err() {
            tracing::debug!("nobody waited for filing to end");
        }
    };
    thread::Builder::new().name("filing".to_owned()).spawn(run).map_err(Failure::storage)?;
    Ok(told)
}
