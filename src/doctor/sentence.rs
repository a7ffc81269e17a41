//! Sentences whose parts say whether they may leave the site: the program's own words, numbers and times may; what the
//! site named itself may not, and has a stand-in.
//!
//! Never: text from outside among the words of the program. They are `&'static str`, so that it does not compile.

use std::collections::HashMap;
use std::fmt;

use crate::model::time::UnixSeconds;

/// What a name of the site's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Own {
    /// A file or folder.
    Path,
    /// A host, an address or a network.
    Host,
    /// A path that notifications come to.
    NotificationPath,
    /// A study.
    Study,
    /// A group of the system.
    Group,
    /// A token of the API.
    Token,
    /// Anything else: it has no stand-in, and is left out.
    Text,
}

impl Own {
    const fn word(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Host => "host",
            Self::NotificationPath => "notification-path",
            Self::Study => "study",
            Self::Group => "group",
            Self::Token => "token",
            Self::Text => "text",
        }
    }
}

/// A sentence, or a few words of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Shown(String),
    Withheld(Own, String),
}

impl Sentence {
    /// Words of the program.
    pub fn new(words: &'static str) -> Self {
        Self::default().and(words)
    }

    /// Further words of the program.
    pub fn and(self, words: &'static str) -> Self {
        self.with(Part::Shown(words.to_owned()))
    }

    /// A number.
    pub fn number(self, number: u64) -> Self {
        self.with(Part::Shown(number.to_string()))
    }

    /// A size, in a unit that is easily read.
    pub fn bytes(self, bytes: u64) -> Self {
        self.with(Part::Shown(size(bytes)))
    }

    /// A time.
    pub fn time(self, at: UnixSeconds) -> Self {
        self.with(Part::Shown(at.to_string()))
    }

    /// Words of the program, separated by commas.
    pub fn list(self, words: &[&'static str]) -> Self {
        self.with(Part::Shown(words.join(", ")))
    }

    /// What the site named itself.
    pub fn own(self, kind: Own, name: impl fmt::Display) -> Self {
        self.with(Part::Withheld(kind, name.to_string()))
    }

    /// What the site named itself, separated by commas.
    pub fn owns<D: fmt::Display>(mut self, kind: Own, names: impl IntoIterator<Item = D>) -> Self {
        for (place, name) in names.into_iter().enumerate() {
            self = if place == 0 { self } else { self.and(", ") };
            self = self.own(kind, name);
        }
        self
    }

    /// Another sentence behind this one.
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The sentence with a stand-in for each name of the site's own.
    pub fn redacted(&self, stand_ins: &mut StandIns) -> Shown {
        let part = |part: &Part| match part {
            Part::Shown(text) => text.clone(),
            Part::Withheld(kind, name) => stand_ins.of(*kind, name).0,
        };
        Shown(self.0.iter().map(part).collect())
    }

    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }
}

/// As a person of the site reads it.
impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Shown(text) | Part::Withheld(_, text) => f.write_str(text),
        })
    }
}

/// Text that may leave the site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown(String);

impl Shown {
    /// Words of the program.
    pub fn words(words: &'static str) -> Self {
        Self(words.to_owned())
    }

    /// A time.
    pub fn time(at: UnixSeconds) -> Self {
        Self(at.to_string())
    }

    /// That of these words which the text is, if it is one.
    pub fn one_of(text: &str, words: &[&'static str]) -> Option<Self> {
        words.iter().find(|word| **word == text).map(|word| Self::words(word))
    }

    /// Text that is a time as the gateway writes times (`2026-11-01T05:00:00Z`), if it is one.
    pub fn if_time(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Self::time(UnixSeconds(at.as_second()))).filter(|shown| shown.0 == text)
    }

    /// Text that is a number, if it is one.
    pub fn if_number(text: &str) -> Option<Self> {
        text.parse::<f64>().ok().map(|_| Self(text.to_owned()))
    }

    /// Text of the form that the program's own names, labels and versions have, if it is of that. Only for text that
    /// stands where the program writes nothing else.
    pub fn if_identifier(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte);
        (text.len() <= 64 && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This text behind the other.
    pub fn followed_by(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }
}

/// Stand-ins for what the site named itself: the same one for the same name, so that it can be followed.
#[derive(Debug, Default)]
pub struct StandIns(HashMap<(Own, String), usize>, HashMap<Own, usize>);

impl StandIns {
    /// The stand-in for a name.
    pub fn of(&mut self, kind: Own, name: &str) -> Shown {
        if kind == Own::Text {
            return Shown::words("(withheld)");
        }
        let Self(known, counts) = self;
        let number = known.entry((kind, name.to_owned())).or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            *count
        });
        Shown(format!("{}-{number}", kind.word()))
    }
}

/// A number of bytes to three figures.
pub fn size(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn person_reads_everything_and_a_bundle_has_stand_ins_that_stay() {
        let sentence = Sentence::new("the study ").own(Own::Study, "HEART").and(" has ").number(1).and(" recipient");
        let again = Sentence::new("see ").own(Own::Study, "HEART").and(", ").own(Own::Study, "LUNG");
        assert_eq!(sentence.to_string(), "the study HEART has 1 recipient");
        let stand_ins = &mut StandIns::default();
        assert_eq!(sentence.redacted(stand_ins).as_str(), "the study study-1 has 1 recipient");
        assert_eq!(again.redacted(stand_ins).as_str(), "see study-1, study-2");
        assert_eq!(Sentence::new("").own(Own::Text, "secret").redacted(stand_ins).as_str(), "(withheld)");
    }

    #[test]
    fn text_from_outside_is_shown_only_where_it_is_a_time_or_a_known_word() {
        assert_eq!(Shown::if_time("2026-11-01T05:00:00Z").map(|shown| shown.0), Some("2026-11-01T05:00:00Z".into()));
        for other in ["2026-11-01", "HEART", "2026-11-01T05:00:00.123456789Z", "2026-11-01T05:00:00+01:00"] {
            assert_eq!(Shown::if_time(other), None, "{other}");
        }
        assert!(Shown::one_of("disk_low", &["clock", "disk_low"]).is_some());
        assert_eq!(Shown::one_of("HEART", &["clock", "disk_low"]), None);
    }

    #[test]
    fn sizes_are_cut_to_a_tenth() {
        assert_eq!([size(12), size(1536), size(100_000_000)], ["12 B", "1.5 KiB", "95.3 MiB"]);
    }
}
