//! One notification on its way in.

use std::sync::Arc;

use bytes::Bytes;

use crate::ingest::{body::Body, coding::Coding, door::Door, reading::Reading, refusal::Refusal};
use crate::model::connection::ClientId;

pub use crate::ingest::body::INLINE_BYTES_MAX;
pub use crate::ingest::handover::IN_FLIGHT_BYTES;

/// The body is durable, and its control items hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted;

/// One notification on its way in. Dropped before [`Intake::finish`], it leaves nothing.
pub struct Intake(Body);

impl Intake {
    pub(crate) fn new(door: &Door, client: ClientId, coding: Coding, length_hint: Option<u64>) -> Self {
        let reading = Reading::notification(client, Arc::clone(&door.controls));
        let gate = Arc::clone(&door.gate);
        let bytes_max = gate.bytes_max;
        Self(Body::new(gate, reading, coding, bytes_max, length_hint))
    }

    /// Takes the next bytes as they were sent. After an error nothing further is taken.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        self.0.push(chunk).await
    }

    /// The body is whole, its length checked: returns when it is durable and its control items hold.
    pub async fn finish(self) -> Result<Accepted, Refusal> {
        self.0.end().await?.durable().await.map(|_| Accepted)
    }
}
