//! What the records of one type are written to: a stream for each of its tables, and one for `raw/`.

use std::io;

use crate::dataset::{
    csv,
    press::{BLOCK_BYTES, Press},
    reading::Output,
    row::{Cells, Layout},
    stream::{Packed, Stream},
};

/// The streams of one type.
pub(super) struct Outputs<'a> {
    layouts: &'a [Layout],
    tables: Vec<Stream>,
    raw: Stream,
    failed: Option<io::Error>,
    press: &'a Press,
}

/// A file that waits for its turn.
#[derive(Debug)]
pub(super) struct Written {
    /// Where it stands in the dataset.
    pub(super) path: String,
    /// Its content.
    pub(super) packed: Packed,
}

impl<'a> Outputs<'a> {
    /// Empty streams, with the tables' headers.
    pub(super) fn new(layouts: &'a [Layout], press: &'a Press) -> Self {
        let table = |layout: &Layout| {
            let mut stream = Stream::new();
            csv::push_header(layout, &mut stream.buffer);
            stream
        };
        Self { layouts, tables: layouts.iter().map(table).collect(), raw: Stream::new(), failed: None, press }
    }

    /// Adds a row to a table.
    pub(super) fn add_row(&mut self, table: usize, cells: &Cells) {
        let stream = &mut self.tables[table];
        csv::push_row(&self.layouts[table], cells, &mut stream.buffer);
        stream.rows += 1;
        if stream.buffer.len() >= BLOCK_BYTES
            && let Err(error) = stream.settle(self.press)
        {
            self.failed.get_or_insert(error);
        }
    }

    /// Everything of the type has been read; `raw` is the path of its file there, where it has one.
    pub(super) fn finish(mut self, raw: Option<String>) -> io::Result<Vec<Written>> {
        self.settle()?;
        let mut written = Vec::new();
        for (layout, stream) in self.layouts.iter().zip(self.tables) {
            written.push(Written { path: layout.table.path(), packed: stream.finish(self.press)? });
        }
        if let Some(path) = raw {
            written.push(Written { path, packed: self.raw.finish(self.press)? });
        }
        Ok(written)
    }
}

impl Output for Outputs<'_> {
    fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.raw.buffer
    }

    fn row(&mut self, table: usize, cells: &Cells) {
        self.add_row(table, cells);
    }

    fn end_line(&mut self) {
        self.raw.rows += 1;
    }

    fn settle(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.raw.settle(self.press),
        }
    }
}
