//! The rewriter, held against a model that works on trees: what stays, what is diverted, what counts in the digest.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, prop_assert_ne, proptest};
use serde_json::value::RawValue;
use studygate::json::rewrite::{Action, Malformed, Rewriter, Rewritten, Rules};

mod json_support;
use json_support::{Members, Value, Whims, chunks, cuts, damage, damaged, item, value, whims};

const KEY: &[u8; 16] = b"made-up test key";

/// Rules by name, which also write down what they are asked.
struct ByName<'a> {
    action: &'a dyn Fn(&str) -> Action,
    asked: &'a mut Vec<String>,
}

impl Rules for ByName<'_> {
    fn action(&mut self, path: &[Box<str>], name: &str) -> Action {
        self.asked.push(dotted(path, name));
        (self.action)(name)
    }

    fn replace(&mut self, path: &[Box<str>], name: &str, value: &str) -> Option<(String, String)> {
        self.asked.push(format!("{}={value}", dotted(path, name)));
        replacement(name, value)
    }
}

fn replacement(name: &str, value: &str) -> Option<(String, String)> {
    (!value.is_empty()).then(|| (format!("\"{name}"), format!("[{}]", value.len())))
}

fn dotted(path: &[Box<str>], name: &str) -> String {
    path.iter().map(|name| format!("{name}.")).collect::<String>() + name
}

fn rewrite(chunks: &[&[u8]], action: &dyn Fn(&str) -> Action) -> Result<(String, Rewritten, Vec<String>), Malformed> {
    let (mut asked, mut out) = (Vec::new(), Vec::new());
    let mut rewriter = Rewriter::new(ByName { action, asked: &mut asked }, KEY);
    for chunk in chunks {
        rewriter.feed(chunk, &mut |piece| out.extend_from_slice(piece))?;
    }
    let rewritten = rewriter.finish(&mut |piece| out.extend_from_slice(piece))?;
    Ok((String::from_utf8(out).expect("UTF-8 in, UTF-8 out"), rewritten, asked))
}

fn identity_rules(name: &str) -> Action {
    match name {
        "userId" => Action::DropUndigested,
        "callbackURL" => Action::Drop,
        "activityName" | "place" => Action::Divert,
        "summaryId" | "activityId" => Action::Replace,
        "samples" => Action::KeepWhole,
        _ => Action::Keep,
    }
}

fn rewritten(object: &str) -> (String, Rewritten) {
    let (out, rewritten, _) = rewrite(&[object.as_bytes()], &identity_rules).expect("an object");
    let bytes: Vec<&[u8]> = object.as_bytes().chunks(1).collect();
    let (bytewise, same, _) = rewrite(&bytes, &identity_rules).expect("an object");
    assert_eq!((&out, &rewritten.diverted, rewritten.digest), (&bytewise, &same.diverted, same.digest), "{object}");
    (out, rewritten)
}

fn digest(object: &str) -> [u8; 16] {
    rewritten(object).1.digest
}

