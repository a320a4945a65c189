//! Builds a table row by row, with a report of what was left out.
//!
//! A row is checked and written by the table's schema as an event is by its own, and costs itself only.

use ipnet::IpNet;
use latchkey_contracts::rejection::Problem;

use super::{
    MAX_ROW_FAULTS, Reason, RowFault, TableReport,
    columns::Columns,
    definition::Definition,
    table::{Exact, MAX_KEY_BYTES, MAX_ROW_BYTES, MAX_ROWS, Moment, Ranges, Table, parse_range},
};
use crate::{
    json::{self, Member, Value},
    normalize::{kind_of, text_of, write_row},
    schema::{Family, Kind, Schema, Validate},
};

/// What a definition and its schema say about rows.
pub(super) struct Plan<'d> {
    pub(super) keys: &'d [String],
    columns: Columns,
    /// Without the key's `validate.cidr`, for a key may be an address alone.
    schema: Schema,
    /// The addresses that the key's ranges may be of, if it holds ranges.
    ranges: Option<Family>,
    ignore_case: bool,
    /// Whether a row's key is the same before and after its schema has written it.
    plain_keys: bool,
}

impl<'d> Plan<'d> {
    pub(super) fn new(definition: &'d Definition, schema: &Schema) -> Self {
        let mut schema = schema.clone();
        let keys = definition.keys.as_slice();
        let ranges = keys.first().and_then(|key| take_ranges(&mut schema, key));
        let is_plain =
            |key: &String| schema.root.field(key).is_none_or(|field| matches!(field.kind, Kind::String { .. }));
        let plain_keys = !schema.rewrites && keys.iter().all(is_plain);
        let columns = Columns::new(&definition.omit, &definition.redact);
        Self { keys, columns, schema, ranges, ignore_case: definition.ignore_case, plain_keys }
    }

    /// Whether a column may come from another one.
    pub(super) fn renames(&self) -> bool {
        self.schema.rewrites
    }

    /// The first key column that has a value.
    fn key<'r, 'a>(&self, row: &'r Value<'a>) -> Option<(&'d str, &'r Value<'a>)> {
        let value = |key: &'d String| Some((key.as_str(), row.get(key)?));
        self.keys.iter().filter_map(value).find(|(_, value)| **value != Value::Null)
    }

    /// The end of a row's life.
    fn ends(&self, row: &Value<'_>) -> Moment {
        self.schema.expiration(row).map_or(Moment::NEVER, Moment::of)
    }
}

/// Takes the key's condition out of a schema, if it is one of ranges.
fn take_ranges(schema: &mut Schema, key: &str) -> Option<Family> {
    let field = schema.root.fields.iter_mut().find(|field| field.name == key)?;
    let mut kind = &mut field.kind;
    while let Kind::Array(inner) | Kind::Embedded(inner) = kind {
        kind = inner;
    }
    let Kind::String { validate, .. } = kind else { return None };
    let family = validate.iter().find_map(|condition| match condition {
        Validate::Cidr(family) => Some(*family),
        _ => None,
    });
    validate.retain(|condition| !matches!(condition, Validate::Cidr(_)));
    family
}

/// A text that a row is found by, and the range that it means in a table of ranges.
type Key = (String, Option<IpNet>);

/// A table that is being filled.
pub(super) struct Builder<'d> {
    plan: Plan<'d>,
    table: Filling,
    report: TableReport,
    /// The row in hand as its schema writes it.
    written: Vec<u8>,
    /// The same without the columns that nobody is to see.
    shown: Vec<u8>,
}

enum Filling {
    Exact(Exact),
    Ranges(Box<Ranges>),
}

impl<'d> Builder<'d> {
    pub(super) fn new(plan: Plan<'d>) -> Self {
        let table = match plan.ranges {
            Some(_) => Filling::Ranges(Box::default()),
            None => Filling::Exact(Exact::new(plan.ignore_case)),
        };
        Self { plan, table, report: TableReport::default(), written: Vec::new(), shown: Vec::new() }
    }

    /// Adds a row, or notes what is wrong with it. Of rows with equal keys the last counts.
    pub(super) fn row(&mut self, line: u64, row: &Value<'_>) -> Result<(), Reason> {
        let Value::Object(members) = row else {
            self.refuse(line, vec![problem("$".into(), "type", "object", kind_of(row))]);
            return Ok(());
        };
        let mut written = std::mem::take(&mut self.written);
        written.clear();
        let added = match write_row(&mut written, &self.plan.schema, members) {
            Ok(()) => self.written(line, row, members, &written),
            Err(mut problems) => {
                let key = self.keys(row).err().filter(|key| problems.iter().all(|problem| problem.path != key.path));
                problems.extend(key);
                self.refuse(line, problems);
                Ok(())
            }
        };
        self.written = written;
        added
    }

