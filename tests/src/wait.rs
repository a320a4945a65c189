//! Waiting for a condition, bounded.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` has an answer.
///
/// # Panics
/// If there is none within `limit`; the message is `what`.
pub async fn until<T>(what: &str, limit: Duration, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(limit, look).await.unwrap_or_else(|| panic!("{what}: not within {limit:?}"))
}

/// Waits until `look` has an answer, or until the end of `limit`.
pub(crate) async fn within<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let answer = look().await;
        if answer.is_some() || begun.elapsed() > limit {
            return answer;
        }
        tokio::time::sleep(LOOK).await;
    }
}
