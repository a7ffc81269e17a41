//! `purges`: what is about to be destroyed, and what a person decides about it.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::{
    confirm::Consent,
    exit::Failure,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
    several::each,
};

/// The commands of `purges`.
#[derive(Debug, Subcommand)]
pub(super) enum Purges {
    /// List the purges that wait or are under way
    List {
        /// Also those that are done or were rejected
        #[arg(long)]
        all: bool,
    },
    /// Let purges that wait begin now
    Confirm(Which),
    /// Undo purges that wait: the participants take part as before
    Reject(Which),
}

/// Which purges, and why.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The purges, as listed
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    consent: Consent,
}

/// Runs one of the commands.
pub(super) fn run(command: Purges, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    match command {
        Purges::List { all } => list(all, gateway, form),
        Purges::Confirm(which) => decide(&which, "destroys what the study's policy says", "confirm", gateway, form),
        Purges::Reject(which) => decide(&which, "undoes the withdrawal; collection goes on", "reject", gateway, form),
    }
}

fn list(all: bool, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let answer = gateway.list(&Resource::of(&["purges"]).with("all", if all { "true" } else { "false" }), "purges")?;
    let columns = [
        ("ID", "id"),
        ("STUDY", "study"),
        ("CODE", "code"),
        ("STATE", "state"),
        ("DATA", "data"),
        ("STARTED BY", "started_by"),
        ("REQUESTED", "requested"),
        ("WAITS FOR", "waits_for"),
        ("PURGE AT", "purge_at"),
        ("BODIES PENDING", "bodies_pending"),
    ];
    let purges = answer["purges"].as_array().cloned().unwrap_or_default();
    let rows = purges.iter().map(|purge| columns.map(|(_, member)| cell(&purge[member])).to_vec()).collect();
    output::list(form, &answer, &columns.map(|(head, _)| head), rows)
}

fn decide(which: &Which, what: &str, verb: &str, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let name = if let [only] = which.ids.as_slice() { only } else { verb };
    let reason = which.consent.obtain(what, name)?;
    let body = json!({ "reason": reason });
    each(&which.ids, |id| gateway.post(&Resource::of(&["purges", id, verb]), &body))?;
    match form {
        Form::Json => output::thing(form, &json!({ format!("{verb}ed"): which.ids })),
        Form::Text => {
            output::message(&format!("{} {verb}ed", counted(&which.ids)));
            Ok(())
        }
    }
}

fn counted(ids: &[String]) -> String {
    if ids.len() == 1 { "1 purge".to_owned() } else { format!("{} purges", ids.len()) }
}
