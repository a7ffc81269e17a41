//! `backup`: everything the gateway holds, in one file that the root key opens.

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use crate::backup::Failure as Fault;
use crate::backup::capsule::Closed;
use crate::backup::deep::Opened;
use crate::backup::frame;
use crate::backup::verify::{Verified, verify};
use crate::cli::{
    exit::{Exit, Failure},
    export::stream_to,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
};
use crate::config::{self, Config, Environment};
use crate::crypto::key::Key;

/// The commands of `backup`.
#[derive(Debug, Subcommand)]
pub(super) enum Backup {
    /// Make a backup of the running gateway
    Create {
        /// The file to write; one that exists is left alone
        file: PathBuf,
    },
    /// List the backups that the gateway knows of
    List,
    /// Take the purge log: a restore of a backup that is not in backup.dir needs it
    PurgeLog {
        /// The file to write; one that exists is left alone
        file: PathBuf,
    },
    /// Verify a backup, anywhere: no gateway needed
    Verify {
        /// The backup
        file: PathBuf,
        /// The root key, to open everything in it [default: the configured one, where it can be read]
        #[arg(long, value_name = "FILE")]
        root_key: Option<PathBuf>,
    },
}

/// Streams a backup, or the purge log, into a file.
pub(super) fn take(file: &Path, what: &[&str], gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let bytes = stream_to(file, &Resource::of(what), gateway)?;
    match form {
        Form::Json => output::thing(form, &json!({ "file": file, "bytes": bytes })),
        Form::Text => Ok(()),
    }
}

/// Lists the backups.
pub(super) fn list(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let answer = gateway.get(&Resource::of(&["backups"]))?;
    let members = ["id", "made_at", "bytes", "verified_at", "file"];
    let head = ["ID", "MADE AT", "BYTES", "VERIFIED AT", "FILE"];
    let backups = answer["backups"].as_array().cloned().unwrap_or_default();
    let rows = backups.iter().map(|backup| members.map(|member| cell(&backup[member])).to_vec()).collect();
    output::list(form, &answer, &head, rows)
}

/// Verifies a file; everything in it is opened where there is a root key.
pub(super) fn verify_file(
    file: &Path,
    root_key: Option<&Path>,
    configuration: (&Path, &Environment),
    form: Form,
) -> Result<(), Failure> {
    let key = match root_key {
        Some(named) => Some(config::read_root_key(named)?.key),
        None => configured_key(configuration),
    };
    let verified = match verify(file, key.as_ref()) {
        // A backup of another site, on a machine that has one of its own.
        Err(Fault::Closed(Closed::WrongRootKey)) if root_key.is_none() => verify(file, None),
        outcome => outcome,
    };
    tell(&verified.map_err(|fault| failure(file, &fault))?, form)
}

/// The key of the site on this machine, where there is one.
fn configured_key((file, environment): (&Path, &Environment)) -> Option<Key> {
    let config = Config::load(file, environment).ok()?;
    config::read_root_key(config.root_key_file()).ok().map(|read| read.key)
}

fn tell(verified: &Verified, form: Form) -> Result<(), Failure> {
    let (totals, opened) = (&verified.totals, verified.opened.as_ref());
    let shown = opened.map(|Opened { rows, parts, destroyed, unknown }| {
        json!({ "rows": rows, "parts": parts, "keys_destroyed": destroyed, "unknown": unknown })
    });
    let told = json!({
        "id": verified.head.id,
        "made_at": verified.head.made.to_string(),
        "site_key": verified.head.site_key_text(),
        "software": verified.state.software,
        "bytes": verified.bytes,
        "rows": totals.rows,
        "files": totals.files,
        "opened": shown,
    });
    if form == Form::Json {
        return output::thing(form, &told);
    }
    let line = |text: String| output::line(&text);
    line(format!("backup {}, made {} by {}", cell(&told["id"]), cell(&told["made_at"]), cell(&told["software"])))?;
    line(format!("site key {}", cell(&told["site_key"])))?;
    line(format!(
        "whole: {} rows, {} files, {} bytes; its signature holds",
        totals.rows, totals.files, verified.bytes
    ))?;
    match opened {
        Some(opened) => line(opened_text(opened)),
        None => line("not opened: give --root-key to open everything in it".to_owned()),
    }
}

fn opened_text(opened: &Opened) -> String {
    let mut text = format!("opened: {} rows, {} parts of records and files", opened.rows, opened.parts);
    if opened.destroyed > 0 {
        text.push_str(&format!("; {} open no more, their keys are destroyed", opened.destroyed));
    }
    if opened.unknown > 0 {
        text.push_str(&format!("; {} are of a kind that this version does not know", opened.unknown));
    }
    text
}

fn failure(file: &Path, fault: &Fault) -> Failure {
    let exit = match fault {
        Fault::Io(cause) | Fault::Fault(frame::Fault::Io(cause)) if cause.kind() == io::ErrorKind::NotFound => {
            Exit::NotFound
        }
        Fault::Fault(frame::Fault::Io(_)) | Fault::Io(_) => Exit::Storage,
        Fault::Fault(_) | Fault::Closed(_) => Exit::Findings,
        Fault::NoFolder
        | Fault::Busy
        | Fault::Overtaken
        | Fault::DiskLow
        | Fault::Altered
        | Fault::Engine(_)
        | Fault::Records(_)
        | Fault::Keyring(_) => Exit::Failed,
    };
    Failure::new(exit, format!("{}: {fault}", file.display()))
}
