//! A row of a lookup table, checked and written by its schema as an event is.
//!
//! The same walk, so a type means the same in a table as in a log. What belongs to events alone is left out: standard fields, a row
//! id, drift. Columns that the schema does not declare are kept.

use bumpalo::Bump;
use latchkey_contracts::rejection::Problem;

use super::{Options, event::Walk, record::Frame};
use crate::{json::Member, lookup::Lookups, schema::Schema};

/// Puts the row into `out`, an empty buffer, as one object; or answers with everything that is wrong with it.
pub(crate) fn write_row(out: &mut Vec<u8>, schema: &Schema, members: &[Member<'_>]) -> Result<(), Vec<Problem>> {
    let (texts, none) = (Bump::new(), Lookups::default());
    let mut walk = Walk::new(Frame::default(), schema, &none, Options::default(), std::mem::take(out), &texts);
    let written = walk.row(members);
    *out = walk.out;
    written
}
