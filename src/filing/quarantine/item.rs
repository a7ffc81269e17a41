//! A quarantined item: what is stored of it, who holds it, and the short name it is shown by.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::model::entry::BEFORE_FILE;
use crate::model::quarantine::Reason;
use crate::model::{
    id::{BlobId, OwnerId},
    time::UnixSeconds,
};
use crate::store::engine::SITE;

/// The version of the stored form; version 1 had neither user nor file.
pub const VERSION: u8 = 2;

/// Under whose key an item lies, and with whom it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Nobody can say whose it is: it expires.
    Site,
    /// A participant or a held connection: it goes with their purge.
    Owner(OwnerId),
}

/// A quarantined item as stored, sealed under its holder's key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// The version of this form.
    pub version: u8,
    /// When it arrived.
    pub received: UnixSeconds,
    /// The client it came for.
    pub client: String,
    /// The member it stood in.
    pub member: String,
    /// Why it is here.
    pub reason: Reason,
    /// Its size in bytes: the item, and where there is a file `]}` and the file.
    pub bytes: u64,
    /// Its text, where it is small and has no file.
    pub text: Option<String>,
    /// Its file, where it is not.
    pub blob: Option<BlobId>,
    /// The Garmin user it is of, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<str>>,
    /// How many of its bytes, the last ones, are a pulled file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
}

/// The name an item is shown by: the beginning of its row's name, a keyed digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ItemId([u8; 10]);

impl Holder {
    /// What its rows begin with.
    pub(super) fn prefix(&self) -> &[u8; 16] {
        match self {
            Self::Site => &SITE,
            Self::Owner(owner) => owner.as_bytes(),
        }
    }

    /// Whose its sealed values are.
    pub(super) fn place(&self) -> &[u8] {
        match self {
            Self::Site => &[],
            Self::Owner(owner) => owner.as_bytes(),
        }
    }
}

impl Quarantined {
    /// How many of its bytes are the item's JSON text.
    pub fn text_bytes(&self) -> u64 {
        match self.file_bytes {
            Some(file) => self.bytes.saturating_sub(file.saturating_add(BEFORE_FILE.len() as u64)),
            None => self.bytes,
        }
    }
}

impl ItemId {
    /// The id of the row of this name.
    pub(super) fn of(name: &[u8; 16]) -> Self {
        Self(*name.first_chunk().expect("10 of 16 bytes"))
    }

    /// As it is shown: 16 characters of base 32.
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.0).to_ascii_lowercase()
    }

    /// The id that is shown so, in whatever letter case.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_survives_its_text_form_in_any_letter_case() {
        let id = ItemId::of(b"ten bytes and si");
        assert_eq!(id.text().len(), 16);
        assert_eq!(ItemId::parse(&id.text()), Some(id));
        assert_eq!(ItemId::parse(&id.text().to_uppercase()), Some(id));
        assert_eq!(ItemId::parse(""), None);
        assert_eq!(ItemId::parse("1"), None);
    }

    #[test]
    fn every_reason_is_stored_by_the_word_it_is_shown_by() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).expect("text"), reason.name());
        }
    }

    #[test]
    fn row_of_the_version_before_is_read() {
        let text = r#"{"version":1,"received":5,"client":"default","member":"dailies","reason":"nobody","bytes":2,"text":"{}","blob":null}"#;
        let item: Quarantined = serde_json::from_str(text).expect("it reads");
        assert_eq!((item.reason, item.text_bytes(), item.user.is_none()), (Reason::Nobody, 2, true));
    }
}
