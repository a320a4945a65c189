//! The faults of one account that stay until they are changed.
//!
//! This is the short way for tests that want one thing to go wrong; a [`Plan`](super::Plan) is the way for everything else.

use super::Fault;
use crate::feed::Feed;

/// The standing faults of one account.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    account: Fault,
    feeds: [Option<Fault>; 3],
}

impl Standing {
    /// Sets the fault of one feed, or of every endpoint of the account; the latter also forgets the feeds' own.
    pub(crate) fn set(&mut self, feed: Option<Feed>, fault: Fault) {
        match feed {
            Some(feed) => self.feeds[feed.index()] = Some(fault),
            None => *self = Self { account: fault, feeds: Default::default() },
        }
    }

    /// Ends all faults.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault for a request: to a feed, or to introspection.
    pub(crate) fn of(&self, feed: Option<Feed>) -> &Fault {
        feed.and_then(|feed| self.feeds[feed.index()].as_ref()).unwrap_or(&self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feeds_own_fault_goes_first_until_the_account_is_set_again() {
        let mut faults = Standing::default();
        faults.set(None, Fault::Html);
        faults.set(Some(Feed::ItemUsages), Fault::None);
        assert_eq!(*faults.of(Some(Feed::ItemUsages)), Fault::None);
        assert_eq!(*faults.of(Some(Feed::AuditEvents)), Fault::Html);
        assert_eq!(*faults.of(None), Fault::Html);
        faults.set(None, Fault::Truncated);
        assert_eq!(*faults.of(Some(Feed::ItemUsages)), Fault::Truncated);
    }
}
