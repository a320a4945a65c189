//! What a turn asks the API for next: on from its cursor, or from a point in time where it cannot go on.

use jiff::Timestamp;

use super::Turn;
use crate::{
    page_token::Place,
    polling::{
        CURSOR_REFUSED, Failure,
        action::{Action, Request},
        bounds::{MAX_CURSOR_REFUSALS, MAX_PAGES, MAX_TURN},
        failure,
        recovery::{self, Reset},
    },
};

impl Turn {
    pub(super) fn go_on(&self, now: Timestamp) -> Action {
        let goes_on = self.pages < MAX_PAGES && now.duration_since(self.began_at) < MAX_TURN;
        if goes_on { self.fetch() } else { self.stop(now) }
    }

    pub(super) fn fetch(&self) -> Action {
        match (&self.reset, &self.position.cursor) {
            (Some(Reset { from: Some(from), place: Some(place), .. }), _) => {
                let anew = place.anew(self.limit).beginning_after(*from);
                Action::Fetch(Request::After(anew.cursor().expect("a place without a token is short")))
            }
            (Some(Reset { from: Some(start), .. }), _) => {
                Action::Fetch(Request::From { start: *start, limit: self.page_limit() })
            }
            (Some(Reset { from: None, place: Some(place), .. }), _) => {
                Action::LookBack { from: place.anew(self.limit).begins_after() }
            }
            (Some(Reset { from: None, place: None, .. }), _) => {
                Action::LookBack { from: recovery::wanted(&self.history, self.start()) }
            }
            (None, Some(cursor)) => Action::Fetch(Request::After(cursor.clone())),
            (None, None) => Action::Fetch(Request::From { start: self.policy.start, limit: self.page_limit() }),
        }
    }

    /// Events per page to ask for at a beginning. A place has a limit of its own, which this bounds.
    pub(super) fn page_limit(&self) -> u32 {
        match &self.reset {
            Some(Reset { place: None, .. }) => recovery::page_limit(self.limit, self.history.recoveries),
            _ => self.limit,
        }
    }

    /// The chain's own: where its source's was moved to since, it has not asked.
    pub(super) fn start(&self) -> Timestamp {
        self.history.start(self.policy.start)
    }

    pub(super) fn looked_back(&mut self, covered: Timestamp) -> Action {
        let start = self.start();
        if let Some(reset) = &mut self.reset {
            let (from, passed_by) = match &reset.place {
                Some(place) => recovery::after_a_place(&place.anew(self.limit), covered),
                None => recovery::after_a_cursor(&self.history, start, covered),
            };
            (reset.from, reset.passed_by) = (Some(from), passed_by);
        }
        self.fetch()
    }

    pub(super) fn fetch_failed(&mut self, failure: &Failure, now: Timestamp) -> Action {
        if failure.refuses_the_request() && self.continues() {
            self.history.cursor_refusals += 1;
            return match self.history.cursor_refusals {
                ..MAX_CURSOR_REFUSALS => self.fail(&failure::cursor_refused(), now),
                // There is no token to give up.
                _ if self.place().is_some_and(|place| !place.is_under_way()) => self.fail(failure, now),
                _ => self.begin_again(CURSOR_REFUSED),
            };
        }
        if failure.is_of_size() { self.ask_for_less(failure, now) } else { self.fail(failure, now) }
    }

    /// Whether the last request went on from a cursor.
    pub(super) fn continues(&self) -> bool {
        self.reset.is_none() && self.position.cursor.is_some()
    }

    /// Half as many events per page. A cursor carries its limit, so a smaller one needs another beginning; the turn may have been begun with
    /// a larger one, and the way from there to here may take many turns.
    pub(super) fn ask_for_less(&mut self, failure: &Failure, now: Timestamp) -> Action {
        if let Some(carried) = self.history.page_limit.filter(|_| self.continues()) {
            self.limit = self.limit.min(carried.get());
        }
        if self.limit <= 1 {
            return self.fail(failure, now);
        }
        self.limit /= 2;
        if self.continues() { self.begin_again(failure.reason) } else { self.fetch() }
    }

    pub(super) fn begin_again(&mut self, reason: &'static str) -> Action {
        self.reset = Some(Reset { from: None, passed_by: None, place: self.place(), reason });
        self.fetch()
    }

    /// Where the chain stands, in a feed that is paged by tokens.
    pub(super) fn place(&self) -> Option<Place> {
        self.position.cursor.as_ref().filter(|_| self.policy.overlaps).and_then(Place::read)
    }
}
