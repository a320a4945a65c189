//! Joins tables to an event.
//!
//! Panther's shape, which its rule helpers depend on: `p_enrichment.<table>.<selector>` is the row and `p_match`, the value that
//! was looked up; the selector's dotted path is one key; values in an array give an array of rows; only matches appear.

use super::{Lookups, definition::Definition, table::Table};
use crate::json::{self, Value};

/// A table with its selectors ready for use.
#[derive(Debug)]
pub(super) struct Join {
    table: Table,
    /// `"name":{`
    opening: Vec<u8>,
    by_log_type: Vec<(&'static str, Vec<Selector>)>,
}

#[derive(Debug)]
struct Selector {
    path: Vec<&'static str>,
    /// `"dotted.path":`
    key: Vec<u8>,
}

/// A selector with its table.
#[derive(Clone, Copy)]
pub(crate) struct Selected<'l> {
    table: &'l Table,
    /// The names that lead to the value.
    pub(crate) path: &'l [&'static str],
}

impl Join {
    pub(super) fn new(definition: &Definition, table: Table) -> Self {
        let mut opening = Vec::new();
        json::write_string(&mut opening, definition.name);
        opening.extend_from_slice(b":{");
        let selectors = |dotted: &&'static str| {
            let mut key = Vec::new();
            json::write_string(&mut key, dotted);
            key.push(b':');
            Selector { path: dotted.split('.').collect(), key }
        };
        let by_log_type =
            definition.selectors.iter().map(|(log_type, list)| (*log_type, list.iter().map(selectors).collect()));
        Self { table, opening, by_log_type: by_log_type.collect() }
    }

    fn selectors(&self, log_type: &str) -> &[Selector] {
        self.by_log_type.iter().find(|(name, _)| *name == log_type).map_or(&[], |(_, selectors)| selectors)
    }
}

impl Lookups {
    /// Appends `,"p_enrichment":{…}` if any table has a row for the event. `folded` is scratch space.
    pub fn write(&self, out: &mut Vec<u8>, log_type: &str, event: &Value<'_>, folded: &mut String) {
        self.write_rows(out, log_type, |out, _, selector| {
            write_matches(out, selector.table, event, selector.path, folded)
        });
    }

    /// The selectors of a log type, in the order in which [`Lookups::write_rows`] asks for their rows.
    pub(crate) fn selectors(&self, log_type: &str) -> impl Iterator<Item = Selected<'_>> {
        self.joins.iter().flat_map(move |join| {
            join.selectors(log_type).iter().map(|selector| Selected { table: &join.table, path: &selector.path })
        })
    }

    /// Appends `,"p_enrichment":{…}` if `row` appends anything for any selector: it gets each with its number and says whether there
    /// was a row.
    pub(crate) fn write_rows(
        &self,
        out: &mut Vec<u8>,
        log_type: &str,
        mut row: impl FnMut(&mut Vec<u8>, usize, Selected<'_>) -> bool,
    ) {
        let before = out.len();
        let mut number = 0;
        out.extend_from_slice(b",\"p_enrichment\":{");
        let empty = out.len();
        for join in &self.joins {
            let start = out.len();
            separate(out);
            out.extend_from_slice(&join.opening);
            let none = out.len();
            for selector in join.selectors(log_type) {
                let start = out.len();
                separate(out);
                out.extend_from_slice(&selector.key);
                if !row(out, number, Selected { table: &join.table, path: &selector.path }) {
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
}

impl Selected<'_> {
    /// Appends the row of a value, with the value as `p_match`; says whether there is one.
    pub(crate) fn write_row(self, out: &mut Vec<u8>, value: &Value<'_>, folded: &mut String) -> bool {
        write_row(out, self.table, value, folded)
    }
}

/// Appends the row for the value at `path`, or an array of rows if arrays lie on the way; says whether there was any.
fn write_matches(out: &mut Vec<u8>, table: &Table, value: &Value<'_>, path: &[&str], folded: &mut String) -> bool {
    match (value, path) {
        (Value::Array(elements), _) => {
            out.push(b'[');
            let none = out.len();
            write_elements(out, table, elements, path, folded);
            let any = out.len() > none;
            out.push(b']');
            any
        }
        (_, [key, rest @ ..]) => value.get(key).is_some_and(|inner| write_matches(out, table, inner, rest, folded)),
        (_, []) => write_row(out, table, value, folded),
    }
}

/// Arrays inside arrays give one flat array.
fn write_elements(out: &mut Vec<u8>, table: &Table, elements: &[Value<'_>], path: &[&str], folded: &mut String) {
    for element in elements {
        if let Value::Array(inner) = element {
            write_elements(out, table, inner, path, folded);
            continue;
        }
        let start = out.len();
        if out.last() != Some(&b'[') {
            out.push(b',');
        }
        if !write_matches(out, table, element, path, folded) {
            out.truncate(start);
        }
    }
}

fn write_row(out: &mut Vec<u8>, table: &Table, value: &Value<'_>, folded: &mut String) -> bool {
    let Some(row) = value.name().and_then(|key| table.get(&key, folded)) else { return false };
    out.extend_from_slice(row);
    separate(out);
    out.extend_from_slice(b"\"p_match\":");
    json::write_value(out, value);
    out.push(b'}');
    true
}

fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}
