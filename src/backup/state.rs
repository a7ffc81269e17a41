//! What a backup says of the data directory that it was made of.

use serde::{Deserialize, Serialize};

use crate::backup::frame::Fault;
use crate::crypto::keyring::KeysCopy;
use crate::store::format::FORMAT;

/// The first frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The format of the data directory.
    pub format: u32,
    /// The epoch of its keyring.
    pub epoch: u64,
    /// What made it.
    pub software: String,
}

impl State {
    /// Of the running version.
    pub(super) fn of(keys: &KeysCopy) -> Self {
        Self { format: FORMAT, epoch: keys.epoch(), software: concat!("studygate ", env!("CARGO_PKG_VERSION")).into() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text")
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let state: Self = serde_json::from_slice(bytes).map_err(|_| Fault::Altered(0))?;
        if state.format > FORMAT { Err(Fault::Newer(state.format)) } else { Ok(state) }
    }
}

/// Names a piece of the audit log: its file, and where it begins in that.
pub(super) fn audit_place(file: &str, at: u64) -> Vec<u8> {
    let mut item = at.to_be_bytes().to_vec();
    item.extend_from_slice(file.as_bytes());
    item
}

/// The file and the place that this names, where the file is one that an audit log has.
pub(super) fn audit_file(item: &[u8]) -> Option<(&str, u64)> {
    let (at, file) = item.split_first_chunk::<8>()?;
    let file = std::str::from_utf8(file).ok()?;
    let is_plain = !file.is_empty() && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (is_plain && file.starts_with("log")).then_some((file, u64::from_be_bytes(*at)))
}
