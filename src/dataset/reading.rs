//! Reads records of one type: out of one pass over a record come its line of `raw/` and the rows of all its tables.
//!
//! A second pass is made only where rows come before something of the record that stands in each of them.
//!
//! Never: a record whole in memory; a member in a row or in `raw/` that [`Deidentify`] did not let pass.
//!
//! [`Deidentify`]: crate::dataset::deidentify::Deidentify

use std::io;

use crate::dataset::{
    cell::{Value, push_instant, push_integer},
    deidentify::Verdict,
    plan::{Place, Plan, Step, Target},
    row::{Cells, Known},
    scalar::Gathered,
    series::Series,
    source::{Beside, Content, RecordHead},
};
use crate::json::walk::{Look, Nesting, Scalar, Stretch, Walker};

/// What a reader's tables are written to.
pub(super) trait Output {
    /// The buffer that takes the lines of `raw/`.
    fn raw(&mut self) -> &mut Vec<u8>;

    /// A line of `raw/` is whole.
    fn end_line(&mut self);

    /// Takes a row of a table.
    fn row(&mut self, table: usize, cells: &Cells);

    /// Passes on what has gathered, where it is much.
    fn settle(&mut self) -> io::Result<()>;
}

/// Reads the records of one type.
pub(super) struct Reader<'a> {
    plan: Plan<'a>,
    tables: Vec<Series<'a>>,
    state: State,
}

/// Where in a record the reader is.
#[derive(Default)]
struct State {
    frames: Vec<Frame>,
    /// The member whose value comes next; none within an array.
    member: Option<(Verdict, Step)>,
    /// Its name, where it is needed later: as it is written, and decoded.
    raw_name: Vec<u8>,
    name: String,
    /// The offset that it is, in a map.
    offset: i64,
    gathered: Gathered,
    /// A bit for each open container: whether a comma is due.
    filled: u64,
    /// What belongs to the record and does not stand in it.
    beside: Beside,
}

/// An open container.
struct Frame {
    place: Place,
    nesting: Nesting,
}

/// Which pass over a record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// Everything is read.
    First,
    /// Only the rows that wait for something that came behind them.
    Second,
}

const PIECE_BYTES: usize = 64 << 10;

impl<'a> Reader<'a> {
    /// A reader for tables of one type.
    pub(super) fn new(plan: Plan<'a>, tables: Vec<Series<'a>>) -> Self {
        Self { plan, tables, state: State::default() }
    }

    /// The members that came and that this version does not know, with the rules' verdict.
    pub(super) fn brought(&self) -> impl Iterator<Item = (String, Verdict)> {
        self.plan.brought()
    }

    /// Reads a record.
    pub(super) fn read(
        &mut self,
        known: Known<'_>,
        content: &mut dyn Content,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        self.state.beside = content.beside();
        self.tables.iter_mut().for_each(Series::begin_record);
        push_line_start(known.head, output.raw())?;
        self.pass(Pass::First, known, content, output)?;
        output.raw().extend_from_slice(b"}\n");
        output.end_line();
        let mut waiting = false;
        for (number, table) in self.tables.iter_mut().enumerate() {
            table.end_record(known, &mut |cells| output.row(number, cells))?;
            waiting |= table.is_waiting();
        }
        if waiting {
            self.tables.iter_mut().for_each(Series::begin_again);
            self.pass(Pass::Second, known, content, output)?;
        }
        output.settle()
    }

    fn pass(
        &mut self,
        pass: Pass,
        known: Known<'_>,
        content: &mut dyn Content,
        output: &mut dyn Output,
    ) -> io::Result<()> {
        let malformed = |_| io::Error::new(io::ErrorKind::InvalidData, "a stored record is no JSON object");
        let mut walker = Walker::default();
        self.state.frames.clear();
        self.state.member = None;
        content.read(&mut |bytes| {
            for piece in bytes.chunks(PIECE_BYTES) {
                let mut looking = Looking { reader: self, pass, known, output };
                walker.feed(piece, &mut looking).map_err(malformed)?;
                output.settle()?;
            }
            Ok(())
        })?;
        walker.finish().map_err(malformed)
    }
}

