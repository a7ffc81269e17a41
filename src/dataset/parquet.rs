//! Tables as Parquet: typed columns, compressed with zstd, in row groups that are small enough to be held in memory.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::Type,
};

use crate::dataset::{
    cell::{days_of, seconds_of},
    column::Kind,
    row::{Cells, Layout},
};

/// Bytes of cells that make a row group.
const GROUP_BYTES: usize = 4 << 20;
/// Rows that make one, however small they are.
const GROUP_ROWS: usize = 128 << 10;
const LEVEL: i32 = 3;

/// A table that is written.
pub(super) struct Sheet {
    writer: SerializedFileWriter<Taken>,
    taken: Taken,
    columns: Vec<Values>,
    rows: usize,
    bytes: usize,
}

/// The values of a column that wait for their row group, and of each row whether there is one.
#[derive(Debug)]
struct Values {
    kind: Kind,
    present: Vec<i16>,
    text: Vec<u8>,
    ends: Vec<usize>,
    whole: Vec<i64>,
    double: Vec<f64>,
}

/// What the writer has written and nobody has taken.
#[derive(Clone, Debug, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    /// An empty table.
    pub(super) fn new(layout: &Layout) -> io::Result<Self> {
        let fields = layout.columns.iter().map(|column| field(column.name, column.kind).map(Arc::new));
        let fields = fields.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema = Type::group_type_builder(layout.table.name).with_fields(fields).build().map_err(failed)?;
        let level = ZstdLevel::try_new(LEVEL).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_created_by("studygate".to_owned())
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_dictionary_page_size_limit(256 << 10)
            .set_data_page_size_limit(256 << 10);
        let taken = Taken::default();
        let writer = SerializedFileWriter::new(taken.clone(), Arc::new(schema), Arc::new(properties.build()));
        let columns = layout.columns.iter().map(|column| Values::new(column.kind)).collect();
        Ok(Self { writer: writer.map_err(failed)?, taken, columns, rows: 0, bytes: 0 })
    }

    /// Adds a row; what is ready of the file goes to `output`.
    pub(super) fn push_row(&mut self, cells: &Cells, output: &mut Vec<u8>) -> io::Result<()> {
        for (values, cell) in self.columns.iter_mut().zip(cells.iter()) {
            self.bytes += values.push(cell);
        }
        self.rows += 1;
        if self.bytes >= GROUP_BYTES || self.rows >= GROUP_ROWS {
            self.end_group(output)?;
        }
        Ok(())
    }

    /// The table is over; the rest of the file goes to `output`.
    pub(super) fn finish(mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if self.rows > 0 {
            self.end_group(output)?;
        }
        self.writer.close().map_err(failed)?;
        output.append(&mut self.taken.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Bytes of cells that wait for the end of their row group.
    pub(super) fn waiting(&self) -> usize {
        self.bytes
    }

    /// Ends the row group at hand.
    pub(super) fn end_group(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for values in &mut self.columns {
            let mut column = group.next_column().map_err(failed)?.expect("a writer has all columns of its schema");
            values.write(&mut column).map_err(failed)?;
            column.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        (self.rows, self.bytes) = (0, 0);
        output.append(&mut self.taken.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

impl Values {
    fn new(kind: Kind) -> Self {
        Self { kind, present: Vec::new(), text: Vec::new(), ends: Vec::new(), whole: Vec::new(), double: Vec::new() }
    }

    /// Adds a cell; how many bytes that takes.
    fn push(&mut self, cell: &[u8]) -> usize {
        let text = std::str::from_utf8(cell).unwrap_or_default();
        let before = self.text.len() + 8 * (self.ends.len() + self.whole.len() + self.double.len());
        let is_present = !text.is_empty() && self.push_value(text);
        self.present.push(i16::from(is_present));
        size_of::<i16>() + self.text.len() + 8 * (self.ends.len() + self.whole.len() + self.double.len()) - before
    }

    /// Whether the text is a value of the column's kind, as every cell is.
    fn push_value(&mut self, text: &str) -> bool {
        let whole = match self.kind {
            Kind::Text => {
                self.text.extend_from_slice(text.as_bytes());
                self.ends.push(self.text.len());
                return true;
            }
            Kind::Number => {
                let double: Option<f64> = text.parse().ok();
                self.double.extend(double);
                return double.is_some();
            }
            Kind::Integer => text.parse().ok(),
            Kind::Boolean => Some(i64::from(text == "true")),
            Kind::Date => days_of(text),
            Kind::Time => seconds_of(text).map(|seconds| seconds * 1000),
            Kind::Instant => text
                .strip_suffix('Z')
                .and_then(|text| text.split_once('T'))
                .and_then(|(date, time)| Some((days_of(date)? * 86_400 + seconds_of(time)?) * 1000)),
        };
        self.whole.extend(whole);
        whole.is_some()
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let present = Some(&*self.present);
        let narrow = || self.whole.iter().map(|value| i32::try_from(*value).unwrap_or(i32::MAX)).collect::<Vec<_>>();
        match self.kind {
            Kind::Text => {
                let text = Bytes::from(std::mem::take(&mut self.text));
                let starts = [0].into_iter().chain(self.ends.iter().copied());
                let values: Vec<ByteArray> =
                    starts.zip(&self.ends).map(|(start, end)| ByteArray::from(text.slice(start..*end))).collect();
                column.typed::<ByteArrayType>().write_batch(&values, present, None)?;
            }
            Kind::Number => drop(column.typed::<DoubleType>().write_batch(&self.double, present, None)?),
            Kind::Integer | Kind::Instant => {
                column.typed::<Int64Type>().write_batch(&self.whole, present, None)?;
            }
            Kind::Boolean => {
                let values: Vec<bool> = self.whole.iter().map(|value| *value != 0).collect();
                column.typed::<BoolType>().write_batch(&values, present, None)?;
            }
            Kind::Date | Kind::Time => drop(column.typed::<Int32Type>().write_batch(&narrow(), present, None)?),
        }
        *self = Self::new(self.kind);
        Ok(())
    }
}

fn field(name: &str, kind: Kind) -> Result<Type, ParquetError> {
    let (physical, logical) = match kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Integer => (Physical::INT64, None),
        Kind::Number => (Physical::DOUBLE, None),
        Kind::Boolean => (Physical::BOOLEAN, None),
        Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
        Kind::Time => (Physical::INT32, Some(LogicalType::time(false, TimeUnit::MILLIS))),
        Kind::Instant => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

impl Write for Taken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(format!("a table could not be written as Parquet: {error}"))
}
