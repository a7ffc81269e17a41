//! `keys`: what is known of the site's keys, and their rotation.
//!
//! Never: a key printed, but the public one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ring::rand::SecureRandom;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app::at_rest;
use crate::cli::audit::stopped_failure;
use crate::cli::confirm::Consent;
use crate::cli::credential::{self, Sealing, SystemdCreds};
use crate::cli::escrow::Escrow;
use crate::cli::exit::{Exit, Failure};
use crate::cli::gateway::Gateway;
use crate::cli::output::{self, Form, cell};
use crate::cli::resource::Resource;
use crate::config::{self, Config};
use crate::crypto::key::Key;
use crate::crypto::root_key;

/// The commands of `keys`.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Show the public key that manifests and the audit log are signed with, the epoch, the root key's fingerprint, and
    /// when its escrow was last verified
    Show,
    /// Replace the epoch key, and destroy the old one; with --root, the root key too
    Rotate(Rotate),
    /// The root key in safekeeping, encrypted to age recipients
    #[command(subcommand)]
    Escrow(Escrow),
}

/// What to rotate.
#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Replace the root key, too
    #[arg(long)]
    root: bool,
    /// Write the new root key into this file, to be installed by you; in a folder credstore.encrypted it is sealed for
    /// this machine, as a credential. Else it replaces the configured file
    #[arg(short, long, value_name = "FILE", requires = "root")]
    output: Option<PathBuf>,
    #[command(flatten)]
    consent: Consent,
}

/// Prints what is known of the keys of the running gateway.
pub(super) fn show_running(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    output::thing(form, &gateway.get(&Resource::of(&["keys"]))?)
}

/// Prints what is known of the keys of this site's gateway, which does not run.
pub(super) fn show_at_rest(config: &Config, form: Form) -> Result<(), Failure> {
    let key = config::read_root_key(config.root_key_file())?.key;
    let at_rest::Keys { site_key, epoch, root_key, escrow_verified } =
        at_rest::keys(config, &key).map_err(stopped_failure)?;
    let told = json!({
        "site_key": site_key,
        "epoch": epoch,
        "root_key": root_key.to_string(),
        "escrow_verified": escrow_verified.map(|at| at.to_string()),
    });
    output::thing(form, &told)
}

/// Rotates the keys of the running gateway.
pub(super) fn rotate(asked: &Rotate, gateway: &Gateway, form: Form, rng: &dyn SecureRandom) -> Result<(), Failure> {
    let reason = if asked.root {
        // Whoever does not run is found before anything is asked or written.
        gateway.get(&Resource::of(&["keys"]))?;
        let what = "replaces the root key: its copies and escrows open nothing from then on";
        Some(asked.consent.obtain(what, "root")?)
    } else {
        asked.consent.reason.clone()
    };
    let mut body = json!({ "reason": reason, "root": asked.root });
    let told = match &asked.output {
        None => rotated(gateway, &body)?,
        Some(file) => {
            let key = Key::random(rng);
            let text = root_key::text(&key);
            write_new(file, &form_in(file, text.as_bytes())?)?;
            body["key"] = json!(text.trim_end());
            rotated(gateway, &body).map_err(|failure| not_confirmed(failure, file))?
        }
    };
    output::thing(form, &told)?;
    for unreached in told["unreached"].as_array().into_iter().flatten() {
        let text = format!("this backup still opens with the old root key alone, keep its escrow: {}", cell(unreached));
        output::complain(&text);
    }
    if let Some(note) = told["note"].as_str() {
        output::complain(note);
    }
    if asked.root && asked.output.is_none() {
        output::complain("escrow the new root key now: `studygate keys escrow create --recipient age1… -o FILE`");
    }
    Ok(())
}

/// What a file of a root key is to hold: a credential among credentials, else the key's text.
fn form_in(file: &Path, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if !config::is_sealed(file) {
        return Ok(Zeroizing::new(text.to_vec()));
    }
    match credential::seal(&SystemdCreds, text) {
        Sealing::Sealed { credential, .. } => Ok(Zeroizing::new(credential)),
        Sealing::Unsealed { why } => {
            let text = format!("the new root key cannot be sealed, because {why}; name a file in another folder");
            Err(Failure::new(Exit::CannotCreate, text))
        }
    }
}

fn rotated(gateway: &Gateway, body: &Value) -> Result<Value, Failure> {
    gateway.post(&Resource::of(&["keys", "rotate"]), body)
}

/// The new key is never thrown away: an answer that was lost on its way says nothing of what was done.
fn not_confirmed(failure: Failure, file: &Path) -> Failure {
    let told = format!(
        "{}\nthe key in {} may be in force: keep it; `studygate keys show` prints the fingerprint of the one that is",
        failure.text,
        file.display()
    );
    Failure::new(failure.exit, told)
}

/// Makes a file that only its owner may read; durable on return.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        let text = if error.kind() == io::ErrorKind::AlreadyExists {
            "is there already, and is not replaced; name another file".to_owned()
        } else {
            format!("cannot be made ({error}); name another file")
        };
        Failure::new(Exit::CannotCreate, format!("{} {text}", path.display()))
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.and_then(|()| File::open(folder)?.sync_all()).map_err(|error| {
        // Half a file is of no use to anybody.
        drop(fs::remove_file(path));
        cannot(error)
    })
}
