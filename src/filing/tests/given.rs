//! What the site of the tests is given: items of a notification, hosts of callbacks, keys, a decision; and the form of
//! what it stores.

use std::path::Path;
use std::sync::Arc;

use ring::rand::SystemRandom;

use crate::crypto::key::Key;
use crate::crypto::keyring::Keyring;
use crate::json::split::Splitter;
use crate::model::connection::{ClientId, GarminUserId};
use crate::model::entry::Entry;
use crate::people::decide::link::Target;
use crate::records::index::IndexEntry;
use crate::upstream::rules::Rules as Callbacks;
use crate::withdrawal::Leave;
use crate::withdrawal::course::{Haste, Word};
use crate::withdrawal::record::Cause;

/// A record as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) entry: IndexEntry,
    pub(super) data: String,
}

/// A flood of deregistrations is held for so long, in seconds.
pub(super) const HOLD_FOR: i64 = 500;
/// A person lets participants leave, as the study's rules say.
pub(super) const BY_A_PERSON: Leave =
    Leave { word: Word { fate: None, haste: Haste::AfterTheGrace }, cause: Cause::Person };

/// Where callbacks may lead.
pub(super) fn callbacks() -> Callbacks {
    Callbacks::new(&["apis.example".to_owned()], false).expect("a list of hosts")
}

/// The items of a notification.
pub(super) fn entries(body: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut splitter = Splitter::new();
    splitter.feed(body.as_bytes(), &mut |entry| entries.push(entry)).expect("JSON");
    splitter.finish().expect("whole JSON");
    entries
}

/// A target that is a user of the site's one client.
pub(super) fn target(user: &str) -> Target {
    Target::User(ClientId::single(), GarminUserId::parse(user).expect("a user"))
}

/// The keyring in a folder.
pub(super) fn open_keyring(dir: &Path) -> Keyring {
    std::fs::create_dir_all(dir).expect("a folder");
    Keyring::open(dir, &Key::from_bytes([7; 32]), Arc::new(SystemRandom::new())).expect("a keyring")
}
