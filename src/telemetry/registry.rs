//! The metrics of the gateway in one place, rendered as Prometheus text.
//!
//! Counters exist at 0 from the start; a timestamp is absent until it has happened.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use prometheus::{TextEncoder, core::Collector};

/// Brings gauges up to date before they are rendered.
pub type Refresh = Box<dyn Fn() + Send + Sync>;

/// Every metric family.
#[derive(Default)]
pub struct Registry {
    families: prometheus::Registry,
    refreshes: Mutex<Vec<Refresh>>,
}

impl Registry {
    /// A registry without families.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls this before each rendering; it must not block for long.
    pub fn on_scrape(&self, refresh: Refresh) {
        self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).push(refresh);
    }

    /// All families as Prometheus text.
    pub fn render(&self) -> String {
        for refresh in self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            refresh();
        }
        TextEncoder::new().encode_to_string(&self.families.gather()).expect("every registered family has a help text")
    }

    /// Adds a family.
    pub(crate) fn add<C: Collector + 'static>(&self, family: C) {
        self.families.register(Box::new(family)).expect("each family is registered once");
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{
        audit::AuditMetrics,
        filing::FilingMetrics,
        http::HttpMetrics,
        ingest::IngestMetrics,
        keys::KeyMetrics,
        people::{ExportMetrics, PeopleMetrics},
        process::ProcessMetrics,
        pull::PullMetrics,
        store::{DiskMetrics, JournalMetrics, ReadyMetrics, StoreMetrics},
    };

    #[test]
    fn every_group_registers_beside_the_others_and_has_help() {
        let registry = Registry::new();
        HttpMetrics::register(&registry);
        IngestMetrics::register(&registry);
        FilingMetrics::register(&registry);
        JournalMetrics::register(&registry);
        StoreMetrics::register(&registry);
        DiskMetrics::register(&registry);
        ReadyMetrics::register(&registry);
        PeopleMetrics::register(&registry);
        ExportMetrics::register(&registry);
        PullMetrics::register(&registry);
        AuditMetrics::register(&registry);
        KeyMetrics::register(&registry).escrow_verified(Some(crate::model::time::UnixSeconds(1)));
        ProcessMetrics::install(&registry, crate::model::time::UnixSeconds(1));
        let text = registry.render();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().expect("a name");
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix).filter(|base| base.ends_with("_seconds")))
                .unwrap_or(name);
            let help = text.lines().find(|other| other.starts_with(&format!("# HELP {base} ")));
            assert!(help.is_some_and(|help| help.len() > base.len() + 10), "{name} has no help");
        }
    }

    #[test]
    fn refreshes_run_before_each_rendering() {
        let registry = Registry::new();
        let metrics = JournalMetrics::register(&registry);
        let gauge = metrics.bodies.clone();
        registry.on_scrape(Box::new(move || gauge.set(7)));
        assert!(registry.render().contains("\nstudygate_journal_bodies 7\n"));
    }
}
