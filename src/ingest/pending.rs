//! A body that is whole and checked, on its way to the disk.

use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::ingest::{
    gate::Gate,
    handover::{Outcome, taken},
    reading::Reading,
    refusal::Refusal,
};
use crate::journal::Committing;
use crate::model::entry::Entry;
use crate::model::time::UnixSeconds;

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
    /// It becomes durable whether anybody waits or not.
    Begun(Box<Begun>),
    /// Its thread goes on whether anybody waits or not.
    Large(JoinHandle<Outcome>),
}

struct Small {
    gate: Arc<Gate>,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    reading: Reading,
}

struct Begun {
    gate: Arc<Gate>,
    committing: Committing,
    reading: Reading,
    received: UnixSeconds,
}

impl Pending {
    pub(crate) fn small(gate: Arc<Gate>, bytes: Vec<u8>, entries: Vec<Entry>, reading: Reading) -> Self {
        Self(Form::Small(Box::new(Small { gate, bytes, entries, reading })))
    }

    pub(crate) fn large(outcome: JoinHandle<Outcome>) -> Self {
        Self(Form::Large(outcome))
    }

    /// Has the body on its way to the disk, so that several may wait for one fsync.
    pub(crate) async fn begin(self) -> Result<Self, Refusal> {
        match self.0 {
            Form::Small(small) => Ok(Self(Form::Begun(Box::new(small.begin().await?)))),
            begun @ (Form::Begun(_) | Form::Large(_)) => Ok(Self(begun)),
        }
    }

    /// Returns once the body is durable, and its control items hold.
    pub async fn durable(self) -> Result<Taken, Refusal> {
        match self.0 {
            Form::Small(small) => small.begin().await?.settle().await,
            Form::Begun(begun) => begun.settle().await,
            Form::Large(outcome) => taken(outcome).await,
        }
    }
}

impl Small {
    async fn begin(self) -> Result<Begun, Refusal> {
        let Self { gate, bytes, entries, reading } = self;
        let received = gate.clock.now();
        let committing = gate.journal.begin(reading.header(received), bytes, entries).await?;
        Ok(Begun { gate, committing, reading, received })
    }
}

impl Begun {
    async fn settle(self) -> Result<Taken, Refusal> {
        let Self { gate, committing, reading, received } = self;
        let position = committing.durable().await?;
        if !reading.has_controls() {
            return reading.settle(&gate.metrics, position, received);
        }
        let settled = spawn_blocking(move || reading.settle(&gate.metrics, position, received)).await;
        settled.unwrap_or(Err(Refusal::StoreFailed))
    }
}
