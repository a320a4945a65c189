//! Where a feed stands that is paged by tokens.
//!
//! Its last page leads nowhere: whoever comes back asks from a point in time on, by when 1Password had the events. So the place in such a
//! feed is a token, or that point, with what is needed to choose the next one. As JSON it stands where other feeds have a cursor: in
//! pages and in checkpoints, which do not look into it; the polling machine does if the token is refused.
//!
//! The point is the insertion time of the newest event seen, as 1Password advises, less an overlap: what is inserted at the same moment,
//! or comes to light a little later, must not be passed by. Whatever the overlap brings again, the chain's window of uuids recognises,
//! which is why the overlap reaches no further back than the window.
//!
//! A token may be refused for ever, and with it goes what lay ahead of it. The way then begins anew ([`Place::anew`]), at an insertion time
//! behind which everything is known to be stored. When events *happened* says nothing about that: a device may send them days late.

mod under_way;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::under_way::UnderWay;
use crate::{
    cursor::Cursor,
    event_time::Asked,
    feed::Definition,
    page::{Error, PageView},
};

/// How far before the newest event a feed is read again. A new owner of a chain recalls what was stored within
/// [`crate::duplicates::WALKED_BACK`].
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(3);

/// After this long nothing comes to light any more beside an event, and there is no overlap.
pub const SETTLED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// An insertion time further ahead of 1Password's own clock, or of ours where an answer has no date, counts as this far ahead: less than
/// [`OVERLAP`], so that no event of the present is passed by. An answer's date has whole seconds, and may come from another machine.
const FUTURE: SignedDuration = SignedDuration::from_mins(1);

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Events per page.
    limit: u32,
    /// The insertion time after which a request without a token begins.
    after: Timestamp,
    /// That of the newest event seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Timestamp>,
    /// Between two pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under_way: Option<UnderWay>,
}

/// What to ask for at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'place> {
    /// The page of this token, and nothing else.
    Token(&'place str),
    /// What was inserted after a point in time.
    After {
        /// That point; it does not belong to the answer.
        time: Timestamp,
        /// Events per page.
        limit: u32,
    },
}

impl Place {
    /// Before the first page: what was inserted at `start` is asked for as well.
    #[must_use]
    pub fn begin(start: Timestamp, limit: u32) -> Self {
        let after = start.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN);
        Self { limit, after, newest: None, under_way: None }
    }

    /// Reads a place that stands for a cursor; `None`: it is none.
    #[must_use]
    pub fn read(cursor: &Cursor) -> Option<Self> {
        serde_json::from_str(cursor.as_str()).ok()
    }

    /// The text that stands for a cursor. Fails if the token is too long for one.
    pub fn cursor(&self) -> Result<Cursor, Error> {
        Ok(serde_json::to_string(self).expect("numbers, times and texts are always JSON").parse()?)
    }

    /// What to ask for here.
    #[must_use]
    pub fn ask(&self) -> Ask<'_> {
        match &self.under_way {
            Some(under_way) => Ask::Token(under_way.token()),
            None => Ask::After { time: self.after, limit: self.limit },
        }
    }

    /// Whether it is between two pages.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// After which insertion time a request without a token begins here.
    #[must_use]
    pub fn begins_after(&self) -> Timestamp {
        self.after
    }

    /// Nothing that was seen up to here was inserted later; `None`: nothing was seen.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The place to go on from where the token is given up: everything that was inserted before it, and was to be had, lies behind.
    ///
    /// That is where the way began. A long way that came in the order of insertion is gone again from its last few pages alone.
    ///
    /// At most `limit` events are asked for per page, and each time another number: the same request might lead to the same token.
    #[must_use]
    pub fn anew(&self, limit: u32) -> Self {
        let reached = self.under_way.as_ref().and_then(UnderWay::reached);
        let fewer = self.limit.min(limit).saturating_sub(1);
        Self {
            limit: if fewer >= limit.div_ceil(2) { fewer } else { limit },
            after: self.after.max(reached.unwrap_or(self.after)),
            newest: self.newest,
            under_way: None,
        }
    }

    /// The same place, with nothing asked for that was inserted at `time` or before.
    #[must_use]
    pub fn beginning_after(self, time: Timestamp) -> Self {
        Self { after: self.after.max(time), ..self }
    }

    /// The place after the page that came at `received_at`. `date` is 1Password's clock, if the answer says it.
    ///
    /// An event that does not say when it was inserted was inserted after it happened. A page none of whose events says either is refused
    /// unless a time is known from before: the feed would begin where it began for ever.
    pub fn after(
        mut self,
        definition: &Definition,
        page: &PageView<'_>,
        date: Option<Timestamp>,
        received_at: Timestamp,
    ) -> Result<Self, Error> {
        let now = date.unwrap_or(received_at);
        let latest = now.saturating_add(FUTURE).unwrap_or(Timestamp::MAX);
        let times = Times::of(definition, page, latest);
        let newest = self.newest.max(times.newest);
        if newest.is_none() && !page.items.is_empty() {
            return Err(Error::NoTimes);
        }
        self.newest = newest.map(|newest| newest.min(latest));
        let before = self.under_way.take();
        match &page.next {
            // Nothing is left behind that is still to be inserted, whatever the events of a page claim.
            Some(token) => {
                let oldest = times.oldest.map(|oldest| oldest.min(now));
                self.under_way = Some(UnderWay::onto(token, before, oldest));
            }
            // A way of many pages may show what there was when it began, which is not known.
            None if before.is_none() => self.after = self.next_beginning(None, date),
            None => self.after = self.next_beginning(before.and_then(|before| before.earlier()), None),
        }
        Ok(self)
    }

    /// Never before the last beginning: what lies behind that was left behind for good. `seen_at` is when, by 1Password's clock, there was
    /// no more than what was seen. Nothing is settled by a clock of ours: one that is ahead would pass by what comes to light.
    fn next_beginning(&self, floor: Option<Timestamp>, seen_at: Option<Timestamp>) -> Timestamp {
        let Some(newest) = self.newest else { return self.after };
        let is_settled = seen_at.is_some_and(|date| date.duration_since(newest) >= SETTLED_AFTER);
        let overlap = if is_settled { SignedDuration::ZERO } else { OVERLAP };
        let beginning = newest.saturating_sub(overlap).unwrap_or(Timestamp::MIN);
        beginning.max(floor.unwrap_or(Timestamp::MIN)).max(self.after)
    }
}

/// When the events of a page were inserted.
struct Times {
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
}

impl Times {
    /// A time after `latest` counts as that.
    fn of(definition: &Definition, page: &PageView<'_>, latest: Timestamp) -> Self {
        let asked = Asked::by(definition);
        let times = page.items.iter().filter_map(|item| asked.time(item.raw)).map(|time| time.min(latest));
        times.fold(Self { oldest: None, newest: None }, |times, time| Self {
            oldest: Some(times.oldest.map_or(time, |oldest| oldest.min(time))),
            newest: times.newest.max(Some(time)),
        })
    }
}

#[cfg(test)]
mod tests;
