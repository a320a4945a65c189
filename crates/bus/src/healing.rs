//! The pause between two attempts to go on reading after a disturbance.

use std::time::Duration;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(100);

/// No pause is longer: a restarted server is noticed within this time.
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles with each failure, vanishes with the first success.
#[derive(Debug, Default)]
pub(crate) struct Pause(Duration);

impl Pause {
    pub(crate) async fn wait(&self) {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
    }

    pub(crate) fn lengthen(&mut self) {
        self.0 = (self.0 * 2).clamp(SHORTEST, LONGEST);
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Duration::ZERO;
    }
}
