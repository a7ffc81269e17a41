//! The rows of one table, as a record's members come.

use std::io;

use crate::dataset::{
    cell::{Value, integer, push_value},
    column::{Origin, Rows, When},
    entries::Entries,
    row::{Cells, Known, Layout, RowHead, set_known},
    spill::Spill,
};
use crate::model::time::UnixSeconds;

/// Takes a row.
pub(super) type Rower<'a> = dyn FnMut(&Cells) + 'a;

/// The rows of one table, as a record's members come.
pub(super) struct Series<'a> {
    spill: &'a Spill,
    layout: Layout,
    cells: Cells,
    /// What stands in each row of the record, by column.
    of_record: Cells,
    /// The columns of that, and whether each has been seen.
    seen: Vec<(usize, bool)>,
    /// What stands in each row of the group at hand.
    of_group: Cells,
    entries: Entries,
    member: String,
    number: i64,
    time: Option<UnixSeconds>,
    utc_offset: Option<i32>,
    phase: Phase,
}

/// Where the table is in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its rows are taken as they come.
    Taking,
    /// Its rows wait for a second pass.
    Waiting,
    /// It has all its rows.
    Over,
}

/// Stands before every offset: a cell for all rows of its group.
const FOR_ALL: i64 = i64::MIN;
/// The group of stretches without a time; they come first.
const UNTIMED: i64 = i64::MIN;

impl<'a> Series<'a> {
    /// The rows of this table.
    pub(super) fn new(layout: Layout, spill: &'a Spill) -> Self {
        let columns = layout.columns.len();
        let is_whole = matches!(layout.table.rows, Rows::Record(_));
        let of_record = |number: &usize| matches!(layout.columns[*number].from, Origin::Record(_));
        let seen = (0..columns).filter(|_| !is_whole).filter(of_record).map(|number| (number, false)).collect();
        Self {
            spill,
            layout,
            cells: Cells::new(columns),
            of_record: Cells::new(columns),
            seen,
            of_group: Cells::new(columns),
            entries: Entries::default(),
            member: String::new(),
            number: 0,
            time: None,
            utc_offset: None,
            phase: Phase::Over,
        }
    }

    /// A record begins.
    pub(super) fn begin_record(&mut self) {
        self.cells.clear();
        self.of_record.clear();
        self.seen.iter_mut().for_each(|(_, seen)| *seen = false);
        self.number = 0;
        self.phase = Phase::Taking;
    }

    /// The record is read once more, for the rows that wait.
    pub(super) fn begin_again(&mut self) {
        self.number = 0;
        self.phase = if self.phase == Phase::Waiting { Phase::Taking } else { Phase::Over };
        self.seen.iter_mut().for_each(|(_, seen)| *seen = true);
    }

