//! Everything that is kept of a participant's records, as it is kept: every version, whole, names and ids included.
//!
//! It is for the participant, and for nobody else. Never: a record, or a file, whole in memory.
//!
//! ```text
//! records/<type>.ndjson        {"received_utc","start_utc","utc_offset_s","revision","current","names":{…},"record":{…}}
//! files/<record>-<revision>.fit|tcx|gpx|bin
//! ```

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use serde_json::Value;

use crate::dataset::archive::{Archive, Open};
use crate::dataset::files::ACTIVITY_FILES;
use crate::dataset::write::raw_name;
use crate::export::select::{Chosen, versions};
use crate::model::id::OwnerId;
use crate::model::summary::SummaryType;
use crate::records::catalog::{Catalog, Error};
use crate::records::head::PackId;
use crate::records::read::Window;

/// What says of a file what it is, is no longer than this.
const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;

/// A participant's records. The caller holds [`Catalog::reading`].
pub struct Whole<'a> {
    catalog: &'a Catalog,
    owner: OwnerId,
    /// Asked before each record: an error ends it.
    check: &'a dyn Fn() -> io::Result<()>,
}

impl<'a> Whole<'a> {
    /// The records of this participant; `check` says before each whether it may still be read.
    pub fn new(catalog: &'a Catalog, owner: OwnerId, check: &'a dyn Fn() -> io::Result<()>) -> Self {
        Self { catalog, owner, check }
    }

    /// Writes all of it into the archive; returns how many versions of records there are.
    pub fn write<W: Write>(&self, archive: &mut Archive<W>) -> io::Result<u64> {
        let mut by_type: BTreeMap<SummaryType, Vec<Chosen>> = BTreeMap::new();
        for version in versions(self.catalog.entries(&self.owner).map_err(other)?) {
            by_type.entry(version.entry.summary_type.clone()).or_default().push(version);
        }
        let mut taken = HashSet::new();
        let mut count = 0;
        for (summary_type, records) in &by_type {
            let path = format!("records/{}.ndjson", raw_name(summary_type.name(), &mut taken));
            self.write_records(&path, summary_type.name() == ACTIVITY_FILES, records, archive)?;
            count += records.len() as u64;
        }
        for version in by_type.get(&SummaryType::named(ACTIVITY_FILES)).into_iter().flatten() {
            self.write_file(version, archive)?;
        }
        Ok(count)
    }

    fn write_records<W: Write>(
        &self,
        path: &str,
        are_files: bool,
        records: &[Chosen],
        archive: &mut Archive<W>,
    ) -> io::Result<()> {
        let mut file = archive.begin(path)?;
        let (mut window, mut names) = (Window::default(), Names::default());
        for version in records {
            (self.check)()?;
            let entry = &version.entry;
            let start = entry.start.map(|start| start.to_string());
            let head = serde_json::json!({
                "received_utc": entry.received.to_string(),
                "start_utc": start,
                "utc_offset_s": entry.offset,
                "revision": version.revision,
                "current": version.current,
            });
            let head = head.to_string();
            file.write(head.strip_suffix('}').expect("it is an object").as_bytes())?;
            file.write(b",\"names\":")?;
            file.write(names.of(self, version)?)?;
            file.write(b",\"record\":")?;
            let mut is_over = false;
            self.content(version, &mut window, &mut |piece| {
                // Behind the first line feed of what describes a file stands the file.
                let end = piece.iter().position(|byte| are_files && *byte == b'\n');
                let text = if is_over { &[] } else { &piece[..end.unwrap_or(piece.len())] };
                is_over |= end.is_some();
                file.write(text)
            })?;
            file.write(b"}\n")?;
        }
        file.finish(Some(records.len() as u64))
    }

    /// The file of an activity, where this version has one.
    fn write_file<W: Write>(&self, version: &Chosen, archive: &mut Archive<W>) -> io::Result<()> {
        (self.check)()?;
        let (mut archive, mut description, mut file) = (Some(archive), Vec::new(), None::<Open<'_, W>>);
        let stem = format!("files/{}-{}", version.entry.record_id.text(), version.revision);
        self.content(version, &mut Window::default(), &mut |piece| {
            if let Some(file) = &mut file {
                return file.write(piece);
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            if description.len() + end.unwrap_or(piece.len()) <= DESCRIPTION_BYTES_MAX {
                description.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
            }
            if let Some((end, archive)) = end.and_then(|end| Some((end, archive.take()?))) {
                let opened = file.insert(archive.begin(&format!("{stem}.{}", extension(&description)))?);
                opened.write(&piece[end + 1..])?;
            }
            Ok(())
        })?;
        file.map_or(Ok(()), |file| file.finish(None))
    }

    fn content(
        &self,
        version: &Chosen,
        window: &mut Window,
        output: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.catalog.data(&self.owner, &version.pack, &version.entry, window, output).map_err(other)
    }
}

/// The identifying parts of the pack read last.
#[derive(Default)]
struct Names {
    pack: Option<PackId>,
    section: Vec<u8>,
}

impl Names {
    /// What identifies, of this record, as a JSON object; `null` where there is nothing.
    fn of(&mut self, whole: &Whole<'_>, version: &Chosen) -> io::Result<&[u8]> {
        if self.pack != Some(version.pack) {
            self.section = whole.catalog.identity_section(&whole.owner, &version.pack).map_err(other)?;
            self.pack = Some(version.pack);
        }
        let (from, length) = (version.entry.identity.0 as usize, version.entry.identity.1 as usize);
        Ok(self.section.get(from..from + length).filter(|part| !part.is_empty()).unwrap_or(b"null"))
    }
}

/// How a file is named that describes itself so.
fn extension(description: &[u8]) -> &'static str {
    let described: Value = serde_json::from_slice(description).unwrap_or_default();
    match described["fileType"].as_str() {
        Some("FIT") => "fit",
        Some("TCX") => "tcx",
        Some("GPX") => "gpx",
        Some(_) | None => "bin",
    }
}

fn other(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}
