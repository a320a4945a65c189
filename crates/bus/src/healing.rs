//! What messages are read from, made anew after a disturbance.
//!
//! Who waits for messages mostly waits for other things as well, and drops the call as soon as one of those happens: many times a second.
//! A pause or a request that began anew with each call would never end. So what mends is kept here between calls.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::Error;

/// The first pause between two attempts.
const SHORTEST: Duration = Duration::from_millis(100);

/// No pause is longer: a restarted server is noticed within this time.
const LONGEST: Duration = Duration::from_secs(2);

/// How long a service that starts waits for a server that is just being started itself.
const START_WITHIN: Duration = Duration::from_mins(1);

/// Something to read from, or the work on it.
pub(crate) struct Healing<S> {
    stream: Option<S>,
    mending: Option<BoxFuture<'static, Result<S, Error>>>,
    /// Until when the stream is left alone.
    rests_until: Option<Instant>,
    pause: Pause,
    /// Whether it takes so long that people were told.
    told: bool,
}

impl<S: Send + 'static> Healing<S> {
    /// Nothing yet: it is opened when somebody wants to read.
    pub(crate) fn new() -> Self {
        Self { stream: None, mending: None, rests_until: None, pause: Pause::default(), told: false }
    }

    /// What to read from, opened as often as it takes. Errs if `open` does with what no further attempt helps against.
    ///
    /// Cancel-safe: a further call goes on where this one was dropped.
    pub(crate) async fn stream<O>(&mut self, open: impl Fn() -> O) -> Result<&mut S, Error>
    where
        O: Future<Output = Result<S, Error>> + Send + 'static,
    {
        if let Some(until) = self.rests_until {
            sleep_until(until).await;
            self.rests_until = None;
        }
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.mended(open).await?,
        };
        Ok(self.stream.insert(stream))
    }

    async fn mended<O>(&mut self, open: impl Fn() -> O) -> Result<S, Error>
    where
        O: Future<Output = Result<S, Error>> + Send + 'static,
    {
        loop {
            let mending = self.mending.get_or_insert_with(|| {
                let (pause, opening) = (self.pause.length(), open());
                Box::pin(async move {
                    sleep(pause).await;
                    opening.await
                })
            });
            let mended = mending.await;
            self.mending = None;
            match mended {
                Err(error) if error.is_transient() => {
                    self.pause.lengthen();
                    self.tell(&error);
                }
                mended => return mended,
            }
        }
    }

    /// A disturbance of moments is nobody's business; one that lasts is.
    fn tell(&mut self, error: &Error) {
        if self.pause.length() == LONGEST && !self.told {
            self.told = true;
            tracing::warn!(%error, "reading does not go on; trying again every {} s", LONGEST.as_secs());
        }
    }

    /// It gives what it should.
    pub(crate) fn works(&mut self) {
        self.pause.clear();
        if self.told {
            self.told = false;
            tracing::info!("reading goes on");
        }
    }

    /// It is of no more use.
    pub(crate) fn broken(&mut self) {
        self.stream = None;
        self.pause.lengthen();
    }

    /// It heals by itself, given a moment.
    pub(crate) fn rest(&mut self) {
        self.pause.lengthen();
        self.rests_until = Some(Instant::now() + self.pause.length());
    }

    /// It may be of no more use: `check` says so by an error.
    pub(crate) fn check(&mut self, check: impl Future<Output = Result<(), Error>> + Send + 'static) {
        if let Some(stream) = self.stream.take() {
            self.mending = Some(Box::pin(async move { check.await.map(|()| stream) }));
        }
    }

    /// What there is to read from, if nothing is wrong with it.
    pub(crate) fn into_stream(self) -> Option<S> {
        self.stream
    }
}

/// Doubles with each failure, vanishes with the first success.
#[derive(Debug, Default)]
struct Pause(Duration);

impl Pause {
    const fn length(&self) -> Duration {
        self.0
    }

    fn lengthen(&mut self) {
        self.0 = (self.0 * 2).clamp(SHORTEST, LONGEST);
    }

    fn clear(&mut self) {
        self.0 = Duration::ZERO;
    }
}

/// Calls until it does not fail for a cause that passes, for a minute at most: for what a service cannot begin without.
pub async fn patiently<T, C>(mut call: impl FnMut() -> C) -> Result<T, Error>
where
    C: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + START_WITHIN;
    let mut pause = Pause::default();
    loop {
        match call().await {
            Err(error) if error.is_transient() && Instant::now() < deadline => {
                tracing::debug!(%error, "the server is not there yet; trying again");
                pause.lengthen();
                sleep(pause.length()).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::time::timeout;

    use super::*;

    fn unavailable() -> Error {
        Error::unavailable("opening", "not there")
    }

    /// Calls for `within` at a time until there is something to read from; says how often it was opened.
    async fn open_in_slices(within: Duration, failures: usize) -> usize {
        let opened = Arc::new(AtomicUsize::new(0));
        let open = || {
            let opened = Arc::clone(&opened);
            async move {
                // A request takes its time.
                sleep(Duration::from_secs(1)).await;
                if opened.fetch_add(1, Ordering::Relaxed) < failures { Err(unavailable()) } else { Ok(()) }
            }
        };
        let mut healing = Healing::new();
        for _ in 0..1_000_000 {
            if timeout(within, healing.stream(open)).await.is_ok_and(|stream| stream.is_ok()) {
                return opened.load(Ordering::Relaxed);
            }
        }
        panic!("never opened");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_mended_however_short_the_calls_are() {
        assert_eq!(open_in_slices(Duration::from_millis(1), 5).await, 6);
        assert_eq!(open_in_slices(Duration::from_mins(1), 5).await, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_checked_stays_unless_the_check_fails() {
        let opened = AtomicUsize::new(0);
        let open = || {
            let number = opened.fetch_add(1, Ordering::Relaxed);
            async move { Ok(number) }
        };
        let mut healing = Healing::new();
        assert_eq!(*healing.stream(open).await.unwrap(), 0);
        healing.check(async { Ok(()) });
        assert_eq!(*healing.stream(open).await.unwrap(), 0);
        healing.rest();
        assert_eq!(*healing.stream(open).await.unwrap(), 0);
        healing.check(async { Err(unavailable()) });
        assert_eq!(*healing.stream(open).await.unwrap(), 1);
        healing.broken();
        assert_eq!(*healing.stream(open).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_told_at_once() {
        let mut healing = Healing::<()>::new();
        let missing = || async { Err(Error::Missing { object: "stream PAGES".into() }) };
        assert!(matches!(healing.stream(missing).await, Err(Error::Missing { .. })));
        assert!(matches!(patiently(missing).await, Err(Error::Missing { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let began = Instant::now();
        assert!(patiently(|| async { Err::<(), _>(unavailable()) }).await.unwrap_err().is_transient());
        assert!(began.elapsed() >= START_WITHIN && began.elapsed() < START_WITHIN * 2);
        let forever = patiently(pending::<Result<(), Error>>);
        assert!(timeout(Duration::from_mins(5), forever).await.is_err(), "a call has its own time-out");
    }
}
