//! Who is silent: what came is read once a minute, nothing twice, and counted from memory whenever somebody scrapes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::site::Site;
use crate::clock::Clock;
use crate::config::Config;
use crate::coverage::last_seen::LastSeen;
use crate::coverage::silence::silent_since;
use crate::lifecycle::Stopped;
use crate::people::People;
use crate::records::error::Error;
use crate::telemetry::people::PeopleMetrics;
use crate::telemetry::registry::Registry;

const READ_EVERY: Duration = Duration::from_secs(60);

/// Counts who is silent.
pub(super) struct Silence {
    people: Arc<People>,
    last_seen: Arc<LastSeen>,
    clock: Arc<dyn Clock>,
    metrics: PeopleMetrics,
    per_study: bool,
    /// Everything was read once: before, nobody can be said to be silent.
    read: AtomicBool,
}

impl Silence {
    /// Counts at every scrape, once [`keep`](Self::keep) has read everything.
    pub(super) fn install(
        site: &Site,
        config: &Config,
        metrics: PeopleMetrics,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Self> {
        let silence = Arc::new(Self {
            people: Arc::clone(&site.people),
            last_seen: Arc::clone(&site.last_seen),
            clock: Arc::clone(clock),
            metrics,
            per_study: config.metrics.per_study,
            read: AtomicBool::new(false),
        });
        let told = Arc::clone(&silence);
        registry.on_scrape(Box::new(move || told.tell()));
        silence
    }

    /// Reads what came until the gateway stops.
    pub(super) async fn keep(self: Arc<Self>, mut stopped: Stopped) {
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopped.wait() => return,
                _ = ticks.tick() => {}
            }
            let silence = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || silence.read()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "what covers the last days could not be read; it is tried again in a minute, check the disk")
                }
                Err(_) => tracing::error!(
                    "reading what covers the last days ended in a panic; it is tried again in a minute, please report it"
                ),
            }
        }
    }

    fn read(&self) -> Result<(), Error> {
        // Reading takes a while at first: nobody waits for it to change something.
        let directory = self.people.read();
        let participants = directory.studies().flat_map(|study| directory.participants(&study.id));
        let present: HashSet<_> =
            participants.filter(|participant| participant.is_readable()).map(|participant| participant.id).collect();
        drop(directory);
        for owner in &present {
            match self.last_seen.of(owner) {
                // Whose keys were destroyed meanwhile has left.
                Ok(_) | Err(Error::NoKeys) => {}
                Err(other) => return Err(other),
            }
        }
        self.last_seen.keep(&present);
        self.read.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn tell(&self) {
        self.metrics.silent.reset();
        if !self.per_study || !self.read.load(Ordering::Relaxed) {
            return;
        }
        let (directory, now) = (self.people.read(), self.clock.now());
        for study in directory.studies() {
            let is_silent = |last_seen, participant| {
                silent_since(study, participant, last_seen, study.rules.silent_after_days, now).is_some()
            };
            let participants = directory.participants(&study.id);
            let silent = participants.filter(|found| is_silent(self.last_seen.known_of(&found.id), found)).count();
            let silent = i64::try_from(silent).unwrap_or(i64::MAX);
            self.metrics.silent.with_label_values(&[&study.name]).set(silent);
        }
    }
}
