//! What the local API asks of the rest of the gateway: what is not in the directory of people.

use std::collections::HashMap;
use std::io;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::access::rights::Reach;
use crate::audit::Who;
use crate::coverage::report::{Asked, Report};
use crate::dataset::format::Format;
use crate::dataset::recipient::Recipient;
use crate::http::local::keys::KeyDesk;
use crate::http::local_api::StreamPiece;
use crate::model::{id::OwnerId, participant::Window, time::UnixSeconds};
use crate::people::refusal::Refusal;
use crate::withdrawal::course::Word;
use crate::withdrawal::{Event, Leave};

/// The rest of the gateway. Every method may block; none is called on a thread that must not. What a [`Reach`] does not
/// cover is as if it were not there.
pub trait Desk: Send + Sync {
    /// What `status` shows: a JSON object without personal data.
    fn status(&self) -> Value;

    /// What concerns the keys.
    fn keys(&self) -> &dyn KeyDesk;

    /// What came of a study's participants, day by day. The study exists; nobody who has left is in it.
    fn coverage(&self, study: &str, asked: &Asked, now: UnixSeconds) -> Result<Report, Refusal>;

    /// The last time that the records of each of these cover; who has none, or has left, is not in it.
    fn last_seen(&self, participants: &[OwnerId]) -> Result<HashMap<OwnerId, UnixSeconds>, Refusal>;

    /// The quarantined items: a JSON object each, without their content.
    fn quarantine(&self, reach: &Reach) -> Result<Vec<Value>, Refusal>;

    /// A quarantined item with the beginning of its content, as a JSON object.
    fn quarantined(&self, id: &str, reach: &Reach) -> Result<Value, Refusal>;

    /// The bytes of a quarantined item: of a file those of the file, else its whole text; and whose it is.
    fn quarantined_content(&self, id: &str, reach: &Reach) -> Result<(Option<Concerned>, Pieces), Refusal>;

    /// Sends a quarantined item through filing once more; it has left quarantine on return. Returns whose it is.
    fn retry_quarantined(&self, id: &str, retry: Retry, reach: &Reach) -> Result<Option<Concerned>, Refusal>;

    /// Destroys a quarantined item; durable on return. Returns whose it was.
    fn drop_quarantined(&self, id: &str, reach: &Reach) -> Result<Option<Concerned>, Refusal>;

    /// Withdraws participants by a person's decision; durable on return. For a single one it answers what
    /// [`preview_withdrawal`](Self::preview_withdrawal) did before. Asked again, it goes on. Returns also what the
    /// audit log is to say.
    fn withdraw(
        &self,
        participants: &[OwnerId],
        leave: Leave,
        now: UnixSeconds,
    ) -> Result<(Value, Vec<Event>), Refusal>;

    /// What a withdrawal would destroy: a JSON object whose `purge_at` is a time where the purge would wait.
    fn preview_withdrawal(&self, participant: &OwnerId, word: Word) -> Result<Value, Refusal>;

    /// The purges under way, or all: a JSON object each.
    fn purges(&self, all: bool, reach: &Reach) -> Vec<Value>;

    /// The newest purge of a code: `{"purge", "receipt", "page"}`, the last two null until it is done.
    fn purge_of(&self, study: &str, code: &str) -> Result<Option<Value>, Refusal>;

    /// Has a purge that waits begin; durable on return. Returns what the audit log is to say.
    fn confirm_purge(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Event>, Refusal>;

    /// Undoes a purge that waits; durable on return. Returns what the audit log is to say.
    fn reject_purge(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Event>, Refusal>;

    /// A study's recipients are others than before; durable. For whoever counts it; nobody does by default.
    fn recipients_changed(&self, study: &str) {
        let _uncounted = study;
    }

    /// Jobs by id, at most so many behind `after`: those that ended without data, or all; a JSON object each. The second is where to
    /// go on, `None` at the end.
    fn pulls(
        &self,
        all: bool,
        after: Option<&str>,
        limit: usize,
        reach: &Reach,
    ) -> Result<(Vec<Value>, Option<String>), Refusal>;

    /// Has a job tried again at once. Returns whom it is for.
    fn retry_pull(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal>;

    /// Gives a job up; durable on return. Returns whom it was for.
    fn drop_pull(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal>;

    /// Begins an export for this caller; refused before its first byte, or a stream. Its beginning is in the audit log
    /// before its first byte is made, and how it ends before its end is told.
    fn export(&self, request: ExportRequest, who: Who) -> Result<ExportStream, Refusal>;

    /// Begins to hand out everything that is held on a participant of a study, encrypted to this recipient; refused for
    /// one who has left. It is in the audit log before its first byte is made.
    fn disclose(&self, participant: &OwnerId, recipient: &Recipient, who: Who) -> Result<ExportStream, Refusal>;

    /// Begins a backup for this caller, as [`export`](Self::export) does an export.
    fn backup(&self, who: Who) -> Result<ExportStream, Refusal>;

    /// The backups that are known of: `{"backups": [object]}`.
    fn backups(&self) -> Value;

    /// The purge log that a restore needs, as a file.
    fn purge_log(&self) -> Result<Vec<u8>, Refusal>;
}

/// Bytes on their way to whoever asked for them.
pub type Pieces = mpsc::Receiver<io::Result<StreamPiece>>;

/// A participant whom something concerns, in words of the study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concerned {
    /// The study's name.
    pub study: String,
    /// The participant's code.
    pub code: String,
}

/// How a quarantined item is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// As it came.
    AsItCame,
    /// An unexpected file is kept as what it was announced as.
    Accepted,
}

/// Which versions of records a dataset holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revisions {
    /// The current one.
    Current,
    /// All.
    All,
}

/// An export that is asked for. Study and codes exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRequest {
    /// The study's name.
    pub study: String,
    /// Codes of the participants; empty = all.
    pub participants: Vec<String>,
    /// Names of the tables; empty = all.
    pub tables: Vec<String>,
    /// The format of the tables.
    pub format: Format,
    /// Event times.
    pub window: Window,
    /// Which versions.
    pub revisions: Revisions,
    /// Only what came, changed or went since this export.
    pub since: Option<u32>,
    /// This export once more.
    pub as_of: Option<u32>,
}

/// An export under way.
#[derive(Debug)]
pub struct ExportStream {
    /// The name its file should have, of the contract's form.
    pub file_name: String,
    /// Its bytes; whole once [`StreamPiece::End`] has come.
    pub pieces: Pieces,
}
