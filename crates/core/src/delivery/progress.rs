//! How far a sink is, and the two steps it takes: plan and commit.
//!
//! The steps are types: only a [`Progress`] can be planned, only a [`Planned`] can be committed, and both are what stream DELIVERIES
//! holds, each published onto the one before it.

use latchkey_contracts::{SourceId, delivery as contract};

use super::{Compression, InvalidPages, Load, Manifest, PageSet, UnknownCompression};

/// Everything up to one sequence of the stream is delivered, and nothing beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    epoch: String,
    committed: u64,
    pub(super) committed_page_id: String,
    pub(super) pages: PageSet,
    events_total: u64,
    repeated_batches_total: u64,
}

/// A range of the stream, both ends included, whose objects are being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first sequence.
    pub first: u64,
    /// The last sequence.
    pub last: u64,
    /// Part of the plan, so that a writer with another setting finishes it unchanged.
    pub compression: Compression,
}

/// A progress with an open plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    progress: Progress,
    plan: Plan,
}

/// What a sink does first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Read on.
    Settled(Progress),
    /// Finish what somebody began.
    Open(Planned),
}

/// What the sink needs to know of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its life, see [`super::epoch`].
    pub epoch: String,
    /// Sequence of its newest message; 0 if there never was one.
    pub last: u64,
}

/// Where a sink stands after a look at what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// What to do first.
    pub state: State,
    /// The epoch that was left behind because the stream was created anew. Nothing of the former stream can be read any more.
    pub left: Option<String>,
}

/// A stored progress that this stream cannot continue. Permanent: somebody has to decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The stream ends before what was delivered from it.
    #[error(
        "stream EVENTS ends at {last}, but sink {sink} has delivered up to {committed}: the stream was set back, perhaps \
         restored from a backup. {}",
        advice(sink)
    )]
    SetBack {
        /// The sink.
        sink: String,
        /// What it has delivered.
        committed: u64,
        /// What there is.
        last: u64,
    },
    /// The last message delivered is another one now.
    #[error(
        "stream EVENTS holds another message at {committed} than the one sink {sink} delivered: the stream was replaced, perhaps \
         restored from a backup. {}",
        advice(sink)
    )]
    Replaced {
        /// The sink.
        sink: String,
        /// Where.
        committed: u64,
    },
    /// The stored progress breaks a rule of its contract.
    #[error("the stored progress of sink {sink} is unusable: {reason}; was it written by a newer version?")]
    Invalid {
        /// The sink.
        sink: String,
        /// Which rule.
        reason: String,
    },
}

fn advice(sink: &str) -> String {
    format!(
        "To deliver everything that it holds again, choose another output and remove the progress \
         (nats stream purge DELIVERIES --subject latchkey.v1.delivery.{sink}); rows delivered before come again, with the same p_row_id"
    )
}

impl Progress {
    /// A sink at the beginning of a stream's life.
    #[must_use]
    pub fn new(epoch: String) -> Self {
        Self {
            epoch,
            committed: 0,
            committed_page_id: String::new(),
            pages: PageSet::default(),
            events_total: 0,
            repeated_batches_total: 0,
        }
    }

    /// Continues from what DELIVERIES holds for `sink`.
    ///
    /// A stream with another epoch is another stream: it is read from its beginning, with an empty set of pages. Within the
    /// epoch the stream must reach at least as far as it was delivered; [`Self::verify`] is the other half of that check.
    pub fn resume(sink: &SourceId, stored: Option<contract::Delivery>, stream: &Stream) -> Result<Resumed, Error> {
        let Some(stored) = stored else {
            return Ok(Resumed { state: State::Settled(Self::new(stream.epoch.clone())), left: None });
        };
        if stored.epoch != stream.epoch {
            let fresh = Self { events_total: stored.events_total, ..Self::new(stream.epoch.clone()) };
            let fresh = Self { repeated_batches_total: stored.repeated_batches_total, ..fresh };
            return Ok(Resumed { state: State::Settled(fresh), left: Some(stored.epoch) });
        }
        let state = read(stored)
            .map_err(|reason: Invalid| Error::Invalid { sink: sink.to_string(), reason: reason.to_string() })?;
        let reached = match &state {
            State::Settled(progress) => progress.committed,
            State::Open(planned) => planned.plan.last,
        };
        if reached > stream.last {
            return Err(Error::SetBack { sink: sink.to_string(), committed: reached, last: stream.last });
        }
        Ok(Resumed { state, left: None })
    }

