//! `demo`: the whole job on loopback, in a folder of its own.

use std::path::Path;

use crate::cli::exit::{Exit, Failure};

/// Runs the demo in this folder, or in a temporary one.
pub(super) fn run(dir: Option<&Path>) -> Result<(), Failure> {
    let place = dir.map_or_else(|| "a temporary folder".to_owned(), |dir| dir.display().to_string());
    Err(Failure::new(Exit::Failed, format!("this build has no demo yet (for {place}); take a newer one")))
}
