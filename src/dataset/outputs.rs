//! What the records of one type are written to: a file for each of its tables, and one in `raw/`.

use std::io;

use crate::dataset::{
    format::Format,
    press::Press,
    reading::Output,
    row::{Cells, Layout},
    sheet::Sheet,
    stream::{Packed, Packing, Stream},
};

/// The files of one type.
pub(super) struct Outputs<'a> {
    tables: Vec<Sheet<'a>>,
    raw: Stream,
    press: &'a Press,
}

impl<'a> Outputs<'a> {
    /// Empty files.
    pub(super) fn new(layouts: &[&'a Layout], format: Format, press: &'a Press) -> io::Result<Self> {
        let tables = layouts.iter().map(|layout| Sheet::new(layout, format, press)).collect::<io::Result<_>>()?;
        Ok(Self { tables, raw: Stream::new(Packing::Deflated), press })
    }

    /// Bytes of rows that wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.tables.iter().map(Sheet::waiting).sum()
    }

    /// Has those of the fullest table written.
    pub(super) fn relieve(&mut self) -> io::Result<()> {
        let press = self.press;
        let fullest = self.tables.iter_mut().max_by_key(|table| table.waiting());
        fullest.map_or(Ok(()), |table| table.relieve(press))
    }

    /// Everything of the type has been read: its tables, in order, and its file in `raw/`.
    pub(super) fn finish(self) -> io::Result<(Vec<Packed>, Packed)> {
        let press = self.press;
        let tables = self.tables.into_iter().map(|table| table.finish(press)).collect::<io::Result<_>>()?;
        Ok((tables, self.raw.finish(press)?))
    }
}

impl Output for Outputs<'_> {
    fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.raw.buffer
    }

    fn end_line(&mut self) {
        self.raw.rows += 1;
    }

    fn row(&mut self, table: usize, cells: &Cells) {
        self.tables[table].push_row(cells, self.press);
    }

    fn settle(&mut self) -> io::Result<()> {
        self.tables.iter_mut().try_for_each(Sheet::checked)?;
        self.raw.settle(self.press)
    }
}