/// The beginning of a record's line.
fn push_line_start(head: &RecordHead<'_>, line: &mut Vec<u8>) -> io::Result<()> {
    line.extend_from_slice(b"{\"participant\":");
    serde_json::to_writer(&mut *line, head.participant)?;
    line.extend_from_slice(b",\"record_id\":");
    serde_json::to_writer(&mut *line, head.record_id)?;
    line.extend_from_slice(b",\"received_utc\":\"");
    push_instant(Some(head.received), line);
    line.extend_from_slice(b"\",\"revision\":");
    push_integer(i64::from(head.revision), line);
    line.extend_from_slice(b",\"record\":");
    Ok(())
}

/// One pass over one record.
struct Looking<'r, 'a> {
    reader: &'r mut Reader<'a>,
    pass: Pass,
    known: Known<'r>,
    output: &'r mut dyn Output,
}

impl Look for Looking<'_, '_> {
    fn member(&mut self, name: &str, raw: &[u8]) -> bool {
        let Reader { plan, state, .. } = &mut *self.reader;
        let Some(frame) = state.frames.last() else { return false };
        let (verdict, step) = plan.member(&frame.place, name);
        if verdict == Verdict::Drop {
            return false;
        }
        if let Step::Entry(_) = step {
            state.offset = name.parse().unwrap_or(0);
        }
        if step == Step::Beyond {
            state.name.clear();
            state.name.push_str(name);
        }
        state.member = Some((verdict, step));
        state.raw_name.clear();
        state.raw_name.extend_from_slice(raw);
        if verdict == Verdict::Keep {
            self.raw_name();
        }
        true
    }

    fn open(&mut self, nesting: Nesting) -> bool {
        let Reader { plan, tables, state } = &mut *self.reader;
        let place = match (state.frames.last(), state.member.take()) {
            (None, _) => Plan::top(),
            (Some(_), Some((Verdict::Change(_) | Verdict::Drop, _))) => return false,
            (Some(frame), Some((Verdict::Keep, step))) => plan.below(&frame.place, step, &state.name),
            (Some(frame), None) => frame.place.clone(),
        };
        if nesting == Nesting::Object {
            let name = plan.name(&place);
            plan.rows(&place).iter().for_each(|table| tables[*table].begin_row(name));
        }
        let in_array = state.frames.last().is_some_and(|frame| frame.nesting == Nesting::Array);
        state.frames.push(Frame { place, nesting });
        self.raw(|state, raw| {
            let depth = state.frames.len();
            if in_array {
                state.comma(depth - 1, raw);
            }
            state.filled &= !(1 << (depth - 1));
            raw.push(if nesting == Nesting::Object { b'{' } else { b'[' });
        });
        if nesting == Nesting::Object && !in_array {
            self.names();
        }
        true
    }

    fn close(&mut self, nesting: Nesting) {
        let Some(frame) = self.reader.state.frames.pop() else { return };
        let Reader { plan, tables, .. } = &mut *self.reader;
        if nesting == Nesting::Object {
            for table in plan.rows(&frame.place) {
                tables[*table].end_row(self.known, &mut |cells| self.output.row(*table, cells));
            }
        }
        self.raw(|_, raw| raw.push(if nesting == Nesting::Object { b'}' } else { b']' }));
    }

    fn scalar(&mut self, stretch: Stretch<'_>) {
        let Some((verdict, step)) = self.reader.state.member else {
            self.raw_scalar(stretch);
            return;
        };
        if verdict == Verdict::Keep {
            self.raw_scalar(stretch);
        }
        let is_of_use = verdict != Verdict::Keep || !self.reader.plan.targets(step).is_empty();
        if is_of_use {
            let gathered = std::mem::take(&mut self.reader.state.gathered);
            self.reader.state.gathered = self.gather(gathered, stretch, verdict, step);
        }
        if stretch.last {
            self.reader.state.member = None;
        }
    }
}

