//! Where a chain stands, as the streams say it.

use latchkey_bus::{Bus, Error};
use latchkey_contracts::{Chain, topology::PAGES};
use latchkey_core::polling::{self, Head, History, LastPage, Position};

use crate::performer::last_page_of;

/// What there is to go on from.
pub(crate) struct Standing {
    /// The chain's newest page.
    pub(crate) last_page: Option<LastPage>,
    /// Its position and history by the newest checkpoint; without pages, by its head where that knows more.
    pub(crate) checkpoint: Option<(Position, History)>,
}

/// Reads it. Only of a chain without pages the head is read as well.
pub(crate) async fn read(bus: &Bus, chain: &Chain) -> Result<Standing, Error> {
    let (last_page, checkpoint) = futures::future::try_join(bus.last_page(chain), bus.last_checkpoint(chain)).await?;
    let last_page = last_page.map(|stored| last_page_of(stored.sequence, &stored.message)).transpose()?;
    let mut checkpoint = checkpoint.map(|stored| polling::read_checkpoint(&stored.message));
    if last_page.is_none()
        && let Some(head) = head(bus, chain, checkpoint.as_ref()).await?
    {
        tracing::info!(
            source = %chain.source, feed = %chain.feed, page = head.position.sequence,
            "a turn ended without a checkpoint, and its pages are not kept any more: the chain goes on from its head"
        );
        checkpoint = Some((head.position, head.history));
    }
    Ok(Standing { last_page, checkpoint })
}

/// The chain's head, if it is to be gone on from.
async fn head(bus: &Bus, chain: &Chain, checkpoint: Option<&(Position, History)>) -> Result<Option<Head>, Error> {
    let Some(stored) = bus.last_head(chain).await? else { return Ok(None) };
    let head = Head::read(stored.published_at, &stored.message);
    if !head.outranks(checkpoint) {
        return Ok(None);
    }
    let pages = bus.stream_state(&PAGES).await?;
    Ok(head.is_behind(pages.first, pages.created).then_some(head))
}
