//! Somebody with every byte of a disk and the root key: which keys they find, and which sealed objects those open.
//!
//! The forms are read here by what their documents say of them, not by the program's own code (only the ciphers are).
//!
//! ```text
//! a slot       "sgslot" 0 1 ‖ 8 counter ‖ 4 length ‖ payload, wherever it stands
//! epoch        what the payload begins with, under the root key; a keyring's content the payload under an epoch's key
//! a frame      F5 "sgj" … of the journal, wherever it stands
//! ```

use std::fs;
use std::path::Path;

use memchr::memmem;
use studygate::crypto::key::Key;
use studygate::crypto::seal::{self, Location};
use studygate::crypto::stream::StreamOpener;
use studygate::model::id::BlobId;
use studygate::records::head::{self, Home};
use studygate::store::engine::{Engine, SITE, row, table};
use studygate::store::sled::Sled;

const SLOT: &[u8] = b"sgslot\0\x01";
const FRAME: &[u8] = b"\xF5sgj";
const FRAME_CLEAR_BYTES: usize = 33;
const WRAPPED_BYTES: usize = 32 + seal::OVERHEAD;
const STREAM_HEADER_BYTES: usize = 34;

/// A sealed object as it was on the disk, and what it was sealed for.
pub(crate) struct Object {
    /// Its kind.
    pub(crate) what: &'static str,
    table: &'static str,
    owner: Vec<u8>,
    item: Vec<u8>,
    form: Form,
}

enum Form {
    /// A small value.
    Value(Vec<u8>),
    /// The first chunk of a large one.
    Chunk { header: Vec<u8>, kind: u8, last: bool, chunk: Vec<u8> },
    /// A key wrapped under a journal generation's, and the content under that key.
    Wrapped { clear: Vec<u8>, wrapped: Vec<u8>, content: Box<Object> },
}

/// What whoever has these bytes and the root key can open things with.
pub(crate) struct Keys {
    /// Every key, those of no use for an object too.
    pub(crate) all: Vec<Key>,
    /// By owner: data, pseudonym, and the identity key where there is one.
    pub(crate) owners: Vec<([u8; 16], Vec<Key>)>,
    /// The epochs' own.
    pub(crate) epochs: Vec<Key>,
}

impl Keys {
    /// Every key that these bytes give away.
    pub(crate) fn found_in(pieces: &[&[u8]], root: &Key) -> Self {
        let slots: Vec<_> = pieces.iter().flat_map(|bytes| slots(bytes)).collect();
        let mut found = Self { all: vec![root.clone()], owners: Vec::new(), epochs: Vec::new() };
        for (epoch, payload) in &slots {
            let number = epoch.to_be_bytes();
            let at = Location { table: "epoch", owner: b"", item: &number };
            // Fingerprints of root keys may stand behind it.
            let Some(sealed) = payload.get(..WRAPPED_BYTES) else { continue };
            let Some(key) = seal::open(root, at, sealed).ok().and_then(|bytes| key(&bytes)) else { continue };
            for (version, payload) in &slots {
                let version = version.to_be_bytes();
                let at = Location { table: "keyring", owner: &number, item: &version };
                if let Ok(content) = seal::open(&key, at, payload) {
                    found.content(&content).expect("a keyring's content has the form that is written of it");
                }
            }
            found.all.push(key.clone());
            found.epochs.push(key);
        }
        found
    }

    /// Version, four keys of the site, generations, owners.
    fn content(&mut self, content: &[u8]) -> Option<()> {
        let mut rest = content.strip_prefix(&[1])?;
        for _ in 0..4 {
            self.all.push(key(take(&mut rest, 32)?)?);
        }
        for _ in 0..number(take(&mut rest, 4)?) {
            self.all.push(key(&take(&mut rest, 40)?[8..])?);
        }
        for _ in 0..number(take(&mut rest, 4)?) {
            let id: [u8; 16] = take(&mut rest, 16)?.try_into().ok()?;
            let count = 2 + usize::from(take(&mut rest, 1)? == [1]);
            let keys: Option<Vec<_>> = (0..count).map(|_| key(take(&mut rest, 32)?)).collect();
            self.all.extend(keys.clone()?);
            self.owners.push((id, keys?));
        }
        rest.is_empty().then_some(())
    }
}

impl Object {
    /// Whether one of these keys opens it.
    pub(crate) fn opens(&self, keys: &[Key]) -> bool {
        keys.iter().any(|key| self.opened(key).is_some())
    }

