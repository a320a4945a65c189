//! Until when a row of a lookup table counts: the field with `isExpiration`.

use jiff::Timestamp;

use super::{Kind, Schema, format};
use crate::json::Value;

impl Schema {
    /// When a row expires; `None` if it does not, or not in a form that the schema declares.
    #[must_use]
    pub fn expiration(&self, row: &Value<'_>) -> Option<Timestamp> {
        self.root.fields.iter().find_map(|field| match &field.kind {
            Kind::Timestamp { formats, expiration: true, .. } => {
                let instant = format::read(row.get(&field.name)?, formats)?;
                Some(instant.to_timestamp().unwrap_or(Timestamp::MAX))
            }
            _ => None,
        })
    }
}
