//! Certificates that the gateway orders for itself (RFC 8555), its names proved by TLS-ALPN-01 (RFC 8737) on the
//! listener that takes notifications.
//!
//! Never: an order without need; a request before its time, over any restart; a key in clear on disk; another
//! certificate served before it is durable and was held against what was ordered.
//!
//! ```text
//!  account key ─▶ registered ─▶ contact ─▶ ordered ─▶ pending ─▶ told ─▶ ready ─▶ processing ─▶ valid ─▶ certificate
//!                                             ▲          (challenges)      (CSR)                             │
//!                                             └──────────── at two thirds of its life, or other names ───────┘
//! ```
//! [`plan`] decides what comes next and what an event changes, `agent` does it at the authority, [`worker`] brings both
//! together, and [`vault`] keeps the state sealed. After a restart the authority is asked how far the order has come.
//!
//! Limits: 100 names; waits of 5 minutes to 12 hours after a failure (from 30 s where the authority was not reached), or
//! what the authority asks for, up to a week; 20 looks at an order before it counts as failed.

mod agent;
pub mod fault;
pub mod plan;
pub mod state;
mod transport;
pub mod vault;
pub mod worker;

/// The public authority that is asked where the site names none.
pub const PUBLIC_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The most names in one certificate.
pub const NAMES_MAX: usize = 100;

/// What the site wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The names to be certified, in lower case, sorted, each once.
    pub domains: Vec<String>,
    /// The address whom the authority may write to; empty = none.
    pub contact: String,
    /// The authority's directory.
    pub directory: String,
}

impl Wanted {
    /// Names in one order and one spelling; an empty directory stands for the public one.
    pub fn new(domains: &[String], contact: &str, directory: &str) -> Self {
        let mut domains: Vec<_> = domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        domains.sort();
        domains.dedup();
        let directory = if directory.is_empty() { PUBLIC_DIRECTORY } else { directory };
        Self { domains, contact: contact.to_owned(), directory: directory.to_owned() }
    }
}
