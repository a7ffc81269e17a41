//! A stream of the local API as an output that a thread writes to.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::http::local_api::StreamPiece;

/// Pieces that wait for the one who asked.
pub(super) const PIECES_WAITING: usize = 8;
const PIECE_BYTES: usize = 64 * 1024;

/// An output whose pieces go to whoever asked.
pub(super) struct Pieces {
    pieces: mpsc::Sender<io::Result<StreamPiece>>,
    buffer: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(pieces: mpsc::Sender<io::Result<StreamPiece>>) -> Self {
        Self { pieces, buffer: Vec::with_capacity(PIECE_BYTES) }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES)));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "whoever asked went away");
        self.pieces.blocking_send(Ok(StreamPiece::Bytes(piece))).map_err(gone)
    }
}
