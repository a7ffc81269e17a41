//! What is wrong with the configuration, as one sentence that says where and what to do.
//!
//! Never: quoting a value that may be a secret.

use std::{fmt, path::PathBuf};

/// A place in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Line and column, both from 1; `None` where the whole file is meant.
    pub position: Option<(usize, usize)>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub place: Place,
    /// What is wrong and what to do, without the place and without a full stop.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place.file.display())?;
        if let Some((line, column)) = self.place.position {
            write!(f, ", line {line}, column {column}")?;
        }
        write!(f, ": {}", self.text)
    }
}

impl std::error::Error for Fault {}

/// Line and column, both from 1 and in characters, of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Serde's words for an unknown key, with the nearest known one in place of the whole list; other messages without the
/// value that they quote.
pub(super) fn with_nearest_key(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return without_value(message.lines().next().unwrap_or(message));
    };
    // Serde quotes the unknown name first, then each known one, in backticks.
    let mut quoted = rest.split('`').step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    let nearest = quoted
        .filter(|known| !known.is_empty())
        .max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)));
    match nearest {
        Some(known) => format!("the key `{unknown}` is not known here; the nearest known one is `{known}`"),
        None => format!("the key `{unknown}` is not known here; take it out"),
    }
}

/// Serde quotes a value of the wrong type, which may be a path or a key: `invalid type: string "…", expected …`.
fn without_value(message: &str) -> String {
    let quotes = ["invalid type: ", "invalid value: ", "unknown variant "];
    let Some(begin) = quotes.into_iter().find(|begin| message.starts_with(begin)) else { return message.to_owned() };
    // What is expected stands last, and the value may hold anything.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("the value is not of the right kind, expected {expected}"),
        None => begin.trim_end_matches([':', ' ']).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_counts_characters_from_one() {
        assert_eq!(position("a = 1\nä = x", 0), (1, 1));
        assert_eq!(position("a = 1\nä = x", 11), (2, 5));
    }

    #[test]
    fn unknown_key_names_the_nearest() {
        let message = "unknown field `lisen`, expected one of `paths`, `listen`, `max_body`";
        assert_eq!(with_nearest_key(message), "the key `lisen` is not known here; the nearest known one is `listen`");
        let single = "unknown field `per_studdy`, expected `per_study`";
        assert!(with_nearest_key(single).ends_with("`per_study`"));
    }

    #[test]
    fn value_of_the_wrong_type_is_not_quoted() {
        for message in [
            "invalid type: string \"/garmin/SECRET\", expected a sequence",
            "invalid type: string \"a, expected SECRET\", expected a sequence",
            "invalid value: string \"SECRET\", expected a sequence",
            "unknown variant `SECRET`, expected a sequence",
        ] {
            assert_eq!(with_nearest_key(message), "the value is not of the right kind, expected a sequence");
        }
        assert_eq!(with_nearest_key("invalid type: SECRET"), "invalid type");
        assert_eq!(with_nearest_key("missing field `private_key`"), "missing field `private_key`");
    }
}
