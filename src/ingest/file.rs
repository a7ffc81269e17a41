//! A pulled activity file on its way into the journal: always a file of its own, given only once.

use std::sync::Arc;

use bytes::Bytes;
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};

use crate::ingest::{
    answer::key,
    file_kind::{FileCheck, FileKind},
    gate::Gate,
    handover::{Handover, Work},
    pending::{Pending, Taken},
    reading::{AnswerTo, Reading},
    refusal::{Malformed, Refusal},
};
use crate::journal::Spool;
use crate::json::split::Splitter;
use crate::model::entry::{BEFORE_FILE, Entry, Field, Shape, Whose};

/// A file on its way in. Dropped before [`FileIntake::end`], it leaves nothing.
pub struct FileIntake(Option<Handover>);

struct FileWork {
    gate: Arc<Gate>,
    reading: Reading,
    spool: Spool,
    /// Of the item that announced the file; its shape and the file's length are known at the end.
    entry: Entry,
    announced: Option<FileKind>,
    check: FileCheck,
    length: u64,
    /// Held while the file is under way.
    slot: OwnedSemaphorePermit,
}

impl FileIntake {
    /// Returns once the file's beginning is on its way to the disk.
    pub(crate) async fn begin(
        gate: Arc<Gate>,
        to: AnswerTo,
        item: &str,
        fields: &[(Field, Box<str>)],
        announced: Option<FileKind>,
    ) -> Result<Self, Refusal> {
        let head = format!("{{{}:[{item}{BEFORE_FILE}", key(to.summary_type.name()));
        let mut entry = announcement(&head)?;
        entry.whose = Whose::User(to.user.expose().into());
        entry.fields = fields.iter().filter(|(field, _)| *field != Field::FileBytes).cloned().collect();
        let slot = gate.slots.take().await?;
        let bytes_max = gate.bytes_max;
        let begun = spawn_blocking(move || -> Result<FileWork, Refusal> {
            let mut spool = gate.journal.spool_once()?;
            spool.write(head.as_bytes())?;
            let (reading, check) = (Reading::answer(to), FileCheck::new());
            Ok(FileWork { gate, reading, spool, entry, announced, check, length: 0, slot })
        });
        let work = begun.await.unwrap_or(Err(Refusal::Busy))?;
        Ok(Self(Some(Handover::start(0, bytes_max, move || Ok(work)))))
    }

    /// Takes the next bytes of the file. After an error nothing further is taken.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        let handover = self.0.as_mut().ok_or(Refusal::StoreFailed)?;
        let pushed = handover.push(chunk).await;
        if pushed.is_err() {
            self.0 = None;
        }
        pushed
    }

    /// The file is whole, its length checked: returns once its content is known, while it is made durable.
    pub async fn end(self) -> Result<Pending, Refusal> {
        self.0.ok_or(Refusal::StoreFailed)?.end().await.map(Pending::large)
    }
}

impl Work for FileWork {
    fn bytes(&mut self, sent: &[u8]) -> Result<(), Refusal> {
        self.length += sent.len() as u64;
        self.check.push(sent);
        Ok(self.spool.write(sent)?)
    }

    fn check(&mut self) -> Result<(), Refusal> {
        self.entry.shape = match (self.check.found(), self.announced) {
            (Some(found), Some(announced)) if found != announced => Shape::UnexpectedFile,
            (Some(_), _) => Shape::File,
            (None, _) => Shape::UnexpectedFile,
        };
        self.entry.fields.push((Field::FileBytes, self.length.to_string().into()));
        Ok(())
    }

    fn commit(self) -> Result<Taken, Refusal> {
        let Self { gate, mut reading, mut spool, entry, slot, .. } = self;
        let entry = reading.entry(entry)?;
        spool.entry(&entry)?;
        let received = gate.clock.now();
        let position = spool.commit(reading.header(received))?;
        drop(slot);
        let taken = reading.settle(&gate.metrics, position, received)?;
        Ok(Taken { expected: entry.shape == Shape::File, ..taken })
    }
}

/// The one object in the array of this text.
fn announcement(head: &str) -> Result<Entry, Refusal> {
    let mut found = Vec::new();
    let mut splitter = Splitter::new();
    splitter.feed(head.as_bytes(), &mut |entry| found.push(entry))?;
    splitter.finish()?;
    match (found.pop(), found.is_empty()) {
        (Some(entry), true) if matches!(entry.shape, Shape::Push | Shape::Ping) => Ok(entry),
        _ => Err(Refusal::Malformed(Malformed::NotAnAnswer(0))),
    }
}
