//! The thread of filing.

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use crate::app::failure::Failure;
use crate::app::site::{Site, seconds};
use crate::clock::Clock;
use crate::config::{Config, UnassignedPolicy};
use crate::crypto::key::Rng;
use crate::filing::worker::{Filing, Parts, Settings};
use crate::lifecycle::{Readiness, Reason, Stopped};
use crate::store::format::DataDirectory;
use crate::telemetry::filing::FilingMetrics;

/// What files, of what lies in the data directory; purges that were begun before are done on return.
pub(super) fn make(
    config: &Config,
    site: Site,
    rng: Arc<Rng>,
    clock: Arc<dyn Clock>,
    metrics: FilingMetrics,
) -> Result<(DataDirectory, Filing), Failure> {
    let settings = Settings {
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
        observations,
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
        observed: Arc::clone(&observations.observed),
    };
    let mut filing = Filing::new(parts, reader, progress).map_err(Failure::storage)?;
    filing.end_purges().map_err(Failure::storage)?;
    Ok((directory, filing))
}

/// Filing has a thread of its own; how it ended is told once.
pub(super) fn start(
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
