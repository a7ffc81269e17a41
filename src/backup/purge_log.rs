//! The purge log beside the backups: what a restore has to know of what came after a backup.
//!
//! It is the rows themselves, sealed as they are in the store: purges, tombstones, studies with the codes that are not
//! given again and the numbers of their exports, tokens, how far filing has come, the register of backups. It is signed as a
//! backup is (`backup/frame.rs`), written at each purge, each backup, each start and each hour, and put in place by a
//! rename.
//!
//! Never: anything of a person in clear.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::backup::Failure;
use crate::backup::folder::sync;
use crate::backup::frame::{Fault, FrameReader, FrameWriter, Kind};
use crate::backup::head::{Form, HEAD_BYTES, Head};
use crate::backup::state::State;
use crate::crypto::keyring::KeysCopy;
use crate::dataset::manifest::Signer;
use crate::model::id::BackupId;
use crate::model::time::UnixSeconds;
use crate::store::engine::{Engine, SITE, row, table};
use crate::store::snapshot::StoredRow;

/// Whose rows are in it.
const TABLES: [u8; 6] = [table::PURGE, table::TOMBSTONE, table::STUDY, table::TOKEN, table::PROGRESS, table::BACKUP];

/// A purge log that was read whole.
pub struct PurgeLog {
    /// Up to when it says everything.
    pub made: UnixSeconds,
    /// The epoch of the keyring then.
    pub epoch: u64,
    rows: Vec<StoredRow>,
    site_key: [u8; 32],
}

/// The purge log of the site with this key, in a folder of backups.
pub fn beside(folder: &Path, site_key: &str) -> PathBuf {
    folder.join(format!("studygate-{}.sgpurges", &site_key[..8]))
}

/// Puts it into a file anew; durable on return.
pub(super) fn write(path: &Path, engine: &dyn Engine, keys: &KeysCopy, made: UnixSeconds) -> Result<(), Failure> {
    let draft = path.with_extension("sgpurges.new");
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
    write_to(BufWriter::new(&file), engine, keys, made)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    Ok(sync(path.parent().unwrap_or(Path::new("/")))?)
}

/// Writes it to an output.
pub(super) fn write_to(
    mut output: impl Write,
    engine: &dyn Engine,
    keys: &KeysCopy,
    made: UnixSeconds,
) -> Result<(), Failure> {
    let signer = Signer::from_seed(&keys.site().signing_seed);
    let (id, site_key) = (BackupId::from_bytes([0; 16]), site_key(&signer));
    let head = Head { form: Form::PurgeLog, id, made, site_key, slot_bytes: 0 }.encode();
    output.write_all(&head)?;
    let mut frames = FrameWriter::new(output, &head);
    frames.put(Kind::State, &[], &State::of(keys).encode())?;
    for table in TABLES {
        let mut outcome = Ok(());
        engine.scan(&row(&SITE, table, &[]), &mut |key, value| {
            outcome = frames.put(Kind::Row, key, value);
            outcome.is_ok()
        })?;
        outcome?;
    }
    frames.finish(&signer)?;
    Ok(())
}

/// Reads it, all of it checked.
pub fn read(path: &Path) -> Result<PurgeLog, Fault> {
    let mut input = BufReader::new(File::open(path)?);
    let (head, bytes) = Head::read(&mut input)?;
    if head.form != Form::PurgeLog || head.slot_bytes != 0 {
        return Err(Fault::Foreign);
    }
    let mut frames = FrameReader::new(input, &head, &bytes);
    let (mut rows, mut state) = (Vec::new(), None);
    while let Some(frame) = frames.read()? {
        match frame.kind {
            Kind::State => state = Some(State::decode(&frame.content)?),
            Kind::Row => rows.push((frame.name, frame.content)),
            Kind::Audit | Kind::FilePiece | Kind::FileEnd | Kind::End => return Err(Fault::Foreign),
        }
    }
    let state = state.ok_or(Fault::Altered(HEAD_BYTES as u64))?;
    Ok(PurgeLog { made: head.made, epoch: state.epoch, rows, site_key: head.site_key })
}

impl PurgeLog {
    /// Whether it is of the site that made this backup.
    pub fn is_of(&self, backup: &Head) -> bool {
        self.site_key == backup.site_key
    }

    /// The rows of a table: what follows the table in the key, and the sealed value.
    pub fn table(&self, table: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
        let prefix = row(&SITE, table, &[]);
        self.rows.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix.as_slice())?, value.as_slice())))
    }
}

pub(super) fn site_key(signer: &Signer) -> [u8; 32] {
    let key = data_encoding::HEXLOWER.decode(signer.public_key().as_bytes()).ok();
    key.and_then(|key| key.try_into().ok()).expect("a public key is 32 bytes in hexadecimal digits")
}
