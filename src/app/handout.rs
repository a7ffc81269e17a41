//! An export on its way to whoever asked, on a thread of its own; how it ended is entered before its end is told.

use std::io::{self, Write};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use tokio::sync::mpsc;

use crate::app::pieces::Pieces;
use crate::audit::{self, Act, Event, Log, Who};
use crate::export::job::{Completed, Export};
use crate::http::local_api::StreamPiece;
use crate::model::audit::AuditHead;
use crate::telemetry::people::ExportMetrics;

/// Who gets a dataset, and where it is said.
pub(super) struct Handout {
    pub(super) study: String,
    pub(super) who: Who,
    pub(super) pieces: mpsc::Sender<io::Result<StreamPiece>>,
    pub(super) audit: Arc<Log>,
    pub(super) exports: ExportMetrics,
    pub(super) per_study: bool,
}

/// An output whose length and digest are known at its end.
struct Measured<W> {
    output: W,
    bytes: u64,
    digest: Context,
}

impl Handout {
    /// Writes the export, this head of the audit log in its manifest.
    pub(super) fn run(self, export: Export, head: AuditHead) {
        let number = export.number();
        let mut output = Measured::new(Pieces::new(self.pieces.clone()));
        let act = match export.write(&mut output, Some(head)) {
            Ok(completed) => output.made(completed),
            Err(failure) => {
                tracing::warn!(%failure, "an export failed; its file is not to be used");
                Act::ExportFailed { number }
            }
        };
        let completed = matches!(act, Act::ExportMade { .. });
        let entered = self.enter(act);
        if let Err(error) = &entered {
            tracing::error!(%error, "an export could not be audited, so its end is withheld; check the disk, then export again");
        }
        let is_whole = completed && entered.is_ok();
        let (result, last) = if is_whole {
            ("completed", Ok(StreamPiece::End))
        } else {
            ("failed", Err(io::Error::other("the export failed")))
        };
        let study = if self.per_study { &self.study } else { "all" };
        self.exports.exports.with_label_values(&[study, result]).inc();
        if self.pieces.blocking_send(last).is_err() {
            tracing::info!("whoever asked for an export went away before its end");
        }
    }

    fn enter(&self, act: Act) -> Result<(), audit::Error> {
        self.audit.append(self.who.clone(), vec![Event::of_study(act, &self.study)]).map(|_| ())
    }
}

impl<W: Write> Measured<W> {
    fn new(output: W) -> Self {
        Self { output, bytes: 0, digest: Context::new(&SHA256) }
    }

    fn made(self, completed: Completed) -> Act {
        let Completed { number, participants, manifest_sha256 } = completed;
        let sha256 = data_encoding::HEXLOWER.encode(self.digest.finish().as_ref());
        Act::ExportMade { number, bytes: self.bytes, sha256, manifest_sha256, participants }
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
