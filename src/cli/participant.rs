//! `participant`: who takes part, under which code, linked to which Garmin connection, and how they leave.

use std::{fmt, io, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::{
    confirm::{Consent, read_line},
    exit::{Exit, Failure},
    export::take,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
    study::{Fate, name_of},
};

/// The commands of `participant`.
#[derive(Debug, Subcommand)]
pub(super) enum Participant {
    /// Add a participant; without a code one is made
    Add(Addition),
    /// List a study's participants
    List {
        /// The study's name
        #[arg(long, value_name = "NAME")]
        study: String,
        /// Those alone of whom nothing covers the last days: so many, or as many as the study's rules say
        #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "rule")]
        silent: Option<String>,
    },
    /// Show a participant; of one who withdrew, the receipt
    Show(Who),
    /// Change a participant's window or consent; what is not named stays
    Set(Setting),
    /// Give a participant another code
    Rename {
        #[command(flatten)]
        who: Who,
        /// The new code
        #[arg(long, value_name = "CODE")]
        new_code: String,
    },
    /// Link a participant to a Garmin connection; data held for it are picked up
    Link(Linking),
    /// End a participant's link; nothing is destroyed
    Unlink {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        when: When,
        /// The link's number, where several are current
        #[arg(long, value_name = "NUMBER")]
        link: Option<u32>,
    },
    /// Collect nothing for a while
    Pause(Moment),
    /// Collect again after a pause
    Resume(Moment),
    /// Let a participant's part end; the data stay
    Complete(Moment),
    /// Write everything that is held on a participant, for the participant, encrypted
    Disclose {
        #[command(flatten)]
        who: Who,
        /// Whom it is encrypted to, as `studygate dataset keygen` prints it
        #[arg(long, value_name = "age1…")]
        recipient: String,
        /// The file to write; one that exists is left alone
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Let a participant leave: the data go as the study's rules say
    Withdraw(Withdrawal),
}

/// A participant.
#[derive(Debug, Args)]
pub(super) struct Who {
    /// The study's name
    #[arg(long, value_name = "NAME")]
    study: String,
    /// The participant's code
    #[arg(long, value_name = "CODE")]
    code: String,
}

/// A moment for something to begin or end.
#[derive(Debug, Args)]
pub(super) struct When {
    /// From when on, as a date or a time in UTC; left out: now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// A participant and a moment.
#[derive(Debug, Args)]
pub(super) struct Moment {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    when: When,
}

/// The Garmin connection to link to.
#[derive(Default, Args)]
struct Connection {
    /// The Garmin user id; "-" reads it from stdin, which keeps it out of the shell's history
    #[arg(long, value_name = "ID|-", conflicts_with = "unassigned")]
    garmin_user: Option<String>,
    /// The handle of a held connection, from `studygate unassigned list`
    #[arg(long, value_name = "HANDLE")]
    unassigned: Option<String>,
    /// The Garmin client, where the site has several
    #[arg(long, value_name = "ID", requires = "garmin_user")]
    client: Option<String>,
    /// Link a Garmin user who has left once, and takes part again: nothing of before comes back
    #[arg(long, requires = "garmin_user", requires = "reason")]
    despite_withdrawal: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", requires = "despite_withdrawal")]
    reason: Option<String>,
}

/// It may name a Garmin user: nothing of it is shown.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A window of time.
#[derive(Debug, Default, Args)]
struct Window {
    /// The first day, by the participant's own clock, or a time; with `set`, "open" takes it away
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// The last day, included; with `set`, "open" takes it away
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
}

/// The consent a participant gave.
#[derive(Debug, Default, Args)]
struct Agreement {
    /// The version of the consent document
    #[arg(long, value_name = "VERSION", requires = "consent_date")]
    consent: Option<String>,
    /// The day it was signed
    #[arg(long, value_name = "DATE", requires = "consent")]
    consent_date: Option<String>,
}

/// A participant to be.
#[derive(Debug, Args)]
pub(super) struct Addition {
    /// The study's name
    #[arg(long, value_name = "NAME")]
    study: String,
    /// The code: letters, digits, ".", "_" and "-", 32 at most
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    agreement: Agreement,
}

/// A change of a participant.
#[derive(Debug, Args)]
pub(super) struct Setting {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    agreement: Agreement,
}

/// A link to be.
#[derive(Debug, Args)]
pub(super) struct Linking {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    window: Window,
}

/// How a participant leaves.
#[derive(Debug, Args)]
pub(super) struct Withdrawal {
    #[command(flatten)]
    who: Who,
    /// What becomes of the data; left out: what the study's rules say
    #[arg(long, value_name = "FATE")]
    data: Option<Fate>,
    /// Say what would go, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end of the study's grace
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    consent: Consent,
}

/// Runs one of the commands.
pub(super) fn run(command: Participant, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let answer = match command {
        Participant::List { study, silent: None } => {
            return list(form, &gateway.list(&of_study(&study), "participants")?);
        }
        Participant::List { study, silent: Some(days) } => {
            return list_silent(form, &gateway.list(&of_study(&study).with("silent", &days), "participants")?);
        }
        Participant::Add(addition) => {
            let body = addition_body(&addition, read_user(addition.connection.garmin_user.as_deref())?);
            gateway.post(&of_study(&addition.study), &body)?
        }
        Participant::Show(who) => return show(&who, gateway, form),
        Participant::Set(setting) => gateway.patch(&at(&setting.who, &[]), &setting_body(&setting))?,
        Participant::Rename { who, new_code } => {
            gateway.post(&at(&who, &["rename"]), &json!({"new_code": new_code}))?
        }
        Participant::Link(linking) => {
            let user = read_user(linking.connection.garmin_user.as_deref())?;
            if user.is_none() && linking.connection.unassigned.is_none() {
                return Err(Failure::new(Exit::Usage, "nothing to link to; give --garmin-user or --unassigned"));
            }
            let mut body = connection_body(&linking.connection, user);
            body.extend(window_body(&linking.window));
            gateway.post(&at(&linking.who, &["link"]), &Value::Object(body))?
        }
        Participant::Unlink { who, when, link } => {
            let body = present([("at", when.at.map(Value::from)), ("link", link.map(Value::from))]);
            gateway.post(&at(&who, &["unlink"]), &Value::Object(body))?
        }
        Participant::Pause(moment) => turn(gateway, &moment, "pause")?,
        Participant::Resume(moment) => turn(gateway, &moment, "resume")?,
        Participant::Complete(moment) => turn(gateway, &moment, "complete")?,
        Participant::Disclose { who, recipient, output } => {
            let resource = at(&who, &["disclose"]).with("recipient", &recipient);
            return take(&resource, &output, gateway, form);
        }
        Participant::Withdraw(withdrawal) => withdraw(&withdrawal, gateway)?,
    };
    output::thing(form, &answer)
}

fn withdraw(withdrawal: &Withdrawal, gateway: &Gateway) -> Result<Value, Failure> {
    let Withdrawal { who, data, dry_run, now, consent } = withdrawal;
    let mut body = present([
        ("data", data.as_ref().map(name_of)),
        ("now", now.then_some(Value::Bool(true))),
        ("dry_run", dry_run.then_some(Value::Bool(true))),
    ]);
    if !dry_run {
        let what = match data {
            Some(Fate::Purge) => "destroys everything held on the participant",
            Some(Fate::Retain) => "destroys what identifies the participant; the data stay",
            None => "lets the participant leave; their data go as the study's rules say",
        };
        body.insert("reason".to_owned(), json!(consent.obtain(what, &who.code)?));
    }
    gateway.post(&at(who, &["withdraw"]), &Value::Object(body))
}

/// A participant; for people the page of the receipt, where there is one.
fn show(who: &Who, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let answer = gateway.get(&at(who, &[]))?;
    if form == Form::Text && answer["receipt"].is_object() {
        let page = gateway.get(&at(who, &["receipt"]))?;
        return output::line(page["page"].as_str().unwrap_or_default().trim_end());
    }
    output::thing(form, &answer)
}

fn turn(gateway: &Gateway, moment: &Moment, verb: &str) -> Result<Value, Failure> {
    let body = present([("at", moment.when.at.clone().map(Value::from))]);
    gateway.post(&at(&moment.who, &[verb]), &Value::Object(body))
}

fn of_study(study: &str) -> Resource {
    Resource::of(&["studies", study, "participants"])
}

fn at(who: &Who, rest: &[&str]) -> Resource {
    Resource::of(&[&["studies", &who.study, "participants", &who.code], rest].concat())
}

fn list_silent(form: Form, answer: &Value) -> Result<(), Failure> {
    let participants = answer["participants"].as_array().cloned().unwrap_or_default();
    let members = ["code", "silent_since", "last_seen"];
    let row = |one: &Value| members.iter().map(|member| cell(&one[*member])).collect();
    output::list(form, answer, &["CODE", "SILENT SINCE", "LAST SEEN"], participants.iter().map(row).collect())
}

fn list(form: Form, answer: &Value) -> Result<(), Failure> {
    let participants = answer["participants"].as_array().cloned().unwrap_or_default();
    let row = |participant: &Value| {
        let links = participant["links"].as_array().cloned().unwrap_or_default();
        let current = links.iter().filter(|link| link["current"] == true).count();
        let text = |name: &str| cell(&participant[name]);
        vec![text("code"), text("state"), current.to_string(), text("from"), text("to"), text("added")]
    };
    let head = ["CODE", "STATE", "LINKS", "FROM", "TO", "ADDED"];
    output::list(form, answer, &head, participants.iter().map(row).collect())
}

/// The Garmin user named on the command line, or on stdin for "-".
fn read_user(named: Option<&str>) -> Result<Option<String>, Failure> {
    let Some("-") = named else { return Ok(named.map(ToOwned::to_owned)) };
    if output::has_person() {
        output::message("Garmin user id:");
    }
    let user = read_line(&mut io::stdin().lock())?;
    if user.is_empty() {
        return Err(Failure::new(Exit::Usage, "stdin held no Garmin user id; type it or pipe it in"));
    }
    Ok(Some(user))
}

fn addition_body(addition: &Addition, user: Option<String>) -> Value {
    let mut body = present([("code", addition.code.clone().map(Value::from))]);
    body.extend(connection_body(&addition.connection, user));
    body.extend(window_body(&addition.window));
    body.extend(agreement_body(&addition.agreement));
    Value::Object(body)
}

fn setting_body(setting: &Setting) -> Value {
    let open = |text: &str| if text == "open" { Value::Null } else { json!(text) };
    let mut body =
        present([("from", setting.window.from.as_deref().map(open)), ("to", setting.window.to.as_deref().map(open))]);
    body.extend(agreement_body(&setting.agreement));
    Value::Object(body)
}

fn connection_body(connection: &Connection, user: Option<String>) -> Map<String, Value> {
    present([
        ("garmin_user", user.map(Value::from)),
        ("unassigned", connection.unassigned.clone().map(Value::from)),
        ("client", connection.client.clone().map(Value::from)),
        ("despite_withdrawal", connection.despite_withdrawal.then_some(Value::Bool(true))),
        ("reason", connection.reason.clone().map(Value::from)),
    ])
}

fn window_body(window: &Window) -> Map<String, Value> {
    present([("from", window.from.clone().map(Value::from)), ("to", window.to.clone().map(Value::from))])
}

fn agreement_body(agreement: &Agreement) -> Map<String, Value> {
    let both = agreement.consent.as_ref().zip(agreement.consent_date.as_ref());
    present([("consent", both.map(|(version, date)| json!({"version": version, "date": date})))])
}

/// The members that have a value.
fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
}
