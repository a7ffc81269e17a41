//! `receipt`: checks what a site says that it destroyed, anywhere, without a gateway.

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::cli::{
    exit::{Exit, Failure},
    output::{self, Form},
};
use crate::withdrawal::receipt::verify;

/// A receipt is far smaller than this, in bytes.
const RECEIPT_BYTES_MAX: u64 = 16 << 20;

/// The commands of `receipt`.
#[derive(Debug, Subcommand)]
pub(super) enum Receipt {
    /// Check a receipt's signature, and show it
    Verify {
        /// The receipt: what `studygate participant show --json` printed
        file: PathBuf,
        /// The site's public key as the site gave it; left out, the receipt's own is taken, which shows that nothing
        /// was altered and not whose it is
        #[arg(long, value_name = "HEX")]
        public_key: Option<String>,
    },
}

/// Runs one of the commands.
pub(super) fn run(command: Receipt, form: Form) -> Result<(), Failure> {
    let Receipt::Verify { file, public_key } = command;
    let text = read(&file)?;
    let receipt = verify(&text, public_key.as_deref())
        .map_err(|bad| Failure::new(Exit::Findings, format!("{}: {bad}", file.display())))?;
    match form {
        Form::Json => output::thing(form, receipt.json()),
        Form::Text => output::line(receipt.page().trim_end()),
    }?;
    match public_key {
        Some(_) => output::message("the signature is the site's"),
        None => output::message("nothing was altered; compare the site's public key with the one the site gave"),
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| {
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, format!("{} cannot be read ({error}); name the file of a receipt", file.display()))
    };
    if std::fs::metadata(file).map_err(failed)?.len() > RECEIPT_BYTES_MAX {
        let text = format!("{} is larger than 16 MiB, so it is no receipt; name the right file", file.display());
        return Err(Failure::new(Exit::Findings, text));
    }
    std::fs::read(file).map_err(failed)
}
