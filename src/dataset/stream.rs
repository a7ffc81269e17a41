//! A file of a dataset while it is written, set aside in blocks until its turn in the container comes.

use std::{io, ops::Range};

use flate2::Crc;
use ring::digest::{Context, SHA256};

use crate::dataset::press::{BLOCK_BYTES, Blocks, Press};

/// How blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// Deflated.
    Deflated,
    /// As they are, since they are compressed already.
    Stored,
}

/// A file that is written.
pub(super) struct Stream {
    /// What is written next.
    pub(super) buffer: Vec<u8>,
    /// How many rows or lines it has.
    pub(super) rows: u64,
    packing: Packing,
    blocks: Blocks,
    passed: usize,
    digest: Context,
    crc: Crc,
    bytes: u64,
    parts: Vec<Part>,
    /// Where the part at hand begins.
    part: (usize, u64),
}

/// A file that is whole.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// How its blocks are packed.
    pub(super) packing: Packing,
    /// Its blocks.
    pub(super) blocks: Blocks,
    /// CRC-32 of it.
    pub(super) crc: u32,
    /// Its length.
    pub(super) bytes: u64,
    /// SHA-256 of it, 64 hexadecimal digits.
    pub(super) sha256: String,
    /// How many rows or lines it has.
    pub(super) rows: u64,
    /// The parts it can be cut into.
    pub(super) parts: Vec<Part>,
}

/// A part of a file.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Whose rows it has.
    pub(super) code: Vec<u8>,
    /// Its blocks.
    pub(super) blocks: Range<usize>,
    /// Its rows.
    pub(super) rows: u64,
}

impl Stream {
    /// An empty file.
    pub(super) fn new(packing: Packing) -> Self {
        Self {
            buffer: Vec::new(),
            rows: 0,
            packing,
            blocks: Blocks::default(),
            passed: 0,
            digest: Context::new(&SHA256),
            crc: Crc::new(),
            bytes: 0,
            parts: Vec::new(),
            part: (0, 0),
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

    /// Passes on all that was written. What comes next begins a part.
    pub(super) fn cut(&mut self, press: &Press) -> io::Result<()> {
        self.settle(press)?;
        let block = std::mem::take(&mut self.buffer);
        if !block.is_empty() {
            self.pass(block, press)?;
        }
        self.part = (self.passed, self.rows);
        Ok(())
    }

    /// What was written since the last cut is a part.
    pub(super) fn end_part(&mut self, code: Vec<u8>, press: &Press) -> io::Result<()> {
        let (block, rows) = self.part;
        self.cut(press)?;
        let part = Part { code, blocks: block..self.passed, rows: self.rows - rows };
        self.parts.push(part);
        Ok(())
    }

    /// The file is whole.
    pub(super) fn finish(mut self, press: &Press) -> io::Result<Packed> {
        self.cut(press)?;
        let sha256 = data_encoding::HEXLOWER.encode(self.digest.finish().as_ref());
        Ok(Packed {
            packing: self.packing,
            blocks: self.blocks,
            crc: self.crc.sum(),
            bytes: self.bytes,
            sha256,
            rows: self.rows,
            parts: self.parts,
        })
    }

    fn pass(&mut self, block: Vec<u8>, press: &Press) -> io::Result<()> {
        self.digest.update(&block);
        self.crc.update(&block);
        self.bytes += block.len() as u64;
        self.passed += 1;
        press.put(block, self.packing, &self.blocks)
    }
}
