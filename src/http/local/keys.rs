//! The keys: what is known of them, their rotation, and whether the root key could be had back from its escrow.
//!
//! | request | body | answer |
//! |---|---|---|
//! | GET keys | | `{"site_key", "epoch", "root_key", "escrow_verified"}` |
//! | POST keys/rotate | `{"reason"?, "root"?, "key"?}` | `{"epoch", "epoch_destroyed", "bodies_filed", "root_key", …}` |
//! | POST keys/escrow/create | `{"at", "proof", "recipients"}` | `{"in_force", "root_key"}` |
//! | POST keys/escrow/verify | `{"at", "proof"}` | `{"in_force", "root_key"}` |
//!
//! `root_key` is a fingerprint. With `root` the root key is replaced, too: by `key`, which the caller has put by, or by
//! one that the gateway makes and puts into the configured file. The answer has `capsules` and `unreached` then, and
//! `note` where something is left to do. A proof is what `crypto/root_key.rs` makes of a key and the time `at`, in
//! seconds: no key is sent to be compared.
//!
//! Never: a key in an answer; a root key from anywhere but the socket.

use hyper::StatusCode;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::audit::{Act, Event, Who};
use crate::crypto::key::Key;
use crate::crypto::root_key;
use crate::http::local::members::Members;
use crate::http::local::{Answer, Call, Routes, json};
use crate::http::problem::Problem;
use crate::model::time::UnixSeconds;
use crate::people::refusal::{Kind, Refusal};

/// A proof is good for so many seconds before and after its time.
const PROOF_SECONDS: i64 = 300;
const REASON_CHARS_MAX: usize = 1000;

/// What the local API asks of the gateway's keys. Every method may block.
pub trait KeyDesk: Send + Sync {
    /// What is known of them.
    fn shown(&self) -> Shown;

    /// Replaces the epoch, and the root key where it says so; the old epoch is destroyed on return.
    fn rotate(&self, root: Option<NewRoot>) -> Result<Rotated, Refusal>;

    /// Whether the proof was made with the root key in force.
    fn is_in_force(&self, at: UnixSeconds, proof: &str) -> bool;

    /// An escrow held the root key in force; durable on return.
    fn escrow_verified(&self, at: UnixSeconds) -> Result<(), Refusal>;
}

/// What is known of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The number of the epoch.
    pub epoch: u64,
    /// The fingerprint of the root key.
    pub root_key: String,
    /// When an escrow of the root key was last found right.
    pub escrow_verified: Option<UnixSeconds>,
}

/// Where the next root key comes from.
pub enum NewRoot {
    /// The gateway makes it, and puts it into the configured file.
    InPlace,
    /// The caller has made it, and puts it where the next start looks.
    Given(Key),
}

/// A rotation that took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The epoch from here on.
    pub epoch: u64,
    /// Whether everything that was taken before was filed first; else the keys of those bodies stay until it is.
    pub bodies_filed: bool,
    /// The new root key, where there is one.
    pub root: Option<RootReplaced>,
}

/// A root key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootReplaced {
    /// The fingerprint of the new one.
    pub root_key: String,
    /// How many key capsules of backups were sealed under it.
    pub capsules: u64,
    /// Backups that open with the old root key alone.
    pub unreached: Vec<String>,
    /// What is left to do, in a sentence.
    pub note: Option<String>,
}

impl Shown {
    /// The same as JSON.
    pub fn told(&self) -> Value {
        json!({
            "epoch": self.epoch,
            "root_key": self.root_key,
            "escrow_verified": self.escrow_verified.map(|at| at.to_string()),
        })
    }
}

pub(super) fn show(routes: &Routes, call: &Call) -> Answer {
    call.members(&[])?;
    let mut answer = routes.desk.keys().shown().told();
    answer["site_key"] = json!(routes.audit.site_key());
    Ok(json(StatusCode::OK, &answer))
}

