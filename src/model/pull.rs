//! Pulls: how a body in the journal names the ping that it answers.

use std::fmt;

/// A pull: everything that is asked for by pings of one Garmin connection for one window or file. A keyed digest of
/// these, so that it may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PullId(pub [u8; 12]);

/// The answer to one ping of a pull. A later ping for the same window is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PullRef {
    /// The pull.
    pub id: PullId,
    /// The place of the body in the journal that the ping came with.
    pub ping: u64,
}

impl PullId {
    /// As it is shown: 20 characters of base 32.
    pub fn text(&self) -> String {
        data_encoding::BASE32_NOPAD.encode(&self.0).to_ascii_lowercase()
    }

    /// The pull that is shown so, in whatever letter case.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for PullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PullId({})", self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_survives_its_text_form_in_any_letter_case() {
        let id = PullId(*b"twelve bytes");
        assert_eq!(PullId::parse(&id.text()), Some(id));
        assert_eq!(PullId::parse(&id.text().to_uppercase()), Some(id));
        assert_eq!(PullId::parse("no id"), None);
    }
}
