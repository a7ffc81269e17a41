//! `quarantine`: what was refused or could not be read, and what a person decides about it.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::{
    confirm::Consent,
    exit::{Exit, Failure},
    export::Part,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
    several::each,
};
use crate::model::quarantine::Reason;

const UNEXPECTED_FILE: &str = Reason::UnexpectedFile.name();

/// The commands of `quarantine`.
#[derive(Debug, Subcommand)]
pub(super) enum Quarantine {
    /// List the items, the oldest first
    List,
    /// Show an item's text, or what a file is; this is personal data
    Show {
        /// The item, as listed
        id: String,
        /// Write the bytes (the file, or the whole text) to this file; one that exists is left alone
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// File items again, with the time they came; one that is still refused or malformed comes back
    Retry(Retry),
    /// Destroy items for good
    Drop {
        /// The items, as listed
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

/// What to try again.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The items, as listed
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// Every item but unexpected files
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// With --all, only those that are there for this reason
    #[arg(long, value_name = "REASON", requires = "all", conflicts_with = "ids", value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::name)))]
    reason: Option<String>,
    /// Keep an unexpected file as what it was announced as
    #[arg(long, conflicts_with = "all")]
    accept: bool,
}

/// Runs one of the commands.
pub(super) fn run(command: Quarantine, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    match command {
        Quarantine::List => list(gateway, form),
        Quarantine::Show { id, output: None } => output::thing(form, &gateway.get(&item(&id, &[]))?),
        Quarantine::Show { id, output: Some(file) } => save(gateway, &id, &file, form),
        Quarantine::Retry(retry) => again(&retry, gateway, form),
        Quarantine::Drop { ids, consent } => remove(&ids, &consent, gateway, form),
    }
}

fn list(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let head = ["ID", "RECEIVED", "TYPE", "REASON", "BYTES", "STUDY", "CODE", "DETAIL"];
    let members = ["id", "received", "type", "reason", "bytes", "study", "code", "detail"];
    let answer = gateway.list(&Resource::of(&["quarantine"]), "quarantine")?;
    let row = |item: &Value| members.iter().map(|member| cell(&item[*member])).collect();
    output::list(form, &answer, &head, items(&answer).iter().map(row).collect())
}

fn save(gateway: &Gateway, id: &str, file: &Path, form: Form) -> Result<(), Failure> {
    if file.exists() {
        let text = format!("{} exists and stays as it is; name another file with -o", file.display());
        return Err(Failure::new(Exit::CannotCreate, text));
    }
    let mut download = gateway.download(&item(id, &["content"]))?;
    let mut part = Part::private(file)?;
    let mut bytes = 0;
    while let Some(piece) = gateway.next(&mut download)? {
        part.write(&piece)?;
        bytes += piece.len();
    }
    part.finish()?;
    match form {
        Form::Json => output::thing(form, &json!({"file": file, "bytes": bytes})),
        Form::Text => {
            output::message(&format!("{} ({bytes} bytes)", file.display()));
            Ok(())
        }
    }
}

fn again(retry: &Retry, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let ids = if retry.all { all(retry.reason.as_deref(), gateway)? } else { retry.ids.clone() };
    let body = json!({"accept": retry.accept});
    each(&ids, |id| gateway.post(&item(id, &["retry"]), &body))?;
    match form {
        Form::Json => output::thing(form, &json!({"retried": ids})),
        Form::Text => {
            output::message(&format!("{} sent back to be filed; what is still malformed comes back", counted(&ids)));
            Ok(())
        }
    }
}

/// Every item that needs nobody's acceptance, of this reason where one is given.
fn all(reason: Option<&str>, gateway: &Gateway) -> Result<Vec<String>, Failure> {
    if reason == Some(UNEXPECTED_FILE) {
        let text = "an unexpected file is kept by its id alone; look at it, then use retry --accept ID";
        return Err(Failure::new(Exit::Usage, text));
    }
    let answer = gateway.list(&Resource::of(&["quarantine"]), "quarantine")?;
    let is_wanted = |item: &&Value| item["reason"] != UNEXPECTED_FILE && reason.is_none_or(|it| item["reason"] == it);
    Ok(items(&answer).iter().filter(is_wanted).map(|item| cell(&item["id"])).collect())
}

fn remove(ids: &[String], consent: &Consent, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let name = if let [id] = ids { id } else { "drop" };
    let reason = consent.obtain(&format!("destroys {} of the quarantine for good", counted(ids)), name)?;
    let body = json!({"reason": reason});
    each(ids, |id| gateway.delete(&item(id, &[]), &body))?;
    match form {
        Form::Json => output::thing(form, &json!({"dropped": ids})),
        Form::Text => {
            output::message(&format!("{} destroyed", counted(ids)));
            Ok(())
        }
    }
}

fn item(id: &str, below: &[&str]) -> Resource {
    Resource::of(&[&["quarantine", id], below].concat())
}

fn items(answer: &Value) -> Vec<Value> {
    answer["quarantine"].as_array().cloned().unwrap_or_default()
}

fn counted(ids: &[String]) -> String {
    if ids.len() == 1 { "1 item".to_owned() } else { format!("{} items", ids.len()) }
}
