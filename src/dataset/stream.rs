//! A file of a dataset while it is written, set aside in deflated blocks until its turn in the container comes.

use std::io;

use ring::digest::{Context, SHA256};

use crate::dataset::press::{BLOCK_BYTES, Blocks, Press};

/// A file that is written.
pub(super) struct Stream {
    /// What is written next.
    pub(super) buffer: Vec<u8>,
    blocks: Blocks,
    digest: Context,
    crc: flate2::Crc,
    bytes: u64,
    /// How many rows or lines it has.
    pub(super) rows: u64,
}

/// A file that is whole.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// Its deflated blocks.
    pub(super) blocks: Blocks,
    /// CRC-32 of it.
    pub(super) crc: u32,
    /// Its length.
    pub(super) bytes: u64,
    /// SHA-256 of it, 64 hexadecimal digits.
    pub(super) sha256: String,
    /// How many rows or lines it has.
    pub(super) rows: u64,
}

impl Stream {
    /// An empty file.
    pub(super) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            blocks: Blocks::default(),
            digest: Context::new(&SHA256),
            crc: flate2::Crc::new(),
            bytes: 0,
            rows: 0,
        }
    }

    /// Passes on whole blocks of what was written.
    pub(super) fn settle(&mut self, press: &Press) -> io::Result<()> {
        while self.buffer.len() >= BLOCK_BYTES {
            let rest = self.buffer.split_off(BLOCK_BYTES);
            let block = std::mem::replace(&mut self.buffer, rest);
            self.pass(block, press)?;
        }
        Ok(())
    }

    /// Passes on all that was written.
    pub(super) fn cut(&mut self, press: &Press) -> io::Result<()> {
        self.settle(press)?;
        let block = std::mem::take(&mut self.buffer);
        if block.is_empty() { Ok(()) } else { self.pass(block, press) }
    }

    /// The file is whole.
    pub(super) fn finish(mut self, press: &Press) -> io::Result<Packed> {
        self.cut(press)?;
        let sha256 = data_encoding::HEXLOWER.encode(self.digest.finish().as_ref());
        Ok(Packed { blocks: self.blocks, crc: self.crc.sum(), bytes: self.bytes, sha256, rows: self.rows })
    }

    fn pass(&mut self, block: Vec<u8>, press: &Press) -> io::Result<()> {
        self.digest.update(&block);
        self.crc.update(&block);
        self.bytes += block.len() as u64;
        press.put(block, &self.blocks)
    }
}
