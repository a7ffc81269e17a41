//! Writes a dataset: file after file, each in one pass over the source, in an order that does not depend on chance.
//!
//! Never: a record, a table or a file whole in memory. The rows of a table are read from what the filter left of a
//! record for that table, which is small; where it is over [`ROW_BYTES_MAX`], the row has its key columns alone.

use std::{
    collections::HashSet,
    fmt,
    io::{self, Write},
};

use ring::digest::{SHA256, digest};

use crate::crypto::key::Key;
use crate::dataset::{
    about::About,
    archive::Archive,
    changes::write_changes,
    codebook::{csv_writer, write_codebook, write_data_package},
    column::Table,
    deidentify::Deidentify,
    files::{Found, objects, write_files},
    filter::{Wanted, filter},
    manifest::{FORMAT, FileEntry, Manifest, ManifestWindow, Signer},
    path::is_plain,
    readme::write_readme,
    recipient::Recipient,
    row,
    source::{Content, RecordHead, Source},
    tables::TABLES,
};
use crate::model::{
    study::{DatesRule, Rules},
    summary::SummaryType,
};

/// The longest content a table's row is read from, in bytes.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;

/// A dataset that has been written.
#[derive(Debug)]
pub struct Written<W> {
    /// What it was written to; not flushed, not fsynced.
    pub output: W,
    /// Its files, in order.
    pub files: Vec<FileEntry>,
    /// SHA-256 of `manifest.json`, 64 hexadecimal digits.
    pub manifest_sha256: String,
}

/// Why no dataset was written.
#[derive(Debug)]
pub enum Error {
    /// The study names nobody who could open it.
    NoRecipient,
    /// The rules ask for shifted dates, which this version cannot make.
    ShiftedDates,
    /// The rules keep files, which tell positions, and do not keep positions.
    FilesTellPositions,
    /// The source or the output failed; what was written opens nowhere.
    Io(io::Error),
}

/// Writes the dataset of `source`, signed under the site's Ed25519 seed.
pub fn write<W: Write>(
    source: &mut dyn Source,
    about: &About,
    signing_seed: &Key,
    output: W,
) -> Result<Written<W>, Error> {
    if about.recipients.is_empty() {
        return Err(Error::NoRecipient);
    }
    if about.rules.dates == DatesRule::Shift {
        return Err(Error::ShiftedDates);
    }
    if about.rules.files_tell_positions() {
        return Err(Error::FilesTellPositions);
    }
    let mut archive = Archive::create(output, &about.recipients)?;
    write_files(source, &about.rules, &mut archive)?;
    for table in TABLES {
        archive.add(&table.path(), |out, files| write_table(source, &about.rules, table, files, out).map(Some))?;
    }
    write_raw(source, &about.rules, &mut archive)?;
    archive.add("CHANGES.csv", |out, _| write_changes(source, out).map(Some))?;
    archive.add("codebook.csv", |out, _| write_codebook(TABLES, out).map(Some))?;
    archive
        .add("datapackage.json", |out, files| write_data_package(&about.study, TABLES, files, out).map(|()| None))?;
    let signer = Signer::from_seed(signing_seed);
    archive.add("README.txt", |out, files| write_readme(about, &signer.public_key(), files, out).map(|()| None))?;
    let manifest_sha256 = write_proofs(&mut archive, about, &signer)?;
    let files = archive.files().to_vec();
    Ok(Written { output: archive.finish()?, files, manifest_sha256 })
}

fn write_table(
    source: &mut dyn Source,
    rules: &Rules,
    table: &Table,
    files: &[FileEntry],
    output: &mut dyn Write,
) -> io::Result<u64> {
    let mut csv = csv_writer(output);
    csv.write_record(table.columns.iter().map(|column| column.name))?;
    let mut rows = 0;
    if table.types.is_empty() {
        for participant in source.participants()? {
            csv.write_record(row::of_participant(table, &participant))?;
            rows += 1;
        }
    }
    let paths = table.garmin_paths();
    let mut files = Found::among(files);
    for summary_type in table.types {
        let Some(deidentify) = Deidentify::new(rules, summary_type) else {
            continue;
        };
        objects(source, &SummaryType::named(summary_type), &mut |head, content| {
            let named = |error| head.named(error);
            let members = wanted_members(content, deidentify, &paths).map_err(named)?;
            csv.write_record(row::of_record(table, head, &members, files.of(head)).map_err(named)?)?;
            rows += 1;
            Ok(())
        })?;
    }
    csv.flush()?;
    Ok(rows)
}

