//! Compression of a large body: block by block, each a zstd frame of its own, straight from where its bytes lie.
//!
//! A stream that has to keep its window takes half as long again.

use std::io;

use zstd::{bulk::Compressor, zstd_safe::compress_bound};

/// So many bytes of a body make a block.
const BLOCK_BYTES: usize = 512 * 1024;
/// The fastest level that still shortens JSON to a fifth: on a small box the processor is what is short.
const LEVEL: i32 = -2;

/// The block at hand.
pub(crate) struct Blocks {
    compressor: Compressor<'static>,
    block: Vec<u8>,
    packed: Vec<u8>,
}

impl Blocks {
    pub(crate) fn new() -> io::Result<Self> {
        let compressor = Compressor::new(LEVEL)?;
        Ok(Self { compressor, block: Vec::with_capacity(BLOCK_BYTES), packed: vec![0; compress_bound(BLOCK_BYTES)] })
    }

    /// Takes what fits of the bytes; the compressed block, where it is full.
    pub(crate) fn take(&mut self, bytes: &mut &[u8]) -> io::Result<Option<&[u8]>> {
        let (fits, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block.len()));
        self.block.extend_from_slice(fits);
        *bytes = rest;
        if self.block.len() < BLOCK_BYTES { Ok(None) } else { self.end().map(Some) }
    }

    /// What was taken since the last block, compressed.
    pub(crate) fn end(&mut self) -> io::Result<&[u8]> {
        let length = self.compressor.compress_to_buffer(&self.block, &mut self.packed[..])?;
        self.block.clear();
        Ok(&self.packed[..length])
    }
}
