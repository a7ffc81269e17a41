//! `doctor`: findings about a site with their remedies, or what its network has to allow.

use std::path::Path;

use clap::Args;
use serde_json::json;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, Form};
use crate::clock::kept::KeptClock;
use crate::config::{Config, Environment};
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Severity, count};
use crate::doctor::firewall;
use crate::doctor::judge::findings;
use crate::doctor::look::{Asked, look};

/// The options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Changes nothing, and works with the gateway up or down. A problem is what does not work, or
endangers data or keys, a site whose gateway is down among them; a warning is what somebody should
see to. Exit code: 3 where there is a problem, else 0, whatever the warnings. What you may not look
at is a note: run it as root.

Garmin signs nothing, so that the findings review_* count whatever was sent to this gateway,
by `studygate simulate`, too.")]
pub(super) struct Doctor {
    /// Print what the site's network has to allow: hosts, ports, directions
    #[arg(long, conflicts_with = "offline")]
    firewall: bool,
    /// Do not try whether Garmin's hosts can be reached
    #[arg(long)]
    offline: bool,
}

/// Prints the findings, or the table for the firewall.
pub(super) fn run(asked: &Doctor, file: &Path, environment: &Environment, form: Form) -> Result<(), Failure> {
    let config = Config::load(file, environment)?;
    if asked.firewall {
        return print_firewall(&config, form);
    }
    let found = findings(&facts(&config, file, environment, asked.offline)?);
    print(&found, form)?;
    let (problems, warnings) = count(&found);
    match problems {
        0 => {
            output::message(&format!("no problem, {warnings} warnings"));
            Ok(())
        }
        _ => Err(Failure::new(
            Exit::Findings,
            format!("{problems} problems, {warnings} warnings; do what each line says"),
        )),
    }
}

/// What there is to see.
pub(super) fn facts(config: &Config, file: &Path, environment: &Environment, offline: bool) -> Result<Facts, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = KeptClock::default();
    Ok(runtime.block_on(look(&Asked { config: (config, file), environment, clock: &clock, offline })))
}

/// The worst first; of one severity in the order in which a person looks.
fn print(found: &[Finding], form: Form) -> Result<(), Failure> {
    let mut sorted: Vec<_> = found.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if form == Form::Json {
        let (problems, warnings) = count(found);
        let found: Vec<_> = sorted.iter().map(|finding| finding.json()).collect();
        return output::thing(form, &json!({ "problems": problems, "warnings": warnings, "findings": found }));
    }
    let mut text = String::new();
    let widest = found.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    for finding in sorted {
        let Finding { check, severity, says, remedy } = finding;
        text.push_str(&format!("{:8} {check:widest$}  {}\n", severity.name(), output::harmless(&says.to_string())));
        if let Some(remedy) = remedy.as_ref().filter(|_| *severity > Severity::Ok) {
            text.push_str(&format!("{:8} {:widest$}  → {}\n", "", "", output::harmless(&remedy.to_string())));
        }
    }
    output::lines(&text)
}

fn print_firewall(config: &Config, form: Form) -> Result<(), Failure> {
    let rows = firewall::rows(config, &firewall::name_servers());
    let answer = json!({ "rows": rows.iter().map(firewall::Row::json).collect::<Vec<_>>() });
    let cells = rows.iter().map(|row| row.cells().to_vec()).collect();
    output::list(form, &answer, &["DIRECTION", "FROM", "TO", "PORT", "FOR"], cells)
}
