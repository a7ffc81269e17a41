//! `study`: what is studied, by whom its datasets can be opened, and the rules its data follow.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::{
    confirm::Consent,
    exit::Failure,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
};

/// The commands of `study`.
#[derive(Debug, Subcommand)]
pub(super) enum Study {
    /// Add a study
    Add(Change),
    /// List the studies
    List,
    /// Show a study with its rules
    Show {
        /// The study's name
        name: String,
    },
    /// Change a study's recipients or rules; what is not named stays
    Set(Change),
    /// Let a study take no more participants and no change of its rules
    Lock {
        /// The study's name
        name: String,
    },
    /// End a study: it takes nothing more
    Close(Close),
}

/// A study's name, recipients and rules.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// The study's name: letters, digits, ".", "_" and "-", 32 at most
    name: String,
    /// Who can open its datasets: an age public key; repeat it for more (with `set`, these replace the ones before)
    #[arg(long = "recipient", value_name = "age1…")]
    recipients: Vec<String>,
    #[command(flatten)]
    rules: Rules,
}

/// The rules as flags; contract §1.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Rules")]
struct Rules {
    /// Summary types to collect: "all", or names with commas between
    #[arg(long, value_name = "all|a,b,…")]
    types: Option<String>,
    /// What a participant's deregistration at Garmin does to the data
    #[arg(long, value_name = "FATE")]
    on_deregistration: Option<Fate>,
    /// Days between a deregistration and its purge, 0d to 30d
    #[arg(long, value_name = "DAYS", value_parser = days)]
    grace: Option<u16>,
    /// Positions
    #[arg(long, value_name = "RULE")]
    location: Option<Location>,
    /// Names and descriptions of activities, titles of pregnancies
    #[arg(long, value_name = "RULE")]
    names: Option<Keep>,
    /// FIT, TCX and GPX files; they hold positions, so that "keep" needs "--location keep"
    #[arg(long, value_name = "RULE")]
    files: Option<Keep>,
    /// Device names
    #[arg(long, value_name = "RULE")]
    devices: Option<Keep>,
    /// Pregnancy fields, and what tells of a pregnancy in others
    #[arg(long, value_name = "RULE")]
    pregnancy: Option<Keep>,
    /// Fields and types that this version does not know, in datasets
    #[arg(long, value_name = "RULE")]
    unknown: Option<Keep>,
    /// Dates in datasets; "shift" moves each participant's by weeks, needs "--files drop --unknown drop", and is decided
    /// before the first export
    #[arg(long, value_name = "RULE")]
    dates: Option<Dates>,
    /// Do not even store what the rules drop
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    minimise: Option<bool>,
    /// The day the data are due to be deleted, or "never"
    #[arg(long, value_name = "DATE")]
    retain_until: Option<String>,
    /// Days without data after which a participant counts as silent
    #[arg(long, value_name = "DAYS", value_parser = days)]
    silent_after: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Fate {
    Purge,
    Retain,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Keep {
    Keep,
    Drop,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Location {
    Drop,
    Coarse,
    Keep,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dates {
    Keep,
    Shift,
}

/// How a study ends.
#[derive(Debug, Args)]
pub(super) struct Close {
    /// The study's name
    name: String,
    /// What becomes of its data
    #[arg(long, value_name = "FATE")]
    data: ClosedData,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClosedData {
    Keep,
    Purge,
}

/// Runs one of the commands.
pub(super) fn run(command: Study, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let studies = Resource::of(&["studies"]);
    let answer = match command {
        Study::List => return list(form, &gateway.list(&studies, "studies")?),
        Study::Show { name } => gateway.get(&at(&name, &[]))?,
        Study::Add(change) => gateway.post(&studies, &addition(&change))?,
        Study::Set(change) => {
            let mut answer = gateway.patch(&at(&change.name, &[]), &alteration(&change))?;
            if form == Form::Text {
                let notes = answer.as_object_mut().and_then(|members| members.remove("notes"));
                notes.iter().flat_map(Value::as_array).flatten().for_each(|note| output::message(&cell(note)));
            }
            answer
        }
        Study::Lock { name } => gateway.post(&at(&name, &["lock"]), &json!({}))?,
        Study::Close(close) => {
            let what = match close.data {
                ClosedData::Keep => "closes the study for good; its data stay",
                ClosedData::Purge => "closes the study for good and destroys all its data",
            };
            let reason = close.consent.obtain(what, &close.name)?;
            let body = json!({"data": name_of(&close.data), "reason": reason});
            gateway.post(&at(&close.name, &["close"]), &body)?
        }
    };
    output::thing(form, &answer)
}

fn at(study: &str, rest: &[&str]) -> Resource {
    Resource::of(&[&["studies", study], rest].concat())
}

fn list(form: Form, answer: &Value) -> Result<(), Failure> {
    let head = ["NAME", "STATE", "ACTIVE", "PAUSED", "COMPLETED", "WITHDRAWN", "RECIPIENTS", "RULES", "EXPORTS"];
    let studies = answer["studies"].as_array().cloned().unwrap_or_default();
    let row = |study: &Value| {
        let people = |state: &str| cell(&study["participants"][state]);
        vec![
            cell(&study["name"]),
            cell(&study["state"]),
            people("active"),
            people("paused"),
            people("completed"),
            people("withdrawn"),
            study["recipients"].as_array().map_or(0, Vec::len).to_string(),
            format!("v{}", cell(&study["rules_version"])),
            cell(&study["exports"]),
        ]
    };
    output::list(form, answer, &head, studies.iter().map(row).collect())
}

fn addition(change: &Change) -> Value {
    json!({"name": change.name, "recipients": change.recipients, "rules": rules(&change.rules)})
}

fn alteration(change: &Change) -> Value {
    let mut body = Map::new();
    if !change.recipients.is_empty() {
        body.insert("recipients".to_owned(), json!(change.recipients));
    }
    let rules = rules(&change.rules);
    if !rules.is_empty() {
        body.insert("rules".to_owned(), Value::Object(rules));
    }
    Value::Object(body)
}

/// The rules that flags name, by the API's names.
fn rules(rules: &Rules) -> Map<String, Value> {
    let types = rules.types.as_deref().map(|types| match types {
        "all" => json!([]),
        names => json!(names.split(',').map(str::trim).collect::<Vec<_>>()),
    });
    let retain_until = rules.retain_until.as_deref().map(|day| match day {
        "never" => Value::Null,
        day => json!(day),
    });
    let named = [
        ("types", types),
        ("on_deregistration", rules.on_deregistration.as_ref().map(name_of)),
        ("grace_days", rules.grace.map(Value::from)),
        ("location", rules.location.as_ref().map(name_of)),
        ("names", rules.names.as_ref().map(name_of)),
        ("files", rules.files.as_ref().map(name_of)),
        ("devices", rules.devices.as_ref().map(name_of)),
        ("pregnancy", rules.pregnancy.as_ref().map(name_of)),
        ("unknown", rules.unknown.as_ref().map(name_of)),
        ("dates", rules.dates.as_ref().map(name_of)),
        ("minimise", rules.minimise.map(Value::from)),
        ("retain_until", retain_until),
        ("silent_after_days", rules.silent_after.map(Value::from)),
    ];
    named.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
}

/// The value as it is typed, which is as the API has it.
pub(super) fn name_of<V: ValueEnum>(value: &V) -> Value {
    value.to_possible_value().map_or(Value::Null, |possible| json!(possible.get_name()))
}

fn days(text: &str) -> Result<u16, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    number.parse().map_err(|_| "write a number of days, such as 3d".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        change: Change,
    }

    fn change(line: &str) -> Change {
        Line::try_parse_from(std::iter::once("set").chain(line.split(' '))).expect("a line").change
    }

    #[test]
    fn rules_go_out_by_the_names_of_the_api() {
        let line =
            "A --recipient age1x --types dailies,epochs --grace 7d --location coarse --minimise --retain-until never";
        assert_eq!(
            alteration(&change(line)),
            json!({"recipients": ["age1x"], "rules": {"types": ["dailies", "epochs"], "grace_days": 7,
                   "location": "coarse", "minimise": true, "retain_until": null}})
        );
    }

    #[test]
    fn change_of_nothing_sends_nothing() {
        assert_eq!(alteration(&change("A")), json!({}));
        assert_eq!(
            alteration(&change("A --types all --minimise=false")),
            json!({"rules": {"types": [], "minimise": false}})
        );
    }
}
