//! Why a turn may have to end early.

use tokio_util::sync::CancellationToken;

/// A request to end softly, from either side.
#[derive(Clone, Copy)]
pub(crate) struct Stop<'a> {
    member: &'a CancellationToken,
    process: &'a CancellationToken,
}

impl<'a> Stop<'a> {
    /// `member`: something else takes the source's place. `process`: the fetcher ends.
    pub(crate) fn new(member: &'a CancellationToken, process: &'a CancellationToken) -> Self {
        Self { member, process }
    }

    pub(crate) fn is_asked(self) -> bool {
        self.member.is_cancelled() || self.process.is_cancelled()
    }

    /// Completes when it is asked. Cancel-safe.
    pub(crate) async fn asked(self) {
        tokio::select! {
            () = self.member.cancelled() => {}
            () = self.process.cancelled() => {}
        }
    }
}
