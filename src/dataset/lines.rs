//! What an opened dataset holds, in as many lines as a person wants to read.

use crate::dataset::manifest::FileEntry;
use crate::dataset::open::Summary;

/// Where activity files lie.
const FILES_DIR: &str = "files/";

/// A line of what a dataset holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A file's path; or the folder of activity files, and how many there are.
    pub name: String,
    /// The rows of a table.
    pub rows: Option<u64>,
    /// The bytes.
    pub bytes: u64,
}

impl Summary {
    /// Its files in order; all activity files together are one line, the last.
    pub fn lines(&self) -> Vec<Line> {
        let (files, others): (Vec<&FileEntry>, Vec<_>) =
            self.files.iter().partition(|file| file.path.starts_with(FILES_DIR));
        let line = |file: &FileEntry| Line { name: file.path.clone(), rows: file.rows, bytes: file.bytes };
        let mut lines: Vec<Line> = others.into_iter().map(line).collect();
        if !files.is_empty() {
            let noun = if files.len() == 1 { "file" } else { "files" };
            let name = format!("{FILES_DIR} ({} {noun})", files.len());
            lines.push(Line { name, rows: None, bytes: files.iter().map(|file| file.bytes).sum() });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(paths: &[&str]) -> Vec<(String, Option<u64>, u64)> {
        let entry = |path: &&str| {
            let rows = path.ends_with(".csv").then_some(3);
            FileEntry { path: (*path).to_owned(), bytes: 10, sha256: String::new(), rows }
        };
        let summary = Summary {
            study: "S".to_owned(),
            number: 1,
            made_at: String::new(),
            site_key: String::new(),
            files: paths.iter().map(entry).collect(),
        };
        summary.lines().into_iter().map(|line| (line.name, line.rows, line.bytes)).collect()
    }

    #[test]
    fn activity_files_are_summed_up_and_everything_else_has_its_own_line() {
        let table = |path: &str| (path.to_owned(), Some(3), 10);
        assert_eq!(lines(&["data/sleeps.csv"]), [table("data/sleeps.csv")]);
        assert_eq!(
            lines(&["data/activity_files.csv", "files/A-1/0a.fit", "files/A-2/0b.gpx", "data/sleeps.csv"]),
            [table("data/activity_files.csv"), table("data/sleeps.csv"), ("files/ (2 files)".to_owned(), None, 20)]
        );
        assert_eq!(lines(&["files/A-1/0a.fit"]), [("files/ (1 file)".to_owned(), None, 10)]);
    }
}
