//! Compression of what is whole in memory, where it pays.
//!
//! ```text
//! packed | 1 encoding: 0 as it is, 1 zstd | 4 length before, big endian | payload |
//! ```

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// Shorter content is kept as it is: zstd would take 8 µs of it, a third of what a 2 KB body costs in all, to spare bytes
/// that are unlinked within seconds.
const WORTH_BYTES: usize = 4096;
const LEVEL: i32 = 1;
const HEAD_BYTES: usize = 5;

thread_local! {
    /// A context costs more to make than a small body to compress.
    static PACKER: RefCell<Packer> = const { RefCell::new(Packer(None)) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A compressor that is made when it is first needed.
pub(crate) struct Packer(Option<Compressor<'static>>);

impl Packer {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    pub(crate) fn pack(&mut self, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).expect("what is packed in memory is under 4 GiB").to_be_bytes();
        if content.len() > WORTH_BYTES
            && let Some(mut packed) = self.compress(content, &length)
        {
            packed.shrink_to_fit();
            return packed;
        }
        let mut packed = Vec::with_capacity(HEAD_BYTES + content.len());
        packed.push(0);
        packed.extend_from_slice(&length);
        packed.extend_from_slice(content);
        packed
    }

    /// `None` where it does not pay, or fails for want of memory.
    fn compress(&mut self, content: &[u8], length: &[u8; 4]) -> Option<Vec<u8>> {
        if self.0.is_none() {
            self.0 = Compressor::new(LEVEL).ok();
        }
        // Room for as much as the content takes: where that is too little, compression does not pay.
        let mut packed = vec![0; HEAD_BYTES + content.len()];
        packed[0] = 1;
        packed[1..HEAD_BYTES].copy_from_slice(length);
        let written = self.0.as_mut()?.compress_to_buffer(content, &mut packed[HEAD_BYTES..]).ok()?;
        packed.truncate(HEAD_BYTES + written);
        Some(packed)
    }
}

/// The content, packed with this thread's compressor.
pub(crate) fn pack(content: &[u8]) -> Vec<u8> {
    PACKER.with_borrow_mut(|packer| packer.pack(content))
}

/// The content that was packed; `None` where these bytes are none.
pub(crate) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let (encoding, rest) = packed.split_first()?;
    let (length, payload) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let content = match encoding {
        0 => payload.to_vec(),
        1 => UNPACKER.with_borrow_mut(|unpacker| {
            if unpacker.is_none() {
                *unpacker = Decompressor::new().ok();
            }
            unpacker.as_mut()?.decompress(payload, length).ok()
        })?,
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_back_and_repetition_shrinks() {
        let noise: Vec<u8> = (0..6000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for content in [&b""[..], b"short", &noise, &[b'a'; 6000]] {
            let packed = pack(content);
            assert!(packed.len() <= content.len() + HEAD_BYTES);
            assert_eq!(unpack(&packed).unwrap(), content);
        }
        assert!(pack(&[b'a'; 6000]).len() < 100);
    }

    #[test]
    fn damaged_packing_is_refused() {
        let packed = pack(&[b'a'; 6000]);
        for length in 0..packed.len() {
            assert!(unpack(&packed[..length]).is_none());
        }
        assert!(unpack(&[2, 0, 0, 0, 0]).is_none());
        assert!(unpack(&[0, 0, 0, 0, 1]).is_none());
    }
}
