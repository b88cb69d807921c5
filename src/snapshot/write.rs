//! Writes an inventory record by record as NDJSON, CSV or Parquet, a page in memory at a time.

use headcount_core::inventory::Record;

use super::record::{COLUMNS, Cell, RecordShape};
use crate::cli::lines::defused;

/// In which form an inventory leaves.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line
    #[default]
    Ndjson,
    /// Flat, for spreadsheets; no cell is taken for a formula
    Csv,
    /// Flat and in columns, for DuckDB, Athena and the like
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }

    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            #[cfg(feature = "parquet")]
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Why an inventory could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the inventory could not be written as {format}: {reason}")]
pub struct WriteError {
    format: &'static str,
    reason: String,
}

/// A document under way; what is ready is taken out bit by bit.
pub enum Writer {
    Ndjson(Vec<u8>),
    Csv(Box<csv::Writer<Vec<u8>>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::Table>),
}

impl Writer {
    pub fn new(format: Format) -> Result<Self, WriteError> {
        Ok(match format {
            Format::Ndjson => Self::Ndjson(Vec::new()),
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(Vec::new());
                csv.write_record(COLUMNS.map(|(name, _)| name)).map_err(fault("CSV"))?;
                Self::Csv(Box::new(csv))
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                Self::Parquet(Box::new(super::parquet::Table::new().map_err(fault("Parquet"))?))
            }
        })
    }

    pub fn write(&mut self, record: &Record) -> Result<(), WriteError> {
        let shape = RecordShape::from(record);
        match self {
            Self::Ndjson(out) => {
                serde_json::to_writer(&mut *out, &shape).map_err(fault("NDJSON"))?;
                out.push(b'\n');
                Ok(())
            }
            Self::Csv(csv) => {
                let cells = shape.cells();
                let cells = cells.iter().map(cell_text);
                csv.write_record(cells.map(|cell| defused(&cell).into_owned()))
                    .map_err(fault("CSV"))
            }
            #[cfg(feature = "parquet")]
            Self::Parquet(table) => table.push(&shape.cells()).map_err(fault("Parquet")),
        }
    }

    /// What is ready to leave.
    pub fn take(&mut self) -> Result<Vec<u8>, WriteError> {
        match self {
            Self::Ndjson(out) => Ok(std::mem::take(out)),
            Self::Csv(csv) => {
                csv.flush().map_err(fault("CSV"))?;
                let csv = std::mem::replace(&mut **csv, csv::Writer::from_writer(Vec::new()));
                csv.into_inner().map_err(fault("CSV"))
            }
            #[cfg(feature = "parquet")]
            Self::Parquet(table) => Ok(table.take()),
        }
    }

    /// The rest of the document.
    pub fn finish(mut self) -> Result<Vec<u8>, WriteError> {
        match &mut self {
            Self::Ndjson(_) | Self::Csv(_) => self.take(),
            #[cfg(feature = "parquet")]
            Self::Parquet(table) => table.finish().map_err(fault("Parquet")),
        }
    }
}

fn fault<E: std::fmt::Display>(format: &'static str) -> impl FnOnce(E) -> WriteError {
    move |error| WriteError { format, reason: error.to_string() }
}

fn cell_text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => text.as_deref().unwrap_or_default().to_owned(),
        Cell::Time(at) => at.map(|at| at.to_string()).unwrap_or_default(),
        Cell::Number(number) => number.map(|number| number.to_string()).unwrap_or_default(),
    }
}
