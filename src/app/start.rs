//! The gateway put together and started, in the order of need.

use std::sync::Arc;

use jiff::tz::TimeZone;
use ring::rand::SystemRandom;

use crate::access::Gate;
use crate::access::socket::SocketGrants;
use crate::access::tokens::Tokens;
use crate::app::backups::{self, Keeper};
use crate::app::certified;
use crate::app::controls::ControlDesk;
use crate::app::desk::GatewayDesk;
use crate::app::failure::{Failure, Kind};
use crate::app::filing;
use crate::app::gateway::Gateway;
use crate::app::gauges;
use crate::app::listeners::{Behind, Certificates, Listeners};
use crate::app::observations;
use crate::app::pulling::Pulling;
use crate::app::silence::Silence;
use crate::app::site::Site;
use crate::app::timekeeping;
use crate::app::trail;
use crate::app::watch::Watch;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::crypto::key::{Key, Rng};
use crate::http::local::Routes;
use crate::http::request_id::RequestIds;
use crate::ingest::door::{Door, Settings as DoorSettings};
use crate::lifecycle::{Readiness, Reason, Stop};
use crate::telemetry::audit::AuditMetrics;
use crate::telemetry::filing::FilingMetrics;
use crate::telemetry::http::HttpMetrics;
use crate::telemetry::ingest::IngestMetrics;
use crate::telemetry::people::{ExportMetrics, PeopleMetrics};
use crate::telemetry::process::ProcessMetrics;
use crate::telemetry::registry::Registry;

/// What every part is given.
struct Given<'a> {
    config: &'a Config,
    rng: Arc<Rng>,
    clock: Arc<dyn Clock>,
    readiness: Arc<Readiness>,
    registry: Arc<Registry>,
}

/// Starts the gateway; on return it is ready, or says why it is not.
pub(super) async fn start(config: &Config, root_key: &Key, clock: Arc<dyn Clock>) -> Result<Gateway, Failure> {
    let readiness = Arc::new(Readiness::default());
    readiness.lower(Reason::Starting);
    let (stop, stopped) = Stop::new();
    let (rng, registry): (Arc<Rng>, _) = (Arc::new(SystemRandom::new()), Arc::new(Registry::new()));
    ProcessMetrics::install(&registry, clock.now());
    let given = Given { config, rng, clock, readiness, registry };
    let certificates = Certificates::load(config)?;
    let site = open(&given, root_key).await?;

    let (http, ingest) = (HttpMetrics::register(&given.registry), IngestMetrics::register(&given.registry));
    let people = PeopleMetrics::register(&given.registry);
    let (exports, filed) = (ExportMetrics::register(&given.registry), FilingMetrics::register(&given.registry));
    gauges::install(&given.registry, &site, config, people.clone(), &exports, &filed);

    let Given { rng, clock, readiness, registry, .. } = &given;
    let pulling = Pulling::new(&site, config, registry, &ingest, rng, clock)?;
    let door = door(&given, &site, &ingest);
    let silence = Silence::install(&site, config, people.clone(), registry, clock);
    let told = (people, exports);
    let certificate = Arc::clone(&certificates.ingress);
    let orderer = certified::orderer(&site, config, registry, &certificate, (rng, clock))?;
    let desk = GatewayDesk::new(&site, config, told, Arc::clone(&door), Arc::clone(readiness), certificate);
    let gate = Arc::new(gate(&given, &site)?);
    let (audit, journal) = (Arc::clone(&site.audit), site.journal.clone());
    let (trail, time) = (Arc::clone(&audit), Arc::clone(clock));
    let routes = Routes::new(Arc::clone(&site.people), Arc::new(desk), trail, time, Arc::clone(&gate));
    let watch = Arc::new(watch(&given, &site, &certificates, &http));

    let behind = Behind {
        door,
        routes: Arc::new(routes),
        registry: Arc::clone(registry),
        readiness: Arc::clone(readiness),
        gate,
        clock: Arc::clone(clock),
        ids: Arc::new(RequestIds::new(&**rng)),
        certificates,
        http,
        stopped: stopped.clone(),
    };
    let observations = Arc::clone(&site.observations);
    let keeper = Keeper::new(&site, config, clock, TimeZone::system());
    let (rng, clock) = (Arc::clone(rng), Arc::clone(clock));
    let making = {
        let (config, clock) = (config.clone(), Arc::clone(&clock));
        move || filing::make(&config, site, rng, clock, filed)
    };
    // What was begun before is done before anybody can ask.
    let (directory, filing) = tokio::task::spawn_blocking(making).await.map_err(Failure::storage)??;
    let Listeners { running: mut listeners, ingress, metrics, api } = Listeners::open(config, &behind).await?;
    listeners.spawn(backups::keep(keeper, stopped.clone()));
    listeners.spawn(timekeeping::keep(Arc::clone(&clock), stopped.clone()));
    listeners.spawn(trail::keep(Arc::clone(&audit), clock, stopped.clone()));
    listeners.spawn(silence.keep(stopped.clone()));
    if let Some(orderer) = orderer {
        listeners.spawn(orderer.run(stopped.clone()));
    }
    listeners.spawn(observations::keep(Arc::clone(&observations), stopped.clone()));
    let (filing_stop, filing_stopped) = Stop::new();
    let filing_pulse = filing.pulse();
    let filing = filing::start(filing, readiness, filing_stopped)?;
    watch.begin();
    readiness.raise(Reason::Starting);
    let pulling = pulling.start(stopped.clone());
    let watching = tokio::spawn({
        let watch = Arc::clone(&watch);
        async move { watch.run(stopped).await }
    });
    Ok(Gateway {
        stop,
        readiness: given.readiness,
        journal,
        audit,
        listeners,
        watching,
        pulling,
        filing: Some(filing),
        filing_pulse,
        filing_stop,
        observations,
        watch,
        ingress,
        metrics,
        api,
        _directory: directory,
    })
}

