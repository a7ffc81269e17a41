//! `keys escrow`: the root key encrypted to age recipients, and whether what lies in safekeeping is the key in force.
//!
//! Making it reads the root key's file, here; the gateway only says whether that is the key in force, and notes for
//! whom it was encrypted. Verifying needs the escrow and one recipient's secret key alone, and no key of the site: what
//! it holds is proved to the gateway, which compares, and keeps when that went well.
//!
//! Never: the root key printed, sent or written in clear.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::exit::{Exit, Failure};
use crate::cli::gateway::Gateway;
use crate::cli::keys::write_new;
use crate::cli::output::{self, Form};
use crate::cli::resource::Resource;
use crate::config::{self, Config};
use crate::crypto::key::Key;
use crate::crypto::root_key;
use crate::dataset::keyfile::Identities;
use crate::dataset::open::Error;
use crate::dataset::recipient::Recipient;
use crate::dataset::secret;
use crate::model::time::UnixSeconds;

/// An escrow is far shorter.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The commands of `keys escrow`.
#[derive(Debug, Subcommand)]
pub(super) enum Escrow {
    /// Encrypt the root key to recipients; `age` opens it as well, into a file that the gateway takes
    Create {
        /// Who can open it, `age1…`; several may be given
        #[arg(long = "recipient", required = true, value_name = "age1…")]
        recipients: Vec<String>,
        /// The file to make
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Open an escrow, and say whether it holds the root key in force
    Verify {
        /// The escrow
        file: PathBuf,
        /// The file with the secret key of one of its recipients
        #[arg(short = 'i', long = "identity", value_name = "KEYFILE")]
        identity: PathBuf,
    },
}

/// Runs one of the commands.
pub(super) fn run(
    command: Escrow,
    gateway: &Gateway,
    form: Form,
    config: &dyn Fn() -> Result<Config, Failure>,
    now: UnixSeconds,
) -> Result<(), Failure> {
    match command {
        Escrow::Create { recipients, output } => create(&recipients, &output, gateway, form, &config()?, now),
        Escrow::Verify { file, identity } => verify(&file, &identity, gateway, form, now),
    }
}

fn create(
    recipients: &[String],
    output: &Path,
    gateway: &Gateway,
    form: Form,
    config: &Config,
    now: UnixSeconds,
) -> Result<(), Failure> {
    let refused = |refused: crate::dataset::recipient::NotARecipient| Failure::new(Exit::Usage, refused.to_string());
    let parsed: Vec<_> =
        recipients.iter().map(|text| Recipient::parse(text)).collect::<Result<_, _>>().map_err(refused)?;
    let key = config::read_root_key(config.root_key_file())?.key;
    let sealed = secret::encrypt(root_key::text(&key).as_bytes(), &parsed)?;
    write_new(output, &sealed)?;
    let fingerprints: Vec<_> = parsed.iter().map(Recipient::fingerprint).collect();
    match tell(gateway, "create", &key, now, json!(fingerprints)) {
        Ok(told) => output::thing(form, &json!({ "file": output, "root_key": told["root_key"] })),
        Err(failure) if failure.exit == Exit::Unreachable => {
            output::complain(
                "no gateway runs, so nobody could say whether this is the key in force, and it is not in the audit \
                 log; run `studygate keys escrow verify` once it does",
            );
            let root_key = root_key::Fingerprint::of(&key).to_string();
            output::thing(form, &json!({ "file": output, "root_key": root_key }))
        }
        Err(failure) => {
            // What it holds is not what would be needed.
            drop(fs::remove_file(output));
            Err(failure)
        }
    }
}

fn verify(file: &Path, identity: &Path, gateway: &Gateway, form: Form, now: UnixSeconds) -> Result<(), Failure> {
    let named = |path: &Path, text: String| format!("{}: {text}", path.display());
    let identities = Identities::read(identity).map_err(|error| {
        let exit = if identity.exists() { Exit::Failed } else { Exit::NotFound };
        Failure::new(exit, named(identity, error.to_string()))
    })?;
    let sealed = read(file)?;
    let opened = secret::decrypt(&sealed, &identities).map_err(|error| unopened(file, &error))?;
    let Some(key) = root_key::parse(&opened) else {
        let text = "it opens, but holds no root key; look for the right file".to_owned();
        return Err(Failure::new(Exit::Findings, named(file, text)));
    };
    let told = tell(gateway, "verify", &key, now, Value::Null)?;
    output::thing(form, &told)?;
    if told["in_force"] == true {
        return Ok(());
    }
    let text = "it holds another key than the root key in force; make a new one with `studygate keys escrow create`";
    Err(Failure::new(Exit::Findings, named(file, text.to_owned())))
}

/// Proves to the gateway that this key is held; its answer.
fn tell(gateway: &Gateway, what: &str, key: &Key, now: UnixSeconds, recipients: Value) -> Result<Value, Failure> {
    let mut body = json!({ "at": now.0, "proof": root_key::proof(key, now) });
    if !recipients.is_null() {
        body["recipients"] = recipients;
    }
    gateway.post(&Resource::of(&["keys", "escrow", what]), &body)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, format!("{} cannot be read ({error}); check the path and permissions", file.display()))
    };
    if fs::metadata(file).map_err(cannot)?.len() > FILE_BYTES_MAX {
        return Err(Failure::new(
            Exit::Findings,
            format!("{} is too long for an escrow; name the right file", file.display()),
        ));
    }
    fs::read(file).map_err(cannot)
}

fn unopened(file: &Path, error: &Error) -> Failure {
    let (exit, text) = match error {
        Error::NoMatchingKey => {
            (Exit::Failed, "it was encrypted to others than this key's owner; give the key of one of its recipients")
        }
        Error::NotEncrypted => (Exit::Findings, "it is no age file; look for the right one"),
        Error::Damaged | Error::Forged(_) => {
            (Exit::Findings, "it was cut or altered; make a new one with `studygate keys escrow create`")
        }
        Error::UnknownFormat => (Exit::Findings, "it opens, but holds no root key; look for the right file"),
        Error::Io(_) | Error::Occupied(_) => (Exit::Storage, "it cannot be read; check the disk"),
    };
    Failure::new(exit, format!("{}: {text}", file.display()))
}
