//! A table on its way into its file, in whatever format.

use std::io;

use crate::dataset::{
    csv,
    format::Format,
    ndjson,
    parquet::Sheet as ParquetSheet,
    press::{BLOCK_BYTES, Press},
    row::{Cells, Layout},
    stream::{Packed, Packing, Stream},
};

/// A table that is written.
pub(super) struct Sheet<'a> {
    layout: &'a Layout,
    stream: Stream,
    form: Form,
    failed: Option<io::Error>,
}

enum Form {
    /// Cut where a participant's rows end, so that they can be a file of their own.
    Csv {
        participant: Option<Vec<u8>>,
    },
    Ndjson,
    Parquet(Box<ParquetSheet>),
}

impl<'a> Sheet<'a> {
    /// An empty table.
    pub(super) fn new(layout: &'a Layout, format: Format, press: &Press) -> io::Result<Self> {
        let mut stream = Stream::new(if format == Format::Parquet { Packing::Stored } else { Packing::Deflated });
        let form = match format {
            Format::Csv => {
                csv::push_header(layout, &mut stream.buffer);
                stream.cut(press)?;
                Form::Csv { participant: None }
            }
            Format::Ndjson => Form::Ndjson,
            Format::Parquet => Form::Parquet(Box::new(ParquetSheet::new(layout)?)),
        };
        Ok(Self { layout, stream, form, failed: None })
    }

    /// Adds a row. An error is told by [`checked`](Self::checked).
    pub(super) fn push_row(&mut self, cells: &Cells, press: &Press) {
        if let Err(error) = self.try_row(cells, press) {
            self.failed.get_or_insert(error);
        }
    }

    fn try_row(&mut self, cells: &Cells, press: &Press) -> io::Result<()> {
        match &mut self.form {
            Form::Csv { participant } => {
                if participant.as_deref() != Some(cells.get(0)) {
                    if let Some(code) = participant.take() {
                        self.stream.end_part(code, press)?;
                    }
                    *participant = Some(cells.get(0).to_vec());
                }
                csv::push_row(self.layout, cells, &mut self.stream.buffer);
            }
            Form::Ndjson => ndjson::push_row(self.layout, cells, &mut self.stream.buffer),
            Form::Parquet(sheet) => sheet.push_row(cells, &mut self.stream.buffer)?,
        }
        self.stream.rows += 1;
        if self.stream.buffer.len() >= BLOCK_BYTES { self.stream.settle(press) } else { Ok(()) }
    }

    /// Bytes of rows that wait to be written together.
    pub(super) fn waiting(&self) -> usize {
        match &self.form {
            Form::Csv { .. } | Form::Ndjson => 0,
            Form::Parquet(sheet) => sheet.waiting(),
        }
    }

    /// Has them written.
    pub(super) fn relieve(&mut self, press: &Press) -> io::Result<()> {
        if let Form::Parquet(sheet) = &mut self.form {
            sheet.end_group(&mut self.stream.buffer)?;
        }
        self.stream.settle(press)
    }

    /// The error that a row met.
    pub(super) fn checked(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// The table is over.
    pub(super) fn finish(mut self, press: &Press) -> io::Result<Packed> {
        self.checked()?;
        match self.form {
            Form::Csv { participant: Some(code) } => self.stream.end_part(code, press)?,
            Form::Csv { participant: None } | Form::Ndjson => {}
            Form::Parquet(sheet) => sheet.finish(&mut self.stream.buffer)?,
        }
        self.stream.finish(press)
    }
}
