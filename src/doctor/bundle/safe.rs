//! JSON that may leave the site: it has no way in for text but [`Shown`].

use serde_json::{Map, Number, Value};

use crate::doctor::sentence::{Own, Shown, StandIns};

/// A value that may leave the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Safe {
    Nothing,
    Flag(bool),
    Number(Number),
    Text(Shown),
    List(Vec<Safe>),
    Members(Vec<(Shown, Safe)>),
}

impl Safe {
    /// Words of the program.
    pub(super) fn words(words: &'static str) -> Self {
        Self::Text(Shown::words(words))
    }

    /// A number.
    pub(super) fn number(number: usize) -> Self {
        Self::Number(Number::from(number))
    }

    /// A stand-in.
    pub(super) fn own(kind: Own, name: impl ToString, stand_ins: &mut StandIns) -> Self {
        Self::Text(stand_ins.of(kind, &name.to_string()))
    }

    /// Members with these names.
    pub(super) fn members<const N: usize>(members: [(&'static str, Self); N]) -> Self {
        Self::Members(members.into_iter().map(|(name, value)| (Shown::words(name), value)).collect())
    }

    /// What is safe of JSON from outside: numbers, flags and times; names of members and words where they are among
    /// these, which are the program's.
    pub(super) fn of_json(value: &Value, words: &[&'static str]) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => {
                let shown = Shown::if_time(text).or_else(|| Shown::one_of(text, words));
                Self::Text(shown.unwrap_or_else(|| Shown::words("(withheld)")))
            }
            Value::Array(items) => Self::List(items.iter().map(|item| Self::of_json(item, words)).collect()),
            Value::Object(members) => {
                let known = members.iter().filter_map(|(name, value)| Some((Shown::one_of(name, words)?, value)));
                Self::Members(known.map(|(name, value)| (name, Self::of_json(value, words))).collect())
            }
        }
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.as_str().to_owned()),
            Self::List(items) => Value::Array(items.iter().map(Self::json).collect()),
            Self::Members(members) => {
                let members = members.iter().map(|(name, value)| (name.as_str().to_owned(), value.json()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_and_names_from_outside_are_left_out_unless_they_are_the_programs_own() {
        let value = json!({
            "ready": true, "count": 3, "at": "2026-11-01T05:00:00Z", "reason": "disk_low", "HEART": 1,
            "list": ["disk_low", "HEART", 2.5, null],
        });
        let safe = Safe::of_json(&value, &["ready", "count", "at", "reason", "list", "disk_low"]).json();
        assert_eq!(
            safe,
            json!({
                "ready": true, "count": 3, "at": "2026-11-01T05:00:00Z", "reason": "disk_low",
                "list": ["disk_low", "(withheld)", 2.5, null],
            })
        );
    }
}
