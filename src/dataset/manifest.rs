//! The manifest: what a dataset is, and what stands in each of its files; signed by the site.
//!
//! `manifest.sig` is the bare Ed25519 signature (64 bytes) over the bytes of `manifest.json`. The public key stands in
//! the manifest, so that the signature alone shows that nothing was altered; that it was this site shows only who
//! compares the key with the one the site gave.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::crypto::key::Key;
use crate::dataset::about::Again;
use crate::model::audit::AuditHead;

/// The version of the dataset's form that this program writes and reads.
pub const FORMAT: &str = "studygate-dataset-1";

/// What stands in `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The study's name.
    pub study: String,
    /// Which completed export of the study this is, from 1.
    pub number: u32,
    /// The store's sequence number at the export.
    pub sequence: u64,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// The times it covers.
    pub window: ManifestWindow,
    /// SHA-256 of each recipient's text.
    pub recipients: Vec<String>,
    /// The study's rules, as members of `study show`.
    pub rules: serde_json::Value,
    /// The version of the rules.
    pub rules_version: u32,
    /// The program that made it.
    pub software: String,
    /// The head of the audit log at the export; datasets of versions without one have none.
    #[serde(default)]
    pub audit: Option<AuditHead>,
    /// The export that `CHANGES.csv` compares with.
    #[serde(default)]
    pub changes_since: Option<u32>,
    /// Whether the dataset holds only what came, changed or went since then.
    #[serde(default)]
    pub increment: bool,
    /// Whether everything counts as revised since then, because the rules or the program are others.
    #[serde(default)]
    pub everything_again: bool,
    /// The export that it makes again.
    #[serde(default)]
    pub as_of: Option<Again>,
    /// The site's public signing key, 64 hexadecimal digits.
    pub site_key: String,
    /// Every file but `manifest.json`, `manifest.sig` and `SHA256SUMS`.
    pub files: Vec<FileEntry>,
}

/// The times a dataset covers: days as dates, by the participants' own clocks, or times, RFC 3339; open where there is
/// none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestWindow {
    /// The first day, or the first second.
    pub from: Option<String>,
    /// The last day, included, or the second after the last.
    pub to: Option<String>,
}

/// One file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it stands, with `/` between folders.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, 64 hexadecimal digits.
    pub sha256: String,
    /// Rows of a table without its header, or lines of records; none for other files.
    pub rows: Option<u64>,
}

/// The site's signing key.
pub struct Signer(Ed25519KeyPair);

/// The signature does not belong to the manifest and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

impl Signer {
    /// The signer of this Ed25519 seed.
    pub fn from_seed(seed: &Key) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("a seed of 32 bytes is a key"))
    }

    /// The public key, 64 hexadecimal digits.
    pub fn public_key(&self) -> String {
        data_encoding::HEXLOWER.encode(self.0.public_key().as_ref())
    }

    /// The signature over these bytes, 64 bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

/// Checks a signature over the bytes of a manifest against a public key in hexadecimal digits.
pub fn verify(bytes: &[u8], signature: &[u8], public_key: &str) -> Result<(), BadSignature> {
    let key = data_encoding::HEXLOWER.decode(public_key.as_bytes()).map_err(|_| BadSignature)?;
    UnparsedPublicKey::new(&ED25519, key).verify(bytes, signature).map_err(|_| BadSignature)
}

/// The name of a dataset's file: `STUDY_NNNN_YYYY-MM-DD.zip.age`.
pub fn file_name(study: &str, number: u32, made_at: crate::model::time::UnixSeconds) -> String {
    format!("{study}_{number:04}_{}.zip.age", made_at.date())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixSeconds;

    #[test]
    fn signature_holds_for_its_bytes_and_key_alone() {
        let signer = Signer::from_seed(&Key::from_bytes([7; 32]));
        let other = Signer::from_seed(&Key::from_bytes([8; 32]));
        let signature = signer.sign(b"manifest");
        assert_eq!(verify(b"manifest", &signature, &signer.public_key()), Ok(()));
        assert_eq!(verify(b"manifesto", &signature, &signer.public_key()), Err(BadSignature));
        assert_eq!(verify(b"manifest", &signature, &other.public_key()), Err(BadSignature));
        assert_eq!(verify(b"manifest", &signature[1..], &signer.public_key()), Err(BadSignature));
        assert_eq!(verify(b"manifest", &signature, "no key"), Err(BadSignature));
    }

    #[test]
    fn manifest_of_a_version_without_an_audit_log_still_reads() {
        let older = r#"{"format":"studygate-dataset-1","study":"S","number":1,"sequence":2,"made_at":"",
            "window":{"from":null,"to":null},"recipients":[],"rules":{},"rules_version":1,"software":"",
            "audit_head":null,"site_key":"","files":[]}"#;
        assert_eq!(serde_json::from_str::<Manifest>(older).expect("a manifest").audit, None);
    }

    #[test]
    fn file_is_named_after_study_number_and_day() {
        assert_eq!(file_name("SLEEP-1", 7, UnixSeconds(1_793_509_200)), "SLEEP-1_0007_2026-11-01.zip.age");
    }
}
