//! Looks at a site with the rights of whoever asks: its files, its disk, its listeners, what its gateway tells, and, where
//! wanted, the way to Garmin's hosts.
//!
//! Never: a change, not even a lock; a question that Garmin would count as a request.

mod disk;
mod files;
mod listeners;
mod people;
pub mod running;

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{self, Config, Environment, GroupError};
use crate::doctor::facts::{Facts, Look, OutwardFacts, Settings};
use crate::upstream::lookup::SystemLookup;
use crate::upstream::reach::reach;

/// What is looked at.
pub struct Asked<'a> {
    /// The configuration, and its file.
    pub config: (&'a Config, &'a Path),
    /// The environment.
    pub environment: &'a Environment,
    /// The machine's clock.
    pub clock: &'a dyn Clock,
    /// Whether Garmin's hosts are left alone.
    pub offline: bool,
}

/// Everything that there is to see.
pub async fn look(asked: &Asked<'_>) -> Facts {
    let Asked { config: (config, file), environment, clock, offline } = asked;
    let now = clock.now();
    clock.look();
    let gateway = running::gateway(config).await;
    let socket = files::facts(&config.local.socket);
    let socket_group = match &socket {
        Look::Seen(file) => people::group(file.gid),
        Look::Absent | Look::Forbidden | Look::Failed(_) => Look::Absent,
    };
    let certificates = files::certificates(config, now);
    let listeners = listeners::look(config).await;
    Facts {
        now,
        synchronised: clock.synchronised(),
        settings: settings(config),
        config_file: files::facts(file),
        root_key: files::root_key(config, environment),
        data_dir: files::facts(&config.data_dir),
        format: files::format(&config.data_dir),
        held: disk::is_held(&config.data_dir),
        disk: disk::look(&config.data_dir),
        socket,
        socket_group,
        unknown_groups: unknown_groups(config),
        certificates,
        backup_dir: Some(&config.backup.dir).filter(|dir| !dir.as_os_str().is_empty()).map(|dir| files::facts(dir)),
        gateway,
        listeners,
        outward: if *offline { Vec::new() } else { outward(config).await },
    }
}

fn settings(config: &Config) -> Settings {
    let ingress = &config.ingress;
    Settings {
        paths: ingress.paths.clone(),
        client_ids: !ingress.client_ids.is_empty(),
        allow_private: config.pull.allow_private,
        data_dir: config.data_dir.clone(),
        root_key: config.root_key_file().to_owned(),
        socket: config.local.socket.clone(),
        backup_dir: config.backup.dir.clone(),
        disk_reserve: config.storage.disk_reserve,
        unassigned_max: config.unassigned.max_connections as u64,
        tombstones_keep: i64::try_from(config.tombstones.keep_for.as_secs()).unwrap_or(i64::MAX),
        has_grants: !config.local.grant.is_empty(),
        is_acme: !ingress.acme.domains.is_empty(),
    }
}

fn unknown_groups(config: &Config) -> Look<Vec<String>> {
    let unknown = |grant| match config::read_grants(std::slice::from_ref(grant)) {
        Err(GroupError::Unknown(group)) => Some(Ok(group)),
        Err(GroupError::Unreadable(error)) => Some(Err(error)),
        Ok(_) => None,
    };
    let found: Result<Vec<_>, _> = config.local.grant.iter().filter_map(unknown).collect();
    found.map_or_else(|error| Look::Failed(error.kind().to_string()), Look::Seen)
}

/// Tries the way to each host, one after the other.
async fn outward(config: &Config) -> Vec<OutwardFacts> {
    let Ok(settings) = config.upstream() else { return Vec::new() };
    let mut found = Vec::new();
    for host in &config.pull.hosts {
        let outcome = reach(&settings, Arc::new(SystemLookup), host).await;
        found.push(OutwardFacts { host: host.clone(), outcome });
    }
    found
}
