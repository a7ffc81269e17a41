//! The whole job on loopback: a gateway in a folder, studies, simulated participants, pushes and pulls over HTTPS,
//! a dataset opened.
//!
//! Never: a way into the gateway that its users do not have; an address outside this machine.

mod site;
mod story;

use std::path::Path;

use serde_json::Value;

/// What a demo showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of each dataset: its title, the head of its table, the table's rows.
    pub datasets: Vec<Opened>,
}

/// A dataset that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Study, number and who signed it.
    pub title: String,
    /// File, rows and bytes of every table with rows; all activity files in one line.
    pub rows: Vec<Vec<String>>,
}

/// Why the demo ended early: one sentence.
pub type Failure = String;

/// Runs the demo in this empty folder; `tell` gets a line for every step.
pub fn run(dir: &Path, tell: &mut dyn FnMut(&str)) -> Result<Report, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|cause| cause.to_string())?;
    runtime.block_on(story::tell(dir, tell))
}

/// A member of an answer as text; empty where it is none.
fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer.get(member).and_then(Value::as_str).unwrap_or_default()
}
