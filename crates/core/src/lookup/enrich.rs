//! Joins tables to an event.
//!
//! Panther's shape, which its rule helpers depend on: `p_enrichment.<table>.<selector>` is the row and `p_match`, the value that
//! was looked up; the selector's dotted path is one key; values in an array give an array of rows; only matches appear.
//!
//! Finding a selector's values in an event and adding the row for a value are apart, so that an engine with its own way through an
//! event can do the first and leave the second to [`Lookups::write_row`].

use std::sync::Arc;

use super::{
    Lookups,
    selector::{self, Selector, Step, Target},
    table::Table,
};
use crate::{
    indicator::Indicators,
    json::{self, Value},
};

/// A table as it is joined to the events of one log type.
#[derive(Debug)]
pub struct Join {
    pub(super) table: Arc<Table>,
    /// `"name":{`
    opening: Vec<u8>,
    selectors: Vec<Selector>,
    /// Whether what events taught stands in for rows that the table lacks.
    learns: bool,
}

impl Join {
    pub(super) fn new(name: &str, table: Arc<Table>, selectors: Vec<Selector>, learns: bool) -> Self {
        let mut opening = Vec::new();
        json::write_string(&mut opening, name);
        opening.extend_from_slice(b":{");
        Self { table, opening, selectors, learns }
    }

    /// How the table's part of `p_enrichment` begins: `"name":{`.
    #[must_use]
    pub fn opening(&self) -> &[u8] {
        &self.opening
    }

    /// The values that are looked up.
    #[must_use]
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }
}

impl Lookups {
    /// The tables that explain a log type, in the order in which they stand in a record.
    #[must_use]
    pub fn joins(&self, log_type: &str) -> &[Join] {
        self.set.by_log_type.get(log_type).map_or(&[], Vec::as_slice)
    }

    /// Appends `,"p_enrichment":{…}` if any table has a row for the event. `indicators`: what the event's walk collected, for
    /// selectors of `p_any_*` fields. `folded` is scratch space.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        log_type: &str,
        event: &Value<'_>,
        indicators: &mut Indicators<'_>,
        folded: &mut String,
    ) {
        self.write_each(out, log_type, |out, _, join, selector| match selector.target() {
            Target::Field(path) => self.write_field(out, join, event, path, folded),
            Target::Column(column) => self.write_rows(out, join, indicators.of(*column), folded),
        });
    }

    /// Appends `,"p_enrichment":{…}` if `rows` appends anything for any selector: it gets each with its join and its number among all
    /// selectors of [`Lookups::joins`], and says whether there was a row.
    pub(crate) fn write_each(
        &self,
        out: &mut Vec<u8>,
        log_type: &str,
        mut rows: impl FnMut(&mut Vec<u8>, usize, &Join, &Selector) -> bool,
    ) {
        let before = out.len();
        let mut number = 0;
        out.extend_from_slice(b",\"p_enrichment\":{");
        let empty = out.len();
        for join in self.joins(log_type) {
            let start = out.len();
            separate(out);
            out.extend_from_slice(&join.opening);
            let none = out.len();
            for selector in &join.selectors {
                let start = out.len();
                separate(out);
                out.extend_from_slice(selector.key());
                if !rows(out, number, join, selector) {
                    out.truncate(start);
                }
                number += 1;
            }
            if out.len() == none {
                out.truncate(start);
            } else {
                out.push(b'}');
            }
        }
        if out.len() == empty {
            out.truncate(before);
        } else {
            out.push(b'}');
        }
    }

    /// Appends the row for a value, `p_match` included; says whether there is one. `key` is the value's text, `written` the value as
    /// JSON. `folded` is scratch space.
    pub fn write_row(&self, out: &mut Vec<u8>, join: &Join, key: &str, written: &[u8], folded: &mut String) -> bool {
        self.write_match(out, join, key, |out| out.extend_from_slice(written), folded)
    }

    /// Appends an array of the rows for texts, such as those of a `p_any_*` field; says whether there is any. If there is none,
    /// what was appended is to be taken back.
    pub fn write_rows<'v>(
        &self,
        out: &mut Vec<u8>,
        join: &Join,
        values: impl IntoIterator<Item = &'v str>,
        folded: &mut String,
    ) -> bool {
        out.push(b'[');
        let none = out.len();
        for value in values {
            let start = out.len();
            if start > none {
                out.push(b',');
            }
            if !self.write_match(out, join, value, |out| json::write_string(out, value), folded) {
                out.truncate(start);
            }
        }
        let any = out.len() > none;
        out.push(b']');
        any
    }

    /// Appends the row for the value at `path`, or an array of rows if arrays lie on the way. Arrays inside arrays give one flat array.
    fn write_field(
        &self,
        out: &mut Vec<u8>,
        join: &Join,
        event: &Value<'_>,
        path: &[Step],
        folded: &mut String,
    ) -> bool {
        let several = selector::is_several(event, path);
        if several {
            out.push(b'[');
        }
        let none = out.len();
        selector::each_value(event, path, &mut |value| {
            let Some(key) = value.name() else { return };
            let start = out.len();
            if start > none {
                out.push(b',');
            }
            if !self.write_match(out, join, &key, |out| json::write_value(out, value), folded) {
                out.truncate(start);
            }
        });
        let any = out.len() > none;
        if several {
            out.push(b']');
        }
        any
    }

    fn write_match(
        &self,
        out: &mut Vec<u8>,
        join: &Join,
        key: &str,
        write_value: impl FnOnce(&mut Vec<u8>),
        folded: &mut String,
    ) -> bool {
        if let Some(row) = join.table.get(key, self.now, folded) {
            out.extend_from_slice(&row);
        } else if let Some(row) =
            self.learned.as_ref().filter(|_| join.learns).and_then(|learned| learned.get(key, folded))
        {
            out.extend_from_slice(row);
        } else {
            return false;
        }
        separate(out);
        out.extend_from_slice(b"\"p_match\":");
        write_value(out);
        out.push(b'}');
        true
    }
}

fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}
