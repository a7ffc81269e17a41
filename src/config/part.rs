//! The sections of the configuration file, each with its defaults; contract §2.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;

use crate::config::{
    acme::Acme,
    grant::LocalGrant,
    quantity::{self, MEBIBYTE},
};

const DAY: Duration = Duration::from_secs(86_400);

/// `[keys]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The file with the root key; where none is named, the credential `root.key` that systemd gives, else the
    /// packaged place.
    pub root_key: Option<PathBuf>,
}

/// `[ingress]`: where notifications come in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingress {
    /// Addresses to listen on, at least one.
    #[serde(deserialize_with = "quantity::listeners")]
    pub listen: Vec<SocketAddr>,
    /// Everything at or below one of these takes notifications; at least one, each beginning with `/`.
    pub paths: Vec<String>,
    /// Allowed `garmin-client-id` headers; empty = not checked.
    pub client_ids: Vec<String>,
    /// Networks that may send; empty = any.
    #[serde(deserialize_with = "quantity::networks")]
    pub allow_from: Vec<IpNet>,
    /// Networks whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "quantity::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// The largest body in bytes, as sent and as decoded; at least 100 MB.
    #[serde(deserialize_with = "quantity::bytes")]
    pub max_body: u64,
    /// The time a body has from its first to its last byte.
    #[serde(deserialize_with = "quantity::span")]
    pub body_deadline: Duration,
    /// Bytes a second that a body must reach after its first 10 s.
    #[serde(deserialize_with = "quantity::bytes")]
    pub body_min_rate: u64,
    /// Connections at once.
    pub max_connections: usize,
    /// Certificate and key; required where none is ordered.
    pub tls: Option<Tls>,
    /// A certificate that the gateway orders itself.
    pub acme: Acme,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate with its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub private_key: PathBuf,
}

/// `[local]`: where the command line and scripts come in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Local {
    /// The Unix socket.
    pub socket: PathBuf,
    /// The same over HTTPS, with tokens; off where `None`.
    #[serde(deserialize_with = "quantity::listener")]
    pub listen: Option<SocketAddr>,
    /// What groups may do at the socket; everything where none is named.
    pub grant: Vec<LocalGrant>,
    /// Certificate and key of `listen`.
    pub tls: Option<Tls>,
}

/// `[metrics]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address of `/metrics`, `/livez` and `/readyz`; off where `None`.
    #[serde(deserialize_with = "quantity::listener")]
    pub listen: Option<SocketAddr>,
    /// Whether studies are named in metrics.
    pub per_study: bool,
    /// Certificate and key; required beyond loopback. With them, a token is needed.
    pub tls: Option<Tls>,
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Bytes of the data disk that notifications may not use.
    #[serde(deserialize_with = "quantity::bytes")]
    pub disk_reserve: u64,
}

/// `[unassigned]`: data of connections that no participant is linked to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unassigned {
    /// Whether they are held.
    pub policy: UnassignedPolicy,
    /// For how long.
    #[serde(deserialize_with = "quantity::span")]
    pub hold_for: Duration,
    /// Of how many connections.
    pub max_connections: usize,
    /// How many bytes in all.
    #[serde(deserialize_with = "quantity::bytes")]
    pub max_bytes: u64,
}

/// What becomes of data of connections that no participant is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnassignedPolicy {
    /// Held until the connection is linked, or the time is over.
    Hold,
    /// Counted and dropped.
    Drop,
}

/// `[quarantine]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quarantine {
    /// How long malformed items are kept.
    #[serde(deserialize_with = "quantity::span")]
    pub keep_for: Duration,
}

/// `[tombstones]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tombstones {
    /// How long late data of a purged connection are dropped.
    #[serde(deserialize_with = "quantity::span")]
    pub keep_for: Duration,
}

impl Default for Ingress {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 443))],
            paths: vec!["/garmin".to_owned()],
            client_ids: Vec::new(),
            allow_from: Vec::new(),
            trusted_proxies: Vec::new(),
            max_body: 128 * MEBIBYTE,
            body_deadline: Duration::from_secs(300),
            body_min_rate: 16 << 10,
            max_connections: 256,
            tls: None,
            acme: Acme::default(),
        }
    }
}

impl Default for Local {
    fn default() -> Self {
        Self { socket: "/run/studygate/studygate.sock".into(), listen: None, grant: Vec::new(), tls: None }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9464))), per_study: true, tls: None }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { disk_reserve: 256 * MEBIBYTE }
    }
}

impl Default for Unassigned {
    fn default() -> Self {
        Self { policy: UnassignedPolicy::Hold, hold_for: DAY * 30, max_connections: 1000, max_bytes: 1024 * MEBIBYTE }
    }
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { keep_for: DAY * 30 }
    }
}

impl Default for Tombstones {
    fn default() -> Self {
        Self { keep_for: DAY * 90 }
    }
}
