//! One event outside of a page: for trying schemas on events at hand, of any log type.

use bumpalo::Bump;
use jiff::Timestamp;

use super::{Frame, Normalized, Options, Pass, Walk, refused};
use crate::{json, lookup::Lookups, schema::Schemas};

/// Normalizes one event. `event`: its JSON, and nothing behind it. `source` stands for the source's label too.
#[must_use]
pub fn normalize_event(
    source: &str,
    log_type: &str,
    event: &[u8],
    schemas: &Schemas,
    lookups: &Lookups,
    options: Options,
    now: Timestamp,
) -> Normalized {
    let Some(schema) = schemas.get(log_type) else {
        return refused(event, "schema", log_type, "no such schema".into());
    };
    let frame = Frame::new(source, source, log_type, now);
    let texts = Bump::new();
    let mut pass = Pass {
        text: None,
        duplicates: &[],
        root: &schema.root,
        walk: Walk::new(frame, schema, lookups, options, event.len(), &texts),
        normalized: Normalized::default(),
    };
    pass.item(event, json::parse(event));
    pass.finish()
}
