//! Metrics of what lies on disk, and of readiness.

use crate::telemetry::families::group;

group! {
    /// The journal.
    pub struct JournalMetrics {
        /// Bytes of bodies that are not filed yet.
        bytes: IntGauge = "studygate_journal_bytes" [],
        /// Bodies that are not filed yet.
        bodies: IntGauge = "studygate_journal_bodies" [],
    }
}

group! {
    /// The store.
    pub struct StoreMetrics {
        /// Bytes on disk.
        bytes: IntGaugeVec = "studygate_store_bytes" ["part"],
        /// Time a commit took until it was durable.
        commit_duration: Histogram = "studygate_store_commit_duration_seconds" [],
        /// Failed operations.
        errors: IntCounterVec = "studygate_store_errors_total" ["operation"],
    }
}

group! {
    /// The data disk.
    pub struct DiskMetrics {
        /// Free bytes of the data disk.
        available: IntGauge = "studygate_disk_available_bytes" [],
        /// Bytes of the data disk that are kept free.
        reserve: IntGauge = "studygate_disk_reserve_bytes" [],
    }
}

group! {
    /// Backups.
    pub struct BackupMetrics {
        /// When the newest whole backup was begun.
        last_success: IntGaugeVec = "studygate_backup_last_success_timestamp_seconds" [],
        /// When a backup was last verified without a finding.
        last_verified: IntGaugeVec = "studygate_backup_verify_last_success_timestamp_seconds" [],
    }
}

group! {
    /// Readiness, and what runs.
    pub struct ReadyMetrics {
        /// Version and target of the running binary; always 1.
        build_info: IntGaugeVec = "studygate_build_info" ["version", "target"],
        /// Whether the gateway is ready.
        ready: IntGauge = "studygate_ready" [],
        /// Whether this reason keeps the gateway from being ready.
        not_ready: IntGaugeVec = "studygate_not_ready" ["reason"],
        /// Whether the system says that something keeps its clock right.
        clock_synchronized: IntGauge = "studygate_clock_synchronized" [],
    }
}

impl JournalMetrics {
    fn at_zero(&self) {}
}

impl StoreMetrics {
    fn at_zero(&self) {
        for part in ["database", "blobs", "keyring"] {
            self.bytes.with_label_values(&[part]);
        }
        for operation in ["commit", "read", "fsync", "blob"] {
            self.errors.with_label_values(&[operation]);
        }
    }
}

impl BackupMetrics {
    fn at_zero(&self) {}
}

impl DiskMetrics {
    fn at_zero(&self) {}
}

impl ReadyMetrics {
    fn at_zero(&self) {
        self.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), &target_name()]).set(1);
    }
}

/// The target the binary was built for, by Rust's name for it.
fn target_name() -> String {
    let library = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-{}-{library}", std::env::consts::ARCH, std::env::consts::OS)
}
