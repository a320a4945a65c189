//! The one clock of the workspace's edge.
//!
//! Pure code takes `now` as an argument; whoever stands at the edge asks here. One function makes every reading of the
//! wall clock findable, and lets the linter ban all others.

/// The wall clock's time.
///
/// It may step backwards (the machine's clock is set): never measure a duration with two of these, use
/// [`std::time::Instant`].
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place the ban points to")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
