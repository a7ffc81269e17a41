//! Cells that come in any order and make rows in one: the values of maps, and stretches of time.
//!
//! Each is kept under its row's group and place; in the end they are sorted by both, and neighbours make a row. Of two
//! cells for one column of a row the later one counts. What is over [`KEPT_BYTES_MAX`] is sorted and set aside, sealed;
//! the sorted runs are merged in the end, a block of each in memory.

use std::io;

use crate::dataset::spill::{Block, Spill};

/// Cells in memory before they are set aside.
const KEPT_BYTES_MAX: usize = 2 << 20;
/// Bytes of a block of a run.
const BLOCK_BYTES: usize = 32 << 10;

/// The cells of one record that wait to be sorted.
#[derive(Debug, Default)]
pub(super) struct Entries {
    entries: Vec<Entry>,
    text: Vec<u8>,
    runs: Vec<Vec<Block>>,
    failed: Option<io::Error>,
}

/// A cell that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The group of rows.
    pub(super) group: i64,
    /// The row's place within the group.
    pub(super) at: i64,
    /// The column.
    pub(super) column: u16,
    start: u32,
    length: u32,
}

/// A run that is read again.
struct Run {
    /// Those that are left, the next one last.
    blocks: Vec<Block>,
    bytes: Vec<u8>,
    read: usize,
    /// The one at hand, its text in `bytes`.
    entry: Entry,
}

const ENTRY_BYTES: usize = size_of::<Entry>();
/// Group, place, column and length of the text.
const HEADER_BYTES: usize = 8 + 8 + 2 + 4;

impl Entries {
    /// Keeps the cell that `write` appends.
    pub(super) fn push(&mut self, entry: (i64, i64, usize), spill: &Spill, write: impl FnOnce(&mut Vec<u8>)) {
        let (group, at, column) = entry;
        let start = self.text.len();
        write(&mut self.text);
        let narrow = |number: usize| u32::try_from(number).expect("a few megabytes are kept");
        let column = u16::try_from(column).expect("a table has few columns");
        let length = narrow(self.text.len() - start);
        self.entries.push(Entry { group, at, column, start: narrow(start), length });
        if self.entries.len() * ENTRY_BYTES + self.text.len() > KEPT_BYTES_MAX && self.failed.is_none() {
            self.failed = self.set_aside(spill).err();
        }
    }

    /// Hands over all cells in their order, and forgets them.
    pub(super) fn drain(&mut self, spill: &Spill, mut cell: impl FnMut(Entry, &[u8])) -> io::Result<()> {
        if self.runs.is_empty() && self.failed.is_none() {
            self.sort();
            for entry in self.entries.drain(..) {
                let start = entry.start as usize;
                cell(entry, &self.text[start..start + entry.length as usize]);
            }
            self.text.clear();
            return Ok(());
        }
        if let Some(error) = self.failed.take() {
            *self = Self::default();
            return Err(error);
        }
        self.set_aside(spill)?;
        merge(std::mem::take(&mut self.runs), spill, cell)
    }

    fn sort(&mut self) {
        let key = |entry: &Entry| (entry.group, entry.at);
        if !self.entries.is_sorted_by_key(key) {
            // A stable sort, so that later cells stay behind earlier ones.
            self.entries.sort_by_key(key);
        }
    }

    fn set_aside(&mut self, spill: &Spill) -> io::Result<()> {
        self.sort();
        let (mut run, mut block) = (Vec::new(), Vec::with_capacity(BLOCK_BYTES));
        for entry in self.entries.drain(..) {
            let start = entry.start as usize;
            let text = &self.text[start..start + entry.length as usize];
            if block.len() + HEADER_BYTES + text.len() > BLOCK_BYTES && !block.is_empty() {
                run.push(spill.put(&block)?);
                block.clear();
            }
            block.extend_from_slice(&entry.group.to_be_bytes());
            block.extend_from_slice(&entry.at.to_be_bytes());
            block.extend_from_slice(&entry.column.to_be_bytes());
            block.extend_from_slice(&entry.length.to_be_bytes());
            block.extend_from_slice(text);
        }
        if !block.is_empty() {
            run.push(spill.put(&block)?);
        }
        self.text.clear();
        run.reverse();
        self.runs.push(run);
        Ok(())
    }
}

