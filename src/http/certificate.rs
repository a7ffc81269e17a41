//! Keeps an eye on a listener's certificate: reads it again when its files change, and tells when it is not valid.

use std::{sync::Arc, time::Duration};

use prometheus::IntGauge;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::Clock;
use crate::lifecycle::{Readiness, Reason, Stopped};
use crate::model::time::UnixSeconds;
use crate::telemetry::http::{HttpMetrics, Listener};
use crate::tls::{files::Validity, server::Certificate};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What watches one certificate.
pub struct CertificateWatch {
    certificate: Arc<Certificate>,
    readiness: Arc<Readiness>,
    not_after: IntGauge,
    clock: Arc<dyn Clock>,
}

impl CertificateWatch {
    /// A watch over the certificate of the ingress; its end is shown and its validity told at once.
    pub fn new(
        certificate: Arc<Certificate>,
        readiness: Arc<Readiness>,
        metrics: &HttpMetrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let not_after = metrics.certificate_not_after.with_label_values(&[Listener::Ingress.name()]);
        let watch = Self { certificate, readiness, not_after, clock };
        watch.tell(watch.clock.now());
        watch
    }

    /// Looks until the gateway stops.
    pub async fn run(self: Arc<Self>, mut stopped: Stopped) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopped.wait() => return,
                _ = looks.tick() => self.look(),
            }
        }
    }

    /// Reads the certificate again where its files changed.
    pub fn look(&self) {
        if self.certificate.is_stale() {
            self.reload();
        } else {
            self.tell(self.clock.now());
        }
    }

    /// Reads the certificate again; where that fails, the one in use stays.
    pub fn reload(&self) {
        match self.certificate.reload() {
            Ok(_) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::error!(%error, "the certificate in use stays: the new one cannot be read"),
        }
        self.tell(self.clock.now());
    }

    fn tell(&self, now: UnixSeconds) {
        let identity = self.certificate.identity();
        self.not_after.set(identity.not_after.0);
        match identity.validity(now) {
            Validity::Valid => self.readiness.raise(Reason::Certificate),
            fault @ (Validity::Expired(_) | Validity::NotYet(_)) => {
                if !self.readiness.reasons().contains(&Reason::Certificate) {
                    tracing::warn!("{fault}");
                }
                self.readiness.lower(Reason::Certificate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicI64, Ordering},
    };

    use super::*;
    use crate::telemetry::registry::Registry;
    use crate::tls::{files::Files, generate};

    const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> UnixSeconds {
            UnixSeconds(self.0.load(Ordering::SeqCst))
        }
    }

    fn write_pair(files: &Files, made: UnixSeconds) {
        let pair = generate::self_signed(&["localhost".to_owned()], made, 10).expect("made");
        fs::write(&files.certificate, &pair.certificate).expect("written");
        fs::write(&files.private_key, &*pair.private_key).expect("written");
    }

    #[test]
    fn certificate_that_ends_makes_the_gateway_not_ready_until_it_is_renewed() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: dir.path().join("c.pem"), private_key: dir.path().join("k.pem") };
        write_pair(&files, NOW);
        let clock = Arc::new(Hand(AtomicI64::new(NOW.0)));
        let readiness = Arc::new(Readiness::default());
        let metrics = HttpMetrics::register(&Registry::new());
        let certificate = Certificate::load(files.clone()).expect("loads");
        let watch = CertificateWatch::new(certificate, Arc::clone(&readiness), &metrics, clock.clone());
        assert!(readiness.is_ready());
        let first_end = watch.not_after.get();

        clock.0.store(NOW.plus(11 * 86_400).0, Ordering::SeqCst);
        watch.look();
        assert_eq!(readiness.reasons(), [Reason::Certificate]);

        fs::remove_file(&files.certificate).expect("removed");
        write_pair(&files, NOW.plus(11 * 86_400));
        watch.look();
        assert!(readiness.is_ready());
        assert_eq!(watch.not_after.get(), first_end + 11 * 86_400);
    }
}
