//! Whether everything that 1Password has is delivered.
//!
//! The parts are asked in the direction of the flow: chains, then the normalizers' backlog, then the sink. What one part has passed
//! on is counted by the next, so nothing can hide between two answers.

use jiff::Timestamp;
use latchkey_bus::{Bus, Error};
use latchkey_contracts::{
    Chain,
    checkpoint::{Checkpoint, outcome::Kind},
    topology::{EVENTS, NORMALIZER},
};
use latchkey_core::instant;

/// Refusals in a row after which a chain is not waited for any longer.
const PATIENCE: u32 = 5;

/// Refusals that no waiting heals.
const HOPELESS: [&str; 4] = ["unauthorized", "forbidden", "not_found", "page_too_large"];

/// How far the line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Something is under way.
    Working,
    /// Every feed was polled to its end and everything is delivered.
    Delivered,
    /// As above, except for chains that 1Password refuses; each with the reason.
    Refused(Vec<(Chain, String)>),
}

/// Looks at the whole line. `since`: only polls after it count. `committed`: the sink's progress in EVENTS, asked last.
pub(crate) async fn standing(
    bus: &Bus,
    chains: &[Chain],
    since: Timestamp,
    committed: impl FnOnce() -> u64,
) -> Result<Standing, Error> {
    let mut refused = Vec::new();
    for chain in chains {
        let Some(checkpoint) = bus.last_checkpoint(chain).await? else { return Ok(Standing::Working) };
        match judge(&checkpoint.message, since) {
            Poll::AtEnd => {}
            Poll::Working => return Ok(Standing::Working),
            Poll::Refused(why) => refused.push((chain.clone(), why)),
        }
    }
    if bus.consumer_state(&NORMALIZER).await?.unread() > 0 {
        return Ok(Standing::Working);
    }
    let events = bus.stream_state(&EVENTS).await?;
    if committed() < events.last {
        return Ok(Standing::Working);
    }
    Ok(if refused.is_empty() { Standing::Delivered } else { Standing::Refused(refused) })
}

#[derive(Debug, PartialEq, Eq)]
enum Poll {
    Working,
    AtEnd,
    Refused(String),
}

fn judge(checkpoint: &Checkpoint, since: Timestamp) -> Poll {
    if instant::from_unix_nano(checkpoint.polled_at_unix_nano) < since {
        return Poll::Working;
    }
    let Some(outcome) = &checkpoint.outcome else { return Poll::Working };
    match outcome.kind() {
        // Of a feed that is off nothing is to be waited for.
        Kind::Quiet | Kind::Active | Kind::Off => Poll::AtEnd,
        Kind::Refused if HOPELESS.contains(&outcome.reason.as_str()) || checkpoint.consecutive_failures >= PATIENCE => {
            Poll::Refused(format!("{}: {}", outcome.reason, outcome.detail))
        }
        Kind::Refused | Kind::Behind | Kind::Unspecified => Poll::Working,
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::checkpoint::Outcome;

    use super::*;

    #[test]
    fn only_polls_since_the_start_count_and_refusals_need_patience() {
        let check = |polled_at: i64, kind: Kind, reason: &str, failures: u32, expect: Poll| {
            let checkpoint = Checkpoint {
                polled_at_unix_nano: polled_at,
                consecutive_failures: failures,
                outcome: Some(Outcome {
                    kind: kind.into(),
                    reason: reason.into(),
                    http_status: 0,
                    detail: "why".into(),
                }),
                ..Checkpoint::default()
            };
            assert_eq!(judge(&checkpoint, instant::from_unix_nano(10)), expect);
        };
        check(9, Kind::Quiet, "", 0, Poll::Working);
        check(10, Kind::Quiet, "", 0, Poll::AtEnd);
        check(11, Kind::Active, "", 0, Poll::AtEnd);
        check(11, Kind::Behind, "", 0, Poll::Working);
        check(11, Kind::Refused, "timeout", 1, Poll::Working);
        check(11, Kind::Refused, "timeout", 5, Poll::Refused("timeout: why".into()));
        check(11, Kind::Refused, "unauthorized", 1, Poll::Refused("unauthorized: why".into()));
        check(9, Kind::Refused, "unauthorized", 9, Poll::Working);
    }
}
