//! A file of CloudTrail records, unpacked and read record by record.
//!
//! Pure. A file may be large and anybody may have written it, so that no more than one record is
//! in memory at once, and what it unpacks to has a bound.

use std::fmt;
use std::io::{BufReader, Read};

use flate2::read::MultiGzDecoder;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::event::{self, Event};

/// CloudTrail closes a file long before.
const MOST_UNPACKED: u64 = 512 * 1024 * 1024;

/// What a file holds for us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) events: Vec<Event>,
    /// Records of IAM that lack what such a record always has.
    pub(crate) unclear: usize,
}

/// Reads a file, packed or not.
pub(crate) fn read(file: &[u8]) -> Result<Told, &'static str> {
    read_bounded(file, MOST_UNPACKED)
}

fn read_bounded(file: &[u8], most: u64) -> Result<Told, &'static str> {
    let mut told = Told::default();
    let mut bounded: Box<dyn Read> = if file.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut bounded = bounded.as_mut().take(most);
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(&mut bounded));
    let read = json.deserialize_map(File(&mut told)).and_then(|()| json.end());
    match read {
        Ok(()) => Ok(told),
        Err(_) if bounded.limit() == 0 => Err("the file unpacks to more than is read"),
        Err(_) => Err("the file does not hold records"),
    }
}

/// `{"Records": […]}`
struct File<'t>(&'t mut Told);

impl<'de> Visitor<'de> for File<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `Records`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "Records" {
                found = true;
                map.next_value_seed(Records(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(serde::de::Error::missing_field("Records")) }
    }
}

struct Records<'t>(&'t mut Told);

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element::<Value>()? {
            match event::read(&record) {
                Ok(event) => self.0.events.extend(event),
                Err(_) => self.0.unclear += 1,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn records() -> String {
        let record = |name: &str, account: &str| {
            json!({
                "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
                "recipientAccountId": account, "readOnly": name.starts_with("List"),
                "requestParameters": {"userName": "svc"},
            })
        };
        let elsewhere = json!({"eventSource": "s3.amazonaws.com", "eventName": "PutObject",
            "requestParameters": {"userName": {"nested": [1, 2]}}});
        let records = [
            record("TagUser", "123456789012"),
            elsewhere,
            record("ListUsers", "123456789012"),
            record("DeleteUser", "not an account"),
            record("DeleteUser", "210987654321"),
        ];
        json!({"version": 1, "Records": records}).to_string()
    }

    #[test]
    fn events_of_iam_are_picked_out_packed_or_not() {
        for file in [packed(&records()), records().into_bytes()] {
            let told = read(&file).unwrap();
            let places: Vec<String> = told.events.iter().map(|e| e.place.to_string()).collect();
            assert_eq!(places, ["aws:123456789012", "aws:210987654321"]);
            assert_eq!(told.unclear, 1);
        }
    }

    #[test]
    fn a_file_is_read_to_its_end_or_not_at_all() {
        let whole = packed(&records());
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
        for file in ["{}", "[]", "{\"Records\": {}}", "{\"Records\": []} {}", "<html>"] {
            assert!(read(file.as_bytes()).is_err(), "{file}");
        }
    }

    #[test]
    fn a_file_that_unpacks_without_end_is_refused() {
        let bomb = packed(&format!("{{\"x\": \"{}\", \"Records\": []}}", " ".repeat(1 << 20)));
        assert!(bomb.len() < 10_000);
        assert_eq!(read_bounded(&bomb, 1 << 16), Err("the file unpacks to more than is read"));
        assert_eq!(read_bounded(&bomb, 1 << 21).unwrap(), Told::default());
    }
}
