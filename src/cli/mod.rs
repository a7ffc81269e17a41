//! The command line: one command per file, each a few lines over the gateway's API or the modules below.
//!
//! What a person at another machine needs is built for every system; the gateway itself, and what is done beside it, for
//! Linux.
//!
//! Never: personal data in a message; an error that does not say what to do.

#[cfg(target_os = "linux")]
mod audit;
#[cfg(target_os = "linux")]
mod backup;
#[cfg(target_os = "linux")]
mod check_config;
mod completions;
mod confirm;
mod coverage;
#[cfg(target_os = "linux")]
mod credential;
mod dataset;
#[cfg(target_os = "linux")]
mod demo;
#[cfg(target_os = "linux")]
mod doctor;
#[cfg(target_os = "linux")]
mod escrow;
mod exit;
mod export;
mod exports;
mod gateway;
#[cfg(target_os = "linux")]
mod init;
#[cfg(target_os = "linux")]
mod keys;
mod listing;
#[cfg(target_os = "linux")]
mod manual;
mod meter;
mod output;
mod participant;
mod pulls;
mod purges;
mod quarantine;
#[cfg(target_os = "linux")]
mod receipt;
mod remote;
mod resource;
#[cfg(target_os = "linux")]
mod restore;
#[cfg(target_os = "linux")]
mod serve;
mod several;
mod signals;
#[cfg(target_os = "linux")]
mod simulate;
mod study;
#[cfg(target_os = "linux")]
mod support_bundle;
mod token;

#[cfg(target_os = "linux")]
use std::path::{Path, PathBuf};
use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
#[cfg(target_os = "linux")]
use ring::rand::SystemRandom;

use crate::cli::{
    coverage::Style,
    exit::{Exit, Failure},
    gateway::Gateway,
    output::Form,
    remote::Elsewhere,
};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Environment;
#[cfg(target_os = "linux")]
use crate::config::{Config, default_file};

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 a check found problems, 4 not found,
69 gateway not reachable, 73 cannot create, 74 disk or store failed, 75 try again later,
78 configuration.";

/// Takes Garmin notifications in, gives encrypted pseudonymous datasets out
#[derive(Debug, Parser)]
#[command(name = "studygate", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Arguments {
    #[cfg(target_os = "linux")]
    /// The configuration; else $STUDYGATE_CONFIG, else /etc/studygate/studygate.toml
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true, display_order = 901)]
    json: bool,
    #[command(flatten)]
    elsewhere: Elsewhere,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(target_os = "linux")]
    /// Run the gateway in the foreground
    Serve(serve::Serve),
    #[cfg(target_os = "linux")]
    /// Make a complete trial site in a new folder; with --system, set this machine up as a real one
    Init(Box<init::Init>),
    #[cfg(target_os = "linux")]
    /// Show the whole job on loopback: no key, account or network needed
    Demo(demo::Demo),
    #[cfg(target_os = "linux")]
    /// Play Garmin's side towards a gateway: made-up users, and a ledger of what was sent
    Simulate(Box<simulate::Simulate>),
    #[cfg(target_os = "linux")]
    /// Say what is wrong with the configuration, or "ok"
    CheckConfig,
    #[cfg(target_os = "linux")]
    /// Say what is amiss with this site, and what to do about it
    Doctor(doctor::Doctor),
    #[cfg(target_os = "linux")]
    /// Write what somebody outside needs to help, without anything that the site named itself
    SupportBundle(support_bundle::SupportBundle),
    /// Show how the running gateway is
    Status,
    /// What lies in the store
    #[command(subcommand)]
    Store(listing::Store),
    /// Studies and their rules
    #[command(subcommand)]
    Study(study::Study),
    /// Participants and their Garmin connections
    #[command(subcommand)]
    Participant(participant::Participant),
    /// Data of connections that no participant is linked to
    #[command(subcommand)]
    Unassigned(listing::Unassigned),
    /// Items that were refused or cannot be read
    #[command(subcommand)]
    Quarantine(quarantine::Quarantine),
    /// What is fetched from Garmin after a ping, and what could not be
    #[command(subcommand)]
    Pulls(pulls::Pulls),
    /// Purges that wait for time or for a person
    #[command(subcommand)]
    Purges(purges::Purges),
    /// Show what came of each participant, day by day
    Coverage(coverage::Coverage),
    /// Write a study's encrypted dataset
    Export(export::Export),
    /// What was handed out: the register of all exports
    #[command(subcommand)]
    Exports(exports::Exports),
    /// Datasets, anywhere: no gateway needed
    #[command(subcommand)]
    Dataset(dataset::Dataset),
    #[cfg(target_os = "linux")]
    /// Receipts of purges, anywhere: no gateway needed
    #[command(subcommand)]
    Receipt(receipt::Receipt),
    /// Keys to the API over HTTPS
    #[command(subcommand)]
    Token(token::Token),
    #[cfg(target_os = "linux")]
    /// Who did what, and whether the log that says so is whole
    #[command(subcommand)]
    Audit(audit::Audit),
    #[cfg(target_os = "linux")]
    /// Everything the gateway holds, in one file
    #[command(subcommand)]
    Backup(backup::Backup),
    #[cfg(target_os = "linux")]
    /// Restore a backup into an empty data directory; the gateway must not run
    Restore(restore::Restore),
    #[cfg(target_os = "linux")]
    /// The site's keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Print what a shell needs to complete these commands
    Completions {
        /// The shell
        shell: completions::For,
    },
    #[cfg(target_os = "linux")]
    /// Write the manual pages below a folder
    #[command(hide = true)]
    Manual {
        /// The folder; man1 and man5 are made in it
        dir: PathBuf,
    },
}