#[test]
fn members_are_kept_dropped_diverted_and_replaced() {
    let check = |object: &str, expected: &str, diverted: &[(&str, &str)]| {
        let (out, rewritten) = rewritten(object);
        assert_eq!(out, expected);
        let expected: Vec<_> = diverted.iter().map(|(name, json)| (name.to_string(), json.to_string())).collect();
        assert_eq!(rewritten.diverted, expected, "{object}");
    };
    check("{}", "{}", &[]);
    check(" { \"a\" : [ 1 , { } , [ ] , \"x y\" , null ] } \n", r#"{"a":[1,{},[],"x y",null]}"#, &[]);
    check(r#"{"userId":"u","a":1}"#, r#"{"a":1}"#, &[]);
    check(r#"{"a":1,"userId":{"x":[1,2]},"b":2,"callbackURL":"y"}"#, r#"{"a":1,"b":2}"#, &[]);
    check(r#"{"activityName":" Run\n","a":1}"#, r#"{"a":1}"#, &[("activityName", r#"" Run\n""#)]);
    check(r#"{"x":{"place":{"lat": 1, "l":[ ]}}}"#, r#"{"x":{}}"#, &[("x.place", r#"{"lat":1,"l":[]}"#)]);
    check(r#"{"x":[{"place":1},{"place":2}]}"#, r#"{"x":[{},{}]}"#, &[("x.place", "1"), ("x.place", "2")]);
    check(r#"{"a":1,"summaryId":"s\u0031"}"#, r#"{"a":1,"\"summaryId":[2]}"#, &[("summaryId", r#""s\u0031""#)]);
    check(r#"{"activityId":123,"a":1}"#, r#"{"\"activityId":[3],"a":1}"#, &[("activityId", "123")]);
    check(r#"{"summaryId":"","a":1}"#, r#"{"a":1}"#, &[("summaryId", r#""""#)]);
    check(r#"{"summaryId":null,"a":1}"#, r#"{"a":1}"#, &[("summaryId", "null")]);
    check(r#"{"summaryId":"null"}"#, r#"{"\"summaryId":[4]}"#, &[("summaryId", r#""null""#)]);
    check(r#"{"summaryId":{"userId":1}}"#, "{}", &[("summaryId", r#"{"userId":1}"#)]);
    check(r#"{"samples":[{"userId":"u","place":1}]}"#, r#"{"samples":[{"userId":"u","place":1}]}"#, &[]);
    check(r#"{"user\u0049d":"u","\u0061":"\u0061\ud800"}"#, r#"{"\u0061":"\u0061\ud800"}"#, &[]);
    check(r#"{"a":-0.0e+10,"b":12345678901234567890.10}"#, r#"{"a":-0.0e+10,"b":12345678901234567890.10}"#, &[]);
}

#[test]
fn path_names_the_objects_around_a_member() {
    let object = r#"{"a":{"b":[[{"c":1}],{"d":{"e":2}}],"f":3},"g":[4],"h":5}"#;
    let (_, _, asked) = rewrite(&[object.as_bytes()], &|_| Action::Keep).expect("an object");
    assert_eq!(asked, ["a", "a.b", "a.b.c", "a.b.d", "a.b.d.e", "a.f", "g", "h"]);
}

#[test]
fn nothing_is_asked_below_what_does_not_stay() {
    let object = r#"{"userId":{"a":1},"callbackURL":{"b":1},"place":{"c":1},"samples":{"d":1},"z":1}"#;
    let (_, _, asked) = rewrite(&[object.as_bytes()], &identity_rules).expect("an object");
    assert_eq!(asked, ["userId", "callbackURL", "place", "samples", "z"]);
}

#[test]
fn digest_does_not_depend_on_how_the_object_is_written() {
    let plain = digest(r#"{"a":"x/😀","b":[1,{"c":null,"d":true}],"summaryId":"s"}"#);
    assert_eq!(
        plain,
        digest(" {\"summaryId\":\"s\",\"b\" : [1, {\"d\":true,\n\"c\":null}], \"a\":\"\\u0078\\/\\ud83d\\ude00\"}")
    );
    assert_eq!(plain, digest(r#"{"userId":"any","a":"x/😀","b":[1,{"c":null,"d":true}],"\u0073ummaryId":"s"}"#));
    assert_eq!(plain, digest(r#"{"a":"x/😀","userId":{"deep":[1]},"b":[1,{"d":true,"c":null}],"summaryId":"s"}"#));
}

#[test]
fn digest_tells_different_contents_apart() {
    let objects = [
        "{}",
        r#"{"a":1}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":1.0}"#,
        r#"{"a":"1"}"#,
        r#"{"a":[1]}"#,
        r#"{"a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"a":[1,2]}"#,
        r#"{"a":[2,1]}"#,
        r#"{"a":[12]}"#,
        r#"{"a":[[1],2]}"#,
        r#"{"a":[[1,2]]}"#,
        r#"{"a":["1","2"]}"#,
        r#"{"a":["1,2"]}"#,
        r#"{"a":null}"#,
        r#"{"a":false}"#,
        r#"{"a":true}"#,
        r#"{"a":"true"}"#,
        r#"{"b":1}"#,
        r#"{"a":{"b":1}}"#,
        r#"{"a":"","b":""}"#,
        r#"{"a":"b"}"#,
        r#"{"ab":""}"#,
        r#"{"":"ab"}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\ud801"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":"\ufffd"}"#,
        r#"{"a":"\udc00\ud800"}"#,
        r#"{"a":"\ud800\udc00"}"#,
        r#"{"a":1,"callbackURL":1}"#,
        r#"{"a":1,"place":1}"#,
        r#"{"a":1,"summaryId":1}"#,
        r#"{"a":1,"summaryId":2}"#,
        r#"{"a":{"c":1},"b":{"d":1}}"#,
        r#"{"a":{"d":1},"b":{"c":1}}"#,
    ];
    for (place, one) in objects.iter().enumerate() {
        for other in &objects[..place] {
            assert_ne!(digest(one), digest(other), "{one} and {other}");
        }
    }
}

/// Digests are stored: another way to reckon them would make every record a new one.
#[test]
fn digest_is_what_it_was() {
    let digest = digest(r#"{"a":"x\ud83d\ude00\ud800","b":[1.50,{"c":null,"d":true},[false]],"e":{}}"#);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "50e5261bca444a43beab3caea85febd6");
}

#[test]
fn digest_depends_on_the_key() {
    struct All;
    impl Rules for All {
        fn action(&mut self, _: &[Box<str>], _: &str) -> Action {
            Action::Keep
        }

        fn replace(&mut self, _: &[Box<str>], _: &str, _: &str) -> Option<(String, String)> {
            None
        }
    }
    let digest = |key: &[u8; 16]| {
        let mut rewriter = Rewriter::new(All, key);
        rewriter.feed(br#"{"a":1}"#, &mut |_| {}).expect("an object");
        rewriter.finish(&mut |_| {}).expect("an object").digest
    };
    assert_eq!(digest(KEY), digest(KEY));
    assert_ne!(digest(KEY), digest(b"another test key"));
}

#[test]
fn what_is_no_object_is_malformed() {
    for bytes in
        ["", " ", "[]", "1", "{", "{}}", "{} 1", r#"{"a":}"#, r#"{"a":1"#, r#"{"a":"x"#, r#"{"userId":{"a":}}"#]
    {
        let whole = rewrite(&[bytes.as_bytes()], &identity_rules);
        assert_eq!(whole.map(|_| ()), Err(Malformed), "{bytes}");
    }
}

#[test]
fn long_values_are_digested_but_not_diverted() {
    let diverted = |length: usize| {
        let (out, rewritten) = rewritten(&format!(r#"{{"place":"{}","a":1}}"#, "x".repeat(length)));
        assert_eq!(out, r#"{"a":1}"#);
        (rewritten.diverted.len(), rewritten.cut)
    };
    assert_eq!(diverted((64 << 10) - 2), (1, 0));
    assert_eq!(diverted((64 << 10) - 1), (0, 1));
    let (one, two) = ("x".repeat(70_000), format!("{}y", "x".repeat(69_999)));
    assert_ne!(digest(&format!(r#"{{"place":"{one}"}}"#)), digest(&format!(r#"{{"place":"{two}"}}"#)));
    let (out, rewritten) = rewritten(&format!(r#"{{"summaryId":"{}"}}"#, "x".repeat(70_000)));
    assert_eq!((out.as_str(), rewritten.diverted.len(), rewritten.cut), ("{}", 0, 1));
}

#[test]
fn many_diverted_values_are_held_within_a_limit() {
    let object = format!(r#"{{"a":[{{"place":"here"}}{}]}}"#, r#",{"place":"there"}"#.repeat(100_000));
    let (out, rewritten, _) = rewrite(&[object.as_bytes()], &identity_rules).expect("an object");
    assert_eq!(out.len(), object.len() - r#""place":"here""#.len() - 100_000 * r#""place":"there""#.len());
    let bytes: usize = rewritten.diverted.iter().map(|(name, json)| name.len() + json.len()).sum();
    assert!(bytes <= 256 << 10);
    assert_eq!(rewritten.diverted.len() + rewritten.cut as usize, 100_001);
}

#[test]
fn member_with_an_endless_name_is_dropped_and_digested() {
    let object = |last: char| format!(r#"{{"a":1,"{}{last}":2,"b":3}}"#, "n".repeat(100_000));
    let (out, one) = rewritten(&object('n'));
    assert_eq!(out, r#"{"a":1,"b":3}"#);
    assert_ne!(one.digest, digest(&object('m')));
}

#[test]
fn long_string_passes_in_pieces() {
    let object = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000_000));
    let mut asked = Vec::new();
    let mut rewriter = Rewriter::new(ByName { action: &|_| Action::Keep, asked: &mut asked }, KEY);
    let (mut longest, mut total) = (0, 0);
    let mut output = |piece: &[u8]| (longest, total) = (longest.max(piece.len()), total + piece.len());
    for chunk in object.as_bytes().chunks(1000) {
        rewriter.feed(chunk, &mut output).expect("an object");
    }
    rewriter.finish(&mut output).expect("an object");
    assert_eq!(total, object.len());
    assert!(longest <= 8 << 10);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn object_is_rewritten_as_the_model_does(
        object in item(), mut whims in whims(), cuts in cuts(), actions in vec(any::<u8>(), 8),
    ) {
        let text = object.written(&mut whims);
        let action = |name: &str| match actions[name.bytes().map(usize::from).sum::<usize>() % 8] % 10 {
            0 => Action::KeepWhole,
            1 => Action::DropUndigested,
            2 => Action::Drop,
            3 | 4 => Action::Divert,
            5 | 6 => Action::Replace,
            _ => Action::Keep,
        };
        let (out, rewritten, asked) = rewrite(&chunks(text.as_bytes(), &cuts), &action).expect("an object");
        let mut model = Model::new(&action);
        let expected = model.walk(&object);
        prop_assert_eq!(shortest(&out), expected.written(&mut Whims::none()), "{}", text);
        prop_assert!(is_minified(&out), "{}", out);
        prop_assert_eq!(asked, model.asked);
        let diverted: Vec<_> = rewritten.diverted.iter().map(|(name, json)| (name.clone(), shortest(json))).collect();
        prop_assert_eq!(diverted, model.diverted);
        prop_assert_eq!(rewritten.cut, 0);
    }

    #[test]
    fn digest_is_of_the_content(
        object in item(), mut one in whims(), mut two in whims(), cuts in cuts(), turn in any::<usize>(), other in value(),
    ) {
        let keep = |_: &str| Action::Keep;
        let digest = |text: &str| rewrite(&chunks(text.as_bytes(), &cuts), &keep).expect("an object").1.digest;
        let written = object.written(&mut one);
        let mut turned = object.clone();
        turn_members(&mut turned, turn);
        prop_assert_eq!(digest(&written), digest(&turned.written(&mut two)), "{}", written);
        let Value::Object(mut members) = object else { unreachable!("items are objects") };
        members.push(("one more".to_owned(), other));
        prop_assert_ne!(digest(&written), digest(&Value::Object(members).written(&mut two)));
    }

    #[test]
    fn damaged_object_is_rewritten_or_malformed_however_it_is_cut(
        object in item(), mut whims in whims(), damage in damage(), cuts in cuts(),
    ) {
        let bytes = damaged(&object.written(&mut whims), &damage);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let whole = rewrite(&[&bytes], &identity_rules).map(|(out, rewritten, _)| (out, rewritten.digest));
            let cut = rewrite(&chunks(&bytes, &cuts), &identity_rules).map(|(out, rewritten, _)| (out, rewritten.digest));
            prop_assert_eq!(&whole, &cut);
            let object = text.trim_start().starts_with('{');
            prop_assert_eq!(whole.is_ok(), object && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        }
    }
}

/// What the rewriter does, on a tree.
struct Model<'a> {
    action: &'a dyn Fn(&str) -> Action,
    path: Vec<Box<str>>,
    asked: Vec<String>,
    diverted: Vec<(String, String)>,
}

impl<'a> Model<'a> {
    fn new(action: &'a dyn Fn(&str) -> Action) -> Self {
        Self { action, path: Vec::new(), asked: Vec::new(), diverted: Vec::new() }
    }

    fn walk(&mut self, value: &Value) -> Value {
        match value {
            Value::Plain(_) | Value::Text(_) => value.clone(),
            Value::Array(values) => Value::Array(values.iter().map(|value| self.walk(value)).collect()),
            Value::Object(members) => {
                Value::Object(members.iter().filter_map(|(name, value)| self.member(name, value)).collect())
            }
        }
    }

    fn member(&mut self, name: &str, value: &Value) -> Option<(String, Value)> {
        let full = dotted(&self.path, name);
        self.asked.push(full.clone());
        let divert = |model: &mut Self| model.diverted.push((full.clone(), value.written(&mut Whims::none())));
        match (self.action)(name) {
            Action::Keep => {
                self.path.push(name.into());
                let kept = self.walk(value);
                self.path.pop();
                Some((name.to_owned(), kept))
            }
            Action::KeepWhole => Some((name.to_owned(), value.clone())),
            Action::DropUndigested | Action::Drop => None,
            Action::Divert => {
                divert(self);
                None
            }
            Action::Replace => {
                divert(self);
                let text = match value {
                    Value::Plain(text) if text != "null" => text,
                    Value::Text(text) => text,
                    Value::Plain(_) | Value::Array(_) | Value::Object(_) => return None,
                };
                self.asked.push(format!("{full}={text}"));
                replacement(name, text).map(|(name, json)| (name, Value::Plain(json)))
            }
        }
    }
}

fn turn_members(value: &mut Value, turn: usize) {
    match value {
        Value::Plain(_) | Value::Text(_) => {}
        Value::Array(values) => values.iter_mut().for_each(|value| turn_members(value, turn)),
        Value::Object(members) => {
            members.iter_mut().for_each(|(_, value)| turn_members(value, turn));
            let by = turn % members.len().max(1);
            members.rotate_left(by);
        }
    }
}

/// The same JSON in the shortest form, numbers as written.
fn shortest(json: &str) -> String {
    tree(json).written(&mut Whims::none())
}

fn tree(json: &str) -> Value {
    let json = json.trim();
    match json.as_bytes()[0] {
        b'"' => Value::Text(serde_json::from_str(json).expect("a string")),
        b'[' => {
            let values: Vec<&RawValue> = serde_json::from_str(json).expect("an array");
            Value::Array(values.into_iter().map(|value| tree(value.get())).collect())
        }
        b'{' => {
            let Members(members) = serde_json::from_str(json).expect("an object");
            Value::Object(members.into_iter().map(|(name, value)| (name, tree(value.get()))).collect())
        }
        _ => Value::Plain(json.to_owned()),
    }
}

fn is_minified(json: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    json.bytes().all(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\n' | b'\r' | b'\t' => return quoted,
            _ => {}
        }
        true
    })
}
