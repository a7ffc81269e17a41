//! `studygate.toml(5)`, made from the shipped configuration: what its comments say of each key stands in the manual, too.
//!
//! The shipped file is made of blocks with an empty line between them. In a block, comments come before what they are
//! about: keys, one or several, or the head of a section. A key or a head behind `#` without a space is one that is off.

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// The page.
pub(super) fn page(sample: &str, source: &str, manual: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", ["studygate.toml", "5", "", source, manual]);
    page.control("SH", ["NAME"]);
    page.text([roman("studygate.toml - configuration of the studygate gateway")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([roman("/etc/studygate/studygate.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    let mut has_keys = false;
    for block in sample.split("\n\n") {
        let lines: Vec<Line> = block.lines().map(Line::read).collect();
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let (comments, after) = rest.split_at(leading(rest, |line| matches!(line, Line::Comment(_))));
            if let Some((Line::Head(head), after)) = after.split_first() {
                page.control("SH", [*head]);
                paragraph(&mut page, comments);
                has_keys = true;
                rest = after;
                continue;
            }
            let (keys, after) = after.split_at(leading(after, |line| matches!(line, Line::Key(..))));
            if !keys.is_empty() && !has_keys {
                page.control("SH", ["KEYS BEFORE ANY SECTION"]);
                has_keys = true;
            }
            describe(&mut page, keys, comments);
            rest = after;
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("studygate"), roman("(1), "), bold("studygate-check-config"), roman("(1)")]);
    page.render()
}

/// A line of the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Comment(&'a str),
    Head(&'a str),
    /// A key and its value.
    Key(&'a str, &'a str),
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Line<'a> {
        let bare = match line.strip_prefix('#') {
            Some(text) if text.is_empty() || text.starts_with(' ') => return Line::Comment(text.trim_start()),
            Some(off) => off,
            None => line,
        };
        match bare.split_once(" = ") {
            Some((key, value)) => Line::Key(key, value),
            None => Line::Head(bare),
        }
    }
}

fn leading(lines: &[Line], is_such: impl Fn(&Line) -> bool) -> usize {
    lines.iter().take_while(|line| is_such(line)).count()
}

/// Keys that share a description; without keys, a paragraph of its own.
fn describe(page: &mut Roff, keys: &[Line], comments: &[Line]) {
    for (place, key) in keys.iter().enumerate() {
        let Line::Key(key, value) = key else { continue };
        page.control(if place == 0 { "TP" } else { "TQ" }, []);
        page.text([bold(*key), roman(format!(" = {value}"))]);
    }
    if keys.is_empty() {
        paragraph(page, comments);
    } else if !comments.is_empty() {
        page.text([text_of(comments)]);
    }
}

fn paragraph(page: &mut Roff, comments: &[Line]) {
    if !comments.is_empty() {
        page.control("PP", []);
        page.text([text_of(comments)]);
    }
}

fn text_of(comments: &[Line]) -> Inline {
    let texts = comments.iter().filter_map(|line| match line {
        Line::Comment(text) => Some(*text),
        Line::Head(_) | Line::Key(..) => None,
    });
    roman(texts.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sample: &str, expected: &str) {
        let page = page(sample, "studygate 0", "studygate");
        let (_, told) = page.split_once(".SH DESCRIPTION\n").expect("a description");
        let (told, _) = told.split_once(".SH \"SEE ALSO\"").expect("its end");
        assert_eq!(told, expected);
    }

    #[test]
    fn comment_before_a_key_is_what_is_said_of_it() {
        check(
            "# Of the file.\n\n# Where it lies:\n# on a disk.\n#data_dir = \"/d\"\n",
            ".PP\nOf the file.\n.SH \"KEYS BEFORE ANY SECTION\"\n.TP\n\\fBdata_dir\\fR = \"/d\"\nWhere it lies:\non a disk.\n",
        );
    }

    #[test]
    fn keys_in_a_row_share_what_is_said_before_them() {
        check(
            "# Of a section.\n[hold]\n# Of both.\n#a = 1\n#b = 2\n",
            ".SH [hold]\n.PP\nOf a section.\n.TP\n\\fBa\\fR = 1\n.TQ\n\\fBb\\fR = 2\nOf both.\n",
        );
    }

    #[test]
    fn section_that_is_off_has_its_keys_as_well() {
        check("#[[local.grant]]\n#role = \"x\"", ".SH [[local.grant]]\n.TP\n\\fBrole\\fR = \"x\"\n");
    }
}
