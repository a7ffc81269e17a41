//! What must hold of any bytes; the fuzz targets and the replay of their corpus both ask it.

use serde::de::IgnoredAny;
use studygate::json::entry_codec::{decode, encode};
use studygate::json::rewrite::{Action, Malformed, Rewriter, Rules};
use studygate::json::split::{DEPTH_MAX, Splitter, SyntaxError};
use studygate::model::entry::{Entry, Shape};

const CHUNKS: [usize; 3] = [1, 3, 17];

/// The splitter takes exactly what serde_json takes, finds the same however the body is cut, and its entries keep.
pub fn check_split(body: &[u8]) {
    let (entries, result) = split(body, body.len().max(1));
    for chunk in CHUNKS {
        let (other, same) = split(body, chunk);
        assert_eq!(result, same, "chunks of {chunk} bytes");
        assert!(entries == other, "chunks of {chunk} bytes");
    }
    assert_eq!(result.is_ok(), is_object(body) && depth(body) <= DEPTH_MAX);
    for entry in &entries {
        let span = &body[entry.span.start as usize..entry.span.end as usize];
        assert!(serde_json::from_slice::<IgnoredAny>(span).is_ok());
        match entry.shape {
            Shape::Push | Shape::Ping => assert!(span.starts_with(b"{")),
            Shape::NotAnObject => assert!(!span.starts_with(b"{")),
            Shape::NotAnArray => assert!(!span.starts_with(b"[")),
            Shape::File | Shape::UnexpectedFile => panic!("the splitter finds no files"),
        }
        let mut bytes = Vec::new();
        encode(entry, &mut bytes);
        assert!(decode(&mut bytes.as_slice()).as_ref() == Some(entry));
    }
}

/// The rewriter does the same however the object is cut; what it lets through is an object of the same digest.
pub fn check_rewrite(object: &[u8]) {
    if std::str::from_utf8(object).is_err() {
        return;
    }
    let whole = rewrite(object, object.len().max(1), &by_length);
    for chunk in CHUNKS {
        assert_eq!(whole, rewrite(object, chunk, &by_length), "chunks of {chunk} bytes");
    }
    assert_eq!(whole.is_ok(), is_object(object) && depth(object) <= DEPTH_MAX);
    if let Ok((out, ..)) = whole {
        assert!(is_object(&out));
    }
    if let Ok((out, digest, _)) = rewrite(object, object.len().max(1), &|_| Action::Keep) {
        let again = rewrite(&out, 7, &|_| Action::KeepWhole);
        assert_eq!(again, Ok((out, digest, Vec::new())));
    }
}

fn split(body: &[u8], chunk: usize) -> (Vec<Entry>, Result<(), SyntaxError>) {
    let mut splitter = Splitter::new();
    let mut entries = Vec::new();
    for chunk in body.chunks(chunk) {
        if let Err(error) = splitter.feed(chunk, &mut |entry| entries.push(entry)) {
            return (entries, Err(error));
        }
    }
    (entries, splitter.finish())
}

struct ByName<'a>(&'a dyn Fn(&str) -> Action);

impl Rules for ByName<'_> {
    fn action(&mut self, _: &[Box<str>], name: &str) -> Action {
        (self.0)(name)
    }

    fn replace(&mut self, _: &[Box<str>], name: &str, value: &str) -> Option<(String, String)> {
        Some((name.to_owned(), value.len().to_string()))
    }
}

fn by_length(name: &str) -> Action {
    match name.len() % 8 {
        0 => Action::KeepWhole,
        2 => Action::DropUndigested,
        3 => Action::Drop,
        4 => Action::Divert,
        5 => Action::Replace,
        _ => Action::Keep,
    }
}

type Outcome = Result<(Vec<u8>, [u8; 16], Vec<(String, String)>), Malformed>;

fn rewrite(object: &[u8], chunk: usize, action: &dyn Fn(&str) -> Action) -> Outcome {
    let mut out = Vec::new();
    let mut rewriter = Rewriter::new(ByName(action), b"made-up test key");
    for chunk in object.chunks(chunk) {
        rewriter.feed(chunk, &mut |piece| out.extend_from_slice(piece))?;
    }
    let rewritten = rewriter.finish(&mut |piece| out.extend_from_slice(piece))?;
    Ok((out, rewritten.digest, rewritten.diverted))
}

fn is_object(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    text.trim_start_matches([' ', '\n', '\r', '\t']).starts_with('{')
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The deepest nesting of well-formed JSON.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
