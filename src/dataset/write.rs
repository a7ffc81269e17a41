//! Writes a dataset: one pass over the records of each type feeds all its tables and its file in `raw/`, which wait
//! deflated and sealed until their turn comes, in an order that does not depend on chance.
//!
//! Never: a record, a table or a file whole in memory.

use std::{
    fmt,
    io::{self, Write},
};

use ring::digest::{SHA256, digest};

pub use crate::dataset::pass::raw_name;

use crate::crypto::key::Key;
use crate::dataset::{
    about::About,
    archive::Archive,
    changes::write_changes,
    codebook::{write_codebook, write_data_package},
    column::Table,
    files::write_files,
    format::Format,
    manifest::{FORMAT, FileEntry, Manifest, ManifestWindow, Signer},
    pass::Pass,
    press::with_press,
    readme::{Content, write_readme},
    recipient::Recipient,
    row::{Layout, Versions},
    scripts::{SCRIPTS, Sheet},
    shift::Shifted,
    source::Source,
    spill::{Scratch, Spill},
    stream::Packed,
    tables::TABLES,
};
use crate::model::study::{DatesRule, Disagreement};

/// What of a dataset is left to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Names of the tables it has; empty = all.
    pub tables: Vec<String>,
    /// Which versions of a record are rows.
    pub versions: Versions,
    /// The format of the tables.
    pub format: Format,
    /// A CSV table with more rows has a file for each participant.
    pub split_rows: u64,
}

impl Default for Options {
    fn default() -> Self {
        let (tables, versions, format) = Default::default();
        Self { tables, versions, format, split_rows: 1_000_000 }
    }
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
    /// No study may have these rules together.
    RulesDisagree(Disagreement),
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
    if let Some(disagreement) = about.rules.disagreement() {
        return Err(Error::RulesDisagree(disagreement));
    }
    let wanted = |table: &&Table| options.tables.is_empty() || options.tables.iter().any(|name| name == table.name);
    let layouts: Vec<Layout> = TABLES.iter().filter(wanted).map(|table| Layout::new(table, options.versions)).collect();
    let source = &mut Shifted::new(source, &about.rules);
    let mut archive = Archive::create(output, &about.recipients)?;
    write_files(source, &about.rules, &mut archive)?;
    let spill = Spill::new(scratch);
    let files = archive.files().to_vec();
    let pass = Pass { rules: &about.rules, options, layouts: &layouts, files: &files, spill: &spill };
    let read = with_press(&spill, |press| pass.over(source, press))?;
    for (layout, packed) in layouts.iter().zip(&read.tables) {
        let packed = packed.as_ref().expect("every table was read");
        write_table(&mut archive, layout, packed, options, &spill)?;
    }
    for (path, packed) in &read.raw {
        archive.add_packed(path, packed, &spill)?;
    }
    archive.add("CHANGES.csv", |out, _| write_changes(source, &layouts, out).map(Some))?;
    for (path, script) in SCRIPTS {
        archive.add(path, |out, files| script(&sheets(&layouts, files), out).map(|()| None))?;
    }
    archive.add("codebook.csv", |out, _| write_codebook(&layouts, out).map(Some))?;
    archive.add("datapackage.json", |out, files| {
        write_data_package(&about.study, &layouts, options.format, files, out).map(|()| None)
    })?;
    let signer = Signer::from_seed(signing_seed);
    archive.add("README.txt", |out, files| {
        let content = Content { format: options.format, brought: &read.brought, left_out: read.left_out, files };
        write_readme(about, &signer.public_key(), content, out).map(|()| None)
    })?;
    let manifest_sha256 = write_proofs(&mut archive, about, &signer)?;
    let files = archive.files().to_vec();
    Ok(Written { output: archive.finish()?, files, manifest_sha256 })
}

/// The tables as scripts load them.
fn sheets<'a>(layouts: &'a [Layout], files: &'a [FileEntry]) -> Vec<Sheet<'a>> {
    let sheet = |layout: &'a Layout| Sheet::of(layout.table.name, layout.table.label, &layout.columns, files);
    layouts.iter().filter_map(sheet).collect()
}

/// Writes a table: into a file, or into one for each participant where it is long.
fn write_table<W: Write>(
    archive: &mut Archive<W>,
    layout: &Layout,
    packed: &Packed,
    options: &Options,
    spill: &Spill,
) -> io::Result<()> {
    if packed.rows <= options.split_rows || packed.parts.is_empty() {
        return archive.add_packed(&layout.path(options.format), packed, spill);
    }
    for part in &packed.parts {
        let path = layout.part_path(&String::from_utf8_lossy(&part.code), options.format);
        let nameless = || io::Error::new(io::ErrorKind::InvalidData, "a participant's code is no name of a file");
        archive.add_part(&path.ok_or_else(nameless)?, packed, part, spill)?;
    }
    Ok(())
}

/// Writes manifest, signature and digests; returns the manifest's digest.
fn write_proofs<W: Write>(archive: &mut Archive<W>, about: &About, signer: &Signer) -> io::Result<String> {
    // The bounds of what was asked for are not moved, since they are no participant's; beside dates that are, they would
    // tell how far.
    let window = match about.rules.dates {
        DatesRule::Keep => ManifestWindow { from: about.window.first(), to: about.window.last() },
        DatesRule::Shift => ManifestWindow { from: None, to: None },
    };
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        study: about.study.clone(),
        number: about.number,
        sequence: about.sequence,
        made_at: about.made_at.to_string(),
        window,
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
            Self::RulesDisagree(Disagreement::FilesTellPositions) => f.write_str(
                "the study keeps files, which hold positions, and does not keep positions, so nothing was exported; set \
                 `--location keep` or `--files drop` for it",
            ),
            Self::RulesDisagree(Disagreement::FilesTellDates | Disagreement::UnknownMayTellDates) => f.write_str(
                "the study shifts dates and keeps files or unknown fields, whose dates cannot be shifted, so nothing was \
                 exported; set `--files drop --unknown drop` for it",
            ),
            Self::Io(error) => write!(f, "the dataset could not be written: {error}"),
        }
    }
}

impl std::error::Error for Error {}
