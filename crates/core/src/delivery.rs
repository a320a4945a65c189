//! How a sink delivers each event exactly once: planned, written, committed.
//!
//! A [`Progress`] says how far a sink is. What is read next fills a [`Load`]; its range is published as a [`Plan`] before the
//! first object is written, and the objects' names and content depend on nothing but the plan and the stream. So whoever finds an
//! open plan (this process after a crash, or another one beside it) writes the same objects again, and the commit
//! moves all of them into the past at once. The reasons are in docs/adr/0002.

mod load;
mod object;
mod pages;
mod progress;
#[cfg(test)]
mod tests;

pub use load::{Arrival, Counts, Load, MAX_MESSAGES, MAX_OBJECTS, Manifest};
pub use object::{Compression, Object, UnknownCompression, epoch};
pub use pages::{InvalidPages, MAX_INTERVALS, MAX_PARTS, PageSet};
pub use progress::{Error, Plan, Planned, Progress, Resumed, State, Stream};