/// Hands over the cells of sorted runs; of equal places those of an earlier run come first.
fn merge(runs: Vec<Vec<Block>>, spill: &Spill, mut cell: impl FnMut(Entry, &[u8])) -> io::Result<()> {
    let mut open = Vec::new();
    for blocks in runs {
        let entry = Entry { group: 0, at: 0, column: 0, start: 0, length: 0 };
        let mut run = Run { blocks, bytes: Vec::new(), read: 0, entry };
        if run.next(spill)? {
            open.push(run);
        }
    }
    loop {
        let first = open.iter_mut().enumerate().min_by_key(|(number, run)| (run.entry.group, run.entry.at, *number));
        let Some((number, run)) = first else { return Ok(()) };
        let start = run.entry.start as usize;
        cell(run.entry, &run.bytes[start..start + run.entry.length as usize]);
        if !run.next(spill)? {
            open.remove(number);
        }
    }
}

impl Run {
    /// Goes on to the next cell: whether there is one.
    fn next(&mut self, spill: &Spill) -> io::Result<bool> {
        if self.read == self.bytes.len() {
            let Some(block) = self.blocks.pop() else { return Ok(false) };
            self.bytes = spill.get(block)?;
            self.read = 0;
        }
        let header: &[u8; HEADER_BYTES] = self.bytes[self.read..].first_chunk().expect("blocks hold whole cells");
        let (group, rest) = header.split_first_chunk().expect("a header has a group");
        let (at, rest) = rest.split_first_chunk().expect("a header has a place");
        let (column, rest) = rest.split_first_chunk().expect("a header has a column");
        let length = u32::from_be_bytes(*rest.first_chunk().expect("a header has a length"));
        let start = self.read + HEADER_BYTES;
        self.entry = Entry {
            group: i64::from_be_bytes(*group),
            at: i64::from_be_bytes(*at),
            column: u16::from_be_bytes(*column),
            start: u32::try_from(start).expect("blocks are small"),
            length,
        };
        self.read = start + length as usize;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::dataset::spill::Scratch;

    /// So many cells of random places, and what must come out: the last text of each.
    fn check(cells: usize) {
        let dir = tempfile::tempdir().expect("a folder");
        let spill = Spill::new(&Scratch {
            dir: dir.path().to_owned(),
            rng: Arc::new(ring::rand::SystemRandom::new()),
            room: Arc::new(|_| true),
        });
        let (mut entries, mut expected) = (Entries::default(), BTreeMap::new());
        let mut random = 7_u64;
        for number in 0..cells {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = ((random >> 62) as i64, (random >> 44) as i64 % 100_000 - 50_000, (random >> 33) as usize % 3);
            let text = format!("{number}");
            entries.push(place, &spill, |output| output.extend_from_slice(text.as_bytes()));
            expected.insert(place, text);
        }
        let (mut found, mut places) = (BTreeMap::new(), Vec::new());
        let drained = entries.drain(&spill, |entry, text| {
            places.push((entry.group, entry.at));
            found
                .insert((entry.group, entry.at, usize::from(entry.column)), String::from_utf8_lossy(text).into_owned());
        });
        drained.expect("sorted");
        assert!(places.is_sorted());
        assert_eq!((places.len(), found == expected), (cells, true));
        entries.drain(&spill, |_, _| panic!("all are forgotten")).expect("nothing");
    }

    #[test]
    fn cells_come_out_sorted_and_later_ones_behind_earlier_ones() {
        check(0);
        check(1000);
    }

    #[test]
    fn more_cells_than_are_kept_come_out_the_same() {
        check(4 * KEPT_BYTES_MAX / ENTRY_BYTES);
    }
}
