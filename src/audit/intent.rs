//! What is about to be done, durable before it is: a crash between an act and its entry is told of at the next start.
//!
//! ```text
//! audit/under-way   a JSON line for each act that was begun, fsynced before the act, and for each that is over; cut to
//!                   nothing when none is under way. The act's entry bears the intent's name, so that a start tells what was entered from what
//!                   was not.
//! ```
//! A line that does not end was not fsynced, so its act was not begun.
//!
//! Never: an act begun before its line is durable.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audit::entry::Who;

const NAME: &str = "under-way";

/// What somebody is about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Names it; random.
    pub(super) name: String,
    /// Who.
    pub(super) who: Who,
    /// What was asked for.
    pub(super) request: String,
    /// Of which study.
    pub(super) study: Option<String>,
    /// Of whom.
    pub(super) code: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Begun(Intent),
    /// What bears this name is over, others are not.
    Over(String),
}

/// The file of those that are under way.
pub(super) struct Intents {
    file: File,
    offset: u64,
    under_way: HashSet<String>,
}

impl Intents {
    /// The file in this folder, and what was under way when it was last closed.
    pub(super) fn open(dir: &Path, folder: &File) -> io::Result<(Self, Vec<Intent>)> {
        let path = dir.join(NAME);
        let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let text =
            std::fs::read(&path).or_else(|error| if is_missing(&error) { Ok(Vec::new()) } else { Err(error) })?;
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(path)?;
        folder.sync_all()?;
        let lines = text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        let mut left: Vec<Intent> = Vec::new();
        for line in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
            match line {
                Line::Begun(intent) => left.push(intent),
                Line::Over(name) => left.retain(|intent| intent.name != name),
            }
        }
        Ok((Self { file, offset: text.len() as u64, under_way: HashSet::new() }, left))
    }

    /// What was left is entered.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.offset = 0;
        self.file.set_len(0)
    }

    /// It may be done; durable on return.
    pub(super) fn begin(&mut self, intent: &Intent) -> io::Result<()> {
        self.write(&Line::Begun(intent.clone()))?;
        self.file.sync_data()?;
        self.under_way.insert(intent.name.clone());
        Ok(())
    }

    /// It was done and entered, or was not done.
    pub(super) fn end(&mut self, intent: &Intent) -> io::Result<()> {
        self.under_way.remove(&intent.name);
        if self.under_way.is_empty() { self.clear() } else { self.write(&Line::Over(intent.name.clone())) }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line).expect("an intent has text keys and whole numbers");
        bytes.push(b'\n');
        self.file.write_all_at(&bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
