//! A record's content on its way into a dataset: what [`Deidentify`] lets pass, streamed.

use std::io;

use crate::dataset::{
    deidentify::{Deidentify, Verdict},
    source::Content,
};
use crate::json::rewrite::{Action, Rewriter, Rules};

/// Which of the members that may pass are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// All: for `raw/`.
    Everything,
    /// Those at these paths (names joined by dots): for a table.
    Paths(&'a [&'static str]),
}

/// Takes a content piece by piece and lets pass what may.
pub struct Filter<'a> {
    rewriter: Rewriter<Passing<'a>>,
    passed: Vec<u8>,
}

impl<'a> Filter<'a> {
    /// A filter at the start of a content.
    pub fn new(rules: Deidentify<'a>, wanted: Wanted<'a>) -> Self {
        // The digest that the rewriter keeps is of no use here, so its key may be any.
        Self { rewriter: Rewriter::new(Passing { rules, wanted }, &[0; 16]), passed: Vec::new() }
    }

    /// Takes the next bytes and hands over what of them passes.
    pub fn feed(&mut self, piece: &[u8], output: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let passed = &mut self.passed;
        passed.clear();
        self.rewriter.feed(piece, &mut |bytes| passed.extend_from_slice(bytes)).map_err(|_| malformed())?;
        if passed.is_empty() { Ok(()) } else { output(passed) }
    }

    /// The content is over; hands over what was still held back.
    pub fn finish(mut self, output: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let passed = &mut self.passed;
        passed.clear();
        self.rewriter.finish(&mut |bytes| passed.extend_from_slice(bytes)).map_err(|_| malformed())?;
        if passed.is_empty() { Ok(()) } else { output(passed) }
    }
}

/// Hands over, piece by piece, what of a content may pass and is wanted, as a minified JSON object.
pub fn filter(
    content: &mut dyn Content,
    rules: Deidentify<'_>,
    wanted: Wanted<'_>,
    output: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut filter = Filter::new(rules, wanted);
    content.read(&mut |piece| filter.feed(piece, output))?;
    filter.finish(output)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a stored record is no JSON object")
}

struct Passing<'a> {
    rules: Deidentify<'a>,
    wanted: Wanted<'a>,
}

impl Passing<'_> {
    fn is_wanted(&self, path: &[Box<str>], name: &str) -> bool {
        match self.wanted {
            Wanted::Everything => true,
            Wanted::Paths(paths) => paths.iter().any(|wanted| leads_to(path, name, wanted)),
        }
    }
}

impl Rules for Passing<'_> {
    fn action(&mut self, path: &[Box<str>], name: &str) -> Action {
        if !self.is_wanted(path, name) {
            return Action::DropUndigested;
        }
        match self.rules.verdict(path, name) {
            Verdict::Keep => Action::Keep,
            Verdict::Drop => Action::DropUndigested,
            Verdict::Change(_) => Action::Replace,
        }
    }

    fn replace(&mut self, path: &[Box<str>], name: &str, value: &str) -> Option<(String, String)> {
        let Verdict::Change(change) = self.rules.verdict(path, name) else { return None };
        // Nothing that is read through here is a time.
        self.rules.changed(change, value, None).map(|changed| (name.to_owned(), changed.json()))
    }
}

/// Whether the member is the wanted one or encloses it.
fn leads_to(path: &[Box<str>], name: &str, wanted: &str) -> bool {
    let mut steps = wanted.split('.');
    path.iter().map(|step| &**step).chain([name]).all(|step| steps.next() == Some(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::study::{LocationRule, Rules as StudyRules};

    fn check(rules: &StudyRules, wanted: Wanted<'_>, record: &str, expected: &str) {
        for size in [1, 7, record.len()] {
            let rules = Deidentify::new(rules, "activityDetails").expect("a known type");
            let mut content = Pieces(record.as_bytes(), size);
            let mut passed = Vec::new();
            filter(&mut content, rules, wanted, &mut |piece| {
                passed.extend_from_slice(piece);
                Ok(())
            })
            .expect("well-formed");
            assert_eq!(String::from_utf8_lossy(&passed), expected, "in pieces of {size}");
        }
    }

    struct Pieces<'a>(&'a [u8], usize);

    impl Content for Pieces<'_> {
        fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
            self.0.chunks(self.1).try_for_each(piece)
        }
    }

    const RECORD: &str = r#"{"record_id":"aaaabbbbccccdddd","samples":[{"heartRate":90071992547409931,"latitudeInDegree":51.0532,"mood":"x"},{"latitudeInDegree":null}],"summary":{"steps":3,"activityName":"Home"},"novelty":{"steps":1}}"#;

    #[test]
    fn raw_keeps_known_members_verbatim() {
        check(
            &StudyRules::default(),
            Wanted::Everything,
            RECORD,
            r#"{"record_id":"aaaabbbbccccdddd","samples":[{"heartRate":90071992547409931},{}],"summary":{"steps":3}}"#,
        );
    }

    #[test]
    fn coordinates_are_cut_where_the_study_wants_them_coarse() {
        let rules = StudyRules { location: LocationRule::Coarse, ..StudyRules::default() };
        check(
            &rules,
            Wanted::Everything,
            RECORD,
            r#"{"record_id":"aaaabbbbccccdddd","samples":[{"heartRate":90071992547409931,"latitudeInDegree":51.05},{}],"summary":{"steps":3}}"#,
        );
    }

    #[test]
    fn table_takes_its_own_paths_alone() {
        check(&StudyRules::default(), Wanted::Paths(&["summary.steps"]), RECORD, r#"{"summary":{"steps":3}}"#);
    }
}
