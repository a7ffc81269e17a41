//! UTF-8 checked chunk by chunk, with what a chunk cuts in two carried over to the next.

/// The start of a character whose end has not come.
#[derive(Debug, Default)]
pub(super) struct Carry {
    bytes: [u8; 4],
    len: usize,
    invalid: bool,
}

/// What was found at the start of a chunk.
#[derive(Debug)]
pub(super) enum Checked<'a> {
    /// The chunk is used up.
    Nothing,
    /// Whole characters.
    Text(&'a [u8]),
    /// One character, begun in an earlier chunk: its bytes, and how many.
    Character([u8; 4], usize),
    /// What comes next is no UTF-8.
    Invalid,
}

impl Carry {
    /// How many bytes are carried.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte is carried.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes whole characters off the front of `chunk`.
    pub(super) fn check<'a>(&mut self, chunk: &mut &'a [u8]) -> Checked<'a> {
        if self.invalid {
            return Checked::Invalid;
        }
        while self.len > 0 {
            let Some((&byte, rest)) = chunk.split_first() else {
                return Checked::Nothing;
            };
            *chunk = rest;
            self.bytes[self.len] = byte;
            self.len += 1;
            match std::str::from_utf8(&self.bytes[..self.len]) {
                Ok(_) => return Checked::Character(self.bytes, std::mem::take(&mut self.len)),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Checked::Invalid,
            }
        }
        let all = std::mem::take(chunk);
        if all.is_empty() {
            return Checked::Nothing;
        }
        if simdutf8::basic::from_utf8(all).is_ok() {
            return Checked::Text(all);
        }
        let Err(error) = std::str::from_utf8(all) else {
            return Checked::Text(all);
        };
        let (valid, rest) = all.split_at(error.valid_up_to());
        self.invalid = error.error_len().is_some();
        if !self.invalid {
            self.bytes[..rest.len()].copy_from_slice(rest);
            self.len = rest.len();
        }
        Checked::Text(valid)
    }
}
