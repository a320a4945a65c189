//! A MaxMind database: what an operator's own file of places or networks says about an address.
//!
//! Its records are read when they are asked for, since a database of countries has millions of ranges. The format is MaxMind's DB
//! format 2.0, <https://maxmind.github.io/MaxMind-DB/>.

use maxminddb::Reader;

use super::MAX_ROW_BYTES;
use crate::{
    json::{self, Value},
    lookup::columns::Columns,
};

/// A MaxMind database with the columns that its records are to show.
pub(in crate::lookup) struct Addresses {
    reader: Reader<Box<[u8]>>,
    columns: Columns,
}

impl Addresses {
    /// Opens a database; `None` if the bytes are none.
    pub(in crate::lookup) fn new(bytes: &[u8], columns: Columns) -> Option<Self> {
        let reader = Reader::from_source(Box::from(bytes)).ok()?;
        Some(Self { reader, columns })
    }

    /// A record that cannot be read, or is longer than a row may be, is none.
    pub(in crate::lookup) fn get(&self, address: &str) -> Option<Vec<u8>> {
        let found = self.reader.lookup(address.parse().ok()?).ok()?;
        let record = found.decode::<serde_json::Value>().ok()??;
        let text = record.to_string();
        let mut row = b"{".to_vec();
        match json::parse(text.as_bytes()).ok()? {
            Value::Object(members) => self.columns.write(&mut row, &members),
            value => {
                row.extend_from_slice(b"\"value\":");
                json::write_value(&mut row, &value);
            }
        }
        (row.len() <= MAX_ROW_BYTES).then_some(row)
    }

    pub(in crate::lookup) fn nodes(&self) -> usize {
        usize::try_from(self.reader.metadata().node_count).unwrap_or(usize::MAX)
    }
}
