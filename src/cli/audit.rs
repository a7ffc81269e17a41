//! `audit`: who did what, and whether the log that says so is whole; verifying works on a copy, anywhere.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde_json::{Value, json};

use crate::app::{self, at_rest};
use crate::audit::folder::pieces;
use crate::audit::verify::{Trust, verify};
use crate::audit::{act, is_signed};
use crate::cli::exit::{Exit, Failure};
use crate::cli::gateway::Gateway;
use crate::cli::output::{self, Form, cell};
use crate::cli::resource::Resource;
use crate::cli::serve::exit_of;
use crate::config::{self, Config};
use crate::dataset::manifest::{self, Manifest};
use crate::model::audit::{AuditHead, Checkpoint};
use crate::withdrawal::receipt;

/// The commands of `audit`.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// List who did what, the oldest first
    List(List),
    /// Find whatever was altered, dropped, added, put elsewhere or cut off, and say where
    Verify(Verify),
}

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Of this study
    #[arg(long, value_name = "NAME")]
    study: Option<String>,
    /// Of this participant
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Of this act
    #[arg(long, hide_possible_values = true, value_parser = PossibleValuesParser::new(act::NAMES))]
    act: Option<String>,
    /// From this day or time on (UTC)
    #[arg(long, value_name = "D")]
    from: Option<String>,
    /// Up to this day, or before this time (UTC)
    #[arg(long, value_name = "D")]
    to: Option<String>,
}

/// What to verify, and against what.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A copy: the folder of the log, or one file of it [default: this gateway's log]
    #[arg(value_name = "FILE|DIR")]
    pub(super) copy: Option<PathBuf>,
    /// The site's public key, as `keys show` prints it [default: that of the manifest or receipt]
    #[arg(long, value_name = "KEY", requires = "copy")]
    public_key: Option<String>,
    /// What the log has to hold: an opened dataset's manifest.json, a receipt, what `audit verify --json` printed, or
    /// an entry as `audit verify` prints it, SEQUENCE:HASH; may be repeated
    #[arg(long, value_name = "FILE|SEQUENCE:HASH", aliases = ["manifest", "head"], requires = "copy")]
    checkpoint: Vec<String>,
}

/// What a copy is held against.
#[derive(Default)]
struct Against {
    site_key: Option<String>,
    heads: Vec<AuditHead>,
    known: Vec<Checkpoint>,
}

/// Prints the entries that match, page after page.
pub(super) fn list(list: &List, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let mut entries = Vec::new();
    let mut after = Value::Null;
    loop {
        let resource = Resource::of(&["audit"])
            .with_some("study", list.study.as_deref())
            .with_some("code", list.code.as_deref())
            .with_some("act", list.act.as_deref())
            .with_some("from", list.from.as_deref())
            .with_some("to", list.to.as_deref())
            .with_some("after", after.as_u64().map(|after| after.to_string()).as_deref());
        let answer = gateway.get(&resource)?;
        entries.extend(answer["entries"].as_array().cloned().unwrap_or_default());
        after = answer["next"].clone();
        if after.is_null() {
            break;
        }
    }
    let head = ["ENTRY", "AT", "WHO", "ACT", "STUDY", "CODE", "DETAILS"];
    let row = |entry: &Value| {
        let mut cells: Vec<_> = ["sequence", "at"].map(|member| cell(&entry[member])).to_vec();
        cells.push(who(&entry["who"]));
        cells.extend(["act", "study", "code", "details"].map(|member| cell(&entry[member])));
        cells
    };
    let rows = entries.iter().map(row).collect();
    output::list(form, &json!({ "entries": entries }), &head, rows)
}

/// Verifies the log of the running gateway.
pub(super) fn verify_running(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    tell(form, &gateway.post(&Resource::of(&["audit", "verify"]), &json!({}))?)
}

/// Verifies the log of this site's gateway, which does not run.
pub(super) fn verify_at_rest(config: &Config, form: Form) -> Result<(), Failure> {
    let key = config::read_root_key(config.root_key_file())?.key;
    let report = at_rest::verify_audit(config, &key).map_err(stopped_failure)?;
    tell(form, &report.told())
}

/// Verifies a copy with what the caller gives.
pub(super) fn verify_copy(asked: &Verify, copy: &Path, form: Form) -> Result<(), Failure> {
    let found = pieces(copy).map_err(|error| unread(copy, &error))?;
    if found.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("{} holds no audit log; name its folder", copy.display())));
    }
    let mut against = Against { site_key: asked.public_key.clone(), ..Against::default() };
    asked.checkpoint.iter().try_for_each(|text| against.add(text))?;
    let Against { site_key, heads, known } = against;
    if site_key.is_none() && known.is_empty() {
        let text = "a copy is verified against something the site gave; give --public-key, as `studygate keys show` \
                    prints it, or --checkpoint";
        return Err(Failure::new(Exit::Usage, text));
    }
    if site_key.as_ref().is_some_and(|key| !heads.iter().all(|head| is_signed(head, key))) {
        return Err(Failure::new(Exit::Findings, "the head to compare with is not signed by this site"));
    }
    let trust = Trust { mac: None, site_key, heads, known, kept_is_lost: false, whole: copy.is_dir() };
    let report = verify(found, &trust).map_err(|error| unread(copy, &error))?;
    tell(form, &report.told())
}

