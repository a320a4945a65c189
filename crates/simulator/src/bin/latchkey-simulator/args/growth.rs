//! Arguments of feeds that grow while the simulator runs, and of the clock they grow by.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use latchkey_simulator::{Clock, Live, clock};

const HEADING: &str = "Live feeds";

/// Fastest clock: a day in less than a second.
const MAX_SPEED: f64 = 100_000.0;

#[derive(Debug, Args)]
pub(super) struct Growth {
    /// Events that go on to arrive on each feed, in a minute.
    #[arg(long, value_name = "PER_MINUTE", help_heading = HEADING)]
    live: Option<f64>,

    /// Share of live events that arrive late (0 to 1); the others arrive within half a minute.
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, help_heading = HEADING)]
    late_share: f64,

    /// Shortest lateness of those.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = duration, help_heading = HEADING)]
    late_from: Duration,

    /// Longest lateness of those.
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = duration, help_heading = HEADING)]
    late_to: Duration,

    /// Let the simulator's clock run so many times as fast: 60 makes an hour of a minute.
    #[arg(long, value_name = "X", default_value_t = 1.0, help_heading = HEADING)]
    speed: f64,
}

impl Growth {
    /// What arrives on each feed, if feeds grow.
    pub(super) fn live(&self) -> Option<Live> {
        let Self { late_share, late_from, late_to, .. } = *self;
        self.live.map(|per_minute| Live { per_minute, late_share, late_from, late_to })
    }

    /// The clock to serve by.
    pub(super) fn clock(&self) -> anyhow::Result<Clock> {
        anyhow::ensure!(self.speed > 0.0 && self.speed <= MAX_SPEED, "--speed must be above 0 and at most 100,000");
        Ok(clock::scaled(self.speed))
    }
}

/// A span of time as people write it; a day is 24 hours.
fn duration(text: &str) -> anyhow::Result<Duration> {
    let span = match text.strip_suffix('d').map(str::parse::<i64>) {
        Some(Ok(days)) => SignedDuration::from_hours(days.saturating_mul(24)),
        _ => text.parse().context("not a time such as 90s, 2h 30m or 3d")?,
    };
    Duration::try_from(span).context("a time cannot be negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let check = |text: &str, seconds: u64| assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds));
        check("90s", 90);
        check("2h 30m", 9000);
        check("3d", 259_200);
        assert!(duration("soon").is_err() && duration("-1h").is_err());
    }
}
