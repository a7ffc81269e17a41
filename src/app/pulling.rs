//! Pulling, put together: the way out, the way in, and the worker between them.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::app::failure::{Failure, Kind};
use crate::app::site::Site;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::key::Rng;
use crate::ingest::answer::{Answers, Settings as AnswerSettings};
use crate::lifecycle::Stopped;
use crate::pull::worker::{Parts, Settings, Worker, gauge};
use crate::telemetry::ingest::IngestMetrics;
use crate::telemetry::pull::PullMetrics;
use crate::telemetry::registry::Registry;
use crate::upstream::Upstream;
use crate::upstream::lookup::SystemLookup;

/// The worker, ready to run.
pub struct Pulling {
    worker: Worker,
}

impl Pulling {
    /// The worker of an opened site.
    pub fn new(
        site: &Site,
        config: &Config,
        registry: &Registry,
        ingest: &IngestMetrics,
        rng: &Arc<Rng>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let configuration = |text: String| Failure::new(Kind::Configuration, text);
        let settings = config.upstream().map_err(|fault| configuration(fault.to_string()))?;
        let upstream = Upstream::new(settings, Arc::new(SystemLookup));
        let upstream = upstream.map_err(|error| configuration(error.to_string()))?;
        let metrics = PullMetrics::register(registry);
        let (queue, shown, time) = (Arc::clone(&site.queue), metrics.clone(), Arc::clone(clock));
        registry.on_scrape(Box::new(move || gauge(&queue, &shown, time.now())));
        let answers = AnswerSettings { bytes_max: config.pull.max_body, ..AnswerSettings::default() };
        let answers = Answers::new(answers, site.journal.clone(), Arc::clone(clock), ingest.door());
        let parts = Parts {
            queue: Arc::clone(&site.queue),
            upstream,
            rules: (*site.callbacks).clone(),
            answers,
            journal: site.journal.clone(),
            rng: Arc::clone(rng),
            clock: Arc::clone(clock),
            metrics,
        };
        Ok(Self { worker: Worker::new(Settings::default(), parts) })
    }

    /// Pulls until the gateway stops or the store fails.
    pub fn start(self, stopped: Stopped) -> JoinHandle<Result<(), Failure>> {
        let Self { worker } = self;
        tokio::spawn(async move { worker.run(stopped).await.map_err(Failure::storage) })
    }
}
