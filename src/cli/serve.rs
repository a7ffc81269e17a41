//! `serve`: reads what the gateway needs before anything starts, then hands over to it.

use std::path::Path;

use crate::{
    cli::{check_config, exit::Failure, output},
    config::{self, Config, Environment},
    crypto::key::Key,
};

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
    let to_journal = environment.to_system_journal;
    let text = format!("this build has no gateway yet (system journal: {to_journal}); take a newer one");
    Err(Failure::new(crate::cli::exit::Exit::Failed, text))
}
