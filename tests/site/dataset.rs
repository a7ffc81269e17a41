//! A dataset that was opened: its rows, and a ledger's view of them.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use serde_json::Value;
use studygate::simulate::ledger::Row;
use studygate::simulate::markers::Markers;

use super::files_below;

/// An opened dataset.
pub(crate) struct Dataset {
    folder: PathBuf,
}

impl Dataset {
    /// The dataset in this folder.
    pub(crate) fn at(folder: PathBuf) -> Self {
        assert!(folder.join("manifest.json").is_file(), "no dataset in {}", folder.display());
        Self { folder }
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The lines of a type's raw records; none where the dataset has no such file.
    pub(crate) fn raw(&self, summary_type: &str) -> Vec<Value> {
        let Ok(file) = File::open(self.folder.join(format!("raw/{summary_type}.ndjson"))) else {
            return Vec::new();
        };
        BufReader::new(file)
            .lines()
            .map(|line| serde_json::from_str(&line.expect("text")).expect("a JSON line"))
            .collect()
    }

    /// The raw records of one participant and type.
    pub(crate) fn records(&self, code: &str, summary_type: &str) -> Vec<Value> {
        let mut lines = self.raw(summary_type);
        lines.retain(|line| line["participant"] == code);
        lines.into_iter().map(|mut line| line["record"].take()).collect()
    }

    /// The types that it has raw records of, sorted.
    pub(crate) fn types(&self) -> Vec<String> {
        let folder = self.folder.join("raw");
        let files = if folder.is_dir() { files_below(&folder) } else { Vec::new() };
        let stems = files.iter().filter_map(|file| file.file_stem()?.to_str());
        stems.filter(|stem| !self.raw(stem).is_empty()).map(str::to_owned).collect()
    }

    /// Every raw record with its user's place; participants are coded by `code_of`.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for summary_type in self.types() {
            for mut line in self.raw(&summary_type) {
                let code = line["participant"].as_str().expect("a code").to_owned();
                let user = code.trim_start_matches('P').parse().expect("a code of this site");
                rows.push(Row { user, summary_type: summary_type.clone(), record: line["record"].take() });
            }
        }
        rows
    }

    /// The rows of a CSV table below its header, each as named cells; none where there is no such table.
    pub(crate) fn table(&self, name: &str) -> Vec<std::collections::HashMap<String, String>> {
        let Ok(mut reader) = csv::Reader::from_path(self.folder.join(format!("data/{name}.csv"))) else {
            return Vec::new();
        };
        reader.deserialize().map(|row| row.expect("a row as wide as its header")).collect()
    }

    /// What kind of marker stands in which of its files, where one does.
    pub(crate) fn marker(&self, markers: &Markers) -> Option<String> {
        files_below(&self.folder).into_iter().find_map(|file| {
            let what = markers.found_in(&std::fs::read(&file).expect("readable"))?;
            Some(format!("{what} in {}", file.display()))
        })
    }
}
