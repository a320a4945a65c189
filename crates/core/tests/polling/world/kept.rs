//! What the streams still hold when somebody comes back to the chain.

use jiff::Timestamp;
use latchkey_core::polling::{History, Input, LastPage, Position};

use super::World;

impl World {
    /// Seven days pass in which nothing arrives, and nothing is on its way either. Of a page whose storing nobody has heard of, nothing is
    /// known once it is gone; and what clocks that are ahead have put into the future is no future any more after so long.
    pub(crate) fn expire(&mut self) {
        let newest = self.stored.last().map(|page| &page.id);
        let checkpoint = self.checkpoint.as_ref().map(|(position, _)| position);
        let head = self.head.as_ref().map(|head| &head.position);
        let is_known = checkpoint
            .into_iter()
            .chain(head)
            .any(|position| position.sequence == self.stored.len() as u64 && position.page_id.as_ref() == newest);
        let is_past = self.stored.last().is_some_and(|page| page.latest <= Some(self.now()));
        if is_known && is_past && !self.has_lost_power && self.in_flight.is_empty() {
            self.expired = self.stored.len();
        }
    }

    /// Some days pass in which nothing arrives, after which the older half of the pages is gone.
    pub(crate) fn fade(&mut self) {
        let expired = self.expired + (self.stored.len() - self.expired) / 2;
        let is_past = expired > 0 && self.stored[expired - 1].latest <= Some(self.now());
        if is_past && self.in_flight.is_empty() {
            self.expired = expired;
        }
    }

    /// The disk has the checkpoint, and neither the two newest pages nor the head. Without any page nobody could tell.
    pub(crate) fn lose_power(&mut self) {
        self.in_flight.clear();
        if self.stored.len() > self.expired {
            self.stored.truncate(self.stored.len().saturating_sub(2).max(self.expired + 1));
            (self.head, self.has_lost_power) = (None, true);
        }
    }

    /// Where the chain stands without pages.
    fn noted(&self) -> Option<(Position, History)> {
        let head = self.head.clone().filter(|head| head.outranks(self.checkpoint.as_ref()));
        let head = head.filter(|head| head.is_behind(self.expired as u64 + 1, Timestamp::UNIX_EPOCH));
        head.map(|head| (head.position, head.history)).or(self.checkpoint.clone())
    }

    pub(super) fn recovered(&self) -> Input {
        let last_page = self.stored[self.expired..].last().map(|page| LastPage {
            sequence: self.stored.len() as u64,
            previous_sequence: page.previous,
            page_id: page.id.clone(),
            cursor: page.cursor.clone(),
            fetched_at: self.now(),
            has_news: !page.events.is_empty(),
            events_total: page.total,
            newest_event_at: page.newest,
            latest_event_at: page.latest,
            recovering_from: page.recovering_from,
            recoveries: page.recoveries,
        });
        let checkpoint = if last_page.is_some() { self.checkpoint.clone() } else { self.noted() };
        Input::Recovered { last_page, checkpoint: checkpoint.map(Box::new) }
    }
}