    /// Whether its sealed bytes stand somewhere among these, the first of them at least.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let sealed = match &self.form {
            Form::Value(sealed) | Form::Chunk { chunk: sealed, .. } | Form::Wrapped { wrapped: sealed, .. } => sealed,
        };
        memmem::find(bytes, &sealed[..sealed.len().min(64)]).is_some()
    }

    fn opened(&self, key: &Key) -> Option<Vec<u8>> {
        let at = Location { table: self.table, owner: &self.owner, item: &self.item };
        match &self.form {
            Form::Value(sealed) => seal::open(key, at, sealed).ok(),
            Form::Chunk { header, kind, last, chunk } => {
                let mut chunk = chunk.clone();
                StreamOpener::new(key, at, header).ok()?.open(*kind, *last, &mut chunk).ok()?;
                Some(chunk)
            }
            Form::Wrapped { clear, wrapped, content } => {
                let at = Location { table: "journal key", owner: b"", item: clear };
                content.opened(&self::key(&seal::open(key, at, wrapped).ok()?)?)
            }
        }
    }

    fn value(what: &'static str, table: &'static str, owner: &[u8], item: &[u8], sealed: &[u8]) -> Self {
        Self { what, table, owner: owner.to_vec(), item: item.to_vec(), form: Form::Value(sealed.to_vec()) }
    }
}

/// The participant of this code, by the rows that open.
pub(crate) fn participant(data: &Path, code: &str, keys: &Keys) -> [u8; 16] {
    let engine = Sled::open(&data.join("db")).expect("a database");
    let text = format!("\"{code}\"");
    let is_theirs = |(id, keys): &&([u8; 16], Vec<Key>)| {
        let row = engine.get(&row(&SITE, table::PARTICIPANT, id)).expect("read");
        let at = Location { table: "participant", owner: id, item: &[] };
        let opened = row.and_then(|row| seal::open(&keys[0], at, &row).ok());
        opened.is_some_and(|plain| memmem::find(&plain, text.as_bytes()).is_some())
    };
    keys.owners.iter().find(is_theirs).expect("there is one of this code").0
}

/// The connection that is held; there is one.
pub(crate) fn held(data: &Path, keys: &Keys) -> [u8; 16] {
    let engine = Sled::open(&data.join("db")).expect("a database");
    let is_held = |(id, _): &&([u8; 16], Vec<Key>)| engine.get(&row(&SITE, table::HELD, id)).expect("read").is_some();
    keys.owners.iter().find(is_held).expect("one is held").0
}

/// Everything in the database and the files that belongs to an owner.
pub(crate) fn of_owner(data: &Path, owner: &[u8; 16], keys: &Keys) -> Vec<Object> {
    let engine = Sled::open(&data.join("db")).expect("a database");
    let own = &keys.owners.iter().find(|(id, _)| id == owner).expect("it has keys").1;
    let mut found = Vec::new();
    let mut rows = Vec::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        true
    };
    engine.scan(owner, &mut keep).expect("read");
    for (key, value) in rows {
        let item = &key[17..];
        match key[16] {
            table::PACK => pack(data, owner, item, &value, own, &mut found),
            table::PULL => found.push(Object::value("ping", "pull", owner, item, &value)),
            table::PULL_STATE => found.push(Object::value("pull state", "pull state", owner, item, &value)),
            table::QUARANTINE => {
                found.push(Object::value("refused item", "quarantine", owner, item, &value));
                found.extend(item.get(16..32).map(|id| large(data, "refused file", "quarantine", owner, id)));
            }
            other => panic!("a row of an owner in a table that this test does not know: {}", char::from(other)),
        }
    }
    for (table, name) in [
        (table::PARTICIPANT, "participant"),
        (table::LINKS, "links"),
        (table::HELD, "held"),
        (table::PERMISSION, "permission"),
    ] {
        let mut keep = |key: &[u8], value: &[u8]| {
            found.push(Object::value(name, name, owner, &key[33..], value));
            true
        };
        engine.scan(&row(&SITE, table, owner), &mut keep).expect("read");
    }
    found
}

fn pack(data: &Path, owner: &[u8; 16], item: &[u8], value: &[u8], keys: &[Key], found: &mut Vec<Object>) {
    let (sealed, row) = value[2..].split_at(usize::from(u16::from_be_bytes([value[0], value[1]])));
    let object = Object::value("pack head", "pack.head", owner, item, sealed);
    let head = head::decode(&object.opened(&keys[0]).expect("a head opens")).expect("a head");
    found.push(object);
    let file;
    let sections = match head.home {
        Home::Row => row,
        Home::Blob(blob, offset) => {
            file = fs::read(path(data, blob.as_bytes())).expect("a bundle");
            &file[usize::try_from(offset).expect("small")..]
        }
    };
    let mut rest = sections;
    let lengths = [head.lengths.index, head.lengths.data, head.lengths.identity];
    let names = [("index", "pack.index"), ("records", "pack.data"), ("identity part", "pack.identity")];
    for ((what, table), length) in names.into_iter().zip(lengths).filter(|(_, length)| *length > 0) {
        let section = take(&mut rest, length as usize).expect("a section");
        found.push(Object::value(what, table, owner, item, section));
    }
    found.extend(head.large.iter().map(|blob| large(data, "large record", "record", owner, blob.as_bytes())));
}

