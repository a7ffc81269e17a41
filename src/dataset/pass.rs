//! The one pass over all records, in which every table and every file of `raw/` is read at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io,
};

use ring::digest::{SHA256, digest};

use crate::dataset::{
    deidentify::{Deidentify, Verdict},
    files::{Found, objects},
    manifest::FileEntry,
    outputs::Outputs,
    path::is_plain,
    plan::Plan,
    press::Press,
    reading::{Output, Reader},
    row::{Cells, Known, Layout, set_participant},
    series::Series,
    source::Source,
    spill::Spill,
    stream::Packed,
    write::Options,
};
use crate::model::{study::Rules, summary::SummaryType};

/// Rows of all tables together that wait to be written, in bytes.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// What the pass is made with.
pub(super) struct Pass<'a> {
    /// The study's rules.
    pub(super) rules: &'a Rules,
    /// What was asked for.
    pub(super) options: &'a Options,
    /// The tables.
    pub(super) layouts: &'a [Layout],
    /// The activity files that were written.
    pub(super) files: &'a [FileEntry],
    /// Where what does not fit into memory goes.
    pub(super) spill: &'a Spill,
}

/// What waits after the pass.
pub(super) struct Read {
    /// The tables, as their layouts.
    pub(super) tables: Vec<Option<Packed>>,
    /// The files of `raw/`, by path.
    pub(super) raw: BTreeMap<String, Packed>,
    /// Members in them that no table shows, as `type: path`.
    pub(super) brought: BTreeSet<String>,
    /// How many members that no table shows the rules left out.
    pub(super) left_out: usize,
}

/// One type.
struct OfType<'a> {
    name: &'a str,
    /// The tables' numbers.
    tables: Vec<usize>,
    /// None where the rules leave nothing of the type.
    reader: Option<Reader<'a>>,
    outputs: Outputs<'a>,
    found: Found<'a>,
}

impl Pass<'_> {
    /// Reads everything.
    pub(super) fn over(&self, source: &mut dyn Source, press: &Press) -> io::Result<Read> {
        let held = source.types()?;
        let types = self.types(&held);
        let mut all = types
            .iter()
            .map(|summary_type| self.of_type(summary_type, held.contains(summary_type), press))
            .collect::<io::Result<Vec<_>>>()?;
        for of_type in all.iter_mut().filter(|of_type| of_type.name.is_empty()) {
            self.participants(source, of_type)?;
        }
        let read: Vec<SummaryType> = types
            .iter()
            .zip(&all)
            .filter(|(_, one)| one.reader.is_some())
            .map(|(summary_type, _)| summary_type.clone())
            .collect();
        let places: HashMap<&str, usize> = types.iter().map(SummaryType::name).zip(0..).collect();
        objects(source, &read, &mut |summary_type, head, content| {
            let of_type = &mut all[places[summary_type.name()]];
            let known = Known { head, file: of_type.found.of(head) };
            let reader = of_type.reader.as_mut().expect("only types with a reader are asked for");
            reader.read(known, content, &mut of_type.outputs).map_err(|error| head.named(error))?;
            relieve(&mut all)
        })?;
        self.gather(all)
    }

    /// The types that are read, by name.
    fn types(&self, held: &[SummaryType]) -> Vec<SummaryType> {
        let of_tables = self.layouts.iter().map(|layout| SummaryType::named(layout.table.summary_type));
        let mut types: Vec<SummaryType> = of_tables.collect();
        if self.options.tables.is_empty() {
            types.extend(held.iter().cloned());
        }
        types.sort_by(|left, right| left.name().cmp(right.name()));
        types.dedup();
        types
    }

    fn of_type<'t>(&'t self, summary_type: &'t SummaryType, is_held: bool, press: &'t Press) -> io::Result<OfType<'t>> {
        let name = summary_type.name();
        let is_its = |number: &usize| self.layouts[*number].table.summary_type == name;
        let tables: Vec<usize> = (0..self.layouts.len()).filter(is_its).collect();
        let layouts: Vec<&Layout> = tables.iter().map(|number| &self.layouts[*number]).collect();
        let reader = Deidentify::new(self.rules, name).filter(|_| is_held).map(|deidentify| {
            let series = layouts.iter().map(|layout| Series::new((*layout).clone(), self.spill)).collect();
            Reader::new(Plan::new(deidentify, name, &layouts), series)
        });
        let outputs = Outputs::new(&layouts, self.options.format, press)?;
        Ok(OfType { name, tables, reader, outputs, found: Found::among(self.files) })
    }

    fn participants(&self, source: &mut dyn Source, of_type: &mut OfType<'_>) -> io::Result<()> {
        for participant in source.participants()? {
            for (number, table) in of_type.tables.iter().enumerate() {
                let layout = &self.layouts[*table];
                let mut cells = Cells::new(layout.columns.len());
                set_participant(layout, &participant, &mut cells);
                of_type.outputs.row(number, &cells);
            }
        }
        of_type.outputs.settle()
    }

    fn gather(&self, all: Vec<OfType<'_>>) -> io::Result<Read> {
        let mut read = Read {
            tables: vec![None; self.layouts.len()],
            raw: BTreeMap::new(),
            brought: BTreeSet::new(),
            left_out: 0,
        };
        let mut taken = HashSet::new();
        for of_type in all {
            for (path, verdict) in of_type.reader.iter().flat_map(Reader::brought) {
                if verdict == Verdict::Drop {
                    read.left_out += 1;
                } else if is_word(of_type.name) && path.split('.').all(is_word) {
                    read.brought.insert(format!("{}: {path}", of_type.name));
                }
            }
            let (tables, raw) = of_type.outputs.finish()?;
            of_type.tables.into_iter().zip(tables).for_each(|(number, table)| read.tables[number] = Some(table));
            if of_type.reader.is_some() {
                read.raw.insert(format!("raw/{}.ndjson", raw_name(of_type.name, &mut taken)), raw);
            }
        }
        Ok(read)
    }
}

/// Whether it looks like a name that a program gave, so that it can stand on a page.
fn is_word(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Has the table with the most rows that wait write them, where all that wait are too many.
fn relieve(all: &mut [OfType<'_>]) -> io::Result<()> {
    if all.iter().map(|of_type| of_type.outputs.waiting()).sum::<usize>() <= WAITING_BYTES_MAX {
        return Ok(());
    }
    match all.iter_mut().max_by_key(|of_type| of_type.outputs.waiting()) {
        Some(fullest) => fullest.outputs.relieve(),
        None => Ok(()),
    }
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
