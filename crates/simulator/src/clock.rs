//! The machine's clock, read in this one place, and clocks that run faster.

use std::sync::Arc;

use jiff::Timestamp;

use crate::world::Clock;

/// The time of day.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the simulator's only reading of the machine's clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A clock that shows the time of day when it is made and from then on runs so many times as fast. Injected waits keep real
/// time, because the clients that wait do.
#[must_use]
pub fn scaled(speed: f64) -> Clock {
    let origin = now();
    Arc::new(move || scale(origin, now(), speed))
}

fn scale(origin: Timestamp, now: Timestamp, speed: f64) -> Timestamp {
    let passed = now.duration_since(origin).mul_f64(speed);
    origin.saturating_add(passed).expect("a duration without calendar units always applies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_an_hour_at_sixty_times_the_speed() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let shown = scale(at("2026-10-01T00:00:00Z"), at("2026-10-01T00:01:00Z"), 60.0);
        assert_eq!(shown, at("2026-10-01T01:00:00Z"));
    }
}