impl Looking<'_, '_> {
    fn gather(&mut self, mut gathered: Gathered, stretch: Stretch<'_>, verdict: Verdict, step: Step) -> Gathered {
        gathered.whole(stretch, |text| {
            let is_number = stretch.scalar == Scalar::Number;
            match verdict {
                Verdict::Keep if stretch.scalar == Scalar::Word && text == "null" => self.seen(step),
                Verdict::Keep => self.told(step, Value { text, is_number }),
                Verdict::Change(change) => {
                    let Reader { plan, state, .. } = &*self.reader;
                    match plan.changed(change, text, state.beside.shift) {
                        Some(changed) => {
                            self.raw_name();
                            self.raw(|_, raw| raw.extend_from_slice(changed.json().as_bytes()));
                            self.told(step, Value { text: &changed.text, is_number: changed.is_number });
                        }
                        None => self.seen(step),
                    }
                }
                Verdict::Drop => {}
            }
        });
        gathered
    }

    /// The names that belong into the object that has begun, where the rules let them pass. Those of an array's elements
    /// do not come back: nothing says which element each is of.
    fn names(&mut self) {
        let names = std::mem::take(&mut self.reader.state.beside.names);
        for (path, json) in &names {
            let (outer, name) = path.rsplit_once('.').unwrap_or(("", path));
            let Reader { plan, state, .. } = &mut *self.reader;
            let Some(frame) = state.frames.last().filter(|frame| plan.is_at(&frame.place, outer)) else { continue };
            let (Verdict::Keep, step) = plan.member(&frame.place, name) else { continue };
            state.raw_name.clear();
            state.raw_name.extend_from_slice(name.as_bytes());
            self.raw_name();
            self.raw(|_, raw| raw.extend_from_slice(json.as_bytes()));
            // Half a surrogate pair is valid JSON, and no text.
            if let Ok(text) = serde_json::from_str::<String>(json) {
                self.told(step, Value { text: &text, is_number: false });
            }
        }
        self.reader.state.beside.names = names;
    }

    /// A value that tables make something of.
    fn told(&mut self, step: Step, value: Value<'_>) {
        let Reader { plan, tables, state } = &mut *self.reader;
        for target in plan.targets(step) {
            match *target {
                Target::Cell(table, column) => tables[table].set(column, value),
                Target::Record(table, column) => tables[table].set_of_record(column, value),
                Target::Entry(table, column) => tables[table].set_at(state.offset, column, value),
                Target::Time(table) => tables[table].set_time(value),
                Target::UtcOffset(table) => tables[table].set_utc_offset(value),
            }
        }
    }

    /// A member without a value.
    fn seen(&mut self, step: Step) {
        let Reader { plan, tables, .. } = &mut *self.reader;
        for target in plan.targets(step) {
            if let Target::Record(table, column) = *target {
                tables[table].see(column);
            }
        }
    }

    fn raw_name(&mut self) {
        let name = std::mem::take(&mut self.reader.state.raw_name);
        self.raw(|state, raw| {
            state.comma(state.frames.len(), raw);
            raw.push(b'"');
            raw.extend_from_slice(&name);
            raw.extend_from_slice(b"\":");
        });
        self.reader.state.raw_name = name;
    }

    fn raw_scalar(&mut self, stretch: Stretch<'_>) {
        let in_array = self.reader.state.member.is_none();
        self.raw(|state, raw| {
            if stretch.first && in_array {
                state.comma(state.frames.len(), raw);
            }
            let quote = stretch.scalar == Scalar::Text;
            if stretch.first && quote {
                raw.push(b'"');
            }
            raw.extend_from_slice(stretch.bytes);
            if stretch.last && quote {
                raw.push(b'"');
            }
        });
    }

    #[inline]
    fn raw(&mut self, write: impl FnOnce(&mut State, &mut Vec<u8>)) {
        if self.pass == Pass::First {
            write(&mut self.reader.state, self.output.raw());
        }
    }
}

impl State {
    #[inline]
    fn comma(&mut self, depth: usize, raw: &mut Vec<u8>) {
        let bit = 1 << (depth - 1);
        if self.filled & bit != 0 {
            raw.push(b',');
        }
        self.filled |= bit;
    }
}
