//! What is looked at once a second: the disk, the certificate, the clock, and whether the store has failed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::failure::Failure;
use crate::audit::Log;
use crate::clock::Clock;
use crate::crypto::keyring::Keyring;
use crate::disk::Space;
use crate::lifecycle::{Readiness, Reason, Stopped};
use crate::model::time::UnixSeconds;
use crate::telemetry::http::{HttpMetrics, Listener};
use crate::tls::chain::{Asked, public_anchors};
use crate::tls::files::{Identity, Validity};
use crate::tls::server::{Certificate, Haste, Reloaded};

/// The clock may be this much before the highest time seen, in seconds: devices' and servers' clocks differ.
const CLOCK_BEHIND_MAX: i64 = 300;

/// What the watch looks at.
pub struct Watch {
    /// What it says.
    pub readiness: Arc<Readiness>,
    /// The disk.
    pub space: Arc<Space>,
    /// The certificate that senders of notifications see; without a good one, the gateway is not ready.
    pub certificate: Arc<Certificate>,
    /// Those of the other listeners.
    pub others: Vec<(Listener, Arc<Certificate>)>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The audit log; without it nothing goes on.
    pub audit: Arc<Log>,
    /// The keys; a write of theirs that failed leaves the disk's state in doubt.
    pub keyring: Arc<Keyring>,
    /// The highest time that was seen before the start.
    pub highest_time: UnixSeconds,
    /// Shows the certificate's end.
    pub metrics: HttpMetrics,
}

impl Watch {
    /// Looks at everything for the first time, and says what is to be said about the certificates.
    pub fn begin(&self) {
        let now = self.clock.now();
        for (listener, certificate) in self.certificates() {
            if let Some(identity) = certificate.identity() {
                warn(listener.name(), &identity, now);
            }
        }
        self.look();
    }

    /// Looks at everything once.
    pub fn look(&self) {
        let now = self.clock.now();
        if self.audit.has_failed() || self.keyring.has_failed() {
            self.say(Reason::StoreFailed, true);
        }
        self.say(Reason::DiskLow, self.space.is_low());
        self.say(Reason::Clock, now.plus(CLOCK_BEHIND_MAX) < self.highest_time);
        for (listener, certificate) in self.certificates() {
            if certificate.is_stale(now) {
                load(listener, certificate, now, Haste::None);
            }
            if let Some(identity) = certificate.identity() {
                self.metrics.certificate_not_after.with_label_values(&[listener.name()]).set(identity.not_after.0);
            }
        }
        let validity = self.certificate.identity().map(|identity| identity.validity(now));
        self.say(Reason::Certificate, validity != Some(Validity::Valid));
    }

    /// Reads the certificate files again; where that fails, the certificate in use stays.
    pub fn reload(&self) {
        let now = self.clock.now();
        self.certificates().for_each(|(listener, certificate)| load(listener, certificate, now, Haste::Asked));
    }

    fn certificates(&self) -> impl Iterator<Item = (Listener, &Certificate)> {
        let others = self.others.iter().map(|(listener, certificate)| (*listener, &**certificate));
        std::iter::once((Listener::Ingress, &*self.certificate)).chain(others)
    }

    /// Looks until the gateway stops, or until the store has failed.
    pub async fn run(&self, mut stopped: Stopped) -> Result<(), Failure> {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopped.wait() => return Ok(()),
                _ = ticks.tick() => self.look(),
            }
            if self.readiness.reasons().contains(&Reason::StoreFailed) {
                return Err(Failure::storage(
                    "the store or the journal failed; check the disk and start the gateway again",
                ));
            }
        }
    }

    fn say(&self, reason: Reason, holds: bool) {
        if holds && !self.readiness.reasons().contains(&reason) {
            tracing::warn!(%reason, "not ready");
        }
        if holds { self.readiness.lower(reason) } else { self.readiness.raise(reason) }
    }
}

fn load(listener: Listener, certificate: &Certificate, now: UnixSeconds, haste: Haste) {
    let listener = listener.name();
    match certificate.reload(now, haste) {
        Reloaded::Changed(identity) => {
            tracing::info!(listener, not_after = %identity.not_after, "certificate loaded");
            warn(listener, &identity, now);
        }
        Reloaded::Same | Reloaded::Settling => {}
        Reloaded::Refused(error) => {
            tracing::error!(listener, %error, "the certificate files changed but cannot be used; the old one stays");
        }
    }
}

/// Says what is to be said about a certificate that is served all the same.
fn warn(listener: &'static str, identity: &Identity, now: UnixSeconds) {
    let anchors = public_anchors();
    let anchors = (listener == Listener::Ingress.name()).then_some(&anchors);
    for finding in identity.findings(&Asked { now, names: &[], anchors }) {
        tracing::warn!(listener, "{finding}");
    }
}
