//! Holds JSON against the schemas of an OpenAPI document: as much of JSON Schema as the document uses, and a panic at
//! anything else, so that no part of a schema goes unchecked.

use serde_json::{Map, Value};

/// The one pattern that the document uses.
const NAME: &str = "^[A-Za-z0-9._-]{1,32}$";
const KNOWN: [&str; 15] = [
    "type",
    "format",
    "enum",
    "const",
    "anyOf",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "$ref",
];

/// What an answer with this status breaks, where it breaks anything.
pub(crate) fn breaks(document: &Value, operation: &Value, status: u16, media: &str, body: &[u8]) -> Option<String> {
    let mut response = &operation["responses"][status.to_string()];
    if let Some(target) = response["$ref"].as_str() {
        response = document.pointer(&target[1..]).expect("what is referred to is there");
    }
    if response.is_null() {
        return Some(format!("the status {status} is not documented"));
    }
    let content = &response["content"][media];
    if content.is_null() {
        return Some(format!("{media} is not documented for {status}"));
    }
    let schema = content.get("schema")?;
    let value = serde_json::from_slice(body).expect("JSON");
    check(document, schema, &value, "the answer").err()
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let rules = schema.as_object().expect("a schema is an object");
    if let Some(unknown) = rules.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        panic!("`{unknown}` is not checked here");
    }
    if let Some(target) = rules.get("$ref") {
        let target = target.as_str().expect("a text");
        return check(document, document.pointer(&target[1..]).expect("it is there"), value, at);
    }
    let wrong = |what: &str| Err(format!("{at} {what}: {value}"));
    if let Some(choices) = rules.get("anyOf") {
        let mut choices = choices.as_array().expect("an array").iter();
        return if choices.any(|one| check(document, one, value, at).is_ok()) { Ok(()) } else { wrong("fits nothing") };
    }
    if rules.get("const").is_some_and(|only| only != value) {
        return wrong("is another constant");
    }
    if rules.get("enum").is_some_and(|names| !names.as_array().expect("an array").contains(value)) {
        return wrong("is none of the choices");
    }
    let fits = match rules.get("type").and_then(Value::as_str) {
        None => true,
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some(other) => panic!("the type {other} is not checked here"),
    };
    if !fits {
        return wrong("is of another type");
    }
    let number = |name: &str| rules.get(name).and_then(Value::as_u64);
    if let Some(found) = value.as_u64()
        && (number("minimum").is_some_and(|least| found < least) || number("maximum").is_some_and(|most| found > most))
    {
        return wrong("is out of its bounds");
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        if number("minLength").is_some_and(|least| length < least)
            || number("maxLength").is_some_and(|most| length > most)
        {
            return wrong("is too short or too long");
        }
        if let Some(pattern) = rules.get("pattern") {
            assert_eq!(pattern, NAME, "no other pattern is checked here");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if !(1..=32).contains(&text.len()) || !text.bytes().all(plain) {
                return wrong("is no name");
            }
        }
    }
    match (rules.get("format").and_then(Value::as_str), value.as_str()) {
        (Some("date-time"), Some(text)) if text.parse::<jiff::Timestamp>().is_err() => return wrong("is no time"),
        (Some("date"), Some(text)) if text.parse::<jiff::civil::Date>().is_err() => return wrong("is no date"),
        _ => {}
    }
    if let (Some(items), Some(values)) = (rules.get("items"), value.as_array()) {
        let mut numbered = values.iter().enumerate();
        numbered.try_for_each(|(place, value)| check(document, items, value, &format!("{at}[{place}]")))?;
    }
    value.as_object().map_or(Ok(()), |members| check_members(document, rules, members, at))
}

fn check_members(
    document: &Value,
    rules: &Map<String, Value>,
    members: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    let required = rules.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !members.contains_key(name) {
            return Err(format!("{at} has no member {name}"));
        }
    }
    for (name, value) in members {
        let own = rules.get("properties").and_then(|properties| properties.get(name));
        let at = format!("{at}.{name}");
        match (own, rules.get("additionalProperties")) {
            (Some(schema), _) => check(document, schema, value, &at)?,
            (None, Some(Value::Bool(false))) => return Err(format!("{at} is not documented")),
            (None, None | Some(Value::Bool(true))) => {}
            (None, Some(schema)) => check(document, schema, value, &at)?,
        }
    }
    Ok(())
}
