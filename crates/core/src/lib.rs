//! Every decision, pure: values and the time in, values out.
//!
//! There is no clock, socket, environment variable or global random number in here, and the manifest has nothing that could reach
//! one. Services perform what this crate decides.

pub mod alert;
pub mod audit;
pub mod backoff;
pub mod body;
pub mod budget;
pub mod clock_skew;
pub mod cursor;
pub mod delivery;
pub mod duplicates;
pub mod event_time;
pub mod feed;
pub mod indicator;
pub mod infer;
pub mod instant;
pub mod json;
pub mod look_back;
pub mod lookup;
pub mod normalize;
pub mod number;
pub mod page;
pub mod page_id;
pub mod page_token;
pub mod polling;
pub mod row_id;
pub mod schema;
mod special;
pub mod timestamp;
pub mod verdict;
