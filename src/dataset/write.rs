//! Writes a dataset: one pass over the records of each type feeds all its tables and its file in `raw/`, which wait
//! deflated and sealed until their turn comes, in an order that does not depend on chance.
//!
//! Never: a record, a table or a file whole in memory.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    io::{self, Write},
};

use ring::digest::{SHA256, digest};

use crate::crypto::key::Key;
use crate::dataset::{
    about::About,
    archive::Archive,
    changes::write_changes,
    codebook::{write_codebook, write_data_package},
    column::{Rows, Table},
    deidentify::Deidentify,
    files::{Found, objects, write_files},
    manifest::{FORMAT, FileEntry, Manifest, ManifestWindow, Signer},
    outputs::{Outputs, Written as Finished},
    path::is_plain,
    plan::Plan,
    press::{Press, with_press},
    reading::Reader,
    readme::write_readme,
    recipient::Recipient,
    row::{Cells, Known, Layout, Versions, set_participant},
    series::Series,
    source::Source,
    spill::{Scratch, Spill},
    tables::TABLES,
};
use crate::model::{
    study::{DatesRule, Rules},
    summary::SummaryType,
};

/// What of a dataset is left to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Names of the tables it has; empty = all.
    pub tables: Vec<String>,
    /// Which versions of a record are rows.
    pub versions: Versions,
}

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
    options: &Options,
    scratch: &Scratch,
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
    let wanted = |table: &&Table| options.tables.is_empty() || options.tables.iter().any(|name| name == table.name);
    let layouts: Vec<Layout> = TABLES.iter().filter(wanted).map(|table| Layout::new(table, options.versions)).collect();
    let mut archive = Archive::create(output, &about.recipients)?;
    write_files(source, &about.rules, &mut archive)?;
    let spill = Spill::new(scratch);
    let read = with_press(&spill, |press| read_all(source, &about.rules, &layouts, archive.files(), &spill, press))?;
    for layout in &layouts {
        let table = read.iter().find(|file| file.path == layout.table.path());
        let table = table.expect("every table was read");
        archive.add_packed(&table.path, &table.packed, &spill)?;
    }
    for file in read.iter().filter(|file| file.path.starts_with("raw/")) {
        archive.add_packed(&file.path, &file.packed, &spill)?;
    }
    archive.add("CHANGES.csv", |out, _| write_changes(source, &layouts, out).map(Some))?;
    archive.add("codebook.csv", |out, _| write_codebook(&layouts, out).map(Some))?;
    archive
        .add("datapackage.json", |out, files| write_data_package(&about.study, &layouts, files, out).map(|()| None))?;
    let signer = Signer::from_seed(signing_seed);
    archive.add("README.txt", |out, files| write_readme(about, &signer.public_key(), files, out).map(|()| None))?;
    let manifest_sha256 = write_proofs(&mut archive, about, &signer)?;
    let files = archive.files().to_vec();
    Ok(Written { output: archive.finish()?, files, manifest_sha256 })
}

/// Reads everything into files that wait: the tables, and those of `raw/` by name.
fn read_all(
    source: &mut dyn Source,
    rules: &Rules,
    layouts: &[Layout],
    files: &[FileEntry],
    spill: &Spill,
    press: &Press,
) -> io::Result<Vec<Finished>> {
    let mut read = Vec::new();
    let held = source.types()?;
    let mut types: BTreeMap<String, SummaryType> =
        held.iter().map(|summary_type| (summary_type.name().to_owned(), summary_type.clone())).collect();
    for layout in layouts {
        let name = layout.table.summary_type;
        types.entry(name.to_owned()).or_insert_with(|| SummaryType::named(name));
    }
    let mut taken = HashSet::new();
    for (name, summary_type) in &types {
        let of_type: Vec<Layout> = layouts.iter().filter(|layout| layout.table.summary_type == name).cloned().collect();
        let mut outputs = Outputs::new(&of_type, press);
        if of_type.iter().any(|layout| layout.table.rows == Rows::Participant) {
            write_participants(source, &of_type, &mut outputs)?;
        }
        let deidentify = Deidentify::new(rules, name).filter(|_| held.contains(summary_type));
        if let Some(deidentify) = deidentify {
            let plan = Plan::new(deidentify, name, &of_type);
            let mut reader =
                Reader::new(plan, of_type.iter().map(|layout| Series::new(layout.clone(), spill)).collect());
            let mut files = Found::among(files);
            objects(source, summary_type, &mut |head, content| {
                let known = Known { head, file: files.of(head) };
                reader.read(known, content, &mut outputs).map_err(|error| head.named(error))
            })?;
        }
        let raw = deidentify.map(|_| format!("raw/{}.ndjson", raw_name(name, &mut taken)));
        read.extend(outputs.finish(raw)?);
    }
    read.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(read)
}

fn write_participants(source: &mut dyn Source, layouts: &[Layout], outputs: &mut Outputs<'_>) -> io::Result<()> {
    for participant in source.participants()? {
        for (number, layout) in layouts.iter().enumerate() {
            let mut cells = Cells::new(layout.columns.len());
            set_participant(layout, &participant, &mut cells);
            outputs.add_row(number, &cells);
        }
    }
    Ok(())
}

/// A file name for a type's records: the type's own where every file system takes it and none else has it.
pub fn raw_name(summary_type: &str, taken: &mut HashSet<String>) -> String {
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
