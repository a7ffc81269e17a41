//! The receipt of a purge: a signed account of what was destroyed, as JSON and as a page to be filed.
//!
//! The signature is the site's Ed25519 one, in hexadecimal digits, over the JSON of all members but `signature`, written
//! without white space and with the members of every object in the order of their names. So a receipt that was
//! printed in another layout verifies, and one in which anything was altered does not.
//!
//! Never: anything of the person but the study and the code.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value, json};

use crate::crypto::key::Key;
use crate::dataset::manifest::{Signer, verify as verify_signature};
use crate::model::audit::AuditHead;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;
use crate::people::register::HandedOut;
use crate::withdrawal::record::{Cause, Compaction, Purge};

/// What a receipt of this form says of itself.
pub const FORMAT: &str = "studygate-receipt-1";

/// A signed receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(Value);

/// Why something is no receipt of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is no JSON of this form.
    NoReceipt,
    /// The signature does not belong to it: something was altered.
    Altered,
    /// It is signed by another key than the one that was given.
    OtherKey,
}

/// The receipt of a purge, signed under the site's Ed25519 seed.
pub fn signed(purge: &Purge, exports: &[HandedOut], head: Option<&AuditHead>, seed: &Key) -> Receipt {
    let signer = Signer::from_seed(seed);
    let time = |time: Option<UnixSeconds>| time.map(|time| time.to_string());
    let times = &purge.times;
    let counts = &purge.destroyed;
    let handed_out = exports.iter().map(|export| {
        json!({ "number": export.number, "made_at": export.made.to_string(), "manifest_sha256": export.manifest })
    });
    let backups = purge
        .backups_not_reached
        .iter()
        .map(|missed| json!({ "backup": missed.id, "made_at": missed.made.to_string(), "file": missed.file }));
    let mut receipt = json!({
        "format": FORMAT,
        "purge": purge.id,
        "study": purge.study,
        "code": purge.code,
        "data": fate(purge.fate),
        "started_by": cause(purge.cause),
        "times": {
            "requested": times.requested.to_string(),
            "tombstoned": time(times.tombstoned),
            "counted": time(times.counted),
            "keys_destroyed": time(times.destroyed),
            "erased": time(times.erased),
            "compacted": time(times.compacted),
        },
        "destroyed": {
            "records": counts.records,
            "bytes": counts.bytes,
            "pings": counts.pulls,
            "refused_items": counts.quarantined,
            "links": counts.links,
            "keys": keys(purge.fate),
        },
        "key_id": purge.owner,
        "epoch_destroyed": purge.epoch,
        "claim": "logical",
        "database": compaction(purge.compaction),
        "exports": handed_out.collect::<Vec<_>>(),
        "backups_not_reached": backups.collect::<Vec<_>>(),
        "without_owner": { "items": purge.ownerless, "expire_by": time(purge.ownerless_until) },
        "audit_entry": purge.audit,
        "audit_head": head,
        "software": concat!("studygate ", env!("CARGO_PKG_VERSION")),
        "site_key": signer.public_key(),
    });
    let signature = signer.sign(canonical(&receipt).as_bytes());
    receipt["signature"] = json!(data_encoding::HEXLOWER.encode(&signature));
    Receipt(receipt)
}

/// The receipt that this JSON is, or that is its member `receipt`; signed by this key, where one is given.
pub fn verify(text: &[u8], public_key: Option<&str>) -> Result<Receipt, Bad> {
    let mut value: Value = serde_json::from_slice(text).map_err(|_| Bad::NoReceipt)?;
    if let Some(inner) = value.get_mut("receipt") {
        value = inner.take();
    }
    let mut unsigned = value.as_object().cloned().ok_or(Bad::NoReceipt)?;
    if unsigned.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(Bad::NoReceipt);
    }
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Bad::NoReceipt),
    };
    let signature = text(unsigned.remove("signature"))?;
    let site_key = text(unsigned.get("site_key").cloned())?;
    let signature = data_encoding::HEXLOWER.decode(signature.as_bytes()).map_err(|_| Bad::Altered)?;
    let signed = canonical(&Value::Object(unsigned));
    verify_signature(signed.as_bytes(), &signature, &site_key).map_err(|_| Bad::Altered)?;
    if public_key.is_some_and(|key| !key.trim().eq_ignore_ascii_case(&site_key)) {
        return Err(Bad::OtherKey);
    }
    Ok(Receipt(value))
}