/// A file of its own: four letters, the stream's header, chunks behind their lengths.
fn large(data: &Path, what: &'static str, table: &'static str, owner: &[u8], id: &[u8]) -> Object {
    let bytes = fs::read(path(data, id)).expect("a file");
    let (header, mut rest) = bytes[4..].split_at(STREAM_HEADER_BYTES);
    let length = number(take(&mut rest, 4).expect("a length"));
    let chunk = take(&mut rest, length).expect("a chunk").to_vec();
    let form = Form::Chunk { header: header.to_vec(), kind: 0, last: rest.is_empty(), chunk };
    Object { what, table, owner: owner.to_vec(), item: id.to_vec(), form }
}

fn path(data: &Path, id: &[u8]) -> std::path::PathBuf {
    let name = BlobId::from_bytes(id.try_into().expect("an id")).to_string();
    data.join("blobs").join(&name[..2]).join(name)
}

/// Bodies of the journal that hold this text, wherever in these bytes they stand, or whose large file is in `data`.
pub(crate) fn bodies(bytes: &[u8], data: &Path, keys: &[Key], text: &str) -> Vec<Object> {
    let frames = memmem::find_iter(bytes, FRAME).filter_map(|at| frame(&bytes[at..], data, keys));
    let is_theirs = |(object, plain): &(Object, Vec<u8>)| {
        object.what == "large body" || memmem::find(plain, text.as_bytes()).is_some()
    };
    frames.filter(is_theirs).map(|(object, _)| object).collect()
}

fn frame(bytes: &[u8], data: &Path, keys: &[Key]) -> Option<(Object, Vec<u8>)> {
    let mut rest = bytes;
    let clear = take(&mut rest, FRAME_CLEAR_BYTES)?.to_vec();
    let wrapped = take(&mut rest, WRAPPED_BYTES)?.to_vec();
    let sealed = take(&mut rest, number(&clear[4..8]))?;
    let (what, table) = match clear[32] {
        1 => ("body", "journal body"),
        2 => ("large body", "journal reference"),
        _ => return None,
    };
    let wrap = |content: Object| Object {
        what: content.what,
        table: "",
        owner: Vec::new(),
        item: Vec::new(),
        form: Form::Wrapped { clear: clear.clone(), wrapped: wrapped.clone(), content: Box::new(content) },
    };
    let object = wrap(Object::value(what, table, b"", b"", sealed));
    let plain = unpacked(&keys.iter().find_map(|key| object.opened(key))?)?;
    if what == "body" {
        return Some((object, plain));
    }
    // The file that the reference names last, its first record.
    let id = plain.last_chunk::<16>()?;
    let name = data_encoding::HEXLOWER.encode(id);
    let file = fs::read(data.join("journal").join(format!("body-{name}"))).ok()?;
    let mut rest = file.strip_prefix(b"sgbody\0\x01")?;
    let header = take(&mut rest, STREAM_HEADER_BYTES)?.to_vec();
    let record = take(&mut rest, 6)?;
    let chunk = take(&mut rest, number(&record[2..]))?.to_vec();
    let form = Form::Chunk { header, kind: record[0], last: record[1] == 1, chunk };
    let content = Object { what, table: "journal file", owner: Vec::new(), item: id.to_vec(), form };
    Some((wrap(content), plain))
}

/// What was packed: an encoding, the length before, a payload.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let (encoding, rest) = packed.split_first()?;
    let (length, payload) = rest.split_first_chunk::<4>()?;
    match encoding {
        0 => Some(payload.to_vec()),
        _ => zstd::bulk::decompress(payload, number(length)).ok(),
    }
}

/// Counter and payload of everything that has the form of a slot.
fn slots(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let slot = |at: usize| {
        let mut rest = &bytes[at + SLOT.len()..];
        let counter = u64::from_be_bytes(take(&mut rest, 8)?.try_into().ok()?);
        let length = number(take(&mut rest, 4)?);
        Some((counter, take(&mut rest, length)?.to_vec()))
    };
    memmem::find_iter(bytes, SLOT).filter_map(slot).collect()
}

fn key(bytes: &[u8]) -> Option<Key> {
    Some(Key::from_bytes(bytes.try_into().ok()?))
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}
