//! The standard fields of a record, as far as they are the same for a whole page.
//!
//! `p_event_time` and `p_parse_time` have the form of Panther's tables; `p_parse_time` is when the page was normalized. A page that
//! is normalized twice is published under the same message id, so only the first time counts.

use std::ops::Range;

use jiff::Timestamp;

use crate::{
    json,
    row_id::{RowId, RowIds},
    timestamp,
};

/// What Panther puts into `p_schema_version`; no schema has another version.
const SCHEMA_VERSION: &[u8] = b"0";

/// A page's part of every record.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    pub(super) row_ids: RowIds,
    pub(super) log_type: &'a str,
    pub(super) now: Timestamp,
    /// `"p_log_type":"…","p_row_id":"`
    head: Vec<u8>,
    /// `","p_parse_time":"…","p_schema_version":0,"p_source_id":"…","p_source_label":"…"`
    tail: Vec<u8>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(source: &'a str, source_label: &str, log_type: &'a str, now: Timestamp) -> Self {
        let mut head = b"\"p_log_type\":".to_vec();
        json::write_string(&mut head, log_type);
        head.extend_from_slice(b",\"p_row_id\":\"");
        let mut tail = b"\",\"p_parse_time\":\"".to_vec();
        timestamp::write_panther(&mut tail, now);
        tail.extend_from_slice(b"\",\"p_schema_version\":");
        tail.extend_from_slice(SCHEMA_VERSION);
        tail.extend_from_slice(b",\"p_source_id\":");
        json::write_string(&mut tail, source);
        tail.extend_from_slice(b",\"p_source_label\":");
        json::write_string(&mut tail, source_label);
        Self { row_ids: RowIds::new(source, log_type), log_type, now, head, tail }
    }

    /// Appends the standard fields up to `p_source_label`; where the row id stands.
    pub(super) fn write(&self, out: &mut Vec<u8>, row_id: &RowId, event_time: Timestamp) -> Range<usize> {
        out.extend_from_slice(&self.head);
        let start = out.len();
        out.extend_from_slice(row_id.as_str().as_bytes());
        let place = start..out.len();
        out.extend_from_slice(b"\",\"p_event_time\":\"");
        timestamp::write_panther(out, event_time);
        out.extend_from_slice(&self.tail);
        place
    }
}