impl Receipt {
    /// The receipt as JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The receipt as a page of text, 80 columns wide at most.
    pub fn page(&self) -> String {
        let at = |path: &str| self.0.pointer(path).map_or_else(String::new, plain);
        let mut page = String::new();
        let mut line = |name: &str, value: &str| {
            let written = writeln!(page, "{name:<22}{}", if value.is_empty() { "-" } else { value });
            debug_assert!(written.is_ok(), "writing to a String does not fail");
        };
        line("Receipt", &format!("of purge {}", at("/purge")));
        line("Study", &at("/study"));
        line("Participant", &at("/code"));
        line("Data", meaning(&at("/data")));
        line("Started by", &at("/started_by"));
        for (name, path) in [
            ("Asked for", "requested"),
            ("Reads refused from", "tombstoned"),
            ("Counted", "counted"),
            ("Keys destroyed", "keys_destroyed"),
            ("Rows and files gone", "erased"),
            ("Database rewritten", "compacted"),
        ] {
            line(name, &at(&format!("/times/{path}")));
        }
        line("Records destroyed", &at("/destroyed/records"));
        line("Bytes destroyed", &at("/destroyed/bytes"));
        line("Pings destroyed", &at("/destroyed/pings"));
        line("Refused items", &at("/destroyed/refused_items"));
        line("Links destroyed", &at("/destroyed/links"));
        line("Keys", &at("/destroyed/keys"));
        line("Key id", &at("/key_id"));
        line("Epoch destroyed", &at("/epoch_destroyed"));
        line("Claim", "logical erasure: the keys were in files that were overwritten");
        line("Database", rewriting(&at("/database")));
        let backups = self.0["backups_not_reached"].as_array().map_or(&[][..], Vec::as_slice);
        line("Backups not reached", &if backups.is_empty() { "none".to_owned() } else { backups.len().to_string() });
        line(
            "Items without owner",
            &format!("{}, gone by {}", at("/without_owner/items"), dash(&at("/without_owner/expire_by"))),
        );
        line("Audit entry", &at("/audit_entry"));
        line("Audit log signed to", &at("/audit_head/sequence"));
        line("Software", &at("/software"));
        line("Site's public key", "");
        let indented = |text: &str| format!("  {text}\n");
        page.push_str(&indented(&at("/site_key")));
        if !backups.is_empty() {
            page.push_str("Backups that still hold the keys; destroy them, or bring them within reach:\n");
        }
        for backup in backups {
            let text = |name: &str| plain(&backup[name]);
            let place = if backup["file"].is_null() { "handed out".to_owned() } else { text("file") };
            page.push_str(&format!("  {}, made {}\n    {place}\n", text("backup"), text("made_at")));
        }
        page.push_str("Exports that were handed out before and hold this code:\n");
        let exports = self.0["exports"].as_array().map_or(&[][..], Vec::as_slice);
        if exports.is_empty() {
            page.push_str("  none\n");
        }
        for export in exports {
            let text = |name: &str| plain(&export[name]);
            page.push_str(&format!(
                "  number {}, made {}, SHA-256 of its manifest:\n",
                text("number"),
                text("made_at")
            ));
            page.push_str(&format!("    {}\n", text("manifest_sha256")));
        }
        page.push_str("Signature (Ed25519):\n");
        let signature = at("/signature");
        let (first, second) = signature.split_at_checked(64).unwrap_or((&signature, ""));
        page.push_str(&indented(first));
        page.push_str(&indented(second));
        page
    }
}

fn fate(fate: DataFate) -> &'static str {
    match fate {
        DataFate::Purge => "purge",
        DataFate::Retain => "retain",
    }
}

fn keys(fate: DataFate) -> &'static str {
    match fate {
        DataFate::Purge => "data, identity and pseudonym key",
        DataFate::Retain => "identity key",
    }
}

/// What started a purge, as receipts and lists have it.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Deregistration => "deregistration",
        Cause::Person => "person",
        Cause::StudyClosed => "study-closed",
    }
}

fn compaction(compaction: Compaction) -> &'static str {
    match compaction {
        Compaction::Pending => "pending",
        Compaction::WaitsForSpace => "waits-for-space",
        Compaction::Done => "compacted",
    }
}

fn meaning(data: &str) -> &'static str {
    match data {
        "retain" => "what identified the person is destroyed, the rest stays",
        _ => "everything is destroyed",
    }
}

fn rewriting(database: &str) -> &'static str {
    match database {
        "compacted" => "rewritten: nothing of it is left in its files",
        "waits-for-space" => "not rewritten yet: the disk has no room; sealed remnants stay",
        _ => "not rewritten yet: sealed remnants stay, whose keys are gone",
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// The value without white space, the members of every object in the order of their names.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => format!("{{{}}}", members_of(members).join(",")),
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn members_of(members: &Map<String, Value>) -> Vec<String> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(right.0));
    sorted.into_iter().map(|(name, value)| format!("{}:{}", json!(name), canonical(value))).collect()
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReceipt => "this is no receipt; give the JSON of `studygate participant show --json`",
            Self::Altered => "the signature does not belong to the receipt: something in it was altered",
            Self::OtherKey => "the receipt is signed by another site's key than the one you gave",
        })
    }
}

impl std::error::Error for Bad {}

#[cfg(test)]
mod tests;
