//! The certificate that senders of notifications see: who orders it, where nobody gives it in files, and what status
//! and `/readyz` show of it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::acme::vault::Vault;
use crate::acme::worker::{Parts, Worker};
use crate::app::failure::{Failure, Kind};
use crate::app::site::Site;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::key::Rng;
use crate::telemetry::acme::AcmeMetrics;
use crate::telemetry::registry::Registry;
use crate::tls::server::Certificate;
use crate::upstream::Authority;
use crate::upstream::lookup::SystemLookup;

/// Who orders the certificate, where the site wants that; what was issued before is served from here on.
pub(super) fn orderer(
    site: &Site,
    config: &Config,
    registry: &Registry,
    certificate: &Arc<Certificate>,
    (rng, clock): (&Arc<Rng>, &Arc<dyn Clock>),
) -> Result<Option<Worker>, Failure> {
    let metrics = AcmeMetrics::register(registry);
    let configuration = |text: String| Failure::new(Kind::Configuration, text);
    let Some(settings) = config.authority().map_err(|fault| configuration(fault.text))? else { return Ok(None) };
    let authority = Authority::new(settings, Arc::new(SystemLookup));
    let parts = Parts {
        wanted: config.ingress.acme.wanted(),
        authority: authority.map_err(|error| configuration(error.to_string()))?,
        vault: Vault::new(&config.data_dir.join("acme"), Arc::clone(&site.keyring), Arc::clone(rng)),
        certificate: Arc::clone(certificate),
        clock: Arc::clone(clock),
        rng: Arc::clone(rng),
        metrics,
    };
    Ok(Some(Worker::open(parts)))
}

/// Where it comes from, when it ends, when the next one is ordered, and why the last order failed, where one did.
pub(super) fn told(certificate: &Certificate) -> Value {
    let outlook = certificate.outlook();
    let mut told = json!({ "source": certificate.source() });
    if let Some(identity) = certificate.identity() {
        told["not_after"] = json!(identity.not_after.to_string());
    }
    if let Some(at) = outlook.renews_at {
        told["renews_at"] = json!(at.to_string());
    }
    if let Some((at, reason)) = outlook.failed {
        told["failed_at"] = json!(at.to_string());
        told["failure"] = json!(reason);
    }
    told
}
