//! The configuration, as it may leave the site: numbers and choices as they are, names by stand-ins or by how many there
//! are. A setting that is not named here is not in it.

use std::path::Path;
use std::time::Duration;

use crate::config::{Config, UnassignedPolicy};
use crate::doctor::bundle::safe::Safe;
use crate::doctor::sentence::{Own, Shown, StandIns};

/// Hosts that are the same everywhere.
const GARMIN: &[&str] = &["apis.garmin.com", "ghapi-kc3.garmin.com"];
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

pub(super) fn safe(config: &Config, stand_ins: &mut StandIns) -> Safe {
    let log = Shown::one_of(&config.log, LEVELS).unwrap_or_else(|| Shown::words("(directives)"));
    let (unassigned, tombstones) = (&config.unassigned, &config.tombstones);
    Safe::members([
        ("data_dir", path(&config.data_dir, stand_ins)),
        ("log", Safe::Text(log)),
        ("keys", Safe::members([("root_key", path(config.root_key_file(), stand_ins))])),
        ("ingress", ingress(config, stand_ins)),
        ("local", local(config, stand_ins)),
        ("metrics", metrics(config, stand_ins)),
        ("pull", pull(config, stand_ins)),
        ("storage", Safe::members([("disk_reserve", bytes(config.storage.disk_reserve))])),
        (
            "unassigned",
            Safe::members([
                ("policy", Safe::words(if unassigned.policy == UnassignedPolicy::Hold { "hold" } else { "drop" })),
                ("hold_for", seconds(unassigned.hold_for)),
                ("max_connections", Safe::number(unassigned.max_connections)),
                ("max_bytes", bytes(unassigned.max_bytes)),
            ]),
        ),
        ("quarantine", Safe::members([("keep_for", seconds(config.quarantine.keep_for))])),
        (
            "deregistration",
            Safe::members([
                ("flood_least", Safe::Number(config.deregistration.flood_least.into())),
                ("hold_for", seconds(config.deregistration.hold_for)),
            ]),
        ),
        ("tombstones", Safe::members([("keep_for", seconds(tombstones.keep_for))])),
        (
            "backup",
            Safe::members([
                ("dir", path(&config.backup.dir, stand_ins)),
                ("keep", Safe::Number(config.backup.keep.into())),
            ]),
        ),
    ])
}

fn ingress(config: &Config, stand_ins: &mut StandIns) -> Safe {
    let ingress = &config.ingress;
    let listen = ingress.listen.iter().map(|address| host(address, stand_ins)).collect();
    let paths = ingress.paths.iter().map(|path| Safe::own(Own::NotificationPath, path, stand_ins)).collect();
    Safe::members([
        ("listen", Safe::List(listen)),
        ("paths", Safe::List(paths)),
        ("client_ids_count", Safe::number(ingress.client_ids.len())),
        ("allow_from_count", Safe::number(ingress.allow_from.len())),
        ("trusted_proxies_count", Safe::number(ingress.trusted_proxies.len())),
        ("max_body", bytes(ingress.max_body)),
        ("body_deadline", seconds(ingress.body_deadline)),
        ("body_min_rate", bytes(ingress.body_min_rate)),
        ("max_connections", Safe::number(ingress.max_connections)),
        ("has_tls", Safe::Flag(ingress.tls.is_some())),
        ("acme_domains_count", Safe::number(ingress.acme.domains.len())),
        ("acme_has_directory", Safe::Flag(!ingress.acme.directory.is_empty())),
    ])
}

fn local(config: &Config, stand_ins: &mut StandIns) -> Safe {
    let local = &config.local;
    let grants = local.grant.iter().map(|grant| {
        let study = if grant.study == "*" { Safe::words("*") } else { Safe::own(Own::Study, &grant.study, stand_ins) };
        let group = Safe::own(Own::Group, &grant.group, stand_ins);
        Safe::members([("group", group), ("study", study)])
    });
    let grants = grants.collect();
    Safe::members([
        ("socket", path(&local.socket, stand_ins)),
        ("listen", local.listen.map_or(Safe::Nothing, |address| host(&address, stand_ins))),
        ("grant", Safe::List(grants)),
        ("has_tls", Safe::Flag(local.tls.is_some())),
    ])
}

fn metrics(config: &Config, stand_ins: &mut StandIns) -> Safe {
    Safe::members([
        ("listen", config.metrics.listen.map_or(Safe::Nothing, |address| host(&address, stand_ins))),
        ("per_study", Safe::Flag(config.metrics.per_study)),
        ("has_tls", Safe::Flag(config.metrics.tls.is_some())),
    ])
}

fn pull(config: &Config, stand_ins: &mut StandIns) -> Safe {
    let pull = &config.pull;
    let hosts = pull.hosts.iter().map(|name| match Shown::one_of(name, GARMIN) {
        Some(shown) => Safe::Text(shown),
        None => Safe::own(Own::Host, name, stand_ins),
    });
    let hosts = hosts.collect();
    Safe::members([
        ("hosts", Safe::List(hosts)),
        ("allow_private", Safe::Flag(pull.allow_private)),
        ("has_ca_file", Safe::Flag(!pull.ca_file.as_os_str().is_empty())),
        ("has_proxy", Safe::Flag(!pull.proxy.is_empty())),
        ("concurrency", Safe::number(pull.concurrency)),
        ("max_body", bytes(pull.max_body)),
    ])
}

fn path(path: &Path, stand_ins: &mut StandIns) -> Safe {
    if path.as_os_str().is_empty() { Safe::Nothing } else { Safe::own(Own::Path, path.display(), stand_ins) }
}

/// The port is a number; where it listens is the site's affair.
fn host(address: &std::net::SocketAddr, stand_ins: &mut StandIns) -> Safe {
    let ip = address.ip();
    let place = if ip.is_loopback() {
        Safe::words("loopback")
    } else if ip.is_unspecified() {
        Safe::words("any")
    } else {
        Safe::own(Own::Host, ip, stand_ins)
    };
    Safe::members([("address", place), ("port", Safe::number(usize::from(address.port())))])
}

fn bytes(bytes: u64) -> Safe {
    Safe::Number(bytes.into())
}

fn seconds(time: Duration) -> Safe {
    Safe::Number(time.as_secs().into())
}
