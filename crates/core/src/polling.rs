//! The polling machine: how one chain is read, decided step by step.
//!
//! A [`Turn`] is what a fetcher does with a chain between taking its task and handing it back. It is a machine without I/O: it
//! names one [`Action`], the caller performs it and feeds back what happened, and so on until [`Action::Finish`].
//!
//! **The one contract: a cursor counts only when the page that brought it is stored.** A page is published onto the sequence of the
//! chain's previous page; every doubt (another fetcher was faster, no answer came) leads back to [`Action::Recover`], which reads what
//! the stream really holds. Nothing is retried in a loop here: a failure ends the turn, and the next one comes after a pause.
//!
//! A chain that cannot go on from its cursor, because the API refuses it or because the pages it brings are too large, is read again from a
//! point in time: [`Action::LookBack`] finds out which stored events could be recognised, and the page that follows takes the old cursor's
//! place as any page does, by being stored. A feed that is paged by tokens has a place in its cursor's stead, and begins anew where that says.

mod action;
mod bounds;
mod failure;
mod head;
mod history;
mod phase;
mod policy;
mod position;
mod recovery;
mod report;
mod turn;

pub use self::{
    action::{Action, Fetched, Input, Published, Request, Settled, Step},
    bounds::{MAX_CURSOR_REFUSALS, MAX_DISTURBANCES, MAX_EMPTY_PAGES, MAX_PAGES, MAX_RETRY_AFTER, MAX_TURN},
    failure::{CURSOR_REFUSED, Failure, PAGE_TOO_LARGE, TOO_LARGE, no_room, over_budget},
    head::Head,
    history::{History, Recovery, Refusal},
    phase::{is_in_place, until_next},
    policy::Policy,
    position::{LastPage, Position, recover},
    recovery::OVERLAP,
    report::{Circumstances, Off, Outcome, REMOVED, Report, TokenFault, read as read_checkpoint},
    turn::Turn,
};
