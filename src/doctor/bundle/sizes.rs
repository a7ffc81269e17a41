//! How many files of which kind there are, and their bytes; no names.

use std::fs;
use std::path::Path;

use crate::config::Config;
use crate::doctor::bundle::safe::Safe;

/// Folders within folders of the data directory are two deep.
const DEPTH_MAX: u8 = 4;

pub(super) fn safe(config: &Config) -> Safe {
    let dir = config.data_dir.as_path();
    let of = |kind: &'static str, at: &Path, takes: &dyn Fn(&str) -> bool| {
        let (mut files, mut bytes) = (0, 0);
        let is_read = count(at, DEPTH_MAX, takes, &mut files, &mut bytes);
        let members = [("files", Safe::number(files)), ("bytes", Safe::number(bytes)), ("read", Safe::Flag(is_read))];
        (kind, Safe::members(members))
    };
    let begins = |prefix: &'static str| move |name: &str| name.starts_with(prefix);
    let ends = |suffix: &'static str| move |name: &str| name.ends_with(suffix);
    let every = |_: &str| true;
    let mut database = (0, 0);
    let generations = fs::read_dir(dir).into_iter().flatten().flatten();
    for generation in generations.filter(|entry| entry.file_name().to_string_lossy().starts_with("db")) {
        count(&generation.path(), DEPTH_MAX, &every, &mut database.0, &mut database.1);
    }
    let database = Safe::members([("files", Safe::number(database.0)), ("bytes", Safe::number(database.1))]);
    let backup = &config.backup.dir;
    Safe::members([
        of("keyring", &dir.join("keyring"), &every),
        of("journal_segments", &dir.join("journal"), &begins("seg-")),
        of("journal_bodies", &dir.join("journal"), &begins("body-")),
        ("database", database),
        of("blobs", &dir.join("blobs"), &every),
        of("audit", &dir.join("audit"), &every),
        of("ballast", &dir.join("ballast"), &every),
        of("backups", backup, &ends(".sgbackup")),
        of("purge_logs", backup, &ends(".sgpurges")),
    ])
}

/// Adds the files below a path whose names are taken; whether all of it could be read.
fn count(at: &Path, depth: u8, takes: &dyn Fn(&str) -> bool, files: &mut usize, bytes: &mut usize) -> bool {
    let Ok(found) = fs::symlink_metadata(at) else { return false };
    if found.is_file() {
        if at.file_name().is_some_and(|name| takes(&name.to_string_lossy())) {
            *files += 1;
            *bytes = bytes.saturating_add(usize::try_from(found.len()).unwrap_or(usize::MAX));
        }
        return true;
    }
    let Some(depth) = depth.checked_sub(1).filter(|_| found.is_dir()) else { return true };
    let Ok(entries) = fs::read_dir(at) else { return false };
    let mut is_read = true;
    for entry in entries.flatten() {
        is_read &= count(&entry.path(), depth, takes, files, bytes);
    }
    is_read
}