impl Against {
    fn add(&mut self, text: &str) -> Result<(), Failure> {
        if let Some(known) = Checkpoint::parse(text) {
            self.known.push(known);
            return Ok(());
        }
        let file = Path::new(text);
        let bytes = fs::read(file).map_err(|error| unread(file, &error))?;
        match receipt::verify(&bytes, None) {
            Ok(receipt) => {
                let head = serde_json::from_value(receipt.json()["audit_head"].clone()).ok();
                self.signed_by(file, &cell(&receipt.json()["site_key"]), head)
            }
            Err(receipt::Bad::NoReceipt) => match file.with_file_name("manifest.sig").exists() {
                true => {
                    let manifest = signed_manifest(file)?;
                    self.signed_by(file, &manifest.site_key, manifest.audit)
                }
                false => {
                    let head = read_head(file, &bytes)?;
                    self.known.push(Checkpoint::from(&head));
                    self.heads.push(head);
                    Ok(())
                }
            },
            Err(bad) => Err(Failure::new(Exit::Findings, format!("{}: {bad}", file.display()))),
        }
    }

    /// A document that is signed under this key names this head.
    fn signed_by(&mut self, file: &Path, site_key: &str, head: Option<AuditHead>) -> Result<(), Failure> {
        if self.site_key.as_deref().is_some_and(|key| key != site_key) {
            return Err(Failure::new(Exit::Findings, format!("{}: another site signed this", file.display())));
        }
        self.site_key = Some(site_key.to_owned());
        let none = || Failure::new(Exit::Failed, format!("{}: it names no head of an audit log", file.display()));
        self.heads.push(head.ok_or_else(none)?);
        Ok(())
    }
}

/// The failure of something that needs the gateway to be stopped, or running.
pub(super) fn stopped_failure(failure: app::Failure) -> Failure {
    Failure::new(exit_of(failure.kind), failure.text)
}

fn tell(form: Form, told: &Value) -> Result<(), Failure> {
    let findings = told["findings"].as_array().cloned().unwrap_or_default();
    match form {
        Form::Json => output::thing(form, told)?,
        Form::Text => {
            findings.iter().try_for_each(|finding| output::line(&cell(&finding["text"])))?;
            output::line(&format!("{} entries; {}", cell(&told["entries"]), proven(told)))?;
            let end = &told["end"];
            if findings.is_empty() && end.is_object() {
                output::line(&format!("checkpoint {}:{}", cell(&end["sequence"]), cell(&end["digest"])))?;
            }
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    let text = "the audit log is not as it was written; keep a copy of it as it is, and find out who could write to it";
    Err(Failure::new(Exit::Findings, text))
}

fn proven(told: &Value) -> String {
    let (to, last) = (told["proven_to"].as_u64(), told["range"][1].as_u64());
    match (to, last) {
        (Some(to), Some(last)) if to < last => {
            format!("proven up to entry {to}, those after it are not signed yet")
        }
        (Some(to), _) => format!("proven up to entry {to}"),
        (None, _) => "nothing is proven by a signature".to_owned(),
    }
}

/// A manifest whose signature, which lies beside it, holds.
fn signed_manifest(file: &Path) -> Result<Manifest, Failure> {
    let beside = file.with_file_name("manifest.sig");
    let bytes = fs::read(file).map_err(|error| unread(file, &error))?;
    let signature = fs::read(&beside).map_err(|error| unread(&beside, &error))?;
    let unreadable = |_| Failure::new(Exit::Failed, format!("{} is no manifest of a dataset", file.display()));
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(unreadable)?;
    manifest::verify(&bytes, &signature, &manifest.site_key).map_err(|_| {
        Failure::new(Exit::Findings, format!("{}: the signature over the manifest does not hold", file.display()))
    })?;
    Ok(manifest)
}

/// A head, bare or as the member `head` of what `audit verify --json` printed.
fn read_head(file: &Path, bytes: &[u8]) -> Result<AuditHead, Failure> {
    let mut value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if value["head"].is_object() {
        value = value["head"].take();
    }
    let none = |_| {
        let text = format!("{} is no manifest with its manifest.sig, no receipt and no head; name one", file.display());
        Failure::new(Exit::Failed, text)
    };
    serde_json::from_value(value).map_err(none)
}

fn who(who: &Value) -> String {
    let login = who["login_uid"].as_u64().filter(|login| Some(*login) != who["uid"].as_u64());
    match (who["by"].as_str(), who["uid"].as_u64(), login) {
        (_, Some(uid), Some(login)) => format!("uid {uid} (login {login})"),
        (_, Some(uid), None) => format!("uid {uid}"),
        (Some("token"), ..) => format!("token {}", cell(&who["name"])),
        (by, ..) => by.unwrap_or_default().to_owned(),
    }
}

fn unread(file: &Path, error: &std::io::Error) -> Failure {
    let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Storage };
    Failure::new(exit, format!("{} cannot be read ({error}); check the path and permissions", file.display()))
}
