//! `keys`: the site's public key, with the gateway up or down.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::app::at_rest;
use crate::cli::audit::stopped_failure;
use crate::cli::exit::Failure;
use crate::cli::gateway::Gateway;
use crate::cli::output::{self, Form, cell};
use crate::cli::resource::Resource;
use crate::config::{self, Config};

/// The commands of `keys`.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Print the public key that manifests and the audit log are signed with
    Show,
}

/// Prints the key of the running gateway.
pub(super) fn show_running(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    tell(form, &gateway.get(&Resource::of(&["keys"]))?)
}

/// Prints the key of this site's gateway, which does not run.
pub(super) fn show_at_rest(config: &Config, form: Form) -> Result<(), Failure> {
    let key = config::read_root_key(config.root_key_file())?.key;
    let site_key = at_rest::site_key(config, &key).map_err(stopped_failure)?;
    tell(form, &json!({ "site_key": site_key }))
}

fn tell(form: Form, keys: &Value) -> Result<(), Failure> {
    match form {
        Form::Json => output::thing(form, keys),
        Form::Text => output::line(&cell(&keys["site_key"])),
    }
}
