//! The gateway put together and started, in the order of need.

use std::sync::Arc;

use jiff::tz::TimeZone;
use ring::rand::SystemRandom;

use crate::app::backups::{self, Keeper};
use crate::app::controls::ControlDesk;
use crate::app::desk::GatewayDesk;
use crate::app::failure::{Failure, Kind};
use crate::app::filing;
use crate::app::gateway::Gateway;
use crate::app::gauges;
use crate::app::listeners::{Behind, Listeners};
use crate::app::pulling::Pulling;
use crate::app::site::Site;
use crate::app::trail;
use crate::app::watch::Watch;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::key::{Key, Rng};
use crate::http::local::Routes;
use crate::ingest::door::{Door, Settings as DoorSettings};
use crate::lifecycle::{Readiness, Reason, Stop};
use crate::telemetry::audit::AuditMetrics;
use crate::telemetry::filing::FilingMetrics;
use crate::telemetry::http::HttpMetrics;
use crate::telemetry::ingest::IngestMetrics;
use crate::telemetry::people::{ExportMetrics, PeopleMetrics};
use crate::telemetry::registry::Registry;
use crate::tls::files::Files;
use crate::tls::server::Certificate;

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
    let given = Given { config, rng, clock, readiness, registry };
    let certificate = certificate(config)?;
    let site = open(&given, root_key).await?;

    let (http, ingest) = (HttpMetrics::register(&given.registry), IngestMetrics::register(&given.registry));
    let people = PeopleMetrics::register(&given.registry);
    let (exports, filed) = (ExportMetrics::register(&given.registry), FilingMetrics::register(&given.registry));
    gauges::install(&given.registry, &site, config, people.clone(), &exports, &filed);

    let Given { rng, clock, readiness, registry, .. } = &given;
    let pulling = Pulling::new(&site, config, registry, &ingest, rng, clock)?;
    let door = door(&given, &site, &ingest);
    let told = (people, exports);
    let desk =
        GatewayDesk::new(&site, config, told, Arc::clone(&door), Arc::clone(readiness), Arc::clone(&certificate));
    let (audit, journal) = (Arc::clone(&site.audit), site.journal.clone());
    let routes = Routes::new(Arc::clone(&site.people), Arc::new(desk), Arc::clone(&audit), Arc::clone(clock));
    let watch = Arc::new(watch(&given, &site, &certificate, &http));

    let behind = Behind {
        door,
        routes: Arc::new(routes),
        registry: Arc::clone(registry),
        readiness: Arc::clone(readiness),
        certificate,
        http,
        stopped: stopped.clone(),
    };
    let Listeners { running: mut listeners, ingress, metrics } = Listeners::open(config, &behind).await?;
    let keeper = Keeper::new(&site, config, &given.clock, TimeZone::system());
    listeners.spawn(backups::keep(keeper, stopped.clone()));
    listeners.spawn(trail::keep(Arc::clone(&audit), Arc::clone(clock), stopped.clone()));
    let (filing_stop, filing_stopped) = Stop::new();
    let (rng, clock) = (Arc::clone(rng), Arc::clone(clock));
    let (directory, filing) = filing::start(config, site, rng, clock, filed, readiness, filing_stopped)?;
    watch.look();
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
        filing_stop,
        watch,
        ingress,
        metrics,
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

fn door(given: &Given<'_>, site: &Site, metrics: &IngestMetrics) -> Arc<Door> {
    let controls = ControlDesk {
        withdrawal: Arc::clone(&site.withdrawal),
        readiness: Arc::clone(&given.readiness),
        audit: Arc::clone(&site.audit),
        metrics: metrics.clone(),
    };
    let settings = DoorSettings { body_bytes_max: given.config.ingress.max_body, ..DoorSettings::default() };
    Door::new(settings, site.journal.clone(), Arc::new(controls), Arc::clone(&given.clock), metrics.door())
}

fn watch(given: &Given<'_>, site: &Site, certificate: &Arc<Certificate>, metrics: &HttpMetrics) -> Watch {
    Watch {
        readiness: Arc::clone(&given.readiness),
        space: Arc::clone(&site.space),
        certificate: Arc::clone(certificate),
        clock: Arc::clone(&given.clock),
        audit: Arc::clone(&site.audit),
        highest_time: site.progress.highest_time,
        metrics: metrics.clone(),
    }
}
