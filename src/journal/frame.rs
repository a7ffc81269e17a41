//! A frame: one body of a segment, or the reference to a body in a file of its own.
//!
//! Never: a frame believed elsewhere than where it was written (its key opens only with its whole head).
//!
//! ```text
//! frame     | head | content |
//! head      | 4 magic | 4 content length | 8 position | 8 durable | 8 generation | 1 kind
//!           | 82 body key, sealed under the generation's key for the 33 bytes before it |
//! inline    content sealed under the body key: packed (header, 4 entries, each entry, the body)
//! reference content sealed under the body key: packed (header, 16 id of the file)
//! header    | 1 version = 2 | 8 received | 4 length | client | 1: 1 where it answers a ping, else 0 | 12 pull | 8 ping |
//! before    | 1 version = 1 | 8 received | 4 length | client |
//! ```
//! `durable` is the place of the newest body that was durable when the frame was written: a body at or before it that
//! is missing was acknowledged once, so it was taken away; one after it may be a write that did not end.

use zeroize::Zeroizing;

use ring::rand::SecureRandom;

use crate::crypto::{
    key::Key,
    keyring::{JournalGeneration, Keyring},
    seal::{self, Location},
};
use crate::journal::{Header, packing};
use crate::json::entry_codec;
use crate::model::{
    connection::ClientId,
    entry::Entry,
    pull::{PullId, PullRef},
    time::UnixSeconds,
};

/// What a frame begins with; found again behind a damaged one.
pub(crate) const MAGIC: [u8; 4] = *b"\xF5sgj";
/// The length of a head, in bytes.
pub(crate) const HEAD_BYTES: usize = CLEAR_BYTES + 32 + seal::OVERHEAD;

const CLEAR_BYTES: usize = 33;
const VERSION: u8 = 2;
/// The version before, without the ping.
const VERSION_BEFORE: u8 = 1;

/// The identifier of a body's own file: random.
pub(crate) type FileId = [u8; 16];

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Inline = 1,
    Reference = 2,
}

/// What stands before the content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) content_bytes: u32,
    pub(crate) position: u64,
    pub(crate) durable: u64,
    pub(crate) generation: JournalGeneration,
    pub(crate) kind: Kind,
}

impl Head {
    /// Appends the head to `output`, with the body's key wrapped under the generation's.
    pub(crate) fn write(&self, body_key: &Key, generation_key: &Key, rng: &dyn SecureRandom, output: &mut Vec<u8>) {
        let clear = self.clear();
        output.extend_from_slice(&clear);
        seal::seal_onto(generation_key, key_place(&clear), body_key.expose(), rng, output);
    }