    /// Compares the page of the message that the stream holds at [`Self::committed`] with the one that was delivered. Only to be
    /// asked if there is one: retention may have removed it.
    pub fn verify(&self, sink: &SourceId, page_id: &str) -> Result<(), Error> {
        // Empty: the message could not be decoded when it was passed.
        if self.committed_page_id.is_empty() || self.committed_page_id == page_id {
            Ok(())
        } else {
            Err(Error::Replaced { sink: sink.to_string(), committed: self.committed })
        }
    }

    /// Begins to deliver a load.
    #[must_use]
    pub fn plan(self, load: &Load, compression: Compression) -> Planned {
        let (first, last) = load.range();
        Planned { progress: self, plan: Plan { first, last, compression } }
    }

    /// Passes over a load that makes no object, in one step.
    ///
    /// # Panics
    ///
    /// If it makes one.
    #[must_use]
    pub fn pass(self, load: Load) -> Self {
        assert_eq!(load.counts().objects, 0, "a load with events needs a plan");
        let planned = self.plan(&load, Compression::None);
        let (_, manifest) = load.into_objects(&planned.plan, &planned.progress.epoch);
        planned.commit(manifest)
    }

    /// As the contract has it.
    #[must_use]
    pub fn write(&self, sink: &SourceId) -> contract::Delivery {
        contract::Delivery {
            sink: sink.to_string(),
            epoch: self.epoch.clone(),
            committed: self.committed,
            committed_page_id: self.committed_page_id.clone(),
            pages: self.pages.intervals(),
            parts: self.pages.parts(),
            plan: None,
            events_total: self.events_total,
            repeated_batches_total: self.repeated_batches_total,
            pages_epoch: self.pages.epoch().into(),
        }
    }

    /// The first sequence not delivered.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.committed + 1
    }

    /// The last sequence delivered.
    #[must_use]
    pub const fn committed(&self) -> u64 {
        self.committed
    }

    /// The life of the stream that its sequences belong to.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Events delivered since the sink began.
    #[must_use]
    pub const fn events_total(&self) -> u64 {
        self.events_total
    }

    /// Batches left out since the sink began, because their page had been delivered.
    #[must_use]
    pub const fn repeated_batches_total(&self) -> u64 {
        self.repeated_batches_total
    }

    fn advance(self, manifest: Manifest) -> Self {
        Self {
            epoch: self.epoch,
            committed: manifest.last,
            committed_page_id: manifest.last_page_id,
            pages: manifest.pages,
            events_total: self.events_total + manifest.counts.events,
            repeated_batches_total: self.repeated_batches_total + manifest.counts.repeated,
        }
    }
}

impl Planned {
    /// What is being written.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What it is written onto.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// All objects are written: the plan's range is delivered.
    ///
    /// # Panics
    ///
    /// If the manifest is another range's.
    #[must_use]
    pub fn commit(self, manifest: Manifest) -> Progress {
        assert_eq!(manifest.last, self.plan.last, "what is committed is what was planned");
        self.progress.advance(manifest)
    }

    /// As the contract has it.
    #[must_use]
    pub fn write(&self, sink: &SourceId) -> contract::Delivery {
        let Plan { first, last, compression } = self.plan;
        let plan = contract::Plan { first, last, compression: compression.to_string() };
        contract::Delivery { plan: Some(plan), ..self.progress.write(sink) }
    }
}

#[derive(Debug, thiserror::Error)]
enum Invalid {
    #[error(transparent)]
    Pages(#[from] InvalidPages),
    #[error(transparent)]
    Compression(#[from] UnknownCompression),
    #[error("the plan {first}-{last} does not continue after {committed}")]
    Plan { first: u64, last: u64, committed: u64 },
}

fn read(stored: contract::Delivery) -> Result<State, Invalid> {
    let progress = Progress {
        pages: PageSet::read(&stored.pages, &stored.parts, stored.pages_epoch)?,
        epoch: stored.epoch,
        committed: stored.committed,
        committed_page_id: stored.committed_page_id,
        events_total: stored.events_total,
        repeated_batches_total: stored.repeated_batches_total,
    };
    let Some(contract::Plan { first, last, compression }) = stored.plan else {
        return Ok(State::Settled(progress));
    };
    let compression = compression.parse()?;
    if first != progress.next() || last < first {
        return Err(Invalid::Plan { first, last, committed: progress.committed });
    }
    Ok(State::Open(Planned { progress, plan: Plan { first, last, compression } }))
}
