//! `support-bundle`: a zip for somebody outside the site who is to help; shown before it is written.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufWriter, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::doctor;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::config::{Config, Environment};
use crate::doctor::bundle::{self, Item};
use crate::model::time::UnixSeconds;

const ANSWER_BYTES_MAX: u64 = 100;

/// The options of `support-bundle`.
#[derive(Debug, Args)]
pub(super) struct SupportBundle {
    /// Where to write it [default: studygate-support-DATE.zip in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Do not try whether Garmin's hosts can be reached
    #[arg(long)]
    offline: bool,
}

/// Shows what will be in it, asks, and writes it.
pub(super) fn run(
    asked: &SupportBundle,
    file: &Path,
    environment: &Environment,
    now: UnixSeconds,
) -> Result<(), Failure> {
    let items = match Config::load(file, environment) {
        Ok(config) => {
            let facts = doctor::facts(&config, file, environment, asked.offline)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(bundle::of_site(&config, &facts))
        }
        Err(faults) => bundle::of_faults(&faults),
    };
    let to = asked.output.clone().unwrap_or_else(|| format!("studygate-support-{}.zip", now.date()).into());
    show(&items);
    if !asked.yes {
        confirm(&to)?;
    }
    write(&items, &to)?;
    output::line(&output::harmless(&to.display().to_string()))
}

fn show(items: &[Item]) {
    output::message("The bundle holds:");
    for item in items {
        output::message(&format!("  {:19} {:>8} bytes  {}", item.name, item.bytes(), item.about));
    }
    output::message(bundle::left_out().as_str());
}

fn confirm(to: &Path) -> Result<(), Failure> {
    if !output::has_person() {
        return Err(Failure::new(Exit::Usage, "nobody can be asked whether to write the bundle; add --yes"));
    }
    output::message(&format!("Write it to {}? Type yes to go on:", output::harmless(&to.display().to_string())));
    let mut answer = String::new();
    io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "not confirmed, so nothing was written; type yes, or add --yes"))
}

fn write(items: &[Item], to: &Path) -> Result<(), Failure> {
    let shown = output::harmless(&to.display().to_string());
    let cannot = |error: &io::Error| {
        Failure::new(
            Exit::CannotCreate,
            format!("{shown} cannot be made ({}); name another file with -o", error.kind()),
        )
    };
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(|error| cannot(&error))?;
    let mut buffered = BufWriter::new(made);
    bundle::write(items, &mut buffered).map_err(|error| {
        // Half a bundle is of no use to anybody.
        let _gone = fs::remove_file(to);
        cannot(&error)
    })
}
