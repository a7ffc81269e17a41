//! An entry as a line of the log, and what makes a line part of the chain.
//!
//! ```text
//! {"sequence":…,"at":…,"who":{…},"act":…,"details":{…},"study":…,"code":…,"prev":"64",     ← A
//!                                   (before "prev", where the act had one: "intent":"16")
//!                                                              "mac":"64"                   ← B
//!                                                              ,"signature":"128"}          of a head alone
//! prev       SHA-256 of the line before, without its line feed; zeros before the first
//! mac        HMAC-SHA-256 of A under the log's key
//! signature  Ed25519 under the site's key, over "studygate audit head\n<sequence>\n<SHA-256 of A and B>\n"
//! ```
//! Digits are hexadecimal, lower case. Every byte of a line is covered by the next line's `prev`, and every byte of a
//! head's by itself.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::audit::act::Act;
use crate::audit::entry::{Entry, Event, Who};
use crate::crypto::digest::DigestKey;
use crate::crypto::keyring::SiteKeys;
use crate::dataset::manifest::{self, Signer};
use crate::model::audit::{AuditHead, Checkpoint};
use crate::model::time::UnixSeconds;

const MAC: &[u8] = br#","mac":""#;
const MAC_DIGITS: usize = 64;
const SIGNATURE: &[u8] = br#","signature":""#;
const SIGNATURE_DIGITS: usize = 128;
const END: &[u8] = br#""}"#;

/// What somebody wants to be entered.
pub(super) struct Wanted {
    pub(super) at: UnixSeconds,
    pub(super) who: Who,
    pub(super) events: Vec<Event>,
    /// The name of the intent that was durable before the act.
    pub(super) intent: Option<String>,
}

/// SHA-256 of a line.
pub(super) type LineDigest = [u8; 32];

/// What stands before the first entry.
pub(super) const BEFORE_FIRST: LineDigest = [0; 32];

/// The keys of the log. The MAC's key is derived from the site's index key under a name of its own, so that the
/// keyring holds nothing more for it.
pub(super) struct Keys {
    pub(super) mac: DigestKey,
    pub(super) signer: Signer,
}

/// A line that was written or is to be.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: LineDigest,
    pub(super) head: Option<AuditHead>,
}

/// A line that has the form of one; nothing is proven by that.
pub(super) struct Line<'a> {
    raw: &'a [u8],
    authenticated: &'a [u8],
    mac: [u8; 32],
    pub(super) prev: LineDigest,
    pub(super) entry: Entry,
    pub(super) head: Option<AuditHead>,
}

#[derive(Serialize)]
struct Form<'a> {
    sequence: u64,
    at: String,
    who: &'a Who,
    #[serde(flatten)]
    act: &'a Act,
    study: &'a Option<String>,
    code: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<&'a str>,
    prev: String,
}

#[derive(Deserialize)]
struct Read {
    #[serde(flatten)]
    entry: Entry,
    prev: String,
    mac: String,
}

impl Keys {
    pub(super) fn of(site: &SiteKeys) -> Self {
        Self { mac: mac_key(site), signer: Signer::from_seed(&site.signing_seed) }
    }

    /// The line of an event, with its line feed.
    pub(super) fn line(&self, sequence: u64, wanted: &Wanted, event: &Event, prev: &LineDigest) -> Written {
        let Event { act, study, code } = event;
        let (at, who, intent) = (wanted.at.to_string(), &wanted.who, wanted.intent.as_deref());
        let form = Form { sequence, at, who, act, study, code, intent, prev: hex(prev) };
        let mut bytes = serde_json::to_vec(&form).expect("an entry has text keys and whole numbers");
        bytes.pop();
        let mac = self.mac.digest(&[&bytes]);
        bytes.extend_from_slice(MAC);
        bytes.extend_from_slice(hex(&mac).as_bytes());
        let head = act.is_head().then(|| {
            bytes.push(b'"');
            let digest = hex(&sha256(&bytes));
            let signature = hex(&self.signer.sign(&signed_text(sequence, &digest)));
            bytes.extend_from_slice(SIGNATURE);
            bytes.extend_from_slice(signature.as_bytes());
            AuditHead { sequence, digest, signature }
        });
        bytes.extend_from_slice(END);
        let digest = sha256(&bytes);
        bytes.push(b'\n');
        Written { bytes, digest, head }
    }
}

impl<'a> Line<'a> {
    /// The line of these bytes, without a line feed; `None` where they have not the form of one.
    pub(super) fn parse(raw: &'a [u8]) -> Option<Self> {
        let body = raw.strip_suffix(END)?;
        let (with_mac, signature) = match field(body, SIGNATURE, SIGNATURE_DIGITS) {
            Some((before, digits)) => (before.strip_suffix(b"\"")?, Some(digits)),
            None => (body, None),
        };
        let (authenticated, mac) = field(with_mac, MAC, MAC_DIGITS)?;
        let read: Read = serde_json::from_slice(raw).ok()?;
        if read.mac.as_bytes() != mac {
            return None;
        }
        let entry = read.entry;
        let head = signature.map(|digits| AuditHead {
            sequence: entry.sequence,
            digest: hex(&sha256(&raw[..=with_mac.len()])),
            signature: String::from_utf8_lossy(digits).into_owned(),
        });
        Some(Self { raw, authenticated, mac: unhex(&read.mac)?, prev: unhex(&read.prev)?, entry, head })
    }

    pub(super) fn digest(&self) -> LineDigest {
        sha256(self.raw)
    }

    /// Whether somebody who knows the entry of this number knows this one.
    pub(super) fn is_known(&self, known: &Checkpoint) -> bool {
        let head = self.head.as_ref().map(|head| &head.digest);
        hex(&self.digest()) == known.digest || head == Some(&known.digest)
    }

    /// Whether it was written under this key.
    pub(super) fn is_of(&self, key: &DigestKey) -> bool {
        // Whoever compares has the key: nothing is learned from how long it takes.
        key.digest(&[self.authenticated]) == self.mac
    }
}

/// The key of the entries' MACs.
pub(super) fn mac_key(site: &SiteKeys) -> DigestKey {
    DigestKey::new(&site.index, "audit log")
}

/// Whether the site of this public key, 64 hexadecimal digits, signed the head.
pub fn is_signed(head: &AuditHead, site_key: &str) -> bool {
    let signature = data_encoding::HEXLOWER.decode(head.signature.as_bytes());
    let text = signed_text(head.sequence, &head.digest);
    signature.is_ok_and(|signature| manifest::verify(&text, &signature, site_key).is_ok())
}

fn signed_text(sequence: u64, digest: &str) -> Vec<u8> {
    format!("studygate audit head\n{sequence}\n{digest}\n").into_bytes()
}

/// What stands before a last member of hexadecimal digits, and those.
fn field<'a>(body: &'a [u8], name: &[u8], digits: usize) -> Option<(&'a [u8], &'a [u8])> {
    let (before, digits) = body.split_at_checked(body.len().checked_sub(digits)?)?;
    let before = before.strip_suffix(name)?;
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some((before, digits))
}

fn sha256(bytes: &[u8]) -> LineDigest {
    let mut found = [0; 32];
    found.copy_from_slice(digest(&SHA256, bytes).as_ref());
    found
}

pub(super) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