    /// Whether rows wait for a second pass.
    pub(super) fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
    }

    /// An object that is a row, or holds the maps of a group of rows, begins under this member.
    pub(super) fn begin_row(&mut self, member: &str) {
        self.number += 1;
        if !matches!(self.layout.table.rows, Rows::Offsets(_)) {
            self.cells.clear();
            (self.time, self.utc_offset) = (None, None);
            if self.member != member {
                self.member = member.to_owned();
            }
        }
    }

    /// That object ends.
    pub(super) fn end_row(&mut self, known: Known<'_>, row: &mut Rower<'_>) {
        match self.layout.table.rows {
            Rows::Elements(_) if self.phase == Phase::Taking => {
                if self.seen.iter().all(|(_, seen)| *seen) {
                    self.row(0, known, row);
                } else {
                    self.phase = Phase::Waiting;
                }
            }
            Rows::Spans(..) => self.keep_span(),
            Rows::Elements(_) | Rows::Offsets(_) | Rows::Record(_) | Rows::Participant => {}
        }
        self.cells.clear();
    }

    /// The record is over.
    pub(super) fn end_record(&mut self, known: Known<'_>, row: &mut Rower<'_>) -> io::Result<()> {
        match self.layout.table.rows {
            Rows::Record(_) => self.row(0, known, row),
            Rows::Offsets(_) | Rows::Spans(..) => return self.sorted_rows(known, row),
            Rows::Elements(_) | Rows::Participant => {}
        }
        Ok(())
    }

    /// A value of the row's object, or of the object that holds the maps.
    pub(super) fn set(&mut self, column: usize, value: Value<'_>) {
        let declared = &self.layout.columns[column];
        if let Rows::Offsets(_) = self.layout.table.rows {
            self.entries.push((self.number, FOR_ALL, column), self.spill, |output| push_value(declared, value, output));
        } else {
            self.cells.set(column, |output| push_value(declared, value, output));
        }
    }

    /// A value that stands in each of the record's rows.
    pub(super) fn set_of_record(&mut self, column: usize, value: Value<'_>) {
        let declared = &self.layout.columns[column];
        let cells = if let Rows::Record(_) = self.layout.table.rows { &mut self.cells } else { &mut self.of_record };
        cells.set(column, |output| push_value(declared, value, output));
        self.see(column);
    }

    /// What stands in each row of the record is known now, or known to be missing.
    pub(super) fn see(&mut self, column: usize) {
        self.seen.iter_mut().filter(|(known, _)| *known == column).for_each(|(_, seen)| *seen = true);
    }

    /// A value of a map.
    pub(super) fn set_at(&mut self, offset: i64, column: usize, value: Value<'_>) {
        if self.phase == Phase::Taking {
            let declared = &self.layout.columns[column];
            self.entries.push((self.number, offset, column), self.spill, |output| push_value(declared, value, output));
        }
    }

    /// The time of the row's object.
    pub(super) fn set_time(&mut self, value: Value<'_>) {
        self.time = UnixSeconds::of_number(value.text);
    }

    /// The row's own offset from UTC.
    pub(super) fn set_utc_offset(&mut self, value: Value<'_>) {
        self.utc_offset = integer(value.text).and_then(|seconds| seconds.parse().ok());
    }

    /// A stretch of time waits until all of the record are known.
    fn keep_span(&mut self) {
        if self.phase != Phase::Taking {
            return;
        }
        let (group, at) = (self.time.map_or(UNTIMED, |time| time.0), self.number);
        for (column, cell) in self.cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            self.entries.push((group, at, column), self.spill, |output| output.extend_from_slice(cell));
        }
        let member = self.layout.columns.len();
        self.entries.push((group, at, member), self.spill, |output| output.extend_from_slice(self.member.as_bytes()));
    }

    /// The rows whose cells waited, by group and place.
    fn sorted_rows(&mut self, known: Known<'_>, row: &mut Rower<'_>) -> io::Result<()> {
        let mut entries = std::mem::take(&mut self.entries);
        let columns = self.layout.columns.len();
        let (mut group, mut open) = (None, None);
        self.of_group.clear();
        self.cells.clear();
        self.number = 0;
        let spill = self.spill;
        let drained = entries.drain(spill, |entry, text| {
            let column = usize::from(entry.column);
            let place = (entry.group, entry.at);
            if open.is_some_and(|open| open != place) {
                self.sorted_row(open.take(), known, row);
            }
            if group.replace(entry.group) != Some(entry.group) {
                self.of_group.clear();
            }
            if entry.at == FOR_ALL {
                self.of_group.set(column, |output| output.extend_from_slice(text));
                return;
            }
            open = Some(place);
            if column < columns {
                self.cells.set(column, |output| output.extend_from_slice(text));
            } else {
                self.member.clear();
                self.member.push_str(&String::from_utf8_lossy(text));
            }
        });
        self.sorted_row(open, known, row);
        self.entries = entries;
        drained
    }

    fn sorted_row(&mut self, place: Option<(i64, i64)>, known: Known<'_>, row: &mut Rower<'_>) {
        let Some((group, at)) = place else { return };
        for column in 0..self.layout.columns.len() {
            if self.cells.get(column).is_empty() {
                let cell = self.of_group.get(column);
                self.cells.set(column, |output| output.extend_from_slice(cell));
            }
        }
        if let Rows::Spans(..) = self.layout.table.rows {
            self.number += 1;
            self.time = (group != UNTIMED).then_some(UnixSeconds(group));
        } else {
            self.number = group;
        }
        self.row(at, known, row);
        self.cells.clear();
    }

    /// Hands over the row whose cells are set.
    fn row(&mut self, since_start: i64, known: Known<'_>, row: &mut Rower<'_>) {
        for (column, _) in &self.seen {
            let cell = self.of_record.get(*column);
            self.cells.set(*column, |output| output.extend_from_slice(cell));
        }
        let (time, offset) = match self.layout.table.time {
            When::Record => (known.head.start, known.head.offset),
            When::Offset => (known.head.start.map(|start| start.plus(since_start)), known.head.offset),
            When::Members(..) => (self.time, self.utc_offset.or(known.head.offset)),
        };
        let head = RowHead { time, offset, number: self.number, since_start, member: &self.member };
        set_known(&self.layout, known, head, &mut self.cells);
        row(&self.cells);
    }
}
