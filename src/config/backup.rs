//! The daily backup.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[backup]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Where backups go; empty = none are made.
    pub dir: PathBuf,
    /// How many daily ones are kept.
    pub keep: u32,
    /// The time of day, `HH:MM`, in the machine's time zone.
    pub at: String,
}

impl Default for Backup {
    fn default() -> Self {
        Self { dir: PathBuf::new(), keep: 14, at: "02:30".to_owned() }
    }
}

impl Backup {
    /// Whether backups would lie within what they are made of.
    pub(super) fn lies_below(&self, data_dir: &Path) -> bool {
        let both = !self.dir.as_os_str().is_empty() && !data_dir.as_os_str().is_empty();
        both && self.dir.starts_with(data_dir)
    }
}
