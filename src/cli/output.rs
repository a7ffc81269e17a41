//! What a command prints: data on stdout as a table, as `name: value` lines or as JSON; messages on stderr.
//!
//! Never: a control character that came from outside, which a terminal would obey.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::cli::exit::Failure;
use crate::config::Environment;
#[cfg(target_os = "linux")]
use crate::telemetry::logging;

/// How data are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// As the gateway's API has it.
    Json,
}

/// Prints a line of data.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    write_out(&format!("{text}\n"))
}

/// Prints one thing: `name: value` lines, or its JSON.
pub(super) fn thing(form: Form, value: &Value) -> Result<(), Failure> {
    match form {
        Form::Json => json(value),
        Form::Text => write_out(&described(value)),
    }
}

/// Prints a list: a table with these columns, or the answer's JSON.
pub(super) fn list(form: Form, answer: &Value, head: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    match form {
        Form::Json => json(answer),
        Form::Text => write_out(&table(head, &rows)),
    }
}

#[cfg(target_os = "linux")]
/// Prints a table.
pub(super) fn rows(head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    write_out(&table(head, rows))
}

/// A message on stderr.
pub(super) fn message(text: &str) {
    // A message that cannot be written has nobody to tell.
    if writeln!(io::stderr().lock(), "{text}").is_err() {}
}

/// A failure on stderr, each of its sentences with the program's name before it; as an error where the journal of
/// systemd reads it.
pub(super) fn complain(text: &str) {
    let priority = if is_journal() { "<3>" } else { "" };
    for sentence in text.lines() {
        message(&format!("{priority}studygate: {}", harmless(sentence)));
    }
}

#[cfg(target_os = "linux")]
fn is_journal() -> bool {
    Environment::read().journal_stream.is_some_and(|stream| logging::stderr_is_journal(&stream))
}

#[cfg(not(target_os = "linux"))]
const fn is_journal() -> bool {
    false
}

/// Whether a terminal is not to be given control characters.
pub(super) fn is_plain() -> bool {
    Environment::read().no_color
}

/// Prints text that consists of whole lines.
pub(super) fn lines(text: &str) -> Result<(), Failure> {
    write_out(text)
}

/// Whether a person sees stdout.
pub(super) fn is_seen() -> bool {
    io::stdout().is_terminal()
}

/// Whether a person sees stderr and may answer on stdin.
pub(super) fn has_person() -> bool {
    io::stderr().is_terminal() && io::stdin().is_terminal()
}

/// A value of an answer as a cell: text as it is, nothing for null.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        Value::Object(members) => {
            let shown = |(name, value): (&String, &Value)| format!("{}={}", harmless(name), cell(value));
            members.iter().map(shown).collect::<Vec<_>>().join(" ")
        }
    }
}

fn json(value: &Value) -> Result<(), Failure> {
    write_out(&format!("{value:#}\n"))
}

fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<_> = head.iter().map(ToString::to_string).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in all() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `name: value` lines, aligned, inner objects and lists of them indented below their name.
fn described(value: &Value) -> String {
    let mut text = String::new();
    describe(value, 0, &mut text);
    text
}

fn describe(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let Value::Object(members) = value else {
        text.push_str(&format!("{indent}{}\n", cell(value)));
        return;
    };
    let simple = |value: &Value| match value {
        Value::Object(_) => false,
        Value::Array(items) => !items.iter().any(Value::is_object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    let shown = members.iter().filter(|(_, value)| simple(value));
    let width = shown.map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 1;
    for (name, value) in members {
        if simple(value) {
            let label = format!("{}:", harmless(name));
            text.push_str(format!("{indent}{label:width$} {}", cell(value)).trim_end());
            text.push('\n');
            continue;
        }
        text.push_str(&format!("{indent}{}:\n", harmless(name)));
        match value {
            Value::Array(items) => items.iter().for_each(|item| {
                text.push_str(&format!("{indent}  - {}\n", cell(item)));
            }),
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                describe(value, depth + 1, text);
            }
        }
    }
}

/// Text from outside without what a terminal would obey.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn table_aligns_its_columns() {
        let rows = vec![vec!["A-1".to_owned(), "active".to_owned()], vec!["LONGER-2".to_owned(), String::new()]];
        assert_eq!(table(&["CODE", "STATE"], &rows), "CODE      STATE\nA-1       active\nLONGER-2\n");
    }

    #[test]
    fn thing_is_described_in_aligned_lines() {
        let study = json!({"name": "ALPHA", "recipients": ["age1x"], "rules": {"types": [], "minimise": false}});
        assert_eq!(described(&study), "name:       ALPHA\nrecipients: age1x\nrules:\n  minimise: false\n  types:\n");
    }

    #[test]
    fn list_within_a_thing_has_a_line_for_each() {
        let value = json!({"links": [{"number": 1, "to": null}, {"number": 2, "to": null}]});
        assert_eq!(described(&value), "links:\n  - number=1 to=\n  - number=2 to=\n");
    }

    #[test]
    fn control_characters_from_outside_do_not_reach_the_terminal() {
        assert_eq!(cell(&json!({"\u{1b}[31m\n": 1})), "\u{fffd}[31m\u{fffd}=1", "a summary type's name");
        assert_eq!(cell(&json!("watch\u{1b}[2J\n")), "watch\u{fffd}[2J\u{fffd}");
    }
}
