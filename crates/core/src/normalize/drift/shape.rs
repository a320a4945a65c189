//! The types that the values of one field have had.
//!
//! A set, so that what a page saw and what a week saw join into what fits all of it.

use std::ops::{BitOr, BitOrAssign};

use crate::{json::Value, timestamp};

/// A set of types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shapes(u16);

impl Shapes {
    const NULL: Self = Self(1);
    const BOOLEAN: Self = Self(1 << 1);
    const INTEGER: Self = Self(1 << 2);
    const FLOAT: Self = Self(1 << 3);
    /// A number that no double comes near, such as `1e999`.
    const HUGE: Self = Self(1 << 4);
    const TIMESTAMP: Self = Self(1 << 5);
    const TEXT: Self = Self(1 << 6);
    const ARRAY: Self = Self(1 << 7);
    const OBJECT: Self = Self(1 << 8);

    /// The type of one value.
    #[must_use]
    pub fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(literal) if literal.parse::<i64>().is_ok() => Self::INTEGER,
            Value::Number(literal) if literal.parse::<f64>().is_ok_and(f64::is_finite) => Self::FLOAT,
            Value::Number(_) => Self::HUGE,
            Value::String(text) if timestamp::parse_rfc3339(text.raw()).is_some() => Self::TIMESTAMP,
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// The type for schemas that takes all of these values and changes none of them but in form: whatever is not of one kind is `json`.
    #[must_use]
    pub fn schema_type(self) -> &'static str {
        match Self(self.0 & !Self::NULL.0) {
            Self::BOOLEAN => "boolean",
            Self::INTEGER => "bigint",
            Self::TIMESTAMP => "timestamp",
            shapes if shapes.0 != 0 && shapes.within(Self::INTEGER | Self::FLOAT) => "float",
            shapes if shapes.0 != 0 && shapes.within(Self::TIMESTAMP | Self::TEXT) => "string",
            _ => "json",
        }
    }

    fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }
}

impl BitOr for Shapes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Shapes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
