//! What leaves the output for the diverted part: gathered value by value, each and all of it within a limit.

use crate::json::rules::Malformed;
use crate::json::text::Gathered;

/// The longest value that is diverted, in bytes of JSON text; a longer one is dropped.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// The most that one object diverts, names and [`MEMBER_BYTES`] included; what comes after is dropped.
const ALL_BYTES_MAX: usize = 256 << 10;

/// What a diverted member takes in memory beside its bytes: two strings and their allocations.
const MEMBER_BYTES: usize = 128;

/// The diverted members so far, and the one that streams past.
#[derive(Default)]
pub(super) struct Diverted {
    members: Vec<(String, String)>,
    bytes: usize,
    cut: u32,
    value: Vec<u8>,
    over: bool,
}

impl Diverted {
    /// A value starts.
    pub(super) fn start(&mut self) {
        self.value.clear();
        self.over = false;
    }

    /// JSON text of the value.
    pub(super) fn push(&mut self, json: &[u8]) {
        self.over |= self.value.len() + json.len() > VALUE_BYTES_MAX;
        if !self.over {
            self.value.extend_from_slice(json);
        }
    }

    /// The scalar value that has ended, decoded; `None` where it is null or too long.
    pub(super) fn scalar(&self) -> Option<String> {
        if self.over || self.value == b"null" {
            return None;
        }
        let Some(text) = self.value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) else {
            return std::str::from_utf8(&self.value).ok().map(str::to_owned);
        };
        let mut decoded = Gathered::default();
        decoded.start(VALUE_BYTES_MAX);
        decoded.text(text, false);
        Some(decoded.start_of_text().to_owned())
    }

    /// The value has ended: it is kept under this path and name, where it fits.
    pub(super) fn keep(&mut self, path: &[Box<str>], name: &str) -> Result<(), Malformed> {
        let path_bytes: usize = path.iter().map(|name| name.len() + 1).sum();
        let bytes = self.bytes + MEMBER_BYTES + path_bytes + name.len() + self.value.len();
        if self.over || bytes > ALL_BYTES_MAX {
            self.cut = self.cut.saturating_add(1);
            return Ok(());
        }
        let mut full = String::with_capacity(path_bytes + name.len());
        for outer in path {
            full.push_str(outer);
            full.push('.');
        }
        full.push_str(name);
        let json = std::str::from_utf8(&self.value).map_err(|_| Malformed)?;
        self.members.push((full, json.to_owned()));
        self.bytes = bytes;
        Ok(())
    }

    /// The members, and how many were dropped for their size.
    pub(super) fn finish(self) -> (Vec<(String, String)>, u32) {
        (self.members, self.cut)
    }
}