/// The wanted members of a content as a JSON object; nothing where they are too long for a row.
fn wanted_members(content: &mut dyn Content, rules: Deidentify<'_>, paths: &[&'static str]) -> io::Result<Vec<u8>> {
    let mut members = Vec::new();
    let mut too_long = false;
    filter(content, rules, Wanted::Paths(paths), &mut |piece| {
        too_long |= members.len() + piece.len() > ROW_BYTES_MAX;
        if !too_long {
            members.extend_from_slice(piece);
        }
        Ok(())
    })?;
    Ok(if too_long { Vec::new() } else { members })
}

fn write_raw<W: Write>(source: &mut dyn Source, rules: &Rules, archive: &mut Archive<W>) -> io::Result<()> {
    let mut types = source.types()?;
    types.sort();
    types.dedup();
    let mut taken = HashSet::new();
    for summary_type in &types {
        if let Some(deidentify) = Deidentify::new(rules, summary_type.name()) {
            let path = format!("raw/{}.ndjson", raw_name(summary_type.name(), &mut taken));
            archive.add(&path, |out, _| {
                let mut rows = 0;
                objects(source, summary_type, &mut |head, content| {
                    rows += 1;
                    write_line(head, content, deidentify, out).map_err(|error| head.named(error))
                })?;
                Ok(Some(rows))
            })?;
        }
    }
    Ok(())
}

/// A file name for a type's records: the type's own where every file system takes it and none else has it.
pub(super) fn raw_name(summary_type: &str, taken: &mut HashSet<String>) -> String {
    let plain = summary_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain
        && is_plain(summary_type)
        && (1..=64).contains(&summary_type.len())
        && taken.insert(summary_type.to_ascii_lowercase())
    {
        return summary_type.to_owned();
    }
    let digest = data_encoding::HEXLOWER.encode(digest(&SHA256, summary_type.as_bytes()).as_ref());
    format!("other-{}", &digest[..16])
}

fn write_line(
    head: &RecordHead<'_>,
    content: &mut dyn Content,
    rules: Deidentify<'_>,
    output: &mut dyn Write,
) -> io::Result<()> {
    let participant = serde_json::to_string(head.participant)?;
    let record_id = serde_json::to_string(head.record_id)?;
    let (received, revision) = (head.received, head.revision);
    write!(
        output,
        "{{\"participant\":{participant},\"record_id\":{record_id},\"received_utc\":\"{received}\",\
         \"revision\":{revision},\"record\":"
    )?;
    filter(content, rules, Wanted::Everything, &mut |piece| output.write_all(piece))?;
    output.write_all(b"}\n")
}

/// Writes manifest, signature and digests; returns the manifest's digest.
fn write_proofs<W: Write>(archive: &mut Archive<W>, about: &About, signer: &Signer) -> io::Result<String> {
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        study: about.study.clone(),
        number: about.number,
        sequence: about.sequence,
        made_at: about.made_at.to_string(),
        window: ManifestWindow { from: about.window.first(), to: about.window.last() },
        recipients: about.recipients.iter().map(Recipient::fingerprint).collect(),
        rules: serde_json::to_value(&about.rules)?,
        rules_version: about.rules_version,
        software: about.software.clone(),
        audit: about.audit.clone(),
        changes_since: about.lineage.changes_since,
        increment: about.lineage.increment,
        everything_again: about.lineage.everything_again,
        as_of: about.lineage.as_of.clone(),
        site_key: signer.public_key(),
        files: archive.files().to_vec(),
    };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    archive.add("manifest.json", |out, _| out.write_all(&bytes).map(|()| None))?;
    archive.add("manifest.sig", |out, _| out.write_all(&signer.sign(&bytes)).map(|()| None))?;
    archive.add("SHA256SUMS", |out, files| {
        files.iter().try_for_each(|file| writeln!(out, "{}  {}", file.sha256, file.path)).map(|()| None)
    })?;
    Ok(data_encoding::HEXLOWER.encode(digest(&SHA256, &bytes).as_ref()))
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecipient => {
                f.write_str("the study has no recipient; add one with `studygate study set NAME --recipient age1…`")
            }
            Self::ShiftedDates => f.write_str(
                "this version cannot shift dates, so nothing was exported; set `--dates keep` for the study if its \
                 protocol allows it",
            ),
            Self::FilesTellPositions => f.write_str(
                "the study keeps files, which hold positions, and does not keep positions, so nothing was exported; set \
                 `--location keep` or `--files drop` for it",
            ),
            Self::Io(error) => write!(f, "the dataset could not be written: {error}"),
        }
    }
}

impl std::error::Error for Error {}