    /// The head and the body's key; `None` where it is none, was altered, or its generation is destroyed.
    pub(crate) fn read(bytes: &[u8; HEAD_BYTES], keyring: &Keyring) -> Option<(Head, Key)> {
        let (clear, wrapped) = bytes.split_first_chunk::<CLEAR_BYTES>()?;
        let rest = clear.strip_prefix(&MAGIC)?;
        let (content_bytes, rest) = rest.split_first_chunk()?;
        let (position, rest) = rest.split_first_chunk()?;
        let (durable, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let head = Head {
            content_bytes: u32::from_be_bytes(*content_bytes),
            position: u64::from_be_bytes(*position),
            durable: u64::from_be_bytes(*durable),
            generation: JournalGeneration(u64::from_be_bytes(*generation)),
            kind: match rest {
                [1] => Kind::Inline,
                [2] => Kind::Reference,
                _ => return None,
            },
        };
        let key = Zeroizing::new(seal::open(&keyring.journal(head.generation)?, key_place(clear), wrapped).ok()?);
        Some((head, Key::from_bytes(*key.first_chunk()?)))
    }

    fn clear(&self) -> [u8; CLEAR_BYTES] {
        let mut clear = [0; CLEAR_BYTES];
        clear[..4].copy_from_slice(&MAGIC);
        clear[4..8].copy_from_slice(&self.content_bytes.to_be_bytes());
        clear[8..16].copy_from_slice(&self.position.to_be_bytes());
        clear[16..24].copy_from_slice(&self.durable.to_be_bytes());
        clear[24..32].copy_from_slice(&self.generation.0.to_be_bytes());
        clear[32] = self.kind as u8;
        clear
    }
}

/// The sealed content of a small body.
pub(crate) fn seal_inline(
    key: &Key,
    header: &Header,
    entries: &[Entry],
    body: &[u8],
    rng: &dyn SecureRandom,
) -> Vec<u8> {
    let mut plain = Vec::with_capacity(128 + entries.len() * 128 + body.len());
    encode_header(header, &mut plain);
    plain.extend_from_slice(&u32::try_from(entries.len()).expect("a small body has few entries").to_be_bytes());
    entries.iter().for_each(|entry| entry_codec::encode(entry, &mut plain));
    plain.extend_from_slice(body);
    seal::seal(key, content_place(Kind::Inline), &packing::pack(&plain), rng)
}

/// The sealed content that refers to a body's own file.
pub(crate) fn seal_reference(key: &Key, header: &Header, file: &FileId, rng: &dyn SecureRandom) -> Vec<u8> {
    let mut plain = Vec::with_capacity(128);
    encode_header(header, &mut plain);
    plain.extend_from_slice(file);
    seal::seal(key, content_place(Kind::Reference), &packing::pack(&plain), rng)
}

/// The packed content, once its tag holds.
pub(crate) fn open_content(key: &Key, kind: Kind, sealed: &[u8]) -> Option<Vec<u8>> {
    seal::open(key, content_place(kind), sealed).ok()
}

/// Header, body and entries of an inline frame's packed content.
pub(crate) fn decode_inline(packed: &[u8]) -> Option<(Header, Vec<u8>, Vec<Entry>)> {
    let plain = packing::unpack(packed)?;
    let mut rest = &plain[..];
    let header = decode_header(&mut rest)?;
    let (count, mut rest) = rest.split_first_chunk()?;
    let count = u32::from_be_bytes(*count);
    let entries = (0..count).map(|_| entry_codec::decode(&mut rest)).collect::<Option<Vec<_>>>()?;
    Some((header, rest.to_vec(), entries))
}

/// Header and file of a reference frame's packed content.
pub(crate) fn decode_reference(packed: &[u8]) -> Option<(Header, FileId)> {
    let plain = packing::unpack(packed)?;
    let mut rest = &plain[..];
    let header = decode_header(&mut rest)?;
    Some((header, rest.try_into().ok()?))
}

/// Appends the header to `output`.
pub(crate) fn encode_header(header: &Header, output: &mut Vec<u8>) {
    let client = header.client.as_str();
    output.push(VERSION);
    output.extend_from_slice(&header.received.0.to_be_bytes());
    output.extend_from_slice(&u32::try_from(client.len()).expect("a client's name is short").to_be_bytes());
    output.extend_from_slice(client.as_bytes());
    output.push(u8::from(header.pull.is_some()));
    if let Some(pull) = &header.pull {
        output.extend_from_slice(&pull.id.0);
        output.extend_from_slice(&pull.ping.to_be_bytes());
    }
}

/// Takes a header off the front of `input`; `None` where none stands there.
pub(crate) fn decode_header(input: &mut &[u8]) -> Option<Header> {
    let (version, rest) = input.split_first()?;
    let (received, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (client, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let (pull, rest) = match *version {
        VERSION => decode_pull(rest)?,
        VERSION_BEFORE => (None, rest),
        _ => return None,
    };
    *input = rest;
    let client = ClientId::new(std::str::from_utf8(client).ok()?);
    Some(Header { received: UnixSeconds(i64::from_be_bytes(*received)), client, pull })
}

fn decode_pull(input: &[u8]) -> Option<(Option<PullRef>, &[u8])> {
    let (answers, rest) = input.split_first()?;
    if *answers == 0 {
        return Some((None, rest));
    }
    let (id, rest) = rest.split_first_chunk()?;
    let (ping, rest) = rest.split_first_chunk()?;
    Some((Some(PullRef { id: PullId(*id), ping: u64::from_be_bytes(*ping) }), rest))
}

fn key_place(clear: &[u8; CLEAR_BYTES]) -> Location<'_> {
    Location { table: "journal key", owner: b"", item: clear }
}

fn content_place(kind: Kind) -> Location<'static> {
    let table = match kind {
        Kind::Inline => "journal body",
        Kind::Reference => "journal reference",
    };
    Location { table, owner: b"", item: b"" }
}
