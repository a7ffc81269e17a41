//! Memory of the JSON passes does not grow with the body: the peak of this process is watched.
//!
//! One test in a file of its own, so that nothing else allocates beside it.

use std::fs;

use studygate::json::rewrite::{Action, Rewriter, Rules};
use studygate::json::split::Splitter;
use studygate::model::entry::Whose;

const GROWTH_KIB_MAX: u64 = 1024;
const BODY_BYTES: usize = 8 << 20;

struct IdentityLast;

impl Rules for IdentityLast {
    fn action(&mut self, _: &[Box<str>], name: &str) -> Action {
        match name {
            "userId" => Action::DropUndigested,
            "place" => Action::Divert,
            "id" => Action::Replace,
            _ => Action::Keep,
        }
    }

    fn replace(&mut self, _: &[Box<str>], _: &str, _: &str) -> Option<(String, String)> {
        Some(("record_id".to_owned(), "1".to_owned()))
    }
}

#[test]
fn memory_does_not_grow_with_the_body() {
    // A piece that is repeated between a head and a tail makes one item of tens of megabytes.
    let shapes: &[(&str, &str, &str)] = &[
        (r#"{"x":""#, "0123456789abcdef", r#"","userId":"u"}"#),
        (r#"{"x":""#, r"\u0041\\\ud83d\ude00", r#"","userId":"u"}"#),
        (r#"{"x":1"#, "0123456789", r#","userId":"u"}"#),
        (r#"{"x":[0"#, r#",{"heartRate":83,"place":"here"}"#, r#"],"userId":"u"}"#),
        (r#"{"x":1"#, r#","y":[]"#, r#","userId":"u"}"#),
        (r#"{"place":""#, "0123456789abcdef", r#"","userId":"u"}"#),
        (r#"{"id":""#, "0123456789abcdef", r#"","userId":"u"}"#),
        (r#"{"permissions":["#, "                ", r#"],"userId":"u"}"#),
        (r#"{"activityId":1"#, "0123456789012345", r#","userId":"u"}"#),
        (r#"{""#, "0123456789abcdef", r#"":1,"userId":"u"}"#),
        ("{", "   \n   ", r#""userId":"u"}"#),
    ];
    run(shapes[0], 1 << 20);
    for shape in shapes {
        let before = peak_kib();
        run(*shape, BODY_BYTES);
        let growth = peak_kib().saturating_sub(before);
        assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more for {shape:?}");
    }
    let before = peak_kib();
    let items = feed_splitter(&[("{\"a\":[", 1), ("{\"userId\":\"u\"},", BODY_BYTES / 15), ("{}]}", 1)]);
    assert_eq!(items, (BODY_BYTES / 15) as u64);
    let growth = peak_kib().saturating_sub(before);
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more for tiny items");
}

fn run((head, piece, tail): (&str, &str, &str), bytes: usize) {
    let block = piece.repeat((16 << 10) / piece.len());
    let blocks = bytes / block.len();
    feed_splitter(&[("{\"a\":[", 1), (head, 1), (&block, blocks), (tail, 1), ("]}", 1)]);
    let mut rewriter = Rewriter::new(IdentityLast, b"made-up test key");
    let mut longest = 0;
    let mut output = |piece: &[u8]| longest = longest.max(piece.len());
    for (text, times) in [(head, 1), (&block, blocks), (tail, 1)] {
        for _ in 0..times {
            rewriter.feed(text.as_bytes(), &mut output).expect("an object");
        }
    }
    rewriter.finish(&mut output).expect("an object");
    assert!(longest <= 32 << 10);
}

/// Feeds each text so many times; how many entries had a user.
fn feed_splitter(texts: &[(&str, usize)]) -> u64 {
    let mut splitter = Splitter::new();
    let mut users = 0;
    for (text, times) in texts {
        for _ in 0..*times {
            let fed = splitter.feed(text.as_bytes(), &mut |entry| {
                users += u64::from(matches!(entry.whose, Whose::User(_)));
            });
            assert_eq!(fed, Ok(()));
        }
    }
    assert_eq!(splitter.finish(), Ok(()));
    users
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says what a process takes");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak is told");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}
