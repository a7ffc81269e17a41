//! `serve`: reads what the gateway needs before anything starts, then hands over to it.

use std::path::Path;

use crate::cli::{check_config, exit::Failure, output};
use crate::config::{self, Config, Environment};
use crate::crypto::key::Key;

/// Runs the gateway until it is told to stop.
pub(super) fn run(file: &Path, environment: &Environment) -> Result<(), Failure> {
    let config = Config::load(file, environment)?;
    check_config::certificate(&config)?;
    let key_file = config::read_root_key(config.root_key_file())?;
    if key_file.exposed {
        output::complain(&check_config::exposed(&config));
    }
    gateway(config, key_file.key, environment)
}

/// The seam to `app`.
fn gateway(config: Config, root_key: Key, environment: &Environment) -> Result<(), Failure> {
    drop((config, root_key));
    let journal = environment.journal_stream.is_some();
    let text = format!("this build has no gateway yet (system journal: {journal}); take a newer one");
    Err(Failure::new(crate::cli::exit::Exit::Failed, text))
}
