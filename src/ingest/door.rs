//! The door of the gateway: gives each body an [`Intake`].

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::ingest::{
    coding::Coding,
    controls::Controls,
    gate::{Gate, Slots, WhenFull},
    intake::Intake,
};
use crate::journal::Journal;
use crate::model::connection::ClientId;
use crate::telemetry::ingest::DoorMetrics;

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest body, in bytes, as sent and decoded.
    pub body_bytes_max: u64,
    /// The most large bodies at once; each holds a thread.
    pub large_bodies_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { body_bytes_max: 128 << 20, large_bodies_max: 64 }
    }
}

/// The door of the gateway; shared by all requests.
pub struct Door {
    pub(crate) gate: Arc<Gate>,
    pub(crate) controls: Arc<dyn Controls>,
}

impl Door {
    /// A door to this journal.
    pub fn new(
        settings: Settings,
        journal: Journal,
        controls: Arc<dyn Controls>,
        clock: Arc<dyn Clock>,
        metrics: DoorMetrics,
    ) -> Arc<Self> {
        let slots = Slots::new(settings.large_bodies_max, WhenFull::Refuse);
        let gate = Gate { journal, clock, metrics, bytes_max: settings.body_bytes_max, slots };
        Arc::new(Self { gate: Arc::new(gate), controls })
    }

    /// A body begins. `length_hint` is its length as sent, in bytes, where that was announced.
    pub fn open(self: &Arc<Self>, client: ClientId, coding: Coding, length_hint: Option<u64>) -> Intake {
        Intake::new(self, client, coding, length_hint)
    }

    /// The metrics of the door.
    pub fn metrics(&self) -> &DoorMetrics {
        &self.gate.metrics
    }

    /// A notification of so many bytes, as sent, gets its 200 after this time.
    pub fn answered(&self, bytes: u64, after: Duration) {
        self.gate.metrics.answered(bytes, after, self.gate.clock.now());
    }

    /// The longest body that is taken, in bytes.
    pub fn body_bytes_max(&self) -> u64 {
        self.gate.bytes_max
    }
}
