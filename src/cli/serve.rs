//! `serve`: reads what the gateway needs before anything starts, then hands over to it.

use std::path::Path;

use crate::app::{self, Gateway, failure::Kind};
use crate::cli::audit::stopped_failure;
use crate::cli::check_config;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::config::{self, Config, Environment};
use crate::crypto::key::Key;
use crate::lifecycle::supervisor::Supervisor;
use crate::telemetry::logging;

/// `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// How lines of the log are written
    #[arg(long, value_name = "FORM", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogFormat {
    /// For a person, and for the journal of systemd
    Text,
    /// A JSON object a line
    Json,
}

/// Runs the gateway until it is told to stop.
pub(super) fn run(asked: &Serve, file: &Path, environment: &Environment) -> Result<(), Failure> {
    let config = Config::load(file, environment)?;
    check_config::certificate(&config)?;
    let key_file = config::read_root_key(config.root_key_file())?;
    if let Some(warning) = check_config::exposed(&config, &key_file, environment) {
        output::complain(&warning);
    }
    let form = match asked.log_format {
        LogFormat::Text => logging::Form::Text,
        LogFormat::Json => logging::Form::Json,
    };
    gateway(&config, &key_file.key, form, (file, environment))
}

fn gateway(
    config: &Config,
    root_key: &Key,
    form: logging::Form,
    (file, environment): (&Path, &Environment),
) -> Result<(), Failure> {
    let level = logging::install(&config.log, form, environment.journal_stream.as_deref())
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    let root_key = app::root::in_force(config, root_key.clone()).map_err(stopped_failure)?;
    let ready = |gateway: &Gateway| {
        let listeners: Vec<_> = gateway.ingress().iter().map(ToString::to_string).collect();
        let state = if gateway.is_ready() { "ready" } else { "listening; notifications get 503 until it is ready" };
        tracing::info!(ingress = listeners.join(" "), "{state}");
    };
    let hang_up = || match Config::load(file, environment) {
        Ok(config) => {
            if let Err(error) = level.set(&config.log) {
                tracing::error!(%error, "the log level stays as it is; name one that is known");
            }
        }
        Err(faults) => tracing::error!(
            faults = faults.len(),
            "the configuration has faults, see check-config; the log level stays"
        ),
    };
    app::serve(config, &root_key, supervisor(environment), ready, hang_up)
        .map_err(|failure| Failure::new(exit_of(failure.kind), failure.text))
}

/// Who started the gateway; one that cannot be reached is no reason not to start.
fn supervisor(environment: &Environment) -> Supervisor {
    let Some(address) = &environment.notify_socket else { return Supervisor::none() };
    Supervisor::at(address, environment.watchdog).unwrap_or_else(|error| {
        tracing::error!(%error, "the service manager cannot be told anything; it will hold the start for failed");
        Supervisor::none()
    })
}

/// The exit code for a failure of the gateway.
pub(super) fn exit_of(kind: Kind) -> Exit {
    match kind {
        Kind::Configuration => Exit::Configuration,
        Kind::Busy => Exit::TryAgain,
        Kind::Storage => Exit::Storage,
        Kind::Listener => Exit::Failed,
        Kind::Refused => Exit::Findings,
    }
}
