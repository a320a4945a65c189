//! Takes transitions from a consumer of ALERTS, one after the other, and answers for each: the loop of whoever tells people.

use std::time::Duration;

use latchkey_bus::{Delivered, Deliveries, Error, trace};
use latchkey_contracts::alert::Alert;
use latchkey_runtime::Shutdown;
use tracing::{Instrument, Span};

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Again { after: Duration },
    Abandon,
}

/// Somebody who tells people.
pub(crate) trait Tell {
    /// The span of one delivery.
    fn span(&self, sequence: u64) -> Span;

    /// Tells of it, and says what becomes of the delivery.
    fn tell(&mut self, delivered: &Delivered<Alert>) -> impl Future<Output = Answer> + Send;
}

/// Hands each transition to `teller` until the soft shutdown. What the hard one interrupts is delivered again.
pub(crate) async fn each(
    mut transitions: Deliveries<Alert>,
    shutdown: &Shutdown,
    teller: &mut impl Tell,
) -> Result<(), Error> {
    loop {
        let delivered = tokio::select! {
            () = shutdown.soft().cancelled() => break,
            delivered = transitions.next() => delivered?,
        };
        let span = teller.span(delivered.sequence);
        trace::set_parent(&span, delivered.context.clone());
        let told = async { answer(&delivered, teller.tell(&delivered).await).await };
        tokio::select! {
            () = shutdown.hard().cancelled() => return Ok(()),
            () = told.instrument(span) => {}
        }
    }
    transitions.close().await;
    Ok(())
}

async fn answer(delivered: &Delivered<Alert>, answer: Answer) {
    let answered = match answer {
        Answer::Done => delivered.ack().await,
        Answer::Again { after } => delivered.nak(after).await,
        Answer::Abandon => delivered.term().await,
    };
    if let Err(error) = answered {
        // Nobody hears the answer, so the transition comes again when its lease ends.
        tracing::warn!(sequence = delivered.sequence, %error, "a transition could not be answered for");
    }
}