impl Command {
    /// Whether it is one of those that ask a running gateway, wherever that is.
    fn speaks_to_a_gateway(&self) -> bool {
        match self {
            Self::Status
            | Self::Store(_)
            | Self::Study(_)
            | Self::Participant(_)
            | Self::Unassigned(_)
            | Self::Quarantine(_)
            | Self::Pulls(_)
            | Self::Purges(_)
            | Self::Coverage(_)
            | Self::Export(_)
            | Self::Exports(_)
            | Self::Token(_) => true,
            Self::Dataset(_) | Self::Completions { .. } => false,
            #[cfg(target_os = "linux")]
            Self::Audit(audit::Audit::List(_))
            | Self::Backup(
                backup::Backup::List | backup::Backup::Create { .. } | backup::Backup::PurgeLog { .. },
            )
            | Self::Keys(keys::Keys::Show) => true,
            #[cfg(target_os = "linux")]
            Self::Audit(audit::Audit::Verify(asked)) => asked.copy.is_none(),
            #[cfg(target_os = "linux")]
            Self::Serve(_)
            | Self::Init(_)
            | Self::Demo(_)
            | Self::Simulate(_)
            | Self::CheckConfig
            | Self::Doctor(_)
            | Self::SupportBundle(_)
            | Self::Receipt(_)
            | Self::Restore(_)
            | Self::Manual { .. }
            | Self::Backup(backup::Backup::Verify { .. })
            // The root key stays on the gateway's own machine.
            | Self::Keys(keys::Keys::Rotate(_) | keys::Keys::Escrow(_)) => false,
        }
    }
}

