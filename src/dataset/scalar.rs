//! A scalar put together from its stretches, its escapes decoded.

use crate::dataset::cell;
use crate::json::walk::{Scalar, Stretch};

/// A scalar that is cut keeps more than the longest cell, even where every character is escaped.
const BYTES_MAX: usize = 8 * cell::TEXT_BYTES_MAX;

/// What has come of a scalar so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    decoded: String,
    plain: bool,
}

impl Gathered {
    /// Adds a stretch, and hands over the scalar where it is the last one; what is no text is none.
    pub(super) fn whole(&mut self, stretch: Stretch<'_>, told: impl FnOnce(&str)) {
        if stretch.first && stretch.last && stretch.plain {
            if let Ok(text) = std::str::from_utf8(stretch.bytes) {
                told(text);
            }
            return;
        }
        if stretch.first {
            self.bytes.clear();
            self.plain = true;
        }
        self.plain &= stretch.plain;
        let room = BYTES_MAX.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&stretch.bytes[..stretch.bytes.len().min(room)]);
        if stretch.last
            && let Some(text) = self.text(stretch.scalar)
        {
            told(text);
        }
    }

    fn text(&mut self, scalar: Scalar) -> Option<&str> {
        if scalar != Scalar::Text || self.plain {
            let valid = std::str::from_utf8(&self.bytes).map_or_else(|error| error.valid_up_to(), str::len);
            return std::str::from_utf8(&self.bytes[..valid]).ok();
        }
        if self.bytes.len() == BYTES_MAX {
            // An escape may be cut in two; none, and no pair of them, is longer than 12 bytes.
            let tail = self.bytes.len() - 12;
            let cut =
                self.bytes[tail..].iter().position(|byte| *byte == b'\\').map_or(self.bytes.len(), |at| tail + at);
            self.bytes.truncate(cut);
            let valid = std::str::from_utf8(&self.bytes).map_or_else(|error| error.valid_up_to(), str::len);
            self.bytes.truncate(valid);
        }
        let quoted = [b"\"", &*self.bytes, b"\""].concat();
        self.decoded = serde_json::from_slice(&quoted).ok()?;
        Some(&self.decoded)
    }
}
