//! `check-config`: what is wrong with the configuration and the files it names, without starting anything.

use std::path::Path;

use crate::cli::{
    exit::{Exit, Failure},
    output,
};
use crate::config::{self, Config, Environment, KeyFile, Tls};
use crate::model::time::UnixSeconds;
use crate::tls::files::{Files, Identity, Validity};

/// Prints `ok`, or fails with everything that was found.
pub(super) fn run(file: &Path, environment: &Environment, now: UnixSeconds) -> Result<(), Failure> {
    let config = Config::load(file, environment)?;
    let key_file = config::read_root_key(config.root_key_file())?;
    let identity = certificate(&config)?;
    let others = other_certificates(&config)?;
    config.upstream()?;
    config.authority()?;
    let mut findings = Vec::new();
    if let Some(finding) = exposed(&config, &key_file, environment) {
        findings.push(finding);
    }
    for identity in others.iter().chain(&identity) {
        match identity.validity(now) {
            Validity::Valid => {}
            wrong @ (Validity::Expired(_) | Validity::NotYet(_)) => findings.push(wrong.to_string()),
        }
    }
    if let Err(error) = config::read_grants(&config.local.grant) {
        findings.push(error.to_string());
    }
    if findings.is_empty() { output::line("ok") } else { Err(Failure::new(Exit::Findings, findings.join("\n"))) }
}

/// The warning about a root key that others than its owner may read, where it deserves one.
///
/// A credential is systemd's to guard: it lets the service's user in by an access list, whose mask shows in the mode
/// as if the group might read.
pub(super) fn exposed(config: &Config, key_file: &KeyFile, environment: &Environment) -> Option<String> {
    let file = config.root_key_file();
    let credential = environment.credentials_directory.as_ref().is_some_and(|directory| file.starts_with(directory));
    (key_file.exposed && !credential)
        .then(|| format!("others than its owner may read the root key; run `chmod 600 {}`", file.display()))
}

/// The certificate that a checked configuration names; `None` where one is ordered.
pub(super) fn certificate(config: &Config) -> Result<Option<Identity>, Failure> {
    config.ingress.tls.as_ref().map(identity).transpose()
}

/// Those of the listeners that may have one.
fn other_certificates(config: &Config) -> Result<Vec<Identity>, Failure> {
    [&config.local.tls, &config.metrics.tls].into_iter().flatten().map(identity).collect()
}

fn identity(tls: &Tls) -> Result<Identity, Failure> {
    let files = Files { certificate: tls.certificate.clone(), private_key: tls.private_key.clone() };
    Identity::load(&files).map_err(|error| Failure::new(Exit::Configuration, error.to_string()))
}