/// Runs the command line of this process; every failure has been told on stderr.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.text);
            failure.exit.into()
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let form = if arguments.json { Form::Json } else { Form::Text };
    let environment = &Environment::read();
    #[cfg(target_os = "linux")]
    let named = arguments.config;
    #[cfg(target_os = "linux")]
    let file = default_file(named.clone(), environment);
    let remote = arguments.elsewhere.remote()?;
    if remote.is_some() && !arguments.command.speaks_to_a_gateway() {
        let text = "this command does not speak to a gateway on another machine; leave --url out";
        return Err(Failure::new(Exit::Usage, text));
    }
    #[cfg(target_os = "linux")]
    let is_remote = remote.is_some();
    let remote = std::cell::RefCell::new(remote);
    let running = || match remote.take() {
        Some(remote) => Gateway::remote(remote),
        #[cfg(target_os = "linux")]
        None => Gateway::at(&socket(named.as_deref(), &file, environment)?),
        #[cfg(not(target_os = "linux"))]
        None => Err(Failure::new(Exit::Usage, "name the gateway with --url, and your token's file with --token-file")),
    };
    match arguments.command {
        #[cfg(target_os = "linux")]
        Command::Serve(asked) => serve::run(&asked, &file, environment),
        #[cfg(target_os = "linux")]
        Command::Init(asked) => init::run(&asked, form, &SystemRandom::new(), SystemClock.now()),
        #[cfg(target_os = "linux")]
        Command::Demo(asked) => demo::run(&asked),
        #[cfg(target_os = "linux")]
        Command::Simulate(simulate) => simulate::run(&simulate),
        #[cfg(target_os = "linux")]
        Command::CheckConfig => check_config::run(&file, environment, SystemClock.now()),
        #[cfg(target_os = "linux")]
        Command::Doctor(asked) => doctor::run(&asked, &file, environment, form),
        #[cfg(target_os = "linux")]
        Command::SupportBundle(asked) => support_bundle::run(&asked, &file, environment, SystemClock.now()),
        Command::Status => listing::status(&running()?, form),
        Command::Store(listing::Store::Info) => listing::store(&running()?, form),
        Command::Study(command) => study::run(command, &running()?, form),
        Command::Participant(command) => participant::run(command, &running()?, form),
        Command::Unassigned(listing::Unassigned::List) => listing::unassigned(&running()?, form),
        Command::Quarantine(command) => quarantine::run(command, &running()?, form),
        Command::Pulls(command) => pulls::run(command, &running()?, form),
        Command::Purges(command) => purges::run(command, &running()?, form),
        #[cfg(target_os = "linux")]
        Command::Receipt(command) => receipt::run(command, form),
        Command::Dataset(command) => dataset::run(command, form, SystemClock.now()),
        #[cfg(target_os = "linux")]
        Command::Audit(audit::Audit::List(asked)) => audit::list(&asked, &running()?, form),
        #[cfg(target_os = "linux")]
        Command::Audit(audit::Audit::Verify(asked)) => match &asked.copy {
            Some(copy) => audit::verify_copy(&asked, copy, form),
            None if is_remote => audit::verify_running(&running()?, form),
            None => up_or_down(
                || audit::verify_running(&running()?, form),
                || audit::verify_at_rest(&Config::load(&file, environment)?, form),
            ),
        },
        Command::Token(command) => token::run(command, &running()?, form),
        #[cfg(target_os = "linux")]
        Command::Keys(keys::Keys::Show) if is_remote => keys::show_running(&running()?, form),
        #[cfg(target_os = "linux")]
        Command::Keys(keys::Keys::Show) => up_or_down(
            || keys::show_running(&running()?, form),
            || keys::show_at_rest(&Config::load(&file, environment)?, form),
        ),
        #[cfg(target_os = "linux")]
        Command::Backup(command) => match command {
            backup::Backup::Create { file } => backup::take(&file, &["backups", "new"], &running()?, form),
            backup::Backup::PurgeLog { file } => backup::take(&file, &["backups", "purge-log"], &running()?, form),
            backup::Backup::List => backup::list(&running()?, form),
            backup::Backup::Verify { file: named, root_key } => {
                backup::verify_file(&named, root_key.as_deref(), (&file, environment), form)
            }
        },
        #[cfg(target_os = "linux")]
        Command::Restore(asked) => restore::run(asked, &Config::load(&file, environment)?, form),
        Command::Exports(command) => exports::run(command, &running()?, form),
        #[cfg(target_os = "linux")]
        Command::Keys(keys::Keys::Rotate(asked)) => keys::rotate(&asked, &running()?, form, &SystemRandom::new()),
        #[cfg(target_os = "linux")]
        Command::Keys(keys::Keys::Escrow(command)) => {
            escrow::run(command, &running()?, form, &|| Ok(Config::load(&file, environment)?), SystemClock.now())
        }
        Command::Coverage(asked) => {
            let style = Style { color: output::is_seen() && !environment.no_color, utf8: environment.utf8 };
            coverage::run(&asked, &running()?, form, style)
        }
        Command::Export(export) => export::run(&export, &running()?, form),
        Command::Completions { shell } => completions::run(shell, Arguments::command()),
        #[cfg(target_os = "linux")]
        Command::Manual { dir } => manual::run(&dir, Arguments::command()),
    }
}

#[cfg(target_os = "linux")]
/// What the running gateway does, or what is done in its place where none runs.
fn up_or_down(
    up: impl FnOnce() -> Result<(), Failure>,
    down: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    match up() {
        Err(failure) if failure.exit == Exit::Unreachable => down(),
        done => done,
    }
}

#[cfg(target_os = "linux")]
/// The socket of the running gateway; where no file was named and none is there, the packaged place.
fn socket(named: Option<&Path>, file: &Path, environment: &Environment) -> Result<PathBuf, Failure> {
    let nothing_named = named.is_none() && environment.config.is_none();
    if nothing_named && !file.exists() {
        return Ok(Config::default().local.socket);
    }
    Ok(Config::load(file, environment)?.local.socket)
}

/// Help and version as asked for, or what is wrong with the command line.
fn explain(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match output::line(text.trim_end()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.exit.into(),
        };
    }
    let text = text.strip_prefix("error: ").map_or(text.clone(), |rest| format!("studygate: {rest}"));
    output::message(text.trim_end());
    Exit::Usage.into()
}
