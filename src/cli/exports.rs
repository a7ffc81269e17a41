//! `exports`: the register of what was handed out.

use clap::Subcommand;
use serde_json::Value;

use crate::cli::{
    exit::Failure,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
};

/// The commands of `exports`.
#[derive(Debug, Subcommand)]
pub(super) enum Exports {
    /// List the exports that were handed out
    List {
        /// Of this study alone
        #[arg(long, value_name = "NAME")]
        study: Option<String>,
    },
    /// Show an export: its terms, and whose codes are in it
    Show {
        /// The study's name
        #[arg(long, value_name = "NAME")]
        study: String,
        /// The export's number
        #[arg(value_name = "N")]
        number: u32,
    },
}

/// Runs one of the commands.
pub(super) fn run(command: Exports, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    match command {
        Exports::List { study } => list(study.as_deref(), gateway, form),
        Exports::Show { study, number } => {
            let answer = gateway.get(&Resource::of(&["exports", &study, &number.to_string()]))?;
            output::thing(form, &answer)
        }
    }
}

fn list(study: Option<&str>, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let answer = gateway.list(&Resource::of(&["exports"]).with_some("study", study), "exports")?;
    let exports = answer["exports"].as_array().cloned().unwrap_or_default();
    let row = |export: &Value| {
        let text = |name: &str| cell(&export[name]);
        let digest = text("manifest_sha256").chars().take(16).collect();
        vec![text("study"), text("number"), text("made"), what(export), text("participants"), text("by"), digest]
    };
    let head = ["STUDY", "NUMBER", "MADE", "WHAT", "PARTICIPANTS", "BY", "MANIFEST"];
    output::list(form, &answer, &head, exports.iter().map(row).collect())
}

/// In a few words, what the export is.
fn what(export: &Value) -> String {
    let mut words = if export["increment"] == true {
        format!("since {}", cell(&export["changes_since"]))
    } else {
        "whole".to_owned()
    };
    if !export["as_of"].is_null() {
        words = format!("{} again, {words}", cell(&export["as_of"]));
    }
    if export["some_participants"] == true {
        words.push_str(", some participants");
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn export_is_named_in_a_few_words() {
        let check = |export: Value, expected: &str| assert_eq!(what(&export), expected);
        check(json!({"number": 1}), "whole");
        check(json!({"increment": true, "changes_since": 3, "as_of": null}), "since 3");
        check(json!({"increment": false, "as_of": 2, "some_participants": true}), "2 again, whole, some participants");
    }
}
