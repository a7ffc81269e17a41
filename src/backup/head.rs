//! The head of a backup's file, and of a purge log: what it is, whose, and how long its slots are. `backup/frame.rs` draws
//! it.

use std::io::Read;

use ring::digest::{SHA256, digest};

use crate::backup::frame::Fault;
use crate::model::id::BackupId;
use crate::model::time::UnixSeconds;

/// The length of the head, in bytes.
pub const HEAD_BYTES: usize = 4096;
/// A capsule's slot is not longer, in bytes.
pub const SLOT_BYTES_MAX: u32 = 256 << 20;
/// The version of the form.
pub(super) const VERSION: u32 = 1;
const DIGEST_BYTES: usize = 32;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A backup.
    Backup,
    /// The purge log beside backups.
    PurgeLog,
}

/// What stands at the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the file is.
    pub form: Form,
    /// Names the backup.
    pub id: BackupId,
    /// When it was begun.
    pub made: UnixSeconds,
    /// The site's public key.
    pub site_key: [u8; 32],
    /// The length of each of the two slots of the capsule; 0 where there are none.
    pub slot_bytes: u32,
}

impl Head {
    /// Its bytes, [`HEAD_BYTES`] of them.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(self.form.magic());
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.made.0.to_be_bytes());
        bytes.extend_from_slice(&self.site_key);
        bytes.extend_from_slice(&self.slot_bytes.to_be_bytes());
        bytes.resize(HEAD_BYTES - DIGEST_BYTES, 0);
        let checked = digest(&SHA256, &bytes);
        bytes.extend_from_slice(checked.as_ref());
        bytes
    }

    /// The head at the beginning of a file, and its bytes.
    pub fn read(input: &mut impl Read) -> Result<(Head, Vec<u8>), Fault> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        input.take(HEAD_BYTES as u64).read_to_end(&mut bytes)?;
        let head = Self::decode(&bytes)?;
        Ok((head, bytes))
    }

    fn decode(bytes: &[u8]) -> Result<Head, Fault> {
        let form = [Form::Backup, Form::PurgeLog].into_iter().find(|form| bytes.starts_with(form.magic()));
        let form = form.ok_or(Fault::Foreign)?;
        if bytes.len() < HEAD_BYTES {
            return Err(Fault::Cut(bytes.len() as u64));
        }
        let (content, checked) = bytes.split_at(HEAD_BYTES - DIGEST_BYTES);
        if digest(&SHA256, content).as_ref() != checked {
            return Err(Fault::Altered(0));
        }
        let mut rest = &content[8..];
        let version = u32::from_be_bytes(take(&mut rest));
        if version != VERSION {
            return Err(if version > VERSION { Fault::Newer(version) } else { Fault::Foreign });
        }
        let id = BackupId::from_bytes(take(&mut rest));
        let made = UnixSeconds(i64::from_be_bytes(take(&mut rest)));
        let site_key = take(&mut rest);
        let slot_bytes = u32::from_be_bytes(take(&mut rest));
        if slot_bytes > SLOT_BYTES_MAX || rest.iter().any(|byte| *byte != 0) {
            return Err(Fault::Altered(0));
        }
        Ok(Head { form, id, made, site_key, slot_bytes })
    }

    /// The site's public key, 64 hexadecimal digits.
    pub fn site_key_text(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.site_key)
    }

    /// Where the frames begin.
    pub fn frames_at(&self) -> u64 {
        HEAD_BYTES as u64 + 2 * u64::from(self.slot_bytes)
    }
}

impl Form {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Backup => b"sgbackup",
            Self::PurgeLog => b"sgpurges",
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("a head is far longer than what stands in it");
    *rest = tail;
    *head
}
