//! How the API misbehaves, decided for each request before it is answered.
//!
//! A fault stays until it is changed. One set for a feed goes before one set for the whole account. Answers replaced by a
//! fault serve no events, so the ledger does not count them.

use std::time::Duration;

use crate::feed::Feed;

/// What happens to a request instead of, or before, its ordinary answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The ordinary answer.
    #[default]
    None,
    /// An error status with a JSON error body.
    Status {
        /// The status: 400 to 599.
        code: u16,
        /// Seconds in a `Retry-After` header.
        retry_after: Option<u64>,
    },
    /// The ordinary answer, this much later.
    Delay(Duration),
    /// Status 200 with a web page, as from a captive portal or a proxy.
    Html,
    /// Status 200 and the right `Content-Length`, but the connection ends in the middle of the body.
    Truncated,
}

/// The faults of one account.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    account: Fault,
    feeds: [Option<Fault>; 3],
}

impl Faults {
    /// Sets the fault of one feed, or of every endpoint of the account; the latter also forgets the feeds' own.
    pub(crate) fn set(&mut self, feed: Option<Feed>, fault: Fault) {
        match feed {
            Some(feed) => self.feeds[feed.index()] = Some(fault),
            None => *self = Self { account: fault, feeds: Default::default() },
        }
    }

    /// The fault for a request: to a feed, or to introspection.
    pub(crate) fn of(&self, feed: Option<Feed>) -> Fault {
        feed.and_then(|feed| self.feeds[feed.index()].clone()).unwrap_or_else(|| self.account.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feeds_own_fault_goes_first_until_the_account_is_set_again() {
        let mut faults = Faults::default();
        faults.set(None, Fault::Html);
        faults.set(Some(Feed::ItemUsages), Fault::None);
        assert_eq!(faults.of(Some(Feed::ItemUsages)), Fault::None);
        assert_eq!(faults.of(Some(Feed::AuditEvents)), Fault::Html);
        assert_eq!(faults.of(None), Fault::Html);
        faults.set(None, Fault::Truncated);
        assert_eq!(faults.of(Some(Feed::ItemUsages)), Fault::Truncated);
    }
}
