//! The answer to a ping on its way into the journal.
//!
//! Never: an answer that breaks out of the type it was asked for; a file's only download begun without room for it.
//!
//! ```text
//! records | {"<type>": | ANSWER | } |                 an entry for each item, the asked user's
//! file    | {"<type>":[ | ITEM | ]} | the file |      one entry: the item that announced it
//! ```

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Clock;
use crate::ingest::{
    array::BareArray,
    body::Body,
    coding::Coding,
    file_kind::FileKind,
    gate::{Gate, Slots, WhenFull},
    reading::Reading,
    refusal::Refusal,
};
use crate::journal::Journal;
use crate::model::entry::Field;
use crate::telemetry::ingest::DoorMetrics;

pub use crate::ingest::file::FileIntake;
pub use crate::ingest::pending::{Pending, Taken};
pub use crate::ingest::reading::AnswerTo;

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest answer, in bytes.
    pub bytes_max: u64,
    /// The most large answers and files at once, in thread and memory; a further one waits.
    pub large_answers_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bytes_max: 128 << 20, large_answers_max: 64 }
    }
}

/// Takes answers into the journal.
pub struct Answers {
    gate: Arc<Gate>,
}

/// A JSON answer on its way in. Dropped before [`RecordsIntake::end`], it leaves nothing.
pub struct RecordsIntake {
    body: Body,
    array: BareArray,
    /// What stands before the answer, until its first bytes come.
    before: Option<Bytes>,
}

impl Answers {
    /// A way into this journal. `metrics` may be a second look-up of the door's.
    pub fn new(settings: Settings, journal: Journal, clock: Arc<dyn Clock>, metrics: DoorMetrics) -> Arc<Self> {
        let slots = Slots::new(settings.large_answers_max, WhenFull::Wait);
        Arc::new(Self { gate: Arc::new(Gate { journal, clock, metrics, bytes_max: settings.bytes_max, slots }) })
    }

    /// A JSON answer begins.
    pub fn records(&self, to: AnswerTo) -> RecordsIntake {
        let before = format!("{{{}:", key(to.summary_type.name()));
        // The limit is the answer's, without what is put around it.
        let bytes_max = self.gate.bytes_max.saturating_add(before.len() as u64 + 1);
        let body = Body::new(Arc::clone(&self.gate), Reading::answer(to), Coding::Identity, bytes_max, None);
        RecordsIntake { body, array: BareArray::default(), before: Some(before.into()) }
    }

    /// A file begins: `item` is the JSON object that announced it, `fields` its key fields, `kind` what it says the
    /// file is. To be called before the file is asked for, which can be done only once: refused where the disk has no
    /// room.
    pub async fn file(
        &self,
        to: AnswerTo,
        item: &str,
        fields: &[(Field, Box<str>)],
        kind: Option<FileKind>,
    ) -> Result<FileIntake, Refusal> {
        FileIntake::begin(Arc::clone(&self.gate), to, item, fields, kind).await
    }
}

impl RecordsIntake {
    /// Takes the next bytes. After an error nothing further is taken.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        self.array.feed(&chunk).map_err(Refusal::Malformed)?;
        if let Some(before) = self.before.take() {
            self.body.push(before).await?;
        }
        self.body.push(chunk).await
    }

    /// The answer is whole, its length checked: returns once all of it is proved to be what was asked for, so that
    /// the request is done while the answer is made durable.
    pub async fn end(mut self) -> Result<Pending, Refusal> {
        self.array.finish().map_err(Refusal::Malformed)?;
        self.body.push(Bytes::from_static(b"}")).await?;
        self.body.end().await?.begin().await
    }
}

/// A type's name as a JSON string.
pub(crate) fn key(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}
