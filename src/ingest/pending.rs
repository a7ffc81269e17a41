//! A body that is whole and checked, on its way to the disk.

use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::ingest::{
    gate::Gate,
    handover::{Outcome, taken},
    reading::Reading,
    refusal::Refusal,
};
use crate::model::entry::Entry;

/// What a durable body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its items.
    pub items: u64,
    /// Whether a file's content was what was announced; always so for records.
    pub expected: bool,
}

/// A body that is whole and checked. Its sender is done; [`durable`](Self::durable) makes sure that it stays.
pub struct Pending(Form);

enum Form {
    Small(Box<Small>),
    /// Its thread goes on whether anybody waits or not.
    Large(JoinHandle<Outcome>),
}

struct Small {
    gate: Arc<Gate>,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    reading: Reading,
}

impl Pending {
    pub(crate) fn small(gate: Arc<Gate>, bytes: Vec<u8>, entries: Vec<Entry>, reading: Reading) -> Self {
        Self(Form::Small(Box::new(Small { gate, bytes, entries, reading })))
    }

    pub(crate) fn large(outcome: JoinHandle<Outcome>) -> Self {
        Self(Form::Large(outcome))
    }

    /// Returns once the body is durable, and its control items hold.
    pub async fn durable(self) -> Result<Taken, Refusal> {
        match self.0 {
            Form::Small(small) => small.commit().await,
            Form::Large(outcome) => taken(outcome).await,
        }
    }
}

impl Small {
    async fn commit(self) -> Result<Taken, Refusal> {
        let Self { gate, bytes, entries, reading } = self;
        let received = gate.clock.now();
        let position = gate.journal.commit(reading.header(received), bytes, entries).await?;
        if !reading.has_controls() {
            return reading.settle(&gate.metrics, position, received);
        }
        let settled = spawn_blocking(move || reading.settle(&gate.metrics, position, received)).await;
        settled.unwrap_or(Err(Refusal::StoreFailed))
    }
}