/// Opening waits for the disk, and for the journal where a file has to be recovered.
async fn open(given: &Given<'_>, root_key: &Key) -> Result<Site, Failure> {
    let (config, root_key) = (given.config.clone(), root_key.clone());
    let (rng, clock) = (Arc::clone(&given.rng), Arc::clone(&given.clock));
    let metrics = AuditMetrics::register(&given.registry);
    let opening = move || {
        let site = Site::open(&config, &root_key, &rng, &clock, metrics)?;
        site.audit.started().map_err(Failure::storage)?;
        Ok(site)
    };
    tokio::task::spawn_blocking(opening).await.map_err(Failure::storage)?
}

/// Everybody's rights.
fn gate(given: &Given<'_>, site: &Site) -> Result<Gate, Failure> {
    let (engine, keyring, rng) = (Arc::clone(&site.engine), Arc::clone(&site.keyring), Arc::clone(&given.rng));
    let tokens = Tokens::open(engine, keyring, rng, site.progress.highest_time).map_err(Failure::storage)?;
    let grants = config::read_grants(&given.config.local.grant);
    let grants = grants.map_err(|error| Failure::new(Kind::Configuration, error))?;
    let own_uid = rustix::process::geteuid().as_raw();
    Ok(Gate::new(tokens, SocketGrants::new(grants, own_uid)))
}

fn door(given: &Given<'_>, site: &Site, metrics: &IngestMetrics) -> Arc<Door> {
    let controls = ControlDesk {
        withdrawal: Arc::clone(&site.withdrawal),
        readiness: Arc::clone(&given.readiness),
        audit: Arc::clone(&site.audit),
        metrics: metrics.clone(),
    };
    let settings = DoorSettings { body_bytes_max: given.config.ingress.max_body, ..DoorSettings::default() };
    let door = metrics.door_observed(Arc::clone(&site.observations.observed));
    Door::new(settings, site.journal.clone(), Arc::new(controls), Arc::clone(&given.clock), door)
}

fn watch(given: &Given<'_>, site: &Site, certificates: &Certificates, metrics: &HttpMetrics) -> Watch {
    Watch {
        readiness: Arc::clone(&given.readiness),
        space: Arc::clone(&site.space),
        certificate: Arc::clone(&certificates.ingress),
        others: certificates.others(),
        clock: Arc::clone(&given.clock),
        audit: Arc::clone(&site.audit),
        keyring: Arc::clone(&site.keyring),
        highest_time: site.progress.highest_time,
        metrics: metrics.clone(),
    }
}
