//! The name of the member at hand, gathered from its parts.

use crate::json::text::Gathered;
use crate::json::token::Part;

/// The longest name that is kept, in bytes as written.
const RAW_BYTES_MAX: usize = 4 << 10;

/// A member's name, as written and decoded.
#[derive(Default)]
pub(super) struct Name {
    raw: Vec<u8>,
    over: bool,
    plain: bool,
    text: String,
}

impl Name {
    /// Characters of the name, as written.
    #[inline]
    pub(super) fn push(&mut self, raw: &[u8], part: Part, plain: bool) {
        if part.first {
            self.raw.clear();
            (self.over, self.plain) = (false, true);
        }
        self.plain &= plain;
        self.over |= self.raw.len() + raw.len() > RAW_BYTES_MAX;
        if !self.over {
            self.raw.extend_from_slice(raw);
        }
    }

    /// The name is whole: decodes it. False where it is too long; an error where it is no UTF-8.
    #[inline]
    pub(super) fn decode(&mut self) -> Result<bool, ()> {
        self.text.clear();
        if self.over {
            return Ok(false);
        }
        let raw = std::str::from_utf8(&self.raw).map_err(|_| ())?;
        if self.plain {
            self.text.push_str(raw);
        } else {
            let mut decoded = Gathered::default();
            decoded.start(RAW_BYTES_MAX);
            decoded.text(raw.as_bytes(), false);
            self.text.push_str(decoded.start_of_text());
        }
        Ok(true)
    }

    /// The decoded name, with U+FFFD for half a surrogate pair.
    #[inline]
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as written, between its quotes.
    #[inline]
    pub(super) fn raw(&self) -> &[u8] {
        &self.raw
    }
}