    /// Adds a row that is as its schema says.
    fn written(&mut self, line: u64, row: &Value<'_>, members: &[Member<'_>], written: &[u8]) -> Result<(), Reason> {
        let has_text_for_key = matches!(self.plan.key(row), Some((_, Value::String(_) | Value::Number(_))));
        if self.plan.plain_keys && has_text_for_key && !self.plan.columns.concern(members) {
            return self.add(line, row, &written[..written.len() - 1]);
        }
        let text = str::from_utf8(written).expect("what is written from texts is a text");
        let row =
            json::parse_within(text, 2 * json::MAX_DEPTH).expect("what is written is JSON, at most twice as deep");
        let mut shown = std::mem::take(&mut self.shown);
        shown.clear();
        shown.push(b'{');
        if let Value::Object(members) = &row {
            self.plan.columns.write(&mut shown, members);
        }
        let added = self.add(line, &row, &shown);
        self.shown = shown;
        added
    }

    /// `shown`: what a match shows of the row, without the closing brace.
    fn add(&mut self, line: u64, row: &Value<'_>, shown: &[u8]) -> Result<(), Reason> {
        let keys = match self.keys(row) {
            Ok(found) => found,
            Err(problem) => {
                self.refuse(line, vec![problem]);
                return Ok(());
            }
        };
        if shown.len() > MAX_ROW_BYTES {
            let expected = format!("a row of at most {MAX_ROW_BYTES} bytes");
            self.refuse(line, vec![problem("$".into(), "length", expected, format!("{} bytes", shown.len()))]);
            return Ok(());
        }
        let ends = self.plan.ends(row);
        for (key, range) in keys {
            let added = match &mut self.table {
                Filling::Exact(table) => table.add(&key, shown, ends),
                Filling::Ranges(table) => table.add(range.expect("keys of a table of ranges are ranges"), shown, ends),
            };
            self.report.repeated += usize::from(added.ok_or(Reason::TooMuchText)?);
        }
        if self.rows() > MAX_ROWS { Err(Reason::TooManyRows) } else { Ok(()) }
    }

    /// What a row is found by, each once: the texts of its key, and the ranges that they mean in a table of ranges.
    fn keys(&self, row: &Value<'_>) -> Result<Vec<Key>, Problem> {
        let none = |column: &str, found| {
            problem(format!("$.{column}"), "key", format!("a value in {}", self.plan.keys.join(" or ")), found)
        };
        let first = self.plan.keys.first().map_or("", String::as_str);
        let (column, value) = self.plan.key(row).ok_or_else(|| none(first, "nothing".into()))?;
        let values = match value {
            Value::Array(elements) => elements.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut keys = Vec::with_capacity(values.len());
        for value in values.iter().filter(|value| **value != Value::Null) {
            let text = value.name().filter(|text| !text.is_empty()).ok_or_else(|| none(column, kind_of(value)))?;
            let text = if self.plan.ignore_case { text.to_ascii_lowercase().into() } else { text };
            keys.push(self.read_key(column, &text)?);
        }
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() { Err(none(column, kind_of(value))) } else { Ok(keys) }
    }

    fn read_key(&self, column: &str, text: &str) -> Result<Key, Problem> {
        if text.len() > MAX_KEY_BYTES {
            let expected = format!("a key of at most {MAX_KEY_BYTES} bytes");
            return Err(problem(format!("$.{column}"), "length", expected, text_of(text)));
        }
        let Some(family) = self.plan.ranges else { return Ok((text.to_owned(), None)) };
        let range = parse_range(text).filter(|range| family.has(range.addr()));
        let expected = || Validate::Cidr(family).expected();
        let range = range.ok_or_else(|| problem(format!("$.{column}"), "cidr", expected(), text_of(text)))?;
        Ok((text.to_owned(), Some(range)))
    }

    /// Notes a row that cannot be used.
    pub(super) fn refuse(&mut self, line: u64, problems: Vec<Problem>) {
        self.report.bad += 1;
        let room = MAX_ROW_FAULTS - self.report.faults.len();
        self.report.faults.extend(problems.into_iter().take(room).map(|problem| RowFault { line, problem }));
    }

    /// A file with nothing but bad rows is no table: it must not replace a good one.
    pub(super) fn finish(mut self) -> Result<(Table, TableReport), Reason> {
        self.report.rows = self.rows();
        if self.report.rows == 0 && self.report.bad > 0 {
            return Err(Reason::AllBad(self.report.faults));
        }
        let table = match self.table {
            Filling::Exact(mut table) => {
                table.shrink();
                Table::Exact(table)
            }
            Filling::Ranges(mut table) => {
                table.shrink();
                Table::Ranges(table)
            }
        };
        Ok((table, self.report))
    }

    fn rows(&self) -> usize {
        match &self.table {
            Filling::Exact(table) => table.rows(),
            Filling::Ranges(table) => table.rows(),
        }
    }
}

pub(super) fn problem(path: String, rule: &str, expected: impl Into<String>, found: String) -> Problem {
    Problem { path, rule: rule.into(), expected: expected.into(), found }
}
