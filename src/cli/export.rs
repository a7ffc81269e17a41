//! `export`: streams a study's encrypted dataset into a file that exists only once it is whole.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use crate::cli::{
    exit::{Exit, Failure},
    gateway::{Download, Gateway},
    meter::{Instruments, Meter},
    output::{self, Form},
    resource::Resource,
};
use crate::clock::{Clock as _, SystemClock};

/// What to export, and where to.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The study's name
    #[arg(long, value_name = "NAME")]
    study: String,
    /// Only this participant; repeat it for more
    #[arg(long = "participant", value_name = "CODE")]
    participants: Vec<String>,
    /// Only these tables, with commas between
    #[arg(long, value_name = "a,b,…")]
    tables: Option<String>,
    /// The format of the tables
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "parquet", "ndjson"])]
    format: Option<String>,
    /// Only records from this day on, by the participant's own clock
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Only records until this day, included
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Every revision of a record, not the current one alone
    #[arg(long)]
    revisions: bool,
    /// Only what came, changed or went since this export, of what that one covers
    #[arg(long, value_name = "N", conflicts_with_all = ["as_of", "participants", "tables", "from", "to", "revisions"])]
    since: Option<u32>,
    /// This export once more, as it was but for what was destroyed since
    #[arg(long, value_name = "N", conflicts_with_all = ["participants", "tables", "from", "to", "revisions"])]
    as_of: Option<u32>,
    /// The file to write; one that exists is left alone
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Exports.
pub(super) fn run(export: &Export, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    take(&resource(export), &export.output, gateway, form)
}

/// Takes what the gateway streams into a file, and says so.
pub(super) fn take(resource: &Resource, target: &Path, gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let bytes = stream_to(target, resource, gateway)?;
    match form {
        Form::Json => output::thing(form, &json!({"file": target, "bytes": bytes})),
        Form::Text => Ok(()),
    }
}

/// Writes what the gateway streams into a file that exists once it is whole; returns its length.
pub(super) fn stream_to(target: &Path, resource: &Resource, gateway: &Gateway) -> Result<u64, Failure> {
    if target.exists() {
        let text = format!("{} exists and stays as it is; name another file", target.display());
        return Err(Failure::new(Exit::CannotCreate, text));
    }
    let mut part = Part::create(target)?;
    let mut download = gateway.download(resource)?;
    let mut meter = Meter::new(Instruments::of_this_terminal(), SystemClock.monotonic());
    while let Some(bytes) = gateway.next(&mut download)? {
        part.write(&bytes)?;
        meter.add(bytes.len(), SystemClock.monotonic());
    }
    drop::<Download>(download);
    part.finish()?;
    meter.done(target);
    Ok(meter.bytes())
}

fn resource(export: &Export) -> Resource {
    let mut resource = Resource::of(&["studies", &export.study, "export"]);
    for code in &export.participants {
        resource = resource.with("participant", code);
    }
    resource
        .with_some("tables", export.tables.as_deref())
        .with_some("format", export.format.as_deref())
        .with_some("from", export.from.as_deref())
        .with_some("to", export.to.as_deref())
        .with_some("revisions", export.revisions.then_some("true"))
        .with_some("since", export.since.map(|number| number.to_string()).as_deref())
        .with_some("as_of", export.as_of.map(|number| number.to_string()).as_deref())
}

/// A file under a temporary name beside its own; gone again unless it was finished.
pub(super) struct Part {
    file: File,
    part: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl Part {
    /// Its temporary file, made anew.
    fn create(target: &Path) -> Result<Part, Failure> {
        let mut name = target.file_name().ok_or_else(|| cannot(target, "it is no file name"))?.to_owned();
        name.push(".part");
        let part = target.with_file_name(name);
        let file = File::create(&part).map_err(|error| cannot(&part, &error.to_string()))?;
        Ok(Part { file, part, target: target.to_owned(), finished: false })
    }

    /// The same for what stands in clear: nobody else may read it.
    pub(super) fn private(target: &Path) -> Result<Part, Failure> {
        let part = Self::create(target)?;
        // Elsewhere a person's own folders are theirs alone.
        #[cfg(unix)]
        {
            let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            part.file.set_permissions(owner_only).map_err(|error| failed(&part.part, &error))?;
        }
        Ok(part)
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| failed(&self.part, &error))
    }

    /// Makes the file durable, then known under its name.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| failed(&self.part, &error))?;
        // A link, unlike a rename, never takes the place of a file that came up meanwhile.
        let named = fs::hard_link(&self.part, &self.target).or_else(|error| {
            let taken = error.kind() == io::ErrorKind::AlreadyExists;
            if taken { Err(error) } else { fs::rename(&self.part, &self.target) }
        });
        named.map_err(|error| cannot(&self.target, &error.to_string()))?;
        self.finished = !self.part.exists() || fs::remove_file(&self.part).is_ok();
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        synced(folder).map_err(|error| failed(folder, &error))
    }
}

#[cfg(unix)]
fn synced(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Only on Unix a folder is a file that can be synced.
#[cfg(not(unix))]
fn synced(_folder: &Path) -> io::Result<()> {
    Ok(())
}

impl Drop for Part {
    fn drop(&mut self) {
        // There is nothing left to tell where even the removal fails.
        if !self.finished && fs::remove_file(&self.part).is_err() {}
    }
}

fn cannot(path: &Path, why: &str) -> Failure {
    Failure::new(Exit::CannotCreate, format!("{} cannot be made ({why}); name another file with -o", path.display()))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Storage,
        format!("{} cannot be written ({error}); make room or name another disk", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_that_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut part = Part::create(&dir.path().join("x.age")).expect("made");
        part.write(b"half").expect("written");
        drop(part);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0);
    }

    #[test]
    fn finished_part_is_the_file_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let target = dir.path().join("x.age");
        let mut part = Part::create(&target).expect("made");
        part.write(b"whole").expect("written");
        part.finish().expect("finished");
        assert_eq!(fs::read(&target).expect("read"), b"whole");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn file_that_came_up_meanwhile_is_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let target = dir.path().join("x.age");
        let part = Part::create(&target).expect("made");
        fs::write(&target, b"another").expect("written");
        assert_eq!(part.finish().expect_err("taken").exit, Exit::CannotCreate);
        assert_eq!(fs::read(&target).expect("read"), b"another");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }
}
