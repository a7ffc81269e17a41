//! Gauges that are read where they are, whenever somebody scrapes.

use std::sync::Arc;

use crate::app::site::Site;
use crate::config::Config;
use crate::model::participant::ParticipantState;
use crate::people::refusal::state_name;
use crate::telemetry::filing::FilingMetrics;
use crate::telemetry::keys::KeyMetrics;
use crate::telemetry::people::{ExportMetrics, PeopleMetrics, PurgeMetrics};
use crate::telemetry::registry::Registry;
use crate::telemetry::store::{BackupMetrics, DiskMetrics, JournalMetrics, StoreMetrics};
use crate::withdrawal::Pending;

const STATES: [ParticipantState; 5] = [
    ParticipantState::Active,
    ParticipantState::Paused,
    ParticipantState::Completed,
    ParticipantState::Withdrawn,
    ParticipantState::Retained,
];

/// Registers the gauges of what lies in the data directory.
pub fn install(
    registry: &Registry,
    site: &Site,
    config: &Config,
    shown: PeopleMetrics,
    exports: &ExportMetrics,
    filing: &FilingMetrics,
) {
    let (quarantine, items) = (Arc::clone(&site.quarantine), filing.quarantine_items.clone());
    // A person may take something out, too, and filing would know nothing of it.
    registry.on_scrape(Box::new(move || items.set(gauge(quarantine.items()))));
    last_records(site, config.metrics.per_study, filing);
    journal_and_disk(registry, site, config.storage.disk_reserve);
    store(registry, site);
    people(registry, site, config.metrics.per_study, shown, exports);
    purges(registry, site);
    backups(registry, site);
    let (keys, escrow) = (KeyMetrics::register(registry), Arc::clone(&site.escrow));
    registry.on_scrape(Box::new(move || keys.escrow_verified(escrow.verified())));
}

/// As they were before this start; filing goes on from there.
fn last_records(site: &Site, per_study: bool, filing: &FilingMetrics) {
    let (directory, (known, _)) = (site.people.read(), site.observations.observed.kept());
    for study in directory.studies().filter(|_| per_study) {
        if let Some(at) = known.last_record.get(&study.id) {
            filing.last_record.with_label_values(&[&study.name]).set(at.0);
        }
    }
}

fn backups(registry: &Registry, site: &Site) {
    let (metrics, backups) = (BackupMetrics::register(registry), Arc::clone(&site.backups));
    registry.on_scrape(Box::new(move || {
        for (gauge, time) in
            [(&metrics.last_success, backups.last_success()), (&metrics.last_verified, backups.last_verified())]
        {
            gauge.reset();
            if let Some(time) = time {
                gauge.with_label_values::<&str>(&[]).set(time.0);
            }
        }
    }));
}

fn purges(registry: &Registry, site: &Site) {
    let (metrics, withdrawal) = (PurgeMetrics::register(registry), Arc::clone(&site.withdrawal));
    registry.on_scrape(Box::new(move || {
        let Pending { begun, oldest, awaiting } = withdrawal.in_numbers();
        metrics.pending.set(gauge(begun as u64));
        metrics.awaiting.set(gauge(awaiting as u64));
        metrics.oldest.reset();
        if let Some(oldest) = oldest {
            metrics.oldest.with_label_values::<&str>(&[]).set(oldest.0);
        }
    }));
}

fn journal_and_disk(registry: &Registry, site: &Site, reserve: u64) {
    let (metrics, journal) = (JournalMetrics::register(registry), site.journal.clone());
    registry.on_scrape(Box::new(move || {
        let (bodies, bytes) = journal.backlog();
        metrics.bodies.set(gauge(bodies));
        metrics.bytes.set(gauge(bytes));
    }));
    let (metrics, space) = (DiskMetrics::register(registry), Arc::clone(&site.space));
    metrics.reserve.set(gauge(reserve));
    registry.on_scrape(Box::new(move || metrics.available.set(gauge(space.available()))));
}

fn store(registry: &Registry, site: &Site) {
    let metrics = StoreMetrics::register(registry);
    let (engine, blobs) = (Arc::clone(&site.engine), Arc::clone(&site.blobs));
    registry.on_scrape(Box::new(move || {
        metrics.bytes.with_label_values(&["database"]).set(gauge(engine.bytes()));
        metrics.bytes.with_label_values(&["blobs"]).set(gauge(blobs.bytes()));
    }));
}

fn people(registry: &Registry, site: &Site, per_study: bool, metrics: PeopleMetrics, exports: &ExportMetrics) {
    let (exports, people) = (exports.clone(), Arc::clone(&site.people));
    registry.on_scrape(Box::new(move || {
        let directory = people.read();
        metrics.unassigned_users.set(gauge(directory.held_count() as u64));
        metrics.retention_due.reset();
        for study in directory.studies().filter(|_| per_study) {
            metrics.study_at_zero(&study.name);
            exports.study_at_zero(&study.name);
            if let Some(due) = study.rules.retain_until {
                metrics.retention_due.with_label_values(&[&study.name]).set(due.0);
            }
            for state in STATES {
                let mut count = directory.participants(&study.id).filter(|found| found.state == state).count();
                if state == ParticipantState::Withdrawn {
                    count += directory.retired(&study.id).len();
                }
                let labels = [study.name.as_str(), state_name(state)];
                metrics.participants.with_label_values(&labels).set(gauge(count as u64));
            }
        }
    }));
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
