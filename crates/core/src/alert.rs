//! Alerts: what is wrong, told once, until it is right again.
//!
//! An alert is a state per [`Kind`] and what it is about, and its history is a list of transitions of which the last one counts. Each
//! module here makes findings of verdicts for some kinds ([`chain`], [`mod@line`], [`reader`], …); [`lifecycle`] turns a finding and the last
//! transition into the next one, the same for all kinds; the
//! [`board`] holds what both need. [`files`] has a lifecycle of its own, because those who find and those who
//! repair are many. [`silence`] keeps people from being told.

pub mod board;
pub mod chain;
pub mod completeness;
pub mod destination;
pub mod drift;
pub mod files;
pub mod given_up;
mod kind;
pub mod lifecycle;
pub mod line;
mod next_step;
pub mod reader;
pub mod silence;
mod wording;

use latchkey_contracts::alert::Alert;

pub use self::{
    kind::{Kind, severity_word},
    lifecycle::{Alarm, Circumstances, Finding, is_raised},
    next_step::of_refusal as next_step_of_refusal,
};

/// Whether people are to be told of this transition.
#[must_use]
pub fn is_told(transition: &Alert) -> bool {
    !transition.muted && transition.kind != silence::WORD
}
