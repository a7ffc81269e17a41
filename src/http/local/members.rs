//! The members of a JSON request and of a query: every one is known, and of its type, or the request is refused.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use crate::http::problem::Problem;

/// The members of a JSON object, each taken out once.
pub(super) struct Members {
    members: Map<String, Value>,
}

/// They may name a Garmin user: nothing of them is shown.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").finish_non_exhaustive()
    }
}

/// The members of a query, in their order.
#[derive(Debug)]
pub(super) struct Query {
    members: Vec<(String, String)>,
}

impl Members {
    /// The members of a request's body, all of them among `known`. No body is an object without members.
    pub(super) fn of_body(body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self { members: Map::new() });
        }
        match serde_json::from_slice(body) {
            Ok(value) => Self::of_value(value, "The request", known),
            Err(_) => Err(Problem::invalid("The request is no JSON; send a JSON object.")),
        }
    }

    /// The member's text; `None` where it is left out or null.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        Ok(self.nullable_text(name)?.flatten())
    }

    /// The member's text; refused where it is left out or null.
    pub(super) fn needed_text(&mut self, name: &str) -> Result<String, Problem> {
        self.text(name)?.ok_or_else(|| Problem::invalid(format!("\"{name}\" is missing; give it as text.")))
    }

    /// The member's text; the inner `None` is a null.
    pub(super) fn nullable_text(&mut self, name: &str) -> Result<Option<Option<String>>, Problem> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text))),
            Some(_) => Err(wrong(name, "text")),
        }
    }

    /// The member's texts; `None` where it is left out.
    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let Some(value) = self.members.remove(name) else { return Ok(None) };
        let Value::Array(items) = value else { return Err(wrong(name, "an array of texts")) };
        let text = |item: Value| {
            let Value::String(text) = item else { return Err(wrong(name, "an array of texts")) };
            Ok(text)
        };
        items.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// The member's whole number, at most `max`.
    pub(super) fn number(&mut self, name: &str, max: u64) -> Result<Option<u64>, Problem> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(value) => match value.as_u64().filter(|number| *number <= max) {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(name, &format!("a whole number from 0 to {max}"))),
            },
        }
    }

    /// Whether the member is true; `None` where it is left out.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// The value that the member names.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match choices.iter().find(|(choice, _)| *choice == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(wrong(name, &listed(choices.iter().map(|(choice, _)| *choice)))),
        }
    }

    /// The members of the member, all of them among `known`; the inner `None` is a null.
    pub(super) fn object(&mut self, name: &str, known: &[&str]) -> Result<Option<Option<Self>>, Problem> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => Self::of_value(value, &format!("\"{name}\""), known).map(|members| Some(Some(members))),
        }
    }

    fn of_value(value: Value, what: &str, known: &[&str]) -> Result<Self, Problem> {
        let Value::Object(members) = value else {
            return Err(Problem::invalid(format!("{what} must be a JSON object.")));
        };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(Problem::invalid(unknown_name("member", unknown, known))),
            None => Ok(Self { members }),
        }
    }
}

impl Query {
    /// The members of a query, all of them among `known`.
    pub(super) fn parse(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut members = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name).zip(decode(value));
            let (name, value) = decoded.ok_or_else(|| Problem::invalid("The query is not percent-encoded UTF-8."))?;
            if !known.contains(&name.as_str()) {
                return Err(Problem::invalid(unknown_name("query parameter", &name, known)));
            }
            members.push((name, value));
        }
        Ok(Self { members })
    }

    /// The value of a parameter that may stand once.
    pub(super) fn one<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Problem> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Problem::invalid(format!("The query parameter \"{name}\" may stand only once."))),
        }
    }

    /// The values of a parameter that may stand several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.members.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Percent-decoded text; `None` where it is not so encoded, or no UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_first_chunk::<2>()?;
            let high = char::from(digits[0]).to_digit(16)?;
            let low = char::from(digits[1]).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

fn wrong(name: &str, wanted: &str) -> Problem {
    Problem::invalid(format!("\"{name}\" must be {wanted}."))
}

fn listed<'a>(choices: impl Iterator<Item = &'a str>) -> String {
    choices.fold(String::new(), |mut list, choice| {
        let separator = if list.is_empty() { "" } else { " or " };
        let written = write!(list, "{separator}\"{choice}\"");
        debug_assert!(written.is_ok(), "writing to a String does not fail");
        list
    })
}

fn unknown_name(what: &str, unknown: &str, known: &[&str]) -> String {
    let shown: String = unknown.chars().filter(|character| !character.is_control()).take(40).collect();
    let distance = |name: &&&str| strsim::damerau_levenshtein(name, &shown);
    match known.iter().min_by_key(distance).filter(|name| distance(name) <= 3 || name.starts_with(&shown)) {
        Some(nearest) => format!("The {what} \"{shown}\" is not known; did you mean \"{nearest}\"?"),
        None if known.is_empty() => format!("The {what} \"{shown}\" is not known; this request takes none."),
        None => format!("The {what} \"{shown}\" is not known; known are {}.", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(problem: Problem) -> String {
        let debug = format!("{problem:?}");
        assert!(debug.contains("Invalid"), "{debug}");
        debug
    }

    #[test]
    fn unknown_member_is_refused_with_the_nearest_known_one() {
        let refusal = Members::of_body(br#"{"recipient":[]}"#, &["name", "recipients"]).expect_err("refused");
        assert!(refused(refusal).contains("did you mean \\\"recipients\\\"?"));
        let refusal = Members::of_body(br#"{"x":1}"#, &[]).expect_err("refused");
        assert!(refused(refusal).contains("this request takes none"));
    }

    #[test]
    fn members_of_another_type_are_refused() {
        let known = ["a"];
        let members = |body: &str| Members::of_body(body.as_bytes(), &known).expect("an object");
        refused(members(r#"{"a":1}"#).text("a").expect_err("refused"));
        refused(members(r#"{"a":"x"}"#).texts("a").expect_err("refused"));
        refused(members(r#"{"a":[1]}"#).texts("a").expect_err("refused"));
        refused(members(r#"{"a":1.5}"#).number("a", 9).expect_err("refused"));
        refused(members(r#"{"a":10}"#).number("a", 9).expect_err("refused"));
        refused(members(r#"{"a":"true"}"#).flag("a").expect_err("refused"));
        refused(members(r#"{"a":[]}"#).object("a", &[]).expect_err("refused"));
        refused(members(r#"{"a":"z"}"#).choice("a", &[("keep", ()), ("drop", ())]).expect_err("refused"));
        refused(members("").needed_text("a").expect_err("refused"));
        for body in ["[]", "{", "1", "nul"] {
            refused(Members::of_body(body.as_bytes(), &known).expect_err("refused"));
        }
    }

    #[test]
    fn query_is_decoded_and_its_names_checked() {
        let query = Query::parse("participant=A%2D1&participant=B&from=2026-11-01", &["participant", "from"]);
        let query = query.expect("a query");
        assert_eq!(query.all("participant").collect::<Vec<_>>(), ["A-1", "B"]);
        assert_eq!(query.one("from"), Ok(Some("2026-11-01")));
        refused(query.one("participant").expect_err("refused"));
        refused(Query::parse("form=csv", &["from", "format"]).expect_err("refused"));
        for wrong in ["from=%2", "from=%zz", "from=%ff"] {
            refused(Query::parse(wrong, &["from"]).expect_err("refused"));
        }
    }
}
