//! `pulls`: what could not be fetched from Garmin, and what a person decides about it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::{
    confirm::Consent,
    exit::Failure,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
    several::each,
};

/// The commands of `pulls`.
#[derive(Debug, Subcommand)]
pub(super) enum Pulls {
    /// List the pulls that ended without data
    List {
        /// Also those that wait, run, or are being filed
        #[arg(long)]
        all: bool,
    },
    /// Try pulls again at once, while Garmin may still have the data
    Retry(Retry),
    /// Give pulls up for good
    Drop {
        /// The pulls, as listed
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

/// What to try again.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The pulls, as listed
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// Every pull that ended without data
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

/// Runs one of the commands.
pub(super) fn run(command: Pulls, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    match command {
        Pulls::List { all } => list(all, gateway, form),
        Pulls::Retry(retry) => again(&retry, gateway, form),
        Pulls::Drop { ids, consent } => remove(&ids, &consent, gateway, form),
    }
}

fn list(all: bool, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let head = ["ID", "TYPE", "STATE", "RECEIVED", "DEADLINE", "ATTEMPTS", "FOR", "LAST"];
    let pulls = every(all, gateway)?;
    let row = |pull: &Value| {
        let mut cells: Vec<String> =
            ["id", "type", "state", "received", "deadline", "attempts"].map(|member| cell(&pull[member])).to_vec();
        cells.push(whom(&pull["for"]));
        cells.push(cell(&pull["last"]));
        cells
    };
    let rows = pulls.iter().map(row).collect();
    output::list(form, &json!({ "pulls": pulls }), &head, rows)
}

/// Page after page.
fn every(all: bool, gateway: &Gateway) -> Result<Vec<Value>, Failure> {
    let resource = Resource::of(&["pulls"]).with("all", if all { "true" } else { "false" });
    Ok(gateway.list(&resource, "pulls")?["pulls"].as_array().cloned().unwrap_or_default())
}

fn again(retry: &Retry, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let ids = if retry.all {
        every(false, gateway)?.iter().map(|pull| cell(&pull["id"])).collect()
    } else {
        retry.ids.clone()
    };
    each(&ids, |id| gateway.post(&pull(id, &["retry"]), &json!({})))?;
    match form {
        Form::Json => output::thing(form, &json!({"retried": ids})),
        Form::Text => {
            output::message(&format!(
                "{} tried again; `studygate pulls list` shows what fails once more",
                counted(&ids)
            ));
            Ok(())
        }
    }
}

fn remove(ids: &[String], consent: &Consent, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let name = if let [id] = ids { id } else { "drop" };
    let reason = consent.obtain(&format!("gives {} up for good", counted(ids)), name)?;
    let body = json!({"reason": reason});
    each(ids, |id| gateway.delete(&pull(id, &[]), &body))?;
    match form {
        Form::Json => output::thing(form, &json!({"dropped": ids})),
        Form::Text => {
            output::message(&format!("{} given up", counted(ids)));
            Ok(())
        }
    }
}

fn pull(id: &str, below: &[&str]) -> Resource {
    Resource::of(&[&["pulls", id], below].concat())
}

fn whom(whom: &Value) -> String {
    let of = |one: &Value| match one["unassigned"].as_str() {
        Some(handle) => handle.to_owned(),
        None => format!("{} {}", cell(&one["study"]), cell(&one["code"])),
    };
    whom.as_array().map_or_else(String::new, |all| all.iter().map(of).collect::<Vec<_>>().join(", "))
}

fn counted(ids: &[String]) -> String {
    if ids.len() == 1 { "1 pull".to_owned() } else { format!("{} pulls", ids.len()) }
}
