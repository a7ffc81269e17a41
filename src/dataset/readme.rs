//! `README.txt`: one screen on what a dataset is, how many, how to open and how to verify it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::dataset::about::About;
use crate::dataset::changes::write_lineage;
use crate::dataset::format::Format;
use crate::dataset::manifest::FileEntry;
use crate::model::study::{DatesRule, Keep, LocationRule};

/// What the page says of the content beside what stands in [`About`].
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The format of the tables.
    pub format: Format,
    /// Members in `raw/` that no table shows, as `type: path`.
    pub brought: &'a BTreeSet<String>,
    /// How many members that no table shows the rules left out.
    pub left_out: usize,
    /// The files.
    pub files: &'a [FileEntry],
}

/// Members that are named on the page.
const NAMED_MAX: usize = 12;

/// Writes the page.
pub fn write_readme(about: &About, site_key: &str, content: Content<'_>, output: &mut dyn Write) -> io::Result<()> {
    let files = content.files;
    let title = format!("Study {}, dataset {:04}, made {}", about.study, about.number, about.made_at);
    writeln!(output, "{title}\n{}\n", "=".repeat(title.len()))?;
    writeln!(output, "Pseudonymous data of the study's participants, collected from Garmin Connect.")?;
    writeln!(output, "Each participant is known by a code; who that is, the site alone knows. Treat the")?;
    writeln!(output, "content as health data all the same.\n")?;
    let keeps_files = about.rules.files == Keep::Keep;
    write_counts(files, output)?;
    if keeps_files {
        let kept = files.iter().filter(|file| file.path.starts_with("files/")).count();
        writeln!(output, "  {:<44} files {kept:>11}", "files/")?;
    }
    let tables = match content.format {
        Format::Csv => "comma-separated, UTF-8, one header row, empty = missing",
        Format::Ndjson => "one JSON object a row, UTF-8, null = missing",
        Format::Parquet => "Parquet, columns with types, null = missing",
    };
    writeln!(output, "\ndata/      tables: {tables}")?;
    writeln!(output, "raw/       every record as the rules leave it, one JSON object a line")?;
    if keeps_files {
        writeln!(output, "files/     files of activities, by participant, as the devices recorded them")?;
    }
    writeln!(output, "codebook.csv says what each column means; datapackage.json says it to programs.")?;
    writeln!(output, "record_id names a record; activity_id joins the records of one activity.")?;
    if content.format == Format::Csv {
        writeln!(output, "A text that begins with an apostrophe began with a sign that a spreadsheet")?;
        writeln!(output, "would have taken for a formula.")?;
    }
    writeln!(output)?;
    write_brought(content, output)?;
    if keeps_files {
        write_warning(output)?;
    }
    write_lineage(about, output)?;
    writeln!(output, "Rules of the study, version {}:", about.rules_version)?;
    writeln!(output, "  {}.\n", rules(about).join(",\n  "))?;
    if about.rules.dates == DatesRule::Shift {
        write_shift(output)?;
    }
    writeln!(output, "To open the encrypted file:")?;
    writeln!(output, "  studygate dataset open FILE.zip.age -i KEYFILE -o FOLDER")?;
    writeln!(output, "or: age -d -i KEYFILE FILE.zip.age > FILE.zip, and unzip it.")?;
    writeln!(output, "To verify the files: sha256sum -c SHA256SUMS, in this folder. manifest.sig is the")?;
    writeln!(output, "site's Ed25519 signature over manifest.json; compare the site's key with the one")?;
    writeln!(output, "the site gave you:\n  {site_key}")
}

/// The tables that have rows, two on a line, and what is in `raw/`.
fn write_counts(files: &[FileEntry], output: &mut dyn Write) -> io::Result<()> {
    let rows_in =
        |folder: &'static str| files.iter().filter_map(move |file| Some((file.path.strip_prefix(folder)?, file.rows?)));
    let mut tables: Vec<(String, u64)> = Vec::new();
    for (path, rows) in rows_in("data/") {
        // A long table has a folder with a file for each participant.
        let name = path.split_once('/').map_or_else(|| path.to_owned(), |(folder, _)| format!("{folder}/"));
        match tables.last_mut() {
            Some((last, sum)) if *last == name => *sum += rows,
            Some(_) | None => tables.push((name, rows)),
        }
    }
    let full = tables.iter().filter(|(_, rows)| *rows > 0);
    let full: Vec<String> = full.map(|(name, rows)| format!("{name:<26} {rows:>10}")).collect();
    for pair in full.chunks(2) {
        writeln!(output, "  {}", pair.join("    "))?;
    }
    let empty = tables.len() - full.len();
    let (types, records) = (rows_in("raw/").count(), rows_in("raw/").map(|(_, rows)| rows).sum::<u64>());
    writeln!(output, "Rows of the tables in data/; {empty} more have none. In raw/: records {records}, types {types}.")
}

/// What Garmin has sent since this version was made.
fn write_brought(content: Content<'_>, output: &mut dyn Write) -> io::Result<()> {
    let Content { brought, left_out, .. } = content;
    if !brought.is_empty() {
        writeln!(output, "Garmin sent fields that have no column yet; they stand in raw/ alone:")?;
        brought.iter().take(NAMED_MAX).try_for_each(|name| writeln!(output, "  {name}"))?;
        if let more @ 1.. = brought.len().saturating_sub(NAMED_MAX) {
            writeln!(output, "  and {more} more")?;
        }
    }
    if left_out > 0 {
        writeln!(output, "Fields without a column that the study's rules left out: {left_out}.")?;
    }
    if brought.is_empty() && left_out == 0 { Ok(()) } else { writeln!(output) }
}

fn write_warning(output: &mut dyn Write) -> io::Result<()> {
    writeln!(output, "The files in files/ identify people: they are as the devices wrote them, with serial")?;
    writeln!(output, "numbers, the wearer's profile and the track. No other rule reaches into them.")?;
    writeln!(output, "data/activity_files.csv has the path of each; a folder is named as the participant,")?;
    writeln!(output, "with a _ on either side where the code alone is no name for a folder everywhere.\n")
}

fn write_shift(output: &mut dyn Write) -> io::Result<()> {
    writeln!(output, "Dates are shifted: all times of a participant lie the same number of whole weeks, 1 to")?;
    writeln!(output, "52, before the true ones, so that weekdays and distances in time are true. The number")?;
    writeln!(output, "is another one for each participant, and is the same in every dataset of the study.")?;
    writeln!(output, "Whoever knows the true day of one event can undo it: a clock change, or that somebody")?;
    writeln!(output, "still took part when the dataset was made. What people wrote, where names are kept, is")?;
    writeln!(output, "as they wrote it. CHANGES.csv has no time for what went.\n")
}

/// The rules that shape the content, a few on each line.
fn rules(about: &About) -> [String; 2] {
    let said = |what: &str, rule: Keep| match rule {
        Keep::Keep => format!("{what} kept"),
        Keep::Drop => format!("{what} dropped"),
    };
    let location = match about.rules.location {
        LocationRule::Keep => "positions kept",
        LocationRule::Coarse => "positions cut to two decimals",
        LocationRule::Drop => "positions dropped",
    };
    let (names, files) = (said("names", about.rules.names), said("files", about.rules.files));
    let (devices, pregnancy) = (said("devices", about.rules.devices), said("pregnancy", about.rules.pregnancy));
    let unknown = said("unknown fields", about.rules.unknown);
    [format!("{location}, {names}, {files}"), format!("{devices}, {pregnancy}, {unknown}")]
}
