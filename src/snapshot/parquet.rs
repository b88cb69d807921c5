//! The flat columns of records as one Parquet file, a row group in memory at a time.
//!
//! Written without Arrow, whose crates would double the build for a table that is written and never
//! computed with.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::record::{COLUMNS, Cell, ColumnType};

/// Rows held until they leave together: larger groups compress better, smaller ones need less
/// memory. About 10 MB here.
const ROWS: usize = 10_000;

/// The values of one column of the group under way, and which rows have one.
enum Column {
    Text(Vec<ByteArray>),
    Time(Vec<i64>),
    Number(Vec<f64>),
}

pub struct Table {
    file: SerializedFileWriter<Vec<u8>>,
    columns: Vec<(Column, Vec<i16>)>,
    rows: usize,
}

impl Table {
    pub fn new() -> Result<Self> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = SerializedFileWriter::new(Vec::new(), schema()?, Arc::new(properties))?;
        Ok(Self { file, columns: empty(), rows: 0 })
    }

    pub fn push(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        for ((column, present), cell) in self.columns.iter_mut().zip(cells) {
            let is_there = match (column, cell) {
                (Column::Text(values), Cell::Text(text)) => {
                    values.extend(text.as_ref().map(|text| ByteArray::from(&**text)));
                    text.is_some()
                }
                (Column::Time(values), Cell::Time(at)) => {
                    values.extend(at.map(jiff::Timestamp::as_microsecond));
                    at.is_some()
                }
                (Column::Number(values), Cell::Number(number)) => {
                    values.extend(*number);
                    number.is_some()
                }
                // A cell of another type than its column: a test holds that there is none.
                _ => false,
            };
            present.push(i16::from(is_there));
        }
        self.rows += 1;
        if self.rows < ROWS { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let columns = std::mem::replace(&mut self.columns, empty());
        self.rows = 0;
        let mut group = self.file.next_row_group()?;
        for (column, present) in &columns {
            let Some(mut writer) = group.next_column()? else { break };
            let present = Some(present.as_slice());
            match column {
                Column::Text(values) => {
                    writer.typed::<ByteArrayType>().write_batch(values, present, None)?
                }
                Column::Time(values) => {
                    writer.typed::<Int64Type>().write_batch(values, present, None)?
                }
                Column::Number(values) => {
                    writer.typed::<DoubleType>().write_batch(values, present, None)?
                }
            };
            writer.close()?;
        }
        group.close()?;
        self.file.flush()?;
        Ok(())
    }

    /// What is ready to leave. The file's offsets count on.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.file.inner_mut())
    }

    pub fn finish(&mut self) -> Result<Vec<u8>> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.file.finish()?;
        Ok(self.take())
    }
}

fn empty() -> Vec<(Column, Vec<i16>)> {
    let column = |(_, kind): &(&str, ColumnType)| match kind {
        ColumnType::Text => Column::Text(Vec::new()),
        ColumnType::Time => Column::Time(Vec::new()),
        ColumnType::Number => Column::Number(Vec::new()),
    };
    COLUMNS.iter().map(|named| (column(named), Vec::new())).collect()
}

fn schema() -> Result<TypePtr> {
    let fields = COLUMNS.iter().map(|(name, kind)| {
        let (physical, logical) = match kind {
            ColumnType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnType::Time => {
                (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
            }
            ColumnType::Number => (Physical::DOUBLE, None),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(field))
    });
    let fields = fields.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Type::group_type_builder("records").with_fields(fields).build()?))
}
