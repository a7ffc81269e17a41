//! `init`: a trial site in a folder, or this machine as a real one.

mod answers;
mod edit;
mod found;
mod plan;
mod questions;
mod setting_up;
mod told;
mod trial;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, Form};
use crate::crypto::key::Rng;
use crate::model::time::UnixSeconds;

/// What to make.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder of a trial site; it must be empty or not exist
    #[arg(required_unless_present = "system")]
    dir: Option<PathBuf>,
    /// Set this machine up instead: configuration, root key and its escrow; asks for what no flag says
    #[arg(long, conflicts_with = "dir")]
    system: bool,
    #[command(flatten)]
    flags: Flags,
}

/// The answers to what `init --system` asks.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "With --system")]
#[group(multiple = true, requires = "system", conflicts_with = "dir")]
struct Flags {
    /// The name under which Garmin reaches the gateway
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The path that notifications come to, kept secret [default: one made at random]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The certificate with its chain, PEM
    #[arg(long, requires = "private_key", value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, requires = "certificate", value_name = "FILE")]
    private_key: Option<PathBuf>,
    /// A certificate by ACME instead: whom the authority may write to
    #[arg(long, conflicts_with = "certificate", value_name = "ADDRESS")]
    acme_contact: Option<String>,
    /// A further name to have certified beside --host; several may be given
    #[arg(long = "acme-domain", requires = "acme_contact", value_name = "NAME")]
    acme_domains: Vec<String>,
    /// Where the daily backups go, best on another disk
    #[arg(long, value_name = "DIR")]
    backup_dir: Option<PathBuf>,
    /// No daily backups
    #[arg(long, conflicts_with = "backup_dir")]
    no_backup: bool,
    /// Who can open the root key's escrow, `age1…`; several may be given
    #[arg(long = "recovery", value_name = "age1…")]
    recipients: Vec<String>,
    /// No escrow of the root key: the sentence that says what that means, which is asked for where it is wrong
    #[arg(long, conflicts_with = "recipients", value_name = "SENTENCE")]
    no_recovery: Option<String>,
    /// The file of the escrow [default: /etc/studygate/root-key.escrow.age]
    #[arg(long, value_name = "FILE")]
    escrow: Option<PathBuf>,
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
    /// Everything below this folder instead of /
    #[arg(long, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
}

/// Makes what was asked for, and prints what comes next.
pub(super) fn run(asked: &Init, form: Form, rng: &Rng, now: UnixSeconds) -> Result<(), Failure> {
    match &asked.dir {
        Some(dir) => {
            let file = trial::run(dir, rng, now)?;
            output::message(
                "The trial site is made; its root key and everything else lie in that folder. Start it with:",
            );
            output::line(&format!("studygate serve --config {}", quoted(&file)))
        }
        None => setting_up::run(&asked.flags, form, rng),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+".contains(character);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A file or folder that cannot be made.
fn cannot_create(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::CannotCreate, format!("{} {why}", path.display()))
}
