//! `open/open.R`, `open/open.py`, `open/open.sps`: programs that load a dataset's tables with their types and labels,
//! made from the same declarations as the tables.
//!
//! Never: anything but ASCII, which every program of theirs reads whatever its locale; a value of a participant.

mod python;
mod r;
mod spss;

use std::io::{self, Write};

use crate::dataset::{column::Column, manifest::FileEntry};

/// A table as a script loads it.
#[derive(Clone, Debug)]
pub struct Sheet<'a> {
    /// The table's name.
    pub name: &'a str,
    /// What a row is.
    pub label: &'a str,
    /// Its files in order; one but for a table that was split.
    pub files: Vec<&'a str>,
    /// Its columns.
    pub columns: Vec<&'a Column>,
}

/// Where the scripts stand, and what writes each.
pub const SCRIPTS: [(&str, Script); 3] =
    [("open/open.R", r::write), ("open/open.py", python::write), ("open/open.sps", spss::write)];

/// Writes a script for these tables.
pub type Script = fn(&[Sheet<'_>], &mut dyn Write) -> io::Result<()>;

/// What stands in a template where the tables belong.
const TABLES: &str = "@TABLES@\n";

impl<'a> Sheet<'a> {
    /// The sheet of a table among the files of a dataset; `None` where it has none there.
    pub fn of(
        name: &'a str,
        label: &'a str,
        columns: impl IntoIterator<Item = &'a Column>,
        files: &'a [FileEntry],
    ) -> Option<Self> {
        let is_of_table = |path: &str| {
            let rest = path.strip_prefix("data/").and_then(|path| path.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with(['.', '/']))
        };
        let files: Vec<_> = files.iter().map(|file| file.path.as_str()).filter(|path| is_of_table(path)).collect();
        (!files.is_empty()).then(|| Self { name, label, files, columns: columns.into_iter().collect() })
    }
}

/// The template's text before and behind the tables.
fn halves(template: &'static str) -> (&'static str, &'static str) {
    template.split_once(TABLES).expect("every template has a place for the tables")
}

/// The fixed values of a column, without what is said of each in brackets.
fn values(column: &Column) -> Vec<&'static str> {
    let plain = |value: &'static str| value.split_once(" (").map_or(value, |(value, _)| value).trim();
    column.values.split(", ").map(plain).filter(|value| !value.is_empty()).collect()
}

/// The text between double quotes, with the escapes that R and Python share.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' | '\\' => quoted.extend(['\\', sign]),
            ' '..='~' => quoted.push(sign),
            _ => quoted.push_str(&match u32::from(sign) {
                code @ ..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::dataset::column::{Column, Kind, Origin, Trait};

    pub(crate) fn column(name: &'static str, kind: Kind, values: &'static str) -> Column {
        let from = Origin::Participant(Trait::Code);
        Column { values, unit: "m/s\u{b2}", ..Column::new(name, from, kind, "It's \"so\" \\ here") }
    }

    /// The script for one table of two files and these columns.
    pub(crate) fn script(write: Script, columns: &[Column], files: Vec<&str>) -> String {
        let sheet = Sheet { name: "epochs", label: "One row", files, columns: columns.iter().collect() };
        let mut script = Vec::new();
        write(&[sheet], &mut script).expect("memory takes it");
        let script = String::from_utf8(script).expect("text");
        assert!(script.is_ascii() && !script.contains("@TABLES@"));
        script
    }

    #[test]
    fn files_of_a_table_are_its_own_whole_or_split() {
        let entry = |path: &str| FileEntry { path: path.to_owned(), bytes: 1, sha256: String::new(), rows: None };
        let files =
            ["data/stress.csv", "data/stress_levels.csv", "data/hrv/A-1.csv", "data/hrv/A-2.csv", "raw/hrv.ndjson"];
        let files: Vec<_> = files.iter().map(|path| entry(path)).collect();
        let of = |name: &'static str| Sheet::of(name, "", [], &files).map(|sheet| sheet.files);
        assert_eq!(of("stress"), Some(vec!["data/stress.csv"]));
        assert_eq!(of("hrv"), Some(vec!["data/hrv/A-1.csv", "data/hrv/A-2.csv"]));
        assert_eq!(of("sleeps"), None);
    }

    #[test]
    fn values_are_told_without_what_is_said_of_them() {
        let told = values(&column("x", Kind::Text, "active, motion (Garmin's -2), other"));
        assert_eq!(told, ["active", "motion", "other"]);
        assert!(values(&column("x", Kind::Text, "")).is_empty());
    }
}
