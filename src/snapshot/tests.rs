//! The documents: every format holds every record, and none of them anything that runs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use super::record::{COLUMNS, RecordShape};
use super::write::{Format, Writer};
use crate::store::contract::{moment, record};

#[test]
fn cells_stand_under_columns_of_their_type() {
    let shape = RecordShape::from(&record("1", "deploy", moment(0)));
    for ((name, expected), cell) in COLUMNS.iter().zip(shape.cells()) {
        assert_eq!(cell.column_type(), *expected, "{name}");
    }
}

fn written(format: Format, names: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new(format).unwrap();
    let mut out = Vec::new();
    for name in names {
        writer.write(&record(name, name, moment(0))).unwrap();
        out.extend(writer.take().unwrap());
    }
    out.extend(writer.finish().unwrap());
    out
}

#[test]
fn csv_has_one_header_and_no_formula() {
    let names = ["=HYPERLINK(\"http://192.0.2.1\")", "+1", "-1", "@SUM(A1)", "plain"];
    let text = String::from_utf8(written(Format::Csv, &names)).unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(rows.headers().unwrap().len(), COLUMNS.len());
    let read: Vec<String> =
        rows.records().map(|row| row.unwrap().get(3).unwrap().to_owned()).collect();
    let expected = ["'=HYPERLINK(\"http://192.0.2.1\")", "'+1", "'-1", "'@SUM(A1)", "plain"];
    assert_eq!(read, expected);
    let empty = String::from_utf8(written(Format::Csv, &[])).unwrap();
    assert_eq!(empty.lines().count(), 1, "an empty inventory has its header");
}

#[test]
fn ndjson_has_a_line_for_each_record() {
    let text = String::from_utf8(written(Format::Ndjson, &["a", "b\nc"])).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|l| l["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["a", "b\nc"]
    );
    assert_eq!(lines[0]["usage"]["state"], "last_used");
    assert_eq!(lines[0]["owner"]["ref"], "team-a");
}

/// Read back by the crate that wrote it; `tests/it/duckdb.rs` asks somebody else.
#[cfg(feature = "parquet")]
#[test]
fn parquet_is_whole_over_several_row_groups() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    let mut writer = Writer::new(Format::Parquet).unwrap();
    let mut bytes = Vec::new();
    let count = 10_003;
    let mut last = record("1", "", moment(0));
    last.owner = None;
    for number in 0..count {
        last.observation.name = format!("n{number}");
        writer.write(&last).unwrap();
        bytes.extend(writer.take().unwrap());
    }
    bytes.extend(writer.finish().unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), count);
    let text = rows[count - 1].to_string();
    assert!(text.contains("name: \"n10002\"") && text.contains("owner: null"), "{text}");
    assert!(text.contains("usage_at: 2026-02-28"), "{text}");
}
