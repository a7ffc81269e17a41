//! `dataset`: opens what `export` wrote, anywhere, with the key of one of its recipients.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde_json::json;

use crate::cli::{
    exit::{Exit, Failure},
    output::{self, Form},
};
use crate::dataset::{
    keyfile::{self, Identities},
    lines::Line,
    open::{self, Summary},
};
use crate::model::time::UnixSeconds;

/// The commands of `dataset`.
#[derive(Debug, Subcommand)]
pub(super) enum Dataset {
    /// Open a dataset into a new folder, every digest and the site's signature checked
    Open {
        /// The dataset
        file: PathBuf,
        /// The file with the secret key of one of its recipients
        #[arg(short = 'i', long = "identity", value_name = "KEYFILE")]
        identity: PathBuf,
        /// The folder to make
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Check every digest of a dataset and the site's signature, and write nothing
    Verify {
        /// The dataset
        file: PathBuf,
        /// The file with the secret key of one of its recipients
        #[arg(short = 'i', long = "identity", value_name = "KEYFILE")]
        identity: PathBuf,
    },
    /// Make a key pair: the secret key goes into a file, the recipient to print is its public half
    Keygen {
        /// The file to make
        #[arg(short, long, value_name = "KEYFILE")]
        output: PathBuf,
    },
}

/// Runs one of the commands.
pub(super) fn run(command: Dataset, form: Form, now: UnixSeconds) -> Result<(), Failure> {
    match command {
        Dataset::Open { file, identity, output } => {
            let summary =
                open::open(&file, &keys_of(&identity)?, &output).map_err(|error| open_failure(&file, &error))?;
            show(form, &summary)
        }
        Dataset::Verify { file, identity } => {
            let summary = open::check(&file, &keys_of(&identity)?).map_err(|error| open_failure(&file, &error))?;
            show(form, &summary)
        }
        Dataset::Keygen { output } => {
            let recipient =
                keyfile::generate(&output, now).map_err(|error| key_failure(&output, Exit::CannotCreate, &error))?;
            match form {
                Form::Json => output::thing(form, &json!({"recipient": recipient.to_string(), "file": output})),
                Form::Text => output::line(&recipient.to_string()),
            }
        }
    }
}

fn keys_of(file: &Path) -> Result<Identities, Failure> {
    Identities::read(file).map_err(|error| key_failure(file, Exit::Failed, &error))
}

fn show(form: Form, summary: &Summary) -> Result<(), Failure> {
    let Summary { study, number, made_at, site_key, files } = summary;
    let entries = files.iter().map(|file| json!({"path": file.path, "bytes": file.bytes, "rows": file.rows}));
    let whole = json!({"study": study, "number": number, "made_at": made_at, "site_key": site_key,
                       "files": entries.collect::<Vec<_>>()});
    let row = |line: Line| {
        let rows = line.rows.map(|rows| rows.to_string()).unwrap_or_default();
        vec![line.name, rows, line.bytes.to_string()]
    };
    output::list(form, &whole, &["FILE", "ROWS", "BYTES"], summary.lines().into_iter().map(row).collect())?;
    let told = format!("{study}, export {number}, made {made_at}; the site's public key is {site_key}");
    output::message(&told);
    Ok(())
}

/// A failure with a key file; `otherwise` where the system says no.
fn key_failure(file: &Path, otherwise: Exit, error: &keyfile::Error) -> Failure {
    let exit = match error {
        keyfile::Error::Io(cause) => missing_or(cause, otherwise),
        keyfile::Error::Exists => Exit::CannotCreate,
        keyfile::Error::Line(_) | keyfile::Error::Empty => Exit::Failed,
    };
    Failure::new(exit, format!("{}: {error}", file.display()))
}

fn open_failure(file: &Path, error: &open::Error) -> Failure {
    let exit = match error {
        open::Error::Io(cause) => missing_or(cause, Exit::Storage),
        open::Error::NotEncrypted | open::Error::NoMatchingKey | open::Error::UnknownFormat => Exit::Failed,
        open::Error::Damaged | open::Error::Forged(_) => Exit::Findings,
        open::Error::Occupied(_) => Exit::CannotCreate,
    };
    Failure::new(exit, format!("{}: {error}", file.display()))
}

fn missing_or(cause: &io::Error, otherwise: Exit) -> Exit {
    if cause.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { otherwise }
}
