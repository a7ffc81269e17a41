//! The certificate that senders of notifications see: what status and `/readyz` show of it.

use serde_json::{Value, json};

use crate::tls::server::Certificate;

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