pub(super) fn rotate(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["reason", "root", "key"])?;
    let reason = members.text("reason")?;
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(Problem::invalid("The reason is longer than 1000 characters; shorten it."));
    }
    let replaces = members.flag("root")? == Some(true);
    let root = match members.text("key")?.map(Zeroizing::new) {
        Some(_) if !replaces => return Err(Problem::invalid("\"key\" goes with \"root\": true.")),
        Some(text) => {
            let key = root_key::parse(text.as_bytes());
            Some(NewRoot::Given(key.ok_or_else(|| Problem::invalid("\"key\" must be 64 hexadecimal digits."))?))
        }
        None => replaces.then_some(NewRoot::InPlace),
    };
    if root.is_some() && !matches!(call.who(), Who::Socket { .. }) {
        let sentence =
            "The root key is replaced on the gateway's own machine alone; run `studygate keys rotate` there.";
        return Err(Refusal::Other(Kind::Conflict, sentence.to_owned()).into());
    }
    let rotated = routes.desk.keys().rotate(root)?;
    let root_key = rotated.root.as_ref().map(|root| root.root_key.clone());
    call.did(Event::new(Act::KeysRotated { epoch: rotated.epoch, root_key, reason }));
    let mut answer = json!({
        "epoch": rotated.epoch,
        "epoch_destroyed": rotated.epoch - 1,
        "bodies_filed": rotated.bodies_filed,
    });
    if let Some(RootReplaced { root_key, capsules, unreached, note }) = rotated.root {
        answer["root_key"] = json!(root_key);
        answer["capsules"] = json!(capsules);
        answer["unreached"] = json!(unreached);
        answer["note"] = json!(note);
    }
    Ok(json(StatusCode::OK, &answer))
}

pub(super) fn escrow_made(routes: &Routes, call: &Call) -> Answer {
    let mut members = call.members(&["at", "proof", "recipients"])?;
    let recipients = members.texts("recipients")?.unwrap_or_default();
    let is_fingerprint = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if recipients.is_empty() || !recipients.iter().all(is_fingerprint) {
        return Err(Problem::invalid("\"recipients\" must be the SHA-256 of each recipient, one at least."));
    }
    let (in_force, root_key) = proven(routes, &mut members)?;
    if !in_force {
        let sentence = "The key is not the root key in force, so an escrow of it saves nothing; name the right file.";
        return Err(Refusal::Other(Kind::Conflict, sentence.to_owned()).into());
    }
    call.did(Event::new(Act::EscrowMade { root_key: root_key.clone(), recipients }));
    Ok(json(StatusCode::OK, &json!({ "in_force": in_force, "root_key": root_key })))
}

pub(super) fn escrow_verified(routes: &Routes, call: &Call) -> Answer {
    let (in_force, root_key) = proven(routes, &mut call.members(&["at", "proof"])?)?;
    if in_force {
        routes.desk.keys().escrow_verified(routes.now())?;
    }
    call.did(Event::new(Act::EscrowVerified { root_key: root_key.clone(), matches: in_force }));
    Ok(json(StatusCode::OK, &json!({ "in_force": in_force, "root_key": root_key })))
}

/// Whether the caller holds the root key in force, and the fingerprint of that one.
fn proven(routes: &Routes, members: &mut Members) -> Result<(bool, String), Problem> {
    let at = members.number("at", i64::MAX as u64)?.and_then(|at| i64::try_from(at).ok());
    let at = UnixSeconds(at.ok_or_else(|| Problem::invalid("\"at\" is missing; give the time in seconds."))?);
    let proof = members.needed_text("proof")?;
    if at.0.abs_diff(routes.now().0) > PROOF_SECONDS.unsigned_abs() {
        let sentence = "The proof is not of these five minutes; set this machine's clock and try again.";
        return Err(Problem::invalid(sentence));
    }
    let keys = routes.desk.keys();
    Ok((keys.is_in_force(at, &proof), keys.shown().root_key))
}
