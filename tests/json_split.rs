//! The splitter, held against serde_json: what it takes and refuses, where items stand, what is read of them.

use std::ops::Range;

use proptest::prelude::{Just, ProptestConfig, prop_assert_eq, prop_oneof, proptest};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use studygate::json::split::{DEPTH_MAX, Fault, Splitter, SyntaxError};
use studygate::model::entry::{Entry, Field, Shape, Whose};

mod json_support;
use json_support::{Members, chunks, cuts, damage, damaged, notification, whims};

fn split(chunks: &[&[u8]]) -> (Vec<Entry>, Result<(), SyntaxError>) {
    let mut splitter = Splitter::new();
    let mut entries = Vec::new();
    for chunk in chunks {
        if let Err(error) = splitter.feed(chunk, &mut |entry| entries.push(entry)) {
            return (entries, Err(error));
        }
    }
    (entries, splitter.finish())
}

fn entries_of(body: &str) -> Vec<Entry> {
    let (whole, result) = split(&[body.as_bytes()]);
    assert_eq!(result, Ok(()), "{body}");
    let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    let (bytewise, result) = split(&bytes);
    assert_eq!(result, Ok(()), "{body}");
    assert!(whole == bytewise, "chunks of one byte find something else in {body}");
    whole
}

fn the_item(item: &str) -> Entry {
    let mut entries = entries_of(&format!(r#"{{"dailies":[{item}]}}"#));
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

/// Refused, with this fault at this byte, for every way to cut the body in two and byte by byte.
fn check_fault(body: &[u8], offset: u64, fault: Fault) {
    let expected = Err(SyntaxError { offset, fault });
    let shown = String::from_utf8_lossy(body);
    assert_eq!(split(&[body]).1, expected, "{shown}");
    for cut in 0..=body.len().min(200) {
        let (one, two) = body.split_at(cut);
        assert_eq!(split(&[one, two]).1, expected, "{shown} cut at {cut}");
    }
    assert_eq!(split(&body.chunks(1).collect::<Vec<_>>()).1, expected, "{shown} byte by byte");
}

#[test]
fn malformed_body_is_refused_with_its_place() {
    use Fault::{NotAnObject, NotJson, NotUtf8, TrailingData, Truncated};
    check_fault(b"", 0, Truncated);
    check_fault(b"  \n", 3, Truncated);
    check_fault(b"[]", 0, NotAnObject);
    check_fault(b" \"text\"", 1, NotAnObject);
    check_fault(b"12", 0, NotAnObject);
    check_fault(b"null", 0, NotAnObject);
    check_fault(b"x", 0, NotJson);
    check_fault(b"\xef\xbb\xbf{}", 0, NotJson);
    check_fault(b"{", 1, Truncated);
    check_fault(b"{\"a\":[{\"b\":1}", 13, Truncated);
    check_fault(b"{\"a\":[\"\xc3", 8, Truncated);
    check_fault(b"{}x", 2, TrailingData);
    check_fault(b"{} {}", 3, TrailingData);
    check_fault(b"{\"a\":1,}", 7, NotJson);
    check_fault(b"{\"a\":[1,]}", 8, NotJson);
    check_fault(b"{\"a\" 1}", 5, NotJson);
    check_fault(b"{,}", 1, NotJson);
    check_fault(b"{\"a\":01}", 6, NotJson);
    check_fault(b"{\"a\":1.}", 7, NotJson);
    check_fault(b"{\"a\":-}", 6, NotJson);
    check_fault(b"{\"a\":.5}", 5, NotJson);
    check_fault(b"{\"a\":1e}", 7, NotJson);
    check_fault(b"{\"a\":+1}", 5, NotJson);
    check_fault(b"{\"a\":NaN}", 5, NotJson);
    check_fault(b"{\"a\":nulL}", 8, NotJson);
    check_fault(b"{\"a\":[}", 6, NotJson);
    check_fault(b"{\"a\":{]", 6, NotJson);
    check_fault(b"{\"a\":[{\"x\":{\"y\":1]}]}", 17, NotJson);
    check_fault(b"{\"a\":[{\"x\":[1}}]}", 13, NotJson);
    check_fault(b"{\"a\":[{\"x\":[{]}]}", 13, NotJson);
    check_fault(b"{\"a\":[{\"x\":[}}]}", 12, NotJson);
    check_fault(b"{\"a\":[{\"x\":[1 2]}]}", 14, NotJson);
    check_fault(b"{\"a\":[{\"x\":[1,]}]}", 14, NotJson);
    check_fault(b"{\"a\":[{\"x\":{\"y\":1,}}]}", 18, NotJson);
    check_fault(b"{\"a\":[{\"x\":{\"y\",1}}]}", 15, NotJson);
    check_fault(b"{\"a\":[{\"x\":{1}}]}", 12, NotJson);
    check_fault(b"{\"a\":[{\"x\":[\x0b]}]}", 12, NotJson);
    check_fault(b"{\"a\":[{\"x\":[01]}]}", 13, NotJson);
    check_fault(b"{\"a\":[{\"x\":[tru,]}]}", 15, NotJson);
    check_fault(b"{\"a\":[{\"x\":[\"\x1f\"]}]}", 13, NotJson);
    check_fault(b"{\"a\":\"\t\"}", 6, NotJson);
    check_fault(b"{\"a\":\"\\x\"}", 7, NotJson);
    check_fault(b"{\"a\":\"\\u12g4\"}", 10, NotJson);
    check_fault(b"{\"a\":\"ok\xff\"}", 8, NotUtf8);
    check_fault(b"{\"a\":\"\xed\xa0\x80\"}", 6, NotUtf8);
    check_fault(b"{\"a\":\"\xe2\x82x\"}", 6, NotUtf8);
    check_fault(b"{\"a\":x\"\xff\"}", 5, NotJson);
    check_fault("{\"a\":é}".as_bytes(), 5, NotJson);
}

#[test]
fn nesting_is_taken_to_its_limit_and_no_deeper() {
    let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(split(&[nested(DEPTH_MAX).as_bytes()]).1, Ok(()));
    check_fault(nested(DEPTH_MAX + 1).as_bytes(), 68, Fault::TooDeep);
    check_fault(nested(100_000).as_bytes(), 68, Fault::TooDeep);
}

#[test]
fn long_white_space_is_nothing() {
    let white = " \n\r\t".repeat(100_000);
    let body = format!("{white}{{{white}\"dailies\"{white}:{white}[{white}]{white}}}{white}");
    assert_eq!(split(&body.as_bytes().chunks(7).collect::<Vec<_>>()), (Vec::new(), Ok(())));
}

#[test]
fn every_member_of_a_notification_is_read() {
    let body = r#"{"a":[{"userId":"u"}],"b":[],"a":[7,{}],"c":{"x":[{}]},"d":12.5 ,"e":"t","f":[[{}],"s"]}"#;
    let found: Vec<_> = entries_of(body)
        .into_iter()
        .map(|entry| {
            let text = &body[entry.span.start as usize..entry.span.end as usize];
            (entry.member.to_string(), text.to_owned(), entry.shape)
        })
        .collect();
    let expected = [
        ("a", r#"{"userId":"u"}"#, Shape::Push),
        ("a", "7", Shape::NotAnObject),
        ("a", "{}", Shape::Push),
        ("c", r#"{"x":[{}]}"#, Shape::NotAnArray),
        ("d", "12.5", Shape::NotAnArray),
        ("e", r#""t""#, Shape::NotAnArray),
        ("f", "[{}]", Shape::NotAnObject),
        ("f", r#""s""#, Shape::NotAnObject),
    ];
    assert_eq!(found, expected.map(|(member, text, shape)| (member.to_owned(), text.to_owned(), shape)));
}

#[test]
fn user_is_read_wherever_it_stands_and_however_it_is_written() {
    let check = |item: &str, expected: Whose| assert!(the_item(item).whose == expected, "{item}");
    let user = |text: &str| Whose::User(text.into());
    check(r#"{"userId":"u1"}"#, user("u1"));
    check(r#"{"x":[{"userId":"other"}],"userId":"u1"}"#, user("u1"));
    check(r#"{"\u0075serId":"u\u0031\ud83d\ude00\/"}"#, user("u1😀/"));
    check(r#"{"x":{"userId":"other"}}"#, Whose::Nobody);
    check(r#"{"summary":{"userId":"other"}}"#, Whose::Nobody);
    check(r#"{"userId":null}"#, Whose::Nobody);
    check(r#"{}"#, Whose::Nobody);
    check(r#"{"userId":"u1","userId":"u1"}"#, Whose::Unreadable);
    check(r#"{"userId":"u1","user\u0049d":"u2"}"#, Whose::Unreadable);
    check(r#"{"userId":""}"#, Whose::Unreadable);
    check(r#"{"userId":12}"#, Whose::Unreadable);
    check(r#"{"userId":["u1"]}"#, Whose::Unreadable);
    check(r#"{"userId":"\ud800"}"#, Whose::Unreadable);
    check(&format!(r#"{{"userId":"{}"}}"#, "u".repeat(256)), user(&"u".repeat(256)));
    check(&format!(r#"{{"userId":"{}"}}"#, "\\u0075".repeat(256)), user(&"u".repeat(256)));
    check(&format!(r#"{{"userId":"{}"}}"#, "u".repeat(257)), Whose::Unreadable);
    check(&format!(r#"{{"userId":"{}"}}"#, "u".repeat(1_000_000)), Whose::Unreadable);
}

#[test]
fn key_fields_are_read_as_text() {
    let check = |item: &str, field: Field, expected: Option<&str>| {
        assert_eq!(the_item(item).field(field), expected, "{item}");
    };
    check(r#"{"activityId":9007199254740993}"#, Field::ActivityId, Some("9007199254740993"));
    check(r#"{"activityId":"9007199254740993"}"#, Field::ActivityId, Some("9007199254740993"));
    check(r#"{"startTimeInSeconds":1.5E9}"#, Field::StartTime, Some("1.5E9"));
    check(r#"{"summaryId":"a\u002db"}"#, Field::SummaryId, Some("a-b"));
    check(r#"{"summaryId":null}"#, Field::SummaryId, None);
    check(r#"{"summaryId":["x"]}"#, Field::SummaryId, None);
    check(r#"{"offsetInSeconds":1,"startTimeOffsetInSeconds":2}"#, Field::Offset, Some("1"));
    check(r#"{"permissions":[ "A" ,"B"]}"#, Field::Permissions, Some(r#"[ "A" ,"B"]"#));
    check(r#"{"permissions":[]}"#, Field::Permissions, Some("[]"));
    check(r#"{"permissions":"A"}"#, Field::Permissions, None);
    check(r#"{"summary":{"startTimeInSeconds":5}}"#, Field::StartTime, Some("5"));
    check(r#"{"summary":{"startTimeInSeconds":5},"startTimeInSeconds":6}"#, Field::StartTime, Some("6"));
    check(r#"{"startTimeInSeconds":6,"summary":{"startTimeInSeconds":5}}"#, Field::StartTime, Some("6"));
    check(r#"{"summary":{"summaryId":"x"}}"#, Field::SummaryId, None);
    check(r#"{"summary":{"x":{"durationInSeconds":5}}}"#, Field::Duration, None);
}

#[test]
fn callback_makes_a_ping() {
    let check = |item: &str, expected: Shape| assert_eq!(the_item(item).shape, expected, "{item}");
    check(r#"{"callbackURL":"https://made.up/x?token=y"}"#, Shape::Ping);
    check(r#"{"userId":"u","callback\u0055RL":"x"}"#, Shape::Ping);
    check(r#"{"callbackURL":null}"#, Shape::Push);
    check(r#"{"x":{"callbackURL":"y"}}"#, Shape::Push);
    check(r#"{"summary":{"callbackURL":"y"}}"#, Shape::Push);
}

#[test]
fn key_field_that_comes_twice_or_is_too_long_makes_the_item_unreadable() {
    let check = |item: &str| assert!(the_item(item).whose == Whose::Unreadable, "{item}");
    check(r#"{"userId":"u","summaryId":"a","summaryId":"a"}"#);
    check(r#"{"userId":"u","summary":{"durationInSeconds":1,"durationInSeconds":2}}"#);
    check(r#"{"userId":"u","summary":{"durationInSeconds":1},"summary":{"durationInSeconds":2}}"#);
    check(&format!(r#"{{"userId":"u","summaryId":"{}"}}"#, "a".repeat(513)));
    check(&format!(r#"{{"userId":"u","activityId":1{}}}"#, "0".repeat(512)));
    check(&format!(r#"{{"userId":"u","permissions":["{}"]}}"#, "A".repeat(4096)));
    check(r#"{"userId":"u","summaryId":"\udc00"}"#);
}

#[test]
fn member_name_is_decoded_and_cut() {
    let member = |name: &str| entries_of(&format!(r#"{{"{name}":[1]}}"#))[0].member.to_string();
    assert_eq!(member(r"d\u0061ilies"), "dailies");
    assert_eq!(member(&"é".repeat(65)), "é".repeat(64));
    assert_eq!(member(&"x".repeat(100_000)), "x".repeat(128));
    assert_eq!(member(&format!("a{}", "é".repeat(70))), format!("a{}", "é".repeat(63)));
    assert_eq!(member(r"\ud800x"), "\u{FFFD}x");
}

#[test]
fn million_tiny_items_are_found_one_by_one() {
    let mut body = String::from(r#"{"beats":["#);
    body.push_str(&r#"{"userId":"u"},"#.repeat(1_000_000));
    body.push_str("{}]}");
    let mut splitter = Splitter::new();
    let mut count = 0;
    for chunk in body.as_bytes().chunks(10_000) {
        assert_eq!(splitter.feed(chunk, &mut |_| count += 1), Ok(()));
    }
    assert_eq!(splitter.finish(), Ok(()));
    assert_eq!(count, 1_000_001);
}

#[test]
fn error_is_given_again_and_not_forgotten() {
    let mut splitter = Splitter::new();
    let error = splitter.feed(b"{x", &mut |_| {});
    assert!(error.is_err());
    assert_eq!(splitter.feed(b"}", &mut |_| {}), error);
    assert_eq!(splitter.finish(), error);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_notification_is_split_as_serde_json_reads_it(
        value in notification(), mut whims in whims(), cuts in cuts(),
    ) {
        let body = value.written(&mut whims);
        let (entries, result) = split(&chunks(body.as_bytes(), &cuts));
        prop_assert_eq!(result, Ok(()), "{}", body);
        let expected = oracle(&body).expect("serde_json reads what was written");
        prop_assert_eq!(entries.iter().map(Outline::of).collect::<Vec<_>>(), expected, "{}", body);
    }

    #[test]
    fn damaged_body_is_taken_exactly_where_serde_json_takes_it(
        value in notification(), mut whims in whims(), damage in damage(), cuts in cuts(),
    ) {
        let body = damaged(&value.written(&mut whims), &damage);
        let (entries, result) = split(&chunks(&body, &cuts));
        let (whole_entries, whole_result) = split(&[&body]);
        prop_assert_eq!(result, whole_result);
        prop_assert_eq!(entries.len(), whole_entries.len());
        let shown = String::from_utf8_lossy(&body);
        prop_assert_eq!(result.is_ok(), serde_json_takes(&body), "{}", shown);
        let oracle = std::str::from_utf8(&body).ok().filter(|_| result.is_ok()).and_then(oracle);
        if let Some(expected) = oracle {
            prop_assert_eq!(entries.iter().map(Outline::of).collect::<Vec<_>>(), expected, "{}", shown);
        }
    }

    #[test]
    fn number_like_text_is_taken_exactly_where_serde_json_takes_it(
        text in prop_oneof![
            "[-+0-9.eE]{1,12}",
            "-?[0-9]{1,10}(\\.[0-9]{0,10})?([eE][+-]?[0-9]{0,3})?",
            Just("9".repeat(400)),
        ],
        cuts in cuts(),
    ) {
        let body = format!("{{\"a\":[{{\"x\":{text}}}]}}");
        let (_, result) = split(&chunks(body.as_bytes(), &cuts));
        prop_assert_eq!(result.is_ok(), serde_json_takes(body.as_bytes()), "{}", body);
    }
}

/// Whether serde_json takes it, the top is an object, and it is nested no deeper than the limit.
fn serde_json_takes(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let object = text.trim_start_matches([' ', '\n', '\r', '\t']).starts_with('{');
    object && serde_json::from_str::<IgnoredAny>(text).is_ok() && depth(text) <= DEPTH_MAX
}

fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// An entry in a form that can be shown.
#[derive(Debug, PartialEq, Eq)]
struct Outline {
    member: String,
    span: Range<u64>,
    shape: Shape,
    user: Result<Option<String>, ()>,
    fields: Vec<(Field, String)>,
}

impl Outline {
    fn of(entry: &Entry) -> Self {
        let user = match &entry.whose {
            Whose::User(user) => Ok(Some(user.to_string())),
            Whose::Nobody => Ok(None),
            Whose::Unreadable => Err(()),
        };
        // Of an unreadable item nothing but its place is relied upon.
        let fields = if user.is_err() { &[][..] } else { &entry.fields };
        let fields = fields.iter().map(|(field, text)| (*field, text.to_string())).collect();
        Self { member: entry.member.to_string(), span: entry.span.clone(), shape: entry.shape, user, fields }
    }
}

/// The entries by way of serde_json; `None` where a string holds half a surrogate pair, which it refuses to decode.
fn oracle(body: &str) -> Option<Vec<Outline>> {
    let span = |raw: &RawValue| {
        let start = raw.get().as_ptr() as u64 - body.as_ptr() as u64;
        start..start + raw.get().len() as u64
    };
    let mut entries = Vec::new();
    let Members(top) = serde_json::from_str(body).ok()?;
    for (name, value) in top {
        let mut cut = name.len().min(128);
        while !name.is_char_boundary(cut) {
            cut -= 1;
        }
        let malformed = |raw: &RawValue, shape| Outline {
            member: name[..cut].to_owned(),
            span: span(raw),
            shape,
            user: Ok(None),
            fields: Vec::new(),
        };
        if !value.get().starts_with('[') {
            entries.push(malformed(value, Shape::NotAnArray));
            continue;
        }
        let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
        for item in items {
            let mut entry = malformed(item, Shape::NotAnObject);
            if item.get().starts_with('{') {
                entry.shape = Shape::Push;
                read_item(item.get(), &mut entry)?;
            }
            entries.push(entry);
        }
    }
    Some(entries)
}

fn read_item(item: &str, entry: &mut Outline) -> Option<()> {
    let Members(members) = serde_json::from_str(item).ok()?;
    let mut users = Vec::new();
    let mut readable = true;
    let (mut top, mut below) = (Vec::new(), Vec::new());
    for (place, (name, value)) in members.iter().enumerate() {
        if value.get() == "null" {
            continue;
        }
        match name.as_str() {
            "userId" => users.push(serde_json::from_str::<String>(value.get()).ok()),
            "summary" if value.get().starts_with('{') => {
                let Members(inner) = serde_json::from_str(value.get()).ok()?;
                for (name, value) in inner {
                    if matches!(field(&name), Some(Field::StartTime | Field::Offset | Field::Duration)) {
                        below.extend(read_field(&name, value.get(), place, &mut readable)?);
                    }
                }
            }
            name => {
                if name == "callbackURL" {
                    entry.shape = Shape::Ping;
                }
                top.extend(read_field(name, value.get(), place, &mut readable)?);
            }
        }
    }
    for found in [&top, &below] {
        let twice = |name: &String| found.iter().filter(|(other, ..)| other == name).count() > 1;
        readable &= !found.iter().any(|(name, ..)| twice(name));
    }
    let mut fields: Vec<(usize, Field, String)> = Vec::new();
    for (_, place, field, text) in top.into_iter().chain(below) {
        if !fields.iter().any(|(_, other, _)| *other == field) {
            fields.push((place, field, text));
        }
    }
    fields.sort_by_key(|(place, ..)| *place);
    entry.fields = fields.into_iter().map(|(_, field, text)| (field, text)).collect();
    entry.user = match users.as_slice() {
        _ if !readable => Err(()),
        [] => Ok(None),
        [Some(user)] if !user.is_empty() && user.len() <= 256 => Ok(Some(user.clone())),
        _ => Err(()),
    };
    if entry.user.is_err() {
        entry.fields.clear();
    }
    Some(())
}

type Read = (String, usize, Field, String);

fn read_field(name: &str, value: &str, place: usize, readable: &mut bool) -> Option<Option<Read>> {
    let Some(field) = field(name) else {
        return Some(None);
    };
    let array = value.starts_with('[');
    if value == "null" || value.starts_with('{') || array != (field == Field::Permissions) {
        return Some(None);
    }
    let quoted = value.starts_with('"');
    if value.len() - if quoted { 2 } else { 0 } > field.bytes_max() {
        *readable = false;
    }
    let text = if quoted { serde_json::from_str(value).ok()? } else { value.to_owned() };
    Some(Some((name.to_owned(), place, field, text)))
}

fn field(name: &str) -> Option<Field> {
    Field::NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
}
