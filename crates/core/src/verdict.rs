//! What is judged of a chain: whether it is polled, and whether its silence is one.
//!
//! Pure functions of what the chain's last checkpoint says, of the time, and of a policy. Two questions that must not mix: a chain
//! that nobody polls, or that is refused, says nothing about its source, so it is reported as that and never as a drop-off. And a
//! source that is silent is silent by the time of its last arrival: event times lie, since clients deliver late.

pub mod adaptive;
pub mod calendar;
mod drop_off;
pub mod lag;
pub mod looks;
pub mod outage;
mod policy;
mod poll;
pub mod rejections;
pub mod risk;
pub mod room;
#[cfg(test)]
pub(crate) mod samples;
mod window;

use jiff::Timestamp;

pub use self::{
    adaptive::Habit,
    calendar::{BusinessHours, Calendar, Maintenance},
    drop_off::{DropOff, drop_off, source_drop_off},
    policy::{InvalidSilence, Policy, Silence},
    poll::{Poll, Refusal, Watch, poll},
    window::{ChainWindow, Outcome, UnknownOutcome},
};

/// Everything judged of one chain at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it is polled.
    pub poll: Poll,
    /// Whether its source has fallen silent.
    pub drop_off: DropOff,
}

/// Judges a chain, having watched it so and learned its habits, if the policy wants any.
#[must_use]
pub fn judge(window: &ChainWindow, habit: Option<&Habit>, watch: Watch, now: Timestamp, policy: &Policy) -> Judgement {
    let poll = poll(window, watch, now);
    let drop_off = drop_off(window, habit, &poll, now, policy);
    Judgement { poll, drop_off }
}
